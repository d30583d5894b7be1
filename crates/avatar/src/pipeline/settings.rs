//! What an animation is told, and how it tells where it stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gioconda_face::FaceChoice;
use gioconda_media::{Budget, InputKind};

use crate::Error;
use crate::file::builtin_motions::BuiltinMotion;
use crate::file::motion_file::Motion;
use crate::motion::transfer::Gains;
use crate::performance::PerformanceSettings;
use crate::render::canvas::{DEFAULT_LONGEST_SIDE, Framing};
use crate::render::renderer::RendererKind;
use gioconda_warp::Background;

/// What moves the portrait.
#[derive(Clone, Debug)]
pub enum Drive {
    /// A clip or a folder of pictures with a face in it.
    Clip(PathBuf),
    /// A recorded motion.
    Motion {
        /// What is played.
        motion: Arc<Motion>,
        /// The motion file it was read from; `None` for a built-in motion.
        file: Option<PathBuf>,
    },
}

impl Drive {
    /// A built-in motion.
    pub fn built_in(motion: BuiltinMotion) -> Self {
        Self::Motion { motion: motion.load(), file: None }
    }

    /// What `text` names: a clip, a folder of pictures or a motion file of that path, else the built-in motion of that name.
    ///
    /// # Errors
    /// When there is neither, or what is there does not move.
    pub fn find(text: &str) -> Result<Self, Error> {
        let path = Path::new(text);
        if !path.exists() {
            let builtin =
                BuiltinMotion::find(text).ok_or_else(|| Error::UnknownDrive { name: text.to_owned() })?;
            return Ok(Self::built_in(builtin));
        }
        if path.extension().is_some_and(|extension| extension == "motion") {
            return Ok(Self::Motion { motion: Arc::new(Motion::read(path)?), file: Some(path.to_owned()) });
        }
        match gioconda_media::sniff(path)? {
            InputKind::Photo => Err(Error::Motion {
                path: path.to_owned(),
                what: "a single photo does not move; drive with a clip, a folder of pictures or a motion"
                    .to_owned(),
            }),
            InputKind::Clip | InputKind::PictureFolder => Ok(Self::Clip(path.to_owned())),
        }
    }
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

/// Everything about an animation but the photo and the output's name. Begin with [`Settings::new`] and change what
/// differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
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
    /// What is seen behind the person. [`Background::Transparent`] needs an output with alpha
    /// ([`gioconda_media::OutputFormat::has_alpha`]).
    pub background: Background,
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
    /// What reading the driver may cost.
    pub budget: Budget,
}

/// Where an animation stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Frames rendered so far.
    pub done: u64,
    /// Frames there will be, when the driver knows.
    pub total: Option<u64>,
}

impl Settings {
    /// The whole picture, moved by `drive` at its rate from its beginning to its end, painted by the mesh.
    pub fn new(drive: Drive) -> Self {
        Self {
            drive,
            driver_face: FaceChoice::default(),
            mode: MotionMode::Relative { neutral: None },
            gains: Gains::default(),
            smooth: 1.0,
            framing: Framing::Full { longest_side: DEFAULT_LONGEST_SIDE },
            background: Background::Keep,
            side_by_side: false,
            fps: None,
            start: Duration::ZERO,
            duration: None,
            repeat: 1,
            mute: false,
            renderer: RendererKind::default(),
            budget: Budget::default(),
        }
    }

    /// Sets which face of a driving clip is followed.
    #[must_use]
    pub fn driver_face(self, driver_face: FaceChoice) -> Self {
        Self { driver_face, ..self }
    }

    /// Sets how the driver's motion is read.
    #[must_use]
    pub fn mode(self, mode: MotionMode) -> Self {
        Self { mode, ..self }
    }

    /// Sets how strongly the motion is performed.
    #[must_use]
    pub fn gains(self, gains: Gains) -> Self {
        Self { gains, ..self }
    }

    /// Sets the strength of the smoothing.
    #[must_use]
    pub fn smooth(self, smooth: f32) -> Self {
        Self { smooth, ..self }
    }

    /// Sets what is shown.
    #[must_use]
    pub fn framing(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// Shows the driver to the left of the portrait.
    #[must_use]
    pub fn side_by_side(self, side_by_side: bool) -> Self {
        Self { side_by_side, ..self }
    }

    /// Sets the frames a second of the output; `None` takes the driver's.
    #[must_use]
    pub fn fps(self, fps: Option<f64>) -> Self {
        Self { fps, ..self }
    }

    /// Sets which part of the driver is played: from `start`, for `duration` or to its end.
    #[must_use]
    pub fn part(self, start: Duration, duration: Option<Duration>) -> Self {
        Self { start, duration, ..self }
    }

    /// Sets how many times the driver is played, at least 1.
    #[must_use]
    pub fn repeat(self, repeat: u32) -> Self {
        Self { repeat, ..self }
    }

    /// Leaves the driver's sound out.
    #[must_use]
    pub fn mute(self, mute: bool) -> Self {
        Self { mute, ..self }
    }

    /// Sets what is seen behind the person.
    #[must_use]
    pub fn background(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// Sets the renderer.
    #[must_use]
    pub fn renderer(self, renderer: RendererKind) -> Self {
        Self { renderer, ..self }
    }

    /// Sets what reading the driver may cost.
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// What of it concerns the portrait.
    pub(crate) fn performance(&self) -> PerformanceSettings {
        PerformanceSettings {
            framing: self.framing,
            gains: self.gains,
            smoothing: self.smooth,
            renderer: self.renderer,
            background: self.background,
            exact: self.mode == MotionMode::Absolute,
        }
    }
}
