//! Left-right flips: a mirrored picture shows the left eye where the right one was, so landmarks change their indices.

use std::sync::LazyLock;

use gioconda_face::Landmarks;
use gioconda_face::topology::{MESH_POINTS, TOPOLOGY};
use image::imageops::flip_horizontal;

use crate::footage::Shot;

/// `[478]` the landmark of the person's other side.
///
/// The canonical face is symmetric, so a vertex's counterpart is the one nearest to its mirror image. An iris is its
/// centre and four points of its rim, counted from the picture's right over the top: a mirror exchanges right and left.
static COUNTERPART: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let vertices = &TOPOLOGY.vertices;
    let nearest = |index: usize| {
        let mut mirrored = vertices[index];
        mirrored.x = -mirrored.x;
        let distance = |i: &usize| (vertices[*i] - mirrored).norm_squared();
        (0..MESH_POINTS).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(index)
    };
    let irises = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472];
    (0..MESH_POINTS).map(nearest).chain(irises).collect()
});

/// The frame in a mirror.
pub(crate) fn mirrored(shot: &Shot) -> Shot {
    let width = shot.picture.width() as f32;
    Shot { picture: flip_horizontal(&shot.picture), landmarks: mirrored_landmarks(&shot.landmarks, width) }
}

fn mirrored_landmarks(landmarks: &Landmarks, width: f32) -> Landmarks {
    let mut mirrored = landmarks.clone();
    for (point, &counterpart) in mirrored.points.iter_mut().zip(COUNTERPART.iter()) {
        *point = landmarks.points[counterpart];
        point.x = width - point.x;
    }
    mirrored
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::topology::point;

    #[test]
    fn sides_are_exchanged_and_a_second_mirror_undoes_the_first() {
        for (right, left) in [
            (point::RIGHT_EYE_OUTER, point::LEFT_EYE_OUTER),
            (point::RIGHT_EYE_UPPER, point::LEFT_EYE_UPPER),
            (point::MOUTH_RIGHT, point::MOUTH_LEFT),
            (point::RIGHT_IRIS, point::LEFT_IRIS),
            (point::FACE_RIGHT, point::FACE_LEFT),
            (point::CHIN, point::CHIN),
            (469, 476),
        ] {
            assert_eq!((COUNTERPART[right], COUNTERPART[left]), (left, right));
        }
        assert!((0..COUNTERPART.len()).all(|i| COUNTERPART[COUNTERPART[i]] == i));
    }
}
