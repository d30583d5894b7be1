//! The 52 expression coefficients of ARKit, from landmarks: MediaPipe's face blendshape model.

use crate::models::{Session, Threads};
use crate::topology::BLENDSHAPE_POINTS;
use crate::{Error, Landmarks};

/// How many coefficients there are.
pub const BLENDSHAPES: usize = 52;

/// What each coefficient means, in the model's order; left and right are the person's own. The first is no expression
/// and always about 0.
#[rustfmt::skip]
pub const BLENDSHAPE_NAMES: [&str; BLENDSHAPES] = [
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
];

/// The blendshape model.
pub struct Blendshapes {
    session: Session,
}

impl Blendshapes {
    /// Loads the built-in model.
    pub fn new(threads: Threads) -> Result<Self, Error> {
        Ok(Self { session: Session::load("face_blendshapes_52", threads.pool())? })
    }

    /// The coefficients of a face, 0..1, in the order of [`BLENDSHAPE_NAMES`].
    pub fn coefficients(&self, landmarks: &Landmarks) -> Result<[f32; BLENDSHAPES], Error> {
        let mut input = [0.0; 2 * BLENDSHAPE_POINTS.len()];
        for (xy, &index) in input.chunks_exact_mut(2).zip(&BLENDSHAPE_POINTS) {
            xy.copy_from_slice(landmarks.xy(index).as_slice());
        }
        let [output] = self.session.run(&[1, BLENDSHAPE_POINTS.len(), 2], &input)?;
        output.as_slice().try_into().map_err(|_| self.session.wrong_output(output.len(), BLENDSHAPES))
    }
}
