//! The one place that chooses an instruction set.
//!
//! Work on vectors is a [`SimdOp`]: its `dispatch` runs it on the widest vectors that the machine turns out to have. Work
//! that must know how many vectors make up [`PANEL`] numbers is a [`PanelOp`]. Only what is inlined into `eval` is compiled
//! for the instruction set that was found.
//!
//! The vectors are `rten-simd`'s; no other crate of the workspace names it.

use rten_simd::SimdUnaryOp as _;
use rten_simd::isa::GenericIsa;
use rten_vecmath::{Sigmoid, Tanh};

pub use rten_simd::ops::{BitOps, NumOps};
pub use rten_simd::{Isa, Simd, SimdOp};

/// Numbers of a panel: one vector of AVX-512, two of AVX2, four of Neon, of WebAssembly and of plain arrays.
pub const PANEL: usize = 16;

/// Vectors of a panel of plain arrays.
const PORTABLE_VECTORS: usize = 4;

/// Work on panels of [`PANEL`] numbers.
pub trait PanelOp: Sized {
    /// What comes out.
    type Output;

    /// Does the work with `VECTORS` vectors to a panel.
    fn eval<O: NumOps<f32>, const VECTORS: usize>(self, ops: O) -> Self::Output;

    /// Does the work on the widest vectors that the machine has, if a panel is one, two or four of them, and on plain arrays
    /// otherwise.
    fn dispatch(self) -> Self::Output {
        OnPanels(self).dispatch()
    }

    /// Does the work on plain arrays, as on a machine whose vectors do not make up a panel. Results may differ in the last
    /// bits: products are rounded before they are added.
    #[inline(never)]
    fn portable(self) -> Self::Output {
        self.eval::<_, PORTABLE_VECTORS>(GenericIsa::new().f32())
    }
}

struct OnPanels<Op>(Op);

impl<Op: PanelOp> SimdOp for OnPanels<Op> {
    type Output = Op::Output;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> Op::Output {
        let ops = isa.f32();
        eval_with(self.0, ops, ops.len())
    }
}

/// `lanes`: the numbers in a vector of `ops`.
#[inline(always)]
fn eval_with<Op: PanelOp>(op: Op, ops: impl NumOps<f32>, lanes: usize) -> Op::Output {
    match lanes {
        16 => op.eval::<_, 1>(ops),
        8 => op.eval::<_, 2>(ops),
        4 => op.eval::<_, 4>(ops),
        _ => op.portable(),
    }
}

/// Numbers in a vector of this machine.
pub(crate) fn lanes() -> usize {
    Lanes.dispatch()
}

struct Lanes;

impl SimdOp for Lanes {
    type Output = usize;

    fn eval<I: Isa>(self, isa: I) -> usize {
        isa.f32().len()
    }
}

/// Replaces each value by its hyperbolic tangent.
pub fn tanh(values: &mut [f32]) {
    Tanh {}.map_mut(values);
}

/// Replaces each value `x` by `1 / (1 + exp(-x))`.
pub fn sigmoid(values: &mut [f32]) {
    Sigmoid {}.map_mut(values);
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "doubling is exact")]
mod tests {
    use super::*;

    /// Doubles a panel; out come the numbers of a vector and the vectors of a panel that it was given.
    struct Double<'a>(&'a mut [f32; PANEL]);

    impl PanelOp for Double<'_> {
        type Output = (usize, usize);

        #[inline(always)]
        fn eval<O: NumOps<f32>, const VECTORS: usize>(self, ops: O) -> (usize, usize) {
            let vectors: [O::Simd; VECTORS] = ops.load_many(self.0);
            for (i, vector) in vectors.into_iter().enumerate() {
                ops.store(ops.add(vector, vector), &mut self.0[i * ops.len()..]);
            }
            (ops.len(), VECTORS)
        }
    }

    fn counted() -> [f32; PANEL] {
        std::array::from_fn(|i| i as f32)
    }

    #[test]
    fn vectors_that_do_not_make_up_a_panel_are_left_for_plain_arrays() {
        for lanes in [1, 2, 3, 5, 6, 12, 24, 32, 64] {
            let mut values = counted();
            // The vectors are those of plain arrays; what counts is what they are said to be.
            let made_of = eval_with(Double(&mut values), GenericIsa::new().f32(), lanes);
            assert_eq!(made_of, (4, PORTABLE_VECTORS), "{lanes} lanes");
            assert_eq!(values, counted().map(|value| 2.0 * value), "{lanes} lanes");
        }
    }

    #[test]
    fn a_panel_is_whole_on_this_machine() {
        let mut values = counted();
        let (lanes, vectors) = Double(&mut values).dispatch();
        assert_eq!(lanes * vectors, PANEL);
        assert_eq!(values, counted().map(|value| 2.0 * value));
    }
}
