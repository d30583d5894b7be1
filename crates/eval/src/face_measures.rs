//! What the face does: an output's face against the face that was wanted.
//!
//! In self-reenactment and few-shot what is wanted is the true frame's face. In cross-reenactment it is the photo's face
//! changed as the driver's has changed since its neutral frame: rotation by composition, lids by their ratio (a blink
//! closes fully, whatever the eye's size), mouth, gaze and blendshapes by their difference.

use gioconda_avatar::FaceState;
use gioconda_face::features::{SIDES, gaze};
use gioconda_face::topology::{TOPOLOGY, landmarks_of, point};
use gioconda_face::{Blendshapes, LANDMARKS, Landmarks, rotation_vector};
use nalgebra::{Rotation3, Vector2};

use crate::Result;
use crate::measures::Means;

/// A driver's opening must vary so much over a clip, standard deviation, for a correlation to mean anything.
const LEAST_VARIATION: f64 = 0.02;

/// A face, measured.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    /// Pixels of the 256 x 256 crop.
    pub(crate) landmarks: Landmarks,
    /// Pose, and openings of eyes and mouth.
    pub(crate) state: FaceState,
    blendshapes: Vec<f32>,
    /// Right, then left.
    gaze: [Vector2<f32>; 2],
}

impl Face {
    pub(crate) fn of(landmarks: Landmarks, model: &Blendshapes) -> Result<Self> {
        let blendshapes = model.coefficients(&landmarks)?.to_vec();
        let gaze = SIDES.map(|side| gaze(&landmarks, side));
        Ok(Self { state: FaceState::new(&landmarks), landmarks, blendshapes, gaze })
    }
}

/// What an output should show.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    rotation: Rotation3<f32>,
    eyes: [f32; 2],
    mouth: f32,
    gaze: [Vector2<f32>; 2],
    blendshapes: Vec<f32>,
    /// Where the landmarks should be, if that is known.
    landmarks: Option<Landmarks>,
}

impl Wanted {
    /// The face of the true frame.
    pub(crate) fn truth(face: &Face) -> Self {
        Self {
            rotation: face.state.pose.rotation,
            eyes: face.state.eyes,
            mouth: face.state.mouth,
            gaze: face.gaze,
            blendshapes: face.blendshapes.clone(),
            landmarks: Some(face.landmarks.clone()),
        }
    }

    /// The photo's face, changed as the driver's has changed since its neutral frame.
    pub(crate) fn relative(photo: &Face, neutral: &Face, driver: &Face) -> Self {
        let change = driver.state.pose.rotation * neutral.state.pose.rotation.inverse();
        let eye = |i: usize| {
            photo.state.eyes[i]
                * (driver.state.eyes[i] / neutral.state.eyes[i].max(f32::EPSILON)).clamp(0.0, 2.0)
        };
        let blendshapes = photo.blendshapes.iter().zip(neutral.blendshapes.iter().zip(&driver.blendshapes));
        Self {
            rotation: change * photo.state.pose.rotation,
            eyes: [eye(0), eye(1)],
            mouth: (photo.state.mouth + driver.state.mouth - neutral.state.mouth).max(0.0),
            gaze: [0, 1].map(|i| photo.gaze[i] + driver.gaze[i] - neutral.gaze[i]),
            blendshapes: blendshapes.map(|(photo, (from, to))| (photo + to - from).clamp(0.0, 1.0)).collect(),
            landmarks: None,
        }
    }

    /// Adds what `found` is off by.
    pub(crate) fn compare(&self, found: &Face, means: &mut Means) {
        if let Some(landmarks) = &self.landmarks {
            let all: Vec<usize> = (0..LANDMARKS).collect();
            means.add("akd", akd(landmarks, &found.landmarks, &all));
            means.add("akd_mouth", akd(landmarks, &found.landmarks, &mouth_landmarks()));
            means.add("akd_eyes", akd(landmarks, &found.landmarks, &eye_landmarks()));
            means.add("nme", nme(landmarks, &found.landmarks));
        }
        let turn = rotation_vector(&(found.state.pose.rotation * self.rotation.inverse()));
        means.add("pose", f64::from(turn.norm()).to_degrees());
        means.add("mouth_opening", f64::from((found.state.mouth - self.mouth).abs()));
        let both = |difference: [f32; 2]| f64::from(difference.iter().sum::<f32>() / 2.0);
        means.add("eye_opening", both([0, 1].map(|i| (found.state.eyes[i] - self.eyes[i]).abs())));
        means.add("gaze", both([0, 1].map(|i| (found.gaze[i] - self.gaze[i]).norm())));
        let blendshapes = found.blendshapes.iter().zip(&self.blendshapes);
        let sum: f32 = blendshapes.map(|(found, wanted)| (found - wanted).abs()).sum();
        means.add("expression", f64::from(sum) / self.blendshapes.len() as f64);
    }
}

/// Mean absolute difference over landmarks and both coordinates, pixels (AKD, Siarohin et al. 2019).
fn akd(a: &Landmarks, b: &Landmarks, which: &[usize]) -> f64 {
    let sum: f32 = which.iter().map(|&i| (a.xy(i) - b.xy(i)).abs().sum()).sum();
    f64::from(sum) / (2 * which.len()) as f64
}

/// Mean distance of the landmarks over that of the outer eye corners of `a`, percent.
fn nme(a: &Landmarks, b: &Landmarks) -> f64 {
    let eyes = (a.xy(point::RIGHT_EYE_OUTER) - a.xy(point::LEFT_EYE_OUTER)).norm().max(f32::EPSILON);
    let sum: f32 = (0..LANDMARKS).map(|i| (a.xy(i) - b.xy(i)).norm()).sum();
    100.0 * f64::from(sum / eyes) / LANDMARKS as f64
}

fn mouth_landmarks() -> Vec<usize> {
    landmarks_of(&[&TOPOLOGY.contours.lips])
}

fn eye_landmarks() -> Vec<usize> {
    let contours = &TOPOLOGY.contours;
    landmarks_of(&[&contours.left_eye, &contours.right_eye, &contours.left_iris, &contours.right_iris])
}

/// Mean length of the second difference of the landmarks of three consecutive frames, pixels.
pub(crate) fn second_difference([a, b, c]: [&Landmarks; 3]) -> f64 {
    let sum: f32 = (0..LANDMARKS).map(|i| (a.xy(i) - 2.0 * b.xy(i) + c.xy(i)).norm()).sum();
    f64::from(sum) / LANDMARKS as f64
}

/// Wanted and found openings over a clip, whose correlation says whether one follows the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Openings {
    eyes: Vec<[f64; 2]>,
    mouth: Vec<[f64; 2]>,
}

impl Openings {
    pub(crate) fn add(&mut self, wanted: &Wanted, found: &Face) {
        let both = |eyes: [f32; 2]| f64::from(f32::midpoint(eyes[0], eyes[1]));
        self.eyes.push([both(wanted.eyes), both(found.state.eyes)]);
        self.mouth.push([f64::from(wanted.mouth), f64::from(found.state.mouth)]);
    }

    /// Adds the correlations of a clip in which the driver did something.
    pub(crate) fn finish(&self, means: &mut Means) {
        means.add("eye_correlation", correlation(&self.eyes));
        means.add("mouth_correlation", correlation(&self.mouth));
    }
}

/// Pearson's correlation; `None` where the first hardly varies. What stays still does not follow: 0.
fn correlation(pairs: &[[f64; 2]]) -> Option<f64> {
    let count = pairs.len() as f64;
    let mean = |i: usize| pairs.iter().map(|pair| pair[i]).sum::<f64>() / count;
    let means = [mean(0), mean(1)];
    let product = |i: usize, j: usize| {
        pairs.iter().map(|pair| (pair[i] - means[i]) * (pair[j] - means[j])).sum::<f64>() / count
    };
    let (wanted, found) = (product(0, 0).sqrt(), product(1, 1).sqrt());
    if pairs.len() < 3 || wanted < LEAST_VARIATION {
        return None;
    }
    Some(if found > 1e-9 { product(0, 1) / (wanted * found) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use gioconda_face::{HeadPose, Threads};
    use nalgebra::Vector3;

    use super::*;
    use crate::measures::Values;

    /// The canonical face turned by `yaw`, its lower lip lowered by `lips` centimetres.
    fn face(yaw: f32, lips: f32) -> Face {
        let pose = HeadPose {
            scale: 10.0,
            rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
            translation: Vector3::new(128.0, -128.0, 0.0),
            residual: 0.0,
        };
        let mut landmarks = pose.canonical_face();
        for lip in [14, 87, 317] {
            landmarks.points[lip] = pose.from_canonical(TOPOLOGY.vertices[lip] - Vector3::y() * lips);
        }
        Face::of(landmarks, &Blendshapes::new(Threads::Count(1)).unwrap()).unwrap()
    }

    fn compared(wanted: &Wanted, found: &Face) -> Values {
        let mut means = Means::default();
        wanted.compare(found, &mut means);
        means.values()
    }

    #[test]
    fn a_face_is_not_off_from_itself() {
        let values = compared(&Wanted::truth(&face(0.2, 0.5)), &face(0.2, 0.5));
        assert!(values.len() >= 8 && values.values().all(|value| value.abs() < 1e-4), "{values:?}");
    }

    #[test]
    fn a_turn_is_measured_in_degrees_and_a_shift_in_pixels() {
        let found = compared(&Wanted::truth(&face(0.0, 0.0)), &face(0.1, 0.0));
        assert!((found["pose"] - 0.1_f64.to_degrees()).abs() < 0.01, "{found:?}");
        let still = face(0.0, 0.0).landmarks;
        let moved = still.scaled_and_shifted(1.0, Vector2::new(3.0, -1.0));
        assert!((akd(&still, &moved, &[1, 2, 3]) - 2.0).abs() < 1e-4);
        let eyes = f64::from((still.xy(33) - still.xy(263)).norm());
        assert!((nme(&still, &moved) - 100.0 * 10.0_f64.sqrt() / eyes).abs() < 1e-3);
    }

    #[test]
    fn a_relative_motion_starts_from_the_photo() {
        let (photo, neutral, driver) = (face(0.3, 0.0), face(0.1, 0.0), face(0.2, 0.6));
        let good = compared(&Wanted::relative(&photo, &neutral, &driver), &face(0.4, 0.6));
        assert!(good["pose"] < 0.1 && good["mouth_opening"] < 0.02, "{good:?}");
        let copy = compared(&Wanted::relative(&photo, &neutral, &driver), &photo);
        assert!(copy["pose"] > 5.0 && copy["mouth_opening"] > 0.05, "{copy:?}");
        assert!(!good.contains_key("akd"), "where landmarks should be is not known");
    }

    #[test]
    fn jitter_is_the_second_difference() {
        let still = face(0.0, 0.0).landmarks;
        let at = |x: f32| still.scaled_and_shifted(1.0, Vector2::new(x, 0.0));
        assert!(second_difference([&at(0.0), &at(1.0), &at(2.0)]) < 1e-4);
        assert!((second_difference([&at(0.0), &at(1.0), &at(0.0)]) - 2.0).abs() < 1e-4);
    }

    #[test]
    fn correlation_needs_a_driver_that_moves() {
        let along: Vec<[f64; 2]> = (0..9).map(|i| [f64::from(i), 3.0 * f64::from(i) + 1.0]).collect();
        assert!((correlation(&along).unwrap() - 1.0).abs() < 1e-12);
        let frozen: Vec<[f64; 2]> = (0..9).map(|i| [f64::from(i), 2.0]).collect();
        assert_eq!(correlation(&frozen), Some(0.0));
        assert_eq!(correlation(&[[0.1, 0.0], [0.1, 1.0], [0.1, 2.0]]), None);
    }
}
