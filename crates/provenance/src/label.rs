//! A visible label in the bottom right corner: white letters on a dark plate, legible on any picture.
//!
//! The plate lets 30 % of the picture through; on white that leaves a contrast of 8.5 to 1, more than the 7 to 1 of
//! WCAG 2.2, level AAA. The letters are stored as a picture (`assets/`).

use image::imageops::FilterType;
use image::{GrayImage, ImageFormat, RgbImage, load_from_memory_with_format};

/// What the label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// "AI-generated".
    English,
    /// "Generato con IA".
    Italian,
    /// "Generado con IA".
    Spanish,
}

/// Height of the letters, in the short side of the frame, and the least in pixels.
const HEIGHT: f32 = 1.0 / 24.0;
const LEAST_HEIGHT: u32 = 10;
/// Of the picture that shows through the plate.
const SEEN_THROUGH: f32 = 0.3;

/// A label, made for the size of the frames it is put on.
pub struct Label {
    language: Language,
    /// The frame size it was made for, and the letters.
    made: Option<((u32, u32), GrayImage)>,
}

impl Label {
    /// A label in `language`.
    pub fn new(language: Language) -> Self {
        Self { language, made: None }
    }

    /// Puts the label on a frame, and makes the frame's alpha (`[height * width]`, empty where it is opaque) opaque there.
    /// Frames too small for it get none.
    pub fn draw(&mut self, frame: &mut RgbImage, alpha: &mut [u8]) {
        let size = frame.dimensions();
        if self.made.as_ref().is_none_or(|(made_for, _)| *made_for != size) {
            self.made = Some((size, letters(self.language, size)));
        }
        let Some((_, letters)) = &self.made else { return };
        let margin = letters.height() / 2;
        let (width, height) = (letters.width() + 2 * margin, letters.height() + 2 * margin);
        if width + margin > size.0 || height + margin > size.1 {
            return;
        }
        let (left, top) = (size.0 - margin - width, size.1 - margin - height);
        let row_length = size.0 as usize;
        for row in alpha.chunks_exact_mut(row_length).skip(top as usize).take(height as usize) {
            row[left as usize..(left + width) as usize].fill(255);
        }
        for y in 0..height {
            for x in 0..width {
                let inside = x.checked_sub(margin).zip(y.checked_sub(margin));
                let ink =
                    inside.and_then(|(x, y)| letters.get_pixel_checked(x, y)).map_or(0, |pixel| pixel[0]);
                let ink = f32::from(ink) / 255.0;
                for sample in &mut frame.get_pixel_mut(left + x, top + y).0 {
                    let plate = SEEN_THROUGH * f32::from(*sample);
                    *sample = (plate + ink * (255.0 - plate)).round() as u8;
                }
            }
        }
    }
}

fn letters(language: Language, frame: (u32, u32)) -> GrayImage {
    let png: &[u8] = match language {
        Language::English => include_bytes!("../assets/label_en.png"),
        Language::Italian => include_bytes!("../assets/label_it.png"),
        Language::Spanish => include_bytes!("../assets/label_es.png"),
    };
    let mask = load_from_memory_with_format(png, ImageFormat::Png).expect("a PNG compiled in").into_luma8();
    let height = ((frame.0.min(frame.1) as f32 * HEIGHT) as u32).max(LEAST_HEIGHT);
    let width = (mask.width() * height / mask.height()).max(1);
    image::imageops::resize(&mask, width, height, FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_legible_on_black_and_on_white() {
        for language in [Language::English, Language::Italian, Language::Spanish] {
            for shade in [0, 255] {
                let mut frame = RgbImage::from_pixel(512, 512, image::Rgb([shade; 3]));
                let mut alpha = vec![0; 512 * 512];
                Label::new(language).draw(&mut frame, &mut alpha);
                let corner = image::imageops::crop_imm(&frame, 340, 460, 172, 52).to_image();
                let bright = corner.pixels().filter(|pixel| pixel[0] > 240).count();
                let dark = corner.pixels().filter(|pixel| pixel[0] < 90).count();
                assert!(bright > 300 && dark > 1500, "{language:?} on {shade}: {bright} bright, {dark} dark");
                assert_eq!(frame.get_pixel(20, 20)[0], shade, "the rest is left alone");
                let opaque = |x: usize, y: usize| alpha[y * 512 + x] == 255;
                assert!(opaque(470, 490) && !opaque(20, 20) && !opaque(511, 511), "{language:?}");
            }
        }
    }

    #[test]
    fn frames_too_small_are_left_alone() {
        let mut frame = RgbImage::new(32, 32);
        Label::new(Language::English).draw(&mut frame, &mut []);
        assert_eq!(frame, RgbImage::new(32, 32));
    }
}
