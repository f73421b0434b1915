//! product-product from PriceRunner: offers in ten categories, clustered by product.
//!
//! Two offers of one cluster have grade 2, of one category grade 1, and of different categories grade 0.

use super::draw::{self, PerSplit};
use super::product_kinds::is_generic;
use super::words::{jaccard, word_set};
use super::{Context, Provenance, product_name};
use crate::normalize;
use crate::sources::Offer;
use rand::RngExt;
use sextant_core::{Example, Grade, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Categories that overlap, so that pairs between them are not taken as unrelated.
const COOLING: [&str; 3] = ["Fridges", "Freezers", "Fridge Freezers"];

/// An offer, with the facts about it that the rules use.
struct Listed<'a> {
    offer: &'a Offer,
    name: String,
    split: Split,
    words: BTreeSet<String>,
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let mut seen = BTreeSet::new();
    let mut offers: Vec<Listed> = Vec::new();
    for offer in context.sources.pricerunner.iter().filter(|offer| !is_generic(&offer.title)) {
        let name = product_name(&offer.title);
        let Some(split) = context.splits.split(&name) else { continue };
        if seen.insert(name.clone()) {
            let words = word_set(&offer.title);
            offers.push(Listed { offer, name, split, words });
        }
    }
    let mut clusters: BTreeMap<String, Vec<&Listed>> = BTreeMap::new();
    let mut pools: PerSplit<&Listed> = PerSplit::default();
    for offer in &offers {
        clusters.entry(normalize(&offer.offer.cluster_name)).or_default().push(offer);
        pools.push(offer.split, offer);
    }
    let row = Provenance::derived(Task::ProductProduct, "pricerunner");
    let (tries, hard_share) = (context.recipe.negatives.drawn, context.recipe.negatives.hard_share);
    let mut rng = context.rng("product-product pricerunner");
    let mut rows = Vec::new();
    for offer in &offers {
        let (pool, hard) = (pools.of(offer.split), rng.random_bool(hard_share));
        let cluster = normalize(&offer.offer.cluster_name);
        let mut add = |partner: Option<&&Listed>, grade| {
            if let Some(partner) = partner {
                let (left, right) = (offer.offer.title.as_str(), partner.offer.title.as_str());
                rows.push(row.row(left, right, grade, &offer.name, offer.split));
            }
        };
        let others = |other: &&Listed| other.name != offer.name;
        add(draw::any(&mut rng, &clusters[&cluster], tries, others), Grade::Relevant);

        let alike = |other: &&Listed| jaccard(&offer.words, &other.words);
        let same_kind = |other: &&Listed| {
            other.offer.category == offer.offer.category
                && normalize(&other.offer.cluster_name) != cluster
        };
        add(
            if hard {
                draw::hardest(&mut rng, pool, tries * 8, alike, same_kind)
            } else {
                draw::any(&mut rng, pool, tries * 8, same_kind)
            },
            Grade::Partial,
        );
        let cooling = |category: &str| COOLING.contains(&category);
        let other_kind = |other: &&Listed| {
            other.offer.category != offer.offer.category
                && !(cooling(&other.offer.category) && cooling(&offer.offer.category))
        };
        add(
            if hard {
                draw::hardest(&mut rng, pool, tries * 4, alike, other_kind)
            } else {
                draw::any(&mut rng, pool, tries, other_kind)
            },
            Grade::Irrelevant,
        );
    }
    rows
}
