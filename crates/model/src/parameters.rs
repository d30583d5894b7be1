//! Numbers of one network by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{NetworkConfig, SINGULAR_VECTOR, Shapes};

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says, the last dimension fastest.
    pub values: Vec<f32>,
}

/// The tensors of one network by their names, such as `down.1.conv1.weight`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Array>);

impl Parameters {
    /// No tensors.
    pub(crate) const NONE: Self = Self(BTreeMap::new());

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// All of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Adds a tensor.
    ///
    /// # Panics
    /// When its numbers are not as many as its shape says.
    pub fn insert(&mut self, name: String, array: Array) {
        let numbers: usize = array.shape.iter().product();
        assert_eq!(numbers, array.values.len(), "{name} has another number of values than its shape");
        self.0.insert(name, array);
    }

    /// Names the first tensor that `shapes` has and these lack, or have in another shape, or the first that `shapes`
    /// lacks, and says what is wrong with it.
    pub(crate) fn misfit(&self, shapes: &Shapes) -> Option<(String, String)> {
        for (name, expected) in shapes {
            match self.0.get(name) {
                None => return Some((name.clone(), "is missing".to_owned())),
                Some(Array { shape, .. }) if shape != expected => {
                    let problem = format!("has shape {shape:?}, but the network needs {expected:?}");
                    return Some((name.clone(), problem));
                }
                Some(_) => {}
            }
        }
        let superfluous = self.0.keys().find(|name| !shapes.contains_key(*name))?;
        Some((superfluous.clone(), "belongs to no layer of the network".to_owned()))
    }
}

/// A network's sizes and all its tensors, which have the shapes that the sizes ask for. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<C> {
    config: C,
    parameters: Arc<Parameters>,
}

impl<C: NetworkConfig> Weights<C> {
    /// Weights for a network of these sizes.
    ///
    /// # Errors
    /// The name of the first tensor that does not fit, and what is wrong with it.
    pub fn new(config: C, parameters: impl Into<Arc<Parameters>>) -> Result<Self, (String, String)> {
        let parameters = parameters.into();
        match parameters.misfit(&config.shapes()) {
            None => Ok(Self { config, parameters }),
            Some(misfit) => Err(misfit),
        }
    }

    /// The network's sizes.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// Its tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The tensor of this name.
    ///
    /// # Panics
    /// When the sizes ask for no such tensor.
    pub(crate) fn tensor(&self, name: &str) -> &Array {
        self.parameters.get(name).unwrap_or_else(|| panic!("the network has no tensor {name}"))
    }

    /// `self · kept + other · (1 - kept)`, number by number. Singular vectors are the other's, for a mean of unit vectors is
    /// not one.
    ///
    /// # Panics
    /// When `other` is of other sizes.
    #[must_use]
    pub fn blended(mut self, other: &Self, kept: f32) -> Self {
        for (name, array) in &mut Arc::make_mut(&mut self.parameters).0 {
            let other = other.tensor(name);
            assert_eq!(array.shape, other.shape, "{name} differs in shape");
            let copied = name.rsplit('.').next() == Some(SINGULAR_VECTOR);
            let kept = if copied { 0.0 } else { kept };
            for (value, other) in array.values.iter_mut().zip(&other.values) {
                *value = *value * kept + other * (1.0 - kept);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbedderConfig;
    use crate::testing::random_weights;

    fn config() -> EmbedderConfig {
        EmbedderConfig { widths: vec![2, 4], resolution: 8, self_attention: false }
    }

    #[test]
    fn the_first_misfit_is_named() {
        let weights = random_weights(&config(), 1);
        let misfit = |widths: Vec<usize>| {
            let other = EmbedderConfig { widths, ..config() };
            let (tensor, problem) = Weights::new(other, weights.parameters().clone()).unwrap_err();
            format!("{tensor} {problem}")
        };
        assert_eq!(misfit(vec![2, 5]), "blocks.1.conv1.bias has shape [4], but the network needs [5]");
        assert_eq!(misfit(vec![2, 4, 4]), "blocks.2.conv1.bias is missing");
        assert_eq!(misfit(vec![2]), "blocks.1.conv1.bias belongs to no layer of the network");
    }

    #[test]
    fn singular_vectors_are_not_blended() {
        let (one, other) = (random_weights(&config(), 1), random_weights(&config(), 2));
        let blended = one.clone().blended(&other, 0.25);
        let first = |weights: &Weights<EmbedderConfig>, name: &str| weights.tensor(name).values[0];
        let [weight, vector] = ["blocks.0.conv1.weight", "blocks.0.conv1.u"];
        let expected = 0.25 * first(&one, weight) + 0.75 * first(&other, weight);
        assert!((first(&blended, weight) - expected).abs() < 1e-6);
        assert_eq!(blended.tensor(vector), other.tensor(vector));
    }
}
