//! The one error type of this crate: every message is a single line with the file, the fault and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with a picture, a clip or an output file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input cannot be opened or read.
    #[error("{}: cannot be read ({cause}); check that it exists and that you may read it", path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The output cannot be created, written or moved into place. Nothing is left behind.
    #[error("{}: cannot be written ({cause}); {}", path.display(), write_advice(cause))]
    Write {
        /// The output that was asked for.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The content is no format this crate knows.
    #[error(
        "{}: {what}; use a JPEG, PNG, WebP, BMP, TIFF or GIF picture, or a clip such as mp4, mov, webm or mkv",
        path.display()
    )]
    Format {
        /// The input.
        path: PathBuf,
        /// What the content is instead.
        what: String,
    },
    /// The format is known and the content breaks its rules, or ends too early.
    #[error("{}: damaged: {what}; export or download it again", path.display())]
    Damaged {
        /// The input.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A picture or clip outside the sizes this program works with.
    #[error("{}: {width}x{height} pixels {fault}", path.display())]
    Size {
        /// The picture or clip.
        path: PathBuf,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The limit that is broken, and what to do.
        fault: String,
    },
    /// A container without a video track.
    #[error("{}: has no video, only {only}; give a clip in which a face can be seen", path.display())]
    NoVideo {
        /// The clip.
        path: PathBuf,
        /// What it holds instead.
        only: &'static str,
    },
    /// A clip, or the selected part of it, without a single frame.
    #[error("{}: has no frames in the selected range; check the start and duration", path.display())]
    NoFrames {
        /// The clip.
        path: PathBuf,
    },
    /// A folder in which no file is a picture.
    #[error("{}: the folder holds no pictures; put JPEG, PNG, WebP, BMP, TIFF or GIF files into it", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// The codec needs the `ffmpeg` program, which is not installed.
    #[error(
        "{}: {codec} needs the ffmpeg program, which is not on PATH; \
         install ffmpeg (with ffprobe), or convert the clip to H.264 in mp4",
        path.display()
    )]
    FfmpegMissing {
        /// The clip.
        path: PathBuf,
        /// Codec or container, as users know it.
        codec: String,
    },
    /// The `ffmpeg` program failed.
    #[error("{}: ffmpeg cannot decode it: {message}; check that the clip plays elsewhere", path.display())]
    Ffmpeg {
        /// The clip.
        path: PathBuf,
        /// The last line ffmpeg said.
        message: String,
    },
    /// A file that is sound, and costs more than the [`Budget`](crate::Budget) allows.
    #[error("{}: {what}", path.display())]
    Limit {
        /// The input.
        path: PathBuf,
        /// The limit that is broken, and what to do.
        what: String,
    },
    /// A decoding thread of this program died. What was read so far is not the whole clip.
    #[error("{}: {what}; this is a fault of this program, please report it with the file", path.display())]
    Internal {
        /// The input.
        path: PathBuf,
        /// What died.
        what: String,
    },
    /// The caller raised the flag of [`ClipReader::stop_when`](crate::ClipReader::stop_when).
    #[error("{}: reading was stopped", path.display())]
    Stopped {
        /// The clip.
        path: PathBuf,
    },
    /// What the child process says that decodes the file, or what became of that process.
    #[error("{}: {what}", path.display())]
    Isolated {
        /// The input.
        path: PathBuf,
        /// One line.
        what: String,
    },
    /// An output that this crate does not write, or an option out of range.
    #[error("{}: {what}", path.display())]
    Output {
        /// The output that was asked for.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| Self::Read { path: path.into(), cause }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| {
            // The error of a temporary file is wrapped with that file's name, which would only puzzle the user.
            let wrapped = cause.get_ref().is_some() && cause.kind() != io::ErrorKind::Other;
            Self::Write { path: path.into(), cause: if wrapped { cause.kind().into() } else { cause } }
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    pub(crate) fn limit(path: &Path, what: impl Into<String>) -> Self {
        Self::Limit { path: path.into(), what: what.into() }
    }

    pub(crate) fn output(path: &Path, what: impl Into<String>) -> Self {
        Self::Output { path: path.into(), what: what.into() }
    }
}

fn write_advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose another folder"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder you may write to"
        }
        io::ErrorKind::NotFound => "create its folder first",
        _ => "choose another output",
    }
}
