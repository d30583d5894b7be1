#![doc = include_str!("../README.md")]

mod batch;
mod checkpoint;
mod config;
mod critics;
mod episodes;
mod error;
mod events;
mod face_squares;
mod footage;
mod learn;
mod log;
mod losses;
mod memory;
mod meter;
mod mirror;
mod optimizer;
mod pictures;
mod prefetch;
mod run;
mod trainer;
mod variation;
mod watch;

pub use batch::{Batch, WarpPlanes};
pub use config::{
    AdamSettings, DataConfig, DiscriminatorSchedule, OutputConfig, PerceptualConfig, PerceptualTerm,
    Schedule, TrainConfig,
};
pub use critics::load_critics;
pub use episodes::EpisodeSource;
pub use error::{Error, Result};
pub use footage::{Footage, MemoryFootage, Shot};
pub use learn::{
    Check, DEFAULT_LEARNING_STEPS, FEWEST_PHOTOS_TO_TUNE, LearnProgress, LearnSettings, Lesson, Outcome,
    learn,
};
pub use log::LogEntry;
pub use losses::StepLosses;
pub use prefetch::Prefetch;
pub use run::{Event, RUN_FILES, RunSettings, RunSummary, Start, train};
pub use trainer::{Average, Trainer};
