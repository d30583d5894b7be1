//! The server's life: open everything, listen, answer, and leave nothing behind.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use gioconda_http::connections::{self, Bounds};
use gioconda_http::{ApiError, interrupted, link};
use tokio::net::TcpListener;

use crate::error::Error;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::studio::{Shared, Studio};
use crate::{call, guard, intake, jobs, library, limits, live, openapi, pages, preview, verify};

/// How often what expired is looked for.
const TIDYING: Duration = Duration::from_mins(1);
/// How long work in hand may take to end when the studio does.
const PATIENCE: Duration = Duration::from_secs(3);

/// A studio that listens and does not answer yet.
pub struct Server {
    studio: Shared,
    listener: TcpListener,
    address: SocketAddr,
    storage: Storage,
}

impl Server {
    /// Opens everything that `settings` name and listens.
    ///
    /// # Errors
    /// When the address is taken, or a folder, a figure, the weights or the signing key cannot be used.
    pub async fn bind(settings: Settings) -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        let storage =
            Storage::open(&parent).map_err(|cause| Error::Folder { path: parent.clone(), cause })?;
        let failed = |cause| gioconda_http::Error::Listen { address: settings.listen, cause };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let studio = Arc::new(Studio::open(settings, storage.path())?);
        Ok(Self { studio, listener, address, storage })
    }

    /// Where the studio listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser on this machine; where a token is needed it is in it.
    pub fn link(&self) -> String {
        link("http", self.address, self.studio.access.token.as_ref())
    }

    /// As [`Self::link`], for the browser that is started with it: its token opens once.
    fn link_for_once(&self) -> String {
        let once = self.studio.access.token.as_ref().map(|_| self.studio.access.once.make());
        link("http", self.address, once.as_ref())
    }

    /// Answers until `end` comes true; then jobs are stopped and everything temporary is deleted.
    ///
    /// # Errors
    /// When the system gives no thread for the jobs.
    pub async fn serve(self, end: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let app = routes(&self.studio);
        let tidying = tokio::spawn(tidy(Arc::clone(&self.studio)));
        let working = {
            let studio = Arc::clone(&self.studio);
            std::thread::Builder::new()
                .name("jobs".to_owned())
                .spawn(move || jobs::work(&studio))
                .map_err(gioconda_http::Error::Stopped)?
        };
        let bounds = Bounds::new(limits::CONNECTIONS, self.studio.access.token.is_some());
        tokio::select! {
            never = connections::serve(self.listener, app, bounds) => match never {},
            () = end => {}
        }
        tidying.abort();
        self.studio.ending.store(true, Ordering::Relaxed);
        self.studio.jobs.close();
        self.studio.store.uploads.close();
        // A job that does not end in time is left behind; its files go all the same.
        let waiting = tokio::task::spawn_blocking(move || working.join());
        if let Ok(Ok(Err(_))) = tokio::time::timeout(PATIENCE, waiting).await {
            tracing::error!("the worker had failed before the studio ended");
        }
        drop(self.storage);
        Ok(())
    }
}

/// Runs a studio until Ctrl-C or a termination signal. `ready` is told the address once it can be visited.
///
/// # Errors
/// As [`Server::bind`] and [`Server::serve`].
pub fn run(mut settings: Settings, ready: impl FnOnce(&Server)) -> Result<(), Error> {
    // Photos, films and avatars are for nobody else who uses the machine.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(gioconda_http::Error::Stopped)?;
    let open_browser = settings.open_browser;
    let ended = runtime.block_on(async {
        let isolation = settings.isolation.take();
        let server = Server::bind(settings).await?;
        // What the libraries below leave lying about goes with the studio's folder, too.
        if tempfile::env::override_temp_dir(server.storage.path()).is_err() {
            tracing::warn!("another folder for temporary files was chosen before the studio's");
        }
        if let Some(isolation) = isolation {
            gioconda_media::isolation::enforce(isolation.temporary(server.storage.path()));
        }
        ready(&server);
        if open_browser && let Err(error) = webbrowser::open(&server.link_for_once()) {
            tracing::warn!("no browser can be opened ({error}); open the address yourself");
        }
        server.serve(interrupted()).await
    });
    runtime.shutdown_timeout(PATIENCE);
    ended
}

fn routes(studio: &Shared) -> Router {
    Router::new()
        .merge(pages::routes())
        .merge(library::routes())
        .merge(intake::routes())
        .merge(jobs::routes::routes())
        .merge(preview::routes())
        .merge(verify::routes())
        .merge(openapi::routes())
        .merge(live::socket::routes())
        .merge(call::socket::routes())
        .merge(gioconda_relay::routes(Arc::clone(&studio.realtime.relay), Arc::clone(&studio.turns.sockets)))
        .fallback(pages::missing)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES))
        .layer(from_fn_with_state(Arc::clone(studio), guard::guard))
        .with_state(Arc::clone(studio))
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address does not take this method; /api/docs lists all",
    )
}

async fn tidy(studio: Shared) {
    let mut clock = tokio::time::interval(TIDYING);
    loop {
        clock.tick().await;
        studio.store.uploads.expire();
        studio.jobs.expire();
    }
}
