//! query-type: is the query looking for this type of product?
//!
//! The anchors are QueryNER queries with exactly one product-type segment (the span). Types come
//! from two vocabularies, spans of other queries and nodes of Shopify's taxonomy, and every grade
//! draws from both, so that neither the vocabulary nor its spelling gives the grade away.

use super::draw::{self, PerSplit};
use super::query_query::VAGUE_HEADS;
use super::taxonomy::Taxonomy;
use super::words::{head, stem_key, tokens, word_set};
use super::{Context, Provenance, query_name};
use crate::sources::{Segment, SegmentedQuery};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Children of one parent up to which siblings are alike: `Decor` has dozens of unlike ones.
const CLOSE_FAMILY: usize = 25;
/// The share of a head noun's nodes that one branch must hold for the noun to have one meaning.
const ONE_MEANING: f64 = 0.6;

const ROW: Provenance = Provenance::derived(Task::QueryType, "queryner");

/// A type as a partner: its text, its words, and its place in the taxonomy where it has one.
struct Type {
    text: String,
    words: BTreeSet<String>,
    node: Option<usize>,
}

/// An anchor query.
struct Anchor<'a> {
    query: &'a SegmentedQuery,
    span: &'a Segment,
    key: String,
    words: BTreeSet<String>,
    split: Split,
}

/// How many kinds of thing a head noun names.
enum Meaning<'a> {
    /// One, as far as the queries say; the taxonomy does not use the noun.
    One,
    /// One, in this branch of the taxonomy.
    Branch(&'a str),
    /// Several.
    Several,
}

struct Types {
    taxonomy: Taxonomy,
    all: Vec<Type>,
    /// Positions in `all` by stem key of a span.
    by_key: BTreeMap<String, usize>,
    by_word: BTreeMap<String, Vec<usize>>,
    by_head: BTreeMap<String, Vec<usize>>,
}

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

/// The query without the last word of its span: shoppers who type `rv sewer` mean a sewer pipe.
/// Only spans of several words are masked, and two words must remain.
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

/// Masked queries that would be in two splits, because another query gives the same text or is it.
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

/// The text by which the query is shown.
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

impl Types {
    fn new(context: Context<'_>, anchors: &[Anchor<'_>]) -> Self {
        let taxonomy = Taxonomy::new(context.sources.shopify.nodes.iter().cloned());
        let mut spellings: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
        for anchor in anchors {
            let text = tokens(&anchor.span.text()).join(" ");
            *spellings.entry(&anchor.key).or_default().entry(text).or_default() += 1;
        }
        let mut types = Self {
            all: Vec::new(),
            by_key: BTreeMap::new(),
            by_word: BTreeMap::new(),
            by_head: BTreeMap::new(),
            taxonomy,
        };
        for (key, spellings) in spellings {
            // The spelling that most queries use; the first in the alphabet of equals.
            let Some((text, _)) = spellings.iter().rev().max_by_key(|(_, count)| **count) else {
                continue;
            };
            if !text.is_empty() {
                types.by_key.insert(key.to_owned(), types.all.len());
                let node = types.only_node(key);
                types.push(title_case(text), node);
            }
        }
        for node in 0..types.taxonomy.len() {
            let name = types.taxonomy.name(node).to_owned();
            if types.taxonomy.parent(node).is_some() && types.only_node(&name) == Some(node) {
                types.push(types.taxonomy.text(node, context.recipe.type_text), Some(node));
            }
        }
        types
    }

    fn push(&mut self, text: String, node: Option<usize>) {
        let position = self.all.len();
        // A path's last name is the type; its ancestors' words are not.
        let name = text.rsplit(" > ").next().unwrap_or(&text).to_owned();
        let words = word_set(&name);
        for word in &words {
            self.by_word.entry(word.clone()).or_default().push(position);
        }
        if let Some(head) = head(&name) {
            self.by_head.entry(head).or_default().push(position);
        }
        self.all.push(Type { text, words, node });
    }

    /// The only node of this name; names of several nodes are ambiguous, and so are single words
    /// such as `case`.
    fn only_node(&self, name: &str) -> Option<usize> {
        match self.taxonomy.named(name) {
            [node] if !VAGUE_HEADS.contains(&stem_key(name).as_str()) => Some(*node),
            _ => None,
        }
    }

    fn text_of_node(&self, node: usize) -> Option<&str> {
        let own =
            |kind: &&Type| kind.node == Some(node) && kind.text.ends_with(self.taxonomy.name(node));
        let words = word_set(self.taxonomy.name(node));
        let some_word = words.iter().next()?;
        let positions = self.by_word.get(some_word)?;
        positions.iter().map(|&p| &self.all[p]).find(own).map(|kind| kind.text.as_str())
    }

    /// Grade 2: the query's own span, or the taxonomy's node of that name.
    fn own(&self, anchor: &Anchor<'_>, rng: &mut ChaCha8Rng) -> Option<String> {
        let span = self.by_key.get(&anchor.key).map(|&p| self.all[p].text.as_str());
        let node = self.only_node(&anchor.key).and_then(|node| self.text_of_node(node));
        let texts: Vec<&str> = span.into_iter().chain(node).collect();
        texts.choose(rng).map(|&text| text.to_owned())
    }

    /// Grade 1: the parent or a sibling of the span's node, or a type of the same head noun that is
    /// not known to lie in another branch of the taxonomy.
    fn related(&self, anchor: &Anchor<'_>, rng: &mut ChaCha8Rng) -> Option<String> {
        let node = self.only_node(&anchor.key);
        let mut kinds: Vec<Vec<&str>> = Vec::new();
        if let Some(node) = node {
            let parent = self.taxonomy.parent(node);
            let parent = parent.filter(|&p| self.taxonomy.parent(p).is_some());
            kinds.push(parent.and_then(|p| self.text_of_node(p)).into_iter().collect());
            let siblings = self.taxonomy.siblings(node);
            if siblings.len() <= CLOSE_FAMILY {
                kinds.push(siblings.into_iter().filter_map(|n| self.text_of_node(n)).collect());
            }
        }
        let head = head(&anchor.span.text());
        let meaning = head.as_deref().map_or(Meaning::Several, |head| self.meaning(head));
        if let (Some(head), Meaning::One | Meaning::Branch(_)) = (&head, &meaning) {
            let same_head = self.by_head.get(head).map_or(&[][..], Vec::as_slice);
            let fits = |kind: &&Type| {
                kind.words != anchor.words
                    && (kind.words.len() > 1 || anchor.words.len() > 1)
                    && match (node, kind.node) {
                        (Some(a), Some(b)) => a != b && self.taxonomy.common_depth(a, b) > 0,
                        (None, Some(b)) => match &meaning {
                            Meaning::Branch(branch) => self.taxonomy.path(b)[0] == *branch,
                            _ => true,
                        },
                        _ => true,
                    }
            };
            kinds.push(
                same_head
                    .iter()
                    .map(|&p| &self.all[p])
                    .filter(fits)
                    .map(|k| k.text.as_str())
                    .collect(),
            );
        }
        kinds.retain(|texts| !texts.is_empty());
        let texts = kinds.choose(rng)?;
        texts.choose(rng).map(|&text| text.to_owned())
    }

    /// What is known of a head noun: an exercise pen and a vape pen are not alike.
    fn meaning(&self, head: &str) -> Meaning<'_> {
        if VAGUE_HEADS.contains(&head) {
            return Meaning::Several;
        }
        let mut branches: BTreeMap<&str, usize> = BTreeMap::new();
        for node in self.by_head.get(head).into_iter().flatten().filter_map(|&p| self.all[p].node) {
            *branches.entry(self.taxonomy.path(node)[0].as_str()).or_default() += 1;
        }
        let total: usize = branches.values().sum();
        match branches.into_iter().max_by_key(|(_, count)| *count) {
            None => Meaning::One,
            Some((branch, count)) if count as f64 >= ONE_MEANING * total as f64 => {
                Meaning::Branch(branch)
            }
            Some(_) => Meaning::Several,
        }
    }

    /// Grade 0: a type that shares no word with the span and, where both places are known, no
    /// branch of the taxonomy. A hard one is named in the query outside the span (`Coffee` for
    /// `coffee mug rack`), or has the span's head noun but lies in another branch.
    fn unrelated(
        &self,
        anchor: &Anchor<'_>,
        spans: &[usize],
        hard: bool,
        drawn: usize,
        rng: &mut ChaCha8Rng,
    ) -> Option<String> {
        let node = self.only_node(&anchor.key);
        let other_branch = |kind: &Type| match (node, kind.node) {
            (Some(a), Some(b)) => self.taxonomy.common_depth(a, b) == 0,
            _ => true,
        };
        let apart = |kind: &Type| kind.words.is_disjoint(&anchor.words) && other_branch(kind);
        if hard {
            let outside: Vec<String> =
                word_set(&anchor.query.text()).difference(&anchor.words).cloned().collect();
            let mut positions: Vec<usize> = outside
                .iter()
                .filter_map(|word| self.by_word.get(word))
                .flatten()
                .copied()
                .filter(|&p| apart(&self.all[p]))
                .collect();
            if let (Some(_), Some(head)) = (node, head(&anchor.span.text())) {
                let same_head = self.by_head.get(&head).map_or(&[][..], Vec::as_slice);
                positions.extend(
                    same_head
                        .iter()
                        .copied()
                        .filter(|&p| self.all[p].node.is_some() && other_branch(&self.all[p])),
                );
            }
            if let Some(&position) = positions.choose(rng) {
                return Some(self.all[position].text.clone());
            }
        }
        // Both vocabularies: the types of other queries in this split, and all types.
        let outside = word_set(&anchor.query.text());
        let allowed = |kind: &Type| apart(kind) && kind.words.is_disjoint(&outside);
        if rng.random_bool(0.5) {
            let position = draw::any(rng, spans, drawn, |&p| allowed(&self.all[p]))?;
            Some(self.all[*position].text.clone())
        } else {
            draw::any(rng, &self.all, drawn, allowed).map(|kind| kind.text.clone())
        }
    }
}

/// `duvet cover` as taxonomies write it: `Duvet Cover`.
fn title_case(text: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_like_taxonomies() {
        assert_eq!(title_case("led light bulb"), "Led Light Bulb");
    }
}
