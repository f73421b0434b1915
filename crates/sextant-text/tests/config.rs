//! What the `[text]` table accepts and refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use sextant_core::{Pair, Task};
use sextant_text::{Encoder, Templates, TextConfig};

fn with_product(template: &str) -> TextConfig {
    let templates = Templates { product: template.to_owned(), ..Templates::default() };
    TextConfig { templates, ..TextConfig::default() }
}

fn refusal(config: &TextConfig) -> String {
    config.validate().unwrap_err().to_string()
}

#[test]
fn round_trips_and_fills_in_defaults() {
    let config = TextConfig { prefix: true, ..with_product("{title} by {brand}") };
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains(r#""type":"{text}""#), "{json}");
    assert_eq!(serde_json::from_str::<TextConfig>(&json).unwrap(), config);
    let partial: TextConfig = serde_json::from_str(r#"{"max_tokens": 64}"#).unwrap();
    assert_eq!(partial, TextConfig { max_tokens: 64, ..TextConfig::default() });
    partial.validate().unwrap();
}

#[test]
fn unknown_keys_are_refused() {
    for json in [r#"{"max_token": 64}"#, r#"{"templates": {"brand": "{text}"}}"#] {
        let error = serde_json::from_str::<TextConfig>(json).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn bad_templates_are_refused_with_key_and_remedy() {
    let error = refusal(&with_product("{title} | {price}"));
    assert!(error.contains("templates.product") && error.contains("`{price}`"), "{error}");
    assert!(error.contains("`{title}`, `{brand}`, `{attributes}`"), "{error}");
    for (template, reason) in [
        ("{brand}", "must hold `{title}`"),
        ("{title} {title}", "twice"),
        ("{title", "no partner"),
        ("title}", "no partner"),
        ("{title} | {text}", "unknown `{text}`"),
    ] {
        let error = refusal(&with_product(template));
        assert!(error.contains(reason) && error.contains(template), "{error}");
    }
    let templates = Templates { query: "{title}".into(), ..Templates::default() };
    let error = refusal(&TextConfig { templates, ..TextConfig::default() });
    assert!(
        error.contains("templates.query") && error.contains("allowed here: `{text}`"),
        "{error}"
    );
    for prefix_template in ["task", "{kind}: "] {
        let config =
            TextConfig { prefix_template: prefix_template.into(), ..TextConfig::default() };
        let error = refusal(&config);
        assert!(error.contains("prefix_template") && error.contains("`{task}`"), "{error}");
    }
}

#[test]
fn a_part_stays_while_one_of_its_fields_has_text() {
    let encoder =
        |template| Encoder::new(common::tokenizer().clone(), with_product(template)).unwrap();
    let text = |template, right| {
        let pair = Pair { task: Task::QueryProduct, left: "drill".into(), right };
        let encoder = encoder(template);
        common::words(&encoder, &encoder.encode(&pair).unwrap().ids)
    };
    assert_eq!(
        text("tools {brand} {title}", common::product("hammer")),
        "[CLS] drill [SEP] tools hammer [SEP]",
        "the title keeps the part"
    );
    assert_eq!(
        text("case | {brand} with {attributes} | {title}", common::product("hammer")),
        "[CLS] drill [SEP] case | hammer [SEP]",
        "text without fields stays, a part without values goes"
    );
}
