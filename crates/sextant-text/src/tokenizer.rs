//! A Hugging Face tokenizer that has the special tokens which rows need.

use crate::bound::Seams;
use crate::{RowFormat, RowLayout, TextError};
use std::ops::Range;
use std::path::Path;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{PostProcessorWrapper, Tokenizer as HfTokenizer};

/// Turns text into token ids, and knows the special tokens of rows.
///
/// Truncation and padding that the file asks for are switched off, because files made for sentence
/// embeddings often pad every text to 128 tokens. Special tokens written out in a text (`[SEP]` in
/// a product title) are read as plain text, so that no text can forge the structure of a row.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// The tokenizer without the file's post-processor, since rows are laid out by `layout`.
    inner: HfTokenizer,
    /// The file's post-processor, which is put back when the tokenizer is saved.
    post_processor: Option<PostProcessorWrapper>,
    layout: RowLayout,
    pad_id: u32,
    seams: Seams,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Rows are laid out by the first of the formats whose tokens the vocabulary
    /// has.
    ///
    /// # Errors
    /// The file cannot be read, is not a tokenizer, or lacks a special token. The error names the file.
    pub fn from_file(path: impl AsRef<Path>, formats: &[RowFormat]) -> Result<Self, TextError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| TextError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes, &path.display().to_string(), formats)
    }

    /// Reads the contents of a `tokenizer.json`; errors name their source by `origin`.
    pub fn from_bytes(
        bytes: &[u8],
        origin: &str,
        formats: &[RowFormat],
    ) -> Result<Self, TextError> {
        let Parts { inner, post_processor, seams } = Parts::read(bytes, origin)?;
        let (layout, pad_id) = rows_by(&inner, formats, origin)?;
        Ok(Self { inner, post_processor, layout, pad_id, seams })
    }

    /// Reads the contents of a `tokenizer.json`, for rows of a layout that is already known; `pad_id` is the
    /// token for padding.
    ///
    /// # Errors
    /// The contents are not a tokenizer, or the layout has an id that no token has.
    pub fn with_layout(
        bytes: &[u8],
        origin: &str,
        layout: RowLayout,
        pad_id: u32,
    ) -> Result<Self, TextError> {
        let Parts { inner, post_processor, seams } = Parts::read(bytes, origin)?;
        let ids = [&layout.open[..], &layout.between, &layout.close, &[pad_id]].concat();
        match ids.into_iter().find(|&id| inner.id_to_token(id).is_none()) {
            Some(id) => Err(TextError::NotATokenizer {
                origin: origin.to_owned(),
                reason: format!("rows are stated to have the id {id}, which no token has"),
            }),
            None => Ok(Self { inner, post_processor, layout, pad_id, seams }),
        }
    }

    /// The layout of rows by the first of the formats whose tokens the vocabulary has, and the token for
    /// padding; errors name the vocabulary's source by `origin`.
    ///
    /// # Errors
    /// The vocabulary lacks a token of every format; the error names a token that the first format misses.
    pub fn rows_by(
        &self,
        formats: &[RowFormat],
        origin: &str,
    ) -> Result<(RowLayout, u32), TextError> {
        rows_by(&self.inner, formats, origin)
    }

    /// The same tokenizer with rows as its file lays out a pair of texts: with the special tokens that the file's
    /// post-processor writes around and between the sides, or with none if it has no post-processor. Tokens named
    /// in `fill` that end a row are left out: a model that pools at the last token that is not padding reads
    /// nothing after it.
    ///
    /// # Errors
    /// The tokenizer fails, or its post-processor does not write the left side before the right one.
    pub fn with_rows_of_its_file(self, fill: Option<u32>) -> Result<Self, TextError> {
        let mut inner = self.inner.clone();
        inner.with_post_processor(self.post_processor.clone());
        let row = guarded(|| inner.encode(("a", "b"), true)).map_err(TextError::Tokenizer)?;
        // The special tokens before, between and after the sides, and in which of these places the row is.
        let (mut parts, mut place) = ([Vec::new(), Vec::new(), Vec::new()], 0);
        let mut in_order = true;
        for (&id, side) in row.get_ids().iter().zip(row.get_sequence_ids()) {
            match side {
                None => parts[place].push(id),
                Some(side) if side == place || side + 1 == place => place = side + 1,
                Some(_) => in_order = false,
            }
        }
        if !in_order || place != 2 {
            return Err(TextError::Tokenizer(
                "its post-processor does not write a pair as the left side and then the right side"
                    .to_owned(),
            ));
        }
        let [open, between, mut close] = parts;
        while close.last().is_some_and(|&last| Some(last) == fill) {
            close.pop();
        }
        let layout = RowLayout { open, between, close, right_segment: self.layout.right_segment };
        let fill = fill.filter(|&id| self.token(id).is_some());
        Ok(Self { layout, pad_id: fill.unwrap_or(self.pad_id), ..self })
    }

    /// The tokenizer as `tokenizer.json`, for a bundle: the same tokenizer always gives the same
    /// bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TextError> {
        let mut inner = self.inner.clone();
        inner.with_post_processor(self.post_processor.clone());
        inner.to_string(false).map(String::into_bytes).map_err(failed)
    }

    /// The tokenizer as `tokenizer.json` for other programs. Its post-processor lays out a pair of texts as a
    /// row of [`Tokenizer::layout`], whatever post-processor the original file had.
    pub fn to_bytes_for_pairs(&self) -> Result<Vec<u8>, TextError> {
        let piece = |ids: &[u32], segment: u8| -> String {
            let token = |&id: &u32| format!(" {}:{segment}", self.token(id).unwrap_or_default());
            ids.iter().map(token).collect()
        };
        let RowLayout { open, between, close, right_segment: right } = &self.layout;
        let (start, end) = (piece(open, 0), piece(close, 0));
        let single = format!("{start} $A:0{end}");
        let pair = format!("{start} $A:0{} $B:{right}{}", piece(between, 0), piece(close, *right));
        let mut special: Vec<u32> = [open.as_slice(), between, close].concat();
        special.sort_unstable();
        special.dedup();
        let tokens: Vec<(String, u32)> =
            special.into_iter().map(|id| (self.token(id).unwrap_or_default(), id)).collect();
        let processor = TemplateProcessing::builder()
            .try_single(single.trim())
            .and_then(|builder| builder.try_pair(pair.trim()))
            .map_err(TextError::Tokenizer)?
            .special_tokens(tokens)
            .build()
            .map_err(|error| TextError::Tokenizer(error.to_string()))?;
        let mut inner = self.inner.clone();
        inner.with_post_processor(Some(processor));
        inner.to_string(false).map(String::into_bytes).map_err(failed)
    }

    /// The number of token ids: the largest id, added tokens included, plus one. The embedding table must
    /// have at least as many rows.
    pub fn vocab_size(&self) -> usize {
        let largest = self.inner.get_vocab(true).into_values().max();
        largest.map_or(0, |id| id as usize + 1)
    }

    /// The id of the token for padding.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The special tokens of a row, and where they are in it.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Where long texts may be split.
    pub(crate) fn seams(&self) -> Seams {
        self.seams
    }

    /// The text of a token, if the vocabulary has this id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token ids of a text, without special tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let encoding = guarded(|| self.inner.encode_fast(text, false));
        Ok(encoding.map_err(TextError::Tokenizer)?.get_ids().to_vec())
    }

    /// The token ids of a text, without special tokens, each with the characters of the text that it stands for.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn encode_with_characters(
        &self,
        text: &str,
    ) -> Result<Vec<(u32, Range<usize>)>, TextError> {
        let encoding = guarded(|| self.inner.encode_char_offsets(text, false));
        let encoding = encoding.map_err(TextError::Tokenizer)?;
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| start..end);
        Ok(encoding.get_ids().iter().copied().zip(offsets).collect())
    }

    /// The text of tokens; with `skip_special`, special tokens have none. Ids that no token has are passed over.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        guarded(|| self.inner.decode(ids, skip_special)).map_err(TextError::Tokenizer)
    }

    /// The token ids of a text, each with the byte of the text at which the token ends.
    pub(crate) fn encode_with_ends(&self, text: &str) -> Result<Vec<(u32, usize)>, TextError> {
        let encoding = guarded(|| self.inner.encode(text, false)).map_err(TextError::Tokenizer)?;
        let ends = encoding.get_offsets().iter().map(|&(_, end)| end);
        Ok(encoding.get_ids().iter().copied().zip(ends).collect())
    }
}

/// The parts of a [`Tokenizer`] that come from its `tokenizer.json`.
struct Parts {
    inner: HfTokenizer,
    post_processor: Option<PostProcessorWrapper>,
    seams: Seams,
}

impl Parts {
    fn read(bytes: &[u8], origin: &str) -> Result<Self, TextError> {
        let bad = |error: &dyn std::fmt::Display| TextError::NotATokenizer {
            origin: origin.to_owned(),
            reason: error.to_string(),
        };
        if claims_too_much(bytes) {
            return Err(bad(&"its `precompiled_charsmap` is not whole"));
        }
        let mut inner =
            guarded(|| HfTokenizer::from_bytes(bytes)).map_err(|reason| bad(&reason))?;
        if let Some((token, id)) = stray_id(&inner, bytes.len()) {
            return Err(bad(&format!(
                "`{token}` has the id {id}, which is far beyond the number of its tokens; is the file damaged?"
            )));
        }
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| bad(&error))?;
        inner.set_encode_special_tokens(true);
        let post_processor = inner.get_post_processor().cloned();
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let seams = guarded(|| Ok(Seams::of(&inner))).map_err(|reason| bad(&reason))?;
        Ok(Self { inner, post_processor, seams })
    }
}

/// The layout of rows and the token for padding; see [`Tokenizer::rows_by`].
fn rows_by(
    inner: &HfTokenizer,
    formats: &[RowFormat],
    origin: &str,
) -> Result<(RowLayout, u32), TextError> {
    let known = |token: &str| inner.token_to_id(token);
    let line = || {
        let line = guarded(|| inner.encode_fast("\n", false))?;
        Ok(line.get_ids().to_vec())
    };
    for format in formats {
        if let Some(rows) = format.layout(known, line).map_err(TextError::Tokenizer)? {
            return Ok(rows);
        }
    }
    let first = formats.first();
    let token = first.and_then(|format| format.missing(known)).unwrap_or_default().to_owned();
    let needed: Vec<String> = formats.iter().map(|format| format.needed()).collect();
    Err(TextError::MissingToken { origin: origin.to_owned(), token, needed: needed.join(", or ") })
}

/// Whether a table of characters (of the normalizer `Precompiled`, as in XLM-R's files) states a larger size
/// than it has: the library would allocate the stated size. The table is written in base 64, and begins with
/// its size in four bytes.
fn claims_too_much(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"\"precompiled_charsmap\"";
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'a'..=b'z' => Some(u64::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u64::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut rest = bytes;
    while let Some(at) = rest.windows(KEY.len()).position(|part| part == KEY) {
        rest = &rest[at + KEY.len()..];
        let Some(open) = rest.iter().position(|&byte| byte == b'"') else { return false };
        let table = &rest[open + 1..];
        let length = table.iter().position(|&byte| byte == b'"').unwrap_or(table.len());
        let Some(codes) = table[..length].get(..6) else { continue };
        let Some(bits) = codes.iter().try_fold(0, |bits, &code| Some(bits << 6 | value(code)?))
        else {
            continue;
        };
        // Six codes are 36 bits; the first 32 of them are the size, with the lowest byte first.
        let size = ((bits >> 4) as u32).swap_bytes();
        if size as usize > length {
            return true;
        }
    }
    false
}

/// A token whose id is too large for a file of `bytes` bytes to mean it, if there is one. When the library
/// writes a vocabulary, it lists all ids below the largest that have no token, one by one.
fn stray_id(tokenizer: &HfTokenizer, bytes: usize) -> Option<(String, u32)> {
    let most = bytes.saturating_mul(8).saturating_add(1 << 16);
    tokenizer.get_vocab(true).into_iter().find(|&(_, id)| id as usize > most)
}

/// Calls the library and turns a panic into an error. The library panics on some damaged files, for example
/// on a damaged table of characters (of the normalizer `Precompiled`, as in XLM-R's files).
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    sextant_core::guarded(call)?.map_err(|error| error.to_string())
}

fn failed(error: tokenizers::Error) -> TextError {
    TextError::Tokenizer(error.to_string())
}
