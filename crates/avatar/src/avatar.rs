//! A person in one photo: what is found once and used for every frame.

use std::path::Path;
use std::sync::Arc;

use gioconda_face::{FaceChoice, FaceFinder, Landmarks, QualityWarning};
use image::RgbImage;

use crate::Error;

/// A photo and the face in it that will move.
#[derive(Clone, Debug)]
pub struct Avatar {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The face, in pixels of the photo.
    pub landmarks: Landmarks,
    /// What may spoil the result, for the user to read.
    pub warnings: Vec<QualityWarning>,
}

impl Avatar {
    /// Reads the photo at `path` and finds the face that `choice` means.
    ///
    /// # Errors
    /// When the file is no photo, shows no face, or `choice` names a face that is not there.
    pub fn from_photo(path: &Path, choice: FaceChoice, finder: &mut FaceFinder) -> Result<Self, Error> {
        let photo = gioconda_media::photo::read(path)?;
        let faces = finder.find_faces(&photo.image)?;
        let chosen = choice.choose(&faces).map_err(|error| Error::from(error).in_picture(path))?;
        let face = chosen.ok_or_else(|| Error::NoFace {
            path: path.to_owned(),
            what:
                "no face found; use a photo in which one face is seen from the front, 100 pixels wide or more"
                    .to_owned(),
        })?;
        let (landmarks, warnings) = (face.landmarks.clone(), face.quality.warnings.clone());
        Ok(Self { photo: Arc::new(photo.image), landmarks, warnings })
    }
}
