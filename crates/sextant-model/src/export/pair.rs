//! Encoding pairs in other programs: a Python file that does the same as the
//! [`Encoder`](sextant_text::Encoder), and the configuration that it reads.

use super::{Stack, write, write_json};
use crate::ModelError;
use serde_json::json;
use sextant_core::EntityKind;
use std::path::Path;

/// The Python file, the same in every export.
const CODE: &str = include_str!("sextant_pair.py");
/// The name of the Python file, under which it can be imported.
const CODE_FILE: &str = "sextant_pair.py";
/// The configuration that the Python file reads, besides `tokenizer.json`.
const CONFIG_FILE: &str = "sextant_pair.json";

/// Writes both files. `inputs` are the names of the tensors that the model takes.
pub(super) fn write_pair_encoder(
    stack: &Stack<'_>,
    inputs: &[&str],
    folder: &Path,
) -> Result<(), ModelError> {
    let encoder = &stack.bundle.encoder;
    let (text, tokenizer) = (encoder.config(), encoder.tokenizer());
    let layout = tokenizer.layout();
    let side = |kind: EntityKind| {
        let template = match kind {
            EntityKind::Query => &text.templates.query,
            EntityKind::Product => &text.templates.product,
            EntityKind::Type => &text.templates.r#type,
        };
        json!({ "kind": kind.as_str(), "template": template })
    };
    let (left, right) = stack.task.kinds();
    let config = json!({
        "format": 1,
        "task": stack.task.as_str(),
        "max_tokens": text.max_tokens,
        "prefix": text.prefix_of(stack.task).unwrap_or_default(),
        "left": side(left),
        "right": side(right),
        "open": layout.open,
        "between": layout.between,
        "close": layout.close,
        "right_segment": layout.right_segment,
        "pad_id": tokenizer.pad_id(),
        "inputs": inputs,
    });
    write_json(folder, CONFIG_FILE, &config)?;
    write(folder, CODE_FILE, CODE.as_bytes())
}
