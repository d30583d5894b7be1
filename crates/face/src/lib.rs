//! Faces in pictures: detection, 478 landmarks, tracking, head pose, the landmark picture and the mesh warp.
//!
//! # Coordinates
//! Unless a name says otherwise, positions are pixels of the picture they were found in: x to the right, y down,
//! the origin at the top-left *corner* of the top-left pixel (so that pixel's centre is (0.5, 0.5)). A landmark's z
//! has the same unit as its x and grows away from the camera.
//!
//! This crate knows no files and no video: pictures are [`image::RgbImage`].

mod landmarks;
mod pose;
pub mod topology;

pub use landmarks::{LANDMARKS, Landmarks};
pub use pose::HeadPose;
