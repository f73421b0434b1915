"""Writes crates/sextant-model/tests/goldens/distillation.json: PyTorch's losses of distillation.

Run from the repository root with a Python that has torch: `python scripts/goldens/distillation.py`.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens/distillation.json"


def case(kind, temperature, rows):
    logits = (2 * torch.randn(rows, 3)).requires_grad_()
    teacher = torch.softmax(3 * torch.randn(rows, 3), 1)
    weights = torch.rand(rows) + 0.5
    if kind == "kl":
        soft = torch.softmax(teacher.log() / temperature, 1)
        losses = temperature**2 * F.kl_div(F.log_softmax(logits / temperature, 1), soft, reduction="none").sum(1)
    else:
        centre = lambda x: x - x.mean(1, keepdim=True)
        losses = F.mse_loss(centre(logits), centre(teacher.log()), reduction="none").mean(1)
    losses = losses * weights
    losses.sum().backward()
    return {
        "kind": kind, "temperature": temperature, "logits": logits.flatten().tolist(), "teacher": teacher.tolist(),
        "weights": weights.tolist(), "losses": losses.tolist(), "gradient": logits.grad.flatten().tolist(),
    }


def main():
    torch.manual_seed(3)
    cases = [case("kl", 1.0, 4), case("kl", 2.5, 4), case("mse", 1.0, 4), case("kl", 8.0, 1)]
    OUT.write_text(json.dumps(cases) + "\n")


main()
