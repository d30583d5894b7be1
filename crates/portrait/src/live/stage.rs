//! From motion to the portrait's picture: transfer, rendering, the visible label, the mark.

use std::sync::Arc;

use gioconda_avatar::{
    Avatar, FaceState, Framing, Gains, MotionFrame, Performance, PerformanceSettings, RendererKind, Tuning,
};
use gioconda_provenance::watermark::{Payload, READABLE_SIDE};
use gioconda_provenance::{Finisher, Language};
use image::RgbImage;

use crate::portrait::Portrait;

/// Sides of the picture that can be asked for, pixels. These pictures are not signed, so that the invisible mark, which
/// cannot be read in smaller ones, is all that says what they are.
pub const SIZES: std::ops::RangeInclusive<u32> = READABLE_SIDE..=512;

/// An avatar, and what the watermark in its frames says.
#[derive(Clone)]
pub struct MarkedAvatar {
    /// The photo and what is known of the person.
    pub avatar: Arc<Avatar>,
    /// What the invisible mark says.
    pub mark: Payload,
}

impl From<&Portrait> for MarkedAvatar {
    fn from(portrait: &Portrait) -> Self {
        Self { avatar: Arc::new(portrait.avatar.clone()), mark: portrait.mark() }
    }
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Look {
    /// Side of the square picture around the head, pixels; clamped to [`SIZES`].
    pub size: u32,
    /// How strongly the motion is performed.
    pub gains: Gains,
    /// Strength of the smoothing; 0 is off, 1 the default.
    pub smoothing: f32,
    /// The visible label.
    pub label: Option<Language>,
}

impl Default for Look {
    fn default() -> Self {
        Self { size: *SIZES.end(), gains: Gains::default(), smoothing: 1.0, label: None }
    }
}

impl Look {
    /// Sets the side of the picture, pixels.
    #[must_use]
    pub fn size(self, size: u32) -> Self {
        Self { size, ..self }
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

    /// Sets the visible label, or none.
    #[must_use]
    pub fn label(self, label: Option<Language>) -> Self {
        Self { label, ..self }
    }
}

/// What paints a portrait that answers at once: the mesh, which takes a tenth of a network's time, unless a network was
/// tuned to the person.
fn quick_renderer(avatar: &Avatar) -> RendererKind {
    match avatar.network.as_ref().map(|network| network.tuning) {
        Some(Tuning::Tuned { .. }) => RendererKind::Neural,
        Some(Tuning::FeedForward) | None => RendererKind::Mesh,
    }
}

/// One portrait, ready to perform.
pub struct Stage {
    look: Look,
    mark: Payload,
    avatar: Arc<Avatar>,
    performance: Performance,
    picture: RgbImage,
    finisher: Finisher,
}

impl Stage {
    /// Prepares `portrait`: some tens of milliseconds.
    ///
    /// # Errors
    /// When its network cannot be run.
    pub fn new(portrait: MarkedAvatar, look: Look) -> Result<Self, gioconda_avatar::Error> {
        let MarkedAvatar { avatar, mark } = portrait;
        Ok(Self {
            performance: Performance::new(&avatar, settings(&avatar, &look))?,
            picture: RgbImage::default(),
            finisher: Finisher::new(look.label, Some(&mark)),
            avatar,
            mark,
            look,
        })
    }

    /// Shows another portrait, and how; the motion goes on.
    ///
    /// # Errors
    /// When its network cannot be run; then the portrait stays as it is.
    pub fn set_portrait(&mut self, portrait: MarkedAvatar, look: Look) -> Result<(), gioconda_avatar::Error> {
        let MarkedAvatar { avatar, mark } = portrait;
        self.performance.set_avatar(&avatar, settings(&avatar, &look))?;
        self.finisher = Finisher::new(look.label, Some(&mark));
        (self.avatar, self.mark, self.look) = (avatar, mark, look);
        Ok(())
    }

    /// Changes how the portrait is shown; cheap unless the size changes.
    ///
    /// # Errors
    /// As [`set_portrait`](Self::set_portrait).
    pub fn change(&mut self, look: Look) -> Result<(), gioconda_avatar::Error> {
        if look.size != self.look.size {
            return self
                .set_portrait(MarkedAvatar { avatar: Arc::clone(&self.avatar), mark: self.mark }, look);
        }
        self.performance.set_gains(look.gains);
        self.performance.set_smoothing(look.smoothing);
        if look.label != self.look.label {
            self.finisher.relabel(look.label);
        }
        self.look = look;
        Ok(())
    }

    /// How the portrait is shown.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The portrait's own face.
    pub fn face(&self) -> &FaceState {
        self.performance.face()
    }

    /// What the portrait is to perform `step` seconds after the frame before, where `found` is what the performer does.
    pub fn advance(&mut self, found: Option<MotionFrame>, step: f32) -> MotionFrame {
        self.performance.advance(found, step)
    }

    /// Eases into what comes next: what the motion is relative to has changed.
    pub fn ease(&mut self) {
        self.performance.ease();
    }

    /// The portrait performing `motion`, labelled and marked.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn show(&mut self, motion: &MotionFrame) -> Result<&RgbImage, gioconda_avatar::Error> {
        self.performance.render_motion(motion, &mut self.picture)?;
        self.finisher.finish(&mut self.picture);
        Ok(&self.picture)
    }
}

fn settings(avatar: &Avatar, look: &Look) -> PerformanceSettings {
    PerformanceSettings::default()
        .framing(Framing::Head { side: look.size.clamp(*SIZES.start(), *SIZES.end()) })
        .gains(look.gains)
        .smoothing(look.smoothing)
        .renderer(quick_renderer(avatar))
}
