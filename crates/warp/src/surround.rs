//! What moves around the face: hair, ears, neck, and the background that gives way to them.
//!
//! A regular grid over the [`MotionRegion`] of the photo. Each node moves by
//!
//! `D(p) = w(p) (S(p) - p) + sum_j B(p, j) r_j`
//!
//! where `S` is how the outline of a skull moves: it follows the centre of the head, rolls and grows with it, but a
//! turn slides it along itself (the outline of an ellipsoid does not shrink when it turns). `w` is 1 on the head and
//! falls to 0 down the neck and towards the region's border. The second term adds what the face's outline does beyond
//! that (parallax, jaw), `r_j`, by radial basis functions that vanish within the region (Wendland's C2, compactly
//! supported; Wendland 1995). Nodes and basis stand still in the *photo*, so `B` is computed once and a frame costs
//! one small matrix product; the grid is then drawn forward, which cannot tear.

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
/// Along a border of the photo that cuts the head nothing may cross it: the motion across it fades over this length.
const MARGIN: f32 = 0.35;

#[derive(Clone, Debug)]
pub(crate) struct Surround {
    region: MotionRegion,
    /// `[4225]` node positions, photo pixels.
    nodes: Vec<Vector2<f32>>,
    /// `[4225]` `w` of the nodes.
    weight: Vec<f32>,
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
        let head = Head { frame, shape };
        let region = head.region(photo_size);
        let corner = Vector2::new(region.left as f32, region.top as f32);
        let step = Vector2::new(region.width as f32, region.height as f32) / CELLS as f32;
        let nodes: Vec<_> = (0..NODES * NODES)
            .map(|i| corner + Vector2::new((i % NODES) as f32, (i / NODES) as f32).component_mul(&step))
            .collect();
        let edges: Vec<_> = outline::edges(landmarks).collect();
        let (controls, hidden): (Vec<_>, Vec<_>) = outline_points(landmarks, &edges, pose)
            .map(|(oval, place)| (oval + place.outwards * place.depth, place.depth))
            .map(|(p, hidden)| ((p, head.weight(p)), hidden))
            .unzip();
        let mut basis = basis(&nodes, &controls, SUPPORT * head.frame.face_width);
        // The jaw moves the neck, not the shoulders. Networks learned from warps that know no matte, and drag these.
        if matte.is_some() {
            for (row, node) in basis.as_chunks_mut::<CONTROLS>().0.iter_mut().zip(&nodes) {
                let down = head.down(head.frame.place(*node).y);
                row.iter_mut().for_each(|share| *share *= down);
            }
        }
        let photo = Vector2::new(photo_size.0 as f32, photo_size.1 as f32);
        let freedom = nodes.iter().map(|&node| head.freedom(node, photo)).collect();
        Self {
            region,
            weight: nodes.iter().map(|&p| head.weight(p)).collect(),
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
        let skull = SkullMotion::new(&self.pose, pose);
        let outline = outline_points(driving, edges, pose).zip(&self.hidden);
        // What lies beside the oval is hidden with it when the head turns further away than in the photo.
        let outline = outline.map(|((oval, place), &hidden)| oval + place.outwards * place.depth.min(hidden));
        for (k, (to, &(from, weight))) in outline.zip(&self.controls).enumerate() {
            let residual = (to - from) - weight * skull.displacement(from);
            (residuals.x[k], residuals.y[k]) = (residual.x, residual.y);
        }
        out.clear();
        for (i, (&node, row)) in self.nodes.iter().zip(self.basis.as_chunks::<CONTROLS>().0).enumerate() {
            let oval = residuals.mixed(row);
            let moved = (self.weight[i] * skull.displacement(node) + oval).component_mul(&self.freedom[i]);
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
        let cell = self.region.width as f32 * self.region.height as f32 / (CELLS * CELLS) as f32;
        let cell = cell / (scale.x * scale.y);
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

/// A head in its photo and how far it moves what.
struct Head {
    frame: HeadFrame,
    shape: HeadShape,
}

impl Head {
    /// How much of the head's motion a point of the photo takes part in.
    fn weight(&self, p: Vector2<f32>) -> f32 {
        let place = self.frame.place(p);
        let beyond = HeadFrame::radius(place) - self.shape.reach;
        let outwards = 1.0 - smoothstep((beyond / FADE).clamp(0.0, 1.0));
        outwards * self.down(place.y)
    }

    /// How much the neck does of what the head does, at a height in face widths.
    fn down(&self, y: f32) -> f32 {
        1.0 - smoothstep(((self.frame.chin - y) / self.shape.neck).clamp(0.0, 1.0))
    }

    /// How freely a point may move along x and y in a photo of this size.
    fn freedom(&self, p: Vector2<f32>, photo: Vector2<f32>) -> Vector2<f32> {
        let [left, right, top, bottom] = self.shape.cut;
        let margin = |distance: f32, cut: bool| {
            let share = distance / (MARGIN * self.frame.face_width);
            if cut { smoothstep(share.clamp(0.0, 1.0)) } else { 1.0 }
        };
        let far = photo - p;
        Vector2::new(margin(p.x, left).min(margin(far.x, right)), margin(p.y, top).min(margin(far.y, bottom)))
    }

    /// The box around everything that can move, within the photo.
    fn region(&self, photo_size: (u32, u32)) -> MotionRegion {
        let (centre, reach) = self.frame.ellipse(self.shape.reach + FADE);
        let within = |value: f32, size: u32| value.clamp(0.0, size as f32) as u32;
        let left = within((centre.x - reach.x).floor(), photo_size.0);
        let right = within((centre.x + reach.x).ceil(), photo_size.0);
        let top = within((centre.y - reach.y).floor(), photo_size.1);
        let bottom = within((centre.y + reach.y).ceil(), photo_size.1);
        MotionRegion { left, top, width: right - left, height: bottom - top }
    }
}
