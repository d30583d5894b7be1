//! Pixels as channels and back (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient
//! Sub-Pixel Convolutional Neural Network"), so that a generator sees and paints every pixel of a large frame but works
//! on a small map.
//!
//! With a factor f, channel `c · f² + y · f + x` of the small map holds channel c of the pixels in row y and column x of
//! each square of f x f: the order of PyTorch's `pixel_shuffle` and of ONNX's `DepthToSpace` in mode CRD.

use rayon::prelude::*;

/// Pixels become channels: `[C, f·h, f·w] -> [C·f², h, w]`; `size`: f·h and f·w.
pub fn unshuffle(x: &[f32], [height, width]: [usize; 2], factor: usize, out: &mut [f32]) {
    let plane = height * width;
    let small = plane / (factor * factor);
    x.par_chunks_exact(plane).zip(out.par_chunks_exact_mut(plane)).for_each(|(x, out)| {
        for (y, row) in x.chunks_exact(width).enumerate() {
            let start = y / factor * (width / factor);
            for column in 0..factor {
                let channel = y % factor * factor + column;
                let out = &mut out[channel * small + start..][..width / factor];
                out.iter_mut().zip(row[column..].iter().step_by(factor)).for_each(|(out, x)| *out = *x);
            }
        }
    });
}

/// Channels become pixels: `[C·f², h, w] -> [C, f·h, f·w]`; `size`: f·h and f·w.
pub fn shuffle(x: &[f32], [height, width]: [usize; 2], factor: usize, out: &mut [f32]) {
    let plane = height * width;
    let small = plane / (factor * factor);
    x.par_chunks_exact(plane).zip(out.par_chunks_exact_mut(plane)).for_each(|(x, out)| {
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let start = y / factor * (width / factor);
            for column in 0..factor {
                let channel = y % factor * factor + column;
                let x = &x[channel * small + start..][..width / factor];
                row[column..].iter_mut().step_by(factor).zip(x).for_each(|(out, x)| *out = *x);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.nn.functional.pixel_shuffle(torch.arange(16.).reshape(1, 8, 1, 2), 2).flatten()`
    #[test]
    fn channels_are_in_pytorchs_order() {
        let x: Vec<f32> = (0..16_u8).map(f32::from).collect();
        let mut out = vec![0.0; 16];
        shuffle(&x, [2, 4], 2, &mut out);
        assert_eq!(out, [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15].map(|value| value as f32));
    }

    #[test]
    fn there_and_back() {
        let size = [6, 12];
        for factor in [1, 2, 3] {
            let x: Vec<f32> = (0..144_u8).map(f32::from).collect();
            let (mut small, mut back) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            unshuffle(&x, size, factor, &mut small);
            shuffle(&small, size, factor, &mut back);
            assert_eq!(back, x);
        }
    }
}
