//! Vocabularies trained from texts.

use crate::{TextError, Tokenizer};

/// (being completed)
pub fn train_wordpiece<T: AsRef<str>>(
    _texts: &[T],
    _vocab_size: usize,
) -> Result<Tokenizer, TextError> {
    Err(TextError::Train("not ready".to_owned()))
}
