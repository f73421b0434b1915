//! Words of short commercial texts: normal forms, light stemming, overlap.
//!
//! The rules use these only to choose and to refuse pairs. They are simpler than the analysis of a search
//! engine on purpose, so that the reason for a choice can be seen in the row.

use std::collections::BTreeSet;

/// Words that do not say what is asked for.
const STOP_WORDS: [&str; 22] = [
    "a", "an", "and", "at", "by", "de", "for", "from", "in", "is", "it", "of", "on", "or", "the",
    "to", "with", "w", "x", "your", "my", "me",
];

/// The runs of letters and digits of `text`, in lower case and in order. Apostrophes are left out.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace(['\'', '’'], "");
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A word without its plural ending.
pub(crate) fn stem(word: &str) -> String {
    let cut = |n: usize| word[..word.len() - n].to_owned();
    // `glasses` means spectacles, and is not the plural of the material.
    if !word.is_ascii() || word.len() <= 3 || word == "glasses" {
        return word.to_owned();
    }
    if word.ends_with("ies") && word.len() > 4 {
        return cut(3) + "y";
    }
    if ["sses", "shes", "ches", "xes"].iter().any(|end| word.ends_with(end)) {
        return cut(2);
    }
    if word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        return cut(1);
    }
    word.to_owned()
}

/// The stems of `text` in order, stop words included.
pub(crate) fn stems(text: &str) -> Vec<String> {
    tokens(text).iter().map(|token| stem(token)).collect()
}

/// The stems of `text` joined by spaces, which are the same for a name and its plural.
pub(crate) fn stem_key(text: &str) -> String {
    stems(text).join(" ")
}

/// The stems of `text` as a set, without stop words.
pub(crate) fn word_set(text: &str) -> BTreeSet<String> {
    stems(text).into_iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).collect()
}

/// The stems of `text` that may name things, as a set: without stop words, single characters and words with a
/// digit.
pub(crate) fn content_set(text: &str) -> BTreeSet<String> {
    word_set(text)
        .into_iter()
        .filter(|word| word.len() > 1 && !word.contains(|c: char| c.is_ascii_digit()))
        .collect()
}

/// The sorted stems of `text` without stop words, joined by spaces. They are equal for texts with the same
/// words.
pub(crate) fn bag_key(text: &str) -> String {
    let mut words: Vec<String> =
        stems(text).into_iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).collect();
    words.sort();
    words.join(" ")
}

/// The head noun, which says what a thing is: the last word of `text` that is neither a stop word nor has a
/// digit. `phone case` is a case.
pub(crate) fn head(text: &str) -> Option<String> {
    stems(text).into_iter().rev().find(|word| {
        !STOP_WORDS.contains(&word.as_str()) && !word.contains(|c: char| c.is_ascii_digit())
    })
}

/// The Jaccard index of two sets, their intersection over their union; 0 if both are empty.
pub(crate) fn jaccard<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    let common = a.intersection(b).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

/// All sequences of three characters in `text`, with a space added at both ends.
pub(crate) fn trigrams(text: &str) -> BTreeSet<[char; 3]> {
    let padded: Vec<char> = format!(" {} ", tokens(text).join(" ")).chars().collect();
    padded.windows(3).map(|w| [w[0], w[1], w[2]]).collect()
}

/// How alike two short texts are, in [0, 1]: the overlap of their words or, for misspellings, of their
/// character trigrams, whichever is larger.
pub(crate) fn likeness(a: &str, b: &str) -> f64 {
    jaccard(&word_set(a), &word_set(b)).max(jaccard(&trigrams(a), &trigrams(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_plurals_share_a_key() {
        for (a, b) in [
            ("Duvet Covers", "duvet cover"),
            ("batteries", "Battery"),
            ("Girls' Dresses", "girls dress"),
            ("brushes", "brush"),
        ] {
            assert_eq!(stem_key(a), stem_key(b), "{a} {b}");
        }
        for word in ["glass", "glasses", "bus", "tennis", "gas"] {
            assert_eq!(stem(word), word);
        }
        assert_eq!(bag_key("shoes for women nike"), bag_key("Nike women shoe"));
        assert_eq!(head("iphone 6 case").as_deref(), Some("case"));
    }

    #[test]
    fn likeness_sees_words_and_misspellings() {
        assert_eq!(likeness("red lamp", "lamp red"), 1.0);
        assert!(likeness("rustollum epoxy", "rustoleum epoxy") > 0.4);
        assert_eq!(likeness("red lamp", "garden hose"), 0.0);
        assert_eq!(jaccard::<u8>(&BTreeSet::new(), &BTreeSet::new()), 0.0);
    }

    proptest::proptest! {
        #[test]
        fn likeness_is_symmetric_and_bounded(a in "\\PC{0,24}", b in "\\PC{0,24}") {
            let ab = likeness(&a, &b);
            proptest::prop_assert!((0.0..=1.0).contains(&ab));
            proptest::prop_assert_eq!(ab, likeness(&b, &a));
        }
    }
}
