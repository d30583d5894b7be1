//! One portrait performing: motion in, frames out.
//!
//! A [`Performance`] owns everything between a driver and a frame: the canvas, gap filling, smoothing, the transfer of the
//! motion to the portrait's own face, and the renderer. Films, live sessions, previews, strips and measurements differ in
//! where motion comes from and where frames go; what happens in between stands here, once.

use gioconda_face::Landmarks;
use gioconda_warp::Background;
use image::RgbImage;

use crate::Error;
use crate::avatar::Avatar;
use crate::motion::continuity::Continuity;
use crate::motion::frame::{FaceState, MotionFrame};
use crate::motion::smoothing::MotionSmoother;
use crate::motion::transfer::{Gains, MotionTransfer};
use crate::render::canvas::{Canvas, DEFAULT_HEAD_SIDE, Framing};
use crate::render::renderer::{Renderer, RendererKind};

/// How a portrait performs. Begin with [`Default`] and change what differs:
///
/// ```
/// use gioconda_avatar::{Framing, PerformanceSettings};
///
/// let settings = PerformanceSettings::default().framing(Framing::Head { side: 256 }).smoothing(0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PerformanceSettings {
    /// What of the photo is shown, and how large. By default the head, 512 pixels a side.
    pub framing: Framing,
    /// How strongly the motion is performed. By default as the driver does.
    pub gains: Gains,
    /// Strength of the smoothing: 0 is off, 1 the default, more is smoother and later.
    pub smoothing: f32,
    /// Which renderer makes the frames. By default the mesh.
    pub renderer: RendererKind,
    /// What is seen behind the person. By default the photo's own background.
    pub background: Background,
    /// Whether the head follows the motion wherever it goes, also out of the picture and beyond what one photo can show.
    /// For drivers that are the portrait's own person in the same frame. Off by default.
    pub exact: bool,
}

impl Default for PerformanceSettings {
    fn default() -> Self {
        Self {
            framing: Framing::Head { side: DEFAULT_HEAD_SIDE },
            gains: Gains::default(),
            smoothing: 1.0,
            renderer: RendererKind::default(),
            background: Background::Keep,
            exact: false,
        }
    }
}

impl PerformanceSettings {
    /// Sets what of the photo is shown.
    #[must_use]
    pub fn framing(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// Sets how strongly the motion is performed.
    #[must_use]
    pub fn gains(self, gains: Gains) -> Self {
        Self { gains, ..self }
    }

    /// Sets the strength of the smoothing.
    #[must_use]
    pub fn smoothing(self, smoothing: f32) -> Self {
        Self { smoothing, ..self }
    }

    /// Sets the renderer.
    #[must_use]
    pub fn renderer(self, renderer: RendererKind) -> Self {
        Self { renderer, ..self }
    }

    /// Sets what is seen behind the person.
    #[must_use]
    pub fn background(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// Sets whether the head follows the motion wherever it goes.
    #[must_use]
    pub fn exact(self, exact: bool) -> Self {
        Self { exact, ..self }
    }
}

/// A portrait on its canvas, ready to perform.
pub struct Performance {
    settings: PerformanceSettings,
    canvas: Canvas,
    continuity: Continuity,
    smoother: MotionSmoother,
    transfer: MotionTransfer,
    renderer: Box<dyn Renderer>,
}

impl Performance {
    /// Prepares `avatar`: some tens of milliseconds with the mesh, some hundred with the network.
    ///
    /// # Errors
    /// [`Error::NoNetwork`] where the settings ask for a network and the avatar has none, [`Error::NoMatte`] where they ask for
    /// another background and the avatar has no matte.
    pub fn new(avatar: &Avatar, settings: PerformanceSettings) -> Result<Self, Error> {
        let canvas = Canvas::of(avatar, settings.framing);
        Ok(Self {
            renderer: avatar.renderer(settings.renderer, settings.background, &canvas)?,
            transfer: transfer(&canvas, &settings),
            continuity: Continuity::new(),
            smoother: MotionSmoother::new(settings.smoothing),
            canvas,
            settings,
        })
    }

    /// Shows `avatar` with `settings` from the next frame on. The motion goes on: nothing jumps where the portrait, its
    /// size or its renderer change in the middle.
    ///
    /// # Errors
    /// As [`Performance::new`]; then the portrait stays as it is.
    pub fn set_avatar(&mut self, avatar: &Avatar, settings: PerformanceSettings) -> Result<(), Error> {
        let new = Self::new(avatar, settings)?;
        self.set_smoothing(settings.smoothing);
        self.settings = settings;
        (self.canvas, self.transfer, self.renderer) = (new.canvas, new.transfer, new.renderer);
        Ok(())
    }

    /// The portrait's next frame: gaps filled, smoothed, transferred and rendered.
    ///
    /// `found` is what the driver does, `None` where its face was lost; `step` is the time since the frame before in
    /// seconds. `frame` is made [`size`](Self::size) pixels large where it is not. Returns what is performed, before the
    /// gains.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn frame(
        &mut self,
        found: Option<MotionFrame>,
        step: f32,
        frame: &mut RgbImage,
    ) -> Result<MotionFrame, Error> {
        let motion = self.advance(found, step);
        self.render_motion(&motion, frame)?;
        Ok(motion)
    }

    /// The first half of [`frame`](Self::frame): fills gaps and smooths.
    pub fn advance(&mut self, found: Option<MotionFrame>, step: f32) -> MotionFrame {
        self.smoother.smooth(self.continuity.next(found, step), step)
    }

    /// The second half of [`frame`](Self::frame), and a still picture by itself: the portrait performing `motion` as it
    /// is.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn render_motion(&mut self, motion: &MotionFrame, frame: &mut RgbImage) -> Result<(), Error> {
        self.render(&self.landmarks(motion), frame)
    }

    /// The portrait's landmarks when it performs `motion`, in pixels of the canvas' picture.
    pub fn landmarks(&self, motion: &MotionFrame) -> Landmarks {
        self.transfer.apply(motion)
    }

    /// The portrait with its face at `landmarks`, pixels of the canvas' picture.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn render(&mut self, landmarks: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        if frame.dimensions() != self.size() {
            let (width, height) = self.size();
            *frame = RgbImage::new(width, height);
        }
        self.renderer.render(landmarks, frame)
    }

    /// How much of each pixel of the frame rendered last is the person, `[height * width]`, 0..255, by which its colours are
    /// multiplied; `None` unless the background is [`Background::Transparent`].
    pub fn alpha(&self) -> Option<&[u8]> {
        let transparent = self.settings.background == Background::Transparent;
        self.renderer.alpha().filter(|_| transparent)
    }

    /// Width and height of the frames, pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.canvas.window.width, self.canvas.window.height)
    }

    /// The picture that moves, at the scale of the frames.
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// The portrait's own face, in pixels of the canvas' picture.
    pub fn face(&self) -> &FaceState {
        self.transfer.portrait()
    }

    /// How the portrait performs.
    pub fn settings(&self) -> &PerformanceSettings {
        &self.settings
    }

    /// How many frames had no face so far.
    pub fn lost_frames(&self) -> u64 {
        self.continuity.lost_frames()
    }

    /// Performs more or less strongly from the next frame on.
    pub fn set_gains(&mut self, gains: Gains) {
        if gains != self.settings.gains {
            self.settings.gains = gains;
            self.transfer = transfer(&self.canvas, &self.settings);
        }
    }

    /// Smooths more or less strongly; the smoother forgets what came before.
    pub fn set_smoothing(&mut self, smoothing: f32) {
        if smoothing.to_bits() != self.settings.smoothing.to_bits() {
            self.settings.smoothing = smoothing;
            self.smoother = MotionSmoother::new(smoothing);
        }
    }

    /// Eases into what comes next: for motion that jumps because what it is relative to has changed.
    pub fn ease(&mut self) {
        self.continuity.ease();
    }

    /// Begins anew: the next frame does not follow the one before.
    pub fn restart(&mut self) {
        self.continuity = Continuity::new();
        self.smoother = MotionSmoother::new(self.settings.smoothing);
        self.renderer.restart();
    }
}

fn transfer(canvas: &Canvas, settings: &PerformanceSettings) -> MotionTransfer {
    if settings.exact {
        MotionTransfer::exact(&canvas.landmarks, settings.gains)
    } else {
        MotionTransfer::new(&canvas.landmarks, canvas.picture.dimensions(), settings.gains)
    }
}
