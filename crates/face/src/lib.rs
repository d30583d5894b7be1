//! Faces in pictures: detection, 478 landmarks, tracking, head pose, the landmark picture and the mesh warp.
//!
//! # Coordinates
//! Unless a name says otherwise, positions are pixels of the picture they were found in: x to the right, y down,
//! the origin at the top-left *corner* of the top-left pixel (so that pixel's centre is (0.5, 0.5)). A landmark's z
//! has the same unit as its x and grows away from the camera.
//!
//! This crate knows no files and no video: pictures are [`image::RgbImage`].

mod blendshapes;
mod detector;
mod error;
pub mod features;
mod finder;
mod landmark_model;
mod landmark_network;
mod landmark_picture;
mod landmarks;
mod models;
mod one_euro;
mod pose;
mod quality;
mod region;
pub mod topology;
mod tracker;
pub mod warp;

pub use blendshapes::{BLENDSHAPE_NAMES, BLENDSHAPES, Blendshapes};
pub use detector::{Bounds, Detection, FaceDetector};
pub use error::Error;
pub use finder::{CLEARLY_LARGER, FaceChoice, FaceFinder, FoundFace};
pub use landmark_model::{FoundLandmarks, LandmarkModel, MIN_PRESENCE, landmark_region};
pub use landmark_picture::{LANDMARK_PICTURE_VERSION, LandmarkPicture};
pub use landmarks::{LANDMARKS, Landmarks};
pub use models::{ModelCard, Threads, models};
pub use one_euro::{OneEuro, OneEuroRotation, Signal};
pub use pose::{HeadPose, rotation_vector};
pub use quality::{Quality, QualityWarning};
pub use region::Region;
pub use tracker::{TrackedFace, Tracker};
