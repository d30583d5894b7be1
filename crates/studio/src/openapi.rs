//! The interface's own description, made of the code: `/api/openapi.json`, and `/api/docs` for people.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gioconda_http::ErrorBody;
use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response as Answer, Schema};
use utoipa::{Modify, OpenApi};

use crate::live::protocol;
use crate::studio::Shared;
use crate::{intake, jobs, library, preview, verify};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gioconda Studio",
        description = "One photo in, a talking portrait out. Everything that comes out is marked as made by AI. \
            Requests that change something need the header `X-Gioconda: studio`; beyond this machine all need the \
            studio's token, as `Authorization: Bearer TOKEN`. Photos, clips, jobs and avatars belong to the client that \
            made them: the one with the same cookie, or with the same random secret of 32 to 64 letters, digits, `-` or \
            `_` in the header `X-Gioconda-Session`. Others are answered 404."
    ),
    tags(
        (name = "studio", description = "The studio itself"),
        (name = "library", description = "What there is to choose from"),
        (name = "uploads", description = "Photos and clips that visitors bring; deleted after half an hour without use"),
        (name = "jobs", description = "What is made of them")
    ),
    modifiers(&Everywhere),
    // What is said on WebSockets has no paths here.
    components(schemas(ErrorBody, protocol::Request, protocol::Answer)),
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

/// What holds everywhere and is said once, here.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut Document) {
        for path in document.paths.paths.values_mut() {
            for operation in [&mut path.get, &mut path.post, &mut path.delete].into_iter().flatten() {
                complete(operation);
            }
        }
        // These are one of several objects, none of which takes more fields than it names.
        let schemas = document.components.as_mut().map(|components| &mut components.schemas);
        for (name, schema) in schemas.into_iter().flatten() {
            if let ("PortraitId" | "DriveId", RefOr::T(Schema::OneOf(one))) = (name.as_str(), schema) {
                one.items.iter_mut().for_each(close);
            }
        }
    }
}

/// The refusals that `guard` and `extract` have for all, and the one value of the header.
fn complete(operation: &mut Operation) {
    let mut refuse = |status: &str, why: &str| {
        let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let mut answer = Answer::new(why);
        answer.content.insert("application/json".to_owned(), RefOr::T(body));
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(answer));
    };
    refuse("403", "Another page, another host, or without the header or the token");
    if let Some(RefOr::T(body)) = &operation.request_body
        && body.content.contains_key("application/json")
    {
        refuse("408", "Too slow");
        refuse("413", "Too large");
        refuse("415", "Not said to be JSON");
    }
    if operation.request_body.is_some() {
        refuse("507", "The studio's disk is full");
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "X-Gioconda"
            && let Some(RefOr::T(Schema::Object(value))) = &mut parameter.schema
        {
            value.enum_values = Some(vec![json!("studio")]);
        }
    }
}

fn close(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}

/// The document, as it is sent. It is the same for everybody, and takes a millisecond to make.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| Interface::openapi().to_json().expect("the document is JSON"));

pub(crate) fn routes() -> Router<Shared> {
    let page = |kind: &'static str, text: &'static str| get(move || async move { reference(kind, text) });
    Router::new()
        .route(
            "/api/openapi.json",
            get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())),
        )
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
                let header = parameters.iter().find(|parameter| parameter["name"] == "X-Gioconda");
                assert!(
                    header.is_none_or(|header| header["schema"]["enum"] == json!(["studio"])),
                    "{method} {path}"
                );
                let answers = &operation["responses"];
                assert!(answers["403"]["content"].is_object(), "{method} {path}");
                let takes_json = operation["requestBody"]["content"]["application/json"].is_object();
                assert_eq!(answers["415"].is_object(), takes_json, "{method} {path}");
            }
        }
        for name in ["PortraitId", "DriveId"] {
            let choices = document["components"]["schemas"][name]["oneOf"].as_array().expect("choices");
            assert!(choices.iter().all(|choice| choice["additionalProperties"] == false), "{name}");
        }
    }
}
