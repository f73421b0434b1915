"""`sextant.CrossEncoder` beside sentence-transformers, PyTorch and ONNX, and ONNX Runtime alone: one process, one model, the same pairs.

    python benches/peers/one_label.py MINILM one-label                 # the model, for all of them
    python bindings/python/benches/cross_encoder.py one-label public-six/test.jsonl [--rows 1000] [--rounds 5]

Contenders take turns; the table has medians and the medians of the ratios within rounds. All compute on two threads.
sentence-transformers' ONNX backend needs optimum and is left out without it; ONNX Runtime alone has the batches that
sentence-transformers makes: 32 pairs, sorted by length.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sextant
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoTokenizer

Pairs = list[tuple[str, str]]
Contender = Callable[[Pairs], "np.ndarray"]


def peer(folder: Path, **options: object) -> Contender:
    model = CrossEncoder(str(folder), max_length=512, device="cpu", **options)
    return lambda pairs: np.asarray(model.predict(pairs, batch_size=32, show_progress_bar=False))


def onnx(folder: Path) -> Contender:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(folder / "model_optimized.onnx"), options, providers=["CPUExecutionProvider"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = [entry.name for entry in session.get_inputs()]

    def run(pairs: Pairs) -> "np.ndarray":
        order = np.argsort([-len(left) - len(right) for left, right in pairs], kind="stable")
        scores = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), 32):
            part = order[start : start + 32]
            left, right = zip(*(pairs[at] for at in part))
            tokens = tokenizer(list(left), list(right), padding=True, truncation=True, max_length=512, return_tensors="np")
            logits = session.run(None, {name: tokens[name].astype(np.int64) for name in names})[0]
            scores[part] = 1 / (1 + np.exp(-logits[:, 0]))
        return scores

    return run


def ours(folder: Path, precision: str) -> Contender:
    model = sextant.CrossEncoder(str(folder), precision=precision)
    return lambda pairs: np.asarray(model.predict(pairs, show_progress_bar=False))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2)
    pairs: Pairs = []
    for line in options.data.open():
        row = json.loads(line)
        if row["task"] == "query-product":
            pairs.append(tuple(side if isinstance(side, str) else side["title"] for side in (row["left"], row["right"])))
    pairs = pairs[: options.rows]
    contenders: dict[str, Contender] = {"sentence-transformers, PyTorch": peer(options.model)}
    try:
        files = {"file_name": "model_optimized.onnx"}
        contenders["sentence-transformers, ONNX int8"] = peer(options.model / "onnx-int8", backend="onnx", model_kwargs=files)
    except Exception as error:
        print(f"sentence-transformers' ONNX backend is left out: {error}", file=sys.stderr)
    contenders["ONNX Runtime int8"] = onnx(options.model / "onnx-int8")
    contenders["sextant.CrossEncoder f32"] = ours(options.model, "f32")
    contenders["sextant.CrossEncoder int8"] = ours(options.model, "int8")
    exact = contenders["sentence-transformers, PyTorch"](pairs)
    print("| | pairs/s | least | most | int8 of ours is | greatest difference of a score from PyTorch's |\n|---|---:|---:|---:|---:|---:|")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    different = {name: float(np.abs(run(pairs) - exact).max()) for name, run in contenders.items()}
    for _ in range(options.rounds):
        for name, run in contenders.items():
            before = time.perf_counter()
            run(pairs)
            times[name].append(time.perf_counter() - before)
    best = times["sextant.CrossEncoder int8"]
    for name, took in times.items():
        speed = [len(pairs) / seconds for seconds in took]
        ratio = statistics.median(theirs / mine for theirs, mine in zip(took, best))
        print(f"| {name} | {statistics.median(speed):.0f} | {min(speed):.0f} | {max(speed):.0f} | {ratio:.2f} | {different[name]:.1e} |")


if __name__ == "__main__":
    main()
