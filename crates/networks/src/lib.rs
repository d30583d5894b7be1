#![doc = include_str!("../README.md")]

mod attention;
mod block;
mod composition;
mod cpu;
mod critics;
mod device;
mod discriminator;
mod embedder;
mod error;
mod generator;
mod layers;
pub mod losses;
mod onnx;
mod parameters;
mod perceptual;
mod pixel_shuffle;
mod spectral;
mod training;
mod weights;

pub use attention::SelfAttention;
pub use block::ResidualBlock;
pub use burn;
pub use burn::tensor::Device;
pub use composition::{Composition, Warp, compose};
pub use cpu::convolve;
pub use critics::{
    Critics, FaceSquares, IDENTITY_FILE, IDENTITY_SHA256, IdentityCritic, JudgedLandmarks, JudgedOpening,
    LandmarkCritic, Square,
};
pub use device::device;
pub use discriminator::{Discriminator, Verdict, VideoEmbeddings};
pub use embedder::Embedder;
pub use error::{Error, Result};
pub use generator::Generator;
pub use layers::{Conv2d, InstanceNorm, Linear, Psi};
pub use onnx::{ONNX_INPUT, ONNX_OUTPUT, ONNX_PSI, OnnxPsi, export_onnx};
pub use parameters::{GradientMean, average_gradients, moving_average, parameter_count};
pub use perceptual::{
    Architecture, FeatureDistance, InputConvention, PERCEPTUAL, PerceptualNetwork, PerceptualSpec,
    perceptual_spec, unit_length,
};
pub use spectral::SpectralNorm;
pub use training::{
    Episode, Generated, GeneratorLosses, Networks, Windows, discriminator_losses, generate, generator_losses,
};
pub use weights::{load, parameters};
