//! Everything that decides what a run computes, in one file: `config.toml` in the run folder.
//!
//! Here are the entries and each preset's values; `config/file.rs` reads and writes the file, `config/limits.rs` says which
//! values are allowed.

mod file;
mod limits;

use gioconda_model::{NetworksConfig, Preset};
use gioconda_networks::PERCEPTUAL;
use gioconda_networks::losses::LossWeights;
use serde::{Deserialize, Serialize};
use toml::Table;

/// Most steps of a run, and most of anything that is counted in steps.
pub(crate) const MOST_STEPS: u64 = 1 << 40;

/// The configuration of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The preset the defaults come from; it is written into weight files.
    pub preset: Preset,
    /// All chance comes from this number, the rank and the step.
    pub seed: u64,
    /// Generator steps of the whole run.
    pub steps: u64,
    /// Episodes per device and backward pass.
    pub batch: usize,
    /// Backward passes per optimiser step.
    pub accumulate: usize,
    /// K: source frames per episode. A composing generator warps the first of them.
    pub shots: usize,
    /// Composed frames are made and compared at so many times the generator's resolution, its output being enlarged as it is when
    /// a photo is animated; 1 where the generator makes the frame itself.
    pub enlarge: usize,
    /// How the learning rates go over the run.
    pub schedule: Schedule,
    /// Decay of the moving average of E, G and P that pictures and weight files come from; 0 for no average.
    pub ema: f64,
    /// Training stops as diverged when the total loss exceeds this many times its recent mean.
    pub divergence: f64,
    /// Where episodes come from and how they are varied.
    pub data: DataConfig,
    /// Terms of the generator's loss.
    pub losses: LossWeights,
    /// Perceptual networks of the content loss.
    pub perceptual: PerceptualConfig,
    /// Adam for E, G and P.
    pub generator_optimizer: AdamSettings,
    /// Adam for D and W.
    pub discriminator_optimizer: AdamSettings,
    /// When D takes part.
    pub discriminator: DiscriminatorSchedule,
    /// What is written, and how often.
    pub output: OutputConfig,
    /// Sizes of E, G and D.
    pub networks: NetworksConfig,
}

/// How the learning rates go over the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// They stay (the paper).
    Constant,
    /// They fall on a straight line, to 0 behind the last step (PROTOTYPE.md).
    Linear,
}

/// Where episodes come from and how they are varied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The driving frame is chosen among this many random frames of the video.
    pub candidates: usize,
    /// With probability growing as (difference from the source frame)^this; 0 chooses alike.
    pub difference_power: f64,
    /// Share of episodes that are mirrored.
    pub flip: f64,
    /// Colours are multiplied by a factor within 1 ± this, alike in all frames of an episode.
    pub gain: f64,
    /// And shifted by a number within ± this, in units of the whole range.
    pub offset: f64,
    /// Before that, red, green and blue are dimmed by up to this share, each by its own: evening light, old varnish.
    pub tint: f64,
    /// Hues are turned by up to this many degrees, skin's too: nobody's colours are to be known by heart.
    pub hue: f64,
    /// Distances from grey are multiplied by a factor within 1 ± this.
    pub saturation: f64,
    /// Share of episodes without colour.
    pub grey: f64,
    /// Frames are turned by up to this many degrees.
    pub turn: f64,
    /// And multiplied along some direction by a factor within 1 ± this, and divided by it across: other faces.
    pub stretch: f64,
    /// Frames are cut by up to this share of their side before they are resized, alike in all frames of an episode.
    pub zoom: f64,
    /// Share of ê's components that the generator does not get to see.
    pub dropout: f64,
    /// Threads that prepare batches.
    pub workers: usize,
    /// Batches each thread may be ahead.
    pub queue: usize,
}

/// Perceptual networks of the content loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerceptualConfig {
    /// Side of the random square they look at, pixels; 0 for the whole frame.
    pub window: usize,
    /// Share of the episodes in which the square is on the mouth.
    pub mouth: f64,
    /// And in which it is on the eyes.
    pub eyes: f64,
    /// The networks; an empty list for none.
    pub networks: Vec<PerceptualTerm>,
}

/// One perceptual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerceptualTerm {
    /// Its name in [`PERCEPTUAL`].
    pub name: String,
    /// Weight of its term.
    pub weight: f64,
}

/// Adam (Kingma & Ba 2015).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamSettings {
    /// At the first step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// When D takes part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorSchedule {
    /// D learns, and G hears of it, from this step on, counted from 1; 0 for never.
    pub from_step: u64,
    /// Steps of D per step of G.
    pub steps: usize,
    /// Share of real frames with the landmarks of another frame among the pairs that D shall call false; 0 in the paper.
    pub mismatched: f64,
    /// It judges the squares that the perceptual networks look at, at the frames' own size, and not whole frames at the
    /// networks' resolution. `networks.discriminator.resolution` is the squares' side then.
    pub windows: bool,
}

/// What is written, and how often; in steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    /// Losses into the logs.
    pub log_every: u64,
    /// A checkpoint, beside the one at the end; 0 for none.
    pub checkpoint_every: u64,
    /// How many checkpoints stay.
    pub keep: usize,
    /// A picture grid; 0 for none.
    pub pictures_every: u64,
    /// Rows of the picture grid.
    pub picture_rows: usize,
    /// Inference weights as 16-bit floats: half the size.
    pub half_precision: bool,
    /// What the weight file says it was trained on.
    pub training_data: String,
    /// What the weight file says about its licence.
    pub licence: String,
}

impl DataConfig {
    /// The same without any variation.
    pub(crate) fn unvaried(&self) -> Self {
        Self {
            candidates: self.candidates,
            difference_power: self.difference_power,
            workers: self.workers,
            queue: self.queue,
            ..UNVARIED
        }
    }
}

/// Frames as they are stored, drawn as the paper does.
const UNVARIED: DataConfig = DataConfig {
    candidates: 1,
    difference_power: 0.0,
    flip: 0.0,
    gain: 0.0,
    offset: 0.0,
    tint: 0.0,
    hue: 0.0,
    saturation: 0.0,
    grey: 0.0,
    turn: 0.0,
    stretch: 0.0,
    zoom: 0.0,
    dropout: 0.0,
    workers: 2,
    queue: 4,
};

impl TrainConfig {
    /// The recipe of a preset: DESIGN.md §4 for `paper`; for `portrait` what the shipped network ended with
    /// (docs/training-log.md), which began as PROTOTYPE.md's.
    pub fn of(preset: Preset) -> Self {
        match preset {
            Preset::Paper => paper(),
            Preset::Portrait => portrait(),
        }
    }

    /// Height and width of the frames that are made and compared, pixels.
    pub fn frame_size(&self) -> usize {
        self.networks.generator.resolution * self.enlarge
    }

    /// Steps of D are taken, and G hears of D, at `step`, counted from 0.
    pub fn discriminator_active(&self, step: u64) -> bool {
        let from = self.discriminator.from_step;
        from > 0 && step + 1 >= from
    }

    /// What the learning rates are multiplied by at `step`, counted from 0.
    pub fn learning_rate_factor(&self, step: u64) -> f64 {
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - (step.min(self.steps) as f64 / self.steps as f64),
        }
    }

    /// The whole configuration as a TOML table.
    fn table(&self) -> Table {
        Table::try_from(self).expect("every field has a form in TOML")
    }
}

fn output() -> OutputConfig {
    OutputConfig {
        log_every: 10,
        checkpoint_every: 500,
        keep: 3,
        pictures_every: 500,
        picture_rows: 6,
        half_precision: false,
        training_data: String::new(),
        licence: String::new(),
    }
}

/// DESIGN.md §4.
fn paper() -> TrainConfig {
    let rows = PERCEPTUAL.iter().filter(|spec| ["vgg19", "vggface"].contains(&spec.name));
    let networks = rows.map(|spec| PerceptualTerm { name: spec.name.to_owned(), weight: spec.weight });
    let adam = |learning_rate| AdamSettings { learning_rate, beta_1: 0.0, beta_2: 0.999, epsilon: 1e-8 };
    TrainConfig {
        preset: Preset::Paper,
        seed: 1,
        steps: 1_000_000,
        batch: 4,
        accumulate: 1,
        shots: 8,
        enlarge: 1,
        schedule: Schedule::Constant,
        ema: 0.999,
        divergence: 1000.0,
        data: UNVARIED,
        losses: LossWeights::PAPER,
        perceptual: PerceptualConfig { window: 0, mouth: 0.0, eyes: 0.0, networks: networks.collect() },
        generator_optimizer: adam(5e-5),
        discriminator_optimizer: adam(2e-4),
        discriminator: DiscriminatorSchedule { from_step: 1, steps: 2, mismatched: 0.0, windows: false },
        output: output(),
        networks: Preset::Paper.config(),
    }
}

/// PROTOTYPE.md, with what docs/training-log.md found to be better; no discriminator.
fn portrait() -> TrainConfig {
    let adam = AdamSettings { learning_rate: 3e-4, beta_1: 0.5, beta_2: 0.99, epsilon: 1e-8 };
    TrainConfig {
        preset: Preset::Portrait,
        seed: 1,
        steps: 20_000,
        batch: 8,
        accumulate: 1,
        shots: 1,
        enlarge: 1,
        schedule: Schedule::Linear,
        ema: 0.999,
        divergence: 100.0,
        data: DataConfig {
            candidates: 12,
            difference_power: 1.0,
            flip: 0.5,
            gain: 0.15,
            offset: 0.05,
            tint: 0.4,
            hue: 15.0,
            saturation: 0.4,
            grey: 0.1,
            turn: 12.0,
            stretch: 0.12,
            zoom: 0.1,
            dropout: 0.2,
            workers: 1,
            queue: 4,
        },
        losses: LossWeights::PORTRAIT,
        perceptual: PerceptualConfig {
            window: 96,
            mouth: 0.25,
            eyes: 0.15,
            networks: vec![PerceptualTerm { name: "vgg16-hed".to_owned(), weight: 0.5 }],
        },
        generator_optimizer: adam,
        discriminator_optimizer: adam,
        discriminator: DiscriminatorSchedule { from_step: 0, steps: 1, mismatched: 0.5, windows: false },
        output: output(),
        networks: Preset::Portrait.config(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_falls_to_nothing() {
        let config = TrainConfig { steps: 10, ..TrainConfig::of(Preset::Portrait) };
        let factors = [0, 5, 10].map(|step| config.learning_rate_factor(step));
        assert_eq!(factors.map(|factor| (factor * 100.0).round() as i32), [100, 50, 0]);
    }

    #[test]
    fn the_discriminator_joins_at_its_step() {
        let mut config = TrainConfig::of(Preset::Portrait);
        config.discriminator.from_step = 3;
        assert_eq!([1, 2, 3].map(|step| config.discriminator_active(step)), [false, true, true]);
        config.discriminator.from_step = 0;
        assert!(!config.discriminator_active(1_000_000));
    }
}
