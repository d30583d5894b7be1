//! The place where renderers plug in: landmarks in, a frame out.

use gioconda_face::Landmarks;
use gioconda_warp::{MeshRenderer, View};
use image::RgbImage;
use serde::Serialize;

use crate::Error;

/// Paints the portrait with its face at given landmarks.
pub trait Renderer: Send {
    /// Fills `frame`, which has the size of the canvas' window, with the portrait whose landmarks are `driving`
    /// (pixels of the canvas' picture).
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error>;

    /// How much of each pixel of the frame painted last is the person, `[height * width]`, 0..255, by which its colours are
    /// multiplied; `None` where all of it is to be seen.
    fn alpha(&self) -> Option<&[u8]> {
        None
    }

    /// The next frame does not follow the last one: nothing fades from one to the other.
    fn restart(&mut self) {}
}

/// The renderers there are; [`Avatar::renderer`](crate::Avatar::renderer) prepares them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RendererKind {
    /// The photo, warped by the face mesh; nothing learned.
    #[default]
    Mesh,
    /// The warped photo, corrected by the person's network.
    Neural,
}

/// Paints one canvas with what all canvases of a person share, `S`: a network, or nothing.
pub(crate) trait Painter<S>: Send {
    /// As [`Renderer::render`].
    fn paint(&mut self, shared: &mut S, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error>;

    /// As [`Renderer::alpha`].
    fn alpha(&self) -> Option<&[u8]>;
}

/// The renderer of a single canvas.
pub(crate) struct OnCanvas<S, P> {
    pub(crate) shared: S,
    pub(crate) painter: P,
}

impl<S: Send, P: Painter<S>> Renderer for OnCanvas<S, P> {
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.painter.paint(&mut self.shared, driving, frame)
    }

    fn alpha(&self) -> Option<&[u8]> {
        self.painter.alpha()
    }
}

/// The mesh renderer, showing one window of one canvas.
pub(crate) struct MeshOnCanvas {
    pub(crate) renderer: MeshRenderer,
    pub(crate) view: View,
}

impl Painter<()> for MeshOnCanvas {
    fn paint(&mut self, (): &mut (), driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.renderer.render(driving, &self.view, frame);
        Ok(())
    }

    fn alpha(&self) -> Option<&[u8]> {
        self.renderer.alpha()
    }
}
