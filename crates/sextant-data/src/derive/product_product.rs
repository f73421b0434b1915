//! product-product: are two offers the same product, close relatives, or nothing to each other?
//!
//! Offers come from PriceRunner (clusters of one product, ten categories) and from seven matching
//! sets. A matching set says only "same" or "not the same"; whether different products are near is
//! told by the kind of thing their titles name and by the words they share, and pairs for which
//! neither speaks clearly are left out.

use super::draw::{self, PerSplit};
use super::taxonomy::Taxonomy;
use super::words::{content_set, head, jaccard, tokens, word_set};
use super::{Context, Provenance, product_name};
use crate::normalize;
use crate::sources::{Offer, Sources};
use crate::split::Grouping;
use rand::RngExt;
use sextant_core::{Entity, Example, Grade, Product, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Sets whose offers are all of one kind: two different ones are always near.
const ONE_KIND: [&str; 2] = ["wdc_shoes", "wdc_watches"];
/// Sets whose offers look alike, between which unrelated pairs are drawn.
const STYLES: [&[&str]; 2] = [
    &["Abt-Buy", "Amazon-Google", "Walmart-Amazon"],
    &["wdc_cameras", "wdc_computers", "wdc_shoes", "wdc_watches"],
];
/// PriceRunner categories that overlap: pairs between them are near, not unrelated.
pub(super) const COOLING: [&str; 3] = ["Fridges", "Freezers", "Fridge Freezers"];

/// Offers of one product are bound; offers that a matching set compared are preferred together, so
/// that most of its pairs survive the split.
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

/// Titles such as `washing machine` name no product.
pub(super) fn is_generic(title: &str) -> bool {
    let tokens = tokens(title);
    tokens.len() < 3 || !tokens.iter().any(|token| token.contains(|c: char| c.is_ascii_digit()))
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let mut rows = pricerunner(context);
    rows.extend(matching(context));
    rows
}

/// An offer as the rules see it.
struct Listed<'a> {
    offer: &'a Offer,
    name: String,
    split: Split,
    words: BTreeSet<String>,
}

fn pricerunner(context: Context<'_>) -> Vec<Example> {
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

/// What a title says about the kind of thing, as far as the taxonomy knows it.
struct Kinds {
    taxonomy: Taxonomy,
}

impl Kinds {
    /// The node that the title names in most words; of equally long names, the last, because the
    /// noun comes late. Names of several nodes are ambiguous and do not count.
    fn of(&self, title: &str) -> Option<usize> {
        let tokens = tokens(title);
        for length in (1..=3).rev() {
            for window in tokens.windows(length).rev() {
                if let [node] = self.taxonomy.named(&window.join(" ")) {
                    return Some(*node);
                }
            }
        }
        None
    }
}

impl Kinds {
    /// Whether two offers are in different branches and named by different nouns; nothing where
    /// one of them names no known kind.
    fn apart(&self, a: &Matched, b: &Matched) -> Option<bool> {
        let (a, b) = a.kind.zip(b.kind)?;
        let heads = [a, b].map(|node| head(self.taxonomy.name(node)));
        Some(self.taxonomy.common_depth(a, b) == 0 && heads[0] != heads[1])
    }
}

/// Words that unlike things share: colors, sizes, sales talk.
const LIGHT: [&str; 44] = [
    "black",
    "white",
    "silver",
    "blue",
    "red",
    "pink",
    "green",
    "grey",
    "gray",
    "gold",
    "brown",
    "purple",
    "yellow",
    "orange",
    "new",
    "with",
    "series",
    "pack",
    "inch",
    "portable",
    "digital",
    "wireless",
    "pro",
    "system",
    "size",
    "high",
    "low",
    "dual",
    "mini",
    "ultra",
    "classic",
    "premium",
    "professional",
    "deluxe",
    "edition",
    "version",
    "sale",
    "online",
    "price",
    "shop",
    "de",
    "en",
    "le",
    "mm",
];

/// Whether two offers share a word that is neither a brand (a brand field, or the first word of a
/// title) nor one of [`LIGHT`]. Offers that do may be of one kind, whatever else is known.
fn share_a_noun(a: &Matched, b: &Matched) -> bool {
    let brands: BTreeSet<String> = [a, b]
        .iter()
        .flat_map(|offer| {
            let brand = word_set(offer.product.brand.as_deref().unwrap_or_default());
            brand.into_iter().chain(super::words::stems(&offer.product.title).into_iter().take(1))
        })
        .collect();
    a.words
        .intersection(&b.words)
        .any(|word| !brands.contains(word) && !LIGHT.contains(&word.as_str()))
}

struct Matched<'a> {
    set: &'static str,
    product: &'a Product,
    name: String,
    split: Split,
    kind: Option<usize>,
    words: BTreeSet<String>,
}

fn matching(context: Context<'_>) -> Vec<Example> {
    let rule = &context.recipe.product_product;
    let kinds = Kinds { taxonomy: Taxonomy::new(context.sources.shopify.nodes.iter().cloned()) };
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

/// What is shown of an offer: the category is left out, because the grade may rest on it.
fn shown(offer: &Matched, description_characters: usize) -> Entity {
    let product = offer.product;
    // Abt repeats the title at the head of the description.
    let description = product
        .description
        .as_deref()
        .map(|text| text.strip_prefix(product.title.as_str()).unwrap_or(text).trim())
        .map(|text| crate::sources::beginning(text, description_characters).to_owned())
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

/// One unrelated partner for each offer: of another kind in the sets that hold several kinds, of
/// another set of the same style otherwise.
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
                // Of the same set, only what is known to be of another branch; of another set,
                // what is not known to be of the same branch.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_titles_name_no_product() {
        assert!(is_generic("washing machine"));
        assert!(is_generic("built in washing machine"));
        assert!(!is_generic("acme wash 1400 white"));
    }

    #[test]
    fn titles_name_the_longest_then_the_last_kind() {
        let path = |text: &str| text.split(" > ").map(str::to_owned).collect();
        let taxonomy =
            Taxonomy::new(["E > Cameras", "E > Cameras > Digital Cameras", "E > Bags"].map(path));
        let kinds = Kinds { taxonomy };
        let name = |title: &str| kinds.of(title).map(|node| kinds.taxonomy.name(node).to_owned());
        assert_eq!(name("acme digital camera bag").as_deref(), Some("Digital Cameras"));
        assert_eq!(name("camera and bag").as_deref(), Some("Bags"));
        assert_eq!(name("acme 300"), None);
    }
}
