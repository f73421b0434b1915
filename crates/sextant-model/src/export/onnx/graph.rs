//! A graph of ONNX operators, which is built node by node.

use super::Numbers;
use crate::Values;
use crate::onnx_proto::{
    Attribute, Dimension, GraphProto, Model, Node, OperatorSet, Shape, TensorProto, TensorType,
    Type, ValueInfo, attribute_type, data_type,
};

/// The version of the operator set: the first one with `LayerNormalization`.
const OPSET: i64 = 17;
/// The version of the intermediate representation that goes with this operator set.
const IR_VERSION: i64 = 8;

/// The largest absolute value of a number that is rounded to 8 bits.
const GREATEST: f32 = 127.0;
/// The number that is added to a rounded input, because products are of unsigned inputs and signed weights.
const SHIFT: u8 = 128;

/// The name of a tensor of the graph.
pub(super) type Edge = String;

/// A value of a node's attribute.
#[derive(Clone)]
pub(super) enum Value {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
}

/// A graph under construction.
pub(super) struct Graph {
    proto: GraphProto,
    numbers: Numbers,
    count: usize,
}

impl Graph {
    /// An empty graph whose products are computed in `numbers`.
    pub(super) fn new(numbers: Numbers) -> Self {
        let proto = GraphProto { name: "relevance".to_owned(), ..GraphProto::default() };
        Self { proto, numbers, count: 0 }
    }

    fn fresh(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}_{}", self.count)
    }

    /// An input of `int64`, `[rows, tokens]`.
    pub(super) fn input(&mut self, name: &str) -> Edge {
        self.proto.input.push(info(name, data_type::INT64, &[Err("rows"), Err("tokens")]));
        name.to_owned()
    }

    /// Makes a tensor of `f32`, `[rows, columns]`, the graph's output.
    pub(super) fn output(&mut self, name: &str, edge: &str, columns: i64) {
        let node = Node {
            input: vec![edge.to_owned()],
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: "Identity".to_owned(),
            attribute: Vec::new(),
        };
        self.proto.node.push(node);
        self.proto.output.push(info(name, data_type::FLOAT, &[Err("rows"), Ok(columns)]));
    }

    /// A node with one output.
    pub(super) fn node(
        &mut self,
        kind: &str,
        inputs: &[&str],
        attributes: &[(&str, Value)],
    ) -> Edge {
        let mut outputs = self.nodes(kind, inputs, attributes, 1);
        outputs.swap_remove(0)
    }

    /// A node with several outputs.
    pub(super) fn nodes(
        &mut self,
        kind: &str,
        inputs: &[&str],
        attributes: &[(&str, Value)],
        outputs: usize,
    ) -> Vec<Edge> {
        let name = self.fresh(kind);
        let output: Vec<String> = match outputs {
            1 => vec![name.clone()],
            _ => (0..outputs).map(|i| format!("{name}_{i}")).collect(),
        };
        self.proto.node.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: output.clone(),
            name,
            op_type: kind.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        });
        output
    }

    /// A constant of `f32`.
    pub(super) fn floats(&mut self, shape: &[usize], data: &[f32]) -> Edge {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(shape, data_type::FLOAT, bytes)
    }

    /// A constant of `int64`.
    pub(super) fn ints(&mut self, shape: &[usize], data: &[i64]) -> Edge {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(shape, data_type::INT64, bytes)
    }

    /// A constant of a single `f32`.
    pub(super) fn scalar(&mut self, value: f32) -> Edge {
        self.floats(&[], &[value])
    }

    /// A constant with a parameter's values.
    pub(super) fn values(&mut self, values: &Values) -> Edge {
        self.floats(&values.shape, &values.data)
    }

    fn constant(&mut self, shape: &[usize], kind: i32, bytes: Vec<u8>) -> Edge {
        let name = self.fresh("constant");
        self.proto.initializer.push(TensorProto {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: kind,
            name: name.clone(),
            raw_data: bytes,
        });
        name
    }

    /// `x · weight + bias`, with the weight as `[inputs, outputs]`.
    pub(super) fn linear(&mut self, x: &str, weight: &Values, bias: Option<&Values>) -> Edge {
        let product = match self.numbers {
            Numbers::F32 => {
                let weight = self.values(weight);
                self.node("MatMul", &[x, &weight], &[])
            }
            Numbers::Int8 => self.product_int8(x, weight),
        };
        match bias {
            Some(bias) => {
                let bias = self.values(bias);
                self.node("Add", &[&product, &bias], &[])
            }
            None => product,
        }
    }

    /// A product in 8 bits, with the same rounding as in Sextant's own int8 scoring. The weight is rounded
    /// once, to multiples of a scale for each output; the input is rounded when the model runs, to multiples
    /// of a scale for each token.
    ///
    /// `DynamicQuantizeLinear` is not used, because it would round with one scale for all tokens of a batch,
    /// including padding. The sums are multiplied by the two scales one after the other: ONNX Runtime
    /// mistakes a product of the scales for that of `DynamicQuantizeLinear`, and then uses the first token's
    /// scale for all tokens.
    fn product_int8(&mut self, x: &str, weight: &Values) -> Edge {
        let outputs = weight.shape[1];
        let mut scales = vec![0f32; outputs];
        for row in weight.data.chunks_exact(outputs) {
            for (scale, x) in scales.iter_mut().zip(row) {
                *scale = scale.max(x.abs() / GREATEST);
            }
        }
        // A column of zeros stays zero with any scale, but the scale must not be 0.
        scales.iter_mut().filter(|scale| **scale == 0.0).for_each(|scale| *scale = 1.0);
        let round = |(x, scale): (&f32, &f32)| (x / scale).round_ties_even() as i8 as u8;
        let rows = weight.data.chunks_exact(outputs);
        let rounded = rows.flat_map(|row| row.iter().zip(&scales).map(round)).collect();
        let rounded = self.constant(&weight.shape, data_type::INT8, rounded);

        let sizes = self.node("Abs", &[x], &[]);
        let last = [("axes", Value::Ints(vec![-1])), ("keepdims", Value::Int(1))];
        let sizes = self.node("ReduceMax", &[&sizes], &last);
        // The lower bound keeps the scale of a row of zeros above 0.
        let least = self.scalar(f32::MIN_POSITIVE * GREATEST);
        let sizes = self.node("Max", &[&sizes, &least], &[]);
        let greatest = self.scalar(GREATEST);
        let row_scale = self.node("Div", &[&sizes, &greatest], &[]);
        let steps = self.node("Div", &[x, &row_scale], &[]);
        let steps = self.node("Round", &[&steps], &[]);
        let shift = self.scalar(f32::from(SHIFT));
        let steps = self.node("Add", &[&steps, &shift], &[]);
        let bytes = [("to", Value::Int(i64::from(data_type::UINT8)))];
        let steps = self.node("Cast", &[&steps], &bytes);
        let zero = self.constant(&[], data_type::UINT8, vec![SHIFT]);
        let sums = self.node("MatMulInteger", &[&steps, &rounded, &zero], &[]);
        let float = [("to", Value::Int(i64::from(data_type::FLOAT)))];
        let sums = self.node("Cast", &[&sums], &float);
        let sums = self.node("Mul", &[&sums, &row_scale], &[]);
        let scales = self.floats(&[outputs], &scales);
        self.node("Mul", &[&sums, &scales], &[])
    }

    /// The finished model.
    pub(super) fn finish(self) -> Model {
        Model {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            producer_name: "sextant".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.proto),
        }
    }
}

fn attribute(name: &str, value: &Value) -> Attribute {
    let mut attribute = Attribute { name: name.to_owned(), ..Attribute::default() };
    match value {
        Value::Float(x) => (attribute.f, attribute.kind) = (Some(*x), attribute_type::FLOAT),
        Value::Int(x) => (attribute.i, attribute.kind) = (Some(*x), attribute_type::INT),
        Value::Ints(x) => (attribute.ints, attribute.kind) = (x.clone(), attribute_type::INTS),
    }
    attribute
}

/// The name, type and shape of an input or output. A size is a number, or a name if it may vary.
fn info(name: &str, kind: i32, sizes: &[Result<i64, &str>]) -> ValueInfo {
    let dim = sizes
        .iter()
        .map(|size| match size {
            Ok(value) => Dimension { value: Some(*value), parameter: None },
            Err(parameter) => Dimension { value: None, parameter: Some((*parameter).to_owned()) },
        })
        .collect();
    let tensor = TensorType { elem_type: kind, shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor: Some(tensor) }) }
}
