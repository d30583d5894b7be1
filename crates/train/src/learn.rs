//! Few-shot learning: a person's own network from 1 to 32 photos (paper §3.4; DESIGN.md §4).
//!
//! ê is the mean embedding of the photos; ψ' = P·ê becomes a parameter, and so does the row w' = w₀ + ê of the
//! discriminator, if the weights bring one. Then G, ψ', D and w' are tuned on pairs of photos (`pairs`): one photo,
//! warped to where the face is in another, shall become the other.
//!
//! Tuning can do harm: a network that sees few frames forgets what it knew of faces, most of all of mouths and eyes
//! (PROTOTYPE.md, few-shot). So some pairs are held back. They decide when to stop, and whether the tuned network is
//! used at all; where it does not beat the untuned one, the avatar is the feed-forward one, and [`Outcome`] says so.
//!
//! What is checked and used lies halfway between the tuned weights and the untuned ones (weight-space ensembles,
//! Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"): it keeps more of what it knew of faces.

mod pairs;
mod person;

use std::sync::atomic::{AtomicBool, Ordering};

use gioconda_avatar::{PersonalNetwork, PortraitWeights, Reference, Tuning};
use gioconda_networks::burn::module::Module;
use gioconda_networks::{Device, Discriminator, Generator, moving_average};

use crate::{Error, Result};
use pairs::Pairs;
use person::{Judge, Person, Tuner};

/// Generator steps when nobody says otherwise. Rates fall to 0 meanwhile: steps at the full rate to the end hurt mouth
/// and eyes (PROTOTYPE.md, few-shot).
pub const DEFAULT_LEARNING_STEPS: u32 = 100;

/// With fewer photos tuning can hardly be checked, and an untuned network is as good a choice (PROTOTYPE.md, few-shot).
pub const FEWEST_PHOTOS_TO_TUNE: usize = 3;

/// The held-back pairs are looked at so many times while tuning.
const CHECKS: u32 = 6;

/// The tuned network must be better than the untuned one by this share of its loss.
const WORTH: f64 = 0.01;

/// The untuned weights' share in those that are used.
const UNTUNED_SHARE: f64 = 0.5;

/// How a person is learned.
#[derive(Clone, Copy, Debug)]
pub struct LearnSettings {
    /// Generator steps, at least 1.
    pub steps: u32,
    /// All chance comes from this number.
    pub seed: u64,
}

impl Default for LearnSettings {
    fn default() -> Self {
        Self { steps: DEFAULT_LEARNING_STEPS, seed: 1 }
    }
}

/// Where learning stands.
#[derive(Clone, Copy, Debug)]
pub struct LearnProgress {
    /// Steps done.
    pub done: u32,
    /// Steps there will be.
    pub total: u32,
    /// The last step's loss.
    pub loss: f64,
}

/// What tuning came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The held-back pairs' loss before tuning.
    pub untuned: f64,
    /// Their least loss while tuning.
    pub tuned: f64,
    /// After how many steps that was; 0 when it never fell.
    pub steps: u32,
    /// What was held back.
    pub check: Check,
    /// Whether the tuned network was taken.
    pub taken: bool,
}

/// What the held-back pairs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// This many photos that were not tuned on.
    Photos(usize),
    /// Warped copies of the photos that were tuned on: with fewer than three photos there is nothing better.
    Copies,
}

/// Tunes a network to the person in `photos`, starting from the feed-forward one. `progress` is called after every
/// step; setting `cancel` ends the work with `gioconda_avatar::Error::Cancelled`. A [`Lesson`] can be gone on with.
///
/// # Errors
/// When the networks cannot be built, the numbers run away, or the user asks to stop.
pub fn learn(
    weights: &PortraitWeights,
    photos: &[Reference],
    settings: &LearnSettings,
    progress: &dyn Fn(LearnProgress),
    cancel: &AtomicBool,
) -> Result<(PersonalNetwork, Outcome)> {
    let mut lesson = Lesson::new(weights, photos, settings)?;
    lesson.go_on(progress, cancel)?;
    Ok(lesson.finish())
}

/// A network on its way to being a person's own. It can be stopped after any step and gone on with.
pub struct Lesson {
    device: Device,
    pairs: Pairs,
    feed_forward: PersonalNetwork,
    person: Person,
    tuner: Tuner,
    before: Person,
    untuned: f64,
    best: Best,
    /// Steps done.
    done: u32,
    steps: u32,
}

/// The network that did best on the held-back pairs.
struct Best {
    loss: f64,
    /// After how many steps.
    steps: u32,
    person: Person,
}

impl Lesson {
    /// Before the first step.
    ///
    /// # Errors
    /// When the networks cannot be built.
    pub fn new(weights: &PortraitWeights, photos: &[Reference], settings: &LearnSettings) -> Result<Self> {
        let device = Device::flex().autodiff();
        device.seed(settings.seed);
        let feed_forward = weights.feed_forward(photos);
        let pairs = Pairs::new(photos, &weights.header().config.generator, settings.seed);
        let generator = Generator::from_weights(weights.generator(), &device)?;
        let person = Person::new(generator, &feed_forward.psi, &device);
        let judge = judge(weights, &feed_forward.embedding, &device)?;
        let tuner = Tuner::new(judge, pairs.check());
        let before = person.valid();
        let untuned = held_back_loss(&pairs, &before);
        let best = Best { loss: untuned, steps: 0, person: before.clone() };
        let steps = settings.steps;
        Ok(Self { device, pairs, feed_forward, person, tuner, before, untuned, best, done: 0, steps })
    }

    /// Steps done.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// Takes the steps that are left, or as many as there are before `cancel` is set.
    ///
    /// # Errors
    /// `gioconda_avatar::Error::Cancelled` when it was stopped; call it again to go on. When the numbers run away.
    pub fn go_on(&mut self, progress: &dyn Fn(LearnProgress), cancel: &AtomicBool) -> Result<()> {
        let every = self.steps.div_ceil(CHECKS);
        while self.done < self.steps {
            if cancel.load(Ordering::Relaxed) {
                return Err(gioconda_avatar::Error::Cancelled.into());
            }
            let left = 1.0 - f64::from(self.done) / f64::from(self.steps);
            let episode = self.pairs.draw().into_episode(&self.device);
            let loss = self.tuner.step(&mut self.person, &episode, left);
            self.done += 1;
            if !loss.is_finite() {
                let reason = "the loss is not a number".to_owned();
                return Err(Error::Diverged { step: u64::from(self.done), reason, checkpoint: None });
            }
            progress(LearnProgress { done: self.done, total: self.steps, loss });
            if self.done.is_multiple_of(every) || self.done == self.steps {
                let person = moving_average(self.before.clone(), &self.person, UNTUNED_SHARE);
                let loss = held_back_loss(&self.pairs, &person);
                if loss < self.best.loss {
                    self.best = Best { loss, steps: self.done, person };
                }
            }
        }
        Ok(())
    }

    /// The network that did best so far, or the untuned one where tuning was not worth it.
    pub fn finish(self) -> (PersonalNetwork, Outcome) {
        let Self { feed_forward, untuned, best: Best { loss: tuned, steps, person }, pairs, .. } = self;
        let taken = steps > 0 && tuned < untuned * (1.0 - WORTH);
        let outcome = Outcome { untuned, tuned, steps, check: pairs.check(), taken };
        if !taken {
            return (feed_forward, outcome);
        }
        let psi = person.psi();
        let tuning = Tuning::Tuned { steps };
        let generator = person.generator.weights();
        (PersonalNetwork { generator, psi, tuning, ..feed_forward }, outcome)
    }
}

/// The discriminator that the weights bring, if they bring one, for the person with embedding ê.
fn judge(weights: &PortraitWeights, embedding: &[f32], device: &Device) -> Result<Option<Judge>> {
    let Some(discriminator) = weights.file().discriminator()? else { return Ok(None) };
    let discriminator = Discriminator::from_weights(&discriminator, device)?;
    Ok(Some(Judge::new(discriminator, embedding, device)))
}

/// The mean reconstruction loss of the held-back pairs; `person` is without gradients.
fn held_back_loss(pairs: &Pairs, person: &Person) -> f64 {
    let losses: Vec<f64> =
        pairs.held_back().map(|pair| person.reconstruction(&pair.into_episode(&Device::flex()))).collect();
    losses.iter().sum::<f64>() / losses.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use gioconda_face::topology::TOPOLOGY;
    use gioconda_face::{HeadPose, LANDMARKS, Landmarks};
    use gioconda_model::{
        DiscriminatorConfig, EmbedderConfig, GeneratorConfig, NetworksConfig, Preset, WeightHeader,
        WeightWriter,
    };
    use gioconda_networks::burn::module::{ModuleMapper, Param};
    use gioconda_networks::burn::tensor::{Distribution, Tensor};
    use gioconda_networks::{Embedder, parameters};
    use gioconda_warp::LANDMARK_PICTURE_VERSION;
    use image::RgbImage;
    use nalgebra::{Rotation3, Vector3};

    const SIZE: u32 = 32;

    /// The canonical face turned by `yaw`, in a picture whose left half is as bright as the face is turned: something
    /// that no warp explains.
    fn photo(yaw: f32) -> Reference {
        let side = SIZE as f32;
        let pose = HeadPose {
            scale: side / 30.0,
            rotation: Rotation3::from_euler_angles(0.0, yaw, 0.0),
            translation: Vector3::new(side / 2.0, -side / 2.0, 0.0),
            residual: 0.0,
        };
        let mut landmarks = Landmarks { points: [Vector3::new(side / 2.0, side / 2.0, 0.0); LANDMARKS] };
        for (point, &vertex) in landmarks.points.iter_mut().zip(&TOPOLOGY.vertices) {
            *point = pose.from_canonical(vertex);
        }
        let light = |x| if x < SIZE / 2 { 90.0 + 150.0 * yaw } else { 140.0 };
        let photo = RgbImage::from_fn(SIZE, SIZE, |x, y| image::Rgb([light(x) as u8, 100, (4 * y) as u8]));
        Reference { photo: Arc::new(photo), landmarks }
    }

    /// Puts noise on every weight: a fresh generator's last layer is zero and hides ψ' from the loss.
    struct Noise;

    impl ModuleMapper for Noise {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.02)))
        }
    }

    fn weights(with_judge: bool) -> PortraitWeights {
        stored(with_judge, |generator| generator)
    }

    fn stored(with_judge: bool, change: impl Fn(Generator) -> Generator) -> PortraitWeights {
        let resolution = SIZE as usize;
        let config = NetworksConfig {
            embedder: EmbedderConfig { widths: vec![4, 8], resolution, self_attention: false },
            generator: GeneratorConfig {
                widths: vec![8, 8],
                residual_blocks: 1,
                embedding: 8,
                resolution,
                ..Preset::Portrait.config().generator
            },
            discriminator: DiscriminatorConfig { widths: vec![4, 8], resolution, self_attention: false },
        };
        let device = Device::flex();
        device.seed(3);
        let header = WeightHeader {
            preset: Preset::Portrait,
            config: config.clone(),
            picture_version: LANDMARK_PICTURE_VERSION,
            composition: Some(gioconda_model::COMPOSITION_VERSION),
            training_data: "none".to_owned(),
            licence: "none".to_owned(),
        };
        let mut writer = WeightWriter::new(header)
            .with("embedder", &parameters(&Embedder::new(&config.embedder, &device).unwrap()))
            .with("generator", &parameters(&change(Generator::new(&config.generator, &device).unwrap())));
        if with_judge {
            writer = writer.with(
                "discriminator",
                &parameters(&Discriminator::new(&config.discriminator, &device).unwrap()),
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, writer.to_bytes(&path).unwrap()).unwrap();
        PortraitWeights::open(&path).unwrap()
    }

    fn learned(photos: &[Reference], steps: u32, with_judge: bool) -> (PersonalNetwork, Outcome) {
        let settings = LearnSettings { steps, ..LearnSettings::default() };
        learn(&weights(with_judge), photos, &settings, &|_| {}, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn several_photos_teach_what_the_mesh_cannot_know() {
        let photos: Vec<Reference> = (0..5_u8).map(|i| photo(0.12 * f32::from(i))).collect();
        let (network, outcome) = learned(&photos, 60, false);
        assert_eq!(outcome.check, Check::Photos(2));
        assert!(outcome.taken && outcome.tuned < outcome.untuned, "{outcome:?}");
        assert_eq!(network.tuning, Tuning::Tuned { steps: outcome.steps });
        assert_eq!(network.psi.len(), network.generator.config().psi_len());
    }

    #[test]
    fn what_does_not_win_is_not_taken() {
        // The photos are all the same: there is nothing to gain.
        let photos = vec![photo(0.0); 4];
        let (network, outcome) = learned(&photos, 2, true);
        assert_eq!(outcome.taken, outcome.steps > 0 && outcome.tuned < outcome.untuned * (1.0 - WORTH));
        assert!(!outcome.taken, "{outcome:?}");
        assert_eq!(network.tuning, Tuning::FeedForward);
        assert_eq!(network.psi, weights(true).feed_forward(&photos).psi);
    }

    #[test]
    fn one_photo_leaves_the_generator_alone() {
        let device = Device::flex().autodiff();
        let weights = stored(true, |generator| generator.map(&mut Noise));
        let mut pairs = Pairs::new(&[photo(0.1)], &weights.header().config.generator, 1);
        assert_eq!(pairs.check(), Check::Copies);
        let feed_forward = weights.feed_forward(&[photo(0.1)]);
        let mut person = Person::new(
            Generator::from_weights(weights.generator(), &device).unwrap(),
            &feed_forward.psi,
            &device,
        );
        let judge = judge(&weights, &feed_forward.embedding, &device).unwrap();
        let mut tuner = Tuner::new(judge, pairs.check());
        let side = SIZE as usize;
        let painted = |person: &Person| {
            let plain = Device::flex();
            let psi = Tensor::<1>::from_floats(feed_forward.psi.as_slice(), &plain).unsqueeze::<2>();
            let output = person.valid().generator.forward(Tensor::ones([1, 10, side, side], &plain), psi);
            output.try_into_vec_as::<f32>().unwrap()
        };
        let before = painted(&person);
        for _ in 0..3 {
            assert!(tuner.step(&mut person, &pairs.draw().into_episode(&device), 1.0).is_finite());
        }
        assert_eq!(painted(&person), before);
        assert_ne!(person.psi(), feed_forward.psi);
    }

    #[test]
    fn the_same_photos_and_seed_teach_the_same() {
        let photos: Vec<Reference> = (0..3_u8).map(|i| photo(0.2 * f32::from(i))).collect();
        let (first, second) = (learned(&photos, 6, true), learned(&photos, 6, true));
        assert_eq!(first.1, second.1);
        assert_eq!(first.0.psi, second.0.psi);
    }

    #[test]
    fn a_stopped_lesson_ends_like_an_uninterrupted_one() {
        let photos: Vec<Reference> = (0..3_u8).map(|i| photo(0.2 * f32::from(i))).collect();
        let settings = LearnSettings { steps: 6, ..LearnSettings::default() };
        let stop = AtomicBool::new(false);
        let mut lesson = Lesson::new(&weights(true), &photos, &settings).unwrap();
        let stopped = lesson.go_on(&|progress| stop.store(progress.done == 4, Ordering::Relaxed), &stop);
        assert!(matches!(stopped, Err(Error::Avatar(gioconda_avatar::Error::Cancelled))));
        assert_eq!(lesson.done(), 4);
        lesson.go_on(&|_| {}, &AtomicBool::new(false)).unwrap();
        let (network, outcome) = lesson.finish();
        let whole = learned(&photos, 6, true);
        assert_eq!(outcome, whole.1);
        assert_eq!(network.psi, whole.0.psi);
    }
}
