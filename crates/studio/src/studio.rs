//! What all requests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gioconda_http::{Once, Token};
use gioconda_provenance::Identity;
use gioconda_relay::room::{self, Relay};

use crate::avatars::AvatarFolder;
use crate::error::Error;
use crate::gallery::Gallery;
use crate::jobs::Jobs;
use crate::live::sessions::Sessions;
use crate::live::virtual_camera::VirtualCamera;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::portraits::Portraits;
use crate::preview::Previews;
use crate::settings::Settings;
use crate::turns::Turns;
use crate::uploads::Uploads;

/// The studio as handlers get it.
pub(crate) type Shared = Arc<Studio>;

/// Everything behind the requests.
pub(crate) struct Studio {
    pub(crate) settings: Settings,
    pub(crate) access: Access,
    pub(crate) identity: Identity,
    pub(crate) models: Models,
    pub(crate) store: Store,
    pub(crate) realtime: Realtime,
    pub(crate) turns: Turns,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    /// Set when the studio ends: work in hand stops.
    pub(crate) ending: Arc<AtomicBool>,
}

/// What lets visitors in.
pub(crate) struct Access {
    /// What they must know; `None` where only this machine can visit.
    pub(crate) token: Option<Token>,
    /// What lets in the browser that the studio starts.
    pub(crate) once: Once,
}

/// What visitors bring and make, and what they find.
pub(crate) struct Store {
    pub(crate) gallery: Gallery,
    pub(crate) avatars: AvatarFolder,
    pub(crate) uploads: Uploads,
    /// Portraits that are kept ready.
    pub(crate) portraits: Portraits,
    /// Previews that are kept ready.
    pub(crate) previews: Previews,
    /// Where films are made.
    pub(crate) temporary: PathBuf,
}

/// What happens as one looks.
pub(crate) struct Realtime {
    /// The live sessions that run.
    pub(crate) sessions: Arc<Sessions>,
    /// Shows live portraits to other programs.
    pub(crate) virtual_camera: Option<VirtualCamera>,
    /// Where those who call each other meet.
    pub(crate) relay: Arc<Relay>,
}

impl Studio {
    /// Opens everything that `settings` name; what visitors bring and make is kept in `temporary`.
    pub(crate) fn open(settings: Settings, temporary: &Path) -> Result<Self, Error> {
        let identity = Identity::of_user()?;
        if let Some(warning) = &identity.warning {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            access: Access {
                token: Token::of_server(settings.listen, settings.token.as_deref()),
                once: Once::default(),
            },
            identity,
            models: Models::load(settings.weights.as_deref())?,
            store: Store {
                gallery: Gallery::open(settings.gallery.as_deref(), temporary)?,
                avatars: AvatarFolder::open(settings.avatars.as_deref())?,
                uploads: Uploads::new(temporary),
                portraits: Portraits::default(),
                previews: Previews::default(),
                temporary: temporary.to_owned(),
            },
            realtime: Realtime {
                sessions: Arc::default(),
                virtual_camera: settings.virtual_camera.as_deref().map(VirtualCamera::open).transpose()?,
                relay: Relay::new(room::Limits::default()),
            },
            turns: Turns::default(),
            jobs: Jobs::default(),
            metrics: Metrics::new(),
            ending: Arc::default(),
            settings,
        })
    }
}
