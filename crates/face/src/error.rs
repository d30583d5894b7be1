//! What can go wrong in this crate.

use std::fmt::Write as _;

use crate::detection::Detection;

/// Why faces could not be found or followed. "No face in this picture" is not an error: functions return nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model compiled into the program does not load: the build is broken.
    #[error("the built-in model `{model}` cannot be loaded: {reason}; rebuild the program")]
    LoadModel {
        /// Name of the model, as in [`crate::models`].
        model: &'static str,
        /// The runtime's explanation.
        reason: String,
    },
    /// A model failed on an input of the right shape.
    #[error("the built-in model `{model}` failed: {reason}")]
    RunModel {
        /// Name of the model, as in [`crate::models`].
        model: &'static str,
        /// The runtime's explanation.
        reason: String,
    },
    /// Several faces, none of which is clearly meant.
    #[error("there are {} faces and none is clearly the largest; say which: {}", .found.len(), list(.found))]
    AmbiguousFace {
        /// The faces that are there, left to right.
        found: Vec<Detection>,
    },
    /// A face was asked for by a number that does not exist.
    #[error("there is no face {wanted} in this picture: choose one of {}", list(.found))]
    NoSuchFace {
        /// The number asked for, from 1.
        wanted: usize,
        /// The faces that are there, left to right.
        found: Vec<Detection>,
    },
}

fn list(found: &[Detection]) -> String {
    let mut text = String::new();
    for (i, face) in found.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let center = face.bounds.center();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{comma}{} ({:.0} px wide at {:.0},{:.0})",
            i + 1,
            face.bounds.width,
            center.x,
            center.y
        );
    }
    text
}
