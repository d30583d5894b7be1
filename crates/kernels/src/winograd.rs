//! Winograd's minimal filtering: a 3x3 convolution with 4 or 2.25 times fewer products, a 2x2 one with 1.78 times fewer.
//!
//! Outputs are made in tiles of 4x4 or 2x2. The source that a tile reads is transformed, so is the weight; between the two stands one
//! product for each pair of channels at each of the 6x6 (4x4, 3x3) points, and the sums over channels are transformed back. The
//! weight's gradient is the same, read backwards, in tiles of 2x2 only.
//! Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks* (2016), F(4x4, 3x3) and F(2x2, 3x3); F(2x2, 2x2) is Karatsuba's.
//!
//! A convolution with stride is dealt out into the phases of its source, a transposed one has a pass for each phase of
//! its output: a 4x4 kernel with stride 2 falls into four 2x2 kernels either way.

mod correlate;
mod gradient;
mod tiling;
mod transform;

pub(crate) use correlate::{Parts, Tiles, pass};
pub(crate) use gradient::{Scratch, Share, weight};
pub(crate) use tiling::{ALL, OUTPUTS, SMALL, Square, Tiling, outputs_of};
