//! Ctrl-C: the work in hand stops, and leaves nothing half-written.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A flag that the first Ctrl-C (or termination signal) sets; a second one ends the program at once.
pub(crate) fn flag() -> &'static AtomicBool {
    let watching = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = watching {
        tracing::warn!("Ctrl-C will end the program without tidying up: {error}");
    }
    &INTERRUPTED
}
