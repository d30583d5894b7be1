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
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::connections::{self, Bounds};
use crate::error::{ApiError, Error};
use crate::settings::Settings;
use crate::studio::{Shared, Studio};
use crate::token::link;
use crate::{call, guard, intake, jobs, library, limits, live, openapi, pages, preview, relay, verify};

/// How often what expired is looked for.
const TIDYING: Duration = Duration::from_mins(1);
/// How long work in hand may take to end when the studio does.
const PATIENCE: Duration = Duration::from_secs(3);

/// A studio that listens and does not answer yet.
pub struct Server {
    studio: Shared,
    listener: TcpListener,
    address: SocketAddr,
    /// Goes away, with all that lies in it, when this does.
    temporary: TempDir,
}

impl Server {
    /// Opens everything that `settings` name and listens.
    ///
    /// # Errors
    /// When the address is taken, or a folder, a figure, the weights or the signing key cannot be used.
    pub async fn bind(settings: Settings) -> Result<Self, Error> {
        let temporary = tempfile::Builder::new()
            .prefix("gioconda-studio-")
            .tempdir()
            .map_err(|cause| Error::Folder { path: std::env::temp_dir(), cause })?;
        let failed = |cause| Error::Listen { address: settings.listen, cause };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let studio = Arc::new(Studio::open(settings, temporary.path())?);
        Ok(Self { studio, listener, address, temporary })
    }

    /// Where the studio listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser on this machine; where a token is needed it is in it.
    pub fn link(&self) -> String {
        link("http", self.address, self.studio.token.as_ref())
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
                .map_err(Error::Stopped)?
        };
        let bounds = Bounds { connections: limits::CONNECTIONS, head_within: limits::HEAD_WITHIN };
        tokio::select! {
            never = connections::serve(self.listener, app, bounds) => match never {},
            () = end => {}
        }
        tidying.abort();
        self.studio.ending.store(true, Ordering::Relaxed);
        self.studio.jobs.close();
        // A job that does not end in time is left behind; its files go all the same.
        let waiting = tokio::task::spawn_blocking(move || working.join());
        if let Ok(Ok(Err(_))) = tokio::time::timeout(PATIENCE, waiting).await {
            tracing::error!("the worker had failed before the studio ended");
        }
        drop(self.temporary);
        Ok(())
    }
}

/// Runs a studio until Ctrl-C or a termination signal. `ready` is told the address once it can be visited.
///
/// # Errors
/// As [`Server::bind`] and [`Server::serve`].
pub fn run(settings: Settings, ready: impl FnOnce(&Server)) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Stopped)?;
    let open_browser = settings.open_browser;
    let ended = runtime.block_on(async {
        let server = Server::bind(settings).await?;
        ready(&server);
        if open_browser && let Err(error) = webbrowser::open(&server.link()) {
            tracing::warn!("no browser can be opened ({error}); open the address yourself");
        }
        server.serve(interrupted()).await
    });
    runtime.shutdown_timeout(PATIENCE);
    ended
}

pub(crate) async fn interrupted() {
    let ctrl_c = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = ctrl_c => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // An error means that Ctrl-C cannot be listened for; the system's own way of ending remains.
    if ctrl_c.await.is_err() {
        std::future::pending::<()>().await;
    }
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
        .merge(relay::socket::routes(Arc::clone(&studio.relay)))
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
        studio.uploads.expire();
        studio.jobs.expire();
    }
}
