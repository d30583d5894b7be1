//! What a kiosk serves: the gallery, moving figures, and nothing that anybody could bring, save or delete.

use axum::http::Method;

/// Methods and addresses; `*` stands for one part. `HEAD` goes with `GET`.
const SERVED: [(Method, &str); 17] = [
    (Method::GET, "/"),
    (Method::GET, "/kiosk"),
    (Method::GET, "/gallery"),
    (Method::GET, "/assets/*"),
    (Method::GET, "/healthz"),
    (Method::GET, "/api/info"),
    (Method::GET, "/api/motions"),
    (Method::GET, "/api/figures"),
    (Method::GET, "/api/figures/*/image"),
    (Method::POST, "/api/preview"),
    (Method::POST, "/api/animate"),
    (Method::GET, "/api/jobs/*"),
    (Method::GET, "/api/jobs/*/events"),
    (Method::GET, "/api/jobs/*/file"),
    // The page stops its own film when a visitor goes on to another figure; nobody finds anybody else's.
    (Method::DELETE, "/api/jobs/*"),
    (Method::GET, "/api/live"),
    (Method::GET, "/favicon.ico"),
];

/// Whether a kiosk answers such a request.
pub(crate) fn serves(method: &Method, path: &str) -> bool {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    SERVED.iter().any(|(served, pattern)| served == method && is_of(path, pattern))
}

fn is_of(path: &str, pattern: &str) -> bool {
    let (mut parts, mut wanted) = (path.split('/'), pattern.split('/'));
    loop {
        match (parts.next(), wanted.next()) {
            (None, None) => return true,
            (Some(part), Some("*")) if !part.is_empty() => {}
            (Some(part), Some(wanted)) if part == wanted => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_whole_addresses() {
        for (method, path, served) in [
            (Method::GET, "/", true),
            (Method::HEAD, "/kiosk", true),
            (Method::POST, "/kiosk", false),
            (Method::GET, "/api/figures/mona-lisa/image", true),
            (Method::GET, "/api/figures//image", false),
            (Method::GET, "/api/figures/a/b/image", false),
            (Method::GET, "/api/jobs/x/credentials", false),
            (Method::DELETE, "/api/jobs/x", true),
            (Method::DELETE, "/api/avatars/x", false),
            (Method::POST, "/api/jobs/x/resume", false),
            (Method::GET, "/api/call/room", false),
            (Method::GET, "/api/broadcast/x", false),
            (Method::GET, "//", false),
            (Method::GET, "", false),
        ] {
            assert_eq!(serves(&method, path), served, "{method} {path}");
        }
    }
}
