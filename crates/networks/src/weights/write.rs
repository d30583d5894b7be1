//! Writing weight files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use burn::module::Module;
use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use super::header::{WeightHeader, not_weights};
use crate::parameters::{Values, values_by_path};
use crate::{Error, Result};

/// Collects networks and writes them as one file.
#[derive(Debug)]
pub struct WeightWriter {
    header: WeightHeader,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
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

    /// Adds all tensors of `module`, each named `name.` and its path.
    ///
    /// # Panics
    /// Never: weights are floating-point numbers.
    #[must_use]
    pub fn with<M: Module>(mut self, name: &str, module: &M) -> Self {
        for (path, Values { shape, flat }) in values_by_path(module) {
            let values = flat.try_into_vec_as::<f32>().expect("weights are floating-point numbers");
            self.tensors.insert(format!("{name}.{path}"), (shape, values));
        }
        self
    }

    /// The file's bytes, to be kept inside another file. `path` is the name errors call them by.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let metadata = self.header.metadata(path)?;
        let dtype = if self.half_precision { Dtype::F16 } else { Dtype::F32 };
        let encoded: Vec<Vec<u8>> =
            self.tensors.values().map(|(_, values)| encoded(values, self.half_precision)).collect();
        let views = self.tensors.iter().zip(&encoded).map(|((name, (shape, _)), bytes)| {
            let view = TensorView::new(dtype, shape.clone(), bytes);
            view.map(|view| (name, view)).map_err(|error| not_weights(path, &error))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, Some(metadata)).map_err(|error| not_weights(path, &error))
    }

    /// Writes the file, replacing what was there in one step.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes(path)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let written = File::create(&partial)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, path));
        written.map_err(|source| {
            // The error that is reported is the first one; a leftover that cannot be removed adds nothing to it.
            let _ = fs::remove_file(&partial);
            Error::Io { path: path.to_owned(), source }
        })
    }
}

fn encoded(values: &[f32], half_precision: bool) -> Vec<u8> {
    if half_precision {
        values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
