//! Talking-head videos made ready for training: tracked, cropped, thinned, and stored so that any frame can be read
//! at once.
//!
//! [`find`] says which clips a folder holds, [`prepare()`] turns it into a data folder, [`Dataset`] reads that. Positions are pixels of the stored
//! crop, x right, y down, from its top-left corner, unless a name says otherwise.

mod clips;
mod contact_sheet;
mod cut;
mod descriptor;
mod error;
mod fuzz;
mod journal;
mod layout;
mod prepare;
mod reader;
mod report;
mod shard;
mod shot;
mod window;

pub use clips::{Clip, Found, find};
pub use descriptor::FrameDescriptor;
pub use error::Error;
#[doc(hidden)]
pub use fuzz::fuzz_dataset;
pub use journal::Dropped;
pub use layout::{FORMAT_VERSION, Part};
pub use prepare::{DEFAULT_SIZE, Progress, Settings, Summary, prepare};
pub use reader::{Dataset, Sample, Video};
pub use report::{Rejection, Report};
pub use window::{CropWindow, FaceBox};

/// Videos with fewer usable frames than this are rejected: the paper's K = 8 frames that describe a person, and one
/// to learn from.
pub const MIN_FRAMES: usize = 9;
