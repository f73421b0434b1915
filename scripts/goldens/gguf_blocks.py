"""Blocks of every GGUF format and the numbers that the `gguf` package decodes from them.

    python scripts/goldens/gguf_blocks.py crates/sextant-model/tests/goldens/gguf_blocks.json

Needs `gguf` and `numpy`. Codes are random bytes; scales, which are f16 somewhere in each block, are made ordinary.
"""

import json
import sys

import gguf
import numpy

KINDS = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [0], "BF16": []}
random = numpy.random.default_rng(7)
cases = []
for name, scales in KINDS.items():
    kind = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (3, size), dtype=numpy.uint8)
    for at in scales:
        blocks[:, at : at + 2] = random.normal(0, 0.1, (3, 1)).astype(numpy.float16).view(numpy.uint8)
    if name == "BF16":
        blocks[:] = (random.normal(0, 1, (3, 1)).astype(numpy.float32).view(numpy.uint32) >> 16).astype(
            numpy.uint16
        ).view(numpy.uint8)
    values = gguf.quants.dequantize(blocks.reshape(-1), kind)
    cases.append({"kind": int(kind), "name": name, "bytes": blocks.reshape(-1).tolist(), "values": values.reshape(-1).tolist()})
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(cases, file)
