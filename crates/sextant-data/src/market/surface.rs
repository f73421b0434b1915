//! Writes meanings as text: noisy queries, offers of products, names of types.

use super::attributes::Attribute;
use super::meaning::{Meaning, Node};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_core::Product;
use std::collections::BTreeSet;

const OPENERS: &[&str] = &["buy", "best", "cheap", "new"];
const CLOSERS: &[&str] = &["online", "for sale", "deals"];
const PRAISE: &[&str] = &["Built to last", "Made for every day", "Easy to use", "A lasting gift"];

/// A random element of `choices`, which must not be empty.
pub(super) fn pick<'a, T: ?Sized>(choices: &[&'a T], rng: &mut ChaCha8Rng) -> &'a T {
    choices[rng.random_range(0..choices.len())]
}

/// A query for `meaning`: its details and one name of its type. `noise`, in [0, 1], decides how often words
/// are reordered, run together, mistyped, or joined by words such as `buy` and `online`.
pub(super) fn query(meaning: &Meaning, noise: f64, rng: &mut ChaCha8Rng) -> String {
    let mut words: Vec<String> =
        meaning.details.iter().map(|(name, value)| wish(meaning.node, name, value, rng)).collect();
    if rng.random_bool(0.5 * noise) {
        words.shuffle(rng);
    }
    let name = pick(meaning.node.names(), rng);
    let name = if rng.random_bool(0.3) { plural(name) } else { name.to_owned() };
    let place =
        if rng.random_bool(0.5 * noise) { rng.random_range(0..=words.len()) } else { words.len() };
    words.insert(place, name);
    if rng.random_bool(0.3 * noise) {
        if rng.random_bool(0.5) {
            words.insert(0, pick(OPENERS, rng).to_owned());
        } else {
            words.push(pick(CLOSERS, rng).to_owned());
        }
    }
    let mut text = words.join(" ");
    if rng.random_bool(0.2 * noise) {
        text = mistyped(&text, rng);
    }
    text
}

/// One offer of the product with this meaning, whose title has one of several styles, as of different shops.
/// `turn` decides the style and the name of the type, and differs between the offers of one product. The
/// title states every detail.
pub(super) fn offer(meaning: &Meaning, turn: usize, rng: &mut ChaCha8Rng) -> Product {
    let (department, category) = meaning.node.parts();
    let names = meaning.node.names();
    let name = names[turn % names.len()];
    let [first, second] = category.attributes.map(|attribute| {
        let value = meaning.details.get(attribute.name).map_or("", |value| value);
        (attribute.name.to_owned(), value.to_owned(), value_surface(attribute, value, rng))
    });
    let detail = |name| meaning.details.get(name).map_or("", |value| value);
    let (brand, line) = (detail("brand"), detail("line"));
    let extra = if rng.random_bool(0.3) {
        format!(" with {}", pick(category.extras, rng))
    } else {
        String::new()
    };
    let title = match turn % 4 {
        0 => format!("{brand} {line} {} {name}{extra}, {}", first.2, second.2),
        1 => format!("{name} by {brand}, {line}, {}, {}{extra}", second.2, first.2),
        2 => format!("{} {brand} {line} {name} {}{extra}", second.2, first.2),
        _ => format!("{brand} {name}{extra} {line} - {} / {}", first.2, second.2),
    };
    // The description names another type of the department, so that single words do not decide the grade.
    let other = department.categories[rng.random_range(0..department.categories.len())].leaves;
    let neighbour = pick(other, rng)[0];
    Product {
        title: capitalised(&title),
        brand: Some(capitalised(brand)),
        description: Some(format!("{}. Goes well with any {neighbour}.", pick(PRAISE, rng))),
        attributes: vec![(first.0, first.1), (second.0, second.1)],
        type_path: meaning.node.path().into_iter().map(capitalised).collect(),
    }
}

/// All names under which shops may list a node: its own names, in the singular and in the plural, alone and
/// after names of its ancestors.
pub(super) fn labels(node: Node) -> BTreeSet<String> {
    let (department, category) = node.parts();
    let mut labels = BTreeSet::new();
    for name in node.names() {
        let own = if node.is_category() { (*name).to_owned() } else { plural(name) };
        labels.insert(capitalised(name));
        labels.insert(capitalised(&own));
        labels.insert(capitalised(&format!("{} > {own}", department.name)));
        if !node.is_category() {
            labels.insert(capitalised(&format!(
                "{} > {} > {own}",
                department.name, category.names[0]
            )));
            for parent in category.names {
                labels.insert(capitalised(&format!("{parent} > {own}")));
            }
        }
    }
    labels
}

/// A detail as a shopper may type it.
fn wish(node: Node, name: &str, value: &str, rng: &mut ChaCha8Rng) -> String {
    let attributes = node.parts().1.attributes;
    match attributes.iter().find(|attribute| attribute.name == name) {
        Some(attribute) => value_surface(attribute, value, rng),
        None => value.to_owned(), // A brand or a line has only one name.
    }
}

/// A random surface name of the attribute's value.
fn value_surface(attribute: &Attribute, value: &str, rng: &mut ChaCha8Rng) -> String {
    let surfaces = attribute.values.iter().find(|surfaces| surfaces[0] == value);
    surfaces.map_or(value, |surfaces| pick(surfaces, rng)).to_owned()
}

/// The plural of a name, which is that of its last word.
fn plural(name: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match name {
        _ if ends(&["ss", "sh", "ch", "x"]) => format!("{name}es"),
        _ if ends(&["s"]) => name.to_owned(),
        _ => match name.strip_suffix('y') {
            Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
            _ => format!("{name}s"),
        },
    }
}

/// The text with a capital letter at the start of every word. A unit of one letter after digits becomes a
/// capital, too ("18V", but "6ft").
fn capitalised(text: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        match letters.next() {
            Some(first)
                if first.is_ascii_digit()
                    && letters.clone().filter(char::is_ascii_lowercase).count() == 1 =>
            {
                word.to_uppercase()
            }
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => String::new(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The text with one typing error: a missing space, or a letter inside a word that is swapped with the next
/// one, missing or doubled.
fn mistyped(text: &str, rng: &mut ChaCha8Rng) -> String {
    let letters: Vec<char> = text.chars().collect();
    // Only positions inside words, so that words keep their first letters and stay recognizable.
    let inner: Vec<usize> = (1..letters.len().saturating_sub(1))
        .filter(|&i| letters[i - 1..=i + 1].iter().all(char::is_ascii_alphabetic))
        .collect();
    let spaces: Vec<usize> = (1..letters.len())
        .filter(|&i| letters[i] == ' ' && !letters[i - 1].is_ascii_digit())
        .collect();
    let mut slipped = letters.clone();
    if !spaces.is_empty() && rng.random_bool(0.25) {
        slipped.remove(spaces[rng.random_range(0..spaces.len())]);
    } else if !inner.is_empty() {
        let i = inner[rng.random_range(0..inner.len())];
        match rng.random_range(0..3) {
            0 => slipped.swap(i, i + 1),
            1 => drop(slipped.remove(i)),
            _ => slipped.insert(i, letters[i]),
        }
    }
    slipped.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn plurals_and_capitals() {
        for (one, many) in [
            ("sofa", "sofas"),
            ("power bank", "power banks"),
            ("wine glass", "wine glasses"),
            ("wrench", "wrenches"),
            ("tool box", "tool boxes"),
            ("jeans", "jeans"),
            ("battery", "batteries"),
            ("hose trolley", "hose trolleys"),
        ] {
            assert_eq!(plural(one), many);
        }
        assert_eq!(
            capitalised("acme 18v drill, 128gb - pack of 2"),
            "Acme 18V Drill, 128gb - Pack Of 2"
        );
    }

    #[test]
    fn slips_change_one_place() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for text in ["red cordless drill", "sofa", "18v", "a b", ""] {
            for _ in 0..50 {
                let slipped = mistyped(text, &mut rng);
                assert!(slipped.len().abs_diff(text.len()) <= 1, "{text} became {slipped}");
                assert_eq!(slipped.chars().next(), text.chars().next());
            }
        }
    }

    #[test]
    fn labels_are_all_different() {
        let nodes: Vec<_> = Node::leaves(Node::DEPARTMENTS)
            .into_iter()
            .chain(Node::categories(Node::DEPARTMENTS))
            .collect();
        let all: Vec<String> =
            nodes.iter().flat_map(|&node| labels(node)).map(|label| label.to_lowercase()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.contains(&"furniture > seating > couches".to_owned()));
    }
}
