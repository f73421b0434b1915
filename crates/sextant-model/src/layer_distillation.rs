//! Losses by which the layers of a model learn from those of a teacher (TinyBERT: Jiao et al. 2020).

use crate::{BackboneConfig, KeptLayers, ModelError, Pooling, WantedLayers};
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sextant_kernels::{self as kernels, Activation, Precision, Segments};
use std::collections::BTreeSet;

/// Which layer of the teacher each layer of the student learns from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerMap {
    /// Evenly: layer m of M learns from layer m·N/M of N, rounded. TinyBERT's choice.
    #[default]
    Uniform,
    /// The teacher's last M layers, in their order.
    Last,
}

/// How much each of the layers' losses counts. They are added to the loss of a row's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerDistillation {
    /// The weight of the mean squared distance of the outputs of layers, the student's multiplied by a learned
    /// matrix. The losses of all layers are added.
    pub hidden: f32,
    /// The weight of the same distance for the outputs of the embeddings.
    pub embeddings: f32,
    /// The weight of the mean squared distance of attention scores before the softmax, over all heads and all pairs
    /// of tokens that see each other. The losses of all layers are added.
    pub attention: f32,
}

impl LayerDistillation {
    /// Checks that the weights are usable; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        let weights = [
            ("hidden", self.hidden),
            ("embeddings", self.embeddings),
            ("attention", self.attention),
        ];
        for (key, weight) in weights {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(ModelError::Config(format!(
                    "`{key}` {weight} is not a number of 0 or more"
                )));
            }
        }
        if weights.iter().all(|(_, weight)| *weight == 0.0) {
            return Err(ModelError::Config(
                "`hidden`, `embeddings` and `attention` are all 0, so that nothing is learned from the layers".into(),
            ));
        }
        Ok(())
    }
}

/// Layers that a student learns from a teacher's, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerLesson {
    /// The weights of the losses.
    pub config: LayerDistillation,
    /// Pairs of a layer of the student and one of the teacher, both from 1.
    pub pairs: Vec<(usize, usize)>,
}

impl LayerLesson {
    /// The lesson of a student of one shape with a teacher of another.
    ///
    /// # Errors
    /// The teacher has fewer layers; or attention is to be learned and the two have another number of heads, or one
    /// of them has scores that depend on relative positions. The error names the key by which to leave a loss out.
    pub fn new(
        config: LayerDistillation,
        map: LayerMap,
        student: &BackboneConfig,
        teacher: &BackboneConfig,
    ) -> Result<Self, ModelError> {
        config.validate()?;
        let (ours, theirs) = (student.layers, teacher.layers);
        if theirs < ours {
            return Err(ModelError::Config(format!(
                "the teacher has {theirs} layers and the student {ours}; a student's layers can learn from a teacher that has as many or more"
            )));
        }
        if config.attention > 0.0 {
            let (mine, other) = (student.attention_heads, teacher.attention_heads);
            if mine != other {
                return Err(ModelError::Config(format!(
                    "the teacher has {other} attention heads and the student {mine}, so that their scores cannot be compared; set `attention` to 0"
                )));
            }
            for (who, config) in [("teacher", teacher), ("student", student)] {
                if config.block.relative.is_some() {
                    return Err(ModelError::Config(format!(
                        "the attention scores of the {who} depend on relative positions, which cannot be learned from or taught; set `attention` to 0"
                    )));
                }
            }
        }
        let of = |layer: usize| match map {
            LayerMap::Uniform => (2 * layer * theirs + ours) / (2 * ours),
            LayerMap::Last => theirs - ours + layer,
        };
        Ok(Self { config, pairs: (1..=ours).map(|layer| (layer, of(layer))).collect() })
    }

    /// What a forward pass of the student is to keep.
    pub fn of_student(&self) -> WantedLayers {
        self.wanted(|(student, _)| student)
    }

    /// What a forward pass of the teacher is to keep.
    pub fn of_teacher(&self) -> WantedLayers {
        self.wanted(|(_, teacher)| teacher)
    }

    fn wanted(&self, side: impl Fn((usize, usize)) -> usize) -> WantedLayers {
        let LayerDistillation { hidden, embeddings, attention } = self.config;
        let layers: BTreeSet<usize> = self.pairs.iter().map(|&pair| side(pair)).collect();
        let all = |weight: f32| if weight > 0.0 { layers.clone() } else { BTreeSet::new() };
        let mut wanted = WantedLayers { hidden: all(hidden), attention: all(attention) };
        wanted.hidden.extend((embeddings > 0.0).then_some(0));
        wanted
    }
}

/// The values with which the matrix from a student's width to its teacher's begins, row by row: the identity if both
/// have one width, else random numbers of variance 1 / `student`.
pub fn initial_projection(student: usize, teacher: usize, seed: u64) -> Vec<f32> {
    if student == teacher {
        let entry = |i: usize| if i.is_multiple_of(student + 1) { 1.0 } else { 0.0 };
        return (0..student * teacher).map(entry).collect();
    }
    let mut rng = crate::params::generator(seed, "teacher.projection");
    crate::params::normal(1.0 / (student as f32).sqrt(), student * teacher, &mut rng)
}

/// The losses of the layers of each row multiplied by the row's weight, `[rows]`.
///
/// `student` and `teacher` were kept by passes over one pack with these `segments`; `projection` is the matrix from
/// the student's width to the teacher's.
pub fn layer_losses(
    student: &KeptLayers,
    teacher: &KeptLayers,
    segments: &Segments,
    projection: &Tensor<2>,
    weights: &[f32],
    lesson: &LayerLesson,
) -> Tensor<1> {
    let device = projection.device();
    let rows = segments.rows();
    let LayerDistillation { hidden, embeddings, attention } = lesson.config;
    let mut sum = Tensor::<1>::zeros([rows], &device);
    let outputs = lesson.pairs.iter().map(|&pair| (hidden, pair));
    for (weight, (ours, theirs)) in outputs.chain([(embeddings, (0, 0))]) {
        if let (Some(ours), Some(theirs)) = (student.hidden(ours), teacher.hidden(theirs)) {
            sum = sum + apart(ours, theirs, segments, projection) * weight;
        }
    }
    for &(ours, theirs) in &lesson.pairs {
        let both = (student.scores(ours, segments), teacher.scores(theirs, segments));
        if let (Some(ours), Some(theirs)) = both {
            sum = sum + scores_apart(ours, theirs, rows) * attention;
        }
    }
    sum * Tensor::<1>::from_data(TensorData::new(weights.to_vec(), [rows]), &device)
}

/// The mean squared distance of each row's vectors.
fn apart(
    ours: Tensor<2>,
    theirs: Tensor<2>,
    segments: &Segments,
    projection: &Tensor<2>,
) -> Tensor<1> {
    let ours = kernels::linear(ours, projection.clone(), None, Activation::None, Precision::F32);
    let difference = ours - Tensor::from_inner(theirs);
    let of_tokens = (difference.clone() * difference).mean_dim(1);
    Pooling::mean(of_tokens, segments).squeeze_dim::<1>(1)
}

/// The mean squared distance of each row's attention scores, over the heads and over the pairs of tokens that see
/// each other in both models.
fn scores_apart(
    ours: Vec<kernels::composed::AttentionScores>,
    theirs: Vec<kernels::composed::AttentionScores>,
    rows: usize,
) -> Tensor<1> {
    let mut order = vec![0_i32; rows];
    let mut parts = Vec::with_capacity(ours.len());
    let mut end = 0;
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        for (place, row) in ours.rows.iter().enumerate() {
            order[*row] = (end + place) as i32;
        }
        end += ours.rows.len();
        let heads = ours.scores.dims()[1] as f32;
        let seen = ours.visible * Tensor::from_inner(theirs.visible);
        let difference = (ours.scores - Tensor::from_inner(theirs.scores)) * seen.clone();
        let count = ours.rows.len();
        let total =
            |x: Tensor<4>| -> Tensor<1> { x.sum_dim(3).sum_dim(2).sum_dim(1).reshape([count]) };
        let of_rows = total(difference.clone() * difference);
        parts.push(of_rows / (total(seen) * heads));
    }
    let all = Tensor::cat(parts, 0);
    let order = Tensor::<1, Int>::from_data(TensorData::new(order, [rows]), &all.device());
    all.select(0, order)
}
