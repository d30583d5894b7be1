//! A photo that is decoded by a child process: see [`isolation`](crate::isolation).

use super::picture::Photo;
use crate::Error;
use crate::formats::FORMATS;
use crate::isolation::{Isolation, Running, is_possible_size};
use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// How long a photo may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Largest description of a photo, bytes.
const LARGEST_HEADER: usize = 1 << 10;

/// [`Photo`] without its pixels.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    size: (u32, u32),
    format: String,
    orientation: u8,
    had_alpha: bool,
    /// Whether alpha follows the picture.
    alpha: bool,
    grey: bool,
}

impl From<&Photo> for Header {
    fn from(photo: &Photo) -> Self {
        let Photo { image, format, orientation, had_alpha, alpha, grey } = photo;
        Self {
            size: image.dimensions(),
            format: (*format).to_owned(),
            orientation: *orientation,
            had_alpha: *had_alpha,
            alpha: alpha.is_some(),
            grey: *grey,
        }
    }
}

/// Has a child decode the photo at `path`.
pub(super) fn read(isolation: &Isolation, path: &Path) -> Result<Photo, Error> {
    let mut running = Running::start(isolation, "photo", path, &[])?;
    let header = running.answer(WITHIN, LARGEST_HEADER)?;
    let header = serde_json::from_slice::<Header>(&header).ok();
    let possible = |header: &Header| {
        is_possible_size(header.size.0, header.size.1) && (1..=8).contains(&header.orientation)
    };
    let header = header.filter(possible).ok_or_else(|| running.nonsense())?;
    let format = FORMATS.iter().find(|(_, name)| *name == header.format).map_or("picture", |(_, name)| name);
    let mut image = RgbImage::new(header.size.0, header.size.1);
    running.read(WITHIN, |pipe| pipe.read_exact(image.as_mut()))?;
    let mut alpha = header.alpha.then(|| GrayImage::new(header.size.0, header.size.1));
    if let Some(alpha) = &mut alpha {
        running.read(WITHIN, |pipe| pipe.read_exact(alpha.as_mut()))?;
    }
    let Header { orientation, had_alpha, grey, .. } = header;
    Ok(Photo { image, format, orientation, had_alpha, alpha, grey })
}
