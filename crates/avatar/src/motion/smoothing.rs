//! Taking the tracker's jitter out of a motion without making it late.
//!
//! One-Euro filters (Casiez et al. 2012): slow movements are smoothed strongly, fast ones hardly. Pose and expression
//! are filtered separately: heads move slowly and show every tremor, lips and lids move fast and must not lag.

use gioconda_face::{LANDMARKS, OneEuro, OneEuroRotation};
use nalgebra::{Vector2, Vector3};

use crate::motion::frame::MotionFrame;

/// Cutoff for a slow movement in Hz, and how much it rises with speed, both for a strength of 1.
#[derive(Clone, Copy)]
struct Tuning {
    min_cutoff: f32,
    beta: f32,
}

/// Speeds in radians a second.
const ROTATION: Tuning = Tuning { min_cutoff: 1.5, beta: 12.0 };
/// Speeds in canonical centimetres a second: a swaying head reaches 20.
const TRANSLATION: Tuning = Tuning { min_cutoff: 1.5, beta: 1.0 };
/// Speeds in relative size a second.
const SCALE: Tuning = Tuning { min_cutoff: 1.0, beta: 10.0 };
/// Speeds in canonical centimetres a second: a lip reaches 10.
const EXPRESSION: Tuning = Tuning { min_cutoff: 3.0, beta: 2.5 };
/// Speeds in neutral openings a second: a blink reaches 10.
const OPENING: Tuning = Tuning { min_cutoff: 4.0, beta: 4.0 };

impl Tuning {
    /// A filter that smooths `strength` times as much.
    fn filter<S: gioconda_face::Signal>(self, strength: f32) -> OneEuro<S> {
        OneEuro::new(self.min_cutoff / strength, self.beta / strength)
    }
}

/// Smooths a motion, frame by frame.
///
/// # Lag
/// A movement at constant speed comes out late by `1 / (2π (min_cutoff + beta · speed))`: at strength 1 a slow nod
/// (0.2 rad/s) 41 ms, a quick one (1 rad/s) 12 ms, lips that open at 10 cm/s 6 ms, a blink 4 ms.
#[derive(Debug)]
pub(crate) struct MotionSmoother {
    /// `None`: smoothing is off.
    filters: Option<Box<Filters>>,
}

#[derive(Debug)]
struct Filters {
    rotation: OneEuroRotation,
    translation: OneEuro<Vector2<f32>>,
    scale: OneEuro<f32>,
    /// One for each landmark: a still forehead must not hold fast lips back.
    expression: Vec<OneEuro<Vector3<f32>>>,
    eyes: [OneEuro<f32>; 2],
    mouth: OneEuro<f32>,
}

impl MotionSmoother {
    /// A strength of 0 leaves frames as they are, 1 is the default.
    pub(crate) fn new(strength: f32) -> Self {
        let filters = (strength > 0.0).then(|| {
            Box::new(Filters {
                rotation: ROTATION.filter(strength),
                translation: TRANSLATION.filter(strength),
                scale: SCALE.filter(strength),
                expression: vec![EXPRESSION.filter(strength); LANDMARKS],
                eyes: [OPENING.filter(strength), OPENING.filter(strength)],
                mouth: OPENING.filter(strength),
            })
        });
        Self { filters }
    }

    /// The next frame, smoothed, `step` seconds after the one before.
    pub(crate) fn smooth(&mut self, mut motion: MotionFrame, step: f32) -> MotionFrame {
        if let Some(filters) = &mut self.filters {
            motion.rotation = filters.rotation.filter(motion.rotation, step);
            motion.translation = filters.translation.filter(motion.translation, step);
            motion.scale = filters.scale.filter(motion.scale, step);
            for (displacement, filter) in motion.expression.iter_mut().zip(&mut filters.expression) {
                *displacement = filter.filter(*displacement, step);
            }
            for (opening, filter) in motion.eyes.iter_mut().zip(&mut filters.eyes) {
                *opening = filter.filter(*opening, step);
            }
            motion.mouth = filters.mouth.filter(motion.mouth, step);
        }
        motion
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    #[test]
    fn strength_zero_changes_nothing() {
        let mut smoother = MotionSmoother::new(0.0);
        let mut motion = MotionFrame::rest();
        for i in 0..5_u8 {
            motion.scale = 1.0 + 0.1 * f32::from(i % 2);
            assert_eq!(smoother.smooth(motion.clone(), 0.04), motion);
        }
    }

    #[test]
    fn jitter_falls_and_a_blink_passes() {
        let mut smoother = MotionSmoother::new(1.0);
        let mut last = 0.0;
        let mut steps = 0.0_f32;
        for i in 0..50_u8 {
            let mut motion = MotionFrame::rest();
            let tremor = if i % 2 == 0 { 0.002 } else { -0.002 };
            motion.rotation = Rotation3::from_euler_angles(0.0, tremor, 0.0);
            let angle = gioconda_face::rotation_vector(&smoother.smooth(motion, 0.04).rotation).y;
            steps = steps.max((angle - last).abs() * f32::from(u8::from(i > 5)));
            last = angle;
        }
        assert!(steps < 0.5 * 0.004, "the tremor's steps of 0.004 rad are still {steps}");

        let mut smoother = MotionSmoother::new(1.0);
        let mut deepest = 1.0_f32;
        for opening in [1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.5, 1.0, 1.0] {
            let mut motion = MotionFrame::rest();
            motion.eyes = [opening; 2];
            deepest = deepest.min(smoother.smooth(motion, 0.04).eyes[0]);
        }
        assert!(deepest < 0.1, "a blink of four frames only reaches {deepest}");
    }
}
