//! The options of a transformer block. Each backbone family is a value of [`BlockConfig`].

use crate::ModelError;
use serde::{Deserialize, Serialize};
use sextant_kernels::{Activation, Mask, Rotary};

/// The names of a block's linear layers.
pub(crate) const PROJECTIONS: [&str; 4] = ["qkv", "attention_output", "up", "down"];

/// One of the checkpoint's linear layers that a projection holds side by side.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointLayer {
    /// The layer's full name in the checkpoint.
    pub(crate) name: String,
    pub(crate) outputs: usize,
}

/// The kind of every normalisation of a backbone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// LayerNorm with scale and shift.
    #[default]
    Layer,
    /// LayerNorm with a scale alone.
    LayerUnshifted,
    /// RMSNorm (Zhang & Sennrich 2019).
    Rms,
    /// RMSNorm whose scale is one plus the stored weight (Gemma).
    RmsOnePlus,
}

/// Where a block normalises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormPlace {
    /// After each residual sum (BERT).
    #[default]
    Post,
    /// Before attention and before the MLP (Llama, ModernBERT).
    Pre,
    /// Before attention and before the MLP, and again on their outputs before the residual sum (Gemma 2, 3).
    Both,
}

/// The function inside the MLP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MlpActivation {
    /// GELU by `erf`.
    #[default]
    Gelu,
    /// GELU by its tanh approximation.
    GeluTanh,
    /// `x · sigmoid(x)`.
    Silu,
}

impl MlpActivation {
    /// The kernels' name for this function.
    pub(crate) fn kernel(self) -> Activation {
        match self {
            Self::Gelu => Activation::Gelu,
            Self::GeluTanh => Activation::GeluTanh,
            Self::Silu => Activation::Silu,
        }
    }
}

/// Which linear layers of a block have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Biases {
    /// The projections to queries, keys and values.
    pub qkv: bool,
    /// The projection from the heads back to the residual stream.
    pub attention_output: bool,
    /// Both projections of the MLP.
    pub mlp: bool,
}

impl Biases {
    /// No bias anywhere.
    pub const NONE: Self = Self { qkv: false, attention_output: false, mlp: false };
}

impl Default for Biases {
    fn default() -> Self {
        Self { qkv: true, attention_output: true, mlp: true }
    }
}

/// How rotary frequencies are stretched for rows longer than those of pretraining.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RotaryScaling {
    /// Frequencies are not stretched.
    #[default]
    None,
    /// All frequencies are stretched by one factor (Chen et al. 2023).
    Linear {
        /// The factor by which positions are divided.
        factor: f64,
    },
    /// Low frequencies are stretched by a factor, high ones are not, and those between are interpolated
    /// (Llama 3.1).
    Llama3 {
        /// The factor by which low frequencies are divided.
        factor: f64,
        /// Wavelengths above `original / low` are low frequencies.
        low: f64,
        /// Wavelengths below `original / high` are high frequencies.
        high: f64,
        /// The longest row of pretraining, in tokens.
        original: usize,
    },
}

/// Rotary positions of queries and keys (Su et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotaryConfig {
    /// The base of the frequencies.
    pub base: f64,
    /// The base in layers with a window, if it differs there.
    #[serde(default)]
    pub local_base: Option<f64>,
    /// Scaling in layers without a window.
    #[serde(default)]
    pub scaling: RotaryScaling,
}

/// Disentangled relative positions (DeBERTa, He et al. 2021): attention scores are the sum of
/// content-to-content, content-to-position and position-to-content terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelativeConfig {
    /// The number of embeddings for distances in one direction, each of one distance or of a bucket of
    /// several. The table has twice as many rows.
    pub span: usize,
    /// If this is set, distances up to half the span have an embedding each, and larger ones, up to this
    /// distance, share buckets of logarithmic width. `None` if all distances up to the span have an
    /// embedding each.
    #[serde(default)]
    pub bucketed_up_to: Option<usize>,
    /// Whether the table of position embeddings is normalised before use.
    #[serde(default)]
    pub norm: bool,
}

/// The keys around a query that it attends to in layers with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The number of tokens before the query.
    pub before: usize,
    /// The number of tokens after the query.
    pub after: usize,
}

/// The options of a backbone's blocks. The default is BERT's block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "independent options, as files state them")]
pub struct BlockConfig {
    /// The kind of all norms.
    pub norm: NormKind,
    /// Where the norms stand.
    pub norm_place: NormPlace,
    /// Whether the first block has no norm before attention, because its input is normalised already
    /// (ModernBERT).
    pub first_norm_absent: bool,
    /// Which layers have a bias.
    pub biases: Biases,
    /// The function inside the MLP.
    pub mlp_activation: MlpActivation,
    /// Whether the MLP is gated: one projection, after the activation, is multiplied by another one.
    pub mlp_gated: bool,
    /// The number of key and value heads, if several query heads share one (grouped-query attention).
    pub key_value_heads: Option<usize>,
    /// The width of a head, if it is not `hidden_size / attention_heads`.
    pub head_dim: Option<usize>,
    /// The factor of attention scores, if it is not `1 / sqrt(head_dim)`.
    pub attention_scale: Option<f32>,
    /// The bound within which `cap · tanh(score / cap)` keeps attention scores (Gemma 2).
    pub attention_soft_cap: Option<f32>,
    /// Whether each head's queries and keys are normalised before the rotary rotation (Qwen 3, Gemma 3).
    pub query_key_norm: bool,
    /// Whether a token attends only to itself and the tokens before it.
    pub causal: bool,
    /// The window of the layers that have one.
    pub window: Option<Window>,
    /// For each layer of the backbone, whether it has the window; layers past the end of this list have
    /// none.
    pub windowed_layers: Vec<bool>,
    /// Rotary positions.
    pub rotary: Option<RotaryConfig>,
    /// Relative positions in the attention scores.
    pub relative: Option<RelativeConfig>,
}

impl BlockConfig {
    /// Whether attention in a layer of the backbone is limited to the window.
    pub fn is_windowed(&self, layer: usize) -> bool {
        self.window.is_some() && self.windowed_layers.get(layer).copied().unwrap_or(false)
    }

    /// The attention mask of a layer.
    pub(crate) fn mask(&self, layer: usize) -> Mask {
        match self.window {
            Some(Window { before, after }) if self.is_windowed(layer) => {
                Mask::SlidingWindow { before, after }
            }
            _ if self.causal => Mask::Causal,
            _ => Mask::Bidirectional,
        }
    }

    /// A layer's rotary frequencies over heads of `head_dim` numbers.
    pub(crate) fn rotary(&self, layer: usize, head_dim: usize) -> Option<Rotary> {
        let config = self.rotary?;
        match config.local_base.filter(|_| self.is_windowed(layer)) {
            Some(base) => Some(Rotary::new(head_dim, base)),
            None => Some(config.scaling.frequencies(head_dim, config.base)),
        }
    }

    /// Checks the options; the error names the key.
    pub(crate) fn validate(&self, heads: usize) -> Result<(), ModelError> {
        let failed = |problem: String| Err(ModelError::Config(problem));
        if let Some(kv_heads) = self.key_value_heads
            && (kv_heads == 0 || !heads.is_multiple_of(kv_heads))
        {
            return failed(format!(
                "`key_value_heads` {kv_heads} does not divide `attention_heads` {heads}"
            ));
        }
        if self.head_dim == Some(0) {
            return failed("`head_dim` is 0; it must be at least 1".into());
        }
        if let Some(rotary) = self.rotary {
            for base in [Some(rotary.base), rotary.local_base].into_iter().flatten() {
                if !(base.is_finite() && base > 1.0) {
                    return failed(format!("rotary base {base} must be above 1"));
                }
            }
            rotary.scaling.validate().map_err(ModelError::Config)?;
        }
        for (key, value) in [
            ("attention_scale", self.attention_scale),
            ("attention_soft_cap", self.attention_soft_cap),
        ] {
            if value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
                return failed(format!("`{key}` must be positive"));
            }
        }
        if let Some(relative) = self.relative {
            let reach = relative.bucketed_up_to.unwrap_or(relative.span + 1);
            if relative.span < 2 || reach <= relative.span / 2 + 1 {
                return failed(format!(
                    "relative positions with a span of {} up to a distance of {reach}: the span must be at least 2 and less than the distance",
                    relative.span
                ));
            }
            if self.causal || self.window.is_some() || self.key_value_heads.is_some() {
                return failed(
                    "relative positions go with bidirectional attention and equal heads only"
                        .into(),
                );
            }
        }
        if self.attention_soft_cap.is_some() && self.relative.is_some() {
            return failed("`attention_soft_cap` does not go with relative positions".into());
        }
        Ok(())
    }
}

impl RotaryScaling {
    /// Checks the numbers; the error names the key.
    pub(crate) fn validate(self) -> Result<(), String> {
        let positive = |key: &str, value: f64| {
            let fits = value.is_finite() && value > 0.0;
            if fits {
                Ok(())
            } else {
                Err(format!("rotary scaling: `{key}` {value} must be above 0"))
            }
        };
        match self {
            Self::None => Ok(()),
            Self::Linear { factor } => positive("factor", factor),
            Self::Llama3 { factor, low, high, original } => {
                positive("factor", factor)?;
                positive("low", low)?;
                positive("high", high)?;
                positive("original", original as f64)?;
                if low < high {
                    return Ok(());
                }
                Err(format!("rotary scaling: `low` {low} must be less than `high` {high}"))
            }
        }
    }

    /// The scaled frequencies of heads of `dim` numbers.
    fn frequencies(self, dim: usize, base: f64) -> Rotary {
        let frequency = |i: usize| base.powf(-2.0 * i as f64 / dim as f64);
        let scaled = |frequency: f64| match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low, high, original } => {
                let turns = original as f64 * frequency / std::f64::consts::TAU;
                let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                frequency * (share + (1.0 - share) / factor)
            }
        };
        Rotary::from_frequencies((0..dim / 2).map(|i| scaled(frequency(i)) as f32).collect())
    }
}
