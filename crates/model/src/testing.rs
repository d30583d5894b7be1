//! Networks of random numbers, for tests.

use crate::{Array, NetworkConfig, Parameters, SINGULAR_VECTOR, Weights};

/// Weights within ±0.2, singular vectors of unit length.
pub(crate) fn random_weights<C: NetworkConfig>(config: &C, seed: u64) -> Weights<C> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut parameters = Parameters::default();
    for (name, shape) in config.shapes() {
        let numbers = shape.iter().product();
        let mut values: Vec<f32> = (0..numbers).map(|_| random.f32() * 0.4 - 0.2).collect();
        if name.rsplit('.').next() == Some(SINGULAR_VECTOR) {
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            for value in &mut values {
                *value /= length;
            }
        }
        parameters.insert(name, Array { shape, values });
    }
    Weights::new(config.clone(), parameters).unwrap()
}
