//! How different two pictures look to a classifier's features.
//!
//! Zhang et al. 2018 (LPIPS): at each place of five layers the feature vector is brought to length 1; what differs is
//! squared, weighted and summed over channels, averaged over the picture and summed over layers. With the original VGG16
//! and LPIPS' own channel weights that is LPIPS; with VGG16-HED, whose weights may be had freely, and all channels alike,
//! it is called what it is.

use std::path::{Path, PathBuf};

use gioconda_model::network_input::planes;
use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::{
    Architecture, Device, FeatureDistance, InputConvention, PerceptualNetwork, PerceptualSpec,
    perceptual_spec, unit_length,
};
use image::RgbImage;
use safetensors::{Dtype, SafeTensors};

use crate::planes::Weights;
use crate::{Error, Result, files};

/// torchvision's VGG16, which LPIPS stands on; not to be had here, used where a user puts it beside the others.
const VGG16: PerceptualSpec = PerceptualSpec {
    name: "vgg16",
    file: "vgg16.safetensors",
    architecture: Architecture::Vgg {
        convolutions: [2, 2, 3, 3, 3],
        taps: &[(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)],
    },
    convention: InputConvention::ImageNet,
    distance: FeatureDistance::UnitLength,
    weight: 1.0,
};

/// `ImageNet` features for the Fréchet distance: 96 channels at a sixteenth of the resolution.
const MOBILENET: PerceptualSpec = PerceptualSpec {
    name: "mobilenet-v2",
    file: "mobilenet_v2.safetensors",
    architecture: Architecture::MobileNetV2 { taps: &[13] },
    convention: InputConvention::ImageNet,
    distance: FeatureDistance::Relative,
    weight: 1.0,
};

/// LPIPS' weights of channels.
const LPIPS_HEADS: &str = "lpips_vgg_lin.safetensors";

/// Largest file of these weights that is read, bytes; the published one has a few thousand.
const LARGEST_HEADS: u64 = 1 << 20;

/// Channels of the five layers that it weighs.
const LPIPS_CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// Keeps vectors of length 0 from being divided by it (`lpips/__init__.py`).
const LEAST_LENGTH: f32 = 1e-10;

/// A perceptual distance.
pub(crate) struct PerceptualDistance {
    network: PerceptualNetwork,
    /// Of each layer the weights of its channels, `[1, C, 1, 1]`; none: all 1.
    heads: Option<Vec<Tensor<4>>>,
}

/// A picture's features, brought to length 1.
pub(crate) struct Features(Vec<Tensor<4>>);

/// The freely available VGG16 of HED, which training may look at as well.
fn hed() -> &'static PerceptualSpec {
    perceptual_spec("vgg16-hed-lpips").expect("the network's row is there")
}

/// Which files of the folder of models a distance needs.
pub(crate) fn hed_files(models: &Path) -> Vec<PathBuf> {
    vec![models.join(hed().file)]
}

/// Likewise for LPIPS.
pub(crate) fn lpips_files(models: &Path) -> Vec<PathBuf> {
    vec![models.join(VGG16.file), models.join(LPIPS_HEADS)]
}

/// Likewise for the Fréchet distance.
pub(crate) fn frechet_files(models: &Path) -> Vec<PathBuf> {
    vec![models.join(MOBILENET.file)]
}

impl PerceptualDistance {
    /// VGG16-HED, all channels alike.
    pub(crate) fn hed(models: &Path) -> Result<Self> {
        Ok(Self { network: PerceptualNetwork::load(hed(), models, &Device::flex())?, heads: None })
    }

    /// LPIPS itself.
    pub(crate) fn lpips(models: &Path) -> Result<Self> {
        let network = PerceptualNetwork::load(&VGG16, models, &Device::flex())?;
        Ok(Self { network, heads: Some(lpips_heads(&models.join(LPIPS_HEADS))?) })
    }

    /// The features of a picture.
    pub(crate) fn features(&self, picture: &RgbImage) -> Features {
        Features(
            self.network
                .features(tensor(picture))
                .into_iter()
                .map(|features| unit_length(features, LEAST_LENGTH))
                .collect(),
        )
    }

    /// The distance over the whole picture, and over what each of `weights` covers (sides a multiple of 16).
    pub(crate) fn distances(&self, a: &Features, b: &Features, weights: &[&Weights]) -> Vec<Option<f64>> {
        let mut sums = vec![Some(0.0); weights.len()];
        for (layer, (a, b)) in a.0.iter().zip(&b.0).enumerate() {
            let head = self.heads.as_ref().map(|heads| heads[layer].clone());
            let (map, [height, width]) = difference_map(a, b, head);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                let mean = weights.reduced(width, height).mean(map.iter().map(|&value| f64::from(value)));
                *sum = sum.zip(mean).map(|(sum, mean)| sum + mean);
            }
        }
        sums
    }
}

/// Squared differences, summed over channels: `[H * W]`, and H and W.
fn difference_map(a: &Tensor<4>, b: &Tensor<4>, head: Option<Tensor<4>>) -> (Vec<f32>, [usize; 2]) {
    let difference = a.clone() - b.clone();
    let squared = difference.clone() * difference;
    let weighted = match head {
        Some(head) => squared * head,
        None => squared,
    };
    let [_, _, height, width] = weighted.dims();
    (numbers(weighted.sum_dim(1)), [height, width])
}

fn lpips_heads(path: &Path) -> Result<Vec<Tensor<4>>> {
    let bytes = files::read(path, LARGEST_HEADS, "fetch it again")?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| Error::file(path, format!("is no safetensors file ({error}); fetch it again")))?;
    let head = |(layer, channels): (usize, usize)| {
        let name = format!("lin{layer}.model.1.weight");
        let view =
            file.tensor(&name).map_err(|_| Error::file(path, format!("holds no {name}; fetch it again")))?;
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let sound = view.shape() == [1, channels, 1, 1] && view.dtype() == Dtype::F32;
        if !sound || !values.iter().all(|value| value.is_finite()) {
            let what = format!("its {name} is not {channels} numbers of type F32; fetch it again");
            return Err(Error::file(path, what));
        }
        Ok(Tensor::from_data(TensorData::new(values, [1, channels, 1, 1]), &Device::flex()))
    };
    LPIPS_CHANNELS.into_iter().enumerate().map(head).collect()
}

/// The features of the Fréchet distance.
pub(crate) struct FrechetFeatures(PerceptualNetwork);

impl FrechetFeatures {
    pub(crate) fn load(models: &Path) -> Result<Self> {
        Ok(Self(PerceptualNetwork::load(&MOBILENET, models, &Device::flex())?))
    }

    /// `[96]` means of the channels over the picture.
    pub(crate) fn of(&self, picture: &RgbImage) -> Vec<f64> {
        let maps = self.0.features(tensor(picture));
        let means = maps.into_iter().map(|map| map.mean_dim(2).mean_dim(3));
        means.flat_map(numbers).map(f64::from).collect()
    }
}

fn tensor(picture: &RgbImage) -> Tensor<4> {
    let shape = [1, 3, picture.height() as usize, picture.width() as usize];
    Tensor::from_data(TensorData::new(planes(picture), shape), &Device::flex())
}

fn numbers(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("networks are made of f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, number, rows};

    #[test]
    fn a_layer_agrees_with_lpips() {
        let fixtures = fixtures::metrics();
        let features = |name: &str| {
            let values: Vec<f32> = rows(&fixtures, name)[0].iter().map(|&value| value as f32).collect();
            unit_length(
                Tensor::from_data(TensorData::new(values, [1, 5, 4, 3]), &Device::flex()),
                LEAST_LENGTH,
            )
        };
        let (map, [height, width]) = difference_map(&features("lpips_a"), &features("lpips_b"), None);
        let mean = f64::from(map.iter().sum::<f32>()) / (width * height) as f64;
        assert!((mean - number(&fixtures, "lpips")).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn zero_for_the_same_and_symmetric() {
        let models = gioconda_testkit::repository("../shared/models");
        if !hed_files(&models).iter().all(|file| file.is_file()) {
            println!("skipped: {} is not here", hed().file);
            return;
        }
        let distance = PerceptualDistance::hed(&models).unwrap();
        let picture = |other| image::imageops::crop_imm(&fixtures::picture(other), 0, 0, 64, 64).to_image();
        let (a, b) = (distance.features(&picture(false)), distance.features(&picture(true)));
        let whole = Weights::whole(64, 64);
        let between = |a, b| distance.distances(a, b, &[&whole])[0].unwrap();
        assert!(between(&a, &a) < 1e-9);
        assert!((between(&a, &b) - between(&b, &a)).abs() < 1e-6 && between(&a, &b) > 0.01);
    }
}
