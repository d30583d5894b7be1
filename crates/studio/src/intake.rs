//! Photos and clips come in: received, looked at, and given a name.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use gioconda_avatar::{Motion, RecordSettings};
use gioconda_face::{FaceChoice, FoundFace};
use gioconda_http::connections::Client;
use gioconda_http::{ApiError, ErrorBody, Id, Part};
use gioconda_media::{Budget, ClipInfo, ClipReader, ReadOptions};
use serde::Serialize;
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::jpeg;
use crate::library::picture;
use crate::limits;
use crate::options::PortraitId;
use crate::session::Owner;
use crate::studio::Shared;
use crate::turns::in_turn;
use crate::uploads::{Clip, Photo, Received, in_words};

/// How much of a clip previews follow, and how closely: enough to choose by.
const PREVIEW_SECONDS: Duration = Duration::from_secs(20);
const PREVIEW_FRAMES_PER_SECOND: f64 = 12.5;

pub(crate) fn routes() -> Router<Shared> {
    // These bodies are streamed to a file and counted on the way.
    let streamed = Router::new()
        .route("/api/photos", post(add_photo))
        .route("/api/clips", post(add_clip))
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/api/photos/{id}", delete(delete_photo))
        .route("/api/photos/{id}/image", get(photo_image))
        .route("/api/clips/{id}", delete(delete_clip))
        .merge(streamed)
}

/// A face's box, pixels of the photo, origin at its top-left corner, y down.
#[derive(Serialize, ToSchema)]
pub(crate) struct FaceBox {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

impl FaceBox {
    fn new(face: &FoundFace) -> Self {
        let bounds = &face.detection.bounds;
        Self { x: bounds.left, y: bounds.top, width: bounds.width, height: bounds.height }
    }
}

/// A photo that was received.
#[derive(Serialize, ToSchema)]
pub(crate) struct PhotoCard {
    id: Id,
    width: u32,
    height: u32,
    /// Left to right; a portrait's `face` counts them from 0.
    faces: Vec<FaceBox>,
    /// What stands in the way of a good portrait, a line each.
    notes: Vec<String>,
}

/// A clip that was received.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClipCard {
    id: Id,
    width: u32,
    height: u32,
    seconds: f64,
    frames_per_second: f64,
}

/// Takes a photo and finds the faces in it.
#[utoipa::path(post, path = "/api/photos", tag = "uploads",
    params(("X-Gioconda" = String, Header, description = "studio")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes of a JPEG, PNG, WebP, BMP, TIFF or GIF"),
    responses((status = 201, description = "Received", body = PhotoCard), (status = 400, description = "Not received", body = ErrorBody),
        (status = 408, description = "Too slow", body = ErrorBody),
        (status = 413, description = "Too large", body = ErrorBody), (status = 422, description = "No photo", body = ErrorBody),
        (status = 429, description = "Too many photos", body = ErrorBody), (status = 503, description = "Too many uploads at the same time", body = ErrorBody)))]
pub(crate) async fn add_photo(
    State(studio): State<Shared>,
    owner: Owner,
    Extension(client): Extension<Arc<Client>>,
    body: Body,
) -> Result<Response, ApiError> {
    let (place, file) = studio.store.uploads.take_in(&client, body, limits::PHOTO_BYTES).await?;
    let looking = Arc::clone(&studio);
    let card = in_turn(&studio.turns.looking, place, move || look_at_photo(&looking, owner, file)).await??;
    Ok((StatusCode::CREATED, Json(card)).into_response())
}

fn look_at_photo(studio: &Shared, owner: Owner, file: Received) -> Result<PhotoCard, ApiError> {
    let words = |error: &dyn std::fmt::Display| {
        ApiError::unusable(in_words(&error.to_string(), &file.path, "the photo"))
    };
    // The finder is borrowed for the search alone: those who join a call need it too.
    let picture = gioconda_media::photo::read(&file.path).map_err(|error| words(&error))?.image;
    let faces =
        studio.models.with_finder(|finder| finder.find_faces(&picture)).map_err(|error| words(&error))?;
    let (width, height) = picture.dimensions();
    let boxes = faces.iter().map(FaceBox::new).collect();
    let notes = match faces.as_slice() {
        [] => vec!["no face was found; use a photo in which one face is seen from the front".to_owned()],
        [face] => face.quality.warnings.iter().map(ToString::to_string).collect(),
        many => many
            .iter()
            .enumerate()
            .flat_map(|(i, face)| face.quality.warnings.iter().map(move |note| format!("{}: {note}", i + 1)))
            .collect(),
    };
    let id = studio.store.uploads.add_photo(owner, Photo { file, faces: Arc::new(faces) })?;
    Ok(PhotoCard { id, width, height, faces: boxes, notes })
}

/// A photo, upright.
#[utoipa::path(get, path = "/api/photos/{id}/image", tag = "uploads", params(("id" = Id, Path)),
    responses((status = 200, description = "A JPEG", body = Vec<u8>, content_type = "image/jpeg"), (status = 404, description = "No such photo", body = ErrorBody)))]
pub(crate) async fn photo_image(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<Response, ApiError> {
    let file = studio.store.uploads.photo(owner, &id)?.file;
    let bytes = in_turn(&studio.turns.opening, (), move || {
        let photo = gioconda_media::photo::read(&file.path)
            .map_err(|error| ApiError::unusable(in_words(&error, &file.path, "the photo")))?;
        Ok::<_, ApiError>(jpeg::encode(&photo.image, jpeg::PAGE_QUALITY))
    });
    Ok(picture(bytes.await??, "image/jpeg"))
}

/// Deletes a photo.
#[utoipa::path(delete, path = "/api/photos/{id}", tag = "uploads",
    params(("id" = Id, Path), ("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such photo", body = ErrorBody)))]
pub(crate) async fn delete_photo(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<StatusCode, ApiError> {
    studio.store.uploads.delete_photo(owner, &id)?;
    studio
        .store
        .portraits
        .forget(|portrait| matches!(portrait, PortraitId::Photo { photo, .. } if *photo == id));
    studio.store.previews.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a clip.
#[utoipa::path(post, path = "/api/clips", tag = "uploads",
    params(("X-Gioconda" = String, Header, description = "studio")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes of an mp4, mov, WebM, GIF or WebP"),
    responses((status = 201, description = "Received", body = ClipCard), (status = 400, description = "Not received", body = ErrorBody),
        (status = 408, description = "Too slow", body = ErrorBody),
        (status = 413, description = "Too large", body = ErrorBody), (status = 422, description = "No clip", body = ErrorBody),
        (status = 429, description = "Too many clips", body = ErrorBody), (status = 503, description = "Too many uploads at the same time", body = ErrorBody)))]
pub(crate) async fn add_clip(
    State(studio): State<Shared>,
    owner: Owner,
    Extension(client): Extension<Arc<Client>>,
    body: Body,
) -> Result<Response, ApiError> {
    let (place, file) = studio.store.uploads.take_in(&client, body, limits::CLIP_BYTES).await?;
    let looked_at = file.clone();
    let info = in_turn(&studio.turns.sniffing, place, move || look_at_clip(&looked_at)).await??;
    let (width, height) = (info.width, info.height);
    let (seconds, fps) = (info.duration.as_secs_f64(), info.fps.min(limits::FRAMES_PER_SECOND));
    let clip = Clip { file, fps, motion: Arc::default(), gone: Arc::default() };
    let id = studio.store.uploads.add_clip(owner, clip.clone())?;
    // Followed at once, so that the first preview finds it done; what fails is said when a preview asks for it.
    let following = Arc::clone(&studio);
    tokio::spawn(async move { drop(following.motion_of(&clip).await) });
    let card = ClipCard { id, width, height, seconds, frames_per_second: fps };
    Ok((StatusCode::CREATED, Json(card)).into_response())
}

fn look_at_clip(file: &Received) -> Result<ClipInfo, ApiError> {
    let words = |error: gioconda_media::Error| ApiError::unusable(in_words(&error, &file.path, "the clip"));
    let options = ReadOptions { budget: Budget::for_uploads(), ..ReadOptions::default() };
    let info = ClipReader::open(&file.path, &options).map_err(words)?.info().clone();
    if info.duration.as_secs_f64() > limits::CLIP_SECONDS {
        let line = format!("the clip: longer than {:.0} s; cut it", limits::CLIP_SECONDS);
        return Err(ApiError::unusable(line));
    }
    Ok(info)
}

/// Deletes a clip.
#[utoipa::path(delete, path = "/api/clips/{id}", tag = "uploads",
    params(("id" = Id, Path), ("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such clip", body = ErrorBody)))]
pub(crate) async fn delete_clip(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<Id>,
) -> Result<StatusCode, ApiError> {
    studio.store.uploads.delete_clip(owner, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

impl crate::studio::Studio {
    /// What the face of a clip does in its first seconds; followed once.
    pub(crate) async fn motion_of(self: &Arc<Self>, clip: &Clip) -> Result<Arc<Motion>, ApiError> {
        let followed = clip.motion.get_or_try_init(|| async {
            let (path, fps) = (Arc::clone(&clip.file.path), clip.fps.min(PREVIEW_FRAMES_PER_SECOND));
            let settings = RecordSettings {
                title: "preview".to_owned(),
                start: Duration::ZERO,
                duration: Some(PREVIEW_SECONDS),
                fps: Some(fps),
                face: FaceChoice::Largest,
                neutral: None,
                smooth: 0.0,
                seamless: None,
                budget: Budget::for_uploads(),
            };
            let (gone, started) = (Arc::clone(&clip.gone), Arc::new(Notify::new()));
            let (cancel, starts) = (Arc::clone(&gone), Arc::clone(&started));
            let recording = in_turn(&self.turns.following, (), move || {
                starts.notify_one();
                gioconda_avatar::record(&path, &settings, &|_| {}, &cancel).map_err(|error| {
                    if cancel.load(Ordering::Relaxed) {
                        return ApiError::unusable(
                            "the clip: it was deleted, or takes too long to be followed",
                        );
                    }
                    ApiError::unusable(in_words(&error, &path, "the clip"))
                })
            });
            // Its turn may come late; the time it has begins then. Others wait for theirs.
            let late = async {
                started.notified().await;
                tokio::time::sleep(limits::FOLLOWED_WITHIN).await;
            };
            tokio::pin!(recording);
            let recorded = tokio::select! {
                recorded = &mut recording => recorded,
                () = late => {
                    gone.store(true, Ordering::Relaxed);
                    recording.await
                }
            };
            Ok::<_, ApiError>(Arc::new(recorded??.0))
        });
        followed.await.cloned()
    }
}
