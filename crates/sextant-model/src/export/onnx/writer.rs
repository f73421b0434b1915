//! The writer of ONNX graphs, with the operations that several parts of a model need.

use super::graph::{Edge, Graph, Value};
use crate::values::Values;
use crate::{BackboneConfig, MlpActivation, ModelError, ModelSpec, NormKind};
use std::collections::BTreeMap;

/// Adds the operations of a model to a graph.
pub(super) struct Writer<'a> {
    pub(super) config: &'a BackboneConfig,
    pub(super) spec: &'a ModelSpec,
    /// The values of the model's parameters, by their names in the plain backbone.
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

    pub(super) fn activation(&mut self, kind: MlpActivation, x: &str) -> Edge {
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

    /// The number of tokens of a padded row, as a scalar.
    pub(super) fn length(&mut self, ids: &str) -> Edge {
        let shape = self.graph.node("Shape", &[ids], &[]);
        let one = self.graph.ints(&[], &[1]);
        self.graph.node("Gather", &[&shape, &one], &[])
    }

    /// The positions `0, 1, …` of the tokens of a padded row.
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
}
