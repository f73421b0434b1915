"""Makes rerankers with transformers, and scores pairs with sentence-transformers, for `test_cross_encoder.py`."""

import argparse
import json
import sys
from pathlib import Path

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


def tokenizer(family: str, pairs: list[list[str]]) -> "transformers.PreTrainedTokenizerFast":
    """A small tokenizer of the family's kind, trained on the pairs."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    texts = [text for pair in pairs for text in pair]
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
        built = Tokenizer(models.BPE())
        built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        built.decoder = decoders.ByteLevel()
        special = {
            "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            "modernbert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        }[family]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
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


def make(kind: str, pairs: list[list[str]], folder: Path, identity: bool) -> None:
    """Writes a reranker with one label: random of a family, or the backbone of a folder with a random head."""
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
        special = {"pad_token_id": words.pad_token_id}
        for name in ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"):
            special[name] = getattr(words, name)
        config = transformers.AutoConfig.for_model(kind, vocab_size=len(words), num_labels=1, **small, **special)
        model = transformers.AutoModelForSequenceClassification.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    if identity:
        model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "6.2.0"}
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make")
    parser.add_argument("--identity", action="store_true")
    arguments = parser.parse_args()
    pairs = json.load(sys.stdin)
    if arguments.make:
        make(arguments.make, pairs, arguments.folder, arguments.identity)
    encoder = CrossEncoder(str(arguments.folder), device="cpu")
    scores = encoder.predict(pairs)
    logits = encoder.predict(pairs, activation_fn=torch.nn.Identity())
    ranked = encoder.rank(pairs[0][0], [right for _, right in pairs])
    found = {
        "scores": scores.tolist(),
        "logits": logits.tolist(),
        "ranking": [entry["corpus_id"] for entry in ranked],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
