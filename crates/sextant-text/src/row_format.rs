//! Which special tokens the rows of a model have: what a family states, before a vocabulary says their ids.

use crate::RowLayout;

/// How rows are laid out, by the names of special tokens. A family states which of these it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// `open left close right close`, with `close` once or twice between the sides.
    Marked {
        /// Before the left side; CLS pooling reads it.
        open: &'static str,
        /// After each side.
        close: &'static str,
        /// How many of them stand between the sides.
        between: usize,
        /// The segment of the right side.
        right_segment: u8,
        /// Fills unused places.
        fill: &'static str,
    },
    /// The sides on a line each, between a token that begins a text and one that ends it. Each token is
    /// the first of its list that the vocabulary has.
    Lines {
        /// What begins a row.
        begin: &'static [&'static str],
        /// Whether a vocabulary without any of `begin` is of another kind; else its rows begin with the left
        /// side.
        begins: bool,
        /// What ends it: the last token has seen the whole row.
        end: &'static [&'static str],
        /// What fills unused places: a token that rows do not have, since `transformers` pools at the last
        /// token that is another. The end, where there is none of these.
        fill: &'static [&'static str],
    },
}

/// What decoders call the token that ends a text.
const END: &[&str] = &["<eos>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "</s>"];
/// What may fill unused places of their rows.
const FILL: &[&str] =
    &["<pad>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>", "<|im_start|>"];

impl RowFormat {
    /// BERT and most encoders.
    pub const BERT: Self =
        Self::Marked { open: "[CLS]", close: "[SEP]", between: 1, right_segment: 1, fill: "[PAD]" };
    /// RoBERTa and XLM-RoBERTa.
    pub const ROBERTA: Self =
        Self::Marked { open: "<s>", close: "</s>", between: 2, right_segment: 0, fill: "<pad>" };
    /// Decoders, whatever they call their tokens.
    pub const LINES: Self = Self::Lines {
        begin: &["<bos>", "<|begin_of_text|>", "<s>"],
        begins: false,
        end: END,
        fill: FILL,
    };
    /// Rows of lines in a vocabulary that begins every text with `<bos>`: Gemma's, which knows `<s>` too, as a
    /// mark of struck-out text.
    pub const LINES_FROM_BOS: Self =
        Self::Lines { begin: &["<bos>"], begins: true, end: END, fill: FILL };

    /// A token that rows need and the vocabulary lacks, if there is one.
    pub(crate) fn missing(self, known: impl Fn(&str) -> Option<u32>) -> Option<&'static str> {
        let lacks = |token: &&&str| known(token).is_none();
        match self {
            Self::Marked { open, close, fill, .. } => {
                [open, close, fill].iter().find(lacks).copied()
            }
            Self::Lines { begin, begins, end, .. } => {
                let absent = |list: &'static [&'static str]| {
                    if list.iter().all(|token| known(token).is_none()) {
                        list.first()
                    } else {
                        None
                    }
                };
                absent(end).or_else(|| absent(begin).filter(|_| begins)).copied()
            }
        }
    }

    /// The layout under a vocabulary in which no token is [`missing`](Self::missing), and the token that
    /// fills unused places; `line` are the tokens of a line's end.
    pub(crate) fn layout(
        self,
        known: impl Fn(&str) -> Option<u32>,
        line: impl FnOnce() -> Result<Vec<u32>, String>,
    ) -> Result<Option<(RowLayout, u32)>, String> {
        match self {
            Self::Marked { open, close, between, right_segment, fill } => {
                let tokens = (known(open), known(close), known(fill));
                let (Some(open), Some(close), Some(fill)) = tokens else { return Ok(None) };
                let (open, between) = (vec![open], vec![close; between]);
                let layout = RowLayout { open, between, close: vec![close], right_segment };
                Ok(Some((layout, fill)))
            }
            Self::Lines { begin, begins, end, fill } => {
                let first = |list: &[&str]| list.iter().find_map(|token| known(token));
                let (begin, Some(end)) = (first(begin), first(end)) else { return Ok(None) };
                if begins && begin.is_none() {
                    return Ok(None);
                }
                let mut between = line()?;
                if between.is_empty() {
                    between.push(end); // a tokenizer that drops white space
                }
                let mut unused = fill.iter().filter_map(|token| known(token));
                let fill = unused.find(|&id| id != end && Some(id) != begin).unwrap_or(end);
                let open = begin.into_iter().collect();
                Ok(Some((RowLayout { open, between, close: vec![end], right_segment: 0 }, fill)))
            }
        }
    }

    /// The tokens that rows need, for people.
    pub(crate) fn needed(self) -> String {
        let quoted = |tokens: &[&str]| format!("`{}`", tokens.join("`, `"));
        match self {
            Self::Marked { open, close, fill, .. } => quoted(&[open, close, fill]),
            Self::Lines { begin, begins: true, end, .. } => {
                format!("one of {} and one of {}", quoted(begin), quoted(end))
            }
            Self::Lines { end, .. } => format!("one of {}", quoted(end)),
        }
    }
}
