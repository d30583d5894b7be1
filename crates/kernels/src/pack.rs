//! Bringing a picture and a weight into the order in which the innermost loop reads them.

use crate::microkernel::CHANNELS;

/// A picture `[channels, height, width]`.
#[derive(Clone, Copy)]
pub(crate) struct Picture<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) channels: usize,
    pub(crate) size: [usize; 2],
}

/// A norm with its `ReLU`, as it acts on one channel of one picture: `max(factor · x + offset, 0)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Activation {
    /// Inverse deviation times scale.
    pub factor: f32,
    /// Bias minus mean times factor.
    pub offset: f32,
}

impl Activation {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        (x * self.factor + self.offset).max(0.0)
    }
}

/// The part of a picture that is laid out for a band of outputs: zeros outside of the picture, and the columns dealt
/// out into `step` phases so that every `step`-th column stands beside the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Row of the picture that is the window's first.
    pub(crate) top: isize,
    /// Column of the picture that is the first of phase 0.
    pub(crate) left: isize,
    pub(crate) rows: usize,
    /// Phases of columns.
    pub(crate) step: usize,
    /// Columns of each phase.
    pub(crate) columns: usize,
}

impl Window {
    /// Distance of rows.
    pub(crate) fn pitch(&self) -> usize {
        self.step * self.columns
    }

    /// Distance of channels.
    pub(crate) fn plane(&self) -> usize {
        self.rows * self.pitch()
    }

    /// Lays the window of `picture` out in `packed`, `[channels, rows, step, columns]`. With `activations`, one per channel, it is their
    /// results that are laid out; the zeros outside stay zeros.
    #[inline(always)]
    pub(crate) fn pack(&self, picture: Picture, activations: &[Activation], packed: &mut [f32]) {
        let [height, width] = picture.size;
        let mut rows = packed.chunks_exact_mut(self.pitch());
        let channels = picture.values.chunks_exact(height * width).take(picture.channels);
        for (number, channel) in channels.enumerate() {
            for row in 0..self.rows {
                let packed = rows.next().expect("`packed` holds channels · plane values");
                let y = self.top + row as isize;
                if y < 0 || y >= height as isize {
                    packed.fill(0.0);
                    continue;
                }
                self.pack_row(&channel[y as usize * width..][..width], packed, activations.get(number));
            }
        }
    }

    #[inline(always)]
    fn pack_row(&self, row: &[f32], packed: &mut [f32], activation: Option<&Activation>) {
        for (phase, packed) in packed.chunks_exact_mut(self.columns).enumerate() {
            let origin = self.left + phase as isize;
            // Column j of this phase is the picture's column origin + j·step.
            let first = usize::try_from(-origin).map_or(0, |gap| gap.div_ceil(self.step)).min(self.columns);
            let start = (origin + (first * self.step) as isize) as usize;
            let inside = row.len().saturating_sub(start).div_ceil(self.step).min(self.columns - first);
            packed[..first].fill(0.0);
            packed[first + inside..].fill(0.0);
            let packed = &mut packed[first..first + inside];
            match self.step {
                _ if inside == 0 => {}
                1 => packed.copy_from_slice(&row[start..start + inside]),
                2 => {
                    let (pairs, rest) = row[start..].as_chunks::<2>();
                    packed.iter_mut().zip(pairs).for_each(|(value, pair)| *value = pair[0]);
                    if let (Some(value), [last]) = (packed.get_mut(pairs.len()), rest) {
                        *value = *last;
                    }
                }
                step => {
                    let columns = row[start..].iter().step_by(step);
                    packed.iter_mut().zip(columns).for_each(|(value, &column)| *value = column);
                }
            }
            if let Some(activation) = activation {
                for value in packed {
                    *value = activation.of(*value);
                }
            }
        }
    }
}

/// The first `len` values of a buffer that only ever grows; what is in them is left over from its last use.
pub(crate) fn reused(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len.max(buffer.len()), 0.0);
    &mut buffer[..len]
}

/// A convolution's weight, read from either side.
#[derive(Clone, Copy)]
pub(crate) struct Weight<'a> {
    pub(crate) values: &'a [f32],
    /// Distances of outputs and of inputs.
    pub(crate) strides: [usize; 2],
}

impl Weight<'_> {
    #[inline]
    pub(crate) fn at(&self, output: usize, input: usize, tap: usize) -> f32 {
        self.values[output * self.strides[0] + input * self.strides[1] + tap]
    }
}

/// A weight in the order of the innermost loop: `[outputs / CHANNELS, inputs, taps, CHANNELS]`, filled up with zeros.
pub(crate) fn pack_weight(
    outputs: usize,
    inputs: usize,
    taps: usize,
    weight: impl Fn(usize, usize, usize) -> f32,
) -> Vec<f32> {
    let mut packed = vec![0.0; outputs.div_ceil(CHANNELS) * inputs * taps * CHANNELS];
    for output in 0..outputs {
        let (block, lane) = (output / CHANNELS, output % CHANNELS);
        for input in 0..inputs {
            let start = (block * inputs + input) * taps * CHANNELS + lane;
            for tap in 0..taps {
                packed[start + tap * CHANNELS] = weight(output, input, tap);
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_zeros_outside_and_columns_by_phase() {
        let picture = Picture { values: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], channels: 1, size: [2, 3] };
        for (window, expected) in [
            (
                Window { top: -1, left: -1, rows: 3, step: 1, columns: 5 },
                vec![0., 0., 0., 0., 0., 0., 1., 2., 3., 0., 0., 4., 5., 6., 0.],
            ),
            (
                Window { top: 0, left: -1, rows: 2, step: 2, columns: 3 },
                vec![0., 2., 0., 1., 3., 0., 0., 5., 0., 4., 6., 0.],
            ),
            (Window { top: 1, left: -5, rows: 1, step: 3, columns: 2 }, vec![0., 0., 0., 0., 0., 4.]),
            (Window { top: 1, left: 7, rows: 1, step: 1, columns: 2 }, vec![0., 0.]),
        ] {
            let mut packed = vec![9.0; window.plane()];
            window.pack(picture, &[], &mut packed);
            assert_eq!(packed, expected, "{window:?}");
        }
    }

    #[test]
    fn activations_leave_the_border_alone() {
        let picture = Picture { values: &[1.0, 2.0, 3.0, 4.0], channels: 2, size: [1, 2] };
        let window = Window { top: 0, left: -1, rows: 1, step: 1, columns: 4 };
        let activations = [Activation { factor: 2.0, offset: 1.0 }, Activation { factor: -1.0, offset: 3.5 }];
        let mut packed = vec![9.0; 8];
        window.pack(picture, &activations, &mut packed);
        assert_eq!(packed, vec![0.0, 3.0, 5.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn weights_stand_beside_their_block_of_outputs() {
        let packed = pack_weight(7, 2, 3, |output, input, tap| (100 * output + 10 * input + tap) as f32);
        assert_eq!(packed.len(), 2 * 2 * 3 * CHANNELS);
        assert_eq!(packed[..CHANNELS], [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(packed[CHANNELS * (2 * 3 + 3 + 2)..][..2], [612.0, 0.0]);
    }
}
