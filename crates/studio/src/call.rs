//! Calls: people meet in a room as portraits, and only their motion crosses the wire.

pub mod packet;
pub mod playout;
