"""Makes a folder with a cross-encoder of one label out of a backbone's folder, in the forms that servers read.

    python benches/peers/one_label.py BACKBONE FOLDER

The head has random numbers: how long an answer takes does not depend on them. Needs torch, transformers, onnx, onnxruntime
and, for llama.cpp, gguf. The GGUF files are written with llama.cpp's names and metadata for its architecture `bert`.
"""

import pathlib
import sys
import tempfile

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

SOURCE, TARGET = map(pathlib.Path, sys.argv[1:3])


def model():
    torch.manual_seed(1)
    config = BertConfig.from_pretrained(SOURCE, num_labels=1, architectures=["BertForSequenceClassification"])
    return BertForSequenceClassification.from_pretrained(SOURCE, config=config).eval()


def onnx(model, tokenizer):
    """Folders with the model in 32 and in 8 bits, fused as ONNX Runtime's own tool does it for this architecture.

    infinity takes a file whose name ends so as it is. It would fuse others itself, with a path that current versions
    of optimum do not find.
    """
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    places = [TARGET / "onnx-f32", TARGET / "onnx-int8"]
    for place in places:
        place.mkdir(exist_ok=True)
        model.config.save_pretrained(place)
        tokenizer.save_pretrained(place)
    batch = tokenizer([("red sofa", "lamp"), ("drill", "cordless drill 18V")], padding=True, return_tensors="pt")
    names = list(batch)
    axes = {name: {0: "batch", 1: "sequence"} for name in names} | {"logits": {0: "batch"}}
    with tempfile.TemporaryDirectory() as scratch:
        plain = f"{scratch}/model.onnx"
        torch.onnx.export(
            model,
            tuple(batch[name] for name in names),
            plain,
            input_names=names,
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        config = model.config
        fused = optimize_model(plain, "bert", config.num_attention_heads, config.hidden_size)
        fused.save_model_to_file(str(places[0] / "model_optimized.onnx"))
    quantize_dynamic(
        places[0] / "model_optimized.onnx",
        places[1] / "model_optimized.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        # the types of what fused operations give are not known to the tool
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def gguf(model, tokenizer, kind):
    import gguf as library

    config = model.config
    writer = library.GGUFWriter(TARGET / f"model-{kind}.gguf", "bert")
    writer.add_name("one-label")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(library.PoolingType.RANK)
    words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_tokens)
    # llama.cpp's form of WordPiece: the beginning of a word is marked, not its continuation
    mark = lambda word: word if word in special or word[:1] == "[" and word[-1:] == "]" else word[2:] if word.startswith("##") else "\u2581" + word
    kinds = [library.TokenType.CONTROL if word in special else library.TokenType.NORMAL for word in words]
    writer.add_tokenizer_model("bert")
    writer.add_token_list([mark(word) for word in words])
    writer.add_token_types(kinds)
    writer.add_token_type_count(config.type_vocab_size)
    writer.add_bos_token_id(tokenizer.cls_token_id)
    writer.add_uint32("tokenizer.ggml.cls_token_id", tokenizer.cls_token_id)
    writer.add_eos_token_id(tokenizer.sep_token_id)
    writer.add_sep_token_id(tokenizer.sep_token_id)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    names = library.get_tensor_name_map(library.MODEL_ARCH.BERT, config.num_hidden_layers)
    own = {"bert.pooler.dense": "cls", "classifier": "cls.output"}
    for name, tensor in model.state_dict().items():
        if name.endswith("position_ids"):
            continue
        stem, end = name.rsplit(".", 1)
        known = own.get(stem) or names.get_name(stem.removeprefix("bert.")) or names.get_name(stem)
        if known is None:
            raise SystemExit(f"llama.cpp has no name for {name}")
        data = tensor.numpy().astype("float32")
        if kind == "q8_0" and data.ndim == 2 and known not in ("cls.output", "position_embd", "token_types"):
            packed = library.quants.quantize(data, library.GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"{known}.{end}", packed, raw_dtype=library.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(f"{known}.{end}", data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


TARGET.mkdir(parents=True, exist_ok=True)
MODEL, TOKENIZER = model(), AutoTokenizer.from_pretrained(SOURCE)
# infinity warms up with texts of this length
TOKENIZER.model_max_length = MODEL.config.max_position_embeddings
MODEL.save_pretrained(TARGET)
TOKENIZER.save_pretrained(TARGET)
onnx(MODEL, TOKENIZER)
for kind in ("f32", "q8_0"):
    gguf(MODEL, TOKENIZER, kind)
