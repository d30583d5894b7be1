//! What the tests of several crates share. A development dependency only: no program links it.
//!
//! [`repository`] and [`shared`] find files; [`golden`] compares pictures with stored ones; [`mutations`] changes files
//! as a fuzzer would, and [`baseline_sps`] makes H.264 parameters of any size.
//!
//! ```
//! use gioconda_testkit::{repository, shared};
//!
//! assert!(repository("assets/mona_lisa.jpg").is_file());
//! // Says `skipped:` where the data is not there.
//! let Some(clips) = shared("data/val") else { return };
//! assert!(clips.is_dir());
//! ```

mod files;
pub mod golden;
pub mod mutations;
mod programs;
mod sps;

pub use files::{clips, clips_in, repository, shared};
pub use programs::has_ffmpeg;
pub use sps::baseline_sps;
