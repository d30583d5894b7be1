//! Drawing triangles with interpolated displacements into a band of rows.
//!
//! A pixel belongs to the triangle that holds its centre; the edge between two triangles is computed from the same
//! two points in the same order for both, so neighbours neither overlap nor leave a crack.

use nalgebra::Vector2;

use super::View;

/// A corner of a triangle in the driving pose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vertex {
    /// Output pixels.
    pub(super) position: Vector2<f32>,
    /// From the driving position to where it comes from, photo pixels.
    pub(super) displacement: Vector2<f32>,
    /// 0..=1
    pub(super) validity: f32,
    /// 0 on the face oval, 1 on the rest of the face: how much of the mesh's own displacement to take.
    pub(super) inside: f32,
}

/// The output pixels that may change: columns `left..right`, rows `top..bottom`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clip {
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) top: usize,
    pub(super) bottom: usize,
}

/// Some rows of the output.
pub(super) struct Band<'a> {
    /// The first row.
    pub(super) top: usize,
    pub(super) width: usize,
    /// Displacements while drawing; [`Band::displace_to_photo`] makes them positions.
    pub(super) flow: &'a mut [[f32; 2]],
    pub(super) validity: &'a mut [u8],
    pub(super) clip: Clip,
}

/// Displacement x and y, validity, inside.
type Attributes = [f32; 4];

fn attributes(vertex: &Vertex) -> Attributes {
    [vertex.displacement.x, vertex.displacement.y, vertex.validity, vertex.inside]
}

/// The share of the mesh's own displacement at a point `inside` the oval: all of it from a third of the way
/// through the outermost ring of triangles on.
fn ramp(inside: f32) -> f32 {
    let t = (3.0 * inside).min(1.0);
    t * t * (3.0 - 2.0 * t)
}

impl Band<'_> {
    /// Draws a triangle of the surroundings.
    pub(super) fn draw(&mut self, corners: [&Vertex; 3]) {
        self.scan(corners, |flow, validity, value| {
            *flow = [value[0], value[1]];
            *validity = (value[2] * 255.0 + 0.5) as i32 as u8;
        });
    }

    /// Draws a triangle of the face over what is there, softly along the oval.
    pub(super) fn draw_over(&mut self, corners: [&Vertex; 3]) {
        let interior = corners.iter().all(|vertex| vertex.inside > 0.5);
        if interior {
            return self.draw(corners);
        }
        self.scan(corners, |flow, validity, value| {
            let share = ramp(value[3]);
            flow[0] += (value[0] - flow[0]) * share;
            flow[1] += (value[1] - flow[1]) * share;
            let below = f32::from(*validity);
            *validity = (below + (value[2] * 255.0 - below) * share + 0.5) as i32 as u8;
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
        let values = corners.map(attributes);
        let slopes: [[f32; 2]; 4] = std::array::from_fn(|k| {
            let (ab, ac) = (values[1][k] - values[0][k], values[2][k] - values[0][k]);
            [
                (ab * (c.y - a.y) - ac * (b.y - a.y)) / double_area,
                (ac * (b.x - a.x) - ab * (c.x - a.x)) / double_area,
            ]
        });
        // Slivers have steep slopes whose rounding would shoot out of the triangle's own range.
        let bounds: [[f32; 2]; 4] = std::array::from_fn(|k| {
            let [p, q, r] = [values[0][k], values[1][k], values[2][k]];
            [p.min(q).min(r), p.max(q).max(r)]
        });
        let mut by_row = [a, b, c];
        by_row.sort_unstable_by(|p, q| p.y.total_cmp(&q.y));
        let [top, middle, bottom] = by_row;
        for row in first..last {
            let y = row as f32 + 0.5;
            let long = crossing(top, bottom, y);
            let short = if y < middle.y { crossing(top, middle, y) } else { crossing(middle, bottom, y) };
            let start = row_from(long.min(short)).clamp(self.clip.left, self.clip.right);
            let end = row_from(long.max(short)).clamp(start, self.clip.right);
            let line = (row - self.top) * self.width;
            let (flow, validity) =
                (&mut self.flow[line + start..line + end], &mut self.validity[line + start..line + end]);
            let dx = start as f32 + 0.5 - a.x;
            let base: Attributes =
                std::array::from_fn(|k| values[0][k] + slopes[k][0] * dx + slopes[k][1] * (y - a.y));
            for (i, (flow, validity)) in flow.iter_mut().zip(validity).enumerate() {
                let value = std::array::from_fn(|k| {
                    (base[k] + slopes[k][0] * i as f32).max(bounds[k][0]).min(bounds[k][1])
                });
                put(flow, validity, value);
            }
        }
    }

    /// The rows of this band that may change.
    fn rows(&self) -> std::ops::Range<usize> {
        let end = self.top + self.flow.len() / self.width;
        self.top.max(self.clip.top)..end.min(self.clip.bottom)
    }

    /// Replaces the displacement at `pixel` of the band by another one, by the `share` of it that is covered.
    pub(super) fn mix(&mut self, pixel: usize, displacement: Vector2<f32>, validity: f32, share: f32) {
        let flow = &mut self.flow[pixel];
        flow[0] += (displacement.x - flow[0]) * share;
        flow[1] += (displacement.y - flow[1]) * share;
        self.set_validity(pixel, validity, share);
    }

    /// Replaces the validity at `pixel` of the band by the `share` of it that is covered.
    pub(super) fn set_validity(&mut self, pixel: usize, validity: f32, share: f32) {
        let below = f32::from(self.validity[pixel]);
        self.validity[pixel] = (below + (validity * 255.0 - below) * share + 0.5) as i32 as u8;
    }

    /// Adds each pixel's own position in the photo.
    pub(super) fn displace_to_photo(&mut self, view: &View) {
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

/// The first row (or column) whose centre does not lie before `edge`.
fn row_from(edge: f32) -> usize {
    (edge - 0.5).ceil().max(0.0) as usize
}

/// Where the line from `top` to `bottom` crosses the height `y`.
fn crossing(top: Vector2<f32>, bottom: Vector2<f32>, y: f32) -> f32 {
    let height = bottom.y - top.y;
    if height > 0.0 { top.x + (y - top.y) * ((bottom.x - top.x) / height) } else { top.x }
}
