//! Writing weight files.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use super::header::{WeightHeader, not_weights};
use crate::{Array, Parameters, Result};

/// Collects networks and writes them as one file.
#[derive(Debug)]
pub struct WeightWriter {
    header: WeightHeader,
    tensors: BTreeMap<String, Array>,
    half_precision: bool,
}

impl WeightWriter {
    /// A file without networks yet.
    pub fn new(header: WeightHeader) -> Self {
        Self { header, tensors: BTreeMap::new(), half_precision: false }
    }

    /// Numbers are written as 16-bit floats: half the size, three decimal digits.
    #[must_use]
    pub fn half_precision(mut self) -> Self {
        self.half_precision = true;
        self
    }

    /// Adds all tensors of a network, each named `name.` and its own name.
    #[must_use]
    pub fn with(mut self, name: &str, parameters: &Parameters) -> Self {
        let named = parameters.iter().map(|(tensor, array)| (format!("{name}.{tensor}"), array.clone()));
        self.tensors.extend(named);
        self
    }

    /// The file's bytes. `path` is the name errors call them by.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let metadata = self.header.metadata(path)?;
        let dtype = if self.half_precision { Dtype::F16 } else { Dtype::F32 };
        let encoded: Vec<Vec<u8>> =
            self.tensors.values().map(|array| encoded(&array.values, self.half_precision)).collect();
        let views = self.tensors.iter().zip(&encoded).map(|((name, array), bytes)| {
            let view = TensorView::new(dtype, array.shape.clone(), bytes);
            view.map(|view| (name, view)).map_err(|error| not_weights(path, &error))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, Some(metadata)).map_err(|error| not_weights(path, &error))
    }
}

fn encoded(values: &[f32], half_precision: bool) -> Vec<u8> {
    if half_precision {
        values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
