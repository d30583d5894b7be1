//! A photo that is decoded by a child process: see [`isolation`](crate::isolation).

use super::{FORMATS, Photo};
use crate::Error;
use crate::isolation::{Isolation, Running, is_possible_size, refuse, reply};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::Duration;

/// How long a photo may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Largest description of a photo, bytes.
const LARGEST_HEADER: usize = 1 << 10;

/// [`Photo`] without its pixels.
#[derive(Serialize, Deserialize)]
struct Header {
    size: (u32, u32),
    format: String,
    orientation: u8,
    had_alpha: bool,
    grey: bool,
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
    let Header { orientation, had_alpha, grey, .. } = header;
    Ok(Photo { image, format, orientation, had_alpha, grey })
}

/// Decodes the photo at `path` and writes it to `out`: the child's side of [`photo::read`](crate::photo::read).
///
/// # Errors
/// When nobody reads.
pub fn serve_photo(path: &Path, out: &mut impl Write) -> io::Result<()> {
    match super::decode(path, &crate::Budget::for_uploads()) {
        Ok(photo) => {
            let header = Header {
                size: photo.image.dimensions(),
                format: photo.format.to_owned(),
                orientation: photo.orientation,
                had_alpha: photo.had_alpha,
                grey: photo.grey,
            };
            reply(out, &serde_json::to_vec(&header)?)?;
            out.write_all(photo.image.as_raw())?;
            out.flush()
        }
        Err(error) => refuse(out, &error.to_string(), &path.display().to_string()),
    }
}
