//! Pictures as numbers in 0..1, and weights that say which pixels count.

use image::RgbImage;

/// The colour planes of a picture, each value in 0..1.
#[derive(Clone, Debug)]
pub struct Planes {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `[3][height * width]` red, green, blue.
    pub channels: [Vec<f64>; 3],
}

impl Planes {
    /// From 8 bits.
    pub fn of(picture: &RgbImage) -> Self {
        let channels =
            std::array::from_fn(|c| picture.pixels().map(|pixel| f64::from(pixel.0[c]) / 255.0).collect());
        Self { width: picture.width() as usize, height: picture.height() as usize, channels }
    }
}

/// Below this many pixels' worth of weight a region is too small to be measured.
const LEAST_PIXELS: f64 = 8.0;

/// How much each pixel counts.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Pixels across.
    pub width: usize,
    /// `[height * width]`, 0..1.
    pub values: Vec<f64>,
}

impl Weights {
    /// From a mask of 0..=255.
    pub fn of(mask: &[u8], width: usize) -> Self {
        Self { width, values: mask.iter().map(|&value| f64::from(value) / 255.0).collect() }
    }

    /// The same for every pixel.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { width, values: vec![1.0; width * height] }
    }

    /// The larger of two weights, pixel by pixel.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(a, b)| a.max(*b)).collect();
        Self { width: self.width, values }
    }

    /// Whether there is enough to measure.
    pub fn is_measurable(&self) -> bool {
        self.values.iter().sum::<f64>() >= LEAST_PIXELS
    }

    /// Pixels down.
    pub fn height(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Means over cells of a coarser grid, whose sides divide this one's.
    #[must_use]
    pub fn reduced(&self, width: usize, height: usize) -> Self {
        let (across, down) = (self.width / width.max(1), self.height() / height.max(1));
        let mut values = vec![0.0; width * height];
        for (y, row) in self.values.chunks_exact(self.width).enumerate().take(height * down) {
            for (x, value) in row.iter().enumerate().take(width * across) {
                values[(y / down) * width + x / across] += value / (across * down) as f64;
            }
        }
        Self { width, values }
    }

    /// The weighted mean of a map of this size; `None` where nothing counts.
    pub fn mean(&self, map: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut sum, mut total) = (0.0, 0.0);
        for (value, weight) in map.zip(&self.values) {
            sum += weight * value;
            total += weight;
        }
        (total > 0.0).then(|| sum / total)
    }
}
