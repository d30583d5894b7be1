//! Where a photo's lips meet.
//!
//! Landmarks of shut lips often lie a little inside one of them, mostly in paintings and under moustaches. A mouth that opens
//! there leaves a rim of one lip on the other. Shut lips meet in a dark line: it is looked for once, near the landmarks, and then
//! landmarks of the photo and of all that drives it are moved by as much, in the head's own frame. So nothing moves at rest, and
//! lips part as far as they were asked to.

use gioconda_face::topology::{LIP_COLUMNS, point};
use gioconda_face::{HeadPose, Landmarks};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::{Vector2, Vector3};

use crate::colour::{mean, patch};
use crate::share::step;

/// Columns across the lips.
const COLUMNS: usize = LIP_COLUMNS.len();
/// How far above and below the landmarks the line is looked for, in steps, and a step in centimetres.
const REACH: usize = 10;
const REACH_DOWN: usize = 40;
const STEP: f32 = 0.03;
const HEIGHTS: usize = REACH_DOWN + 1 + REACH;
/// Lips lie so far above and below the line, centimetres.
const BESIDE: f32 = 0.15;
/// What it costs a line to lie a centimetre off, and to rise by a centimetre from one column to the next: squared, in shares of
/// the skin's luma.
const OFF: f32 = 1.0;
const UNEVEN: f32 = 3.0;
/// Only under a moustache does a line lie farther off than this, centimetres; there, being off costs no more than this does.
const NEAR: f32 = 0.3;
/// Where landmarks see lips, a moustache has so little of the skin's light at most, and is so like the beard on the chin:
/// difference of colours in shares of the skin's luma.
const HAIR_LIGHT: f32 = 0.8;
const LIKE_BEARD: f32 = 0.16;
/// A mouth that is so wide open somewhere is not shut: begins, fully. Centimetres.
const APART: (f32, f32) = (0.07, 0.13);
/// The corners of the mouth, its outer and inner landmarks, as columns run.
const CORNERS: [[usize; 2]; 2] = [[61, 78], [291, 308]];
/// Where a beard covers the chin.
const BEARD: [usize; 5] = [199, 208, 428, 171, 396];
/// How far each ring of landmarks goes along with the innermost.
const RINGS: [f32; 4] = [1.0, 0.65, 0.3, 0.0];

/// How far above its landmarks the line of one photo's lips lies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LipLine {
    /// By columns, centimetres of the canonical face.
    above: [f32; COLUMNS],
}

impl LipLine {
    /// Of the face at `landmarks`, whose pose is `pose`.
    pub(crate) fn of(photo: &RgbImage, landmarks: &Landmarks, pose: &HeadPose) -> Self {
        let skin = luma(REC_709, mean([50, 280].into_iter().map(|i| patch(photo, landmarks.xy(i))))).max(1.0);
        let middles = LIP_COLUMNS.map(|(upper, lower)| {
            0.5 * (pose.to_canonical(landmarks.points[upper[0]])
                + pose.to_canonical(landmarks.points[lower[0]]))
        });
        let corners = [point::MOUTH_RIGHT, point::MOUTH_LEFT].map(|i| pose.to_canonical(landmarks.points[i]));
        let heights = |i: usize| pose.to_canonical(landmarks.points[i]).y;
        let open = LIP_COLUMNS.map(|(upper, lower)| heights(upper[0]) - heights(lower[0]));
        let shut = 1.0 - step(APART.0, APART.1, open.into_iter().fold(0.0, f32::max));
        if shut <= 0.0 {
            return Self { above: [0.0; COLUMNS] };
        }
        // Means along the lips.
        let light = |column: usize, above: f32| {
            let before = if column == 0 { corners[0] } else { middles[column - 1] };
            let after = if column + 1 == COLUMNS { corners[1] } else { middles[column + 1] };
            let places = (-3..=3).map(|i| {
                let share = i as f32 / 6.0;
                let towards = if i < 0 { before } else { after };
                middles[column] + (towards - middles[column]) * share.abs() + Vector3::new(0.0, above, 0.0)
            });
            let lights = places.map(|place| at(photo, pose.from_canonical(place).xy()));
            lights.sum::<f32>() / (7.0 * skin)
        };
        let hair = has_moustache(photo, landmarks, skin);
        let costs: [[f32; HEIGHTS]; COLUMNS] = std::array::from_fn(|column| {
            std::array::from_fn(|height| {
                let above = at_height(height);
                let off = if hair { above.abs().min(NEAR) } else { above };
                if !hair && above.abs() > NEAR + 0.5 * STEP {
                    return f32::MAX;
                }
                let beside = 0.5 * (light(column, above + BESIDE) + light(column, above - BESIDE));
                light(column, above) - beside + OFF * off * off
            })
        });
        Self { above: smoothest(&costs).map(|above| above * shut) }
    }

    /// The landmarks of a head in the pose `pose`, moved.
    pub(crate) fn applied(&self, landmarks: &Landmarks, pose: &HeadPose) -> Landmarks {
        let mut moved = landmarks.clone();
        let up = pose.from_canonical(Vector3::y()) - pose.from_canonical(Vector3::zeros());
        for ((upper, lower), above) in LIP_COLUMNS.iter().zip(self.above) {
            for ring in [upper, lower] {
                for (&i, share) in ring.iter().zip(RINGS) {
                    moved.points[i] += up * along(above, share);
                }
            }
        }
        for (column, corner) in [(0, CORNERS[0]), (COLUMNS - 1, CORNERS[1])] {
            for i in corner {
                moved.points[i] += up * along(self.above[column], 0.0);
            }
        }
        moved
    }
}

/// How far a landmark moves that goes along with the line's first [`NEAR`] centimetres by this share: farther off, lips move whole.
fn along(above: f32, share: f32) -> f32 {
    let near = above.clamp(-NEAR, NEAR);
    above - near + near * share
}

/// Whether what landmarks take for lips is hair.
fn has_moustache(photo: &RgbImage, landmarks: &Landmarks, skin: f32) -> bool {
    let of = |points: &[usize]| mean(points.iter().map(|&i| patch(photo, landmarks.xy(i))));
    let lips = mean(
        LIP_COLUMNS[2..7]
            .iter()
            .flat_map(|(upper, _)| upper[..3].iter())
            .map(|&i| patch(photo, landmarks.xy(i))),
    );
    let beard = of(&BEARD);
    let difference = lips.iter().zip(beard).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    luma(REC_709, lips) < HAIR_LIGHT * skin && difference < LIKE_BEARD * skin
}

fn at_height(height: usize) -> f32 {
    (height as f32 - REACH_DOWN as f32) * STEP
}

/// The line of the least cost: heights by columns, centimetres.
fn smoothest(costs: &[[f32; HEIGHTS]; COLUMNS]) -> [f32; COLUMNS] {
    let rise = |a: usize, b: usize| UNEVEN * (at_height(a) - at_height(b)).powi(2);
    let mut totals = costs[0];
    let mut from = [[0; HEIGHTS]; COLUMNS];
    for column in 1..COLUMNS {
        let before = totals;
        for height in 0..HEIGHTS {
            let cost = |a: &usize| before[*a] + rise(*a, height);
            let best = (0..HEIGHTS).min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(height);
            from[column][height] = best;
            totals[height] = cost(&best) + costs[column][height];
        }
    }
    let mut height = (0..HEIGHTS).min_by(|&a, &b| totals[a].total_cmp(&totals[b])).unwrap_or(REACH_DOWN);
    let mut line = [0.0; COLUMNS];
    for column in (0..COLUMNS).rev() {
        line[column] = at_height(height);
        height = from[column][height];
    }
    line
}

/// The photo's luma between pixels, 0..255; its border's outside of it.
fn at(photo: &RgbImage, place: Vector2<f32>) -> f32 {
    let colour = gioconda_face::bilinear(photo, place, gioconda_face::Border::Replicate);
    luma(REC_709, colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::topology::{LOWER_LIP, UPPER_LIP};
    use image::Rgb;
    use nalgebra::Rotation3;

    fn pose() -> HeadPose {
        HeadPose {
            scale: 14.0,
            rotation: Rotation3::identity(),
            translation: Vector3::new(150.0, -120.0, 0.0),
            residual: 0.0,
        }
    }

    /// The canonical face with its lips so many centimetres apart.
    fn face(apart: f32) -> Landmarks {
        let pose = pose();
        let mut face = pose.canonical_face();
        for (upper, lower) in UPPER_LIP.into_iter().zip(LOWER_LIP) {
            let middle = pose.to_canonical(0.5 * (face.points[upper] + face.points[lower]));
            let half = Vector3::new(0.0, 0.5 * apart, 0.0);
            face.points[upper] = pose.from_canonical(middle + half);
            face.points[lower] = pose.from_canonical(middle - half);
        }
        face
    }

    /// Skin with a dark line so far above the lips' landmarks, centimetres.
    fn photo(face: &Landmarks, above: f32) -> RgbImage {
        let mouth = crate::Aperture::mouth(face, pose().scale);
        RgbImage::from_fn(300, 300, |x, y| {
            let (along, height) = mouth.coordinates(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            let (lower, upper) = mouth.edges(along);
            let off = (height - 0.5 * (lower + upper) - above).abs();
            Rgb(if off < 0.07 && along.abs() < 0.5 { [50, 20, 20] } else { [190, 140, 130] })
        })
    }

    #[test]
    fn the_line_in_which_shut_lips_meet_is_found() {
        let face = face(0.0);
        for above in [-0.2, 0.0, 0.2] {
            let found = LipLine::of(&photo(&face, above), &face, &pose()).above;
            assert!(found.iter().all(|found| (found - above).abs() < 0.08), "{above}: {found:?}");
        }
    }

    #[test]
    fn open_lips_are_where_landmarks_say() {
        let face = face(0.4);
        let found = LipLine::of(&photo(&face, 0.2), &face, &pose()).above;
        assert!(found.iter().all(|above| above.abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn lips_part_as_far_as_they_were_asked_to() {
        let line = LipLine { above: [-0.8; COLUMNS] };
        let (face, pose) = (face(0.5), pose());
        let moved = line.applied(&face, &pose);
        for (upper, lower) in LIP_COLUMNS {
            let apart = |face: &Landmarks| face.points[upper[0]] - face.points[lower[0]];
            assert!((apart(&moved) - apart(&face)).norm() < 1e-3);
            let up = pose.to_canonical(moved.points[lower[0]]) - pose.to_canonical(face.points[lower[0]]);
            assert!((up.y + 0.8).abs() < 1e-3, "{up}");
        }
    }
}
