//! What is done alike to all frames of an episode, so that few people look like many: turned and stretched heads, other
//! light, other colours.

use std::f64::consts::PI;

use fastrand::Rng;
use gioconda_face::{Landmarks, Region};
use gioconda_kernels::luma::REC_601;
use image::RgbImage;
use imageproc::geometric_transformations::{Border, Interpolation, Projection, warp};
use nalgebra::{Matrix2, Matrix3, Rotation2, Rotation3, Vector2, Vector3};

use crate::config::DataConfig;
use crate::footage::Shot;
use crate::mirror::mirrored;

/// One way to vary frames.
pub(crate) struct Variation {
    /// What positions are multiplied by, the frame's middle being the origin; `None` to leave them.
    deformation: Option<Matrix2<f32>>,
    cut: f64,
    cut_at: [f64; 2],
    flip: bool,
    colours: Colours,
}

/// How colours change: `matrix * colour + offset`, red, green and blue in 0..1, cut off at both ends.
pub(crate) struct Colours {
    matrix: Matrix3<f32>,
    offset: f32,
}

impl Variation {
    /// Draws one.
    pub(crate) fn draw(data: &DataConfig, rng: &mut Rng) -> Self {
        Self {
            deformation: deformation(data, rng),
            cut: rng.f64() * data.zoom,
            cut_at: [rng.f64(), rng.f64()],
            flip: rng.f64() < data.flip,
            colours: Colours::draw(data, rng),
        }
    }

    /// Turns and stretches, at the frame's own size, and enlarges until a square frame is full again.
    pub(crate) fn deformed(&self, shot: Shot) -> Shot {
        let Some(matrix) = self.deformation else { return shot };
        let (width, height) = shot.picture.dimensions();
        let middle = Vector2::new(width as f32, height as f32) / 2.0;
        Shot {
            picture: deformed_picture(&shot.picture, &matrix, middle),
            landmarks: deformed_landmarks(&shot.landmarks, &matrix, middle),
        }
    }

    /// Cuts, resizes to `size` and mirrors.
    pub(crate) fn cut(&self, shot: &Shot, size: usize) -> Shot {
        let whole = f64::from(shot.picture.width().min(shot.picture.height()));
        let side = (whole * (1.0 - self.cut)).round().max(1.0);
        let [left, top] = self.cut_at.map(|at| ((whole - side) * at).floor() as f32);
        let crop = Region::from_corner(left, top, side as f32);
        let shot = Shot::cut(&shot.picture, &shot.landmarks, &crop, size);
        if self.flip { mirrored(&shot) } else { shot }
    }

    /// What happens to colours.
    pub(crate) fn colours(&self) -> &Colours {
        &self.colours
    }
}

impl Colours {
    /// They stay as they are.
    pub(crate) fn unchanged() -> Self {
        Self { matrix: Matrix3::identity(), offset: 0.0 }
    }

    fn draw(data: &DataConfig, rng: &mut Rng) -> Self {
        let mut around_zero = |range: f64| ((2.0 * rng.f64() - 1.0) * range) as f32;
        let (gain, offset) = (1.0 + around_zero(data.gain), around_zero(data.offset));
        let hue = around_zero(data.hue / 180.0 * PI);
        let saturation = 1.0 + around_zero(data.saturation);
        let saturation = if rng.f64() < data.grey { 0.0 } else { saturation };
        // Squared, so that most episodes keep about their colours.
        let tint = Vector3::from_fn(|_, _| (1.0 - data.tint * rng.f64().powi(2)) as f32);

        let grey = Vector3::repeat(1.0) * Vector3::from(REC_601).transpose();
        let saturated = grey + (Matrix3::identity() - grey) * saturation;
        let turned = Rotation3::new(Vector3::repeat(hue / 3f32.sqrt())); // about the axis of greys
        // Gain is around mid-grey.
        let offset = 0.5 - 0.5 * gain + offset;
        Self { matrix: turned.matrix() * saturated * Matrix3::from_diagonal(&tint) * gain, offset }
    }

    /// Appends a picture's three planes, -1..1.
    pub(crate) fn append_picture(&self, picture: &RgbImage, planes: &mut Vec<f32>) {
        let unit = |pixel: &image::Rgb<u8>| Vector3::from(pixel.0).map(|value| f32::from(value) / 255.0);
        self.append(picture.pixels().map(unit), planes);
    }

    /// Appends three planes, `[3, n]`, -1..1.
    pub(crate) fn append_planes(&self, picture: &[f32], planes: &mut Vec<f32>) {
        let count = picture.len() / 3;
        let unit =
            |at: usize| Vector3::from_fn(|channel, _| f32::midpoint(picture[channel * count + at], 1.0));
        self.append((0..count).map(unit), planes);
    }

    fn append(&self, colours: impl ExactSizeIterator<Item = Vector3<f32>>, planes: &mut Vec<f32>) {
        let (start, count) = (planes.len(), colours.len());
        planes.resize(start + 3 * count, 0.0);
        for (at, colour) in colours.enumerate() {
            let changed =
                (self.matrix * colour).map(|value| 2.0 * (value + self.offset).clamp(0.0, 1.0) - 1.0);
            for channel in 0..3 {
                planes[start + channel * count + at] = changed[channel];
            }
        }
    }
}

/// A turn behind a stretch along one direction and the squeeze across it that keeps areas; then enlarged by as much as
/// a square needs to cover where it was.
fn deformation(data: &DataConfig, rng: &mut Rng) -> Option<Matrix2<f32>> {
    let mut around_zero = |range: f64| ((2.0 * rng.f64() - 1.0) * range) as f32;
    let turn = around_zero(data.turn / 180.0 * PI);
    let stretch = around_zero(data.stretch);
    let direction = Rotation2::new(around_zero(PI));
    let stretched = Matrix2::from_diagonal(&Vector2::new(1.0 + stretch, 1.0 / (1.0 + stretch)));
    let matrix = Rotation2::new(turn) * direction * stretched * direction.inverse();
    let inverse = matrix.try_inverse().expect("a turn and a stretch can be undone");
    // How far outside the square the corner comes from that comes from furthest; the square's half side is 1.
    let outside = inverse.abs().column_sum().max();
    (data.turn > 0.0 || data.stretch > 0.0).then_some(matrix * outside)
}

fn deformed_picture(picture: &RgbImage, matrix: &Matrix2<f32>, middle: Vector2<f32>) -> RgbImage {
    // imageproc's pixel centres are at integers, ours half a pixel further.
    let middle = middle.add_scalar(-0.5);
    let shift = middle - matrix * middle;
    let projection = Projection::from_matrix([
        matrix.m11, matrix.m12, shift.x, matrix.m21, matrix.m22, shift.y, 0.0, 0.0, 1.0,
    ])
    .expect("what covers a square can be undone");
    warp(picture, projection, Interpolation::Bicubic, Border::Replicate)
}

fn deformed_landmarks(landmarks: &Landmarks, matrix: &Matrix2<f32>, middle: Vector2<f32>) -> Landmarks {
    landmarks.map(|point| {
        let moved = matrix * (point.xy() - middle) + middle;
        Vector3::new(moved.x, moved.y, point.z)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;
    use gioconda_face::LANDMARKS;
    use gioconda_model::Preset;
    use image::Rgb;

    fn unvaried() -> DataConfig {
        TrainConfig::of(Preset::Portrait).data.unvaried()
    }

    #[test]
    fn landmarks_stay_on_what_they_show() {
        let mut rng = Rng::with_seed(5);
        let data = DataConfig { turn: 30.0, stretch: 0.2, ..unvaried() };
        for _ in 0..20 {
            let place = Vector2::new(rng.f32(), rng.f32()) * 20.0 + Vector2::repeat(54.0);
            // A blob, whose centroid tells where it is to a fraction of a pixel.
            let picture = RgbImage::from_fn(128, 128, |x, y| {
                let away = Vector2::new(x as f32 + 0.5, y as f32 + 0.5) - place;
                Rgb([(255.0 * (-away.norm_squared() / 18.0).exp()) as u8; 3])
            });
            let landmarks = Landmarks { points: [Vector3::new(place.x, place.y, 1.0); LANDMARKS] };
            let variation = Variation::draw(&data, &mut rng);
            let shot = variation.deformed(Shot { picture, landmarks });
            let weighed = shot.picture.enumerate_pixels().map(|(x, y, pixel)| {
                let weight = f32::from(pixel[0]);
                Vector3::new((x as f32 + 0.5) * weight, (y as f32 + 0.5) * weight, weight)
            });
            let sum: Vector3<f32> = weighed.sum();
            let found = sum.xy() / sum.z;
            let expected = shot.landmarks.xy(0);
            assert!((found - expected).norm() < 0.1, "{found} {expected}");
            assert!((expected - place).norm() > 0.01, "it moved");
        }
    }

    #[test]
    fn nothing_is_made_up_beyond_the_edges() {
        let mut rng = Rng::with_seed(6);
        let data = DataConfig { turn: 30.0, stretch: 0.2, ..unvaried() };
        // Whatever comes from beyond the edges repeats the white that runs around them.
        let inside = |at: u32| (1..127).contains(&at);
        let picture =
            RgbImage::from_fn(128, 128, |x, y| Rgb([if inside(x) && inside(y) { 0 } else { 255 }; 3]));
        for _ in 0..20 {
            let landmarks = Landmarks { points: [Vector3::zeros(); LANDMARKS] };
            let shot = Shot { picture: picture.clone(), landmarks };
            let deformed = Variation::draw(&data, &mut rng).deformed(shot).picture;
            let white = deformed.pixels().filter(|pixel| pixel[0] > 127).count();
            assert!(white < 128 * 128 / 40, "{white}");
        }
    }

    #[test]
    fn nothing_moves_without_being_asked() {
        let variation = Variation::draw(&unvaried(), &mut Rng::with_seed(1));
        assert!(variation.deformation.is_none());
        let mut planes = Vec::new();
        variation.colours.append_picture(&RgbImage::from_pixel(2, 1, Rgb([0, 51, 255])), &mut planes);
        assert_eq!(planes.len(), 6);
        for (value, expected) in planes.iter().zip([-1.0, -1.0, -0.6, -0.6, 1.0, 1.0]) {
            assert!((value - expected).abs() < 1e-5, "{planes:?}");
        }
    }

    #[test]
    fn greys_stay_grey_and_may_become_all_there_is() {
        let mut rng = Rng::with_seed(2);
        let planes = |data: &DataConfig, colour: [u8; 3], rng: &mut Rng| {
            let mut planes = Vec::new();
            let variation = Variation::draw(data, rng);
            variation.colours.append_picture(&RgbImage::from_pixel(1, 1, Rgb(colour)), &mut planes);
            planes
        };
        let chroma = |rgb: &[f32]| {
            rgb.iter().copied().fold(f32::MIN, f32::max) - rgb.iter().copied().fold(f32::MAX, f32::min)
        };
        let colourful = DataConfig { hue: 90.0, saturation: 0.5, ..unvaried() };
        let grey = DataConfig { grey: 1.0, tint: 0.5, ..colourful };
        for _ in 0..20 {
            assert!(chroma(&planes(&colourful, [90; 3], &mut rng)) < 1e-5);
            assert!(chroma(&planes(&grey, [180, 60, 90], &mut rng)) < 1e-5);
            assert!(chroma(&planes(&colourful, [180, 60, 90], &mut rng)) > 0.1);
        }
        // Hue and saturation do something.
        let changed = planes(&colourful, [180, 60, 90], &mut rng);
        let before = planes(&unvaried(), [180, 60, 90], &mut rng);
        assert!(changed.iter().zip(&before).any(|(a, b)| (a - b).abs() > 0.01), "{changed:?}");
        // Planes are treated as pictures are.
        let (data, mut rng) = (colourful, Rng::with_seed(7));
        let variation = Variation::draw(&data, &mut rng);
        let (mut from_picture, mut from_planes) = (Vec::new(), Vec::new());
        variation.colours.append_picture(&RgbImage::from_pixel(1, 1, Rgb([255, 0, 51])), &mut from_picture);
        variation.colours.append_planes(&[1.0, -1.0, -0.6], &mut from_planes);
        assert_eq!((from_picture.len(), from_planes.len()), (3, 3));
        assert!(from_picture.iter().zip(&from_planes).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
