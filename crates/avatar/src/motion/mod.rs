//! Motion: what a driver does, freed from who the driver is, and its way onto another face.

pub(crate) mod continuity;
pub mod expression_basis;
pub(crate) mod frame;
pub(crate) mod neutral;
pub(crate) mod packed_frame;
pub(crate) mod regions;
pub(crate) mod smoothing;
pub(crate) mod transfer;
