//! What `animate` runs: an avatar built from a photo, motion transfer, and the per-frame renderer.
//!
//! One frame's way: a driving clip is decoded and tracked ([`animate()`]'s first two threads) or a [`Motion`] is
//! replayed; each frame becomes a [`MotionFrame`] free of the driver's face; a [`Performance`] fills gaps, smooths, lets
//! [`MotionTransfer`] bring it to the portrait's own face and a [`Renderer`] paint that; the encoder writes it.
//!
//! [`Performance`] is also the streaming interface: any source of motion, frame by frame.
//!
//! | wing | what is in it |
//! |---|---|
//! | `motion` | motion free of the driver, gap filling, smoothing, transfer |
//! | `render` | canvas, renderers, several photos, the network's input |
//! | `file` | motion files, avatar files, built-in motions |
//! | `pipeline` | decode, track, perform, encode: what `animate` and `record` run |
//!
//! Without the feature `network` there is no neural renderer, and no Burn below this crate; `portrait-network` compiles its
//! weights in.

// Some items are used by the neural renderer only.
#![cfg_attr(not(feature = "network"), allow(dead_code))]

mod avatar;
mod error;
mod file;
mod models;
mod motion;
mod performance;
mod pipeline;
mod render;

pub use avatar::Avatar;
pub use error::Error;
#[doc(hidden)]
pub use file::avatar_file::fuzz_avatar;
pub use file::avatar_file::{AVATAR_EXTENSION, AVATAR_VERSION, AvatarFile, Declaration, MOST_PHOTOS};
pub use file::builtin_motions;
#[doc(hidden)]
pub use file::motion_file::fuzz_motion;
pub use file::motion_file::{MOTION_VERSION, Motion};
pub use models::{model_cards, portrait_network};
pub use motion::expression_basis;
pub use motion::frame::{CLOSED_EYE, CLOSED_MOUTH, FaceState, MotionFrame};
pub use motion::neutral::choose_neutral;
pub use motion::packed_frame::PackedFrame;
pub use motion::transfer::{Gains, MotionTransfer};
pub use performance::{Performance, PerformanceSettings};
pub use pipeline::animate::{Stages, Summary, animate};
pub use pipeline::encode_stage::{Finish, FrameFinish};
pub use pipeline::record::{RecordSettings, RecordSummary, record};
pub use pipeline::settings::{Drive, MotionMode, Progress, Settings};
pub use render::canvas::{Canvas, DEFAULT_HEAD_SIDE, DEFAULT_LONGEST_SIDE, Framing, Window};
pub use render::network_input;
pub use render::neural_renderer::{PersonalNetwork, PortraitWeights};
pub use render::reference::Reference;
pub use render::references::posture_distance;
pub use render::renderer::{Renderer, RendererKind};
pub use render::tuning::Tuning;
