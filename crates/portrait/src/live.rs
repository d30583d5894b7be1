//! A portrait that follows somebody live, picture by picture.

mod face_reader;
mod resting_face;
mod stage;

use gioconda_avatar::MotionFrame;
use gioconda_face::{LANDMARKS, Landmarks, Tracker};
use image::RgbImage;

use crate::Error;
use crate::portrait::Portrait;

pub use face_reader::FaceReader;
pub use resting_face::{Calibration, RestingFace, Seen};
pub use stage::{Look, MarkedAvatar, SIZES, Stage};

/// A portrait that follows a camera, or landmarks that somebody else found.
///
/// The first 12 faces, about half a second, are for calibration: the one most like the portrait becomes the performer's
/// resting (neutral) face, and all motion is relative to it.
pub struct Live {
    stage: Stage,
    resting: RestingFace,
    /// Loaded for the first camera picture.
    tracker: Option<Tracker>,
}

impl Live {
    /// Prepares `portrait`: some tens of milliseconds.
    ///
    /// # Errors
    /// When its network cannot be run.
    pub fn new(portrait: &Portrait, look: Look) -> Result<Self, Error> {
        let stage = Stage::new(MarkedAvatar::from(portrait), look)?;
        Ok(Self { stage, resting: RestingFace::new(), tracker: None })
    }

    /// The portrait doing what the face in the camera's `picture` does, `seconds` after the picture before; marked.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn follow(&mut self, picture: &RgbImage, seconds: f32) -> Result<&RgbImage, Error> {
        let tracker = match &mut self.tracker {
            Some(tracker) => tracker,
            none => none.insert(face_reader::tracker().map_err(gioconda_avatar::Error::from)?),
        };
        let face = tracker.track(picture).map_err(gioconda_avatar::Error::from)?;
        self.show(face.as_ref().map(|face| (&face.landmarks, face.presence)), seconds)
    }

    /// The same for landmarks: the 478 points of MediaPipe's face landmark model in its order, x to the right, y down and z
    /// away from the camera, in pixels of the performer's picture. `None` where no face was found.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn follow_landmarks(
        &mut self,
        landmarks: Option<&[[f32; 3]; LANDMARKS]>,
        seconds: f32,
    ) -> Result<&RgbImage, Error> {
        let found = landmarks.map(Landmarks::from);
        self.show(found.as_ref().map(|landmarks| (landmarks, 1.0)), seconds)
    }

    /// Takes the performer's face in the next pictures as the resting one.
    pub fn calibrate(&mut self) {
        self.resting.calibrate();
    }

    /// The portrait performing `motion` as it is, marked.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn show_motion(&mut self, motion: &MotionFrame) -> Result<&RgbImage, Error> {
        Ok(self.stage.show(motion)?)
    }

    fn show(&mut self, found: Option<(&Landmarks, f32)>, seconds: f32) -> Result<&RgbImage, Error> {
        let (seen, calibration) = self.resting.see(found, self.stage.face());
        if calibration == Some(Calibration::Done) {
            self.stage.ease();
        }
        let motion = self.stage.advance(seen.motion(), seconds);
        Ok(self.stage.show(&motion)?)
    }
}
