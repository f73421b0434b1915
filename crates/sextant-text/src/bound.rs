//! How much of a long text is looked at: a description of many megabytes is not tokenized whole to keep
//! a hundred tokens of it.
//!
//! The middle of a field that is longer than the bound is left out, from one *seam* to another. A seam is
//! the place before a single space between two letters or digits; [`Seams::of`] says for which tokenizers
//! the tokens before and after a seam do not depend on each other, by what their parts do. Then the
//! remaining text has exactly the tokens of the whole one, but for those of the middle. The encoder checks
//! that the part which is kept from has more tokens than a row, and otherwise takes a larger bound; so
//! truncation finds the same tokens at the same places, only fewer to throw away.
//!
//! For a tokenizer of which this is not known, and in a text without seams, the whole text is tokenized.

use crate::field::Field;
use serde_json::Value;
use tokenizers::models::ModelWrapper;
use tokenizers::{NormalizedString, Normalizer, Tokenizer as HfTokenizer};

/// Bytes of a field for each token of a row that are looked at first. Words of catalogues have four to
/// eight bytes a token.
const BYTES_PER_TOKEN: usize = 32;

/// Where a text may be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seams {
    /// Between letters or digits of any script listed in [`stands_alone`]: the text is split there before
    /// the model sees it.
    Words,
    /// After a letter or digit of ASCII: the model sees white space as a character, but has no token in
    /// which it follows such a letter, so that nothing is ever merged across.
    Ascii,
    /// Not known.
    None,
}

/// Expressions that split texts into words, each with the white space before it. None matches white space
/// after a letter or digit within one word. GPT-2, GPT-4 and Llama 3, Qwen 2.
const WORDS: [&str; 3] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];
/// Expressions that normalizers replace and that match white space alone.
const WHITE_SPACE: [&str; 3] = [" {2,}", r"\s+", " +"];

impl Seams {
    /// Looks at the parts of a tokenizer.
    pub(crate) fn of(tokenizer: &HfTokenizer) -> Self {
        let json = |part: Result<Value, serde_json::Error>| part.unwrap_or(Value::from("unknown"));
        let normalizer = json(serde_json::to_value(tokenizer.get_normalizer()));
        let pre_tokenizer = json(serde_json::to_value(tokenizer.get_pre_tokenizer()));
        let Some(mut space) = space_of(tokenizer) else { return Self::None };
        if !is_local(&normalizer) || !added_tokens_are_local(tokenizer, space) {
            return Self::None;
        }
        match splits(&pre_tokenizer, &mut space) {
            Some(true) => Self::Words,
            Some(false) if never_crosses(tokenizer, space) => Self::Ascii,
            _ => Self::None,
        }
    }

    /// Whether there is a seam before the space at `at`.
    fn at(self, text: &str, at: usize) -> bool {
        let before = text[..at].chars().next_back();
        let after = text[at..].strip_prefix(' ').and_then(|rest| rest.chars().next());
        let fits = |c: char| match self {
            Self::Words => stands_alone(c),
            Self::Ascii => c.is_ascii_alphanumeric(),
            Self::None => false,
        };
        before.is_some_and(fits) && after.is_some_and(stands_alone)
    }
}

/// A letter or digit that no normalizer joins with its neighbours: no mark, and no letter made of several.
fn stands_alone(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c.is_alphabetic()
            && matches!(
                c,
                '\u{c0}'..='\u{24f}' // Latin
                    | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}' // Greek, Cyrillic
                    | '\u{5d0}'..='\u{5ea}' | '\u{620}'..='\u{64a}' // Hebrew, Arabic
                    | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' // Kana
                    | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' // Han, Hangul
            )
}

/// What the normalizer makes of a space between two letters.
fn space_of(tokenizer: &HfTokenizer) -> Option<char> {
    let mut text = NormalizedString::from("a b");
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut text).ok()?;
    }
    let (_, after) = text.get().split_once('a')?;
    let mut between = after.strip_suffix('b')?.chars();
    let space = between.next()?;
    (between.next().is_none() && [' ', '▁', 'Ġ'].contains(&space)).then_some(space)
}

/// Whether a normalizer, as JSON, looks at single characters and the marks upon them, but not past a space
/// that follows a letter.
fn is_local(normalizer: &Value) -> bool {
    let Some(kind) = normalizer["type"].as_str() else { return normalizer.is_null() };
    match kind {
        "Sequence" => {
            normalizer["normalizers"].as_array().is_some_and(|all| all.iter().all(is_local))
        }
        "Replace" => match (&normalizer["pattern"]["String"], &normalizer["pattern"]["Regex"]) {
            (Value::String(text), _) => !follows(text, ' '),
            (_, Value::String(regex)) => WHITE_SPACE.contains(&regex.as_str()),
            _ => false,
        },
        "BertNormalizer" | "Strip" | "StripAccents" | "NFC" | "NFD" | "NFKC" | "NFKD"
        | "Lowercase" | "Nmt" | "Precompiled" | "Prepend" | "ByteLevel" => true,
        _ => false,
    }
}

/// Whether some space in a text follows a letter or digit.
fn follows(text: &str, space: char) -> bool {
    let pairs = text.chars().zip(text.chars().skip(1));
    pairs.into_iter().any(|(before, after)| after == space && before.is_alphanumeric())
}

/// Whether tokens that are looked for before all else leave seams alone. Special ones are read as text.
fn added_tokens_are_local(tokenizer: &HfTokenizer, space: char) -> bool {
    tokenizer.get_added_tokens_decoder().values().filter(|token| !token.special).all(|token| {
        let crosses = follows(&token.content, ' ') || follows(&token.content, space);
        !crosses && !token.lstrip && !token.rstrip
    })
}

/// Whether a pre-tokenizer, as JSON, splits at every seam, `None` if that is not known. `space` is what
/// stands for a space before it and after it.
fn splits(pre_tokenizer: &Value, space: &mut char) -> Option<bool> {
    let Some(kind) = pre_tokenizer["type"].as_str() else {
        return pre_tokenizer.is_null().then_some(false);
    };
    match kind {
        "Sequence" => {
            let mut split = false;
            for part in pre_tokenizer["pretokenizers"].as_array()? {
                split |= splits(part, space)?;
            }
            Some(split)
        }
        "BertPreTokenizer" | "Whitespace" | "WhitespaceSplit" => Some(*space == ' '),
        "ByteLevel" => {
            let split = pre_tokenizer["use_regex"] != Value::Bool(false) && *space == ' ';
            if *space == ' ' {
                *space = 'Ġ';
            }
            Some(split)
        }
        "Metaspace" => {
            let to = pre_tokenizer["replacement"].as_str()?.chars().next()?;
            if *space == ' ' {
                *space = to;
            }
            Some(pre_tokenizer["split"] != Value::Bool(false) && *space == to)
        }
        "Digits" | "Punctuation" => Some(false),
        "Split" => {
            match (&pre_tokenizer["pattern"]["String"], &pre_tokenizer["pattern"]["Regex"]) {
                (Value::String(text), _) if text == " " => {
                    (pre_tokenizer["invert"] == Value::Bool(false)).then_some(*space == ' ')
                }
                (_, Value::String(regex)) if WORDS.contains(&regex.as_str()) => {
                    let how = (&pre_tokenizer["behavior"], &pre_tokenizer["invert"]);
                    let whole = how == (&"Isolated".into(), &false.into())
                        || how == (&"Removed".into(), &true.into());
                    (whole && *space == ' ').then_some(true)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a model that is given white space as a character has a token for it, and none in which it
/// follows a letter or digit of ASCII. Tokens are made by joining neighbours (BPE) or chosen along the text
/// (Unigram): if none crosses a seam, both sides are tokenized as if alone.
fn never_crosses(tokenizer: &HfTokenizer, space: char) -> bool {
    let merges = match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.dropout.is_none(),
        ModelWrapper::Unigram(_) => true,
        ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => false,
    };
    let vocabulary = tokenizer.get_vocab(false);
    let crosses = |token: &String| {
        let pairs = token.chars().zip(token.chars().skip(1));
        pairs.into_iter().any(|(before, after)| after == space && before.is_ascii_alphanumeric())
    };
    merges && vocabulary.contains_key(&space.to_string()) && !vocabulary.keys().any(crosses)
}

/// How much of each field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    seams: Seams,
    bytes: usize,
}

/// The two parts of a text whose middle is left out.
type Parts<'a> = (&'a str, &'a str);

impl Bound {
    /// The first bound for rows of so many tokens.
    pub(crate) fn new(seams: Seams, max_tokens: usize) -> Self {
        Self { seams, bytes: max_tokens.saturating_mul(BYTES_PER_TOKEN) }
    }

    /// The same with another number of bytes.
    #[cfg(test)]
    pub(crate) fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// The next one to try.
    pub(crate) fn larger(self) -> Self {
        Self { bytes: self.bytes.saturating_mul(4).max(64), ..self }
    }

    /// The begin and the end of a field's text without its middle, if there is one to leave out.
    pub(crate) fn apply(self, text: &str, field: Field) -> Option<Parts<'_>> {
        if text.len() <= self.bytes || self.seams == Seams::None {
            return None;
        }
        let (first, last) = if field.is_cut_at_start() {
            let last = self.last(text, text.len() - self.bytes)?;
            (self.first(text, 0)?, last)
        } else {
            (self.first(text, self.bytes)?, self.last(text, text.len())?)
        };
        (first < last).then(|| (&text[..first], &text[last..]))
    }

    /// The first seam at or after a byte.
    fn first(self, text: &str, from: usize) -> Option<usize> {
        let spaces = text.as_bytes()[from..].iter().enumerate().filter(|&(_, &byte)| byte == b' ');
        spaces.map(|(at, _)| from + at).find(|&at| self.seams.at(text, at))
    }

    /// The last seam before a byte.
    fn last(self, text: &str, to: usize) -> Option<usize> {
        let spaces = text.as_bytes()[..to].iter().enumerate().rev();
        spaces
            .filter(|&(_, &byte)| byte == b' ')
            .map(|(at, _)| at)
            .find(|&at| self.seams.at(text, at))
    }
}
