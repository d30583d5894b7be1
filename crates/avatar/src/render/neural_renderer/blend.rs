//! A row of corrections: enlarged from the network's grid to the frame's pixels, and applied to them.
//!
//! What works on a row is inlined into [`SimdOp::eval`]: only code inside it is compiled for the instruction set found.
#![allow(clippy::inline_always)]

use gioconda_kernels::simd::{Isa, SimdOp};
use gioconda_model::{BRIGHT, COLOUR_MARGIN};

use super::tone::Tone;

/// Residual flow x and y, in units of half the network's square; blend mask; nothing; tanh of the colour offset r, g, b;
/// nothing.
pub(super) type Correction = [f32; 8];

#[inline(always)]
fn mixed(a: &Correction, b: &Correction, share: f32) -> Correction {
    let mut mixed = [0.0; 8];
    for i in 0..8 {
        mixed[i] = a[i] + (b[i] - a[i]) * share;
    }
    mixed
}

/// A line of corrections between two lines of the grid.
pub(super) struct Between<'a> {
    pub(super) above: &'a [Correction],
    pub(super) below: &'a [Correction],
    /// 0: `above`, 1: `below`.
    pub(super) share: f32,
    pub(super) line: &'a mut [Correction],
}

impl SimdOp for Between<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        for ((line, above), below) in self.line.iter_mut().zip(self.above).zip(self.below) {
            *line = mixed(above, below, self.share);
        }
    }
}

/// The corrections of evenly spaced pixels along a line.
pub(super) struct Along<'a> {
    pub(super) line: &'a [Correction],
    /// Where the first pixel lies; 0 is the centre of the line's first correction.
    pub(super) start: f32,
    pub(super) step: f32,
    /// Photo pixels per unit of the residual flow.
    pub(super) reach: f32,
    pub(super) pixels: &'a mut [Correction],
    /// Their residual flows, photo pixels.
    pub(super) moves: &'a mut [[f32; 2]],
}

impl SimdOp for Along<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let last = self.line.len() - 1;
        for (x, (pixel, way)) in self.pixels.iter_mut().zip(self.moves).enumerate() {
            let at = (self.start + x as f32 * self.step).clamp(0.0, last as f32);
            let left = at as i32 as usize;
            *pixel = mixed(&self.line[left], &self.line[(left + 1).min(last)], at - left as f32);
            *way = [pixel[0] * self.reach, pixel[1] * self.reach];
        }
    }
}

/// Blends a row of the bare warp with the corrected warp and the painted colour:
/// `m · warped + (1 - m) · tanh(offset + atanh(bare))`, where [`BRIGHT`] channels become darker by no less than the mean of the two
/// that become darkest. What is painted keeps to `tone`.
pub(super) struct Blend<'a> {
    pub(super) corrections: &'a [Correction],
    /// The photo along the mesh's and the residual flow.
    pub(super) warped: &'a [[u8; 3]],
    pub(super) tone: Option<&'a Tone>,
    /// The bare warp; then the result.
    pub(super) row: &'a mut [[u8; 3]],
}

impl SimdOp for Blend<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let sources = self.corrections.iter().zip(self.warped);
        for (pixel, (correction, warped)) in self.row.iter_mut().zip(sources) {
            let (bare, warped) = (levels(*pixel), levels(*warped));
            let mask = correction[2];
            let (mut base, mut moves) = ([0.0_f32; 4], [0.0_f32; 4]);
            for i in 0..4 {
                base[i] = (bare[i] / 127.5 - 1.0).clamp(COLOUR_MARGIN - 1.0, 1.0 - COLOUR_MARGIN);
                let offset = correction[4 + i];
                // tanh(a + b) from the tangents of a and b.
                moves[i] = (offset + base[i]) / (1.0 + offset * base[i]) - base[i];
            }
            let [r, g, b, _] = moves;
            let others = (r + g + b - r.max(g).max(b)) / 2.0;
            let [from, full] = BRIGHT;
            let mut painted = [0.0; 4];
            for i in 0..4 {
                let bright = ((base[i] - from) / (full - from)).clamp(0.0, 1.0);
                let moved = moves[i] + bright * (others - moves[i]).min(0.0);
                painted[i] = ((base[i] + moved + 1.0) * 127.5).max(0.0);
            }
            if let Some(tone) = self.tone {
                let [r, g, b, _] = painted;
                let [r, g, b] = tone.colour([r, g, b]);
                painted = [r, g, b, 0.0];
            }
            let mut colour = [0; 4];
            for i in 0..4 {
                let value = painted[i] + mask * (warped[i] - painted[i]) + 0.5;
                colour[i] = value.clamp(0.0, 255.0) as i32;
            }
            *pixel = [colour[0] as u8, colour[1] as u8, colour[2] as u8];
        }
    }
}

#[inline(always)]
fn levels([r, g, b]: [u8; 3]) -> [f32; 4] {
    [f32::from(r), f32::from(g), f32::from(b), 0.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One pixel where the photo has `bare`, changed by an offset of this tanh in all channels.
    fn blended(bare: [u8; 3], warped: [u8; 3], mask: f32, offset: f32) -> [u8; 3] {
        let mut row = [bare];
        let corrections = [[0.0, 0.0, mask, 0.0, offset, offset, offset, 0.0]];
        Blend { corrections: &corrections, warped: &[warped], tone: None, row: &mut row }.dispatch();
        row[0]
    }

    #[test]
    fn without_an_offset_colours_stay() {
        for value in [1, 60, 128, 191, 230, 254] {
            assert_eq!(blended([value; 3], [0; 3], 0.0, 0.0), [value; 3]);
        }
    }

    #[test]
    fn darkened_yellow_is_yellow() {
        // In tanh space it would become [210, 109, 24]: orange.
        let [red, green, _] = blended([242, 191, 76], [0; 3], 0.0, -0.6).map(f32::from);
        assert!(red < 180.0, "{red}");
        assert!(red / green < 1.7, "{red} {green}");
        // Channels that are not bright change as the network learned it: -0.2 becomes -0.2 (+) -0.6.
        let [dark, ..] = blended([102; 3], [0; 3], 0.0, -0.6);
        assert_eq!(dark, ((1.0 - 0.8 / 1.12) * 127.5 + 0.5) as u8);
    }

    #[test]
    fn a_highlight_stays_one() {
        // Skin that the photo shows as nearly white is not greyed by a shade.
        let shaded = blended([253, 251, 236], [0; 3], 0.0, -0.35);
        assert!(shaded.into_iter().all(|value| value > 215), "{shaded:?}");
        assert!(shaded[0] >= shaded[1] && shaded[1] > shaded[2], "{shaded:?}");
    }

    #[test]
    fn what_is_painted_is_a_colour() {
        assert_eq!(blended([250; 3], [0; 3], 0.0, 0.9), [255; 3]);
        assert_eq!(blended([255; 3], [0; 3], 0.0, 0.9), [255; 3]);
        assert_eq!(blended([204, 255, 255], [0; 3], 0.0, -0.999_999)[0], 0);
    }
}
