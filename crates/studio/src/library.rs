//! What there is to choose from: figures, motions, avatars, and what the studio says of itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gioconda_avatar::builtin_motions;
use gioconda_http::{ApiError, Asked, ErrorBody, Part};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::avatars::AvatarCard;
use crate::gallery::Figure;
use crate::jpeg;
use crate::limits;
use crate::options::{LanguageCode, PortraitId};
use crate::session::Owner;
use crate::studio::Shared;
use crate::turns::in_turn;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/api/info", get(info))
        .route("/api/motions", get(motions))
        .route("/api/figures", get(figures))
        .route("/api/figures/{id}/image", get(figure_image))
        .route("/api/avatars", get(avatars))
        .route("/api/avatars/{id}", axum::routing::delete(delete_avatar))
        .route("/api/avatars/{id}/image", get(avatar_image))
        .route("/api/avatars/{id}/strip", get(avatar_strip))
}

/// What the studio is and allows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Info {
    version: &'static str,
    /// Whether only the gallery is shown.
    kiosk: bool,
    limits: Limits,
    /// The device that shows live portraits to other programs, where there is one.
    #[schema(required)]
    virtual_camera: Option<String>,
    languages: [LanguageCode; 3],
}

/// How much may be uploaded.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    photo_bytes: u64,
    clip_bytes: u64,
    clip_seconds: f64,
    /// Of a photo.
    pixels: u64,
    /// Of one avatar.
    photos: usize,
}

/// Whether the studio is alive.
#[utoipa::path(get, path = "/healthz", tag = "studio", responses((status = 200, description = "It is", body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Counters for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "studio",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(studio): State<Shared>) -> Result<Response, ApiError> {
    studio.metrics.queued.set(studio.jobs.waiting() as i64);
    let page = studio.metrics.text().map_err(ApiError::internal)?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], page).into_response())
}

/// What the studio is and allows.
#[utoipa::path(get, path = "/api/info", tag = "studio", responses((status = 200, description = "This studio", body = Info)))]
pub(crate) async fn info(State(studio): State<Shared>) -> Json<Info> {
    let settings = &studio.settings;
    Json(Info {
        version: env!("CARGO_PKG_VERSION"),
        kiosk: settings.kiosk,
        limits: Limits {
            photo_bytes: limits::PHOTO_BYTES,
            clip_bytes: limits::CLIP_BYTES,
            clip_seconds: limits::CLIP_SECONDS,
            pixels: limits::PIXELS,
            photos: gioconda_avatar::MOST_PHOTOS,
        },
        virtual_camera: settings.virtual_camera.as_ref().map(|path| path.display().to_string()),
        languages: [LanguageCode::En, LanguageCode::It, LanguageCode::Es],
    })
}

/// A built-in motion.
#[derive(Serialize, ToSchema)]
pub(crate) struct MotionCard {
    name: &'static str,
    seconds: f64,
    description: String,
}

/// The built-in motions.
#[utoipa::path(get, path = "/api/motions", tag = "library", responses((status = 200, description = "All of them", body = [MotionCard])))]
pub(crate) async fn motions() -> Json<Vec<MotionCard>> {
    let cards = builtin_motions::ALL.iter().map(|builtin| {
        let motion = builtin.load();
        MotionCard { name: builtin.name, seconds: motion.seconds(), description: motion.title.clone() }
    });
    Json(cards.collect())
}

/// Which language cards are wanted in.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InLanguage {
    #[serde(default)]
    language: LanguageCode,
}

/// The figures of the gallery.
#[utoipa::path(get, path = "/api/figures", tag = "library", params(InLanguage),
    responses((status = 200, description = "In their order", body = [Figure]), (status = 400, description = "No such language", body = ErrorBody)))]
pub(crate) async fn figures(
    State(studio): State<Shared>,
    Asked(InLanguage { language }): Asked<InLanguage>,
) -> Json<Vec<Figure>> {
    Json(studio.store.gallery.figures(language))
}

/// A figure's picture.
#[utoipa::path(get, path = "/api/figures/{id}/image", tag = "library", params(("id" = String, Path)),
    responses((status = 200, description = "A JPEG or PNG", body = Vec<u8>, content_type = "image/jpeg"), (status = 404, description = "No such figure", body = ErrorBody)))]
pub(crate) async fn figure_image(
    State(studio): State<Shared>,
    Part(id): Part<String>,
) -> Result<Response, ApiError> {
    let (path, _) = studio.store.gallery.picture(&id).ok_or_else(|| ApiError::unknown("figure"))?;
    let kind =
        if path.extension().is_some_and(|extension| extension == "png") { "image/png" } else { "image/jpeg" };
    Ok(picture(tokio::fs::read(path).await?, kind))
}

/// The client's own saved avatars, and those that belong to nobody.
#[utoipa::path(get, path = "/api/avatars", tag = "library", responses((status = 200, description = "The newest first", body = [AvatarCard])))]
pub(crate) async fn avatars(
    State(studio): State<Shared>,
    owner: Owner,
) -> Result<Json<Vec<AvatarCard>>, ApiError> {
    let turns = Arc::clone(&studio.turns.opening);
    Ok(Json(in_turn(&turns, (), move || studio.store.avatars.list(owner)).await??))
}

/// Deletes an avatar: its photos, its network and its strip.
#[utoipa::path(delete, path = "/api/avatars/{id}", tag = "library",
    params(("id" = String, Path), ("X-Gioconda" = String, Header, description = "studio")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such avatar", body = ErrorBody),
        (status = 409, description = "It belongs to nobody, and this studio to several", body = ErrorBody)))]
pub(crate) async fn delete_avatar(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<String>,
) -> Result<StatusCode, ApiError> {
    studio.store.avatars.delete(owner, &id, studio.access.token.is_some())?;
    studio
        .store
        .portraits
        .forget(|portrait| matches!(portrait, PortraitId::Avatar { avatar, .. } if *avatar == id));
    studio.store.previews.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// The photo an avatar shows.
#[utoipa::path(get, path = "/api/avatars/{id}/image", tag = "library", params(("id" = String, Path)),
    responses((status = 200, description = "A JPEG", body = Vec<u8>, content_type = "image/jpeg"), (status = 404, description = "No such avatar", body = ErrorBody)))]
pub(crate) async fn avatar_image(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<String>,
) -> Result<Response, ApiError> {
    let portrait = studio.portrait(owner, &PortraitId::Avatar { avatar: id, face: None }).await?;
    let jpeg =
        in_turn(&studio.turns.opening, (), move || jpeg::encode(&portrait.avatar.photo, jpeg::PAGE_QUALITY))
            .await?;
    Ok(picture(jpeg, "image/jpeg"))
}

/// The avatar before and after it was learned, performing the same.
#[utoipa::path(get, path = "/api/avatars/{id}/strip", tag = "library", params(("id" = String, Path)),
    responses((status = 200, description = "A JPEG", body = Vec<u8>, content_type = "image/jpeg"), (status = 404, description = "No such avatar", body = ErrorBody)))]
pub(crate) async fn avatar_strip(
    State(studio): State<Shared>,
    owner: Owner,
    Part(id): Part<String>,
) -> Result<Response, ApiError> {
    Ok(picture(tokio::fs::read(studio.store.avatars.strip(owner, &id)?).await?, "image/jpeg"))
}

/// An answer that is a picture.
pub(crate) fn picture(bytes: impl Into<Body>, kind: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], bytes.into()).into_response()
}
