//! The outline of a face as it is seen: its oval, and where a turned head hides that, the edge of cheek or forehead.

use gioconda_face::topology::MESH_POINTS;
use gioconda_face::{HeadPose, Landmarks};
use nalgebra::{Vector2, Vector3};

use crate::head::{face_width, head_centre};
use crate::mesh::{MESH, signed_area};

/// What the photo shows within this share of a face's width of its outline may be hair as well as skin: landmarks are
/// not more exact there, and pixels of an edge show both sides.
const EDGE: f32 = 0.04;
/// The cosine between the line of sight and a surface's normal below which the surface runs along the outline.
const GRAZING: f32 = 0.4;
/// A vertex is seen anew when the cosine between its normal and the line of sight has grown by this much.
const REVEALED: f32 = 0.2;
/// The oval counts as hidden from this share of a face's width behind the outline on.
const BEHIND: f32 = 0.01;

/// Whether a triangle faces the camera.
pub(crate) fn faces_camera(landmarks: &Landmarks, triangle: usize) -> bool {
    signed_area(MESH.triangles[triangle].map(|i| landmarks.xy(i))) > 0.0
}

/// The edges between what faces the camera and what does not, as pairs of vertices; clockwise around what does (y down).
pub(crate) fn edges(landmarks: &Landmarks) -> impl Iterator<Item = [usize; 2]> + '_ {
    MESH.edges.iter().filter_map(|edge| {
        let [a, b] = edge.vertices;
        match edge.triangles.map(|t| t.is_some_and(|t| faces_camera(landmarks, usize::from(t)))) {
            [true, false] => Some([a, b]),
            [false, true] => Some([b, a]),
            _ => None,
        }
    })
}

/// How a point lies to the outline, seen from the middle of the head.
pub(crate) struct Place {
    /// Away from the middle; of length 1, or zero in the middle itself.
    pub(crate) outwards: Vector2<f32>,
    /// Pixels from the point to the furthest edge of the outline behind it; 0 on the outline and outside.
    pub(crate) depth: f32,
}

/// Says of points how they lie to the outline of a face with these `edges`. Between the ears, where the middle of a head
/// is, one looks at both of them the right way however it is turned; the middle of a face's landmarks moves past the far one.
pub(crate) fn places<'a>(
    landmarks: &'a Landmarks,
    edges: &'a [[usize; 2]],
    pose: &HeadPose,
) -> impl Fn(Vector2<f32>) -> Place + 'a {
    let middle = head_centre(pose);
    move |point| {
        let outwards = (point - middle).try_normalize(f32::EPSILON).unwrap_or_default();
        let crossings = edges.iter().filter_map(|edge| {
            let [a, b] = edge.map(|i| landmarks.xy(i));
            let along = (a - middle).perp(&outwards) / outwards.perp(&(b - a));
            // Also false for an edge that is seen end-on, where nothing is a number.
            (0.0..=1.0).contains(&along).then(|| (a + (b - a) * along - middle).dot(&outwards))
        });
        let furthest = crossings.fold(0.0, f32::max);
        Place { outwards, depth: (furthest - (point - middle).norm()).max(0.0) }
    }
}

/// Where a vertex takes its colour from once a turn of the head shows more of it than the photo does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detour {
    /// From the vertex's own place in the photo, pixels.
    way: Vector2<f32>,
    /// The cosine between its normal and the line of sight in the photo; negative for what faces away.
    facing: f32,
}

impl Detour {
    /// The part of the way to take where the vertex has this `normal` (from [`normals`]): none where it faces the camera no
    /// more than in the photo.
    pub(crate) fn towards(&self, normal: Vector3<f32>) -> Vector2<f32> {
        self.way * ((-normal.z - self.facing) / REVEALED).clamp(0.0, 1.0)
    }
}

/// `[468]` the detours of a photo's face.
///
/// There are some only where the photo hides the oval. There, the outline passes hair or background to what is behind, and
/// what is behind lies, folded over, somewhere in the face: taken as they are, both would be drawn into a cheek. They take
/// the skin inside the outline instead.
pub(crate) fn detours(landmarks: &Landmarks, pose: &HeadPose) -> Vec<Detour> {
    let face_width = face_width(pose);
    let edges: Vec<_> = edges(landmarks).collect();
    let place = places(landmarks, &edges, pose);
    let behind = BEHIND * face_width;
    let hidden: Vec<_> =
        MESH.oval.iter().map(|&i| (place(landmarks.xy(i)).depth / behind).min(1.0)).collect();
    let mut facing = Vec::new();
    normals(landmarks, &mut facing);
    let detour = |(i, nearest): (usize, &Option<usize>)| {
        let hidden = nearest.map_or(0.0, |nearest| hidden[nearest]);
        let facing = -facing[i].z;
        let share = hidden * (1.0 - facing / GRAZING).clamp(0.0, 1.0);
        let Place { outwards, depth } = place(landmarks.xy(i));
        let within = depth.clamp(EDGE * face_width, 2.0 * EDGE * face_width);
        Detour { way: outwards * (share * (depth - within)), facing }
    };
    MESH.rim.iter().enumerate().map(detour).collect()
}

/// Fills `normals`, `[468]`, with the way out of the face at each vertex, in the landmarks' frame; of length 1, or zero.
pub(crate) fn normals(landmarks: &Landmarks, normals: &mut Vec<Vector3<f32>>) {
    normals.clear();
    normals.resize(MESH_POINTS, Vector3::zeros());
    for triangle in &MESH.triangles {
        let [a, b, c] = triangle.map(|i| landmarks.points[i]);
        let normal = (c - a).cross(&(b - a));
        for &i in triangle {
            normals[i] += normal;
        }
    }
    for normal in normals {
        *normal = normal.try_normalize(f32::EPSILON).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::canonical_landmarks;
    use nalgebra::Rotation3;

    /// The canonical face, 100 pixels wide, turned to the right of the picture by an angle in degrees.
    fn turned(yaw: f32) -> Landmarks {
        let turn = Rotation3::from_axis_angle(&Vector3::y_axis(), -yaw.to_radians());
        canonical_landmarks().map(|point| turn * (point * (100.0 / 15.0)) + Vector3::new(100.0, 100.0, 0.0))
    }

    /// The point of the oval that lies deepest behind the outline, and how it does.
    fn deepest(landmarks: &Landmarks) -> (Vector2<f32>, Place) {
        let edges: Vec<_> = edges(landmarks).collect();
        let place = places(landmarks, &edges, &HeadPose::fit(landmarks));
        let places = MESH.oval.iter().map(|&i| (landmarks.xy(i), place(landmarks.xy(i))));
        places.max_by(|a, b| a.1.depth.total_cmp(&b.1.depth)).expect("an oval has vertices")
    }

    #[test]
    fn the_ovals_depth_is_how_far_a_turn_hides_it() {
        let unhidden = deepest(&turned(0.0)).1.depth;
        assert!(unhidden < 1.0, "{unhidden}");
        for yaw in [30.0, 45.0, 60.0] {
            let landmarks = turned(yaw);
            let (at, Place { outwards, depth }) = deepest(&landmarks);
            assert!(depth > 5.0, "{yaw}: {depth}");
            // The far cheek is to the right, and its outline is the rightmost vertex about that high.
            assert!(outwards.x > 0.7, "{yaw}: {outwards}");
            let edge = at + outwards * depth;
            let rightmost = (0..MESH_POINTS)
                .map(|i| landmarks.xy(i))
                .filter(|p| (p.y - edge.y).abs() < 8.0)
                .map(|p| p.x)
                .fold(f32::MIN, f32::max);
            assert!((edge.x - rightmost).abs() < 3.0, "{yaw}: {} {rightmost}", edge.x);
            // On the outline and outside of it nothing is hidden.
            let edges: Vec<_> = edges(&landmarks).collect();
            let place = places(&landmarks, &edges, &HeadPose::fit(&landmarks));
            assert!(place(edge).depth < 0.01);
            assert!(place(edge + outwards * 5.0).depth <= 0.0);
        }
    }

    #[test]
    fn depths_grow_steadily_with_the_turn() {
        let depths = |yaw: f32| {
            let landmarks = turned(yaw);
            let edges: Vec<_> = edges(&landmarks).collect();
            let place = places(&landmarks, &edges, &HeadPose::fit(&landmarks));
            MESH.oval.iter().map(|&i| place(landmarks.xy(i)).depth).collect::<Vec<_>>()
        };
        for half_degrees in 0..120 {
            let yaw = half_degrees as f32 / 2.0;
            for (before, after) in depths(yaw).into_iter().zip(depths(yaw + 0.5)) {
                assert!((before - after).abs() < 4.0, "from {yaw} degrees on: {before} {after}");
            }
        }
    }

    #[test]
    fn only_what_is_hidden_takes_its_colour_from_elsewhere() {
        let (photo, frontal) = (turned(30.0), turned(0.0));
        let pose = HeadPose::fit(&photo);
        let detours = detours(&photo, &pose);
        let (mut as_photographed, mut facing) = (Vec::new(), Vec::new());
        normals(&photo, &mut as_photographed);
        normals(&frontal, &mut facing);
        let edges: Vec<_> = edges(&photo).collect();
        let place = places(&photo, &edges, &pose);
        let edge = EDGE * face_width(&pose);
        let mut hidden = 0;
        for i in 0..MESH_POINTS {
            assert_eq!(detours[i].towards(as_photographed[i]), Vector2::zeros());
            let way = detours[i].towards(facing[i]);
            if photo.points[i].x < 100.0 {
                assert!(way.norm() < 0.01, "{i} is on the near side: {way}");
            }
            // What is hidden takes what lies from one to two edges' widths inside the outline.
            let revealed = facing[i].z < as_photographed[i].z - REVEALED;
            if MESH.on_oval[i] && revealed && place(photo.xy(i)).depth > 1.0 {
                hidden += 1;
                let depth = place(photo.xy(i) + way).depth;
                assert!((0.99 * edge..=2.01 * edge).contains(&depth), "{i}: {depth}");
            }
        }
        assert!(hidden > 5, "{hidden}");
    }
}
