"""Checks that LoRA adapters mean in `peft` what they mean in Sextant, both ways.

    python scripts/check_peft.py SEXTANT                 (tiny random bases)
    python scripts/check_peft.py SEXTANT --bundle BUNDLE --base BASE --pairs PAIRS.jsonl [--rows N]

SEXTANT is the program (`target/release/sextant`). Needs torch, transformers, tokenizers, peft and the
packages of `check_exports.py`, whose helpers it uses.

For each base, a random adapter with a head is saved by `peft` and goes through `sextant import`; then the
bundle goes through `sextant export --format peft`, `--format hf` (merged) and `sextant merge`. The same pairs
of texts are scored by: `peft` on its own folder, `sextant` on the import, `peft` on the folder that Sextant
wrote, `transformers` on the merged export, `sextant` on the merged bundle.

With a bundle that Sextant trained with LoRA, every task that the pairs have is exported both ways and
scored by all of these. Anything past 1e-4 ends with an error.
"""

import argparse
import json
import tempfile
import warnings
from pathlib import Path

import numpy
import peft
import torch
import transformers as t
from check_exports import (
    BERT_SPECIAL,
    IDS,
    ROBERTA_SPECIAL,
    SIZES,
    WORDS,
    by_transformers,
    check,
    entity,
    randomise,
    run,
    scored,
    softmax,
    tokenizer,
)

GQA = SIZES | dict(num_key_value_heads=2, pad_token_id=1, bos_token_id=0, eos_token_id=2)
GEMMA = GQA | dict(head_dim=8)


def cases():
    """Name, base, LoRA settings."""
    every = dict(target_modules="all-linear")
    some = dict(target_modules=["q_proj", "v_proj", "down_proj"], use_rslora=True)
    saved = every | dict(modules_to_save=["model.norm", "model.layers.1.mlp.down_proj"])
    # "all-linear" would adapt BERT's pooler too, which Sextant trains whole.
    blocks = dict(target_modules=["query", "key", "value", "intermediate.dense", "output.dense"])
    local = dict(sliding_window=8, query_pre_attn_scalar=24)
    return {
        "llama, all linear layers": (t.LlamaConfig(**GQA), every),
        "llama, some, rsLoRA": (t.LlamaConfig(**GQA), some),
        "llama, saved modules": (t.LlamaConfig(**GQA), saved),
        "mistral": (t.MistralConfig(**GQA, sliding_window=8), every),
        "qwen2": (t.Qwen2Config(**GQA), every),
        "qwen3": (t.Qwen3Config(**GQA, head_dim=8), every),
        "gemma": (t.GemmaConfig(**GEMMA), every),
        "gemma2": (t.Gemma2Config(**GEMMA, **local), every),
        "gemma3": (t.Gemma3TextConfig(**GEMMA, **local), some),
        "bert": (t.BertConfig(**SIZES), blocks),
        "roberta": (t.RobertaConfig(**SIZES, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5), blocks),
        "modernbert": (t.ModernBertConfig(**SIZES, **IDS, local_attention=8), dict(target_modules=["Wqkv", "Wo"])),
    }


def load(folder, **settings):
    return t.AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager", **settings)


def by_peft(base, folder, pairs, pad):
    """Logits of an adapter over its base, in padded batches."""
    words = t.PreTrainedTokenizerFast.from_pretrained(folder)
    model = peft.PeftModel.from_pretrained(load(base, num_labels=3, pad_token_id=pad), folder).eval()
    result = []
    with torch.no_grad():
        for first in range(0, len(pairs), 32):
            left, right = zip(*pairs[first : first + 32])
            inputs = words(list(left), list(right), padding=True, return_tensors="pt")
            result.append(model(**inputs).logits)
    return torch.cat(result).numpy()


def check_case(sextant, name, config, settings, pairs, rows, generator, place):
    # Decoders have no special tokens of their own here; any layout serves.
    special = BERT_SPECIAL if name in ("bert", "modernbert") else ROBERTA_SPECIAL
    base = t.AutoModelForSequenceClassification.from_config(config).eval()
    randomise(base, generator)
    base.save_pretrained(place / "base")
    tokenizer(special).save(str(place / "base" / "tokenizer.json"))
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.1, **settings)
    model = peft.get_peft_model(load(place / "base"), lora).eval()
    with torch.no_grad():
        for parameter, tensor in sorted(model.named_parameters()):
            if tensor.requires_grad:
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(1 + 0.2 * noise if "norm" in parameter else 0.2 * noise)
    model.save_pretrained(place / "theirs")
    run(sextant, "import", place / "theirs", "--base", place / "base", "--out", place / "bundle")
    everywhere(sextant, place, "query-query", pairs, rows, place / "base", config.pad_token_id, place / "theirs")


def everywhere(sextant, place, task, pairs, rows, base, pad, theirs=None):
    """Scores pairs in every way and compares."""
    bundle = place / "bundle"
    ours = scored(sextant, bundle, rows, place)
    options = ["--task", task, "--out"]
    run(sextant, "export", bundle, "--format", "peft", "--base", base, *options, place / "adapter")
    run(sextant, "export", bundle, "--format", "hf", *options, place / "merged")
    run(sextant, "merge", bundle, "--out", place / "merged-bundle")
    found = by_peft(base, place / "adapter", pairs, pad)
    if theirs:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (theirs / file).write_text((place / "adapter" / file).read_text())
        check("peft on our folder against its own, logits", abs(found - by_peft(base, theirs, pairs, pad)).max())
    check("sextant against peft, probabilities", abs(ours - softmax(found)).max())
    merged = by_transformers(place / "merged", pairs)
    check("transformers on the merged export against peft, logits", abs(merged - found).max())
    check("sextant on the merged bundle, probabilities", abs(scored(sextant, place / "merged-bundle", rows, place) - ours).max())


def check_bundle(args):
    manifest = json.loads((args.bundle / "bundle.json").read_text())
    text = manifest["text"]
    everything = [json.loads(line) for line in args.pairs.read_text().splitlines()]
    for task in manifest["spec"]["tasks"]:
        rows = [row for row in everything if row["task"] == task][: args.rows]
        kinds = task.split("-")
        prefix = text["prefix_template"].replace("{task}", task).strip() + " " if text["prefix"] else ""
        write = lambda row, side, kind: entity(text["templates"][kind], row[side])
        pairs = [(prefix + write(row, "left", kinds[0]), write(row, "right", kinds[1])) for row in rows]
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            (place / "bundle").symlink_to(args.bundle.resolve())
            run(args.sextant, "export", place / "bundle", "--task", task, "--out", place / "probe")
            words = t.PreTrainedTokenizerFast.from_pretrained(place / "probe")
            whole = [len(words(*pair)["input_ids"]) <= text["max_tokens"] for pair in pairs]
            rows = [row for row, fits in zip(rows, whole) if fits]
            pairs = [pair for pair, fits in zip(pairs, whole) if fits]
            print(f"{task}: {len(pairs)} rows ({whole.count(False)} too long left out)")
            everywhere(args.sextant, place, task, pairs, rows, args.base, words.pad_token_id)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sextant", type=lambda path: Path(path).resolve())
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if args.bundle:
        return check_bundle(args)
    generator = torch.Generator().manual_seed(5)
    random = numpy.random.default_rng(5)
    text = lambda: " ".join(random.choice(WORDS, random.integers(1, 30)))
    pairs = [(text(), text()) for _ in range(70)]
    rows = [{"task": "query-query", "left": left, "right": right} for left, right in pairs]
    for name, (config, settings) in cases().items():
        print(name)
        with tempfile.TemporaryDirectory() as place:
            check_case(args.sextant, name, config, settings, pairs, rows, generator, Path(place))


if __name__ == "__main__":
    main()
