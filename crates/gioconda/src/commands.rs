//! The commands, a file each.

pub(crate) mod animate;
#[cfg(feature = "studio")]
pub(crate) mod decode_upload;
#[cfg(feature = "train")]
pub(crate) mod eval;
#[cfg(feature = "train")]
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod learn;
pub(crate) mod models;
pub(crate) mod motions;
#[cfg(feature = "train")]
pub(crate) mod networks_folder;
pub(crate) mod outputs;
#[cfg(feature = "train")]
pub(crate) mod prepare;
pub(crate) mod provenance;
pub(crate) mod record;
#[cfg(feature = "studio")]
pub(crate) mod relay;
#[cfg(feature = "studio")]
pub(crate) mod studio;
#[cfg(feature = "studio")]
mod token;
#[cfg(feature = "train")]
pub(crate) mod train;
pub(crate) mod verify;
