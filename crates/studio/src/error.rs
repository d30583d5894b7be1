//! What can go wrong: [`Error`] before the studio stands, [`ApiError`] for each request after that.

use std::path::PathBuf;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What visitors are told of a panic; what happened stands on the server's error output.
pub(crate) const BROKEN: &str = "the studio failed at this; its log says why";

/// Why the studio could not start; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened at.
    #[error("{address}: cannot listen there ({cause}); choose another address with --listen")]
    Listen {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A folder cannot be made or read.
    #[error("{}: cannot be used ({cause})", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A figure's card is not right.
    #[error("{}: {what}", path.display())]
    Figure {
        /// The card or the picture.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// The virtual camera's device cannot be written to.
    #[error("{}: {what}", path.display())]
    VirtualCamera {
        /// The device.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// The user's data folder is not known.
    #[error("the folder for avatars is not known ({0}); name one with --avatars")]
    NoDataFolder(String),
    /// The face models, the weights or an avatar cannot be used.
    #[error(transparent)]
    Avatar(#[from] gioconda_avatar::Error),
    /// A face model cannot be loaded.
    #[error(transparent)]
    Face(#[from] gioconda_face::Error),
    /// There is nothing to sign with.
    #[error(transparent)]
    Provenance(#[from] gioconda_provenance::Error),
    /// The server or one of its threads ended by itself.
    #[error("the studio has stopped: {0}")]
    Stopped(std::io::Error),
}

/// An answer that says no: a status and one clear line.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) line: String,
    /// Seconds to wait before trying again.
    pub(crate) retry_after: Option<u32>,
}

/// What every failed request is answered with.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// One clear line: what is wrong, and what to do.
    pub(crate) error: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, line: impl Into<String>) -> Self {
        Self { status, line: line.into(), retry_after: None }
    }

    /// 404: there is no such `what`.
    pub(crate) fn unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}; it may have expired"))
    }

    /// 422: understood, and cannot be done.
    pub(crate) fn unusable(line: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, line)
    }

    /// 429: this much is allowed, no more.
    pub(crate) fn too_many(line: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, line) }
    }

    /// 503: not now.
    pub(crate) fn busy(line: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, line) }
    }

    /// 500: the machine failed, not the request. The cause is logged, not told.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!("a request failed: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the studio could not do this; its log says why")
    }

    /// 507 when `error` comes of a full disk, else as [`Self::internal`].
    pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        if !causes.any(is_full_disk) {
            return Self::internal(error);
        }
        tracing::error!("a request failed: {error}");
        let line = "the studio's disk is full; delete photos, clips or films, or come back later";
        Self { retry_after: Some(60), ..Self::new(StatusCode::INSUFFICIENT_STORAGE, line) }
    }
}

/// Whether this very error says that there is no room for a file.
fn is_full_disk(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge))
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<tokio::task::JoinError> for ApiError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.line })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error as IoError, ErrorKind};

    #[test]
    fn a_full_disk_is_said_to_be_full() {
        for (kind, status) in [
            (ErrorKind::StorageFull, StatusCode::INSUFFICIENT_STORAGE),
            (ErrorKind::QuotaExceeded, StatusCode::INSUFFICIENT_STORAGE),
            (ErrorKind::FileTooLarge, StatusCode::INSUFFICIENT_STORAGE),
            (ErrorKind::PermissionDenied, StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let direct = ApiError::from(IoError::from(kind));
            let path = PathBuf::from("films/film.mp4");
            let wrapped = gioconda_media::Error::Write { path: path.clone(), cause: IoError::from(kind) };
            let folder = Error::Folder { path: path.clone(), cause: IoError::from(kind) };
            let avatar = gioconda_media::Error::Write { path, cause: IoError::from(kind) };
            let avatar = Error::Avatar(avatar.into());
            let told =
                [direct, ApiError::failed(&wrapped), ApiError::failed(&folder), ApiError::failed(&avatar)];
            assert!(told.iter().all(|told| told.status == status), "{kind}: {told:?}");
            assert!(told.iter().all(|told| !told.line.contains("film.mp4")), "no paths: {told:?}");
        }
    }
}
