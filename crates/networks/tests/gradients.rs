//! Gradients of this crate's own layers against finite differences.

use gioconda_model::{BlockConfig, Norm, Resample};
use gioconda_networks::burn::module::{Module, ModuleMapper, Param};
use gioconda_networks::burn::tensor::{Distribution, Tensor};
use gioconda_networks::{
    Conv2d, Device, InstanceNorm, Linear, Psi, ResidualBlock, SelfAttention, Warp, compose,
};

/// Half the distance between the two points of a central difference.
const STEP: f32 = 1e-2;
/// Allowed difference relative to the length of the gradient along the direction: f32 sums and curvature.
const TOLERANCE: f32 = 1e-2;

/// Compares the derivative of a fixed random projection of `f(x)` along random directions with central differences.
fn check<const D: usize, const E: usize>(name: &str, x: Tensor<D>, f: impl Fn(Tensor<D>) -> Tensor<E>) {
    let x = x.without_autodiff();
    let device = x.device();
    let projection = f(x.clone()).without_autodiff().random_like(Distribution::Normal(0.0, 1.0));
    let value = |x: Tensor<D>| (f(x) * projection.clone()).sum();

    let tracked = Tensor::from_data(x.to_data(), &device.autodiff()).require_grad();
    let gradients = value(tracked.clone()).backward();
    let gradient = tracked.grad(&gradients).expect("the layer passes a gradient on");
    let length = gradient.clone().square().sum().sqrt().into_scalar::<f32>();
    for _ in 0..5 {
        let direction = x.random_like(Distribution::Normal(0.0, 1.0));
        let direction = direction.clone() / direction.square().sum().sqrt().reshape([1; D]);
        let at = |step: f32| value(x.clone() + direction.clone() * step).into_scalar::<f32>();
        let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let derivative = (gradient.clone() * direction.clone()).sum().into_scalar::<f32>();
        assert!(
            (difference - derivative).abs() <= TOLERANCE * length,
            "{name}: {difference} by differences, {derivative} by backward, gradient length {length}"
        );
    }
}

/// Replaces the tensor that has this path.
struct Replace<'a, const N: usize> {
    path: Vec<String>,
    target: &'a str,
    value: Tensor<N>,
}

impl<const N: usize> ModuleMapper for Replace<'_, N> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.path.join(".") != self.target {
            return param;
        }
        let value = self.value.clone();
        param.map(|old| value.reshape(old.dims()))
    }
}

fn with<M: Module, const N: usize>(module: &M, target: &str, value: Tensor<N>) -> M {
    module.clone().map(&mut Replace { path: Vec::new(), target, value })
}

/// Every test draws the same numbers every time.
fn seed() {
    Device::flex().seed(20_190_520);
}

fn normal<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

#[test]
fn layers() {
    seed();
    let device = Device::flex();
    let conv = Conv2d::new(3, 4, 3, &device).bias().spectral_norm();
    let x = normal([2, 3, 6, 5]);
    check("conv input", x.clone(), |x| conv.forward(x));
    check("conv weight through its spectral norm", normal([4, 3, 3, 3]), |weight| {
        with(&conv, "weight", weight).forward(x.clone())
    });
    check("conv bias", normal([4]), |bias| with(&conv, "bias", bias).forward(x.clone()));

    let strided = Conv2d::new(3, 4, 3, &device).stride(2);
    check("strided conv input", x.clone(), |x| strided.forward(x));
    check("strided conv weight", normal([4, 3, 3, 3]), |weight| {
        with(&strided, "weight", weight).forward(x.clone())
    });

    let linear = Linear::new(5, 3, &device).spectral_norm();
    check("linear input", normal([2, 5]), |x| linear.forward(x));
    let row = normal([2, 5]);
    check("linear weight through its spectral norm", normal([3, 5]), |weight| {
        with(&linear, "weight", weight).forward(row.clone())
    });

    let norm = InstanceNorm::new(3, &device);
    let psi = normal([2, 6]);
    for relu in [false, true] {
        check("instance norm input", x.clone(), |x| norm.forward(x, relu));
        check("instance norm scale", normal([3]), |scale| {
            with(&norm, "scale", scale).forward(x.clone(), relu)
        });
        check("AdaIN input", x.clone(), |x| Psi::new(psi.clone()).adain(x, relu));
        check("AdaIN psi", psi.clone(), |psi| Psi::new(psi).adain(x.clone(), relu));
        check("shared AdaIN psi", normal([1, 6]), |psi| Psi::new(psi).adain(x.clone(), relu));
    }

    let attention = with(&SelfAttention::new(8, &device), "gamma", Tensor::<1>::ones([1], &device));
    check("attention input", normal([1, 8, 4, 3]), |x| attention.forward(x));
}

#[test]
fn a_whole_block() {
    seed();
    let device = Device::flex();
    let config = BlockConfig {
        input: 4,
        output: 3,
        resample: Resample::Up,
        norm: Norm::Adaptive,
        leading_relu: false,
        spectral_norm: true,
        self_attention: false,
    };
    let block = ResidualBlock::new(config, &device);
    // The second AdaIN's three biases keep the activation behind it away from its kink, over which finite differences
    // would be wrong.
    let mut offset = [0.0; 14];
    offset[8..11].fill(8.0);
    let (x, psi) = (normal([1, 4, 5, 5]), normal([1, 14]) + Tensor::from_floats([offset], &device));
    check("block input", x.clone(), |x| block.forward_adaptive(x, &mut Psi::new(psi.clone())));
    check("block psi", psi, |psi| block.forward_adaptive(x.clone(), &mut Psi::new(psi)));
}

#[test]
fn convolutions_that_resample() {
    seed();
    let device = Device::flex();
    for resample in [Resample::Up, Resample::Pool, Resample::Stride] {
        let config = BlockConfig {
            input: 4,
            output: 3,
            resample,
            norm: Norm::None,
            leading_relu: false,
            spectral_norm: false,
            self_attention: false,
        };
        // A first bias of 8 keeps the activation in the middle away from its kink.
        let block =
            with(&ResidualBlock::new(config, &device), "conv1.bias", Tensor::<1>::ones([3], &device) * 8.0);
        let x = normal([2, 4, 6, 6]);
        check("resampling input", x.clone(), |x| block.forward(x));
        for weight in ["conv1.weight", "conv2.weight"] {
            let inputs = if weight.starts_with("conv1") { 4 } else { 3 };
            check("resampling weight", normal([3, inputs, 3, 3]) * 0.2, |value| {
                with(&block, weight, value).forward(x.clone())
            });
        }
    }
}

#[test]
fn composition() {
    seed();
    let warp = Warp {
        // A smooth photo: bilinear sampling has kinks at pixel centres, as steep as the photo is.
        photo: Tensor::arange(0..16, &Device::flex()).float().reshape([1, 1, 1, 16]).repeat(&[1, 3, 16, 1])
            * 0.1
            - 0.8,
        grid: normal([1, 6, 6, 2]).tanh() * 0.5,
        masks: Tensor::zeros([1, 4, 6, 6], &Device::flex()),
        painted: None,
    };
    check("composition", normal([1, 6, 6, 6]) * 0.1, |output| compose(output, &warp).frame);
}
