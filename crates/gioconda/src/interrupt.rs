//! Ctrl-C: the work in hand stops, and leaves nothing half-written.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static AT_ONCE: AtomicBool = AtomicBool::new(false);
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

/// The program waits for nothing but an answer while this lives: the first Ctrl-C ends it.
pub(crate) fn ends_at_once() -> EndsAtOnce {
    flag();
    AT_ONCE.store(true, Ordering::SeqCst);
    EndsAtOnce
}

/// See [`ends_at_once`].
pub(crate) struct EndsAtOnce;

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        AT_ONCE.store(false, Ordering::SeqCst);
    }
}

/// Runs on a thread of its own for every signal.
fn stop() {
    if INTERRUPTED.swap(true, Ordering::SeqCst) {
        gioconda_media::remove_unfinished();
        std::process::exit(ENDED_BY_CTRL_C);
    }
    if AT_ONCE.load(Ordering::SeqCst) {
        // Behind the question.
        crate::report::end_line();
        let stopped = Failure::Failed(gioconda_avatar::Error::Cancelled.to_string());
        stopped.report();
        std::process::exit(stopped.code().into());
    }
}
