//! What can go wrong between a photo and its talking portrait.

use std::path::{Path, PathBuf};

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
    /// Several faces and none of them clearly meant, or none of the number asked for.
    #[error("{}: {source}", path.display())]
    FaceChoice {
        /// The photo or clip.
        path: PathBuf,
        /// The faces that are there.
        source: gioconda_face::Error,
    },
    /// A file could not be read.
    #[error("{}: cannot be read ({source}); check that it exists and that you may read it", path.display())]
    Read {
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
    /// Weights, a network's configuration or its inference graph are not usable.
    #[error(transparent)]
    Networks(#[from] gioconda_networks::Error),
    /// Weights that are sound, but not for this renderer.
    #[error("{}: {what}", path.display())]
    Weights {
        /// The weight file.
        path: PathBuf,
        /// What is wrong with them and what to do.
        what: String,
    },
    /// The neural renderer was asked for, and there is no network.
    #[error(
        "the neural renderer needs a network; use weights (--weights FILE) or an avatar that was learned with weights"
    )]
    NoNetwork,
    /// A person's network cannot be run.
    #[error("the avatar's network cannot be run: {what}; use another weight file")]
    Network {
        /// What the inference engine said.
        what: String,
    },
    /// Not an avatar file, or not one this program can use.
    #[error("{}: {what}", path.display())]
    AvatarFile {
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
    /// A motion was to start where there is nothing left of it.
    #[error(
        "the start, {start:.2} s, lies beyond the end of the motion, {length:.2} s; start earlier or play it more often"
    )]
    StartsAfterEnd {
        /// Seconds asked for.
        start: f64,
        /// Seconds there are.
        length: f64,
    },
    /// The user asked to stop.
    #[error("stopped; nothing was written")]
    Cancelled,
}

impl Error {
    /// Names the photo or clip at `path` where faces were found and none could be chosen.
    pub(crate) fn in_picture(self, path: &Path) -> Self {
        match self {
            Self::Face(
                source @ (gioconda_face::Error::AmbiguousFace { .. }
                | gioconda_face::Error::NoSuchFace { .. }),
            ) => Self::FaceChoice { path: path.to_owned(), source },
            other => other,
        }
    }
}
