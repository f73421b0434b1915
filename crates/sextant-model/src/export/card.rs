//! The model cards of exports.

use super::Stack;
use sextant_core::{Entity, EntityKind, Pair, Product};
use std::fmt::Write as _;

/// The file that holds the card.
pub(super) const FILE: &str = "README.md";
/// The text by which the card of an export is recognised.
pub(super) const MARK: &str = "Exported by Sextant";

/// The effect of cutting long rows in another way than in training, as measured with heads over
/// all-MiniLM-L6-v2 on rows of catalogues that have more than 128 tokens
/// (`scripts/check_exports.py --bundle`).
const CUT: &str = "On 174 such rows of one catalogue, cut so by `transformers`, probabilities differed from those of training by up to 0.41 and 11 grades changed, on 353 rows of another by up to 0.16 and 14 grades; with `sextant_pair.py` they agreed to 0.000001";

/// The card of a Hugging Face folder.
pub(super) fn huggingface(stack: &Stack<'_>, class: &str) -> String {
    let how = format!(
        "A `{class}`:\n\n```python\nimport torch\nfrom sextant_pair import PairEncoder  # the file in this folder\nfrom transformers import AutoModelForSequenceClassification\n\nencoder = PairEncoder(\".\")\nmodel = AutoModelForSequenceClassification.from_pretrained(\".\").eval()\n{}inputs = {{name: torch.tensor(rows) for name, rows in encoder([(left, right)]).items()}}\nwith torch.no_grad():\n    probabilities = model(**inputs).logits.softmax(-1)\nscore = probabilities @ torch.tensor([0.0, 0.5, 1.0])\n```\n",
        entities(stack)
    );
    let front = "---\nlibrary_name: transformers\npipeline_tag: text-classification\n---\n\n";
    format!("{front}{}", body(stack, &how))
}

/// The card of an adapter's folder.
pub(super) fn peft(stack: &Stack<'_>, class: &str, base: &str) -> String {
    let pad = stack.bundle.encoder.tokenizer().pad_id();
    let how = format!(
        "A LoRA adapter with its head, for a `{class}` over `{base}`:\n\n```python\nimport torch\nfrom peft import PeftModel\nfrom sextant_pair import PairEncoder  # the file in this folder\nfrom transformers import AutoModelForSequenceClassification\n\nencoder = PairEncoder(\".\")\nbase = AutoModelForSequenceClassification.from_pretrained({base:?}, num_labels=3, pad_token_id={pad})\nmodel = PeftModel.from_pretrained(base, \".\").eval()\n{}inputs = {{name: torch.tensor(rows) for name, rows in encoder([(left, right)]).items()}}\nwith torch.no_grad():\n    probabilities = model(**inputs).logits.softmax(-1)\nscore = probabilities @ torch.tensor([0.0, 0.5, 1.0])\n```\n",
        entities(stack)
    );
    let front = format!(
        "---\nlibrary_name: peft\nbase_model: {base:?}\npipeline_tag: text-classification\n---\n\n"
    );
    format!("{front}{}", body(stack, &how))
}

/// The card of an ONNX folder. `numbers` is a section about the precision of the file, or empty.
pub(super) fn onnx(stack: &Stack<'_>, file: &str, inputs: &[&str], numbers: &str) -> String {
    let how = format!(
        "`{file}` takes {} (`int64`, `[rows, tokens]`, padded on the right; any number of rows and tokens) and gives `logits` (`float32`, `[rows, 3]`):\n\n```python\nimport numpy, onnxruntime\nfrom sextant_pair import PairEncoder  # the file in this folder\n\nencoder = PairEncoder(\".\")\nsession = onnxruntime.InferenceSession({file:?})\n{}inputs = {{name: numpy.array(rows) for name, rows in encoder([(left, right)]).items()}}\n(logits,) = session.run(None, inputs)\n```\n{numbers}",
        inputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        entities(stack),
    );
    body(stack, &how)
}

/// The example pair as Python code.
fn entities(stack: &Stack<'_>) -> String {
    let Pair { left, right, .. } = example(stack);
    let python = |entity: &Entity| match entity {
        Entity::Text(text) => format!("{text:?}"),
        Entity::Product(product) => {
            let attributes: Vec<_> = product
                .attributes
                .iter()
                .map(|(name, value)| format!("{name:?}: {value:?}"))
                .collect();
            format!(
                "{{\"title\": {:?}, \"brand\": {:?}, \"attributes\": {{{}}}, \"type_path\": {:?}}}",
                product.title,
                product.brand.as_deref().unwrap_or_default(),
                attributes.join(", "),
                product.type_path
            )
        }
    };
    format!("left = {}\nright = {}\n", python(&left), python(&right))
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
        "\nA part of a template whose field is empty is left out together with its ` | `. `sextant_pair.py` does all of this; the pair above becomes these texts:\n\n```python\n{left:?}\n{right:?}\n```\n\nRows of training had at most {} tokens. Of longer ones, fields lost tokens, the longest first and details of products before names; the template stayed whole. Special tokens written out in a text were read as plain text.\n\n## Without `sextant_pair.py`\n\nTokenizers of other programs write the same rows as long as the texts are written as above, hold no special tokens, and nothing is cut. They cut longer rows at the end of a text, whatever stands there. {CUT}.\n",
        text.max_tokens
    );
    card
}

/// The pair that a card shows as an example.
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
