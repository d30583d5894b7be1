//! The one error type of this crate: every message is a single line with the file, the fault and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with preparing or reading a data folder. A single bad clip is no error: it goes into the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read ({cause}); check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A file of the data folder cannot be written.
    #[error("{}: cannot be written ({cause}); choose a folder you may write to, with space for the crops", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The source has no clip at all.
    #[error(
        "{}: holds no clips; give a folder with a folder per person, or with one clip per person (mp4, mov, webm, ...)",
        path.display()
    )]
    NoClips {
        /// The source.
        path: PathBuf,
    },
    /// A folder without prepared data.
    #[error("{}: holds no prepared data; prepare clips into it first", path.display())]
    NotPrepared {
        /// The folder.
        path: PathBuf,
    },
    /// Prepared data in which no clip was usable.
    #[error("{}: no clip of this data was usable; its report.json says why, check the clips", path.display())]
    NoVideos {
        /// The folder.
        path: PathBuf,
    },
    /// Data of another version of this program.
    #[error(
        "{}: format version {found}, this program reads version {expected}; prepare the clips again into an empty folder",
        path.display()
    )]
    Version {
        /// The index file.
        path: PathBuf,
        /// The version it states.
        found: u32,
        /// [`crate::FORMAT_VERSION`].
        expected: u32,
    },
    /// Preparation was interrupted, or one of several jobs is missing.
    #[error("{}: {what}; prepare it again to finish, with the same settings", path.display())]
    Unfinished {
        /// The folder or index file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A file of the data folder is not what was written.
    #[error("{}: damaged: {what}; copy it again, or delete the folder and prepare the clips again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The folder holds data in another number of parts.
    #[error(
        "{}: holds data in {found} {}, not {asked}; prepare as many as before, or choose an empty folder",
        path.display(), if *found == 1 { "part" } else { "parts" }
    )]
    Parts {
        /// The folder.
        path: PathBuf,
        /// In how many parts its data is.
        found: u32,
        /// In how many it was to be prepared.
        asked: u32,
    },
    /// The folder holds crops of another size.
    #[error(
        "{}: holds crops of {found} pixels, not {asked}; use {found} as before, or choose an empty folder",
        path.display()
    )]
    Size {
        /// The folder.
        path: PathBuf,
        /// The side of its crops, pixels.
        found: u32,
        /// The side that was asked for, pixels.
        asked: u32,
    },
    /// Another process prepares the same part of the same folder.
    #[error(
        "{}: another process is preparing this folder; wait for it, or have each of several processes prepare a part of its own",
        path.display()
    )]
    Locked {
        /// The index file that it holds.
        path: PathBuf,
    },
    /// A video or a frame by a number that does not exist.
    #[error("{}: there is no frame {frame} of video {video}; check both against the list of videos", path.display())]
    NoSuchFrame {
        /// The data folder.
        path: PathBuf,
        /// The video asked for.
        video: usize,
        /// The frame asked for.
        frame: usize,
    },
    /// Preparation was cancelled; what is finished stays.
    #[error("stopped; {done} of {clips} clips are done: run the same command again to go on")]
    Cancelled {
        /// Clips that are finished, those of earlier runs included.
        done: usize,
        /// Clips of this job.
        clips: usize,
    },
    /// The models inside the program failed.
    #[error(transparent)]
    Face(#[from] gioconda_face::Error),
    /// The report or the contact sheet could not be written.
    #[error(transparent)]
    Media(#[from] gioconda_media::Error),
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| Self::Read { path: path.into(), cause }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| Self::Write { path: path.into(), cause }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }
}
