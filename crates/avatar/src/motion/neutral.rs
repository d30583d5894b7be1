//! Choosing the driver's neutral frame: the one most like the photo.
//!
//! Everything the portrait does is relative to this frame, so an error here is a wrong face in *every* frame. The
//! choice wants the photo's openings of eyes and mouth, the photo's head rotation, and a face that is typical for
//! the clip (a raised brow in the neutral frame would pull the portrait's brows down ever after).

use gioconda_face::{LANDMARKS, rotation_vector};
use nalgebra::Vector3;

use crate::motion::frame::FaceState;

/// How much a difference of one unit in each term costs, in radians of head rotation.
const OPENING_WEIGHT: f32 = 3.0;
const TYPICAL_WEIGHT: f32 = 1.0;

/// Index of the state in `driver` that is nearest to `portrait`; `None` when `driver` is empty.
///
/// Without a portrait (a motion is recorded before it is known who will perform it) the neutral is judged against
/// an awake face with its mouth shut that looks into the camera.
pub fn choose_neutral(driver: &[FaceState], portrait: Option<&FaceState>) -> Option<usize> {
    let typical = mean_shape(driver);
    let target = portrait.map_or_else(|| Target::awake(driver), Target::of);
    let costs =
        driver.iter().map(|state| target.distance(state) + TYPICAL_WEIGHT * rms(&state.shape, &typical));
    costs.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
}

struct Target {
    rotation: nalgebra::Rotation3<f32>,
    eyes: [f32; 2],
    mouth: f32,
}

impl Target {
    fn of(portrait: &FaceState) -> Self {
        Self { rotation: portrait.pose.rotation, eyes: portrait.eyes, mouth: portrait.mouth }
    }

    /// Eyes as open as the driver's usually are: half of the frames lie above the median.
    fn awake(driver: &[FaceState]) -> Self {
        let median = |eye: usize| {
            let mut openings: Vec<f32> = driver.iter().map(|state| state.eyes[eye]).collect();
            openings.sort_by(f32::total_cmp);
            openings.get(openings.len() / 2).copied().unwrap_or(0.0)
        };
        Self { rotation: nalgebra::Rotation3::identity(), eyes: [median(0), median(1)], mouth: 0.0 }
    }

    fn distance(&self, state: &FaceState) -> f32 {
        let openings: f32 = (state.mouth - self.mouth).abs()
            + self.eyes.iter().zip(state.eyes).map(|(a, b)| (a - b).abs()).sum::<f32>();
        OPENING_WEIGHT * openings + rotation_vector(&self.rotation.rotation_to(&state.pose.rotation)).norm()
    }
}

fn mean_shape(states: &[FaceState]) -> [Vector3<f32>; LANDMARKS] {
    let mut mean = [Vector3::zeros(); LANDMARKS];
    for state in states {
        for (sum, point) in mean.iter_mut().zip(&state.shape) {
            *sum += point / states.len() as f32;
        }
    }
    mean
}

/// Root mean square distance of two shapes, centimetres.
fn rms(a: &[Vector3<f32>; LANDMARKS], b: &[Vector3<f32>; LANDMARKS]) -> f32 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).norm_squared()).sum();
    (sum / LANDMARKS as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::topology::TOPOLOGY;
    use gioconda_face::{HeadPose, Landmarks};
    use nalgebra::Rotation3;

    fn state(yaw: f32, jaw: f32) -> FaceState {
        let mut shape = [Vector3::zeros(); LANDMARKS];
        for (point, vertex) in shape.iter_mut().zip(&TOPOLOGY.vertices) {
            *point = *vertex;
        }
        for lip in [14, 87, 317, 15, 16, 17] {
            shape[lip].y -= jaw;
        }
        let rotation = Rotation3::from_euler_angles(0.0, yaw, 0.0);
        let pose = HeadPose { scale: 10.0, rotation, translation: Vector3::zeros(), residual: 0.0 };
        FaceState::new(&Landmarks { points: shape }.map(|p| pose.from_canonical(p)))
    }

    #[test]
    fn the_frame_most_like_the_photo_is_neutral() {
        let driver = vec![state(0.4, 0.0), state(0.0, 1.5), state(0.02, 0.0), state(-0.3, 0.5)];
        assert_eq!(choose_neutral(&driver, Some(&state(0.0, 0.0))), Some(2));
        assert_eq!(choose_neutral(&driver, Some(&state(0.0, 1.5))), Some(1));
        assert_eq!(choose_neutral(&driver, None), Some(2));
        assert_eq!(choose_neutral(&[], None), None);
    }
}
