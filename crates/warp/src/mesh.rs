//! The face mesh as the rasteriser wants it: oriented triangles, their edges, the oval and the holes.

use std::collections::HashMap;
use std::sync::LazyLock;

use gioconda_face::topology::{
    LEFT_LOWER_LID, LEFT_UPPER_LID, LOWER_LIP, MESH_POINTS, RIGHT_LOWER_LID, RIGHT_UPPER_LID, TOPOLOGY,
    UPPER_LIP, point,
};
use gioconda_face::{LANDMARKS, Landmarks};
use nalgebra::{Vector2, Vector3};

/// Edges from the oval to the innermost vertices of [`Mesh::rim`].
const RIM: usize = 3;

/// Twice the area is the cross product; positive for a triangle that runs clockwise on the screen (y down).
pub(crate) fn signed_area([a, b, c]: [Vector2<f32>; 3]) -> f32 {
    0.5 * (b - a).perp(&(c - a))
}

/// An edge of the mesh and the triangles on its two sides.
pub(crate) struct Edge {
    /// From and to, in the direction in which the first triangle runs.
    pub(crate) vertices: [usize; 2],
    /// The second is missing along the oval.
    pub(crate) triangles: [Option<u16>; 2],
}

/// The mesh, holes closed.
pub(crate) struct Mesh {
    /// `[898]`, oriented so that a triangle that faces the camera has a positive [`signed_area`].
    pub(crate) triangles: Vec<[usize; 3]>,
    pub(crate) edges: Vec<Edge>,
    /// The outline of the face, in order.
    pub(crate) oval: Vec<usize>,
    /// `[468]`
    pub(crate) on_oval: Vec<bool>,
    /// `[468]` whether a vertex shares a triangle with the oval: these become the outline of a turned head.
    pub(crate) near_oval: Vec<bool>,
    /// `[468]` for a vertex at most [`RIM`] edges away from the oval, but for brows (which leaves cheeks, temples and forehead),
    /// the nearest vertex of the oval, counted along it.
    pub(crate) rim: Vec<Option<usize>>,
    /// Outlines of the holes, oriented like the triangles.
    pub(crate) mouth: Vec<usize>,
    pub(crate) right_eye: Vec<usize>,
    pub(crate) left_eye: Vec<usize>,
}

pub(crate) static MESH: LazyLock<Mesh> = LazyLock::new(|| {
    // The canonical face has y up, the picture has y down: the order of the corners turns round.
    let triangles: Vec<[usize; 3]> = TOPOLOGY.triangles.iter().map(|&[a, b, c]| [a, c, b]).collect();
    let mut edges: Vec<Edge> = Vec::new();
    let mut known = HashMap::new();
    for (index, &[a, b, c]) in triangles.iter().enumerate() {
        for (from, to) in [(a, b), (b, c), (c, a)] {
            if let Some(edge) = known.remove(&(to, from)) {
                let edge: &mut Edge = &mut edges[edge];
                edge.triangles[1] = Some(index as u16);
            } else {
                known.insert((from, to), edges.len());
                edges.push(Edge { vertices: [from, to], triangles: [Some(index as u16), None] });
            }
        }
    }
    let next: HashMap<usize, usize> = known.into_keys().collect();
    let first = point::FOREHEAD;
    let oval: Vec<usize> =
        std::iter::successors(Some(first), |at| next.get(at).copied().filter(|&at| at != first))
            .take(next.len())
            .collect();
    let mut on_oval = vec![false; MESH_POINTS];
    for &i in &oval {
        on_oval[i] = true;
    }
    let near_oval = grown(&on_oval, &triangles);
    let rim = (1..RIM).fold(near_oval.clone(), |rim, _| grown(&rim, &triangles));
    let nearest = |vertex: usize| {
        let place = TOPOLOGY.vertices[vertex];
        let distance = |&at: &usize| (TOPOLOGY.vertices[oval[at]] - place).norm();
        (0..oval.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    let brows = [&TOPOLOGY.contours.right_eyebrow, &TOPOLOGY.contours.left_eyebrow];
    let is_brow = |i: usize| brows.iter().any(|brow| brow.as_flattened().contains(&i));
    let rim = (0..MESH_POINTS).map(|i| nearest(i).filter(|_| rim[i] && !is_brow(i))).collect();
    Mesh {
        near_oval,
        rim,
        triangles,
        edges,
        oval,
        on_oval,
        mouth: ring(&UPPER_LIP, &LOWER_LIP),
        right_eye: ring(&RIGHT_UPPER_LID, &RIGHT_LOWER_LID),
        left_eye: ring(&LEFT_UPPER_LID, &LEFT_LOWER_LID),
    }
});

/// With all vertices that share a triangle with one of them.
fn grown(vertices: &[bool], triangles: &[[usize; 3]]) -> Vec<bool> {
    let mut grown = vertices.to_vec();
    for triangle in triangles.iter().filter(|t| t.iter().any(|&i| vertices[i])) {
        for &i in triangle {
            grown[i] = true;
        }
    }
    grown
}

/// Out along the upper edge, back along the lower: clockwise on the screen.
fn ring(upper: &[usize], lower: &[usize]) -> Vec<usize> {
    let back = lower[1..lower.len() - 1].iter().rev();
    upper.iter().chain(back).copied().collect()
}

/// A face that stands in for unusable landmarks, so that everything derived from it is finite.
pub(crate) fn canonical_landmarks() -> Landmarks {
    let mut landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
    for (point, v) in landmarks.points.iter_mut().zip(&TOPOLOGY.vertices) {
        *point = Vector3::new(v.x, -v.y, -v.z);
    }
    landmarks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(i: usize) -> Vector2<f32> {
        let v = TOPOLOGY.vertices[i];
        Vector2::new(v.x, -v.y)
    }

    #[test]
    fn triangles_of_a_frontal_face_look_at_the_camera() {
        let front = MESH.triangles.iter().filter(|t| signed_area(t.map(canonical)) > 0.0).count();
        assert!(front > 880, "{front}");
    }

    #[test]
    fn the_mesh_is_a_disc_bounded_by_the_oval() {
        assert_eq!(MESH.oval.len(), 36);
        assert_eq!(MESH.edges.iter().filter(|e| e.triangles[1].is_none()).count(), 36);
        assert_eq!(MESH_POINTS + MESH.triangles.len(), MESH.edges.len() + 1);
    }

    #[test]
    fn holes_run_the_way_of_the_triangles() {
        for ring in [&MESH.mouth, &MESH.right_eye, &MESH.left_eye] {
            let area: f32 = (0..ring.len())
                .map(|i| canonical(ring[i]).perp(&canonical(ring[(i + 1) % ring.len()])))
                .sum();
            assert!(area > 0.0, "{ring:?}");
        }
    }
}
