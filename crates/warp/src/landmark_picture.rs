//! The landmark picture: the face as coloured lines, the form in which the networks see a pose.
//!
//! A line's coverage of a pixel is taken from the distance of the pixel's centre; lines are joined by the brightest
//! value per channel, so their order does not matter and joints do not show. This is all that is needed of a
//! rasteriser, and short: a path renderer would bring strokes, joins and blending that
//! depend on its version, where training and inference must draw the same picture.

use gioconda_face::topology::TOPOLOGY;
use gioconda_face::{Landmarks, Region};
use image::RgbImage;
use nalgebra::Vector2;

/// Which lines, colours and thickness [`LandmarkPicture`] draws. It rises with every change that makes other pictures
/// of the same landmarks: networks must be fed the version they were trained with.
pub const LANDMARK_PICTURE_VERSION: u32 = 1;

/// Thickness of the lines in a picture of 256 pixels; it grows with the picture.
const THICKNESS_AT_256: f32 = 2.0;

/// Draws landmark pictures.
#[derive(Clone, Debug)]
pub struct LandmarkPicture {
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    ends: [usize; 2],
    color: [u8; 3],
}

impl LandmarkPicture {
    /// The lines of the face, one colour per part.
    pub fn new() -> Self {
        let contours = &TOPOLOGY.contours;
        let parts = [
            (&contours.face_oval, [255, 255, 255]),
            (&contours.right_eyebrow, [255, 128, 0]),
            (&contours.left_eyebrow, [255, 255, 0]),
            (&contours.nose, [64, 64, 255]),
            (&contours.right_eye, [0, 255, 0]),
            (&contours.left_eye, [0, 255, 255]),
            (&contours.lips, [255, 0, 0]),
            (&contours.right_iris, [0, 128, 255]),
            (&contours.left_iris, [255, 0, 255]),
        ];
        let lines = parts
            .into_iter()
            .flat_map(|(edges, color)| edges.iter().map(move |&ends| Line { ends, color }))
            .collect();
        Self { lines }
    }

    /// Draws the face in black surroundings over all of `picture`, as seen in `region` of the frame that the
    /// landmarks belong to: the region's first corner is the picture's top-left corner, its side the picture's width.
    pub fn draw(&self, landmarks: &Landmarks, region: &Region, picture: &mut RgbImage) {
        let (width, height) = picture.dimensions();
        let scale = width as f32;
        let radius = THICKNESS_AT_256 / 2.0 * width.min(height) as f32 / 256.0;
        picture.fill(0);
        for line in &self.lines {
            let [from, to] = line.ends.map(|i| region.from_picture(landmarks.xy(i)) * scale);
            draw_line(picture, from, to, radius, line.color);
        }
    }
}

impl Default for LandmarkPicture {
    fn default() -> Self {
        Self::new()
    }
}

/// Brightens the pixels within `radius` of a line, which has round ends.
fn draw_line(picture: &mut RgbImage, from: Vector2<f32>, to: Vector2<f32>, radius: f32, color: [u8; 3]) {
    if !(from.iter().chain(to.iter()).all(|v| v.is_finite())) {
        return;
    }
    let (width, height) = picture.dimensions();
    // A pixel is touched when its centre is within half a pixel of the line's edge.
    let reach = radius + 0.5;
    let span = |a: f32, b: f32, length: u32| {
        let first = (a.min(b) - reach).floor().clamp(0.0, length as f32) as u32;
        let end = (a.max(b) + reach).ceil().clamp(0.0, length as f32) as u32;
        first..end
    };
    let way = to - from;
    let inverse_square = 1.0 / way.norm_squared().max(f32::MIN_POSITIVE);
    for y in span(from.y, to.y, height) {
        for x in span(from.x, to.x, width) {
            let offset = Vector2::new(x as f32 + 0.5, y as f32 + 0.5) - from;
            let along = (offset.dot(&way) * inverse_square).clamp(0.0, 1.0);
            let distance = (offset - way * along).norm();
            // Lines thinner than a pixel are dimmer instead.
            let coverage = (reach - distance).clamp(0.0, 1.0).min(2.0 * radius);
            if coverage > 0.0 {
                for (channel, full) in picture.get_pixel_mut(x, y).0.iter_mut().zip(color) {
                    *channel = (*channel).max((f32::from(full) * coverage).round() as u8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gioconda_face::{HeadPose, LANDMARKS};
    use gioconda_testkit::golden::{Tolerance, check};
    use gioconda_testkit::repository;
    use nalgebra::{Rotation3, Vector3};

    use super::*;

    /// The canonical face, turned a little, with irises in the middle of its eyes.
    fn canonical_face(size: f32) -> Landmarks {
        let pose = HeadPose {
            scale: size / 22.0,
            rotation: Rotation3::from_euler_angles(0.1, 0.3, -0.1),
            translation: Vector3::new(size / 2.0, -size / 2.0, 0.0),
            residual: 0.0,
        };
        let vertices = &TOPOLOGY.vertices;
        let mut points = [Vector3::zeros(); LANDMARKS];
        for (point, &vertex) in points.iter_mut().zip(vertices) {
            *point = pose.from_canonical(vertex);
        }
        for (first, corners) in [(468, [33, 133]), (473, [263, 362])] {
            let center = (vertices[corners[0]] + vertices[corners[1]]) / 2.0;
            let offsets = [[0.0, 0.0], [0.6, 0.0], [0.0, 0.6], [-0.6, 0.0], [0.0, -0.6]];
            for (k, [x, y]) in offsets.into_iter().enumerate() {
                points[first + k] = pose.from_canonical(center + Vector3::new(x, y, 0.0));
            }
        }
        Landmarks { points }
    }

    fn draw(size: u32) -> RgbImage {
        let mut picture = RgbImage::from_pixel(size, size, image::Rgb([9, 9, 9]));
        let face = canonical_face(1000.0);
        LandmarkPicture::new().draw(&face, &Region::from_corner(0.0, 0.0, 1000.0), &mut picture);
        picture
    }

    /// After a change that raises the version: `gioconda_testkit::golden` says how new pictures are stored.
    #[test]
    fn the_picture_is_the_stored_one() {
        for size in [128, 256] {
            let file =
                format!("crates/warp/tests/pictures/landmark_picture_v{LANDMARK_PICTURE_VERSION}_{size}.png");
            let tolerance = Tolerance { mean: 2.0, tile: 2.0, largest: 2 };
            check(&repository(&file), &draw(size), &tolerance).unwrap();
        }
    }

    #[test]
    fn thickness_grows_with_the_picture() {
        for (size, thickness) in [(128_u32, 1.0), (256, 2.0), (512, 4.0)] {
            let mut picture = RgbImage::new(size, size);
            let middle = size as f32 / 2.0;
            let radius = THICKNESS_AT_256 / 2.0 * size as f32 / 256.0;
            let (from, to) = (Vector2::new(10.0, middle), Vector2::new(size as f32 - 10.0, middle));
            draw_line(&mut picture, from, to, radius, [255; 3]);
            let column: f32 = (0..size).map(|y| f32::from(picture.get_pixel(size / 2, y)[0]) / 255.0).sum();
            assert!((column - thickness).abs() < 0.02, "{size}: {column}");
        }
    }

    #[test]
    fn landmarks_far_outside_or_not_finite_are_harmless() {
        let mut picture = RgbImage::new(64, 64);
        let mut face = canonical_face(1000.0);
        face.points[33] = Vector3::repeat(f32::NAN);
        face.points[263] = Vector3::repeat(1e30);
        face.points[13] = Vector3::repeat(-1e30);
        LandmarkPicture::new().draw(&face, &Region::from_corner(0.0, 0.0, 1000.0), &mut picture);
        LandmarkPicture::new().draw(&face, &Region::from_corner(0.0, 0.0, 0.0), &mut picture);
        LandmarkPicture::new().draw(&face, &Region::from_corner(0.0, 0.0, 10.0), &mut RgbImage::new(0, 0));
    }
}
