//! The One-Euro filter: smooths what jitters, follows what moves.
//!
//! Casiez, Roussel, Vogel: "1€ Filter", CHI 2012, equations 1..8. A low-pass filter of first order whose cutoff rises
//! with speed: `cutoff = min_cutoff + beta · |speed|`, the speed itself low-passed at 1 Hz.

use std::f32::consts::TAU;
use std::ops::{Add, Mul};

use nalgebra::{Rotation3, SVector, Vector3};

use crate::rotation_vector;

/// What a [`OneEuro`] can filter: points of a space with differences between them.
pub trait Signal: Copy {
    /// The way from one value to another; divided by time, a speed.
    type Difference: Copy
        + std::fmt::Debug
        + Add<Output = Self::Difference>
        + Mul<f32, Output = Self::Difference>;
    /// The way from `origin` to `self`.
    fn difference(self, origin: Self) -> Self::Difference;
    /// `self`, moved along `way`.
    #[must_use]
    fn moved(self, way: Self::Difference) -> Self;
    /// The length of a way, in the unit in which `beta` counts.
    fn length(way: Self::Difference) -> f32;
}

impl Signal for f32 {
    type Difference = f32;

    fn difference(self, origin: Self) -> f32 {
        self - origin
    }

    fn moved(self, way: f32) -> Self {
        self + way
    }

    fn length(way: f32) -> f32 {
        way.abs()
    }
}

/// All components share one cutoff, from the vector's speed: a path is smoothed alike in every direction.
impl<const N: usize> Signal for SVector<f32, N> {
    type Difference = Self;

    fn difference(self, origin: Self) -> Self {
        self - origin
    }

    fn moved(self, way: Self) -> Self {
        self + way
    }

    fn length(way: Self) -> f32 {
        way.norm()
    }
}

/// Rotations differ by a rotation vector (radians): filtering is spherical interpolation.
impl Signal for Rotation3<f32> {
    type Difference = Vector3<f32>;

    fn difference(self, origin: Self) -> Vector3<f32> {
        rotation_vector(&(self * origin.inverse()))
    }

    fn moved(self, way: Vector3<f32>) -> Self {
        Self::new(way) * self
    }

    fn length(way: Vector3<f32>) -> f32 {
        way.norm()
    }
}

/// A One-Euro filter of one signal.
///
/// # Lag
/// On a steady movement the output runs behind by `1 / (2π · cutoff)` seconds, whatever the frame rate. Measured at
/// 25 frames/s with `min_cutoff` 1.5 and `beta` 12, on a head that turns: 59 ms at 0.1 rad/s, 12 ms at 1 rad/s; the
/// standard deviation of a tremor of independent 0.001 rad per frame falls to 0.41 of itself.
#[derive(Clone, Debug)]
pub struct OneEuro<S: Signal> {
    min_cutoff: f32,
    beta: f32,
    state: Option<State<S>>,
}

/// A One-Euro filter of a rotation; speeds are radians per second.
pub type OneEuroRotation = OneEuro<Rotation3<f32>>;

#[derive(Clone, Debug)]
struct State<S: Signal> {
    value: S,
    filtered: S,
    /// Low-passed, per second; `None` before the second value.
    speed: Option<S::Difference>,
}

/// Cutoff of the speed's own low-pass filter, Hz (section 3 of the paper).
const SPEED_CUTOFF: f32 = 1.0;

impl<S: Signal> OneEuro<S> {
    /// `min_cutoff` is the cutoff at rest, Hz: less of it means less jitter. `beta` is by how many Hz the cutoff rises
    /// per unit of speed: more of it means less lag.
    pub fn new(min_cutoff: f32, beta: f32) -> Self {
        Self { min_cutoff, beta, state: None }
    }

    /// Forgets the past: the next value comes out as it is.
    pub fn reset(&mut self) {
        self.state = None;
    }

    /// The filtered value, `step` seconds after the one before. The first value comes out as it is, and so does
    /// every value after no time at all.
    pub fn filter(&mut self, value: S, step: f32) -> S {
        let Some(last) = &mut self.state else {
            self.state = Some(State { value, filtered: value, speed: None });
            return value;
        };
        if step > 0.0 {
            let speed = value.difference(last.value) * (1.0 / step);
            let weight = new_share(SPEED_CUTOFF, step);
            let speed = last.speed.map_or(speed, |old| old * (1.0 - weight) + speed * weight);
            let cutoff = self.min_cutoff + self.beta * S::length(speed);
            let way = value.difference(last.filtered) * new_share(cutoff, step);
            *last = State { value, filtered: last.filtered.moved(way), speed: Some(speed) };
        } else {
            last.value = value;
            last.filtered = value;
        }
        last.filtered
    }
}

/// How much of a new value passes a low-pass filter of this cutoff (equations 2 and 5): 0..1.
fn new_share(cutoff: f32, step: f32) -> f32 {
    1.0 / (1.0 + 1.0 / (TAU * cutoff * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f32 = 0.04;

    #[test]
    fn without_beta_it_is_an_exponential_filter() {
        // The step response of an exponential filter in closed form: 1 - (1 - a)^n.
        let mut filter = OneEuro::new(2.0, 0.0);
        assert!(filter.filter(0.0, STEP).abs() < 1e-9);
        let time_constant = 1.0 / (std::f32::consts::TAU * 2.0);
        let old_share = time_constant / (time_constant + STEP);
        for n in 1..30 {
            let expected = 1.0 - old_share.powi(n);
            assert!((filter.filter(1.0, STEP) - expected).abs() < 1e-5, "after {n} steps");
        }
    }

    /// Seconds that a filter runs behind a steady turn.
    fn lag(min_cutoff: f32, beta: f32, speed: f32) -> f32 {
        let mut filter = OneEuroRotation::new(min_cutoff, beta);
        let mut behind = 0.0;
        for n in 0..60 {
            let angle = speed * STEP * n as f32;
            let out = filter.filter(Rotation3::from_euler_angles(0.0, angle, 0.0), STEP);
            behind = angle - out.scaled_axis().y;
        }
        behind / speed
    }

    #[test]
    fn the_lag_is_the_documented_one() {
        for (speed, documented) in [(0.1, 0.059), (1.0, 0.012)] {
            let expected = 1.0 / (std::f32::consts::TAU * (1.5 + 12.0 * speed));
            let measured = lag(1.5, 12.0, speed);
            assert!((measured - expected).abs() < 0.002 * expected + 2e-4, "{measured} {expected}");
            assert!((measured - documented).abs() < 1e-3, "{measured} {documented}");
        }
    }

    #[test]
    fn tremor_is_reduced_as_documented() {
        // Independent noise from a linear congruential generator (Numerical Recipes), uniform with this deviation.
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.001 * 12.0_f32.sqrt() * (seed as f32 / u32::MAX as f32 - 0.5)
        };
        let mut filter = OneEuro::new(1.5, 12.0);
        let (mut before, mut after) = (0.0, 0.0);
        for _ in 0..20_000 {
            let value = noise();
            before += value * value;
            after += filter.filter(value, STEP).powi(2);
        }
        let ratio = (after / before).sqrt();
        assert!((ratio - 0.41).abs() < 0.02, "{ratio}");
    }

    #[test]
    fn vectors_and_rotations_follow_the_scalar_filter() {
        let (mut scalar, mut vector) = (OneEuro::new(1.0, 0.5), OneEuro::new(1.0, 0.5));
        let mut rotation = OneEuroRotation::new(1.0, 0.5);
        for n in 0..50 {
            let angle = (n as f32 * 0.3).sin();
            let expected = scalar.filter(angle, STEP);
            let v = vector.filter(Vector3::new(0.6, 0.0, 0.8) * angle, STEP);
            assert!((v - Vector3::new(0.6, 0.0, 0.8) * expected).norm() < 1e-4, "{n}");
            let r = rotation.filter(Rotation3::new(Vector3::new(0.6, 0.0, 0.8) * angle), STEP);
            assert!((r.scaled_axis() - Vector3::new(0.6, 0.0, 0.8) * expected).norm() < 1e-4, "{n}");
        }
    }

    #[test]
    fn reset_and_time_standing_still_pass_the_value() {
        let mut filter = OneEuro::new(1.0, 0.0);
        filter.filter(0.0, STEP);
        assert!((filter.filter(5.0, 0.0) - 5.0).abs() < 1e-9);
        filter.reset();
        assert!((filter.filter(-3.0, STEP) + 3.0).abs() < 1e-9);
    }
}
