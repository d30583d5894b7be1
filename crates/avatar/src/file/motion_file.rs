//! `.motion` files: motion without the person, to be replayed on anyone.
//!
//! A motion file is a [safetensors](https://github.com/huggingface/safetensors) file, so that any language reads
//! it; `docs/motion-files.md` describes it for users. Metadata: `format` = `gioconda-motion`, `version`, `fps`,
//! `loops` (whether the end runs into the beginning) and `title`. Tensors, one row a frame:
//!
//! | name | type, shape | meaning |
//! |---|---|---|
//! | `rotation` | f32 `[T, 3]` | axis times angle since the neutral frame, radians, camera axes |
//! | `translation` | f32 `[T, 2]` | shift since the neutral frame, canonical centimetres, y up |
//! | `scale` | f32 `[T]` | size over the neutral frame's |
//! | `expression` | f16 `[T, 48]` | coefficients of the [expression basis](crate::motion::expression_basis) |
//! | `gaze` | f16 `[T, 4]` | shift of the right and the left iris since the neutral frame, canonical centimetres |
//! | `openings` | f16 `[T, 3]` | right eye, left eye, mouth: 0 shut, 1 as in the neutral frame |
//! | `confidence` | f16 `[T]` | the tracker's, 0..1 |

use std::collections::HashMap;
use std::path::Path;

use gioconda_kernels::smoothstep;
use safetensors::SafeTensors;

use crate::Error;
use crate::file::read_within;
use crate::file::tensors::{Tensor, floats};
use crate::motion::expression_basis::COMPONENTS;
use crate::motion::frame::MotionFrame;
use crate::motion::packed_frame::PackedFrame;

/// Version of the format that this program writes and reads.
pub const MOTION_VERSION: u32 = 1;

const FORMAT: &str = "gioconda-motion";
/// An hour at 25 frames a second is 12 MB.
const LARGEST_FILE: u64 = 512 << 20;

/// Longest title, bytes.
const LONGEST_TITLE: usize = 1 << 12;

/// A recorded motion.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// One line for people: what is performed.
    pub title: String,
    /// Frames a second, 1..=120.
    pub fps: f64,
    /// Whether the last frame runs into the first without a jump.
    pub loops: bool,
    frames: Vec<PackedFrame>,
}

impl Motion {
    /// An empty motion to [`push`](Motion::push) frames to.
    pub fn new(title: impl Into<String>, fps: f64) -> Self {
        Self { title: title.into(), fps, loops: false, frames: Vec::new() }
    }

    /// Appends a frame. What the expression basis cannot say of it is lost.
    pub fn push(&mut self, frame: &MotionFrame) {
        self.frames.push(PackedFrame::pack(frame));
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 / self.fps
    }

    /// Frame `index`; past the end of a motion that loops it begins again, of any other the last frame stays.
    ///
    /// # Panics
    /// When the motion has no frames; a motion that was read from a file has one at least.
    pub fn frame(&self, index: usize) -> MotionFrame {
        let last = self.frames.len().checked_sub(1).expect("a motion has frames");
        let index = if self.loops { index % self.frames.len() } else { index.min(last) };
        self.frames[index].unpack()
    }

    /// The motion at `seconds` from its beginning, blended between the two nearest frames.
    pub fn at(&self, seconds: f64) -> MotionFrame {
        let position = (seconds * self.fps).max(0.0);
        let (index, part) = (position.floor(), position.fract());
        let frame = self.frame(index as usize);
        if part < 1e-3 { frame } else { frame.blend(&self.frame(index as usize + 1), part as f32) }
    }

    /// Makes a motion of which the last `overlap` frames, blended into the first, let it loop without a jump.
    /// A motion shorter than three times the overlap stays as it is.
    #[must_use]
    pub fn looped(&self, overlap: usize) -> Self {
        if overlap == 0 || self.len() < 3 * overlap {
            return self.clone();
        }
        let length = self.len() - overlap;
        let mut looped = Self { loops: true, frames: Vec::with_capacity(length), ..self.clone() };
        for i in 0..length {
            let frame = self.frame(i);
            if i < overlap {
                let t = i as f32 / overlap as f32;
                looped.push(&self.frame(length + i).blend(&frame, smoothstep(t)));
            } else {
                looped.push(&frame);
            }
        }
        looped
    }

    /// The stretch of `length` frames (or up to a quarter fewer) whose ends are most alike in pose and expression:
    /// the best candidate for [`Motion::looped`]. Returns the whole motion when it is no longer than `length`.
    #[must_use]
    pub fn best_stretch(&self, length: usize) -> Self {
        if self.len() <= length || length < 4 {
            return self.clone();
        }
        let mut best = (f32::INFINITY, 0, length);
        for stretch in (length - length / 4)..=length {
            for start in 0..=self.len() - stretch {
                let cost = self.frames[start].distance(&self.frames[start + stretch - 1]);
                if cost < best.0 {
                    best = (cost, start, stretch);
                }
            }
        }
        let (_, start, stretch) = best;
        Self { frames: self.frames[start..start + stretch].to_vec(), ..self.clone() }
    }

    /// Writes the file beside its place and then renames it.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let refused = |what: String| Error::Motion {
            path: path.to_owned(),
            what: format!("cannot be made a motion file: {what}"),
        };
        // What is written must be readable again.
        if self.title.len() > LONGEST_TITLE {
            return Err(refused(format!("its title is longer than {LONGEST_TITLE} bytes; shorten it")));
        }
        let bytes = self.to_bytes().map_err(|error| refused(error.to_string()))?;
        Ok(gioconda_media::save_bytes(path, &bytes)?)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let rows = self.frames.len();
        let of = |width: usize| if width == 1 { vec![rows] } else { vec![rows, width] };
        let frames = || self.frames.iter();
        let tensors = [
            ("rotation", Tensor::f32(frames().flat_map(|f| f.rotation), of(3))),
            ("translation", Tensor::f32(frames().flat_map(|f| f.translation), of(2))),
            ("scale", Tensor::f32(frames().map(|f| f.scale), of(1))),
            ("expression", Tensor::f16(frames().flat_map(|f| f.expression), of(COMPONENTS))),
            ("gaze", Tensor::f16(frames().flat_map(|f| f.gaze), of(4))),
            ("openings", Tensor::f16(frames().flat_map(|f| f.openings), of(3))),
            ("confidence", Tensor::f16(frames().map(|f| f.confidence), of(1))),
        ];
        let views = tensors
            .iter()
            .map(|(name, tensor)| Ok((*name, tensor.view()?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("version".to_owned(), MOTION_VERSION.to_string()),
            ("fps".to_owned(), self.fps.to_string()),
            ("loops".to_owned(), self.loops.to_string()),
            ("title".to_owned(), self.title.clone()),
        ]);
        safetensors::serialize(views, Some(metadata))
    }

    /// Reads a motion file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refused = |what: String| Error::Motion { path: path.to_owned(), what };
        let bytes = read_within(path, LARGEST_FILE)?.ok_or_else(|| {
            let most = LARGEST_FILE >> 20;
            refused(format!("more than {most} MB are too much for a motion file; use a shorter one"))
        })?;
        Self::parse(&bytes).map_err(refused)
    }

    /// Reads a motion from the bytes of its file; the error is what to tell the user after the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let not_a_motion =
            || "not a motion file; record one with `gioconda record CLIP -o FILE.motion`".to_owned();
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| not_a_motion())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(not_a_motion());
        }
        let version = metadata.get("version").map_or("unknown", String::as_str);
        if version != MOTION_VERSION.to_string() {
            return Err(format!(
                "motion file of version {version}, this program reads version {MOTION_VERSION}; record it again"
            ));
        }
        let fps: f64 = metadata.get("fps").and_then(|fps| fps.parse().ok()).unwrap_or(f64::NAN);
        let title = metadata.get("title").cloned().unwrap_or_default();
        if title.len() > LONGEST_TITLE {
            let what = format!("its title is longer than {LONGEST_TITLE} bytes");
            return Err(format!("damaged motion file: {what}; record it again"));
        }
        if !(1.0..=120.0).contains(&fps) {
            return Err(
                "damaged motion file: its frame rate is not within 1..120; record it again".to_owned()
            );
        }
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| format!("damaged motion file: {error}; record it again"))?;
        let frames = unpack_rows(&file)?;
        if let Some(bad) = frames.iter().position(|frame| !frame.is_sane()) {
            return Err(format!(
                "damaged motion file: frame {bad} holds numbers that no head can perform; record it again"
            ));
        }
        Ok(Self { title, fps, loops: metadata.get("loops").is_some_and(|loops| loops == "true"), frames })
    }
}

/// What fuzzing runs: arbitrary bytes as a motion file. What is accepted must play without a number that is not finite.
#[doc(hidden)]
pub fn fuzz_motion(bytes: &[u8]) {
    let Ok(motion) = Motion::parse(bytes) else { return };
    for index in [0, motion.len() / 2, motion.len() - 1, usize::MAX] {
        let frame = motion.frame(index);
        assert!(frame.expression.iter().all(|point| point.iter().all(|x| x.is_finite())));
    }
    assert!(motion.seconds().is_finite() && motion.at(motion.seconds() / 3.0).scale.is_finite());
}

fn unpack_rows(file: &SafeTensors<'_>) -> Result<Vec<PackedFrame>, String> {
    let column = |name: &str, width: usize| -> Result<Vec<f32>, String> {
        let damaged =
            || format!("damaged motion file: `{name}` is missing or of the wrong form; record it again");
        let tensor = file.tensor(name).map_err(|_| damaged())?;
        let expected_rank = if width == 1 { 1 } else { 2 };
        if tensor.shape().len() != expected_rank || (width > 1 && tensor.shape()[1] != width) {
            return Err(damaged());
        }
        floats(&tensor).ok_or_else(damaged)
    };
    let rotation = column("rotation", 3)?;
    let translation = column("translation", 2)?;
    let scale = column("scale", 1)?;
    let expression = column("expression", COMPONENTS)?;
    let gaze = column("gaze", 4)?;
    let openings = column("openings", 3)?;
    let confidence = column("confidence", 1)?;
    let rows = scale.len();
    let all = [
        (rotation.len(), 3),
        (translation.len(), 2),
        (expression.len(), COMPONENTS),
        (gaze.len(), 4),
        (openings.len(), 3),
        (confidence.len(), 1),
    ];
    if rows == 0 || all.iter().any(|&(numbers, width)| numbers != rows * width) {
        return Err(
            "damaged motion file: it has no frames, or its columns differ in length; record it again"
                .to_owned(),
        );
    }
    let row = |i: usize| PackedFrame {
        rotation: row_of(&rotation, i),
        translation: row_of(&translation, i),
        scale: scale[i],
        expression: row_of(&expression, i),
        gaze: row_of(&gaze, i),
        openings: row_of(&openings, i),
        confidence: confidence[i],
    };
    Ok((0..rows).map(row).collect())
}

fn row_of<const WIDTH: usize>(numbers: &[f32], row: usize) -> [f32; WIDTH] {
    std::array::from_fn(|column| numbers[row * WIDTH + column])
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::rotation_vector;
    use nalgebra::Rotation3;

    fn nod() -> Motion {
        let mut motion = Motion::new("a nod", 25.0);
        for i in 0..50_u8 {
            let mut frame = MotionFrame::rest();
            frame.rotation = Rotation3::from_euler_angles((f32::from(i) * 0.2).sin() * 0.1, 0.0, 0.0);
            frame.eyes = [1.0, f32::from(i) / 50.0];
            motion.push(&frame);
        }
        motion
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("nod.motion");
        nod().write(&path).expect("written");
        let read = Motion::read(&path).expect("read");
        assert_eq!((read.len(), read.fps, read.loops, read.title.as_str()), (50, 25.0, false, "a nod"));
        for i in 0..50 {
            assert!(
                (rotation_vector(&read.frame(i).rotation) - rotation_vector(&nod().frame(i).rotation)).norm()
                    < 1e-4
            );
            assert!((read.frame(i).eyes[1] - nod().frame(i).eyes[1]).abs() < 1e-3);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1, "no temporary file stays");
    }

    #[test]
    fn damaged_and_foreign_files_are_refused_in_words() {
        let good = nod().to_bytes().expect("bytes");
        let text = |from: &str, to: &str| {
            let at = good.windows(from.len()).position(|w| w == from.as_bytes()).expect("in the header");
            let mut changed = good.clone();
            changed[at..at + from.len()].copy_from_slice(to.as_bytes());
            changed
        };
        let mut with_nan = nod();
        with_nan.frames[7].scale = f32::NAN;
        let cases: [(Vec<u8>, &str); 6] = [
            (Vec::new(), "not a motion file"),
            (b"RIFF....WEBP".to_vec(), "not a motion file"),
            (text("\"version\":\"1\"", "\"version\":\"9\""), "version 9"),
            (text("\"fps\":\"25\"", "\"fps\":\"-5\""), "frame rate"),
            (with_nan.to_bytes().expect("bytes"), "frame 7"),
            (Motion::new("empty", 25.0).to_bytes().expect("bytes"), "no frames"),
        ];
        for (bytes, expected) in cases {
            let error = Motion::parse(&bytes).expect_err(expected);
            assert!(error.contains(expected), "{error:?} should speak of {expected:?}");
        }
        assert!(Motion::parse(&good[..good.len() - 10]).is_err());
    }

    #[test]
    fn a_looped_motion_has_no_jump() {
        let mut motion = Motion::new("drift", 25.0);
        for i in 0..100_u8 {
            let mut frame = MotionFrame::rest();
            frame.rotation = Rotation3::from_euler_angles(0.0, f32::from(i) * 0.005, 0.0);
            motion.push(&frame);
        }
        let looped = motion.looped(20);
        assert_eq!(looped.len(), 80);
        assert!(looped.loops);
        let angle = |i: usize| rotation_vector(&looped.frame(i).rotation).y;
        for i in 0..160 {
            assert!((angle(i + 1) - angle(i)).abs() < 0.04, "jump after frame {i}");
        }
    }

    #[test]
    fn the_best_stretch_has_like_ends() {
        let mut motion = Motion::new("swing", 25.0);
        for i in 0..200_u8 {
            let mut frame = MotionFrame::rest();
            frame.rotation = Rotation3::from_euler_angles(0.0, (f32::from(i) * 0.063).sin() * 0.3, 0.0);
            motion.push(&frame);
        }
        let stretch = motion.best_stretch(110);
        assert!((82..=110).contains(&stretch.len()));
        assert!(stretch.frames[0].distance(&stretch.frames[stretch.len() - 1]) < 0.02);
    }

    #[test]
    fn times_between_frames_are_blended() {
        let motion = nod();
        let between = motion.at(3.5 / 25.0).eyes[1];
        assert!((between - 3.5 / 50.0).abs() < 2e-3, "{between}");
        assert!((motion.at(1e6).eyes[1] - motion.frame(49).eyes[1]).abs() < 1e-6);
    }
}
