//! Spectral normalisation (Miyato et al. 2018): a weight is divided by an estimate of its largest singular value.
//!
//! Every normalised layer keeps a unit vector `u`, the running estimate of the first left singular vector. A weight
//! of shape `[out, in, k, k]` is read as the matrix `[out, in·k·k]`. The forward pass only reads `u`: the power
//! iteration is a separate, explicit step ([`SpectralNorm::power_iteration`]), taken once per training step, so that
//! a step which runs a network on K frames and on a fake and a real picture sees one and the same weight.
//! [`fold`](crate::Generator::folded) divides once and for all, for inference.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Device, Distribution, Tensor};
use gioconda_model::{SINGULAR_VECTOR, SPECTRAL_EPSILON};

/// Power iterations a fresh `u` is given, as many as PyTorch's `parametrizations.spectral_norm` gives.
const INITIAL_ITERATIONS: usize = 15;

/// The first left singular vector's estimate for a new weight.
pub(crate) fn singular_vector<const D: usize>(weight: &Tensor<D>, device: &Device) -> Param<Tensor<1>> {
    let matrix = as_matrix(weight.clone().detach());
    let rows = matrix.dims()[0];
    let mut u = unit(Tensor::random([rows, 1], Distribution::Normal(0.0, 1.0), device));
    for _ in 0..INITIAL_ITERATIONS {
        u = iterate(&matrix, u);
    }
    Param::initialized(ParamId::new(), u.reshape([rows]).detach().set_require_grad(false))
}

/// `weight / σ` with `σ = uᵀ W v`, `v = Wᵀu / |Wᵀu|`. As in the reference implementations, `u` and `v` are constants
/// for the gradient, which is then exactly that of `σ(W) = |Wᵀu|`.
pub(crate) fn normalized<const D: usize>(weight: Tensor<D>, u: Tensor<1>) -> Tensor<D> {
    let projected = u.unsqueeze::<2>().matmul(as_matrix(weight.clone())); // [1, in·k·k]
    let v = unit(projected.clone().detach());
    let sigma = (projected * v).sum().clamp_min(SPECTRAL_EPSILON);
    weight / sigma.reshape([1; D])
}

fn as_matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let rows = weight.dims()[0];
    let columns = weight.shape().num_elements() / rows;
    weight.reshape([rows, columns])
}

fn unit(vector: Tensor<2>) -> Tensor<2> {
    let length = vector.clone().square().sum().sqrt().clamp_min(SPECTRAL_EPSILON);
    vector / length.reshape([1, 1])
}

/// One step of the power iteration: `u` is a column.
fn iterate(matrix: &Tensor<2>, u: Tensor<2>) -> Tensor<2> {
    let v = unit(matrix.clone().transpose().matmul(u)); // [in·k·k, 1]
    unit(matrix.clone().matmul(v)) // [out, 1]
}

/// The explicit training step of spectral normalisation, for any module built of this crate's layers.
pub trait SpectralNorm: Module {
    /// Moves every `u` one power iteration on. Call it once per training step, before the forward passes.
    #[must_use]
    fn power_iteration(self) -> Self {
        self.map(&mut PowerIteration::default())
    }
}

impl<M: Module> SpectralNorm for M {}

/// Visits `weight` before `u` in every layer (the order of the fields).
#[derive(Default)]
struct PowerIteration {
    path: Vec<String>,
    weight: Option<Tensor<2>>,
}

impl ModuleMapper for PowerIteration {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.path.last().map(String::as_str) {
            Some("weight") => {
                self.weight = Some(as_matrix(param.val().detach()));
                param
            }
            Some(SINGULAR_VECTOR) => match self.weight.take() {
                Some(matrix) => param.map(|u| {
                    let shape = u.dims();
                    let column = u.detach().reshape([shape[0], 1]);
                    iterate(&matrix, column).reshape(shape).detach()
                }),
                None => param,
            },
            _ => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Conv2d;

    fn sigma(weight: &Tensor<2>) -> f32 {
        let device = weight.device();
        let u = singular_vector(weight, &device).val();
        let mut column = u.reshape([weight.dims()[0], 1]);
        for _ in 0..100 {
            column = iterate(weight, column);
        }
        let ratio = weight.clone() / normalized(weight.clone(), column.reshape([-1]));
        ratio.mean().into_scalar::<f32>()
    }

    #[test]
    fn sigma_is_the_largest_singular_value() {
        let device = Device::flex();
        // Singular values of [[3, 0], [4, 5]]: sqrt(45) and sqrt(5).
        let matrix = Tensor::<2>::from_floats([[3.0, 0.01], [4.0, 5.0]], &device);
        assert!((sigma(&matrix) - 45f32.sqrt()).abs() < 0.02, "{}", sigma(&matrix));
    }

    #[test]
    fn one_row_is_divided_by_its_length() {
        let device = Device::flex();
        let row = Tensor::<2>::from_floats([[3.0, 4.0]], &device);
        let u = singular_vector(&row, &device).val();
        let values = normalized(row, u).try_into_vec_as::<f32>().unwrap();
        assert!((values[0] - 0.6).abs() < 1e-6 && (values[1] - 0.8).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn zero_weight_stays_finite_forward_and_backward() {
        let device = Device::flex().autodiff();
        let weight = Tensor::<2>::zeros([3, 4], &device).require_grad();
        let u = singular_vector(&weight, &device).val();
        let out = normalized(weight.clone(), u).sum();
        let gradient = weight.grad(&out.backward()).unwrap();
        assert!(gradient.is_finite().all().into_scalar::<bool>());
    }

    #[test]
    fn only_the_explicit_step_moves_u() {
        let device = Device::flex().autodiff();
        let conv = Conv2d::new(3, 8, 3, &device).bias().spectral_norm();
        let before = conv.singular_vector().unwrap().into_data();
        let x = Tensor::random([1, 3, 8, 8], Distribution::Default, &device);
        let _ = conv.forward(x);
        assert_eq!(conv.singular_vector().unwrap().into_data(), before);
        let stepped = conv.power_iteration();
        assert_ne!(stepped.singular_vector().unwrap().into_data(), before);
        let length = stepped.singular_vector().unwrap().square().sum().into_scalar::<f32>();
        assert!((length - 1.0).abs() < 1e-5);
    }
}
