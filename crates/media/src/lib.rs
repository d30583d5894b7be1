//! Pictures, video and sound, in and out. Knows nothing of faces or networks.
//!
//! Everything is an [`image::RgbImage`]: rows from the top, sRGB, 8 bits. [`photo::read`] brings one photo upright;
//! [`ClipReader`] turns any clip into frames at a constant rate; [`ClipWriter`] writes every [`OutputFormat`], whole or not
//! at all, with alpha where the format has it. [`sniff()`] tells what a path holds by its content.
//!
//! H.264 in mp4 and mov is decoded, and in mp4 encoded, by the built-in openh264. Every other codec goes through the `ffmpeg`
//! program, when it is on PATH. All stages stream: memory does not grow with the length of a clip, except for the
//! sample tables (some 30 bytes a frame). What one file may cost stands in [`Budget`], and every reader is under it.

mod bounded;
mod budget;
mod error;
mod formats;
#[doc(hidden)]
pub mod fuzz;
pub mod isolation;
mod one_line;
mod outline;
mod partial;
pub mod photo;
mod read;
mod sniff;
mod statement;
mod unfinished;
mod write;

pub use bounded::read_at_most;
pub use budget::{Budget, Limit};
pub use error::Error;
pub use one_line::{Lines, OneLine, is_unprintable};
pub use photo::serve::serve_photo;
pub use photo::{Photo, PhotoInfo};
pub use read::serve::serve_clip;
pub use read::{AudioInfo, ClipInfo, ClipReader, ReadOptions, key_frames, pictures_in};
pub use sniff::{InputKind, sniff};
pub use statement::statement_beside;
pub use unfinished::{Unfinished, remove_unfinished};
pub use write::{
    ClipWriter, MP4_MAX_LONG_SIDE, MP4_MAX_SHORT_SIDE, OutputFormat, Seal, Sound, WriteOptions, Written,
};

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder, RgbImage};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How often a flag that stops the work is looked at while something else is waited for.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Entries of a folder among which a small file looks for what a killed program left of it: writing many files into one
/// folder must not take the square of their number.
const LEFTOVER_ENTRIES: usize = 1000;

/// One decoded picture with its time from the start of the selected range.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The picture, upright.
    pub image: RgbImage,
    /// Time from the start of the selected range.
    pub time: Duration,
}

/// Scales to `width` x `height` pixels with a Lanczos3 filter; the aspect ratio is the caller's business.
///
/// # Panics
///
/// If `image` is empty while `width` and `height` are not.
pub fn resize(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let mut resized = RgbImage::new(width, height);
    resample::<U8x3>(image.as_raw(), image.dimensions(), &mut resized, (width, height), FilterType::Lanczos3);
    resized
}

/// As [`resize`], for mattes: with a filter that never goes beyond the values it finds.
///
/// # Panics
///
/// If `image` is empty while `width` and `height` are not.
pub fn resize_matte(image: &GrayImage, width: u32, height: u32) -> GrayImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let mut resized = GrayImage::new(width, height);
    resample::<U8>(image.as_raw(), image.dimensions(), &mut resized, (width, height), FilterType::Bilinear);
    resized
}

/// Typed views: the untyped entry point would compile every pixel type's kernels into this crate, which takes minutes.
fn resample<P: PixelTrait>(
    from: &[u8],
    (from_width, from_height): (u32, u32),
    to: &mut [u8],
    (width, height): (u32, u32),
    filter: FilterType,
) {
    let source =
        TypedImageRef::<P>::from_buffer(from_width, from_height, from).expect("as many bytes as pixels need");
    let mut target = TypedImage::<P>::from_buffer(width, height, to).expect("as many bytes as pixels need");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .expect("a crop of the whole picture lies inside it");
}

/// Writes `image` as a PNG at `path`, whole or not at all.
pub fn save_png(path: &Path, image: &RgbImage) -> Result<(), Error> {
    let colour = ExtendedColorType::Rgb8;
    let png = encode_png(path, image.as_raw(), image.dimensions(), colour, CompressionType::Default)?;
    save_bytes(path, &png)
}

/// Writes a file of any kind at `path`, whole or not at all.
pub fn save_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    partial::remove_leftovers(path, LEFTOVER_ENTRIES);
    let mut file = partial::PartialFile::create(path)?;
    file.writer().write_all(bytes).map_err(Error::write(path))?;
    file.finish()?;
    Ok(())
}

/// Encodes in memory, so that a failing disk is reported by the operating system's own error.
fn encode_png(
    path: &Path,
    samples: &[u8],
    (width, height): (u32, u32),
    colour: ExtendedColorType,
    compression: CompressionType,
) -> Result<Vec<u8>, Error> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, compression, PngFilter::Adaptive)
        .write_image(samples, width, height, colour)
        .map_err(|error| Error::output(path, error.to_string()))?;
    Ok(png)
}
