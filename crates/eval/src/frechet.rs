//! The Fréchet distance between two clouds of features, each taken for a Gaussian (Heusel et al. 2017).
//!
//! d² = |μ₁ - μ₂|² + tr(C₁ + C₂ - 2 (C₁^½ C₂ C₁^½)^½). The symmetric form of the root has real eigenvalues, which the
//! textbook's (C₁C₂)^½ has only up to rounding.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Sums over features, from which mean and covariance follow; sums of parts can be added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many features.
    pub count: usize,
    /// `[n]` their sum.
    pub sum: Vec<f64>,
    /// `[n * n]` the sum of their outer products.
    pub outer: Vec<f64>,
}

impl Moments {
    /// Adds one feature; all have the same length.
    pub fn add(&mut self, feature: &[f64]) {
        let length = feature.len();
        self.sum.resize(length, 0.0);
        self.outer.resize(length * length, 0.0);
        self.count += 1;
        for (i, value) in feature.iter().enumerate() {
            self.sum[i] += value;
            for (sum, other) in self.outer[i * length..(i + 1) * length].iter_mut().zip(feature) {
                *sum += value * other;
            }
        }
    }

    /// Adds the features of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (mine, theirs) in [(&mut self.sum, &other.sum), (&mut self.outer, &other.outer)] {
            mine.resize(theirs.len().max(mine.len()), 0.0);
            for (sum, value) in mine.iter_mut().zip(theirs) {
                *sum += value;
            }
        }
    }

    fn mean(&self) -> DVector<f64> {
        DVector::from_column_slice(&self.sum) / self.count as f64
    }

    /// Unbiased.
    fn covariance(&self) -> DMatrix<f64> {
        let (length, mean) = (self.sum.len(), self.mean());
        let outer = DMatrix::from_row_slice(length, length, &self.outer);
        (outer - &mean * mean.transpose() * self.count as f64) / (self.count as f64 - 1.0)
    }
}

/// The squared Fréchet distance, what is called FID; `None` with fewer than two features on a side, or of different
/// lengths.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Option<f64> {
    if a.count < 2 || b.count < 2 || a.sum.len() != b.sum.len() {
        return None;
    }
    let (a_covariance, b_covariance) = (a.covariance(), b.covariance());
    let root = square_root(&a_covariance);
    let product = &root * &b_covariance * &root;
    // Rounding may leave the product a hair from symmetric.
    let symmetric = (&product + product.transpose()) * 0.5;
    let cross: f64 =
        SymmetricEigen::new(symmetric).eigenvalues.iter().map(|value| value.max(0.0).sqrt()).sum();
    let distance =
        (a.mean() - b.mean()).norm_squared() + a_covariance.trace() + b_covariance.trace() - 2.0 * cross;
    Some(distance.max(0.0))
}

/// The symmetric square root of a symmetric matrix without negative eigenvalues.
fn square_root(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(matrix.clone());
    let roots = DMatrix::from_diagonal(&eigenvalues.map(|value| value.max(0.0).sqrt()));
    &eigenvectors * roots * eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, number, rows};

    fn of(features: &[Vec<f64>]) -> Moments {
        let mut moments = Moments::default();
        for feature in features {
            moments.add(feature);
        }
        moments
    }

    #[test]
    fn agrees_with_scipy() {
        let fixtures = fixtures::metrics();
        let (a, b) = (of(&rows(&fixtures, "frechet_a")), of(&rows(&fixtures, "frechet_b")));
        let (ours, theirs) = (frechet_distance(&a, &b).unwrap(), number(&fixtures, "frechet"));
        assert!((ours - theirs).abs() < 1e-8 * theirs, "{ours} {theirs}");
    }

    /// Points whose mean and covariance are known exactly: ±s along each axis around a centre.
    fn cross(centre: &[f64], spread: &[f64]) -> Moments {
        let mut points = Vec::new();
        for axis in 0..centre.len() {
            for sign in [-1.0, 1.0] {
                let mut point = centre.to_vec();
                point[axis] += sign * spread[axis];
                points.push(point);
            }
        }
        of(&points)
    }

    #[test]
    fn gaussians_with_diagonal_covariance_have_a_closed_form() {
        let (a, b) = (cross(&[0.0, 1.0, 2.0], &[1.0, 2.0, 3.0]), cross(&[1.0, 1.0, 0.0], &[2.0, 2.0, 0.5]));
        // The covariance along an axis is 2 s² / 5; d² = |Δμ|² + Σ (σ₁ - σ₂)².
        let deviation = |s: f64| s * (2.0_f64 / 5.0).sqrt();
        let spreads = [(1.0, 2.0), (2.0, 2.0), (3.0, 0.5)];
        let expected =
            5.0 + spreads.iter().map(|(a, b)| (deviation(*a) - deviation(*b)).powi(2)).sum::<f64>();
        let found = frechet_distance(&a, &b).unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        assert!((frechet_distance(&b, &a).unwrap() - found).abs() < 1e-9);
        assert!(frechet_distance(&a, &a).unwrap() < 1e-9);
    }

    #[test]
    fn parts_add_up_and_too_few_are_none() {
        let features: Vec<Vec<f64>> = (0..9).map(|i| vec![f64::from(i), f64::from(i * i % 7)]).collect();
        let mut parts = of(&features[..4]);
        parts.merge(&of(&features[4..]));
        assert_eq!(parts, of(&features));
        assert_eq!(frechet_distance(&of(&features[..1]), &parts), None);
    }
}
