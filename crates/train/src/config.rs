//! Everything that decides what a run computes, in one file: `config.toml` in the run folder.
//!
//! A user's file only names what it changes: it is laid over the preset's defaults, and a key that the defaults do
//! not have is refused.

use std::fs;
use std::path::Path;

use gioconda_networks::losses::LossWeights;
use gioconda_networks::{NetworksConfig, Output, PERCEPTUAL, Preset};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, Result};

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

    /// The recipe of a preset with the changes that a file makes.
    pub fn read(preset: Preset, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        Self::of(preset).overlaid(&text, &path.display().to_string())
    }

    /// A whole configuration, as a run folder holds it.
    pub fn read_whole(path: &Path) -> Result<Self> {
        /// The one entry that decides which defaults an older file is laid over.
        #[derive(Deserialize)]
        struct Named {
            preset: Preset,
        }
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let origin = path.display().to_string();
        let named: Named = toml::from_str(&text)
            .map_err(|error| Error::Config { origin: origin.clone(), reason: error.to_string() })?;
        Self::of(named.preset).overlaid(&text, &origin)
    }

    /// This configuration with the changes that a TOML text makes. `origin` names the text in errors.
    pub fn overlaid(&self, text: &str, origin: &str) -> Result<Self> {
        let fail = |reason: String| Error::Config { origin: origin.to_owned(), reason };
        let changes: Table = text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?;
        if let Some(other) = changes.get("preset").filter(|name| name.as_str() != Some(self.preset.name())) {
            let ours = self.preset;
            return Err(fail(format!("is for preset {other}, but {ours} was asked for; change one of them")));
        }
        let mut table = self.table();
        overlay(&mut table, changes, "").map_err(&fail)?;
        let config: Self = table.try_into().map_err(|error: toml::de::Error| fail(error.to_string()))?;
        config.check().map_err(fail)?;
        Ok(config)
    }

    /// The whole configuration as TOML, as it stands in the run folder.
    ///
    /// # Panics
    /// Never: every field has a form in TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a form in TOML")
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

    fn table(&self) -> Table {
        Table::try_from(self).expect("every field has a form in TOML")
    }

    /// What serde cannot see: ranges, sizes that must agree, and whether there is anything to learn from.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let (output, data) = (&self.output, &self.data);
        for (name, value) in [
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("accumulate", self.accumulate as u64),
            ("shots", self.shots as u64),
            ("enlarge", self.enlarge as u64),
            ("data.candidates", data.candidates as u64),
            ("data.workers", data.workers as u64),
            ("data.queue", data.queue as u64),
            ("discriminator.steps", self.discriminator.steps as u64),
            ("output.log_every", output.log_every),
            ("output.keep", output.keep as u64),
            ("output.picture_rows", output.picture_rows as u64),
            ("networks.generator.pixel_shuffle", self.networks.generator.pixel_shuffle as u64),
        ] {
            if value == 0 {
                return Err(format!("`{name}` must be at least 1"));
            }
        }
        let range = |name: &str, value: f64, low: f64, high: f64| {
            let inside = (low..=high).contains(&value);
            if inside {
                Ok(())
            } else {
                Err(format!("`{name}` must be within {low} and {high}, not {value}"))
            }
        };
        range("ema", self.ema, 0.0, 0.999_999)?;
        range("divergence", self.divergence, 2.0, f64::MAX)?;
        range("discriminator.mismatched", self.discriminator.mismatched, 0.0, 1.0)?;
        range("data.difference_power", data.difference_power, 0.0, 8.0)?;
        range("data.flip", data.flip, 0.0, 1.0)?;
        range("data.gain", data.gain, 0.0, 0.9)?;
        range("data.offset", data.offset, 0.0, 0.5)?;
        range("data.tint", data.tint, 0.0, 0.9)?;
        range("data.hue", data.hue, 0.0, 180.0)?;
        range("data.saturation", data.saturation, 0.0, 1.0)?;
        range("data.grey", data.grey, 0.0, 1.0)?;
        range("data.turn", data.turn, 0.0, 180.0)?;
        range("data.stretch", data.stretch, 0.0, 0.5)?;
        range("data.dropout", data.dropout, 0.0, 0.9)?;
        range("perceptual.mouth", self.perceptual.mouth, 0.0, 1.0)?;
        range("perceptual.eyes", self.perceptual.eyes, 0.0, 1.0 - self.perceptual.mouth)?;
        range("data.zoom", data.zoom, 0.0, 0.5)?;
        range("losses.landmarks", self.losses.landmarks, 0.0, 1000.0)?;
        range("losses.openings", self.losses.openings, 0.0, 1000.0)?;
        range("losses.identity", self.losses.identity, 0.0, 1000.0)?;
        range("losses.psnr", self.losses.psnr, 0.0, 1000.0)?;
        for (name, adam) in [
            ("generator_optimizer", &self.generator_optimizer),
            ("discriminator_optimizer", &self.discriminator_optimizer),
        ] {
            range(&format!("{name}.learning_rate"), adam.learning_rate, 0.0, 1.0)?;
            range(&format!("{name}.beta_1"), f64::from(adam.beta_1), 0.0, 0.999_999)?;
            range(&format!("{name}.beta_2"), f64::from(adam.beta_2), 0.0, 0.999_999)?;
            range(&format!("{name}.epsilon"), f64::from(adam.epsilon), 1e-12, 1.0)?;
        }
        if !self.has_a_loss_at_first() {
            return Err("G has nothing to learn from at its first step: `losses.pixel`, `losses.psnr`, \
                        `losses.landmarks`, `losses.openings` and `losses.identity` are 0, there is no perceptual \
                        network, and D is not at work or its terms are 0; set one of them"
                .to_owned());
        }
        self.check_sizes()
    }

    /// Whether any term of G's loss counts before D may join later.
    fn has_a_loss_at_first(&self) -> bool {
        let LossWeights { adversarial, feature_matching, matching, pixel, psnr, identity, .. } = self.losses;
        let judged = adversarial > 0.0 || feature_matching > 0.0 || matching > 0.0;
        let faces = self.losses.judges_landmarks() || identity > 0.0;
        pixel > 0.0
            || psnr > 0.0
            || faces
            || !self.perceptual.networks.is_empty()
            || (judged && self.discriminator_active(0))
    }

    fn check_sizes(&self) -> std::result::Result<(), String> {
        let size = self.networks.generator.resolution;
        let judged = self.networks.discriminator.resolution;
        let (wanted, whose) = if self.discriminator.windows {
            (self.perceptual.window, "`perceptual.window`, which it judges,")
        } else {
            (size, "the generator's")
        };
        if judged != wanted {
            return Err(format!("`networks.discriminator.resolution` is {judged}, {whose} {wanted}"));
        }
        let (embedder, generator) = (&self.networks.embedder, &self.networks.generator);
        let judged = self.networks.discriminator.widths.last().copied().unwrap_or(0);
        if embedder.embedding() != generator.embedding || embedder.embedding() != judged {
            return Err(format!(
                "the last of `networks.embedder.widths` ({}), `networks.generator.embedding` ({}) and the last of \
                 `networks.discriminator.widths` ({judged}) must be equal",
                embedder.embedding(),
                generator.embedding
            ));
        }
        if self.enlarge > 1 && generator.output != Output::Composition {
            return Err("`enlarge` must be 1: this generator makes its frames itself".to_owned());
        }
        if self.losses.identity > 0.0 && generator.output != Output::Composition {
            return Err("`losses.identity` must be 0: this generator knows no photo".to_owned());
        }
        let frame = self.frame_size();
        if self.perceptual.window > frame {
            return Err(format!("`perceptual.window` must be at most the frames' size, {frame}"));
        }
        for term in &self.perceptual.networks {
            gioconda_networks::perceptual_spec(&term.name).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Lays `changes` over `table`. Arrays are replaced as a whole.
fn overlay(table: &mut Table, changes: Table, path: &str) -> std::result::Result<(), String> {
    for (key, change) in changes {
        let known = table.keys().cloned().collect::<Vec<_>>().join(", ");
        let Some(value) = table.get_mut(&key) else {
            return Err(format!("there is no `{path}{key}`; known here: {known}"));
        };
        match (value, change) {
            (Value::Table(table), Value::Table(changes)) => {
                overlay(table, changes, &format!("{path}{key}."))?;
            }
            (Value::Float(value), Value::Integer(change)) => *value = change as f64,
            (value, change) if value.same_type(&change) => *value = change,
            (value, change) => {
                let (wanted, found) = (value.type_str(), change.type_str());
                return Err(format!("`{path}{key}` must be of type {wanted}, not {found}"));
            }
        }
    }
    Ok(())
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
    fn printed_defaults_are_the_defaults() {
        for preset in Preset::ALL {
            let config = TrainConfig::of(preset);
            assert_eq!(config.check(), Ok(()));
            assert_eq!(config.overlaid(&config.to_toml(), "printed").unwrap(), config);
        }
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let config = TrainConfig::of(Preset::Portrait);
        let text = "seed = 7\nema = 0\n[losses.pixel_terms]\nmouth = 9\n[perceptual]\nnetworks = []";
        let changed = config.overlaid(text, "FILE").unwrap();
        let mut expected = config;
        expected.seed = 7;
        expected.ema = 0.0;
        expected.losses.pixel_terms.mouth = 9.0;
        expected.perceptual.networks.clear();
        assert_eq!(changed, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (
                "perceptual.networks = []\n[losses]\npixel = 0\nlandmarks = 0\nidentity = 0",
                "nothing to learn from",
            ),
            ("sede = 7", "FILE: there is no `sede`; known here:"),
            ("[losses.pixel_terms]\nnose = 1", "FILE: there is no `losses.pixel_terms.nose`"),
            ("steps = 1.5", "FILE: `steps` must be of type integer, not float"),
            ("steps = 0", "FILE: `steps` must be at least 1"),
            ("steps = -1", "FILE: invalid value"),
            ("[data]\nflip = nan", "FILE: `data.flip` must be within 0 and 1"),
            ("preset = 'paper'", "FILE: is for preset \"paper\", but portrait was asked for"),
            ("schedule = 'cosine'", "unknown variant `cosine`"),
            ("enlarge = 0", "FILE: `enlarge` must be at least 1"),
            ("networks.generator.pixel_shuffle = 0", "pixel_shuffle` must be at least 1"),
            ("[networks.generator]\nresolution = 64", "`networks.discriminator.resolution` is 256"),
            ("[perceptual]\nwindow = 1000", "`perceptual.window` must be at most the frames' size, 256"),
            ("[[perceptual.networks]]\nname = 'vgg11'\nweight = 1.0", "no perceptual network named `vgg11`"),
            ("[[perceptual.networks]]\nname = 'vgg19'\nwieght = 1.0", "unknown field `wieght`"),
            ("seed 7", "FILE: TOML parse error"),
        ] {
            let message = TrainConfig::of(Preset::Portrait).overlaid(text, "FILE").unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

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
