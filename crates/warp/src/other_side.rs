//! What a turned photo hides of a face, taken from the face's other side.
//!
//! The canonical face is symmetric: what a vertex of the far cheek looks like, its counterpart on the near cheek shows. The two
//! sides differ in light, so the near side's colours are multiplied by a smooth ratio of the two, measured where the photo
//! shows both and continued to where it shows one.

use gioconda_face::topology::{CHEEKS, COUNTERPART, MESH_POINTS, TOPOLOGY};
use gioconda_face::{HeadPose, Landmarks};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::{Vector2, Vector3};

use crate::colour::{Colour, mean};
use crate::head::{face_width, head_centre};
use crate::mesh::MESH;
use crate::outline;

/// The cosine between the line of sight and a surface's normal up to which the photo says too little of the surface, and from
/// which it says enough.
const SEEN: (f32, f32) = (0.1, 0.4);
/// By how much more the counterpart faces the camera before it says more, and says so much more that it is taken.
const BETTER: (f32, f32) = (0.2, 0.45);
/// From the midline to where a face's sides begin, and to where only sides are, in the canonical frame, centimetres: a nose shades
/// its own side, and a mouth is its own.
const SIDE: (f32, f32) = (2.5, 3.5);
/// What the photo shows within this share of a face's width of its oval may be hair as well as skin.
const EDGE: f32 = 0.05;
/// The logarithm of a colour's ratio to the cheek's from which on it may be hair, and is.
const HAIR: (f32, f32) = (0.4, 0.8);
/// So much more than in the photo a vertex must face the camera to be drawn wholly from the other side.
const REVEALED: f32 = 0.2;
/// The light of a vertex is the mean colour of a square of twice this many face widths around it.
const PATCH: f32 = 0.03;
/// Samples per side of that square.
const SAMPLES: i32 = 7;
/// Both sides must face the camera by more than the first to tell their light, and by the second to tell it well.
const LIT: (f32, f32) = (0.25, 0.6);
/// Added to colours, 0..255, before they are divided: of dark, ratios say little.
const DARK: f32 = 12.0;
/// The strongest ratio of light.
const STRONGEST: f32 = 1.8;
/// The ratio of light is smooth over this length, face widths.
const SMOOTH: f32 = 0.15;
/// Cells per side of the table of ratios.
const CELLS: usize = 24;

/// A photo's face as its own mirror image.
#[derive(Clone, Debug)]
pub(crate) struct OtherSide {
    /// `[468]`
    vertices: Vec<Hidden>,
    light: Light,
}

/// A vertex and what shows it otherwise.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    /// Where the photo shows its counterpart, photo pixels.
    place: Vector2<f32>,
    /// The cosine between its normal and the line of sight in the photo; negative for what faces away.
    facing: f32,
    /// How little the photo says of it, and how much more of its counterpart; 0..1.
    need: f32,
}

impl OtherSide {
    /// Of the face at `landmarks`, photo pixels; `None` where the photo shows both sides alike.
    pub(crate) fn new(photo: &RgbImage, landmarks: &Landmarks, pose: &HeadPose) -> Option<Self> {
        let mut normals = Vec::new();
        outline::normals(landmarks, &mut normals);
        let facing: Vec<_> = normals.iter().map(|normal| -normal.z).collect();
        let (face_width, middle) = (face_width(pose), head_centre(pose));
        let place = |i: usize| {
            let at = landmarks.xy(COUNTERPART[i]);
            let edge = if MESH.on_oval[i] { EDGE } else { 0.0 } * face_width;
            at + (middle - at).try_normalize(f32::EPSILON).unwrap_or_default() * edge
        };
        let shade = |at| (luma(REC_709, colour(photo, at, PATCH * face_width)) + DARK).ln();
        let cheek = CHEEKS.into_iter().max_by(|&a, &b| facing[a].total_cmp(&facing[b])).unwrap_or_default();
        let skin = shade(landmarks.xy(cheek));
        let need = |i: usize| {
            let better = between(BETTER, facing[COUNTERPART[i]] - facing[i]);
            let side = between(SIDE, TOPOLOGY.vertices[i].x.abs());
            let hair =
                if MESH.rim[i].is_some() { between(HAIR, (shade(place(i)) - skin).abs()) } else { 0.0 };
            (1.0 - between(SEEN, facing[i])) * better * side * (1.0 - hair)
        };
        let needs: Vec<_> = (0..MESH_POINTS).map(need).collect();
        let hidden = |i: usize| Hidden { place: place(i), facing: facing[i], need: needs[i] };
        needs.iter().any(|need| *need > 0.0).then(|| Self {
            vertices: (0..MESH_POINTS).map(hidden).collect(),
            light: Light::new(photo, landmarks, &facing, face_width),
        })
    }

    /// Where the photo shows a vertex's counterpart, photo pixels.
    pub(crate) fn place(&self, vertex: usize) -> Vector2<f32> {
        self.vertices[vertex].place
    }

    /// How much of a vertex with this `normal` (from [`outline::normals`]) is to come from there, 0..1: nothing where it faces
    /// the camera no more than in the photo.
    pub(crate) fn share(&self, vertex: usize, normal: Vector3<f32>) -> f32 {
        let Hidden { facing, need, .. } = self.vertices[vertex];
        need * between((0.0, REVEALED), -normal.z - facing)
    }

    /// By how much the side without this `place`, photo pixels, is lighter than the side with it.
    pub(crate) fn light(&self, place: Vector2<f32>) -> Colour {
        self.light.at(place)
    }
}

/// How far `value` is on the way from the first bound, 0, to the second, 1.
fn between((none, all): (f32, f32), value: f32) -> f32 {
    ((value - none) / (all - none)).clamp(0.0, 1.0)
}

/// The light of the far side in shares of the near side's, over the places of the near side.
#[derive(Clone, Debug)]
struct Light {
    corner: Vector2<f32>,
    /// Photo pixels.
    cell: Vector2<f32>,
    /// `[(CELLS + 1) * (CELLS + 1)]`, rows from top to bottom.
    ratios: Vec<Colour>,
}

impl Light {
    fn new(photo: &RgbImage, landmarks: &Landmarks, facing: &[f32], face_width: f32) -> Self {
        let (low, high) = landmarks.bounds();
        let cell = (high - low).map(|side| side.max(1.0)) / CELLS as f32;
        let pairs: Vec<_> = (0..MESH_POINTS)
            .filter_map(|i| {
                let other = COUNTERPART[i];
                let sure = between(LIT, facing[i].min(facing[other]));
                // Vertices of the midline are their own counterparts, and light runs on across it.
                (sure > 0.0 && facing[i] <= facing[other] && !MESH.on_oval[i]).then(|| {
                    let [far, near] = [i, other].map(|i| colour(photo, landmarks.xy(i), PATCH * face_width));
                    let ratio = |c: usize| ((far[c] + DARK) / (near[c] + DARK)).ln();
                    (landmarks.xy(other), sure, [ratio(0), ratio(1), ratio(2)])
                })
            })
            .collect();
        let smooth = (SMOOTH * face_width).powi(2);
        let ratios = (0..(CELLS + 1) * (CELLS + 1)).map(|i| {
            let node = Vector2::new((i % (CELLS + 1)) as f32, (i / (CELLS + 1)) as f32);
            let place = low + node.component_mul(&cell);
            let (mut sum, mut total) = ([0.0; 3], f32::EPSILON);
            for (at, sure, ratio) in &pairs {
                let weight = sure / (1.0 + (place - at).norm_squared() / smooth).powi(3);
                sum.iter_mut().zip(ratio).for_each(|(sum, ratio)| *sum += weight * ratio);
                total += weight;
            }
            let strongest = STRONGEST.ln();
            sum.map(|sum| (sum / total).clamp(-strongest, strongest).exp())
        });
        Self { corner: low, cell, ratios: ratios.collect() }
    }

    /// Bilinear; places beyond the face read its border.
    fn at(&self, place: Vector2<f32>) -> Colour {
        let node = (place - self.corner).component_div(&self.cell).map(|v| v.clamp(0.0, CELLS as f32 - 1e-3));
        let (column, row) = (node.x as usize, node.y as usize);
        let (across, down) = (node.x - column as f32, node.y - row as f32);
        let at = |row: usize, column: usize, c: usize| self.ratios[row * (CELLS + 1) + column][c];
        std::array::from_fn(|c| {
            let line = |row| at(row, column, c) + (at(row, column + 1, c) - at(row, column, c)) * across;
            line(row) + (line(row + 1) - line(row)) * down
        })
    }
}

/// The mean colour of the square around `place` that reaches this far, photo pixels.
fn colour(photo: &RgbImage, place: Vector2<f32>, reach: f32) -> Colour {
    let step = 2.0 * reach / (SAMPLES - 1) as f32;
    mean((0..SAMPLES * SAMPLES).map(|i| {
        let offset = Vector2::new((i % SAMPLES) as f32, (i / SAMPLES) as f32) * step;
        let at = place + offset - Vector2::repeat(reach);
        let within = |value: f32, size: u32| (value.max(0.0) as u32).min(size - 1);
        photo.get_pixel(within(at.x, photo.width()), within(at.y, photo.height())).0.map(f32::from)
    }))
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

    fn other_side(photo: &RgbImage, landmarks: &Landmarks) -> Option<OtherSide> {
        OtherSide::new(photo, landmarks, &HeadPose::fit(landmarks))
    }

    fn normals_of(landmarks: &Landmarks) -> Vec<Vector3<f32>> {
        let mut normals = Vec::new();
        outline::normals(landmarks, &mut normals);
        normals
    }

    #[test]
    fn a_photo_from_the_front_shows_both_sides() {
        assert!(other_side(&RgbImage::new(200, 200), &turned(0.0)).is_none());
    }

    #[test]
    fn the_far_cheek_comes_from_the_near_one_as_it_turns_into_view() {
        let photo = turned(30.0);
        let other = other_side(&RgbImage::new(200, 200), &photo).expect("a far cheek is hidden");
        let shares = |yaw: f32| {
            let normals = normals_of(&turned(yaw));
            (0..MESH_POINTS).map(|i| other.share(i, normals[i])).collect::<Vec<_>>()
        };
        assert!(shares(30.0).iter().all(|share| *share <= 0.0), "nothing moves");
        assert!(shares(45.0).iter().all(|share| *share < 0.01), "turned away");
        let back = shares(0.0);
        assert!(back.iter().filter(|share| **share > 0.9).count() > 15);
        let canonical = turned(0.0);
        for (i, share) in back.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            assert!(canonical.points[i].x > 100.0, "{i} is on the near side: {share}");
            assert!(other.place(i).x < photo.points[i].x, "{i}");
        }
        for tenths in 0..300 {
            let (before, after) = (shares(tenths as f32 / 10.0), shares((tenths + 1) as f32 / 10.0));
            for (before, after) in before.into_iter().zip(after) {
                assert!((before - after).abs() < 0.02, "steady");
            }
        }
    }

    #[test]
    fn the_near_side_gets_the_far_sides_light() {
        let landmarks = turned(25.0);
        // The far side, to the right, is half as light.
        let nose = landmarks.xy(1).x;
        let photo =
            RgbImage::from_fn(200, 200, |x, _| image::Rgb([if (x as f32) < nose { 160 } else { 80 }; 3]));
        let other = other_side(&photo, &landmarks).expect("a far cheek is hidden");
        let cheek = landmarks.xy(50);
        let [light, ..] = other.light(if cheek.x < nose { cheek } else { landmarks.xy(280) });
        assert!((0.48..0.65).contains(&light), "{light}");
        let even = other_side(&RgbImage::from_pixel(200, 200, image::Rgb([90; 3])), &landmarks);
        let [light, ..] = even.expect("a far cheek is hidden").light(cheek);
        assert!((light - 1.0).abs() < 1e-4, "{light}");
    }
}
