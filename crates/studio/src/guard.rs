//! Who may ask: the studio's own page on this machine, programs that say so, and those who know the token.
//!
//! - *Other pages* cannot make a visitor's browser act: everything but reading needs the header `X-Gioconda: studio`,
//!   which browsers send across origins only when asked permission, and it is never given. An `Origin` that is not
//!   the studio's own is refused.
//! - *DNS rebinding*: on loopback only names of this machine are accepted as `Host`.
//! - *The network*: beyond loopback a token is needed, in `Authorization: Bearer`, or once as `/?token=`, which
//!   becomes a cookie.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;
use crate::studio::{Shared, Studio};
use crate::token::Token;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(self)"),
];

const COOKIE_NAME: &str = "gioconda-studio";

/// Lets a request through or refuses it, and puts the headers of safety on the answer.
pub(crate) async fn guard(State(studio): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match check(&studio, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(welcome)) => welcome,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    studio.metrics.answered(response.status());
    response
}

/// `Some` is the answer to a visitor who brings the token in the address.
fn check(studio: &Studio, request: &Request) -> Result<Option<Response>, ApiError> {
    let headers = request.headers();
    let host = text(headers, &HOST)
        .or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str))
        .ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, "the request names no host"))?;
    if studio.settings.listen.ip().is_loopback() && !is_this_machine(host) {
        return Err(forbidden("the studio answers only to the names of this machine, such as localhost"));
    }
    if let Some(origin) = headers.get(ORIGIN)
        && !is_own(origin.to_str().unwrap_or_default(), host)
    {
        return Err(forbidden("other pages may not use the studio"));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let named = headers.get("x-gioconda").is_some_and(|value| value == "studio");
    if !reads && !named {
        return Err(forbidden("send the header X-Gioconda: studio with everything but GET"));
    }
    match &studio.token {
        Some(token) if request.uri().path() != "/healthz" => admit(token, headers, request.uri()),
        _ => Ok(None),
    }
}

fn admit(token: &Token, headers: &HeaderMap, uri: &Uri) -> Result<Option<Response>, ApiError> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let cookie = cookies.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
    if token.is_borne(headers) || cookie.is_some_and(|given| token.is(given)) {
        return Ok(None);
    }
    let mut asked = uri.query().into_iter().flat_map(|query| query.split('&'));
    let brought = asked.find_map(|pair| pair.strip_prefix("token="));
    if !brought.is_some_and(|given| token.is(given)) {
        return Err(forbidden("this studio asks for its token; open the address it printed when it started"));
    }
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", token.as_str());
    let cookie = HeaderValue::from_str(&cookie).map_err(ApiError::internal)?;
    let mut welcome = StatusCode::SEE_OTHER.into_response();
    welcome.headers_mut().insert(SET_COOKIE, cookie);
    // One slash: two would lead to another host.
    let place = format!("/{}", uri.path().trim_start_matches('/'));
    let place = HeaderValue::from_str(&place).map_err(ApiError::internal)?;
    welcome.headers_mut().insert(LOCATION, place);
    Ok(Some(welcome))
}

fn forbidden(line: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, line)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a `Host` is one of this machine's own names; ports do not matter to names.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

/// Whether a page of `origin` was served from `host`.
fn is_own(origin: &str, host: &str) -> bool {
    let served_from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    served_from.is_some_and(|from| from.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for (host, own) in [
            ("localhost", true),
            ("LocalHost:8787", true),
            ("127.0.0.1:8787", true),
            ("127.8.9.1", true),
            ("[::1]:8787", true),
            ("evil.example:8787", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.1.7:8787", false),
            ("", false),
        ] {
            assert_eq!(is_this_machine(host), own, "{host}");
        }
    }

    #[test]
    fn only_pages_of_the_same_host_are_own() {
        for (origin, own) in [
            ("http://localhost:8787", true),
            ("https://localhost:8787", true),
            ("http://localhost:9999", false),
            ("http://evil.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_own(origin, "localhost:8787"), own, "{origin}");
        }
    }
}
