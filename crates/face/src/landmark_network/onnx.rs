//! The landmark model's ONNX file as a chain of layers.

use std::cell::RefCell;
use std::collections::HashMap;

use gioconda_kernels::landmarks::{Depthwise, Matrix, Slope, in_panels};
use rten_onnx::onnx::{AttributeProto, DataType, ModelProto, NodeProto, TensorProto};

/// Weights `[out, in, kernel, kernel]`, their dimensions, and biases.
type Weights = (Vec<f32>, Vec<usize>, Vec<f32>);

/// A parsed file.
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    tensors: HashMap<String, TensorProto>,
}

impl Graph {
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let model =
            ModelProto::parse_buf(file).map_err(|error| format!("it is not an ONNX file: {error}"))?;
        let graph = model.graph.ok_or("it has no graph")?;
        let named = |tensor: TensorProto| Some((tensor.name.clone()?, tensor));
        let tensors = graph.initializer.into_iter().filter_map(named).collect();
        Ok(Self { nodes: graph.node, tensors })
    }

    pub(super) fn layers(&self) -> Layers<'_> {
        Layers { graph: self, next: 0 }
    }

    /// The values and dimensions of a weight.
    fn tensor(&self, node: &NodeProto, input: usize) -> Result<(Vec<f32>, Vec<usize>), String> {
        let tensor = node
            .input
            .get(input)
            .and_then(|name| self.tensors.get(name))
            .ok_or_else(|| format!("a {} lacks its weight {input}", op_type(node)))?;
        let bytes = tensor.raw_data.as_ref().map(RefCell::borrow);
        let bytes = bytes.as_deref().map_or(&[][..], Vec::as_slice);
        let values: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let dims: Vec<usize> = tensor.dims.iter().map(|&dim| dim.max(0).cast_unsigned() as usize).collect();
        if tensor.data_type == Some(DataType::FLOAT) && dims.iter().product::<usize>() == values.len() {
            Ok((values, dims))
        } else {
            Err(format!("weight {input} of a {} is incomplete or not f32", op_type(node)))
        }
    }
}

/// The layers still to be read.
pub(super) struct Layers<'a> {
    graph: &'a Graph,
    next: usize,
}

impl<'a> Layers<'a> {
    pub(super) fn expect(&mut self, op: &str) -> Result<&'a NodeProto, String> {
        let node = self.graph.nodes.get(self.next).filter(|node| op_type(node) == op);
        self.next += 1;
        node.ok_or_else(|| format!("layer {} is not a {op}", self.next - 1))
    }

    pub(super) fn skip(&mut self, op: &str) {
        self.next += usize::from(self.graph.nodes.get(self.next).is_some_and(|node| op_type(node) == op));
    }

    /// Side of the kernel of the next layer, if that is a convolution.
    pub(super) fn next_kernel(&self) -> Option<i64> {
        let node = self.graph.nodes.get(self.next).filter(|node| op_type(node) == "Conv")?;
        attribute(node, "kernel_shape")?.ints.first().copied()
    }

    /// A `PReLU`'s slopes, one a channel.
    pub(super) fn slope(&mut self) -> Result<Slope, String> {
        let node = self.expect("PRelu")?;
        Ok(in_panels(&self.graph.tensor(node, 1)?.0))
    }

    /// A dense convolution as a matrix whose inputs are ordered row, column, channel.
    pub(super) fn convolution(&mut self, kernel: usize, stride: i64) -> Result<Matrix, String> {
        let (weights, dims, bias) = self.weights(kernel, stride, |group, _| group == 1)?;
        let (outputs, channels) = (dims[0], dims[1]);
        let weight = |output: usize, input: usize| {
            let (place, channel) = (input / channels, input % channels);
            weights[(output * channels + channel) * kernel * kernel + place]
        };
        Ok(Matrix::new(outputs, channels * kernel * kernel, weight, &bias))
    }

    pub(super) fn depthwise(&mut self) -> Result<Depthwise, String> {
        let (weights, dims, bias) =
            self.weights(3, 1, |group, dims| group == dims[0] as i64 && dims[1] == 1)?;
        Ok(Depthwise::new(dims[0], &weights, &bias))
    }

    fn weights(
        &mut self,
        kernel: usize,
        stride: i64,
        grouped: impl Fn(i64, &[usize]) -> bool,
    ) -> Result<Weights, String> {
        let at = self.next;
        let node = self.expect("Conv")?;
        let (weights, dims) = self.graph.tensor(node, 1)?;
        let (bias, _) = self.graph.tensor(node, 2)?;
        let group = attribute(node, "group").and_then(|attribute| attribute.i).unwrap_or(1);
        let strides = attribute(node, "strides").map_or(&[1, 1][..], |attribute| &attribute.ints);
        let fits = dims.len() == 4
            && dims[2..] == [kernel, kernel]
            && bias.len() == dims[0]
            && strides == [stride, stride]
            && grouped(group, &dims);
        if fits {
            Ok((weights, dims, bias))
        } else {
            Err(format!("the Conv of layer {at} has another shape"))
        }
    }
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
}

fn op_type(node: &NodeProto) -> &str {
    node.op_type.as_deref().unwrap_or_default()
}
