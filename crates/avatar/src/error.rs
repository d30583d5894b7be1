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
    /// What should move the portrait is neither there nor built in.
    #[error(
        "{name}: no such file, and no built-in motion of that name; check the path, or choose one of {}",
        crate::builtin_motions::ALL.iter().map(|motion| motion.name).collect::<Vec<_>>().join(", ")
    )]
    UnknownDrive {
        /// What was asked for.
        name: String,
    },
    /// Weights cannot be used, or there are none inside the program.
    #[error(transparent)]
    Model(#[from] gioconda_model::Error),
    /// The neural renderer was asked for, and there is no network.
    #[error(
        "the neural renderer needs a network; name a weight file, or use an avatar that was learned with one"
    )]
    NoNetwork,
    /// Another background was asked for, and it is not known which part of the photo is the person.
    #[error(
        "its background cannot be told from the person; keep the background, or use a PNG whose background is transparent (for an avatar: learn it anew from one)"
    )]
    NoMatte,
    /// A person's network gives numbers that are not finite.
    #[error("the avatar's network gives numbers that are not finite; use another weight file")]
    NotFinite,
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
    /// A thread of this program died, so that what came out is not the whole.
    #[error("{}: {stage} died ({what}); this is a fault of this program, please report it with the file", path.display())]
    Stage {
        /// The clip that was read or the output that was written.
        path: PathBuf,
        /// What the thread did.
        stage: &'static str,
        /// Its last words.
        what: String,
    },
    /// The user asked to stop.
    #[error("stopped; nothing was written")]
    Cancelled,
}

impl Error {
    /// For a thread that panicked.
    pub(crate) fn of_panic(path: &Path, stage: &'static str, panic: &(dyn std::any::Any + Send)) -> Self {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        let what = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Stage { path: path.to_owned(), stage, what }
    }

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
