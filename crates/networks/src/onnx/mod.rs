//! The generator as an ONNX inference graph, for rten (the product on the CPU), ONNX Runtime and other programs.
//!
//! Spectral norms are folded into the weights. ψ is an input, or baked in, which turns every AdaIN layer into an
//! `InstanceNormalization` with constant scale and bias. The batch is 1; height and width are free multiples of
//! `pixel_shuffle * 2^halvings`.

mod frozen;
mod graph;
mod proto;

use burn::module::Module;
use burn::tensor::Tensor;
use gioconda_model::{FLOW_RANGE, NORM_EPSILON, Norm, Output, Resample};

use crate::attention::SelfAttention;
use crate::block::ResidualBlock;
use crate::layers::{Conv2d, InstanceNorm};
use crate::pixel_shuffle::shuffled;
use crate::{Error, Generator, Result};
pub(crate) use frozen::FrozenNetwork;
use graph::{Attribute, Axis, Graph};

/// Name of the graph's picture input, `[1, input, height, width]`: what [`Generator::forward`] takes.
pub const ONNX_INPUT: &str = "input";
/// Name of the graph's ψ input, `[1, psi_len]`, if ψ is not baked in.
pub const ONNX_PSI: &str = "psi";
/// Name of the graph's output, `[1, 3 or 6, height, width]`: what [`Generator::forward`] returns.
pub const ONNX_OUTPUT: &str = "output";

/// Where the graph gets ψ from.
#[derive(Clone, Copy, Debug)]
pub enum OnnxPsi<'a> {
    /// A second input: one graph for all people.
    Input,
    /// Constants, `psi_len` of them: one person's graph, and the faster one.
    Baked(&'a [f32]),
}

/// Writes `generator` as an ONNX model. `metadata` goes into the model's `metadata_props`.
///
/// # Errors
/// [`Error::PsiLength`] when a baked ψ has another length than the generator needs.
pub fn export_onnx(generator: &Generator, psi: OnnxPsi<'_>, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let generator = generator.valid().folded();
    let config = generator.config();
    let baked = match psi {
        OnnxPsi::Input => None,
        OnnxPsi::Baked(values) => {
            if values.len() != config.psi_len() {
                return Err(Error::PsiLength { found: values.len(), expected: config.psi_len() });
            }
            Some(values.to_vec())
        }
    };
    let mut graph = Graph::default();
    let picture =
        |channels| [Axis::Fixed(1), Axis::Fixed(channels), Axis::Named("height"), Axis::Named("width")];
    graph.input(ONNX_INPUT, &picture(config.input));
    if baked.is_none() {
        graph.input(ONNX_PSI, &[Axis::Fixed(1), Axis::Fixed(config.psi_len())]);
    }
    graph.output(ONNX_OUTPUT, &picture(config.output.channels()));
    Exporter { graph: &mut graph, baked, taken: 0 }.generator(&generator);
    Ok(graph.into_model("generator", metadata))
}

struct Exporter<'a> {
    graph: &'a mut Graph,
    baked: Option<Vec<f32>>,
    /// Values of ψ that AdaIN layers have taken so far.
    taken: usize,
}

impl Exporter<'_> {
    /// Mirrors [`Generator::forward`].
    fn generator(&mut self, generator: &Generator) {
        let config = generator.config();
        let mut skips = Vec::new();
        let mut x = match &generator.stem {
            // Behind pixels as channels, a 3x3 kernel is a larger one with a stride over the pixels themselves.
            Some(stem) => {
                let weight = shuffled(stem.effective_weight(), config.pixel_shuffle);
                self.conv_of("stem", weight, stem.bias_value(), config.pixel_shuffle, ONNX_INPUT)
            }
            None => ONNX_INPUT.to_owned(),
        };
        for (index, block) in generator.down.iter().enumerate() {
            if config.skips {
                skips.push((x.clone(), block.config.input));
            }
            x = self.block(&format!("down.{index}"), block, &x);
        }
        for (index, block) in generator.middle.iter().enumerate() {
            x = self.block(&format!("middle.{index}"), block, &x);
        }
        let mut channels =
            generator.middle.last().or(generator.down.last()).map_or(0, |block| block.config.output);
        for (index, block) in generator.up.iter().enumerate() {
            let name = format!("up.{index}");
            x = self.block(&name, block, &x);
            channels = block.config.output;
            if let Some((skip, width)) = skips.pop() {
                let axis = Attribute::Int("axis", 1);
                x = self.graph.node("Concat", &format!("{name}.concat"), &[&x, &skip], &[axis]);
                channels += width;
            }
        }
        x = self.adain("output.norm", channels, &x);
        x = self.graph.node("Relu", "output.relu", &[&x], &[]);
        x = self.conv("output.conv", &generator.output, &x);
        if config.pixel_shuffle > 1 {
            let attributes =
                [Attribute::Int("blocksize", config.pixel_shuffle as i64), Attribute::Text("mode", "CRD")];
            x = self.graph.node("DepthToSpace", "output.pixels", &[&x], &attributes);
        }
        match config.output {
            Output::Rgb => {
                self.graph.node("Tanh", ONNX_OUTPUT, &[&x], &[]);
            }
            Output::Composition => self.composition_channels(&x),
        }
    }

    fn composition_channels(&mut self, x: &str) {
        let graph = &mut *self.graph;
        let flow = graph.channels("flow.channels", x, 0, 2);
        let flow = graph.node("Tanh", "flow.tanh", &[&flow], &[]);
        let range = graph.floats("flow.range", &[1], &[FLOW_RANGE]);
        let flow = graph.node("Mul", "flow", &[&flow, &range], &[]);
        let mask = graph.channels("mask.channels", x, 2, 3);
        let mask = graph.node("Sigmoid", "mask", &[&mask], &[]);
        let colour = graph.channels("colour", x, 3, 6);
        graph.node("Concat", ONNX_OUTPUT, &[&flow, &mask, &colour], &[Attribute::Int("axis", 1)]);
    }

    /// Mirrors [`ResidualBlock::forward`] and [`ResidualBlock::forward_adaptive`].
    fn block(&mut self, name: &str, block: &ResidualBlock, input: &str) -> String {
        let config = block.config;
        let child = |part: &str| format!("{name}.{part}");
        let mut x = self.norm(&child("norm1"), config.norm, block.norm1.as_ref(), config.input, input);
        if config.leading_relu {
            x = self.graph.node("Relu", &child("relu1"), &[&x], &[]);
        }
        if config.resample == Resample::Up {
            x = self.upsampled(&child("up1"), &x);
        }
        x = self.conv(&child("conv1"), &block.conv1, &x);
        x = self.norm(&child("norm2"), config.norm, block.norm2.as_ref(), config.output, &x);
        x = self.graph.node("Relu", &child("relu2"), &[&x], &[]);
        x = self.conv(&child("conv2"), &block.conv2, &x);
        if config.resample == Resample::Pool {
            x = self.pooled(&child("pool"), &x);
        }
        let skip = self.skip(&child("skip"), block, input);
        x = self.graph.node("Add", &child("sum"), &[&x, &skip], &[]);
        match &block.attention {
            Some(attention) => self.attention(&child("attention"), attention, &x),
            None => x,
        }
    }

    fn skip(&mut self, name: &str, block: &ResidualBlock, input: &str) -> String {
        let Some(conv) = &block.skip else {
            return input.to_owned();
        };
        match block.config.resample {
            Resample::Keep => self.conv(name, conv, input),
            Resample::Up => {
                let x = self.conv(name, conv, input);
                self.upsampled(&format!("{name}.up"), &x)
            }
            Resample::Pool | Resample::Stride => {
                let x = self.pooled(&format!("{name}.pool"), input);
                self.conv(name, conv, &x)
            }
        }
    }

    fn norm(
        &mut self,
        name: &str,
        norm: Norm,
        affine: Option<&InstanceNorm>,
        channels: usize,
        x: &str,
    ) -> String {
        match (norm, affine) {
            (Norm::Adaptive, _) => self.adain(name, channels, x),
            (_, Some(affine)) => {
                let (scale, bias) = affine.scale_and_bias();
                let scale = self.graph.tensor(&format!("{name}.scale"), scale);
                let bias = self.graph.tensor(&format!("{name}.bias"), bias);
                self.instance_norm(name, x, &scale, &bias)
            }
            (_, None) => x.to_owned(),
        }
    }

    fn adain(&mut self, name: &str, channels: usize, x: &str) -> String {
        let bias = self.next_psi(&format!("{name}.bias"), channels);
        let scale = self.next_psi(&format!("{name}.scale"), channels);
        self.instance_norm(name, x, &scale, &bias)
    }

    fn next_psi(&mut self, name: &str, channels: usize) -> String {
        let from = self.taken;
        self.taken += channels;
        if let Some(values) = &self.baked {
            return self.graph.floats(name, &[channels], &values[from..self.taken]);
        }
        let slice = self.graph.channels(&format!("{name}.slice"), ONNX_PSI, from, self.taken); // [1, C]
        let shape = self.graph.integers(&format!("{name}.shape"), &[channels as i64]);
        self.graph.node("Reshape", name, &[&slice, &shape], &[]) // [C]
    }

    fn instance_norm(&mut self, name: &str, x: &str, scale: &str, bias: &str) -> String {
        let epsilon = Attribute::Float("epsilon", NORM_EPSILON);
        self.graph.node("InstanceNormalization", name, &[x, scale, bias], &[epsilon])
    }

    fn conv(&mut self, name: &str, conv: &Conv2d, x: &str) -> String {
        self.conv_of(name, conv.effective_weight(), conv.bias_value(), conv.stride_value(), x)
    }

    /// A convolution that keeps the size but for its stride.
    fn conv_of(
        &mut self,
        name: &str,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        stride: usize,
        x: &str,
    ) -> String {
        let kernel = weight.dims()[2];
        let attributes = [
            Attribute::Ints("kernel_shape", vec![kernel as i64; 2]),
            Attribute::Ints("pads", vec![((kernel - stride).div_ceil(2)) as i64; 4]),
            Attribute::Ints("strides", vec![stride as i64; 2]),
        ];
        let weight = self.graph.tensor(&format!("{name}.weight"), weight);
        match bias {
            Some(bias) => {
                let bias = self.graph.tensor(&format!("{name}.bias"), bias);
                self.graph.node("Conv", name, &[x, &weight, &bias], &attributes)
            }
            None => self.graph.node("Conv", name, &[x, &weight], &attributes),
        }
    }

    fn pooled(&mut self, name: &str, x: &str) -> String {
        let attributes =
            [Attribute::Ints("kernel_shape", vec![2, 2]), Attribute::Ints("strides", vec![2, 2])];
        self.graph.node("AveragePool", name, &[x], &attributes)
    }

    fn upsampled(&mut self, name: &str, x: &str) -> String {
        let scales = self.graph.floats(&format!("{name}.scales"), &[4], &[1.0, 1.0, 2.0, 2.0]);
        let attributes = [
            Attribute::Text("mode", "nearest"),
            Attribute::Text("coordinate_transformation_mode", "asymmetric"),
            Attribute::Text("nearest_mode", "floor"),
        ];
        self.graph.node("Resize", name, &[x, "", &scales], &attributes)
    }

    /// Mirrors [`SelfAttention::forward`].
    fn attention(&mut self, name: &str, attention: &SelfAttention, x: &str) -> String {
        let child = |part: &str| format!("{name}.{part}");
        let query_map = self.conv(&child("query"), &attention.query, x);
        let key_map = self.conv(&child("key"), &attention.key, x);
        let value_map = self.conv(&child("value"), &attention.value, x);
        let graph = &mut *self.graph;
        let inner = attention.query.effective_weight().dims()[0];
        let flat = graph.integers(&child("flat"), &[1, inner as i64, -1]);
        let query = graph.node("Reshape", &child("query.flat"), &[&query_map, &flat], &[]); // [1, C/8, HW]
        let key = graph.node("Reshape", &child("key.flat"), &[&key_map, &flat], &[]);
        let value = graph.node("Reshape", &child("value.flat"), &[&value_map, &flat], &[]);
        let swap = || Attribute::Ints("perm", vec![0, 2, 1]);
        let query = graph.node("Transpose", &child("query.t"), &[&query], &[swap()]);
        let scores = graph.node("MatMul", &child("scores"), &[&query, &key], &[]); // [1, HW, HW]
        let weights = graph.node("Softmax", &child("weights"), &[&scores], &[Attribute::Int("axis", -1)]);
        let weights = graph.node("Transpose", &child("weights.t"), &[&weights], &[swap()]);
        let drawn = graph.node("MatMul", &child("drawn"), &[&value, &weights], &[]); // [1, C/8, HW]
        let shape = graph.node("Shape", &child("shape"), &[&value_map], &[]);
        let drawn = graph.node("Reshape", &child("drawn.map"), &[&drawn, &shape], &[]); // [1, C/8, H, W]
        let out = self.conv(&child("output"), &attention.output, &drawn);
        let gamma = self.graph.tensor(&child("gamma"), attention.gamma.val());
        let scaled = self.graph.node("Mul", &child("scaled"), &[&out, &gamma], &[]);
        self.graph.node("Add", &child("sum"), &[x, &scaled], &[])
    }
}
