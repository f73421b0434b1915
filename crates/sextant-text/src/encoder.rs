//! From a pair to a row of token ids.

use crate::bound::Bound;
use crate::config::Compiled;
use crate::field::Field;
use crate::template::Rendered;
use crate::truncate::{FieldTokens, kept};
use crate::{Cut, EncodedRow, Side, TextConfig, TextError, Tokenizer};
use rayon::prelude::*;
use sextant_core::{Entity, EntityKind, EntityRef, Pair, PairRef, Product, Task};

/// Writes pairs as rows of token ids, by one tokenizer and one configuration.
#[derive(Debug, Clone)]
pub struct Encoder {
    tokenizer: Tokenizer,
    config: TextConfig,
    templates: Compiled,
    /// How much of a field is tokenized at first.
    bound: Bound,
}

/// The tokens of one span of text: a field's, or the template's.
struct Span {
    field: Option<Field>,
    ids: Vec<u32>,
}

impl Span {
    /// Drops all but `keep` tokens; returns how many went.
    fn cut_to(&mut self, keep: usize) -> u32 {
        let cut = self.ids.len() - keep;
        if self.field.is_some_and(Field::is_cut_at_start) {
            self.ids.drain(..cut);
        } else {
            self.ids.truncate(keep);
        }
        cut as u32
    }
}

impl Encoder {
    /// Checks the configuration against the tokenizer.
    ///
    /// # Errors
    /// A template that cannot be used, or `max_tokens` too small for some task's template.
    pub fn new(tokenizer: Tokenizer, config: TextConfig) -> Result<Self, TextError> {
        let templates = config.compile()?;
        let bound = Bound::new(tokenizer.seams(), config.max_tokens);
        let encoder = Self { tokenizer, config, templates, bound };
        // The most that templates take: entities with every field, each of one short word.
        for task in Task::ALL {
            let (left, right) = task.kinds();
            let pair = Pair { task, left: sample(left), right: sample(right) };
            let [left, right] = encoder.sides(PairRef::from(&pair))?;
            encoder.room(task, left.iter().chain(&right))?;
        }
        Ok(encoder)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The configuration.
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Encodes one pair. Rows that are too long are cut as [`truncate`](crate::truncate) says.
    ///
    /// # Errors
    /// [`TextError::EmptyText`] if a side has no text or none that gives a token.
    pub fn encode<'a>(&self, pair: impl Into<PairRef<'a>>) -> Result<EncodedRow, TextError> {
        let pair = pair.into();
        let [mut left, mut right] = self.sides(pair)?;
        let fields: Vec<_> = left
            .iter()
            .chain(&right)
            .filter_map(|span| {
                let naming = span.field?.is_naming();
                Some(FieldTokens { tokens: span.ids.len(), naming })
            })
            .collect();
        let room = self.room(pair.task, left.iter().chain(&right))?;
        let mut cut = Cut::default();
        if fields.iter().map(|field| field.tokens).sum::<usize>() > room {
            let keep = kept(&fields, room, self.config.max_tokens / 4)
                .ok_or_else(|| self.too_small(pair.task, self.config.max_tokens - room))?;
            let mut keep = keep.into_iter();
            for (spans, count) in [(&mut left, &mut cut.left), (&mut right, &mut cut.right)] {
                for span in spans.iter_mut().filter(|span| span.field.is_some()) {
                    *count += keep.next().map_or(0, |keep| span.cut_to(keep));
                }
            }
        }
        let join =
            |spans: Vec<Span>| spans.into_iter().flat_map(|span| span.ids).collect::<Vec<_>>();
        let (ids, segments) = self.tokenizer.layout().assemble(&join(left), &join(right));
        Ok(EncodedRow { task: pair.task, ids, segments, cut })
    }

    /// Encodes many pairs on all threads; rows come in the order of the pairs.
    ///
    /// # Errors
    /// As [`Encoder::encode`], for the first bad pair, with its index.
    pub fn encode_all(&self, pairs: &[Pair]) -> Result<Vec<EncodedRow>, TextError> {
        let rows: Vec<_> = pairs.par_iter().map(|pair| self.encode(pair)).collect();
        rows.into_iter()
            .enumerate()
            .map(|(row, result)| {
                result.map_err(|source| TextError::Row { row, source: Box::new(source) })
            })
            .collect()
    }

    /// The tokens of the left and of the right side.
    fn sides(&self, pair: PairRef<'_>) -> Result<[Vec<Span>; 2], TextError> {
        let (left, right) = pair.task.kinds();
        Ok([
            self.side(pair.task, Side::Left, left, pair.left)?,
            self.side(pair.task, Side::Right, right, pair.right)?,
        ])
    }

    fn side(
        &self,
        task: Task,
        side: Side,
        kind: EntityKind,
        entity: EntityRef<'_>,
    ) -> Result<Vec<Span>, TextError> {
        let empty = || TextError::EmptyText { task, side, text: entity.text().trim().to_owned() };
        if entity.is_blank() {
            return Err(empty());
        }
        let mut bound = self.bound;
        let spans = loop {
            let rendered = self.render(task, side, kind, entity, Some(bound));
            let tokens = self.tokenizer.encode_with_ends(&rendered.text)?;
            if rendered.shows_more_than(self.config.max_tokens, &tokens) {
                break divide(&rendered, tokens);
            }
            // Characters without a token, or words that are one: look at more of the text.
            bound = bound.larger();
        };
        let named = |span: &Span| span.field.is_some_and(Field::is_naming) && !span.ids.is_empty();
        if spans.iter().any(named) { Ok(spans) } else { Err(empty()) }
    }

    /// An entity as text, after the task's prefix on the left side.
    fn render(
        &self,
        task: Task,
        side: Side,
        kind: EntityKind,
        entity: EntityRef<'_>,
        bound: Option<Bound>,
    ) -> Rendered {
        let mut rendered = Rendered::new(bound);
        if let (Side::Left, Some(prefix)) = (side, self.templates.prefix(task)) {
            rendered.push(prefix, None);
            rendered.push(" ", None);
        }
        self.templates.template(kind).render(entity, &mut rendered);
        rendered
    }

    /// The texts of a pair's two sides, before tokenizing and cutting: what to give another program
    /// that runs an exported model.
    pub fn texts<'a>(&self, pair: impl Into<PairRef<'a>>) -> [String; 2] {
        let pair = pair.into();
        let (left, right) = pair.task.kinds();
        [(Side::Left, left, pair.left), (Side::Right, right, pair.right)]
            .map(|(side, kind, entity)| self.render(pair.task, side, kind, entity, None).text)
    }

    /// Tokens left for fields beside the template and special tokens of a row.
    fn room<'a>(
        &self,
        task: Task,
        spans: impl Iterator<Item = &'a Span>,
    ) -> Result<usize, TextError> {
        let literal: usize =
            spans.filter(|span| span.field.is_none()).map(|span| span.ids.len()).sum();
        let fixed = literal + self.tokenizer.layout().special_count();
        let room = self.config.max_tokens.checked_sub(fixed).filter(|&room| room >= 2);
        room.ok_or_else(|| self.too_small(task, fixed))
    }

    fn too_small(&self, task: Task, fixed: usize) -> TextError {
        TextError::MaxTokensTooSmall { max_tokens: self.config.max_tokens, task, fixed }
    }
}

/// Gives each token of a text, which was tokenized as a whole as its tokenizer was trained, to the span
/// in which it ends.
fn divide(rendered: &Rendered, tokens: Vec<(u32, usize)>) -> Vec<Span> {
    let mut spans: Vec<_> =
        rendered.spans.iter().map(|&(_, field)| Span { field, ids: Vec::new() }).collect();
    for (id, end) in tokens {
        let place = rendered.spans.partition_point(|&(span_end, _)| span_end < end);
        if let Some(span) = spans.get_mut(place) {
            span.ids.push(id);
        }
    }
    spans
}

/// An entity of a kind with every field that a template may show.
fn sample(kind: EntityKind) -> Entity {
    let word = || "a".to_owned();
    match kind {
        EntityKind::Query | EntityKind::Type => word().into(),
        EntityKind::Product => Product {
            title: word(),
            brand: Some(word()),
            description: Some(word()),
            attributes: vec![(word(), word())],
            type_path: vec![word()],
        }
        .into(),
    }
}

#[cfg(test)]
#[path = "../tests/common/hard_pairs.rs"]
mod hard_pairs;

#[cfg(test)]
mod tests;
