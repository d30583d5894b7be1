//! Agreement with PyTorch: every block, every network, and the losses and gradients of one training step, against
//! fixtures that `reference-tests/make_fixtures.py` computed with PyTorch's own layers.

use std::path::{Path, PathBuf};

use gioconda_model::{BlockConfig, NetworksConfig, Norm, Preset, Resample, WeightFile};
use gioconda_networks::burn::module::{Module, ModuleVisitor, Param};
use gioconda_networks::burn::optim::GradientsParams;
use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::losses::LossWeights;
use gioconda_networks::{
    Architecture, Conv2d, Critics, Device, Discriminator, Embedder, Episode, FeatureDistance, Generator,
    InputConvention, Networks, PerceptualNetwork, PerceptualSpec, Psi, ResidualBlock, SpectralNorm,
    VideoEmbeddings, Warp, compose, discriminator_losses, generator_losses, load,
};
use safetensors::SafeTensors;

/// The largest difference, relative to the largest value.
const TOLERANCE: f32 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

struct Fixture {
    weights: WeightFile,
    bytes: Vec<u8>,
}

impl Fixture {
    fn open(name: &str) -> Self {
        let path = fixtures().join(format!("{name}.safetensors"));
        Self { weights: WeightFile::open(&path).unwrap(), bytes: std::fs::read(&path).unwrap() }
    }

    /// The tensor `io.name`.
    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(&format!("io.{name}")).unwrap();
        let (chunks, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Tensor::from_data(TensorData::new(values, view.shape().to_vec()), device)
    }

    fn assert_close<const D: usize>(&self, name: &str, found: Tensor<D>) {
        let expected = self.tensor::<D>(name, &Device::flex());
        let found = found.without_autodiff();
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let largest = expected.clone().abs().max().into_scalar::<f32>();
        let difference = (found - expected).abs().max().into_scalar::<f32>();
        assert!(difference <= TOLERANCE * largest, "{name}: off by {difference}, values up to {largest}");
    }
}

#[test]
fn blocks() {
    let cases = [
        ("first", 3, 8, Resample::Pool, Norm::None, false, true, false),
        ("pool", 8, 12, Resample::Pool, Norm::None, true, true, false),
        ("pool_affine", 8, 12, Resample::Pool, Norm::Affine, true, true, false),
        ("keep", 8, 8, Resample::Keep, Norm::None, true, true, false),
        ("keep_adaptive", 8, 8, Resample::Keep, Norm::Adaptive, true, true, false),
        ("up_adaptive", 8, 4, Resample::Up, Norm::Adaptive, true, true, false),
        ("stride_affine", 8, 12, Resample::Stride, Norm::Affine, true, false, false),
        ("attention", 8, 16, Resample::Pool, Norm::None, true, true, true),
    ];
    let fixture = Fixture::open("blocks");
    let device = Device::flex().autodiff();
    for (name, input, output, resample, norm, leading_relu, spectral_norm, self_attention) in cases {
        let config =
            BlockConfig { input, output, resample, norm, leading_relu, spectral_norm, self_attention };
        let block = load(&fixture.weights, name, ResidualBlock::new(config, &device)).unwrap();
        let io = |part: &str| format!("{name}.{part}");
        let x = fixture.tensor::<4>(&io("x"), &device).require_grad();
        let psi = (norm == Norm::Adaptive).then(|| fixture.tensor::<2>(&io("psi"), &device).require_grad());
        let out = match &psi {
            Some(psi) => block.forward_adaptive(x.clone(), &mut Psi::new(psi.clone())),
            None => block.forward(x.clone()),
        };
        fixture.assert_close(&io("out"), out.clone());
        let gradients = out.square().sum().backward();
        fixture.assert_close(&io("x_gradient"), x.grad(&gradients).unwrap());
        if let Some(psi) = psi {
            fixture.assert_close(&io("psi_gradient"), psi.grad(&gradients).unwrap());
        }
        let mut weight = FindGradient {
            path: Vec::new(),
            found: GradientsParams::from_grads(gradients, &block),
            fixture: &fixture,
            name,
        };
        block.visit(&mut weight);
    }
}

/// Compares the gradient of `conv1.weight`.
struct FindGradient<'a> {
    path: Vec<String>,
    found: GradientsParams,
    fixture: &'a Fixture,
    name: &'a str,
}

impl ModuleVisitor for FindGradient<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.join(".") == "conv1.weight" {
            let gradient = self.found.get::<D>(param.id).unwrap();
            self.fixture.assert_close(&format!("{}.weight_gradient", self.name), gradient);
        }
    }
}

#[test]
fn one_power_iteration() {
    let fixture = Fixture::open("spectral_norm");
    let device = Device::flex();
    let conv = || Conv2d::new(5, 7, 3, &device).bias().spectral_norm();
    let before = load(&fixture.weights, "before", conv()).unwrap();
    let after = load(&fixture.weights, "after", conv()).unwrap();
    let stepped = before.power_iteration();
    let expected = after.singular_vector().unwrap();
    let difference = (stepped.singular_vector().unwrap() - expected).abs().max().into_scalar::<f32>();
    assert!(difference < 1e-5, "{difference}");
    fixture.assert_close("out", stepped.forward(fixture.tensor("x", &device)));
}

fn networks(fixture: &Fixture, device: &Device) -> Networks {
    let config: &NetworksConfig = &fixture.weights.header().config;
    let file = &fixture.weights;
    Networks {
        embedder: load(file, "embedder", Embedder::new(&config.embedder, device).unwrap()).unwrap(),
        generator: load(file, "generator", Generator::new(&config.generator, device).unwrap()).unwrap(),
        discriminator: load(
            file,
            "discriminator",
            Discriminator::new(&config.discriminator, device).unwrap(),
        )
        .unwrap(),
        videos: load(file, "videos", VideoEmbeddings::new(3, 12, device)).unwrap(),
    }
}

fn episode(fixture: &Fixture, preset: Preset, device: &Device) -> Episode {
    Episode {
        source_frames: fixture.tensor("frames", device),
        source_pictures: fixture.tensor("pictures", device),
        frame: fixture.tensor("frame", device),
        picture: fixture.tensor("picture", device),
        video: Tensor::from_ints([2, 0], device),
        embedding_scale: None,
        faces: Vec::new(),
        warp: (preset == Preset::Portrait).then(|| Warp {
            photo: fixture.tensor("photo", device),
            grid: fixture.tensor("grid", device),
            masks: fixture.tensor("masks", device),
            painted: None,
        }),
        enlarged: None,
        windows: None,
        judge_windows: false,
    }
}

#[test]
fn every_network() {
    let device = Device::flex();
    for preset in Preset::ALL {
        let fixture = Fixture::open(preset.name());
        assert_eq!(fixture.weights.header().preset, preset);
        let networks = networks(&fixture, &device);
        let episode = episode(&fixture, preset, &device);

        let generated = networks.generate(&episode);
        fixture.assert_close("embedding", generated.embedding.clone());
        fixture.assert_close("fake", generated.frame);
        let psi = networks.generator.project(generated.embedding);
        fixture.assert_close("psi", psi.clone());
        let input = match &episode.warp {
            Some(warp) => warp.input(episode.picture.clone()),
            None => episode.picture.clone(),
        };
        let output = networks.generator.forward(input, psi);
        fixture.assert_close("output", output.clone());
        if let Some(warp) = &episode.warp {
            let larger = Warp { grid: fixture.tensor("large_grid", &device), ..warp.clone() };
            fixture.assert_close("large_frame", compose(output, &larger).frame);
        }

        let rows = networks.videos.rows(episode.video.clone());
        fixture.assert_close("rows", rows.clone());
        let verdict = networks.discriminator.forward(episode.frame, episode.picture, rows);
        fixture.assert_close("real_score", verdict.score);
        for (index, feature) in verdict.features.into_iter().enumerate() {
            fixture.assert_close(&format!("features.{index}"), feature);
        }
    }
}

fn perceptual(device: &Device) -> Vec<PerceptualNetwork> {
    let vgg = PerceptualSpec {
        name: "vgg",
        file: "vgg.safetensors",
        architecture: Architecture::Vgg {
            convolutions: [2, 2, 3, 3, 1],
            taps: &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)],
        },
        convention: InputConvention::Caffe,
        distance: FeatureDistance::Absolute,
        weight: 0.15,
    };
    let mobilenet = PerceptualSpec {
        name: "mobilenet",
        file: "mobilenet.safetensors",
        architecture: Architecture::MobileNetV2 { taps: &[1, 3, 6] },
        convention: InputConvention::ImageNet,
        distance: FeatureDistance::Relative,
        weight: 0.3,
    };
    [vgg, mobilenet].iter().map(|spec| PerceptualNetwork::load(spec, &fixtures(), device).unwrap()).collect()
}

#[test]
fn one_training_step() {
    let device = Device::flex().autodiff();
    for preset in Preset::ALL {
        let fixture = Fixture::open(preset.name());
        let networks = networks(&fixture, &device);
        let episode = episode(&fixture, preset, &device);

        let loss = discriminator_losses(&networks, &episode, 0.0);
        fixture.assert_close("discriminator_loss", loss.clone());
        let mut gradients = loss.backward();
        let discriminator = GradientsParams::from_module(&mut gradients, &networks.discriminator);
        fixture.assert_close("discriminator_gradient", norm(&networks.discriminator, discriminator));
        let videos = GradientsParams::from_module(&mut gradients, &networks.videos);
        fixture.assert_close("videos_gradient", norm(&networks.videos, videos));

        // The twin reconstructs composed frames only.
        let pixel = if preset == Preset::Portrait { 2.0 } else { 0.0 };
        let weights = LossWeights { pixel, ..LossWeights::PAPER };
        let critics =
            Critics { perceptual: perceptual(&device.clone().without_autodiff()), ..Critics::default() };
        let losses = generator_losses(&networks, &episode, &weights, &critics);
        fixture.assert_close("loss.content", losses.content);
        fixture.assert_close("loss.adversarial", losses.adversarial);
        fixture.assert_close("loss.feature_matching", losses.feature_matching);
        fixture.assert_close("loss.matching", losses.matching);
        if preset == Preset::Portrait {
            fixture.assert_close("loss.pixel", losses.pixel);
        }
        fixture.assert_close("loss.total", losses.total.clone());
        let mut gradients = losses.total.backward();
        let embedder = GradientsParams::from_module(&mut gradients, &networks.embedder);
        fixture.assert_close("embedder_gradient", norm(&networks.embedder, embedder));
        let generator = GradientsParams::from_module(&mut gradients, &networks.generator);
        fixture.assert_close("generator_gradient", norm(&networks.generator, generator));
    }
}

/// The length of a whole network's gradient.
fn norm<M: Module>(module: &M, gradients: GradientsParams) -> Tensor<1> {
    let mut sum = SumOfSquares { gradients, sum: Tensor::zeros([1], &Device::flex()) };
    module.visit(&mut sum);
    sum.sum.sqrt()
}

struct SumOfSquares {
    gradients: GradientsParams,
    sum: Tensor<1>,
}

impl ModuleVisitor for SumOfSquares {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum = self.sum.clone() + gradient.square().sum();
        }
    }
}
