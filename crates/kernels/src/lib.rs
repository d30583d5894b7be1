#![doc = include_str!("../README.md")]
// Vector code is compiled for an instruction set only where it is inlined into the function that chose it, and loops over
// a fixed number of registers read best by number.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

mod correlation;
mod forward;
mod geometry;
mod gradient;
pub mod landmarks;
pub mod luma;
mod microkernel;
mod norm;
mod pack;
mod plan;
mod prepared;
mod run;
pub mod simd;
mod smoothstep;
mod weight_gradient;
mod winograd;

pub use geometry::Convolution;
pub use norm::{InstanceNorm, Moments, NormGradient};
pub use pack::Activation;
pub use prepared::Prepared;
pub use smoothstep::smoothstep;
