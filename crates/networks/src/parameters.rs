//! Walks over a module's tensors by name: counting, averaging of weights (EMA), averaging of gradients.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use gioconda_model::SINGULAR_VECTOR;

/// Number of trainable values. The singular vectors of spectral norm are state and do not count.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    let mut count = Count::default();
    module.visit(&mut count);
    count.total
}

#[derive(Default)]
struct Count {
    path: Vec<String>,
    total: usize,
}

impl ModuleVisitor for Count {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.last().is_none_or(|name| name != SINGULAR_VECTOR) {
            self.total += param.lazy_shape().num_elements();
        }
    }
}

/// One step of the exponential moving average of weights: `average · decay + current · (1 - decay)`, without gradient.
/// Singular vectors are copied, for an average of unit vectors is not one.
///
/// `average` starts as a clone of the trained module. The paper's weights for pictures and inference use 0.999.
///
/// # Panics
/// When the two modules differ in structure.
#[must_use]
pub fn moving_average<M: Module>(average: M, current: &M, decay: f64) -> M {
    average.map(&mut Blend { path: Vec::new(), current: values_by_path(current), decay })
}

/// The values of a parameter, without gradient.
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    /// All of them in a row.
    pub(crate) flat: Tensor<1>,
}

/// The values of all parameters of `module` by their paths, as in `down.0.conv1.weight`.
pub(crate) fn values_by_path<M: Module>(module: &M) -> HashMap<String, Values> {
    let mut collect = Collect::default();
    module.visit(&mut collect);
    collect.by_path
}

#[derive(Default)]
struct Collect {
    path: Vec<String>,
    by_path: HashMap<String, Values>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let shape = value.dims().to_vec();
        let flat = value.without_autodiff().reshape([shape.iter().product::<usize>()]);
        self.by_path.insert(self.path.join("."), Values { shape, flat });
    }
}

struct Blend {
    path: Vec<String>,
    current: HashMap<String, Values>,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let current = self.current.remove(&path).expect("average and current module have the same structure");
        let copied = self.path.last().is_some_and(|name| name == SINGULAR_VECTOR);
        param.map(|average| {
            let average = average.without_autodiff();
            let current = current.flat.reshape(average.dims());
            if copied { current } else { average * self.decay + current * (1.0 - self.decay) }
        })
    }
}

/// The mean of the gradients that several devices or several accumulated batches found for one module: the one place
/// where gradients meet. Only the running sum is kept, so that accumulation costs no memory.
#[derive(Debug, Default)]
pub struct GradientMean {
    sum: GradientsParams,
    shares: usize,
}

impl GradientMean {
    /// Adds one share. Gradients on other devices come to the module's.
    #[must_use]
    pub fn add<M: Module>(mut self, module: &M, share: GradientsParams) -> Self {
        let mut add = Add { share, sum: &mut self.sum };
        module.visit(&mut add);
        self.shares += 1;
        self
    }

    /// The mean over all shares.
    pub fn finish<M: Module>(mut self, module: &M) -> GradientsParams {
        if self.shares > 1 {
            module.visit(&mut Divide { sum: &mut self.sum, by: self.shares as f64 });
        }
        self.sum
    }
}

/// [`GradientMean`] of shares that are all at hand.
pub fn average_gradients<M: Module>(module: &M, replicas: Vec<GradientsParams>) -> GradientsParams {
    let mean = replicas.into_iter().fold(GradientMean::default(), |mean, share| mean.add(module, share));
    mean.finish(module)
}

struct Add<'a> {
    share: GradientsParams,
    sum: &'a mut GradientsParams,
}

impl ModuleVisitor for Add<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let device = param.lazy_device().without_autodiff();
        let Some(gradient) = self.share.remove::<D>(param.id) else { return };
        let gradient = gradient.to_device(&device);
        let sum = match self.sum.remove::<D>(param.id) {
            Some(sum) => sum + gradient,
            None => gradient,
        };
        self.sum.register(param.id, sum);
    }
}

struct Divide<'a> {
    sum: &'a mut GradientsParams,
    by: f64,
}

impl ModuleVisitor for Divide<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(sum) = self.sum.remove::<D>(param.id) {
            self.sum.register(param.id, sum / self.by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, Linear};
    use burn::tensor::{Device, Distribution};

    #[test]
    fn singular_vectors_are_not_parameters() {
        let conv = Conv2d::new(3, 5, 3, &Device::flex()).bias().spectral_norm();
        assert_eq!(parameter_count(&conv), 3 * 5 * 9 + 5);
    }

    #[test]
    fn the_average_follows_slowly() {
        let device = Device::flex();
        let average = Linear::new(2, 2, &device).zero_with_bias(&[1.0, 2.0]);
        let current = Linear::new(2, 2, &device).zero_with_bias(&[2.0, 4.0]);
        let blended = moving_average(average, &current, 0.9);
        let out = blended.forward(Tensor::zeros([1, 2], &device)).try_into_vec_as::<f32>().unwrap();
        assert!((out[0] - 1.1).abs() < 1e-6 && (out[1] - 2.2).abs() < 1e-6, "{out:?}");
    }

    #[test]
    fn gradients_of_two_halves_average_to_those_of_the_whole() {
        let device = Device::flex().autodiff();
        let linear = Linear::new(3, 2, &device);
        let batch = Tensor::<2>::random([4, 3], Distribution::Default, &device);
        let gradients = |rows: Tensor<2>| {
            GradientsParams::from_grads(linear.forward(rows).square().mean().backward(), &linear)
        };
        let halves = batch.clone().chunk(2, 0).into_iter().map(gradients).collect();
        let mean = average_gradients(&linear, halves);
        let whole = gradients(batch);
        let mut check = Compare { mean, whole, compared: 0 };
        linear.visit(&mut check);
        assert_eq!(check.compared, 2);
    }

    struct Compare {
        mean: GradientsParams,
        whole: GradientsParams,
        compared: usize,
    }

    impl ModuleVisitor for Compare {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let difference = self.mean.get::<D>(param.id).unwrap() - self.whole.get::<D>(param.id).unwrap();
            assert!(difference.abs().max().into_scalar::<f32>() < 1e-6);
            self.compared += 1;
        }
    }
}
