//! What can go wrong, each as one line.

use std::path::{Path, PathBuf};

/// Why something could not be signed or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: cannot be read ({cause})", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        cause: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written ({cause})", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        cause: std::io::Error,
    },
    /// A certificate or a key cannot be used.
    #[error("{}: {what}", path.display())]
    Credentials {
        /// The file it is in.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Keys or certificates cannot be made.
    #[error("a signing certificate cannot be made: {0}")]
    Certificate(String),
    /// The manifest cannot be made or written.
    #[error("{}: cannot be signed ({what})", path.display())]
    Signing {
        /// The file to be signed.
        path: PathBuf,
        /// The reason, in c2pa's words.
        what: String,
    },
}

impl Error {
    /// The message without the file it begins with, for those who know the file by another name.
    pub fn reason(&self) -> String {
        let message = self.to_string();
        match self {
            Self::Certificate(_) => message,
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::Credentials { path, .. }
            | Self::Signing { path, .. } => {
                message.strip_prefix(&format!("{}: ", path.display())).map_or(message.clone(), str::to_owned)
            }
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Read { path, cause }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Write { path, cause }
    }

    pub(crate) fn signing(path: &Path) -> impl FnOnce(c2pa::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Signing { path, what: one_line(&error.to_string()) }
    }
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
