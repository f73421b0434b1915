"""Writes what `transformers` computes with the real all-MiniLM-L6-v2 for a few pairs of texts.

    python scripts/goldens/minilm.py MODEL_FOLDER [OUT]      (needs torch and transformers)

MODEL_FOLDER holds the published files (`config.json`, `model.safetensors`, `tokenizer.json`, …); none of them is
kept. OUT is `crates/sextant-model/tests/goldens/minilm.json` unless given. For every pair it holds the texts,
token ids and token types of `[CLS] left [SEP] right [SEP]` (no truncation, no padding), and, in f32 and eval
mode: `cls` (the first 16 values of the first token's last hidden state), `cls_norm` (the L2 norm of all of it)
and `mean` (the first 16 values of the mean of the last hidden state over all tokens, not normalised).
"""

import json
import sys
from pathlib import Path

import torch
import transformers

PAIRS = [
    ("cordless drill", "Acme 18V Cordless Drill with Charger and 2 Batteries, Red"),
    ("Norrland 3-Seat Sofa, Grey Linen, Oak Legs", "couch"),
    ("wmns running shoe size 8", "Women's Road Running Shoes"),
    ("usb c cable", "usb-c charging cable 6ft"),
    ("Garden & Outdoor > Watering > Garden Hoses", "Flexi 50 ft. garden hose w/ brass fittings"),
    ("café crème moka pot", "3-Cup Stovetop Espresso Maker, Aluminium, 150 ml (5 oz)"),
]
KEPT = 16


def numbers(tensor):
    """Nested lists with nine significant digits, which is all that an f32 has."""
    values = tensor.tolist() if isinstance(tensor, torch.Tensor) else tensor
    return [numbers(value) for value in values] if isinstance(values, list) else float(f"{values:.9g}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    default = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens/minilm.json"
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
    model = transformers.AutoModel.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    pairs = []
    for left, right in PAIRS:
        # The published tokenizer.json pads and cuts to 128: both are switched off here.
        encoded = tokenizer(left, right, padding=False, truncation=False, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**encoded).last_hidden_state[0]
        pairs.append(
            {
                "left": left,
                "right": right,
                "input_ids": encoded["input_ids"][0].tolist(),
                "token_type_ids": encoded["token_type_ids"][0].tolist(),
                "cls": numbers(hidden[0, :KEPT]),
                "cls_norm": numbers(hidden[0].norm()),
                "mean": numbers(hidden.mean(0)[:KEPT]),
            }
        )
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"made_with": versions, "pairs": pairs}, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
