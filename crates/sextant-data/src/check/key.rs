//! When two rows ask the same thing.

use serde::Serialize;
use sextant_core::{Entity, Pair, Task};
use unicode_normalization::UnicodeNormalization;

/// What makes two pairs one question: the task and both sides, normalised. The sides of a symmetric
/// task are in sorted order, so that (a, b) and (b, a) have one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PairKey {
    /// The task. The same two texts under another task are another question.
    pub task: Task,
    /// The left side, or the first in order for a symmetric task.
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

/// What tells two texts apart for a model: [`normalize`], after what tokenizers do to characters.
/// Composed and decomposed letters, full-width and half-width forms and ligatures are one (NFKC);
/// characters that are not seen, such as zero-width spaces, are left out.
pub(crate) fn identity(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || byte == b' ')
    {
        return normalize(text);
    }
    let seen: String = text.nfkc().filter(|&character| !is_ignorable(character)).collect();
    // Lower case may take a letter apart, as `İ`.
    normalize(&seen).nfkc().collect()
}

/// Characters without a glyph of their own: control codes and Unicode's `Default_Ignorable_Code_Point`.
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

/// Lower case, with single spaces between words: texts that differ otherwise are different.
pub fn normalize(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.extend(word.chars().flat_map(char::to_lowercase));
    }
    normal
}

/// All texts of an entity, normalised. A product known by its title alone equals the plain title.
pub(crate) fn entity_key(entity: &Entity) -> String {
    match entity {
        Entity::Text(text) => identity(text),
        Entity::Product(_) => {
            // The unit separator cannot be typed, so fields never run into each other.
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
        // Another letter is another text.
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
