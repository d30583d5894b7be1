//! How far each landmark belongs to the mouth and to the eyes, and how far expressions move it.
//!
//! Motion of another face is scaled to the portrait's own features: lips by the mouth's width, lids by the eyes'.
//! Weights fall off smoothly over the canonical face so that no crease appears where one region ends.

use std::sync::LazyLock;

use gioconda_face::LANDMARKS;
use gioconda_face::features::{SIDES, Side};
use gioconda_face::topology::{
    BONE, EYE_CORNERS, LEFT_LID_COLUMNS, LIP_COLUMNS, MESH_POINTS, RIGHT_LID_COLUMNS, TOPOLOGY, point,
};
use gioconda_kernels::smoothstep;
use nalgebra::Vector3;

/// [Columns across the lids](gioconda_face::topology::RIGHT_LID_COLUMNS) of an eye.
pub(crate) fn lid_columns(side: Side) -> [(usize, usize); 7] {
    match side {
        Side::Right => RIGHT_LID_COLUMNS,
        Side::Left => LEFT_LID_COLUMNS,
    }
}

/// The landmarks of an iris: its centre, then four border points.
pub(crate) fn iris(side: Side) -> std::ops::Range<usize> {
    match side {
        Side::Right => point::RIGHT_IRIS..point::RIGHT_IRIS + 5,
        Side::Left => point::LEFT_IRIS..point::LEFT_IRIS + 5,
    }
}

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
    smoothstep(((none - distance) / (none - full)).clamp(0.0, 1.0))
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
}
