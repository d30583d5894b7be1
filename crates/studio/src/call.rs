//! Calls: people meet in a room as portraits, and only their motion crosses the wire.
//!
//! Each studio tracks its own visitor, sends what the face does ([`packet`]) through the [relay](gioconda_relay), and
//! paints the others itself, from the portraits they sent once and the motion that comes in ([`playout`]).

pub(crate) mod guest;
pub(crate) mod link;
pub mod packet;
pub mod playout;
pub(crate) mod portrait;
pub(crate) mod socket;
