//! query-query from Home Depot: two queries judged against the same products.

use super::draw::{self, PerSplit};
use super::query_product::home_depot_grade;
use super::words::{bag_key, content_set, head, jaccard, likeness, word_set};
use super::{Context, Provenance, query_name};
use crate::normalize;
use rand::RngExt;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

const ROW: Provenance = Provenance::derived(Task::QueryQuery, "home-depot");

/// A query, with facts about the products that were judged for it.
struct Judged {
    text: String,
    name: String,
    split: Split,
    products: BTreeSet<String>,
    /// The words of each product that is relevant or partial for the query.
    suiting: Vec<BTreeSet<String>>,
    words: BTreeSet<String>,
    head: Option<String>,
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let (queries, by_product) = judged(context);
    let mut rows = shared_products(context, &queries, &by_product);
    rows.extend(unrelated(context, &queries));
    rows
}

type ByProduct = BTreeMap<String, BTreeMap<usize, Grade>>;

fn judged(context: Context<'_>) -> (Vec<Judged>, ByProduct) {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut queries: Vec<Judged> = Vec::new();
    let mut by_product = ByProduct::new();
    for result in &context.sources.home_depot {
        let name = query_name(&result.query);
        let Some(split) = context.splits.split(&name) else { continue };
        let number = *numbers.entry(name.clone()).or_insert_with(|| {
            queries.push(Judged {
                text: result.query.clone(),
                name,
                split,
                products: BTreeSet::new(),
                suiting: Vec::new(),
                words: word_set(&result.query),
                head: head(&result.query),
            });
            queries.len() - 1
        });
        let grade = home_depot_grade(result.rating, context.recipe);
        queries[number].products.insert(result.product.clone());
        if grade != Grade::Irrelevant {
            queries[number].suiting.push(content_set(&result.title));
        }
        by_product.entry(result.product.clone()).or_default().insert(number, grade);
    }
    (queries, by_product)
}

/// Pairs that share at least one judged product.
fn shared_products(
    context: Context<'_>,
    queries: &[Judged],
    by_product: &ByProduct,
) -> Vec<Example> {
    let mut shared: BTreeMap<(usize, usize), Vec<(Grade, Grade)>> = BTreeMap::new();
    for judgements in by_product.values() {
        let judgements: Vec<(usize, Grade)> = judgements.iter().map(|(&q, &g)| (q, g)).collect();
        for (i, &(a, grade_a)) in judgements.iter().enumerate() {
            for &(b, grade_b) in &judgements[i + 1..] {
                let grades = (grade_a.min(grade_b), grade_a.max(grade_b));
                shared.entry((a, b)).or_default().push(grades);
            }
        }
    }
    let mut rows = Vec::new();
    for ((a, b), grades) in shared {
        let (a, b) = (&queries[a], &queries[b]);
        if a.split != b.split || normalize(&a.text) == normalize(&b.text) {
            continue;
        }
        if let Some(grade) = grade_of_shared(context, a, b, &grades) {
            rows.push(ROW.row(a.text.as_str(), b.text.as_str(), grade, &a.name, a.split));
        }
    }
    rows
}

/// The grade of two queries by the products that they share; `None` if the products do not give a clear
/// answer. `grades` has, for each shared product, the lower and the higher of its grades for the two queries.
fn grade_of_shared(
    context: Context<'_>,
    a: &Judged,
    b: &Judged,
    grades: &[(Grade, Grade)],
) -> Option<Grade> {
    use Grade::{Irrelevant, Partial, Relevant};
    let rule = &context.recipe.query_query;
    let likeness = likeness(&a.text, &b.text);
    let count = |pair| grades.iter().filter(|&&found| found == pair).count();
    let both = count((Relevant, Relevant));
    if bag_key(&a.text) == bag_key(&b.text) {
        return Some(Relevant);
    }
    let needed = if both >= 2 { rule.same_from_of_several } else { rule.same_from };
    if both == grades.len() && likeness >= needed {
        return Some(Relevant);
    }
    if grades.iter().any(|(low, _)| *low == Irrelevant) {
        // Every shared product is relevant for one query and irrelevant for the other. Queries that look
        // alike are left out: they differ in a detail (a size, a shape) that makes them partial rather than
        // unrelated.
        let apart = both == 0
            && count((Irrelevant, Relevant)) == grades.len()
            && likeness < rule.unrelated_below
            && a.head != b.head;
        return apart.then_some(Irrelevant);
    }
    let mixed = count((Partial, Relevant)) + both;
    let clear = grades.len() >= 2 || likeness >= rule.related_from;
    (mixed > 0 && clear).then_some(Partial)
}

/// A row with an unrelated partner for each query, if one is found. For the recipe's share of the queries,
/// the partner shares words with the query.
fn unrelated(context: Context<'_>, queries: &[Judged]) -> Vec<Example> {
    let recipe = context.recipe;
    let mut pools: PerSplit<&Judged> = PerSplit::default();
    for query in queries {
        pools.push(query.split, query);
    }
    let mut rng = context.rng("query-query home-depot unrelated");
    let mut rows = Vec::new();
    for query in queries {
        let pool = pools.of(query.split);
        let allowed = |other: &&Judged| {
            other.products.is_disjoint(&query.products)
                && other.head != query.head
                && likeness(&query.text, &other.text) < recipe.query_query.same_from_of_several
                && !query.suiting.is_empty()
                && !other.suiting.is_empty()
                && query.suiting.iter().all(|mine| {
                    other.suiting.iter().all(|theirs| {
                        jaccard(mine, theirs) < recipe.query_query.products_apart_below
                    })
                })
        };
        let partner = if rng.random_bool(recipe.negatives.hard_share) {
            let score = |other: &&Judged| jaccard(&query.words, &other.words);
            draw::hardest(&mut rng, pool, recipe.negatives.drawn * 4, score, allowed)
        } else {
            draw::any(&mut rng, pool, recipe.negatives.drawn, allowed)
        };
        if let Some(partner) = partner {
            let (left, right) = (query.text.as_str(), partner.text.as_str());
            rows.push(ROW.row(left, right, Grade::Irrelevant, &query.name, query.split));
        }
    }
    rows
}
