//! Keys by which two rows with the same pair are recognized.

use serde::Serialize;
use sextant_core::{Entity, Pair, Task};
use unicode_normalization::UnicodeNormalization;

/// The key of a pair: its task and the normalised texts of both sides. Pairs with the same key count as the
/// same pair. For a symmetric task the sides are sorted, so that (a, b) and (b, a) have the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PairKey {
    /// The task. The same two texts under another task are another pair.
    pub task: Task,
    /// The left side; for a symmetric task, the side that is first in sorted order.
    pub left: String,
    /// The other side.
    pub right: String,
}

impl PairKey {
    /// The key of a pair.
    pub fn of(pair: &Pair) -> Self {
        let (mut left, mut right) = (entity_key(&pair.left), entity_key(&pair.right));
        if pair.task.is_symmetric() && right < left {
            std::mem::swap(&mut left, &mut right);
        }
        Self { task: pair.task, left, right }
    }
}

/// A text in a form that is equal for texts which a model cannot tell apart: it is changed as tokenizers
/// change characters, and then by [`normalize`]. Composed and decomposed letters, full-width and half-width
/// forms, and ligatures and their letters become the same (NFKC); invisible characters, such as zero-width
/// spaces, are left out.
pub(crate) fn identity(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || byte == b' ')
    {
        return normalize(text);
    }
    let seen: String = text.nfkc().filter(|&character| !is_ignorable(character)).collect();
    // Changing to lower case may decompose a letter, such as `İ`, so the text is composed again.
    normalize(&seen).nfkc().collect()
}

/// Whether a character has no glyph of its own: control characters and Unicode's
/// `Default_Ignorable_Code_Point`.
pub(super) fn is_ignorable(character: char) -> bool {
    (character.is_control() && !character.is_whitespace())
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text in lower case, with single spaces between words. Two texts that differ in anything else stay
/// different.
pub fn normalize(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        if word.is_ascii() {
            // The same letters, without a look at Unicode's tables for each: an import compares every pair.
            let start = normal.len();
            normal.push_str(word);
            normal[start..].make_ascii_lowercase();
        } else {
            normal.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    normal
}

/// All texts of an entity, normalised. A product that has only a title has the same key as the title as plain
/// text.
pub(crate) fn entity_key(entity: &Entity) -> String {
    match entity {
        Entity::Text(text) => identity(text),
        Entity::Product(_) => {
            // Normalised texts do not contain the unit separator, so the fields stay apart.
            texts(entity).map(identity).collect::<Vec<_>>().join("\u{1f}")
        }
    }
}

/// The texts of an entity, field by field.
pub(crate) fn texts(entity: &Entity) -> Box<dyn Iterator<Item = &str> + '_> {
    match entity {
        Entity::Text(text) => Box::new(std::iter::once(text.as_str())),
        Entity::Product(product) => {
            let attributes =
                product.attributes.iter().flat_map(|(name, value)| [name.as_str(), value]);
            Box::new(
                std::iter::once(product.title.as_str())
                    .chain(product.brand.as_deref())
                    .chain(product.description.as_deref())
                    .chain(attributes)
                    .chain(product.type_path.iter().map(String::as_str)),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Product;

    fn key(task: Task, left: &str, right: &str) -> PairKey {
        PairKey::of(&Pair { task, left: left.into(), right: right.into() })
    }

    #[test]
    fn case_and_spaces_do_not_matter() {
        assert_eq!(
            key(Task::QueryProduct, " Cordless  DRILL", "Drill\t18V"),
            key(Task::QueryProduct, "cordless drill", "drill 18v")
        );
        assert_ne!(key(Task::QueryProduct, "a-b", "c"), key(Task::QueryProduct, "a b", "c"));
    }

    #[test]
    fn texts_that_a_tokenizer_cannot_tell_apart_are_one() {
        let one = key(Task::QueryProduct, "caf\u{e9} table", "c");
        for other in [
            "cafe\u{301} table",
            "caf\u{e9}\u{200b} table",
            "\u{feff}CAFE\u{301}\u{a0}ta\u{ad}ble",
            "\u{ff43}\u{ff41}\u{ff46}\u{e9} table",
            "caf\u{e9} table\u{0}",
        ] {
            assert_eq!(key(Task::QueryProduct, other, "c"), one, "{other:?}");
        }
        // A text with another letter is another text.
        assert_ne!(key(Task::QueryProduct, "cafe table", "c"), one);
    }

    #[test]
    fn order_matters_unless_both_sides_are_of_one_kind() {
        for task in Task::ALL {
            let same = key(task, "a", "b") == key(task, "b", "a");
            assert_eq!(same, task.is_symmetric(), "{task}");
        }
        assert_ne!(key(Task::QueryQuery, "a", "b"), key(Task::TypeType, "a", "b"));
    }

    #[test]
    fn a_title_alone_equals_its_text_but_fields_count() {
        let bare = Product { title: "Drill".into(), ..Product::default() };
        assert_eq!(entity_key(&bare.clone().into()), entity_key(&"drill".into()));
        let branded = Product { brand: Some("Acme".into()), ..bare };
        assert_ne!(entity_key(&branded.clone().into()), entity_key(&"drill acme".into()));
        assert_ne!(entity_key(&branded.into()), entity_key(&"drill".into()));
    }
}
