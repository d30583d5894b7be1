//! Avatar files in builds without the feature `network`: the network in them is left alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::NONE;
use super::fields::{Field, Fields};
use crate::Error;
use crate::render::neural_renderer::PersonalNetwork;

/// Never called: there is no network.
pub(super) fn write(
    network: &PersonalNetwork,
    _: &Path,
    _: &mut BTreeMap<String, Field>,
) -> Result<String, Error> {
    network.never()
}

/// Says so where the file has a network: its avatar is painted by the mesh.
#[allow(clippy::unnecessary_wraps, reason = "it stands for one that may fail")]
pub(super) fn read(path: &Path, fields: &Fields<'_>) -> Result<Option<PersonalNetwork>, Error> {
    if fields.entry("tuning") != Some(NONE) {
        tracing::warn!(
            "{}: its network is not used: this program was built without networks",
            path.display()
        );
    }
    Ok(None)
}
