//! Pixel shuffle on tensors; for slices, and for what the order of channels is, see [`gioconda_model::pixel_shuffle`].

use burn::tensor::Tensor;

/// `[B, C, f·h, f·w] -> [B, C·f², h, w]`
pub(crate) fn unshuffled(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / factor, width / factor);
    x.reshape([batch, channels, rows, factor, columns, factor])
        .permute([0, 1, 3, 5, 2, 4]) // [B, C, f, f, h, w]
        .reshape([batch, channels * factor * factor, rows, columns])
}

/// `[B, C·f², h, w] -> [B, C, f·h, f·w]`
pub(crate) fn shuffled(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, rows, columns] = x.dims();
    let channels = channels / (factor * factor);
    x.reshape([batch, channels, factor, factor, rows, columns])
        .permute([0, 1, 4, 2, 5, 3]) // [B, C, h, f, w, f]
        .reshape([batch, channels, rows * factor, columns * factor])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int};
    use gioconda_model::pixel_shuffle::{shuffle, unshuffle};

    fn counted(shape: [usize; 4], device: &Device) -> Tensor<4> {
        let count = shape.iter().product::<usize>() as i64;
        Tensor::<1, Int>::arange(0..count, device).float().reshape(shape)
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    /// `torch.nn.functional.pixel_shuffle(torch.arange(16.).reshape(1, 8, 1, 2), 2).flatten()`
    #[test]
    fn channels_are_in_pytorchs_order() {
        let x = counted([1, 8, 1, 2], &Device::flex());
        let expected = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15].map(|value| value as f32);
        assert_eq!(values(shuffled(x, 2)), expected);
    }

    #[test]
    fn there_and_back_and_without_tensors() {
        let size = [6, 12];
        for factor in [1, 2, 3] {
            let x = counted([1, 2, size[0], size[1]], &Device::flex());
            let small = unshuffled(x.clone(), factor);
            assert_eq!(small.dims(), [1, 2 * factor * factor, size[0] / factor, size[1] / factor]);
            assert_eq!(values(shuffled(small.clone(), factor)), values(x.clone()));
            let (x, small) = (values(x), values(small));
            let mut out = vec![0.0; x.len()];
            unshuffle(&x, size, factor, &mut out);
            assert_eq!(out, small);
            shuffle(&small, size, factor, &mut out);
            assert_eq!(out, x);
        }
    }
}
