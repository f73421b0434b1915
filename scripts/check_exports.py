"""Checks that exported models compute in `transformers` and ONNX Runtime what Sextant computes.

    python scripts/check_exports.py SEXTANT                    (tiny random checkpoints of every family)
    python scripts/check_exports.py SEXTANT --bundle BUNDLE --task TASK --pairs PAIRS.jsonl [--rows N]
    python scripts/check_exports.py --kept FOLDER              (exports that a Rust test left, hard pairs)

SEXTANT is the program (`target/release/sextant`). Needs torch, transformers, tokenizers and onnxruntime.

For every family, a random classifier of `transformers` with a tokenizer goes through `sextant import`,
`sextant export --format hf|onnx|onnx-int8` (decoders: hf) and `sextant score`; then the same pairs of texts go through the
exported folders. Printed for each: the largest difference of a logit between `transformers` on the export,
`transformers` on the original, and ONNX Runtime; and of a probability from `sextant score`. Anything past
1e-4 ends with an error; int8 files are measured, not judged.

With a bundle, the pairs of a file go through `sextant score` and the bundle's exports; other programs get
their rows from the `sextant_pair.py` of the export, which rows are cut included. Beside that stands what
happens without it: the texts of the templates, cut by the tokenizer of `transformers`. If rows have grades,
accuracies are printed too. Of the int8 file: mean and largest difference of a probability from f32, and how
many grades change, beside those of `sextant score --precision int8`.

The third form reads what `SEXTANT_KEEP_EXPORTS=FOLDER cargo test -p sextant-model exported_pairs` leaves:
exports of every family and task, and hard pairs with the ids and probabilities of Sextant. The ids of
`sextant_pair.py` must be equal, probabilities of `transformers` and ONNX Runtime within 1e-6.
"""

import argparse
import importlib.util
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


def pair_encoder(folder):
    """The encoder that an export carries, from its own file."""
    spec = importlib.util.spec_from_file_location("sextant_pair", folder / "sextant_pair.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PairEncoder(folder)


def by_transformers(folder, pairs, encode=None):
    """Logits; `encode` makes the inputs of some pairs, without it the folder's tokenizer does."""
    tokenizer = t.PreTrainedTokenizerFast.from_pretrained(folder)
    model = t.AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    result = []
    with torch.no_grad():
        for first in range(0, len(pairs), 32):
            some = pairs[first : first + 32]
            if encode:
                inputs = {name: torch.tensor(rows) for name, rows in encode(some).items()}
            else:
                left, right = zip(*some)
                inputs = tokenizer(list(left), list(right), padding=True, truncation=True, return_tensors="pt")
            result.append(model(**inputs).logits)
    return torch.cat(result).numpy()


def by_onnx(folder, pairs, encode=None):
    encode = encode or pair_encoder(folder)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    result = []
    for first in range(0, len(pairs), 32):
        inputs = encode(pairs[first : first + 32])
        result.append(session.run(None, {name: numpy.array(rows) for name, rows in inputs.items()})[0])
    return numpy.concatenate(result)


def scored(sextant, bundle, rows, place, *options):
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(sextant, "score", bundle, place / "pairs.jsonl", place / "scored.jsonl", *options)
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


def check(name, difference, limit=LIMIT):
    print(f"  {name}: {difference:.2e}")
    if not difference <= limit:
        sys.exit(f"{name}: {difference:.2e} is past {limit}")


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
    """An entity as text, by the Python file that exports carry."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "crates/sextant-model/src/export"))
    import sextant_pair

    encoder = object.__new__(sextant_pair.PairEncoder)
    encoder.config = {"right": {"kind": "product" if "{title}" in template else "query"}}
    encoder.templates = {"right": sextant_pair.parse(template)}
    return "".join(text for text, _ in encoder.render("right", value))


def check_values():
    """Values that are no texts, written as Sextant writes them when it reads rows."""
    given = {"a": 1e16, "b": 10**23, "c": 1e-5, "d": None, "e": 1.5e-7, "f": 2**64 - 1, "g": True}
    product = {"title": "t", "attributes": given, "type_path": [None, "Tools"]}
    expected = "t | a: 1e+16, b: 1e+23, c: 0.00001, e: 1.5e-7, f: 18446744073709551615, g: true | Tools"
    found = entity("{title} | {attributes} | {type_path}", product)
    assert found == expected, found


def apart(found, expected):
    """How far probabilities are from others, and how many grades change."""
    difference = abs(found - expected)
    flips = (found.argmax(-1) != expected.argmax(-1)).sum()
    return f"mean {difference.mean():.5f}, largest {difference.max():.5f}, {flips} of {len(found)} grades change"


def check_bundle(args):
    manifest = json.loads((args.bundle / "bundle.json").read_text())
    text = manifest["text"]
    rows = [json.loads(line) for line in args.pairs.read_text().splitlines()]
    rows = [row for row in rows if row.get("task", args.task) == args.task][: args.rows]
    pairs = [(row["left"], row["right"]) for row in rows]
    decoder = manifest["spec"]["backbone"].get("block", {}).get("causal", False)
    # No class of `transformers` has a mixture of experts before its head.
    kinds = () if manifest["spec"]["routing"].get("mixture") else ("hf",)
    kinds += () if decoder else ("onnx", "onnx-int8")
    programs = {"hf": "transformers", "onnx": "ONNX f32", "onnx-int8": "ONNX int8"}
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for kind in kinds:
            run(args.sextant, "export", args.bundle, "--task", args.task, "--format", kind, "--out", place / kind)
        encode = pair_encoder(place / kinds[0])
        # What a user has without the file: the texts of both sides, cut by the tokenizer.
        texts = [tuple("".join(text for text, _ in encode.render(*side)) for side in zip(("left", "right"), pair)) for pair in pairs]
        whole = Tokenizer.from_file(str(place / kinds[0] / "tokenizer.json"))
        whole.no_truncation()
        whole.no_padding()
        cut = numpy.array([len(whole.encode(*pair).ids) > text["max_tokens"] for pair in texts])
        print(f"{len(pairs)} rows of {args.task}, {cut.sum()} of them longer than {text['max_tokens']} tokens")
        ours = scored(args.sextant, args.bundle, rows, place)
        found = {"sextant": ours}
        for kind in kinds:
            found[programs[kind]] = softmax((by_transformers if kind == "hf" else by_onnx)(place / kind, pairs, encode))
        if "hf" in kinds:
            without = softmax(by_transformers(place / "hf", texts))
            for name, those in (("not cut", ~cut), ("cut", cut)):
                if those.any():
                    print(f"  without sextant_pair.py, rows {name}: {apart(without[those], ours[those])}")
        for name, scores in found.items():
            if name != "ONNX int8":
                check(f"sextant against {name}, probabilities", abs(ours - scores).max(), 1e-5)
        if "ONNX int8" in found:
            print(f"  ONNX int8 against f32: {apart(found['ONNX int8'], found['ONNX f32'])}")
            int8 = scored(args.sextant, args.bundle, rows, place, "--precision", "int8")
            print(f"  sextant int8 against f32: {apart(int8, ours)}")
        grades = [row.get("grade") for row in rows]
        if all(grade is not None for grade in grades):
            names = {"irrelevant": 0, "partial": 1, "relevant": 2}
            grades = numpy.array([names.get(grade, grade) for grade in grades]).astype(int)
            for name, scores in found.items():
                print(f"  accuracy of {name}: {(scores.argmax(-1) == grades).mean():.4f}")


def check_kept(folder):
    """Every export that the Rust test left."""
    for family in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows_in_all, worst = 0, 0.0
        for task in sorted(path for path in family.iterdir() if (path / "rows.json").exists()):
            rows = json.loads((task / "rows.json").read_text())
            pairs = [(row["left"], row["right"]) for row in rows]
            ours = numpy.array([row["probabilities"] for row in rows])
            for form in ("hf", "onnx"):
                if not (task / form).exists():
                    continue
                encode = pair_encoder(task / form)
                for number, ((ids, segments), row) in enumerate(zip(encode.rows(pairs), rows, strict=True)):
                    if ids != row["ids"] or segments != row["segments"]:
                        sys.exit(f"{task}, {form}, row {number}: ids differ\n{pairs[number]}\n{ids}\n{row['ids']}")
                logits = (by_transformers if form == "hf" else by_onnx)(task / form, pairs, encode)
                worst = max(worst, abs(softmax(logits) - ours).max())
                rows_in_all += len(rows)
        print(f"{family.name}: {rows_in_all} rows with equal ids")
        check("probabilities against sextant", worst, 1e-6)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sextant", nargs="?", type=lambda path: Path(path).resolve())
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--task")
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--rows", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    check_values()
    if args.kept:
        return check_kept(args.kept)
    if not args.sextant:
        parser.error("name the program")
    if args.bundle:
        check_bundle(args)
    else:
        check_families(args.sextant)


if __name__ == "__main__":
    main()
