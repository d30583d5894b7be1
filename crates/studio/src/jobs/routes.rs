//! Jobs over HTTP: begin, follow, stop, resume, fetch.

use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use gioconda_http::{ApiError, ErrorBody, Id, Part};
use gioconda_portrait::verification::Finding;
use serde::{Deserialize, Serialize};
use tempfile::TempPath;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use utoipa::ToSchema;

use super::animation::Animation;
use super::learning::Learning;
use super::{Job, JobResult, JobState, JobView, Work};
use crate::options::{DeclaredSubject, DriveId, Options, PortraitId};
use crate::session::Owner;
use crate::studio::Shared;
use crate::turns::in_turn;
use crate::verify::look;

/// Least time between two events of a job.
const EVENTS_APART: Duration = Duration::from_millis(100);
/// Bytes of a file that are sent at a time.
const CHUNK: usize = 64 << 10;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/animate", post(animate))
        .route("/api/learn", post(learn))
        .route("/api/jobs", get(list))
        .route("/api/jobs/{id}", get(show).delete(stop))
        .route("/api/jobs/{id}/events", get(events))
        .route("/api/jobs/{id}/resume", post(resume))
        .route("/api/jobs/{id}/file", get(file))
        .route("/api/jobs/{id}/credentials", get(credentials))
}

/// What `animate` is to do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnimateRequest {
    portrait: PortraitId,
    drive: DriveId,
    #[serde(default)]
    options: Options,
}

/// What `learn` is to do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LearnRequest {
    /// 1 to 32 uploaded photos of one person; the first is what is shown.
    #[schema(min_items = 1, max_items = 32)]
    photos: Vec<Id>,
    /// What to call the avatar.
    #[schema(min_length = 1, max_length = 400)]
    name: String,
    /// Who is shown.
    subject: Option<DeclaredSubject>,
    /// Who agreed to what, in free words.
    #[schema(max_length = 400)]
    consent: Option<String>,
    /// How long the network is tuned. Where it is not said, one or two photos leave it untuned.
    #[schema(minimum = 1, maximum = 2000)]
    steps: Option<u32>,
    /// Whether to leave the network untuned.
    #[serde(default)]
    feed_forward: bool,
}

/// A job that was taken on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    job: Id,
}

/// Begins a film.
#[utoipa::path(post, path = "/api/animate", tag = "jobs", request_body = AnimateRequest,
    params(("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 202, description = "Taken on", body = Accepted), (status = 400, description = "Not JSON", body = ErrorBody),
        (status = 404, description = "No such portrait or drive", body = ErrorBody), (status = 422, description = "Cannot be done", body = ErrorBody),
        (status = 503, description = "The queue is full", body = ErrorBody)))]
pub(crate) async fn animate(
    State(studio): State<Shared>,
    owner: Owner,
    gioconda_http::Json(request): gioconda_http::Json<AnimateRequest>,
) -> Result<Response, ApiError> {
    let animation =
        Animation::prepare(&studio, owner, &request.portrait, &request.drive, &request.options).await?;
    accepted(&studio, owner, Work::Animate(Box::new(animation)))
}

/// Begins an avatar.
#[utoipa::path(post, path = "/api/learn", tag = "jobs", request_body = LearnRequest,
    params(("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 202, description = "Taken on", body = Accepted), (status = 400, description = "Not JSON", body = ErrorBody),
        (status = 404, description = "No such photo", body = ErrorBody), (status = 422, description = "Cannot be done", body = ErrorBody),
        (status = 503, description = "The queue is full", body = ErrorBody)))]
pub(crate) async fn learn(
    State(studio): State<Shared>,
    owner: Owner,
    gioconda_http::Json(request): gioconda_http::Json<LearnRequest>,
) -> Result<Response, ApiError> {
    let LearnRequest { photos, name, subject, consent, steps, feed_forward } = request;
    let learning =
        Learning::prepare(&studio, owner, &photos, &name, (subject, consent), steps, feed_forward)?;
    accepted(&studio, owner, Work::Learn(learning))
}

fn accepted(studio: &Shared, owner: Owner, work: Work) -> Result<Response, ApiError> {
    let job = studio.jobs.add(owner, work)?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { job })).into_response())
}

/// The client's own jobs that are remembered.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", responses((status = 200, description = "The newest first", body = [JobView])))]
pub(crate) async fn list(State(studio): State<Shared>, owner: Owner) -> Json<Vec<JobView>> {
    Json(studio.jobs.views(owner))
}

/// One job.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs", params(("id" = Id, Path)),
    responses((status = 200, description = "Where it stands", body = JobView), (status = 404, description = "No such job", body = ErrorBody)))]
pub(crate) async fn show(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<Json<JobView>, ApiError> {
    Ok(Json(studio.jobs.find(owner, &id)?.view()))
}

/// Follows a job: an event now, one after each change, the last one when it has ended.
#[utoipa::path(get, path = "/api/jobs/{id}/events", tag = "jobs", params(("id" = Id, Path)),
    responses((status = 200, description = "Server-sent events whose data are jobs", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such job", body = ErrorBody), (status = 503, description = "Too many follow jobs", body = ErrorBody)))]
pub(crate) async fn events(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, ApiError> {
    let job = studio.jobs.find(owner, &id)?;
    let place = Arc::clone(&studio.turns.event_streams).try_acquire_owned();
    let place = place.map_err(|_| ApiError::busy("too many clients follow jobs at the same time", 5))?;
    let mut watch = job.watch();
    watch.mark_changed();
    let events = stream::unfold(Some((job, watch, place)), |following| async {
        let (job, mut watch, place) = following?;
        watch.changed().await.ok()?;
        let view = watch.borrow_and_update().clone();
        let event = Event::default().json_data(&view);
        if !matches!(view.state, JobState::Queued | JobState::Running) {
            return Some((event, None));
        }
        tokio::time::sleep(EVENTS_APART).await;
        Some((event, Some((job, watch, place))))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Stops a job that waits or runs; one that has ended is forgotten, with its film.
#[utoipa::path(delete, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = Id, Path), ("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 204, description = "Stopped, or forgotten"), (status = 404, description = "No such job", body = ErrorBody)))]
pub(crate) async fn stop(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<StatusCode, ApiError> {
    studio.jobs.stop(owner, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a job that was stopped, or has failed, back into the queue. Tuning a network goes on where it was stopped, unless
/// two others were stopped since; all else begins anew.
#[utoipa::path(post, path = "/api/jobs/{id}/resume", tag = "jobs",
    params(("id" = Id, Path), ("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 202, description = "Queued again", body = Accepted), (status = 404, description = "No such job", body = ErrorBody),
        (status = 409, description = "It was not stopped", body = ErrorBody), (status = 503, description = "The queue is full", body = ErrorBody)))]
pub(crate) async fn resume(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<Response, ApiError> {
    studio.jobs.resume(owner, &id)?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { job: id })).into_response())
}

/// A film, marked and signed. One byte range may be asked for.
#[utoipa::path(get, path = "/api/jobs/{id}/file", tag = "jobs", params(("id" = Id, Path)),
    responses((status = 200, description = "The film", body = Vec<u8>, content_type = "video/mp4"), (status = 206, description = "A part of it", body = Vec<u8>, content_type = "video/mp4"),
        (status = 404, description = "No such job", body = ErrorBody), (status = 409, description = "It is not done", body = ErrorBody),
        (status = 416, description = "No such part", body = ErrorBody)))]
pub(crate) async fn file(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = studio.jobs.find(owner, &id)?;
    let path = film(&job)?;
    let Some(JobResult::Film { file: name, mime, .. }) = job.view().result else {
        return Err(ApiError::unknown("film"));
    };
    let mut file = tokio::fs::File::open(&*path).await?;
    let length = file.metadata().await?.len();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let range = asked.map_or(ByteRange::Whole, |text| ByteRange::parse(text, length));
    let (status, first, count) = match range {
        ByteRange::Whole => (StatusCode::OK, 0, length),
        ByteRange::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last + 1 - first),
        ByteRange::Beyond => {
            return Err(ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "the film is shorter than that"));
        }
    };
    file.seek(SeekFrom::Start(first)).await?;
    let answer = |text: String| HeaderValue::try_from(text).map_err(ApiError::internal);
    let mut response = Response::new(Body::from_stream(chunks(file.take(count), path)));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(header::CONTENT_DISPOSITION, answer(format!("inline; filename=\"{name}\""))?);
    fields.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = answer(format!("bytes {first}-{}/{length}", first + count - 1))?;
        fields.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

/// What a film says of its own origin.
#[utoipa::path(get, path = "/api/jobs/{id}/credentials", tag = "jobs", params(("id" = Id, Path)),
    responses((status = 200, description = "As `gioconda verify --json` has it", body = Finding),
        (status = 404, description = "No such job", body = ErrorBody), (status = 409, description = "It is not done", body = ErrorBody)))]
pub(crate) async fn credentials(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<Response, ApiError> {
    let job = studio.jobs.find(owner, &id)?;
    let path = film(&job)?;
    let Some(JobResult::Film { file: name, .. }) = job.view().result else {
        return Err(ApiError::unknown("film"));
    };
    let found = in_turn(&studio.turns.verifying, (), move || look(&path, &name)).await?;
    found.map_err(ApiError::unusable)
}

fn film(job: &Job) -> Result<Arc<TempPath>, ApiError> {
    job.film()
        .map(|film| film.path)
        .ok_or_else(|| ApiError::new(StatusCode::CONFLICT, "this job has no film, or not yet"))
}

/// The file in chunks; it stays as long as it is read.
fn chunks(
    file: tokio::io::Take<tokio::fs::File>,
    kept: Arc<TempPath>,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, kept), |(mut file, kept)| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await?;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, kept))))
    })
}

/// What a `Range` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteRange {
    /// Everything: no header, or none that names a single range of bytes.
    Whole,
    /// From byte to byte, both included.
    Part { first: u64, last: u64 },
    /// Bytes behind the end.
    Beyond,
}

impl ByteRange {
    /// Of `bytes=a-b`, `bytes=a-` or `bytes=-b`, for a file of `length` bytes.
    fn parse(text: &str, length: u64) -> Self {
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let (first, last) = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => (first, last.min(length.saturating_sub(1))),
            (Ok(first), Err(_)) if last.is_empty() => (first, length.saturating_sub(1)),
            (Err(_), Ok(count)) if first.is_empty() => {
                (length.saturating_sub(count), length.saturating_sub(1))
            }
            _ => return Self::Whole,
        };
        if first < length && first <= last { Self::Part { first, last } } else { Self::Beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteRange::{self, Beyond, Part, Whole};

    #[test]
    fn single_ranges_are_understood_and_others_are_not() {
        for (text, range) in [
            ("bytes=0-", Part { first: 0, last: 99 }),
            ("bytes=10-19", Part { first: 10, last: 19 }),
            ("bytes=90-500", Part { first: 90, last: 99 }),
            ("bytes=-5", Part { first: 95, last: 99 }),
            ("bytes=-500", Part { first: 0, last: 99 }),
            ("bytes=-0", Beyond),
            ("bytes=100-", Beyond),
            ("bytes=5-4", Whole),
            ("bytes=0-1,3-4", Whole),
            ("lines=1-2", Whole),
            ("bytes=a-b", Whole),
        ] {
            assert_eq!(ByteRange::parse(text, 100), range, "{text}");
        }
        assert_eq!(ByteRange::parse("bytes=0-", 0), Beyond);
    }
}
