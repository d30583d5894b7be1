//! The mesh warp: where in the photo every pixel of a driven frame comes from.
//!
//! A [`SourceMesh`] is built once from a photo's landmarks. [`SourceMesh::warp`] then draws, for any driving pose
//! and at any resolution, a backward flow and the masks that say how far it can be trusted:
//!
//! 1. The surroundings of the face (`surround`) are a regular grid over the photo whose nodes follow the head: rigidly
//!    near it, less along the neck, not at all at the border of the [`MotionRegion`]. The grid is drawn first.
//! 2. The face mesh is drawn over the grid from far to near (`raster`), piecewise affine. Along its
//!    oval it starts with the grid's own displacement, so there is no seam.
//!    What the photo hides behind its outline and a turn brings forward takes the skin inside the outline (`outline`).
//! 3. Inside the eyes the texture does not stretch with the lids: lids close *over* the eye, and the iris stays round and
//!    follows the driving gaze (`look`).
//!
//! Everything is interpolated as a *displacement* from the photo, so that where nothing moves the flow is exactly
//! the identity.

use gioconda_face::topology::{LIP_COLUMNS, MESH_POINTS};
use gioconda_face::{HeadPose, Landmarks};
use gioconda_kernels::smoothstep;
use image::GrayImage;
use nalgebra::{Vector2, Vector3};
use rayon::prelude::*;

use crate::aperture::Aperture;
use crate::coverage::Coverage;
use crate::head::SkullMotion;
use crate::look::Look;
use crate::mesh::{MESH, canonical_landmarks, signed_area};
use crate::other_side::OtherSide;
use crate::outline::{self, Detour};
use crate::raster::{Band, Clip, Vertex};
use crate::share::{ratio, to_byte};
use crate::surround::{Residuals, Surround};
use crate::view::{MotionRegion, View};

/// A warp: the backward flow of one frame and its masks, row by row. Reuse it from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct MeshWarp {
    /// Width of all maps, pixels.
    pub width: usize,
    /// Height of all maps, pixels.
    pub height: usize,
    /// `[height * width]` where in the photo (absolute pixels, a pixel's centre at .5) each output pixel's centre
    /// comes from. May lie slightly outside the photo where the face itself does: clamp.
    pub flow: Vec<[f32; 2]>,
    /// `[height * width]` how much of a pixel the face mesh covers, 0..=255.
    pub face: Vec<u8>,
    /// `[height * width]` photo area per driven area, 0..=255 for 0..=1: 255 where the photo has at least as many
    /// pixels as are needed, towards 0 where few are stretched over many or the photo does not see the surface.
    pub validity: Vec<u8>,
    /// `[height * width]` how much of a pixel lies between the lips, 0..=255.
    pub mouth: Vec<u8>,
    /// `[height * width]` how much of a pixel lies between the lids of either eye, 0..=255.
    pub eyes: Vec<u8>,
    /// The driving mouth; `None` before the first warp.
    pub opening: Option<Aperture>,
    /// The driving head; `None` before the first warp.
    pub pose: Option<HeadPose>,
    /// What [`SourceMesh::reveal`] drew.
    pub(crate) other_side: OtherSideWarp,
    scratch: Scratch,
}

/// Where the photo shows the other side of what a frame reveals.
#[derive(Clone, Debug, Default)]
pub(crate) struct OtherSideWarp {
    /// `[height * width]` from each pixel to there, photo pixels; anything where the share is 0.
    pub(crate) flow: Vec<[f32; 2]>,
    /// `[height * width]` how much of a pixel comes from there, 0..=255; empty: nothing.
    pub(crate) share: Vec<u8>,
}

impl OtherSideWarp {
    /// The shares of a row of a warp of this width; `None`: nothing of it.
    pub(crate) fn row(&self, y: usize, width: usize) -> Option<&[u8]> {
        self.share.get(y * width..(y + 1) * width)
    }
}

/// What a warp needs while it is drawn; kept so that a frame allocates nothing.
#[derive(Clone, Debug, Default)]
struct Scratch {
    residuals: Residuals,
    nodes: Vec<Vertex>,
    vertices: Vec<Vertex>,
    /// The vertices as their counterparts.
    others: Vec<Vertex>,
    area: Vec<f32>,
    far_to_near: Vec<(f32, u16)>,
    outline: Vec<[usize; 2]>,
    normals: Vec<Vector3<f32>>,
    coverage: Vec<f32>,
}

impl MeshWarp {
    fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let pixels = width * height;
        self.flow.resize(pixels, [0.0; 2]);
        for mask in [&mut self.face, &mut self.validity, &mut self.mouth, &mut self.eyes] {
            mask.resize(pixels, 0);
        }
        self.scratch.coverage.resize(Coverage::stride(width) * height, 0.0);
    }
}

/// Where lids and eye come from places this many output pixels apart, a pixel of the lid's edge comes from one of them.
const APART: f32 = 2.0;
/// Lips that part or close by so much leave the line behind in which they met, centimetres.
const PARTED: f32 = 0.15;
/// Half of that line's width, centimetres, and at most as a share of a lip.
const LINE: f32 = 0.1;
const MOST_OF_LIP: f32 = 0.25;

/// A photo's face, ready to be driven.
#[derive(Clone, Debug)]
pub struct SourceMesh {
    landmarks: Landmarks,
    pose: HeadPose,
    surround: Surround,
    /// `[468]` area of the triangles around each vertex in the photo, back-facing ones counted negative.
    area: Vec<f32>,
    /// `[468]` where vertices take their colours from that the photo does not show.
    detours: Vec<Detour>,
    right_eye: Aperture,
    left_eye: Aperture,
    mouth: Aperture,
    /// Whether the person is a layer of its own.
    has_matte: bool,
    region: MotionRegion,
}

impl SourceMesh {
    /// Prepares the face at `landmarks` (pixels of the photo) in a photo of `photo_size` (width, height).
    ///
    /// Landmarks that are not finite or that all coincide give a mesh with an empty region, which never moves.
    pub fn new(photo_size: (u32, u32), landmarks: &Landmarks) -> Self {
        Self::of_head(photo_size, landmarks, None)
    }

    /// The same for a photo whose person has the matte `alpha`, of the photo's size: all of the head moves with the face, and
    /// shoulders rest.
    pub(crate) fn of_head(photo_size: (u32, u32), landmarks: &Landmarks, alpha: Option<&GrayImage>) -> Self {
        let usable = is_finite(landmarks) && spread(landmarks) > 1.0;
        let landmarks = if usable { landmarks.clone() } else { canonical_landmarks() };
        let pose = HeadPose::fit(&landmarks);
        let surround = Surround::new(photo_size, &landmarks, &pose, alpha);
        let region = if usable { surround.region() } else { MotionRegion::default() };
        let mut area = vec![0.0; MESH_POINTS];
        vertex_areas(&mut area, |i| landmarks.xy(i));
        Self {
            right_eye: Aperture::right_eye(&landmarks, pose.scale),
            left_eye: Aperture::left_eye(&landmarks, pose.scale),
            mouth: Aperture::mouth(&landmarks, pose.scale),
            has_matte: alpha.is_some(),
            detours: outline::detours(&landmarks, &pose),
            landmarks,
            pose,
            surround,
            area,
            region,
        }
    }

    /// The landmarks of the photo.
    pub fn landmarks(&self) -> &Landmarks {
        &self.landmarks
    }

    /// The head pose in the photo.
    pub fn pose(&self) -> &HeadPose {
        &self.pose
    }

    /// The part of the photo that can move, within the photo.
    pub fn region(&self) -> MotionRegion {
        self.region
    }

    /// The corners of the box that frames may show something of, photo pixels.
    pub(crate) fn extent(&self) -> (Vector2<f32>, Vector2<f32>) {
        self.surround.extent()
    }

    /// The [`radius`](crate::head_shape::HeadFrame::radius) up to which everything is head.
    pub(crate) fn reach(&self) -> f32 {
        self.surround.reach()
    }

    /// Whether there is more of the head above the photo.
    pub(crate) fn is_capped(&self) -> bool {
        self.surround.is_capped()
    }

    /// Of a place above the photo, how far inside the photo what is seen there stands, photo pixels, and how much of it there is,
    /// 0..1.
    pub(crate) fn above(&self, place: Vector2<f32>) -> (f32, f32) {
        self.surround.above(place)
    }

    /// The photo's own mouth opening.
    pub fn mouth(&self) -> &Aperture {
        &self.mouth
    }

    /// From places on a head in the pose `driving` to places on the photo's, photo pixels: shifted, rolled and scaled, but not
    /// turned. For what moves with a head whatever its face does.
    pub fn undriven(&self, driving: &HeadPose) -> impl Fn(Vector2<f32>) -> Vector2<f32> + use<> {
        let skull = SkullMotion::new(driving, &self.pose);
        move |place| place + skull.displacement(place)
    }

    /// The landmarks that a frame shows: the photo's own where `driving` cannot be drawn.
    pub(crate) fn drawn<'a>(&'a self, driving: &'a Landmarks) -> &'a Landmarks {
        if self.is_drivable(driving) { driving } else { &self.landmarks }
    }

    /// Whether the face can be at `driving`: it moves, and these are landmarks of a face.
    pub(crate) fn is_drivable(&self, driving: &Landmarks) -> bool {
        self.region.width > 0 && is_finite(driving) && spread(driving) > 1.0
    }

    /// Draws the flow that moves the photo's face to `driving` (pixels, in the photo's frame) as seen in `view`.
    ///
    /// Driving landmarks that are not finite leave the photo as it is.
    pub fn warp(&self, driving: &Landmarks, view: &View, warp: &mut MeshWarp) {
        warp.resize(view.width, view.height);
        if view.width == 0 || view.height == 0 {
            return;
        }
        let driving = self.drawn(driving);
        let still = std::ptr::eq(driving, &raw const self.landmarks);
        let pose = if still { self.pose.clone() } else { HeadPose::fit(driving) };
        let frame = self.prepare(driving, &pose, view, &mut warp.scratch);

        let looks = [(&self.right_eye, &frame.right_eye), (&self.left_eye, &frame.left_eye)]
            .map(|(from, to)| Look::new(from, to));

        let rows = view.height.div_ceil(4 * rayon::current_num_threads()).max(16);
        let pixels = rows * view.width;
        let scratch = &mut warp.scratch;
        let (nodes, vertices) = (&scratch.nodes, &scratch.vertices);
        let (order, outline) = (&scratch.far_to_near, &scratch.outline);
        warp.flow
            .par_chunks_mut(pixels)
            .zip(warp.face.par_chunks_mut(pixels))
            .zip(warp.validity.par_chunks_mut(pixels))
            .zip(warp.mouth.par_chunks_mut(pixels))
            .zip(warp.eyes.par_chunks_mut(pixels))
            .zip(scratch.coverage.par_chunks_mut(rows * Coverage::stride(view.width)))
            .enumerate()
            .for_each(|(index, (((((flow, face), validity), mouth), eyes), coverage))| {
                flow.fill([0.0; 2]);
                validity.fill(u8::MAX);
                mouth.fill(0);
                eyes.fill(0);
                let mut band =
                    Band { top: index * rows, width: view.width, flow, validity, clip: frame.clip };
                Surround::draw(nodes, &mut band);
                for &(_, triangle) in order {
                    let corners = MESH.triangles[usize::from(triangle)].map(|i| &vertices[i]);
                    band.draw_over(corners);
                }
                let mut coverage = Coverage { top: index * rows, width: view.width, sums: coverage };
                coverage.fill(outline.iter().map(|edge| edge.map(|i| vertices[i].position)), face);
                self.draw_holes(driving, &frame, &looks, view, &mut band, &mut coverage, mouth, eyes);
                band.displace_to_photo(view);
            });
        warp.opening = Some(frame.mouth);
        warp.pose = Some(pose);
    }

    /// Adds to `warp`, the last of this mesh and of `view`, what it reveals of the other side.
    pub(crate) fn reveal(&self, other: &OtherSide, view: &View, warp: &mut MeshWarp) {
        let MeshWarp { width, height, other_side, scratch, .. } = warp;
        let Scratch { vertices, others, normals, far_to_near, .. } = scratch;
        others.clear();
        others.extend(vertices.iter().zip(normals.iter()).enumerate().map(|(i, (vertex, &normal))| {
            let displacement = other.place(i) - view.to_photo(vertex.position);
            let inside = if MESH.on_oval[i] { 0.0 } else { 1.0 };
            Vertex { displacement, validity: other.share(i, normal), inside, ..*vertex }
        }));
        let others = &others[..];
        let corners = |triangle: u16| MESH.triangles[usize::from(triangle)].map(|i| &others[i]);
        let revealed = far_to_near.iter().flat_map(|&(_, triangle)| {
            let corners = corners(triangle);
            corners.into_iter().filter(move |_| corners.iter().any(|corner| corner.validity > 0.0))
        });
        let (low, high) = revealed
            .fold((Vector2::repeat(f32::MAX), Vector2::repeat(f32::MIN)), |(low, high), corner| {
                (low.inf(&corner.position), high.sup(&corner.position))
            });
        other_side.share.clear();
        if low.x > high.x || *width == 0 {
            return;
        }
        let pixels = *width * *height;
        other_side.share.resize(pixels, 0);
        other_side.flow.resize(pixels, [0.0; 2]);
        // What lies over it hides it.
        let is_near = |triangle: u16| {
            let [a, b, c] = corners(triangle).map(|corner| corner.position);
            let (first, last) = (a.inf(&b).inf(&c), a.sup(&b).sup(&c));
            first.x <= high.x && first.y <= high.y && last.x >= low.x && last.y >= low.y
        };
        let clip = self.surround.clip(view);
        let rows = height.div_ceil(4 * rayon::current_num_threads()).max(16);
        let bands =
            other_side.flow.par_chunks_mut(rows * *width).zip(other_side.share.par_chunks_mut(rows * *width));
        bands.enumerate().for_each(|(index, (flow, validity))| {
            let mut band = Band { top: index * rows, width: *width, flow, validity, clip };
            for &(_, triangle) in far_to_near.iter().filter(|(_, triangle)| is_near(*triangle)) {
                band.draw_share(corners(triangle));
            }
        });
    }

    /// Moves nodes and vertices to their driving positions and sorts the visible triangles.
    fn prepare(&self, driving: &Landmarks, pose: &HeadPose, view: &View, scratch: &mut Scratch) -> Frame {
        let Scratch { residuals, nodes, vertices, area, far_to_near, outline, normals, .. } = scratch;
        outline.clear();
        outline.extend(outline::edges(driving));
        self.surround.place(driving, outline, pose, view, residuals, nodes);
        area.clear();
        area.resize(MESH_POINTS, 0.0);
        vertex_areas(area, |i| driving.xy(i));
        outline::normals(driving, normals);
        vertices.clear();
        vertices.extend((0..MESH_POINTS).map(|i| {
            let (from, to) = (self.landmarks.xy(i), driving.xy(i));
            Vertex {
                position: view.to_output(to),
                displacement: from - to + self.detours[i].towards(normals[i]),
                validity: ratio(self.area[i], area[i].abs()),
                inside: if MESH.on_oval[i] { 0.0 } else { 1.0 },
            }
        }));
        self.bare_lips(driving, pose, vertices);
        far_to_near.clear();
        let front = (0..MESH.triangles.len()).filter(|&t| outline::faces_camera(driving, t));
        far_to_near.extend(front.map(|t| {
            let depth: f32 = MESH.triangles[t].iter().map(|&i| driving.points[i].z).sum();
            (depth, t as u16)
        }));
        far_to_near.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for i in outline.as_flattened().iter().copied().filter(|&i| MESH.near_oval[i]) {
            vertices[i].inside = 0.0;
        }
        Frame {
            right_eye: Aperture::right_eye(driving, pose.scale),
            left_eye: Aperture::left_eye(driving, pose.scale),
            mouth: Aperture::mouth(driving, pose.scale),
            clip: self.surround.clip(view),
        }
    }

    /// Lips that part show their own colour up to the edge: the dark line in which the photo's met stays behind.
    fn bare_lips(&self, driving: &Landmarks, pose: &HeadPose, vertices: &mut [Vertex]) {
        if !self.has_matte {
            return;
        }
        for (upper, lower) in LIP_COLUMNS {
            let open = |face: &Landmarks, pose: &HeadPose| {
                (face.xy(upper[0]) - face.xy(lower[0])).norm() / pose.scale
            };
            let parting = open(driving, pose) - open(&self.landmarks, &self.pose);
            let share = smoothstep((parting.abs() / PARTED).clamp(0.0, 1.0));
            for [edge, _, _, outer] in [upper, lower] {
                let lip = self.landmarks.xy(outer) - self.landmarks.xy(edge);
                let line = (LINE * self.pose.scale).min(MOST_OF_LIP * lip.norm());
                vertices[edge].displacement += lip.try_normalize(1e-3).unwrap_or_default() * (line * share);
            }
        }
    }

    /// Mouth and eyes: their masks, their validity, and what is seen between the lids.
    #[allow(clippy::too_many_arguments, reason = "the maps of one band, borrowed apart from each other")]
    fn draw_holes(
        &self,
        driving: &Landmarks,
        frame: &Frame,
        looks: &[Look; 2],
        view: &View,
        band: &mut Band,
        coverage: &mut Coverage,
        mouth: &mut [u8],
        eyes: &mut [u8],
    ) {
        let outline = |ring: &'static [usize]| {
            let corner = move |i: usize| view.to_output(driving.xy(ring[i % ring.len()]));
            (0..ring.len()).map(move |i| [corner(i), corner(i + 1)])
        };
        coverage.for_each(outline(&MESH.mouth), band.clip, |pixel, x, y, share| {
            let position = view.to_photo(Vector2::new(x, y));
            let (along, _) = frame.mouth.coordinates(position);
            let seen = ratio(self.mouth.opening(along), frame.mouth.opening(along));
            mouth[pixel] = to_byte(share);
            band.set_validity(pixel, seen, share);
        });
        let apart = APART * view.scale().max();
        for (look, ring) in looks.iter().zip([&MESH.right_eye, &MESH.left_eye]) {
            coverage.for_each(outline(ring), band.clip, |pixel, x, y, share| {
                let position = view.to_photo(Vector2::new(x, y));
                let (displacement, seen) = look.displacement(position);
                eyes[pixel] = to_byte(share).max(eyes[pixel]);
                band.mix(pixel, displacement, seen, share, apart);
            });
        }
    }
}

/// What one frame's bands share.
struct Frame {
    right_eye: Aperture,
    left_eye: Aperture,
    mouth: Aperture,
    clip: Clip,
}

fn is_finite(landmarks: &Landmarks) -> bool {
    landmarks.points.iter().all(|p| p.iter().all(|value| value.is_finite() && value.abs() < 1e6))
}

/// The longer side of the landmarks' bounding box, pixels.
fn spread(landmarks: &Landmarks) -> f32 {
    let bounds = |axis: usize| {
        let values = landmarks.points.iter().map(move |p| p[axis]);
        values.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)))
    };
    let [(left, right), (top, bottom)] = [bounds(0), bounds(1)];
    (right - left).max(bottom - top)
}

/// Adds to each vertex the signed areas of its triangles.
fn vertex_areas(area: &mut [f32], position: impl Fn(usize) -> Vector2<f32>) {
    for triangle in &MESH.triangles {
        let signed = signed_area(triangle.map(&position));
        for &i in triangle {
            area[i] += signed;
        }
    }
}
