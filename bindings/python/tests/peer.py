"""Makes rerankers with transformers, and scores pairs with sentence-transformers, for `test_cross_encoder.py`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import CrossEncoder

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}
HEADS = {"num_key_value_heads": 2, "head_dim": 8}
WINDOW = {"sliding_window": 8, "query_pre_attn_scalar": 24}
DECODERS = {
    "llama": {"num_key_value_heads": 2},
    "mistral": HEADS | {"sliding_window": 8},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": HEADS,
    "gemma": HEADS,
    "gemma2": HEADS | WINDOW,
    "gemma3_text": HEADS | WINDOW,
}
"""Decoders, and what each asks for besides the small sizes."""


QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers split texts. (From version 5 on, transformers splits so whatever the file says.)"""


def bytewise(special: list[str], texts: list[str], split: str | None = None) -> Any:
    """A tokenizer of bytes and merges, without a post-processor."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    built = Tokenizer(models.BPE())
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split is not None:
        built.normalizer = normalizers.NFC()
        words = pre_tokenizers.Split(Regex(split), "isolated")
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        built.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    built.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    built.train_from_iterator(texts * 3, trainer)
    return built


def decoder_tokenizer(family: str, texts: list[str]) -> "transformers.PreTrainedTokenizerFast":
    """A small tokenizer that lays out pairs as the family's published ones do: each side after the token that begins
    a text, or, in Qwen, one side after the other and nothing else."""
    from tokenizers import processors

    if family.startswith("qwen"):
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        names = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    elif family == "llama":
        special = ["<|begin_of_text|>", "<|end_of_text|>"]
        # Rows that are padded with the token that ends a text, as many are.
        names = {"bos_token": special[0], "eos_token": special[1], "pad_token": special[1]}
    elif family == "mistral":
        special = ["<unk>", "<s>", "</s>"]
        names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    else:
        special = ["<pad>", "<eos>", "<bos>", "<unk>"]
        names = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}
    built = bytewise(special, texts, QWEN if family.startswith("qwen") else None)
    begin = names.get("bos_token")
    if begin is not None:
        end = f" {names['eos_token']}:1" if family == "llama" else ""
        built.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A",
            pair=f"{begin} $A {begin}:1 $B:1{end}",
            special_tokens=[(token, built.token_to_id(token)) for token in {begin, names["eos_token"]}],
        )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=built, model_max_length=128, **names)


def tokenizer(family: str, pairs: list[list[str]]) -> "transformers.PreTrainedTokenizerFast":
    """A small tokenizer of the family's kind, trained on the pairs."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    texts = [text for pair in pairs for text in pair]
    if family in DECODERS:
        return decoder_tokenizer(family, texts)
    if family in ("bert", "electra", "distilbert"):
        built = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        built.normalizer = normalizers.BertNormalizer(lowercase=True)
        built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    elif family in ("xlm-roberta", "deberta-v2"):
        built = Tokenizer(models.Unigram())
        built.pre_tokenizer = pre_tokenizers.Metaspace()
        special = (
            ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
            if family == "xlm-roberta"
            else ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
        )
        unknown = "<unk>" if family == "xlm-roberta" else "[UNK]"
        trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token=unknown)
    else:
        special = {
            "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            "modernbert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        }[family]
        built = bytewise(special, texts)
    if family not in ("roberta", "modernbert"):
        built.train_from_iterator(texts * 3, trainer)
    number = built.token_to_id
    if family in ("roberta", "xlm-roberta"):
        layout = processors.RobertaProcessing(("</s>", number("</s>")), ("<s>", number("<s>")), add_prefix_space=False)
        if family == "xlm-roberta":
            layout = processors.TemplateProcessing(
                single="<s> $A </s>",
                pair="<s> $A </s> </s> $B </s>",
                special_tokens=[("<s>", number("<s>")), ("</s>", number("</s>"))],
            )
        built.post_processor = layout
        names = {"cls_token": "<s>", "sep_token": "</s>", "bos_token": "<s>", "eos_token": "</s>"}
        names |= {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    else:
        built.post_processor = processors.TemplateProcessing(
            single="[CLS]:0 $A:0 [SEP]:0",
            pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            special_tokens=[("[CLS]", number("[CLS]")), ("[SEP]", number("[SEP]"))],
        )
        names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
        names |= {"unk_token": "[UNK]", "mask_token": "[MASK]"}
    # Only this class hands the segments of a pair on, as BERT's published tokenizers do.
    bert = family in ("bert", "electra")
    kind = transformers.BertTokenizerFast if bert else transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=built, model_max_length=128, **names)


def make(kind: str, pairs: list[list[str]], folder: Path, identity: bool, labels: list[str]) -> None:
    """Writes a reranker, with one label unless several are named: random of a family, or the backbone of a folder with
    a random head."""
    torch.manual_seed(7)
    if Path(kind).is_dir():
        words = transformers.AutoTokenizer.from_pretrained(kind)
        words.model_max_length = 512
        model = transformers.AutoModelForSequenceClassification.from_pretrained(kind, num_labels=1)
    else:
        words = tokenizer(kind, pairs)
        small = dict(SMALL)
        if kind == "distilbert":
            small = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 128}
        if kind in ("roberta", "xlm-roberta"):
            small["max_position_embeddings"] = 130
        if kind == "electra":
            small["embedding_size"] = 32
        if kind == "deberta-v2":
            small |= {
                "relative_attention": True,
                "position_buckets": 16,
                "norm_rel_ebd": "layer_norm",
                "share_att_key": True,
                "pos_att_type": ["p2c", "c2p"],
                "position_biased_input": False,
                "type_vocab_size": 0,
            }
        small |= DECODERS.get(kind, {})
        special = {"pad_token_id": words.pad_token_id}
        for name in ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"):
            special[name] = getattr(words, name)
        config = transformers.AutoConfig.for_model(kind, vocab_size=len(words), num_labels=1, **small, **special)
        if labels:
            config.id2label = dict(enumerate(labels))
            config.label2id = {label: number for number, label in enumerate(labels)}
        model = transformers.AutoModelForSequenceClassification.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    if identity:
        model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "6.2.0"}
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def cut_otherwise(encoder: CrossEncoder, left: str, right: str) -> list[float]:
    """The scores of a pair that is too long, cut to as many tokens as the peer does: as the peer shares them between
    the sides, and with one more token of the one side or of the other."""
    tokenizer = encoder.tokenizer
    row = tokenizer(left, right, truncation="longest_first", max_length=tokenizer.model_max_length)
    sides = row.sequence_ids(0)
    ends = [max(place for place, side in enumerate(sides) if side == which) for which in (0, 1)]
    rows = [{key: list(row[key]) for key in row}]
    for longer, shorter in ((0, 1), (1, 0)):
        whole = tokenizer((left, right)[longer], add_special_tokens=False)["input_ids"]
        if sides.count(longer) == len(whole):
            continue
        changed = {key: list(row[key]) for key in row}
        for key, values in changed.items():
            values.insert(ends[longer] + 1, whole[sides.count(longer)] if key == "input_ids" else values[ends[longer]])
            del values[ends[shorter] + (shorter > longer)]
        rows.append(changed)
    with torch.inference_mode():
        logits = [encoder.model(**{key: torch.tensor([values]) for key, values in row.items()}).logits for row in rows]
    return [torch.sigmoid(logit)[0, 0].item() for logit in logits]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make")
    parser.add_argument("--identity", action="store_true")
    parser.add_argument("--labels", nargs="*", default=[])
    arguments = parser.parse_args()
    pairs = json.load(sys.stdin)
    if arguments.make:
        make(arguments.make, pairs, arguments.folder, arguments.identity, arguments.labels)
    encoder = CrossEncoder(str(arguments.folder), device="cpu")
    if len(arguments.labels) > 1:
        print(json.dumps({"shares": encoder.predict(pairs, apply_softmax=True).tolist()}))
        return
    scores = encoder.predict(pairs)
    logits = encoder.predict(pairs, activation_fn=torch.nn.Identity())
    ranked = encoder.rank(pairs[0][0], [right for _, right in pairs])
    found = {
        "scores": scores.tolist(),
        "logits": logits.tolist(),
        "ranking": [entry["corpus_id"] for entry in ranked],
    }
    if arguments.make not in DECODERS:
        found["cut"] = cut_otherwise(encoder, *pairs[-1])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
