//! What waits to be sent on one WebSocket.
//!
//! A slow receiver must cost neither memory nor delay: of each participant's pictures only the newest waits, of sound
//! only the last third of a second, and of text as much as a session ever has to say.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use gioconda_http::sockets::{End, PING_EVERY, closing, code};
use tokio::sync::Notify;

use super::protocol::Answer;

/// Packets of sound that wait, 20 ms each.
const SOUNDS: usize = 16;
/// Pieces of text that wait; a receiver that takes none of so many is not there any more.
const TEXTS: usize = 64;
/// How long the other side may take for one frame.
const SEND_WITHIN: Duration = Duration::from_secs(20);

/// Shared by those who have something to say and the task that sends it.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    texts: VecDeque<String>,
    sounds: VecDeque<Bytes>,
    /// By participant; 0 where there is only one.
    pictures: BTreeMap<u32, Bytes>,
    /// Whose picture was sent last: everybody gets a turn.
    turn: u32,
    close: Option<(u16, String)>,
}

impl Outbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that holds the lock can leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something.
    pub(crate) fn say(&self, answer: &Answer) {
        let text = match serde_json::to_string(answer) {
            Ok(text) => text,
            Err(error) => return tracing::error!("an answer cannot be written as JSON: {error}"),
        };
        let mut waiting = self.waiting();
        if waiting.texts.len() < TEXTS {
            waiting.texts.push_back(text);
        } else {
            waiting.close.get_or_insert((code::NOT_UNDERSTOOD, "nothing is being read".to_owned()));
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Sends a picture of `participant`, in the place of an older one that still waits.
    pub(crate) fn picture(&self, participant: u32, frame: Bytes) {
        self.waiting().pictures.insert(participant, frame);
        self.filled.notify_one();
    }

    /// Forgets pictures of somebody who has gone.
    pub(crate) fn forget(&self, participant: u32) {
        self.waiting().pictures.remove(&participant);
    }

    /// Sends a packet of sound; the oldest that waits gives way.
    pub(crate) fn sound(&self, frame: Bytes) {
        let mut waiting = self.waiting();
        if waiting.sounds.len() == SOUNDS {
            waiting.sounds.pop_front();
        }
        waiting.sounds.push_back(frame);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Says why it ends, and ends.
    pub(crate) fn end(&self, end: End) {
        self.say(&Answer::Error { error: end.line.clone(), retry_after: end.retry_after });
        self.close(end.code, end.line);
    }

    /// Ends the connection once what was said is sent.
    pub(crate) fn close(&self, code: u16, reason: impl Into<String>) {
        self.waiting().close.get_or_insert((code, reason.into()));
        self.filled.notify_one();
    }

    /// What to send next: text before sound before pictures, which are of no use once the connection is to end.
    fn next(&self) -> Option<Message> {
        let mut waiting = self.waiting();
        if let Some(text) = waiting.texts.pop_front() {
            return Some(Message::Text(text.into()));
        }
        if let Some((code, reason)) = &waiting.close {
            return Some(closing(*code, reason));
        }
        if let Some(sound) = waiting.sounds.pop_front() {
            return Some(Message::Binary(sound));
        }
        let turn = waiting.turn.wrapping_add(1);
        let whose = waiting
            .pictures
            .range(turn..)
            .next()
            .or(waiting.pictures.first_key_value())
            .map(|(&id, _)| id)?;
        waiting.turn = whose;
        waiting.pictures.remove(&whose).map(Message::Binary)
    }

    /// Sends until the connection ends.
    pub(crate) async fn send(self: Arc<Self>, mut sink: SplitSink<WebSocket, Message>) {
        loop {
            let message = match self.next() {
                Some(message) => message,
                None => match tokio::time::timeout(PING_EVERY, self.filled.notified()).await {
                    Ok(()) => continue,
                    Err(_) => Message::Ping(Bytes::new()),
                },
            };
            let last = matches!(message, Message::Close(_));
            let sent = tokio::time::timeout(SEND_WITHIN, sink.send(message)).await;
            if last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(byte: u8) -> Bytes {
        Bytes::copy_from_slice(&[byte])
    }

    #[test]
    fn only_the_newest_picture_of_each_waits_and_everybody_gets_a_turn() {
        let outbox = Outbox::default();
        for participant in [1, 2] {
            for round in 0..100 {
                outbox.picture(participant, binary(round));
            }
        }
        outbox.say(&Answer::Calibrated);
        assert!(matches!(outbox.next(), Some(Message::Text(_))), "text first");
        assert_eq!(outbox.next(), Some(Message::Binary(binary(99))));
        outbox.picture(1, binary(7));
        assert_eq!(outbox.next(), Some(Message::Binary(binary(99))), "the other one's turn");
        assert_eq!(outbox.next(), Some(Message::Binary(binary(7))));
        assert_eq!(outbox.next(), None);
    }

    #[test]
    fn sound_that_waits_too_long_is_left_out() {
        let outbox = Outbox::default();
        for index in 0..100 {
            outbox.sound(binary(index));
        }
        let sent: Vec<Message> = std::iter::from_fn(|| outbox.next()).collect();
        assert_eq!(sent.len(), SOUNDS);
        assert_eq!(sent.last(), Some(&Message::Binary(binary(99))));
    }

    #[test]
    fn a_close_comes_after_what_was_said_and_one_who_reads_nothing_is_closed() {
        let outbox = Outbox::default();
        outbox.close(code::TRY_AGAIN_LATER, "ü".repeat(200));
        outbox.say(&Answer::Full);
        assert!(matches!(outbox.next(), Some(Message::Text(_))));
        let Some(Message::Close(Some(close))) = outbox.next() else { panic!("a close") };
        assert_eq!((close.code, close.reason.len()), (code::TRY_AGAIN_LATER, 120));

        let outbox = Outbox::default();
        for _ in 0..=TEXTS {
            outbox.say(&Answer::Calibrated);
        }
        assert!(outbox.waiting().close.is_some());
    }
}
