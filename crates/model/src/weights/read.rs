//! Reading weight files: what does not fit is refused, and named.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::header::{WeightHeader, not_weights, parse_header};
use crate::composition::COMPOSITIONS_SUPPORTED;
use crate::{
    Array, DiscriminatorConfig, EmbedderConfig, Error, GeneratorConfig, NetworkConfig, NetworksConfig,
    Output, Parameters, PreparedEmbedder, PreparedGenerator, Preset, Result, Shapes, Weights,
    adaptive_values, files,
};

/// An opened weight file: header checked for form, tensors sorted by network.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    header: WeightHeader,
    /// What stands before the first dot of a tensor's name, and its tensors.
    networks: BTreeMap<String, Arc<Parameters>>,
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
        let mut networks = BTreeMap::<String, Parameters>::new();
        for (name, view) in file.iter() {
            let values = finite_f32(&view).map_err(|problem| tensor_error(path, name, problem))?;
            let (network, tensor) = name.split_once('.').unwrap_or((name, ""));
            let array = Array { shape: view.shape().to_vec(), values };
            networks.entry(network.to_owned()).or_default().insert(tensor.to_owned(), array);
        }
        let networks = networks.into_iter().map(|(name, parameters)| (name, Arc::new(parameters))).collect();
        Ok(Self { path: path.to_owned(), header, networks })
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
    pub(crate) fn with_composition(mut self, version: u32) -> Self {
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

    /// The tensors of the network called `name`; `None` where there are none, as of the discriminator in a file made for
    /// inference.
    pub fn network(&self, name: &str) -> Option<&Parameters> {
        self.networks.get(name).map(Arc::as_ref)
    }

    /// E as the header says.
    ///
    /// # Errors
    /// When the file holds no embedder, and [`Error::Tensor`] for the first of its tensors that does not fit.
    pub fn embedder(&self) -> Result<Weights<EmbedderConfig>> {
        self.present(&self.header.config.embedder)
    }

    /// G and P as the header says.
    ///
    /// # Errors
    /// As [`embedder`](Self::embedder).
    pub fn generator(&self) -> Result<Weights<GeneratorConfig>> {
        self.present(&self.header.config.generator)
    }

    /// D as the header says; `None` where the file, made for inference, leaves it out.
    ///
    /// # Errors
    /// [`Error::Tensor`] for the first of its tensors that does not fit.
    pub fn discriminator(&self) -> Result<Option<Weights<DiscriminatorConfig>>> {
        self.weights(&self.header.config.discriminator)
    }

    fn present<C: NetworkConfig>(&self, config: &C) -> Result<Weights<C>> {
        let missing = || not_weights(&self.path, &format!("it holds no {}; use a fresh copy", C::NAME));
        self.weights(config)?.ok_or_else(missing)
    }

    /// The network of these sizes, where the file holds one of its name.
    ///
    /// # Errors
    /// [`Error::Tensor`] for the first of its tensors that does not fit.
    pub(crate) fn weights<C: NetworkConfig>(&self, config: &C) -> Result<Option<Weights<C>>> {
        let Some(parameters) = self.networks.get(C::NAME) else { return Ok(None) };
        let weights = Weights::new(config.clone(), Arc::clone(parameters));
        weights.map(Some).map_err(|misfit| self.misfit(C::NAME, misfit))
    }

    /// The tensors of the network called `name`, which must be of these shapes.
    ///
    /// # Errors
    /// [`Error::Tensor`] for the first tensor that does not fit.
    pub fn fitting(&self, name: &str, shapes: &Shapes) -> Result<&Parameters> {
        static NONE: Parameters = Parameters::NONE;
        let parameters = self.network(name).unwrap_or(&NONE);
        match parameters.misfit(shapes) {
            None => Ok(parameters),
            Some(misfit) => Err(self.misfit(name, misfit)),
        }
    }

    fn misfit(&self, network: &str, (tensor, problem): (String, String)) -> Error {
        tensor_error(&self.path, &format!("{network}.{tensor}"), problem)
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
    // Errors are fine; panics and allocations larger than the file are not.
    let _ = file.discriminator();
    let small =
        |resolution: usize, widths: &[usize]| resolution <= 64 && widths.iter().all(|width| *width <= 64);
    if let Ok(weights) = file.embedder()
        && small(weights.config().resolution, &weights.config().widths)
    {
        let picture = vec![0.5; 3 * weights.config().resolution.pow(2)];
        PreparedEmbedder::new(&weights).run(&picture, &picture);
    }
    if let Ok(weights) = file.generator()
        && small(weights.config().resolution, &weights.config().widths)
    {
        let config = weights.config();
        let psi = adaptive_values(&weights, &vec![0.5; config.embedding]);
        let input = vec![0.5; config.input * config.resolution.pow(2)];
        PreparedGenerator::new(&weights, &psi, [config.resolution; 2]).run(&input);
    }
}

fn tensor_error(path: &Path, tensor: &str, problem: String) -> Error {
    Error::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), problem }
}
