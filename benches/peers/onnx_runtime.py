"""ONNX Runtime: the model exported by PyTorch, in f32 and with dynamic quantisation to 8 bits."""

import os
import sys
import tempfile

import numpy
import onnxruntime
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic

import worker

WORK = worker.workload()
PLACE = tempfile.TemporaryDirectory()


class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = transformers.AutoModelForSequenceClassification.from_pretrained(
            WORK["model"], num_labels=3, attn_implementation="eager"
        ).eval()

    def forward(self, ids, types, mask):
        return self.model(input_ids=ids, token_type_ids=types, attention_mask=mask).logits


def export():
    names = ["ids", "types", "mask"]
    plain, small = (os.path.join(PLACE.name, name) for name in ("f32.onnx", "int8.onnx"))
    ones = torch.ones(2, 16, dtype=torch.long)
    torch.onnx.export(
        Logits(),
        (ones, ones, ones),
        plain,
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "rows", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(plain, small, weight_type=QuantType.QInt8)
    return {"f32": plain, "int8": small}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = worker.THREADS
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # another contender runs next: waiting threads must not spin meanwhile
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


SESSIONS = {}


def run(case):
    words = case.split()
    if not SESSIONS:
        SESSIONS.update({name: session(path) for name, path in export().items()})
    data = WORK["sets"][words[1]]
    for indices in worker.batches(data["ids"], WORK["batch"], "sorted" in words):
        longest = max(len(data["ids"][row]) for row in indices)
        ids, types, mask = (numpy.zeros((len(indices), longest), numpy.int64) for _ in range(3))
        for place, row in enumerate(indices):
            length = len(data["ids"][row])
            ids[place, :length] = data["ids"][row]
            types[place, :length] = data["segments"][row]
            mask[place, :length] = 1
        SESSIONS[words[2]].run(None, {"ids": ids, "types": types, "mask": mask})


print("ready", file=sys.stderr)
worker.serve(run)
