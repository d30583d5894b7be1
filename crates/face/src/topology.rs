//! MediaPipe's canonical face: vertices, triangles, contours, the points that define head pose, and every table of
//! landmarks that some part of the program names.
//!
//! One source of the mesh: `models/face_topology.json`, the face-geometry metadata of MediaPipe's face landmarker (Apache-2.0).

use std::sync::LazyLock;

use nalgebra::Vector3;
use serde::Deserialize;

/// How many landmarks belong to the face mesh; the rest are irises.
pub const MESH_POINTS: usize = 468;

/// Landmarks by the name of what they mark. Left and right are the *person's* own.
pub mod point {
    /// Outer corner of the right eye.
    pub const RIGHT_EYE_OUTER: usize = 33;
    /// Inner corner of the right eye.
    pub const RIGHT_EYE_INNER: usize = 133;
    /// Middle of the right upper lid's edge.
    pub const RIGHT_EYE_UPPER: usize = 159;
    /// Middle of the right lower lid's edge.
    pub const RIGHT_EYE_LOWER: usize = 145;
    /// Outer corner of the left eye.
    pub const LEFT_EYE_OUTER: usize = 263;
    /// Inner corner of the left eye.
    pub const LEFT_EYE_INNER: usize = 362;
    /// Middle of the left upper lid's edge.
    pub const LEFT_EYE_UPPER: usize = 386;
    /// Middle of the left lower lid's edge.
    pub const LEFT_EYE_LOWER: usize = 374;
    /// Middle of the inner edge of the upper lip.
    pub const LIP_UPPER_INNER: usize = 13;
    /// Middle of the inner edge of the lower lip.
    pub const LIP_LOWER_INNER: usize = 14;
    /// Right outer corner of the mouth.
    pub const MOUTH_RIGHT: usize = 61;
    /// Left outer corner of the mouth.
    pub const MOUTH_LEFT: usize = 291;
    /// Centre of the right iris.
    pub const RIGHT_IRIS: usize = 468;
    /// Centre of the left iris.
    pub const LEFT_IRIS: usize = 473;
    /// Lowest point of the chin.
    pub const CHIN: usize = 152;
    /// Middle of the hairline.
    pub const FOREHEAD: usize = 10;
    /// Tip of the nose.
    pub const NOSE_TIP: usize = 1;
    /// Base of the nose, where it meets the upper lip.
    pub const NOSE_BASE: usize = 2;
    /// Right edge of the face at the height of the ears.
    pub const FACE_RIGHT: usize = 234;
    /// Left edge of the face at the height of the ears.
    pub const FACE_LEFT: usize = 454;
}

/// The upper lip's inner edge, from the person's right corner of the mouth to the left one.
pub const UPPER_LIP: [usize; 11] = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308];
/// The lower lip's inner edge, between the same corners.
pub const LOWER_LIP: [usize; 11] = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308];
/// The upper lid of the person's right eye, outer corner (left in the picture) to inner.
pub const RIGHT_UPPER_LID: [usize; 9] = [33, 246, 161, 160, 159, 158, 157, 173, 133];
/// Its lower lid.
pub const RIGHT_LOWER_LID: [usize; 9] = [33, 7, 163, 144, 145, 153, 154, 155, 133];
/// The upper lid of the person's left eye, inner corner (left in the picture) to outer.
pub const LEFT_UPPER_LID: [usize; 9] = [362, 398, 384, 385, 386, 387, 388, 466, 263];
/// Its lower lid.
pub const LEFT_LOWER_LID: [usize; 9] = [362, 382, 381, 380, 374, 373, 390, 249, 263];

/// Columns across the right eye's lids, the upper edge and the lower edge it closes onto, from the outer corner to the inner.
pub const RIGHT_LID_COLUMNS: [(usize, usize); 7] = lid_columns(RIGHT_UPPER_LID, RIGHT_LOWER_LID, false);
/// The same of the left eye, also from the outer corner to the inner.
pub const LEFT_LID_COLUMNS: [(usize, usize); 7] = lid_columns(LEFT_UPPER_LID, LEFT_LOWER_LID, true);

const fn lid_columns(upper: [usize; 9], lower: [usize; 9], reversed: bool) -> [(usize, usize); 7] {
    let mut columns = [(0, 0); 7];
    let mut i = 0;
    while i < 7 {
        let at = if reversed { 7 - i } else { i + 1 };
        columns[i] = (upper[at], lower[at]);
        i += 1;
    }
    columns
}

/// Columns across the lips from corner to corner: four rings of the upper lip and four of the lower, each from the
/// mouth's opening outwards. The first of each are the edges that meet when the mouth closes.
pub const LIP_COLUMNS: [([usize; 4], [usize; 4]); 9] = [
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

/// (inner edge, outer edge) pairs across the lips, where lips are thick: of the lower lip from its middle outwards, then of the
/// upper.
pub const ACROSS_LIPS: [(usize, usize); 8] = [
    across(LIP_COLUMNS[4].1),
    across(LIP_COLUMNS[3].1),
    across(LIP_COLUMNS[5].1),
    across(LIP_COLUMNS[2].1),
    across(LIP_COLUMNS[6].1),
    across(LIP_COLUMNS[4].0),
    across(LIP_COLUMNS[3].0),
    across(LIP_COLUMNS[5].0),
];

const fn across(rings: [usize; 4]) -> (usize, usize) {
    (rings[0], rings[3])
}

/// The corners of the eyes, from left to right in the picture: ligaments hold them to the bone, lids move between them.
pub const EYE_CORNERS: [usize; 4] =
    [point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER, point::LEFT_EYE_INNER, point::LEFT_EYE_OUTER];

/// Where only bone lies under the skin: the face's outline from ear to ear over the forehead, and the ridge of the
/// nose. No expression moves these points; what a tracker sees of that is its own error, or another skull.
pub const BONE: [usize; 22] =
    [234, 127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454, 168, 6, 197, 195, 5];

/// Cheeks: what is grainy there is the picture, not the face.
pub const CHEEKS: [usize; 5] = [50, 280, 101, 330, 205];
/// Well-lit skin: cheeks, bridge of the nose, forehead, chin.
pub const LIT_SKIN: [usize; 8] = [50, 280, 101, 330, 5, 151, 9, 200];
/// Skin that moves little and is seldom shaded: cheeks, bridge of the nose, forehead.
pub const STILL_SKIN: [usize; 10] = [50, 280, 101, 330, 5, 6, 151, 108, 337, 9];

/// The landmarks that the blendshape model sees (MediaPipe's `face_blendshapes_graph.cc`).
#[rustfmt::skip]
pub const BLENDSHAPE_POINTS: [usize; 146] = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
];

/// The landmarks that stand for a whole face in a data set's frame table: face oval, brows, eyes and irises, nose, lips.
#[rustfmt::skip]
pub const DESCRIPTOR_POINTS: [usize; 44] = [
    10, 332, 389, 323, 397, 378, 152, 149, 172, 93, 162, 103,
    70, 105, 107, 336, 334, 300,
    33, 159, 133, 145, 263, 386, 362, 374, 468, 473,
    168, 1, 98, 327,
    61, 39, 0, 269, 291, 405, 17, 181, 78, 13, 308, 14,
];

/// The canonical face and how its points hang together.
#[derive(Debug)]
pub struct Topology {
    /// `[468]` vertices of the canonical face, centimetres: x to the person's left, y up, z towards the camera.
    pub vertices: Vec<Vector3<f32>>,
    /// `[898]` triangles that cover the face, those that close mouth and eyes included.
    pub triangles: Vec<[usize; 3]>,
    /// Points that move little with expression, and their weights (which sum to 1): what head pose is fitted to.
    pub procrustes_basis: Vec<(usize, f32)>,
    /// The lines of the face, as pairs of landmarks.
    pub contours: Contours,
}

/// The lines of the face; each is a list of edges, in no particular order.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Contours {
    pub face_oval: Vec<[usize; 2]>,
    pub lips: Vec<[usize; 2]>,
    pub left_eye: Vec<[usize; 2]>,
    pub right_eye: Vec<[usize; 2]>,
    pub left_eyebrow: Vec<[usize; 2]>,
    pub right_eyebrow: Vec<[usize; 2]>,
    pub left_iris: Vec<[usize; 2]>,
    pub right_iris: Vec<[usize; 2]>,
    pub nose: Vec<[usize; 2]>,
}

/// The landmarks of some lines, each once, ascending.
pub fn landmarks_of(lines: &[&[[usize; 2]]]) -> Vec<usize> {
    let mut points: Vec<usize> = lines.iter().flat_map(|line| line.iter().flatten()).copied().collect();
    points.sort_unstable();
    points.dedup();
    points
}

#[derive(Deserialize)]
struct TopologyFile {
    vertices_cm: Vec<[f32; 3]>,
    triangles: Vec<[usize; 3]>,
    procrustes_basis: Vec<(usize, f32)>,
    contours: Contours,
}

/// The one topology, parsed on first use.
pub static TOPOLOGY: LazyLock<Topology> = LazyLock::new(|| {
    let file: TopologyFile = serde_json::from_str(include_str!("../../../models/face_topology.json"))
        .expect("the topology compiled into the program is checked by this module's tests");
    let total: f32 = file.procrustes_basis.iter().map(|(_, weight)| weight).sum();
    Topology {
        vertices: file.vertices_cm.into_iter().map(Vector3::from).collect(),
        triangles: file.triangles,
        procrustes_basis: file.procrustes_basis.into_iter().map(|(i, weight)| (i, weight / total)).collect(),
        contours: file.contours,
    }
});

/// `[478]` the landmark of the person's other side: left for right.
///
/// The canonical face is symmetric, so a vertex's counterpart is the one nearest to its mirror image. An iris is its
/// centre and four points of its rim, counted from the picture's right over the top: a mirror exchanges right and left.
pub static COUNTERPART: LazyLock<Vec<usize>> = LazyLock::new(|| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_topology_is_whole() {
        let topology = &*TOPOLOGY;
        assert_eq!(topology.vertices.len(), MESH_POINTS);
        assert_eq!(topology.triangles.len(), 898);
        assert!(topology.triangles.iter().flatten().all(|&i| i < MESH_POINTS));
        assert!(topology.contours.left_iris.iter().flatten().all(|&i| i < crate::LANDMARKS));
        let weights: f32 = topology.procrustes_basis.iter().map(|(_, weight)| weight).sum();
        assert!((weights - 1.0).abs() < 1e-5);
    }

    #[test]
    fn columns_run_across_the_canonical_lips_and_lids() {
        for (upper, lower) in LIP_COLUMNS {
            let (top, bottom) = (TOPOLOGY.vertices[upper[0]], TOPOLOGY.vertices[lower[0]]);
            assert!((top.x - bottom.x).abs() < 0.3 && top.y >= bottom.y - 0.05, "{upper:?} {lower:?}");
            assert!(TOPOLOGY.vertices[upper[3]].y > top.y - 0.05, "{upper:?}");
            assert!(TOPOLOGY.vertices[lower[3]].y < bottom.y + 0.05, "{lower:?}");
        }
        for (upper, lower) in RIGHT_LID_COLUMNS.into_iter().chain(LEFT_LID_COLUMNS) {
            let (top, bottom) = (TOPOLOGY.vertices[upper], TOPOLOGY.vertices[lower]);
            assert!((top.x - bottom.x).abs() < 0.4 && top.y > bottom.y, "{upper} {lower}");
        }
        for (columns, outer) in
            [(RIGHT_LID_COLUMNS, point::RIGHT_EYE_OUTER), (LEFT_LID_COLUMNS, point::LEFT_EYE_OUTER)]
        {
            let distance = |i: usize| (TOPOLOGY.vertices[i] - TOPOLOGY.vertices[outer]).norm();
            assert!(columns.is_sorted_by(|a, b| distance(a.0) < distance(b.0)), "{columns:?}");
        }
    }

    #[test]
    fn lists_of_the_same_lips_agree() {
        for (i, (upper, lower)) in LIP_COLUMNS.iter().enumerate() {
            assert_eq!((upper[0], lower[0]), (UPPER_LIP[i + 1], LOWER_LIP[i + 1]));
        }
    }

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
