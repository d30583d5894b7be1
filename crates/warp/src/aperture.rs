//! The openings of the face, eyes and mouth, in their own coordinates.

use gioconda_face::Landmarks;
use gioconda_face::topology::{
    LEFT_LOWER_LID, LEFT_UPPER_LID, LOWER_LIP, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP, point,
};
use nalgebra::Vector2;

/// The crease over the upper lid, between the corners of the eye as [`RIGHT_UPPER_LID`].
const RIGHT_CREASE: [usize; 9] = [33, 247, 30, 29, 27, 28, 56, 190, 133];
const LEFT_CREASE: [usize; 9] = [362, 414, 286, 258, 257, 259, 260, 467, 263];

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
    /// (along, above) of the iris and its radius, centimetres, for eyes.
    pub(crate) iris: Option<(Vector2<f32>, f32)>,
}

impl Aperture {
    /// The mouth, between the inner edges of the lips. `scale`: pixels per centimetre ([`gioconda_face::HeadPose::scale`]).
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

    /// The person's right upper lid, between its edge and its crease.
    pub(crate) fn right_lid(landmarks: &Landmarks, scale: f32) -> Self {
        Self::new(landmarks, &RIGHT_CREASE, &RIGHT_UPPER_LID, scale)
    }

    /// The person's left upper lid, between its edge and its crease.
    pub(crate) fn left_lid(landmarks: &Landmarks, scale: f32) -> Self {
        Self::new(landmarks, &LEFT_CREASE, &LEFT_UPPER_LID, scale)
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
        // Above and below: a turned head makes it narrower, not lower.
        let radius = (landmarks.xy(centre + 2) - landmarks.xy(centre + 4)).norm() / 2.0;
        let (along, above) = self.coordinates(middle);
        self.iris = Some((Vector2::new(along, above), radius / self.scale));
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

    /// A length in widths of the opening as photo pixels.
    pub(crate) fn pixels(&self, widths: f32) -> f32 {
        widths * self.width
    }

    /// A length in centimetres as photo pixels.
    pub(crate) fn centimetres(&self, length: f32) -> f32 {
        length * self.scale
    }

    /// The lowest of the lower edge, centimetres above the line through the corners.
    pub(crate) fn low(&self) -> f32 {
        self.lower.iter().copied().fold(0.0, f32::min)
    }

    /// The highest of the upper edge.
    pub(crate) fn high(&self) -> f32 {
        self.upper.iter().copied().fold(0.0, f32::max)
    }

    /// Pixels per centimetre of the canonical face.
    pub(crate) fn pixels_per_centimetre(&self) -> f32 {
        self.scale
    }

    fn up(&self) -> Vector2<f32> {
        Vector2::new(self.axis.y, -self.axis.x)
    }
}
