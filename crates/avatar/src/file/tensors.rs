//! Numbers in and out of safetensors files.

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};

/// The numbers of a f16 or f32 tensor; `None` for any other type.
pub(crate) fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F16 => Some(data.as_chunks::<2>().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()),
        Dtype::F32 => Some(data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
        _ => None,
    }
}

/// Numbers ready to be written: bytes, type and shape.
pub(crate) struct Tensor {
    bytes: Vec<u8>,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Tensor {
    pub(crate) fn f32(numbers: impl IntoIterator<Item = f32>, shape: Vec<usize>) -> Self {
        let bytes = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
        Self { bytes, dtype: Dtype::F32, shape }
    }

    pub(crate) fn f16(numbers: impl IntoIterator<Item = f32>, shape: Vec<usize>) -> Self {
        let bytes = numbers.into_iter().flat_map(|n| f16::from_f32(n).to_le_bytes()).collect();
        Self { bytes, dtype: Dtype::F16, shape }
    }

    pub(crate) fn view(&self) -> Result<TensorView<'_>, SafeTensorError> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
    }
}
