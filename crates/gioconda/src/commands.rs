//! The commands, a file each.

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
