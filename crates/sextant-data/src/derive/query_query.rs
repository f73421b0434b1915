//! query-query: do two queries ask for the same thing?
//!
//! There are three sources: judged products that two Home Depot queries share (in its own file), corrections
//! of misspelt queries (grade 2), and QueryNER queries, whose product-type segments say whether two queries
//! ask for the same kind of thing.

use super::draw::{self, PerSplit};
use super::query_query_home_depot;
use super::words::{bag_key, head, jaccard, stem_key, word_set};
use super::{Context, Provenance, query_name};
use crate::normalize;
use crate::sources::{SegmentedQuery, Sources};
use crate::split::Grouping;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Head nouns that alone do not name a kind of thing: a pencil case and a phone case are not alike.
pub(super) const VAGUE_HEADS: [&str; 22] = [
    "accessory",
    "band",
    "bag",
    "book",
    "box",
    "case",
    "cover",
    "decor",
    "decoration",
    "game",
    "gift",
    "holder",
    "item",
    "kit",
    "machine",
    "part",
    "set",
    "stuff",
    "supply",
    "tool",
    "top",
    "toy",
];

/// The number of partners that are drawn for each QueryNER query and grade. They are more than needed, so
/// that quotas can be met.
const PARTNERS: usize = 2;

/// Binds a query and its correction, and all QueryNER queries that ask for the same type.
pub(super) fn tie(grouping: &mut Grouping, sources: &Sources) {
    for correction in &sources.corrections {
        let typed = query_name(&correction.typed);
        grouping.add(&typed, "home-depot-spelling");
        grouping.bind(&typed, &query_name(&correction.corrected));
    }
    for query in &sources.queries {
        let text = query.text();
        grouping.add(&query_name(&text), "queryner");
        if let Some(kind) = query.product_type() {
            grouping.bind(&query_name(&text), &format!("span:{}", stem_key(&kind.text())));
        }
    }
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let mut rows = query_query_home_depot::candidates(context);
    rows.extend(corrections(context));
    rows.extend(segmented(context));
    rows
}

fn corrections(context: Context<'_>) -> Vec<Example> {
    let row = Provenance::derived(Task::QueryQuery, "home-depot-spelling");
    let mut rows = Vec::new();
    for correction in &context.sources.corrections {
        let name = query_name(&correction.typed);
        let Some(split) = context.splits.split(&name) else { continue };
        let (typed, corrected) = (correction.typed.as_str(), correction.corrected.as_str());
        if normalize(typed) != normalize(corrected) {
            rows.push(row.row(typed, corrected, Grade::Relevant, &name, split));
        }
    }
    rows
}

/// A QueryNER query with exactly one product-type segment (the span), with the facts that the rules use.
struct Typed<'a> {
    query: &'a SegmentedQuery,
    text: String,
    name: String,
    split: Split,
    span: String,
    span_words: BTreeSet<String>,
    /// The words outside the span.
    other_words: BTreeSet<String>,
    bag: String,
}

fn segmented(context: Context<'_>) -> Vec<Example> {
    let recipe = context.recipe;
    let mut queries: Vec<Typed> = Vec::new();
    let mut seen = BTreeSet::new();
    for query in &context.sources.queries {
        let (text, Some(kind)) = (query.text(), query.product_type()) else { continue };
        let name = query_name(&text);
        let Some(split) = context.splits.split(&name) else { continue };
        if !seen.insert(name.clone()) {
            continue;
        }
        let span_words = word_set(&kind.text());
        let other_words = word_set(&text).difference(&span_words).cloned().collect();
        let (span, bag) = (stem_key(&kind.text()), bag_key(&text));
        queries.push(Typed { query, text, name, split, span, span_words, other_words, bag });
    }
    let mut by_span: BTreeMap<&str, Vec<&Typed>> = BTreeMap::new();
    let mut pools: PerSplit<&Typed> = PerSplit::default();
    for query in &queries {
        by_span.entry(&query.span).or_default().push(query);
        pools.push(query.split, query);
    }
    let row = Provenance::derived(Task::QueryQuery, "queryner");
    let mut rng = context.rng("query-query queryner");
    let mut rows = Vec::new();
    let drawn = recipe.negatives.drawn;
    for query in &queries {
        let mut add = |partner: &str, grade| {
            rows.push(row.row(query.text.as_str(), partner, grade, &query.name, query.split));
        };
        if rng.random_bool(recipe.query_query.reordered_share)
            && let Some(copy) = reordered(query.query, &mut rng)
        {
            add(&copy, Grade::Relevant);
        }
        for _ in 0..PARTNERS {
            let hard = rng.random_bool(recipe.negatives.hard_share);
            let alike = |other: &&Typed| jaccard(&query.other_words, &other.other_words);

            let family = &by_span[query.span.as_str()];
            let vague = head(&query.span).is_some_and(|head| VAGUE_HEADS.contains(&head.as_str()))
                && query.span_words.len() == 1;
            let related = |other: &&Typed| other.bag != query.bag && (!vague || alike(other) > 0.0);
            let partner = if hard || vague {
                draw::hardest(&mut rng, family, drawn, alike, related)
            } else {
                draw::any(&mut rng, family, drawn, related)
            };
            if let Some(partner) = partner {
                add(&partner.text, Grade::Partial);
            }

            let unrelated = |other: &&Typed| {
                other.span_words.is_disjoint(&query.span_words)
                    && other.span_words.is_disjoint(&query.other_words)
                    && query.span_words.is_disjoint(&other.other_words)
            };
            let pool = pools.of(query.split);
            let partner = if hard {
                draw::hardest(&mut rng, pool, drawn * 4, alike, unrelated)
            } else {
                draw::any(&mut rng, pool, drawn, unrelated)
            };
            if let Some(partner) = partner {
                add(&partner.text, Grade::Irrelevant);
            }
        }
    }
    for family in by_span.values() {
        for (i, a) in family.iter().enumerate() {
            for b in &family[i + 1..] {
                if a.bag == b.bag && normalize(&a.text) != normalize(&b.text) {
                    rows.push(row.row(
                        a.text.as_str(),
                        b.text.as_str(),
                        Grade::Relevant,
                        &a.name,
                        a.split,
                    ));
                }
            }
        }
    }
    rows
}

/// The query with its segments in another order: shoppers type `queen duvet cover white` as well
/// as `white duvet cover queen`. Segments that begin with a preposition stay at the end. `None` if fewer than
/// two segments can be moved, or if the query has words outside all segments.
fn reordered(query: &SegmentedQuery, rng: &mut ChaCha8Rng) -> Option<String> {
    use crate::sources::SegmentKind::Outside;
    const PREPOSITIONS: [&str; 12] =
        ["for", "with", "without", "of", "in", "by", "to", "and", "from", "on", "that", "under"];
    let opens_late =
        |text: &str| PREPOSITIONS.contains(&text.split(' ').next().unwrap_or_default());
    let hangs = |segment: &crate::sources::Segment| {
        segment.words.last().is_some_and(|word| PREPOSITIONS.contains(&word.as_str()))
    };
    if query.segments.iter().any(|segment| segment.kind == Outside || hangs(segment)) {
        return None;
    }
    let texts: Vec<String> = query.segments.iter().map(crate::sources::Segment::text).collect();
    let (late, mut free): (Vec<String>, Vec<String>) =
        texts.iter().cloned().partition(|text| opens_late(&text.to_lowercase()));
    if free.len() < 2 {
        return None;
    }
    for _ in 0..8 {
        free.shuffle(rng);
        let order: Vec<String> = free.iter().chain(&late).cloned().collect();
        if order != texts {
            return Some(order.join(" "));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Segment, SegmentKind};
    use rand::SeedableRng;

    fn query(segments: &[(&str, SegmentKind)]) -> SegmentedQuery {
        let segment = |(text, kind): &(&str, SegmentKind)| Segment {
            kind: *kind,
            words: text.split(' ').map(str::to_owned).collect(),
        };
        SegmentedQuery { segments: segments.iter().map(segment).collect() }
    }

    #[test]
    fn reordering_keeps_segments_whole_and_prepositions_last() {
        let (color, kind) = (SegmentKind::Other(1), SegmentKind::ProductType);
        let given = query(&[("white", color), ("duvet cover", kind), ("for cats", color)]);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        assert_eq!(reordered(&given, &mut rng).unwrap(), "duvet cover white for cats");
        let one = query(&[("duvet cover", kind), ("for cats", color)]);
        assert_eq!(reordered(&one, &mut rng), None);
        let outside = query(&[("a", SegmentKind::Outside), ("red", color), ("mat", kind)]);
        assert_eq!(reordered(&outside, &mut rng), None);
    }
}
