//! One meta-learning step's losses: which network sees what, and who gets a gradient (paper §3.3).
//!
//! Nothing here knows a device, an optimiser or how many machines there are. A training loop calls
//! [`discriminator_losses`] and [`generator_losses`] on each device's share of the batch, takes
//! `GradientsParams::from_module` of `total.backward()` for the networks the step trains, lets
//! [`average_gradients`](crate::average_gradients) merge them, and steps its optimisers.

use burn::module::Module;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Int, Tensor};

use crate::composition::{Composition, Warp, compose, resized};
use crate::losses::{
    LossWeights, PixelTerms, feature_matching, hinge_discriminator, hinge_false, hinge_generator, hinge_true,
    matching, pixel, pixel_weights, psnr,
};
use crate::{
    Critics, Discriminator, Embedder, FaceSquares, Generator, PerceptualNetwork, Result, Square,
    VideoEmbeddings,
};
use gioconda_model::{NetworksConfig, Output};

/// Everything that meta-learning trains.
#[derive(Module, Debug)]
pub struct Networks {
    /// E.
    pub embedder: Embedder,
    /// G and P.
    pub generator: Generator,
    /// D.
    pub discriminator: Discriminator,
    /// W.
    pub videos: VideoEmbeddings,
}

impl Networks {
    /// Fresh networks, with a row of W for each of `videos` training videos.
    pub fn new(config: &NetworksConfig, videos: usize, device: &Device) -> Result<Self> {
        Ok(Self {
            embedder: Embedder::new(&config.embedder, device)?,
            generator: Generator::new(&config.generator, device)?,
            discriminator: Discriminator::new(&config.discriminator, device)?,
            videos: VideoEmbeddings::new(videos, config.embedder.embedding(), device),
        })
    }

    /// ê of the episode's source frames and the frame that G makes of it, see [`generate`].
    pub fn generate(&self, episode: &Episode) -> Generated {
        generate(&self.embedder, &self.generator, episode)
    }
}

/// ê of the episode's source frames and the frame that the generator makes of it.
///
/// # Panics
/// When the generator composes and the episode brings no warp.
pub fn generate(embedder: &Embedder, generator: &Generator, episode: &Episode) -> Generated {
    let embedding = embedder.forward(episode.source_frames.clone(), episode.source_pictures.clone());
    let known = match &episode.embedding_scale {
        Some(scale) => embedding.clone() * scale.clone(),
        None => embedding.clone(),
    };
    let psi = generator.project(known);
    let (frame, composition) = match generator.config().output {
        Output::Rgb => (generator.forward(episode.picture.clone(), psi), None),
        Output::Composition => {
            let warp = episode.warp.as_ref().expect("episodes of a composing generator bring a warp");
            let output = generator.forward(warp.input(episode.picture.clone()), psi);
            let composition = compose(output, episode.enlarged.as_ref().unwrap_or(warp));
            (composition.frame.clone(), Some(composition))
        }
    };
    Generated { embedding, frame, composition }
}

/// A batch of episodes: K source frames of each of B videos, and one more frame to be made.
#[derive(Clone, Debug)]
pub struct Episode {
    /// `[B, K, 3, h, w]`, RGB in -1..1, at the embedder's resolution.
    pub source_frames: Tensor<5>,
    /// Their landmark pictures, `[B, K, 3, h, w]`.
    pub source_pictures: Tensor<5>,
    /// The real frame x, `[B, 3, F, F]`: H and W are the generator's resolution, and so is F, but for a composing
    /// generator whose frames are [`enlarged`](Self::enlarged).
    pub frame: Tensor<4>,
    /// Its landmark picture, `[B, 3, H, W]`.
    pub picture: Tensor<4>,
    /// Index of each video's row in W, `[B]`.
    pub video: Tensor<1, Int>,
    /// What ê is multiplied by before the generator gets it, `[B, embedding]`: dropout (Srivastava et al. 2014), so that it
    /// looks at its input instead of knowing the people.
    pub embedding_scale: Option<Tensor<2>>,
    /// One source frame warped to x, for a composing generator: what it sees.
    pub warp: Option<Warp>,
    /// The same F pixels wide, if F is not the generator's resolution: what its output is enlarged to and composed with,
    /// as rendering does it at the photo's resolution.
    pub enlarged: Option<Warp>,
    /// The parts of the frames that the perceptual networks compare; all of them if `None`.
    pub windows: Option<Windows>,
    /// Where faces are, for the critics that look at faces; of each episode or of none.
    pub faces: Vec<FaceSquares>,
    /// D judges these windows, at the frames' own size, and not whole frames at the networks' resolution.
    pub judge_windows: bool,
}

impl Episode {
    /// The warp that frames are composed with.
    pub fn composed_with(&self) -> Option<&Warp> {
        self.enlarged.as_ref().or(self.warp.as_ref())
    }

    /// The windows that D judges, if it judges windows.
    fn judged_windows(&self) -> Option<&Windows> {
        self.windows.as_ref().filter(|_| self.judge_windows)
    }

    /// What D sees of frames: their windows, `[B, 3, F, F] -> [B, 3, side, side]`, or all of them at the networks'
    /// resolution, `[B, 3, H, W]`.
    pub fn judged(&self, frames: &Tensor<4>) -> Tensor<4> {
        if let Some(windows) = self.judged_windows() {
            return windows.cut(frames);
        }
        let factor = frames.dims()[2] / self.picture.dims()[2];
        if factor == 1 {
            return frames.clone();
        }
        avg_pool2d(frames.clone(), AvgPoolOptions::new([factor, factor]))
    }

    /// The same part of landmark pictures, `[B, 3, H, W]`.
    fn judged_pictures(&self, pictures: &Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = self.frame.dims();
        match self.judged_windows() {
            Some(windows) => windows.cut(&resized(pictures.clone(), [height, width])),
            None => pictures.clone(),
        }
    }
}

/// A square of each frame of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Pixels.
    pub side: usize,
    /// For each episode the first column and the first row, pixels from the top-left corner.
    pub corners: Vec<[usize; 2]>,
}

impl Windows {
    /// `[B, C, H, W] -> [B, C, side, side]`
    fn cut(&self, frames: &Tensor<4>) -> Tensor<4> {
        let cut = |(index, &[left, top]): (usize, &[usize; 2])| {
            let frame = frames.clone().narrow(0, index, 1);
            frame.narrow(2, top, self.side).narrow(3, left, self.side)
        };
        Tensor::cat(self.corners.iter().enumerate().map(cut).collect(), 0)
    }
}

/// What the generator made of an episode.
#[derive(Clone, Debug)]
pub struct Generated {
    /// ê, `[B, embedding]`.
    pub embedding: Tensor<2>,
    /// x̂, `[B, 3, H, W]`.
    pub frame: Tensor<4>,
    /// The parts of x̂, if the generator composes.
    pub composition: Option<Composition>,
}

/// The terms of a generator step, unweighted except `content` and `total`. Each `[1]`.
#[derive(Debug)]
pub struct GeneratorLosses {
    /// Perceptual terms, each with its network's weight.
    pub content: Tensor<1>,
    /// Hinge.
    pub adversarial: Tensor<1>,
    /// Feature matching.
    pub feature_matching: Tensor<1>,
    /// |ê - Wᵢ|.
    pub matching: Tensor<1>,
    /// Reconstruction of the frame and, if it was composed, of warped photo and colour.
    pub pixel: Tensor<1>,
    /// The frame's squared error, see [`psnr`].
    pub psnr: Tensor<1>,
    /// Where lips and lids are, see [`LandmarkCritic`](crate::LandmarkCritic).
    pub landmarks: Tensor<1>,
    /// How open mouth and eyes are, see [`LandmarkCritic`](crate::LandmarkCritic).
    pub openings: Tensor<1>,
    /// Whose face it is, see [`IdentityCritic`](crate::IdentityCritic).
    pub identity: Tensor<1>,
    /// The weighted sum: call `backward` on it.
    pub total: Tensor<1>,
}

/// The losses that train E, P and G. D and W are constants: they get no gradient. Terms of weight 0 are not computed
/// and read 0: before the discriminator is wanted, it costs nothing.
pub fn generator_losses(
    networks: &Networks,
    episode: &Episode,
    weights: &LossWeights,
    critics: &Critics,
) -> GeneratorLosses {
    let generated = networks.generate(episode);
    let zero = || Tensor::zeros([1], &generated.frame.device());

    let content = content(&generated.frame, episode, &critics.perceptual).unwrap_or_else(zero);
    let pixel = if weights.pixel == 0.0 { zero() } else { pixel_loss(&generated, episode, weights) };
    let psnr = if weights.psnr == 0.0 {
        zero()
    } else {
        let per_pixel = weights_of_pixels(episode, &weights.pixel_terms);
        psnr(generated.frame.clone(), episode.frame.clone(), per_pixel)
    };
    let row = || networks.videos.rows(episode.video.clone()).detach();
    let (adversarial, feature_matching) = if weights.adversarial == 0.0 && weights.feature_matching == 0.0 {
        (zero(), zero())
    } else {
        let discriminator = networks.discriminator.clone().no_grad();
        let pictures = episode.judged_pictures(&episode.picture);
        let judge = |frame: &Tensor<4>| discriminator.forward(episode.judged(frame), pictures.clone(), row());
        let (fake, real) = (judge(&generated.frame), judge(&episode.frame));
        (hinge_generator(fake.score), feature_matching(&fake.features, &real.features))
    };
    let matching =
        if weights.matching == 0.0 { zero() } else { matching(generated.embedding.clone(), row()) };
    let FaceLosses { landmarks, openings, identity } = face_losses(&generated, episode, weights, critics);
    let total = content.clone()
        + adversarial.clone() * weights.adversarial
        + feature_matching.clone() * weights.feature_matching
        + matching.clone() * weights.matching
        + pixel.clone() * weights.pixel
        + psnr.clone() * weights.psnr
        + landmarks.clone() * weights.landmarks
        + openings.clone() * weights.openings
        + identity.clone() * weights.identity;
    GeneratorLosses {
        content,
        adversarial,
        feature_matching,
        matching,
        pixel,
        psnr,
        landmarks,
        openings,
        identity,
        total,
    }
}

/// What the critics of faces say.
struct FaceLosses {
    landmarks: Tensor<1>,
    openings: Tensor<1>,
    identity: Tensor<1>,
}

/// 0 where a critic's weights are, it is not there, or the generator knows no photo.
fn face_losses(
    generated: &Generated,
    episode: &Episode,
    weights: &LossWeights,
    critics: &Critics,
) -> FaceLosses {
    let zero = || Tensor::zeros([1], &generated.frame.device());
    let batch = episode.frame.dims()[0];
    assert!(episode.faces.is_empty() || episode.faces.len() == batch, "faces of each episode or of none");
    let (landmarks, openings) = match &critics.landmarks {
        Some(critic) if weights.judges_landmarks() && !episode.faces.is_empty() => {
            let squares: Vec<Square> = episode.faces.iter().map(|face| face.landmarks).collect();
            let made = critic.landmarks(&generated.frame, &squares);
            let real = critic.landmarks(&episode.frame.clone().detach(), &squares).detach();
            let term = |weight: f64, loss: &dyn Fn() -> Tensor<1>| if weight > 0.0 { loss() } else { zero() };
            (
                term(weights.landmarks, &|| critic.apart(&made, &real)),
                term(weights.openings, &|| critic.unequally_open(&made, &real)),
            )
        }
        _ => (zero(), zero()),
    };
    let identity = match (&critics.identity, episode.composed_with()) {
        (Some(critic), Some(warp)) if weights.identity > 0.0 && !episode.faces.is_empty() => {
            critic.loss(&generated.frame, &episode.faces, &warp.photo)
        }
        _ => zero(),
    };
    FaceLosses { landmarks, openings, identity }
}

/// The perceptual terms, each times its network's weight.
fn content(frame: &Tensor<4>, episode: &Episode, perceptual: &[PerceptualNetwork]) -> Option<Tensor<1>> {
    let cut = |frame: &Tensor<4>| match &episode.windows {
        Some(windows) => windows.cut(frame),
        None => frame.clone(),
    };
    let terms = perceptual
        .iter()
        .map(|network| network.loss(cut(frame), cut(&episode.frame)) * network.spec().weight);
    terms.reduce(|sum, term| sum + term)
}

/// How much each pixel of the frame counts, `[B, 1, H, W]`: all alike where no face is known.
fn weights_of_pixels(episode: &Episode, terms: &PixelTerms) -> Tensor<4> {
    let [batch, _, height, width] = episode.frame.dims();
    match episode.composed_with() {
        Some(warp) => pixel_weights(&warp.masks, terms),
        None => Tensor::ones([batch, 1, height, width], &episode.frame.device()),
    }
}

/// The reconstruction loss of the frame and of the parts it was composed of.
fn pixel_loss(generated: &Generated, episode: &Episode, weights: &LossWeights) -> Tensor<1> {
    let terms = &weights.pixel_terms;
    let per_pixel = weights_of_pixels(episode, terms);
    let distance = |made: &Tensor<4>| pixel(made.clone(), episode.frame.clone(), per_pixel.clone(), terms);
    let frame = distance(&generated.frame);
    match &generated.composition {
        Some(parts) => frame + (distance(&parts.warped) + distance(&parts.colour)) * terms.branches,
        None => frame,
    }
}

/// The loss that trains D and W, `[1]`. The fake frame is a constant: E, P and G get no gradient.
///
/// `mismatched`, 0..1, is the share of a second kind of false pair beside made frames: real frames with the landmark picture
/// of another frame (Reed et al. 2016, matching-aware discriminator, where it is a half). Without it, 0 as in the paper,
/// nothing but G's mistakes teaches D to look at landmarks. True and false pairs always weigh the same: were there more of
/// the false, a D that calls everything false would lose nothing by it and stop learning.
pub fn discriminator_losses(networks: &Networks, episode: &Episode, mismatched: f64) -> Tensor<1> {
    let made = networks.valid().generate(episode).frame.detach();
    let row = networks.videos.rows(episode.video.clone());
    let judge = |frame: &Tensor<4>, picture: &Tensor<4>| {
        let pictures = episode.judged_pictures(picture);
        networks.discriminator.forward(episode.judged(frame), pictures, row.clone()).score
    };
    let (made, real) = (judge(&made, &episode.picture), judge(&episode.frame, &episode.picture));
    if mismatched == 0.0 {
        return hinge_discriminator(made, real);
    }
    let other = episode.source_pictures.clone().narrow(1, 0, 1).squeeze_dim(1); // [B, 3, H, W]
    let mismatch = judge(&episode.frame, &other);
    hinge_true(real) + hinge_false(made) * (1.0 - mismatched) + hinge_false(mismatch) * mismatched
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::optim::GradientsParams;
    use burn::tensor::Distribution;
    use gioconda_model::{DiscriminatorConfig, EmbedderConfig, GeneratorConfig, Preset};

    fn tiny(preset: Preset) -> NetworksConfig {
        let config = preset.config();
        let embedder = EmbedderConfig { widths: vec![4, 8], resolution: 16, self_attention: false };
        let widths = embedder.widths.clone();
        NetworksConfig {
            generator: GeneratorConfig {
                widths: vec![4, 8],
                embedding: 8,
                resolution: 16,
                ..config.generator
            },
            discriminator: DiscriminatorConfig { widths, resolution: 16, self_attention: false },
            embedder,
        }
    }

    #[test]
    fn false_pairs_of_both_kinds_weigh_as_much_as_true_ones() {
        let device = Device::flex();
        device.seed(3); // now and then D's first weights score every false pair below -1, where the hinge tells them no more apart
        let networks = Networks::new(&tiny(Preset::Portrait), 2, &device).unwrap();
        let episode = episode(Preset::Portrait, &device);
        let loss = |share: f64| discriminator_losses(&networks, &episode, share).into_scalar::<f32>();
        let (made, both, mismatched) = (loss(0.0), loss(0.5), loss(1.0));
        assert!((both - f32::midpoint(made, mismatched)).abs() < 1e-5, "{made} {both} {mismatched}");
        assert!((made - mismatched).abs() > 1e-6, "{made} {mismatched}");
    }

    fn episode(preset: Preset, device: &Device) -> Episode {
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        let shots = || random([6, 3, 16, 16]).reshape([2, 3, 3, 16, 16]);
        let warp = Warp {
            photo: random([2, 3, 16, 16]),
            grid: random([2, 16, 16, 2]),
            masks: random([2, 4, 16, 16]).abs(),
            painted: None,
        };
        Episode {
            source_frames: shots(),
            source_pictures: shots(),
            frame: random([2, 3, 16, 16]),
            picture: random([2, 3, 16, 16]),
            video: Tensor::from_ints([1, 0], device),
            embedding_scale: None,
            warp: (preset == Preset::Portrait).then_some(warp),
            enlarged: None,
            windows: None,
            faces: Vec::new(),
            judge_windows: false,
        }
    }

    #[test]
    fn enlarged_frames_are_composed_and_compared_at_their_own_size() {
        let device = Device::flex();
        let networks = Networks::new(&tiny(Preset::Portrait), 2, &device).unwrap();
        let large =
            |channels| Tensor::<4>::random([2, channels, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let enlarged = Warp {
            photo: large(3),
            grid: large(2).reshape([2, 32, 32, 2]),
            masks: large(4).abs(),
            painted: None,
        };
        // An untrained generator makes the bare warp, each step of the way.
        let frame = enlarged.warped();
        let episode =
            Episode { frame: frame.clone(), enlarged: Some(enlarged), ..episode(Preset::Portrait, &device) };
        let made = networks.generate(&episode).frame;
        assert_eq!(made.dims(), [2, 3, 32, 32]);
        assert!((made - frame).abs().max().into_scalar::<f32>() < 1e-3);
        let losses = generator_losses(&networks, &episode, &LossWeights::PORTRAIT, &Critics::default());
        assert!(losses.pixel.into_scalar::<f32>() < 1e-2);
        // D looks at it at its own resolution, where it is the mean of its pixels.
        let reduced = episode.judged(&episode.frame);
        assert_eq!(reduced.dims(), [2, 3, 16, 16]);
        let difference = (reduced.mean() - episode.frame.mean()).abs().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn windows_are_judged_at_the_frames_own_size() {
        let device = Device::flex();
        let ramp = Tensor::<1, Int>::arange(0..32 * 32, &device).float().reshape([1, 1, 32, 32]);
        let episode = Episode {
            frame: ramp.expand([2, 3, 32, 32]),
            windows: Some(Windows { side: 8, corners: vec![[3, 5], [24, 0]] }),
            judge_windows: true,
            ..episode(Preset::Portrait, &device)
        };
        let judged = episode.judged(&episode.frame);
        assert_eq!(judged.dims(), [2, 3, 8, 8]);
        let first =
            |index: usize| judged.clone().slice([index..index + 1, 0..1, 0..1, 0..1]).into_scalar::<f32>();
        assert_eq!((first(0), first(1)), ((5 * 32 + 3) as f32, 24.0));
        assert_eq!(episode.judged_pictures(&episode.picture).dims(), [2, 3, 8, 8]);
        let whole = Episode { judge_windows: false, ..episode };
        assert_eq!(whole.judged(&whole.frame).dims(), [2, 3, 16, 16]);
    }

    #[test]
    fn a_hidden_embedding_says_nothing() {
        let device = Device::flex();
        let networks = Networks::new(&tiny(Preset::Paper), 2, &device).unwrap();
        let one = episode(Preset::Paper, &device);
        let other = Episode { source_frames: -one.source_frames.clone(), ..one.clone() };
        let apart = |scale: Option<f32>| {
            let frames = [&one, &other].map(|episode| {
                let embedding_scale = scale.map(|scale| Tensor::full([2, 8], scale, &device));
                networks.generate(&Episode { embedding_scale, ..episode.clone() }).frame
            });
            let [a, b] = frames;
            (a - b).abs().max().into_scalar::<f32>()
        };
        assert!(apart(Some(0.0)) < 1e-6);
        assert!(apart(None) > 1e-6 && (apart(None) - apart(Some(1.0))).abs() < 1e-6);
    }

    #[test]
    fn each_step_trains_its_own_networks_only() {
        let device = Device::flex().autodiff();
        for preset in Preset::ALL {
            let networks = Networks::new(&tiny(preset), 2, &device).unwrap();
            let episode = episode(preset, &device);

            let mut gradients = discriminator_losses(&networks, &episode, 0.5).backward();
            assert_eq!(
                GradientsParams::from_module(&mut gradients, &networks.generator).len(),
                0,
                "{preset}"
            );
            assert_eq!(GradientsParams::from_module(&mut gradients, &networks.embedder).len(), 0, "{preset}");
            assert!(!GradientsParams::from_module(&mut gradients, &networks.discriminator).is_empty());
            assert_eq!(GradientsParams::from_module(&mut gradients, &networks.videos).len(), 1, "{preset}");

            let losses = generator_losses(&networks, &episode, &LossWeights::PAPER, &Critics::default());
            let mut gradients = losses.total.backward();
            assert!(!GradientsParams::from_module(&mut gradients, &networks.generator).is_empty());
            assert!(!GradientsParams::from_module(&mut gradients, &networks.embedder).is_empty());
            assert_eq!(GradientsParams::from_module(&mut gradients, &networks.discriminator).len(), 0);
            assert_eq!(GradientsParams::from_module(&mut gradients, &networks.videos).len(), 0, "{preset}");
        }
    }

    #[test]
    fn the_total_is_the_weighted_sum() {
        let device = Device::flex().autodiff();
        let networks = Networks::new(&tiny(Preset::Portrait), 2, &device).unwrap();
        let weights = LossWeights {
            adversarial: 2.0,
            feature_matching: 3.0,
            matching: 5.0,
            pixel: 7.0,
            psnr: 11.0,
            ..LossWeights::PORTRAIT
        };
        let losses =
            generator_losses(&networks, &episode(Preset::Portrait, &device), &weights, &Critics::default());
        let value = |loss: &Tensor<1>| loss.clone().into_scalar::<f32>();
        let expected = 2.0 * value(&losses.adversarial)
            + 3.0 * value(&losses.feature_matching)
            + 5.0 * value(&losses.matching)
            + 7.0 * value(&losses.pixel)
            + 11.0 * value(&losses.psnr);
        assert!((value(&losses.total) - expected).abs() < 1e-3 * expected.abs());
        assert!(value(&losses.pixel) > 0.0 && value(&losses.psnr) > 0.0);
    }
}
