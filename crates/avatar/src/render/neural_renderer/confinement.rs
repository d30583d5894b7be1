//! Where the network may change the frame: on the face, and on the rest of the head while that has not gone far.
//!
//! The network learned on pictures whose background moved with the head. Far from the photo's pose it paints that background over
//! hair, where the warp alone is the better picture.

use gioconda_face::{HeadPose, rotation_vector};
use gioconda_kernels::smoothstep;
use nalgebra::{Vector2, Vector3};

/// The middle of the face in the canonical frame, centimetres.
const MIDDLE: Vector3<f32> = Vector3::new(0.0, 0.0, 2.0);
/// Half the face's width and height around it, centimetres.
const HALF: [f32; 2] = [7.5, 9.5];
/// The network's share falls from all to what the head's way leaves between these radii, in halves of the face.
const EDGE: [f32; 2] = [0.8, 1.05];
/// Outside the face the network's share falls to 0 when the head has moved this far: hair, then neck. Distance is the root of shift
/// squared (face widths) plus angle squared (radians).
const FAR: [f32; 2] = [0.2, 0.5];
/// Turned by the first of these, radians, a face is still the network's; by the second, it keeps the least share.
const TURNED: [f32; 2] = [0.45, 0.7];
/// The network's least share of a turned face.
const LEAST: f32 = 0.6;
/// Up to this distance nothing is taken from the network.
const NEAR: f32 = 0.05;
/// Hair goes over into neck between these heights, in halves of the face, from its middle up.
const CHIN: [f32; 2] = [-0.6, -1.0];

/// The network's share over one frame.
pub(super) struct Confinement {
    middle: Vector2<f32>,
    /// From pixels to halves of the face, along the head's own axes.
    across: Vector2<f32>,
    up: Vector2<f32>,
    /// On the face, 0..1.
    face: f32,
    /// On hair and on the neck, 0..1.
    beside: [f32; 2],
}

impl Confinement {
    /// Of a frame whose head is in the pose `driving`; in the photo it is in `rest`.
    pub(super) fn new(rest: &HeadPose, driving: &HeadPose) -> Self {
        let middles = [rest, driving].map(|pose| pose.from_canonical(MIDDLE).xy());
        let shift = (middles[1] - middles[0]).norm() / rest.face_width().max(1.0);
        let turn = rotation_vector(&(driving.rotation * rest.rotation.inverse())).norm();
        let gone = shift.hypot(turn) - NEAR;
        let roll = driving.roll();
        let unit = driving.scale.max(f32::MIN_POSITIVE).recip();
        Self {
            middle: middles[1],
            across: Vector2::new(roll.cos(), -roll.sin()) * (unit / HALF[0]),
            up: Vector2::new(-roll.sin(), -roll.cos()) * (unit / HALF[1]),
            face: 1.0
                - (1.0 - LEAST) * smoothstep(((turn - TURNED[0]) / (TURNED[1] - TURNED[0])).clamp(0.0, 1.0)),
            beside: FAR.map(|far| 1.0 - smoothstep((gone / (far - NEAR)).clamp(0.0, 1.0))),
        }
    }

    /// At a place of the canvas, pixels, of which the person covers so much, 0..255: 0..1.
    pub(super) fn at(&self, place: Vector2<f32>, covered: u8) -> f32 {
        let place = place - self.middle;
        let height = place.dot(&self.up);
        let radius = place.dot(&self.across).hypot(height);
        let outside = smoothstep(((radius - EDGE[0]) / (EDGE[1] - EDGE[0])).clamp(0.0, 1.0));
        let [hair, neck] = self.beside;
        let below = smoothstep(((height - CHIN[0]) / (CHIN[1] - CHIN[0])).clamp(0.0, 1.0));
        let beside = hair + (neck - hair) * below;
        (self.face + (beside.min(self.face) - self.face) * outside) * f32::from(covered) / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    fn pose(yaw: f32, x: f32) -> HeadPose {
        HeadPose {
            scale: 20.0,
            rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
            translation: Vector3::new(300.0 + x, -300.0, 0.0),
            residual: 0.0,
        }
    }

    #[test]
    fn a_head_at_rest_is_the_networks_as_far_as_it_is_covered() {
        let confinement = Confinement::new(&pose(0.0, 0.0), &pose(0.0, 0.0));
        for place in [Vector2::new(300.0, 300.0), Vector2::new(300.0, 40.0)] {
            assert!((confinement.at(place, 255) - 1.0).abs() < 1e-6);
            assert!(confinement.at(place, 0) == 0.0);
        }
    }

    #[test]
    fn a_head_that_has_gone_far_keeps_the_network_on_its_face() {
        for far in [pose(0.38, 0.0), pose(0.0, 120.0)] {
            let confinement = Confinement::new(&pose(0.0, 0.0), &far);
            let middle = far.from_canonical(MIDDLE).xy();
            assert!(confinement.at(middle, 255) > 0.99);
            // Hair, and the neck, which may take part for longer.
            assert!(confinement.at(middle - Vector2::new(0.0, 13.0 * 20.0), 255) < 0.01);
            assert!(confinement.at(middle + Vector2::new(0.0, 13.0 * 20.0), 255) < 0.3);
        }
    }

    #[test]
    fn a_face_that_has_turned_far_is_partly_the_warps() {
        let confinement = Confinement::new(&pose(0.0, 0.0), &pose(0.8, 0.0));
        let middle = pose(0.8, 0.0).from_canonical(MIDDLE).xy();
        assert!((confinement.at(middle, 255) - LEAST).abs() < 1e-3);
    }
}
