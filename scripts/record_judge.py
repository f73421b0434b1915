"""Writes crates/sextant-judge/tests/recorded/llama-cpp-smollm2.json: what a real llama.cpp server answers to our questions.

Run from the repository root, against a server that runs SmolLM2-135M-Instruct (`sextant get smollm2`), for example that of
the Python package xllamacpp:

    python scripts/record_judge.py http://127.0.0.1:8080/v1
"""

import json
import math
import sys
import tomllib
import urllib.request
from pathlib import Path

JUDGE = Path(__file__).resolve().parents[1] / "crates/sextant-judge"
LABELS = ["0", "1", "2"]


def messages():
    prompt = tomllib.loads((JUDGE / "prompts/three-point.toml").read_text())
    scale = "\n".join(f"{level['label']}: {level['meaning']}" for level in prompt["levels"])
    places = {
        "instructions": prompt["instructions"]["query-type"], "scale": scale,
        "left_kind": "Query", "right_kind": "Type", "left": "sofa 0", "right": "Sofas",
    }
    question = prompt["question"]
    for place, text in places.items():
        question = question.replace("{" + place + "}", text)
    return [{"role": "system", "content": prompt["system"].strip()}, {"role": "user", "content": question.strip()}]


def ask(base, **more):
    body = {"model": "m", "messages": messages(), "max_tokens": 1, "seed": 1, "logprobs": True, **more}
    request = urllib.request.Request(
        f"{base}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def main():
    base = sys.argv[1]
    grammar = 'root ::= "0" | "1" | "2"'
    after = dict(temperature=1.0, grammar=grammar, post_sampling_probs=True, top_k=0, top_p=1.0, min_p=0.0, top_logprobs=3)
    recorded = []
    for method, answer, key, probability in [
        ("constrained", ask(base, **after), "top_probs", lambda token: token["prob"]),
        ("logprobs", ask(base, temperature=0.0, top_logprobs=20), "top_logprobs", lambda token: math.exp(token["logprob"])),
    ]:
        found = [0.0, 0.0, 0.0]
        for token in answer["choices"][0]["logprobs"]["content"][0][key]:
            if token["token"].strip() in LABELS:
                found[LABELS.index(token["token"].strip())] += probability(token)
        mass = sum(found)
        recorded.append({"method": method, "probs": [p / mass for p in found], "label_mass": mass, "raw": answer})
    (JUDGE / "tests/recorded/llama-cpp-smollm2.json").write_text(json.dumps(recorded, indent=1) + "\n")


main()
