//! A small trained tokenizer and a few pairs, shared by the tests.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sextant_core::{Entity, Product};
use sextant_text::{Encoder, TextConfig, Tokenizer, train_wordpiece};
use std::sync::OnceLock;

pub(crate) const TEXTS: [&str; 10] = [
    "cordless drill 18 volt with two batteries",
    "Cordless Hammer Drill, 18V, red",
    "task: query-product type-type query-query product-type | brand: Acme | color: red, volts: 18 | tools > drills",
    "garden hose 50 ft | brand: Rainer",
    "women's running shoes, size 9",
    "running shoe for women with soft sole",
    "a soft cotton towel in blue, set of six towels",
    "café table and chairs for the garden",
    "drill bits for concrete, steel and wood",
    "the drill comes with a case, batteries and a charger for batteries",
];

/// A tokenizer that has every word of [`TEXTS`] as one token.
pub(crate) fn tokenizer() -> &'static Tokenizer {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    TOKENIZER.get_or_init(|| train_wordpiece(&[TEXTS, TEXTS].concat(), 1000).unwrap())
}

pub(crate) fn encoder(max_tokens: usize, prefix: bool) -> Encoder {
    let config = TextConfig { max_tokens, prefix, ..TextConfig::default() };
    Encoder::new(tokenizer().clone(), config).unwrap()
}

pub(crate) fn drill() -> Product {
    Product {
        title: "Cordless Hammer Drill".into(),
        brand: Some("Acme".into()),
        description: Some("the drill comes with a case and a charger".into()),
        attributes: vec![("color".into(), "red".into()), ("volts".into(), "18".into())],
        type_path: vec!["tools".into(), "drills".into()],
    }
}

pub(crate) fn words(encoder: &Encoder, ids: &[u32]) -> String {
    let words: Vec<_> = ids.iter().map(|&id| encoder.tokenizer().token(id).unwrap()).collect();
    words.join(" ").replace(" ##", "")
}

pub(crate) fn product(title: &str) -> Entity {
    Product { title: title.into(), ..Product::default() }.into()
}
