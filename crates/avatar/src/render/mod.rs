//! Rendering: a photo on its canvas, and what paints it with its face at other landmarks.

pub(crate) mod canvas;
pub mod network_input;
#[cfg(feature = "network")]
pub(crate) mod neural_renderer;
#[cfg(not(feature = "network"))]
#[path = "no_network.rs"]
pub(crate) mod neural_renderer;
pub(crate) mod reference;
pub(crate) mod references;
pub(crate) mod renderer;
pub(crate) mod tuning;
