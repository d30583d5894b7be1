//! Photos: JPEG, PNG, WebP, BMP, TIFF and GIF, told apart by content, brought to upright 8-bit RGB.

mod isolated;
mod picture;
pub(crate) mod serve;

use crate::formats::FORMATS;
use crate::outline::check_still_webp;
use crate::sniff::open_regular;
use crate::{Budget, Error};
use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
};
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use crate::budget::MAX_PIXELS;
pub use picture::Photo;

/// Smallest side of a picture that is read: below it no face can be animated.
pub const MIN_SIDE: u32 = 64;
/// Largest ratio of the long side to the short one.
pub const MAX_ASPECT: u32 = 20;
/// For the decoded samples of the widest kind (four floats each) at [`MAX_PIXELS`], plus the decoder's own buffers.
const MAX_DECODER_BYTES: u64 = 900_000_000;

/// What the header of a photo says, without decoding it.
#[derive(Debug, Clone, Serialize)]
pub struct PhotoInfo {
    /// File format by content, in lower case.
    pub format: &'static str,
    /// Pixels across, upright.
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// EXIF orientation, 1..=8.
    pub orientation: u8,
}

/// Reads the photo at `path`. Of an animation, the first frame.
///
/// Refuses more than [`MAX_PIXELS`], more than 400 MB, what is no regular file, sides below [`MIN_SIDE`] and strips longer than 20 times their width before
/// any pixel is decoded.
pub fn read(path: &Path) -> Result<Photo, Error> {
    read_within(path, &Budget::default())
}

/// As [`read`], within the limits of `budget` instead of the default ones.
pub fn read_within(path: &Path, budget: &Budget) -> Result<Photo, Error> {
    match crate::isolation::in_force() {
        Some(isolation) => isolated::read(isolation, path),
        None => decode(path, budget),
    }
}

fn decode(path: &Path, budget: &Budget) -> Result<Photo, Error> {
    let (file, length) = open(path)?;
    read_from(path, BufReader::new(file), length, budget)
}

/// Reads a photo of `length` bytes; `path` is its name in errors.
pub(crate) fn read_from(
    path: &Path,
    file: impl BufRead + Seek + 'static,
    length: u64,
    budget: &Budget,
) -> Result<Photo, Error> {
    let read = || read_unguarded(path, file, length, budget);
    guarded(read).unwrap_or_else(|what| Err(Error::damaged(path, what)))
}

/// Calls a decoder, and makes an error of its panic: those of the image formats have panicked on damaged files
/// (image-webp 0.2.4 where a frame's size differs from its container's). What panicked must not be used again.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|_| "its decoder gave up".to_owned())
}

fn read_unguarded(
    path: &Path,
    file: impl BufRead + Seek + 'static,
    length: u64,
    budget: &Budget,
) -> Result<Photo, Error> {
    let (format, mut decoder) = decoder(path, file, length, budget)?;
    let (width, height) = decoder.dimensions();
    check_size(path, width, height, budget.photo_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let color = decoder.color_type();
    let decoded = DynamicImage::from_decoder(decoder).map_err(|e| decode_error(path, e))?;
    // Turned last: turning copies, and the samples of the file may be five times as wide.
    let (image, alpha) = on_white(decoded);
    let upright = |mut picture: DynamicImage| {
        picture.apply_orientation(orientation);
        picture
    };
    Ok(Photo {
        image: upright(image.into()).into_rgb8(),
        alpha: alpha.map(|alpha| upright(alpha.into()).into_luma8()),
        format: format_name(format),
        orientation: orientation.to_exif(),
        had_alpha: color.has_alpha(),
        grey: !color.has_color(),
    })
}

/// Reads the header of the photo at `path` without decoding its pixels. Sizes that [`read`] refuses are reported,
/// not refused.
pub fn info(path: &Path) -> Result<PhotoInfo, Error> {
    let (file, length) = open(path)?;
    let header = || -> Result<_, Error> {
        let (format, mut decoder) = decoder(path, BufReader::new(file), length, &Budget::default())?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        Ok((format, decoder.dimensions(), orientation))
    };
    let header = guarded(header).unwrap_or_else(|what| Err(Error::damaged(path, what)));
    let (format, (width, height), orientation) = header?;
    let exif = orientation.to_exif();
    let (width, height) = if exif >= 5 { (height, width) } else { (width, height) };
    Ok(PhotoInfo { format: format_name(format), width, height, orientation: exif })
}

type Decoder = Box<dyn ImageDecoder>;

fn open(path: &Path) -> Result<(File, u64), Error> {
    let file = open_regular(path)?;
    let length = file.metadata().map_err(Error::read(path))?.len();
    Ok((file, length))
}

fn decoder(
    path: &Path,
    mut file: impl BufRead + Seek + 'static,
    length: u64,
    budget: &Budget,
) -> Result<(ImageFormat, Decoder), Error> {
    // Some decoders read the whole file into memory.
    if length > budget.photo_bytes {
        let most = budget.photo_bytes / 1_000_000;
        let what = format!("is larger than {most} MB, too much for a photo; save it as a JPEG");
        return Err(Error::limit(path, what));
    }
    if file.fill_buf().map_err(Error::read(path))?.starts_with(b"RIFF") {
        check_still_webp(path, &mut file)?;
        file.rewind().map_err(Error::read(path))?;
    }
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(Error::read(path))?;
    let Some(format) = reader.format().filter(|format| FORMATS.iter().any(|(known, _)| known == format))
    else {
        return Err(Error::Format { path: path.into(), what: "is not a picture".into() });
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| decode_error(path, e))?;
    Ok((format, Box::new(decoder)))
}

fn format_name(format: ImageFormat) -> &'static str {
    FORMATS.iter().find(|(known, _)| *known == format).map_or("picture", |(_, name)| name)
}

/// `most` is a number of pixels.
pub(crate) fn check_size(path: &Path, width: u32, height: u32, most: u64) -> Result<(), Error> {
    let (short, long) = (width.min(height), width.max(height));
    let fault = if u64::from(width) * u64::from(height) > most {
        format!("are more than {} megapixels; scale it down", most / 1_000_000)
    } else if short < MIN_SIDE {
        format!("are too few; each side needs at least {MIN_SIDE}")
    } else if long / short > MAX_ASPECT {
        format!("are a strip longer than {MAX_ASPECT} times its width; crop it around the face")
    } else {
        return Ok(());
    };
    Err(Error::Size { path: path.into(), width, height, fault })
}

fn decode_error(path: &Path, error: ImageError) -> Error {
    match error {
        // An I/O error without an error code of the operating system comes from the decoder: the stream is corrupt or ends
        // too early.
        ImageError::IoError(cause) if cause.raw_os_error().is_some() => {
            Error::Read { path: path.into(), cause }
        }
        ImageError::Unsupported(what) => {
            Error::Format { path: path.into(), what: one_line(&what.to_string()) }
        }
        ImageError::Limits(_) => {
            Error::damaged(path, "its header asks for more memory than a picture may take")
        }
        other => Error::damaged(path, one_line(&other.to_string())),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Composites on white where there is alpha and reduces every sample type to 8 bits. Alpha comes along where it says anything.
fn on_white(picture: DynamicImage) -> (RgbImage, Option<GrayImage>) {
    if !picture.color().has_alpha() {
        return (picture.into_rgb8(), None);
    }
    let rgba = picture.into_rgba8();
    let transparent = rgba.pixels().any(|pixel| pixel[3] < u8::MAX);
    let alpha = transparent.then(|| {
        let samples = rgba.pixels().map(|pixel| pixel[3]).collect();
        GrayImage::from_raw(rgba.width(), rgba.height(), samples).expect("one sample a pixel")
    });
    (rgba_on_white(&rgba), alpha)
}

pub(crate) fn rgba_on_white(rgba: &image::RgbaImage) -> RgbImage {
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, a] = from.0.map(u32::from);
        let over = |sample: u32| ((sample * a + 255 * (255 - a) + 127) / 255) as u8;
        *to = Rgb([over(r), over(g), over(b)]);
    }
    rgb
}
