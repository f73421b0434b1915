//! The floating-point operations that training takes.

use sextant_model::{ModelSpec, ParamInfo};

/// Floating-point operations of training on `tokens` tokens in `rows` rows:
/// `tokens · (2 N + 2 N' + 2 N_t)`, and the same with `rows` in place of `tokens` for the parts that
/// read pooled rows: experts, dense layers, heads.
///
/// `N` is the number of weights that a token meets on its way (the trunk and one branch, without tables
/// that are only looked up). Each takes a multiplication and an addition in the forward pass. `N'` is
/// the number of those that gradients pass through in the backward pass, from the lowest trained weight
/// up; each takes two operations more. `N_t` is the number of those that are trained; each takes two
/// more for its own gradient. With all weights trained this is the usual 6 N a token (Kaplan et al.
/// 2020, §2.1). Attention's products of tokens with tokens are left out, which at the lengths of product
/// texts is a few percent. In a model with LoRA, the parameters `layers.…` are the frozen weights below
/// the adapters.
pub fn training_flops(spec: &ModelSpec, parameters: &[ParamInfo], tokens: u64, rows: u64) -> f64 {
    let branches = spec.branch_names();
    let levels = spec.routing.mixture.map_or(0, |mixture| mixture.levels);
    // How many tokens or rows a parameter meets: all tokens, or those of one branch, or pooled rows.
    let met_by = |info: &ParamInfo| {
        let branch = info.name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
        let Some((_, part)) = branch else {
            let pooled = info.name.starts_with("mixture.");
            return if pooled { rows as f64 } else { tokens as f64 };
        };
        if part.starts_with("layers.") {
            return tokens as f64 / branches.len() as f64;
        }
        let level = part.strip_prefix("task_mixture.").and_then(|rest| rest.split('.').next());
        let below =
            level.and_then(|level| level.parse().ok()).is_some_and(|i: usize| i + 1 < levels);
        // Below the last level the part of every task runs for all rows.
        if below { rows as f64 } else { rows as f64 / branches.len() as f64 }
    };
    // The height of a parameter's block, counted from the embeddings, which are at 0; heads are above
    // all blocks.
    let height = |info: &ParamInfo| {
        let name = info.name.as_str();
        let rest = name.strip_prefix("trunk.").or_else(|| name.strip_prefix("layers."));
        let block = rest.and_then(|rest| rest.split('.').next());
        block.and_then(|number| number.parse::<usize>().ok()).map_or_else(
            || if info.name.starts_with("embeddings") { 0 } else { spec.backbone.layers + 1 },
            |number| number + 1,
        )
    };
    let lowest = parameters.iter().filter(|info| info.trainable).map(&height).min().unwrap_or(0);
    let products = parameters
        .iter()
        .filter(|info| info.shape.len() == 2 && !info.name.starts_with("embeddings"));
    products
        .map(|info| {
            let size = info.len() as f64 * met_by(info);
            let down = f64::from(u8::from(height(info) >= lowest));
            let trained = f64::from(u8::from(info.trainable));
            2.0 * size * (1.0 + down + trained)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Task;
    use sextant_model::{BackboneConfig, HeadKind, MixtureConfig, Pooling, Routing};

    #[test]
    fn counts_what_a_token_meets() {
        let info = |name: &str, shape: &[usize], trainable| ParamInfo {
            name: name.into(),
            shape: shape.to_vec(),
            trainable,
        };
        let spec = ModelSpec {
            backbone: BackboneConfig::small(100),
            tasks: Task::ALL[..2].to_vec(),
            routing: Routing::MULTI_HEAD,
            pooling: Pooling::Cls,
            dense: false,
            head: HeadKind::Softmax,
            head_dropout: 0.0,
            lora: None,
        };
        let parameters = |trunk| {
            vec![
                info("embeddings.word.weight", &[100, 8], trunk),
                info("trunk.0.qkv.weight", &[8, 24], trunk),
                info("trunk.0.qkv.bias", &[24], trunk),
                info("branches.query-product.classifier.weight", &[8, 3], true),
                info("branches.query-type.classifier.weight", &[8, 3], true),
            ]
        };
        let (trunk, head) = (8.0 * 24.0, 8.0 * 3.0);
        let trained = 10.0 * 6.0 * trunk + 4.0 * 6.0 * head;
        assert_eq!(training_flops(&spec, &parameters(true), 10, 4), trained);
        let frozen = 10.0 * 2.0 * trunk + 4.0 * 6.0 * head;
        assert_eq!(training_flops(&spec, &parameters(false), 10, 4), frozen);

        // Shared experts run on all rows; a task's own experts run on the rows of the task at the last
        // level, and on all rows below it.
        let routing = Routing::mixture(MixtureConfig { experts: 1, task_experts: 1, levels: 2 });
        let spec = ModelSpec { routing, ..spec };
        let experts = [
            info("mixture.0.experts.weight", &[8, 8], true),
            info("branches.query-type.task_mixture.0.experts.weight", &[8, 8], true),
            info("branches.query-type.task_mixture.1.experts.weight", &[8, 8], true),
        ];
        assert_eq!(training_flops(&spec, &experts, 10, 4), 6.0 * 64.0 * (4.0 + 4.0 + 2.0));
    }
}
