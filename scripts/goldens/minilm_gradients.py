"""Writes the loss and the gradients of the real all-MiniLM-L6-v2, for the model crate's tests.

    python scripts/goldens/minilm_gradients.py MODEL_FOLDER      (needs torch and transformers)

The rows are those of `crates/sextant-model/tests/goldens/minilm.json`; a fixed head reads the first token's last
hidden state, and the loss is the mean cross-entropy. `minilm_gradients.json` beside it receives the loss in f32,
and for each parameter, by our names and in our layout (linear weights `[in, out]`, queries, keys and values side
by side), `norm`, `entries` (of the gradient as a vector, at fixed places) and `autocast`: how far the gradient under
`torch.autocast("cpu", dtype=torch.bfloat16)` is from it, as a share of its norm.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

GOLDENS = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens"
LABELS = [2, 1, 0, 2, 1, 0]
ENTRIES = 4


def head(width):
    """`[3, width]`: numbers that the test computes too."""
    index = torch.arange(3 * width, dtype=torch.float64)
    return ((index * 7919) % 997 / 997 - 0.5).mul(0.2).to(torch.float32).reshape(3, width)


def gradients(model, rows, autocast):
    weight = head(model.config.hidden_size).requires_grad_()
    bias = torch.zeros(3, requires_grad=True)
    longest = max(len(row["input_ids"]) for row in rows)
    padded = lambda key: torch.tensor([row[key] + [0] * (longest - len(row[key])) for row in rows])
    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        hidden = model(
            input_ids=padded("input_ids"), token_type_ids=padded("token_type_ids"), attention_mask=mask
        ).last_hidden_state[:, 0]
    loss = torch.nn.functional.cross_entropy(hidden.float() @ weight.T + bias, torch.tensor(LABELS))
    loss.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    ours = {
        "embeddings.word": found["embeddings.word_embeddings.weight"],
        "embeddings.position": found["embeddings.position_embeddings.weight"],
        "embeddings.segment": found["embeddings.token_type_embeddings.weight"],
        "embeddings.norm.gamma": found["embeddings.LayerNorm.weight"],
        "embeddings.norm.beta": found["embeddings.LayerNorm.bias"],
        "branches.shared.classifier.weight": weight.grad.T,
        "branches.shared.classifier.bias": bias.grad,
    }
    for layer in range(model.config.num_hidden_layers):
        theirs, name = f"encoder.layer.{layer}", f"trunk.{layer}"
        parts = [f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")]
        ours[f"{name}.qkv.weight"] = torch.cat([found[f"{part}.weight"].T for part in parts], 1)
        ours[f"{name}.qkv.bias"] = torch.cat([found[f"{part}.bias"] for part in parts])
        for linear, place in [
            ("attention_output", "attention.output.dense"),
            ("up", "intermediate.dense"),
            ("down", "output.dense"),
        ]:
            ours[f"{name}.{linear}.weight"] = found[f"{theirs}.{place}.weight"].T
            ours[f"{name}.{linear}.bias"] = found[f"{theirs}.{place}.bias"]
        for norm, place in [("attention_norm", "attention.output.LayerNorm"), ("output_norm", "output.LayerNorm")]:
            ours[f"{name}.{norm}.gamma"] = found[f"{theirs}.{place}.weight"]
            ours[f"{name}.{norm}.beta"] = found[f"{theirs}.{place}.bias"]
    return loss.item(), {name: gradient.detach().clone().reshape(-1) for name, gradient in ours.items()}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    rows = json.loads((GOLDENS / "minilm.json").read_text())["pairs"]
    model = transformers.AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32, add_pooling_layer=False).eval()
    loss, exact = gradients(model, rows, False)
    autocast_loss, rounded = gradients(model, rows, True)
    short = lambda value: float(f"{value:.7g}")
    parameters = {}
    for name, gradient in exact.items():
        places = [(2 * i + 1) * len(gradient) // (2 * ENTRIES) for i in range(ENTRIES)]
        parameters[name] = {
            "norm": short(gradient.double().norm().item()),
            "entries": [short(gradient[place].item()) for place in places],
            "autocast": short(((rounded[name] - gradient).norm() / gradient.norm()).item()),
        }
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "labels": LABELS,
        "loss": short(loss),
        "autocast_loss": short(autocast_loss),
        "parameters": parameters,
    }
    (GOLDENS / "minilm_gradients.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
