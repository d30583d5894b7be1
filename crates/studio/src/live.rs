//! Live: somebody before a camera moves a portrait.
//!
//! A [`performer::Performer`] is one session's engine, on a thread of its own: camera picture in, portrait out. It knows
//! nothing of the network; `socket` brings it and a page together.

pub(crate) mod controls;
pub(crate) mod outbox;
pub mod performer;
pub(crate) mod protocol;
pub(crate) mod sessions;
pub(crate) mod socket;
pub(crate) mod virtual_camera;
