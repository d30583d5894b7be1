//! Where the mouth and the eyes are on the mesh, and how far each landmark belongs to them.
//!
//! Motion of another face is scaled to the portrait's own features: lips by the mouth's width, lids by the eyes'.
//! Weights fall off smoothly over the canonical face so that no crease appears where one region ends.

use std::sync::LazyLock;

use gioconda_face::LANDMARKS;
use gioconda_face::features::Side;
use gioconda_face::topology::{MESH_POINTS, TOPOLOGY, point};
use nalgebra::Vector3;

/// The person's own right, then left: the order of every pair of eyes in this crate.
pub(crate) const SIDES: [Side; 2] = [Side::Right, Side::Left];

/// Columns across the lids of an eye: the upper edge and the lower edge it closes onto.
pub(crate) fn lid_columns(side: Side) -> [(usize, usize); 7] {
    match side {
        Side::Right => [(246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)],
        Side::Left => [(466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)],
    }
}

/// The landmarks of an iris: its centre, then four border points.
pub(crate) fn iris(side: Side) -> std::ops::Range<usize> {
    match side {
        Side::Right => point::RIGHT_IRIS..point::RIGHT_IRIS + 5,
        Side::Left => point::LEFT_IRIS..point::LEFT_IRIS + 5,
    }
}

/// Columns across the lips from corner to corner: four rings of the upper lip and four of the lower, each from the
/// mouth's opening outwards. The first of each are the edges that meet when the mouth closes.
pub(crate) const LIP_COLUMNS: [([usize; 4], [usize; 4]); 9] = [
    ([191, 183, 184, 185], [95, 96, 77, 146]),
    ([80, 42, 74, 40], [88, 89, 90, 91]),
    ([81, 41, 73, 39], [178, 179, 180, 181]),
    ([82, 38, 72, 37], [87, 86, 85, 84]),
    ([13, 12, 11, 0], [14, 15, 16, 17]),
    ([312, 268, 302, 267], [317, 316, 315, 314]),
    ([311, 271, 303, 269], [402, 403, 404, 405]),
    ([310, 272, 304, 270], [318, 319, 320, 321]),
    ([415, 407, 408, 409], [324, 325, 307, 375]),
];

/// Where only bone lies under the skin: the face's outline from ear to ear over the forehead, and the ridge of the
/// nose. No expression moves these points; what a tracker sees of that is its own error, or another skull.
const BONE: [usize; 22] =
    [234, 127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454, 168, 6, 197, 195, 5];

/// The corners of the eyes: ligaments hold them to the bone, lids move between them.
const EYE_CORNERS: [usize; 4] =
    [point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER, point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER];

/// How far each landmark belongs to the mouth and to the eyes, and how far expressions move it, 0..1.
pub(crate) struct Regions {
    pub(crate) mouth: [f32; LANDMARKS],
    pub(crate) eyes: [f32; LANDMARKS],
    pub(crate) mobility: [f32; LANDMARKS],
}

/// Distances in centimetres on the canonical face: full weight up to the first, none from the second on.
const MOUTH_REACH: (f32, f32) = (0.8, 3.2);
const EYE_REACH: (f32, f32) = (0.7, 1.9);
const BONE_REACH: (f32, f32) = (0.0, 2.0);
const EYE_CORNER_REACH: (f32, f32) = (0.0, 0.9);

pub(crate) static REGIONS: LazyLock<Regions> = LazyLock::new(|| {
    let lips: Vec<usize> =
        LIP_COLUMNS.iter().flat_map(|(upper, lower)| upper.iter().chain(lower)).copied().collect();
    let lids: Vec<usize> =
        SIDES.into_iter().flat_map(lid_columns).flat_map(|(upper, lower)| [upper, lower]).collect();
    let mut regions = Regions { mouth: [0.0; LANDMARKS], eyes: [0.0; LANDMARKS], mobility: [1.0; LANDMARKS] };
    for i in 0..MESH_POINTS {
        let here = TOPOLOGY.vertices[i];
        regions.mouth[i] = falloff(nearest(here, &lips), MOUTH_REACH);
        regions.eyes[i] = falloff(nearest(here, &lids), EYE_REACH);
        let bone = falloff(nearest(here, &BONE), BONE_REACH) * (1.0 - regions.eyes[i]);
        let corner = falloff(nearest(here, &EYE_CORNERS), EYE_CORNER_REACH);
        regions.mobility[i] = (1.0 - bone) * (1.0 - corner);
    }
    regions.eyes[MESH_POINTS..].fill(1.0);
    regions
});

fn nearest(here: Vector3<f32>, points: &[usize]) -> f32 {
    points.iter().map(|&i| (TOPOLOGY.vertices[i] - here).norm()).fold(f32::INFINITY, f32::min)
}

fn falloff(distance: f32, (full, none): (f32, f32)) -> f32 {
    let t = ((none - distance) / (none - full)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Width of the mouth of a shape in the canonical frame, centimetres.
pub(crate) fn mouth_width(shape: &[Vector3<f32>]) -> f32 {
    (shape[point::MOUTH_LEFT] - shape[point::MOUTH_RIGHT]).norm()
}

/// Width of one eye of a shape in the canonical frame, centimetres.
pub(crate) fn eye_width(shape: &[Vector3<f32>], side: Side) -> f32 {
    let (outer, inner) = match side {
        Side::Right => (point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER),
        Side::Left => (point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER),
    };
    (shape[outer] - shape[inner]).norm()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_cover_the_feature_and_leave_the_rest_alone() {
        assert!((REGIONS.mouth[13] - 1.0).abs() < 1e-6);
        assert!((REGIONS.eyes[159] - 1.0).abs() < 1e-6);
        for far in [point::FOREHEAD, point::FACE_LEFT, point::FACE_RIGHT] {
            assert!(REGIONS.mouth[far] + REGIONS.eyes[far] < 1e-6, "landmark {far}");
        }
        assert!(REGIONS.mouth[159] < 1e-6 && REGIONS.eyes[13] < 1e-6);
    }

    #[test]
    fn expressions_move_lips_lids_brows_and_chin_but_no_bone() {
        for free in [13, 14, 159, 386, 105, 334, point::CHIN] {
            assert!(REGIONS.mobility[free] > 0.95, "landmark {free}: {}", REGIONS.mobility[free]);
        }
        for bone in [point::FOREHEAD, point::FACE_LEFT, point::FACE_RIGHT, point::LEFT_EYE_INNER] {
            assert!(REGIONS.mobility[bone] < 1e-6, "landmark {bone}");
        }
    }

    #[test]
    fn columns_run_across_the_canonical_lips_and_lids() {
        for (upper, lower) in LIP_COLUMNS {
            let (top, bottom) = (TOPOLOGY.vertices[upper[0]], TOPOLOGY.vertices[lower[0]]);
            assert!((top.x - bottom.x).abs() < 0.3 && top.y >= bottom.y - 0.05, "{upper:?} {lower:?}");
            assert!(TOPOLOGY.vertices[upper[3]].y > top.y - 0.05, "{upper:?}");
            assert!(TOPOLOGY.vertices[lower[3]].y < bottom.y + 0.05, "{lower:?}");
        }
        for side in SIDES {
            for (upper, lower) in lid_columns(side) {
                let (top, bottom) = (TOPOLOGY.vertices[upper], TOPOLOGY.vertices[lower]);
                assert!((top.x - bottom.x).abs() < 0.4 && top.y > bottom.y, "{upper} {lower}");
            }
        }
    }
}
