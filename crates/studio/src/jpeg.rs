//! JPEGs, from the camera and to the page.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{ImageDecoder, RgbImage};

/// Largest camera picture, bytes.
pub(crate) const LARGEST_JPEG: usize = 512 << 10;
/// Longest side of a camera picture, pixels.
pub(crate) const LONGEST_SIDE: u32 = 1280;

/// Quality of the portrait's pictures: the watermark survives it, and 256 x 256 pixels take some 12 KB.
pub(crate) const LIVE_QUALITY: u8 = 85;

/// Quality of single pictures that pages show.
pub(crate) const PAGE_QUALITY: u8 = 88;

/// Decodes a camera's JPEG; the error is one line for the performer.
pub(crate) fn decode(jpeg: &[u8]) -> Result<RgbImage, String> {
    let no_picture = |error| format!("a camera picture is no JPEG that can be read ({error})");
    if jpeg.len() > LARGEST_JPEG {
        return Err(format!(
            "a camera picture of {} KB is too large; {} KB are read",
            jpeg.len() >> 10,
            LARGEST_JPEG >> 10
        ));
    }
    let decoder = JpegDecoder::new(Cursor::new(jpeg)).map_err(no_picture)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > LONGEST_SIDE || width.min(height) < 16 {
        return Err(format!(
            "a camera picture of {width}x{height} pixels; 16 to {LONGEST_SIDE} a side are read"
        ));
    }
    Ok(image::DynamicImage::from_decoder(decoder).map_err(no_picture)?.into_rgb8())
}

/// A picture of the portrait as a JPEG of this quality, 1 to 100.
///
/// # Panics
/// Never: memory takes any picture of these sizes.
pub(crate) fn encode(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut jpeg = Vec::with_capacity(16 << 10);
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality))
        .expect("a picture of these sizes is written to memory");
    jpeg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        encode(&RgbImage::new(width, height), LIVE_QUALITY)
    }

    #[test]
    fn only_pictures_of_a_camera_are_decoded() {
        let good = jpeg(64, 48);
        assert_eq!(decode(&good).map(|picture| picture.dimensions()), Ok((64, 48)));
        let cases: [(Vec<u8>, &str); 5] = [
            (Vec::new(), "no JPEG"),
            (b"\x89PNG\r\n".to_vec(), "no JPEG"),
            (jpeg(2000, 16), "2000x16"),
            (jpeg(8, 8), "8x8"),
            (vec![0; LARGEST_JPEG + 1], "too large"),
        ];
        for (bytes, expected) in cases {
            let error = decode(&bytes).expect_err(expected);
            assert!(error.contains(expected), "{error:?} should speak of {expected:?}");
        }
        for cut in [2, 20, good.len() / 2] {
            // A cut picture may be filled up or refused, but nothing worse.
            let _ = decode(&good[..cut]);
        }
    }
}
