//! Motion on the wire: one frame in [`PACKET_BYTES`] bytes.
//!
//! Little-endian:
//!
//! | bytes | meaning |
//! |---|---|
//! | 1 | [`VERSION`] |
//! | 2 | sequence number, wraps around |
//! | 2 | milliseconds of the sender's clock, wrap around |
//! | 3 x i16 | rotation vector, in 1/10000 rad |
//! | 2 x i16 | shift, in 1/200 cm |
//! | i16 | binary logarithm of the size, in 1/2048 |
//! | 4 x i8 | shift of the irises, in 1/100 cm |
//! | 3 x u8 | openings, in 1/100 |
//! | u8 | confidence, in 1/255 |
//! | 6 x (u8, 8 x i8) | expression: blocks of 8 coefficients with a common step of 2^((n - 128) / 8) |
//!
//! Coefficients of one block are of similar size (the basis is sorted by variance), so that a common step, chosen anew
//! in every packet, wastes little and sets no bound to what a face may do. Packets stand alone: a lost one costs nothing
//! but its own moment.

use gioconda_avatar::PackedFrame;
use gioconda_avatar::expression_basis::COMPONENTS;

/// Length of every packet.
pub const PACKET_BYTES: usize = HEAD + POSE + FACE + BLOCKS * (1 + BLOCK);

/// The first byte of every packet that this program writes and reads.
pub const VERSION: u8 = 1;

const HEAD: usize = 1 + 2 + 2;
const POSE: usize = 3 * 2 + 2 * 2 + 2;
const FACE: usize = 4 + 3 + 1;
const BLOCK: usize = 8;
const BLOCKS: usize = COMPONENTS / BLOCK;

const ROTATION_STEP: f32 = 1e-4;
const SHIFT_STEP: f32 = 1.0 / 200.0;
const SIZE_STEP: f32 = 1.0 / 2048.0;
const GAZE_STEP: f32 = 1.0 / 100.0;
const OPENING_STEP: f32 = 1.0 / 100.0;
const CONFIDENCE_STEP: f32 = 1.0 / 255.0;

/// A frame of motion with its place in the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Counts the sender's frames; wraps around.
    pub sequence: u16,
    /// When the frame was seen, on the sender's clock; wraps around.
    pub milliseconds: u16,
    /// The motion.
    pub frame: PackedFrame,
}

impl Packet {
    /// The packet's bytes. Numbers that do not fit come out as the nearest that do.
    pub fn encode(&self) -> [u8; PACKET_BYTES] {
        let mut writer = Writer { bytes: [0; PACKET_BYTES], at: 0 };
        writer.put([VERSION]);
        writer.put(self.sequence.to_le_bytes());
        writer.put(self.milliseconds.to_le_bytes());
        let frame = &self.frame;
        for angle in frame.rotation {
            writer.put(((angle / ROTATION_STEP).round() as i16).to_le_bytes());
        }
        for shift in frame.translation {
            writer.put(((shift / SHIFT_STEP).round() as i16).to_le_bytes());
        }
        let size = frame.scale.max(f32::MIN_POSITIVE).log2();
        writer.put(((size / SIZE_STEP).round() as i16).to_le_bytes());
        for gaze in frame.gaze {
            writer.put(((gaze / GAZE_STEP).round() as i8).to_le_bytes());
        }
        for opening in frame.openings {
            writer.put([(opening / OPENING_STEP).round() as u8]);
        }
        writer.put([(frame.confidence / CONFIDENCE_STEP).round() as u8]);
        for block in frame.expression.as_chunks::<BLOCK>().0 {
            let exponent = exponent_for(block);
            writer.put([exponent]);
            for coefficient in block {
                writer.put(((coefficient / step(exponent)).round() as i8).to_le_bytes());
            }
        }
        writer.bytes
    }

    /// Reads a packet; `None` when it is none, or holds a motion that no head can perform.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PACKET_BYTES] = bytes.try_into().ok()?;
        let mut reader = Reader { bytes, at: 0 };
        if reader.take::<1>() != [VERSION] {
            return None;
        }
        let sequence = u16::from_le_bytes(reader.take());
        let milliseconds = u16::from_le_bytes(reader.take());
        let rotation = reader.words(ROTATION_STEP);
        let translation = reader.words(SHIFT_STEP);
        let [size] = reader.words(SIZE_STEP);
        let gaze = reader.take::<4>().map(|byte| f32::from(byte as i8) * GAZE_STEP);
        let openings = reader.take::<3>().map(|byte| f32::from(byte) * OPENING_STEP);
        let [confidence] = reader.take::<1>().map(|byte| f32::from(byte) * CONFIDENCE_STEP);
        let mut expression = [0.0; COMPONENTS];
        for block in expression.as_chunks_mut::<BLOCK>().0 {
            let [exponent] = reader.take();
            *block = reader.take::<BLOCK>().map(|byte| f32::from(byte as i8) * step(exponent));
        }
        let frame = PackedFrame {
            rotation,
            translation,
            scale: size.exp2(),
            expression,
            gaze,
            openings,
            confidence: confidence.min(1.0),
        };
        frame.is_sane().then_some(Self { sequence, milliseconds, frame })
    }
}

fn step(exponent: u8) -> f32 {
    ((f32::from(exponent) - 128.0) / 8.0).exp2()
}

/// The finest step that lets the largest coefficient of a block fit.
fn exponent_for(block: &[f32; BLOCK]) -> u8 {
    let largest = block.iter().fold(0.0_f32, |largest, c| largest.max(c.abs()));
    let finest = largest / f32::from(i8::MAX);
    if finest <= 0.0 { 0 } else { (finest.log2() * 8.0 + 128.0).ceil() as u8 }
}

struct Writer {
    bytes: [u8; PACKET_BYTES],
    at: usize,
}

impl Writer {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&bytes);
        self.at += N;
    }
}

struct Reader<'a> {
    bytes: &'a [u8; PACKET_BYTES],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = std::array::from_fn(|i| self.bytes[self.at + i]);
        self.at += N;
        taken
    }

    fn words<const N: usize>(&mut self, step: f32) -> [f32; N] {
        std::array::from_fn(|_| f32::from(i16::from_le_bytes(self.take())) * step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use gioconda_avatar::{FaceState, Gains, MotionFrame, MotionTransfer, builtin_motions, choose_neutral};
    use gioconda_face::{FaceChoice, Threads, Tracker};
    use gioconda_media::{ClipReader, Frame, ReadOptions};

    const FRAMES_PER_SECOND: usize = 25;
    /// IPv4 and TCP with time stamps, and the frame of a WebSocket with the participant's number before the packet.
    const WIRE_OVERHEAD: usize = 20 + 32 + 6 + 5;

    #[test]
    fn a_speaker_needs_less_than_30_kbit_a_second_with_everything_around_the_packet() {
        let bits = 8 * FRAMES_PER_SECOND * PACKET_BYTES;
        let on_the_wire = 8 * FRAMES_PER_SECOND * (PACKET_BYTES + WIRE_OVERHEAD);
        println!("{PACKET_BYTES} bytes a packet: {bits} bit/s of motion, {on_the_wire} bit/s on the wire");
        assert!(on_the_wire <= 30_000);
    }

    /// A face 118 pixels high in a picture of 256 x 256, as head crops have it.
    fn portrait() -> gioconda_face::Landmarks {
        let pose = gioconda_face::HeadPose {
            scale: 7.0,
            rotation: nalgebra::Rotation3::identity(),
            translation: nalgebra::Vector3::new(128.0, -128.0, 0.0),
            residual: 0.0,
        };
        pose.canonical_face()
    }

    /// Mean and largest distance of landmarks, in pixels of 256 x 256, between what was performed and what arrives.
    fn errors(motions: impl IntoIterator<Item = MotionFrame>) -> (f32, f32) {
        let transfer = MotionTransfer::new(&portrait(), (256, 256), Gains::default());
        let (mut sum, mut worst, mut count) = (0.0_f32, 0.0_f32, 0_usize);
        for sent in motions {
            let packet = Packet { sequence: 0, milliseconds: 0, frame: PackedFrame::pack(&sent) };
            let received = Packet::decode(&packet.encode()).expect("a packet").frame.unpack();
            let (a, b) = (transfer.apply(&sent), transfer.apply(&received));
            for (a, b) in a.points.iter().zip(&b.points) {
                let error = (a.xy() - b.xy()).norm();
                (sum, worst, count) = (sum + error, worst.max(error), count + 1);
            }
        }
        (sum / count as f32, worst)
    }

    #[test]
    fn quantising_recorded_motions_is_not_seen() {
        for builtin in builtin_motions::ALL {
            let motion = builtin.load();
            let (mean, worst) = errors((0..motion.len()).map(|index| motion.frame(index)));
            println!("{}: mean {mean:.3} px, worst {worst:.3} px", builtin.name);
            assert!(mean < 0.05 && worst < 0.35, "{}: mean {mean}, worst {worst}", builtin.name);
        }
    }

    const CLIP: &str = "../../../shared/data/val/edtalk_mouth_source/mouth_source.mp4";

    #[test]
    fn a_real_face_arrives_within_half_a_pixel_on_average() {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
        if !clip.exists() {
            println!("skipped: {} is not there", clip.display());
            return;
        }
        let mut tracker = Tracker::new(FaceChoice::Largest, Threads::Count(1)).expect("models");
        let mut reader = ClipReader::open(&clip, &ReadOptions::default()).expect("a clip");
        let (mut frame, mut states) = (Frame::default(), Vec::new());
        while states.len() < 60 && reader.read(&mut frame).expect("a frame") {
            let face = tracker.track(&frame.image).expect("tracked");
            states.extend(face.map(|face| FaceState::new(&face.landmarks)));
        }
        assert_eq!(states.len(), 60, "a face in every frame");
        let neutral = &states[choose_neutral(&states, None).expect("a neutral face")];
        let (mean, worst) = errors(states.iter().map(|state| MotionFrame::between(neutral, state, 1.0)));
        println!("{} frames: mean {mean:.3} px, worst landmark {worst:.3} px of 256", states.len());
        assert!(mean < 0.5 && worst < 4.0, "mean {mean}, worst {worst}");
    }

    #[test]
    fn anything_else_is_refused() {
        let frame = PackedFrame::pack(&MotionFrame::rest());
        let good = Packet { sequence: 65_535, milliseconds: 7, frame }.encode();
        assert_eq!(
            Packet::decode(&good).map(|packet| (packet.sequence, packet.milliseconds)),
            Some((65_535, 7))
        );
        let mut other_version = good;
        other_version[0] = 9;
        let mut no_head = good;
        no_head[HEAD + POSE - 2..HEAD + POSE].copy_from_slice(&i16::MAX.to_le_bytes());
        let mut grimace = good;
        grimace[HEAD + POSE + FACE..][..2].copy_from_slice(&[255, 127]);
        let cases: [&[u8]; 6] =
            [&[], &good[1..], &[good.as_slice(), &[0]].concat(), &other_version, &no_head, &grimace];
        for bytes in cases {
            assert_eq!(Packet::decode(bytes), None);
        }
    }

    #[test]
    fn noise_never_decodes_to_numbers_that_no_head_can_perform() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..2_000 {
            let mut bytes: [u8; PACKET_BYTES] = std::array::from_fn(|_| random.u8(..));
            bytes[0] = VERSION;
            if let Some(packet) = Packet::decode(&bytes) {
                assert!(packet.frame.is_sane());
            }
        }
    }
}
