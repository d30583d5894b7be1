//! The 52 expression coefficients of ARKit, from landmarks: MediaPipe's face blendshape model.

use crate::models::{Session, Threads};
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

/// The landmarks that the model sees (MediaPipe's `face_blendshapes_graph.cc`).
#[rustfmt::skip]
const SUBSET: [usize; 146] = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
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
        let mut input = [0.0; 2 * SUBSET.len()];
        for (xy, &index) in input.chunks_exact_mut(2).zip(&SUBSET) {
            xy.copy_from_slice(landmarks.xy(index).as_slice());
        }
        let [output] = self.session.run(&[1, SUBSET.len(), 2], &input)?;
        output.as_slice().try_into().map_err(|_| self.session.wrong_output(output.len(), BLENDSHAPES))
    }
}
