//! Where the critics of faces look.

use gioconda_face::features::{OPENINGS, OpeningLandmarks};
use gioconda_face::topology::{Contours, TOPOLOGY, landmarks_of, point};
use gioconda_face::{Landmarks, landmark_region};
use gioconda_networks::{FaceSquares, JudgedLandmarks, JudgedOpening, Square};
use nalgebra::Vector2;

use crate::footage::Shot;

/// Where the middle of both eyes lies in `ArcFace`'s template, and how far below it that of the mouth; in sides of the
/// template, 112 pixels (`insightface`, `face_align.py`).
const TEMPLATE_EYES: Vector2<f32> = Vector2::new(0.4994, 0.4607);
const TEMPLATE_EYES_TO_MOUTH: f32 = 0.3632;

/// For frames and photos `size` pixels wide. Squares are upright, whichever way the head is tilted: what is compared is cut
/// alike, nearly.
pub(crate) fn face_squares(frame: &Shot, photo: &Shot, size: usize) -> FaceSquares {
    FaceSquares {
        landmarks: landmark_square(&frame.landmarks, size),
        identity: identity_square(&frame.landmarks, size),
        photo_identity: identity_square(&photo.landmarks, size),
    }
}

/// The landmarks that count for [`LandmarkCritic`](gioconda_networks::LandmarkCritic): lips, lids and irises,
/// and the openings of eyes and mouth.
pub(crate) fn judged_landmarks() -> JudgedLandmarks {
    let Contours { lips, left_eye, right_eye, left_iris, right_iris, .. } = &TOPOLOGY.contours;
    let opening = |of: &OpeningLandmarks| JudgedOpening { across: of.across.to_vec(), corners: of.corners };
    JudgedLandmarks {
        points: landmarks_of(&[lips, left_eye, right_eye, left_iris, right_iris]),
        openings: OPENINGS.iter().map(opening).collect(),
    }
}

fn landmark_square(landmarks: &Landmarks, size: usize) -> Square {
    let region = landmark_region(landmarks);
    within(region.center - Vector2::repeat(region.size / 2.0), region.size, size)
}

fn identity_square(landmarks: &Landmarks, size: usize) -> Square {
    let middle = |points: &[usize]| {
        points.iter().map(|&point| landmarks.xy(point)).sum::<Vector2<f32>>() / points.len() as f32
    };
    let eyes = middle(&[
        point::RIGHT_EYE_OUTER,
        point::RIGHT_EYE_INNER,
        point::LEFT_EYE_OUTER,
        point::LEFT_EYE_INNER,
    ]);
    let mouth = middle(&[point::MOUTH_RIGHT, point::MOUTH_LEFT]);
    let side = (mouth - eyes).norm() / TEMPLATE_EYES_TO_MOUTH;
    within(eyes - TEMPLATE_EYES * side, side, size)
}

/// The square with this first corner, moved and made smaller until it lies within a picture.
fn within(corner: Vector2<f32>, side: f32, size: usize) -> Square {
    let side = (side.round() as usize).clamp(1, size);
    let corner = corner.map(|at| (at.round().max(0.0) as usize).min(size - side));
    Square { corner: corner.into(), side }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::LANDMARKS;
    use image::RgbImage;

    /// The canonical face, so many pixels for a centimetre.
    fn shot(scale: f32, middle: f32, size: u32) -> Shot {
        let mut landmarks = Landmarks { points: [[middle, middle, 0.0].into(); LANDMARKS] };
        for (point, vertex) in landmarks.points.iter_mut().zip(&TOPOLOGY.vertices) {
            *point = [middle + scale * vertex.x, middle - scale * vertex.y, 0.0].into();
        }
        Shot { picture: RgbImage::new(size, size), landmarks }
    }

    #[test]
    fn eyes_and_mouth_lie_where_the_template_has_them() {
        let shot = shot(6.0, 128.0, 256);
        let square = identity_square(&shot.landmarks, 256);
        let place = |landmark: usize| {
            let corner = Vector2::from(square.corner.map(|at| at as f32));
            (shot.landmarks.xy(landmark) - corner) * 112.0 / square.side as f32
        };
        // `ArcFace`'s right corner of the mouth, and the middle of the right eye.
        let mouth = place(point::MOUTH_RIGHT);
        let eye = (place(point::RIGHT_EYE_OUTER) + place(point::RIGHT_EYE_INNER)) / 2.0;
        assert!((mouth - Vector2::new(41.5, 92.4)).norm() < 4.0, "{mouth}");
        assert!((eye - Vector2::new(38.3, 51.7)).norm() < 4.0, "{eye}");
    }

    #[test]
    fn squares_stay_within_the_picture() {
        for (scale, middle) in [(6.0, 128.0), (6.0, 20.0), (30.0, 240.0)] {
            let shot = shot(scale, middle, 256);
            let FaceSquares { landmarks, identity, photo_identity } = face_squares(&shot, &shot, 256);
            for square in [landmarks, identity, photo_identity] {
                assert!(
                    square.side > 0 && square.corner.iter().all(|at| at + square.side <= 256),
                    "{square:?}"
                );
            }
            assert!(landmarks.side > identity.side || landmarks.side == 256);
        }
    }

    #[test]
    fn lips_lids_and_irises_are_judged() {
        let points = judged_landmarks().points;
        assert!([13, 14, 61, 159, 145, 386, 474].iter().all(|point| points.contains(point)));
        assert!(!points.contains(&point::CHIN) && points.len() < 120, "{}", points.len());
    }
}
