//! Drawing triangles with interpolated displacements into a band of rows.
//!
//! A pixel belongs to the triangle that holds its centre; the edge between two triangles is computed from the same
//! two points in the same order for both, so neighbours neither overlap nor leave a crack.

use gioconda_kernels::smoothstep;
use nalgebra::Vector2;

use crate::view::View;

/// A corner of a triangle in the driving pose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vertex {
    /// Output pixels.
    pub(crate) position: Vector2<f32>,
    /// From the driving position to where it comes from, photo pixels.
    pub(crate) displacement: Vector2<f32>,
    /// 0..=1
    pub(crate) validity: f32,
    /// 0 on the face oval, 1 on the rest of the face: how much of the mesh's own displacement to take.
    pub(crate) inside: f32,
}

/// The output pixels that may change: columns `left..right`, rows `top..bottom`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clip {
    pub(crate) left: usize,
    pub(crate) right: usize,
    pub(crate) top: usize,
    pub(crate) bottom: usize,
}

/// Some rows of the output.
pub(crate) struct Band<'a> {
    /// The first row.
    pub(crate) top: usize,
    pub(crate) width: usize,
    /// Displacements while drawing; [`Band::displace_to_photo`] makes them positions.
    pub(crate) flow: &'a mut [[f32; 2]],
    pub(crate) validity: &'a mut [u8],
    pub(crate) clip: Clip,
}

/// Displacement x and y, validity, inside.
type Attributes = [f32; 4];

fn attributes(vertex: &Vertex) -> Attributes {
    [vertex.displacement.x, vertex.displacement.y, vertex.validity, vertex.inside]
}

/// The attributes over a triangle: linear, and never beyond those of its corners.
struct Plane {
    /// At the first corner.
    origin: Attributes,
    /// Change per column.
    across: Attributes,
    /// Change per row.
    down: Attributes,
    low: Attributes,
    high: Attributes,
}

impl Plane {
    fn through(corners: [&Vertex; 3], double_area: f32) -> Self {
        let [p, q, r] = corners.map(attributes);
        let (ab, ac) = (corners[1].position - corners[0].position, corners[2].position - corners[0].position);
        let share = 1.0 / double_area;
        Self {
            origin: p,
            across: std::array::from_fn(|k| ((q[k] - p[k]) * ac.y - (r[k] - p[k]) * ab.y) * share),
            down: std::array::from_fn(|k| ((r[k] - p[k]) * ab.x - (q[k] - p[k]) * ac.x) * share),
            low: std::array::from_fn(|k| lesser(lesser(p[k], q[k]), r[k])),
            high: std::array::from_fn(|k| greater(greater(p[k], q[k]), r[k])),
        }
    }

    /// At an offset from the first corner, not bounded yet.
    fn at(&self, dx: f32, dy: f32) -> Attributes {
        std::array::from_fn(|k| self.origin[k] + self.across[k] * dx + self.down[k] * dy)
    }

    /// `columns` to the right of `base`. Bounded, for slivers have steep slopes whose rounding would shoot out of
    /// the triangle's own range.
    fn along(&self, base: Attributes, columns: f32) -> Attributes {
        std::array::from_fn(|k| {
            lesser(greater(base[k] + self.across[k] * columns, self.low[k]), self.high[k])
        })
    }
}

/// `f32::min` for numbers: one instruction for four lanes, where the standard library's care for NaN takes three.
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `f32::max` for numbers.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The line between two corners, the higher one first.
struct Side {
    from: Vector2<f32>,
    /// Columns per row; 0 along a row.
    slope: f32,
}

impl Side {
    fn new(from: Vector2<f32>, to: Vector2<f32>) -> Self {
        let height = to.y - from.y;
        Self { from, slope: if height > 0.0 { (to.x - from.x) / height } else { 0.0 } }
    }

    /// Where it crosses the height `y`.
    fn at(&self, y: f32) -> f32 {
        self.from.x + (y - self.from.y) * self.slope
    }
}

/// The share of the mesh's own displacement at a point `inside` the oval: all of it from a third of the way
/// through the outermost ring of triangles on.
fn ramp(inside: f32) -> f32 {
    smoothstep((3.0 * inside).min(1.0))
}

impl Band<'_> {
    /// Draws a triangle of the surroundings.
    pub(crate) fn draw(&mut self, corners: [&Vertex; 3]) {
        self.scan(corners, |flow, validity, value| {
            *flow = [value[0], value[1]];
            *validity = byte_of(value[2]);
        });
    }

    /// Draws a triangle of the face with its validity as a share, which ends softly along the oval.
    pub(crate) fn draw_share(&mut self, corners: [&Vertex; 3]) {
        self.scan(corners, |flow, share, value| {
            *flow = [value[0], value[1]];
            *share = byte_of(smoothstep(value[2]) * ramp(value[3]));
        });
    }

    /// Draws a triangle of the face over what is there, softly along the oval.
    pub(crate) fn draw_over(&mut self, corners: [&Vertex; 3]) {
        let interior = corners.iter().all(|vertex| vertex.inside > 0.5);
        if interior {
            return self.draw(corners);
        }
        self.scan(corners, |flow, validity, value| {
            let share = ramp(value[3]);
            flow[0] += (value[0] - flow[0]) * share;
            flow[1] += (value[1] - flow[1]) * share;
            let below = f32::from(*validity);
            let below = below / 255.0;
            *validity = byte_of(below + (value[2] - below) * share);
        });
    }

    /// Calls `put` for each pixel whose centre lies in the triangle, which must face the camera.
    fn scan(&mut self, corners: [&Vertex; 3], put: impl Fn(&mut [f32; 2], &mut u8, Attributes)) {
        let [a, b, c] = corners.map(|vertex| vertex.position);
        let (low, high) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
        let rows = self.rows();
        let first = row_from(low).max(rows.start);
        let last = row_from(high).min(rows.end);
        if first >= last {
            return;
        }
        let double_area = (b - a).perp(&(c - a));
        // Also false for what is not a number.
        let drawable = double_area > 1e-9;
        if !drawable {
            return;
        }
        let plane = Plane::through(corners, double_area);
        let mut by_row = [a, b, c];
        by_row.sort_unstable_by(|p, q| p.y.total_cmp(&q.y));
        let [top, middle, bottom] = by_row;
        let (long, upper, lower) =
            (Side::new(top, bottom), Side::new(top, middle), Side::new(middle, bottom));
        for row in first..last {
            let y = row as f32 + 0.5;
            let (one, other) = (long.at(y), if y < middle.y { upper.at(y) } else { lower.at(y) });
            let start = row_from(one.min(other)).clamp(self.clip.left, self.clip.right);
            let end = row_from(one.max(other)).clamp(start, self.clip.right);
            let line = (row - self.top) * self.width;
            let (flow, validity) =
                (&mut self.flow[line + start..line + end], &mut self.validity[line + start..line + end]);
            let base = plane.at(start as f32 + 0.5 - a.x, y - a.y);
            for (i, (flow, validity)) in flow.iter_mut().zip(validity).enumerate() {
                put(flow, validity, plane.along(base, i as f32));
            }
        }
    }

    /// Whether triangles between these vertices may reach into the band.
    pub(crate) fn touches(&self, vertices: &[Vertex]) -> bool {
        let rows = self.rows();
        let heights = vertices.iter().map(|vertex| vertex.position.y);
        let (low, high) = heights.fold((f32::MAX, f32::MIN), |(low, high), y| (low.min(y), high.max(y)));
        row_from(low) < rows.end && row_from(high) > rows.start
    }

    /// The rows of this band that may change.
    fn rows(&self) -> std::ops::Range<usize> {
        let end = self.top + self.flow.len() / self.width;
        self.top.max(self.clip.top)..end.min(self.clip.bottom)
    }

    /// Replaces the displacement at `pixel` of the band by another one, by the `share` of it that is covered; where the two
    /// are farther `apart` than this, photo pixels, the photo shows something else between them: the larger share decides.
    pub(crate) fn mix(
        &mut self,
        pixel: usize,
        displacement: Vector2<f32>,
        validity: f32,
        share: f32,
        apart: f32,
    ) {
        let flow = &mut self.flow[pixel];
        let far = (displacement - Vector2::from(*flow)).norm() > apart;
        let taken = if far { share.round() } else { share };
        flow[0] += (displacement.x - flow[0]) * taken;
        flow[1] += (displacement.y - flow[1]) * taken;
        self.set_validity(pixel, validity, share);
    }

    /// Replaces the validity at `pixel` of the band by the `share` of it that is covered.
    pub(crate) fn set_validity(&mut self, pixel: usize, validity: f32, share: f32) {
        let below = f32::from(self.validity[pixel]);
        self.validity[pixel] = (below + (validity * 255.0 - below) * share + 0.5) as i32 as u8;
    }

    /// Adds each pixel's own position in the photo.
    pub(crate) fn displace_to_photo(&mut self, view: &View) {
        let scale = view.scale();
        for (line, flow) in self.flow.chunks_exact_mut(self.width).enumerate() {
            let y = view.top + ((self.top + line) as f32 + 0.5) * scale.y;
            for (column, flow) in flow.iter_mut().enumerate() {
                flow[0] += view.left + (column as f32 + 0.5) * scale.x;
                flow[1] += y;
            }
        }
    }
}

/// A share in 0..=1 as the nearest of 0..=255: the low bits of a float so large that its last bit counts ones.
fn byte_of(share: f32) -> u8 {
    const ONES: f32 = 8_388_608.0;
    (share * 255.0 + ONES).to_bits() as u8
}

/// The first row (or column) whose centre does not lie before `edge`.
fn row_from(edge: f32) -> usize {
    // `f32::ceil` is a call into the C library on processors as old as those we compile for.
    let inside = (edge - 0.5).max(0.0);
    let whole = inside as i32;
    (whole + i32::from((whole as f32) < inside)) as usize
}
