//! Smoothstep, the cubic curve of soft transitions.

/// `3t² - 2t³`: 0 at 0, 1 at 1, level at both. `t` is in 0..=1; clamp it before.
#[inline]
pub fn smoothstep(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}
