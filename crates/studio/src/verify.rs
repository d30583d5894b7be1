//! Any file is verified: received, looked at, deleted.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ErrorBody};
use crate::extract::Asked;
use crate::limits;
use crate::studio::{Shared, in_turn};
use crate::verification::{self, Finding};

pub(crate) fn routes() -> Router<Shared> {
    // The body is streamed to a file and counted on the way.
    Router::new().route("/api/verify", post(verify)).layer(DefaultBodyLimit::disable())
}

/// What the file is called.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// For the sentence of the answer only.
    name: Option<String>,
}

/// Says what a file says of its own origin, and whether it was changed since.
#[utoipa::path(post, path = "/api/verify", tag = "jobs",
    params(Named, ("X-Gioconda" = String, Header, description = "studio")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes of a picture or a clip"),
    responses((status = 200, description = "As `gioconda verify --json` has it", body = Finding), (status = 400, description = "Not received", body = ErrorBody),
        (status = 408, description = "Too slow", body = ErrorBody),
        (status = 413, description = "Too large", body = ErrorBody), (status = 422, description = "Neither a picture nor a clip", body = ErrorBody),
        (status = 503, description = "Too many uploads at the same time", body = ErrorBody)))]
pub(crate) async fn verify(
    State(studio): State<Shared>,
    Asked(Named { name }): Asked<Named>,
    body: Body,
) -> Result<Json<Finding>, ApiError> {
    let (_place, body) = studio.uploads.enter(body).await?;
    let file = studio.uploads.receive(body, limits::VERIFIED_BYTES).await?;
    let name: String =
        name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(limits::TEXT).collect();
    let name = if name.is_empty() { "the file".to_owned() } else { name };
    let found = in_turn(&studio.verifying, move || verification::verify(&file.path, &name)).await?;
    found.map(Json).map_err(ApiError::unusable)
}
