//! The interface's own description, made of the code: `/api/openapi.json`, and `/api/docs` for people.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;

use crate::studio::Shared;
use crate::{intake, jobs, library, preview, verify};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gioconda Studio",
        description = "One photo in, a talking portrait out. Everything that comes out is marked as made by AI. \
            Requests that change something need the header `X-Gioconda: studio`; beyond this machine all need the \
            studio's token, as `Authorization: Bearer TOKEN`."
    ),
    tags(
        (name = "studio", description = "The studio itself"),
        (name = "library", description = "What there is to choose from"),
        (name = "uploads", description = "Photos and clips that visitors bring; deleted after half an hour without use"),
        (name = "jobs", description = "What is made of them")
    ),
    paths(
        library::info,
        library::healthz,
        library::metrics,
        library::motions,
        library::figures,
        library::figure_image,
        library::avatars,
        library::delete_avatar,
        library::avatar_image,
        library::avatar_strip,
        intake::add_photo,
        intake::photo_image,
        intake::delete_photo,
        intake::add_clip,
        intake::delete_clip,
        preview::preview,
        jobs::routes::animate,
        jobs::routes::learn,
        jobs::routes::list,
        jobs::routes::show,
        jobs::routes::events,
        jobs::routes::resume,
        jobs::routes::stop,
        jobs::routes::file,
        jobs::routes::credentials,
        verify::verify,
    )
)]
struct Interface;

pub(crate) fn routes() -> Router<Shared> {
    let page = |kind: &'static str, text: &'static str| get(move || async move { reference(kind, text) });
    Router::new()
        .route("/api/openapi.json", get(async || Json(Interface::openapi())))
        .route("/api/docs", page("text/html; charset=utf-8", include_str!("../reference/index.html")))
        .route(
            "/api/docs/reference.js",
            page("text/javascript; charset=utf-8", include_str!("../reference/reference.js")),
        )
        .route(
            "/api/docs/reference.css",
            page("text/css; charset=utf-8", include_str!("../reference/reference.css")),
        )
}

fn reference(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_changes_something_asks_for_the_header_and_everything_is_explained() {
        let document = serde_json::to_value(Interface::openapi()).expect("the document is JSON");
        let paths = document["paths"].as_object().expect("it has paths");
        assert!(paths.len() > 18, "{} paths", paths.len());
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().expect("operations") {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let asks = parameters.iter().any(|parameter| parameter["name"] == "X-Gioconda");
                assert_eq!(asks, method != "get", "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
    }
}
