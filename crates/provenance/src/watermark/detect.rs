//! Reading the mark, without the original, after scaling, cropping and compression.
//!
//! The residuals of all frames are added up: the mark stands still while the picture moves. The first frame is also
//! kept by itself, since in a compressed clip it is a key frame, where the mark is kept best; both count the same. For each scale that
//! comes into question the sums are folded onto one tile, its spectrum is whitened ring by ring, and the known pilot
//! waves are correlated with it at every position at once. Where they stand out, scale and position are refined, the
//! signs of the data waves are read and the code is decoded.

use image::RgbImage;
use num_complex::Complex32;
use serde::Serialize;

use super::carriers::{Carriers, TILE_UNITS, Wave};
use super::code;
use super::payload::{MESSAGE_BITS, Payload};
use super::residual::{Plane, Residuals};
use super::spectrum::{Transform, index};

/// Bins across a folded tile: the finest wave has 3.5 of them a cycle.
const BINS: usize = 64;

/// Tile sizes that are tried, in short sides of the frame. A whole frame of 512 pixels or more has 1/4; crops have
/// more, as have frames made small; frames inside a larger picture have less.
const SMALLEST_TILE: f32 = 0.16;
const LARGEST_TILE: f32 = 1.05;
/// Between two sizes: at the far edge, half of it turns the finest wave by half a radian.
const STEP: f32 = 1.004;
/// The tile of a whole frame, in short sides.
const WHOLE_FRAME: f32 = 0.25;
/// Short side of the smallest frame with that tile, pixels; below, tiles are 128 pixels.
const UNIT_SIDE: f32 = 512.0;

/// How many of the best sizes are looked into.
const CANDIDATES: usize = 6;
/// Correlation of the pilots, in deviations, below which a size is not looked into.
const WEAKEST_PILOT: f32 = 3.5;

/// Correlation of the decoded message with the picture, in deviations, from which a mark is believed: see
/// [`Found::false_alarm`].
const WEAKEST_MARK: f64 = 10.0;
/// Decodings that may be tried for one picture.
const MOST_TRIALS: f64 = 2.0 * (CANDIDATES as f64 + 2.0);
/// Bits of a message that are known beforehand: its layout and its check.
const KNOWN_BITS: i32 = 16;

/// A mark that was read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Found {
    /// What it says.
    pub payload: Payload,
    /// Correlation of the picture with the mark, in standard deviations of what an unmarked picture gives.
    pub strength: f64,
    /// An upper bound of the chance to read any mark this strongly in an unmarked picture. It takes the best of all
    /// 2^60 messages into account, as if they were independent and their correlations normally distributed.
    pub false_alarm: f64,
    /// Whether the picture is mirrored.
    pub mirrored: bool,
}

/// Collects frames of one clip, or one picture, and reads the mark in them.
pub struct Detector {
    carriers: Carriers,
    forward: Transform,
    inverse: Transform,
    residuals: Residuals,
    /// The first frame as the real part, the sum of all as the imaginary one: one transform serves both.
    sums: Sums,
    frames: u64,
    frame_size: (u32, u32),
}

#[derive(Clone, Default)]
struct Sums {
    width: usize,
    height: usize,
    values: Vec<Complex32>,
}

/// Size and position of the tile.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Correlation of the pilots there, in deviations.
    pilots: f32,
    /// Pixels of the sums across and down a tile.
    tile: [f32; 2],
    /// Bins from the frame's corner to the tile's.
    offset: [f32; 2],
}

/// A message that was decoded, believed or not.
#[derive(Clone, Copy)]
struct Trial {
    /// `None` where the message's check fails.
    payload: Option<Payload>,
    strength: f64,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            carriers: Carriers::new(),
            forward: Transform::forward(BINS),
            inverse: Transform::inverse(BINS),
            residuals: Residuals::default(),
            sums: Sums::default(),
            frames: 0,
            frame_size: (0, 0),
        }
    }
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a frame. Frames that are smaller than 16 pixels, or of another size than the first, are left out.
    pub fn add(&mut self, frame: &RgbImage) {
        let size = frame.dimensions();
        if size.0.min(size.1) < 16 || (self.frames > 0 && size != self.frame_size) {
            return;
        }
        let Plane { width, height, values } = self.residuals.of(frame);
        if self.frames == 0 {
            self.frame_size = size;
            let values = values.iter().map(|&value| Complex32::new(value, value)).collect();
            self.sums = Sums { width: *width, height: *height, values };
        } else {
            self.sums.values.iter_mut().zip(values).for_each(|(sum, value)| sum.im += value);
        }
        self.frames += 1;
    }

    /// Frames added so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Reads a mark that is in plain sight: in whole frames, be they scaled. It takes a few milliseconds; where it finds
    /// nothing, [`Detector::read`] still may.
    pub fn glance(&self) -> Option<Found> {
        (self.frames > 0).then(|| self.whole(&self.sums)).flatten()
    }

    /// Reads the mark in the frames added so far.
    pub fn read(&self) -> Option<Found> {
        if self.frames == 0 {
            return None;
        }
        if let Some(found) = self.whole(&self.sums) {
            return Some(found);
        }
        let read_mirrored = || {
            let mirrored = self.sums.mirrored();
            let found = self.whole(&mirrored).or_else(|| self.search(&mirrored, Self::believed));
            found.map(|found| Found { mirrored: true, ..found })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(read_mirrored);
            let found = self.search(&self.sums, Self::believed);
            found.or(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// The strongest correlation with any message that a search comes upon, believed or not: what unmarked pictures
    /// give tells how rarely one of them is mistaken.
    pub fn strongest(&self) -> f64 {
        let mut strongest = 0.0_f64;
        if self.frames > 0 {
            self.search(&self.sums, |trial| -> Option<()> {
                strongest = strongest.max(trial.strength);
                None
            });
        }
        strongest
    }

    fn whole(&self, sums: &Sums) -> Option<Found> {
        self.likely(sums).find_map(|tile| self.try_at(sums, tile).and_then(Self::believed))
    }

    fn believed(trial: Trial) -> Option<Found> {
        let Trial { payload, strength } = trial;
        let found =
            Found { payload: payload?, strength, false_alarm: false_alarm(strength), mirrored: false };
        (strength >= WEAKEST_MARK).then_some(found)
    }

    /// Tile sizes of whole frames: of this size, and scaled from any.
    fn likely(&self, sums: &Sums) -> impl Iterator<Item = f32> + use<> {
        let short = sums.width.min(sums.height) as f32;
        let pixels = self.frame_size.0.min(self.frame_size.1) as f32;
        let small = (pixels < UNIT_SIDE).then(|| TILE_UNITS / pixels * short);
        std::iter::once(WHOLE_FRAME * short).chain(small)
    }

    /// Hands what is decoded at the most promising sizes to `judge`, until it takes one.
    fn search<T>(&self, sums: &Sums, mut judge: impl FnMut(Trial) -> Option<T>) -> Option<T> {
        let short = sums.width.min(sums.height) as f32;
        let steps = ((LARGEST_TILE / SMALLEST_TILE).ln() / STEP.ln()) as i32;
        let tile = |step: i32| SMALLEST_TILE * STEP.powi(step) * short;
        let mut places: Vec<Place> = (0..=steps).map(|step| self.locate(sums, [tile(step); 2])).collect();
        places.retain(|place| place.pilots >= WEAKEST_PILOT);
        places.sort_by(|a, b| b.pilots.total_cmp(&a.pilots));
        let mut tried: Vec<f32> = Vec::new();
        for place in places {
            let size = place.tile[0];
            if tried.len() == CANDIDATES {
                break;
            }
            // Its neighbours see the same peak; refining it covers them.
            if tried.iter().all(|other| (size / other).ln().abs() > 1.5 * STEP.ln()) {
                tried.push(size);
                if let Some(found) = self.try_at(sums, size).and_then(&mut judge) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Refines size and position around tiles of `tile` pixels, and decodes what is there.
    fn try_at(&self, sums: &Sums, tile: f32) -> Option<Trial> {
        let mut best = self.locate(sums, [tile; 2]);
        let mut step = STEP - 1.0;
        for _ in 0..3 {
            let around = best.tile;
            for (across, down) in [
                (-1.0, -1.0),
                (0.0, -1.0),
                (1.0, -1.0),
                (-1.0, 0.0),
                (1.0, 0.0),
                (-1.0, 1.0),
                (0.0, 1.0),
                (1.0, 1.0),
            ] {
                let tile = [around[0] * (1.0 + step * across), around[1] * (1.0 + step * down)];
                let place = self.locate(sums, tile);
                if place.pilots > best.pilots {
                    best = place;
                }
            }
            step *= 0.5;
        }
        if best.pilots < WEAKEST_PILOT {
            return None;
        }
        Some(self.decode(&self.spectrum(sums, best.tile), best.offset))
    }

    /// Where the pilots fit best for tiles of this size.
    fn locate(&self, sums: &Sums, tile: [f32; 2]) -> Place {
        let spectrum = self.spectrum(sums, tile);
        let mut correlation = vec![Complex32::default(); BINS * BINS];
        for (wave, phase) in &self.carriers.pilots {
            let at = index(BINS, *wave);
            correlation[at] = spectrum[at] * phase.conj();
        }
        self.inverse.run(&mut correlation);
        let peak = (0..correlation.len()).max_by(|&a, &b| correlation[a].re.total_cmp(&correlation[b].re));
        let peak = peak.unwrap_or_default();
        let (mut offset, mut best) = ([(peak % BINS) as f32, (peak / BINS) as f32], correlation[peak].re);
        let mut step = 0.5;
        for _ in 0..3 {
            let around = offset;
            for (across, down) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
                let tried = [around[0] + step * across, around[1] + step * down];
                let fit = self.pilots_at(&spectrum, tried);
                if fit > best {
                    (offset, best) = (tried, fit);
                }
            }
            step *= 0.5;
        }
        // Each whitened component has a variance of one half.
        Place { pilots: best / (self.carriers.pilots.len() as f32 / 2.0).sqrt(), tile, offset }
    }

    fn pilots_at(&self, spectrum: &[Complex32], offset: [f32; 2]) -> f32 {
        let pilots = self.carriers.pilots.iter();
        pilots
            .map(|(wave, phase)| (spectrum[index(BINS, *wave)] * turn(*wave, offset) * phase.conj()).re)
            .sum()
    }

    /// The whitened spectrum of the sums folded onto a tile of this size: each value has a power of about 1.
    fn spectrum(&self, sums: &Sums, tile: [f32; 2]) -> Vec<Complex32> {
        let mut both = sums.fold(tile);
        self.forward.run(&mut both);
        let mut first = Vec::with_capacity(both.len());
        let mut all = Vec::with_capacity(both.len());
        for (at, value) in both.iter().enumerate() {
            let (x, y) = (at % BINS, at / BINS);
            let opposite = both[(BINS - y) % BINS * BINS + (BINS - x) % BINS].conj();
            first.push(value + opposite);
            all.push((value - opposite) * Complex32::new(0.0, -1.0));
        }
        whiten(&mut first);
        if self.frames > 1 {
            whiten(&mut all);
            first.iter_mut().zip(&all).for_each(|(first, all)| *first += all);
            whiten(&mut first);
        }
        first
    }

    fn decode(&self, spectrum: &[Complex32], offset: [f32; 2]) -> Trial {
        let mut values = vec![0.0; MESSAGE_BITS * code::RATE];
        let mut power = 0.0_f64;
        for (wave, components) in &self.carriers.data {
            let value = spectrum[index(BINS, *wave)] * turn(*wave, offset);
            for (component, value) in components.iter().zip([value.re, value.im]) {
                values[component.bit] += component.sign * value;
                power += f64::from(value * value);
            }
        }
        let message = code::decode(&values);
        let strength = f64::from(code::correlation(&message, &values)) / power.sqrt().max(f64::MIN_POSITIVE);
        Trial { payload: Payload::from_bits(&message), strength }
    }
}

/// What moves a wave back by `offset` bins.
fn turn(wave: Wave, offset: [f32; 2]) -> Complex32 {
    let cycles = (wave.across as f32 * offset[0] + wave.down as f32 * offset[1]) / BINS as f32;
    Complex32::cis(std::f32::consts::TAU * cycles)
}

impl Sums {
    fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        mirrored.values.chunks_exact_mut(self.width.max(1)).for_each(<[Complex32]>::reverse);
        mirrored
    }

    /// Everything added up tile upon tile.
    fn fold(&self, tile: [f32; 2]) -> Vec<Complex32> {
        let bin = |position: usize, tile: f32| ((position as f32 + 0.5) * BINS as f32 / tile) as usize % BINS;
        let mut rows = vec![Complex32::default(); BINS * self.width];
        for (y, row) in self.values.chunks_exact(self.width).enumerate() {
            let sums = &mut rows[bin(y, tile[1]) * self.width..][..self.width];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let columns: Vec<usize> = (0..self.width).map(|x| bin(x, tile[0])).collect();
        let mut folded = vec![Complex32::default(); BINS * BINS];
        for (row, sums) in rows.chunks_exact(self.width).zip(folded.chunks_exact_mut(BINS)) {
            row.iter().zip(&columns).for_each(|(value, &column)| sums[column] += value);
        }
        folded
    }
}

/// Divides every value by the root mean power of its neighbours in frequency: pictures have most of their power in
/// coarse waves, compression takes it from the fine ones, and what is left should count the same.
fn whiten(spectrum: &mut [Complex32]) {
    const RINGS: usize = BINS;
    let ring = |at: usize| {
        let signed = |position: usize| position.min(BINS - position) as f32;
        signed(at % BINS).hypot(signed(at / BINS)) as usize
    };
    let mut powers = [(0.0_f32, 0.0_f32); RINGS];
    for (at, value) in spectrum.iter().enumerate() {
        let (power, count) = &mut powers[ring(at)];
        *power += value.norm_sqr();
        *count += 1.0;
    }
    let smooth: [f32; RINGS] = std::array::from_fn(|ring| {
        let near = &powers[ring.saturating_sub(1)..(ring + 2).min(RINGS)];
        let (power, count) = near.iter().fold((0.0, 0.0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        if power > 0.0 { (count / power).sqrt() } else { 0.0 }
    });
    spectrum.iter_mut().enumerate().for_each(|(at, value)| *value *= smooth[ring(at)]);
}

/// See [`Found::false_alarm`].
fn false_alarm(strength: f64) -> f64 {
    // The tail of the normal distribution is below its density over the distance.
    let tail = (-0.5 * strength * strength).exp() / (strength.max(1.0) * std::f64::consts::TAU.sqrt());
    (MOST_TRIALS * tail * 2_f64.powi(MESSAGE_BITS as i32 - KNOWN_BITS)).min(1.0)
}
