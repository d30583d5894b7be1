//! Which photo is nearest to a frame, chosen so that the choice does not flicker.

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

/// Another photo is taken only when it is nearer than the present one by this share of the present distance and by
/// this many radians: what is gained is then worth a change that people might notice.
const NEARER: (f32, f32) = (0.2, 0.04);

/// Frames over which one photo gives way to another: a fifth of a second at 25 frames a second.
const FADE: u32 = 5;

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

/// Chooses a photo for one frame after the other.
pub(super) struct Choice {
    photos: Vec<Posture>,
    current: Option<usize>,
    /// The photo that gives way, and for how many frames it did so already.
    fading: Option<(usize, u32)>,
}

impl Choice {
    /// A choice among `photos`, at least one.
    pub(super) fn new(photos: Vec<Posture>) -> Self {
        Self { photos, current: None, fading: None }
    }

    /// The photos whose faces are laid over the first photo's in the next frame, one after the other, each with the
    /// share by which it covers what is below it. Empty where the first photo is nearest.
    pub(super) fn next(&mut self, driving: &Landmarks) -> [Option<(usize, f32)>; 2] {
        let wanted = Posture::of(driving);
        let distances: Vec<f32> = self.photos.iter().map(|photo| photo.distance(&wanted)).collect();
        let nearest =
            (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or(0);
        let mut current = *self.current.get_or_insert(nearest);
        self.fading = self.fading.map(|(from, done)| (from, done + 1)).filter(|&(_, done)| done < FADE);
        let gain = distances[current] - distances[nearest];
        if self.fading.is_none() && gain > NEARER.1.max(NEARER.0 * distances[current]) {
            self.fading = Some((current, 1));
            current = nearest;
            self.current = Some(current);
        }
        let over_the_first = |index: usize, share| (index > 0).then_some((index, share));
        let Some((from, done)) = self.fading else { return [over_the_first(current, 1.0), None] };
        let t = done as f32 / FADE as f32;
        let share = t * t * (3.0 - 2.0 * t);
        if current == 0 {
            [over_the_first(from, 1.0 - share), None]
        } else {
            [over_the_first(from, 1.0), over_the_first(current, share)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::LANDMARKS;
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
        let mut points = [Vector3::zeros(); LANDMARKS];
        for (i, (point, &vertex)) in points.iter_mut().zip(&TOPOLOGY.vertices).enumerate() {
            let lowered = if [87, 14, 317].contains(&i) { drop } else { 0.0 };
            *point = pose.from_canonical(vertex - Vector3::y() * lowered);
        }
        Landmarks { points }
    }

    fn settled(choice: &mut Choice, driving: &Landmarks) -> usize {
        let mut last = None;
        for _ in 0..=FADE {
            last = Some(choice.next(driving));
        }
        last.and_then(|[photo, _]| photo).map_or(0, |(index, share)| {
            assert!((share - 1.0).abs() < 1e-6, "still fading");
            index
        })
    }

    #[test]
    fn pose_and_mouth_decide() {
        let photos = [(0.0, 0.0), (0.5, 0.0), (0.0, 2.0)].map(|(yaw, drop)| Posture::of(&face(yaw, drop)));
        let mut choice = Choice::new(photos.to_vec());
        for (yaw, drop, expected) in [(0.05, 0.1, 0), (0.45, 0.0, 1), (0.0, 1.8, 2), (0.02, 0.0, 0)] {
            assert_eq!(settled(&mut choice, &face(yaw, drop)), expected);
        }
    }

    #[test]
    fn jitter_half_way_does_not_flicker() {
        let photos = [face(0.0, 0.0), face(0.4, 0.0)];
        let mut choice = Choice::new(photos.iter().map(Posture::of).collect());
        let first = settled(&mut choice, &face(0.19, 0.0));
        for i in 0..20 {
            let jitter = if i % 2 == 0 { 0.19 } else { 0.21 };
            assert_eq!(settled(&mut choice, &face(jitter, 0.0)), first, "frame {i}");
        }
    }

    #[test]
    fn one_photo_gives_way_to_another_little_by_little() {
        let photos = [face(0.0, 0.0), face(0.5, 0.0)];
        let mut choice = Choice::new(photos.iter().map(Posture::of).collect());
        let mut cover = |yaw: f32| {
            let laid_over = choice.next(&face(yaw, 0.0)).into_iter().flatten();
            laid_over.map(|(_, share)| share).fold(0.0, f32::max)
        };
        let mut before = cover(0.0);
        for yaw in [0.5, 0.0].into_iter().flat_map(|yaw| [yaw; 8]) {
            let now = cover(yaw);
            assert!((now - before).abs() < 0.35, "{before} {now}");
            before = now;
        }
    }
}
