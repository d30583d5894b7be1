//! What goes over `/relay/{room}`.
//!
//! | direction | frame |
//! |---|---|
//! | to the relay, first | text `{"type":"join","name":NAME}` |
//! | to the relay | binary `[u8 kind][payload]` |
//! | from the relay | text: [`Notice`] |
//! | from the relay | binary `[u32 participant, little-endian][u8 kind][payload]` |

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

/// The subprotocol's name.
pub const PROTOCOL: &str = "gioconda-relay";

/// Largest portrait, bytes: the head, 512 pixels wide.
pub const LARGEST_PORTRAIT: usize = 512 << 10;
/// Largest packet of motion, bytes.
pub const LARGEST_MOTION: usize = 256;
/// Largest packet of sound with its time stamp, bytes.
pub const LARGEST_SOUND: usize = (4 << 10) + 4;
/// Largest frame that a participant may send: a portrait and its kind.
pub const LARGEST_FRAME: usize = LARGEST_PORTRAIT + 1;
/// Longest name of a participant, bytes.
pub const LONGEST_NAME: usize = 80;
/// Longest name of a room, bytes.
pub const LONGEST_ROOM: usize = 64;

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One packet of a face's motion, as the studio makes it (`gioconda_studio::call::packet`).
    Motion,
    /// `[u32 milliseconds][Opus]`.
    Sound,
    /// The participant's portrait: `[u8 0x10 + label][478 x 3 i16 landmarks, 1/32 pixel][JPEG]`,
    /// little-endian.
    Portrait,
}

impl Kind {
    /// Its byte on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Self::Motion => 1,
            Self::Sound => 2,
            Self::Portrait => 3,
        }
    }

    /// What the byte stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Motion, Self::Sound, Self::Portrait].into_iter().find(|kind| kind.byte() == byte)
    }

    fn largest(self) -> usize {
        match self {
            Self::Motion => LARGEST_MOTION,
            Self::Sound => LARGEST_SOUND,
            Self::Portrait => LARGEST_PORTRAIT,
        }
    }
}

/// A participant's frame taken apart; `None` when it is none.
pub fn parse(frame: &[u8]) -> Option<(Kind, &[u8])> {
    let (&byte, payload) = frame.split_first()?;
    let kind = Kind::from_byte(byte)?;
    (1..=kind.largest()).contains(&payload.len()).then_some((kind, payload))
}

/// A frame for the relay.
pub fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    [&[kind.byte()], payload].concat().into()
}

/// A frame from the relay: `frame` as it came from `participant`.
pub fn relayed(participant: u32, frame: &[u8]) -> Bytes {
    [&participant.to_le_bytes(), frame].concat().into()
}

/// A frame from the relay taken apart; `None` when it is none.
pub fn parse_relayed(bytes: &[u8]) -> Option<(u32, Kind, &[u8])> {
    let (participant, frame) = bytes.split_first_chunk::<4>()?;
    let (kind, payload) = parse(frame)?;
    Some((u32::from_le_bytes(*participant), kind, payload))
}

/// The first thing a participant says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Request {
    /// I want to come in.
    Join {
        /// What the others call me.
        name: String,
    },
}

/// What the relay says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Notice {
    /// You are in the room.
    Ready {
        /// Your number.
        participant: u32,
    },
    /// Somebody is in the room.
    Joined {
        /// Their number.
        participant: u32,
        /// What they are called.
        name: String,
    },
    /// Somebody has gone.
    Left {
        /// Their number.
        participant: u32,
    },
    /// There is no place in the room.
    Full,
    /// Something was not understood; the connection ends.
    Error {
        /// One line.
        error: String,
    },
}

/// A name as others may see it: without control characters, not too long; `None` when nothing is left of it.
pub fn clean_name(name: &str, longest: usize) -> Option<String> {
    let mut clean: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    let mut end = longest.min(clean.len());
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_apart_as_they_were_put_together() {
        let sent = frame(Kind::Motion, b"nod");
        assert_eq!(parse(&sent), Some((Kind::Motion, b"nod".as_slice())));
        assert_eq!(parse_relayed(&relayed(7, &sent)), Some((7, Kind::Motion, b"nod".as_slice())));
        let too_large = frame(Kind::Motion, &[0; LARGEST_MOTION + 1]);
        let cases: [&[u8]; 5] = [&[], &[1], &[0, 1], &[77, 1, 2], &too_large];
        for bytes in cases {
            assert_eq!(parse(bytes), None);
        }
        assert_eq!(parse_relayed(&[1, 2, 3]), None);
    }

    #[test]
    fn names_are_cleaned() {
        let cases = [(" Ada\n", Some("Ada")), ("\u{0}\t ", None), ("ééé", Some("éé")), ("", None)];
        for (name, expected) in cases {
            assert_eq!(clean_name(name, 5).as_deref(), expected);
        }
    }

    #[test]
    fn notices_are_what_the_contract_says() {
        let joined = Notice::Joined { participant: 3, name: "Ada".to_owned() };
        let text = serde_json::to_string(&joined).expect("JSON");
        assert_eq!(text, r#"{"type":"joined","participant":3,"name":"Ada"}"#);
        assert_eq!(serde_json::to_string(&Notice::Full).expect("JSON"), r#"{"type":"full"}"#);
    }
}
