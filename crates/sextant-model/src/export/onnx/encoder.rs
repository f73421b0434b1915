//! An encoder and its head as an ONNX graph. It computes the same as [`Embeddings`](crate::Embeddings),
//! [`Block`](crate::Block) and [`Branch`](crate::Branch), but over padded rows.

use super::attention::Shared;
use super::graph::{Edge, Value};
use super::writer::Writer;
use crate::{DenseActivation, MlpActivation, ModelError, NormPlace, Pooling};

impl Writer<'_> {
    /// Writes the whole model, and returns the names of its inputs.
    pub(super) fn write(mut self) -> Result<Vec<&'static str>, ModelError> {
        let ids = self.graph.input("input_ids");
        let mask = self.graph.input("attention_mask");
        let mut inputs = vec!["input_ids", "attention_mask"];
        if self.config.segment_types > 1 {
            self.graph.input("token_type_ids");
            inputs.push("token_type_ids");
        }
        let shared = self.shared(&ids, &mask);
        let mut x = self.embeddings(&ids, &mask)?;
        for layer in 0..self.config.layers {
            x = self.block(layer, &x, &shared)?;
        }
        if self.config.final_norm {
            x = self.norm("final_norm", &x)?;
        }
        let mut row = self.pool(&x, &mask);
        if self.spec.routing.mixture.is_some() {
            row = self.mixture(&row)?;
        }
        if self.spec.dense {
            row = self.linear("dense", &row)?;
            row = match self.config.dense.activation {
                DenseActivation::Tanh => self.graph.node("Tanh", &[&row], &[]),
                DenseActivation::Relu => self.graph.node("Relu", &[&row], &[]),
                DenseActivation::Gelu => self.activation(MlpActivation::Gelu, &row),
            };
            if self.config.dense.norm {
                row = self.norm("dense_norm", &row)?;
            }
        }
        let logits = self.linear("classifier", &row)?;
        self.graph.output("logits", &logits, self.spec.head.outputs() as i64);
        Ok(inputs)
    }

    fn embeddings(&mut self, ids: &str, mask: &str) -> Result<Edge, ModelError> {
        let table = self.value("embeddings.word")?;
        let table = self.graph.values(table);
        let mut x = self.graph.node("Gather", &[&table, ids], &[]);
        if let Some(scale) = self.config.embedding_scale {
            let scale = self.graph.scalar(scale);
            x = self.graph.node("Mul", &[&x, &scale], &[]);
        }
        if let Some(table) = self.values.get("embeddings.position") {
            let places = match self.config.position_offset {
                0 => self.range(ids),
                // As in `transformers`, positions count only tokens that are not padding, on whichever side
                // rows are padded.
                offset => {
                    let axis = self.graph.ints(&[], &[1]);
                    let count = self.graph.node("CumSum", &[mask, &axis], &[]);
                    let count = self.graph.node("Mul", &[&count, mask], &[]);
                    let before = self.graph.ints(&[], &[offset as i64 - 1]);
                    self.graph.node("Add", &[&count, &before], &[])
                }
            };
            let table = self.graph.values(table);
            let positions = self.graph.node("Gather", &[&table, &places], &[]);
            x = self.graph.node("Add", &[&x, &positions], &[]);
        }
        if let Some(table) = self.values.get("embeddings.segment") {
            let table = self.graph.values(table);
            let segments = match self.config.segment_types {
                1 => self.graph.ints(&[], &[0]),
                _ => "token_type_ids".to_owned(),
            };
            let segments = self.graph.node("Gather", &[&table, &segments], &[]);
            x = self.graph.node("Add", &[&x, &segments], &[]);
        }
        if !self.config.embedding_norm_absent {
            x = self.norm("embeddings.norm", &x)?;
        }
        if self.config.embedding_width() != self.config.hidden_size {
            x = self.linear("embeddings.projection", &x)?;
        }
        Ok(x)
    }

    fn block(&mut self, layer: usize, x: &str, shared: &Shared) -> Result<Edge, ModelError> {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let block = &self.config.block;
        let before = |writer: &mut Self, norm: &str, x: &str| {
            let norm = name(norm);
            if writer.values.contains_key(&format!("{norm}.gamma")) {
                writer.norm(&norm, x)
            } else {
                Ok(x.to_owned())
            }
        };
        let input = before(self, "attention_input_norm", x)?;
        let attended = self.attend(layer, &input, shared)?;
        let output = self.linear(&name("attention_output"), &attended)?;
        let x = self.sum(&output, x, &name("attention_norm"))?;
        let input = before(self, "mlp_input_norm", &x)?;
        let inner = self.linear(&name("up"), &input)?;
        let inner = if block.mlp_gated {
            let parts = self.graph.nodes("Split", &[&inner], &[("axis", Value::Int(-1))], 2);
            let gate = self.activation(block.mlp_activation, &parts[0]);
            self.graph.node("Mul", &[&gate, &parts[1]], &[])
        } else {
            self.activation(block.mlp_activation, &inner)
        };
        let output = self.linear(&name("down"), &inner)?;
        self.sum(&output, &x, &name("output_norm"))
    }

    fn sum(&mut self, x: &str, residual: &str, norm: &str) -> Result<Edge, ModelError> {
        let place = self.config.block.norm_place;
        let x = if place == NormPlace::Both { self.norm(norm, x)? } else { x.to_owned() };
        let sum = self.graph.node("Add", &[&x, residual], &[]);
        if place == NormPlace::Post { self.norm(norm, &sum) } else { Ok(sum) }
    }

    /// The weighted mean of the experts of a mixture with one level: see
    /// [`MixtureConfig`](crate::MixtureConfig).
    fn mixture(&mut self, row: &str) -> Result<Edge, ModelError> {
        let mut outputs = Vec::new();
        for experts in ["task_mixture.0.experts", "mixture.0.experts"] {
            if !self.values.contains_key(&format!("{experts}.weight")) {
                continue;
            }
            let y = self.linear(experts, row)?;
            let y = self.activation(MlpActivation::Gelu, &y);
            let shape = self.graph.ints(&[3], &[0, -1, self.config.hidden_size as i64]);
            outputs.push(self.graph.node("Reshape", &[&y, &shape], &[]));
        }
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let all = self.graph.node("Concat", &outputs, &[("axis", Value::Int(1))]);
        let weights = self.linear("task_mixture.0.gate", row)?;
        let weights = self.graph.node("Softmax", &[&weights], &[("axis", Value::Int(-1))]);
        let weights = self.unsqueeze(&weights, &[2]);
        let weighed = self.graph.node("Mul", &[&all, &weights], &[]);
        let axis = self.graph.ints(&[1], &[1]);
        Ok(self.graph.node("ReduceSum", &[&weighed, &axis], &[("keepdims", Value::Int(0))]))
    }

    /// Adds pooling: maps `[rows, tokens, hidden]` to `[rows, hidden]`.
    fn pool(&mut self, x: &str, mask: &str) -> Edge {
        if self.spec.pooling != Pooling::Mean {
            let zero = self.graph.ints(&[], &[0]);
            return self.graph.node("Gather", &[x, &zero], &[("axis", Value::Int(1))]);
        }
        let mask = self.float(mask);
        let mask = self.unsqueeze(&mask, &[2]);
        let axis = self.graph.ints(&[1], &[1]);
        let keep = [("keepdims", Value::Int(0))];
        let kept = self.graph.node("Mul", &[x, &mask], &[]);
        let sum = self.graph.node("ReduceSum", &[&kept, &axis], &keep);
        let count = self.graph.node("ReduceSum", &[&mask, &axis], &keep);
        self.graph.node("Div", &[&sum, &count], &[])
    }
}
