//! The streaming pipeline: from a driver's clip or a motion to a finished file, on threads of its own.

pub(crate) mod animate;
mod driver;
pub(crate) mod encode_stage;
pub(crate) mod record;
pub(crate) mod settings;
mod side_by_side;
mod stopwatch;
mod tracked_clip;
