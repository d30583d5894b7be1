//! What moves around the face: hair, ears, neck, and without a matte the background, which gives way to them.
//!
//! A regular grid over the [`MotionRegion`] of the photo. Each node moves by
//!
//! `D(p) = n(p) w(p) (S(p) - p) + sum_j B(p, j) r_j`
//!
//! where `S` is how the outline of a skull moves: it follows the centre of the head, rolls and grows with it, but a
//! turn slides it along itself (the outline of an ellipsoid does not shrink when it turns). `w` is 1 on the head and
//! falls to 0 towards the region's border, `n` falls to 0 down the neck. The second term adds what the face's outline does beyond
//! that (parallax, jaw), `r_j`, by radial basis functions that vanish within the region (Wendland's C2, compactly
//! supported; Wendland 1995). Nodes and basis stand still in the *photo*, so `B` is computed once and a frame costs
//! one small matrix product; the grid is then drawn forward, which cannot tear.
//!
//! A matte shows how far hair and hat reach, so that all of them move as one, and where the neck ends: shoulders rest, from the
//! jaw's motion too (`n` scales the sum as well). When the chin moves far, the neck's falloff grows longer, or the grid would fold.
//! Photos without a matte, and networks, which learned from those, get a head of usual size.

use gioconda_face::{HeadPose, Landmarks};
use gioconda_kernels::smoothstep;
use image::GrayImage;
use nalgebra::{DMatrix, Vector2};

use crate::head::SkullMotion;
use crate::head_shape::{HeadFrame, HeadShape};
use crate::mesh::MESH;
use crate::outline::{self, Place};
use crate::raster::{Band, Clip, Vertex};
use crate::share::ratio;
use crate::view::{MotionRegion, View};

/// Cells of the grid per side.
const CELLS: usize = 64;
const NODES: usize = CELLS + 1;
/// Points along the face's outline that steer the grid: for the oval's 36 vertices and the middles between them.
const CONTROLS: usize = 72;
// All lengths below are in face widths, measured from the middle of the face oval along the head's own axes.
/// Beyond the head the motion fades over this much of its ellipse's half axes.
const FADE: f32 = 0.65;
/// Support of the oval's basis functions: as far as keeps them within the fade.
const SUPPORT: f32 = 0.75;
/// The same where the matte shows the hair, whose outline moves about the skull's middle.
const HAIR_SUPPORT: f32 = 0.6;
/// Along a border of the photo nothing may cross it: the motion across it fades over this length.
const MARGIN: f32 = 0.35;
/// From the chin up to this height, face widths, large hair begins to count as head; below it falls on shoulders.
const ABOVE_CHIN: f32 = 0.5;
/// The grid reaches at most this far beyond the photo, face widths.
const BEYOND: f32 = 1.2;
/// A neck is at least this many times as long as its chin moves.
const UNFOLDED: f32 = 1.9;
/// Above a photo that cuts the head, hair of this length is mirrored to and fro.
const MIRRORED: f32 = 0.12;
/// How soft the outline of a made-up head is, as a radius.
const CAP_EDGE: f32 = 0.05;
/// The control at the chin: the oval begins at the forehead.
const CHIN: usize = CONTROLS / 2;

#[derive(Clone, Debug)]
pub(crate) struct Surround {
    region: MotionRegion,
    /// Width and height of a cell, photo pixels.
    cell: Vector2<f32>,
    head: Head,
    /// `[4225]` node positions, photo pixels.
    nodes: Vec<Vector2<f32>>,
    /// `[4225]` `w` of the nodes, but for what the neck takes of it.
    weight: Vec<f32>,
    /// `[4225]` how far each node lies below the chin, face widths.
    below_chin: Vec<f32>,
    /// `[4225]` how freely each node may move along x and y.
    freedom: Vec<Vector2<f32>>,
    /// `[72]` where the photo shows the outline of the face, photo pixels, and its `w`.
    controls: Vec<(Vector2<f32>, f32)>,
    /// `[72]` how far each of them lies outside of the oval, which a turned head hides; photo pixels.
    hidden: Vec<f32>,
    /// `[4225 * 72]` `B`, row by row.
    basis: Vec<f32>,
    pose: HeadPose,
}

impl Surround {
    /// The surroundings of a face in a photo of this size; `matte` says where the rest of the head is.
    pub(crate) fn new(
        photo_size: (u32, u32),
        landmarks: &Landmarks,
        pose: &HeadPose,
        matte: Option<&GrayImage>,
    ) -> Self {
        let frame = HeadFrame::new(landmarks, pose);
        let shape = matte.map_or_else(HeadShape::unknown, |matte| HeadShape::of(matte, &frame));
        let head = Head { frame, shape, has_matte: matte.is_some() };
        let photo = Vector2::new(photo_size.0 as f32, photo_size.1 as f32);
        let (corner, end) = head.extent(photo);
        let cell = (end - corner) / CELLS as f32;
        let region = region(corner, end, photo_size);
        let nodes: Vec<_> = (0..NODES * NODES)
            .map(|i| corner + Vector2::new((i % NODES) as f32, (i / NODES) as f32).component_mul(&cell))
            .collect();
        let edges: Vec<_> = outline::edges(landmarks).collect();
        let (controls, hidden): (Vec<_>, Vec<_>) = outline_points(landmarks, &edges, pose)
            .map(|(oval, place)| (oval + place.outwards * place.depth, place.depth))
            .map(|(p, hidden)| ((p, head.weight(p) * head.neck_falloff(head.below_chin(p), 0.0)), hidden))
            .unzip();
        let support = if matte.is_some() { HAIR_SUPPORT } else { SUPPORT };
        let basis = basis(&nodes, &controls, support * head.frame.face_width);
        let freedom = nodes.iter().map(|&node| head.freedom(node, photo)).collect();
        Self {
            region,
            cell,
            weight: nodes.iter().map(|&p| head.weight(p)).collect(),
            below_chin: nodes.iter().map(|&p| head.below_chin(p)).collect(),
            head,
            nodes,
            freedom,
            controls,
            hidden,
            basis,
            pose: pose.clone(),
        }
    }

    pub(crate) fn region(&self) -> MotionRegion {
        self.region
    }

    /// The corners of the box that frames may show something of, photo pixels; with a matte it reaches beyond the photo.
    pub(crate) fn extent(&self) -> (Vector2<f32>, Vector2<f32>) {
        let last = NODES * NODES - 1;
        (self.nodes[0], self.nodes[last])
    }

    /// The [`radius`](HeadFrame::radius) up to which everything is head.
    pub(crate) fn reach(&self) -> f32 {
        self.head.shape.reach
    }

    /// Whether there is more of the head above the photo.
    pub(crate) fn is_capped(&self) -> bool {
        self.head.shape.cap.is_some()
    }

    /// Of a place above the photo, how far inside the photo what is seen there stands, photo pixels, and how much of it there is,
    /// 0..1: hair goes on for a while, and a head ends.
    pub(crate) fn above(&self, p: Vector2<f32>) -> (f32, f32) {
        let Some(cap) = self.head.shape.cap else { return (0.0, 0.0) };
        let most = MIRRORED * self.head.frame.face_width;
        let radius = HeadFrame::radius(self.head.frame.place(p));
        // There and back again: what lies deeper is forehead.
        let inside = most - ((-p.y).rem_euclid(2.0 * most) - most).abs();
        (inside, 1.0 - smoothstep(((radius - cap) / CAP_EDGE + 0.5).clamp(0.0, 1.0)))
    }

    /// The output pixels whose centres lie in the region.
    pub(crate) fn clip(&self, view: &View) -> Clip {
        let MotionRegion { left, top, width, height } = self.region;
        let from = view.to_output(Vector2::new(left as f32, top as f32));
        let to = view.to_output(Vector2::new((left + width) as f32, (top + height) as f32));
        let pixel = |edge: f32, size: usize| ((edge - 0.5).ceil().max(0.0) as usize).min(size);
        Clip {
            left: pixel(from.x, view.width),
            right: pixel(to.x, view.width),
            top: pixel(from.y, view.height),
            bottom: pixel(to.y, view.height),
        }
    }

    /// Moves the nodes with the head, whose outline has these `edges` in the driving pose.
    pub(crate) fn place(
        &self,
        driving: &Landmarks,
        edges: &[[usize; 2]],
        pose: &HeadPose,
        view: &View,
        residuals: &mut Residuals,
        out: &mut Vec<Vertex>,
    ) {
        let skull = if self.head.has_matte {
            SkullMotion::with_hair(&self.pose, pose)
        } else {
            SkullMotion::new(&self.pose, pose)
        };
        let outline = outline_points(driving, edges, pose).zip(&self.hidden);
        // What lies beside the oval is hidden with it when the head turns further away than in the photo.
        let outline = outline.map(|((oval, place), &hidden)| oval + place.outwards * place.depth.min(hidden));
        for (k, (to, &(from, weight))) in outline.zip(&self.controls).enumerate() {
            let residual = (to - from) - weight * skull.displacement(from);
            (residuals.x[k], residuals.y[k]) = (residual.x, residual.y);
        }
        // A neck that is pressed together must not fold.
        let chin = self.controls[CHIN].0;
        let pressed = if self.head.has_matte {
            // Shoulders rest: the jaw's motion ends with the neck, too.
            let way = driving.xy(MESH.oval[CHIN / 2]) - chin;
            way.norm() / self.head.frame.face_width
        } else {
            0.0
        };
        out.clear();
        for (i, (&node, row)) in self.nodes.iter().zip(self.basis.as_chunks::<CONTROLS>().0).enumerate() {
            let oval = residuals.mixed(row);
            let down = self.head.neck_falloff(self.below_chin[i], pressed);
            let oval = if self.head.has_matte { oval * down } else { oval };
            let moved =
                (self.weight[i] * down * skull.displacement(node) + oval).component_mul(&self.freedom[i]);
            out.push(Vertex {
                position: view.to_output(node + moved),
                displacement: -moved,
                validity: 1.0,
                inside: 0.0,
            });
        }
        self.rate(view, out);
    }

    /// Validity of the nodes: photo area per driven area of the cells around them.
    fn rate(&self, view: &View, out: &mut [Vertex]) {
        let scale = view.scale();
        let cell = self.cell.x * self.cell.y / (scale.x * scale.y);
        for row in 0..NODES {
            for column in 0..NODES {
                let (left, right) = (column.saturating_sub(1), (column + 1).min(CELLS));
                let (above, below) = (row.saturating_sub(1), (row + 1).min(CELLS));
                let at = |row: usize, column: usize| out[row * NODES + column].position;
                let across = (at(row, right) - at(row, left)) / (right - left) as f32;
                let down = (at(below, column) - at(above, column)) / (below - above) as f32;
                out[row * NODES + column].validity = ratio(cell, across.perp(&down).abs());
            }
        }
    }

    /// Draws the grid from below, so that a chin lies over the neck. Cells that folded over show their back and lie behind
    /// their neighbours.
    pub(crate) fn draw(nodes: &[Vertex], band: &mut Band) {
        for row in (0..CELLS).rev() {
            if !band.touches(&nodes[row * NODES..(row + 2) * NODES]) {
                continue;
            }
            for column in 0..CELLS {
                let at = row * NODES + column;
                let [a, b, c, d] = [at, at + 1, at + NODES + 1, at + NODES].map(|i| &nodes[i]);
                band.draw([a, b, c]);
                band.draw([a, c, d]);
            }
        }
    }
}

/// What the face's outline does beyond the skull's motion, at its control points; pixels.
#[derive(Clone, Debug)]
pub(crate) struct Residuals {
    x: [f32; CONTROLS],
    y: [f32; CONTROLS],
}

impl Default for Residuals {
    fn default() -> Self {
        Self { x: [0.0; CONTROLS], y: [0.0; CONTROLS] }
    }
}

impl Residuals {
    /// Their sum, each by its share. In lanes, which the compiler may not choose by itself for sums of floats.
    fn mixed(&self, shares: &[f32; CONTROLS]) -> Vector2<f32> {
        const LANES: usize = 8;
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        for (at, shares) in shares.as_chunks::<LANES>().0.iter().enumerate() {
            for (lane, share) in shares.iter().enumerate() {
                x[lane] += share * self.x[at * LANES + lane];
                y[lane] += share * self.y[at * LANES + lane];
            }
        }
        Vector2::new(x.iter().sum(), y.iter().sum())
    }
}

/// The vertices of the oval and the middles between them.
fn oval_points(landmarks: &Landmarks) -> impl Iterator<Item = Vector2<f32>> + '_ {
    let oval = &MESH.oval;
    (0..oval.len()).flat_map(move |i| {
        let (a, b) = (landmarks.xy(oval[i]), landmarks.xy(oval[(i + 1) % oval.len()]));
        [a, 0.5 * (a + b)]
    })
}

/// The oval's points and how they lie to the outline of the face, whose `edges` these are.
fn outline_points<'a>(
    landmarks: &'a Landmarks,
    edges: &'a [[usize; 2]],
    pose: &HeadPose,
) -> impl Iterator<Item = (Vector2<f32>, Place)> + 'a {
    let place = outline::places(landmarks, edges, pose);
    oval_points(landmarks).map(move |point| (point, place(point)))
}

/// `B = K(nodes, controls) K(controls, controls)^-1`.
fn basis(nodes: &[Vector2<f32>], controls: &[(Vector2<f32>, f32)], support: f32) -> Vec<f32> {
    let kernel = |a: Vector2<f32>, b: Vector2<f32>| {
        let r = f64::from((a - b).norm() / support).min(1.0);
        (1.0 - r).powi(4) * (4.0 * r + 1.0)
    };
    let n = controls.len();
    // The ridge keeps profiles solvable, whose far oval points coincide.
    let gram =
        DMatrix::from_fn(n, n, |i, j| kernel(controls[i].0, controls[j].0) + if i == j { 1e-4 } else { 0.0 });
    let mut basis = vec![0.0; n * nodes.len()];
    let Some(factor) = gram.cholesky() else { return basis };
    // One product with the inverse is several times faster than two triangular solutions per node, and most nodes are
    // out of every control's reach.
    let near: Vec<usize> = (0..nodes.len())
        .filter(|&node| controls.iter().any(|(control, _)| (control - nodes[node]).norm() < support))
        .collect();
    let kernels = DMatrix::from_fn(n, near.len(), |i, node| kernel(controls[i].0, nodes[near[node]]));
    let shares = factor.inverse() * kernels;
    for (&node, shares) in near.iter().zip(shares.column_iter()) {
        let row = &mut basis[node * n..][..n];
        row.iter_mut().zip(shares.iter()).for_each(|(value, &share)| *value = share as f32);
    }
    basis
}

/// The box between these corners as far as it lies in a photo of this size.
fn region(corner: Vector2<f32>, end: Vector2<f32>, photo_size: (u32, u32)) -> MotionRegion {
    let within = |value: f32, size: u32| value.clamp(0.0, size as f32) as u32;
    let [left, top] = [within(corner.x.floor(), photo_size.0), within(corner.y.floor(), photo_size.1)];
    let [right, bottom] = [within(end.x.ceil(), photo_size.0), within(end.y.ceil(), photo_size.1)];
    MotionRegion { left, top, width: right - left, height: bottom - top }
}

/// A head in its photo and how far it moves what.
#[derive(Clone, Debug)]
struct Head {
    frame: HeadFrame,
    shape: HeadShape,
    has_matte: bool,
}

impl Head {
    /// How much of the head's motion a point of the photo takes part in, but for what the neck takes of it.
    fn weight(&self, p: Vector2<f32>) -> f32 {
        let place = self.frame.place(p);
        let above = smoothstep(((place.y - self.frame.chin) / ABOVE_CHIN).clamp(0.0, 1.0));
        let beyond = HeadFrame::radius(place) - (1.0 + (self.shape.reach - 1.0) * above);
        1.0 - smoothstep((beyond / FADE).clamp(0.0, 1.0))
    }

    fn below_chin(&self, p: Vector2<f32>) -> f32 {
        self.frame.chin - self.frame.place(p).y
    }

    /// How much the neck does of what the head does, so far below the chin, where that moves by `pressed`; all in face widths.
    fn neck_falloff(&self, below_chin: f32, pressed: f32) -> f32 {
        let neck = self.shape.neck.max(UNFOLDED * pressed);
        1.0 - smoothstep((below_chin / neck).clamp(0.0, 1.0))
    }

    /// How freely a point may move along x and y in a photo of this size.
    fn freedom(&self, p: Vector2<f32>, photo: Vector2<f32>) -> Vector2<f32> {
        let far = photo - p;
        let [left, right, top] = self.shape.cut;
        let x = if left { p.x } else { f32::MAX }.min(if right { far.x } else { f32::MAX });
        // With a matte there is a background behind the head, and a head that the upper border cuts is made up beyond.
        let y = if top && self.shape.cap.is_none() { p.y.min(far.y) } else { far.y };
        Vector2::new(x, y)
            .map(|distance| smoothstep((distance / (MARGIN * self.frame.face_width)).clamp(0.0, 1.0)))
    }

    /// The corners of the box around everything that can move, in a photo of this size. With a matte it reaches beyond: what moves
    /// away from the border leaves background there, which the grid must cover.
    fn extent(&self, photo: Vector2<f32>) -> (Vector2<f32>, Vector2<f32>) {
        let (centre, reach) = self.frame.ellipse(self.shape.reach + FADE);
        let (low, high) = (centre - reach, centre + reach);
        let within = |corner: Vector2<f32>| corner.sup(&Vector2::zeros()).inf(&photo);
        if !self.has_matte {
            return (within(low), within(high));
        }
        let most = BEYOND * self.frame.face_width;
        let low = Vector2::new(low.x.max(-most), low.y.max(-most));
        let high = Vector2::new(high.x.min(photo.x + most), within(high).y);
        (low.inf(&photo), high.sup(&Vector2::zeros()))
    }
}
