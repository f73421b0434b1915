"""Writes small tokenizers that are built as those of the families are:

    python scripts/goldens/tokenizers_of_families.py        (needs the package `tokenizers`)

`crates/sextant-text/tests/tokenizers/NAME.json`: normalizer, pre-tokenizer, model and post-processor are of
the family's kind, the vocabulary is trained from the few texts below.
"""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = Path(__file__).parents[2] / "crates/sextant-text/tests/tokenizers"
TEXTS = """
cordless drill 18 volt with two batteries and a charger for batteries
Cordless Hammer Drill, 18V, red | brand: Acme | color: red, volts: 18 | Tools > Power Tools > Drills
task: query-product | task: query-query | task: query-type | task: type-type | task: product-type | task: product-product
garden hose 50 ft | brand: Rainer, with brass fittings and a spray nozzle
women's running shoes, size 9, running shoe for women with soft sole
a soft cotton towel in blue, set of six towels for the bathroom
café table and chairs for the garden, naïve façade, crème brûlée
drill bits for concrete, steel and wood, 3/8" x 6"
красная дрель с двумя батареями и зарядным устройством для дома
红色 无线 电钻 18V 附 两块 电池 和 充电器
the drill comes with a case, batteries and a charger; see https://example.com/drill?id=42
Stainless steel kitchen knife 200mm (8-inch), dishwasher safe, 100% recyclable
""".strip().splitlines() * 3
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def trained(tokenizer, trainer):
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained(tokenizer, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    return tokenizer


def byte_level(special, **trainer):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False, **trainer)


def roberta():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained(tokenizer, byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def modernbert():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained(tokenizer, byte_level(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    # GPT-NeoX's tokens of white space, which ModernBERT has too.
    tokenizer.add_tokens([AddedToken(" " * length, normalized=True, special=False) for length in range(2, 8)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def xlm_roberta():
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trained(tokenizer, trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def llama():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(GPT4), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    trained(tokenizer, byte_level(["<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>"]))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentencepiece(special):
    """A BPE over whole texts, whose white space is a character like others."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trained(tokenizer, trainers.BpeTrainer(vocab_size=700, special_tokens=special + BYTES, show_progress=False))
    return tokenizer


def mistral():
    tokenizer = sentencepiece(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    return tokenizer


def gemma():
    tokenizer = sentencepiece(["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_tokens([AddedToken("\n" * length, normalized=False, special=False) for length in range(2, 5)])
    return tokenizer


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in (bert, roberta, modernbert, xlm_roberta, llama, mistral, gemma):
        make().save(str(FOLDER / f"{make.__name__}.json"), pretty=False)
