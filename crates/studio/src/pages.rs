//! The front end, which is inside the program: one page for all addresses, and its hashed assets.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gioconda_http::{ApiError, Part};
use include_dir::{Dir, include_dir};

use crate::studio::Shared;

/// What `web/build.js` makes.
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// Names of assets carry a hash of their content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The addresses that show a page.
const PAGES: [&str; 8] =
    ["/", "/personalise", "/live", "/call", "/gallery", "/kiosk", "/verify", "/broadcast/{session}"];

/// The page at all its addresses, and the assets.
pub(crate) fn routes() -> Router<Shared> {
    let router = PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    router.route("/call/{room}", get(page)).route("/assets/{name}", get(asset))
}

/// Whether `path` is the address of a page, written plainly.
pub(crate) fn is_page(path: &str) -> bool {
    let is_name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
        !text.is_empty() && text.bytes().all(plain)
    };
    let named = ["/call/", "/broadcast/"].iter().find_map(|page| path.strip_prefix(page));
    PAGES.contains(&path) || named.is_some_and(is_name)
}

async fn page() -> Response {
    index(StatusCode::OK)
}

/// What stands at no address: the page, which says so, or for programs one line.
pub(crate) async fn missing(uri: Uri) -> Response {
    if uri.path().starts_with("/api") || uri.path().starts_with("/assets") {
        return ApiError::new(StatusCode::NOT_FOUND, "there is nothing at this address; /api/docs lists all")
            .into_response();
    }
    index(StatusCode::NOT_FOUND)
}

fn index(status: StatusCode) -> Response {
    match ASSETS.get_file("index.html") {
        Some(file) => (
            status,
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, ASK_AGAIN),
            ],
            file.contents(),
        )
            .into_response(),
        None => ApiError::internal("the front end is not in this program; run web/build.js").into_response(),
    }
}

async fn asset(Part(name): Part<String>) -> Result<Response, ApiError> {
    let file = ASSETS.get_file(&name).ok_or_else(|| ApiError::unknown("asset"))?;
    let kind = HeaderValue::from_static(media_type(&name));
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, IMMUTABLE)], file.contents()).into_response())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::is_page;

    #[test]
    fn only_plain_addresses_of_pages_are_pages() {
        for path in ["/", "/live", "/call", "/call/salon-1", "/broadcast/0f8f", "/call/caff%C3%A8"] {
            assert!(is_page(path), "{path}");
        }
        for path in [
            "",
            "//",
            "//evil.example",
            "/\\evil.example",
            "/\\/evil.example",
            "/%5cevil.example",
            "/%2fevil.example",
            "/call/",
            "/call//evil.example",
            "/call/\\evil",
            "/call/a/b",
            "/api/info",
            "/live/../../evil",
            "live",
        ] {
            assert!(!is_page(path), "{path}");
        }
    }
}
