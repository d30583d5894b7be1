//! What the portrait does while the driver's face is lost: hold, then ease back to rest, then ease in again.

use gioconda_kernels::smoothstep;

use crate::motion::frame::MotionFrame;

/// Seconds the last motion is held when the face vanishes: a blink of the tracker must not be seen.
const HOLD: f32 = 0.4;
/// Seconds from the held motion back to rest.
const EASE_OUT: f32 = 0.8;
/// Seconds from wherever the portrait is to the found face's motion.
const EASE_IN: f32 = 0.3;

/// Fills the gaps of a motion.
#[derive(Debug)]
pub(crate) struct Continuity {
    /// What was last shown, while the face was there.
    held: MotionFrame,
    shown: MotionFrame,
    /// Seconds since the face vanished.
    lost_for: f32,
    /// Where easing in started, and how many seconds ago.
    easing: Option<(MotionFrame, f32)>,
    lost_frames: u64,
}

impl Continuity {
    /// Starting at rest.
    pub(crate) fn new() -> Self {
        Self {
            held: MotionFrame::rest(),
            shown: MotionFrame::rest(),
            lost_for: 0.0,
            easing: None,
            lost_frames: 0,
        }
    }

    /// The motion to show for what the tracker found, `None` being a lost face, `step` seconds after the frame before.
    pub(crate) fn next(&mut self, found: Option<MotionFrame>, step: f32) -> MotionFrame {
        let shown = match found {
            Some(motion) => self.found(motion, step),
            None => self.lost(step),
        };
        self.shown = shown.clone();
        shown
    }

    fn found(&mut self, motion: MotionFrame, step: f32) -> MotionFrame {
        if self.lost_for > 0.0 {
            self.easing = Some((self.shown.clone(), 0.0));
            self.lost_for = 0.0;
        }
        self.held = motion.clone();
        let Some((from, seconds)) = &mut self.easing else { return motion };
        *seconds += step;
        let t = *seconds / EASE_IN;
        if t >= 1.0 {
            self.easing = None;
            return motion;
        }
        from.blend(&motion, smoothstep(t))
    }

    fn lost(&mut self, step: f32) -> MotionFrame {
        self.lost_frames += 1;
        self.lost_for += step;
        self.easing = None;
        let t = ((self.lost_for - HOLD) / EASE_OUT).clamp(0.0, 1.0);
        let mut motion = self.held.blend(&MotionFrame::rest(), smoothstep(t));
        motion.confidence = 0.0;
        motion
    }

    /// Lets the portrait move from what it shows to what comes next as after a lost face: for motion that jumps because
    /// what it is relative to has changed.
    pub(crate) fn ease(&mut self) {
        self.easing = Some((self.shown.clone(), 0.0));
    }

    /// How many frames had no face so far.
    pub(crate) fn lost_frames(&self) -> u64 {
        self.lost_frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(angle: f32) -> MotionFrame {
        let mut motion = MotionFrame::rest();
        motion.rotation = nalgebra::Rotation3::from_euler_angles(0.0, angle, 0.0);
        motion
    }

    #[test]
    fn a_lost_face_is_held_then_rests_and_comes_back_without_a_jump() {
        let mut continuity = Continuity::new();
        let mut angles = Vec::new();
        let script =
            std::iter::repeat_n(Some(0.3), 5).chain(std::iter::repeat_n(None, 50)).chain([Some(0.4); 15]);
        for found in script {
            angles.push(gioconda_face::rotation_vector(&continuity.next(found.map(turned), 0.04).rotation).y);
        }
        assert!((angles[4] - 0.3).abs() < 1e-4, "a face that is there is followed at once");
        assert!((angles[5 + 8] - 0.3).abs() < 1e-3, "held");
        assert!(angles[54].abs() < 1e-3, "at rest");
        assert!((angles[69] - 0.4).abs() < 1e-3, "followed again");
        let largest = angles[4..].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(largest < 0.12, "largest step {largest}");
        assert_eq!(continuity.lost_frames(), 50);
    }
}
