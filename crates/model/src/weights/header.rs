//! The header: entries of safetensors' metadata.

use std::collections::HashMap;
use std::path::Path;

use crate::{Error, NetworksConfig, Preset, Result};

/// The only layout this version reads and writes.
const FORMAT: &str = "gioconda-weights-1";

const PRESET: &str = "preset";
const CONFIG: &str = "config";
const PICTURE_VERSION: &str = "landmark_picture_version";
const COMPOSITION: &str = "composition";
const TRAINING_DATA: &str = "training_data";
const LICENCE: &str = "licence";

/// What a weight file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightHeader {
    /// The preset.
    pub preset: Preset,
    /// Sizes of the networks; not necessarily the preset's own (narrow networks in tests).
    pub config: NetworksConfig,
    /// Version of the landmark picture the networks were trained with (`warp`).
    pub picture_version: u32,
    /// [Version](crate::COMPOSITION_VERSION) of the composition formula the generator was trained with; `None` for a
    /// generator that does not compose, and in files written before the header had this entry.
    pub composition: Option<u32>,
    /// What they were trained on, for people.
    pub training_data: String,
    /// Licence text or SPDX expression.
    pub licence: String,
}

impl WeightHeader {
    /// The entries of the file's metadata. `path` names the file in errors.
    pub(super) fn metadata(&self, path: &Path) -> Result<HashMap<String, String>> {
        let config = serde_json::to_string(&self.config).map_err(|error| not_weights(path, &error))?;
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            (PRESET.to_owned(), self.preset.name().to_owned()),
            (CONFIG.to_owned(), config),
            (PICTURE_VERSION.to_owned(), self.picture_version.to_string()),
            (TRAINING_DATA.to_owned(), self.training_data.clone()),
            (LICENCE.to_owned(), self.licence.clone()),
        ]);
        metadata.extend(self.composition.map(|version| (COMPOSITION.to_owned(), version.to_string())));
        Ok(metadata)
    }
}

/// The inverse of [`WeightHeader::metadata`], checked.
pub(super) fn parse_header(path: &Path, metadata: Option<&HashMap<String, String>>) -> Result<WeightHeader> {
    let entry = |key: &str| {
        let value = metadata.and_then(|entries| entries.get(key));
        value.ok_or_else(|| not_weights(path, &format!("its header has no `{key}`")))
    };
    let format = entry("format")?;
    if format != FORMAT {
        return Err(Error::HeaderMismatch {
            path: path.to_owned(),
            what: "format",
            found: format.clone(),
            expected: FORMAT.to_owned(),
        });
    }
    let composition = metadata.and_then(|entries| entries.get(COMPOSITION));
    let invalid = |key: &str, error: &dyn std::fmt::Display| not_weights(path, &format!("`{key}`: {error}"));
    let config: NetworksConfig =
        serde_json::from_str(entry(CONFIG)?).map_err(|error| invalid(CONFIG, &error))?;
    config.check().map_err(|error| invalid(CONFIG, &error))?;
    Ok(WeightHeader {
        preset: entry(PRESET)?.parse().map_err(|error: Error| invalid(PRESET, &error))?,
        config,
        composition: composition
            .map(|version| version.parse::<u32>().map_err(|error| invalid(COMPOSITION, &error)))
            .transpose()?,
        picture_version: entry(PICTURE_VERSION)?.parse().map_err(|error| invalid(PICTURE_VERSION, &error))?,
        training_data: entry(TRAINING_DATA)?.clone(),
        licence: entry(LICENCE)?.clone(),
    })
}

pub(super) fn not_weights(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::NotWeights { path: path.to_owned(), reason: reason.to_string() }
}
