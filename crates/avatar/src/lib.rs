//! What `animate` runs: an avatar built from a photo, motion transfer, and the per-frame renderer.
//!
//! One frame's way: a driving clip is decoded and tracked ([`animate()`]'s first two threads) or a [`Motion`] is
//! replayed; each frame becomes a [`MotionFrame`] free of the driver's face; [`MotionTransfer`] lets the portrait
//! perform it; a [`Renderer`] paints the portrait at the resulting landmarks; the encoder writes it.

mod animate;
mod avatar;
mod avatar_file;
pub mod builtin_motions;
mod canvas;
mod colour;
mod continuity;
mod driver;
mod encode_stage;
mod error;
pub mod expression_basis;
mod grain;
mod mesh_renderer;
mod models;
mod motion;
mod motion_file;
mod mouth_paint;
pub mod network_input;
mod neural_renderer;
mod neutral;
mod packed_frame;
mod record;
mod references;
mod regions;
mod renderer;
mod side_by_side;
mod smoothing;
mod stopwatch;
mod tensors;
mod tracked_clip;
mod transfer;

pub use animate::{Drive, MotionMode, Progress, Settings, Stages, Summary, animate};
pub use avatar::{Avatar, Reference};
pub use avatar_file::{AVATAR_EXTENSION, AVATAR_VERSION, AvatarFile, Declaration, MOST_PHOTOS};
pub use canvas::{Canvas, DEFAULT_HEAD_SIDE, DEFAULT_LONGEST_SIDE, Framing, Window};
pub use continuity::Continuity;
pub use encode_stage::{Finish, FrameFinish};
pub use error::Error;
pub use mesh_renderer::MeshRenderer;
pub use models::{PORTRAIT_NETWORK, model_cards};
pub use motion::{CLOSED_EYE, CLOSED_MOUTH, FaceState, MotionFrame};
pub use motion_file::{MOTION_VERSION, Motion};
pub use neural_renderer::{NeuralRenderer, PersonalNetwork, PortraitWeights, Tuning};
pub use neutral::choose_neutral;
pub use packed_frame::PackedFrame;
pub use record::{RecordSettings, RecordSummary, record};
pub use references::posture_distance;
pub use renderer::{Renderer, RendererKind};
pub use smoothing::MotionSmoother;
pub use transfer::{Gains, MotionTransfer};
