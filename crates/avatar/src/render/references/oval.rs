//! The soft oval inside a face, within which another photo's face is blended in.

use gioconda_face::Landmarks;
use gioconda_face::topology::TOPOLOGY;
use gioconda_kernels::smoothstep;
use image::RgbImage;
use nalgebra::Vector2;
use rayon::prelude::*;

/// Directions in which the oval's radius is known.
const DIRECTIONS: usize = 256;
/// From here, in radii, the other face fades ...
const INNER: f32 = 0.72;
/// ... until here, a little inside the outline: beyond it are hair and background of the other photo.
const OUTER: f32 = 0.96;

/// A star-shaped outline around a centre.
pub(super) struct Oval {
    centre: Vector2<f32>,
    /// `[256]` radius, pixels, in directions of equal angles from the x axis towards y.
    radii: [f32; DIRECTIONS],
    largest: f32,
}

impl Default for Oval {
    fn default() -> Self {
        Self { centre: Vector2::zeros(), radii: [0.0; DIRECTIONS], largest: 0.0 }
    }
}

impl Oval {
    /// Takes the shape of a face, pixels. A cheek that the head's turn hides lies inside the outline that is seen: in
    /// every direction the farthest edge counts.
    pub(super) fn shape(&mut self, face: &Landmarks) {
        let edges = &TOPOLOGY.contours.face_oval;
        let corners = edges.iter().flat_map(|edge| edge.map(|i| face.xy(i)));
        self.centre = corners.sum::<Vector2<f32>>() / (2 * edges.len()).max(1) as f32;
        for (i, radius) in self.radii.iter_mut().enumerate() {
            let (sin, cos) = (i as f32 / DIRECTIONS as f32 * std::f32::consts::TAU).sin_cos();
            let ray = Vector2::new(cos, sin);
            let crossings = edges.iter().filter_map(|edge| {
                let [from, to] = edge.map(|i| face.xy(i) - self.centre);
                crossing(ray, from, to)
            });
            *radius = crossings.fold(0.0, f32::max);
        }
        self.largest = self.radii.iter().copied().fold(0.0, f32::max);
    }

    /// Covers the face in `frame` with `picture`, laid at `offset`, its colours looked up in `colours`, by `share`.
    pub(super) fn blend(
        &self,
        frame: &mut RgbImage,
        picture: &RgbImage,
        offset: (i64, i64),
        colours: &[[u8; 256]; 3],
        share: f32,
    ) {
        let (width, height) = frame.dimensions();
        let (own_width, own_height) = picture.dimensions();
        let span = |centre: f32, offset: i64, length: u32, own: u32| {
            let first = (centre - self.largest).floor().max(0.0).max(offset as f32) as usize;
            let end = (centre + self.largest).ceil().min(length as f32).min((offset + i64::from(own)) as f32);
            first..(end.max(0.0) as usize).max(first)
        };
        let columns = span(self.centre.x, offset.0, width, own_width);
        let rows = span(self.centre.y, offset.1, height, own_height);
        let line = 3 * width as usize;
        let own = picture.as_raw();
        frame
            .par_chunks_exact_mut(line)
            .enumerate()
            .skip(rows.start)
            .take(rows.len())
            .with_min_len(16)
            .for_each(|(y, pixels)| {
                let own_row = (y as i64 - offset.1) as usize * 3 * own_width as usize;
                for x in columns.clone() {
                    let cover = share * self.cover(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
                    if cover <= 0.0 {
                        continue;
                    }
                    let at = own_row + 3 * (x as i64 - offset.0) as usize;
                    for (channel, table) in colours.iter().enumerate() {
                        let below = f32::from(pixels[3 * x + channel]);
                        let above = f32::from(table[usize::from(own[at + channel])]);
                        pixels[3 * x + channel] = (below + (above - below) * cover + 0.5) as u8;
                    }
                }
            });
    }

    /// 1 in the middle of the face, 0 at its outline and beyond.
    fn cover(&self, position: Vector2<f32>) -> f32 {
        let from_centre = position - self.centre;
        let angle = from_centre.y.atan2(from_centre.x) / std::f32::consts::TAU * DIRECTIONS as f32;
        let (low, part) = (angle.floor(), angle - angle.floor());
        let index = (low as i64).rem_euclid(DIRECTIONS as i64) as usize;
        let next = (index + 1) % DIRECTIONS;
        let radius = self.radii[index] + (self.radii[next] - self.radii[index]) * part;
        smoothstep(((OUTER - from_centre.norm() / radius.max(1e-3)) / (OUTER - INNER)).clamp(0.0, 1.0))
    }
}

/// How far along `ray` (of length 1, from the origin) the edge from `from` to `to` is crossed, if it is.
fn crossing(ray: Vector2<f32>, from: Vector2<f32>, to: Vector2<f32>) -> Option<f32> {
    let way = to - from;
    let across = ray.x * way.y - ray.y * way.x;
    if across.abs() < 1e-9 {
        return None;
    }
    let along_edge = (from.y * ray.x - from.x * ray.y) / -across;
    let along_ray = (from.x * way.y - from.y * way.x) / across;
    ((0.0..=1.0).contains(&along_edge) && along_ray > 0.0).then_some(along_ray)
}
