"""Perplexity of a GGUF file on a text by `transformers`, on the weights that it dequantises: what `cargo xtask
perplexity` is compared with.

    python benches/peers/perplexity.py FOLDER_WITH_MODEL.GGUF TEXT
"""

import sys

import torch
import transformers

folder, text = sys.argv[1:]
# no token for the begin of a text, as the other side
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32).eval()
with open(text, encoding="utf-8") as file:
    ids = tokenizer(file.read(), add_special_tokens=False, return_tensors="pt").input_ids
with torch.inference_mode():
    logits = model(ids).logits[0]
loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])
print(f"tokens {ids.shape[1]}, first {ids[0, :12].tolist()}, perplexity {loss.exp().item():.4f}")
for prompt in ["The capital of France is", "A hammer is used to drive"]:
    given = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.inference_mode():
        best = model(given).logits[0, -1].topk(3).indices
    print(repr(prompt), [tokenizer.decode(token) for token in best])
