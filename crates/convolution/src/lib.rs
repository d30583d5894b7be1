//! 2-D convolution and its two gradients on CPU vectors, for plain arrays in NCHW order.
//!
//! No network library here: [`Convolution`] holds the sizes, arrays are slices. `gioconda-networks` makes Burn call it.
//!
//! ```
//! use gioconda_convolution::Convolution;
//!
//! let blur = Convolution {
//!     batch: 1,
//!     inputs: 1,
//!     outputs: 1,
//!     size: [1, 4],
//!     kernel: [1, 3],
//!     stride: [1, 1],
//!     padding: [0, 1],
//! };
//! assert_eq!(blur.forward(&[4.0, 0.0, 0.0, 8.0], &[0.25, 0.5, 0.25], &[]), [2.0, 1.0, 2.0, 4.0]);
//! ```

// Vector code is compiled for an instruction set only where it is inlined into the function that chose it, and loops over
// a fixed number of registers read best by number.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

mod forward;
mod geometry;
mod gradient;
mod minimal;
mod norm;
mod pack;
mod plan;
mod prepared;
mod run;
mod tile;
mod weight_gradient;

pub use geometry::Convolution;
pub use norm::{InstanceNorm, Moments, NormGradient};
pub use pack::Activation;
pub use prepared::Prepared;
