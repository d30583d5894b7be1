use std::path::PathBuf;

/// What can go wrong with weight files and configurations; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot access {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what its name promises.
    #[error("{}: not a usable weight file: {reason}", path.display())]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file's header asks for something other than what the program is about to run.
    #[error("{}: made for {what} {found}, but {expected} is needed; use weights made for it", path.display())]
    HeaderMismatch {
        /// The file.
        path: PathBuf,
        /// The header's entry: `preset`, `landmark picture version`, ...
        what: &'static str,
        /// The entry in the file.
        found: String,
        /// The entry that was asked for.
        expected: String,
    },
    /// A tensor is missing, superfluous, of another shape or type, or not finite.
    #[error("{}: tensor `{tensor}` {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's full name, such as `generator.down.1.conv1.weight`.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A configuration that no network can be built from.
    #[error("the {network} configuration is not usable: {reason}")]
    Config {
        /// `embedder`, `generator` or `discriminator`.
        network: &'static str,
        /// What to change.
        reason: String,
    },
    /// A name that stands in none of the tables.
    #[error("there is no {what} named `{name}`; choose one of: {known}")]
    UnknownName {
        /// `preset`, `perceptual network` or `device`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// Weights that are sound, but not for the renderer.
    #[error("{}: {what}", path.display())]
    Unsuitable {
        /// The weight file.
        path: PathBuf,
        /// What is wrong with them and what to do.
        what: String,
    },
    /// The network inside the program was asked for, and it was built without.
    #[error(
        "this program was built without the portrait network (Cargo feature `portrait-network`); name a weight file"
    )]
    NoPortraitNetwork,
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
