//! Where a head is and how it moves as a whole.

use gioconda_face::HeadPose;
use nalgebra::{Vector2, Vector3};

/// The head's centre in the canonical frame, centimetres: between the ears.
const HEAD_CENTRE: Vector3<f32> = Vector3::new(0.0, 2.0, -4.0);

/// What the outline of hair moves about, in the canonical frame, centimetres: of three depths the one that films of other people
/// agree with best.
const HAIR_CENTRE: Vector3<f32> = Vector3::new(0.0, 2.0, -7.0);

/// How the outline of the skull moves from one pose to another: a similarity of the picture.
pub(crate) struct SkullMotion {
    centre: Vector2<f32>,
    shift: Vector2<f32>,
    /// `scale * cos - 1` and `scale * sin` of the roll, which are 0 for equal poses to the last bit.
    stretch: f32,
    turn: f32,
}

impl SkullMotion {
    pub(crate) fn new(from: &HeadPose, to: &HeadPose) -> Self {
        Self::about(HEAD_CENTRE, from, to)
    }

    /// How the outline of the skull with its hair moves, where the matte shows it.
    pub(crate) fn with_hair(from: &HeadPose, to: &HeadPose) -> Self {
        Self::about(HAIR_CENTRE, from, to)
    }

    fn about(middle: Vector3<f32>, from: &HeadPose, to: &HeadPose) -> Self {
        let [centre, centre_to] = [from, to].map(|pose| pose.from_canonical(middle).xy());
        let relative = to.rotation.matrix() * from.rotation.matrix().transpose();
        let angle = (relative.m21 - relative.m12).atan2(relative.m11 + relative.m22);
        let scale = to.scale / from.scale;
        Self {
            centre,
            shift: centre_to - centre,
            stretch: scale * angle.cos() - 1.0,
            turn: scale * angle.sin(),
        }
    }

    pub(crate) fn displacement(&self, p: Vector2<f32>) -> Vector2<f32> {
        let d = p - self.centre;
        // The pose's y axis points up, the picture's down: a positive roll is counter-clockwise on the screen.
        self.shift + Vector2::new(self.stretch * d.x + self.turn * d.y, self.stretch * d.y - self.turn * d.x)
    }
}

/// Where the middle of a head in this pose is seen, pixels.
pub(crate) fn head_centre(pose: &HeadPose) -> Vector2<f32> {
    pose.from_canonical(HEAD_CENTRE).xy()
}

/// [`HeadPose::face_width`], at least a pixel: what lengths are counted in.
pub(crate) fn face_width(pose: &HeadPose) -> f32 {
    pose.face_width().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_poses_do_not_move_the_skull_at_all() {
        let pose = HeadPose {
            scale: 12.3,
            rotation: nalgebra::Rotation3::from_euler_angles(0.1, -0.4, 0.2),
            translation: Vector3::new(210.0, -180.0, 30.0),
            residual: 0.0,
        };
        let motion = SkullMotion::new(&pose, &pose);
        assert_eq!(motion.displacement(Vector2::new(17.0, 400.0)), Vector2::zeros());
    }
}
