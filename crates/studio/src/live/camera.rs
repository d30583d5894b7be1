//! From a camera's pictures to motion: decoding, tracking, and what counts as the performer's resting face.

use std::io::Cursor;

use gioconda_avatar::{FaceState, MotionFrame, choose_neutral};
use gioconda_face::{FaceChoice, Threads, Tracker};
use image::codecs::jpeg::JpegDecoder;
use image::{ImageDecoder, RgbImage};

/// Largest camera picture, bytes.
pub const LARGEST_JPEG: usize = 512 << 10;
/// Longest side of a camera picture, pixels.
pub const LONGEST_SIDE: u32 = 1280;

/// Faces among which the first neutral one is chosen: half a second, in which the portrait wakes up.
const FIRST_LOOK: usize = 12;
/// Faces among which it is chosen when the performer asks for it, and holds still.
const CALIBRATION: usize = 5;
/// Pictures without a face after which a calibration is given up.
const CALIBRATION_PATIENCE: u32 = 25;

/// What one camera picture has shown.
#[derive(Debug, PartialEq)]
pub enum Seen {
    /// A face, and what it does relative to the neutral one.
    Motion(Box<MotionFrame>),
    /// A face, before anything is known of how it rests.
    FirstLook,
    /// No face.
    Nobody,
}

/// What became of a calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// There is a new neutral face: motion jumps here.
    Done,
    /// No face was to be seen for a second.
    Failed,
}

/// Follows the performer's face.
pub struct FaceReader {
    tracker: Tracker,
    neutral: Option<FaceState>,
    /// What is gathered for the next neutral face; `None` when the one there is serves.
    gathering: Option<Gathering>,
}

struct Gathering {
    states: Vec<FaceState>,
    wanted: usize,
    /// Asked for, rather than the session's beginning.
    asked: bool,
    missed: u32,
}

impl Gathering {
    fn new(wanted: usize, asked: bool) -> Self {
        Self { states: Vec::new(), wanted, asked, missed: 0 }
    }
}

impl FaceReader {
    /// Loads the face models. With several faces in sight, the largest is the performer.
    pub fn new() -> Result<Self, gioconda_face::Error> {
        Ok(Self {
            tracker: Tracker::new(FaceChoice::Largest, Threads::Count(1))?.hasty(),
            neutral: None,
            gathering: Some(Gathering::new(FIRST_LOOK, false)),
        })
    }

    /// Takes the performer's face in the next pictures as the resting one.
    pub fn calibrate(&mut self) {
        self.gathering = Some(Gathering::new(CALIBRATION, true));
    }

    /// Reads the next picture. `portrait` is whom the performer moves: the first neutral face is the one most like it.
    /// A calibration that was asked for is reported when it ends.
    pub fn read(
        &mut self,
        picture: &RgbImage,
        portrait: &FaceState,
    ) -> Result<(Seen, Option<Calibration>), gioconda_face::Error> {
        let Some(face) = self.tracker.track(picture)? else {
            return Ok((Seen::Nobody, self.missed()));
        };
        let state = FaceState::new(&face.landmarks);
        let calibrated = self.gather(&state, portrait);
        let seen = match &self.neutral {
            Some(neutral) => Seen::Motion(Box::new(MotionFrame::between(neutral, &state, face.presence))),
            None => Seen::FirstLook,
        };
        Ok((seen, calibrated))
    }

    fn gather(&mut self, state: &FaceState, portrait: &FaceState) -> Option<Calibration> {
        let gathering = self.gathering.as_mut()?;
        gathering.states.push(state.clone());
        if gathering.states.len() < gathering.wanted {
            return None;
        }
        let Gathering { mut states, asked, .. } = self.gathering.take()?;
        let like = (!asked).then_some(portrait);
        self.neutral = choose_neutral(&states, like).map(|index| states.swap_remove(index));
        asked.then_some(Calibration::Done)
    }

    fn missed(&mut self) -> Option<Calibration> {
        let gathering = self.gathering.as_mut().filter(|gathering| gathering.asked)?;
        gathering.missed += 1;
        if gathering.missed < CALIBRATION_PATIENCE {
            return None;
        }
        self.gathering = self.neutral.is_none().then(|| Gathering::new(FIRST_LOOK, false));
        Some(Calibration::Failed)
    }
}

/// Decodes a camera's JPEG; the error is one line for the performer.
pub fn decode(jpeg: &[u8]) -> Result<RgbImage, String> {
    let no_picture = |error| format!("a camera picture is no JPEG that can be read ({error})");
    if jpeg.len() > LARGEST_JPEG {
        return Err(format!(
            "a camera picture of {} KB is too large; {} KB are read",
            jpeg.len() >> 10,
            LARGEST_JPEG >> 10
        ));
    }
    let decoder = JpegDecoder::new(Cursor::new(jpeg)).map_err(no_picture)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > LONGEST_SIDE || width.min(height) < 16 {
        return Err(format!(
            "a camera picture of {width}x{height} pixels; 16 to {LONGEST_SIDE} a side are read"
        ));
    }
    Ok(image::DynamicImage::from_decoder(decoder).map_err(no_picture)?.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::{HeadPose, LANDMARKS, Landmarks};
    use image::codecs::jpeg::JpegEncoder;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        RgbImage::new(width, height).write_with_encoder(JpegEncoder::new(&mut bytes)).expect("encoded");
        bytes
    }

    #[test]
    fn only_pictures_of_a_camera_are_decoded() {
        let good = jpeg(64, 48);
        assert_eq!(decode(&good).map(|picture| picture.dimensions()), Ok((64, 48)));
        let cases: [(Vec<u8>, &str); 5] = [
            (Vec::new(), "no JPEG"),
            (b"\x89PNG\r\n".to_vec(), "no JPEG"),
            (jpeg(2000, 16), "2000x16"),
            (jpeg(8, 8), "8x8"),
            (vec![0; LARGEST_JPEG + 1], "too large"),
        ];
        for (bytes, expected) in cases {
            let error = decode(&bytes).expect_err(expected);
            assert!(error.contains(expected), "{error:?} should speak of {expected:?}");
        }
        for cut in [2, 20, good.len() / 2] {
            // A cut picture may be filled up or refused, but nothing worse.
            let _ = decode(&good[..cut]);
        }
    }

    fn state(jaw: f32) -> FaceState {
        let pose = HeadPose {
            scale: 10.0,
            rotation: nalgebra::Rotation3::identity(),
            translation: nalgebra::Vector3::new(100.0, -100.0, 0.0),
            residual: 0.0,
        };
        let mut points = [nalgebra::Vector3::zeros(); LANDMARKS];
        for (point, &vertex) in points.iter_mut().zip(&gioconda_face::topology::TOPOLOGY.vertices) {
            *point = vertex;
        }
        for lip in [14, 87, 317, 15, 16, 17] {
            points[lip].y -= jaw;
        }
        FaceState::new(&Landmarks { points }.map(|p| pose.from_canonical(p)))
    }

    #[test]
    fn the_first_neutral_face_is_like_the_portrait_and_a_calibration_is_as_asked() {
        let mut reader = FaceReader::new().expect("models");
        let portrait = state(0.0);
        for index in 0..FIRST_LOOK {
            assert!(reader.neutral.is_none());
            let jaw = if index == 4 { 0.0 } else { 1.0 };
            assert_eq!(reader.gather(&state(jaw), &portrait), None, "nobody asked");
        }
        let mouth = |reader: &FaceReader| reader.neutral.as_ref().map(|neutral| neutral.mouth);
        assert_eq!(mouth(&reader), Some(state(0.0).mouth));
        reader.calibrate();
        let reports: Vec<_> = (0..CALIBRATION).map(|_| reader.gather(&state(1.0), &portrait)).collect();
        assert_eq!(reports.last(), Some(&Some(Calibration::Done)));
        assert_eq!(mouth(&reader), Some(state(1.0).mouth), "the performer knows best");
    }

    #[test]
    fn a_calibration_without_a_face_is_given_up() {
        let mut reader = FaceReader::new().expect("models");
        let (empty, portrait) = (RgbImage::new(64, 64), state(0.0));
        reader.calibrate();
        let mut reports =
            (0..2 * CALIBRATION_PATIENCE).map(|_| reader.read(&empty, &portrait).expect("read").1);
        assert_eq!(reports.by_ref().flatten().collect::<Vec<_>>(), [Calibration::Failed]);
    }
}
