//! Turns and places: how much happens at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_http::ApiError;
use gioconda_media::isolation;
use tokio::sync::Semaphore;

use crate::limits;

/// What there is a limited number of at a time.
pub(crate) struct Turns {
    /// Photos that come in, one at a time: 50 megapixels take hundreds of megabytes.
    pub(crate) looking: Arc<Semaphore>,
    /// Photos that are opened again; they do not wait for those that come in.
    pub(crate) opening: Arc<Semaphore>,
    /// Clips that come in.
    pub(crate) sniffing: Arc<Semaphore>,
    /// Clips that are followed for previews.
    pub(crate) following: Arc<Semaphore>,
    /// Files that are verified.
    pub(crate) verifying: Arc<Semaphore>,
    /// Previews that wait.
    pub(crate) previewing: Arc<Semaphore>,
    /// Clients that follow jobs.
    pub(crate) event_streams: Arc<Semaphore>,
    /// `WebSocket`s.
    pub(crate) sockets: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let turns = |most| Arc::new(Semaphore::new(most));
        Self {
            looking: turns(1),
            opening: turns(limits::OPENED_AT_ONCE),
            sniffing: turns(limits::OPENED_AT_ONCE),
            following: turns(limits::FOLLOWED_AT_ONCE),
            verifying: turns(limits::VERIFIED_AT_ONCE),
            previewing: turns(limits::WAITING_PREVIEWS),
            event_streams: turns(limits::EVENT_STREAMS),
            sockets: turns(limits::SOCKETS),
        }
    }
}

/// Does what takes long or much memory when its turn comes, on a thread that may block. The turn, and the place `held`
/// with it, are kept until the work is done, even when the client has left. Then the child process that it waits for is
/// killed, and what has not begun does not begin.
pub(crate) async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    held: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let turn = Arc::clone(turns).acquire_owned().await.map_err(ApiError::internal)?;
    let left = Left::default();
    let cancel = Arc::clone(&left.0);
    let worked = tokio::task::spawn_blocking(move || {
        let _kept = (turn, held);
        (!cancel.load(Ordering::Relaxed)).then(|| isolation::with_cancel(&cancel, work))
    });
    worked.await?.ok_or_else(|| ApiError::internal("work was cancelled that was waited for"))
}

/// Says that nobody waits any more, when it is dropped.
#[derive(Default)]
struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test]
    async fn a_place_is_kept_until_the_work_is_done_and_given_back_then() {
        let (turns, places) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let (go_on, told) = mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let place = Arc::clone(&places).try_acquire_owned().expect("a place");
        let work = move || {
            began.send(()).expect("somebody waits");
            told.recv().expect("told to go on");
        };
        let inside = Arc::clone(&turns);
        let client = tokio::spawn(async move { in_turn(&inside, place, work).await });
        begun.await.expect("begun");
        client.abort();
        assert!(client.await.is_err_and(|error| error.is_cancelled()), "the client has left");
        assert_eq!((turns.available_permits(), places.available_permits()), (0, 0), "the work goes on");
        // Another who leaves before the turn comes: nothing begins.
        let place = Arc::clone(&turns);
        let waiting = in_turn(&place, (), || panic!("nobody waits for this"));
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        go_on.send(()).expect("it works");
        tokio::time::timeout(Duration::from_mins(1), turns.acquire())
            .await
            .expect("in time")
            .expect("a turn")
            .forget();
        tokio::time::timeout(Duration::from_mins(1), places.acquire())
            .await
            .expect("in time")
            .expect("a place")
            .forget();
    }
}
