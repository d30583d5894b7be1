//! What all requests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use gioconda_avatar::PortraitWeights;
use gioconda_face::{FaceFinder, Threads};
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
use crate::token::Token;
use crate::uploads::Uploads;

/// The studio as handlers get it.
pub(crate) type Shared = Arc<Studio>;

/// Everything behind the requests.
pub(crate) struct Studio {
    pub(crate) settings: Settings,
    /// What visitors must know; `None` where only this machine can visit.
    pub(crate) token: Option<Token>,
    pub(crate) identity: Identity,
    pub(crate) gallery: Gallery,
    pub(crate) avatars: AvatarFolder,
    pub(crate) uploads: Uploads,
    pub(crate) portraits: Portraits,
    pub(crate) finder: Mutex<FaceFinder>,
    /// What paints photos, and what `learn` tunes.
    pub(crate) weights: PortraitWeights,
    /// Where they come from; `None` for those inside the program.
    pub(crate) weights_file: Option<Input>,
    pub(crate) metrics: Metrics,
    /// The live sessions that run.
    pub(crate) sessions: Arc<Sessions>,
    /// Shows live portraits to other programs.
    pub(crate) virtual_camera: Option<VirtualCamera>,
    /// Where those who call each other meet.
    pub(crate) relay: Arc<Relay>,
    /// One clip is followed for previews at a time.
    pub(crate) following: Semaphore,
    pub(crate) jobs: Jobs,
    pub(crate) previews: Previews,
    /// Turns of photos that come in, one at a time: 50 megapixels take hundreds of megabytes.
    pub(crate) looking: Arc<Semaphore>,
    /// Turns of photos that are opened again; they do not wait for those that come in.
    pub(crate) opening: Arc<Semaphore>,
    /// Places among the previews that wait.
    pub(crate) previewing: Semaphore,
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
        let read = |path: &PathBuf| Input::read("weights", path, None, false);
        let weights_file = settings.weights.as_ref().map(read).transpose()?;
        Ok(Self {
            token: Token::of_server(settings.listen, settings.token.as_deref()),
            identity,
            gallery: Gallery::open(settings.gallery.as_deref(), temporary)?,
            avatars: AvatarFolder::open(settings.avatars.as_deref())?,
            uploads: Uploads::new(temporary),
            portraits: Portraits::default(),
            finder: Mutex::new(FaceFinder::new(Threads::Shared)?),
            weights,
            weights_file,
            metrics: Metrics::new(),
            sessions: Arc::default(),
            virtual_camera: settings.virtual_camera.as_deref().map(VirtualCamera::open).transpose()?,
            relay: Relay::new(relay::room::Limits::default()),
            following: Semaphore::new(1),
            jobs: Jobs::default(),
            previews: Previews::default(),
            looking: Arc::new(Semaphore::new(1)),
            opening: Arc::new(Semaphore::new(limits::OPENED_AT_ONCE)),
            previewing: Semaphore::new(limits::WAITING_PREVIEWS),
            verifying: Arc::new(Semaphore::new(limits::VERIFIED_AT_ONCE)),
            temporary: temporary.to_owned(),
            ending: Arc::default(),
            settings,
        })
    }
}

/// Does what takes long or much memory when its turn comes, on a thread that may block. The turn lasts until the work
/// is done, even when the visitor has left.
pub(crate) async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let turn = Arc::clone(turns).acquire_owned().await.map_err(ApiError::internal)?;
    let worked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    Ok(worked.await?)
}
