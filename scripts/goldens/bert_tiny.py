"""Writes the tiny random BERT checkpoints that the model crate is checked against.

    python scripts/goldens/bert_tiny.py [OUT]      (needs torch and transformers)

OUT is `crates/sextant-model/tests/goldens` unless given. It receives

* `bert_tiny/`: `config.json` and `model.safetensors` of a `BertModel`, as `transformers` writes them,
  and `golden.json` with what the model computes in f32, in eval mode (no dropout), row by row, without
  padding:
  - `rows`: token ids, token types, `last_hidden_state` `[tokens][hidden]` and `pooler_output` `[hidden]`;
  - `head`: a fixed linear head (`weight` `[3][hidden]`, `bias` `[3]`) on the last hidden state of the first
    token (not on the pooler), its `labels`, `logits` and the mean cross-entropy `loss` over the rows;
  - `head.gradients`: that loss's gradient of some tensors, by name, as `{shape, values}` with the values in
    row-major order of torch's layout (a linear weight is `[out, in]`).
* `bert_tiny_prefixed/`: the same trunk as a `BertForSequenceClassification` with three labels (names begin
  with `bert.`, plus `classifier.*`): its `model.safetensors`, and in `golden.json` the `logits` of the same rows.

Weights are drawn wider than BERT's own initialisation, biases and norms included, so that a swapped or
dropped tensor shows in the outputs.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SEED = 20260
LABELS = 3
GRADIENTS_OF = [
    "embeddings.word_embeddings.weight",
    "embeddings.position_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
    "embeddings.LayerNorm.weight",
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.0.attention.self.key.bias",  # zero in exact arithmetic: softmax ignores a shift
    "encoder.layer.0.output.dense.bias",
    "encoder.layer.1.attention.self.key.weight",
    "encoder.layer.1.attention.self.value.bias",
    "encoder.layer.1.attention.output.LayerNorm.bias",
    "encoder.layer.1.intermediate.dense.bias",
    "encoder.layer.2.attention.output.dense.weight",
    "encoder.layer.2.output.LayerNorm.weight",
]


def numbers(tensor):
    """Nested lists with nine significant digits, which is all that an f32 has."""
    values = tensor.tolist() if isinstance(tensor, torch.Tensor) else tensor
    return [numbers(value) for value in values] if isinstance(values, list) else float(f"{values:.9g}")


def config():
    return transformers.BertConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        type_vocab_size=2,
        num_labels=LABELS,
    )


def randomise(model, generator):
    """Draws every parameter, in name order."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("LayerNorm.weight"):
                tensor.copy_(1 + 0.2 * noise)
            elif tensor.dim() == 1:
                tensor.copy_(0.1 * noise)
            else:
                tensor.copy_(0.25 * noise)


def rows(generator):
    """Pairs `[CLS] left [SEP] right [SEP]` of different lengths, the longest filling every position."""
    result = []
    for left, right in [(3, 4), (1, 1), (9, 20), (6, 2), (12, 11)]:
        draw = lambda n: torch.randint(5, 100, (n,), generator=generator).tolist()
        ids = [2, *draw(left), 3, *draw(right), 3]
        result.append((ids, [0] * (left + 2) + [1] * (right + 1)))
    result.append(([2, *torch.randint(5, 100, (5,), generator=generator).tolist(), 3], [0] * 7))  # one text alone
    return result


def forward(model, ids, types):
    return model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))


def check_padded(model, data, hidden):
    """The same rows in one padded batch must give the same numbers, or the golden is not to be trusted."""
    longest = max(len(ids) for ids, _ in data)
    pad = lambda values: values + [0] * (longest - len(values))
    out = model(
        input_ids=torch.tensor([pad(ids) for ids, _ in data]),
        token_type_ids=torch.tensor([pad(types) for _, types in data]),
        attention_mask=torch.tensor([pad([1] * len(ids)) for ids, _ in data]),
    ).last_hidden_state
    for row, expected in zip(out, hidden):
        torch.testing.assert_close(row[: len(expected)], expected, rtol=1e-4, atol=1e-5)


def write(path, value):
    path.write_text(json.dumps(value) + "\n")


def main():
    root = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens"
    if len(sys.argv) > 1:
        root = Path(sys.argv[1])
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)

    model = transformers.BertModel(config()).eval()
    randomise(model, generator)
    plain = root / "bert_tiny"
    model.save_pretrained(plain)

    data = rows(generator)
    outputs = [forward(model, *row) for row in data]
    hidden = [out.last_hidden_state[0] for out in outputs]
    check_padded(model, data, hidden)

    weight = (0.5 * torch.randn(LABELS, 32, generator=generator)).requires_grad_()
    bias = (0.1 * torch.randn(LABELS, generator=generator)).requires_grad_()
    labels = [index % LABELS for index in range(len(data))]
    logits = torch.stack([row[0] for row in hidden]) @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()

    parameters = dict(model.named_parameters())
    gradients = {name: parameters[name].grad for name in GRADIENTS_OF}
    gradients |= {"head.weight": weight.grad, "head.bias": bias.grad}
    provenance = {"torch": torch.__version__, "transformers": transformers.__version__, "seed": SEED}
    write(
        plain / "golden.json",
        {
            "made_with": provenance,
            "rows": [
                {
                    "input_ids": ids,
                    "token_type_ids": types,
                    "last_hidden_state": numbers(out.last_hidden_state[0]),
                    "pooler_output": numbers(out.pooler_output[0]),
                }
                for (ids, types), out in zip(data, outputs)
            ],
            "head": {
                "weight": numbers(weight),
                "bias": numbers(bias),
                "labels": labels,
                "logits": numbers(logits),
                "loss": numbers(loss),
                "gradients": {
                    name: {"shape": list(grad.shape), "values": numbers(grad.flatten())}
                    for name, grad in gradients.items()
                },
            },
        },
    )

    classifier = transformers.BertForSequenceClassification(config()).eval()
    randomise(classifier, generator)
    classifier.bert.load_state_dict(model.state_dict())
    prefixed = root / "bert_tiny_prefixed"
    prefixed.mkdir(parents=True, exist_ok=True)
    save_file(classifier.state_dict(), prefixed / "model.safetensors", metadata={"format": "pt"})
    with torch.no_grad():
        logits = torch.stack([forward(classifier, *row).logits[0] for row in data])
    write(prefixed / "golden.json", {"made_with": provenance, "logits": numbers(logits)})


if __name__ == "__main__":
    main()
