"""Single products: NumPy's OpenBLAS and PyTorch's MKL, into a buffer that is used again.

Cases are `product ROWSxDEPTHxCOLUMNS f32 openblas` or `mkl`; the answer is the milliseconds of one product.
"""

import functools
import math
import time

import numpy
import torch

import worker

torch.set_num_threads(worker.THREADS)
OPERATIONS = 2e10  # as in workbench/src/bench/products.rs


@functools.cache
def factors(rows, depth, columns):
    random = numpy.random.default_rng(0)
    x = random.uniform(-1, 1, (rows, depth)).astype(numpy.float32)
    w = random.uniform(-1, 1, (depth, columns)).astype(numpy.float32)
    return x, w, numpy.empty((rows, columns), numpy.float32)


def run(case):
    _, shape, _, who = case.split()
    rows, depth, columns = map(int, shape.split("x"))
    x, w, y = factors(rows, depth, columns)
    multiply = numpy.matmul
    if who == "mkl":
        multiply = torch.mm
        x, w, y = map(torch.from_numpy, (x, w, y))
    times = math.ceil(OPERATIONS / (2 * rows * depth * columns))
    start = time.perf_counter()
    for _ in range(times):
        multiply(x, w, out=y)
    return (time.perf_counter() - start) * 1e3 / times


worker.serve(run)
