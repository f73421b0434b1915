//! product-product: are two offers the same product, similar products, or unrelated?
//!
//! Offers come from PriceRunner (in its own file) and from seven matching sets. A matching set only says
//! whether two offers are the same product. Whether different products are similar is decided by the kinds of
//! things that their titles name and by the words that they share. Pairs for which neither gives a clear
//! answer are left out.

use super::draw::{self, PerSplit};
use super::product_kinds::{Kinds, Matched, is_generic, share_a_noun};
use super::product_product_pricerunner;
use super::taxonomy::Taxonomy;
use super::words::{content_set, jaccard};
use super::{Context, Provenance, product_name};
use crate::normalize;
use crate::sources::Sources;
use crate::split::Grouping;
use rand::RngExt;
use sextant_core::{Entity, Example, Grade, Product, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Sets whose offers are all of one kind, so that any two different products are similar (grade 1).
const ONE_KIND: [&str; 2] = ["wdc_shoes", "wdc_watches"];
/// Groups of sets whose offers are written in a similar style. Unrelated pairs are drawn within a group.
const STYLES: [&[&str]; 2] = [
    &["Abt-Buy", "Amazon-Google", "Walmart-Amazon"],
    &["wdc_cameras", "wdc_computers", "wdc_shoes", "wdc_watches"],
];

/// Binds offers of the same product. Prefers offers that a matching set compares to be in one split, so that
/// most pairs of the set can be used.
pub(super) fn tie(grouping: &mut Grouping, sources: &Sources) {
    for offer in &sources.pricerunner {
        let cluster = format!("cluster:{}", offer.cluster);
        grouping.bind(&cluster, &format!("model:{}", normalize(&offer.cluster_name)));
        if !is_generic(&offer.title) {
            let name = product_name(&offer.title);
            grouping.add(&name, "pricerunner");
            grouping.bind(&name, &cluster);
        }
    }
    let mut seen = BTreeSet::new();
    for pair in &sources.matching {
        let (a, b) = (product_name(&pair.left.title), product_name(&pair.right.title));
        for name in [&a, &b] {
            if seen.insert((pair.set, name.clone())) {
                grouping.add(name, pair.set);
            }
        }
        if pair.same {
            grouping.bind(&a, &b);
        } else {
            grouping.prefer(&a, &b, 1);
        }
    }
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let mut rows = product_product_pricerunner::candidates(context);
    rows.extend(matching(context));
    rows
}

fn matching(context: Context<'_>) -> Vec<Example> {
    let rule = &context.recipe.product_product;
    let kinds = Kinds::new(Taxonomy::new(context.sources.shopify.nodes.iter().cloned()));
    let mut offers: BTreeMap<(&'static str, String), Matched> = BTreeMap::new();
    for pair in &context.sources.matching {
        for product in [&pair.left, &pair.right] {
            let name = product_name(&product.title);
            let Some(split) = context.splits.split(&name) else { continue };
            offers.entry((pair.set, name.clone())).or_insert_with(|| Matched {
                set: pair.set,
                product,
                name,
                split,
                kind: kinds.of(&product.title),
                words: content_set(&product.title),
            });
        }
    }
    let mut rows = Vec::new();
    for pair in &context.sources.matching {
        let offer = |product: &Product| offers.get(&(pair.set, product_name(&product.title)));
        let (Some(a), Some(b)) = (offer(&pair.left), offer(&pair.right)) else { continue };
        if a.split != b.split || a.name == b.name {
            continue;
        }
        let overlap = jaccard(&a.words, &b.words);
        let known = a.kind.zip(b.kind);
        let grade = if pair.same {
            Grade::Relevant
        } else if ONE_KIND.contains(&pair.set)
            || overlap >= rule.near_from && known.is_none_or(|(a, b)| a == b)
            || known.is_some_and(|(a, b)| a == b)
        {
            Grade::Partial
        } else if kinds.apart(a, b) == Some(true) && !share_a_noun(a, b) {
            Grade::Irrelevant
        } else {
            continue;
        };
        rows.push(matched_row(context, a, b, grade));
    }
    rows.extend(unrelated(context, &kinds, &offers.into_values().collect::<Vec<_>>()));
    rows
}

fn matched_row(context: Context<'_>, a: &Matched, b: &Matched, grade: Grade) -> Example {
    let row = Provenance::derived(Task::ProductProduct, a.set);
    let limit = context.recipe.product_product.description_characters;
    row.row(shown(a, limit), shown(b, limit), grade, &a.name, a.split)
}

/// An offer as an entity of a row. The category is left out, because the grade may depend on it.
fn shown(offer: &Matched, description_characters: usize) -> Entity {
    let product = offer.product;
    // Abt repeats the title at the start of the description.
    let description = product
        .description
        .as_deref()
        .map(|text| text.strip_prefix(product.title.as_str()).unwrap_or(text).trim())
        .map(|text| crate::clean::beginning(text, description_characters).to_owned())
        .filter(|text| !text.is_empty());
    if description.is_none() && product.brand.is_none() && product.attributes.is_empty() {
        return product.title.as_str().into();
    }
    Product {
        title: product.title.clone(),
        brand: product.brand.clone(),
        description,
        attributes: product.attributes.clone(),
        type_path: Vec::new(),
    }
    .into()
}

/// A row with an unrelated partner for each offer, if one is found. The partner is known to be of another
/// kind if it is from the same set; otherwise it is from another set of the same style.
fn unrelated(context: Context<'_>, kinds: &Kinds, offers: &[Matched]) -> Vec<Example> {
    let mut rng = context.rng("product-product matching");
    let mut rows = Vec::new();
    for style in STYLES {
        let mut pools: PerSplit<&Matched> = PerSplit::default();
        for offer in offers.iter().filter(|offer| style.contains(&offer.set)) {
            pools.push(offer.split, offer);
        }
        for offer in offers.iter().filter(|offer| style.contains(&offer.set)) {
            let allowed = |other: &&Matched| {
                // A partner from the same set must be known to be of another branch. A partner from
                // another set must not be known to be of the same branch.
                let apart = kinds.apart(offer, other);
                let other_kind = if other.set == offer.set {
                    apart == Some(true) && !ONE_KIND.contains(&offer.set)
                } else {
                    apart != Some(false)
                };
                other.name != offer.name && other_kind && !share_a_noun(offer, other)
            };
            let pool = pools.of(offer.split);
            let tries = context.recipe.negatives.drawn * 4;
            let partner = if rng.random_bool(context.recipe.negatives.hard_share) {
                let alike = |other: &&Matched| jaccard(&offer.words, &other.words);
                draw::hardest(&mut rng, pool, tries, alike, allowed)
            } else {
                draw::any(&mut rng, pool, tries, allowed)
            };
            if let Some(partner) = partner {
                rows.push(matched_row(context, offer, partner, Grade::Irrelevant));
            }
        }
    }
    rows
}
