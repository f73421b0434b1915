//! `[teacher.layers]`: the layers of a model learn from those of its teacher, besides the answers.

use crate::TrainError;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sextant_kernels::Precision;
use sextant_model::{
    Device, ForwardContext, KeptLayers, LayerDistillation, LayerLesson, LayerMap, ModelSpec,
    PackInput, RelevanceModel, bundle, initial_projection, layer_losses,
};
use sextant_text::{Pack, TextConfig, Tokenizer};
use std::path::{Path, PathBuf};

/// `[teacher.layers]`: losses of hidden states and attention scores (TinyBERT: Jiao et al. 2020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayersRecipe {
    /// The run or bundle whose layers are learned; the only one of `teacher.sources` unless stated. Its rows must
    /// have the tokens that the student's have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// The weight of the mean squared distance of the layers' outputs, which the student's reach through a learned
    /// matrix.
    pub hidden: f32,
    /// The weight of the same distance for the outputs of the embeddings.
    pub embeddings: f32,
    /// The weight of the mean squared distance of the attention scores before the softmax. Student and teacher must
    /// have as many heads as each other.
    pub attention: f32,
    /// Which layer of the teacher each layer of the student learns from: `uniform` or `last`.
    pub map: LayerMap,
}

impl Default for LayersRecipe {
    fn default() -> Self {
        Self { model: None, hidden: 1.0, embeddings: 1.0, attention: 1.0, map: LayerMap::Uniform }
    }
}

/// A teacher of layers whose shape was found to fit.
#[derive(Debug, Clone)]
pub struct PlannedLayers {
    /// The folder of the teacher's bundle.
    pub folder: PathBuf,
    /// The hash of the bundle's manifest, which identifies the teacher.
    pub manifest_sha256: String,
    /// Which layers are learned.
    pub lesson: LayerLesson,
}

impl PlannedLayers {
    /// Looks at the teacher's manifest, and compares its shape and its texts with the student's.
    pub(crate) fn new(
        recipe: &LayersRecipe,
        sources: &[PathBuf],
        student: &ModelSpec,
        text: &TextConfig,
    ) -> Result<Self, String> {
        let ((Some(path), _) | (None, [path])) = (&recipe.model, sources) else {
            return Err("teacher.layers.model: name the run or bundle whose layers are to be learned; `teacher.sources` has several".into());
        };
        let folder = bundle_of(path).ok_or_else(|| {
            format!(
                "teacher.layers.model: {} is neither a run nor a bundle; an ensemble, a cascade or a file of answers has no layers to learn from",
                path.display()
            )
        })?;
        let (manifest, manifest_sha256) =
            bundle::read_manifest_hashed(&folder).map_err(|error| error.to_string())?;
        let config = LayerDistillation {
            hidden: recipe.hidden,
            embeddings: recipe.embeddings,
            attention: recipe.attention,
        };
        let lesson =
            LayerLesson::new(config, recipe.map, &student.backbone, &manifest.spec.backbone)
                .map_err(|error| format!("teacher.layers: {error}"))?;
        if let Some(task) = student.tasks.iter().find(|task| !manifest.spec.tasks.contains(task)) {
            return Err(format!("teacher.layers.model: {} has no task `{task}`", path.display()));
        }
        let theirs = &manifest.text;
        let prefixes = |text: &TextConfig| text.prefix.then(|| text.prefix_template.clone());
        if theirs.templates != text.templates || prefixes(theirs) != prefixes(text) {
            return Err(format!(
                "teacher.layers.model: {} reads other texts, so that its layers see other tokens; give both the same `text.templates`, `text.prefix_template` and `model.routing.prefix`",
                path.display()
            ));
        }
        let positions = manifest.spec.backbone.max_positions;
        if text.max_tokens > positions {
            return Err(format!(
                "text.max_tokens = {}: the teacher of layers has {positions} positions",
                text.max_tokens
            ));
        }
        Ok(Self { folder, manifest_sha256, lesson })
    }

    /// Loads the teacher onto a device, and makes the matrix that leads from the student's width to its width.
    pub(crate) fn open(
        self,
        student: &ModelSpec,
        tokenizer: &Tokenizer,
        seed: u64,
        device: &Device,
    ) -> Result<LayerTeacher, TrainError> {
        let opened = bundle::open(&self.folder, device)?;
        check_vocabulary(&self.folder, tokenizer, opened.encoder.tokenizer())?;
        let widths = [student.backbone.hidden_size, opened.model.spec().backbone.hidden_size];
        let values = initial_projection(widths[0], widths[1], seed);
        let device = (**device).clone().autodiff();
        let projection = Tensor::from_data(TensorData::new(values, widths), &device).require_grad();
        Ok(LayerTeacher { model: opened.model, lesson: self.lesson, projection })
    }
}

/// The bundle at a path: that of a run, or the folder itself.
fn bundle_of(path: &Path) -> Option<PathBuf> {
    let inner = path.join("bundle");
    [inner, path.to_owned()].into_iter().find(|folder| folder.join("bundle.json").exists())
}

/// The teacher reads the student's tokens, so that both vocabularies must mean the same by every id.
fn check_vocabulary(
    folder: &Path,
    student: &Tokenizer,
    teacher: &Tokenizer,
) -> Result<(), TrainError> {
    let ids = 0..student.vocab_size().max(teacher.vocab_size()) as u32;
    let other = ids.into_iter().find(|&id| student.token(id) != teacher.token(id));
    let problem = match other {
        Some(id) => format!(
            "token {id} is `{}` for the teacher and `{}` for the student",
            teacher.token(id).unwrap_or_default(),
            student.token(id).unwrap_or_default()
        ),
        None if student.layout() != teacher.layout() => {
            "its rows have their special tokens in other places".to_owned()
        }
        None => return Ok(()),
    };
    Err(TrainError::Plan(vec![format!(
        "teacher.layers.model: the teacher at {} has another vocabulary than the student: {problem}; layers can be learned only from a teacher with the student's tokenizer",
        folder.display()
    )]))
}

/// The teacher whose layers a model learns, and the matrix that is learned besides.
#[derive(Debug)]
pub struct LayerTeacher {
    model: RelevanceModel,
    lesson: LayerLesson,
    /// From the student's width to the teacher's; on the autodiff device.
    pub(crate) projection: Tensor<2>,
}

impl LayerTeacher {
    /// The name of the matrix among parameters.
    pub(crate) const PROJECTION: &'static str = "teacher.projection";

    /// What a pass of the student is to keep.
    pub(crate) fn keeping(&self, ctx: ForwardContext) -> ForwardContext {
        ctx.keeping(self.lesson.of_student())
    }

    /// The loss of each row's layers, multiplied by the row's weight. `student` was kept by a pass over the pack.
    pub(crate) fn losses(
        &self,
        student: &KeptLayers,
        pack: &Pack,
        weights: &[f32],
        precision: Precision,
    ) -> Result<Tensor<1>, TrainError> {
        let input = PackInput::new(pack, &self.model.device())?;
        let ctx = ForwardContext::inference(precision).keeping(self.lesson.of_teacher());
        self.model.forward(&input, &ctx)?;
        let teacher = ctx.take_layers();
        let segments = &input.segments;
        Ok(layer_losses(student, &teacher, segments, &self.projection, weights, &self.lesson))
    }
}
