//! How an entity is written as text.

use crate::TextError;
use crate::bound::Bound;
use crate::field::Field;
use sextant_core::{EntityKind, EntityRef};
use std::borrow::Cow;

/// The text between the parts of a template; a part that is left out is left out together with its separator.
const SEPARATOR: &str = " | ";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(Field),
}

/// A template: literal text with `{field}` placeholders, in parts separated by ` | `.
///
/// Products have `{title}`, `{brand}`, `{attributes}` (`name: value, …`), `{type_path}`
/// (`root > … > leaf`) and `{description}`; queries and types have `{text}`. A part whose fields
/// are all absent is left out together with its separator. The field that names the entity is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Vec<Piece>>,
}

/// The text of an entity, with the origin of its bytes: the template, or a field of the entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// For each span the byte at which it ends and the field that it shows, `None` for text of the template.
    /// The spans follow one another from byte 0.
    pub(crate) spans: Vec<(usize, Option<Field>)>,
    /// How much of a field's text is written; all of it if `None`.
    bound: Option<Bound>,
    /// Where the middle of a field was left out: the byte, and the index of the field's span.
    joins: Vec<(usize, usize)>,
}

impl Rendered {
    pub(crate) fn new(bound: Option<Bound>) -> Self {
        Self { bound, ..Self::default() }
    }

    pub(crate) fn push(&mut self, text: &str, field: Option<Field>) {
        if text.is_empty() {
            return;
        }
        let parts = self.bound.zip(field).and_then(|(bound, field)| bound.apply(text, field));
        if let Some((begin, end)) = parts {
            self.text.push_str(begin);
            self.joins.push((self.text.len(), self.spans.len()));
            self.text.push_str(end);
        } else {
            self.text.push_str(text);
        }
        self.spans.push((self.text.len(), field));
    }

    /// Whether every field whose middle was left out has more than `most` tokens in the part from which
    /// truncation keeps tokens. `ends` has each token with the byte at which it ends.
    pub(crate) fn shows_more_than(&self, most: usize, ends: &[(u32, usize)]) -> bool {
        self.joins.iter().all(|&(join, span)| {
            let start = span.checked_sub(1).map_or(0, |before| self.spans[before].0);
            let (end, field) = self.spans[span];
            let at_end = field.is_some_and(Field::is_cut_at_start);
            let part = if at_end { join..end } else { start..join };
            ends.iter().filter(|&&(_, end)| part.start < end && end <= part.end).count() > most
        })
    }

    /// Whether the middle of any field was left out.
    #[cfg(test)]
    pub(crate) fn is_shortened(&self) -> bool {
        !self.joins.is_empty()
    }
}

impl Template {
    /// Parses a template for entities of a kind; errors name it by `key`.
    pub fn parse(kind: EntityKind, key: &str, template: &str) -> Result<Self, TextError> {
        let bad = |reason: String| TextError::Template {
            key: key.to_owned(),
            template: template.to_owned(),
            reason,
        };
        let allowed = Field::allowed(kind);
        let names: Vec<_> = allowed.iter().map(|field| field.name()).collect();
        let mut seen = Vec::new();
        let mut parts = Vec::new();
        for part in template.split(SEPARATOR) {
            let mut pieces = Vec::new();
            for piece in placeholders(part, &names).map_err(bad)? {
                pieces.push(match piece {
                    Ok(place) if seen.contains(&allowed[place]) => {
                        return Err(bad(format!("`{{{}}}` stands there twice", names[place])));
                    }
                    Ok(place) => {
                        seen.push(allowed[place]);
                        Piece::Field(allowed[place])
                    }
                    Err(literal) => Piece::Literal(literal.to_owned()),
                });
            }
            parts.push(pieces);
        }
        if seen.iter().any(|field| field.is_naming()) {
            Ok(Self { parts })
        } else {
            Err(bad(format!("it must hold `{{{}}}`, which names the {kind}", names[0])))
        }
    }

    /// Appends the text of an entity to `out`.
    pub(crate) fn render(&self, entity: EntityRef<'_>, out: &mut Rendered) {
        let mut first = true;
        for part in &self.parts {
            let values: Vec<_> = part
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => (Cow::from(text), None),
                    Piece::Field(field) => (field.value(entity), Some(*field)),
                })
                .collect();
            let mut fields = values.iter().filter(|(_, field)| field.is_some()).peekable();
            if fields.peek().is_some() && fields.all(|(value, _)| value.is_empty()) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(SEPARATOR, None);
            }
            for (value, field) in &values {
                out.push(value, *field);
            }
        }
    }
}

/// Splits a template into literal text (`Err`) and `{name}` placeholders (`Ok`, with the index in `names`).
pub(crate) fn placeholders<'a>(
    template: &'a str,
    names: &[&str],
) -> Result<Vec<Result<usize, &'a str>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(brace) = rest.find(['{', '}']) {
        let (literal, from_brace) = rest.split_at(brace);
        let Some((name, after)) =
            from_brace.strip_prefix('{').and_then(|inside| inside.split_once('}'))
        else {
            return Err("a brace has no partner".to_owned());
        };
        let Some(place) = names.iter().position(|known| *known == name) else {
            let known: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
            return Err(format!("unknown `{{{name}}}`; allowed here: {}", known.join(", ")));
        };
        if !literal.is_empty() {
            pieces.push(Err(literal));
        }
        pieces.push(Ok(place));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Err(rest));
    }
    Ok(pieces)
}
