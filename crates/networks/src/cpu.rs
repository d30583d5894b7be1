//! `gioconda-kernels` as operations of Burn: on the `flex` device our own vector code with its own gradients, on
//! every other device Burn's operations. Networks call [`convolve`], [`convolve_transposed`] and [`normalize`] and do
//! not see which.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{DType, Device, Tensor, TensorData, activation};
use gioconda_kernels::{Convolution, InstanceNorm, Moments};
use gioconda_model::NORM_EPSILON;

/// 2-D convolution with zero padding: `x`: `[B, in, H, W]`; `weight`: `[out, in, k, k]`; `bias`: `[out]`; out
/// `[B, out, (H + 2 padding - k) / stride + 1, ..]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if !on_flex(&x) {
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        return conv2d(x, weight, bias, options);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &x.device()));
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as CpuKernels>::convolve(
        x,
        weight,
        bias.into_dispatch(),
        stride,
        padding,
    ))
}

/// The transposed convolution, whose output has `stride` times the input's size: `x`: `[B, in, H, W]`; `weight`:
/// `[in, out, k, k]`, k - 2·padding = stride.
pub(crate) fn convolve_transposed(
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if !on_flex(&x) {
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
        return conv_transpose2d(x, weight, None, options);
    }
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as CpuKernels>::convolve_transposed(x, weight, stride, padding))
}

/// Instance norm of `x`, `[B, C, H, W]`, then `scale` and `bias`, `[1 or B, C]`, then `ReLU` where asked for.
///
/// `(x - μ) / sqrt(σ² + ε)`, σ² over H·W without Bessel's correction. The root is taken of σ² + ε, not of σ², so that
/// the gradient on a constant map is finite.
pub(crate) fn normalize(x: Tensor<4>, scale: Tensor<2>, bias: Tensor<2>, relu: bool) -> Tensor<4> {
    if !on_flex(&x) {
        let centred = x.clone() - x.mean_dims(&[2, 3]);
        let variance = centred.clone().square().mean_dims(&[2, 3]);
        let [people, channels] = scale.dims();
        let [scale, bias] = [scale, bias].map(|values| values.reshape([people, channels, 1, 1]));
        let out = centred / (variance + f64::from(NORM_EPSILON)).sqrt() * scale + bias;
        return if relu { activation::relu(out) } else { out };
    }
    let [scale, bias] = [scale, bias].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as CpuKernels>::normalize(x.into_dispatch(), scale, bias, relu))
}

fn on_flex(x: &Tensor<4>) -> bool {
    x.dtype() == DType::F32 && x.device().without_autodiff() == Device::flex()
}

#[backend_extension(Flex, Autodiff)]
trait CpuKernels: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    fn normalize(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    std::array::from_fn(|axis| tensor.shape()[axis])
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// A tensor whose values stand in order.
#[derive(Clone, Debug)]
struct Dense(FlexTensor);

impl Dense {
    fn new(tensor: FlexTensor) -> Self {
        Self(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() })
    }

    fn values(&self) -> &[f32] {
        self.0.as_slice().expect("a contiguous f32 tensor is a slice")
    }
}

/// Sizes of the convolution of `x` with `weight`, `[out, in, k, k]`.
fn convolution(x: [usize; 4], weight: &FlexTensor, stride: usize, padding: usize) -> Convolution {
    let [outputs, inputs, height, width] = dims(weight);
    assert_eq!(x[1], inputs, "the convolution's weight is made for other channels");
    Convolution {
        batch: x[0],
        inputs,
        outputs,
        size: [x[2], x[3]],
        kernel: [height, width],
        stride: [stride; 2],
        padding: [padding; 2],
    }
}

/// Where Burn's matrix products are faster than our loops (`cargo bench -p gioconda-networks --bench convolutions`): a 1x1
/// kernel is one product without any copying, and rows shorter than a vector leave most of it empty.
fn is_one_product(sizes: &Convolution) -> bool {
    sizes.kernel == [1, 1] && sizes.stride == [1, 1] && sizes.padding == [0, 0]
}

fn has_short_rows(sizes: &Convolution) -> bool {
    const LANES: usize = 8;
    sizes.output_size()[1] < LANES
}

/// So few pixels that adding up the lanes of our sums costs more than the sums.
fn has_few_pixels(sizes: &Convolution) -> bool {
    const FEW: usize = 1024;
    sizes.batch * sizes.output_size().iter().product::<usize>() < FEW
}

fn options(sizes: &Convolution) -> ConvOptions<2> {
    ConvOptions::new(sizes.stride, sizes.padding, [1, 1], 1)
}

fn forward(sizes: &Convolution, x: &Dense, weight: &Dense, bias: Option<&Dense>) -> FlexTensor {
    if is_one_product(sizes) || has_short_rows(sizes) {
        return Flex::conv2d(x.0.clone(), weight.0.clone(), bias.map(|bias| bias.0.clone()), options(sizes));
    }
    let bias = bias.map_or(&[][..], Dense::values);
    tensor(sizes.forward(x.values(), weight.values(), bias), output_shape(sizes))
}

fn input_gradient(sizes: &Convolution, gradient: &Dense, weight: &Dense) -> FlexTensor {
    if is_one_product(sizes) {
        return Flex::conv2d(gradient.0.clone(), weight.0.transpose(0, 1), None, options(sizes));
    }
    if has_short_rows(sizes) {
        let x = FlexTensor::empty(input_shape(sizes).into(), DType::F32); // only its shape is read
        return Flex::conv2d_x_backward(x, weight.0.clone(), gradient.0.clone(), options(sizes));
    }
    tensor(sizes.input_gradient(gradient.values(), weight.values()), input_shape(sizes))
}

fn weight_gradient(sizes: &Convolution, x: &Dense, gradient: &Dense) -> FlexTensor {
    if has_few_pixels(sizes) {
        let weight = FlexTensor::empty(weight_shape(sizes).into(), DType::F32); // only its shape is read
        return Flex::conv2d_weight_backward(x.0.clone(), weight, gradient.0.clone(), options(sizes));
    }
    tensor(sizes.weight_gradient(x.values(), gradient.values()), weight_shape(sizes))
}

fn output_shape(sizes: &Convolution) -> [usize; 4] {
    let [height, width] = sizes.output_size();
    [sizes.batch, sizes.outputs, height, width]
}

fn input_shape(sizes: &Convolution) -> [usize; 4] {
    [sizes.batch, sizes.inputs, sizes.size[0], sizes.size[1]]
}

fn weight_shape(sizes: &Convolution) -> [usize; 4] {
    [sizes.outputs, sizes.inputs, sizes.kernel[0], sizes.kernel[1]]
}

/// Sizes of the convolution whose input gradient is the transposed convolution of `x` with `weight`, `[in, out, k, k]`.
fn transposed(x: &FlexTensor, weight: &FlexTensor, stride: usize, padding: usize) -> Convolution {
    let [batch, _, height, width] = dims(x);
    let [_, inputs, ..] = dims::<4>(weight);
    let sizes = convolution([batch, inputs, height * stride, width * stride], weight, stride, padding);
    assert_eq!(output_shape(&sizes), dims(x), "the kernel does not enlarge exactly by the stride");
    sizes
}

impl CpuKernels for Flex {
    fn convolve(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        stride: usize,
        padding: usize,
    ) -> FlexTensor {
        let sizes = convolution(dims(&x), &weight, stride, padding);
        let [x, weight, bias] = [x, weight, bias].map(Dense::new);
        forward(&sizes, &x, &weight, Some(&bias))
    }

    fn convolve_transposed(x: FlexTensor, weight: FlexTensor, stride: usize, padding: usize) -> FlexTensor {
        let sizes = transposed(&x, &weight, stride, padding);
        let [x, weight] = [x, weight].map(Dense::new);
        input_gradient(&sizes, &x, &weight)
    }

    fn normalize(x: FlexTensor, scale: FlexTensor, bias: FlexTensor, relu: bool) -> FlexTensor {
        Norm::new(x, scale, bias, relu).0
    }
}

/// What the norm's gradient needs.
#[derive(Clone, Debug)]
struct Norm {
    sizes: InstanceNorm,
    x: Dense,
    scale: Dense,
    bias: Dense,
    moments: Vec<Moments>,
}

impl Norm {
    fn new(x: FlexTensor, scale: FlexTensor, bias: FlexTensor, relu: bool) -> (FlexTensor, Self) {
        let [people, channels, height, width] = dims(&x);
        for values in [&scale, &bias] {
            let [rows, columns] = dims(values);
            assert!(columns == channels && (rows == people || rows == 1), "one scale and bias per channel");
        }
        let norm = InstanceNorm { pixels: height * width, epsilon: NORM_EPSILON, relu };
        let [x, scale, bias] = [x, scale, bias].map(Dense::new);
        let (y, moments) = norm.forward(x.values(), scale.values(), bias.values());
        (tensor(y, [people, channels, height, width]), Self { sizes: norm, x, scale, bias, moments })
    }

    /// With respect to input, scale and bias.
    fn gradient(&self, gradient: FlexTensor) -> [FlexTensor; 3] {
        let gradient = Dense::new(gradient);
        let values = [&self.x, &self.scale, &self.bias].map(Dense::values);
        let found = self.sizes.gradient(values[0], &self.moments, values[1], values[2], gradient.values());
        let shape: [usize; 2] = dims(&self.scale.0);
        // A scale that everyone shares gets the sum over everyone.
        let shared = |of_all: Vec<f32>| {
            let len = shape[0] * shape[1];
            let sums = (0..len).map(|at| of_all.iter().skip(at).step_by(len).sum()).collect();
            tensor(sums, shape)
        };
        [tensor(found.x, dims::<4>(&self.x.0)), shared(found.scale), shared(found.bias)]
    }
}

#[derive(Debug)]
struct ConvolveBackward;

impl Backward<Flex, 3> for ConvolveBackward {
    type State = (Convolution, Dense, Dense);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (sizes, x, weight) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        let gradient = Dense::new(gradients.consume::<Flex>(&ops.node));
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, input_gradient(&sizes, &gradient, &weight));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, weight_gradient(&sizes, &x, &gradient));
        }
        if let Some(node) = of_bias {
            let values = sizes.bias_gradient(gradient.values());
            gradients.register::<Flex>(node.id, tensor(values, [sizes.outputs]));
        }
    }
}

#[derive(Debug)]
struct TransposedBackward;

impl Backward<Flex, 2> for TransposedBackward {
    type State = (Convolution, Dense, Dense);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (sizes, x, weight) = ops.state;
        let [of_x, of_weight] = ops.parents;
        let gradient = Dense::new(gradients.consume::<Flex>(&ops.node));
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, forward(&sizes, &gradient, &weight, None));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, weight_gradient(&sizes, &gradient, &x));
        }
    }
}

#[derive(Debug)]
struct NormalizeBackward;

impl Backward<Flex, 3> for NormalizeBackward {
    type State = Norm;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let found = ops.state.gradient(gradients.consume::<Flex>(&ops.node));
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> CpuKernels for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node(), bias.node()]);
        let [x, weight, bias] = [x, weight, bias].map(|tensor| Dense::new(tensor.into_primitive()));
        let sizes = convolution(dims(&x.0), &weight.0, stride, padding);
        let out = forward(&sizes, &x, &weight, Some(&bias));
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((sizes, x, weight), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let prepared = TransposedBackward.prepare::<C>([x.node(), weight.node()]);
        let [x, weight] = [x, weight].map(|tensor| Dense::new(tensor.into_primitive()));
        let sizes = transposed(&x.0, &weight.0, stride, padding);
        let out = input_gradient(&sizes, &x, &weight);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((sizes, x, weight), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn normalize(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let prepared = NormalizeBackward.prepare::<C>([x.node(), scale.node(), bias.node()]);
        let [x, scale, bias] = [x.into_primitive(), scale.into_primitive(), bias.into_primitive()];
        let (out, state) = Norm::new(x, scale, bias, relu);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }
}
