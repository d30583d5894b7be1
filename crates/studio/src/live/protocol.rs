//! What pages and the studio say to each other on `/api/live`, `/api/broadcast/…` and `/api/call/…`.
//!
//! Text frames are JSON: [`Request`] and [`Answer`]. Binary frames are little-endian numbers, then the payload:
//!
//! | direction | frame |
//! |---|---|
//! | to the studio | `[u32 sequence][u32 milliseconds][JPEG]` |
//! | to the page, live | `[u32 sequence][u32 milliseconds][JPEG]` |
//! | to the page, in a call | `[u32 participant][u32 sequence][u32 milliseconds][JPEG]` |
//!
//! Sequence and milliseconds of an answer are those of the camera picture it answers. With [`SOUND`] for a sequence the
//! payload is a packet of sound, which the studio passes on unheard.

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::jpeg::LARGEST_JPEG;
use crate::options::{Options, PortraitId};

/// The subprotocol's name.
pub(crate) const PROTOCOL: &str = "gioconda-live";

/// The sequence number of packets that carry sound.
pub(crate) const SOUND: u32 = u32::MAX;

/// Largest packet of sound, bytes.
pub(crate) const LARGEST_SOUND: usize = 4 << 10;

/// Largest frame that a page may send, bytes.
pub(crate) const LARGEST_FRAME: usize = 8 + LARGEST_JPEG;

/// What a page says as text on `/api/live` and `/api/call/{room}`; its camera's pictures are binary.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = LiveRequest)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Request {
    /// The first thing it says.
    Start {
        portrait: PortraitId,
        #[serde(default)]
        options: Box<Options>,
        /// Side of the portrait's pictures, pixels, clamped to 256..=512; 256 where it is left out.
        #[serde(default = "usual_size")]
        size: u32,
        /// What the others in a call read.
        #[serde(default)]
        name: String,
    },
    /// Show the portrait differently.
    Options { options: Box<Options> },
    /// Show somebody else.
    Portrait { portrait: PortraitId },
    /// My face is at rest now.
    Calibrate,
}

fn usual_size() -> u32 {
    256
}

/// What the studio says as text on `/api/live` and `/api/call/{room}`; pictures of portraits are binary.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveAnswer)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Answer {
    /// Pictures are welcome.
    Ready {
        /// What the broadcast is called by.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        session: Option<String>,
        /// The page's own number in the call.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        participant: Option<u32>,
    },
    /// A face came into the camera's pictures, or left them.
    Face { found: bool },
    /// The face at rest is known.
    Calibrated,
    /// How the last second went.
    Stats {
        /// Pictures answered a second.
        frames_per_second: f32,
        /// Median milliseconds from a picture's arrival to its answer.
        latency_ms: f32,
        /// Pictures replaced by newer ones, since the start.
        dropped: u64,
    },
    /// What was asked for cannot be done, or the session ends.
    Error {
        /// One clear line.
        error: String,
        /// Seconds to wait before trying again.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        retry_after: Option<u32>,
    },
    /// Somebody came into the call.
    Joined { participant: u32, name: String },
    /// Somebody left it.
    Left { participant: u32 },
    /// There is no place in the room.
    Full,
    /// The relay is away.
    Lost,
    /// The relay is there again.
    Back,
}

impl Answer {
    pub(crate) fn error(error: impl Into<String>) -> Self {
        Self::Error { error: error.into(), retry_after: None }
    }
}

/// What comes from a page, the WebSocket's own business left out.
pub(crate) enum Incoming {
    Text(Request),
    Binary(Bytes),
}

/// A binary frame of a page.
#[derive(Debug, PartialEq)]
pub(crate) struct FromPage<'a> {
    pub(crate) sequence: u32,
    pub(crate) milliseconds: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> FromPage<'a> {
    /// Takes a frame apart; `None` when it is none.
    pub(crate) fn parse(frame: &'a [u8]) -> Option<Self> {
        let (sequence, rest) = frame.split_first_chunk::<4>()?;
        let (milliseconds, payload) = rest.split_first_chunk::<4>()?;
        let (sequence, milliseconds) = (u32::from_le_bytes(*sequence), u32::from_le_bytes(*milliseconds));
        let most = if sequence == SOUND { LARGEST_SOUND } else { LARGEST_JPEG };
        (1..=most).contains(&payload.len()).then_some(Self { sequence, milliseconds, payload })
    }
}

/// A binary frame for a page.
pub(crate) fn frame(participant: Option<u32>, sequence: u32, milliseconds: u32, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(12 + payload.len());
    for number in participant.into_iter().chain([sequence, milliseconds]) {
        frame.extend_from_slice(&number.to_le_bytes());
    }
    frame.extend_from_slice(payload);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_frames_are_what_the_page_expects() {
        let live = frame(None, 7, 9, b"jpeg");
        let parsed = FromPage::parse(&live).expect("a frame");
        assert_eq!(parsed, FromPage { sequence: 7, milliseconds: 9, payload: b"jpeg" });
        assert_eq!(&frame(Some(3), 7, 9, b"")[..], [3, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0]);
        let long_sound = frame(None, SOUND, 0, &[0; LARGEST_SOUND + 1]);
        for bytes in [&[][..], &[0; 7], &[0; 8], &long_sound] {
            assert_eq!(FromPage::parse(bytes), None);
        }
    }

    #[test]
    fn what_pages_say_is_understood_and_the_rest_refused() {
        let understood = [
            r#"{"type":"start","portrait":{"figure":"mona-lisa"},"options":{"smoothing":1,"label":true},"size":256}"#,
            r#"{"type":"start","portrait":{"avatar":"a"},"options":{},"size":256,"name":"Ada"}"#,
            r#"{"type":"options","options":{"eyes":2}}"#,
            r#"{"type":"portrait","portrait":{"figure":"mona-lisa"}}"#,
            r#"{"type":"calibrate"}"#,
        ];
        for text in understood {
            serde_json::from_str::<Request>(text).expect(text);
        }
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"dance"}"#,
            r#"{"type":"start"}"#,
            r#"{"type":"options","options":7}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn answers_leave_out_what_there_is_not() {
        let cases = [
            (Answer::Ready { session: None, participant: Some(2) }, r#"{"type":"ready","participant":2}"#),
            (Answer::error("no"), r#"{"type":"error","error":"no"}"#),
            (Answer::Face { found: true }, r#"{"type":"face","found":true}"#),
            (Answer::Lost, r#"{"type":"lost"}"#),
        ];
        for (answer, expected) in cases {
            assert_eq!(serde_json::to_string(&answer).expect("JSON"), expected);
        }
    }
}
