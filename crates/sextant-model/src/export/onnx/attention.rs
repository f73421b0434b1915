//! The attention of a block as a part of the ONNX graph.

use super::graph::{Edge, Graph, Value};
use super::writer::Writer;
use crate::{ModelError, Window};
use sextant_kernels::RelativePositions;

/// The number that is added to the score of a key that the query does not attend to.
const UNSEEN: f32 = -1e9;

/// The tensors of the graph that all blocks read.
pub(super) struct Shared {
    /// The attention bias of keys: 0 for tokens, [`UNSEEN`] for padding; `[rows, 1, 1, tokens]`.
    padding: Edge,
    /// The attention bias in layers with a window, which is [`UNSEEN`] also outside the window;
    /// `[rows, 1, tokens, tokens]`.
    windowed: Option<Edge>,
    /// The positions as `f32`, `[tokens, 1]`.
    positions: Edge,
    /// The row of the relative table for each query and key, and for each key and query:
    /// `[1, 1, tokens, tokens]` each.
    distances: Option<[Edge; 2]>,
}

impl Writer<'_> {
    /// Adds the tensors that all blocks read, computed from the inputs.
    pub(super) fn shared(&mut self, ids: &str, mask: &str) -> Shared {
        let range = self.range(ids);
        let mask = self.float(mask);
        let one = self.graph.scalar(1.0);
        let absent = self.graph.node("Sub", &[&one, &mask], &[]);
        let unseen = self.graph.scalar(UNSEEN);
        let padding = self.graph.node("Mul", &[&absent, &unseen], &[]);
        let padding = self.unsqueeze(&padding, &[1, 2]);
        let positions = self.float(&range);
        let positions = self.unsqueeze(&positions, &[1]);
        let (queries, keys) = (self.unsqueeze(&range, &[1]), self.unsqueeze(&range, &[0]));
        let distance = self.graph.node("Sub", &[&queries, &keys], &[]);
        let windowed =
            self.config.block.window.map(|window| self.window(window, &distance, &padding));
        let distances = match self.config.block.relative {
            None => None,
            Some(relative) => {
                let rows = RelativePositions::new(relative.span, relative.bucketed_up_to);
                let furthest = self.config.max_positions as isize - 1;
                let rows: Vec<i64> =
                    (-furthest..=furthest).map(|distance| rows.row(distance) as i64).collect();
                let rows = self.graph.ints(&[rows.len()], &rows);
                let zero = self.graph.ints(&[], &[furthest as i64]);
                let forth = self.graph.node("Add", &[&distance, &zero], &[]);
                let back = self.graph.node("Sub", &[&zero, &distance], &[]);
                // The second table is indexed by key first: the distance of query `i` and key `j` is at
                // `(j, i)`.
                Some([forth, back].map(|place| {
                    let rows = self.graph.node("Gather", &[&rows, &place], &[]);
                    self.unsqueeze(&rows, &[0, 1])
                }))
            }
        };
        Shared { padding, windowed, positions, distances }
    }

    fn window(&mut self, window: Window, distance: &str, padding: &str) -> Edge {
        let graph = &mut *self.graph;
        let before = graph.ints(&[], &[window.before as i64]);
        let after = graph.ints(&[], &[-(window.after as i64)]);
        let near = graph.node("LessOrEqual", &[distance, &before], &[]);
        let ahead = graph.node("GreaterOrEqual", &[distance, &after], &[]);
        let seen = graph.node("And", &[&near, &ahead], &[]);
        let (zero, unseen) = (graph.scalar(0.0), graph.scalar(UNSEEN));
        let bias = graph.node("Where", &[&seen, &zero, &unseen], &[]);
        let bias = self.unsqueeze(&bias, &[0, 1]);
        self.graph.node("Add", &[&bias, padding], &[])
    }

    /// Adds the attention of a block: maps `[rows, tokens, hidden]` to the outputs of the heads,
    /// `[rows, tokens, heads · head_dim]`.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        x: &str,
        shared: &Shared,
    ) -> Result<Edge, ModelError> {
        let (config, block) = (self.config, &self.config.block);
        let (heads, dim) = (config.attention_heads, config.head_dim());
        if config.key_value_heads() != heads || block.query_key_norm {
            return Err(ModelError::Export(
                "ONNX export covers attention with equal heads and no norms inside".into(),
            ));
        }
        let qkv = self.linear(&format!("layers.{layer}.qkv"), x)?;
        let parts = self.graph.nodes("Split", &[&qkv], &[("axis", Value::Int(-1))], 3);
        let shape = self.graph.ints(&[4], &[0, 0, heads as i64, dim as i64]);
        let turned = [0, 2, 1, 3];
        let mut parts = parts.into_iter().map(|part| {
            let part = self.graph.node("Reshape", &[&part, &shape], &[]);
            self.graph.node("Transpose", &[&part], &[("perm", Value::Ints(turned.to_vec()))])
        });
        let (Some(mut query), Some(mut key), Some(value)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(ModelError::Export("a fused projection has three parts".into()));
        };
        drop(parts);
        if let Some(rotary) = block.rotary(layer, dim) {
            query = self.rotate(&query, rotary.frequencies(), &shared.positions);
            key = self.rotate(&key, rotary.frequencies(), &shared.positions);
        }
        let swap = || [("perm", Value::Ints(vec![0, 1, 3, 2]))];
        let transposed = self.graph.node("Transpose", &[&key], &swap());
        let mut scores = self.graph.node("MatMul", &[&query, &transposed], &[]);
        if let Some([forth, back]) = &shared.distances {
            let shape = self.graph.node("Shape", &[&scores], &[]);
            let [of_queries, of_keys] = self.relative(layer)?;
            for (states, table, places, of_key) in
                [(&query, of_keys, forth, false), (&key, of_queries, back, true)]
            {
                let products = self.graph.node("MatMul", &[states, &table], &[]);
                let places = self.graph.node("Expand", &[places, &shape], &[]);
                let axis = [("axis", Value::Int(3))];
                let mut added = self.graph.node("GatherElements", &[&products, &places], &axis);
                if of_key {
                    added = self.graph.node("Transpose", &[&added], &swap());
                }
                scores = self.graph.node("Add", &[&scores, &added], &[]);
            }
        }
        let scale = block.attention_scale.unwrap_or(1.0 / (dim as f32).sqrt());
        let scale = self.graph.scalar(scale);
        let scores = self.graph.node("Mul", &[&scores, &scale], &[]);
        let mask = match &shared.windowed {
            Some(windowed) if block.is_windowed(layer) => windowed,
            _ => &shared.padding,
        };
        let scores = self.graph.node("Add", &[&scores, mask], &[]);
        let shares = self.graph.node("Softmax", &[&scores], &[("axis", Value::Int(-1))]);
        let gathered = self.graph.node("MatMul", &[&shares, &value], &[]);
        let gathered =
            self.graph.node("Transpose", &[&gathered], &[("perm", Value::Ints(turned.to_vec()))]);
        let shape = self.graph.ints(&[3], &[0, 0, (heads * dim) as i64]);
        Ok(self.graph.node("Reshape", &[&gathered, &shape], &[]))
    }

    /// Applies the rotary rotation to queries or keys, `[rows, heads, tokens, head_dim]`.
    fn rotate(&mut self, x: &str, frequencies: &[f32], positions: &str) -> Edge {
        let graph = &mut *self.graph;
        let frequencies = graph.floats(&[1, frequencies.len()], frequencies);
        let angles = graph.node("Mul", &[positions, &frequencies], &[]);
        let (cosines, sines) =
            (graph.node("Cos", &[&angles], &[]), graph.node("Sin", &[&angles], &[]));
        let halves = graph.nodes("Split", &[x], &[("axis", Value::Int(-1))], 2);
        let product = |graph: &mut Graph, a: &str, b: &str| graph.node("Mul", &[a, b], &[]);
        let (xc, ys) = (product(graph, &halves[0], &cosines), product(graph, &halves[1], &sines));
        let (yc, xs) = (product(graph, &halves[1], &cosines), product(graph, &halves[0], &sines));
        let first = graph.node("Sub", &[&xc, &ys], &[]);
        let second = graph.node("Add", &[&yc, &xs], &[]);
        graph.node("Concat", &[&first, &second], &[("axis", Value::Int(-1))])
    }

    /// The projections of the relative table to queries and keys, which depend on no input:
    /// `[1, heads, head_dim, rows of the table]` each.
    fn relative(&mut self, layer: usize) -> Result<[Edge; 2], ModelError> {
        let (heads, dim) = (self.config.attention_heads, self.config.head_dim());
        let table = self.value("embeddings.relative")?;
        let table = self.graph.values(table);
        let table = if self.values.contains_key("embeddings.relative_norm.gamma") {
            self.norm("embeddings.relative_norm", &table)?
        } else {
            table
        };
        // This product is in f32 even in a file in 8 bits: the runtime computes it only once, by constant
        // folding.
        let weight = self.value(&format!("layers.{layer}.qkv.weight"))?;
        let weight = self.graph.values(weight);
        let mut projected = self.graph.node("MatMul", &[&table, &weight], &[]);
        if let Some(bias) = self.values.get(&format!("layers.{layer}.qkv.bias")) {
            let bias = self.graph.values(bias);
            projected = self.graph.node("Add", &[&projected, &bias], &[]);
        }
        let parts = self.graph.nodes("Split", &[&projected], &[("axis", Value::Int(-1))], 3);
        let shape = self.graph.ints(&[4], &[1, -1, heads as i64, dim as i64]);
        let part = |writer: &mut Self, part: &str| {
            let part = writer.graph.node("Reshape", &[part, &shape], &[]);
            let turn = [("perm", Value::Ints(vec![0, 2, 3, 1]))];
            writer.graph.node("Transpose", &[&part], &turn)
        };
        Ok([part(self, &parts[0]), part(self, &parts[1])])
    }
}
