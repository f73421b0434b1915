//! The model card of an export.

use super::Stack;
use sextant_core::{Entity, EntityKind, Pair, Product};
use std::fmt::Write as _;

/// Its file.
pub(super) const FILE: &str = "README.md";
/// By which an export's card is known.
pub(super) const MARK: &str = "Exported by Sextant";

/// For a Hugging Face folder. `PreTrainedTokenizerFast` takes `tokenizer.json` as it is; `AutoTokenizer` would replace
/// that of some families (Qwen 2, ModernBERT) by one of its own making.
pub(super) fn huggingface(stack: &Stack<'_>, class: &str) -> String {
    let how = format!(
        "A `{class}`:\n\n```python\nimport torch\nfrom transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast\n\ntokenizer = PreTrainedTokenizerFast.from_pretrained(\".\")\nmodel = AutoModelForSequenceClassification.from_pretrained(\".\").eval()\ninputs = tokenizer(left, right, truncation=True, padding=True, return_tensors=\"pt\")\nwith torch.no_grad():\n    probabilities = model(**inputs).logits.softmax(-1)\nscore = probabilities @ torch.tensor([0.0, 0.5, 1.0])\n```\n"
    );
    let front = "---\nlibrary_name: transformers\npipeline_tag: text-classification\n---\n\n";
    format!("{front}{}", body(stack, &how))
}

/// For the folder of an adapter.
pub(super) fn peft(stack: &Stack<'_>, class: &str, base: &str) -> String {
    let pad = stack.bundle.encoder.tokenizer().pad_id();
    let how = format!(
        "A LoRA adapter with its head, for a `{class}` over `{base}`:\n\n```python\nimport torch\nfrom peft import PeftModel\nfrom transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast\n\ntokenizer = PreTrainedTokenizerFast.from_pretrained(\".\")\nbase = AutoModelForSequenceClassification.from_pretrained({base:?}, num_labels=3, pad_token_id={pad})\nmodel = PeftModel.from_pretrained(base, \".\").eval()\ninputs = tokenizer(left, right, truncation=True, padding=True, return_tensors=\"pt\")\nwith torch.no_grad():\n    probabilities = model(**inputs).logits.softmax(-1)\nscore = probabilities @ torch.tensor([0.0, 0.5, 1.0])\n```\n"
    );
    let front = format!(
        "---\nlibrary_name: peft\nbase_model: {base:?}\npipeline_tag: text-classification\n---\n\n"
    );
    format!("{front}{}", body(stack, &how))
}

/// For an ONNX folder.
pub(super) fn onnx(stack: &Stack<'_>, file: &str, inputs: &[&str]) -> String {
    let how = format!(
        "`{file}` takes {} (`int64`, `[rows, tokens]`, padded; any number of rows and tokens) and gives `logits` (`float32`, `[rows, 3]`):\n\n```python\nimport numpy, onnxruntime\nfrom tokenizers import Tokenizer\n\ntokenizer = Tokenizer.from_file(\"tokenizer.json\")\ntokenizer.enable_padding(pad_id={}, pad_token={:?})\nencodings = tokenizer.encode_batch([(left, right)])\nnames = {{\"input_ids\": \"ids\", \"attention_mask\": \"attention_mask\", \"token_type_ids\": \"type_ids\"}}\nsession = onnxruntime.InferenceSession({file:?})\nfeed = {{i.name: numpy.array([getattr(e, names[i.name]) for e in encodings]) for i in session.get_inputs()}}\n(logits,) = session.run(None, feed)\n```\n",
        inputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        stack.bundle.encoder.tokenizer().pad_id(),
        pad(stack),
    );
    body(stack, &how)
}

fn pad(stack: &Stack<'_>) -> String {
    let tokenizer = stack.bundle.encoder.tokenizer();
    tokenizer.token(tokenizer.pad_id()).unwrap_or_default()
}

fn body(stack: &Stack<'_>, how: &str) -> String {
    let Stack { bundle, task, .. } = stack;
    let text = bundle.encoder.config();
    let (left, right) = task.kinds();
    let mut card = format!(
        "# Relevance of {task} pairs\n\nJudges how relevant the right text is to the left one, on a scale of three grades: `0` irrelevant, `1` partial, `2` relevant. {MARK} {} from the `{task}` path of a model trained with routing `{}`.\n\n## Use\n\n{how}\nThe score of a pair is its expected grade divided by 2, in [0, 1].\n\n## Input\n\nThe texts must be written as in training:\n\n",
        bundle.manifest.sextant_version,
        stack.spec().routing.label(),
    );
    for (side, kind) in [("left", left), ("right", right)] {
        let template = match kind {
            EntityKind::Query => &text.templates.query,
            EntityKind::Product => &text.templates.product,
            EntityKind::Type => &text.templates.r#type,
        };
        let prefix = if side == "left" && text.prefix {
            format!(", after `{} `", text.prefix_template.replace("{task}", task.as_str()).trim())
        } else {
            String::new()
        };
        let _ = writeln!(card, "* {side}: a {kind}, as `{template}`{prefix}");
    }
    let [left, right] = bundle.encoder.texts(&example(stack));
    let _ = write!(
        card,
        "\nA part of a template whose field is empty is left out together with its ` | `. For example:\n\n```python\nleft = {left:?}\nright = {right:?}\n```\n\nRows of training had at most {} tokens; longer ones were cut, details of products first. Special tokens written out in a text were read as plain text.\n",
        text.max_tokens
    );
    card
}

/// A pair to show.
fn example(stack: &Stack<'_>) -> Pair {
    let (left, right) = stack.task.kinds();
    let entity = |kind, second: bool| -> Entity {
        match kind {
            EntityKind::Query if second => "cordless mouse".to_owned().into(),
            EntityKind::Query => "wireless mouse".to_owned().into(),
            EntityKind::Type if second => "Mice & Trackballs".to_owned().into(),
            EntityKind::Type => "Computer Mice".to_owned().into(),
            EntityKind::Product => Product {
                title: if second { "M185 Mouse, Blue" } else { "M185 Wireless Mouse" }.to_owned(),
                brand: Some("Logitech".to_owned()),
                description: None,
                attributes: vec![("Colour".to_owned(), "blue".to_owned())],
                type_path: vec!["Electronics".to_owned(), "Computer Mice".to_owned()],
            }
            .into(),
        }
    };
    Pair { task: stack.task, left: entity(left, false), right: entity(right, left == right) }
}
