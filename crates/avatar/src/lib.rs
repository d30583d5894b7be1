//! What `animate` runs: an avatar built from a photo, motion transfer, and the per-frame renderer.
//!
//! One frame's way: a driving clip is decoded and tracked ([`animate()`]'s first two threads) or a [`Motion`] is
//! replayed; each frame becomes a [`MotionFrame`] free of the driver's face; a [`Performance`] fills gaps, smooths, lets
//! [`MotionTransfer`] bring it to the portrait's own face and a [`Renderer`] paint that; the encoder writes it.
//!
//! [`Performance`] is also the streaming interface: any source of motion, frame by frame.
//!
//! ```no_run
//! use std::path::Path;
//! use gioconda_avatar::{Avatar, Performance, PerformanceSettings, builtin_motions::BuiltinMotion};
//! use gioconda_face::{FaceChoice, FaceFinder, Threads};
//!
//! let mut finder = FaceFinder::new(Threads::Shared)?;
//! let avatar = Avatar::from_photo(Path::new("photo.jpg"), FaceChoice::Clear, &mut finder)?;
//! let mut performance = Performance::new(&avatar, PerformanceSettings::default())?;
//! let motion = BuiltinMotion::find("nod").expect("a built-in motion").load();
//! let mut frame = image::RgbImage::default();
//! performance.render_motion(&motion.at(0.5), &mut frame)?;
//! # Ok::<(), gioconda_avatar::Error>(())
//! ```
//!
//! | wing | what is in it |
//! |---|---|
//! | `motion` | motion free of the driver, gap filling, smoothing, transfer |
//! | `render` | canvas, renderers, several photos |
//! | `file` | motion files, avatar files, built-in motions |
//! | `pipeline` | decode, track, perform, encode: what `animate` and `record` run |
//!
//! The feature `portrait-network` compiles the network's weights in.

mod avatar;
mod error;
mod file;
mod matte;
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
pub use gioconda_model::{PersonalNetwork, PortraitWeights, Reference, Tuning, portrait_network};
pub use gioconda_warp::Background;
pub use matte::matte_of;
pub use models::model_cards;
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
pub use render::references::posture_distance;
pub use render::renderer::{Renderer, RendererKind};
