"""Plain PyTorch: `transformers` encoders with three labels, dynamic padding, a written-out loop.

Cases say `sorted` (batches of rows of like length), `default` (PyTorch's defaults: no fused optimizer, rows as
they come) or neither, and `deberta`, `modernbert` or `decoder` where the model is a DeBERTa of the shape of v3-small, a
ModernBERT-base of six layers, or a decoder of the shape of SmolLM2-135M, with random numbers.
"""

import functools

import torch
import transformers

import worker

torch.set_num_threads(worker.THREADS)
WORK = worker.workload()
DEBERTA = {
    "vocab_size": 128100,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "max_position_embeddings": 512,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "pooler_hidden_act": "gelu",
    "pooler_dropout": 0,
    "num_labels": 3,
}


MODERNBERT = {
    "vocab_size": 50368,
    "hidden_size": 768,
    "intermediate_size": 1152,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "max_position_embeddings": 8192,
    "local_attention": 128,
    "global_attn_every_n_layers": 3,
    "pad_token_id": 0,
    "num_labels": 3,
}


DECODER = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "rope_theta": 100000.0,
    "rms_norm_eps": 1e-5,
    "pad_token_id": 0,
    "num_labels": 3,
}


@functools.cache
def model(kind):
    if kind == "deberta":
        return transformers.DebertaV2ForSequenceClassification(transformers.DebertaV2Config(**DEBERTA))
    if kind == "modernbert":
        return transformers.ModernBertForSequenceClassification(transformers.ModernBertConfig(**MODERNBERT))
    if kind == "decoder":
        return transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**DECODER))
    return transformers.AutoModelForSequenceClassification.from_pretrained(WORK["model"], num_labels=3)


@functools.cache
def optimizer_of(kind, fused):
    return torch.optim.AdamW(model(kind).parameters(), lr=1e-8, weight_decay=0.01, fused=fused)


def padded(rows, indices, fill=0):
    longest = max(len(rows[row]) for row in indices)
    return torch.tensor([rows[row] + [fill] * (longest - len(rows[row])) for row in indices])


def inputs(data, indices):
    lengths = [len(data["ids"][row]) for row in indices]
    mask = None
    if min(lengths) < max(lengths):
        mask = torch.tensor([[1] * n + [0] * (max(lengths) - n) for n in lengths])
    ids, types = padded(data["ids"], indices), padded(data["segments"], indices)
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def run(case):
    words = case.split()
    training, data, bf16 = words[0] == "train", WORK["sets"][words[1]], words[2] == "bf16"
    kind = words[-1]
    encoder = model(kind)
    encoder.train(training)
    optimizer = optimizer_of(kind, "default" not in words) if training else None
    for indices in worker.batches(data["ids"], WORK["batch"], "sorted" in words):
        given = inputs(data, indices)
        if kind in ("decoder", "modernbert"):
            given.pop("token_type_ids")
        if kind == "decoder":
            given["use_cache"] = False
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            if not training:
                with torch.inference_mode():
                    encoder(**given)
                continue
            labels = torch.tensor([data["labels"][row] for row in indices])
            loss = encoder(**given, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


worker.serve(run)
