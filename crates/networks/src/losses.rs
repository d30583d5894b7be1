//! The losses of meta-learning and few-shot learning (paper §3.3-3.4; DESIGN.md §4).
//!
//! Each function returns one number, `[1]`, unweighted; [`LossWeights`] holds the weights of the paper.

use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Weights of the terms of a generator step. The content term's weights belong to its perceptual networks.
///
/// A term of weight 0 is not computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Hinge term of the generator.
    pub adversarial: f64,
    /// Feature matching.
    pub feature_matching: f64,
    /// |ê - Wᵢ|; 0 for the feed-forward model.
    pub matching: f64,
    /// [`pixel`]; 0 in the paper.
    pub pixel: f64,
    /// [`psnr`], of the frame; 0 in the paper.
    #[serde(default)]
    pub psnr: f64,
    /// [`LandmarkCritic`](crate::LandmarkCritic); 0 in the paper.
    #[serde(default)]
    pub landmarks: f64,
    /// Openings of mouth and eyes, by the same [`LandmarkCritic`](crate::LandmarkCritic); 0 in the paper.
    #[serde(default)]
    pub openings: f64,
    /// [`IdentityCritic`](crate::IdentityCritic); 0 in the paper.
    #[serde(default)]
    pub identity: f64,
    /// What [`pixel`] is made of.
    pub pixel_terms: PixelTerms,
}

/// Weights inside the [`pixel`] loss (PROTOTYPE.md, losses).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelTerms {
    /// How much more a pixel of the face counts than one of the background, which counts 1.
    pub face: f64,
    /// How much more a pixel between the lips counts.
    pub mouth: f64,
    /// How much more a pixel between the lids counts.
    pub eyes: f64,
    /// L1 of horizontal and vertical differences.
    pub edges: f64,
    /// L1 of each of three half-size levels.
    pub pyramid: f64,
    /// The warped photo alone and the painted colour alone, each compared like the frame.
    pub branches: f64,
}

impl PixelTerms {
    /// PROTOTYPE.md's.
    pub const PROTOTYPE: Self =
        Self { face: 2.0, mouth: 6.0, eyes: 8.0, edges: 1.0, pyramid: 1.0, branches: 0.25 };
    /// The shipped network's: PROTOTYPE.md's with a heavier face, mouth and eyes (docs/training-log.md, portrait-3).
    pub const PORTRAIT: Self =
        Self { face: 4.0, mouth: 14.0, eyes: 12.0, edges: 1.0, pyramid: 1.0, branches: 0.25 };
}

impl LossWeights {
    /// The paper's.
    pub const PAPER: Self = Self {
        adversarial: 1.0,
        feature_matching: 10.0,
        matching: 10.0,
        pixel: 0.0,
        psnr: 0.0,
        landmarks: 0.0,
        openings: 0.0,
        identity: 0.0,
        pixel_terms: PixelTerms::PROTOTYPE,
    };
    /// Whether a [`LandmarkCritic`](crate::LandmarkCritic) is asked.
    pub fn judges_landmarks(&self) -> bool {
        self.landmarks > 0.0 || self.openings > 0.0
    }

    /// For the `portrait` preset: PROTOTYPE.md's, with the shipped network's weights of pixels and of the critics of faces
    /// (docs/training-log.md, portrait-9).
    pub const PORTRAIT: Self = Self {
        adversarial: 0.03,
        feature_matching: 1.0,
        matching: 0.0,
        pixel: 1.0,
        psnr: 0.0,
        landmarks: 0.15,
        openings: 0.0,
        identity: 0.1,
        pixel_terms: PixelTerms::PORTRAIT,
    };
}

/// The discriminator's loss: `mean(max(0, 1 + D(x̂))) + mean(max(0, 1 - D(x)))` (paper eq. 6). Scores are linear,
/// `[B]`; the fake frames must have been detached.
pub fn hinge_discriminator(fake: Tensor<1>, real: Tensor<1>) -> Tensor<1> {
    hinge_false(fake) + hinge_true(real)
}

/// The part of [`hinge_discriminator`] that pushes scores `[B]` above 1.
pub fn hinge_true(score: Tensor<1>) -> Tensor<1> {
    activation::relu(-score + 1.0).mean()
}

/// The part of [`hinge_discriminator`] that pushes scores `[B]` below -1.
pub fn hinge_false(score: Tensor<1>) -> Tensor<1> {
    activation::relu(score + 1.0).mean()
}

/// The generator's adversarial loss: `-mean(D(x̂))` (paper eq. 4).
pub fn hinge_generator(fake: Tensor<1>) -> Tensor<1> {
    -fake.mean()
}

/// Mean over the discriminator's blocks of the L1 distance between the features of fake and real frames (paper §3.3,
/// after pix2pixHD). The real ones are constants.
///
/// # Panics
/// When the lists are empty or differ in length.
pub fn feature_matching(fake: &[Tensor<4>], real: &[Tensor<4>]) -> Tensor<1> {
    assert_eq!(fake.len(), real.len(), "fake and real features come from the same discriminator");
    let layers = fake.len() as f64;
    let distances = fake.iter().zip(real).map(|(fake, real)| l1(fake.clone(), real.clone().detach()));
    let sum = distances.reduce(|sum, distance| sum + distance).expect("a discriminator has blocks");
    sum / layers
}

/// The match loss: L1 distance between ê and its row Wᵢ, both `[B, embedding]` (paper §3.3). The row is a constant:
/// it learns in the discriminator's step.
pub fn matching(embedding: Tensor<2>, row: Tensor<2>) -> Tensor<1> {
    l1(embedding, row.detach())
}

/// Mean absolute difference.
pub fn l1<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<1> {
    (a - b).abs().mean()
}

/// Levels of half size that [`pixel`] compares beside the full one.
const PYRAMID_LEVELS: usize = 3;

/// PROTOTYPE.md's reconstruction loss: L1 weighted per pixel, plus L1 of horizontal and vertical differences, plus
/// weighted L1 of three half-size levels.
///
/// `frame` and `target`: `[B, 3, H, W]`; `weights`: `[B, 1, H, W]`, see [`pixel_weights`].
pub fn pixel(frame: Tensor<4>, target: Tensor<4>, weights: Tensor<4>, terms: &PixelTerms) -> Tensor<1> {
    let mut difference = frame - target; // linear: pooling it is pooling both
    let mut weights = weights;
    let edges =
        vertical_steps(difference.clone()).abs().mean() + horizontal_steps(difference.clone()).abs().mean();
    let mut total = (difference.clone().abs() * weights.clone()).mean() + edges * terms.edges;
    for _ in 0..PYRAMID_LEVELS {
        if difference.dims()[2..].iter().any(|size| *size < 2) {
            break;
        }
        difference = halved(difference);
        weights = halved(weights);
        total = total + (difference.clone().abs() * weights.clone()).mean() * terms.pyramid;
    }
    total
}

/// The PSNR loss of image restoration (Chen et al. 2021, HINet): the natural logarithm of 1 and each picture's mean squared
/// error in squared half levels of 255, averaged over pictures; 0 for what is right, and 0.23 for each dB of PSNR. Where [`pixel`]
/// settles on the median of what a pixel may be, this settles on the mean, and a picture that is nearly right counts as much
/// as one that is far off.
///
/// `frame` and `target`: `[B, 3, H, W]`, -1..1; `weights`: `[B, 1, H, W]`, mean 1 per picture.
pub fn psnr(frame: Tensor<4>, target: Tensor<4>, weights: Tensor<4>) -> Tensor<1> {
    /// From frames in -1..1.
    const HALF_LEVELS: f64 = 255.0 * 255.0;
    let squared = ((frame - target).square() * weights).mean_dims(&[1, 2, 3]);
    (squared * HALF_LEVELS + 1.0).log().mean()
}

/// Per-pixel weights from the warp's masks `[B, 4, H, W]` (face, validity, mouth, eyes): `1 + face + mouth + eyes`,
/// each times its term, scaled to mean 1 per picture; `[B, 1, H, W]`.
pub fn pixel_weights(masks: &Tensor<4>, terms: &PixelTerms) -> Tensor<4> {
    let mask = |index| masks.clone().narrow(1, index, 1);
    let weights = mask(0) * terms.face + mask(2) * terms.mouth + mask(3) * terms.eyes + 1.0;
    weights.clone() / weights.mean_dims(&[2, 3])
}

fn halved(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([2, 2]))
}

fn vertical_steps(x: Tensor<4>) -> Tensor<4> {
    let rows = x.dims()[2] - 1;
    x.clone().narrow(2, 1, rows) - x.narrow(2, 0, rows)
}

fn horizontal_steps(x: Tensor<4>) -> Tensor<4> {
    let columns = x.dims()[3] - 1;
    x.clone().narrow(3, 1, columns) - x.narrow(3, 0, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn hinge_is_linear_in_the_score_until_the_margin() {
        let device = Device::flex();
        let scores = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        for (fake, real, expected) in [
            ([-1.0, -7.0], [1.0, 9.0], 0.0),
            ([0.0, 0.0], [0.0, 0.0], 2.0),
            ([3.0, -5.0], [0.5, 1.0], 2.25),
            ([100.0, 100.0], [-100.0, -100.0], 202.0),
        ] {
            let loss = hinge_discriminator(scores(fake), scores(real)).into_scalar::<f32>();
            assert!((loss - expected).abs() < 1e-5, "{fake:?} {real:?}: {loss}");
        }
        assert_eq!(hinge_generator(scores([100.0, -300.0])).try_into_vec_as::<f32>().unwrap(), [100.0]);
    }

    #[test]
    fn feature_matching_is_the_mean_over_layers() {
        let device = Device::flex();
        let map = |value: f32, size| Tensor::<4>::full([1, 1, size, size], value, &device);
        let loss = feature_matching(&[map(1.0, 4), map(5.0, 2)], &[map(0.0, 4), map(2.0, 2)]);
        assert_eq!(loss.try_into_vec_as::<f32>().unwrap(), [2.0]);
    }

    #[test]
    fn each_picture_counts_alike_in_the_psnr_loss() {
        let device = Device::flex();
        let target = Tensor::<4>::zeros([2, 3, 8, 8], &device);
        let weights = Tensor::<4>::ones([2, 1, 8, 8], &device);
        let far = Tensor::<4>::full([1, 3, 8, 8], 0.8, &device);
        let near = Tensor::<4>::full([1, 3, 8, 8], 0.08, &device);
        let loss = |near: Tensor<4>, far: Tensor<4>| {
            let frame = Tensor::cat(vec![near, far], 0);
            psnr(frame, target.clone(), weights.clone()).into_scalar::<f32>()
        };
        // Half the error of either is the same gain, ln 2 of the mean over two: 6 dB of 20 log10 of one picture.
        let before = loss(near.clone(), far.clone());
        let nearer = before - loss(near.clone() * 0.5, far.clone());
        assert!(
            psnr(target.clone(), target.clone(), weights.clone()).into_scalar::<f32>().abs() < f32::EPSILON
        );
        let less_far = before - loss(near, far * 0.5);
        assert!((nearer - 2.0_f32.ln()).abs() < 0.01, "{nearer}");
        assert!((less_far - 2.0_f32.ln()).abs() < 0.01, "{less_far}");
    }

    #[test]
    fn pixel_loss_is_zero_only_for_equal_frames() {
        let device = Device::flex();
        let masks = Tensor::<4>::ones([1, 4, 16, 16], &device);
        let terms = PixelTerms::PROTOTYPE;
        let weights = pixel_weights(&masks, &terms);
        assert!((weights.clone().mean().into_scalar::<f32>() - 1.0).abs() < 1e-5);
        let frame = Tensor::<4>::full([1, 3, 16, 16], 0.5, &device);
        let loss = |frame: Tensor<4>, target: Tensor<4>| {
            pixel(frame, target, weights.clone(), &terms).into_scalar::<f32>()
        };
        assert!(loss(frame.clone(), frame.clone()) < f32::EPSILON);
        // A constant offset of 0.25 has no edges: it counts once per level.
        assert!((loss(frame.clone() + 0.25, frame) - 4.0 * 0.25).abs() < 1e-5);
    }
}
