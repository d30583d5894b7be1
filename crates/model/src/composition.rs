//! What the six channels of a composing generator mean (DESIGN.md §1).
//!
//! `frame = m · photo(flow₀ + Δflow) + (1 - m) · colour`, `colour = tanh(offset + atanh(photo(flow₀)))`, but where the photo
//! is [bright](BRIGHT). Training composes tensors (`gioconda_networks::compose`), the renderer pixels.

/// Version of the formula, which rises with every change of what a generator's output means:
///
/// 1. `tanh(offset + atanh(photo))`;
/// 2. bright channels are darkened by the same share as one of 0.5, from `portrait-12` on (docs/training-log.md);
/// 3. bright channels are darkened no less than the two that become darkest ([`BRIGHT`]).
pub const COMPOSITION_VERSION: u32 = 3;

/// The versions that weights may have been trained with; all are composed by the newest formula. `portrait-12`, trained
/// with 2, gains by 3 (docs/training-log.md, "Highlights").
pub(crate) const COMPOSITIONS_SUPPORTED: std::ops::RangeInclusive<u32> = 2..=COMPOSITION_VERSION;

/// The photo's colours are held this far away from ±1, where atanh is infinite.
pub const COLOUR_MARGIN: f32 = 1e-4;

/// Channels of this brightness, -1..1, begin to be darkened as the other two are, and from the second on they are. In tanh space a
/// channel near its end hardly moves: darkened yellow, whose red is there and whose green is not, would turn orange. A highlight,
/// all of whose channels are there, stays one.
pub const BRIGHT: [f32; 2] = [0.4, 0.8];

/// Largest residual flow, in the sampling grid's -1..1 coordinates (PROTOTYPE.md: `tanh x 0.25`).
pub const FLOW_RANGE: f32 = 0.25;
