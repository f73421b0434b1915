//! Finds the kind of thing that the title of an offer names.

use super::taxonomy::Taxonomy;
use super::words::{head, stems, tokens, word_set};
use sextant_core::{Product, Split};
use std::collections::BTreeSet;

/// Whether a title is too general to name a particular product, such as `washing machine`.
pub(super) fn is_generic(title: &str) -> bool {
    let tokens = tokens(title);
    tokens.len() < 3 || !tokens.iter().any(|token| token.contains(|c: char| c.is_ascii_digit()))
}

/// An offer of a matching set, with facts about its title.
pub(super) struct Matched<'a> {
    pub(super) set: &'static str,
    pub(super) product: &'a Product,
    pub(super) name: String,
    pub(super) split: Split,
    pub(super) kind: Option<usize>,
    pub(super) words: BTreeSet<String>,
}

/// Finds the node of a taxonomy that a title names.
pub(super) struct Kinds {
    taxonomy: Taxonomy,
}

impl Kinds {
    pub(super) fn new(taxonomy: Taxonomy) -> Self {
        Self { taxonomy }
    }

    /// The node whose name, of up to three words, occurs in the title: the longest name, and the last of
    /// equally long ones, because the noun comes late. Names that several nodes share are ambiguous and do
    /// not count.
    pub(super) fn of(&self, title: &str) -> Option<usize> {
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

    /// Whether the kinds of two offers are in different branches and have different head nouns; `None` if one
    /// of the offers does not name a known kind.
    pub(super) fn apart(&self, a: &Matched, b: &Matched) -> Option<bool> {
        let (a, b) = a.kind.zip(b.kind)?;
        let heads = [a, b].map(|node| head(self.taxonomy.name(node)));
        Some(self.taxonomy.common_depth(a, b) == 0 && heads[0] != heads[1])
    }
}

/// Words that offers of different kinds share: colors, sizes, words of advertising.
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

/// Whether two offers share a word that is neither a brand (in a brand field, or the first word of a
/// title) nor one of [`LIGHT`]. If they do, they may be of the same kind, whatever else is known.
pub(super) fn share_a_noun(a: &Matched, b: &Matched) -> bool {
    let brands: BTreeSet<String> = [a, b]
        .iter()
        .flat_map(|offer| {
            let brand = word_set(offer.product.brand.as_deref().unwrap_or_default());
            brand.into_iter().chain(stems(&offer.product.title).into_iter().take(1))
        })
        .collect();
    a.words
        .intersection(&b.words)
        .any(|word| !brands.contains(word) && !LIGHT.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::words::content_set;
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
        let kinds = Kinds::new(taxonomy);
        let name = |title: &str| kinds.of(title).map(|node| kinds.taxonomy.name(node).to_owned());
        assert_eq!(name("acme digital camera bag").as_deref(), Some("Digital Cameras"));
        assert_eq!(name("camera and bag").as_deref(), Some("Bags"));
        assert_eq!(name("acme 300"), None);
    }

    #[test]
    fn brands_and_colors_are_no_common_noun() {
        let products = ["acme black camera", "acme black lamp", "brill lamp shade"]
            .map(|title| Product { title: title.to_owned(), ..Product::default() });
        let offers = products.each_ref().map(|product| Matched {
            set: "s",
            product,
            name: product.title.clone(),
            split: Split::Train,
            kind: None,
            words: content_set(&product.title),
        });
        assert!(!share_a_noun(&offers[0], &offers[1]));
        assert!(share_a_noun(&offers[1], &offers[2]));
    }
}
