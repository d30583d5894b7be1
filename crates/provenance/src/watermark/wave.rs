//! One wave of the mark.

/// Cycles a tile where amplitudes begin to fall, towards either end. Below, pictures have most of their own power;
/// above, video encoders at half the size and a low quality (CRF 30) keep next to nothing.
const LOW_EDGE: f32 = 6.0;
const HIGH_EDGE: f32 = 12.5;
/// What readers find of a wave goes with this power of its amplitude: encoders differ in what they take away, and what
/// version 0.1 wrote had amplitudes that fell only with the square root of the frequency.
const TRUST: f32 = 0.6;

/// Cycles a tile, across and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wave {
    pub(crate) across: i32,
    pub(crate) down: i32,
}

impl Wave {
    pub(crate) fn cycles(self) -> f32 {
        (self.across as f32).hypot(self.down as f32)
    }

    /// The amplitude it is written with, up to a common factor: at most 1.
    pub(crate) fn amplitude(self) -> f32 {
        let cycles = self.cycles();
        (cycles / LOW_EDGE).min(1.0) / (1.0 + (cycles / HIGH_EDGE).powi(6))
    }

    /// How much it counts for a reader: at most 1.
    pub(crate) fn weight(self) -> f32 {
        self.amplitude().powf(TRUST)
    }
}
