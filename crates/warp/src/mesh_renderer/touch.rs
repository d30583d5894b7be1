//! What the last touches of a frame change.

/// A pixel to change, column and row of the warp, and its colour.
pub(super) type Touch = ((usize, usize), [u8; 3]);
