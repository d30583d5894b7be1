#![doc = include_str!("../README.md")]

mod composition;
mod config;
mod error;
mod files;
pub mod network_input;
mod parameters;
mod personal_network;
mod portrait_weights;
mod reference;
mod run;
mod shipped;
#[cfg(test)]
mod testing;
mod tuning;
mod weights;

pub use composition::{BRIGHT, COLOUR_MARGIN, COMPOSITION_VERSION, FLOW_RANGE};
pub use config::{
    BlockConfig, DiscriminatorConfig, EmbedderConfig, GeneratorConfig, NetworkConfig, NetworksConfig, Norm,
    Output, Preset, Resample, SINGULAR_VECTOR, Shapes, attention_width,
};
pub use error::{Error, Result};
pub use files::read as read_weight_file;
pub use parameters::{Array, Parameters, Weights};
pub use personal_network::PersonalNetwork;
pub use portrait_weights::{PortraitWeights, check_renderable, warn_of_unknown_composition};
pub use reference::Reference;
pub use run::{
    AVERAGING_SPREAD, ENLARGING_SPREAD, NORM_EPSILON, PreparedEmbedder, PreparedGenerator, SPECTRAL_EPSILON,
    adaptive_values, pixel_shuffle,
};
pub use shipped::portrait_network;
pub use tuning::Tuning;
#[doc(hidden)]
pub use weights::fuzz_weights;
pub use weights::{WeightFile, WeightHeader, WeightWriter};
