//! Motion transfer: a driver's motion, performed by the portrait's own face (DESIGN.md section 5).
//!
//! Pose is composed with the photo's pose. Expression is added to the photo's shape, scaled to the portrait's own
//! mouth and eyes. Lids and lips are treated as openings of the portrait's own size: where the driver's close,
//! the portrait's close, whatever their sizes. What lies on bone keeps the portrait's shape.

use gioconda_face::features::{SIDES, Side};
use gioconda_face::topology::LIP_COLUMNS;
use gioconda_face::{HeadPose, LANDMARKS, Landmarks, rotation_vector};
use nalgebra::{Rotation3, Vector2, Vector3};

use crate::motion::frame::{FaceState, MotionFrame, Proportions};
use crate::motion::regions::{REGIONS, lid_columns};

/// How strongly each part of a motion is performed: 0 not at all, 1 as the driver does, 2 twice as much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains {
    /// Head rotation, shift and size.
    pub pose: f32,
    /// The whole face; multiplies the two below.
    pub expression: f32,
    /// Lids, gaze and what surrounds the eyes.
    pub eyes: f32,
    /// Lips and jaw.
    pub mouth: f32,
}

impl Default for Gains {
    fn default() -> Self {
        Self { pose: 1.0, expression: 1.0, eyes: 1.0, mouth: 1.0 }
    }
}

/// How far a head may go from the photo's pose before its motion is damped: a photo shows one side of a head, and
/// a frame has borders.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Radians from the photo's rotation.
    rotation: f32,
    /// Radians of yaw from the photo's, towards smaller and larger yaw.
    yaw: [f32; 2],
    /// Pixels the head may shift before it leaves the picture: towards smaller and larger x, then y (picture, down).
    shift: [[f32; 2]; 2],
    /// Smallest and largest scale.
    scale: [f32; 2],
}

/// Performs motions with one portrait's face.
#[derive(Clone, Debug)]
pub struct MotionTransfer {
    portrait: FaceState,
    proportions: Proportions,
    gains: Gains,
    /// `None`: follow the driver exactly.
    limits: Option<Limits>,
}

impl MotionTransfer {
    /// A transfer onto the face at `landmarks` of a picture of `width` x `height` pixels. Large motions are damped
    /// so that the head keeps inside the picture and within what one photo can show.
    pub fn new(landmarks: &Landmarks, (width, height): (u32, u32), gains: Gains) -> Self {
        let exact = Self::exact(landmarks, gains);
        let limits = Limits::for_face(landmarks, &exact.portrait.pose, width as f32, height as f32);
        Self { limits: Some(limits), ..exact }
    }

    /// A transfer that follows the driver exactly, wherever it goes: for the portrait's own person in the same
    /// frame. With gains of 1 and motion measured from the portrait itself, the driver's landmarks come out.
    pub fn exact(landmarks: &Landmarks, gains: Gains) -> Self {
        let portrait = FaceState::new(landmarks);
        let proportions = Proportions::of(&portrait.shape);
        Self { portrait, proportions, gains, limits: None }
    }

    /// The photo's face, taken apart.
    pub fn portrait(&self) -> &FaceState {
        &self.portrait
    }

    /// The portrait's landmarks, in pixels of its picture, when it performs `motion`.
    pub fn apply(&self, motion: &MotionFrame) -> Landmarks {
        let shape = self.shape(motion);
        let pose = self.pose(motion);
        Landmarks { points: shape }.map(|p| pose.from_canonical(p))
    }

    fn pose(&self, motion: &MotionFrame) -> HeadPose {
        let gain = self.gains.pose;
        let photo = &self.portrait.pose;
        let mut rotation = scaled(&motion.rotation, gain);
        let mut scale = motion.scale.max(0.05).powf(gain);
        // Pixels of the photo, y up as in the pose.
        let mut shift = motion.translation * (gain * photo.scale);
        if let Some(limits) = &self.limits {
            rotation = limits.rotation_within(&rotation);
            scale = if scale > 1.0 {
                1.0 + soft_limit(scale - 1.0, limits.scale[1] - 1.0, KNEE)
            } else {
                1.0 - soft_limit(1.0 - scale, 1.0 - limits.scale[0], KNEE)
            };
            shift = limits.shift_within(shift);
        }
        HeadPose {
            scale: photo.scale * scale,
            rotation: rotation * photo.rotation,
            translation: photo.translation + Vector3::new(shift.x, shift.y, 0.0),
            residual: photo.residual,
        }
    }

    fn shape(&self, motion: &MotionFrame) -> [Vector3<f32>; LANDMARKS] {
        let mut shape = self.portrait.shape;
        for (i, point) in shape.iter_mut().enumerate() {
            let local =
                1.0 + REGIONS.mouth[i] * (self.gains.mouth - 1.0) + REGIONS.eyes[i] * (self.gains.eyes - 1.0);
            let mobility = if self.limits.is_some() { REGIONS.mobility[i] } else { 1.0 };
            let gain = self.gains.expression * local.max(0.0) * mobility * self.proportions.at(i);
            *point += gain * motion.expression[i];
        }
        if self.limits.is_none() {
            return shape;
        }
        for (side, openness) in SIDES.into_iter().zip(motion.eyes) {
            let openness = 1.0 + (openness - 1.0) * self.gains.expression * self.gains.eyes;
            self.set_lids(
                &mut shape,
                side,
                if openness > 1.0 {
                    1.0 + soft_limit(openness - 1.0, WIDEST_EYE - 1.0, KNEE)
                } else {
                    openness.max(0.0)
                },
            );
        }
        let closure = 1.0 + (motion.mouth - 1.0) * self.gains.expression * self.gains.mouth;
        self.set_lips(&mut shape, closure.clamp(0.0, 1.0));
        shape
    }

    /// Opens the lids to `openness` of the photo's own opening.
    fn set_lids(&self, shape: &mut [Vector3<f32>; LANDMARKS], side: Side, openness: f32) {
        for (upper, lower) in lid_columns(side) {
            // In depth too, and where the expression already made the lids cross: shut lids lie on each other.
            let rest = self.portrait.shape[upper] - self.portrait.shape[lower];
            let change = rest * openness - (shape[upper] - shape[lower]);
            shape[upper] += UPPER_LID_SHARE * change;
            shape[lower] -= (1.0 - UPPER_LID_SHARE) * change;
        }
    }

    /// Keeps the lips from crossing, and closes them as far as the driver closes its own.
    fn set_lips(&self, shape: &mut [Vector3<f32>; LANDMARKS], closure: f32) {
        for (upper, lower) in LIP_COLUMNS {
            let gap = shape[upper[0]] - shape[lower[0]];
            // The photo's own lips may seem to cross by a hair.
            let crossed =
                (self.portrait.shape[upper[0]].y - self.portrait.shape[lower[0]].y).min(0.0) - gap.y;
            let change = if gap.y > 0.0 { gap * (closure - 1.0) } else { Vector3::y() * crossed.max(0.0) };
            // The whole lip moves with its edge, so that it keeps its thickness.
            for (up, low) in upper.into_iter().zip(lower) {
                shape[up] += 0.5 * change;
                shape[low] -= 0.5 * change;
            }
        }
    }
}

/// In a blink the upper lid does nearly all of the way.
const UPPER_LID_SHARE: f32 = 0.88;

/// Eyes open wider than this, relative to the photo's, look startled rather than awake; they near it from half of the way on.
const WIDEST_EYE: f32 = 1.35;

/// Farther than this from the photo's pose, radians, no photo of a face looks like the face any more. Turns are damped from
/// two thirds of it on, 30 degrees.
const MOST_TURNED: f32 = 45.0 * std::f32::consts::PI / 180.0;
/// The share of its limit from which on a turn is damped.
const TURN_KNEE: f32 = 2.0 / 3.0;
/// The same of shifts and sizes.
const KNEE: f32 = 0.5;

impl Limits {
    fn for_face(landmarks: &Landmarks, pose: &HeadPose, width: f32, height: f32) -> Self {
        let (low, high) = landmarks.bounds();
        let face = high - low;
        // Room between the head (a face has hair and ears around it) and the borders; a face that already touches a
        // border may still sway a little.
        let room = |space: f32, side: f32| (space - 0.25 * side).clamp(0.08 * side, 0.4 * side);
        let ahead = pose.rotation * Vector3::z();
        let yaw = ahead.x.atan2(ahead.z);
        // A face that looks aside hides its far cheek: little may be turned into view, for what the photo shows there
        // is hair and background. The other way there is more to see, until the profile.
        let unseen = (MOST_TURNED - 2.2 * yaw.abs()).max(6.0_f32.to_radians());
        let seen = (MOST_TURNED - 0.5 * yaw.abs()).max(6.0_f32.to_radians());
        Self {
            rotation: MOST_TURNED,
            yaw: if yaw < 0.0 { [seen, unseen] } else { [unseen, seen] },
            shift: [
                [room(low.x, face.x), room(width - high.x, face.x)],
                [room(low.y, face.y), room(height - high.y, face.y)],
            ],
            scale: [0.8, 1.25],
        }
    }

    /// `rotation`, its yaw and then its angle kept within the limits.
    fn rotation_within(&self, rotation: &Rotation3<f32>) -> Rotation3<f32> {
        let mut turn = rotation_vector(rotation);
        turn.y = within(turn.y, self.yaw, TURN_KNEE);
        let angle = turn.norm();
        if angle > f32::EPSILON {
            turn *= soft_limit(angle, self.rotation, TURN_KNEE) / angle;
        }
        Rotation3::new(turn)
    }

    /// `shift` in pixels with y up, kept inside the room there is.
    fn shift_within(&self, shift: Vector2<f32>) -> Vector2<f32> {
        let [up, down] = self.shift[1];
        Vector2::new(within(shift.x, self.shift[0], KNEE), within(shift.y, [down, up], KNEE))
    }
}

/// `value`, softly limited on either side of 0.
fn within(value: f32, [negative, positive]: [f32; 2], knee: f32) -> f32 {
    if value < 0.0 { -soft_limit(-value, negative, knee) } else { soft_limit(value, positive, knee) }
}

/// `value >= 0` unchanged up to this share of the limit, then bent smoothly so that it never passes the limit.
fn soft_limit(value: f32, limit: f32, knee: f32) -> f32 {
    let knee = knee * limit;
    if value <= knee { value } else { knee + (limit - knee) * ((value - knee) / (limit - knee)).tanh() }
}

fn scaled(rotation: &Rotation3<f32>, factor: f32) -> Rotation3<f32> {
    Rotation3::new(rotation_vector(rotation) * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The canonical face, looking into the camera, in a picture of 400 x 400.
    fn portrait() -> Landmarks {
        let pose = HeadPose {
            scale: 10.0,
            rotation: Rotation3::identity(),
            translation: Vector3::new(200.0, -200.0, 0.0),
            residual: 0.0,
        };
        pose.canonical_face()
    }

    fn transfer(gains: Gains) -> MotionTransfer {
        MotionTransfer::new(&portrait(), (400, 400), gains)
    }

    #[test]
    fn rest_gives_the_photo_back() {
        let moved = transfer(Gains::default()).apply(&MotionFrame::rest());
        for (a, b) in moved.points.iter().zip(&portrait().points) {
            assert!((a - b).norm() < 0.02, "{a} {b}");
        }
    }

    #[test]
    fn a_shut_driver_shuts_the_portrait() {
        let mut shut = MotionFrame::rest();
        shut.eyes = [0.0, 0.0];
        shut.mouth = 0.0;
        let transfer = transfer(Gains::default());
        let state = FaceState::new(&transfer.apply(&shut));
        for (now, rest) in state.eyes.into_iter().zip(transfer.portrait().eyes) {
            assert!(now < 0.05 * rest, "{now} of {rest}");
        }
        assert!(state.mouth < 1e-3);
    }

    #[test]
    fn gains_of_zero_hold_the_part_still() {
        let mut motion = MotionFrame::rest();
        motion.rotation = Rotation3::from_euler_angles(0.1, 0.2, 0.0);
        motion.translation = Vector2::new(0.5, 0.2);
        motion.eyes = [0.2; 2];
        motion.expression[13].y = 0.4;
        motion.expression[105].y = 0.3;
        let apply = |gains| FaceState::new(&transfer(gains).apply(&motion));
        let still = FaceState::new(&portrait());
        let no_pose = apply(Gains { pose: 0.0, ..Gains::default() });
        assert!((no_pose.pose.translation - still.pose.translation).norm() < 0.5);
        let no_eyes = apply(Gains { eyes: 0.0, ..Gains::default() });
        assert!((no_eyes.eyes[0] - still.eyes[0]).abs() < 0.01);
        let no_mouth = apply(Gains { mouth: 0.0, ..Gains::default() });
        assert!((no_mouth.mouth - still.mouth).abs() < 0.01);
        let full = apply(Gains::default());
        assert!(full.mouth > still.mouth + 0.01);
    }

    #[test]
    fn large_motions_keep_the_head_in_the_picture() {
        let mut wild = MotionFrame::rest();
        wild.translation = Vector2::new(60.0, -80.0);
        wild.scale = 4.0;
        wild.rotation = Rotation3::from_euler_angles(0.0, 1.4, 0.0);
        let moved = transfer(Gains::default()).apply(&wild);
        let centre = moved.points.iter().map(Vector3::xy).sum::<Vector2<f32>>() / LANDMARKS as f32;
        assert!(centre.x > 0.0 && centre.x < 400.0 && centre.y > 0.0 && centre.y < 400.0, "{centre}");
        let turned = rotation_vector(&FaceState::new(&moved).pose.rotation).norm().to_degrees();
        assert!(turned <= 45.5, "{turned}");
    }

    #[test]
    fn a_face_that_looks_aside_turns_little_towards_its_hidden_side() {
        let front = FaceState::new(&portrait());
        let yaw_of = |landmarks: &Landmarks| {
            let ahead = FaceState::new(landmarks).pose.rotation * Vector3::z();
            ahead.x.atan2(ahead.z).to_degrees()
        };
        for side in [-1.0_f32, 1.0] {
            let turn = Rotation3::from_euler_angles(0.0, side * 20.0_f32.to_radians(), 0.0);
            let pose = HeadPose { rotation: turn * front.pose.rotation, ..front.pose.clone() };
            let aside = portrait().map(|p| pose.from_canonical(front.pose.to_canonical(p)));
            let transfer = MotionTransfer::new(&aside, (400, 400), Gains::default());
            let turned = |degrees: f32| {
                let mut motion = MotionFrame::rest();
                motion.rotation = Rotation3::from_euler_angles(0.0, degrees.to_radians(), 0.0);
                yaw_of(&transfer.apply(&motion)) - yaw_of(&aside)
            };
            assert!(turned(-side * 30.0).abs() < 6.5, "{}", turned(-side * 30.0));
            assert!(turned(side * 30.0).abs() > 18.0, "{}", turned(side * 30.0));
        }
    }

    #[test]
    fn soft_limit_is_the_identity_below_its_knee_and_never_passes_the_limit() {
        for (value, limit) in [(0.0, 1.0), (0.4, 1.0), (0.5, 1.0)] {
            assert!((soft_limit(value, limit, 0.5) - value).abs() < 1e-6);
        }
        let mut last = 0.0;
        for step in 0..100 {
            let now = soft_limit(step as f32 * 0.1, 1.0, 0.5);
            assert!(now >= last && now <= 1.0);
            last = now;
        }
    }
}
