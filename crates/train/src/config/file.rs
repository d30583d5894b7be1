//! Configurations as TOML.
//!
//! A user's file only names what it changes: it is laid over the preset's defaults, and a key that the defaults do
//! not have is refused.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use gioconda_model::Preset;
use serde::Deserialize;
use toml::{Table, Value};

use super::TrainConfig;
use crate::{Error, Result};

/// Largest configuration file, bytes.
const LARGEST_FILE: u64 = 1 << 20;

impl TrainConfig {
    /// The recipe of a preset with the changes that a file makes.
    pub fn read(preset: Preset, path: &Path) -> Result<Self> {
        let text = text_of(path)?;
        Self::of(preset).overlaid(&text, &path.display().to_string())
    }

    /// A whole configuration, as a run folder holds it.
    pub fn read_whole(path: &Path) -> Result<Self> {
        /// The one entry that decides which defaults an older file is laid over.
        #[derive(Deserialize)]
        struct Named {
            preset: Preset,
        }
        let text = text_of(path)?;
        let origin = path.display().to_string();
        let named: Named = toml::from_str(&text)
            .map_err(|error| Error::Config { origin: origin.clone(), reason: in_a_line(&error, &text) })?;
        Self::of(named.preset).overlaid(&text, &origin)
    }

    /// This configuration with the changes that a TOML text makes. `origin` names the text in errors.
    pub fn overlaid(&self, text: &str, origin: &str) -> Result<Self> {
        let fail = |reason: String| Error::Config { origin: origin.to_owned(), reason };
        let changes: Table = text.parse().map_err(|error: toml::de::Error| fail(in_a_line(&error, text)))?;
        if let Some(other) = changes.get("preset").filter(|name| name.as_str() != Some(self.preset.name())) {
            let ours = self.preset;
            return Err(fail(format!("is for preset {other}, but {ours} was asked for; change one of them")));
        }
        let mut table = self.table();
        overlay(&mut table, changes, "").map_err(&fail)?;
        let config: Self = table.try_into().map_err(|error: toml::de::Error| fail(in_a_line(&error, "")))?;
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
}

/// The text of a configuration file; refuses what is too large to be one.
fn text_of(path: &Path) -> Result<String> {
    let file = fs::File::open(path).map_err(Error::io(path))?;
    let mut text = String::new();
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(Error::io(path))?;
    if text.len() as u64 > LARGEST_FILE {
        let reason = format!("is larger than {} MB; give a training configuration", LARGEST_FILE >> 20);
        return Err(Error::Config { origin: path.display().to_string(), reason });
    }
    Ok(text)
}

/// What is wrong with a TOML text, without the excerpt that takes several lines.
fn in_a_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    match error.span().filter(|_| !text.is_empty()) {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            let line = 1 + before.matches('\n').count();
            let column = 1 + before.rsplit('\n').next().unwrap_or(before).chars().count();
            format!("TOML parse error at line {line}, column {column}: {message}")
        }
        None => message,
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
            ("[data]\nflip = 7", "FILE: `data.flip` must be within 0 and 1"),
            ("[data]\nflip = nan", "FILE: `data.flip` must be a number"),
            ("[losses]\npixel = inf", "FILE: `losses.pixel` must be a number"),
            (
                "[[perceptual.networks]]\nname = 'vgg19'\nweight = -inf",
                "`perceptual.networks.weight` must be a number",
            ),
            (
                "[[perceptual.networks]]\nname = 'vgg19'\nweight = 1e300",
                "(vgg19).weight` must be within 0 and 1000",
            ),
            ("divergence = 1e308", "FILE: `divergence` must be within 2 and"),
            ("steps = 9223372036854775807", "FILE: `steps` must be at most"),
            ("batch = 9223372036854775807", "FILE: `batch` must be at most"),
            ("shots = 1000000000", "FILE: `shots` must be at most"),
            ("enlarge = 4611686018427387904", "FILE: `enlarge` must be at most"),
            ("[data]\nqueue = 9223372036854775807", "FILE: `data.queue` must be at most"),
            ("[data]\nworkers = 1000000", "FILE: `data.workers` must be at most"),
            ("[output]\npicture_rows = 100000000", "FILE: `output.picture_rows` must be at most"),
            (
                "[networks.generator]\nwidths = [1000000000, 8]",
                "the generator configuration is not usable: widths",
            ),
            (
                "[networks.embedder]\nresolution = 4611686018427387904",
                "the embedder configuration is not usable",
            ),
            ("[networks.generator]\nresidual_blocks = 1000000000", "residual_blocks must be at most"),
            ("[networks.discriminator]\nwidths = []", "the discriminator configuration is not usable"),
            ("preset = 'paper'", "FILE: is for preset \"paper\", but portrait was asked for"),
            ("schedule = 'cosine'", "unknown variant `cosine`"),
            ("enlarge = 0", "FILE: `enlarge` must be at least 1"),
            ("networks.generator.pixel_shuffle = 0", "pixel_shuffle` must be at least 1"),
            ("[networks.generator]\nresolution = 64", "`networks.discriminator.resolution` is 256"),
            ("[perceptual]\nwindow = 1000", "`perceptual.window` must be at most the frames' size, 256"),
            ("[[perceptual.networks]]\nname = 'vgg11'\nweight = 1.0", "no perceptual network named `vgg11`"),
            ("[[perceptual.networks]]\nname = 'vgg19'\nwieght = 1.0", "unknown field `wieght`"),
            ("seed 7", "FILE: TOML parse error at line 1, column 6"),
            ("seed = 7\nsteps = [1,\n", "FILE: TOML parse error at line"),
        ] {
            let message = TrainConfig::of(Preset::Portrait).overlaid(text, "FILE").unwrap_err().to_string();
            assert!(message.contains(expected) && !message.contains('\n'), "{text}: {message}");
        }
    }
}
