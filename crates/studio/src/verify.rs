//! Any file is verified: received, looked at, deleted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use gioconda_http::connections::Client;
use gioconda_http::{ApiError, Asked, ErrorBody};
use gioconda_media::{OneLine, isolation};
use gioconda_portrait::verification::{self, Finding, Search};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::limits;
use crate::studio::Shared;
use crate::turns::in_turn;
use crate::uploads::in_words;

/// How long a file may be looked at.
const WITHIN: Duration = Duration::from_mins(2);

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
    Extension(client): Extension<Arc<Client>>,
    body: Body,
) -> Result<Response, ApiError> {
    let (place, file) = studio.store.uploads.take_in(&client, body, limits::VERIFIED_BYTES).await?;
    let name: String =
        name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(limits::TEXT).collect();
    let name = if name.is_empty() { "the file".to_owned() } else { name };
    let found = in_turn(&studio.turns.verifying, place, move || look(&file.path, &name)).await?;
    found.map_err(ApiError::unusable)
}

/// What is found in the file at `path`, which clients call `name`, as JSON: by a child process where there are such, else
/// here. The error is one line.
pub(crate) fn look(path: &Path, name: &str) -> Result<Response, String> {
    let json = if let Some(isolation) = isolation::in_force() {
        let asked = isolation.ask("verify", path, &[name.into()], WITHIN);
        asked.map_err(|error| OneLine(in_words(&error, path, name)).to_string())?
    } else {
        let finding: Finding = verification::verify(path, name, Search::Sampled)?;
        serde_json::to_vec(&finding).map_err(|error| error.to_string())?
    };
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], json).into_response())
}
