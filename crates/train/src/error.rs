use std::path::PathBuf;

/// What can go wrong while training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Weight files and sizes of networks.
    #[error(transparent)]
    Model(#[from] gioconda_model::Error),
    /// Networks that learn, devices.
    #[error(transparent)]
    Networks(#[from] gioconda_networks::Error),
    /// A person's network cannot be made, or the user asked to stop.
    #[error(transparent)]
    Avatar(#[from] gioconda_avatar::Error),
    /// Prepared data.
    #[error(transparent)]
    Dataset(#[from] gioconda_dataset::Error),
    /// A file or folder could not be read or written.
    #[error("cannot access {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A configuration that says something unknown or impossible.
    #[error("{origin}: {reason}")]
    Config {
        /// The file, or what stands in for it.
        origin: String,
        /// What to change.
        reason: String,
    },
    /// A perceptual network's file is missing.
    #[error(
        "perceptual network `{name}` is not at {}; put it there, or train without (docs/train.md says where the files come \
         from)",
        path.display()
    )]
    Perceptual {
        /// Its name.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The identity network's file is missing or another.
    #[error(
        "the identity network is not at {}, or another file is; put it there, or train without: \
         `losses.identity = 0` in the configuration (docs/train.md says where the file comes from)",
        path.display()
    )]
    Identity {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The data set cannot be trained on.
    #[error("{data}: {reason}")]
    Data {
        /// The data set.
        data: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process works in the run folder.
    #[error("{}: another process trains in this folder; wait for it or choose another folder", path.display())]
    Locked {
        /// The run folder.
        path: PathBuf,
    },
    /// A new run would overwrite an old one.
    #[error("{}: holds a run already; continue it or choose another folder", path.display())]
    RunExists {
        /// The run folder.
        path: PathBuf,
    },
    /// There is no run to continue.
    #[error("{}: holds no run that could be continued; begin a new one", path.display())]
    NothingToResume {
        /// The run folder.
        path: PathBuf,
    },
    /// A checkpoint is damaged or belongs to something else.
    #[error("{}: not a usable checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The numbers ran away.
    #[error("training diverged at step {step}: {reason}; {}", last_good(checkpoint.as_deref()))]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// What was seen.
        reason: String,
        /// The newest checkpoint from before.
        checkpoint: Option<PathBuf>,
    },
    /// The machine is too small.
    #[error(
        "training needs about {needed_mb} MB, but {available_mb} MB are available; lower `batch` (and raise \
         `accumulate` to make up for it)"
    )]
    Memory {
        /// Estimate, megabytes.
        needed_mb: u64,
        /// What the system reports, megabytes.
        available_mb: u64,
    },
    /// The system gives no more threads.
    #[error(
        "cannot start a thread that prepares batches: {source}; lower `data.workers` in the configuration"
    )]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread that prepares batches has died.
    #[error("a thread that prepares batches ended unexpectedly; this is a bug, please report it")]
    DataThread,
}

fn last_good(checkpoint: Option<&std::path::Path>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "there is no checkpoint yet".to_owned(),
    }
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
