//! The keys of `config.json` in decoder families.

use super::{Unsaid, Windows, rotary};
use crate::families::ConfigFile;
use crate::{
    BackboneConfig, Biases, BlockConfig, MlpActivation, ModelError, NormKind, NormPlace,
    RotaryConfig, RotaryScaling, Window,
};
use serde::Deserialize;
use serde_json::Value;

/// The keys of all decoder families, in older and newer files.
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the file's keys")]
struct Keys {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    #[serde(default = "eps")]
    rms_norm_eps: f64,
    #[serde(default)]
    attention_dropout: f32,
    attention_bias: Option<bool>,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    sliding_window: Option<usize>,
    #[serde(default)]
    use_sliding_window: bool,
    max_window_layers: Option<usize>,
    sliding_window_pattern: Option<usize>,
    layer_types: Option<Vec<String>>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f32>,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    use_bidirectional_attention: Option<bool>,
}

fn eps() -> f64 {
    1e-6
}

impl Keys {
    /// Refuses invalid values; the error names the key.
    fn check(&self, file: &ConfigFile) -> Result<(), ModelError> {
        let (heads, layers) = (self.num_attention_heads, self.num_hidden_layers);
        file.require_sizes(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", layers),
            ("num_attention_heads", heads),
            ("num_key_value_heads", self.num_key_value_heads.unwrap_or(1)),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("sliding_window", self.sliding_window.unwrap_or(1)),
            ("sliding_window_pattern", self.sliding_window_pattern.unwrap_or(1)),
        ])?;
        file.require_depth(("num_hidden_layers", layers))?;
        file.require_shares(&[("attention_dropout", self.attention_dropout)])?;
        if self.head_dim.is_none() {
            let whole = ("hidden_size", self.hidden_size);
            file.require_divides(("num_attention_heads", heads), whole)?;
        }
        if let Some(shared) = self.num_key_value_heads {
            let whole = ("num_attention_heads", heads);
            file.require_divides(("num_key_value_heads", shared), whole)?;
        }
        if let Some(kinds) = &self.layer_types {
            file.require_kinds("layer_types", kinds, ("num_hidden_layers", layers))?;
        }
        for (key, value) in [
            ("rms_norm_eps", Some(self.rms_norm_eps)),
            ("rope_theta", self.rope_theta),
            ("rope_local_base_freq", self.rope_local_base_freq),
            ("query_pre_attn_scalar", self.query_pre_attn_scalar),
            ("attn_logit_softcapping", self.attn_logit_softcapping.map(f64::from)),
        ] {
            file.require_positive(key, value)?;
        }
        Ok(())
    }

    fn activation(&self, of: Unsaid, file: &ConfigFile) -> Result<MlpActivation, ModelError> {
        if of.gemma {
            // In Gemma 1's files, `hidden_act` is `gelu` although the tanh approximation is meant, so that
            // only `hidden_activation` is read.
            let found = self.hidden_activation.as_deref().unwrap_or("gelu_pytorch_tanh");
            file.require("hidden_activation", found, "gelu_pytorch_tanh")?;
            return Ok(MlpActivation::GeluTanh);
        }
        file.require("hidden_act", self.hidden_act.as_deref().unwrap_or("silu"), "silu")?;
        Ok(MlpActivation::Silu)
    }

    /// For each layer, whether it has a window; empty if none has.
    fn windowed(&self, of: Unsaid) -> Vec<bool> {
        let layers = 0..self.num_hidden_layers;
        if let Some(kinds) = &self.layer_types {
            return kinds.iter().map(|kind| kind == "sliding_attention").collect();
        }
        match of.windows {
            Windows::None => Vec::new(),
            Windows::All => layers.map(|_| true).collect(),
            Windows::FromLayer(_) if !self.use_sliding_window => Vec::new(),
            Windows::FromLayer(usual) => {
                let first = self.max_window_layers.unwrap_or(usual);
                layers.map(|layer| layer >= first).collect()
            }
            Windows::AllBut(usual) => {
                let period = self.sliding_window_pattern.unwrap_or(usual); // `check` refuses 0
                layers.map(|layer| (layer + 1) % period != 0).collect()
            }
        }
    }

    fn rotary(&self, of: Unsaid, file: &ConfigFile) -> Result<RotaryConfig, ModelError> {
        let given = self.rope_parameters.as_ref();
        let full = given.map(|given| given.get("full_attention").unwrap_or(given));
        let local = given.and_then(|given| given.get("sliding_attention"));
        let base = |given: Option<&Value>| given?.get("rope_theta")?.as_f64();
        let scaling = full.or(self.rope_scaling.as_ref());
        for given in [full, local] {
            file.require_positive("rope_parameters.rope_theta", base(given))?;
        }
        Ok(RotaryConfig {
            base: base(full).or(self.rope_theta).unwrap_or(of.rotary_base),
            local_base: of
                .local_rotary_base
                .map(|usual| base(local).or(self.rope_local_base_freq).unwrap_or(usual)),
            scaling: scaling
                .map_or(Ok(RotaryScaling::None), |scaling| rotary::read_scaling(scaling, file))?,
        })
    }
}

pub(super) fn config(file: &ConfigFile, of: Unsaid) -> Result<BackboneConfig, ModelError> {
    let keys: Keys = file.keys()?;
    keys.check(file)?;
    if keys.use_bidirectional_attention == Some(true) {
        return Err(file.unsupported("use_bidirectional_attention", "true", "false"));
    }
    let bias = keys.attention_bias.unwrap_or(of.qkv_bias);
    let mut windowed = keys.windowed(of);
    let wanted = keys.sliding_window.filter(|_| windowed.contains(&true));
    if wanted.is_none() {
        windowed.clear();
    }
    let kv_heads = keys.num_key_value_heads.unwrap_or(keys.num_attention_heads);
    let derived = keys.hidden_size / keys.num_attention_heads; // `check` refuses 0 heads
    let head_dim = keys.head_dim.or(of.head_dim).unwrap_or(derived);
    Ok(BackboneConfig {
        family: of.family,
        hidden_size: keys.hidden_size,
        layers: keys.num_hidden_layers,
        attention_heads: keys.num_attention_heads,
        intermediate_size: keys.intermediate_size,
        max_positions: keys.max_position_embeddings,
        segment_types: 0,
        norm_eps: keys.rms_norm_eps,
        hidden_dropout: 0.0,
        attention_dropout: keys.attention_dropout,
        positions_absent: true,
        embedding_norm_absent: true,
        embedding_scale: of.gemma.then(|| (keys.hidden_size as f64).sqrt() as f32),
        final_norm: true,
        head_bias_absent: true,
        block: BlockConfig {
            norm: if of.gemma { NormKind::RmsOnePlus } else { NormKind::Rms },
            norm_place: if of.sandwich { NormPlace::Both } else { NormPlace::Pre },
            biases: Biases {
                qkv: bias,
                attention_output: bias && !of.qkv_bias,
                mlp: keys.mlp_bias,
            },
            mlp_activation: keys.activation(of, file)?,
            mlp_gated: true,
            key_value_heads: (kv_heads != keys.num_attention_heads).then_some(kv_heads),
            head_dim: (head_dim != derived).then_some(head_dim),
            attention_scale: keys
                .query_pre_attn_scalar
                .filter(|_| of.sandwich)
                .map(|scalar| (1.0 / scalar.sqrt()) as f32),
            attention_soft_cap: keys.attn_logit_softcapping.filter(|_| of.sandwich),
            query_key_norm: of.query_key_norm,
            causal: true,
            window: wanted.map(|window| Window { before: window - 1, after: 0 }),
            windowed_layers: windowed,
            rotary: Some(keys.rotary(of, file)?),
            ..BlockConfig::default()
        },
        ..BackboneConfig::small(keys.vocab_size)
    })
}
