//! The types that are paired with queries: the two vocabularies, and how partners of each grade are found.

use super::Context;
use super::draw;
use super::query_query::VAGUE_HEADS;
use super::taxonomy::Taxonomy;
use super::words::{head, stem_key, tokens, word_set};
use crate::sources::{Segment, SegmentedQuery};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::Split;
use std::collections::{BTreeMap, BTreeSet};

/// The most siblings up to which they are taken to be alike: nodes such as `Decor` have dozens of unlike
/// children.
const CLOSE_FAMILY: usize = 25;
/// The share of the nodes with a head noun that one branch must have, for the noun to have one meaning.
const ONE_MEANING: f64 = 0.6;

/// A query for which partners are sought.
pub(super) struct Anchor<'a> {
    pub(super) query: &'a SegmentedQuery,
    pub(super) span: &'a Segment,
    pub(super) key: String,
    pub(super) words: BTreeSet<String>,
    pub(super) split: Split,
}

/// A type as a possible partner: its text, its words, and its node in the taxonomy, if it has one.
struct Type {
    text: String,
    words: BTreeSet<String>,
    node: Option<usize>,
}

/// Whether a head noun names one kind of thing or several.
enum Meaning<'a> {
    /// One, as far as is known: no node of the taxonomy has the noun.
    One,
    /// One, which is in this branch of the taxonomy.
    Branch(&'a str),
    /// Several.
    Several,
}

/// All types that can be paired with a query.
pub(super) struct Types {
    taxonomy: Taxonomy,
    all: Vec<Type>,
    /// The index in `all` of the type that is written like a span, by the span's stem key.
    pub(super) by_key: BTreeMap<String, usize>,
    by_word: BTreeMap<String, Vec<usize>>,
    by_head: BTreeMap<String, Vec<usize>>,
}

impl Types {
    pub(super) fn new(context: Context<'_>, anchors: &[Anchor<'_>]) -> Self {
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
            // The spelling that most queries use; of equally frequent ones, the alphabetically first.
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
        // Only the last name of a path is the type; the words of its ancestors do not count.
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

    /// The node of this name, if there is exactly one. Names of several nodes are ambiguous, and so are
    /// single words such as `case`.
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

    /// A partner of grade 2: the query's own span, or the node of the taxonomy with the same name.
    pub(super) fn own(&self, anchor: &Anchor<'_>, rng: &mut ChaCha8Rng) -> Option<String> {
        let span = self.by_key.get(&anchor.key).map(|&p| self.all[p].text.as_str());
        let node = self.only_node(&anchor.key).and_then(|node| self.text_of_node(node));
        let texts: Vec<&str> = span.into_iter().chain(node).collect();
        texts.choose(rng).map(|&text| text.to_owned())
    }

    /// A partner of grade 1: the parent or a sibling of the span's node, or a type with the same head noun
    /// that is not known to be in another branch of the taxonomy.
    pub(super) fn related(&self, anchor: &Anchor<'_>, rng: &mut ChaCha8Rng) -> Option<String> {
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

    /// Whether a head noun has one meaning. Types with the same noun may be unlike, such as an exercise pen
    /// and a vape pen.
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

    /// A partner of grade 0: a type that shares no word with the span and, if both nodes are known, is in
    /// another branch of the taxonomy. If `hard`, it preferably shares a word with the query outside the span
    /// (`Coffee` for `coffee mug rack`), or has the span's head noun but is in another branch.
    pub(super) fn unrelated(
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
        // Half of the partners are types of other queries in this split, half are from all types.
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

/// A type with capital letters as taxonomies write it: `duvet cover` becomes `Duvet Cover`.
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
