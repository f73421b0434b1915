//! Seeds for the readers of judges' files.

use sextant_judge::{Answer, Method, Prompt, Spent};

pub(crate) fn prompt() -> Vec<Vec<u8>> {
    let text = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/sextant-judge/prompts");
        let path = std::path::Path::new(path).join(format!("{name}.toml"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    Prompt::NAMES.map(text).to_vec()
}

pub(crate) fn answers() -> Vec<Vec<u8>> {
    let line = |key: &str, method: Method| {
        let answer = Answer {
            key: key.into(),
            prompt: "p".into(),
            model: "m".into(),
            method,
            probs: [0.1, 0.2, 0.7],
            label_mass: 0.9,
            spent: Spent { input_tokens: 90, output_tokens: 1 },
            raw: vec![serde_json::json!({ "choices": [{ "message": { "content": "2" } }] })],
        };
        serde_json::to_string(&answer).unwrap_or_else(|error| panic!("plain data: {error}"))
    };
    let [one, two] = [line("0123", Method::Votes), line("4567", Method::Logprobs)];
    [format!("{one}\n"), format!("{one}\n{two}\n"), format!("{one}\n{two}")]
        .map(String::into_bytes)
        .to_vec()
}
