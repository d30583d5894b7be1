//! Which live sessions there are, and who watches them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use gioconda_http::Id;
use gioconda_http::sockets::code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::outbox::Outbox;
use crate::limits;

/// Broadcasts of one session at a time.
const WATCHERS: usize = 4;

/// The sessions that are running.
pub(crate) struct Sessions {
    places: Arc<Semaphore>,
    broadcasts: Mutex<HashMap<String, Arc<Broadcast>>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(limits::SESSIONS)), broadcasts: Mutex::default() }
    }
}

impl Sessions {
    /// A place for one more session or participant, as long as there is one.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// A new session's broadcast.
    pub(crate) fn open(self: &Arc<Self>) -> OpenBroadcast {
        let session = Id::random().to_string();
        let broadcast = Arc::<Broadcast>::default();
        self.broadcasts().insert(session.clone(), Arc::clone(&broadcast));
        OpenBroadcast { sessions: Arc::clone(self), session, broadcast }
    }

    /// The broadcast of a running session.
    pub(crate) fn find(&self, session: &str) -> Option<Arc<Broadcast>> {
        self.broadcasts().get(session).cloned()
    }

    fn broadcasts(&self) -> MutexGuard<'_, HashMap<String, Arc<Broadcast>>> {
        self.broadcasts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's broadcast; dropping it ends it for everybody who watches.
pub(crate) struct OpenBroadcast {
    sessions: Arc<Sessions>,
    pub(crate) session: String,
    pub(crate) broadcast: Arc<Broadcast>,
}

impl Drop for OpenBroadcast {
    fn drop(&mut self) {
        self.sessions.broadcasts().remove(&self.session);
        let mut inside = self.broadcast.inside();
        inside.ended = true;
        for watcher in inside.watchers.drain(..) {
            watcher.close(code::NORMAL, "the session has ended");
        }
    }
}

/// What one session shows to its watchers.
#[derive(Default)]
pub(crate) struct Broadcast {
    inside: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    watchers: Vec<Arc<Outbox>>,
    newest: Option<Bytes>,
    ended: bool,
}

impl Broadcast {
    fn inside(&self) -> MutexGuard<'_, Watched> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a picture to all watchers, and to those who come before the next one.
    pub(crate) fn picture(&self, frame: &Bytes) {
        let mut inside = self.inside();
        for watcher in &inside.watchers {
            watcher.picture(0, frame.clone());
        }
        inside.newest = Some(frame.clone());
    }

    /// Plays sound to all watchers.
    pub(crate) fn sound(&self, frame: &Bytes) {
        for watcher in &self.inside().watchers {
            watcher.sound(frame.clone());
        }
    }

    /// Lets one more watch; `false` when there are enough, or the session has just ended.
    pub(crate) fn watch(&self, watcher: &Arc<Outbox>) -> bool {
        let mut inside = self.inside();
        if inside.ended || inside.watchers.len() >= WATCHERS {
            return false;
        }
        if let Some(newest) = &inside.newest {
            watcher.picture(0, newest.clone());
        }
        inside.watchers.push(Arc::clone(watcher));
        true
    }

    /// One watches no more.
    pub(crate) fn leave(&self, watcher: &Arc<Outbox>) {
        self.inside().watchers.retain(|other| !Arc::ptr_eq(other, watcher));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_with_their_broadcast_and_watchers_are_few() {
        let sessions = Arc::new(Sessions::default());
        let open = sessions.open();
        let broadcast = sessions.find(&open.session).expect("it runs");
        let watchers: Vec<_> = (0..=WATCHERS).map(|_| Outbox::new()).collect();
        let let_in: Vec<bool> = watchers.iter().map(|watcher| broadcast.watch(watcher)).collect();
        assert_eq!(let_in.iter().filter(|&&inside| inside).count(), WATCHERS);
        broadcast.leave(&watchers[0]);
        assert!(broadcast.watch(&watchers[WATCHERS]));
        let session = open.session.clone();
        drop(open);
        assert!(!broadcast.watch(&Outbox::new()), "it has ended");
        assert!(sessions.find(&session).is_none());
    }

    #[test]
    fn places_are_given_back() {
        let sessions = Sessions::default();
        let places: Vec<_> = std::iter::from_fn(|| sessions.place()).collect();
        assert_eq!(places.len(), limits::SESSIONS);
        drop(places);
        assert!(sessions.place().is_some());
    }
}
