//! A decoded photo.

use image::{GrayImage, RgbImage};

/// One decoded photo.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Upright, 8-bit RGB; transparent parts stand on white, 16-bit samples are rounded.
    pub image: RgbImage,
    /// File format by content, in lower case: `jpeg`, `png`, `webp`, `bmp`, `tiff`, `gif`.
    pub format: &'static str,
    /// EXIF orientation of the file, 1..=8; already applied to `image`.
    pub orientation: u8,
    /// Whether the file has an alpha channel.
    pub had_alpha: bool,
    /// How opaque each pixel is, 0..255, where some are not wholly opaque.
    pub alpha: Option<GrayImage>,
    /// Whether the file stores grey levels only.
    pub grey: bool,
}
