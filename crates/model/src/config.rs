//! Sizes of the networks, and what follows from them: which tensors a network has, and of which shapes.

pub(crate) mod block;
mod bounds;
mod discriminator;
mod embedder;
mod generator;
mod preset;

use std::collections::BTreeMap;

pub use block::{BlockConfig, Norm, Resample, SINGULAR_VECTOR, attention_width};
pub use discriminator::DiscriminatorConfig;
pub use embedder::EmbedderConfig;
pub use generator::{GeneratorConfig, Output};
pub use preset::{NetworksConfig, Preset};

use crate::Result;

/// Shapes of a network's tensors by their names, such as `down.1.conv1.weight`. Layouts are PyTorch's: a convolution's
/// weight is `[out, in, k, k]`, a linear map's `[out, in]`.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Sizes of one of the networks.
pub trait NetworkConfig: Clone {
    /// What the network is called in weight files.
    const NAME: &'static str;

    /// Refuses sizes that no network can be built from, or that are out of range.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) says what to change.
    fn check(&self) -> Result<()>;

    /// The tensors that a network of these sizes has. Sizes must have passed [`check`](Self::check).
    fn shapes(&self) -> Shapes;
}
