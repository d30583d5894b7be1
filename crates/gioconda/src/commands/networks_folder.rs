//! Where perceptual and measuring networks lie.

use std::path::{Path, PathBuf};

/// Names the folder where no option does.
const VARIABLE: &str = "GIOCONDA_PERCEPTUAL_DIR";
/// Where they lie beside a development tree.
const DEFAULT: &str = "../shared/models";

/// The folder of perceptual and measuring networks: the one `named`, or the environment's, or the development tree's.
pub(crate) fn networks_folder(named: Option<&Path>) -> PathBuf {
    let named = named.map(PathBuf::from).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    named.unwrap_or_else(|| PathBuf::from(DEFAULT))
}
