//! What all requests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gioconda_avatar::PortraitWeights;
use gioconda_face::{FaceFinder, Threads};
use gioconda_media::isolation;
use gioconda_portrait::NetworkSource;
use gioconda_provenance::{Identity, Input};
use tokio::sync::Semaphore;

use crate::avatars::AvatarFolder;
use crate::error::{ApiError, Error};
use crate::gallery::Gallery;
use crate::jobs::Jobs;
use crate::limits;
use crate::live::sessions::Sessions;
use crate::live::virtual_camera::VirtualCamera;
use crate::metrics::Metrics;
use crate::portraits::Portraits;
use crate::preview::Previews;
use crate::relay::{self, room::Relay};
use crate::settings::Settings;
use crate::token::{Once, Token};
use crate::uploads::Uploads;

/// The studio as handlers get it.
pub(crate) type Shared = Arc<Studio>;

/// Everything behind the requests.
pub(crate) struct Studio {
    pub(crate) settings: Settings,
    /// What visitors must know; `None` where only this machine can visit.
    pub(crate) token: Option<Token>,
    /// What lets in the browser that the studio starts.
    pub(crate) once: Once,
    pub(crate) identity: Identity,
    pub(crate) gallery: Gallery,
    pub(crate) avatars: AvatarFolder,
    pub(crate) uploads: Uploads,
    pub(crate) portraits: Portraits,
    pub(crate) finder: Mutex<FaceFinder>,
    /// What paints photos, and what `learn` tunes.
    pub(crate) weights: PortraitWeights,
    /// Where they come from.
    pub(crate) network_source: NetworkSource,
    pub(crate) metrics: Metrics,
    /// The live sessions that run.
    pub(crate) sessions: Arc<Sessions>,
    /// Shows live portraits to other programs.
    pub(crate) virtual_camera: Option<VirtualCamera>,
    /// Where those who call each other meet.
    pub(crate) relay: Arc<Relay>,
    /// Turns of clips that are followed for previews.
    pub(crate) following: Arc<Semaphore>,
    /// Turns of clips that come in.
    pub(crate) sniffing: Arc<Semaphore>,
    pub(crate) jobs: Jobs,
    pub(crate) previews: Previews,
    /// Turns of photos that come in, one at a time: 50 megapixels take hundreds of megabytes.
    pub(crate) looking: Arc<Semaphore>,
    /// Turns of photos that are opened again; they do not wait for those that come in.
    pub(crate) opening: Arc<Semaphore>,
    /// Places among the previews that wait.
    pub(crate) previewing: Arc<Semaphore>,
    /// Places among those who follow jobs.
    pub(crate) event_streams: Arc<Semaphore>,
    /// Places among the `WebSocket`s.
    pub(crate) sockets: Arc<Semaphore>,
    /// Turns of those who verify.
    pub(crate) verifying: Arc<Semaphore>,
    /// Where films are made.
    pub(crate) temporary: PathBuf,
    /// Set when the studio ends: work in hand stops.
    pub(crate) ending: Arc<AtomicBool>,
}

impl Studio {
    /// Opens everything that `settings` name; what visitors bring and make is kept in `temporary`.
    pub(crate) fn open(settings: Settings, temporary: &Path) -> Result<Self, Error> {
        let identity = Identity::of_user()?;
        if let Some(warning) = &identity.warning {
            tracing::warn!("{warning}");
        }
        let weights = PortraitWeights::open_or_built_in(settings.weights.as_deref())?;
        let network_source = match &settings.weights {
            None => NetworkSource::BuiltIn,
            Some(path) => NetworkSource::WeightFile(Input::read("weights", path, None, false)?),
        };
        Ok(Self {
            token: Token::of_server(settings.listen, settings.token.as_deref()),
            once: Once::default(),
            identity,
            gallery: Gallery::open(settings.gallery.as_deref(), temporary)?,
            avatars: AvatarFolder::open(settings.avatars.as_deref())?,
            uploads: Uploads::new(temporary),
            portraits: Portraits::default(),
            finder: Mutex::new(FaceFinder::new(Threads::Shared)?),
            weights,
            network_source,
            metrics: Metrics::new(),
            sessions: Arc::default(),
            virtual_camera: settings.virtual_camera.as_deref().map(VirtualCamera::open).transpose()?,
            relay: Relay::new(relay::room::Limits::default()),
            following: Arc::new(Semaphore::new(limits::FOLLOWED_AT_ONCE)),
            sniffing: Arc::new(Semaphore::new(limits::OPENED_AT_ONCE)),
            jobs: Jobs::default(),
            previews: Previews::default(),
            looking: Arc::new(Semaphore::new(1)),
            opening: Arc::new(Semaphore::new(limits::OPENED_AT_ONCE)),
            previewing: Arc::new(Semaphore::new(limits::WAITING_PREVIEWS)),
            event_streams: Arc::new(Semaphore::new(limits::EVENT_STREAMS)),
            sockets: Arc::new(Semaphore::new(limits::SOCKETS)),
            verifying: Arc::new(Semaphore::new(limits::VERIFIED_AT_ONCE)),
            temporary: temporary.to_owned(),
            ending: Arc::default(),
            settings,
        })
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
