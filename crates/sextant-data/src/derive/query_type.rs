//! query-type: does the query ask for this type of product?
//!
//! The anchors, for which partners are sought, are QueryNER queries with exactly one product-type segment
//! (the span). Types come from two vocabularies: spans of other queries, and nodes of Shopify's taxonomy.
//! Every grade draws from both, so that the grade does not follow from the vocabulary or its spelling.

use super::draw::PerSplit;
use super::query_type_partners::{Anchor, Types};
use super::words::{stem_key, word_set};
use super::{Context, Provenance, query_name};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

const ROW: Provenance = Provenance::derived(Task::QueryType, "queryner");

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let mut anchors = Vec::new();
    let mut seen = BTreeSet::new();
    for query in &context.sources.queries {
        let Some(span) = query.product_type() else { continue };
        let name = query_name(&query.text());
        let Some(split) = context.splits.split(&name) else { continue };
        if seen.insert(name) {
            let text = span.text();
            let (key, words) = (stem_key(&text), word_set(&text));
            anchors.push(Anchor { query, span, key, words, split });
        }
    }
    let types = Types::new(context, &anchors);
    let mut pools: PerSplit<usize> = PerSplit::default();
    for anchor in &anchors {
        if let Some(&position) = types.by_key.get(&anchor.key) {
            pools.push(anchor.split, position);
        }
    }
    let torn = torn(context, &anchors);
    let mut rng = context.rng("query-type");
    let mut rows = Vec::new();
    for anchor in &anchors {
        let text = query_text(context, anchor, &torn, &mut rng);
        let mut add = |partner: String, grade| {
            rows.push(ROW.row(text.as_str(), partner, grade, &query_name(&text), anchor.split));
        };
        if let Some(partner) = types.own(anchor, &mut rng) {
            add(partner, Grade::Relevant);
        }
        if let Some(partner) = types.related(anchor, &mut rng) {
            add(partner, Grade::Partial);
        }
        let hard = rng.random_bool(context.recipe.negatives.hard_share);
        let drawn = context.recipe.negatives.drawn;
        let pool = pools.of(anchor.split);
        if let Some(partner) = types.unrelated(anchor, pool, hard, drawn, &mut rng) {
            add(partner, Grade::Irrelevant);
        }
    }
    rows
}

/// The query without the last word of its span, since shoppers also leave that word out: those who type
/// `rv sewer` mean a sewer pipe. `None` for spans of one word, and if fewer than two words would remain.
fn masked(anchor: &Anchor<'_>) -> Option<String> {
    if anchor.span.words.len() < 2 {
        return None;
    }
    let words = anchor.query.segments.iter().flat_map(|segment| {
        let kept = segment.words.len() - usize::from(std::ptr::eq(segment, anchor.span));
        segment.words[..kept].iter().map(String::as_str)
    });
    let words: Vec<&str> = words.collect();
    (words.len() >= 2).then(|| words.join(" "))
}

/// The names of masked queries that would be in two splits, because another query is equal to the masked
/// text, or is so when it is masked.
fn torn(context: Context<'_>, anchors: &[Anchor<'_>]) -> BTreeSet<String> {
    let mut splits: BTreeMap<String, BTreeSet<Split>> = BTreeMap::new();
    for anchor in anchors {
        if let Some(text) = masked(anchor) {
            let name = query_name(&text);
            let known = context.splits.split(&name);
            splits.entry(name).or_default().extend(known.into_iter().chain([anchor.split]));
        }
    }
    splits.into_iter().filter(|(_, splits)| splits.len() > 1).map(|(name, _)| name).collect()
}

/// The text of the query in a row: masked for the recipe's share of the queries, if possible.
fn query_text(
    context: Context<'_>,
    anchor: &Anchor<'_>,
    torn: &BTreeSet<String>,
    rng: &mut ChaCha8Rng,
) -> String {
    let mask = rng.random_bool(context.recipe.query_type.masked_share);
    masked(anchor)
        .filter(|text| mask && !torn.contains(&query_name(text)))
        .unwrap_or_else(|| anchor.query.text())
}
