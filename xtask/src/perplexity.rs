//! Perplexity of a decoder's backbone on a text, beside what `benches/peers/perplexity.py` says.

use anyhow::{Context, ensure};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, activation};
use clap::Args;
use sextant_core::Task;
use sextant_kernels::Precision;
use sextant_model::backbone::Backbone;
use sextant_model::{
    ForwardContext, HeadKind, ModelSpec, PackInput, RelevanceModel, Routing, initialize,
};
use sextant_text::{Cut, EncodedRow, Pack, Tokenizer};
use std::path::PathBuf;

/// `perplexity`
#[derive(Debug, Args)]
pub(crate) struct Perplexity {
    /// The backbone's folder, such as `sextant get smollm2` names
    model: PathBuf,
    /// The text
    #[arg(default_value = "benches/texts/austen.txt")]
    text: PathBuf,
}

impl Perplexity {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let backbone = Backbone::open(&self.model)?;
        ensure!(backbone.config().block.causal, "{} is no decoder", self.model.display());
        let spec = ModelSpec {
            backbone: backbone.config().clone(),
            tasks: vec![Task::QueryQuery],
            routing: Routing { prefix: false, ..Routing::TEXT_PREFIX },
            pooling: backbone.pooling(),
            dense: false,
            head: HeadKind::Softmax,
            head_dropout: 0.0,
            lora: None,
        };
        let model = initialize(RelevanceModel::zeros(spec, &Device::flex())?, 1);
        let model = backbone.load_into(model)?.no_grad();
        let tokenizer = backbone.tokenizer()?;
        let text = std::fs::read_to_string(&self.text)
            .with_context(|| format!("cannot read {}", self.text.display()))?;
        let ids = tokenizer.encode(&text)?;
        let logits = activation::log_softmax(logits(&model, &ids)?, 1);
        let next: Vec<i32> = ids[1..].iter().map(|&id| id as i32).collect();
        let next = Tensor::<1, Int>::from_data(&next[..], &Device::flex()).unsqueeze_dim::<2>(1);
        let count = ids.len() - 1;
        let mean = logits.narrow(0, 0, count).gather(1, next).mean().into_scalar::<f32>();
        let first: Vec<u32> = ids.iter().copied().take(12).collect();
        println!("tokens {}, first {first:?}, perplexity {:.4}", ids.len(), (-mean).exp());
        for prompt in ["The capital of France is", "A hammer is used to drive"] {
            println!("{prompt:?} {:?}", best(&model, &tokenizer, prompt)?);
        }
        Ok(())
    }
}

/// Of the next token at each of a text's tokens: `[tokens, vocabulary]`. The word table serves as the
/// last layer, as it does in SmolLM2 and Gemma.
fn logits(model: &RelevanceModel, ids: &[u32]) -> anyhow::Result<Tensor<2>> {
    let row = EncodedRow {
        task: Task::QueryQuery,
        ids: ids.to_vec(),
        segments: vec![0; ids.len()],
        cut: Cut::default(),
    };
    let input = PackInput::new(&Pack::new(&[(0, &row)]), &model.device())?;
    let hidden = model.hidden_states(&input, &ForwardContext::inference(Precision::F32));
    let table = model.embeddings.word.as_ref().context("a model without LoRA has its table")?;
    Ok(hidden.matmul(table.val().transpose()))
}

/// The three likeliest next tokens.
fn best(
    model: &RelevanceModel,
    tokenizer: &Tokenizer,
    prompt: &str,
) -> anyhow::Result<Vec<String>> {
    let ids = tokenizer.encode(prompt)?;
    let last = logits(model, &ids)?.narrow(0, ids.len() - 1, 1);
    let numbers: Vec<f32> = last.into_data().iter::<f32>().collect();
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    Ok(order[..3].iter().map(|&id| tokenizer.token(id as u32).unwrap_or_default()).collect())
}
