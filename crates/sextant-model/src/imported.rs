//! Models that others trained, which become bundles: published rerankers and other classifiers of relevance, and
//! PEFT adapters.

use crate::backbone::Backbone;
use crate::{
    Adapter, Device, HeadKind, ModelError, ModelSpec, RelevanceModel, Routing, bundle, initialize,
};
use sextant_core::Task;
use sextant_files::Existing;
use sextant_kernels::FrozenFormat;
use sextant_text::{Encoder, TextConfig, Tokenizer};
use std::path::Path;

/// The most tokens of a row, unless somebody states another number.
const MAX_TOKENS: usize = 512;

/// A model that was trained elsewhere, ready to be saved as a bundle.
#[derive(Debug)]
pub struct Imported {
    model: RelevanceModel,
    tokenizer: Tokenizer,
    /// How texts are written, if the model states it.
    text: Option<TextConfig>,
    labels: Vec<usize>,
}

impl Imported {
    /// Reads a sequence classifier that judges relevance, such as a published reranker, from a folder in Hugging
    /// Face layout. It answers all tasks alike. Rows of a decoder are laid out as its tokenizer lays out pairs,
    /// because that is what the model was trained on.
    ///
    /// # Errors
    /// The folder holds no model of a known family, or its head does not judge relevance.
    pub fn classifier(folder: &Path) -> Result<Self, ModelError> {
        let backbone = Backbone::open(folder)?;
        backbone.check()?;
        let labels = backbone.check_relevance_head()?;
        let tokenizer = backbone.tokenizer_of_classifier()?;
        let spec = ModelSpec {
            backbone: backbone.config().clone(),
            tasks: Task::ALL.to_vec(),
            routing: Routing { prefix: false, ..Routing::TEXT_PREFIX },
            pooling: backbone.pooling(),
            // Decoders have no layer before the head.
            dense: !backbone.config().block.causal,
            head: HeadKind::Softmax,
            head_dropout: 0.1,
            lora: None,
        };
        let model = initialize(RelevanceModel::zeros(spec, &Device::cpu())?, 0);
        Ok(Self { model: backbone.load_into(model)?, tokenizer, text: None, labels })
    }

    /// Reads a PEFT LoRA adapter of a folder, over its base, which is stored in the given format.
    ///
    /// # Errors
    /// The adapter or the base cannot be read, or they do not fit each other.
    pub fn adapter(
        folder: &Path,
        base: &Path,
        base_format: FrozenFormat,
    ) -> Result<Self, ModelError> {
        let adapter = Adapter::open(folder)?;
        let backbone = Backbone::open(base)?;
        let tokenizer = match backbone.tokenizer_of(folder)? {
            Some(own) => own,
            None => backbone.tokenizer()?,
        };
        let model = adapter.model(&backbone, base_format, &Device::cpu())?;
        Ok(Self { model, tokenizer, text: adapter.text().cloned(), labels: Vec::new() })
    }

    /// The labels of a classifier in its own numbering, the lowest grade first: one, two or three; none of an
    /// adapter.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The most tokens that a row may have.
    pub fn max_positions(&self) -> usize {
        self.model.spec().backbone.max_positions
    }

    /// Writes a bundle whose rows have at most so many tokens: as many as the model states unless given, or 512.
    ///
    /// # Errors
    /// The model has fewer positions, or the bundle cannot be written.
    pub fn save(
        self,
        out: &Path,
        existing: Existing,
        max_tokens: Option<usize>,
        provenance: serde_json::Value,
    ) -> Result<(), ModelError> {
        let most = self.max_positions();
        let stated = max_tokens.or_else(|| Some(self.text.as_ref()?.max_tokens));
        let max_tokens = stated.unwrap_or(MAX_TOKENS.min(most));
        if max_tokens > most {
            return Err(ModelError::Config(format!(
                "rows of {max_tokens} tokens are longer than the model's {most}"
            )));
        }
        let text = TextConfig { max_tokens, ..self.text.unwrap_or_default() };
        let encoder = Encoder::new(self.tokenizer, text)?;
        bundle::save(out, existing, &self.model, &encoder, provenance)
    }
}
