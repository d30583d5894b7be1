//! A finished ONNX network as operations of Burn, so that a loss can look through it: gradients reach its input, its weights
//! stay.
//!
//! It reads the two files of [`critics`](crate::critics), which are known by their checksums, and no others: that shapes of
//! neighbouring steps agree is not checked, and layouts are taken to change only at the graph's two ends.

use std::cell::Ref;
use std::collections::HashMap;
use std::path::Path;

use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};
use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};

use crate::cpu::convolve;
use crate::{Error, Result};

/// A frozen network with one picture in and one list of numbers out.
#[derive(Clone, Debug)]
pub(crate) struct FrozenNetwork {
    steps: Vec<Step>,
    /// Values by number: the input first, then constants and what the steps made.
    constants: Vec<Option<Tensor<4>>>,
    output: usize,
}

/// One operation: the numbers of the values that it takes and of the one that it makes.
#[derive(Clone, Debug)]
struct Step {
    operation: Operation,
    inputs: Vec<usize>,
    output: usize,
}

#[derive(Clone, Debug)]
enum Operation {
    Convolution(Box<Convolution>),
    /// Below 0 times the second input, a factor for each channel, `[1, C, 1, 1]`.
    PRelu,
    Relu,
    Abs,
    Add,
    Sub,
    Mul,
    MaxPool {
        kernel: usize,
        stride: usize,
    },
    /// So many channels of zeros behind the others.
    MoreChannels(usize),
    /// The input as it is.
    Same,
}

#[derive(Clone, Debug)]
struct Convolution {
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    /// Above and below, left and right, pixels of zeros.
    padding: [(usize, usize); 2],
    groups: usize,
}

impl FrozenNetwork {
    /// Reads an ONNX file's `bytes`; `path` names it in errors. Pictures in are the graph's first input, as
    /// `[B, C, H, W]` whatever layout the file says; what comes out is the value called `output`. Steps that do not lead
    /// there are left out.
    ///
    /// # Errors
    /// When the file is no ONNX file, has no such output, or needs an operation that is not here.
    pub(crate) fn read(bytes: &[u8], path: &Path, output: &str, device: &Device) -> Result<Self> {
        let fail =
            |reason: String| Error::from(gioconda_model::Error::NotWeights { path: path.to_owned(), reason });
        let model = ModelProto::parse_buf(bytes).map_err(|error| fail(error.to_string()))?;
        let graph = model.graph.ok_or_else(|| fail("it holds no graph".to_owned()))?;
        Reader::new(&graph, device).read(output).map_err(fail)
    }

    /// `[B, C, H, W]` as the network wants its pictures; out `[B, length]`.
    pub(crate) fn forward(&self, picture: Tensor<4>) -> Tensor<2> {
        let mut values = self.constants.clone();
        values[0] = Some(picture);
        for step in &self.steps {
            let input = |i: usize| values[step.inputs[i]].clone().expect("steps stand in order");
            let made = step.operation.apply(input);
            values[step.output] = Some(made);
        }
        values[self.output].take().expect("the last step makes it").flatten(1, 3)
    }
}

impl Operation {
    fn apply(&self, input: impl Fn(usize) -> Tensor<4>) -> Tensor<4> {
        let x = input(0);
        match self {
            Self::Convolution(convolution) => convolution.apply(x),
            Self::PRelu => {
                let slope = input(1);
                x.clone() * slope.clone() + activation::relu(x) * (slope.neg() + 1.0)
            }
            Self::Relu => activation::relu(x),
            Self::Abs => x.abs(),
            Self::Add => x + input(1),
            Self::Sub => x - input(1),
            Self::Mul => x * input(1),
            Self::MaxPool { kernel, stride } => {
                max_pool2d(x, MaxPoolOptions::new([*kernel; 2]).with_stride([*stride; 2]))
            }
            Self::MoreChannels(count) => {
                let [batch, _, height, width] = x.dims();
                let zeros = Tensor::zeros([batch, *count, height, width], &x.device());
                Tensor::cat(vec![x, zeros], 1)
            }
            Self::Same => x,
        }
    }
}

impl Convolution {
    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.clone(), Some(self.bias.clone()));
        let around = self.padding[0].0;
        let even = self.padding == [(around, around); 2];
        if even && self.groups == 1 && weight.dims()[2] == 2 * around + 1 {
            return convolve(x, weight, bias, self.stride, around);
        }
        let options = ConvOptions::new_with_padding([self.stride; 2], self.padding, [1, 1], self.groups);
        conv2d(x, weight, bias, options)
    }
}

/// Turns a graph into steps.
struct Reader<'a> {
    graph: &'a GraphProto,
    device: &'a Device,
    tensors: HashMap<&'a str, &'a TensorProto>,
    /// Numbers of values by name.
    numbers: HashMap<&'a str, usize>,
    constants: Vec<Option<Tensor<4>>>,
}

type Reason<T> = std::result::Result<T, String>;

impl<'a> Reader<'a> {
    fn new(graph: &'a GraphProto, device: &'a Device) -> Self {
        let tensors = graph.initializer.iter().map(|tensor| (text(&tensor.name), tensor)).collect();
        Self { graph, device, tensors, numbers: HashMap::new(), constants: Vec::new() }
    }

    fn read(mut self, output: &str) -> Reason<FrozenNetwork> {
        let input = self.graph.input.first().ok_or("it has no input")?;
        self.number(text(&input.name));
        let mut wanted = vec![output];
        let mut nodes = Vec::new();
        for node in self.graph.node.iter().rev() {
            if node.output.iter().any(|name| wanted.contains(&name.as_str())) {
                wanted.extend(node.input.iter().map(String::as_str));
                nodes.push(node);
            }
        }
        nodes.reverse();
        let steps = nodes.into_iter().map(|node| self.step(node)).collect::<Reason<Vec<_>>>()?;
        let output = *self.numbers.get(output).ok_or_else(|| format!("it has no output `{output}`"))?;
        Ok(FrozenNetwork { steps, constants: self.constants, output })
    }

    fn number(&mut self, name: &'a str) -> usize {
        let next = self.constants.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.constants.push(None);
        }
        number
    }

    fn step(&mut self, node: &'a NodeProto) -> Reason<Step> {
        let operation =
            self.operation(node).map_err(|reason| format!("`{}`: {reason}", text(&node.op_type)))?;
        let count = match operation {
            Operation::PRelu | Operation::Add | Operation::Sub | Operation::Mul => 2,
            _ => 1,
        };
        let names =
            node.input.get(..count).ok_or_else(|| format!("`{}` lacks inputs", text(&node.op_type)))?;
        let inputs = names.iter().map(|name| self.value(name)).collect::<Reason<_>>()?;
        let output = node.output.first().ok_or_else(|| format!("`{}` makes nothing", text(&node.op_type)))?;
        Ok(Step { operation, inputs, output: self.number(output) })
    }

    /// The number of a value that is there: the input, what an earlier step made, or a constant, which is made known.
    fn value(&mut self, name: &'a str) -> Reason<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let constant = self.per_channel(name)?;
        let number = self.number(name);
        self.constants[number] = Some(constant);
        Ok(number)
    }

    fn operation(&self, node: &NodeProto) -> Reason<Operation> {
        Ok(match text(&node.op_type) {
            "Conv" => Operation::Convolution(Box::new(self.convolution(node)?)),
            "PRelu" => Operation::PRelu,
            "Relu" => Operation::Relu,
            "Abs" => Operation::Abs,
            "Add" => Operation::Add,
            "Sub" => Operation::Sub,
            "Mul" => Operation::Mul,
            "MaxPool" => {
                if ints(node, "pads").iter().any(|pad| *pad != 0) {
                    return Err("only without padding".to_owned());
                }
                let (kernel, stride) = (square(node, "kernel_shape")?, square(node, "strides")?);
                if ![kernel, stride].iter().all(|size| (1..=64).contains(size)) {
                    return Err(format!("its kernel {kernel} or stride {stride} is out of range"));
                }
                Operation::MaxPool { kernel, stride }
            }
            "Pad" => match self.integers(node.input.get(1).ok_or("it lacks a second input")?)?[..] {
                [0, 0, 0, 0, 0, channels @ ..=4096, 0, 0] => Operation::MoreChannels(natural(channels)?),
                _ => return Err("only with channels behind the others".to_owned()),
            },
            // Only between layouts: values here are `[B, C, H, W]` throughout, and one pixel's channels in the end.
            "Transpose" if matches!(ints(node, "perm"), [0, 3, 1, 2] | [0, 2, 3, 1]) => Operation::Same,
            "Identity" | "Reshape" => Operation::Same,
            _ => return Err("this operation is not supported".to_owned()),
        })
    }

    fn convolution(&self, node: &NodeProto) -> Reason<Convolution> {
        let [_, weight, bias] = &node.input[..] else {
            return Err("it needs a weight and a bias".to_owned());
        };
        if ints(node, "dilations").iter().any(|dilation| *dilation != 1) {
            return Err("only without dilation".to_owned());
        }
        let pads = match ints(node, "pads") {
            [top, left, bottom, right] => [top, bottom, left, right].map(|pad| natural(*pad)),
            _ => [Ok(0), Ok(0), Ok(0), Ok(0)],
        };
        let [top, bottom, left, right] = pads;
        let groups = node.attribute.iter().find(|attribute| text(&attribute.name) == "group");
        let groups = natural(groups.and_then(|attribute| attribute.i).unwrap_or(1))?;
        let stride = square(node, "strides")?;
        let (weight, bias): (Tensor<4>, Tensor<1>) = (self.tensor(weight)?, self.tensor(bias)?);
        let [outputs, inputs, height, width] = weight.dims();
        let sized =
            [outputs, inputs, height, width, groups, stride].iter().all(|&size| (1..=4096).contains(&size));
        let padding = [top?, bottom?, left?, right?];
        if !sized || outputs % groups != 0 || bias.dims() != [outputs] || padding.iter().any(|&pad| pad > 64)
        {
            return Err("its sizes are out of range or contradict each other".to_owned());
        }
        let [top, bottom, left, right] = padding;
        Ok(Convolution { weight, bias, stride, padding: [(top, bottom), (left, right)], groups })
    }

    /// A constant of this type, and its bytes.
    fn constant(&self, name: &str, kind: DataType) -> Reason<(&'a TensorProto, Ref<'a, [u8]>)> {
        let tensor = self.tensors.get(name).ok_or_else(|| format!("`{name}` is no constant"))?;
        let found = tensor.data_type.ok_or_else(|| format!("`{name}` has no type"))?;
        if found != kind {
            return Err(format!("`{name}` is of type {found}, not {kind}"));
        }
        let bytes = tensor.raw_data.as_ref().ok_or_else(|| format!("`{name}` holds no bytes"))?;
        Ok((tensor, Ref::map(bytes.borrow(), Vec::as_slice)))
    }

    fn tensor<const D: usize>(&self, name: &str) -> Reason<Tensor<D>> {
        let (tensor, bytes) = self.constant(name, DataType::FLOAT)?;
        let shape = tensor.dims.iter().map(|size| natural(*size)).collect::<Reason<Vec<_>>>()?;
        let values: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let shape: [usize; D] =
            shape.try_into().map_err(|shape| format!("`{name}` has shape {shape:?}, not {D} axes"))?;
        let count = shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side));
        if count != Some(values.len()) || values.len() * 4 != bytes.len() {
            return Err(format!("`{name}` does not hold the numbers of its shape"));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(format!("`{name}` holds NaN or infinity"));
        }
        Ok(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    /// `[C, 1, 1] -> [1, C, 1, 1]`
    fn per_channel(&self, name: &str) -> Reason<Tensor<4>> {
        Ok(self.tensor::<3>(name)?.unsqueeze())
    }

    fn integers(&self, name: &str) -> Reason<Vec<i64>> {
        let (_, bytes) = self.constant(name, DataType::INT64)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
    }
}

/// A name that may be left out, which is the same as an empty one.
#[allow(clippy::ref_option, reason = "the fields of messages are such")]
fn text(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or_default()
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    let attribute = node.attribute.iter().find(|attribute| text(&attribute.name) == name);
    attribute.map_or(&[], |attribute| &attribute.ints)
}

/// Of a list with the same number for rows and columns, that number.
fn square(node: &NodeProto, name: &str) -> Reason<usize> {
    match ints(node, name) {
        [rows, columns] if rows == columns => natural(*rows),
        found => Err(format!("`{name}` is {found:?}, not twice the same")),
    }
}

fn natural(value: i64) -> Reason<usize> {
    usize::try_from(value).map_err(|_| format!("{value} is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use rten::{Model, ValueView};
    use rten_onnx::onnx::ValueInfoProto;

    /// The file, its output, and the side of its pictures.
    const FILES: [(&str, &str, usize); 2] = [
        ("../../models/face_landmarks_478.onnx", "Identity", 256),
        ("../../../shared/models/identity_192_mobilefacenet.onnx", "embeddings", 112),
    ];

    #[test]
    fn answers_what_rten_answers_and_lets_gradients_through() {
        for (file, output, side) in FILES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let Ok(bytes) = std::fs::read(&path) else {
                println!("skipped: {file} is not here");
                continue;
            };
            let device = Device::flex().autodiff();
            let network = FrozenNetwork::read(&bytes, &path, output, &device).unwrap();
            // MobileFaceNet's batch is fixed at 2.
            let shape = [2, 3, side, side];
            let picture =
                Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device).require_grad();
            let ours = network.forward(picture.clone());
            let gradients = ours.clone().narrow(0, 0, 1).square().mean().backward();

            let rows = picture.clone().inner().permute([0, 2, 3, 1]);
            let model = Model::load(bytes).unwrap();
            let [input, id] = [model.input_ids()[0], model.node_id(output).unwrap()];
            let fixed = output == "embeddings";
            for person in 0..2 {
                let taken = if fixed { rows.clone() } else { rows.clone().narrow(0, person, 1) };
                let batch = taken.dims()[0];
                let values = taken.try_into_vec_as::<f32>().unwrap();
                let view = ValueView::from_shape([batch, side, side, 3], &values).unwrap();
                let [theirs] = model.run_n(vec![(input, view.into())], [id], None).unwrap();
                let theirs = theirs.into_tensor::<f32>().unwrap().into_data();
                let length = theirs.len() / batch;
                let at = if fixed { person * length } else { 0 };
                let ours = ours.clone().narrow(0, person, 1).try_into_vec_as::<f32>().unwrap();
                assert_eq!(ours.len(), length);
                let scale = ours.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                for (ours, theirs) in ours.iter().zip(&theirs[at..]) {
                    assert!((ours - theirs).abs() < 1e-3 * scale, "{file}: {ours} {theirs}");
                }
            }

            let gradient = picture.grad(&gradients).unwrap();
            assert!(gradient.clone().is_finite().all().into_scalar::<bool>());
            let share =
                |person: usize| gradient.clone().narrow(0, person, 1).abs().mean().into_scalar::<f32>();
            assert!(share(0) > 0.0 && share(1) == 0.0, "a picture's own and no other's");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let read = |bytes: &[u8]| {
            let path = Path::new("odd.onnx");
            FrozenNetwork::read(bytes, path, "out", &Device::flex()).unwrap_err().to_string()
        };
        assert!(read(b"nonsense").starts_with("odd.onnx: not a usable weight file: "));
        let value = |name: &str| ValueInfoProto { name: Some(name.to_owned()), r#type: None };
        let node = |input: &str, operation: &str| NodeProto {
            input: vec![input.to_owned()],
            output: vec!["out".to_owned()],
            op_type: Some(operation.to_owned()),
            ..NodeProto::default()
        };
        let graph = |node| GraphProto { node, input: vec![value("in")], ..GraphProto::default() };
        let file = |node| {
            let model = ModelProto { graph: Some(graph(node)), ..ModelProto::default() };
            model.write_buf().expect("written to memory")
        };
        assert!(
            read(&file(vec![node("in", "Softmax")])).ends_with("`Softmax`: this operation is not supported")
        );
        assert!(read(&file(vec![node("nothing", "Relu")])).ends_with("`nothing` is no constant"));
        assert!(read(&file(vec![])).ends_with("it has no output `out`"));
    }
}
