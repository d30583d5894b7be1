//! Where a relay elsewhere is, as `gioconda relay` prints it.

use std::str::FromStr;

/// The address of a relay: `ws://HOST:PORT`, with `/?token=TOKEN` behind it where the relay asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `ws://HOST:PORT`
    base: String,
    token: Option<String>,
}

/// What was given is no address of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a relay's address is ws://HOST:PORT, with /?token=TOKEN behind it where the relay printed one")]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let host = text.strip_prefix("ws://").ok_or(NoAddress)?;
        let (host, token) = match host.split_once('/') {
            None | Some((_, "")) => (host.trim_end_matches('/'), None),
            Some((host, rest)) => (host, Some(rest.strip_prefix("?token=").ok_or(NoAddress)?)),
        };
        let plain = |c: char| c.is_ascii_graphic() && !"/?#@".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(NoAddress);
        }
        if token.is_some_and(|token| token.is_empty() || !token.chars().all(plain)) {
            return Err(NoAddress);
        }
        Ok(Self { base: format!("ws://{host}"), token: token.map(str::to_owned) })
    }
}

impl Address {
    /// The address of a room of any name.
    pub fn room(&self, name: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let escaped: String = name
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        format!("{}/relay/{escaped}", self.base)
    }

    /// Brings `token` to the relay, in the place of one in its address.
    pub fn set_token(&mut self, token: String) {
        self.token = Some(token);
    }

    /// What the relay wants to hear from those who come.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_rooms_of_any_name_have_one() {
        for (text, token) in [
            ("ws://relay.example:8788", None),
            ("ws://relay.example:8788/", None),
            ("ws://relay.example:8788/?token=open-sesame", Some("open-sesame")),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.token(), token, "{text}");
            assert_eq!(address.room("salon-1"), "ws://relay.example:8788/relay/salon-1");
            assert_eq!(address.room("caffè/../x"), "ws://relay.example:8788/relay/caff%C3%A8%2F..%2Fx");
        }
        for text in [
            "",
            "ws://",
            "relay:8788",
            "http://relay:8788",
            "ws://a/b",
            "ws://a/?token=",
            "ws://a b",
            "ws://a/?token=b&c=\n",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text:?}");
        }
    }
}
