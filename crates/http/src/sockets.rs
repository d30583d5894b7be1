//! `WebSocket`s: how they begin, what comes from them, and why they end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::Error as SocketError;

use crate::ApiError;

/// A connection from which nothing came for so long, not even the answer to a ping, is given up.
pub const SILENT: Duration = Duration::from_secs(50);
/// How often a silent connection is asked whether it is still there.
pub const PING_EVERY: Duration = Duration::from_secs(15);

/// A request to become a WebSocket, or the answer that says what was wrong with it.
pub fn upgrade(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    protocol: &'static str,
    largest: usize,
) -> Result<WebSocketUpgrade, ApiError> {
    let upgrade = upgrade.map_err(|_| {
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket; connect with one")
    })?;
    // A little more than the largest, so that what is too large is told so and not cut off.
    Ok(upgrade.protocols([protocol]).max_message_size(largest + 1024).max_frame_size(largest + 1024))
}

/// Codes of RFC 6455 (7.4.1), and of IANA's list beyond it.
pub mod code {
    /// Nothing is wrong.
    pub const NORMAL: u16 = 1000;
    /// A message was not understood.
    pub const NOT_UNDERSTOOD: u16 = 1008;
    /// A message was too large.
    pub const TOO_LARGE: u16 = 1009;
    /// The server failed.
    pub const FAILED: u16 = 1011;
    /// There is no place at the moment.
    pub const TRY_AGAIN_LATER: u16 = 1013;
}

/// The last message of a connection; `reason` is cut to what fits.
pub fn closing(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: short(reason).into() }))
}

/// A reason for closing has 123 bytes at most.
fn short(reason: &str) -> &str {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// Why a `WebSocket` is closed before the other side leaves.
pub struct End {
    /// One of [`code`].
    pub code: u16,
    /// What is wrong, and what to do.
    pub line: String,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u32>,
}

impl End {
    /// What came was not understood.
    pub fn not_understood(line: impl Into<String>) -> Self {
        Self { code: code::NOT_UNDERSTOOD, line: line.into(), retry_after: None }
    }

    /// The other side sent more than it may.
    pub fn too_large() -> Self {
        Self { code: code::TOO_LARGE, line: "a message is too large".to_owned(), retry_after: None }
    }
}

impl From<ApiError> for End {
    fn from(error: ApiError) -> Self {
        let code = if error.retry_after.is_some() { code::TRY_AGAIN_LATER } else { code::NOT_UNDERSTOOD };
        Self { code, line: error.line, retry_after: error.retry_after }
    }
}

/// The next message; `None` when the other side has gone or is silent.
pub async fn heard(
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
) -> Result<Option<Message>, End> {
    match tokio::time::timeout(SILENT, stream.next()).await {
        Ok(Some(Ok(message))) => Ok(Some(message)),
        Ok(Some(Err(error))) if is_too_large(&error) => Err(End::too_large()),
        // Silence, the end, or a connection that broke: there is nobody to tell.
        Err(_) | Ok(None | Some(Err(_))) => Ok(None),
    }
}

/// Whether the other side sent more than a message may have.
fn is_too_large(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error);
    matches!(cause.and_then(|cause| cause.downcast_ref()), Some(SocketError::Capacity(_)))
}

/// One of the permits for `WebSocket`s.
pub fn socket_place(sockets: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    Arc::clone(sockets)
        .try_acquire_owned()
        .map_err(|_| ApiError::busy("too many live connections at the same time; try again in a moment", 5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};

    #[test]
    fn too_large_messages_are_told_by_the_kind_of_the_error() {
        let capacity = CapacityError::MessageTooLong { size: 2, max_size: 1 };
        for (error, too_large) in [
            (axum::Error::new(SocketError::Capacity(capacity)), true),
            (axum::Error::new(SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)), false),
            // Words that only look like it.
            (axum::Error::new(std::io::Error::other("the name is too long")), false),
        ] {
            let words = error.to_string();
            assert_eq!(is_too_large(&error), too_large, "{words}");
        }
    }
}
