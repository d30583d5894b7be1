//! The presets: two sizes of one system (DESIGN.md §1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{DiscriminatorConfig, EmbedderConfig, GeneratorConfig, NetworkConfig as _, Output};
use crate::Error;

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

    #[test]
    fn names_lead_back_to_the_preset() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
            assert_eq!(serde_json::to_string(&preset).unwrap(), format!("\"{preset}\""));
        }
        let message = "papier".parse::<Preset>().unwrap_err().to_string();
        assert_eq!(message, "there is no preset named `papier`; choose one of: paper, portrait");
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
