//! The relay: rooms in which packets go from each participant to all others.
//!
//! It looks into no packet. What crosses it is motion, sound, and one portrait of each participant, which is kept for
//! those who come later. Nothing waits for a slow receiver: what does not fit into its queue is left out, and one that
//! cannot even take the news of joins and leaves is put out of the room.

mod address;
pub mod room;
pub(crate) mod socket;
pub mod wire;

pub use address::{Address, NoAddress};
pub use socket::{Settings, run, serve};
