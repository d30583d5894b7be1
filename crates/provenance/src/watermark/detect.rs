//! Reading the mark, without the original, after scaling, cropping, turning and compression.
//!
//! The residuals of all frames are added up: the mark stands still while the picture moves. The first frame is also
//! kept by itself, since in a compressed clip it is a key frame, where the mark is kept best; both count the same.
//!
//! A mark in plain sight, in a whole frame that may have been scaled, is tried first. Only when there is none does
//! [`Detector::read`] search, in this order: quarter turns and mirrored frames; any size and angle; large crops of few
//! tiles; and windows of a few full frames, for films shown inside a larger picture.

use image::RgbImage;
use num_complex::Complex32;
use serde::Serialize;

use super::carriers::TILE_UNITS;
use super::lattice::{Candidate, Powers, STEP, peaks};
use super::parallel::in_parallel;
use super::payload::{MESSAGE_BITS, Payload};
use super::reader::{Place, Reader, SCALED, TURNED, Trial, Trust, WEAKEST_PILOT};
use super::residual::{Luma, Plane, Residuals};
use super::view::{Sums, View};

/// Tile sizes whose lattice can be told from the picture's other frequencies, in short sides of the frame. A whole frame
/// of 512 pixels or more has 1/4; crops have more, as have frames made small.
const SMALLEST_TILE: f32 = 0.16;
const LARGEST_LATTICE: f32 = 0.55;
/// Larger tiles are looked for by their pilots, size by size.
const SMALLEST_CROP: f32 = 0.45;
const LARGEST_TILE: f32 = 1.05;
/// Between two sizes of large tiles.
const COARSE_STEP: f32 = 2.0 * STEP;
/// The tile of a whole frame, in short sides.
const WHOLE_FRAME: f32 = 0.25;
/// Short side of the smallest frame with that tile, pixels; below, tiles are 128 pixels.
const UNIT_SIDE: f32 = 512.0;

/// Correlation of the pilots, in deviations, below which the corner of a whole frame is not decoded.
const WEAKEST_CORNER: f32 = 1.0;
/// How many of the best sizes and angles are looked into, for each range of angles.
const CANDIDATES: usize = 6;
/// Ranges of angles, radians either way: upright, slightly turned, any. (Quarter turns come with each.)
const ANGLES: [f32; 3] = [0.0, 0.07, std::f32::consts::FRAC_PI_4];

/// Full frames that are kept for the search in windows.
const MOST_STILLS: usize = 8;
/// Side of windows, pixels, and from one to the next.
const WINDOW: usize = 512;
const WINDOW_STEP: usize = 256;
/// Tiles that are looked for in windows, pixels.
const WINDOW_TILES: [f32; 2] = [60.0, 190.0];
/// Short side, pixels, from which a full frame is made smaller for its windows, and below which it is not.
const MOST_SHORT_SIDE: usize = 1300;
const LEAST_SHORT_SIDE: usize = 400;
/// How many of the best windows, sizes and angles are looked into.
const WINDOW_CANDIDATES: usize = 14;

/// Chance of a mark in an unmarked picture, by [`Found::false_alarm`], up to which one is believed.
const MOST_FALSE_ALARM: f64 = 1e-7;
/// Hypotheses of whole frames whose tiles begin in the corner: two sizes, two weightings.
const CORNER_HYPOTHESES: f64 = 4.0;
/// Hypotheses in plain sight: sizes, refinements of them, positions.
const PLAIN_HYPOTHESES: f64 = 2.0 * 2.0 * 25.0 * 4096.0;
/// Hypotheses of the whole search: sizes times angles times positions times orientations, and as many again for
/// windows and refinements.
const SEARCH_HYPOTHESES: f64 = 2.0 * 310.0 * 393.0 * 4096.0 * 8.0;
/// Bits of a message that are known beforehand: its layout and its check.
const KNOWN_BITS: i32 = 16;

/// A mark that was read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WatermarkFound))]
pub struct Found {
    /// What it says.
    pub payload: Payload,
    /// Correlation of the picture with the mark, in standard deviations of what an unmarked picture gives.
    pub strength: f64,
    /// An upper bound of the chance to read any mark this strongly in an unmarked picture. It takes the best of all
    /// 2^44 valid messages and of all sizes, angles and positions that were searched into account, as if they were independent
    /// and their correlations normally distributed.
    pub false_alarm: f64,
    /// Whether the picture is mirrored.
    pub mirrored: bool,
}

/// Collects frames of one clip, or one picture, and reads the mark in them.
pub struct Detector {
    reader: Reader,
    /// For small frames of version 0.1, whose marks need every wave.
    even: Reader,
    residuals: Residuals,
    sums: Sums,
    frames: u64,
    frame_size: (u32, u32),
    /// Of every `stride`th frame.
    stills: Vec<Luma>,
    stride: u64,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            reader: Reader::new(Trust::Written),
            even: Reader::new(Trust::Even),
            residuals: Residuals::default(),
            sums: Sums::default(),
            frames: 0,
            frame_size: (0, 0),
            stills: Vec::new(),
            stride: 1,
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
        let shrunk = *width < frame.width() as usize;
        if self.frames == 0 {
            self.frame_size = size;
            let values = values.iter().map(|&value| Complex32::new(value, value)).collect();
            self.sums = Sums { width: *width, height: *height, values, single: true };
        } else {
            self.sums.single = false;
            self.sums.values.iter_mut().zip(values).for_each(|(sum, value)| sum.im += value);
        }
        if shrunk && self.frames.is_multiple_of(self.stride) {
            self.keep(frame);
        }
        self.frames += 1;
    }

    /// Keeps a full frame; those that are kept lie evenly apart.
    fn keep(&mut self, frame: &RgbImage) {
        if self.stills.len() == MOST_STILLS {
            let mut index = 0;
            self.stills.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
        if self.frames.is_multiple_of(self.stride) {
            self.stills.push(Luma::of(frame));
        }
    }

    /// Frames added so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Reads a mark that is in plain sight: in whole frames, be they scaled. It takes a few milliseconds; where it finds
    /// nothing, [`Detector::read`] still may.
    pub fn glance(&self) -> Option<Found> {
        if self.frames == 0 {
            return None;
        }
        self.whole(&mut |trial, hypotheses| believed(trial, hypotheses))
    }

    /// Reads the mark in the frames added so far.
    pub fn read(&self) -> Option<Found> {
        self.glance().or_else(|| self.search(&mut |trial| believed(trial, SEARCH_HYPOTHESES)))
    }

    /// The strongest correlation with any message that a search comes upon, believed or not: what unmarked pictures
    /// give tells how rarely one of them is mistaken.
    pub fn strongest(&self) -> f64 {
        let mut strongest = 0.0_f64;
        let mut judge = |trial: Trial| -> Option<()> {
            strongest = strongest.max(trial.strength);
            None
        };
        if self.frames > 0 {
            self.whole(&mut |trial, _| judge(trial));
            self.search(&mut judge);
        }
        strongest
    }

    /// Whole frames, upright. Their tiles begin in the corner; pilots that are too weak to find a position do for one
    /// that is known.
    fn whole<T>(&self, judge: &mut impl FnMut(Trial, f64) -> Option<T>) -> Option<T> {
        let readers = [&self.reader, &self.even].into_iter();
        readers.flat_map(|reader| self.likely().map(move |tile| (reader, tile))).find_map(|(reader, tile)| {
            let corner = reader.corner(&self.sums, View::upright(tile));
            if corner.pilots >= WEAKEST_CORNER
                && let Some(found) = judge(reader.decode(&self.sums, corner), CORNER_HYPOTHESES)
            {
                return Some(found);
            }
            let place = reader.locate(&self.sums, View::upright(tile));
            let place = reader.refine(&self.sums, place, SCALED);
            let trial = (place.pilots >= WEAKEST_PILOT).then(|| reader.decode(&self.sums, place));
            trial.and_then(|trial| judge(trial, PLAIN_HYPOTHESES))
        })
    }

    /// Tile sizes of whole frames: of this size, and scaled from any.
    fn likely(&self) -> impl Iterator<Item = f32> + use<> {
        let short = self.sums.width.min(self.sums.height) as f32;
        let pixels = self.frame_size.0.min(self.frame_size.1) as f32;
        let small = (pixels < UNIT_SIDE).then(|| TILE_UNITS / pixels * short);
        std::iter::once(WHOLE_FRAME * short).chain(small)
    }

    /// Hands what is decoded at the most promising sizes, angles and windows to `judge`, until it takes one.
    fn search<T>(&self, judge: &mut impl FnMut(Trial) -> Option<T>) -> Option<T> {
        if self.frames == 0 {
            return None;
        }
        self.whole_turned(judge)
            .or_else(|| self.turned(judge))
            .or_else(|| self.crops(judge))
            .or_else(|| self.windows(judge))
    }

    /// Whole frames, mirrored or turned by quarters.
    fn whole_turned<T>(&self, judge: &mut impl FnMut(Trial) -> Option<T>) -> Option<T> {
        let views = self.likely().flat_map(|tile| View::upright(tile).orientations().into_iter().skip(1));
        let views: Vec<View> = views.collect();
        let mut places = in_parallel(&views, |view| [self.reader.locate(&self.sums, *view)]);
        places.sort_by(|a, b| b.pilots.total_cmp(&a.pilots));
        places.into_iter().take(2).find_map(|place| self.look(&self.sums, place, SCALED, judge))
    }

    /// Any size and angle.
    fn turned<T>(&self, judge: &mut impl FnMut(Trial) -> Option<T>) -> Option<T> {
        let short = self.sums.width.min(self.sums.height) as f32;
        let powers = Powers::of(&self.sums);
        let tiles = geometric(SMALLEST_TILE * short, LARGEST_LATTICE * short, STEP);
        let mut done = -1.0;
        for limit in ANGLES {
            let steps = (limit / STEP) as i32;
            let angles: Vec<f32> =
                (-steps..=steps).map(|step| step as f32 * STEP).filter(|angle| angle.abs() > done).collect();
            done = limit;
            let candidates = powers.search(&self.reader.waves, &tiles, &angles);
            for candidate in peaks(&candidates, CANDIDATES) {
                if let Some(found) = self.look_into(&self.sums, candidate, 8, judge) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Large tiles, of which the picture holds few: their lattice does not show.
    fn crops<T>(&self, judge: &mut impl FnMut(Trial) -> Option<T>) -> Option<T> {
        let short = self.sums.width.min(self.sums.height) as f32;
        let tiles = geometric(SMALLEST_CROP * short, LARGEST_TILE * short, COARSE_STEP);
        let look = |&tile: &f32| {
            let views = View::upright(tile).orientations();
            let places = views[..2].iter().map(|view| self.reader.locate(&self.sums, *view));
            let strong = places.filter(|place| place.pilots >= WEAKEST_PILOT);
            let pair = |place: Place| (Candidate { score: place.pilots, tile, angle: 0.0 }, place);
            strong.map(pair).collect::<Vec<_>>()
        };
        let mut found: Vec<(Candidate, Place)> = in_parallel(&tiles, look);
        found.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        let candidates: Vec<Candidate> = found.iter().map(|(candidate, _)| *candidate).collect();
        for peak in peaks(&candidates, CANDIDATES) {
            let place = found.iter().find(|(candidate, _)| {
                candidate.score.total_cmp(&peak.score).is_eq() && candidate.tile.total_cmp(&peak.tile).is_eq()
            });
            if let Some((_, place)) = place
                && let Some(found) = self.look(&self.sums, *place, SCALED, judge)
            {
                return Some(found);
            }
        }
        None
    }

    /// Films inside a larger picture.
    fn windows<T>(&self, judge: &mut impl FnMut(Trial) -> Option<T>) -> Option<T> {
        let first = self.stills.first()?;
        let short = first.width.min(first.height);
        let mut factor = short.div_ceil(MOST_SHORT_SIDE);
        let tiles = geometric(WINDOW_TILES[0], WINDOW_TILES[1], STEP);
        let mut found: Vec<(Candidate, Sums)> = Vec::new();
        while short / factor >= LEAST_SHORT_SIDE {
            let level = self.level(factor);
            let corners: Vec<(usize, usize)> =
                corners(level.height).flat_map(|y| corners(level.width).map(move |x| (x, y))).collect();
            let look = |&(x, y): &(usize, usize)| {
                let window = level.window(x, y, WINDOW, WINDOW);
                let candidates = Powers::of(&window).search(&self.reader.waves, &tiles, &[0.0]);
                peaks(&candidates, 2).into_iter().map(|peak| (peak, window.clone())).collect::<Vec<_>>()
            };
            found.extend(in_parallel(&corners, look));
            factor *= 2;
        }
        found.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        let mut promising = found.into_iter().take(WINDOW_CANDIDATES);
        promising.find_map(|(candidate, window)| self.look_into(&window, candidate, 2, judge))
    }

    /// The kept frames, added up at `1 / factor` of their size.
    fn level(&self, factor: usize) -> Sums {
        let mut residuals = Residuals::default();
        let mut sums = Sums { single: self.stills.len() == 1, ..Sums::default() };
        for still in &self.stills {
            let Plane { width, height, values } = residuals.of_luma(still, factor);
            if sums.values.is_empty() {
                (sums.width, sums.height) = (*width, *height);
                sums.values = values.iter().map(|&value| Complex32::new(value, value)).collect();
            } else {
                sums.values.iter_mut().zip(values).for_each(|(sum, value)| sum.im += value);
            }
        }
        sums
    }

    /// Looks into a size and an angle in the first `count` orientations.
    fn look_into<T>(
        &self,
        sums: &Sums,
        candidate: Candidate,
        count: usize,
        judge: &mut impl FnMut(Trial) -> Option<T>,
    ) -> Option<T> {
        let views = View::turned(candidate.tile, candidate.angle).orientations();
        let places = in_parallel(&views[..count], |view| [self.reader.locate(sums, *view)]);
        let best = places.into_iter().max_by(|a, b| a.pilots.total_cmp(&b.pilots))?;
        self.look(sums, best, TURNED, judge)
    }

    /// Refines a place and decodes what is there.
    fn look<T>(
        &self,
        sums: &Sums,
        place: Place,
        moves: &[[[f32; 2]; 2]],
        judge: &mut impl FnMut(Trial) -> Option<T>,
    ) -> Option<T> {
        let place = self.reader.refine(sums, place, moves);
        (place.pilots >= WEAKEST_PILOT).then(|| self.reader.decode(sums, place)).and_then(judge)
    }
}

/// From `first` to `last`, each `1 + step` times the one before.
fn geometric(first: f32, last: f32, step: f32) -> Vec<f32> {
    let count = ((last / first).ln() / step.ln_1p()) as i32;
    (0..=count).map(|exponent| first * (1.0 + step).powi(exponent)).collect()
}

/// Where windows begin in `length` pixels.
fn corners(length: usize) -> impl Iterator<Item = usize> + Clone {
    let last = length.saturating_sub(WINDOW);
    (0..=last.div_ceil(WINDOW_STEP)).map(move |step| (step * WINDOW_STEP).min(last))
}

fn believed(trial: Trial, hypotheses: f64) -> Option<Found> {
    let Trial { payload, strength, mirrored } = trial;
    let found =
        Found { payload: payload?, strength, false_alarm: false_alarm(strength, hypotheses), mirrored };
    (found.false_alarm <= MOST_FALSE_ALARM).then_some(found)
}

/// See [`Found::false_alarm`].
fn false_alarm(strength: f64, hypotheses: f64) -> f64 {
    // The tail of the normal distribution is below its density over the distance.
    let tail = (-0.5 * strength * strength).exp() / (strength.max(1.0) * std::f64::consts::TAU.sqrt());
    (hypotheses * tail * 2_f64.powi(MESSAGE_BITS as i32 - KNOWN_BITS)).min(1.0)
}
