//! What is known of a frame without reading its picture: pose, openings and a few landmarks, enough to draw training
//! pairs that differ.
//!
//! A frame table is 256 bytes per frame, little-endian, each record with a checksum of its own, so that any frame of
//! any video is one positioned read away and nothing needs to stay in memory:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `u64` offset of the JPEG in the shard |
//! | 8..16 | `u64` offset of the landmarks' NPY in the shard |
//! | 16..20 | `u32` length of the JPEG |
//! | 20..24 | `u32` CRC-32 of JPEG and NPY |
//! | 24..28 | `u32` number of the frame in its clip, from 0 |
//! | 28..32 | `f32` presence |
//! | 32..64 | `f32` pose: rotation vector (3), scale, translation (3), residual; as [`HeadPose`], crop pixels |
//! | 64..76 | `f32` openings: mouth, left eye, right eye |
//! | 76..252 | `u16` x and y of the 44 [`DESCRIPTOR_POINTS`]; 0..65535 is -0.5..1.5 sides of the crop |
//! | 252..256 | `u32` CRC-32 of the bytes before |

use gioconda_face::features::{Side, eye_opening, mouth_opening};
use gioconda_face::topology::DESCRIPTOR_POINTS;
use gioconda_face::{HeadPose, Landmarks, rotation_vector};
use nalgebra::{Rotation3, Vector2, Vector3};

/// Length of a frame's record, bytes.
pub(crate) const RECORD: usize = 256;

/// A frame, described.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameDescriptor {
    /// Number of the frame in its clip, from 0. Where neighbours are not consecutive, frames were left out.
    pub source_frame: u32,
    /// Probability that the tracked thing is a face, 0..1.
    pub presence: f32,
    /// How the head stands, in pixels of the stored crop.
    pub pose: HeadPose,
    /// As [`mouth_opening`].
    pub mouth_opening: f32,
    /// As [`eye_opening`]: the person's left eye, then the right one.
    pub eye_openings: [f32; 2],
    /// Positions of the [`DESCRIPTOR_POINTS`], in sides of the crop: (0, 0) is its top-left corner, (1, 1) the
    /// bottom-right one; to 1/32,767 side.
    pub points: [Vector2<f32>; DESCRIPTOR_POINTS.len()],
}

/// Where a frame's picture and landmarks stand in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) jpeg: u64,
    pub(crate) jpeg_length: u32,
    pub(crate) landmarks: u64,
    pub(crate) checksum: u32,
}

/// What an opening adds to [`FrameDescriptor::distance`], in sides of the crop per unit: a gaping mouth (0.6) or shut
/// eyes (0.3) then count like a face that moves by 6 % of the crop.
const MOUTH_WEIGHT: f32 = 0.1;
const EYES_WEIGHT: f32 = 0.2;

impl FrameDescriptor {
    /// Describes a frame with these landmarks, in pixels of its `size` x `size` crop.
    pub fn new(landmarks: &Landmarks, size: u32, source_frame: u32, presence: f32) -> Self {
        let mut points = [Vector2::zeros(); DESCRIPTOR_POINTS.len()];
        for (point, &index) in points.iter_mut().zip(&DESCRIPTOR_POINTS) {
            *point = landmarks.xy(index) / size as f32;
        }
        Self {
            source_frame,
            presence,
            pose: HeadPose::fit(landmarks),
            mouth_opening: mouth_opening(landmarks),
            eye_openings: [Side::Left, Side::Right].map(|side| eye_opening(landmarks, side)),
            points,
        }
    }

    /// How differently the head stands and the face moves in two frames of one video: the mean distance of the points
    /// in sides of the crop, plus the difference of mouth (0.1 x) and mean eye opening (0.2 x). Neighbouring frames have about
    /// 0.005, a turned head or another expression 0.03 to 0.2.
    pub fn distance(&self, other: &Self) -> f32 {
        let apart: f32 = self.points.iter().zip(&other.points).map(|(a, b)| (a - b).norm()).sum();
        let eyes = |frame: &Self| frame.eye_openings.iter().sum::<f32>() / 2.0;
        apart / self.points.len() as f32
            + MOUTH_WEIGHT * (self.mouth_opening - other.mouth_opening).abs()
            + EYES_WEIGHT * (eyes(self) - eyes(other)).abs()
    }

    /// Whether all its numbers are finite.
    pub(crate) fn is_finite(&self) -> bool {
        let HeadPose { rotation, scale, translation, residual } = &self.pose;
        let numbers =
            [self.presence, *scale, *residual, self.mouth_opening].into_iter().chain(self.eye_openings);
        numbers
            .chain(translation.iter().copied())
            .chain(rotation.matrix().iter().copied())
            .all(f32::is_finite)
    }

    pub(crate) fn encode(&self, place: &Place) -> [u8; RECORD] {
        let mut record = Vec::with_capacity(RECORD);
        record.extend(place.jpeg.to_le_bytes());
        record.extend(place.landmarks.to_le_bytes());
        for value in [place.jpeg_length, place.checksum, self.source_frame] {
            record.extend(value.to_le_bytes());
        }
        let rotation = rotation_vector(&self.pose.rotation);
        let numbers = [self.presence].into_iter().chain(rotation.iter().copied()).chain([self.pose.scale]);
        let numbers = numbers.chain(self.pose.translation.iter().copied()).chain([self.pose.residual]);
        for value in numbers.chain([self.mouth_opening]).chain(self.eye_openings) {
            record.extend(value.to_le_bytes());
        }
        for coordinate in self.points.iter().flat_map(Vector2::iter) {
            record.extend(quantise(*coordinate).to_le_bytes());
        }
        record.extend(crc32fast::hash(&record).to_le_bytes());
        record.try_into().expect("the fields above are 256 bytes")
    }

    /// The inverse of [`FrameDescriptor::encode`]; `None` when the checksum does not fit.
    pub(crate) fn decode(record: &[u8; RECORD]) -> Option<(Self, Place)> {
        let (content, checksum) = record.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (long, rest) = content.split_at(16);
        let (words, coordinates) = rest.split_at(60);
        let long: Vec<u64> = long.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let words: Vec<u32> = words.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let number = |index: usize| f32::from_bits(words[index]);
        let vector = |index: usize| Vector3::new(number(index), number(index + 1), number(index + 2));
        let mut points = [Vector2::zeros(); DESCRIPTOR_POINTS.len()];
        for (point, bytes) in points.iter_mut().zip(coordinates.as_chunks::<4>().0) {
            let [x0, x1, y0, y1] = *bytes;
            *point = Vector2::new([x0, x1], [y0, y1]).map(u16::from_le_bytes).map(dequantise);
        }
        let pose = HeadPose {
            rotation: Rotation3::new(vector(4)),
            scale: number(7),
            translation: vector(8),
            residual: number(11),
        };
        let descriptor = Self {
            source_frame: words[2],
            presence: number(3),
            pose,
            mouth_opening: number(12),
            eye_openings: [number(13), number(14)],
            points,
        };
        let place = Place { jpeg: long[0], landmarks: long[1], jpeg_length: words[0], checksum: words[1] };
        Some((descriptor, place))
    }
}

/// Range of a point's coordinates, sides of the crop.
const LOWEST: f32 = -0.5;
const RANGE: f32 = 2.0;

fn quantise(coordinate: f32) -> u16 {
    ((coordinate - LOWEST) / RANGE * f32::from(u16::MAX)).round() as u16
}

fn dequantise(value: u16) -> f32 {
    f32::from(value) / f32::from(u16::MAX) * RANGE + LOWEST
}

#[cfg(test)]
pub(crate) mod tests {
    use gioconda_face::LANDMARKS;
    use gioconda_face::topology::TOPOLOGY;

    use super::*;

    /// The canonical face in a crop of `size`, turned by `yaw` radians, its mouth `gape` centimetres open.
    pub(crate) fn face(size: f32, yaw: f32, gape: f32) -> Landmarks {
        let pose = HeadPose {
            scale: size / 26.0,
            rotation: Rotation3::from_euler_angles(0.05, yaw, -0.1),
            translation: Vector3::new(size / 2.0, -size / 2.0, 3.0),
            residual: 0.0,
        };
        let mut points = [Vector3::zeros(); LANDMARKS];
        points[..TOPOLOGY.vertices.len()].copy_from_slice(&TOPOLOGY.vertices);
        for lower in [87, 14, 317, 17, 152] {
            points[lower].y -= gape;
        }
        Landmarks { points }.map(|point| pose.from_canonical(point))
    }

    #[test]
    fn a_record_gives_frame_and_place_back() {
        let frame = FrameDescriptor::new(&face(256.0, 0.4, 0.5), 256, 17, 0.93);
        let place = Place { jpeg: 1 << 40, jpeg_length: 31_000, landmarks: (1 << 40) + 31_744, checksum: 99 };
        let mut record = frame.encode(&place);
        let (found, found_place) = FrameDescriptor::decode(&record).unwrap();
        assert_eq!(found_place, place);
        assert_eq!((found.source_frame, found.presence), (17, 0.93));
        assert!((found.pose.rotation.matrix() - frame.pose.rotation.matrix()).norm() < 1e-5);
        assert_eq!((found.pose.scale, found.pose.translation), (frame.pose.scale, frame.pose.translation));
        assert_eq!((found.mouth_opening, found.eye_openings), (frame.mouth_opening, frame.eye_openings));
        for (a, b) in found.points.iter().zip(&frame.points) {
            assert!((a - b).amax() <= 0.51 * RANGE / 65_535.0, "{a} {b}");
        }
        record[100] ^= 1;
        assert!(FrameDescriptor::decode(&record).is_none());
    }

    #[test]
    fn distance_grows_with_turning_and_gaping() {
        let describe = |yaw, gape| FrameDescriptor::new(&face(256.0, yaw, gape), 256, 0, 1.0);
        let rest = describe(0.0, 0.0);
        assert!(rest.distance(&rest) == 0.0);
        let turns = [0.05, 0.2, 0.5].map(|yaw| rest.distance(&describe(yaw, 0.0)));
        let gapes = [0.2, 1.0, 3.0].map(|gape| rest.distance(&describe(0.0, gape)));
        assert!(turns.is_sorted() && turns[0] > 0.001 && turns[2] > 0.03, "{turns:?}");
        assert!(gapes.is_sorted() && gapes[0] > 0.001 && gapes[2] > 0.03, "{gapes:?}");
    }

    #[test]
    fn coordinates_far_outside_are_clamped() {
        assert_eq!((quantise(-7.0), quantise(9.0), quantise(f32::NAN)), (0, u16::MAX, 0));
    }
}
