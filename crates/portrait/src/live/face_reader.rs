//! From a camera's pictures to what the performer does.

use gioconda_avatar::FaceState;
use gioconda_face::{FaceChoice, Threads, Tracker};
use image::RgbImage;

use super::resting_face::{Calibration, RestingFace, Seen};

/// Follows the performer's face.
pub struct FaceReader {
    tracker: Tracker,
    resting: RestingFace,
}

impl FaceReader {
    /// Loads the face models. With several faces in sight, the largest is the performer.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn new() -> Result<Self, gioconda_face::Error> {
        Ok(Self { tracker: tracker()?, resting: RestingFace::new() })
    }

    /// Takes the performer's face in the next pictures as the resting one.
    pub fn calibrate(&mut self) {
        self.resting.calibrate();
    }

    /// Reads the next picture: see [`RestingFace::see`].
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn read(
        &mut self,
        picture: &RgbImage,
        portrait: &FaceState,
    ) -> Result<(Seen, Option<Calibration>), gioconda_face::Error> {
        let face = self.tracker.track(picture)?;
        let found = face.as_ref().map(|face| (&face.landmarks, face.presence));
        Ok(self.resting.see(found, portrait))
    }
}

/// What follows a performer's face: the largest in sight.
pub(super) fn tracker() -> Result<Tracker, gioconda_face::Error> {
    Ok(Tracker::new(FaceChoice::Largest, Threads::Count(1))?.hasty())
}
