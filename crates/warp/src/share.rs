//! Shares in 0..=1.

use gioconda_kernels::smoothstep;

/// `from / to` clipped to 0..=1; 1 where both vanish.
pub(crate) fn ratio(from: f32, to: f32) -> f32 {
    const TINY: f32 = 1e-6;
    ((from + TINY) / (to + TINY)).clamp(0.0, 1.0)
}

/// The nearest of 0..=255.
pub(crate) fn to_byte(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0 + 0.5) as i32 as u8
}

/// [`smoothstep`] from 0 at `from` to 1 at `to`, which may be the lesser.
pub(crate) fn step(from: f32, to: f32, value: f32) -> f32 {
    smoothstep(((value - from) / (to - from)).clamp(0.0, 1.0))
}
