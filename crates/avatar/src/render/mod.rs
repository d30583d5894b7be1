//! Rendering: a photo on its canvas, and what paints it with its face at other landmarks.

pub(crate) mod canvas;
pub(crate) mod neural_renderer;
pub(crate) mod references;
pub(crate) mod renderer;
pub(crate) mod straight;
