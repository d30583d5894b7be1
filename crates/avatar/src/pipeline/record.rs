//! From a clip to a [`Motion`] file.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use gioconda_face::{FaceChoice, Threads};
use gioconda_media::{Budget, ClipReader, ReadOptions};
use serde::Serialize;

use crate::Error;
use crate::file::motion_file::Motion;
use crate::motion::continuity::Continuity;
use crate::motion::frame::{FaceState, MotionFrame};
use crate::motion::smoothing::MotionSmoother;
use crate::pipeline::driver::{find_neutral, first_face, no_face_in_clip, rest_of_clip, stop_if};
use crate::pipeline::settings::Progress;
use crate::pipeline::tracked_clip::TrackedClip;

/// How a clip is recorded.
#[derive(Clone, Debug)]
pub struct RecordSettings {
    /// One line for people.
    pub title: String,
    /// Where to start.
    pub start: Duration,
    /// How much to record; `None` to the end.
    pub duration: Option<Duration>,
    /// Frames a second of the motion; `None` takes the clip's.
    pub fps: Option<f64>,
    /// Which face.
    pub face: FaceChoice,
    /// Seconds of the neutral frame from the clip's beginning; `None` chooses it.
    pub neutral: Option<Duration>,
    /// Smoothing strength, 0 is off.
    pub smooth: f32,
    /// Choose the stretch of at most this length whose ends meet best, and blend them into a loop.
    pub seamless: Option<Duration>,
    /// What reading the clip may cost.
    pub budget: Budget,
}

/// What was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct RecordSummary {
    /// Frames in the motion.
    pub frames: usize,
    /// Its length.
    pub seconds: f64,
    /// Whether it loops.
    pub loops: bool,
    /// Frames of the clip in which the face was lost.
    pub lost_frames: u64,
    /// Wall time that recording took.
    pub elapsed_seconds: f64,
}

/// Seconds over which a loop's end runs into its beginning.
const OVERLAP: f64 = 0.6;

/// A clip is looked through for its neutral frame at this many frames a second, and at fewer when that would be more
/// than [`NEUTRAL_CANDIDATES`].
const NEUTRAL_SEARCH_FPS: f64 = 6.0;
const NEUTRAL_CANDIDATES: f64 = 600.0;

/// Records the face of the clip at `path`.
///
/// # Errors
/// When the clip cannot be read or shows no face, or `cancel` was set.
pub fn record(
    path: &Path,
    settings: &RecordSettings,
    progress: &dyn Fn(Progress),
    cancel: &AtomicBool,
) -> Result<(Motion, RecordSummary), Error> {
    let started = Instant::now();
    let options = ReadOptions {
        start: settings.start,
        duration: settings.duration,
        fps: settings.fps,
        budget: settings.budget,
    };
    let neutral = neutral(path, options, settings, cancel)?;
    let mut clip = TrackedClip::open(path, &options, settings.face, Threads::Shared)?;
    let mut motion = Motion::new(settings.title.clone(), clip.fps);
    let step = (1.0 / clip.fps) as f32;
    let mut continuity = Continuity::new();
    let mut smoother = MotionSmoother::new(settings.smooth);
    let mut done = 0;
    while let Some(frame) = clip.next(cancel).map_err(|error| error.in_picture(path))? {
        stop_if(cancel)?;
        let found = frame
            .face
            .map(|face| MotionFrame::between(&neutral, &FaceState::new(&face.landmarks), face.presence));
        motion.push(&smoother.smooth(continuity.next(found, step), step));
        clip.recycle(frame.image);
        done += 1;
        progress(Progress { done, total: clip.expected_frames });
    }
    if continuity.lost_frames() == done {
        return Err(no_face_in_clip(path));
    }
    stop_if(cancel)?;
    if let Some(length) = settings.seamless {
        let overlap = (OVERLAP * motion.fps).round() as usize;
        let frames = (length.as_secs_f64() * motion.fps).round() as usize;
        motion = motion.best_stretch(frames + overlap).looped(overlap);
    }
    let summary = RecordSummary {
        frames: motion.len(),
        seconds: motion.seconds(),
        loops: motion.loops,
        lost_frames: continuity.lost_frames(),
        elapsed_seconds: started.elapsed().as_secs_f64(),
    };
    Ok((motion, summary))
}

fn neutral(
    path: &Path,
    options: ReadOptions,
    settings: &RecordSettings,
    cancel: &AtomicBool,
) -> Result<FaceState, Error> {
    if let Some(at) = settings.neutral {
        return first_face(path, rest_of_clip(at, settings.budget), settings.face, cancel);
    }
    let info = ClipReader::open(path, &options)?.info().clone();
    let seconds = options.duration.map_or(info.duration, |d| d.min(info.duration)).as_secs_f64();
    let fps = (NEUTRAL_CANDIDATES / seconds.max(1.0)).clamp(0.1, NEUTRAL_SEARCH_FPS);
    find_neutral(path, options, fps, settings.face, None, cancel)
}
