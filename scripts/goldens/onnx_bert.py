"""The tiny BERT of the families' goldens as PyTorch exports it to ONNX: for reading initialisers back.

    python scripts/goldens/onnx_bert.py crates/sextant-model/tests/goldens

Needs `torch`, `transformers` and `onnx`.
"""

import os
import sys

import torch
import transformers

place = sys.argv[1]


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        folder = os.path.join(place, "families", "bert")
        self.bert = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, ids, types, mask):
        return self.bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state


ones = torch.ones(1, 4, dtype=torch.long)
torch.onnx.export(
    Plain(),
    (ones, ones * 0, ones),
    os.path.join(place, "bert.onnx"),
    input_names=["ids", "types", "mask"],
    output_names=["hidden"],
    opset_version=17,
    dynamo=False,
)
