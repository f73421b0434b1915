//! Training of vocabularies from texts, for encoders that are trained from scratch.

use crate::{RowFormat, TextError, Tokenizer};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Tokenizer as HfTokenizer, Trainer,
};

/// The special tokens, which take the first ids.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// A vocabulary keeps at most this many characters, the most frequent ones, as BERT's own trainer does.
const MAX_ALPHABET: usize = 1000;
/// Two pieces that are to become one token must occur side by side at least this often.
const MIN_FREQUENCY: u64 = 2;

/// Trains a lower-case WordPiece vocabulary of at most `vocab_size` tokens, in the style of BERT
/// (`bert-base-uncased`): accents are stripped, and texts are split at white space and punctuation.
///
/// The same texts, in any order, give the same bytes, whatever the number of threads.
///
/// # Errors
/// No text holds a word, or `vocab_size` is less than the number of special tokens and single characters.
pub fn train_wordpiece<T: AsRef<str>>(
    texts: &[T],
    vocab_size: usize,
) -> Result<Tokenizer, TextError> {
    let mut words = WordCounts::default();
    for text in texts {
        words.add(text.as_ref())?;
    }
    words.train_wordpiece(vocab_size)
}

fn train(words: BTreeMap<String, usize>, vocab_size: usize) -> Result<Tokenizer, TextError> {
    let (words, pieces) = limit_alphabet(words);
    if words.is_empty() {
        return Err(TextError::Train("no text holds a word".to_owned()));
    }
    let least = SPECIAL.len() + pieces.iter().map(BTreeSet::len).sum::<usize>();
    if vocab_size < least {
        return Err(TextError::Train(format!(
            "vocab_size = {vocab_size} is too small: special tokens and single characters take {least}"
        )));
    }
    // The library numbers `##c` pieces in the order of a randomly seeded hash map, and decides ties between
    // merges by these numbers, so that each run would give another vocabulary. It numbers special tokens
    // first, in the order given. So all single-character pieces are declared as special tokens here.
    let [first, continuing] = pieces;
    let declared = SPECIAL.iter().map(ToString::to_string).chain(first).chain(continuing);
    let mut trainer = WordPieceTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(MIN_FREQUENCY)
        .special_tokens(declared.map(|token| AddedToken::from(token, true)).collect())
        .show_progress(false)
        .build();
    let corpus = words.iter().flat_map(|(word, &count)| std::iter::repeat_n(word.as_str(), count));
    trainer.feed(corpus, |word| Ok(vec![word.to_owned()])).map_err(failed)?;
    let mut model = WordPiece::default();
    // The returned list of special tokens is not used, because only those of `SPECIAL` are to stay special.
    trainer.train(&mut model).map_err(failed)?;
    let bytes = assemble(model).and_then(|tokenizer| tokenizer.to_string(false)).map_err(failed)?;
    Tokenizer::from_bytes(bytes.as_bytes(), "the trained vocabulary", &[RowFormat::BERT])
}

/// The words of some texts, and how often each word occurs. A vocabulary is trained from these counts alone,
/// so the texts themselves need not stay in memory.
#[derive(Debug, Clone, Default)]
pub struct WordCounts(BTreeMap<String, usize>);

impl WordCounts {
    /// Counts the words of one more text.
    pub fn add(&mut self, text: &str) -> Result<(), TextError> {
        let mut normalized = NormalizedString::from(text);
        BertNormalizer::default().normalize(&mut normalized).map_err(failed)?;
        let mut split = PreTokenizedString::from(normalized);
        BertPreTokenizer.pre_tokenize(&mut split).map_err(failed)?;
        for (word, ..) in split.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match self.0.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.0.insert(word.to_owned(), 1)),
            }
        }
        Ok(())
    }

    /// Trains a vocabulary from the added texts, as [`train_wordpiece()`] does.
    pub fn train_wordpiece(self, vocab_size: usize) -> Result<Tokenizer, TextError> {
        train(self.0, vocab_size)
    }
}

/// Drops words with a rare character, and lists the single-character pieces of the remaining words:
/// first `c` for every character, then `##c` for every character that is not the first of its word.
fn limit_alphabet(
    mut words: BTreeMap<String, usize>,
) -> (BTreeMap<String, usize>, [BTreeSet<String>; 2]) {
    let mut counts = BTreeMap::<char, usize>::new();
    for (word, count) in &words {
        word.chars().for_each(|c| *counts.entry(c).or_default() += count);
    }
    let mut frequent: Vec<(char, usize)> = counts.into_iter().collect();
    frequent.sort_by_key(|&(_, count)| Reverse(count));
    frequent.truncate(MAX_ALPHABET);
    let alphabet: BTreeSet<char> = frequent.into_iter().map(|(c, _)| c).collect();
    words.retain(|word, _| word.chars().all(|c| alphabet.contains(&c)));
    let continuing =
        words.keys().flat_map(|word| word.chars().skip(1)).map(|c| format!("##{c}")).collect();
    let first = words.keys().flat_map(|word| word.chars()).map(String::from).collect();
    (words, [first, continuing])
}

fn assemble(model: WordPiece) -> tokenizers::Result<HfTokenizer> {
    let mut tokenizer = HfTokenizer::new(model);
    let ids = (0..).zip(SPECIAL).map(|(id, token)| (token.to_owned(), id)).collect::<Vec<_>>();
    let pairs = TemplateProcessing::builder()
        .try_single("[CLS] $A [SEP]")?
        .try_pair("[CLS] $A [SEP] $B:1 [SEP]:1")?
        .special_tokens(ids)
        .build()?;
    tokenizer
        .with_normalizer(Some(BertNormalizer::default()))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(pairs))
        .with_decoder(Some(WordPieceDecoder::default()))
        .add_special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)))?;
    Ok(tokenizer)
}

fn failed(error: tokenizers::Error) -> TextError {
    TextError::Tokenizer(error.to_string())
}
