//! Where the special tokens of a row are.

use serde::{Deserialize, Serialize};

/// The special tokens around the two sides of a row: `open left between right close`.
///
/// The rows of BERT are `[CLS] left [SEP] right [SEP]`, with the right side in segment 1. Those of RoBERTa
/// and XLM-R are `<s> left </s></s> right </s>`, all in segment 0. Both are what the post-processors of the
/// same names in Hugging Face `tokenizers` write for pairs. The rows of decoders have each side on a line of
/// its own, between the family's token for the beginning of a text (if it has one) and its token for the end;
/// this last token attends to the whole row. A model family states its layout as a
/// [`RowFormat`](crate::RowFormat).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowLayout {
    /// The tokens before the left side; CLS pooling reads the first of them.
    pub open: Vec<u32>,
    /// The tokens between the sides; they belong to the segment of the left side.
    pub between: Vec<u32>,
    /// The tokens after the right side; they belong to the segment of the right side.
    pub close: Vec<u32>,
    /// The segment of the right side: 1 for families with two segments, otherwise 0.
    pub right_segment: u8,
}

impl RowLayout {
    /// How many special tokens a row has.
    pub fn special_count(&self) -> usize {
        self.open.len() + self.between.len() + self.close.len()
    }

    /// Builds the token ids and the segments of one row.
    pub fn assemble(&self, left: &[u32], right: &[u32]) -> (Vec<u32>, Vec<u8>) {
        let ids = [&self.open, left, &self.between, right, &self.close].concat();
        let mut segments = vec![0; self.open.len() + left.len() + self.between.len()];
        segments.resize(ids.len(), self.right_segment);
        (ids, segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RowFormat;

    /// The layout of a format under a vocabulary in which a token's id is its index in `tokens`.
    fn layout(format: RowFormat, tokens: &[&str]) -> Option<(RowLayout, u32)> {
        let known = |token: &str| tokens.iter().position(|t| *t == token).map(|id| id as u32);
        let found = format.layout(known, || Ok(vec![9])).unwrap();
        assert_eq!(found.is_none(), format.missing(known).is_some(), "{format:?}");
        found
    }

    #[test]
    fn rows_of_every_format() {
        let (bert, fill) = layout(RowFormat::BERT, &["[PAD]", "[SEP]", "[CLS]"]).unwrap();
        assert_eq!(bert.assemble(&[5, 6], &[7]), (vec![2, 5, 6, 1, 7, 1], vec![0, 0, 0, 0, 1, 1]));
        let (roberta, pad) = layout(RowFormat::ROBERTA, &["<s>", "<pad>", "</s>"]).unwrap();
        assert_eq!(roberta.assemble(&[5], &[7]), (vec![0, 5, 2, 2, 7, 2], vec![0; 6]));
        assert_eq!((bert.special_count(), roberta.special_count(), fill, pad), (3, 4, 0, 1));
        let (with, fill) = layout(RowFormat::LINES, &["<unk>", "<s>", "</s>"]).unwrap();
        assert_eq!((with.assemble(&[5], &[7]).0, fill), (vec![1, 5, 9, 7, 2], 0));
        let (without, fill) = layout(RowFormat::LINES, &["", "", "<|im_end|>"]).unwrap();
        assert_eq!((without.assemble(&[5], &[7]).0, fill), (vec![5, 9, 7, 2], 2));
    }

    #[test]
    fn a_vocabulary_of_another_kind_does_not_fit() {
        assert_eq!(layout(RowFormat::BERT, &["[CLS]", "[SEP]"]), None);
        assert_eq!(layout(RowFormat::ROBERTA, &["<s>", "</s>", "[PAD]"]), None);
        assert_eq!(layout(RowFormat::LINES, &["<s>", "[SEP]"]), None);
        let begins =
            RowFormat::Lines { begin: &["<bos>"], begins: true, end: &["</s>"], fill: &[] };
        assert_eq!(layout(begins, &["<s>", "</s>"]), None);
        assert!(layout(begins, &["<bos>", "</s>"]).is_some());
    }
}
