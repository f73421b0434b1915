"""Checks that exported models compute in `transformers` and ONNX Runtime what Sextant computes.

    python scripts/check_exports.py SEXTANT                    (tiny random checkpoints of every family)
    python scripts/check_exports.py SEXTANT --bundle BUNDLE --task TASK --pairs PAIRS.jsonl [--rows N]

SEXTANT is the program (`target/release/sextant`). Needs torch, transformers, tokenizers and onnxruntime.

For every family, a random classifier of `transformers` with a tokenizer goes through `sextant import`,
`sextant export --format hf|onnx|onnx-int8` (decoders: hf) and `sextant score`; then the same pairs of texts go through the
exported folders. Printed for each: the largest difference of a logit between `transformers` on the export,
`transformers` on the original, and ONNX Runtime; and of a probability from `sextant score`. Anything past
1e-4 ends with an error; int8 files are measured, not judged.

With a bundle, the pairs of a file go through `sextant score` and the bundle's exports. Their texts are
written by the templates that the bundle states, which is what its model card asks of users; pairs that
training would cut are left out. If rows have grades, accuracies are printed too, also of the int8 file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime
import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers, processors

LIMIT = 1e-4
WORDS = [f"w{i}" for i in range(90)]
SIZES = dict(
    vocab_size=100,
    hidden_size=32,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=48,
    max_position_embeddings=80,
    num_labels=3,
)
ROBERTA = dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
IDS = dict(pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3)


def families():
    distil = dict(vocab_size=100, dim=32, n_layers=4, n_heads=4, hidden_dim=48, max_position_embeddings=80)
    deberta = dict(
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
    )
    return {
        "bert": t.BertConfig(**SIZES),
        "roberta": t.RobertaConfig(**SIZES, **ROBERTA),
        "xlm-roberta": t.XLMRobertaConfig(**SIZES, **ROBERTA),
        "electra": t.ElectraConfig(**SIZES, embedding_size=16),
        "distilbert": t.DistilBertConfig(**distil, num_labels=3),
        "modernbert": t.ModernBertConfig(**SIZES, **IDS, local_attention=8),
        "modernbert, mean": t.ModernBertConfig(**SIZES, **IDS, local_attention=8, classifier_pooling="mean"),
        "deberta-v2": t.DebertaV2Config(**SIZES, **deberta),
    }


def decoders():
    """For `transformers` only: ONNX files are of encoders."""
    sizes = SIZES | dict(num_key_value_heads=2, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    gemma = sizes | dict(head_dim=8)
    local = dict(sliding_window=8, query_pre_attn_scalar=24)
    scaled = dict(
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=16,
        rope_theta=500.0,
    )
    return {
        "llama": t.LlamaConfig(**sizes, rope_parameters=scaled),
        "mistral": t.MistralConfig(**sizes, sliding_window=8),
        "qwen2": t.Qwen2Config(**sizes, use_sliding_window=True, sliding_window=8, max_window_layers=2),
        "qwen3": t.Qwen3Config(**sizes, head_dim=8),
        "gemma": t.GemmaConfig(**gemma),
        "gemma2": t.Gemma2Config(**gemma, **local, attn_logit_softcapping=2.0),
        "gemma3": t.Gemma3TextConfig(**gemma, **local, sliding_window_pattern=3),
    }


def tokenizer(special):
    vocabulary = {token: i for i, token in enumerate(special + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=next(x for x in special if "unk" in x.lower())))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if special == BERT_SPECIAL:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    else:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def softmax(logits):
    shares = numpy.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def by_transformers(folder, pairs):
    tokenizer = t.PreTrainedTokenizerFast.from_pretrained(folder)
    model = t.AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    result = []
    with torch.no_grad():
        for first in range(0, len(pairs), 32):
            left, right = zip(*pairs[first : first + 32])
            inputs = tokenizer(list(left), list(right), padding=True, return_tensors="pt")
            result.append(model(**inputs).logits)
    return torch.cat(result).numpy()


def by_onnx(folder, pairs):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    pad = config["pad_token"]
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(pad), pad_token=pad)
    tokenizer.encode_special_tokens = True
    names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    result = []
    for first in range(0, len(pairs), 32):
        encodings = tokenizer.encode_batch(pairs[first : first + 32])
        feed = {i.name: numpy.array([getattr(e, names[i.name]) for e in encodings]) for i in session.get_inputs()}
        result.append(session.run(None, feed)[0])
    return numpy.concatenate(result)


def scored(sextant, bundle, rows, place):
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(sextant, "score", bundle, place / "pairs.jsonl", place / "scored.jsonl")
    lines = [json.loads(line) for line in (place / "scored.jsonl").read_text().splitlines()]
    return numpy.array([probabilities(line) for line in lines])


def probabilities(line):
    if "probs" in line:
        return line["probs"]
    return [line[f"p_{grade}"] for grade in ("irrelevant", "partial", "relevant")]


def exports(sextant, bundle, task, pairs, place, kinds=("hf", "onnx", "onnx-int8")):
    """Logits by kind of export."""
    for kind in kinds:
        run(sextant, "export", bundle, "--task", task, "--format", kind, "--out", place / kind)
    if "onnx" in kinds:
        size = lambda kind: (place / kind / "model.onnx").stat().st_size / 2**20
        print(f"  ONNX f32 {size('onnx'):.1f} MiB, int8 {size('onnx-int8'):.1f} MiB")
    return {kind: (by_transformers if kind == "hf" else by_onnx)(place / kind, pairs) for kind in kinds}


def check(name, difference):
    print(f"  {name}: {difference:.2e}")
    if not difference <= LIMIT:
        sys.exit(f"{name}: {difference:.2e} is past {LIMIT}")


def randomise(model, generator):
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            noise = torch.randn(tensor.shape, generator=generator)
            scale = 1 + 0.2 * noise if "norm" in name.lower() and name.endswith("weight") else 0.2 * noise
            tensor.copy_(scale)


def check_families(sextant):
    generator = torch.Generator().manual_seed(3)
    random = numpy.random.default_rng(3)
    text = lambda: " ".join(random.choice(WORDS, random.integers(1, 30)))
    pairs = [(text(), text()) for _ in range(70)]
    rows = [{"task": "query-query", "left": left, "right": right} for left, right in pairs]
    for name, config in (families() | decoders()).items():
        print(name)
        decoder = name in decoders()
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            model = t.AutoModelForSequenceClassification.from_config(config).eval()
            randomise(model, generator)
            # Decoders have no special tokens of their own here; any layout serves.
            special = ROBERTA_SPECIAL if decoder or "roberta" in name else BERT_SPECIAL
            model.save_pretrained(place / "original")
            tokenizer(special).save(str(place / "original" / "tokenizer.json"))
            run(sextant, "import", place / "original", "--out", place / "bundle")
            ours = scored(sextant, place / "bundle", rows, place)
            kinds = ("hf",) if decoder else ("hf", "onnx", "onnx-int8")
            found = exports(sextant, place / "bundle", "query-query", pairs, place, kinds)
            hf = found["hf"]
            # The original under the exported tokenizer's files.
            for file in ("tokenizer.json", "tokenizer_config.json"):
                (place / "original" / file).write_text((place / "hf" / file).read_text())
            original = by_transformers(place / "original", pairs)
            check("transformers, export against original, logits", abs(hf - original).max())
            check("sextant against transformers, probabilities", abs(ours - softmax(hf)).max())
            if not decoder:
                onnx, int8 = found["onnx"], found["onnx-int8"]
                check("ONNX Runtime against transformers, logits", abs(onnx - hf).max())
                print(f"  int8 against f32, probabilities: {abs(softmax(int8) - softmax(onnx)).max():.2e}")


def entity(template, value):
    """As the templates of sextant-text: parts without a value go together with their separator."""
    if isinstance(value, str):
        return template.replace("{text}", value.strip()).replace("{title}", value.strip()) if "{text}" in template else value.strip()
    attributes = value.get("attributes") or {}
    items = attributes.items() if isinstance(attributes, dict) else attributes
    fields = {
        "title": (value.get("title") or "").strip(),
        "brand": (value.get("brand") or "").strip(),
        "description": (value.get("description") or "").strip(),
        "attributes": ", ".join(f"{k.strip()}: {v.strip()}" for k, v in items if v.strip()),
        "type_path": " > ".join(x.strip() for x in value.get("type_path") or [] if x.strip()),
    }
    parts = []
    for part in template.split(" | "):
        name = part[part.index("{") + 1 : part.index("}")]
        if fields[name]:
            parts.append(part.replace("{" + name + "}", fields[name]))
    return " | ".join(parts)


def check_bundle(args):
    manifest = json.loads((args.bundle / "bundle.json").read_text())
    text = manifest["text"]
    rows = [json.loads(line) for line in args.pairs.read_text().splitlines()]
    rows = [row for row in rows if row.get("task", args.task) == args.task][: args.rows]
    kinds = args.task.split("-")
    prefix = text["prefix_template"].replace("{task}", args.task).strip() + " " if text["prefix"] else ""
    write = lambda row, side, kind: entity(text["templates"][kind], row[side])
    pairs = [(prefix + write(row, "left", kinds[0]), write(row, "right", kinds[1])) for row in rows]
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        # No class of `transformers` has a mixture of experts before its head.
        mixture = manifest["spec"]["routing"].get("mixture")
        probe = ("--format", "onnx") if mixture else ()
        run(args.sextant, "export", args.bundle, "--task", args.task, *probe, "--out", place / "probe")
        tokenizer = Tokenizer.from_file(str(place / "probe" / "tokenizer.json"))
        whole = [len(tokenizer.encode(*pair).ids) <= text["max_tokens"] for pair in pairs]
        rows = [row for row, fits in zip(rows, whole) if fits]
        pairs = [pair for pair, fits in zip(pairs, whole) if fits]
        print(f"{len(pairs)} rows of {args.task} ({whole.count(False)} too long left out)")
        ours = scored(args.sextant, args.bundle, rows, place)
        decoder = manifest["spec"]["backbone"].get("block", {}).get("causal", False)
        kinds = () if mixture else ("hf",)
        kinds += () if decoder else ("onnx", "onnx-int8")
        logits = exports(args.sextant, args.bundle, args.task, pairs, place, kinds)
        programs = {"hf": "transformers", "onnx": "ONNX f32", "onnx-int8": "ONNX int8"}
        for kind in kinds:
            if kind == "onnx-int8":
                continue  # measured, not judged
            check(f"sextant against {programs[kind]}, probabilities", abs(ours - softmax(logits[kind])).max())
        if "onnx" in kinds:
            difference = abs(softmax(logits["onnx-int8"]) - softmax(logits["onnx"])).max()
            print(f"  int8 against f32, probabilities: {difference:.2e}")
        found = [("sextant", ours)] + [(programs[kind], logits[kind]) for kind in kinds]
        grades = [row.get("grade") for row in rows]
        if all(grade is not None for grade in grades):
            names = {"irrelevant": 0, "partial": 1, "relevant": 2}
            grades = numpy.array([names.get(grade, grade) for grade in grades]).astype(int)
            for name, scores in found:
                print(f"  accuracy of {name}: {(scores.argmax(-1) == grades).mean():.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sextant", type=lambda path: Path(path).resolve())
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--task")
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--rows", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.bundle:
        check_bundle(args)
    else:
        check_families(args.sextant)


if __name__ == "__main__":
    main()
