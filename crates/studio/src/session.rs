//! Whose things they are: each client has a secret of its own, and sees only what was made with it.
//!
//! Browsers get the secret as a cookie that scripts cannot read and that no other site's request carries. Programs
//! keep the cookie, or choose a secret and send it as `X-Gioconda-Session`. The studio keeps no list of secrets, only
//! the hash of each beside what it owns.

use std::fmt::Write as _;

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use gioconda_http::{ApiError, Id};
use sha2::{Digest as _, Sha256};

const COOKIE_NAME: &str = "gioconda-session";
const HEADER: &str = "x-gioconda-session";
/// Avatars stay until they are deleted, and so must the key to them: 400 days, the longest that browsers keep.
const SECONDS: u32 = 400 * 24 * 3600;
/// Lengths of a secret: 128 random bits need 32 hexadecimal digits.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=64;

/// Who owns something: the SHA-256 of a client's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner([u8; 32]);

impl Owner {
    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// As 64 hexadecimal digits, for what outlives the studio.
    pub(crate) fn to_hex(self) -> String {
        self.0.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    #[cfg(test)]
    pub(crate) fn example(number: u8) -> Self {
        Self([number; 32])
    }
}

/// Whose request it is, and the cookie that the answer has to bring where the request had no secret.
pub(crate) struct Recognised {
    pub(crate) owner: Owner,
    pub(crate) cookie: Option<HeaderValue>,
}

/// Recognises the client of a request by its secret; one without any gets a new one.
pub(crate) fn recognise(headers: &HeaderMap) -> Result<Recognised, ApiError> {
    if let Some(given) = headers.get(HEADER) {
        let secret = given.to_str().ok().filter(|secret| is_secret(secret)).ok_or_else(|| {
            let (least, most) = LENGTHS.into_inner();
            let line = format!(
                "X-Gioconda-Session is a random secret of {least} to {most} letters, digits, `-` or `_`"
            );
            ApiError::new(StatusCode::BAD_REQUEST, line)
        })?;
        return Ok(Recognised { owner: Owner::of(secret), cookie: None });
    }
    if let Some(secret) = cookies(headers).find(|(name, value)| *name == COOKIE_NAME && is_secret(value)) {
        return Ok(Recognised { owner: Owner::of(secret.1), cookie: None });
    }
    let secret = Id::random().to_string();
    // A request that another site made comes without cookies: its answer must not replace the one there is.
    let foreign = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let cookie = format!("{COOKIE_NAME}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SECONDS}");
    let cookie = HeaderValue::from_str(&cookie).ok().filter(|_| !foreign);
    Ok(Recognised { owner: Owner::of(&secret), cookie })
}

fn is_secret(text: &str) -> bool {
    LENGTHS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Names and values of the cookies of a request.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

impl<S: Send + Sync> FromRequestParts<S> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let owner = parts.extensions.get::<Self>().copied();
        owner.ok_or_else(|| ApiError::internal("a request came past the guard"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (name.parse().expect("a name"), HeaderValue::from_str(value).expect("a value"))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn clients_are_recognised_by_their_secret_and_get_one_where_they_have_none() {
        let secret = "0123456789abcdef0123456789abcdef";
        let cookie = format!("a=b; gioconda-session={secret}; gioconda-studio=x");
        let of = |fields: &[(&'static str, &str)]| recognise(&headers(fields)).map_err(|error| error.status);
        for fields in [&[("x-gioconda-session", secret)][..], &[("cookie", &cookie)]] {
            let known = of(fields).expect("recognised");
            assert!(known.owner == Owner::of(secret) && known.cookie.is_none(), "{fields:?}");
        }
        let short = "gioconda-session=short";
        let long = format!("gioconda-session={}", "a".repeat(65));
        for fields in
            [&[][..], &[("cookie", short)], &[("cookie", &long)], &[("cookie", ";;=;gioconda-session")]]
        {
            let new = of(fields).expect("somebody new");
            let cookie = new.cookie.expect("a cookie");
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            let again = of(&[("cookie", cookie.split(';').next().expect("a pair"))]).expect("recognised");
            assert_eq!(again.owner, new.owner);
            assert_ne!(new.owner, of(fields).expect("somebody else").owner);
        }
        for (site, given) in
            [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)]
        {
            let new = of(&[("sec-fetch-site", site)]).expect("somebody new");
            assert_eq!(new.cookie.is_some(), given, "{site}");
        }
        for wrong in ["short", &"a".repeat(65), "0123456789abcdef0123456789abcde/"] {
            assert_eq!(of(&[("x-gioconda-session", wrong)]).err(), Some(StatusCode::BAD_REQUEST), "{wrong}");
        }
    }
}
