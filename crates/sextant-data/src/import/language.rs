//! Rows of some languages only, by what their texts look like.

use super::ImportError;
use super::map::{LanguageSpec, Side};
use sextant_core::{Entity, Pair};
use whatlang::Lang;

/// A filter by language.
pub(super) struct LanguageFilter {
    keep: Vec<Lang>,
    sides: Vec<Side>,
}

impl LanguageFilter {
    pub(super) fn new(spec: &LanguageSpec) -> Result<Self, ImportError> {
        let lang = |code: &String| {
            Lang::from_code(code.as_str()).ok_or_else(|| {
                let known: Vec<_> = Lang::all().iter().map(Lang::code).collect();
                let problem =
                    format!("no language `{code}`; codes are of ISO 639-3: {}", known.join(", "));
                ImportError::key("language.keep", problem)
            })
        };
        let keep = spec.keep.iter().map(lang).collect::<Result<Vec<_>, _>>()?;
        if keep.is_empty() || spec.sides.is_empty() {
            return Err(ImportError::key("language", "name at least one language and one side"));
        }
        Ok(Self { keep, sides: spec.sides.clone() })
    }

    /// Whether no side is clearly in another language. A text whose language is uncertain, as that of most short
    /// texts is, counts as one of those that are kept.
    pub(super) fn keeps(&self, pair: &Pair) -> bool {
        self.sides.iter().all(|side| {
            let entity = if *side == Side::Left { &pair.left } else { &pair.right };
            let description = match entity {
                Entity::Product(product) => product.description.as_deref().unwrap_or_default(),
                Entity::Text(_) => "",
            };
            let text = format!("{} {description}", entity.text());
            let found = whatlang::detect(&text).filter(whatlang::Info::is_reliable);
            found.is_none_or(|found| self.keep.contains(&found.lang()))
        })
    }
}
