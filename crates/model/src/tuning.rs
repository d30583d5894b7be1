//! How a person's network came to be.

use std::fmt;

/// How a person's network came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// ψ = P·ê, nothing tuned: the instant version.
    FeedForward,
    /// G and ψ were tuned on the person's photos.
    Tuned {
        /// For so many steps.
        steps: u32,
    },
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FeedForward => f.write_str("feed-forward"),
            Self::Tuned { steps } => write!(f, "tuned for {steps} steps"),
        }
    }
}
