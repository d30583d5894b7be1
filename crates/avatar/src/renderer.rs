//! The place where renderers plug in: landmarks in, a frame out.

use std::sync::Arc;

use gioconda_face::Landmarks;
use gioconda_face::warp::View;
use image::RgbImage;
use serde::Serialize;

use crate::Error;
use crate::canvas::Canvas;
use crate::mesh_renderer::MeshRenderer;

/// Paints the portrait with its face at given landmarks.
pub trait Renderer: Send {
    /// Fills `frame`, which has the size of the canvas' window, with the portrait whose landmarks are `driving`
    /// (pixels of the canvas' picture).
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error>;
}

/// The renderers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RendererKind {
    /// The photo, warped by the face mesh; nothing learned.
    #[default]
    Mesh,
}

impl RendererKind {
    /// A renderer of this kind for one canvas.
    pub fn prepare(self, canvas: &Canvas) -> Box<dyn Renderer> {
        match self {
            Self::Mesh => Box::new(MeshOnCanvas {
                renderer: MeshRenderer::new(Arc::clone(&canvas.picture), &canvas.landmarks),
                view: canvas.window.view(),
            }),
        }
    }
}

/// The mesh renderer, showing one window of one canvas.
struct MeshOnCanvas {
    renderer: MeshRenderer,
    view: View,
}

impl Renderer for MeshOnCanvas {
    fn render(&mut self, driving: &Landmarks, frame: &mut RgbImage) -> Result<(), Error> {
        self.renderer.render(driving, &self.view, frame);
        Ok(())
    }
}
