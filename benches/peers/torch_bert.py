"""Plain PyTorch: `BertForSequenceClassification`, dynamic padding, a written-out loop.

Cases end in `sorted` (batches of rows of like length), `default` (PyTorch's defaults: no fused optimizer, rows as
they come) or neither.
"""

import torch
import transformers

import worker

torch.set_num_threads(worker.THREADS)
WORK = worker.workload()
MODEL = transformers.AutoModelForSequenceClassification.from_pretrained(WORK["model"], num_labels=3)
OPTIMIZERS = {
    fused: torch.optim.AdamW(MODEL.parameters(), lr=1e-8, weight_decay=0.01, fused=fused) for fused in (True, False)
}


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
    fused = "default" not in words
    MODEL.train(training)
    optimizer = OPTIMIZERS[fused]
    for indices in worker.batches(data["ids"], WORK["batch"], "sorted" in words):
        given = inputs(data, indices)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            if not training:
                with torch.inference_mode():
                    MODEL(**given)
                continue
            labels = torch.tensor([data["labels"][row] for row in indices])
            loss = MODEL(**given, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(MODEL.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


worker.serve(run)
