//! Straight alpha: colours as they are, not as they look on black.
//!
//! Renderers draw a transparent background as black, so that each colour is multiplied by the person's share of the pixel.
//! Files keep both apart. Where nothing of the person is left there is no colour; a few pixels around the person get that
//! of the nearest pixel which has one, since video halves the resolution of colours and would mix black into hair.

use image::RgbImage;

/// Below this alpha a colour is mostly rounding, and the neighbour's is taken. What is wrong by that is less than 4 levels
/// in what is seen.
const LEAST: u8 = 4;
/// How far colours go on beyond the person, pixels: two of video's pairs of pixels.
const REACH: u8 = 4;

/// Divides colours by alpha.
#[derive(Default)]
pub(crate) struct Straight {
    /// Steps to the nearest pixel that has a colour, `[height * width]`; kept from frame to frame.
    steps: Vec<u8>,
}

impl Straight {
    /// Makes the colours of `image`, multiplied by `alpha` (`[height * width]`), what they were before.
    pub(crate) fn apply(&mut self, image: &mut RgbImage, alpha: &[u8]) {
        let width = image.width() as usize;
        let (pixels, _) = image.as_chunks_mut::<3>();
        self.steps.clear();
        self.steps.extend(alpha.iter().map(|&alpha| if alpha < LEAST { u8::MAX } else { 0 }));
        for (pixel, &alpha) in pixels.iter_mut().zip(alpha).filter(|(_, alpha)| **alpha < 255) {
            *pixel = if alpha < LEAST { [0; 3] } else { pixel.map(|value| divided(value, alpha)) };
        }
        for at in 0..pixels.len() {
            let left = (at % width > 0).then(|| at - 1);
            self.take_nearest(pixels, at, [left, at.checked_sub(width)]);
        }
        for at in (0..pixels.len()).rev() {
            let right = (at % width + 1 < width).then_some(at + 1);
            let below = Some(at + width).filter(|below| *below < pixels.len());
            self.take_nearest(pixels, at, [right, below]);
        }
    }

    fn take_nearest(&mut self, pixels: &mut [[u8; 3]], at: usize, neighbours: [Option<usize>; 2]) {
        if self.steps[at] == 0 {
            return;
        }
        for neighbour in neighbours.into_iter().flatten() {
            let steps = self.steps[neighbour].saturating_add(1);
            if steps <= REACH && steps < self.steps[at] {
                self.steps[at] = steps;
                pixels[at] = pixels[neighbour];
            }
        }
    }
}

fn divided(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * 255 + alpha / 2) / alpha).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn colours_come_back_and_go_on_a_little_beyond_the_person() {
        let alphas = [0, 0, 0, 0, 0, 0, 2, 64, 128, 255];
        let colour = [200, 100, 30];
        let alpha: Vec<u8> = (0..3).flat_map(|_| alphas).collect();
        let multiplied = |share: u8| colour.map(|value| (value * u32::from(share) / 255) as u8);
        let mut image = RgbImage::from_fn(10, 3, |x, _| Rgb(multiplied(alphas[x as usize])));
        Straight::default().apply(&mut image, &alpha);
        for (x, _, pixel) in image.enumerate_pixels() {
            let expected = if x < 3 { [0; 3] } else { colour };
            let off = pixel.0.iter().zip(expected).map(|(a, b)| u32::from(*a).abs_diff(b)).max();
            assert!(off <= Some(4), "{x}: {pixel:?}");
        }
        let mut nothing = RgbImage::default();
        Straight::default().apply(&mut nothing, &[]);
    }
}
