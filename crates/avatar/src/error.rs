//! What can go wrong between a photo and its talking portrait.

use std::path::PathBuf;

/// Every failure of this crate; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing pictures, video or sound failed.
    #[error(transparent)]
    Media(#[from] gioconda_media::Error),
    /// A face model failed.
    #[error(transparent)]
    Face(#[from] gioconda_face::Error),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a motion file, or not one this program can replay.
    #[error("{}: {what}", path.display())]
    Motion {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// No usable face where one is needed.
    #[error("{}: {what}", path.display())]
    NoFace {
        /// The photo or clip.
        path: PathBuf,
        /// What was found instead and what to do.
        what: String,
    },
    /// The user asked to stop.
    #[error("stopped; nothing was written")]
    Cancelled,
}
