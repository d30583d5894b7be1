//! Whether a matte can be trusted.

use std::fmt;

use nalgebra::{Vector2, Vector3};
use serde::Serialize;

use crate::Landmarks;
use crate::topology::MESH_POINTS;

/// What a matte is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatteVerdict {
    /// It holds the face and ends around the head.
    Good,
    /// It does not hold the face.
    NoHead,
    /// It covers everything around the face.
    Everything,
    /// Its edge around the head is guesswork.
    Uncertain,
}

impl fmt::Display for MatteVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "the person stands out from the background",
            Self::NoHead => "the head was not told from the background",
            Self::Everything => "no background was found around the head",
            Self::Uncertain => "the edge between head and background is uncertain",
        })
    }
}

/// Side of the square around the face that is judged, over the larger side of the face's box.
const AROUND: f32 = 2.2;
/// Points along a side of that square.
const POINTS: usize = 64;
/// Values between these are neither person nor background.
const MIDDLING: std::ops::Range<f32> = 0.2..0.8;
/// Least share of the face that is person.
const LEAST_FACE: f32 = 0.8;
/// Least share of the square that is background.
const LEAST_BACKGROUND: f32 = 0.03;
/// Greatest share of the square that is neither. Photographs have 0.01 to 0.06, Van Gogh's self-portrait 0.08; Velazquez's dark
/// hair before a dark ground, whose edge nobody sees, has 0.11.
const MOST_MIDDLING: f32 = 0.1;

/// What a matte is good for whose value at a position is `alpha`, 0..1, in a photo of `size`. `said` is what the network said
/// before other people were cut off: how sure it was is measured there, where a cut hides no doubt.
pub(super) fn judge(
    landmarks: &Landmarks,
    size: (u32, u32),
    alpha: impl Fn(Vector2<f32>) -> f32,
    said: impl Fn(Vector2<f32>) -> f32,
) -> MatteVerdict {
    let measures = Measures::of(landmarks, size, alpha, said);
    if measures.face < LEAST_FACE {
        MatteVerdict::NoHead
    } else if measures.middling > MOST_MIDDLING {
        MatteVerdict::Uncertain
    } else if measures.background < LEAST_BACKGROUND {
        MatteVerdict::Everything
    } else {
        MatteVerdict::Good
    }
}

struct Measures {
    /// Share of the face that is person.
    face: f32,
    /// Share of what lies around the head, down to the chin, that is background.
    background: f32,
    /// Share of the same of which the network did not say either.
    middling: f32,
}

impl Measures {
    fn of(
        landmarks: &Landmarks,
        size: (u32, u32),
        alpha: impl Fn(Vector2<f32>) -> f32,
        said: impl Fn(Vector2<f32>) -> f32,
    ) -> Self {
        let (low, high) = landmarks.bounds();
        let face = (high - low).max();
        let corner = (low + high) / 2.0 - Vector2::repeat(AROUND * face / 2.0);
        let step = AROUND * face / POINTS as f32;
        let (mut all, mut background, mut middling) = (0_u32, 0_u32, 0_u32);
        for (x, y) in (0..POINTS).flat_map(|y| (0..POINTS).map(move |x| (x, y))) {
            let at = corner + Vector2::new(x as f32 + 0.5, y as f32 + 0.5) * step;
            if at.y > high.y || !inside(at, size) {
                continue;
            }
            all += 1;
            background += u32::from(alpha(at) < MIDDLING.start);
            middling += u32::from(MIDDLING.contains(&said(at)));
        }
        let share = |count: u32| count as f32 / all.max(1) as f32;
        Self {
            face: share_of_face(landmarks, size, alpha),
            background: share(background),
            middling: share(middling),
        }
    }
}

/// The mean of `alpha` over the face's mesh, as far as it lies in the photo.
pub(super) fn share_of_face(
    landmarks: &Landmarks,
    size: (u32, u32),
    alpha: impl Fn(Vector2<f32>) -> f32,
) -> f32 {
    let mesh = landmarks.points[..MESH_POINTS].iter().map(Vector3::xy);
    let (sum, count) = mesh
        .filter(|&at| inside(at, size))
        .fold((0.0, 0.0_f32), |(sum, count), at| (sum + alpha(at), count + 1.0));
    sum / count.max(1.0)
}

fn inside(at: Vector2<f32>, (width, height): (u32, u32)) -> bool {
    at.x >= 0.0 && at.y >= 0.0 && at.x < width as f32 && at.y < height as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LANDMARKS;

    #[test]
    fn two_people_who_fill_the_frame_are_no_background_and_one_of_them_is_cut_out() {
        // A face of 100 x 100 pixels around (150, 150); the other person begins at 220.
        let mut points = [Vector3::zeros(); LANDMARKS];
        for (i, point) in points.iter_mut().enumerate() {
            *point = Vector3::new(100.0 + (i % 20) as f32 / 0.19, 100.0 + (i / 20) as f32 / 0.22, 0.0);
        }
        let face = Landmarks { points };
        let mine = |at: Vector2<f32>| if at.x < 220.0 { 1.0 } else { 0.0 };
        assert_eq!(judge(&face, (300, 300), mine, |_| 1.0), MatteVerdict::Good);
        assert_eq!(judge(&face, (300, 300), |_| 1.0, |_| 1.0), MatteVerdict::Everything);
        // The cut hides no doubt.
        assert_eq!(judge(&face, (300, 300), mine, |_| 0.5), MatteVerdict::Uncertain);
    }
}
