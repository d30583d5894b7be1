//! The presets: two sizes of one system (DESIGN.md §1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DiscriminatorConfig, EmbedderConfig, Error, GeneratorConfig, Output};

/// A named set of network sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Exactly the paper's networks, 256x256. For GPUs, and the yardstick of correctness.
    Paper,
    /// The real-time network that corrects a face mesh warp.
    Portrait,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Paper, Self::Portrait];

    /// The name on the command line and in weight files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Portrait => "portrait",
        }
    }

    /// Its network sizes.
    pub fn config(self) -> NetworksConfig {
        match self {
            Self::Paper => paper(),
            Self::Portrait => portrait(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| Error::UnknownName {
            what: "preset",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// Sizes of E, G and D.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworksConfig {
    /// E.
    pub embedder: EmbedderConfig,
    /// G and P.
    pub generator: GeneratorConfig,
    /// D.
    pub discriminator: DiscriminatorConfig,
}

impl NetworksConfig {
    /// Refuses sizes that no network can be built from or that are out of range, without building anything.
    ///
    /// # Errors
    /// [`Error::Config`] names the network and what to change.
    pub fn check(&self) -> Result<(), Error> {
        self.embedder.check("embedder")?;
        self.generator.check()?;
        self.discriminator.check()
    }
}

/// DESIGN.md §4.
fn paper() -> NetworksConfig {
    let resolution = 256;
    let widths = vec![64, 128, 256, 512, 512, 512];
    NetworksConfig {
        embedder: EmbedderConfig { widths: widths.clone(), resolution, self_attention: false },
        generator: GeneratorConfig {
            input: 3,
            widths: vec![64, 128, 256, 512],
            residual_blocks: 4,
            skips: false,
            spectral_norm: true,
            self_attention: false,
            embedding: 512,
            output: Output::Rgb,
            resolution,
            pixel_shuffle: 1,
            painted_mouth: false,
        },
        discriminator: DiscriminatorConfig { widths, resolution, self_attention: false },
    }
}

/// PROTOTYPE.md, base width 24, its 128x128 map seeing and painting 256x256 pixels (docs/training-log.md, portrait-7).
fn portrait() -> NetworksConfig {
    let resolution = 256;
    let widths = vec![24, 48, 96, 128, 128];
    NetworksConfig {
        embedder: EmbedderConfig { widths: widths.clone(), resolution: 128, self_attention: false },
        generator: GeneratorConfig {
            input: 10,
            widths: vec![24, 48, 96, 192],
            residual_blocks: 2,
            skips: true,
            spectral_norm: false,
            self_attention: false,
            embedding: 128,
            output: Output::Composition,
            resolution,
            pixel_shuffle: 2,
            painted_mouth: true,
        },
        discriminator: DiscriminatorConfig { widths, resolution, self_attention: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Discriminator, Embedder, Generator, parameter_count};

    #[test]
    fn names_lead_back_to_the_preset() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
            assert_eq!(serde_json::to_string(&preset).unwrap(), format!("\"{preset}\""));
        }
        let message = "papier".parse::<Preset>().unwrap_err().to_string();
        assert_eq!(message, "there is no preset named `papier`; choose one of: paper, portrait");
    }

    /// The README's table.
    #[test]
    fn portrait_parameter_counts() {
        let device = Device::flex();
        let config = Preset::Portrait.config();
        let generator = Generator::new(&config.generator, &device).unwrap();
        let projection = parameter_count(generator.projection_layer());
        let counts = [
            parameter_count(&Embedder::new(&config.embedder, &device).unwrap()),
            parameter_count(&generator) - projection,
            projection,
            parameter_count(&Discriminator::new(&config.discriminator, &device).unwrap()),
        ];
        assert_eq!(counts, [750_808, 2_433_432, 377_712, 1_046_105]);
        let row = "| 750,808 | 2,433,432 | 377,712 | 1,046,105 |";
        assert!(include_str!("../README.md").contains(row), "the README's table says otherwise");
    }

    #[test]
    fn least_parameters_are_a_little_below_the_count() {
        let device = Device::flex();
        let config = Preset::Portrait.config();
        for (least, all) in [
            (
                config.embedder.least_parameters(),
                parameter_count(&Embedder::new(&config.embedder, &device).unwrap()),
            ),
            (
                config.generator.least_parameters(),
                parameter_count(&Generator::new(&config.generator, &device).unwrap()),
            ),
            (
                config.discriminator.least_parameters(),
                parameter_count(&Discriminator::new(&config.discriminator, &device).unwrap()),
            ),
        ] {
            assert!(least <= all && least > all * 3 / 5, "{least} of {all}");
        }
    }

    #[test]
    fn an_embedding_can_stand_in_for_a_row_of_w() {
        for preset in Preset::ALL {
            let config = preset.config();
            assert_eq!(config.embedder.embedding(), config.generator.embedding);
            assert_eq!(config.discriminator.widths.last(), config.embedder.widths.last());
        }
    }
}
