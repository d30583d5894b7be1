//! The mouth of a frame: the network's light and colours, with the teeth of the mouth's geometry.
//!
//! The network knows how light and how dark the inside of a mouth is, and blurs what is in it; geometry has teeth with edges and
//! guesses their light. So what is coarse is the network's and what is fine the geometry's:
//! `frame = (1 - s) network + s low(network) + d (low(mouth) - low(network)) + f (mouth - low(mouth))`.

use gioconda_warp::MouthPicture;
use image::RgbImage;

/// Sigma of the Gaussian that parts coarse from fine, centimetres of the head.
const SIGMA: f32 = 0.4;
/// How much of the network's own detail gives way: `s`.
const BLURRED: f32 = 0.5;
/// How much of the mouth's fine part is laid over it: `f`.
const FINE: f32 = 0.75;
/// Boxes that make a Gaussian.
const PASSES: usize = 3;
/// How much of the mouth's coarse part is taken where it is the darker one, `d`: the network paints tongues and cavities as pale as
/// teeth. All of that where it is darker by this share.
const DARKER: f32 = 0.6;
const MUCH: f32 = 0.3;
/// Red, green, blue of the network's frame, the same of the mouth, and how much of the pixel the mouth covers; the colours times that.
type Cell = [f32; 7];

/// Kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct MouthBlend {
    cells: Vec<Cell>,
    across: Vec<Cell>,
}

impl MouthBlend {
    /// Lays the fine part of `mouth` over `frame`, the network's.
    pub(super) fn lay(&mut self, mouth: &MouthPicture, frame: &mut RgbImage) {
        let MouthPicture { places, colours, shares, scale } = mouth;
        let Some(&first) = places.first() else { return };
        let (low, high) = places.iter().fold((first, first), |(low, high), &(x, y)| {
            ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)))
        });
        let (width, height) = ((high.0 - low.0 + 1) as usize, (high.1 - low.1 + 1) as usize);
        let cell = |(x, y): (u32, u32)| (y - low.1) as usize * width + (x - low.0) as usize;
        self.cells.clear();
        self.cells.resize(width * height, [0.0; 7]);
        for ((&place, colour), &share) in places.iter().zip(colours).zip(shares) {
            let [r, g, b] = frame.get_pixel(place.0, place.1).0.map(|v| f32::from(v) * share);
            let [u, v, w] = colour.map(|value| value * share);
            self.cells[cell(place)] = [r, g, b, u, v, w, share];
        }
        self.smooth(width, height, (SIGMA * scale).max(0.5));
        for ((&place, colour), &share) in places.iter().zip(colours).zip(shares) {
            let smooth = self.cells[cell(place)];
            if share <= 0.0 || smooth[6] <= f32::EPSILON {
                continue;
            }
            let [light, light_mouth] =
                [0, 3].map(|first| smooth[first] + smooth[first + 1] + smooth[first + 2]);
            let darker = DARKER * ((1.0 - light_mouth / light.max(f32::EPSILON)) / MUCH).clamp(0.0, 1.0);
            for (c, value) in frame.get_pixel_mut(place.0, place.1).0.iter_mut().enumerate() {
                let network = f32::from(*value);
                let (coarse, coarse_mouth) = (smooth[c] / smooth[6], smooth[3 + c] / smooth[6]);
                let fine = FINE * (colour[c] - coarse_mouth);
                let both = network + BLURRED * (coarse - network) + darker * (coarse_mouth - coarse) + fine;
                *value = (network + (both - network) * share + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
    }

    /// Blurs the cells, which are `width` x `height`: three boxes along each axis are a Gaussian to a few percent (Wells 1986).
    fn smooth(&mut self, width: usize, height: usize, sigma: f32) {
        let reach = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round().max(1.0) as usize;
        for _ in 0..PASSES {
            averaged(&self.cells, height, width, reach, &mut self.across);
            averaged(&self.across, width, height, reach, &mut self.cells);
        }
    }
}

/// Fills `means` with the transpose of `values`, `rows` of `columns`: each the sum of the `2 reach + 1` cells around it in its
/// column, less where the column ends.
fn averaged(values: &[Cell], rows: usize, columns: usize, reach: usize, means: &mut Vec<Cell>) {
    means.clear();
    means.resize(values.len(), [0.0; 7]);
    let scale = ((2 * reach + 1) as f32).recip();
    for (column, means) in means.chunks_exact_mut(rows).enumerate() {
        let value = |row: usize| &values[row * columns + column];
        let mut sum = [0.0; 7];
        (0..reach.min(rows)).for_each(|row| add(&mut sum, value(row), 1.0));
        for (row, mean) in means.iter_mut().enumerate() {
            if row + reach < rows {
                add(&mut sum, value(row + reach), 1.0);
            }
            if row > reach {
                add(&mut sum, value(row - reach - 1), -1.0);
            }
            *mean = sum.map(|value| value * scale);
        }
    }
}

fn add(sum: &mut Cell, cell: &Cell, weight: f32) {
    sum.iter_mut().zip(cell).for_each(|(sum, value)| *sum += weight * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// A mouth of 40 x 20 pixels with stripes of teeth, in a grey frame.
    fn striped(share: f32) -> (MouthPicture, RgbImage) {
        let mut mouth = MouthPicture { scale: 20.0, ..MouthPicture::default() };
        for (x, y) in (10..50).flat_map(|x| (10..30).map(move |y| (x, y))) {
            mouth.places.push((x, y));
            mouth.colours.push([if x % 4 < 2 { 200.0 } else { 160.0 }; 3]);
            mouth.shares.push(share);
        }
        (mouth, RgbImage::from_pixel(60, 40, Rgb([90; 3])))
    }

    #[test]
    fn light_is_the_networks_and_stripes_are_the_mouths() {
        let (mouth, mut frame) = striped(1.0);
        MouthBlend::default().lay(&mouth, &mut frame);
        let inside = || (20..40).map(|x| f32::from(frame.get_pixel(x, 20).0[0]));
        let mean = inside().sum::<f32>() / 20.0;
        let spread = inside().fold(f32::MIN, f32::max) - inside().fold(f32::MAX, f32::min);
        assert!((mean - 90.0).abs() < 3.0, "{mean}");
        assert!((spread - 40.0 * FINE).abs() < 6.0, "{spread}");
        assert_eq!(frame.get_pixel(5, 5).0, [90; 3]);
    }

    #[test]
    fn a_mouth_that_covers_nothing_changes_nothing() {
        let (mouth, mut frame) = striped(0.0);
        MouthBlend::default().lay(&mouth, &mut frame);
        assert!(frame.pixels().all(|pixel| pixel.0 == [90; 3]));
        MouthBlend::default().lay(&MouthPicture::default(), &mut frame);
    }
}
