//! The place where renderers plug in: landmarks in, a frame out.

use gioconda_face::Landmarks;
use gioconda_face::warp::View;
use image::RgbImage;
use serde::Serialize;

use crate::Error;
use crate::mesh_renderer::MeshRenderer;

/// Paints the portrait with its face at given landmarks.
pub trait Renderer: Send {
    /// Fills `frame`, which has the size of the canvas' window, with the portrait whose landmarks are `driving`
    /// (pixels of the canvas' picture).
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error>;

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

/// The mesh renderer, showing one window of one canvas.
pub(crate) struct MeshOnCanvas {
    pub(crate) renderer: MeshRenderer,
    pub(crate) view: View,
}

impl Renderer for MeshOnCanvas {
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.renderer.render(driving, &self.view, frame);
        Ok(())
    }
}
