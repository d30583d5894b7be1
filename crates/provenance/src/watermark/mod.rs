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
mod payload;
mod residual;
mod spectrum;

pub use detect::{Detector, Found};
pub use embed::Marker;
pub use payload::{AvatarId, Day, Payload, Version};

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use image::imageops::{FilterType, crop_imm, flip_horizontal, resize};

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
        assert!(most <= Some(4), "{most:?} levels");
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
