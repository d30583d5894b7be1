//! A small linear space of expressions.
//!
//! The displacement of 468 mesh points is 1404 numbers, but faces move in few ways. The basis holds the principal
//! components of real talking heads' displacements (`examples/expression_basis.rs` computes it, its card is
//! `models/expression_basis.md`), so that a motion file needs a few dozen numbers a frame. Landmarks of mouth and
//! eyes count more in the fit, because people look there.

use std::sync::LazyLock;

use gioconda_face::LANDMARKS;
use gioconda_face::topology::MESH_POINTS;
use nalgebra::Vector3;
use safetensors::SafeTensors;

use crate::models::EXPRESSION_BASIS;

/// How many components the basis has: numbers a frame in a motion file.
pub const COMPONENTS: usize = 48;

/// An orthonormal basis of weighted displacements.
#[derive(Debug)]
pub struct ExpressionBasis {
    /// `[COMPONENTS][468]`, orthonormal over the weighted displacements.
    components: Vec<Vec<Vector3<f32>>>,
    /// `[468]` importance of each landmark.
    weights: Vec<f32>,
}

/// The basis compiled into the program.
pub static BASIS: LazyLock<ExpressionBasis> = LazyLock::new(|| {
    ExpressionBasis::parse(EXPRESSION_BASIS.bytes)
        .expect("the basis compiled into the program is checked by a test")
});

impl ExpressionBasis {
    /// Reads `components` (f16 or f32, `[COMPONENTS, 468, 3]`) and `weights` (f32, `[468]`); `None` when the file
    /// is not of that form.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let file = SafeTensors::deserialize(bytes).ok()?;
        let components = file.tensor("components").ok()?;
        let weights = file.tensor("weights").ok()?;
        if components.shape() != [COMPONENTS, MESH_POINTS, 3] || weights.shape() != [MESH_POINTS] {
            return None;
        }
        let (numbers, weights) =
            (crate::file::tensors::floats(&components)?, crate::file::tensors::floats(&weights)?);
        // Displacements are divided by the weights.
        if !numbers.iter().all(|number| number.is_finite()) || !weights.iter().all(|weight| *weight > 1e-6) {
            return None;
        }
        let components = numbers
            .chunks_exact(3 * MESH_POINTS)
            .map(|row| row.as_chunks::<3>().0.iter().map(|&point| point.into()).collect())
            .collect();
        Some(Self { components, weights })
    }

    /// The `[COMPONENTS]` coefficients of a displacement field (the mesh's part of it).
    pub fn encode(&self, displacement: &[Vector3<f32>; LANDMARKS]) -> [f32; COMPONENTS] {
        let mut coefficients = [0.0; COMPONENTS];
        for (coefficient, component) in coefficients.iter_mut().zip(&self.components) {
            let points = component.iter().zip(displacement).zip(&self.weights);
            *coefficient = points.map(|((axis, moved), weight)| weight * axis.dot(moved)).sum();
        }
        coefficients
    }

    /// The displacement field of `coefficients`; the irises' points stay zero.
    pub fn decode(&self, coefficients: &[f32]) -> [Vector3<f32>; LANDMARKS] {
        let mut displacement = [Vector3::zeros(); LANDMARKS];
        for (component, &coefficient) in self.components.iter().zip(coefficients) {
            for i in 0..MESH_POINTS {
                displacement[i] += (coefficient / self.weights[i]) * component[i];
            }
        }
        displacement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_basis_is_orthonormal() {
        let basis = ExpressionBasis::parse(EXPRESSION_BASIS.bytes).expect("readable");
        for k in 0..COMPONENTS {
            for l in 0..=k {
                let dot: f32 =
                    basis.components[k].iter().zip(&basis.components[l]).map(|(a, b)| a.dot(b)).sum();
                let expected = if k == l { 1.0 } else { 0.0 };
                assert!((dot - expected).abs() < 5e-3, "components {k} and {l}: {dot}");
            }
        }
    }

    #[test]
    fn coefficients_come_back_from_their_displacement() {
        let wanted: [f32; COMPONENTS] = std::array::from_fn(|k| (k as f32 * 0.7).sin());
        let found = BASIS.encode(&BASIS.decode(&wanted));
        for (a, b) in wanted.iter().zip(&found) {
            assert!((a - b).abs() < 0.02, "{a} {b}");
        }
    }

    #[test]
    fn files_of_another_form_are_refused() {
        assert!(ExpressionBasis::parse(b"").is_none());
        assert!(
            ExpressionBasis::parse(&EXPRESSION_BASIS.bytes[..EXPRESSION_BASIS.bytes.len() / 2]).is_none()
        );
    }
}
