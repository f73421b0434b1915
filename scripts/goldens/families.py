"""Writes a tiny random checkpoint of every family, and what `transformers` computes with it.

    python scripts/goldens/families.py [OUT]      (needs torch and transformers)

OUT is `crates/sextant-model/tests/goldens/families` unless given. It receives a folder for each family:

* `config.json`, `model.safetensors`: a sequence-classification model with three labels, as `transformers`
  writes it;
* `gradients.safetensors`: the gradient of every parameter, by the checkpoint's names, of the mean
  cross-entropy over the rows;
* `golden.json`: the rows (`input_ids`, `token_type_ids`), `labels`, `logits`, `loss`, and for each row `pooled`,
  the last hidden state of its first token (encoders) or of its last (decoders);
* `base/`: the same trunk as a model without a head, as `transformers` writes it.

RoBERTa's folder also holds `pytorch_model.bin`, the same weights as `torch.save` writes them.

Everything is computed in f32, in eval mode, row by row, without padding. Weights are drawn wider than the
families' own initialisation, biases and norms included, so that a swapped or dropped tensor shows.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers as t
from safetensors.torch import save_file

SEED = 20261
LABELS = 3
SIZES = dict(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=48,
    num_labels=LABELS,
)
ROBERTA = dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)


def families():
    """Name, class, configuration, special tokens around the sides, and the right side's segment."""
    bert = ([2], [3], [3], 1)
    roberta = ([0], [2, 2], [2], 0)
    return {
        "bert": (t.BertForSequenceClassification, t.BertConfig(**SIZES), bert),
        "roberta": (t.RobertaForSequenceClassification, t.RobertaConfig(**SIZES, **ROBERTA), roberta),
        "xlm_roberta": (t.XLMRobertaForSequenceClassification, t.XLMRobertaConfig(**SIZES, **ROBERTA), roberta),
        "electra": (t.ElectraForSequenceClassification, t.ElectraConfig(**SIZES, embedding_size=8), bert),
        "distilbert": (
            t.DistilBertForSequenceClassification,
            t.DistilBertConfig(
                vocab_size=40,
                dim=16,
                n_layers=2,
                n_heads=2,
                hidden_dim=24,
                max_position_embeddings=48,
                num_labels=LABELS,
            ),
            bert,
        ),
        "modernbert": (
            t.ModernBertForSequenceClassification,
            t.ModernBertConfig(
                **(SIZES | {"num_hidden_layers": 3}),
                global_attn_every_n_layers=2,
                local_attention=8,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                cls_token_id=2,
                sep_token_id=3,
            ),
            bert,
        ),
        "deberta_v2": (
            t.DebertaV2ForSequenceClassification,
            t.DebertaV2Config(
                **SIZES,
                relative_attention=True,
                position_buckets=8,
                max_relative_positions=-1,
                norm_rel_ebd="layer_norm",
                share_att_key=True,
                pos_att_type=["p2c", "c2p"],
                position_biased_input=False,
                type_vocab_size=0,
                layer_norm_eps=1e-7,
            ),
            bert,
        ),
    }


def decoders():
    """As `families`; rows are a start token, the left side, a separator, the right side."""
    layout = ([1], [2], [], 0)
    sizes = SIZES | dict(
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=None, bos_token_id=1, eos_token_id=2
    )
    gemma = sizes | dict(head_dim=8, num_key_value_heads=1)
    llama3 = dict(
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=16,
        rope_theta=500.0,
    )
    window = dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)
    linear = {
        "full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
        "sliding_attention": dict(rope_type="default", rope_theta=100.0),
    }
    return {
        "llama": (t.LlamaForSequenceClassification, t.LlamaConfig(**sizes, rope_parameters=llama3), layout),
        "mistral": (t.MistralForSequenceClassification, t.MistralConfig(**sizes, sliding_window=5), layout),
        "qwen2": (t.Qwen2ForSequenceClassification, t.Qwen2Config(**sizes, **window), layout),
        "qwen3": (t.Qwen3ForSequenceClassification, t.Qwen3Config(**sizes, head_dim=8), layout),
        "gemma": (t.GemmaForSequenceClassification, t.GemmaConfig(**gemma), layout),
        "gemma2": (
            t.Gemma2ForSequenceClassification,
            t.Gemma2Config(**gemma, sliding_window=5, query_pre_attn_scalar=24, attn_logit_softcapping=2.0),
            layout,
        ),
        "gemma3": (
            t.Gemma3TextForSequenceClassification,
            t.Gemma3TextConfig(
                **(gemma | {"num_hidden_layers": 3}),
                sliding_window=5,
                sliding_window_pattern=3,
                query_pre_attn_scalar=24,
                rope_parameters=linear,
            ),
            layout,
        ),
    }


def numbers(tensor):
    """Nested lists with nine significant digits, which is all that an f32 has."""
    values = tensor.tolist() if isinstance(tensor, torch.Tensor) else tensor
    return [numbers(value) for value in values] if isinstance(values, list) else float(f"{values:.9g}")


def randomise(model, generator):
    centre = 0 if model.config.model_type.startswith("gemma") else 1
    """Draws every parameter, in name order."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            noise = torch.randn(tensor.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                tensor.copy_(centre + 0.2 * noise)
            elif tensor.dim() == 1:
                tensor.copy_(0.1 * noise)
            else:
                tensor.copy_(0.3 * noise)


def rows(layout, generator):
    """Pairs of different lengths, the longest filling every position."""
    before, between, after, segment = layout
    special = len(before) + len(between) + len(after)
    result = []
    for left, right in [(3, 4), (1, 1), (9, 16), (12, 46 - 12 - special)]:
        draw = lambda n: torch.randint(5, 40, (n,), generator=generator).tolist()
        ids = [*before, *draw(left), *between, *draw(right), *after]
        first = len(before) + left + len(between)
        result.append((ids, [0] * first + [segment] * (len(ids) - first)))
    return result


def write(folder, model, layout, generator):
    randomise(model, generator)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    model.base_model.save_pretrained(folder / "base")
    data = rows(layout, generator)
    has_segments = getattr(model.config, "type_vocab_size", 0) > 1
    pooled_at = -1 if hasattr(model, "score") else 0
    logits, pooled = [], []
    for ids, types in data:
        inputs = {"input_ids": torch.tensor([ids])}
        if has_segments:
            inputs["token_type_ids"] = torch.tensor([types])
        logits.append(model(**inputs).logits[0])
        pooled.append(model.base_model(**inputs).last_hidden_state[0, pooled_at])
    labels = [index % LABELS for index in range(len(data))]
    loss = torch.nn.functional.cross_entropy(torch.stack(logits), torch.tensor(labels))
    loss.backward()
    gradients = {
        name: torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.contiguous()
        for name, tensor in model.named_parameters()
    }
    save_file(gradients, folder / "gradients.safetensors", metadata={"format": "pt"})
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": t.__version__, "seed": SEED},
        "rows": [{"input_ids": ids, "token_type_ids": types} for ids, types in data],
        "labels": labels,
        "logits": numbers(torch.stack(logits)),
        "loss": numbers(loss),
        "pooled": numbers(torch.stack(pooled)),
    }
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


def main():
    root = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens/families"
    if len(sys.argv) > 1:
        root = Path(sys.argv[1])
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    for name, (kind, config, layout) in (families() | decoders()).items():
        config._attn_implementation = "eager"
        model = kind(config).eval()
        write(root / name, model, layout, generator)
        if name == "roberta":
            torch.save(model.state_dict(), root / name / "pytorch_model.bin")


if __name__ == "__main__":
    main()
