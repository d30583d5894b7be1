//! What few-shot learning tunes, and one step of it.

use gioconda_networks::burn;
use gioconda_networks::burn::module::{Module, Param};
use gioconda_networks::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::losses::{
    LossWeights, feature_matching, hinge_discriminator, hinge_generator, pixel, pixel_weights,
};
use gioconda_networks::{
    Composition, Device, Discriminator, Episode, Generator, SpectralNorm, Verdict, compose,
};

use super::Check;

/// Adam's rates at the first step for G with ψ' and for D with w' (PROTOTYPE.md, few-shot; D four times as fast as in
/// the paper).
const GENERATOR_RATE: f64 = 2e-4;
const DISCRIMINATOR_RATE: f64 = 8e-4;
/// Adam's decays (PROTOTYPE.md, losses).
const BETAS: (f32, f32) = (0.5, 0.99);

/// G and ψ'.
#[derive(Module, Debug)]
pub(super) struct Person {
    pub(super) generator: Generator,
    /// `[1, psi_len]`
    psi: Param<Tensor<2>>,
}

impl Person {
    /// A person whose ψ' starts as `psi`.
    pub(super) fn new(generator: Generator, psi: &[f32], device: &Device) -> Self {
        Self { generator, psi: row(psi, device) }
    }

    /// ψ' as numbers.
    pub(super) fn psi(&self) -> Vec<f32> {
        self.psi.val().try_into_vec_as::<f32>().expect("ψ is made of f32")
    }

    /// The weighted reconstruction loss of a batch.
    pub(super) fn reconstruction(&self, episode: &Episode) -> f64 {
        scalar(&pixel_loss(&self.compose(episode), episode))
    }

    fn compose(&self, episode: &Episode) -> Composition {
        let (warp, composed_with) =
            episode.warp.as_ref().zip(episode.composed_with()).expect("every pair brings its warp");
        let output = self.generator.forward(warp.input(episode.picture.clone()), self.psi.val());
        compose(output, composed_with)
    }
}

/// As in meta-learning: the frame, and to a lesser part the warped photo and the colour it is blended from.
fn pixel_loss(made: &Composition, episode: &Episode) -> Tensor<1> {
    let terms = &LossWeights::PORTRAIT.pixel_terms;
    let warp = episode.composed_with().expect("every pair brings its warp");
    let weights = pixel_weights(&warp.masks, terms);
    let distance = |part: &Tensor<4>| pixel(part.clone(), episode.frame.clone(), weights.clone(), terms);
    distance(&made.frame) + (distance(&made.warped) + distance(&made.colour)) * terms.branches
}

/// D, and the row that tells it whom it judges: `w' = w₀ + ê`, tuned as ê.
#[derive(Module, Debug)]
pub(super) struct Judge {
    discriminator: Discriminator,
    /// `[1, width]`
    identity: Param<Tensor<2>>,
}

impl Judge {
    /// A discriminator for the person with embedding ê.
    pub(super) fn new(discriminator: Discriminator, embedding: &[f32], device: &Device) -> Self {
        Self { discriminator, identity: row(embedding, device) }
    }

    fn verdict(&self, frame: &Tensor<4>, episode: &Episode) -> Verdict {
        self.discriminator.forward(episode.judged(frame), episode.picture.clone(), self.identity.val())
    }
}

/// Takes the steps.
pub(super) struct Tuner {
    judge: Option<Judge>,
    person_optimizer: ModuleOptimizer,
    judge_optimizer: ModuleOptimizer,
    /// Whether G itself is tuned, and not ψ' alone.
    whole: bool,
}

impl Tuner {
    /// A tuner for pairs that are checked by `check`. Where these are copies, all that the pairs show is what the mesh
    /// explains already, and G would unlearn its corrections of flow and mask: only ψ' is tuned.
    pub(super) fn new(judge: Option<Judge>, check: Check) -> Self {
        let adam = || AdamConfig::new().with_beta_1(BETAS.0).with_beta_2(BETAS.1).with_epsilon(1e-8).init();
        let whole = matches!(check, Check::Photos(_));
        Self { judge, person_optimizer: adam(), judge_optimizer: adam(), whole }
    }

    /// One step of D and w', if there are any, and one of G and ψ', at `share` of the first step's rates; the loss of the
    /// latter.
    pub(super) fn step(&mut self, person: &mut Person, episode: &Episode, share: f64) -> f64 {
        let weights = &LossWeights::PORTRAIT;
        if let Some(judge) = self.judge.take() {
            self.judge = Some(self.judge_step(judge, person, episode, DISCRIMINATOR_RATE * share));
        }
        let made = person.compose(episode);
        let mut total = pixel_loss(&made, episode) * weights.pixel;
        if let Some(judge) = &self.judge {
            let judge = judge.clone().no_grad();
            let (fake, real) = (judge.verdict(&made.frame, episode), judge.verdict(&episode.frame, episode));
            total = total
                + hinge_generator(fake.score) * weights.adversarial
                + feature_matching(&fake.features, &real.features) * weights.feature_matching;
        }
        let loss = scalar(&total);
        let mut gradients = total.backward();
        let mut tuned = GradientsParams::new();
        if self.whole {
            tuned = GradientsParams::from_module(&mut gradients, person);
        } else if let Some(gradient) = person.psi.val().grad_remove(&mut gradients) {
            tuned.register(person.psi.id, gradient);
        }
        *person = self.person_optimizer.step(GENERATOR_RATE * share, person.clone(), tuned);
        loss
    }

    fn judge_step(&mut self, judge: Judge, person: &Person, episode: &Episode, rate: f64) -> Judge {
        let judge = judge.power_iteration();
        let frame = person.valid().compose(episode).frame.detach();
        let (fake, real) = (judge.verdict(&frame, episode), judge.verdict(&episode.frame, episode));
        let mut gradients = hinge_discriminator(fake.score, real.score).backward();
        let tuned = GradientsParams::from_module(&mut gradients, &judge);
        self.judge_optimizer.step(rate, judge, tuned)
    }
}

/// A row of numbers that is learned.
fn row(numbers: &[f32], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(numbers.to_vec(), [1, numbers.len()]), device))
}

fn scalar(loss: &Tensor<1>) -> f64 {
    f64::from(loss.clone().into_scalar::<f32>())
}
