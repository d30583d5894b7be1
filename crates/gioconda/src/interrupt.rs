//! Ctrl-C: the work in hand stops, and leaves nothing half-written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Says that the program ends, and with which code, where it ends at once.
static AT_ONCE: Mutex<Option<fn() -> u8>> = Mutex::new(None);
static WATCHED: Once = Once::new();

/// What a process that was ended by Ctrl-C ends with (128 and the number of SIGINT).
const ENDED_BY_CTRL_C: i32 = 130;

/// A flag that the first Ctrl-C (or termination signal) sets. A second one removes what is half-written and ends the
/// program at once.
pub(crate) fn flag() -> &'static AtomicBool {
    WATCHED.call_once(|| {
        if let Err(error) = ctrlc::set_handler(stop) {
            tracing::warn!("Ctrl-C will end the program without tidying up: {error}");
        }
    });
    &INTERRUPTED
}

/// The program waits for nothing but an answer while this lives: the first Ctrl-C ends it. `end` tells the user, and
/// returns the exit code.
pub(crate) fn ends_at_once(end: fn() -> u8) -> EndsAtOnce {
    flag();
    set_end(Some(end));
    EndsAtOnce
}

fn set_end(end: Option<fn() -> u8>) {
    *AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner) = end;
}

/// See [`ends_at_once`].
pub(crate) struct EndsAtOnce;

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        set_end(None);
    }
}

/// Runs on a thread of its own for every signal.
fn stop() {
    if INTERRUPTED.swap(true, Ordering::SeqCst) {
        gioconda_media::remove_unfinished();
        std::process::exit(ENDED_BY_CTRL_C);
    }
    let end = *AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(end) = end {
        std::process::exit(end().into());
    }
}
