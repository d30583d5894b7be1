//! Which photos are nearest to a frame, chosen so that the choice does not flicker.

use gioconda_face::features::{Side, eye_opening, mouth_opening};
use gioconda_face::topology::point;
use gioconda_face::{HeadPose, Landmarks, rotation_vector};
use nalgebra::Rotation3;

/// What one radian of turning is worth, in units of the mouth's opening over its width ...
const MOUTH_WEIGHT: f32 = 3.0;
/// ... of its width over the distance of the eyes ...
const SMILE_WEIGHT: f32 = 2.0;
/// ... and of an eye's opening over its width.
const EYE_WEIGHT: f32 = 1.0;

/// What two pictures of one face are compared by.
#[derive(Clone, Debug)]
pub(super) struct Posture {
    rotation: Rotation3<f32>,
    mouth: f32,
    smile: f32,
    /// The person's right, then left.
    eyes: [f32; 2],
}

impl Posture {
    pub(super) fn of(landmarks: &Landmarks) -> Self {
        let pose = HeadPose::fit(landmarks);
        let width = |a: usize, b: usize| (landmarks.points[a] - landmarks.points[b]).norm();
        let eyes_apart = width(point::RIGHT_EYE_OUTER, point::LEFT_EYE_OUTER).max(f32::MIN_POSITIVE);
        Self {
            rotation: pose.rotation,
            mouth: mouth_opening(landmarks),
            smile: width(point::MOUTH_RIGHT, point::MOUTH_LEFT) / eyes_apart,
            eyes: [Side::Right, Side::Left].map(|side| eye_opening(landmarks, side)),
        }
    }

    /// How far apart two pictures are, in radians of turning. Rolling the head costs nothing: it only turns pixels.
    pub(super) fn distance(&self, other: &Self) -> f32 {
        let turn = rotation_vector(&(other.rotation * self.rotation.inverse()));
        let eyes: f32 = self.eyes.iter().zip(other.eyes).map(|(a, b)| (a - b).powi(2)).sum();
        let parts = [
            turn.x,
            turn.y,
            MOUTH_WEIGHT * (self.mouth - other.mouth),
            SMILE_WEIGHT * (self.smile - other.smile),
        ];
        (parts.into_iter().map(|part| part * part).sum::<f32>() + EYE_WEIGHT * EYE_WEIGHT * eyes).sqrt()
    }
}

/// Another photo is taken only when it is nearer than one of the present ones by this share of the present distance and
/// by this many radians: what is gained is then worth a change that people might notice.
const NEARER: (f32, f32) = (0.2, 0.04);

/// What a photo's share of the face changes by from frame to frame: half the face in a fifth of a second at 25 frames a
/// second.
const STEP: f32 = 0.1;

/// Chooses two photos for one frame after the other. Both are painted: where landmarks are a little wrong, they are wrong
/// differently in each, and the mean of two is nearer to the truth than either (docs/training-log.md, portrait-8).
pub(super) struct Choice {
    photos: Vec<Posture>,
    /// The photos whose shares grow or stay.
    chosen: Option<[usize; 2]>,
    /// Of the face, for each photo.
    shares: Vec<f32>,
}

impl Choice {
    /// A choice among `photos`, at least two.
    pub(super) fn new(photos: Vec<Posture>) -> Self {
        let shares = vec![0.0; photos.len()];
        Self { photos, chosen: None, shares }
    }

    /// The next frame does not follow the last one: nothing fades.
    pub(super) fn restart(&mut self) {
        self.chosen = None;
    }

    /// The photos whose faces are laid over the first photo's in the next frame, one after the other, each with the
    /// share by which it covers what is below it.
    pub(super) fn next(&mut self, driving: &Landmarks) -> impl Iterator<Item = (usize, f32)> {
        let wanted = Posture::of(driving);
        let distances: Vec<f32> = self.photos.iter().map(|photo| photo.distance(&wanted)).collect();
        let began = self.chosen.is_none();
        let mut chosen = self.chosen.unwrap_or_else(|| {
            let mut order: Vec<usize> = (0..distances.len()).collect();
            order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
            [order[0], order[1]]
        });
        let fading = self.shares.iter().enumerate().any(|(i, share)| *share > 0.0 && !chosen.contains(&i));
        if !began && !fading {
            replace_farthest(&mut chosen, &distances);
        }
        self.chosen = Some(chosen);

        let wanted = shares_of(chosen, &distances);
        for (photo, share) in self.shares.iter_mut().enumerate() {
            let wanted = chosen.iter().position(|&i| i == photo).map_or(0.0, |i| wanted[i]);
            let step = if began { 1.0 } else { STEP };
            *share += (wanted - *share).clamp(-step, step);
        }
        let mut below = self.shares[0];
        self.shares.iter().copied().enumerate().skip(1).filter(|(_, share)| *share > 0.0).map(
            move |(photo, share)| {
                below += share;
                (photo, share / below)
            },
        )
    }
}

/// Another photo in the farther one's place, if it is nearer enough.
fn replace_farthest(chosen: &mut [usize; 2], distances: &[f32]) {
    let others = (0..distances.len()).filter(|photo| !chosen.contains(photo));
    let Some(nearest) = others.min_by(|&a, &b| distances[a].total_cmp(&distances[b])) else { return };
    let farthest = usize::from(distances[chosen[1]] > distances[chosen[0]]);
    let present = distances[chosen[farthest]];
    if present - distances[nearest] > NEARER.1.max(NEARER.0 * present) {
        chosen[farthest] = nearest;
    }
}

/// Half of the face each where both are as near; of the farther one less, in the measure of the distances.
fn shares_of(chosen: [usize; 2], distances: &[f32]) -> [f32; 2] {
    let [a, b] = chosen.map(|photo| distances[photo].max(f32::MIN_POSITIVE));
    let farther = 0.5 * a.min(b) / a.max(b);
    if a < b { [1.0 - farther, farther] } else { [farther, 1.0 - farther] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::topology::TOPOLOGY;
    use nalgebra::Vector3;

    /// The canonical face turned by `yaw`, its lower lip lowered by `drop` centimetres.
    fn face(yaw: f32, drop: f32) -> Landmarks {
        let pose = HeadPose {
            scale: 10.0,
            rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
            translation: Vector3::new(100.0, -100.0, 0.0),
            residual: 0.0,
        };
        let mut face = pose.canonical_face();
        for lip in [14, 87, 317] {
            face.points[lip] = pose.from_canonical(TOPOLOGY.vertices[lip] - Vector3::y() * drop);
        }
        face
    }

    /// The photo that has most of the face after some frames of the same.
    fn settled(choice: &mut Choice, driving: &Landmarks) -> usize {
        for _ in 0..30 {
            choice.next(driving).count();
        }
        let sum: f32 = choice.shares.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "still fading: {:?}", choice.shares);
        let most = (0..choice.shares.len()).max_by(|&a, &b| choice.shares[a].total_cmp(&choice.shares[b]));
        most.unwrap()
    }

    fn choice(faces: &[(f32, f32)]) -> Choice {
        Choice::new(faces.iter().map(|&(yaw, drop)| Posture::of(&face(yaw, drop))).collect())
    }

    #[test]
    fn pose_and_mouth_decide() {
        let mut choice = choice(&[(0.0, 0.0), (0.5, 0.0), (0.0, 2.0)]);
        for (yaw, drop, expected) in [(0.05, 0.1, 0), (0.45, 0.0, 1), (0.0, 1.8, 2), (0.02, 0.0, 0)] {
            assert_eq!(settled(&mut choice, &face(yaw, drop)), expected);
        }
    }

    #[test]
    fn the_two_nearest_share_the_face() {
        let mut choice = choice(&[(0.9, 0.0), (0.0, 0.0), (0.2, 0.0), (-0.9, 0.0)]);
        let mut next = |yaw| {
            choice.restart();
            choice.next(&face(yaw, 0.0)).collect::<Vec<_>>()
        };
        // Half way between both, each has half; the lower one is laid down whole.
        let [(1, lower), (2, upper)] = next(0.1)[..] else { panic!("the wrong photos") };
        assert!((lower - 1.0).abs() < 1e-3 && (upper - 0.5).abs() < 0.05, "{lower} {upper}");
        let [(1, _), (2, upper)] = next(0.05)[..] else { panic!("the wrong photos") };
        assert!((upper - 0.5 / 3.0).abs() < 0.05, "{upper}");
        // The first photo is what they are laid over.
        let [(2, upper)] = next(0.8)[..] else { panic!("the wrong photos") };
        assert!((upper - 0.5 / 6.0).abs() < 0.05, "{upper}");
    }

    #[test]
    fn jitter_half_way_does_not_flicker() {
        let mut choice = choice(&[(0.0, 0.0), (0.4, 0.0), (-0.4, 0.0)]);
        settled(&mut choice, &face(0.01, 0.0));
        let first = choice.chosen;
        for i in 0..20 {
            settled(&mut choice, &face(if i % 2 == 0 { -0.01 } else { 0.01 }, 0.0));
            assert_eq!(choice.chosen, first, "frame {i}");
        }
    }

    #[test]
    fn one_photo_gives_way_to_another_little_by_little() {
        let mut choice = choice(&[(0.0, 0.0), (0.5, 0.0), (0.6, 0.0), (-0.1, 0.0)]);
        choice.next(&face(0.0, 0.0)).count();
        let mut before = choice.shares.clone();
        for yaw in [0.5, 0.0].into_iter().flat_map(|yaw| [yaw; 12]) {
            choice.next(&face(yaw, 0.0)).count();
            let changes = choice.shares.iter().zip(&before).map(|(now, before)| (now - before).abs());
            assert!(changes.fold(0.0, f32::max) < STEP + 1e-6, "{before:?} {:?}", choice.shares);
            before.clone_from(&choice.shares);
        }
        choice.restart();
        choice.next(&face(0.5, 0.0)).count();
        assert!(choice.shares[1] > 0.9, "{:?}", choice.shares);
    }
}
