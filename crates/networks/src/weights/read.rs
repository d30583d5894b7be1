//! Reading weight files: what does not fit is refused, and named.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::header::{WeightHeader, not_weights, parse_header};
use crate::{
    COMPOSITIONS_SUPPORTED, Device, Discriminator, Embedder, Error, Generator, NetworksConfig, Output,
    Preset, Result, files,
};

/// An opened weight file: header checked for form, tensors ready to be put into networks.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    header: WeightHeader,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl WeightFile {
    /// Reads a file and its header.
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(path, &files::read(path)?)
    }

    /// Reads weights that are already in memory, such as compiled-in ones. `path` is the name errors call them by.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| not_weights(path, &error))?;
        let header = parse_header(path, metadata.metadata().as_ref())?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| not_weights(path, &error))?;
        let mut tensors = HashMap::new();
        for (name, view) in file.iter() {
            let values = finite_f32(&view).map_err(|problem| tensor_error(path, name, problem))?;
            tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
        }
        Ok(Self { path: path.to_owned(), header, tensors })
    }

    /// What the file says about itself.
    pub fn header(&self) -> &WeightHeader {
        &self.header
    }

    /// Refuses weights made for another preset or another landmark picture.
    pub fn require(self, preset: Preset, picture_version: u32) -> Result<Self> {
        let header = &self.header;
        self.same("preset", &header.preset, &preset)?;
        self.same("landmark picture version", &header.picture_version, &picture_version)?;
        Ok(self)
    }

    /// Refuses a generator that was trained with a composition formula whose pictures this program does not paint. A file that
    /// does not name the formula passes: see [`lacks_composition`](Self::lacks_composition).
    pub fn require_composition(self) -> Result<Self> {
        match self.header.composition {
            Some(found) if self.composes() && !COMPOSITIONS_SUPPORTED.contains(&found) => {
                let expected = in_words(&COMPOSITIONS_SUPPORTED);
                let (path, found) = (self.path, found.to_string());
                Err(Error::HeaderMismatch { path, what: "composition formula", found, expected })
            }
            _ => Ok(self),
        }
    }

    /// Whether the generator composes its frames and the file does not say by which formula.
    pub fn lacks_composition(&self) -> bool {
        self.composes() && self.header.composition.is_none()
    }

    /// Sets the composition formula that the generator was trained with, for a file that does not name it.
    #[must_use]
    pub fn with_composition(mut self, version: u32) -> Self {
        self.header.composition = Some(version);
        self
    }

    fn composes(&self) -> bool {
        self.header.config.generator.output == Output::Composition
    }

    /// Refuses networks of other sizes.
    pub fn require_config(self, config: &NetworksConfig) -> Result<Self> {
        let found = &self.header.config;
        self.same("embedder", &format!("{:?}", found.embedder), &format!("{:?}", config.embedder))?;
        self.same("generator", &format!("{:?}", found.generator), &format!("{:?}", config.generator))?;
        self.same(
            "discriminator",
            &format!("{:?}", found.discriminator),
            &format!("{:?}", config.discriminator),
        )?;
        Ok(self)
    }

    fn same<T: PartialEq + ToString>(&self, what: &'static str, found: &T, expected: &T) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (found.to_string(), expected.to_string());
        Err(Error::HeaderMismatch { path: self.path.clone(), what, found, expected })
    }

    /// Whether the file holds a network of this name: an inference file may lack the discriminator.
    pub fn contains(&self, name: &str) -> bool {
        let prefix = format!("{name}.");
        self.tensors.keys().any(|tensor| tensor.starts_with(&prefix))
    }

    /// E as the header says, on `device`.
    pub fn embedder(&self, device: &Device) -> Result<Embedder> {
        let config = &self.header.config.embedder;
        self.require_parameters("embedder", config.least_parameters())?;
        self.load("embedder", Embedder::new(config, device)?)
    }

    /// G and P as the header says, on `device`.
    pub fn generator(&self, device: &Device) -> Result<Generator> {
        let config = &self.header.config.generator;
        self.require_parameters("generator", config.least_parameters())?;
        self.load("generator", Generator::new(config, device)?)
    }

    /// D as the header says, on `device`; `None` where the file, made for inference, leaves it out.
    pub fn discriminator(&self, device: &Device) -> Result<Option<Discriminator>> {
        if !self.contains("discriminator") {
            return Ok(None);
        }
        let config = &self.header.config.discriminator;
        self.require_parameters("discriminator", config.least_parameters())?;
        self.load("discriminator", Discriminator::new(config, device)?).map(Some)
    }

    /// Refuses a header whose network is larger than what the file holds, before the network is allocated.
    fn require_parameters(&self, name: &str, needed: usize) -> Result<()> {
        let prefix = format!("{name}.");
        let tensors = self.tensors.iter().filter(|(tensor, _)| tensor.starts_with(&prefix));
        let found: usize = tensors.map(|(_, (_, values))| values.len()).sum();
        if found >= needed {
            return Ok(());
        }
        let reason = if found == 0 {
            format!("it holds no {name}; use a fresh copy")
        } else {
            format!(
                "its {name} has {found} parameters, but its header's sizes need {needed}; use a fresh copy"
            )
        };
        Err(not_weights(&self.path, &reason))
    }

    /// Puts the tensors named `name....` into `module`, which keeps its device and whether it is trained.
    ///
    /// # Errors
    /// [`Error::Tensor`] names the first tensor that is missing or has another shape, or one the module does not have.
    pub fn load<M: Module>(&self, name: &str, module: M) -> Result<M> {
        let mut assign =
            Assign { path: vec![name.to_owned()], tensors: &self.tensors, used: Vec::new(), problem: None };
        let module = module.map(&mut assign);
        let Assign { used, problem, .. } = assign;
        if let Some((tensor, problem)) = problem {
            return Err(tensor_error(&self.path, &tensor, problem));
        }
        let prefix = format!("{name}.");
        let mut superfluous: Vec<_> = self
            .tensors
            .keys()
            .filter(|tensor| tensor.starts_with(&prefix) && !used.contains(*tensor))
            .collect();
        superfluous.sort();
        match superfluous.first() {
            Some(tensor) => {
                Err(tensor_error(&self.path, tensor, "belongs to no layer of the network".to_owned()))
            }
            None => Ok(module),
        }
    }
}

struct Assign<'a> {
    path: Vec<String>,
    tensors: &'a HashMap<String, (Vec<usize>, Vec<f32>)>,
    used: Vec<String>,
    problem: Option<(String, String)>,
}

impl ModuleMapper for Assign<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.problem.is_some() {
            return param;
        }
        let name = self.path.join(".");
        let expected = param.lazy_shape();
        let Some((shape, values)) = self.tensors.get(&name) else {
            self.problem = Some((name, "is missing".to_owned()));
            return param;
        };
        if shape[..] != expected[..] {
            let expected = expected.to_vec();
            self.problem = Some((name, format!("has shape {shape:?}, but the network needs {expected:?}")));
            return param;
        }
        self.used.push(name);
        param.map(|old| {
            let trained = old.is_require_grad();
            let data = TensorData::new(values.clone(), shape.clone());
            Tensor::from_data(data, &old.device()).set_require_grad(trained)
        })
    }
}

fn finite_f32(view: &TensorView<'_>) -> std::result::Result<Vec<f32>, String> {
    let data = view.data();
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => {
            data.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
        }
        other => return Err(format!("holds {other:?} values, but F32 or F16 is needed")),
    };
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err("holds NaN or infinity".to_owned())
    }
}

/// `2 or 3`.
fn in_words(versions: &RangeInclusive<u32>) -> String {
    versions.clone().map(|version| version.to_string()).collect::<Vec<_>>().join(" or ")
}

/// What fuzzing runs: arbitrary bytes as a weight file, and the networks that its header describes.
#[doc(hidden)]
pub fn fuzz_weights(bytes: &[u8]) {
    let Ok(file) = WeightFile::parse(Path::new("weights.safetensors"), bytes) else { return };
    let device = Device::flex();
    // Errors are fine; panics and allocations larger than the file are not.
    let _ = (file.embedder(&device), file.generator(&device), file.discriminator(&device));
}

fn tensor_error(path: &Path, tensor: &str, problem: String) -> Error {
    Error::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), problem }
}
