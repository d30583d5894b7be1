//! From motion to the portrait's picture: transfer, rendering, the visible label, the mark, JPEG.

use std::sync::Arc;

use gioconda_avatar::{
    Avatar, Canvas, FaceState, Framing, Gains, MotionFrame, MotionTransfer, Renderer, RendererKind, Tuning,
};
use gioconda_provenance::watermark::Payload;
use gioconda_provenance::{Finisher, Language};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

/// Quality of the JPEGs: the mark outlives it, and 256 x 256 pixels take some 12 KB.
const JPEG_QUALITY: u8 = 85;

/// Sides of the picture that can be asked for, pixels.
pub const SIZES: std::ops::RangeInclusive<u32> = 64..=512;

/// Whose face is shown.
#[derive(Clone)]
pub struct Portrait {
    /// The photo and what is known of the person.
    pub avatar: Arc<Avatar>,
    /// What the invisible mark says.
    pub mark: Payload,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Side of the square picture around the head, pixels; kept within [`SIZES`].
    pub size: u32,
    /// How strongly the motion is performed.
    pub gains: Gains,
    /// Strength of the smoothing; 0 is off, 1 the default.
    pub smoothing: f32,
    /// The visible label.
    pub label: Option<Language>,
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
    portrait: Portrait,
    look: Look,
    canvas: Canvas,
    transfer: MotionTransfer,
    renderer: Box<dyn Renderer>,
    picture: RgbImage,
    finisher: Finisher,
}

impl Stage {
    /// Prepares `portrait`: some tens of milliseconds.
    pub fn new(portrait: Portrait, look: Look) -> Result<Self, gioconda_avatar::Error> {
        let side = look.size.clamp(*SIZES.start(), *SIZES.end());
        let Portrait { avatar, mark } = &portrait;
        let canvas = Canvas::new(&avatar.photo, &avatar.landmarks, Framing::Head { side });
        let renderer = avatar.renderer(quick_renderer(avatar), &canvas)?;
        Ok(Self {
            transfer: transfer(&canvas, look.gains),
            picture: RgbImage::new(canvas.window.width, canvas.window.height),
            finisher: Finisher::new(look.label, Some(mark)),
            portrait,
            look,
            canvas,
            renderer,
        })
    }

    /// Changes how the portrait is shown; cheap unless the size changes.
    pub fn change(&mut self, look: Look) -> Result<(), gioconda_avatar::Error> {
        if look.size != self.look.size {
            *self = Self::new(self.portrait.clone(), look)?;
            return Ok(());
        }
        if look.gains != self.look.gains {
            self.transfer = transfer(&self.canvas, look.gains);
        }
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
        self.transfer.portrait()
    }

    /// The portrait performing `motion`, labelled and marked.
    pub fn show(&mut self, motion: &MotionFrame) -> Result<&RgbImage, gioconda_avatar::Error> {
        let landmarks = self.transfer.apply(motion);
        self.renderer.render(&landmarks, &mut self.picture)?;
        self.finisher.finish(&mut self.picture);
        Ok(&self.picture)
    }

    /// The same, as a JPEG.
    ///
    /// # Panics
    /// Never: memory takes any picture of these sizes.
    pub fn show_jpeg(&mut self, motion: &MotionFrame) -> Result<Vec<u8>, gioconda_avatar::Error> {
        let picture = self.show(motion)?;
        let mut jpeg = Vec::with_capacity(16 << 10);
        picture
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY))
            .expect("a picture of these sizes is written to memory");
        Ok(jpeg)
    }
}

fn transfer(canvas: &Canvas, gains: Gains) -> MotionTransfer {
    MotionTransfer::new(&canvas.landmarks, canvas.picture.dimensions(), gains)
}
