use std::ops::Range;

use crate::Dropout;

/// Which keys of its own row of the pack a query sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mask {
    /// Every key.
    #[default]
    Bidirectional,
    /// The keys up to and including the query's own position.
    Causal,
    /// The keys from `before` positions to the left up to `after` positions to the right, both
    /// inclusive. A causal window of `w` tokens is `{ before: w - 1, after: 0 }`; ModernBERT's
    /// local attention of 128 is `{ before: 64, after: 64 }`.
    SlidingWindow {
        /// How far to the left a query sees.
        before: usize,
        /// How far to the right a query sees.
        after: usize,
    },
}

impl Mask {
    /// The keys that the query at `position` sees in a row of `length` tokens. Never empty.
    pub fn visible(self, position: usize, length: usize) -> Range<usize> {
        match self {
            Self::Bidirectional => 0..length,
            Self::Causal => 0..position + 1,
            Self::SlidingWindow { before, after } => {
                position.saturating_sub(before)
                    ..position.saturating_add(after).saturating_add(1).min(length)
            }
        }
    }
}

/// The shape and the options of an [`attention`](crate::attention).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionSpec {
    /// The number of query heads.
    pub heads: usize,
    /// The number of key and value heads, a divisor of `heads`: query head `h` reads key head
    /// `h / (heads / kv_heads)` (grouped-query attention, Ainslie et al. 2023).
    pub kv_heads: usize,
    /// The number of elements of a head.
    pub head_dim: usize,
    /// The factor that scores are multiplied by before the softmax, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Which keys a query sees.
    pub mask: Mask,
    /// Dropout of the attention probabilities, after the softmax.
    pub dropout: Option<Dropout>,
}

impl AttentionSpec {
    /// Multi-head attention without mask or dropout, scaled by `1 / sqrt(head_dim)`.
    pub fn new(heads: usize, head_dim: usize) -> Self {
        Self {
            heads,
            kv_heads: heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            mask: Mask::Bidirectional,
            dropout: None,
        }
    }

    /// The number of columns of the fused projection: `(heads + 2 * kv_heads) * head_dim`.
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// The number of columns of the output: `heads * head_dim`.
    pub fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The number of query heads per key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}
