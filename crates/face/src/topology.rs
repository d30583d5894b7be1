//! MediaPipe's canonical face: vertices, triangles, contours, and the points that define head pose.
//!
//! One source: `models/face_topology.json`, the face-geometry metadata of MediaPipe's face landmarker (Apache-2.0).

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
    /// Right edge of the face at the height of the ears.
    pub const FACE_RIGHT: usize = 234;
    /// Left edge of the face at the height of the ears.
    pub const FACE_LEFT: usize = 454;
}

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
}
