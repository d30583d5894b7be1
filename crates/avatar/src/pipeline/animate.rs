//! The streaming pipeline: decode, track, transfer, render, encode, each on its own thread, memory bounded.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use gioconda_media::{Sound, WriteOptions};
use gioconda_warp::Background;
use image::RgbImage;
use serde::Serialize;

use crate::Error;
use crate::avatar::Avatar;
use crate::performance::Performance;
use crate::pipeline::driver::{ClipDriver, Driver, MotionDriver, no_face_in_clip, stop_if};
use crate::pipeline::encode_stage::{EncodeStage, Finish, Painted};
use crate::pipeline::settings::{Drive, Progress, Settings};
use crate::pipeline::side_by_side::SideBySide;
use crate::pipeline::stopwatch::Stopwatch;

/// What an animation has come to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Frames written.
    pub frames: u64,
    /// Frames a second of the output.
    pub fps: f64,
    /// Width and height of the output, pixels.
    pub size: (u32, u32),
    /// Size of the file or folder, bytes.
    pub bytes: u64,
    /// Wall time from the start to the finished file.
    pub seconds: f64,
    /// Wall time from the start to the first rendered frame.
    pub seconds_to_first_frame: f64,
    /// Frames in which the driver's face was lost.
    pub lost_frames: u64,
    /// Milliseconds a frame that each stage worked; stages overlap.
    pub stages: Stages,
    /// What the user should know, one line each.
    pub warnings: Vec<String>,
}

/// Milliseconds a frame.
#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Stages {
    pub decode: f64,
    pub track: f64,
    pub transfer: f64,
    pub render: f64,
    pub encode: f64,
}

/// Animates `avatar` and writes the result to `output`, complete or not at all.
///
/// `finish` gets every frame and the complete file last. `progress` is called after every frame; setting `cancel` ends
/// the work with [`Error::Cancelled`].
///
/// # Errors
/// When the driver cannot be read or shows no face at all, or the output cannot be written.
pub fn animate(
    avatar: &Avatar,
    settings: &Settings,
    output: &Path,
    mut finish: Finish<'_>,
    progress: &dyn Fn(Progress),
    cancel: &AtomicBool,
) -> Result<Summary, Error> {
    let started = Instant::now();
    let performance = Performance::new(avatar, settings.performance())?;
    let mut driver = open_driver(avatar, &performance, settings)?;
    let fps = driver.fps();
    let side_by_side = settings.side_by_side.then(|| SideBySide::new(performance.canvas().window));
    let size = side_by_side.as_ref().map_or(performance.size(), SideBySide::size);
    let sound = if settings.mute { None } else { sound(settings, driver.as_ref()) };
    let encode = EncodeStage::start(
        output,
        &WriteOptions {
            width: size.0,
            height: size.1,
            fps,
            sound,
            alpha: settings.background == Background::Transparent,
        },
        finish.frame,
    )?;
    let mut stage = RenderStage {
        performance,
        step: (1.0 / fps) as f32,
        portrait: RgbImage::default(),
        side_by_side,
        transferring: Stopwatch::default(),
        rendering: Stopwatch::default(),
    };

    let total = driver.expected_frames();
    let (mut frames, mut first_frame) = (0, None);
    while let Some(driven) = driver.next(cancel)? {
        stop_if(cancel)?;
        let mut painted = encode.painted();
        stage.render(driven.motion, driven.picture.as_ref(), &mut painted)?;
        driver.recycle(driven.picture);
        first_frame.get_or_insert_with(|| started.elapsed());
        if !encode.write(painted) {
            break;
        }
        frames += 1;
        progress(Progress { done: frames, total });
    }
    if let Drive::Clip(path) = &settings.drive
        && frames > 0
        && stage.performance.lost_frames() == frames
    {
        return Err(no_face_in_clip(path));
    }
    stop_if(cancel)?;
    let encode_watch = Arc::clone(&encode.watch);
    let written = encode.finish(&mut *finish.file)?;
    let per_frame = |time: Duration| time.as_secs_f64() * 1e3 / (frames.max(1) as f64);
    let (decode, track) = driver.times();
    Ok(Summary {
        frames,
        fps,
        size,
        bytes: written.bytes,
        seconds: started.elapsed().as_secs_f64(),
        seconds_to_first_frame: first_frame.unwrap_or_default().as_secs_f64(),
        lost_frames: stage.performance.lost_frames(),
        stages: Stages {
            decode: per_frame(decode),
            track: per_frame(track),
            transfer: per_frame(stage.transferring.total()),
            render: per_frame(stage.rendering.total()),
            encode: per_frame(encode_watch.total()),
        },
        warnings: written.warnings,
    })
}

/// What happens to a frame between the driver and the encoder.
struct RenderStage {
    performance: Performance,
    /// Seconds between two frames.
    step: f32,
    /// The portrait before the driver is put beside it; its memory is used again.
    portrait: RgbImage,
    side_by_side: Option<SideBySide>,
    transferring: Stopwatch,
    rendering: Stopwatch,
}

impl RenderStage {
    fn render(
        &mut self,
        found: Option<crate::MotionFrame>,
        driver: Option<&RgbImage>,
        painted: &mut Painted,
    ) -> Result<(), Error> {
        let landmarks = self.transferring.time(|| {
            let motion = self.performance.advance(found, self.step);
            self.performance.landmarks(&motion)
        });
        self.rendering.time(|| match &mut self.side_by_side {
            None => {
                self.performance.render(&landmarks, &mut painted.picture)?;
                painted.alpha.extend_from_slice(self.performance.alpha().unwrap_or_default());
                Ok(())
            }
            Some(layout) => {
                self.performance.render(&landmarks, &mut self.portrait)?;
                layout.compose(driver, &landmarks, &self.portrait, &mut painted.picture);
                layout.compose_alpha(self.performance.alpha().unwrap_or_default(), &mut painted.alpha);
                Ok(())
            }
        })
    }
}

fn open_driver(
    avatar: &Avatar,
    performance: &Performance,
    settings: &Settings,
) -> Result<Box<dyn Driver>, Error> {
    match &settings.drive {
        Drive::Motion { motion, .. } => Ok(Box::new(MotionDriver::new(Arc::clone(motion), settings)?)),
        Drive::Clip(path) => {
            let photo = avatar.photo.dimensions();
            Ok(Box::new(ClipDriver::open(path, settings, performance.canvas(), photo, performance.face())?))
        }
    }
}

/// The driver's sound; a clip that is played again is cut to its pictures' length, so that every round begins in sync.
fn sound(settings: &Settings, driver: &dyn Driver) -> Option<Sound> {
    let Drive::Clip(path) = &settings.drive else { return None };
    let repeat = settings.repeat.max(1);
    let round = || {
        let frames = driver.expected_frames()? / u64::from(repeat);
        (repeat > 1).then(|| Duration::from_secs_f64(frames as f64 / driver.fps()))
    };
    Some(Sound {
        clip: path.clone(),
        start: settings.start,
        duration: settings.duration.or_else(round),
        repeat,
    })
}
