//! How good the pictures are, by the field's own measures and protocols.
//!
//! [`evaluate`] scores a renderer on a folder of clips: photos are driven, outputs are held against what was wanted
//! ([`MEASURES`]), and the result is a [`Report`] as JSON, Markdown and a page. [`compare()`] tells two reports apart.
//! Everything is measured on crops of [`SIDE`] x [`SIDE`] pixels, 1.5 face boxes wide and fixed for a clip.

mod cache;
mod clips;
mod compare;
mod difference;
mod error;
mod face_measures;
mod few_shot;
#[cfg(test)]
mod fixtures;
mod frechet;
mod identity;
mod instruments;
mod measures;
mod page;
mod perceptual;
mod planes;
mod plots;
mod reenactment;
mod report;
mod requirement;
mod run;
mod score;
mod settings;
mod similarity;
mod speed;
mod table;

pub use clips::SIDE;
pub use compare::{Change, Comparison, compare, comparison_markdown};
pub use difference::{LARGEST_PSNR, l1, psnr};
pub use error::{Error, Result};
pub use frechet::{Moments, frechet_distance};
pub use instruments::Instrument;
pub use measures::{Better, MEASURES, MeasureInfo, Values, measure};
pub use planes::{Planes, Weights};
pub use report::{Program, ProtocolReport, REPORT_FORMAT, Report, Request, Skipped, Speed};
pub use requirement::Requirement;
pub use run::{default_workers, evaluate};
pub use score::{Case, RowValues};
pub use settings::{HELD_OUT_FRAMES, Progress, Protocol, Settings};
pub use similarity::{SimilarityMap, ms_ssim};
pub use table::markdown;
