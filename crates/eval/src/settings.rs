//! What is to be scored, and how.

use std::num::NonZero;
use std::path::PathBuf;

use gioconda_avatar::RendererKind;
use serde::{Deserialize, Serialize};

/// How pictures are made and what they are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// A clip's first frame is the photo; every other frame drives it, absolutely, and is the truth.
    #[serde(rename = "self")]
    SelfReenactment,
    /// A person's photo is driven by other people's clips, by relative motion.
    #[serde(rename = "cross")]
    CrossReenactment,
    /// Photos of a person from some clips; held-out frames of the others are the truth.
    FewShot,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SelfReenactment, Self::CrossReenactment, Self::FewShot];

    /// Name in arguments and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfReenactment => "self",
            Self::CrossReenactment => "cross",
            Self::FewShot => "few-shot",
        }
    }
}

/// Held-out frames of each person in the few-shot protocol (Zakharov et al. 2019, §4).
pub const HELD_OUT_FRAMES: usize = 32;

/// Everything that a run is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of clips.
    pub data: PathBuf,
    /// What is done, each at most once.
    pub protocols: Vec<Protocol>,
    /// Whose pictures are judged; copy and mesh are always beside it.
    pub renderer: RendererKind,
    /// Weights of the neural renderer; `None` for those inside the program.
    pub weights: Option<PathBuf>,
    /// Frames of each clip, spread evenly; all if `None`.
    pub frames: Option<usize>,
    /// Drivers of each photo in cross-reenactment.
    pub drivers: usize,
    /// Numbers of photos in the few-shot protocol.
    pub photos: Vec<usize>,
    /// Steps that the few-shot protocol tunes for.
    pub tuning_steps: u32,
    /// All chance comes from this number.
    pub seed: u64,
    /// The folder of measuring networks.
    pub models: PathBuf,
    /// Where results go.
    pub output: PathBuf,
    /// How many clips are worked on at once, at least 1.
    pub workers: usize,
    /// Whether the page shows people.
    pub pictures: bool,
    /// The running program's version.
    pub program_version: String,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Clips, pairs and people that are scored, those of earlier runs included.
    pub done: usize,
    /// All of them.
    pub total: usize,
    /// Frames scored in this run.
    pub frames: usize,
}

/// As many workers as there are cores.
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
