"""What the peers' scripts share: the workload, and answering `cargo xtask bench`.

A peer is started with the path of a workload (JSON: `model`, a folder; `batch`, rows of a batch; `sets`, by name
`pairs`, `labels`, `ids`, `segments` of rows). It then reads the name of a case from each line of standard input,
runs it once, and answers with the milliseconds it took on a line of standard output.
"""

import json
import os
import sys
import time

THREADS = 2


def workload():
    """The workload, and standard output kept for answers alone: libraries print to it."""
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def batches(rows, size, by_length):
    """Indices of rows, batch by batch; sorted by length where that is asked for."""
    order = list(range(len(rows)))
    if by_length:
        order.sort(key=lambda row: len(rows[row]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def serve(run):
    """Answers until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        start = time.perf_counter()
        try:
            measured = run(line.strip())
            took = (time.perf_counter() - start) * 1e3 if measured is None else measured
            print(f"{took:.3f}", file=answers, flush=True)
        except Exception as error:  # said to the table, which leaves the case out
            print(f"failed: {error!r}".replace("\n", " "), file=answers, flush=True)
