//! Which values a configuration may have.

use gioconda_model::Output;
use gioconda_networks::losses::LossWeights;
use toml::Value;

use super::{MOST_STEPS, TrainConfig};

impl TrainConfig {
    /// What serde cannot see: ranges, sizes that must agree, and whether there is anything to learn from.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let (output, data) = (&self.output, &self.data);
        for (name, value, least, most) in [
            ("steps", self.steps, 1, MOST_STEPS),
            ("batch", self.batch as u64, 1, 1 << 20),
            ("accumulate", self.accumulate as u64, 1, 1 << 16),
            ("shots", self.shots as u64, 1, 1 << 10),
            ("enlarge", self.enlarge as u64, 1, 16),
            ("data.candidates", data.candidates as u64, 1, 1 << 20),
            ("data.workers", data.workers as u64, 1, 256),
            ("data.queue", data.queue as u64, 1, 1 << 10),
            ("discriminator.steps", self.discriminator.steps as u64, 1, 1 << 10),
            ("discriminator.from_step", self.discriminator.from_step, 0, MOST_STEPS),
            ("output.log_every", output.log_every, 1, MOST_STEPS),
            ("output.checkpoint_every", output.checkpoint_every, 0, MOST_STEPS),
            ("output.pictures_every", output.pictures_every, 0, MOST_STEPS),
            ("output.keep", output.keep as u64, 1, 1 << 20),
            ("output.picture_rows", output.picture_rows as u64, 1, 64),
            ("networks.generator.pixel_shuffle", self.networks.generator.pixel_shuffle as u64, 1, 8),
        ] {
            if value < least {
                return Err(format!("`{name}` must be at least {least}"));
            }
            if value > most {
                return Err(format!("`{name}` must be at most {most}, not {value}"));
            }
        }
        if let Some(name) = not_finite(&Value::Table(self.table()), "") {
            return Err(format!("`{name}` must be a number, not NaN or infinity"));
        }
        self.networks.check().map_err(|error| error.to_string())?;
        let range = |name: &str, value: f64, low: f64, high: f64| {
            let inside = (low..=high).contains(&value);
            if inside {
                Ok(())
            } else {
                Err(format!("`{name}` must be within {low} and {high}, not {value}"))
            }
        };
        range("ema", self.ema, 0.0, 0.999_999)?;
        range("divergence", self.divergence, 2.0, 1e12)?;
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
        for term in &self.perceptual.networks {
            range(&format!("perceptual.networks ({}).weight", term.name), term.weight, 0.0, 1000.0)?;
        }
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

/// The name in the file of the first number in `value` that is NaN or infinite.
fn not_finite(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Float(number) if !number.is_finite() => Some(name.to_owned()),
        Value::Table(table) => table.iter().find_map(|(key, value)| {
            not_finite(value, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") })
        }),
        Value::Array(values) => values.iter().find_map(|value| not_finite(value, name)),
        _ => None,
    }
}
