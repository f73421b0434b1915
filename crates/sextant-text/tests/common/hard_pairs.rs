//! Pairs on which two implementations easily differ, and tokenizers of each family's kind.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sextant_core::{Entity, EntityKind, Pair, Product, Task};
use sextant_text::{Encoder, RowFormat, TextConfig, Tokenizer};
use std::path::Path;

/// The tokenizers that `scripts/goldens/tokenizers_of_families.py` writes.
pub(crate) const TOKENIZERS: [&str; 7] =
    ["bert", "roberta", "modernbert", "xlm_roberta", "llama", "mistral", "gemma"];

pub(crate) fn tokenizer(name: &str) -> Tokenizer {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sextant-text/tests/tokenizers");
    let rows = match name {
        "bert" | "modernbert" => RowFormat::BERT,
        "roberta" | "xlm_roberta" => RowFormat::ROBERTA,
        _ => RowFormat::LINES,
    };
    Tokenizer::from_file(folder.join(format!("{name}.json")), &[rows]).unwrap()
}

/// An encoder for rows of at most 64 tokens, which cuts about half of the pairs.
pub(crate) fn encoder(name: &str, prefix: bool) -> Encoder {
    let mut config = TextConfig { max_tokens: 64, prefix, ..TextConfig::default() };
    if prefix {
        // A template of another form: several fields in a part, text after a field, a part without a field.
        "{type_path} | {title} by {brand}. | item | ({attributes}) {description}!"
            .clone_into(&mut config.templates.product);
    }
    Encoder::new(tokenizer(name), config).unwrap()
}

const TEXTS: [&str; 12] = [
    "drill",
    "  Cordless Hammer Drill, 18V \u{2003}",
    "[CLS] red [SEP] drill [PAD] </s><s> <bos>x<eos> <|end_of_text|> <pad> [MASK]",
    "cafe\u{301} cre\u{300}me bru\u{302}le\u{301}e e\u{301}\u{300}\u{302} ﬁne Å ﷺ",
    "👍🏽 👩‍👩‍👧‍👦 drill 🇩🇪 é\u{fe0f}",
    "zero\u{200b}width \u{feff}joiner\u{200d}s soft\u{ad}hyphen \u{1}control\u{7f} tab\tline\nend\r\n\n\nof  runs    of   spaces",
    "красная дрель с двумя батареями",
    "红色无线电钻18V附两块电池和充电器，红色无线电钻附两块电池和充电器。无线电钻",
    "مثقاب كهربائي लाल ड्रिल เครื่องเจาะ 드릴 ドリル",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsvorsitzenderkandidat",
    "1234567890123456789 3/8\" x 6\" --- ... | | brand: | {title} {{}} > > , ,",
    "x\u{1c}y \u{85} \u{a0}z\u{1c}",
];

fn long(number: usize) -> String {
    (0..9).map(|i| TEXTS[(number * 5 + i * 7) % TEXTS.len()]).collect::<Vec<_>>().join(" ")
}

/// The entity of a kind with this number. Products lack some of their fields, each for other numbers.
fn entity(kind: EntityKind, number: usize) -> Entity {
    let text = |shift: usize| TEXTS[(number + shift) % TEXTS.len()].to_owned();
    let name = if number % 5 == 3 { long(number) } else { text(0) };
    if kind != EntityKind::Product || number % 6 == 5 {
        return name.into();
    }
    let some = |shift: usize, text: String| (!(number + shift).is_multiple_of(4)).then_some(text);
    let attributes = (0..number % 4).map(|i| match (number + i) % 5 {
        0 => (text(i), String::new()),
        1 => (" ".to_owned(), text(i + 1)),
        2 => (text(i + 2), "\u{3000}".to_owned()),
        _ => (text(i + 3), text(i + 4)),
    });
    Product {
        title: name,
        brand: some(0, text(1)).or(Some(" \t".to_owned())),
        description: some(1, long(number + 1)),
        attributes: attributes.collect(),
        type_path: (0..(number + 2) % 4)
            .map(|i| if i == 1 { String::new() } else { text(i + 5) })
            .collect(),
    }
    .into()
}

/// Forty pairs of every task.
pub(crate) fn hard_pairs() -> Vec<Pair> {
    let pair = |(number, task): (usize, Task)| {
        let (left, right) = task.kinds();
        Pair { task, left: entity(left, number), right: entity(right, number * 3 + 1) }
    };
    let numbers = (0..40).flat_map(|number| Task::ALL.map(|task| (number, task)));
    numbers.map(pair).collect()
}
