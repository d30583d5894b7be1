//! Writing the mark: the tile, repeated over the frame, is added to the luma, more where the picture is busy.
//!
//! How much a place can hide is read from the picture itself: the standard deviation `s` of luma in blocks of 8 x 8
//! gives the amplitude `sqrt(FLAT^2 + (BUSY s)^2)`, which costs about the same structural similarity everywhere.
//!
//! A frame as a whole has two budgets. Where much of it is busy, what is added for that is reduced until the frame keeps
//! [`LARGEST_POWER`]; flat places, where a reader sees the mark best, keep theirs. Then all amplitudes are scaled so that
//! the similarity lost, `A^2 / (2 s^2 + C2)` on average (SSIM of a picture and the same picture with independent noise
//! of deviation `A`), is at most [`LARGEST_LOSS`].

use image::RgbImage;
use multiversion::multiversion;

use super::carriers::{Carriers, TILE_UNITS};
use super::payload::Payload;

/// Root mean square of the mark on a flat area, levels of 255, before the frame's budgets.
const FLAT: f32 = 1.3;
/// What each level of standard deviation adds, in quadrature.
const BUSY: f32 = 0.25;
/// Of an amplitude, levels of 255.
const LARGEST: f32 = 3.5;
/// Mean square over a frame, levels of 255: 42.3 dB.
const LARGEST_POWER: f32 = 3.85;
/// Mean loss of structural similarity over a frame, by blocks. SSIM's own windows lose a sixth to a third less.
const LARGEST_LOSS: f32 = 0.04;
/// The constant of SSIM that keeps flat places from counting for everything: (0.03 x 255)^2.
const C2: f32 = 58.5;

/// Side of the blocks whose activity is measured, pixels.
const BLOCK: usize = 8;
/// Samples across a tile, from which the frame's pattern is interpolated.
const SAMPLES: usize = 256;
/// The pattern is stored in this fraction of its root mean square; it never exceeds 5 times that.
const PATTERN_ONE: f32 = 24.0;
/// Side of a frame, pixels, from which on the mark grows with the frame.
const UNIT_SIDE: f32 = 512.0;

/// Marks the frames of one output.
pub struct Marker {
    message: Vec<bool>,
    carriers: Carriers,
    /// The pattern of the frame size met last, and what is needed to apply it.
    canvas: Canvas,
}

#[derive(Default)]
struct Canvas {
    width: usize,
    height: usize,
    /// One value a pixel, in units of `1 / PATTERN_ONE`.
    pattern: Vec<i8>,
    activity: Activity,
}

impl Marker {
    /// A marker that writes `payload`.
    pub fn new(payload: &Payload) -> Self {
        Self { message: payload.to_bits(), carriers: Carriers::new(), canvas: Canvas::default() }
    }

    /// Marks a frame in place. Frames of one size after another take about a millisecond for 512 x 512 pixels; the
    /// first of a size takes longer.
    pub fn mark(&mut self, frame: &mut RgbImage) {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        if width < BLOCK || height < BLOCK {
            return;
        }
        if (self.canvas.width, self.canvas.height) != (width, height) {
            self.canvas = Canvas::new(&self.carriers.tile::<SAMPLES>(&self.message), width, height);
        }
        let Canvas { pattern, activity, .. } = &mut self.canvas;
        measure(frame.as_raw(), width, activity);
        activity.choose();
        add(frame, pattern, width, activity);
    }
}

/// Pixels a unit for a frame of this size: small frames carry the pattern as it is, large ones a larger one, so that
/// scaling a large picture down costs it nothing.
fn unit(width: usize, height: usize) -> f32 {
    (width.min(height) as f32 / UNIT_SIDE).max(1.0)
}

impl Canvas {
    fn new(tile: &[f32], width: usize, height: usize) -> Self {
        let step = SAMPLES as f32 / (TILE_UNITS * unit(width, height));
        let columns: Vec<_> = (0..width).map(|x| between(x as f32 * step)).collect();
        let mut pattern = Vec::with_capacity(width * height);
        for y in 0..height {
            let (top, bottom, down) = between(y as f32 * step);
            let (top, bottom) = (&tile[top * SAMPLES..], &tile[bottom * SAMPLES..]);
            pattern.extend(columns.iter().map(|&(left, right, across)| {
                let above = top[left] + across * (top[right] - top[left]);
                let below = bottom[left] + across * (bottom[right] - bottom[left]);
                // A cast to i8 saturates.
                (PATTERN_ONE * (above + down * (below - above))).round() as i8
            }));
        }
        Self { width, height, pattern, activity: Activity::new(width, height) }
    }
}

/// The two samples of the periodic tile around `position`, and the share of the second.
fn between(position: f32) -> (usize, usize, f32) {
    let whole = position.floor();
    let first = whole as usize % SAMPLES;
    (first, (first + 1) % SAMPLES, position - whole)
}

/// Amplitudes of the mark on the grid of whole blocks.
#[derive(Default)]
struct Activity {
    columns: usize,
    rows: usize,
    variances: Vec<f32>,
    amplitudes: Vec<f32>,
    smoothed: Vec<f32>,
}

impl Activity {
    fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width / BLOCK, height / BLOCK);
        let blocks = || vec![0.0; columns * rows];
        Self { columns, rows, variances: blocks(), amplitudes: blocks(), smoothed: blocks() }
    }

    /// Sets the amplitudes from the variances, within the frame's budgets.
    fn choose(&mut self) {
        self.fill();
        self.smooth();
        let loss = |(amplitude, variance): (&f32, &f32)| amplitude * amplitude / (2.0 * variance + C2);
        let losses: f32 = self.smoothed.iter().zip(&self.variances).map(loss).sum();
        let scale = (LARGEST_LOSS * self.smoothed.len() as f32 / losses).sqrt().min(1.0);
        for amplitude in &mut self.smoothed {
            *amplitude *= scale;
        }
    }

    fn fill(&mut self) {
        let busy = |variance: f32| (BUSY * BUSY * variance).min(LARGEST * LARGEST - FLAT * FLAT);
        let mean =
            self.variances.iter().map(|&variance| busy(variance)).sum::<f32>() / self.variances.len() as f32;
        let share = ((LARGEST_POWER - FLAT * FLAT) / mean.max(f32::MIN_POSITIVE)).min(1.0);
        for (amplitude, &variance) in self.amplitudes.iter_mut().zip(&self.variances) {
            *amplitude = (FLAT * FLAT + share * busy(variance)).sqrt();
        }
    }

    /// Means over neighbours, so that the mark does not end at an edge.
    fn smooth(&mut self) {
        let Self { columns, rows, amplitudes, smoothed, .. } = self;
        let (last_column, last_row) = (*columns - 1, *rows - 1);
        for y in 0..*rows {
            let row = |y: usize| &amplitudes[y * *columns..][..*columns];
            let (above, here, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(last_row)));
            for x in 0..*columns {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(last_column));
                smoothed[y * *columns + x] =
                    0.5 * here[x] + 0.125 * (above[x] + below[x] + here[left] + here[right]);
            }
        }
    }

    /// The four grid values around a row of pixels are interpolated downwards into `line`, one value a column.
    fn line(&self, y: usize, line: &mut Vec<f32>) {
        let (first, second, share) = neighbours(y, self.rows);
        let row = |y: usize| &self.smoothed[y * self.columns..][..self.columns];
        line.clear();
        line.extend(row(first).iter().zip(row(second)).map(|(a, b)| a + share * (b - a)));
    }
}

/// The blocks whose centres lie around pixel `position`, and the share of the second.
fn neighbours(position: usize, blocks: usize) -> (usize, usize, f32) {
    let at = ((position as f32 + 0.5) / BLOCK as f32 - 0.5).clamp(0.0, (blocks - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(blocks - 1), at - first as f32)
}

/// The variance of each block's luma.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn measure(pixels: &[u8], width: usize, activity: &mut Activity) {
    let Activity { columns, variances, .. } = activity;
    let mut sums = vec![(0_u32, 0_u32); *columns];
    for (rows, variances) in pixels.chunks_exact(3 * width * BLOCK).zip(variances.chunks_exact_mut(*columns))
    {
        sums.fill((0, 0));
        // Every other row tells enough.
        for row in rows.chunks_exact(3 * width).step_by(2) {
            for (block, (sum, squares)) in row.chunks_exact(3 * BLOCK).zip(&mut sums) {
                for pixel in block.chunks_exact(3) {
                    let luma = u32::from(pixel[0]) + 2 * u32::from(pixel[1]) + u32::from(pixel[2]);
                    *sum += luma;
                    *squares += luma * luma;
                }
            }
        }
        for (variance, &(sum, squares)) in variances.iter_mut().zip(&sums) {
            // Luma was counted in quarters of a level.
            let count = (BLOCK * BLOCK / 2) as f32;
            let mean = sum as f32 / count;
            *variance = (squares as f32 / count - mean * mean).max(0.0) / 16.0;
        }
    }
}

/// Adds pattern times amplitude to the three colours of every pixel.
fn add(frame: &mut RgbImage, pattern: &[i8], width: usize, activity: &Activity) {
    let (mut line, mut change) = (Vec::new(), vec![0_i16; width]);
    for (y, (row, pattern)) in frame.chunks_exact_mut(3 * width).zip(pattern.chunks_exact(width)).enumerate()
    {
        activity.line(y, &mut line);
        changes(&line, pattern, &mut change);
        add_row(row, &change);
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn changes(line: &[f32], pattern: &[i8], change: &mut [i16]) {
    const HALF: usize = BLOCK / 2;
    let (first, last) = (line[0], line[line.len() - 1]);
    let between = HALF + (line.len() - 1) * BLOCK;
    let level = |amplitude: f32, pattern: i8| {
        let levels = amplitude * (1.0 / PATTERN_ONE) * f32::from(pattern);
        // Rounds to the nearest, as `round` does but for ties, which do not matter here.
        (levels + 128.5) as i16 - 128
    };
    for (change, &pattern) in change[..HALF].iter_mut().zip(pattern) {
        *change = level(first, pattern);
    }
    let blocks = change[HALF..between].chunks_exact_mut(BLOCK).zip(pattern[HALF..].chunks_exact(BLOCK));
    for ((change, pattern), ends) in blocks.zip(line.windows(2)) {
        let slope = (ends[1] - ends[0]) / BLOCK as f32;
        for (i, (change, &pattern)) in change.iter_mut().zip(pattern).enumerate() {
            *change = level(ends[0] + slope * (i as f32 + 0.5), pattern);
        }
    }
    for (change, &pattern) in change[between..].iter_mut().zip(&pattern[between..]) {
        *change = level(last, pattern);
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn add_row(row: &mut [u8], change: &[i16]) {
    for (pixel, &change) in row.chunks_exact_mut(3).zip(change) {
        for sample in pixel {
            *sample = (i16::from(*sample) + change).clamp(0, 255) as u8;
        }
    }
}
