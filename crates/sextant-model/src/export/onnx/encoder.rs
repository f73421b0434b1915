//! An encoder and its head as a graph. It follows [`Embeddings`](crate::Embeddings),
//! [`Block`](crate::Block) and [`Branch`](crate::Branch), over padded rows.

use super::attention::Shared;
use super::graph::{Edge, Graph, Value};
use crate::{
    BackboneConfig, DenseActivation, MlpActivation, ModelError, ModelSpec, NormKind, NormPlace,
    Pooling, Values,
};
use std::collections::BTreeMap;

/// Writes a model into a graph.
pub(super) struct Writer<'a> {
    pub(super) config: &'a BackboneConfig,
    pub(super) spec: &'a ModelSpec,
    /// By the names of a plain backbone.
    pub(super) values: &'a BTreeMap<String, Values>,
    pub(super) graph: &'a mut Graph,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        config: &'a BackboneConfig,
        spec: &'a ModelSpec,
        values: &'a BTreeMap<String, Values>,
        graph: &'a mut Graph,
    ) -> Self {
        Self { config, spec, values, graph }
    }

    /// Writes everything; returns the names of the inputs.
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

    pub(super) fn value(&self, name: &str) -> Result<&'a Values, ModelError> {
        self.values
            .get(name)
            .ok_or_else(|| ModelError::Export(format!("the model has no parameter `{name}`")))
    }

    pub(super) fn linear(&mut self, name: &str, x: &str) -> Result<Edge, ModelError> {
        let weight = self.value(&format!("{name}.weight"))?;
        let bias = self.values.get(&format!("{name}.bias"));
        Ok(self.graph.linear(x, weight, bias))
    }

    pub(super) fn norm(&mut self, name: &str, x: &str) -> Result<Edge, ModelError> {
        let gamma = self.value(&format!("{name}.gamma"))?;
        if !matches!(self.config.block.norm, NormKind::Layer | NormKind::LayerUnshifted) {
            return Err(ModelError::Export("ONNX export covers LayerNorm only".into()));
        }
        let zeros = Values { shape: gamma.shape.clone(), data: vec![0.0; gamma.data.len()] };
        let beta = self.values.get(&format!("{name}.beta")).unwrap_or(&zeros);
        let (gamma, beta) = (self.graph.values(gamma), self.graph.values(beta));
        let attributes =
            [("axis", Value::Int(-1)), ("epsilon", Value::Float(self.config.norm_eps as f32))];
        Ok(self.graph.node("LayerNormalization", &[x, &gamma, &beta], &attributes))
    }

    fn activation(&mut self, kind: MlpActivation, x: &str) -> Edge {
        let graph = &mut *self.graph;
        match kind {
            MlpActivation::Gelu => {
                let root = graph.scalar(std::f32::consts::FRAC_1_SQRT_2);
                let inner = graph.node("Mul", &[x, &root], &[]);
                let inner = graph.node("Erf", &[&inner], &[]);
                let one = graph.scalar(1.0);
                let inner = graph.node("Add", &[&inner, &one], &[]);
                let half = graph.scalar(0.5);
                let x = graph.node("Mul", &[x, &half], &[]);
                graph.node("Mul", &[&x, &inner], &[])
            }
            MlpActivation::GeluTanh => {
                let cube = graph.node("Mul", &[x, x], &[]);
                let cube = graph.node("Mul", &[&cube, x], &[]);
                let share = graph.scalar(0.044_715);
                let cube = graph.node("Mul", &[&cube, &share], &[]);
                let inner = graph.node("Add", &[x, &cube], &[]);
                let root = graph.scalar((2.0 / std::f32::consts::PI).sqrt());
                let inner = graph.node("Mul", &[&inner, &root], &[]);
                let inner = graph.node("Tanh", &[&inner], &[]);
                let one = graph.scalar(1.0);
                let inner = graph.node("Add", &[&inner, &one], &[]);
                let half = graph.scalar(0.5);
                let x = graph.node("Mul", &[x, &half], &[]);
                graph.node("Mul", &[&x, &inner], &[])
            }
            MlpActivation::Silu => {
                let gate = graph.node("Sigmoid", &[x], &[]);
                graph.node("Mul", &[x, &gate], &[])
            }
        }
    }

    /// The number of tokens of a padded row, a scalar.
    fn length(&mut self, ids: &str) -> Edge {
        let shape = self.graph.node("Shape", &[ids], &[]);
        let one = self.graph.ints(&[], &[1]);
        self.graph.node("Gather", &[&shape, &one], &[])
    }

    /// `0, 1, …` up to the number of tokens.
    pub(super) fn range(&mut self, ids: &str) -> Edge {
        let length = self.length(ids);
        let (zero, one) = (self.graph.ints(&[], &[0]), self.graph.ints(&[], &[1]));
        self.graph.node("Range", &[&zero, &length, &one], &[])
    }

    pub(super) fn float(&mut self, x: &str) -> Edge {
        self.graph.node("Cast", &[x], &[("to", Value::Int(1))])
    }

    pub(super) fn unsqueeze(&mut self, x: &str, axes: &[i64]) -> Edge {
        let axes = self.graph.ints(&[axes.len()], axes);
        self.graph.node("Unsqueeze", &[x, &axes], &[])
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
                // Counted over real tokens, as `transformers` does, whatever side is padded.
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

    /// The weighed experts of the only level: see [`mixture`](crate::MixtureConfig).
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

    /// `[rows, tokens, hidden]` to `[rows, hidden]`.
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
