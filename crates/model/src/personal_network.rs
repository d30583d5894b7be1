//! A generator that paints one person.

use crate::{GeneratorConfig, PreparedGenerator, Tuning, WeightHeader, Weights};

/// A generator that paints one person: the trained one told whose face it paints, or one that was tuned to it.
#[derive(Clone, Debug)]
pub struct PersonalNetwork {
    /// Where the weights come from.
    pub header: WeightHeader,
    /// G and P.
    pub generator: Weights<GeneratorConfig>,
    /// ê, the mean embedding of the photos.
    pub embedding: Vec<f32>,
    /// ψ' that drives the generator's adaptive layers.
    pub psi: Vec<f32>,
    /// Whether G and ψ' were tuned.
    pub tuning: Tuning,
}

impl PersonalNetwork {
    /// What paints this person, at the generator's resolution.
    ///
    /// # Panics
    /// When `psi` has another length than the generator needs.
    pub fn prepared(&self) -> PreparedGenerator {
        PreparedGenerator::new(&self.generator, &self.psi, [self.generator.config().resolution; 2])
    }
}
