//! Who may ask: the studio's own page on this machine, programs that say so, and those who know the token.
//!
//! - *Other pages* cannot make a visitor's browser act: everything but reading needs the header `X-Gioconda: studio`,
//!   which browsers send across origins only when asked permission, and it is never given. An `Origin` that is not
//!   the studio's own is refused.
//! - *DNS rebinding*: on loopback only names of this machine are accepted as `Host`.
//! - *The network*: beyond loopback a token is needed, in `Authorization: Bearer`, or once as `/?token=`, which
//!   becomes a cookie.
//! - *Other clients*: whose request it is, [`session`](crate::session) says; nobody sees what others brought or made.
//! - *A kiosk* answers what its page needs ([`kiosk`](crate::kiosk)).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use gioconda_http::ApiError;
use gioconda_http::connections::Client;

use crate::session::{Recognised, cookies, recognise};
use crate::studio::{Shared, Studio};
use crate::{kiosk, pages};

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
        Ok(Admitted::Known) => match recognise(request.headers()) {
            Ok(recognised) => admit(recognised, request, next).await,
            Err(refusal) => refusal.into_response(),
        },
        Ok(Admitted::Welcome(welcome)) => welcome,
        Ok(Admitted::Unknown) => next.run(request).await,
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

/// What may be done with a request.
enum Admitted {
    /// It is answered.
    Known,
    /// It is answered although nobody knows who asks: whether the studio is alive is no secret.
    Unknown,
    /// It brings the token in its address, and gets this.
    Welcome(Response),
}

/// Answers a request of whoever was recognised, with the cookie for the next one.
async fn admit(recognised: Recognised, mut request: Request, next: Next) -> Response {
    let Recognised { owner, cookie } = recognised;
    if let Some(client) = request.extensions().get::<Arc<Client>>() {
        client.is_proven();
    }
    // Assets are kept by caches, which must not hand a cookie to others.
    let gets_cookie =
        !request.uri().path().starts_with("/assets/") && !request.headers().contains_key(UPGRADE);
    request.extensions_mut().insert(owner);
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie.filter(|_| gets_cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn check(studio: &Studio, request: &Request) -> Result<Admitted, ApiError> {
    let (headers, uri) = (request.headers(), request.uri());
    let host = host(headers, uri)?;
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
    let admitted = match &studio.access.token {
        None => Admitted::Known,
        Some(_) if uri.path() == "/healthz" => return Ok(Admitted::Unknown),
        Some(token) => {
            let cookie = cookies(headers).find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
            if token.is_borne(headers) || cookie.is_some_and(|given| token.is(given)) {
                Admitted::Known
            } else {
                welcome(studio, uri)?
            }
        }
    };
    if studio.settings.kiosk && !kiosk::serves(request.method(), uri.path()) {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "a kiosk shows the gallery and nothing else"));
    }
    Ok(admitted)
}

/// The host that a request is for: one, whether it stands in the header, in the address, or in both.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Result<&'a str, ApiError> {
    let bad = |line| ApiError::new(StatusCode::BAD_REQUEST, line);
    let mut named = headers.get_all(HOST).iter().map(|value| value.to_str().unwrap_or_default());
    let host = named.next();
    let addressed = uri.authority().map(axum::http::uri::Authority::as_str);
    let agree = |(host, addressed): (&str, &str)| host.eq_ignore_ascii_case(addressed);
    if named.next().is_some() || !host.zip(addressed).is_none_or(agree) {
        return Err(bad("the request names several hosts"));
    }
    host.or(addressed).ok_or_else(|| bad("the request names no host"))
}

/// The answer to somebody who brings the token in the address: a cookie, and the way to the page without it.
fn welcome(studio: &Studio, uri: &Uri) -> Result<Admitted, ApiError> {
    let mut asked = uri.query().into_iter().flat_map(|query| query.split('&'));
    let brought = asked.find_map(|pair| pair.strip_prefix("token="));
    let token =
        studio.access.token.as_ref().filter(|token| {
            brought.is_some_and(|given| token.is(given) || studio.access.once.lets_in(given))
        });
    let Some(token) = token else {
        return Err(forbidden("this studio asks for its token; open the address it printed when it started"));
    };
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", token.as_str());
    let cookie = HeaderValue::from_str(&cookie).map_err(ApiError::internal)?;
    let mut welcome = StatusCode::SEE_OTHER.into_response();
    welcome.headers_mut().insert(SET_COOKIE, cookie);
    // To a page of ours: what else stands in an address, browsers may take for another host.
    let place = if pages::is_page(uri.path()) { uri.path() } else { "/" };
    let place = HeaderValue::from_str(place).map_err(ApiError::internal)?;
    welcome.headers_mut().insert(LOCATION, place);
    Ok(Admitted::Welcome(welcome))
}

fn forbidden(line: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, line)
}

/// Whether a `Host` is one of this machine's own names; ports do not matter to names.
fn is_this_machine(host: &str) -> bool {
    let (name, rest) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |text: &str| text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    if host.starts_with('[') {
        return name.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
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
            ("[::1]", true),
            ("localhost:", true),
            ("[::1]evil.example", false),
            ("[::1]:8787.evil.example", false),
            ("[::1", false),
            ("[127.0.0.1]", false),
            ("::1", false),
            ("[::2]", false),
            ("localhost:evil.example", false),
            ("localhost:80:80", false),
            ("localhost:123456", false),
            ("localhost@evil.example", false),
            ("user@localhost", false),
            ("localhost\\.evil.example", false),
            ("127.0.0.1:8787@evil.example", false),
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
    fn a_request_is_for_one_host() {
        let of = |hosts: &[&str], uri: &str| {
            let values = hosts.iter().map(|host| (HOST, host.parse().expect("a value")));
            let (headers, uri): (HeaderMap, Uri) = (values.collect(), uri.parse().expect("an address"));
            host(&headers, &uri).map(str::to_owned).ok()
        };
        for (hosts, uri, expected) in [
            (&["localhost"][..], "/", Some("localhost")),
            (&["localhost"], "http://LocalHost/", Some("localhost")),
            (&[], "http://localhost/", Some("localhost")),
            (&["localhost"], "http://evil.example/", None),
            (&["localhost", "evil.example"], "/", None),
            (&[], "/", None),
        ] {
            assert_eq!(of(hosts, uri).as_deref(), expected, "{hosts:?} {uri}");
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
