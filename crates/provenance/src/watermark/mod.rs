//! The invisible mark: a pattern in the luma of every frame that says which program made the picture, when, and from
//! which portrait, and that outlives what strips a manifest.
//!
//! It is a spread-spectrum mark. [`Marker`] adds a keyed pattern of waves to a frame, as strongly as the picture hides
//! it; the signs of the waves are a message of 60 bits in an error-correcting code. [`Detector`] needs no original: it
//! finds the pattern's scale and position from pilot waves and adds up what all frames say.
//!
//! Anyone can read this source and remove the mark, or put it on a photograph. It serves the honest, and those who
//! pass pictures on without care; it convicts nobody.

/// Short side of a clip, pixels, from which on its mark is read after ordinary compression; `docs/provenance.md` has the
/// measurements. Single pictures need about 400.
pub const READABLE_SIDE: u32 = 256;

mod carriers;
mod code;
mod detect;
mod embed;
mod lattice;
mod parallel;
mod payload;
mod reader;
mod residual;
mod spectrum;
mod view;
mod wave;

pub use detect::{Detector, Found};
pub use embed::Marker;
pub use payload::{AvatarId, Day, Payload, Version};

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::{
        FilterType, crop_imm, flip_horizontal, interpolate_bilinear, overlay, resize, rotate90, rotate180,
        rotate270,
    };

    /// Shapes, gradients and grain: nothing a mark could hide behind by being a photograph.
    fn picture(side: u32, seed: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            let grain =
                (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ seed).wrapping_mul(97) >> 28;
            let wave = 40.0 * ((f64::from(x) * 0.02 + f64::from(seed)).sin() + (f64::from(y) * 0.035).cos());
            let shade = (120.0 + wave + f64::from(grain)) as u8;
            let inside = (x as i32 - 200).pow(2) + (y as i32 - 260).pow(2) < 120_i32.pow(2);
            image::Rgb(if inside {
                [shade / 2 + 90, shade, shade / 2]
            } else {
                [shade, shade / 2 + 60, 255 - shade]
            })
        })
    }

    fn payload() -> Payload {
        Payload { version: Version::current(), date: Day::today(), avatar: AvatarId::of(b"portrait") }
    }

    fn marked(side: u32) -> RgbImage {
        let mut frame = picture(side, 1);
        Marker::new(&payload()).mark(&mut frame);
        frame
    }

    /// Turned about its middle, with black corners.
    fn turned(frame: &RgbImage, degrees: f32) -> RgbImage {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let middle = [frame.width() as f32 / 2.0, frame.height() as f32 / 2.0];
        RgbImage::from_fn(frame.width(), frame.height(), |x, y| {
            let (x, y) = (x as f32 + 0.5 - middle[0], y as f32 + 0.5 - middle[1]);
            let (x, y) = (middle[0] + cos * x + sin * y - 0.5, middle[1] - sin * x + cos * y - 0.5);
            interpolate_bilinear(frame, x, y).unwrap_or(image::Rgb([0; 3]))
        })
    }

    fn compressed(frame: &RgbImage, quality: u8) -> RgbImage {
        let mut file = Vec::new();
        frame.write_with_encoder(JpegEncoder::new_with_quality(&mut file, quality)).expect("JPEG");
        image::load_from_memory(&file).expect("the JPEG just written").to_rgb8()
    }

    /// A screen of 1920 x 1080 with text, and `film` on it.
    fn screenshot(film: &RgbImage, x: i64, y: i64) -> RgbImage {
        let mut screen = RgbImage::from_fn(1920, 1080, |x, y| {
            let letter = ((x / 9).wrapping_mul(2_654_435_761) ^ (y / 20).wrapping_mul(40_503)) >> 7;
            let stroke = y % 20 > 4 && y % 20 < 15 && (x % 9 == letter % 5 || y % 20 == 5 + letter / 8 % 9);
            image::Rgb(if stroke && x % 9 < 7 { [30; 3] } else { [250; 3] })
        });
        overlay(&mut screen, film, x, y);
        screen
    }

    fn read(frame: &RgbImage) -> Option<Found> {
        let mut detector = Detector::new();
        detector.add(frame);
        detector.read()
    }

    #[test]
    fn marks_are_read_after_handling() {
        let frame = marked(512);
        let cases = [
            ("as it is", frame.clone(), false),
            ("half the size", resize(&frame, 256, 256, FilterType::Triangle), false),
            ("three quarters", resize(&frame, 384, 384, FilterType::Triangle), false),
            ("a crop", crop_imm(&frame, 61, 87, 358, 358).to_image(), false),
            ("mirrored", flip_horizontal(&frame), true),
            (
                "a crop at two thirds",
                resize(&crop_imm(&frame, 30, 20, 450, 450).to_image(), 300, 300, FilterType::Triangle),
                false,
            ),
            ("large", marked(1100), false),
        ];
        for (name, frame, mirrored) in cases {
            let found = read(&frame).unwrap_or_else(|| panic!("{name}: no mark"));
            assert_eq!((found.payload, found.mirrored), (payload(), mirrored), "{name}");
            assert!(found.false_alarm < 1e-9, "{name}: {found:?}");
        }
    }

    #[test]
    fn marks_are_read_in_turned_frames() {
        let frame = marked(512);
        let cases = [
            ("1 degree", turned(&frame, 1.0)),
            ("2 degrees", turned(&frame, 2.0)),
            ("-3 degrees", turned(&frame, -3.0)),
            ("3 degrees, compressed", compressed(&turned(&frame, 3.0), 70)),
            ("20 degrees", turned(&frame, 20.0)),
            ("90 degrees", rotate90(&frame)),
            ("upside down", rotate180(&frame)),
            ("270 degrees", rotate270(&frame)),
            ("92 degrees", turned(&rotate90(&frame), 2.0)),
        ];
        for (name, frame) in cases {
            let found = read(&frame).unwrap_or_else(|| panic!("{name}: no mark"));
            assert_eq!((found.payload, found.mirrored), (payload(), false), "{name}");
            assert!(found.false_alarm < 1e-7, "{name}: {found:?}");
        }
        let both = read(&turned(&flip_horizontal(&frame), 2.0)).expect("a mark, mirrored and turned");
        assert_eq!((both.payload, both.mirrored), (payload(), true));
    }

    #[test]
    fn marks_are_read_in_screenshots() {
        let frame = marked(512);
        for (side, x, y, quality) in [(320, 1403, 611, 95), (512, 133, 340, 85), (790, 700, 201, 85)] {
            let film = resize(&frame, side, side, FilterType::CatmullRom);
            let found = read(&compressed(&screenshot(&film, x, y), quality));
            let found = found.unwrap_or_else(|| panic!("{side} pixels: no mark"));
            assert_eq!(found.payload, payload(), "{side} pixels");
        }
        assert_eq!(read(&screenshot(&picture(512, 2), 700, 300)), None);
    }

    /// As a film of half the size in a hard quality: what one frame lost, others kept.
    #[test]
    fn marks_are_read_at_half_the_size_after_hard_compression() {
        let (mut marker, mut detector) = (Marker::new(&payload()), Detector::new());
        for number in 0..12 {
            // The head moves, the mark stands still.
            let mut frame = crop_imm(&picture(560, 1), 2 * number, number, 512, 512).to_image();
            marker.mark(&mut frame);
            detector.add(&compressed(&resize(&frame, 256, 256, FilterType::Triangle), 30));
        }
        assert_eq!(detector.read().map(|found| found.payload), Some(payload()));
    }

    #[test]
    fn what_is_not_marked_is_not_read() {
        for seed in 0..3 {
            assert_eq!(read(&picture(512, seed)), None, "seed {seed}");
        }
        assert_eq!(read(&RgbImage::from_pixel(300, 300, image::Rgb([7, 7, 7]))), None);
        assert_eq!(Detector::new().read(), None);
    }

    #[test]
    fn the_mark_is_faint() {
        let (plain, marked) = (picture(512, 1), marked(512));
        let squares: f64 =
            plain.as_raw().iter().zip(marked.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
        let psnr = 10.0 * (255.0_f64.powi(2) * plain.as_raw().len() as f64 / squares).log10();
        assert!(psnr > 42.0, "{psnr:.1} dB");
        let flat = RgbImage::from_pixel(512, 512, image::Rgb([128; 3]));
        let mut on_flat = flat.clone();
        Marker::new(&payload()).mark(&mut on_flat);
        let most = flat.as_raw().iter().zip(on_flat.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(6), "{most:?} levels");
    }

    #[test]
    fn odd_and_tiny_frames_are_no_crash() {
        for (width, height) in [(0, 0), (1, 1), (7, 90), (8, 8), (9, 17), (16, 16), (33, 250), (641, 31)] {
            let mut frame = RgbImage::new(width, height);
            Marker::new(&payload()).mark(&mut frame);
            let _ = read(&frame);
        }
    }
}
