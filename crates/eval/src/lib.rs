#![doc = include_str!("../README.md")]

mod cache;
mod clips;
mod compare;
mod detail;
mod difference;
mod error;
mod face_measures;
mod few_shot;
mod files;
#[cfg(test)]
mod fixtures;
mod frechet;
mod identity;
mod instruments;
mod measures;
mod page;
mod perceptual;
mod person_regions;
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
pub use run::{REPORT_FILES, evaluate};
pub use score::{Case, RowValues};
pub use settings::{HELD_OUT_FRAMES, Progress, Protocol, Settings, default_workers};
pub use similarity::{SimilarityMap, ms_ssim};
pub use table::markdown;
