"""PEFT over `transformers`: a Llama of SmolLM2-135M's shape with fresh numbers, LoRA of rank 16 on every linear layer of
its blocks, three labels. Only the shape matters to speed, so no weights are needed.
"""

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model

import worker

torch.set_num_threads(worker.THREADS)
WORK = worker.workload()
CONFIG = transformers.LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    rope_theta=100000.0,
    tie_word_embeddings=True,
    pad_token_id=0,
    num_labels=3,
)
MODEL = get_peft_model(
    transformers.LlamaForSequenceClassification(CONFIG),
    LoraConfig(task_type=TaskType.SEQ_CLS, r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear"),
)
TRAINED = [parameter for parameter in MODEL.parameters() if parameter.requires_grad]
OPTIMIZER = torch.optim.AdamW(TRAINED, lr=1e-8, weight_decay=0.01, fused=True)


def run(case):
    words = case.split()
    training, data = words[0] == "train", WORK["sets"][words[1]]
    MODEL.train(training)
    for indices in worker.batches(data["ids"], WORK["batch"], "sorted" in words):
        longest = max(len(data["ids"][row]) for row in indices)
        ids = torch.zeros(len(indices), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(indices):
            length = len(data["ids"][row])
            ids[place, :length] = torch.tensor(data["ids"][row])
            mask[place, :length] = 1
        if not training:
            with torch.inference_mode():
                MODEL(input_ids=ids, attention_mask=mask)
            continue
        labels = torch.tensor([data["labels"][row] for row in indices])
        MODEL(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(TRAINED, 1.0)
        OPTIMIZER.step()
        OPTIMIZER.zero_grad()


worker.serve(run)
