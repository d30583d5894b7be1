//! What can go wrong before the studio stands; for each request after that, `gioconda_http::ApiError`.

use std::path::PathBuf;

/// What visitors are told of a panic; what happened stands on the server's error output.
pub(crate) const BROKEN: &str = "the studio failed at this; its log says why";

/// Why the studio could not start; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    #[error("the folder for avatars is not known ({0}); name one")]
    NoDataFolder(String),
    /// An avatar cannot be used.
    #[error(transparent)]
    Avatar(#[from] gioconda_avatar::Error),
    /// The weights cannot be used.
    #[error(transparent)]
    Model(#[from] gioconda_model::Error),
    /// A face model cannot be loaded.
    #[error(transparent)]
    Face(#[from] gioconda_face::Error),
    /// There is nothing to sign with.
    #[error(transparent)]
    Provenance(#[from] gioconda_provenance::Error),
    /// The server cannot listen, or has stopped.
    #[error(transparent)]
    Server(#[from] gioconda_http::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use gioconda_http::ApiError;
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
