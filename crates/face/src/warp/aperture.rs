//! The openings of the face, eyes and mouth, in their own coordinates, and what is seen between the lids.

use nalgebra::Vector2;

use super::mesh::{LEFT_LOWER_LID, LEFT_UPPER_LID, LOWER_LIP, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP};
use super::ratio;
use crate::Landmarks;
use crate::topology::point;

/// Samples of an edge between the corners.
const SAMPLES: usize = 33;

/// An opening of the face between two corners, an upper and a lower edge.
///
/// Its coordinates are (along, above): `along` runs from -0.5 at the corner on the picture's left to 0.5 at the
/// other, `above` is the distance above the line through the corners in centimetres of the canonical face.
#[derive(Clone, Debug, PartialEq)]
pub struct Aperture {
    centre: Vector2<f32>,
    /// Unit vector from corner to corner.
    axis: Vector2<f32>,
    /// Distance between the corners, pixels.
    width: f32,
    /// Pixels per centimetre.
    scale: f32,
    upper: [f32; SAMPLES],
    lower: [f32; SAMPLES],
    /// (along, above) of the iris and its radius in units of `along`, for eyes.
    iris: Option<(Vector2<f32>, f32)>,
}

impl Aperture {
    /// The mouth, between the inner edges of the lips. `scale`: pixels per centimetre ([`crate::HeadPose::scale`]).
    pub fn mouth(landmarks: &Landmarks, scale: f32) -> Self {
        Self::new(landmarks, &UPPER_LIP, &LOWER_LIP, scale)
    }

    /// The person's right eye, between the lids.
    pub fn right_eye(landmarks: &Landmarks, scale: f32) -> Self {
        Self::new(landmarks, &RIGHT_UPPER_LID, &RIGHT_LOWER_LID, scale)
            .with_iris(landmarks, point::RIGHT_IRIS)
    }

    /// The person's left eye, between the lids.
    pub fn left_eye(landmarks: &Landmarks, scale: f32) -> Self {
        Self::new(landmarks, &LEFT_UPPER_LID, &LEFT_LOWER_LID, scale).with_iris(landmarks, point::LEFT_IRIS)
    }

    fn new(landmarks: &Landmarks, upper: &[usize], lower: &[usize], scale: f32) -> Self {
        let (from, to) = (landmarks.xy(upper[0]), landmarks.xy(upper[upper.len() - 1]));
        let width = (to - from).norm().max(1e-3);
        let mut aperture = Self {
            centre: 0.5 * (from + to),
            axis: (to - from).try_normalize(1e-6).unwrap_or(Vector2::x()),
            width,
            scale: scale.max(1e-3),
            upper: [0.0; SAMPLES],
            lower: [0.0; SAMPLES],
            iris: None,
        };
        aperture.upper = aperture.sampled(landmarks, upper);
        aperture.lower = aperture.sampled(landmarks, lower);
        aperture
    }

    fn with_iris(mut self, landmarks: &Landmarks, centre: usize) -> Self {
        let middle = landmarks.xy(centre);
        let radius: f32 = (1..5).map(|i| (landmarks.xy(centre + i) - middle).norm()).sum::<f32>() / 4.0;
        let (along, above) = self.coordinates(middle);
        self.iris = Some((Vector2::new(along, above), radius / self.width));
        self
    }

    /// The heights of an edge at equal steps between the corners.
    fn sampled(&self, landmarks: &Landmarks, edge: &[usize]) -> [f32; SAMPLES] {
        let mut points = [(0.0_f32, 0.0_f32); UPPER_LIP.len()];
        let points = &mut points[..edge.len()];
        for (point, &i) in points.iter_mut().zip(edge) {
            *point = self.coordinates(landmarks.xy(i));
        }
        points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        std::array::from_fn(|sample| {
            let along = sample as f32 / (SAMPLES - 1) as f32 - 0.5;
            let next = points.partition_point(|p| p.0 < along).clamp(1, points.len() - 1);
            let ((a0, h0), (a1, h1)) = (points[next - 1], points[next]);
            let share = if a1 > a0 { ((along - a0) / (a1 - a0)).clamp(0.0, 1.0) } else { 0.0 };
            h0 + (h1 - h0) * share
        })
    }

    /// A picture position (pixels) as (along, above).
    pub fn coordinates(&self, position: Vector2<f32>) -> (f32, f32) {
        let from_centre = position - self.centre;
        (from_centre.dot(&self.axis) / self.width, from_centre.dot(&self.up()) / self.scale)
    }

    /// The inverse of [`Aperture::coordinates`].
    pub fn position(&self, along: f32, above: f32) -> Vector2<f32> {
        self.centre + self.axis * (along * self.width) + self.up() * (above * self.scale)
    }

    /// Heights (lower, upper) of the edges at `along`, centimetres.
    pub fn edges(&self, along: f32) -> (f32, f32) {
        let at = ((along + 0.5) * (SAMPLES - 1) as f32).clamp(0.0, (SAMPLES - 1) as f32);
        let first = (at as usize).min(SAMPLES - 2);
        let share = at - first as f32;
        let between = |edge: &[f32; SAMPLES]| edge[first] + (edge[first + 1] - edge[first]) * share;
        (between(&self.lower), between(&self.upper))
    }

    /// How far it is open at `along`, centimetres; 0 where the edges meet or cross.
    pub fn opening(&self, along: f32) -> f32 {
        let (lower, upper) = self.edges(along);
        (upper - lower).max(0.0)
    }

    /// The widest opening, centimetres.
    pub fn widest(&self) -> f32 {
        self.upper.iter().zip(&self.lower).map(|(upper, lower)| upper - lower).fold(0.0, f32::max)
    }

    /// Distance between the corners, centimetres as seen in the picture.
    pub fn width(&self) -> f32 {
        self.width / self.scale
    }

    fn up(&self) -> Vector2<f32> {
        Vector2::new(self.axis.y, -self.axis.x)
    }
}

/// What the driving eye sees of the photo's eye.
///
/// Lids that close cover the eyeball; lids that open wider than the photo's stretch what the photo shows. The
/// iris keeps its size and moves with the gaze; the white beside it gives way.
pub(super) struct Look<'a> {
    from: &'a Aperture,
    to: &'a Aperture,
    /// (driving, photo) pairs of `along`: corner, iris edge, iris edge, corner.
    knots: [(f32, f32); 4],
    /// How far the iris moved up, centimetres.
    rise: f32,
    radius: f32,
    /// 1 when nothing moved: the map is then the identity to the last bit.
    same: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(from: &'a Aperture, to: &'a Aperture) -> Self {
        let (photo, radius) = from.iris.unwrap_or((Vector2::zeros(), 0.2));
        let (driving, _) = to.iris.unwrap_or((photo, radius));
        let radius = radius.clamp(0.05, 0.35);
        // The tracker guesses the iris behind closed lids: trust it as far as the eye is open.
        let trust = ((ratio(to.widest(), from.widest().max(0.2)) - 0.25) / 0.5).clamp(0.0, 1.0);
        let middle = photo.x.clamp(-0.4, 0.4);
        let (left, right) = ((middle - radius).max(-0.48), (middle + radius).min(0.48));
        // At most this share of the white may vanish on either side.
        let turn = (trust * (driving.x - photo.x)).clamp(-0.7 * (left + 0.5), 0.7 * (0.5 - right));
        let rise = (trust * (driving.y - photo.y)).clamp(-0.35, 0.35);
        let same = from == to;
        Self {
            from,
            to,
            knots: [(-0.5, -0.5), (left + turn, left), (right + turn, right), (0.5, 0.5)],
            rise,
            radius,
            same,
        }
    }

    /// Displacement from a driving position (photo pixels) to where it comes from, and its validity.
    pub(super) fn displacement(&self, position: Vector2<f32>) -> (Vector2<f32>, f32) {
        if self.same {
            return (Vector2::zeros(), 1.0);
        }
        let (along, above) = self.to.coordinates(position);
        let along_photo = self.unturned(along);
        let (lower, upper) = self.to.edges(along);
        let (lower_photo, upper_photo) = self.from.edges(along_photo);
        let (open, open_photo) = ((upper - lower).max(0.0), (upper_photo - lower_photo).max(0.0));
        let above_photo = if open >= open_photo {
            lower_photo + (above - lower) * ratio(open_photo, open)
        } else {
            // Slide as little as keeps the view within the photo's own lids.
            above + 0.0_f32.clamp(lower_photo - lower, (upper_photo - upper).max(lower_photo - lower))
        };
        let iris = self.knots[1].0 + self.radius;
        let near_iris = (1.0 - ((along - iris).abs() - self.radius).max(0.0) / self.radius).max(0.0);
        let above_photo =
            (above_photo - self.rise * near_iris).clamp(lower_photo, upper_photo.max(lower_photo));
        let photo = self.from.position(along_photo, above_photo);
        (photo - position, ratio(open_photo, open))
    }

    /// The photo's `along` for a driving one.
    fn unturned(&self, along: f32) -> f32 {
        let along = along.clamp(-0.5, 0.5);
        let next = self.knots.partition_point(|knot| knot.0 < along).clamp(1, 3);
        let ((d0, p0), (d1, p1)) = (self.knots[next - 1], self.knots[next]);
        if d1 > d0 { p0 + (p1 - p0) * (along - d0) / (d1 - d0) } else { p0 }
    }
}
