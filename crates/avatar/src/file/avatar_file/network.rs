//! The network in an avatar file: how it was tuned, its vectors, and its weights.

use std::collections::BTreeMap;
use std::path::Path;

use gioconda_model::{
    GeneratorConfig, NetworkConfig as _, PersonalNetwork, Preset, Tuning, WeightFile, WeightWriter,
    check_renderable, warn_of_unknown_composition,
};
use gioconda_warp::LANDMARK_PICTURE_VERSION;

use super::fields::{Field, Fields};
use super::{NONE, damaged};
use crate::Error;

const FEED_FORWARD: &str = "feed-forward";

const EMBEDDING: &str = "embedding";
const PSI: &str = "psi";
const WEIGHTS: &str = "weights";

/// Adds the network's fields and returns how it was tuned, as the header says it.
pub(super) fn write(
    network: &PersonalNetwork,
    path: &Path,
    fields: &mut BTreeMap<String, Field>,
) -> Result<String, Error> {
    for (name, numbers) in [(EMBEDDING, &network.embedding), (PSI, &network.psi)] {
        let field = Field::floats(numbers.iter().copied(), vec![numbers.len()]);
        fields.insert(name.to_owned(), field);
    }
    let writer =
        WeightWriter::new(network.header.clone()).with(GeneratorConfig::NAME, network.generator.parameters());
    fields.insert(WEIGHTS.to_owned(), Field::bytes(writer.half_precision().to_bytes(path)?));
    Ok(match network.tuning {
        Tuning::FeedForward => FEED_FORWARD.to_owned(),
        Tuning::Tuned { steps } => steps.to_string(),
    })
}

/// The network of a file, if it has one.
pub(super) fn read(path: &Path, fields: &Fields<'_>) -> Result<Option<PersonalNetwork>, Error> {
    let refused = |what: String| Error::AvatarFile { path: path.to_owned(), what };
    let tuning = match fields.entry("tuning") {
        Some(NONE) => return Ok(None),
        Some(FEED_FORWARD) => Tuning::FeedForward,
        other => {
            let steps = other.and_then(|steps| steps.parse().ok());
            let steps = steps.ok_or_else(|| refused(damaged("its header does not say how it was tuned")))?;
            Tuning::Tuned { steps }
        }
    };
    let file = WeightFile::parse(path, fields.bytes(WEIGHTS).map_err(refused)?)?
        .require(Preset::Portrait, LANDMARK_PICTURE_VERSION)?
        .require_composition()?;
    if file.lacks_composition() {
        warn_of_unknown_composition(path, "learn it again");
    }
    let header = file.header().clone();
    check_renderable(&header.config).map_err(refused)?;
    let generator = file.generator()?;
    let numbers = |name: &str, length: usize| {
        let (_, numbers) = fields.floats(name)?;
        if numbers.len() == length {
            return Ok(numbers);
        }
        Err(damaged(&format!("`{name}` has {} numbers, but its network needs {length}", numbers.len())))
    };
    let embedding = numbers(EMBEDDING, header.config.generator.embedding).map_err(refused)?;
    let psi = numbers(PSI, header.config.generator.psi_len()).map_err(refused)?;
    Ok(Some(PersonalNetwork { header, generator, embedding, psi, tuning }))
}
