//! product-type: is the product of this type?
//!
//! Four catalogues assign products to nodes of trees: Instacart (department, aisle), Flipkart (its category
//! tree), PriceRunner (ten categories, as nodes of Google's taxonomy) and Walmart-Amazon (categories whose
//! names are names in Shopify's taxonomy). The rules are the same for all: a product's own type has grade 2,
//! the type's parent and siblings have grade 1, and types of another branch have grade 0 (in deep trees, also
//! types of another sub-branch of the same branch).

use super::draw;
use super::product_kinds::is_generic;
use super::query_query::VAGUE_HEADS;
use super::taxonomy::Taxonomy;
use super::words::{head, jaccard, stem_key, stems, tokens, word_set};
use super::{Context, Provenance, product_name};
use crate::normalize;
use crate::sources::{FlipkartProduct, Sources, TypePath};
use crate::split::Grouping;
use rand::RngExt;
use rand::seq::IndexedRandom;
use sextant_core::{Entity, Example, Grade, Product, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The path of each of PriceRunner's categories in Google's taxonomy.
const PRICERUNNER_IN_GOOGLE: [(&str, &str); 10] = [
    ("CPUs", "Electronics > Electronics Accessories > Computer Components > Computer Processors"),
    ("Digital Cameras", "Cameras & Optics > Cameras > Digital Cameras"),
    ("Dishwashers", "Home & Garden > Household Appliances > Kitchen Appliances > Dishwashers"),
    ("Freezers", "Home & Garden > Kitchen & Dining > Kitchen Appliances > Freezers"),
    ("Fridge Freezers", "Home & Garden > Kitchen & Dining > Kitchen Appliances > Refrigerators"),
    ("Fridges", "Home & Garden > Kitchen & Dining > Kitchen Appliances > Refrigerators"),
    ("Microwaves", "Home & Garden > Kitchen & Dining > Kitchen Appliances > Microwave Ovens"),
    ("Mobile Phones", "Electronics > Communications > Telephony > Mobile Phones"),
    ("TVs", "Electronics > Video > Televisions"),
    (
        "Washing Machines",
        "Home & Garden > Household Appliances > Laundry Appliances > Washing Machines",
    ),
];

/// Instacart departments that are not used as branches of a tree, because their aisles collect what is left
/// over.
const NO_BRANCH: [&str; 4] = ["other", "missing", "bulk", "international"];

/// A product with its node in a tree and, if the shop has its own word for the type, that word.
struct Placed {
    entity: Entity,
    title: String,
    node: usize,
    shop_word: Option<String>,
}

/// Adds the products of the catalogues. Products with the same title are one entity, also across catalogues.
pub(super) fn tie(grouping: &mut Grouping, sources: &Sources) {
    for product in &sources.instacart {
        grouping.add(&product_name(&product.name), "instacart");
    }
    for product in &sources.flipkart {
        grouping.add(&product_name(&product.name), "flipkart");
    }
}

pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let sources = context.sources;
    let google = Taxonomy::new(sources.google.iter().cloned());
    let shopify = Taxonomy::new(sources.shopify.nodes.iter().cloned());
    let shelves = Taxonomy::new(
        sources
            .instacart
            .iter()
            .filter(|product| !NO_BRANCH.contains(&product.department.as_str()))
            .map(|product| vec![product.department.clone(), product.aisle.clone()]),
    );
    let trees: Vec<TypePath> = sources.flipkart.iter().map(flipkart_path).collect();
    let flipkart = Taxonomy::new(trees.iter().cloned());

    let mut rows = rows(context, "instacart", &shelves, instacart(sources, &shelves));
    rows.extend(self::rows(context, "flipkart", &flipkart, {
        let place = |(product, path): (&FlipkartProduct, &TypePath)| Placed {
            entity: product.name.as_str().into(),
            title: product.name.clone(),
            node: flipkart.find(path).unwrap_or(0),
            shop_word: None,
        };
        sources.flipkart.iter().zip(&trees).filter(|(_, path)| path.len() > 1).map(place).collect()
    }));
    rows.extend(self::rows(context, "pricerunner", &google, pricerunner(sources, &google)));
    rows.extend(self::rows(context, "Walmart-Amazon", &shopify, walmart(sources, &shopify)));
    rows
}

fn instacart(sources: &Sources, tree: &Taxonomy) -> Vec<Placed> {
    let place = |product: &crate::sources::ShelvedProduct| {
        let path = [product.department.clone(), product.aisle.clone()];
        let entity = product.name.as_str().into();
        let title = product.name.clone();
        Some(Placed { entity, title, node: tree.find(&path)?, shop_word: None })
    };
    sources.instacart.iter().filter_map(place).collect()
}

/// The path of a product in Flipkart's tree, without the names of products and brands: at most three levels,
/// each without the words with which the product's title or brand begins (`Acme Wrist Watches` becomes
/// `Wrist Watches`). The path ends before a level that repeats an earlier one or is truncated.
fn flipkart_path(product: &FlipkartProduct) -> TypePath {
    let title = tokens(&product.name);
    let brand = tokens(product.brand.as_deref().unwrap_or_default());
    let mut path = TypePath::new();
    for level in product.tree.iter().take(3) {
        let words: Vec<&str> = level.split(' ').collect();
        let flat: Vec<String> = words.iter().map(|word| tokens(word).join("")).collect();
        let shared = |start: &[String]| flat.iter().zip(start).take_while(|(a, b)| a == b).count();
        let skip = if path.is_empty() { 0 } else { shared(&title).max(shared(&brand)) };
        let name = words[skip..].join(" ");
        let repeats = path.iter().any(|earlier: &String| stems(earlier) == stems(&name));
        if name.is_empty() || name.contains("...") || repeats {
            break;
        }
        path.push(name);
    }
    path
}

fn pricerunner(sources: &Sources, google: &Taxonomy) -> Vec<Placed> {
    let nodes: BTreeMap<&str, usize> = PRICERUNNER_IN_GOOGLE
        .iter()
        .filter_map(|(category, path)| {
            let path: TypePath = path.split(" > ").map(str::to_owned).collect();
            google.find(&path).map(|node| (*category, node))
        })
        .collect();
    let place = |offer: &crate::sources::Offer| {
        let node = *nodes.get(offer.category.as_str())?;
        (!is_generic(&offer.title)).then(|| Placed {
            entity: offer.title.as_str().into(),
            title: offer.title.clone(),
            node,
            shop_word: Some(offer.category.clone()),
        })
    };
    sources.pricerunner.iter().filter_map(place).collect()
}

/// Products of Walmart-Amazon. The set's categories are wrong for about a quarter of its products (toner
/// under `stationery`, writing pads under `internal hard drives`). So only products are used whose title has
/// the head noun of the category, and does not have the whole name of another category.
fn walmart(sources: &Sources, shopify: &Taxonomy) -> Vec<Placed> {
    let offers: Vec<&Product> = sources
        .matching
        .iter()
        .filter(|pair| pair.set == "Walmart-Amazon")
        .flat_map(|pair| [&pair.left, &pair.right])
        .collect();
    let node_of = |product: &&Product| {
        let category = product.type_path.first()?;
        match shopify.named(category) {
            [node] if !VAGUE_HEADS.contains(&stem_key(category).as_str()) => Some(*node),
            _ => None,
        }
    };
    let used: BTreeSet<usize> = offers.iter().filter_map(node_of).collect();
    let mut placed = Vec::new();
    for product in offers {
        let Some((node, category)) = node_of(&product).zip(product.type_path.first()) else {
            continue;
        };
        let title = stems(&product.title);
        let rival = |other: &usize| {
            let name = stems(shopify.name(*other));
            *other != node && title.windows(name.len()).any(|window| window == name.as_slice())
        };
        if !head(category).is_some_and(|head| title.contains(&head)) || used.iter().any(rival) {
            continue;
        }
        placed.push(Placed {
            entity: product.title.as_str().into(),
            title: product.title.clone(),
            node,
            shop_word: None,
        });
    }
    placed
}

/// A type as a possible partner of grade 0.
struct Far {
    node: usize,
    text: String,
    words: BTreeSet<String>,
}

fn rows(
    context: Context<'_>,
    source: &'static str,
    tree: &Taxonomy,
    products: Vec<Placed>,
) -> Vec<Example> {
    let row = Provenance::derived(Task::ProductType, source);
    let style = context.recipe.type_text;
    let far =
        |node: usize| Far { node, text: tree.text(node, style), words: word_set(tree.name(node)) };
    // Half of the partners of grade 0 are types that products of this catalogue have; the other half comes
    // from the whole tree. So the grade does not follow from whether the catalogue uses a type.
    let used: BTreeSet<usize> = products.iter().map(|product| product.node).collect();
    let used: Vec<Far> = used.into_iter().map(far).collect();
    let all: Vec<Far> =
        (0..tree.len()).filter(|&node| tree.parent(node).is_some()).map(far).collect();
    let mut rng = context.rng(&format!("product-type {source}"));
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for product in &products {
        let name = product_name(&product.title);
        let Some(split) = context.splits.split(&name) else { continue };
        if !seen.insert(normalize(&product.title)) {
            continue;
        }
        let node = product.node;
        let mut add = |text: String, grade| {
            rows.push(row.row(product.entity.clone(), text, grade, &name, split));
        };
        let own = match &product.shop_word {
            Some(word) if rng.random_bool(0.5) => word.clone(),
            _ => tree.text(node, style),
        };
        add(own.clone(), Grade::Relevant);

        let own_words = word_set(&own);
        let mut near: Vec<usize> = tree.siblings(node);
        // The parent is one more candidate beside the siblings. It would be drawn too often if it were as
        // likely as all siblings together.
        near.extend(
            tree.parent(node)
                .filter(|&parent| tree.parent(parent).is_some() || source == "instacart"),
        );
        if let Some(&near) = near.choose(&mut rng) {
            add(tree.text(near, style), Grade::Partial);
        }

        let words = word_set(&product.title);
        let named_apart = |other: &Far| {
            other.words.is_disjoint(&own_words)
                && other.words.is_disjoint(&word_set(tree.name(node)))
        };
        let allowed = |other: &Far| tree.common_depth(node, other.node) == 0 && named_apart(other);
        // In a deep tree, also types from other sub-branches of the product's own branch: a television is not
        // a processor, although both are electronics.
        let deep = |node: usize| tree.path(node).len() >= 3;
        let other_limb = |other: &Far| {
            tree.common_depth(node, other.node) == 1 && deep(other.node) && named_apart(other)
        };
        let pool = if rng.random_bool(0.5) { &used } else { &all };
        let drawn = context.recipe.negatives.drawn * 2;
        let partner = if !rng.random_bool(context.recipe.negatives.hard_share) {
            None
        } else if deep(node) && rng.random_bool(0.5) {
            draw::any(&mut rng, pool, drawn * 2, other_limb)
        } else {
            let score = |other: &Far| jaccard(&words, &other.words);
            draw::hardest(&mut rng, pool, drawn * 2, score, allowed)
        };
        if let Some(partner) = partner.or_else(|| draw::any(&mut rng, pool, drawn, allowed)) {
            add(partner.text.clone(), Grade::Irrelevant);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flipkart_trees_lose_brands_and_titles() {
        let path = |name: &str, brand: Option<&str>, tree: &[&str]| {
            flipkart_path(&FlipkartProduct {
                name: name.to_owned(),
                brand: brand.map(str::to_owned),
                tree: tree.iter().map(|&level| level.to_owned()).collect(),
            })
        };
        assert_eq!(
            path("Acme X1 Watch", None, &["Watches", "Wrist Watches", "Acme Wrist Watches"]),
            ["Watches", "Wrist Watches"]
        );
        assert_eq!(
            path(
                "Red Mug",
                Some("Acme Art"),
                &["Kitchen", "Mugs", "Acme Art Travel Mugs", "Red Mug"]
            ),
            ["Kitchen", "Mugs", "Travel Mugs"]
        );
        assert_eq!(path("Red Mug", None, &["Kitchen", "Red Mug with lid and ..."]), ["Kitchen"]);
    }
}
