//! The matte of a photo: its own alpha channel, or what a network finds.

use gioconda_face::{FaceFinder, FoundFace, Landmarks, Matte};
use gioconda_media::Photo;

use crate::Error;

/// The matte of the `chosen` one of all `faces` of a photo. Where the photo has an alpha channel that shows the person, that
/// is it.
///
/// # Errors
/// When the model fails.
pub fn matte_of(
    photo: &Photo,
    chosen: &FoundFace,
    faces: &[FoundFace],
    finder: &mut FaceFinder,
) -> Result<Matte, Error> {
    if let Some(alpha) = &photo.alpha {
        let matte = Matte::of_alpha(alpha.clone()).judged(&chosen.landmarks);
        if matte.is_usable() {
            return Ok(matte);
        }
    }
    let others: Vec<&Landmarks> =
        faces.iter().map(|face| &face.landmarks).filter(|face| **face != chosen.landmarks).collect();
    Ok(finder.matte(&photo.image, &chosen.landmarks, &others)?)
}
