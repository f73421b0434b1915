//! The special tokens in a model's rows, by name. A model family states them; the vocabulary then gives their
//! ids.

use crate::RowLayout;

/// How rows are laid out, by the names of special tokens. Each model family states the format of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// `open left close right close`, with `close` once or twice between the sides.
    Marked {
        /// The token before the left side; CLS pooling reads it.
        open: &'static str,
        /// The token after each side.
        close: &'static str,
        /// How many `close` tokens stand between the sides.
        between: usize,
        /// The segment of the right side.
        right_segment: u8,
        /// The token for padding.
        fill: &'static str,
    },
    /// Each side on a line of its own, between a token that begins a row and a token that ends it. Each of
    /// the lists names alternatives; the first name that the vocabulary has is taken.
    Lines {
        /// The token that begins a row.
        begin: &'static [&'static str],
        /// Whether the vocabulary must have one of `begin`, so that the format does not fit a vocabulary
        /// without them. If false, rows of such a vocabulary begin with the left side.
        begins: bool,
        /// The token that ends a row; as the last token, it attends to the whole row.
        end: &'static [&'static str],
        /// The token for padding. It must not occur in rows, since `transformers` pools at the last token
        /// that is not padding. Where the vocabulary has none of these, the token that ends rows is taken.
        fill: &'static [&'static str],
    },
}

/// The names that decoders have for the token that ends a text.
const END: &[&str] = &["<eos>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "</s>"];
/// The tokens with which rows of decoders may be padded.
const FILL: &[&str] =
    &["<pad>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>", "<|im_start|>"];

impl RowFormat {
    /// Rows of BERT and most encoders.
    pub const BERT: Self =
        Self::Marked { open: "[CLS]", close: "[SEP]", between: 1, right_segment: 1, fill: "[PAD]" };
    /// Rows of RoBERTa and XLM-RoBERTa.
    pub const ROBERTA: Self =
        Self::Marked { open: "<s>", close: "</s>", between: 2, right_segment: 0, fill: "<pad>" };
    /// Rows of decoders, whatever names their special tokens have.
    pub const LINES: Self = Self::Lines {
        begin: &["<bos>", "<|begin_of_text|>", "<s>"],
        begins: false,
        end: END,
        fill: FILL,
    };
    /// [`LINES`](Self::LINES) for a vocabulary that begins every text with `<bos>`, as Gemma's does. Gemma's
    /// also has `<s>`, but as the HTML tag for struck-out text.
    pub const LINES_FROM_BOS: Self =
        Self::Lines { begin: &["<bos>"], begins: true, end: END, fill: FILL };

    /// A token that rows need and the vocabulary lacks, if there is such a token. `known` gives the id of a
    /// token that the vocabulary has.
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

    /// The layout under a vocabulary, and the token for padding; `None` if a token is
    /// [`missing`](Self::missing). `line` gives the tokens of a line end.
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
                    between.push(end); // The tokenizer drops white space.
                }
                let mut unused = fill.iter().filter_map(|token| known(token));
                let fill = unused.find(|&id| id != end && Some(id) != begin).unwrap_or(end);
                let open = begin.into_iter().collect();
                Ok(Some((RowLayout { open, between, close: vec![end], right_segment: 0 }, fill)))
            }
        }
    }

    /// The tokens that rows need, as text for an error message.
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
