//! Turns a pair into a row of token ids.

use crate::bound::Bound;
use crate::config::Compiled;
use crate::field::Field;
use crate::template::Rendered;
use crate::truncate::{FieldTokens, kept};
use crate::{Cut, EncodedRow, Side, TextConfig, TextError, Tokenizer};
use rayon::prelude::*;
use sextant_core::{Entity, EntityKind, EntityRef, Pair, PairRef, Product, Task};

/// Writes pairs as rows of token ids, with one tokenizer and one configuration.
///
/// ```
/// use sextant_core::{Pair, Product, Task};
/// use sextant_text::{Encoder, TextConfig, train_wordpiece};
///
/// let tokenizer = train_wordpiece(&["red cordless drill", "Cordless drill, 18 V"], 200)?;
/// let encoder = Encoder::new(tokenizer, TextConfig::default())?;
///
/// let drill = Product { title: "Cordless drill".to_owned(), ..Product::default() };
/// let pair = Pair { task: Task::QueryProduct, left: "red drill".into(), right: drill.into() };
/// assert_eq!(encoder.texts(&pair), ["red drill", "Cordless drill"]);
///
/// let row = encoder.encode(&pair)?;
/// assert_eq!(encoder.tokenizer().token(row.ids[0]).as_deref(), Some("[CLS]"));
/// assert!(!row.cut.any(), "the row is short enough to keep all its tokens");
/// # Ok::<(), sextant_text::TextError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoder {
    tokenizer: Tokenizer,
    config: TextConfig,
    templates: Compiled,
    /// How much of a field's text is tokenized at first.
    bound: Bound,
}

/// The tokens of one span of text: either the value of a field, or text of the template (`field` is `None`).
struct Span {
    field: Option<Field>,
    ids: Vec<u32>,
}

impl Span {
    /// Drops all but `keep` tokens, and returns how many were dropped.
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
    /// A template cannot be used, or `max_tokens` is too small for the template of some task.
    pub fn new(tokenizer: Tokenizer, config: TextConfig) -> Result<Self, TextError> {
        let templates = config.compile()?;
        let bound = Bound::new(tokenizer.seams(), config.max_tokens);
        let encoder = Self { tokenizer, config, templates, bound };
        // A template takes the most tokens when an entity has every field, so that none of its parts is left
        // out.
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

    /// Encodes one pair. A row that is too long is cut as described in [`truncate`](crate::truncate).
    ///
    /// # Errors
    /// [`TextError::EmptyText`] if a side has no text, or if the tokenizer finds no token in it.
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

    /// Encodes many pairs on all threads; the rows have the order of the pairs.
    ///
    /// # Errors
    /// The error of [`Encoder::encode`] for the first bad pair, with the index of that pair.
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
            // The shown text has too few tokens, for example because many of its characters have no token, or
            // because a long word is a single token: show more of the text.
            bound = bound.larger();
        };
        let named = |span: &Span| span.field.is_some_and(Field::is_naming) && !span.ids.is_empty();
        if spans.iter().any(named) { Ok(spans) } else { Err(empty()) }
    }

    /// Writes an entity as text; on the left side the task's prefix comes first.
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

    /// The texts of the pair's two sides, before tokenizing and cutting. Another program that runs an
    /// exported model takes these as its input.
    pub fn texts<'a>(&self, pair: impl Into<PairRef<'a>>) -> [String; 2] {
        let pair = pair.into();
        let (left, right) = pair.task.kinds();
        [(Side::Left, left, pair.left), (Side::Right, right, pair.right)]
            .map(|(side, kind, entity)| self.render(pair.task, side, kind, entity, None).text)
    }

    /// How many tokens of a row are left for fields, after those of the template and the special tokens.
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

/// Gives each token to the span in which it ends. The text was tokenized as a whole, since tokenizers are
/// trained on whole texts.
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

/// An entity that has every field that a template for its kind may show.
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
