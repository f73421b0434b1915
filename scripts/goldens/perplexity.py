"""Writes the perplexity that `transformers` gives a text with a decoder read from a GGUF file.

    python scripts/goldens/perplexity.py NAME FOLDER [BOS]      (needs torch, transformers and gguf)

FOLDER holds `model.gguf` as `sextant get NAME` leaves it; nothing of it is kept. The text is
`crates/sextant-model/tests/goldens/perplexity.txt` (the opening of "Pride and Prejudice", 1813). `transformers`
dequantises the weights and rebuilds the tokenizer itself. With BOS that token id comes first. Written beside the
text, `perplexity_NAME.json`: the token ids, exp of the mean negative log-likelihood of every token after the
first, in f32, and the five likeliest tokens after "The capital of France is".
"""

import json
import sys
from pathlib import Path

import torch
import transformers

PROMPT = "The capital of France is"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    name, folder = sys.argv[1:3]
    start = [int(sys.argv[3])] if len(sys.argv) > 3 else []
    goldens = Path(__file__).resolve().parents[2] / "crates/sextant-model/tests/goldens"
    text = (goldens / "perplexity.txt").read_text()
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32).eval()

    def logits(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0]

    def encode(text):
        return start + tokenizer(text, add_special_tokens=False)["input_ids"]

    ids, prompt = encode(text), encode(PROMPT)
    loss = torch.nn.functional.cross_entropy(logits(ids)[:-1], torch.tensor(ids[1:]))
    likely = logits(prompt)[-1].topk(5).indices.tolist()
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "ids": ids,
        "perplexity": float(f"{loss.exp().item():.9g}"),
        "prompt": prompt,
        "likely": likely,
        "likely_text": [tokenizer.decode([token]) for token in likely],
    }
    (goldens / f"perplexity_{name}.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
