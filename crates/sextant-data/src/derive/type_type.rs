//! type-type: do two types mean the same?
//!
//! Equivalent types come from mappings: from Shopify's taxonomy to Google's, and from Shopify's first edition
//! to its present one. Most mapped nodes have the same name, which is too easy. So names are varied in ways
//! that do not change their meaning, and are shown with or without their parent's name equally often in every
//! grade. Types are split by branch (the first two levels), so a test type never occurs in training.

use super::draw::{self, PerSplit};
use super::taxonomy::Taxonomy;
use super::words::{jaccard, stem_key, stems, word_set};
use super::{Context, Provenance};
use crate::normalize;
use crate::sources::{Sources, TypePath};
use crate::split::Grouping;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a type's branch as an entity; it decides the type's split.
fn branch(path: &[String]) -> String {
    format!("branch:{}", path[..path.len().min(2)].join(" > ").to_lowercase())
}

/// Adds the branches, and binds branches that a mapping makes equivalent. A branch with the same path in both
/// taxonomies has the same name, so it is one entity.
pub(super) fn tie(grouping: &mut Grouping, sources: &Sources) {
    for path in sources.shopify.nodes.iter().chain(&sources.google).filter(|path| path.len() > 1) {
        grouping.add(&branch(path), "types");
    }
    let mappings = sources.shopify.to_google.iter().chain(&sources.shopify.from_first_edition);
    for (from, to) in mappings.filter(|(from, to)| from.len() == 2 && to.len() == 2) {
        grouping.bind(&branch(from), &branch(to));
    }
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let shopify = &context.sources.shopify;
    let here = Taxonomy::new(shopify.nodes.iter().cloned());
    let google = Taxonomy::new(context.sources.google.iter().cloned());
    let first = Taxonomy::new(shopify.from_first_edition.iter().map(|(from, _)| from.clone()));
    let mut rng = context.rng("type-type");
    let mut rows = Vec::new();

    let to_google = equivalents(&shopify.to_google);
    rows.extend(same(context, "shopify-google", &to_google, &here, &google, &mut rng));
    let renamed = equivalents(&shopify.from_first_edition);
    rows.extend(same(context, "shopify-editions", &renamed, &first, &here, &mut rng));
    rows.extend(related_and_unrelated(context, "shopify-google", &[&here, &google], &mut rng));
    rows.extend(related_and_unrelated(context, "shopify-editions", &[&here, &first], &mut rng));
    one_split_per_text(rows)
}

/// Drops rows so that every text is in one split. Some names occur in several branches. If the same text
/// would be in several splits, it stays in test, or else in dev, so that no type of the test rows occurs in
/// training.
fn one_split_per_text(rows: Vec<Example>) -> Vec<Example> {
    let mut last: BTreeMap<String, Split> = BTreeMap::new();
    for row in &rows {
        for side in [&row.pair.left, &row.pair.right] {
            let split = last.entry(normalize(side.text())).or_insert(Split::Train);
            *split = row.split.map_or(*split, |own| own.max(*split));
        }
    }
    let kept = |row: &Example| {
        let stays = |text: &str| last.get(&normalize(text)).copied() == row.split;
        stays(row.pair.left.text()) && stays(row.pair.right.text())
    };
    rows.into_iter().filter(kept).collect()
}

/// The mapped pairs that mean the same. Often several more specific nodes are mapped to one target; only the
/// topmost of them is equivalent to the target, and only if it is the only topmost one. If an ancestor of the
/// source has the target's name, the target is the source's parent and not its equivalent. A target that is
/// closer to the root than the source is broader.
fn equivalents(mapping: &[(TypePath, TypePath)]) -> Vec<(&TypePath, &TypePath)> {
    let targets: BTreeMap<&[String], &TypePath> =
        mapping.iter().map(|(from, to)| (from.as_slice(), to)).collect();
    let mut tops: BTreeMap<&TypePath, Vec<&TypePath>> = BTreeMap::new();
    for (from, to) in mapping {
        if targets.get(&from[..from.len() - 1]) != Some(&to) {
            tops.entry(to).or_default().push(from);
        }
    }
    let mut pairs = Vec::new();
    for (to, tops) in tops {
        let [from] = tops.as_slice() else { continue };
        let ancestors = &from[..from.len() - 1];
        let leaf = to.last().map(|name| stem_key(name));
        if from.len() > 1
            && to.len() >= from.len()
            && !ancestors.iter().any(|name| Some(stem_key(name)) == leaf)
        {
            pairs.push((*from, to));
        }
    }
    pairs
}

/// The split of a type; `None` for top-level types.
fn split_of(context: Context<'_>, path: &[String]) -> Option<Split> {
    (path.len() > 1).then(|| context.splits.split(&branch(path))).flatten()
}

fn same(
    context: Context<'_>,
    source: &'static str,
    pairs: &[(&TypePath, &TypePath)],
    left_tree: &Taxonomy,
    right_tree: &Taxonomy,
    rng: &mut ChaCha8Rng,
) -> Vec<Example> {
    let mut rows = Vec::new();
    for (left, right) in pairs {
        let Some(split) = split_of(context, left) else { continue };
        let nodes = left_tree.find(left).zip(right_tree.find(right));
        let (Some((a, b)), true) = (nodes, split_of(context, right) == Some(split)) else {
            continue;
        };
        let renamed = stem_key(left_tree.name(a)) != stem_key(right_tree.name(b));
        let source = if renamed { source } else { "shopify-rewritten" };
        let row = Provenance::derived(Task::TypeType, source);
        let mut left_text = shown(context, left_tree, a, rng);
        let right_text = shown(context, right_tree, b, rng);
        if left_text == right_text {
            let Some(other) = rewritten(left_tree.name(a)) else { continue };
            left_text = other;
        }
        rows.push(row.row(left_text, right_text, Grade::Relevant, &branch(left), split));
    }
    rows
}

/// The type's name, which in three of ten rows is preceded by its parent's name.
fn shown(context: Context<'_>, tree: &Taxonomy, node: usize, rng: &mut ChaCha8Rng) -> String {
    if rng.random_bool(0.3) {
        tree.text_in_context(node)
    } else {
        tree.text(node, context.recipe.type_text)
    }
}

/// Another name with the same meaning, if there is one: the parts of an enumeration in another order
/// (`Coats & Jackets` becomes `Jackets & Coats`), a possessive at the end (`Girls' Dresses` becomes
/// `Dresses for Girls`), or a compound with its head first (`Bird Cage Covers` becomes
/// `Covers for Bird Cage`).
fn rewritten(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split(" & ").collect();
    if let [first, second] = parts.as_slice()
        && stems(first).len() == 1
        && stems(second).len() == 1
    {
        return Some(format!("{second} & {first}"));
    }
    let words: Vec<&str> = name.split(' ').collect();
    if let [owner, rest @ ..] = words.as_slice()
        && !rest.is_empty()
        && let Some(owner) = owner.strip_suffix('\'')
    {
        return Some(format!("{} for {owner}", rest.join(" ")));
    }
    // Only names such as `Pool Covers`, whose head is made for the thing that the words before it name.
    let made_for = [
        "Accessories",
        "Cases",
        "Cleaners",
        "Covers",
        "Filters",
        "Holders",
        "Mounts",
        "Parts",
        "Stands",
        "Supplies",
    ];
    if let [before @ .., last] = words.as_slice()
        && !before.is_empty()
        && made_for.contains(last)
        && before.iter().all(|word| word.chars().all(char::is_alphabetic))
    {
        return Some(format!("{last} for {}", before.join(" ")));
    }
    None
}

/// A type as a possible partner: a node of one of the taxonomies, with the words of its name.
struct TypeNode<'a> {
    tree: &'a Taxonomy,
    node: usize,
    words: BTreeSet<String>,
}

/// For each node of the first tree, a row with its parent or a sibling from either tree, with grade 1, and a
/// row with a node of another top-level branch, with grade 0.
fn related_and_unrelated(
    context: Context<'_>,
    source: &'static str,
    trees: &[&Taxonomy; 2],
    rng: &mut ChaCha8Rng,
) -> Vec<Example> {
    let row = Provenance::derived(Task::TypeType, source);
    let mut pools: PerSplit<TypeNode> = PerSplit::default();
    for tree in trees {
        for node in 0..tree.len() {
            if let Some(split) = split_of(context, tree.path(node)) {
                pools.push(split, TypeNode { tree, node, words: word_set(tree.name(node)) });
            }
        }
    }
    let [here, there] = trees;
    let mut rows = Vec::new();
    for node in 0..here.len() {
        let path = here.path(node);
        let Some(split) = split_of(context, path) else { continue };
        let group = branch(path);
        let text = varied(context, here, node, rng);
        // If the other taxonomy has the same node, half of the partners come from there.
        let (tree, twin) = match there.find(path) {
            Some(twin) if rng.random_bool(0.5) => (*there, twin),
            _ => (*here, node),
        };
        let parent = tree.parent(twin).filter(|&p| split_of(context, tree.path(p)) == Some(split));
        let siblings: Vec<usize> = tree
            .siblings(twin)
            .into_iter()
            .filter(|&n| split_of(context, tree.path(n)) == Some(split))
            .collect();
        let near = match parent {
            Some(parent) if siblings.is_empty() || rng.random_bool(0.35) => Some(parent),
            _ => siblings.choose(rng).copied(),
        };
        if let Some(near) = near {
            let (a, b) = (text.clone(), varied(context, tree, near, rng));
            // The task is symmetric, so the parent is on the left as often as on the right.
            let (left, right) = if rng.random_bool(0.5) { (a, b) } else { (b, a) };
            rows.push(row.row(left, right, Grade::Partial, &group, split));
        }
        let words = word_set(here.name(node));
        let allowed = |other: &TypeNode| other.tree.path(other.node)[0] != path[0];
        let pool = pools.of(split);
        let tries = context.recipe.negatives.drawn * 4;
        let partner = if rng.random_bool(context.recipe.negatives.hard_share) {
            draw::hardest(
                rng,
                pool,
                tries,
                |other: &TypeNode| jaccard(&words, &other.words),
                allowed,
            )
        } else {
            draw::any(rng, pool, tries, allowed)
        };
        if let Some(partner) = partner {
            let far = varied(context, partner.tree, partner.node, rng);
            rows.push(row.row(text, far, Grade::Irrelevant, &group, split));
        }
    }
    rows
}

/// The text of a node in a row of grade 0 or 1, rewritten as often as in rows of grade 2.
fn varied(context: Context<'_>, tree: &Taxonomy, node: usize, rng: &mut ChaCha8Rng) -> String {
    let rewrite = if rng.random_bool(0.25) { rewritten(tree.name(node)) } else { None };
    rewrite.unwrap_or_else(|| shown(context, tree, node, rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TypePath {
        text.split(" > ").map(str::to_owned).collect()
    }

    #[test]
    fn only_single_topmost_sources_are_equivalents() {
        let mapping = [
            ("A > Rackets", "A > Racquets"),
            ("A > Rackets > Child Rackets", "A > Racquets"),
            ("A > Tops", "A > Shirts"),
            ("A > Blouses", "A > Shirts"),
            ("A > Cars > Red Cars", "A > Cars"),
        ]
        .map(|(from, to)| (path(from), path(to)));
        let found = equivalents(&mapping);
        assert_eq!(found, [(&path("A > Rackets"), &path("A > Racquets"))]);
    }

    #[test]
    fn rewriting_keeps_the_meaning() {
        assert_eq!(rewritten("Coats & Jackets").as_deref(), Some("Jackets & Coats"));
        assert_eq!(rewritten("Girls' Dresses").as_deref(), Some("Dresses for Girls"));
        assert_eq!(rewritten("Bird Cage Covers").as_deref(), Some("Covers for Bird Cage"));
        assert_eq!(rewritten("Camping Accessories").as_deref(), Some("Accessories for Camping"));
        assert_eq!(rewritten("Hair Pins, Claws & Clips"), None);
        assert_eq!(rewritten("Trolleys"), None);
    }

    #[test]
    fn a_text_stays_in_one_split() {
        let row = |left: &str, right: &str, split| {
            Provenance::derived(Task::TypeType, "s").row(left, right, Grade::Partial, "g", split)
        };
        let kept = one_split_per_text(vec![
            row("Hoses", "Pipes", Split::Train),
            row("hoses", "Taps", Split::Test),
            row("Pipes", "Bolts", Split::Train),
        ]);
        let left: Vec<_> = kept.iter().map(|row| row.pair.left.text()).collect();
        assert_eq!(left, ["hoses", "Pipes"]);
    }
}
