/// What can go wrong with networks that learn, devices and exports; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weight file or a configuration is not usable, or there is nothing of the name that was asked for.
    #[error(transparent)]
    Model(#[from] gioconda_model::Error),
    /// The program was built without this device.
    #[error("device `{device}` needs a build with `--features {feature}`")]
    DeviceNotBuilt {
        /// The name that was asked for.
        device: String,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// A generator cannot be written as an inference graph with this ψ.
    #[error("cannot export the generator: ψ has {found} values, but the generator needs {expected}")]
    PsiLength {
        /// Length of ψ that was given.
        found: usize,
        /// Length of ψ that the generator's AdaIN layers consume.
        expected: usize,
    },
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
