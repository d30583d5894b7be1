//! Builds an ONNX graph node by node. Values are known by their names.

use burn::tensor::Tensor;
use prost::Message;

use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, AttributeProto, Dimension,
    DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Version of the operators that the nodes mean.
const OPSET: i64 = 17;
/// Version of the file's layout that goes with it.
const IR_VERSION: i64 = 8;

/// One attribute of a node.
pub(super) enum Attribute<'a> {
    Float(&'a str, f32),
    Int(&'a str, i64),
    Ints(&'a str, Vec<i64>),
    Text(&'a str, &'a str),
}

/// One axis of an input or output.
pub(super) enum Axis {
    Fixed(usize),
    Named(&'static str),
}

#[derive(Default)]
pub(super) struct Graph {
    proto: GraphProto,
}

impl Graph {
    /// Adds a node with one output, which gets the node's name; returns it.
    pub(super) fn node(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[Attribute<'_>],
    ) -> String {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
        });
        name.to_owned()
    }

    /// Adds a constant; returns its name.
    pub(super) fn tensor<const D: usize>(&mut self, name: &str, value: Tensor<D>) -> String {
        let dims = value.dims();
        let values = value.try_into_vec_as::<f32>().expect("weights are floating-point numbers");
        self.floats(name, &dims, &values)
    }

    /// Adds a constant; returns its name.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, FLOAT, raw_data)
    }

    /// Adds a constant vector; returns its name.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, &[values.len()], INT64, raw_data)
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        let dims = dims.iter().map(|size| *size as i64).collect();
        self.proto.initializer.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
        name.to_owned()
    }

    /// `x[:, from..to]`
    pub(super) fn channels(&mut self, name: &str, x: &str, from: usize, to: usize) -> String {
        let starts = self.integers(&format!("{name}.from"), &[from as i64]);
        let ends = self.integers(&format!("{name}.to"), &[to as i64]);
        let axes = self.integers(&format!("{name}.axis"), &[1]);
        self.node("Slice", name, &[x, &starts, &ends, &axes], &[])
    }

    /// Declares an input of floats.
    pub(super) fn input(&mut self, name: &str, shape: &[Axis]) {
        self.proto.input.push(value_info(name, shape));
    }

    /// Declares an output of floats.
    pub(super) fn output(&mut self, name: &str, shape: &[Axis]) {
        self.proto.output.push(value_info(name, shape));
    }

    /// The finished file.
    pub(super) fn into_model(mut self, name: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
        name.clone_into(&mut self.proto.name);
        let entries = metadata.iter();
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.proto),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: entries
                .map(|(key, value)| StringStringEntryProto {
                    key: (*key).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
        };
        model.encode_to_vec()
    }
}

fn attribute(attribute: &Attribute<'_>) -> AttributeProto {
    let named =
        |name: &str, r#type| AttributeProto { name: name.to_owned(), r#type, ..AttributeProto::default() };
    match attribute {
        Attribute::Float(name, value) => AttributeProto { f: *value, ..named(name, ATTRIBUTE_FLOAT) },
        Attribute::Int(name, value) => AttributeProto { i: *value, ..named(name, ATTRIBUTE_INT) },
        Attribute::Ints(name, values) => {
            AttributeProto { ints: values.clone(), ..named(name, ATTRIBUTE_INTS) }
        }
        Attribute::Text(name, value) => {
            AttributeProto { s: value.as_bytes().to_vec(), ..named(name, ATTRIBUTE_STRING) }
        }
    }
}

fn value_info(name: &str, shape: &[Axis]) -> ValueInfoProto {
    let dimension = |axis: &Axis| DimensionProto {
        value: Some(match axis {
            Axis::Fixed(size) => Dimension::Value(*size as i64),
            Axis::Named(name) => Dimension::Param((*name).to_owned()),
        }),
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor_type = TensorTypeProto { elem_type: FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
