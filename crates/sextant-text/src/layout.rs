//! Where special tokens stand in a row.

/// The special tokens around the two sides of a row: `open left between right close`.
///
/// BERT: `[CLS] left [SEP] right [SEP]`, the right side in segment 1. RoBERTa and XLM-R:
/// `<s> left </s></s> right </s>`, all in segment 0. As the post-processors of the same names in
/// Hugging Face `tokenizers` write pairs. Decoders: the sides on a line each, between the family's tokens
/// for the begin (if it has one) and the end of a text; the last token has seen the whole row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLayout {
    /// Before the left side; its first token is the one that CLS pooling reads.
    pub open: Vec<u32>,
    /// Between the sides; belongs to the left segment.
    pub between: Vec<u32>,
    /// After the right side; belongs to the right segment.
    pub close: Vec<u32>,
    /// The segment of the right side: 1 where the family knows two segments, else 0.
    pub right_segment: u8,
}

impl RowLayout {
    /// `[CLS] left [SEP] right [SEP]`.
    pub fn bert(cls: u32, sep: u32) -> Self {
        Self { open: vec![cls], between: vec![sep], close: vec![sep], right_segment: 1 }
    }

    /// `<s> left </s></s> right </s>`.
    pub fn roberta(start: u32, end: u32) -> Self {
        Self { open: vec![start], between: vec![end, end], close: vec![end], right_segment: 0 }
    }

    /// `<bos> left ⏎ right <eos>`, the first where there is one; `line` are the tokens of a line's end.
    pub fn decoder(begin: Option<u32>, line: Vec<u32>, end: u32) -> Self {
        Self {
            open: begin.into_iter().collect(),
            between: line,
            close: vec![end],
            right_segment: 0,
        }
    }

    /// How many special tokens a row has.
    pub fn special_count(&self) -> usize {
        self.open.len() + self.between.len() + self.close.len()
    }

    /// Builds the ids and the segments of one row.
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

    #[test]
    fn rows_of_every_family() {
        let bert = RowLayout::bert(101, 102);
        assert_eq!(
            bert.assemble(&[5, 6], &[7]),
            (vec![101, 5, 6, 102, 7, 102], vec![0, 0, 0, 0, 1, 1])
        );
        let roberta = RowLayout::roberta(0, 2);
        assert_eq!(roberta.assemble(&[5], &[7]), (vec![0, 5, 2, 2, 7, 2], vec![0; 6]));
        let (with, without) =
            (RowLayout::decoder(Some(1), vec![9], 2), RowLayout::decoder(None, vec![9], 2));
        assert_eq!(with.assemble(&[5], &[7]).0, [1, 5, 9, 7, 2]);
        assert_eq!(without.assemble(&[5], &[7]).0, [5, 9, 7, 2]);
        assert_eq!((bert.special_count(), roberta.special_count()), (3, 4));
    }
}
