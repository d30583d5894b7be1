//! The commands, a file each.

use std::path::{Path, PathBuf};

pub(crate) mod animate;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod learn;
pub(crate) mod models;
pub(crate) mod motions;
pub(crate) mod outputs;
pub(crate) mod prepare;
pub(crate) mod provenance;
pub(crate) mod record;
pub(crate) mod relay;
pub(crate) mod studio;
pub(crate) mod train;
pub(crate) mod verify;

/// Names the folder of perceptual and measuring networks where no option does.
const NETWORKS_VARIABLE: &str = "GIOCONDA_PERCEPTUAL_DIR";
/// Where these networks lie beside a development tree.
const NETWORKS_FOLDER: &str = "../shared/models";

/// The folder of perceptual and measuring networks: the one `named`, or the environment's, or the development tree's.
fn networks_folder(named: Option<&Path>) -> PathBuf {
    let named = named.map(PathBuf::from).or_else(|| std::env::var_os(NETWORKS_VARIABLE).map(PathBuf::from));
    named.unwrap_or_else(|| PathBuf::from(NETWORKS_FOLDER))
}
