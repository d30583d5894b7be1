//! Reading the mark in a picture whose tiles have a known size and angle, about.
//!
//! The picture is folded onto one tile, its spectrum is whitened ring by ring, and the known pilot waves are correlated
//! with it at every position at once. Where they stand out, view and position are refined, the signs of the data waves
//! are read and the code is decoded.

use std::sync::LazyLock;

use num_complex::Complex32;

use super::carriers::Carriers;
use super::code;
use super::lattice::STEP;
use super::parallel::in_parallel;
use super::payload::{MESSAGE_BITS, Payload};
use super::spectrum::{Transform, index};
use super::view::{BINS, Sums, View};
use super::wave::Wave;

/// Correlation of the pilots, in deviations, below which nothing is decoded.
pub(crate) const WEAKEST_PILOT: f32 = 3.5;

/// Of waves whose power is looked at in the search for sizes and angles.
const LEAST_WEIGHT: f32 = 0.5;

/// Where the first tile of a whole frame begins, in bins: in the middle of the first pixel, which is a quarter of a bin
/// from the edge in a frame of 512 pixels (less in larger ones), and half a bin before that, because folding rounds
/// positions down to whole bins.
const CORNER: f32 = -0.25;

/// What is tried around a view: sizes across and down.
pub(crate) const SCALED: &[[[f32; 2]; 2]] = &[
    [[-1.0, 0.0], [0.0, -1.0]],
    [[0.0, 0.0], [0.0, -1.0]],
    [[1.0, 0.0], [0.0, -1.0]],
    [[-1.0, 0.0], [0.0, 0.0]],
    [[1.0, 0.0], [0.0, 0.0]],
    [[-1.0, 0.0], [0.0, 1.0]],
    [[0.0, 0.0], [0.0, 1.0]],
    [[1.0, 0.0], [0.0, 1.0]],
];
/// Sizes across and down, and angles.
pub(crate) const TURNED: &[[[f32; 2]; 2]] = &[
    [[-1.0, 0.0], [0.0, -1.0]],
    [[1.0, 0.0], [0.0, 1.0]],
    [[0.0, 1.0], [-1.0, 0.0]],
    [[0.0, -1.0], [1.0, 0.0]],
    [[-1.0, 1.0], [-1.0, -1.0]],
    [[1.0, 1.0], [-1.0, 1.0]],
    [[-1.0, -1.0], [1.0, -1.0]],
    [[1.0, -1.0], [1.0, 1.0]],
    [[-1.0, 0.0], [0.0, 0.0]],
    [[1.0, 0.0], [0.0, 0.0]],
    [[0.0, 0.0], [0.0, -1.0]],
    [[0.0, 0.0], [0.0, 1.0]],
];

/// Where the tile was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Correlation of the pilots there, in deviations.
    pub(crate) pilots: f32,
    pub(crate) view: View,
    /// Bins from the folded picture's corner to the tile's.
    offset: [f32; 2],
}

/// How much each wave counts.
#[derive(Clone, Copy)]
pub(crate) enum Trust {
    /// As strongly as it is written.
    Written,
    /// As much as any other, which reads what version 0.1 wrote in small frames.
    Even,
}

impl Trust {
    fn weight(self, wave: Wave) -> f32 {
        match self {
            Self::Written => wave.weight(),
            Self::Even => 1.0,
        }
    }
}

/// A message that was decoded, believed or not.
#[derive(Clone, Copy)]
pub(crate) struct Trial {
    /// `None` where the message's check fails.
    pub(crate) payload: Option<Payload>,
    /// Correlation of the picture with the message and the pilots, in deviations.
    pub(crate) strength: f64,
    pub(crate) mirrored: bool,
}

/// Tables that do not depend on the picture.
pub(crate) struct Reader {
    trust: Trust,
    carriers: Carriers,
    /// The carriers that keep some power after compression.
    pub(crate) waves: Vec<Wave>,
    /// Sum of the squared weights of the pilots.
    pilot_power: f32,
    forward: Transform,
    inverse: Transform,
}

impl Reader {
    pub(crate) fn new(trust: Trust) -> Self {
        let carriers = Carriers::new();
        let pilots = carriers.pilots.iter().map(|(wave, _)| *wave);
        let pilot_power = pilots.clone().map(|wave| trust.weight(wave).powi(2)).sum();
        let waves = pilots.chain(carriers.data.iter().map(|(wave, _)| *wave));
        let waves = waves.filter(|wave| wave.weight() >= LEAST_WEIGHT).collect();
        Self {
            trust,
            carriers,
            waves,
            pilot_power,
            forward: Transform::forward(BINS),
            inverse: Transform::inverse(BINS),
        }
    }

    fn weight(&self, wave: Wave) -> f32 {
        self.trust.weight(wave)
    }

    /// A whole frame in this view: its tiles begin in the middle of its first pixel.
    pub(crate) fn corner(&self, sums: &Sums, view: View) -> Place {
        let offset = [CORNER; 2];
        let pilots = self.pilots_at(&self.spectrum(sums, view), offset);
        Place { pilots: pilots / (self.pilot_power / 2.0).sqrt(), view, offset }
    }

    /// Where the pilots fit best in this view.
    pub(crate) fn locate(&self, sums: &Sums, view: View) -> Place {
        let spectrum = self.spectrum(sums, view);
        let mut correlation = vec![Complex32::default(); BINS * BINS];
        for (wave, phase) in &self.carriers.pilots {
            let at = index(BINS, *wave);
            correlation[at] = spectrum[at] * phase.conj() * self.weight(*wave);
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
        Place { pilots: best / (self.pilot_power / 2.0).sqrt(), view, offset }
    }

    /// The view around `place` that the pilots fit best, by ever smaller `moves`.
    pub(crate) fn refine(&self, sums: &Sums, place: Place, moves: &[[[f32; 2]; 2]]) -> Place {
        let mut best = place;
        let mut step = STEP;
        for _ in 0..3 {
            let around = best.view;
            let moved = |[[xx, xy], [yx, yy]]: &[[f32; 2]; 2]| {
                let change = [[1.0 + step * xx, step * xy], [step * yx, 1.0 + step * yy]];
                [self.locate(sums, around.after(change))]
            };
            for place in in_parallel(moves, moved) {
                if place.pilots > best.pilots {
                    best = place;
                }
            }
            step *= 0.5;
        }
        best
    }

    /// The message that is most likely at `place`.
    pub(crate) fn decode(&self, sums: &Sums, place: Place) -> Trial {
        let spectrum = self.spectrum(sums, place.view);
        let mut values = vec![0.0; MESSAGE_BITS * code::RATE];
        let mut power = 0.0_f64;
        for (wave, components) in &self.carriers.data {
            let value = self.weight(*wave) * spectrum[index(BINS, *wave)] * turn(*wave, place.offset);
            for (component, value) in components.iter().zip([value.re, value.im]) {
                values[component.bit] += component.sign * value;
                power += f64::from(value * value);
            }
        }
        let message = code::decode(&values);
        let mut correlation = f64::from(code::correlation(&message, &values));
        for (wave, phase) in &self.carriers.pilots {
            let value = self.weight(*wave) * spectrum[index(BINS, *wave)] * turn(*wave, place.offset);
            // Times sqrt(2): both components then count with their signs alone, as those of data waves do.
            correlation += std::f64::consts::SQRT_2 * f64::from((value * phase.conj()).re);
            power += f64::from(value.norm_sqr());
        }
        let strength = correlation / power.sqrt().max(f64::MIN_POSITIVE);
        Trial { payload: Payload::from_bits(&message), strength, mirrored: place.view.mirrored() }
    }

    fn pilots_at(&self, spectrum: &[Complex32], offset: [f32; 2]) -> f32 {
        let pilots = self.carriers.pilots.iter();
        pilots
            .map(|(wave, phase)| {
                self.weight(*wave) * (spectrum[index(BINS, *wave)] * turn(*wave, offset) * phase.conj()).re
            })
            .sum()
    }

    /// The whitened spectrum of the sums folded onto one tile: each value has a power of about 1.
    fn spectrum(&self, sums: &Sums, view: View) -> Vec<Complex32> {
        let mut both = sums.fold(view);
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
        if !sums.single {
            whiten(&mut all);
            first.iter_mut().zip(&all).for_each(|(first, all)| *first += all);
            whiten(&mut first);
        }
        first
    }
}

/// What moves a wave back by `offset` bins.
fn turn(wave: Wave, offset: [f32; 2]) -> Complex32 {
    let cycles = (wave.across as f32 * offset[0] + wave.down as f32 * offset[1]) / BINS as f32;
    Complex32::cis(std::f32::consts::TAU * cycles)
}

/// Divides every value by the root mean power of its neighbours in frequency: pictures have most of their power in
/// coarse waves, compression takes it from the fine ones, and what is left should count the same.
fn whiten(spectrum: &mut [Complex32]) {
    const RINGS: usize = BINS;
    let mut powers = [(0.0_f32, 0.0_f32); RINGS];
    for (value, &ring) in spectrum.iter().zip(&*RING) {
        let (power, count) = &mut powers[usize::from(ring)];
        *power += value.norm_sqr();
        *count += 1.0;
    }
    let smooth: [f32; RINGS] = std::array::from_fn(|ring| {
        let near = &powers[ring.saturating_sub(1)..(ring + 2).min(RINGS)];
        let (power, count) = near.iter().fold((0.0, 0.0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        if power > 0.0 { (count / power).sqrt() } else { 0.0 }
    });
    spectrum.iter_mut().zip(&*RING).for_each(|(value, &ring)| *value *= smooth[usize::from(ring)]);
}

/// Cycles a tile of every place in the spectrum, rounded down.
static RING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let signed = |position: usize| position.min(BINS - position) as f32;
    (0..BINS * BINS).map(|at| signed(at % BINS).hypot(signed(at / BINS)) as u8).collect()
});
