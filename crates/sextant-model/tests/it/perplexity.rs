//! Real decoders, compared with `transformers` on the same dequantised weights.
//! `scripts/goldens/perplexity.py` wrote the expected numbers.
//!
//! The weights are not part of the repository: `sextant get smollm2` fetches them. Run the tests with
//! `cargo test --workspace --test it perplexity -- --ignored`; `SEXTANT_BACKBONES` may name the folder of
//! backbones. If they are run without the weights, the tests fail.

#![expect(clippy::print_stdout, reason = "measurements, asked for")]

use burn::tensor::Device;
use serde::Deserialize;
use sextant_core::{Pair, Task};
use sextant_kernels::{Precision, ScorePrecision};
use sextant_model::backbone::Backbone;
use sextant_model::{
    ForwardContext, ModelSpec, PackInput, PackedWeights, RelevanceModel, initialize,
};
use sextant_text::{
    Cut, EncodedRow, Encoder, Pack, PrefixTree, TextConfig, plan_shared, plan_sorted,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    perplexity: f64,
    prompt: Vec<u32>,
    likely: Vec<usize>,
}

const TEXT: &str = include_str!("../goldens/perplexity.txt");
const PROMPT: &str = "The capital of France is";

fn open(name: &str) -> Backbone {
    let folder = std::env::var_os("SEXTANT_BACKBONES").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/sextant/backbones"),
        PathBuf::from,
    );
    Backbone::open(&folder.join(name))
        .unwrap_or_else(|error| panic!("{error}; run `sextant get {name}` first"))
}

/// The logits of the next token at each position: hidden states times the transposed table of words.
fn next(model: &RelevanceModel, ids: &[u32]) -> Vec<Vec<f32>> {
    let row = EncodedRow {
        task: Task::QueryProduct,
        ids: ids.to_vec(),
        segments: vec![0; ids.len()],
        cut: Cut::default(),
    };
    let input = PackInput::new(&Pack::new(&[(0, &row)]), &model.device()).unwrap();
    let states = model.hidden_states(&input, &ForwardContext::inference(Precision::F32));
    let table = model.embeddings.word.as_ref().unwrap().val();
    crate::support::matrix(states.matmul(table.transpose()))
}

fn check(name: &str, golden: &str, start: &[u32]) {
    let golden: Golden = serde_json::from_str(golden).unwrap();
    let backbone = open(name);
    let tokenizer = backbone.tokenizer().unwrap();
    let encode = |text: &str| [start, &tokenizer.encode(text).unwrap()].concat();
    assert_eq!(encode(TEXT), golden.ids, "{name}: ids of the text");
    assert_eq!(encode(PROMPT), golden.prompt, "{name}: ids of the prompt");

    let spec = ModelSpec { tasks: vec![Task::QueryProduct], ..crate::families::plain(&backbone) };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 0);
    let model = backbone.load_into(model).unwrap();

    let loss: f64 = next(&model, &golden.ids)
        .iter()
        .zip(&golden.ids[1..])
        .map(|(logits, &id)| {
            let top = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
            let sum: f64 = logits.iter().map(|&x| (f64::from(x) - top).exp()).sum();
            top + sum.ln() - f64::from(logits[id as usize])
        })
        .sum();
    let perplexity = (loss / (golden.ids.len() - 1) as f64).exp();
    println!("{name}: perplexity {perplexity:.4}, transformers {:.4}", golden.perplexity);
    let off = (perplexity / golden.perplexity - 1.0).abs();
    assert!(off < 0.01, "{name}: perplexity {perplexity}, transformers {}", golden.perplexity);

    let logits = next(&model, &golden.prompt).pop().unwrap();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    assert_eq!(order[..5], golden.likely, "{name}: likeliest next tokens");
}

#[test]
#[ignore = "needs the weights of `sextant get smollm2`"]
fn smollm2_is_as_perplexed_as_in_transformers() {
    check("smollm2", include_str!("../goldens/perplexity_smollm2.json"), &[]);
}

#[test]
#[ignore = "needs the weights of `sextant get gemma3-270m --accept-license`"]
fn gemma3_is_as_perplexed_as_in_transformers() {
    let begin = 2; // `<bos>`
    check("gemma3-270m", include_str!("../goldens/perplexity_gemma3-270m.json"), &[begin]);
}

/// Prints how much time and how many tokens sharing prefixes saves on real rows. `SEXTANT_ROWS` names a JSONL
/// file of pairs.
#[test]
#[ignore = "needs the weights of `sextant get smollm2` and rows in SEXTANT_ROWS; run with --nocapture"]
fn the_saving_of_shared_prefixes() {
    let path = std::env::var_os("SEXTANT_ROWS").expect("SEXTANT_ROWS names a JSONL file");
    let text = std::fs::read_to_string(path).unwrap();
    let pairs: Vec<Pair> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|row| row["task"] == "query-product" && row["right"].is_string())
        .map(|row| Pair {
            task: Task::QueryProduct,
            left: row["left"].as_str().unwrap().to_owned().into(),
            right: row["right"].as_str().unwrap().to_owned().into(),
        })
        .collect();
    let backbone = open("smollm2");
    let encoder = Encoder::new(backbone.tokenizer().unwrap(), TextConfig::default()).unwrap();
    let rows = encoder.encode_all(&pairs).unwrap();
    let packs = |plan: Vec<Vec<usize>>, rows: &[EncodedRow]| -> Vec<Pack> {
        let pack =
            |of: Vec<usize>| Pack::new(&of.iter().map(|&i| (i, &rows[i])).collect::<Vec<_>>());
        plan.into_iter().map(pack).collect()
    };
    let shared = packs(plan_shared(&rows, 4096), &rows);
    let whole: usize = shared.iter().map(Pack::token_count).sum();
    let distinct: usize = shared.iter().map(|pack| PrefixTree::new(pack).tokens.len()).sum();
    println!("{} rows: {whole} tokens, {distinct} distinct", rows.len());

    let spec = ModelSpec { tasks: vec![Task::QueryProduct], ..crate::families::plain(&backbone) };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 0);
    let model = backbone.load_into(model).unwrap();
    let weights = Arc::new(PackedWeights::new(&model, ScorePrecision::F32));
    // Rows are sorted by query, so that the sample has all rows of most of its queries.
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by_key(|&i| pairs[i].left.text().to_owned());
    let start = order.len() / 2;
    let rows: Vec<EncodedRow> = order[start..start + 96].iter().map(|&i| rows[i].clone()).collect();
    let run = |sharing: bool| {
        let lengths: Vec<usize> = rows.iter().map(EncodedRow::len).collect();
        let plan = if sharing { plan_shared(&rows, 4096) } else { plan_sorted(&lengths, 4096, 0) };
        let start = Instant::now();
        let mut found = vec![[0.0; 3]; rows.len()];
        let mut tokens = 0;
        for pack in packs(plan, &rows) {
            let make = if sharing { PackInput::sharing_prefixes } else { PackInput::new };
            let input = make(&pack, &model.device()).unwrap();
            tokens += input.ids.dims()[0];
            let ctx = ForwardContext::scoring(Arc::clone(&weights));
            let logits = model.forward(&input, &ctx).unwrap();
            for (&row, prediction) in pack.rows.iter().zip(model.predictions(logits)) {
                found[row] = prediction.probs;
            }
        }
        (found, tokens, start.elapsed().as_secs_f64())
    };
    run(true); // packs the weights
    let mut off = 0f32;
    for _ in 0..3 {
        let ((a, whole, slow), (b, distinct, fast)) = (run(false), run(true));
        println!("{whole} tokens {slow:.2} s, {distinct} distinct {fast:.2} s");
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        off = pairs.fold(off, |off, (a, b)| off.max((a - b).abs()));
    }
    println!("largest difference of a probability {off:e}");
    assert!(off < 1e-5, "sharing changes a probability by {off}");
}
