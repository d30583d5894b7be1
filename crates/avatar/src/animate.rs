//! The streaming pipeline: decode, track, transfer, render, encode, each on its own thread, memory bounded.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use gioconda_face::FaceChoice;
use gioconda_media::{Sound, WriteOptions};
use image::RgbImage;
use serde::Serialize;

use crate::Error;
use crate::avatar::Avatar;
use crate::canvas::{Canvas, Framing};
use crate::continuity::Continuity;
use crate::driver::{ClipDriver, Driver, MotionDriver, no_face_in_clip, stop_if};
use crate::encode_stage::{EncodeStage, Finish};
use crate::motion_file::Motion;
use crate::renderer::RendererKind;
use crate::side_by_side::SideBySide;
use crate::smoothing::MotionSmoother;
use crate::stopwatch::Stopwatch;
use crate::transfer::{Gains, MotionTransfer};

/// What moves the portrait.
#[derive(Clone, Debug)]
pub enum Drive {
    /// A clip or a folder of pictures with a face in it.
    Clip(PathBuf),
    /// A recorded motion.
    Motion(Arc<Motion>),
}

/// How a driver's motion is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MotionMode {
    /// Relative to a neutral frame of the driver, so that nothing of the driver's face reaches the portrait.
    Relative {
        /// Seconds from the clip's beginning; `None` chooses the frame most like the photo.
        neutral: Option<Duration>,
    },
    /// The driver's landmarks as they stand in its frame: for clips of the portrait's own person, framed alike.
    Absolute,
}

/// Everything about an animation but the photo and the output's name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What moves the portrait.
    pub drive: Drive,
    /// Which face of a driving clip.
    pub driver_face: FaceChoice,
    /// How the driver's motion is read.
    pub mode: MotionMode,
    /// How strongly it is performed.
    pub gains: Gains,
    /// Smoothing strength: 0 is off, 1 the default, more is smoother and later.
    pub smooth: f32,
    /// What is shown.
    pub framing: Framing,
    /// Whether the driver is shown to the left of the portrait.
    pub side_by_side: bool,
    /// Frames a second of the output; `None` takes the driver's.
    pub fps: Option<f64>,
    /// Where in the driver to start.
    pub start: Duration,
    /// How long the output is; `None` plays the driver to its end.
    pub duration: Option<Duration>,
    /// How many times the driver is played, at least 1.
    pub repeat: u32,
    /// Whether the driver's sound is left out.
    pub mute: bool,
    /// Who paints.
    pub renderer: RendererKind,
}

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

/// Where an animation stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Frames rendered so far.
    pub done: u64,
    /// Frames there will be, when the driver knows.
    pub total: Option<u64>,
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
    let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, settings.framing);
    let transfer = transfer(&canvas, settings);
    let mut driver = open_driver(avatar, &canvas, &transfer, settings)?;
    let fps = driver.fps();
    let side_by_side = settings.side_by_side.then(|| SideBySide::new(canvas.window));
    let size = side_by_side.as_ref().map_or((canvas.window.width, canvas.window.height), SideBySide::size);
    let sound = if settings.mute { None } else { sound(settings, driver.as_ref()) };
    let encode = EncodeStage::start(
        output,
        &WriteOptions { width: size.0, height: size.1, fps, sound },
        finish.frame,
    )?;
    let mut stage = RenderStage {
        continuity: Continuity::new(fps),
        smoother: MotionSmoother::new(settings.smooth, fps),
        renderer: avatar.renderer(settings.renderer, &canvas)?,
        portrait: RgbImage::new(canvas.window.width, canvas.window.height),
        transfer,
        side_by_side,
        transferring: Stopwatch::default(),
        rendering: Stopwatch::default(),
    };

    let total = driver.expected_frames();
    let (mut frames, mut first_frame) = (0, None);
    while let Some(driven) = driver.next(cancel)? {
        stop_if(cancel)?;
        let mut picture = encode.picture();
        stage.render(driven.motion, driven.picture.as_ref(), &mut picture)?;
        driver.recycle(driven.picture);
        first_frame.get_or_insert_with(|| started.elapsed());
        if !encode.write(picture) {
            break;
        }
        frames += 1;
        progress(Progress { done: frames, total });
    }
    if let Drive::Clip(path) = &settings.drive
        && frames > 0
        && stage.continuity.lost_frames() == frames
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
        lost_frames: stage.continuity.lost_frames(),
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
    continuity: Continuity,
    smoother: MotionSmoother,
    transfer: MotionTransfer,
    renderer: Box<dyn crate::Renderer>,
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
        picture: &mut RgbImage,
    ) -> Result<(), Error> {
        let landmarks = self.transferring.time(|| {
            let motion = self.smoother.smooth(self.continuity.next(found));
            self.transfer.apply(&motion)
        });
        self.rendering.time(|| match &mut self.side_by_side {
            None => self.renderer.render(&landmarks, picture),
            Some(layout) => {
                self.renderer.render(&landmarks, &mut self.portrait)?;
                layout.compose(driver, &landmarks, &self.portrait, picture);
                Ok(())
            }
        })
    }
}

fn transfer(canvas: &Canvas, settings: &Settings) -> MotionTransfer {
    match settings.mode {
        MotionMode::Relative { .. } => {
            MotionTransfer::new(&canvas.landmarks, canvas.picture.dimensions(), settings.gains)
        }
        MotionMode::Absolute => MotionTransfer::exact(&canvas.landmarks, settings.gains),
    }
}

fn open_driver(
    avatar: &Avatar,
    canvas: &Canvas,
    transfer: &MotionTransfer,
    settings: &Settings,
) -> Result<Box<dyn Driver>, Error> {
    match &settings.drive {
        Drive::Motion(motion) => Ok(Box::new(MotionDriver::new(Arc::clone(motion), settings)?)),
        Drive::Clip(path) => {
            let photo = avatar.photo.dimensions();
            Ok(Box::new(ClipDriver::open(path, settings, canvas, photo, transfer.portrait())?))
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
