//! Perceptual networks for the content loss: frozen classifiers whose early features are compared (paper §3.3).
//!
//! [`PERCEPTUAL`] is the one list of them: name, file, architecture, layers, weight and input convention. Real VGG19
//! and VGGFace weights cannot be shipped; `vgg19` and `vggface` expect them converted to safetensors with the names
//! `conv1_1.weight`, `conv1_1.bias`, ... in PyTorch's layout, trained on Caffe-style input.

use std::path::Path;

use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};
use safetensors::tensor::{Dtype, SafeTensors};

use gioconda_model::Error as ModelError;

use crate::cpu::convolve;
use crate::{Error, Result};

/// How a network wants its pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InputConvention {
    /// BGR, 0..255, minus the mean (103.939, 116.779, 123.68), not divided. Anything else is off by about 255.
    Caffe,
    /// RGB, 0..1, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225).
    ImageNet,
}

impl InputConvention {
    /// From RGB in -1..1, `[B, 3, H, W]`.
    pub fn apply(self, frame: Tensor<4>) -> Tensor<4> {
        let device = frame.device();
        let per_channel = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        match self {
            Self::Caffe => {
                let bgr = ((frame + 1.0) * 127.5).flip([1]);
                bgr - per_channel([103.939, 116.779, 123.68])
            }
            Self::ImageNet => {
                let unit = (frame + 1.0) * 0.5;
                (unit - per_channel([0.485, 0.456, 0.406])) / per_channel([0.229, 0.224, 0.225])
            }
        }
    }
}

/// The kinds of network that can be rebuilt from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// VGG with this many convolutions in each of its five blocks; features are taken behind activations.
    Vgg {
        /// Convolutions per block.
        convolutions: [usize; 5],
        /// The (block, convolution) pairs behind whose ReLU features are taken, both from 1.
        taps: &'static [(usize, usize)],
    },
    /// torchvision's MobileNetV2; features are taken behind these of its `features`.
    MobileNetV2 {
        /// Indices into `features`, ascending.
        taps: &'static [usize],
    },
}

/// How two features are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureDistance {
    /// Mean absolute difference (the paper).
    Absolute,
    /// Mean absolute difference over the mean absolute value of the real features (PROTOTYPE.md), so that every layer
    /// counts alike.
    Relative,
    /// Squared difference of the features, brought to length 1 at each place, summed over channels, averaged over places
    /// (LPIPS, Zhang et al. 2018, with all channels alike): flat and dim places count as much as bright edges.
    UnitLength,
}

/// One row of [`PERCEPTUAL`].
#[derive(Clone, Copy, Debug)]
pub struct PerceptualSpec {
    /// Name in configurations.
    pub name: &'static str,
    /// File name, in the folder of models.
    pub file: &'static str,
    /// How to rebuild it.
    pub architecture: Architecture,
    /// How it wants its pictures.
    pub convention: InputConvention,
    /// How its features are compared.
    pub distance: FeatureDistance,
    /// Weight of its term by default.
    pub weight: f64,
}

/// Features of VGG's that are shorter than this are nearly black to it (others are hundreds long): what is divided by less
/// has gradients that drown all others.
const LEAST_LENGTH: f32 = 1.0;

/// relu{1..5}_1, the paper's layers.
const PAPER_TAPS: &[(usize, usize)] = &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)];

/// All perceptual networks.
pub const PERCEPTUAL: [PerceptualSpec; 5] = [
    PerceptualSpec {
        name: "vgg16-hed",
        file: "vgg16_hed.safetensors",
        architecture: Architecture::Vgg { convolutions: [2, 2, 3, 3, 1], taps: &[(1, 2), (2, 2), (3, 1)] },
        convention: InputConvention::Caffe,
        distance: FeatureDistance::Relative,
        weight: 0.35,
    },
    PerceptualSpec {
        name: "vgg16-hed-lpips",
        file: "vgg16_hed.safetensors",
        architecture: Architecture::Vgg {
            convolutions: [2, 2, 3, 3, 1],
            taps: &[(1, 2), (2, 2), (3, 3), (4, 3), (5, 1)],
        },
        convention: InputConvention::Caffe,
        distance: FeatureDistance::UnitLength,
        weight: 0.5,
    },
    PerceptualSpec {
        name: "mobilenet-v2",
        file: "mobilenet_v2.safetensors",
        architecture: Architecture::MobileNetV2 { taps: &[1, 3, 6, 13] },
        convention: InputConvention::ImageNet,
        distance: FeatureDistance::Relative,
        weight: 0.1,
    },
    PerceptualSpec {
        name: "vgg19",
        file: "vgg19.safetensors",
        architecture: Architecture::Vgg { convolutions: [2, 2, 4, 4, 1], taps: PAPER_TAPS },
        convention: InputConvention::Caffe,
        distance: FeatureDistance::Absolute,
        weight: 1.5e-1,
    },
    PerceptualSpec {
        name: "vggface",
        file: "vggface.safetensors",
        architecture: Architecture::Vgg { convolutions: [2, 2, 3, 3, 1], taps: PAPER_TAPS },
        convention: InputConvention::Caffe,
        distance: FeatureDistance::Absolute,
        weight: 2.5e-2,
    },
];

/// The row called `name`.
pub fn perceptual_spec(name: &str) -> Result<&'static PerceptualSpec> {
    PERCEPTUAL.iter().find(|spec| spec.name == name).ok_or_else(|| {
        Error::from(ModelError::UnknownName {
            what: "perceptual network",
            name: name.to_owned(),
            known: PERCEPTUAL.map(|spec| spec.name).join(", "),
        })
    })
}

/// A frozen network.
#[derive(Clone, Debug)]
pub struct PerceptualNetwork {
    spec: PerceptualSpec,
    stages: Vec<Stage>,
}

/// One step of a perceptual network.
#[derive(Clone, Debug)]
enum Stage {
    /// Convolutions one behind the other, and the input added to their output where it has the same shape.
    Convolutions { layers: Vec<FrozenConv>, residual: bool },
    /// Halves height and width.
    MaxPool,
    /// Notes the features.
    Tap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activation {
    None,
    Relu,
    Relu6,
}

#[derive(Clone, Debug)]
struct FrozenConv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    groups: usize,
    activation: Activation,
}

impl FrozenConv {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let padding = self.weight.dims()[2] / 2;
        let (weight, bias) = (self.weight.clone(), Some(self.bias.clone()));
        let out = if self.groups == 1 {
            convolve(x, weight, bias, self.stride, padding)
        } else {
            conv2d(x, weight, bias, ConvOptions::new([self.stride; 2], [padding; 2], [1, 1], self.groups))
        };
        match self.activation {
            Activation::None => out,
            Activation::Relu => activation::relu(out),
            Activation::Relu6 => out.clamp(0.0, 6.0),
        }
    }
}

impl PerceptualNetwork {
    /// Reads `spec.file` from the folder of models.
    pub fn load(spec: &PerceptualSpec, models: &Path, device: &Device) -> Result<Self> {
        let path = models.join(spec.file);
        let bytes = gioconda_model::read_weight_file(&path)?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| ModelError::NotWeights { path: path.clone(), reason: error.to_string() })?;
        let source = Source { path: &path, file, device };
        let stages = match spec.architecture {
            Architecture::Vgg { convolutions, taps } => vgg(&source, convolutions, taps)?,
            Architecture::MobileNetV2 { taps } => mobilenet_v2(&source, taps)?,
        };
        Ok(Self { spec: *spec, stages })
    }

    /// The same network with another weight than its row of [`PERCEPTUAL`] says.
    #[must_use]
    pub fn weighted(mut self, weight: f64) -> Self {
        self.spec.weight = weight;
        self
    }

    /// What it was loaded by.
    pub fn spec(&self) -> &PerceptualSpec {
        &self.spec
    }

    /// Features of frames `[B, 3, H, W]`, RGB in -1..1, one map per tap.
    pub fn features(&self, frame: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = self.spec.convention.apply(frame);
        let mut features = Vec::new();
        for stage in &self.stages {
            match stage {
                Stage::Convolutions { layers, residual } => {
                    let out = layers.iter().fold(x.clone(), |x, layer| layer.forward(x));
                    x = if *residual { out + x } else { out };
                }
                Stage::MaxPool => x = max_pool2d(x, MaxPoolOptions::new([2, 2])),
                Stage::Tap => features.push(x.clone()),
            }
        }
        features
    }

    /// Sum over taps of the distance between the features of `fake` and of `real`, unweighted; `real` is a constant.
    ///
    /// # Panics
    /// When the specification it was loaded by names no taps.
    pub fn loss(&self, fake: Tensor<4>, real: Tensor<4>) -> Tensor<1> {
        let real = self.features(real.detach());
        let distances = self.features(fake).into_iter().zip(real).map(|(fake, real)| {
            let mean = || real.clone().abs().mean().clamp_min(f32::EPSILON);
            match self.spec.distance {
                FeatureDistance::Absolute => crate::losses::l1(fake, real),
                FeatureDistance::Relative => crate::losses::l1(fake, real.clone()) / mean(),
                FeatureDistance::UnitLength => {
                    let unit = |features| unit_length(features, LEAST_LENGTH);
                    (unit(fake) - unit(real)).square().sum_dim(1).mean()
                }
            }
        });
        distances.reduce(|sum, distance| sum + distance).expect("every perceptual network has taps")
    }
}

/// Features `[B, C, H, W]`, brought to length 1 at each place. Lengths of `least` and below stay short, so that places
/// without any feature are 0 and no gradient is infinite.
pub fn unit_length(features: Tensor<4>, least: f32) -> Tensor<4> {
    let length = (features.clone().square().sum_dim(1) + least * least).sqrt();
    features / length
}

/// Tensors of a perceptual network's file.
struct Source<'a> {
    path: &'a Path,
    file: SafeTensors<'a>,
    device: &'a Device,
}

impl Source<'_> {
    fn fail(&self, name: &str, problem: String) -> Error {
        ModelError::Tensor { path: self.path.to_owned(), tensor: name.to_owned(), problem }.into()
    }

    /// The finite numbers of the tensor `name`, which must have this shape.
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self.file.tensor(name).map_err(|_| self.fail(name, "is missing".to_owned()))?;
        if view.shape() != shape {
            let found = view.shape();
            return Err(self.fail(name, format!("has shape {found:?}, but the network needs {shape:?}")));
        }
        if view.dtype() != Dtype::F32 {
            return Err(self.fail(name, format!("holds {:?} values, but F32 is needed", view.dtype())));
        }
        let (chunks, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(self.fail(name, "holds NaN or infinity".to_owned()))
        }
    }

    /// How many output channels the convolution `name` has. It is read from the file: narrower networks of the same layers load
    /// too.
    fn outputs(&self, name: &str) -> Result<usize> {
        let view = self.file.tensor(name).map_err(|_| self.fail(name, "is missing".to_owned()))?;
        view.shape().first().copied().filter(|&outputs| outputs > 0).ok_or_else(|| {
            self.fail(name, format!("has shape {:?}, but a convolution has outputs", view.shape()))
        })
    }

    fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        Ok(Tensor::from_data(TensorData::new(self.numbers(name, &shape)?, shape), self.device))
    }

    /// `prefix.weight`, `[out, in, k, k]`, and the batch norm `norm.*` behind it, folded into one convolution.
    fn batch_normed(&self, prefix: &str, norm: &str, shape: [usize; 4]) -> Result<(Tensor<4>, Tensor<1>)> {
        /// PyTorch's default.
        const EPSILON: f64 = 1e-5;
        let output = shape[0];
        let weight = self.tensor::<4>(&format!("{prefix}.weight"), shape)?;
        let value = |field: &str| self.tensor::<1>(&format!("{norm}.{field}"), [output]);
        let variance = format!("{norm}.running_var");
        if self.numbers(&variance, &[output])?.iter().any(|value| *value < 0.0) {
            return Err(self.fail(&variance, "holds a variance below 0".to_owned()));
        }
        let scale = value("weight")? / (value("running_var")? + EPSILON).sqrt();
        let bias = value("bias")? - value("running_mean")? * scale.clone();
        Ok((weight * scale.reshape([output, 1, 1, 1]), bias))
    }
}

fn vgg(source: &Source<'_>, convolutions: [usize; 5], taps: &[(usize, usize)]) -> Result<Vec<Stage>> {
    let last = taps.iter().max().copied().unwrap_or((0, 0));
    let mut stages = Vec::new();
    let mut channels = 3;
    for (block, count) in (1..).zip(convolutions) {
        for index in 1..=count {
            if (block, index) > last {
                return Ok(stages);
            }
            if block > 1 && index == 1 {
                stages.push(Stage::MaxPool);
            }
            let name = format!("conv{block}_{index}");
            let weight = format!("{name}.weight");
            let output = source.outputs(&weight)?;
            let layer = FrozenConv {
                weight: source.tensor(&weight, [output, channels, 3, 3])?,
                bias: source.tensor(&format!("{name}.bias"), [output])?,
                stride: 1,
                groups: 1,
                activation: Activation::Relu,
            };
            channels = output;
            stages.push(Stage::Convolutions { layers: vec![layer], residual: false });
            if taps.contains(&(block, index)) {
                stages.push(Stage::Tap);
            }
        }
    }
    Ok(stages)
}

/// Stride of the depthwise convolution of each of torchvision's `features.1..=17` (Sandler et al. 2018, table 2).
const MOBILENET_V2_STRIDES: [usize; 17] = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

fn mobilenet_v2(source: &Source<'_>, taps: &[usize]) -> Result<Vec<Stage>> {
    let conv = |prefix: &str, norm: &str, shape: [usize; 4], stride, activation| -> Result<FrozenConv> {
        let (weight, bias) = source.batch_normed(prefix, norm, shape)?;
        // A depthwise weight is [C, 1, 3, 3], one group per channel; the stem's is [32, 3, 3, 3].
        let groups = if shape[1] == 1 { shape[0] } else { 1 };
        Ok(FrozenConv { weight, bias, stride, groups, activation })
    };
    let mut channels = source.outputs("features.0.0.weight")?;
    let stem = conv("features.0.0", "features.0.1", [channels, 3, 3, 3], 2, Activation::Relu6)?;
    let mut stages = vec![Stage::Convolutions { layers: vec![stem], residual: false }];
    for (index, stride) in (1..).zip(MOBILENET_V2_STRIDES) {
        if taps.iter().all(|tap| *tap < index) {
            break;
        }
        let block = format!("features.{index}.conv");
        // The first block has no expansion: depthwise at .0, projection at .1 and .2.
        let expanded = usize::from(index > 1);
        let expansion = format!("{block}.0.0");
        let inner = if expanded == 1 { source.outputs(&format!("{expansion}.weight"))? } else { channels };
        let mut layers = Vec::with_capacity(3);
        if expanded == 1 {
            let norm = format!("{block}.0.1");
            layers.push(conv(&expansion, &norm, [inner, channels, 1, 1], 1, Activation::Relu6)?);
        }
        let (weight, norm) = (format!("{block}.{expanded}.0"), format!("{block}.{expanded}.1"));
        layers.push(conv(&weight, &norm, [inner, 1, 3, 3], stride, Activation::Relu6)?);
        let (weight, norm) = (format!("{block}.{}", expanded + 1), format!("{block}.{}", expanded + 2));
        let output = source.outputs(&format!("{weight}.weight"))?;
        layers.push(conv(&weight, &norm, [output, inner, 1, 1], 1, Activation::None)?);
        stages.push(Stage::Convolutions { layers, residual: stride == 1 && output == channels });
        channels = output;
        if taps.contains(&index) {
            stages.push(Stage::Tap);
        }
    }
    Ok(stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    fn models() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models")
    }

    #[test]
    fn caffe_input_is_bgr_0_to_255_minus_mean() {
        let device = Device::flex();
        let frame = Tensor::<4>::from_floats([[[[1.0]], [[0.0]], [[-1.0]]]], &device);
        let input = InputConvention::Caffe.apply(frame).try_into_vec_as::<f32>().unwrap();
        for (value, golden) in input.iter().zip([-103.939, 10.721, 131.32]) {
            assert!((value - golden).abs() < 1e-3, "{input:?}");
        }
    }

    #[test]
    fn imagenet_input_is_standardised_rgb() {
        let device = Device::flex();
        let frame = Tensor::<4>::from_floats([[[[1.0]], [[0.0]], [[-1.0]]]], &device);
        let input = InputConvention::ImageNet.apply(frame).try_into_vec_as::<f32>().unwrap();
        for (value, golden) in input.iter().zip([2.248_908, 0.196_429, -1.804_444]) {
            assert!((value - golden).abs() < 1e-4, "{input:?}");
        }
    }

    #[test]
    fn the_loss_is_zero_only_for_equal_frames() {
        let device = Device::flex();
        for spec in PERCEPTUAL.iter().filter(|spec| !["vgg19", "vggface"].contains(&spec.name)) {
            let path = models().join(spec.file);
            if !path.is_file() {
                println!("skipped: {} is not here", spec.file);
                continue;
            }
            let network = PerceptualNetwork::load(spec, &models(), &device).unwrap();
            let frame =
                Tensor::<4>::random([1, 3, 64, 64], burn::tensor::Distribution::Uniform(-1.0, 1.0), &device);
            assert!(network.loss(frame.clone(), frame.clone()).into_scalar::<f32>() < f32::EPSILON);
            let loss = network.loss(frame.clone() * 0.5, frame).into_scalar::<f32>();
            assert!(loss > 0.05 && loss.is_finite(), "{}: {loss}", spec.name);
        }
    }

    #[test]
    fn errors_name_file_and_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let spec = perceptual_spec("vgg19").unwrap();
        let load = || PerceptualNetwork::load(spec, folder.path(), &Device::flex()).unwrap_err().to_string();
        assert!(load().contains("cannot access"));
        let path = folder.path().join(spec.file);
        fs::write(&path, b"nonsense").unwrap();
        assert!(load().contains("not a usable weight file"));
        let empty = Vec::<(String, safetensors::tensor::TensorView<'_>)>::new();
        fs::write(&path, safetensors::serialize(empty, None).unwrap()).unwrap();
        assert!(load().ends_with("tensor `conv1_1.weight` is missing"));
        assert!(perceptual_spec("vgg").unwrap_err().to_string().contains("choose one of: vgg16-hed"));
    }

    /// Shape and numbers of every tensor that MobileNetV2 needs up to its second block, all 0.5.
    fn small_network() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let mut tensors = BTreeMap::new();
        let mut add = |name: String, shape: &[usize]| {
            tensors.insert(name, (shape.to_vec(), vec![0.5; shape.iter().product()]));
        };
        for (weight, norm, shape) in [
            ("0.0", "0.1", [32, 3, 3, 3]),
            ("1.conv.0.0", "1.conv.0.1", [32, 1, 3, 3]),
            ("1.conv.1", "1.conv.2", [16, 32, 1, 1]),
        ] {
            add(format!("features.{weight}.weight"), &shape);
            for field in ["weight", "bias", "running_mean", "running_var"] {
                add(format!("features.{norm}.{field}"), &shape[..1]);
            }
        }
        tensors
    }

    fn loaded(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Result<PerceptualNetwork> {
        let folder = tempfile::tempdir().unwrap();
        let spec = PerceptualSpec {
            architecture: Architecture::MobileNetV2 { taps: &[1] },
            ..*perceptual_spec("mobilenet-v2").unwrap()
        };
        let bytes: BTreeMap<&String, Vec<u8>> = tensors
            .iter()
            .map(|(name, (_, values))| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = tensors.iter().map(|(name, (shape, _))| {
            (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap())
        });
        fs::write(folder.path().join(spec.file), safetensors::serialize(views, None).unwrap()).unwrap();
        PerceptualNetwork::load(&spec, folder.path(), &Device::flex())
    }

    #[test]
    fn tensors_of_other_shapes_or_numbers_are_named() {
        let network = loaded(&small_network()).unwrap();
        let frame = Tensor::<4>::ones([1, 3, 32, 32], &Device::flex());
        assert_eq!(network.features(frame)[0].dims(), [1, 16, 16, 16]);
        for (name, shape, value, told) in [
            ("features.0.0.weight", vec![32, 3, 3, 5], 0.5, "has shape [32, 3, 3, 5]"),
            ("features.0.1.weight", vec![31], 0.5, "has shape [31], but the network needs [32]"),
            ("features.0.0.weight", vec![32, 3, 0, 0], 0.5, "has shape"),
            ("features.0.0.weight", vec![32, 27], 0.5, "has shape"),
            ("features.0.1.bias", vec![7], 0.5, "has shape [7], but the network needs [32]"),
            ("features.0.1.running_var", vec![0], 0.5, "has shape [0]"),
            ("features.0.1.running_var", vec![32], -1.0, "variance below 0"),
            ("features.0.1.running_mean", vec![32], f32::NAN, "holds NaN or infinity"),
            ("features.1.conv.0.0.weight", vec![32, 3, 3, 3], 0.5, "has shape"),
            ("features.1.conv.1.weight", vec![16, 16, 1, 1], 0.5, "needs [16, 32, 1, 1]"),
            ("features.1.conv.1.weight", vec![16, 32, 1, 1], f32::INFINITY, "holds NaN or infinity"),
        ] {
            let mut tensors = small_network();
            let count = shape.iter().product();
            tensors.insert(name.to_owned(), (shape, vec![value; count]));
            let message = loaded(&tensors).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(told), "{message}");
        }
    }
}
