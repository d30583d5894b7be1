//! What visitors from other machines must know, for the studio and for a relay alone.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::id::Id;

/// A word that opens the door.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token of a server that listens at `listen`: the `chosen` one; else none on this machine alone, and beyond
    /// it one that nobody guesses.
    pub fn of_server(listen: SocketAddr, chosen: Option<&str>) -> Option<Self> {
        let made_up = || (!listen.ip().is_loopback()).then(|| Id::random().to_string());
        chosen.map(str::to_owned).or_else(made_up).map(Self)
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request brings it as `Authorization: Bearer TOKEN`.
    pub fn is_borne(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| self.is(given))
    }

    /// Equality in a time that does not tell how much is equal.
    pub fn is(&self, given: &str) -> bool {
        let differences = given.bytes().zip(self.0.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        given.len() == self.0.len() && differences == 0
    }
}

/// A word that opens the door once, soon after it was made: the browser is started with it, and every user of the machine
/// can see what programs are started with.
#[derive(Default)]
pub struct Once(Mutex<Option<(Token, Instant)>>);

impl Once {
    /// How long a browser may take to start.
    const VALID: Duration = Duration::from_mins(1);

    /// A new word in the place of the last one.
    pub fn make(&self) -> Token {
        let token = Token(Id::random().to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), Instant::now()));
        token
    }

    /// Whether `given` is the word; it is not any more after that.
    pub fn lets_in(&self, given: &str) -> bool {
        let mut word = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(token, made): &(Token, Instant)| token.is(given) && made.elapsed() < Self::VALID;
        word.take_if(|word| fits(word)).is_some()
    }
}

/// Where a server on this machine is reached from it; where a token is needed it is in the address.
pub fn link(scheme: &str, address: SocketAddr, token: Option<&Token>) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => format!("localhost:{}", address.port()),
        _ => address.to_string(),
    };
    match token {
        None => format!("{scheme}://{host}"),
        Some(token) => format!("{scheme}://{host}/?token={}", token.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_as_a_whole() {
        let token = Token("abc".to_owned());
        assert!(token.is("abc"));
        assert!(!token.is("abd") && !token.is("ab") && !token.is("abcd") && !token.is(""));
    }

    #[test]
    fn a_word_for_once_opens_once() {
        let once = Once::default();
        assert!(!once.lets_in(""));
        let (first, second) = (once.make(), once.make());
        assert!(!once.lets_in(first.as_str()), "there is a newer one");
        assert!(once.lets_in(second.as_str()) && !once.lets_in(second.as_str()));
    }

    #[test]
    fn beyond_this_machine_there_is_always_a_token_and_it_stands_in_the_link() {
        for (listen, chosen, expected) in [
            ("127.0.0.1:8788", None, Some("ws://127.0.0.1:8788")),
            ("[::1]:8788", None, Some("ws://[::1]:8788")),
            ("127.0.0.1:8788", Some("sesame"), Some("ws://127.0.0.1:8788/?token=sesame")),
            ("192.168.1.7:8788", Some("sesame"), Some("ws://192.168.1.7:8788/?token=sesame")),
            ("0.0.0.0:8788", Some("sesame"), Some("ws://localhost:8788/?token=sesame")),
            ("0.0.0.0:8788", None, None),
            ("[::]:8788", None, None),
        ] {
            let listen: SocketAddr = listen.parse().expect("an address");
            let token = Token::of_server(listen, chosen);
            let shown = link("ws", listen, token.as_ref());
            match expected {
                Some(expected) => assert_eq!(shown, expected),
                None => assert_eq!(token.expect("one is made up").as_str().len(), 32, "{shown}"),
            }
        }
    }
}
