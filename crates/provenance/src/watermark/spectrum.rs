//! Square real pictures and their Fourier transforms.

use num_complex::Complex32;

use super::wave::Wave;

/// The transform of a square picture: one complex value for each wave, conjugate in opposite directions.
pub(crate) struct Spectrum {
    side: usize,
    values: Vec<Complex32>,
}

impl Spectrum {
    pub(crate) fn zero(side: usize) -> Self {
        Self { side, values: vec![Complex32::default(); side * side] }
    }

    /// Sets a wave and its opposite.
    pub(crate) fn set(&mut self, wave: Wave, value: Complex32) {
        let opposite = Wave { across: -wave.across, down: -wave.down };
        let at = index(self.side, wave);
        self.values[at] = value;
        let at = index(self.side, opposite);
        self.values[at] = value.conj();
    }

    /// The picture, row by row, up to a factor.
    pub(crate) fn into_samples(mut self) -> Vec<f32> {
        Transform::inverse(self.side).run(&mut self.values);
        self.values.into_iter().map(|value| value.re).collect()
    }
}

/// Where `wave` stands in the transform of a picture with this side.
pub(crate) fn index(side: usize, wave: Wave) -> usize {
    let wrap = |cycles: i32| cycles.rem_euclid(side as i32) as usize;
    wrap(wave.down) * side + wrap(wave.across)
}

/// A two-dimensional transform in place, not normalised, of pictures whose side is a power of two: Cooley and Tukey's,
/// radix 2. (A general library takes the compiler minutes, for three sizes of which the largest is 256.)
pub(crate) struct Transform {
    side: usize,
    /// The first half of the side's roots of unity.
    roots: Vec<Complex32>,
}

impl Transform {
    pub(crate) fn forward(side: usize) -> Self {
        Self::new(side, -std::f32::consts::TAU)
    }

    pub(crate) fn inverse(side: usize) -> Self {
        Self::new(side, std::f32::consts::TAU)
    }

    fn new(side: usize, turn: f32) -> Self {
        assert!(side.is_power_of_two(), "sides are constants, all powers of two");
        let roots = (0..side / 2).map(|i| Complex32::cis(turn * i as f32 / side as f32)).collect();
        Self { side, roots }
    }

    pub(crate) fn run(&self, values: &mut [Complex32]) {
        // Rows, then columns as the rows of the transposed picture, then back.
        for _ in 0..2 {
            values.chunks_exact_mut(self.side).for_each(|row| self.row(row));
            for y in 0..self.side {
                for x in 0..y {
                    values.swap(y * self.side + x, x * self.side + y);
                }
            }
        }
    }

    fn row(&self, row: &mut [Complex32]) {
        let unused_bits = usize::BITS - self.side.trailing_zeros();
        for at in 0..self.side {
            let reversed = at.reverse_bits() >> unused_bits;
            if at < reversed {
                row.swap(at, reversed);
            }
        }
        let mut half = 1;
        while half < self.side {
            let stride = self.side / (2 * half);
            for block in row.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((low, high), root) in low.iter_mut().zip(high).zip(self.roots.iter().step_by(stride)) {
                    let turned = *high * root;
                    (*low, *high) = (*low + turned, *low - turned);
                }
            }
            half *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_one_value_and_comes_back() {
        let wave = Wave { across: 3, down: -5 };
        let mut values: Vec<Complex32> = (0..16 * 16)
            .map(|at| Complex32::cis(std::f32::consts::TAU * (3 * (at % 16) - 5 * (at / 16)) as f32 / 16.0))
            .collect();
        let original = values.clone();
        Transform::forward(16).run(&mut values);
        for (at, value) in values.iter().enumerate() {
            let expected = if at == index(16, wave) { 256.0 } else { 0.0 };
            assert!((value - expected).norm() < 1e-3, "{at}: {value}");
        }
        Transform::inverse(16).run(&mut values);
        assert!(values.iter().zip(&original).all(|(back, value)| (back / 256.0 - value).norm() < 1e-5));
    }
}
