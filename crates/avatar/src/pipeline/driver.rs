//! Where motion comes from: a tracked clip or a recorded motion, one frame after the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gioconda_face::{FaceChoice, Landmarks, Threads};
use gioconda_media::{Budget, ReadOptions};
use image::RgbImage;

use crate::Error;
use crate::file::motion_file::Motion;
use crate::motion::frame::{FaceState, MotionFrame};
use crate::motion::neutral::choose_neutral;
use crate::pipeline::settings::{MotionMode, Settings};
use crate::pipeline::tracked_clip::TrackedClip;
use crate::render::canvas::Canvas;

/// One frame of a driver.
pub(crate) struct Driven {
    /// Its motion; `None` when the face was lost.
    pub(crate) motion: Option<MotionFrame>,
    /// Its picture, if it has one.
    pub(crate) picture: Option<RgbImage>,
}

pub(crate) trait Driver {
    /// Frames a second.
    fn fps(&self) -> f64;
    fn expected_frames(&self) -> Option<u64>;
    fn next(&mut self, cancel: &AtomicBool) -> Result<Option<Driven>, Error>;
    /// Takes a picture back, so that its memory is used again.
    fn recycle(&self, picture: Option<RgbImage>);
    /// Time spent decoding and tracking so far.
    fn times(&self) -> (Duration, Duration);
}

/// How much of a clip is looked at for its neutral frame, and how closely: enough to find a moment of rest in
/// nearly every clip, little enough to keep the first frame near half a second from the start.
const NEUTRAL_SEARCH: Duration = Duration::from_secs(2);
const NEUTRAL_SEARCH_FPS: f64 = 5.0;

/// Follows the face of a clip.
pub(crate) struct ClipDriver {
    path: PathBuf,
    options: ReadOptions,
    face: FaceChoice,
    clip: TrackedClip,
    neutral: Neutral,
    /// Brings landmarks of the clip to the canvas, when they are meant absolutely.
    placement: Option<Placement>,
    repeats_left: u32,
    repeat: u32,
    /// Spent on passes that are over.
    spent: (Duration, Duration),
}

/// What the driver's motion is relative to.
enum Neutral {
    Known(Arc<FaceState>),
    /// The face at this time.
    At(Duration),
    /// The face most like this portrait's in this part of the clip.
    Like(Arc<FaceState>, ReadOptions),
}

struct Placement {
    canvas: Canvas,
    photo: (u32, u32),
}

impl ClipDriver {
    pub(crate) fn open(
        path: &Path,
        settings: &Settings,
        canvas: &Canvas,
        photo: (u32, u32),
        portrait: &FaceState,
    ) -> Result<Self, Error> {
        let face = settings.driver_face;
        let options = ReadOptions {
            start: settings.start,
            duration: settings.duration,
            fps: settings.fps,
            budget: settings.budget,
        };
        let (neutral, placement) = match settings.mode {
            MotionMode::Absolute => (
                Neutral::Known(Arc::new(portrait.clone())),
                Some(Placement { canvas: canvas.clone(), photo }),
            ),
            MotionMode::Relative { neutral: Some(at) } => (Neutral::At(at), None),
            MotionMode::Relative { neutral: None } => {
                let duration = settings.duration.map_or(NEUTRAL_SEARCH, |d| d.min(NEUTRAL_SEARCH));
                let part = ReadOptions { duration: Some(duration), ..options };
                (Neutral::Like(Arc::new(portrait.clone()), part), None)
            }
        };
        let clip = TrackedClip::open(path, &options, face, Threads::Count(1))?;
        let repeat = settings.repeat.max(1);
        let (spent, repeats_left) = ((Duration::ZERO, Duration::ZERO), repeat - 1);
        Ok(Self {
            path: path.to_owned(),
            options,
            face,
            clip,
            neutral,
            placement,
            repeats_left,
            repeat,
            spent,
        })
    }

    /// Finds the neutral frame, once. The clip's own threads load their models and track the first frames meanwhile.
    fn find_neutral(&mut self, cancel: &AtomicBool) -> Result<Arc<FaceState>, Error> {
        let found = match &self.neutral {
            Neutral::Known(state) => return Ok(Arc::clone(state)),
            Neutral::At(at) => {
                first_face(&self.path, rest_of_clip(*at, self.options.budget), self.face, cancel)?
            }
            Neutral::Like(portrait, part) => {
                find_neutral(&self.path, *part, NEUTRAL_SEARCH_FPS, self.face, Some(portrait), cancel)?
            }
        };
        let found = Arc::new(found);
        self.neutral = Neutral::Known(Arc::clone(&found));
        Ok(found)
    }

    fn motion(&self, neutral: &FaceState, landmarks: &Landmarks, presence: f32) -> MotionFrame {
        let state = match &self.placement {
            None => FaceState::new(landmarks),
            Some(Placement { canvas, photo }) => {
                FaceState::new(&canvas.lay_over(landmarks, self.clip.size, *photo))
            }
        };
        MotionFrame::between(neutral, &state, presence)
    }
}

impl Driver for ClipDriver {
    fn fps(&self) -> f64 {
        self.clip.fps
    }

    fn expected_frames(&self) -> Option<u64> {
        Some(self.clip.expected_frames? * u64::from(self.repeat))
    }

    fn next(&mut self, cancel: &AtomicBool) -> Result<Option<Driven>, Error> {
        let neutral = self.find_neutral(cancel)?;
        loop {
            if let Some(frame) = self.clip.next(cancel).map_err(|error| error.in_picture(&self.path))? {
                let motion = frame.face.map(|face| self.motion(&neutral, &face.landmarks, face.presence));
                return Ok(Some(Driven { motion, picture: Some(frame.image) }));
            }
            if self.repeats_left == 0 {
                return Ok(None);
            }
            self.repeats_left -= 1;
            self.spent = self.times();
            self.clip = TrackedClip::open(&self.path, &self.options, self.face, Threads::Count(1))?;
        }
    }

    fn recycle(&self, picture: Option<RgbImage>) {
        if let Some(picture) = picture {
            self.clip.recycle(picture);
        }
    }

    fn times(&self) -> (Duration, Duration) {
        (self.spent.0 + self.clip.decode.total(), self.spent.1 + self.clip.track.total())
    }
}

/// Looks through a part of a clip at `fps` frames a second for the frame that is most like `portrait`. Where that
/// part shows no face, the rest of the clip is searched until one appears.
pub(crate) fn find_neutral(
    path: &Path,
    part: ReadOptions,
    fps: f64,
    face: FaceChoice,
    portrait: Option<&FaceState>,
    cancel: &AtomicBool,
) -> Result<FaceState, Error> {
    let mut states = Vec::new();
    let mut clip = TrackedClip::open(path, &ReadOptions { fps: Some(fps), ..part }, face, Threads::Shared)?;
    while let Some(frame) = clip.next(cancel).map_err(|error| error.in_picture(path))? {
        stop_if(cancel)?;
        states.extend(frame.face.map(|face| FaceState::new(&face.landmarks)));
        clip.recycle(frame.image);
    }
    if let Some(index) = choose_neutral(&states, portrait) {
        return Ok(states.swap_remove(index));
    }
    let end = part.start + part.duration.unwrap_or_default();
    first_face(path, rest_of_clip(end, part.budget), face, cancel)
}

/// A clip from `start` on at its own rate, as much of it as `budget` allows.
pub(crate) fn rest_of_clip(start: Duration, budget: Budget) -> ReadOptions {
    ReadOptions { start, duration: Some(budget.length), fps: None, budget }
}

/// The driver's first face in the part of the clip that `options` name.
pub(crate) fn first_face(
    path: &Path,
    options: ReadOptions,
    face: FaceChoice,
    cancel: &AtomicBool,
) -> Result<FaceState, Error> {
    let mut clip = TrackedClip::open(path, &options, face, Threads::Shared)?;
    while let Some(frame) = clip.next(cancel).map_err(|error| error.in_picture(path))? {
        stop_if(cancel)?;
        if let Some(face) = frame.face {
            return Ok(FaceState::new(&face.landmarks));
        }
        clip.recycle(frame.image);
    }
    Err(no_face_in_clip(path))
}

/// [`Error::Cancelled`] once the user has asked to stop.
pub(crate) fn stop_if(cancel: &AtomicBool) -> Result<(), Error> {
    if cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
}

/// The error for a clip that never shows a face.
pub(crate) fn no_face_in_clip(path: &Path) -> Error {
    Error::NoFace {
        path: path.to_owned(),
        what: "no face found in this clip; drive with a clip in which a face is seen from the front"
            .to_owned(),
    }
}

/// Replays a recorded motion.
pub(crate) struct MotionDriver {
    motion: Arc<Motion>,
    fps: f64,
    start: f64,
    frames: u64,
    next: u64,
}

impl MotionDriver {
    pub(crate) fn new(motion: Arc<Motion>, settings: &Settings) -> Result<Self, Error> {
        let fps = settings.fps.unwrap_or(motion.fps);
        let start = settings.start.as_secs_f64();
        let length = motion.seconds() * f64::from(settings.repeat.max(1));
        if start >= length {
            return Err(Error::StartsAfterEnd { start, length });
        }
        let seconds = settings.duration.map_or_else(|| length - start, |duration| duration.as_secs_f64());
        let frames = ((seconds * fps).round() as u64).max(1);
        Ok(Self { motion, fps, start, frames, next: 0 })
    }
}

impl Driver for MotionDriver {
    fn fps(&self) -> f64 {
        self.fps
    }

    fn expected_frames(&self) -> Option<u64> {
        Some(self.frames)
    }

    fn next(&mut self, _cancel: &AtomicBool) -> Result<Option<Driven>, Error> {
        if self.next == self.frames {
            return Ok(None);
        }
        let seconds = self.start + self.next as f64 / self.fps;
        let motion = self.motion.at(seconds.rem_euclid(self.motion.seconds()));
        self.next += 1;
        // Frames recorded while the face was lost hold the recorder's own easing.
        Ok(Some(Driven { motion: Some(motion), picture: None }))
    }

    fn recycle(&self, _picture: Option<RgbImage>) {}

    fn times(&self) -> (Duration, Duration) {
        (Duration::ZERO, Duration::ZERO)
    }
}
