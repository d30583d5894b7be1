//! Weight files: safetensors whose header says what the weights are for.
//!
//! Tensor names are `network.field.field...`, read off the modules: `generator.down.1.conv1.weight`. The header's
//! entries are `format`, `preset`, `config` (sizes of all networks, JSON), `landmark_picture_version`,
//! `training_data` and `licence`. Loading checks the header and every tensor of the network, and names the first thing
//! that does not fit.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Error, NetworksConfig, Preset, Result};

/// The only layout this version reads and writes.
const FORMAT: &str = "gioconda-weights-1";

const PRESET: &str = "preset";
const CONFIG: &str = "config";
const PICTURE_VERSION: &str = "landmark_picture_version";
const TRAINING_DATA: &str = "training_data";
const LICENCE: &str = "licence";

/// What a weight file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightHeader {
    /// The preset.
    pub preset: Preset,
    /// Sizes of the networks; not necessarily the preset's own (narrow networks in tests).
    pub config: NetworksConfig,
    /// Version of the landmark picture the networks were trained with (`face`).
    pub picture_version: u32,
    /// What they were trained on, for people.
    pub training_data: String,
    /// Licence text or SPDX expression.
    pub licence: String,
}

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
    #[must_use]
    pub fn with<M: Module>(mut self, name: &str, module: &M) -> Self {
        let mut collect = Collect { path: vec![name.to_owned()], tensors: &mut self.tensors };
        module.visit(&mut collect);
        self
    }

    /// The file's bytes, to be kept inside another file. `path` is the name errors call them by.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let header = &self.header;
        let config = serde_json::to_string(&header.config).map_err(|error| not_weights(path, &error))?;
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            (PRESET.to_owned(), header.preset.name().to_owned()),
            (CONFIG.to_owned(), config),
            (PICTURE_VERSION.to_owned(), header.picture_version.to_string()),
            (TRAINING_DATA.to_owned(), header.training_data.clone()),
            (LICENCE.to_owned(), header.licence.clone()),
        ]);
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
        let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
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

struct Collect<'a> {
    path: Vec<String>,
    tensors: &'a mut BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let shape = value.dims().to_vec();
        let values = value.try_into_vec_as::<f32>().expect("weights are floating-point numbers");
        self.tensors.insert(self.path.join("."), (shape, values));
    }
}

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
        let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::parse(path, &bytes)
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

fn parse_header(path: &Path, metadata: Option<&HashMap<String, String>>) -> Result<WeightHeader> {
    let entry = |key: &str| {
        let value = metadata.and_then(|entries| entries.get(key));
        value.ok_or_else(|| not_weights(path, &format!("its header has no `{key}`")))
    };
    let format = entry("format")?;
    if format != FORMAT {
        return Err(Error::HeaderMismatch {
            path: path.to_owned(),
            what: "format",
            found: format.clone(),
            expected: FORMAT.to_owned(),
        });
    }
    let invalid = |key: &str, error: &dyn std::fmt::Display| not_weights(path, &format!("`{key}`: {error}"));
    Ok(WeightHeader {
        preset: entry(PRESET)?.parse().map_err(|error: Error| invalid(PRESET, &error))?,
        config: serde_json::from_str(entry(CONFIG)?).map_err(|error| invalid(CONFIG, &error))?,
        picture_version: entry(PICTURE_VERSION)?.parse().map_err(|error| invalid(PICTURE_VERSION, &error))?,
        training_data: entry(TRAINING_DATA)?.clone(),
        licence: entry(LICENCE)?.clone(),
    })
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

fn not_weights(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::NotWeights { path: path.to_owned(), reason: reason.to_string() }
}

fn tensor_error(path: &Path, tensor: &str, problem: String) -> Error {
    Error::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Embedder, EmbedderConfig};

    fn header() -> WeightHeader {
        let mut config = Preset::Paper.config();
        config.embedder = EmbedderConfig { widths: vec![2, 4], resolution: 8, self_attention: false };
        WeightHeader {
            preset: Preset::Paper,
            config,
            picture_version: 1,
            training_data: "random numbers".to_owned(),
            licence: "CC0-1.0".to_owned(),
        }
    }

    fn embedder() -> Embedder {
        Embedder::new(&header().config.embedder, &Device::flex()).unwrap()
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let saved = embedder();
        WeightWriter::new(header()).with("embedder", &saved).save(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");

        let file = WeightFile::open(&path).unwrap().require(Preset::Paper, 1).unwrap();
        assert_eq!(*file.header(), header());
        assert!(file.contains("embedder") && !file.contains("generator"));
        let loaded = file.load("embedder", embedder()).unwrap();
        let picture = Tensor::random([1, 3, 8, 8], burn::tensor::Distribution::Default, &Device::flex());
        let embed = |network: &Embedder| network.embed(picture.clone(), picture.clone()).into_data();
        assert_eq!(embed(&loaded), embed(&saved));
    }

    #[test]
    fn half_precision_is_half_as_large_and_nearly_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let saved = embedder();
        let writer = WeightWriter::new(header()).with("embedder", &saved);
        let path = folder.path().join("half.safetensors");
        let whole = writer.to_bytes(&path).unwrap().len();
        let writer = writer.half_precision();
        assert!(writer.to_bytes(&path).unwrap().len() < whole);
        writer.save(&path).unwrap();
        let loaded = WeightFile::open(&path).unwrap().load("embedder", embedder()).unwrap();
        let picture = Tensor::random([1, 3, 8, 8], burn::tensor::Distribution::Default, &Device::flex());
        let embed = |network: &Embedder| network.embed(picture.clone(), picture.clone());
        let difference = (embed(&loaded) - embed(&saved)).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-2, "{difference}");
    }

    #[test]
    fn the_first_mismatch_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        WeightWriter::new(header()).with("embedder", &embedder()).save(&path).unwrap();
        let message = |error: Error| error.to_string().replace(&path.display().to_string(), "FILE");

        let open = || WeightFile::open(&path).unwrap();
        assert_eq!(
            message(open().require(Preset::Portrait, 1).unwrap_err()),
            "FILE: made for preset paper, but portrait is needed; use weights made for it"
        );
        assert_eq!(
            message(open().require(Preset::Paper, 2).unwrap_err()),
            "FILE: made for landmark picture version 1, but 2 is needed; use weights made for it"
        );
        assert!(message(open().require_config(&Preset::Paper.config()).unwrap_err()).contains("embedder"));

        let wider = EmbedderConfig { widths: vec![2, 5], ..header().config.embedder };
        let wider = Embedder::new(&wider, &Device::flex()).unwrap();
        assert_eq!(
            message(open().load("embedder", wider).unwrap_err()),
            "FILE: tensor `embedder.blocks.1.conv1.weight` has shape [4, 2, 3, 3], but the network needs [5, 2, 3, 3]"
        );
        let deeper = EmbedderConfig { widths: vec![2, 4, 4], ..header().config.embedder };
        let deeper = Embedder::new(&deeper, &Device::flex()).unwrap();
        assert_eq!(
            message(open().load("embedder", deeper).unwrap_err()),
            "FILE: tensor `embedder.blocks.2.conv1.weight` is missing"
        );
        let shallower = EmbedderConfig { widths: vec![2], ..header().config.embedder };
        let shallower = Embedder::new(&shallower, &Device::flex()).unwrap();
        assert_eq!(
            message(open().load("embedder", shallower).unwrap_err()),
            "FILE: tensor `embedder.blocks.1.conv1.bias` belongs to no layer of the network"
        );
    }

    #[test]
    fn hostile_files_are_refused() {
        let good = {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("weights.safetensors");
            WeightWriter::new(header()).with("embedder", &embedder()).save(&path).unwrap();
            fs::read(path).unwrap()
        };
        let mut with_nan = good.clone();
        let end = with_nan.len();
        with_nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let plain = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let cases: [(&[u8], &str); 6] = [
            (b"", "not a usable weight file"),
            (b"not weights at all", "not a usable weight file"),
            (&[0xff; 64], "not a usable weight file"),
            (&good[..good.len() - 1], "not a usable weight file"),
            (&with_nan, "holds NaN or infinity"),
            (&plain, "its header has no `format`"),
        ];
        for (bytes, expected) in cases {
            let message = WeightFile::parse(Path::new("w"), bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let missing = WeightFile::open(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot access no/such/file: "), "{missing}");
    }
}
