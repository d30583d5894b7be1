//! What can go wrong as a whole; what is wrong with one clip is part of the report.

use std::path::{Path, PathBuf};

/// Why nothing was scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error("{}: cannot be written: {cause}; choose another folder", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// No clip could be scored.
    #[error("nothing could be scored: {first}{}", others(*.skipped))]
    NothingScored {
        /// What was wrong with the first.
        first: String,
        /// How many clips, pairs or people there were.
        skipped: usize,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// Two reports have nothing in common.
    #[error("{} and {}: share no clip of one protocol; compare reports on the same clips", a.display(), b.display())]
    NothingShared {
        /// The first report.
        a: PathBuf,
        /// The second.
        b: PathBuf,
    },
    /// A network does not run.
    #[error("{network}: cannot be run: {reason}")]
    Network {
        /// Its file.
        network: String,
        /// Why not.
        reason: String,
    },
    /// The system gives no more threads.
    #[error("cannot start a thread to score on: {cause}; use fewer workers")]
    Thread {
        /// What the system says.
        cause: std::io::Error,
    },
    /// The user asked to stop.
    #[error("stopped: {done} of {total} are scored and kept; the same command goes on from there")]
    Cancelled {
        /// Finished clips, pairs or people.
        done: usize,
        /// All of them.
        total: usize,
    },
    /// From the avatar.
    #[error(transparent)]
    Avatar(#[from] gioconda_avatar::Error),
    /// From looking for clips.
    #[error(transparent)]
    Dataset(#[from] gioconda_dataset::Error),
    /// From the face models.
    #[error(transparent)]
    Face(#[from] gioconda_face::Error),
    /// From reading and writing media.
    #[error(transparent)]
    Media(#[from] gioconda_media::Error),
    /// From the networks.
    #[error(transparent)]
    Networks(#[from] gioconda_networks::Error),
    /// Weights cannot be used.
    #[error(transparent)]
    Model(#[from] gioconda_model::Error),
    /// From tuning.
    #[error(transparent)]
    Train(#[from] gioconda_train::Error),
}

/// What this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

fn others(skipped: usize) -> String {
    if skipped > 1 { format!(" (and {} others)", skipped - 1) } else { String::new() }
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Read { path: path.into(), cause }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Write { path: path.into(), cause }
    }

    pub(crate) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File { path: path.into(), what: what.into() }
    }
}
