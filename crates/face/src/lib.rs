#![doc = include_str!("../README.md")]

mod blendshapes;
mod detection;
mod detector;
mod error;
pub mod features;
mod finder;
mod landmark_model;
mod landmark_network;
mod landmarks;
mod matte;
mod models;
mod one_euro;
mod pose;
mod quality;
mod region;
mod sampling;
pub mod topology;
mod tracker;

pub use blendshapes::{BLENDSHAPE_NAMES, BLENDSHAPES, Blendshapes};
pub use detection::{Bounds, Detection};
pub use detector::FaceDetector;
pub use error::Error;
pub use finder::{CLEARLY_LARGER, FaceChoice, FaceFinder, FoundFace};
pub use landmark_model::{FoundLandmarks, LandmarkModel, MIN_PRESENCE, landmark_region};
pub use landmarks::{LANDMARKS, Landmarks};
pub use matte::{Matte, MatteFinder, MatteVerdict};
pub use models::{ModelCard, Threads, models};
pub use one_euro::{OneEuro, OneEuroRotation, Signal};
pub use pose::{HeadPose, rotation_vector};
pub use quality::{Quality, QualityWarning};
pub use region::Region;
pub use sampling::{Border, bilinear};
pub use tracker::{TrackedFace, Tracker};
