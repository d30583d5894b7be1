//! The matte of a photo: its own alpha channel, or what a network finds.

use std::sync::Arc;

use gioconda_face::{FaceFinder, Landmarks, Matte, MatteVerdict};
use gioconda_media::Photo;
use image::GrayImage;

use crate::Error;

/// The matte of the person whose face is at `chosen` among all `faces` of a photo, pixels. Where the photo has an alpha
/// channel that shows the person, that is it.
///
/// # Errors
/// When the model fails.
pub fn matte_of<'a>(
    photo: &Photo,
    chosen: &Landmarks,
    faces: impl IntoIterator<Item = &'a Landmarks>,
    finder: &mut FaceFinder,
) -> Result<Matte, Error> {
    if let Some(alpha) = &photo.alpha {
        let matte = Matte::of_transparency(alpha.clone()).judged(chosen);
        if matte.is_usable() {
            return Ok(matte);
        }
    }
    let others: Vec<&Landmarks> = faces.into_iter().filter(|face| *face != chosen).collect();
    Ok(finder.matte(&photo.image, chosen, &others)?)
}

/// The part of a matte at `alpha`, brought to the size of its picture.
pub(crate) fn resized(alpha: &GrayImage, verdict: MatteVerdict, (width, height): (u32, u32)) -> Arc<Matte> {
    Arc::new(Matte { alpha: gioconda_media::resize_matte(alpha, width, height), verdict })
}

/// A whole matte brought to the size of its picture; the same one where it has that size.
pub(crate) fn fitted(matte: &Arc<Matte>, size: (u32, u32)) -> Arc<Matte> {
    if matte.alpha.dimensions() == size {
        return Arc::clone(matte);
    }
    resized(&matte.alpha, matte.verdict, size)
}
