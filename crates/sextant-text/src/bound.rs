//! How much of a long text is tokenized: a description of many megabytes is not tokenized whole when only a
//! hundred of its tokens are kept.
//!
//! The middle of a field that is longer than the bound is left out, from one *seam* to another. A seam is the
//! place before a single space between two letters or digits. For some tokenizers the tokens before a seam do
//! not depend on the text after it, nor the other way round; [`Seams::of`] recognizes them by their
//! normalizer, pre-tokenizer and model. With such a tokenizer the shortened text has exactly the tokens of
//! the whole text, without those of the middle. Truncation keeps tokens from one end of a field. The encoder
//! checks that the part at that end has more tokens than a row may have, and otherwise tries a larger bound.
//! So truncation keeps the same tokens as it would of the whole text; there are only fewer to drop.
//!
//! For any other tokenizer, and in a text without seams, the whole text is tokenized.

use crate::field::Field;
use serde_json::Value;
use tokenizers::models::ModelWrapper;
use tokenizers::{NormalizedString, Normalizer, Tokenizer as HfTokenizer};

/// The first bound of a field, in bytes per token of a row. Words of catalogues have four to eight bytes per
/// token.
const BYTES_PER_TOKEN: usize = 32;

/// Where a text may be split so that the tokens of both parts stay as they are in the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seams {
    /// Before a space between letters or digits of any script listed in [`stands_alone`]: the pre-tokenizer
    /// splits the text there, before the model sees it.
    Words,
    /// Before a space after an ASCII letter or digit: the model sees the space as a character, but its
    /// vocabulary has no token in which a space follows such a letter or digit, so no token crosses the seam.
    Ascii,
    /// Nowhere: it is not known that any place is safe.
    None,
}

/// Regular expressions of known pre-tokenizers, which split a text into words, each with the white space
/// before it: that of GPT-2, that of GPT-4 and Llama 3, and that of Qwen 2. No match has white space after a
/// letter or digit.
const WORDS: [&str; 3] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];
/// Regular expressions of known normalizers, which replace matches of white space only.
const WHITE_SPACE: [&str; 3] = [" {2,}", r"\s+", " +"];

impl Seams {
    /// The seams of a tokenizer, found from its normalizer, pre-tokenizer, added tokens and model.
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

    /// Whether there is a seam before the space at byte `at`.
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

/// Whether a character is a letter or digit that no normalizer joins with its neighbours. Combining marks and
/// letters made of several characters are not.
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

/// The character to which the normalizer turns a space between two letters. `None` if it gives anything but
/// one of the characters that are known to stand for a space.
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

/// Whether a normalizer, given as JSON, looks only at single characters and their combining marks, and never
/// across a space that follows a letter. An unknown normalizer is taken to look further.
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

/// Whether the character `space` follows a letter or digit anywhere in a text.
fn follows(text: &str, space: char) -> bool {
    let pairs = text.chars().zip(text.chars().skip(1));
    pairs.into_iter().any(|(before, after)| after == space && before.is_alphanumeric())
}

/// Whether no added token can cross a seam. The tokenizer looks for added tokens before it does anything
/// else. Special tokens do not matter, because they are read as plain text.
fn added_tokens_are_local(tokenizer: &HfTokenizer, space: char) -> bool {
    tokenizer.get_added_tokens_decoder().values().filter(|token| !token.special).all(|token| {
        let crosses = follows(&token.content, ' ') || follows(&token.content, space);
        !crosses && !token.lstrip && !token.rstrip
    })
}

/// Whether a pre-tokenizer, given as JSON, splits a text at every seam; `None` if that is not known. `space`
/// is the character that stands for a space in the pre-tokenizer's input, and is set to the one in its
/// output.
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

/// Whether a model that sees `space` as a character has a token for it, and no token in which it follows an
/// ASCII letter or digit. Such a model joins neighbouring tokens (BPE) or chooses tokens along the text
/// (Unigram): if no token crosses a seam, the texts on both sides are tokenized as if each stood alone.
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

/// How much of each field's text is tokenized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    seams: Seams,
    bytes: usize,
}

/// The two parts of a text whose middle is left out.
type Parts<'a> = (&'a str, &'a str);

impl Bound {
    /// The first bound for rows of at most `max_tokens` tokens.
    pub(crate) fn new(seams: Seams, max_tokens: usize) -> Self {
        Self { seams, bytes: max_tokens.saturating_mul(BYTES_PER_TOKEN) }
    }

    /// The same bound with another number of bytes.
    #[cfg(test)]
    pub(crate) fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// The next bound to try, when this one shows too few tokens.
    pub(crate) fn larger(self) -> Self {
        Self { bytes: self.bytes.saturating_mul(4).max(64), ..self }
    }

    /// The beginning and the end of a field's text, if its middle can be left out.
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

    /// The first seam at or after the byte `from`.
    fn first(self, text: &str, from: usize) -> Option<usize> {
        let spaces = text.as_bytes()[from..].iter().enumerate().filter(|&(_, &byte)| byte == b' ');
        spaces.map(|(at, _)| from + at).find(|&at| self.seams.at(text, at))
    }

    /// The last seam before the byte `to`.
    fn last(self, text: &str, to: usize) -> Option<usize> {
        let spaces = text.as_bytes()[..to].iter().enumerate().rev();
        spaces
            .filter(|&(_, &byte)| byte == b' ')
            .map(|(at, _)| at)
            .find(|&at| self.seams.at(text, at))
    }
}
