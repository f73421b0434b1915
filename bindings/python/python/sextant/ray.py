"""Ray: scores a ``ray.data.Dataset`` with a pool of actors, and runs the cells of a lab as tasks.

>>> import sextant.ray   # doctest: +SKIP
>>> scored = sextant.ray.score(dataset, "runs/mine", task="query-product", workers=8)   # doctest: +SKIP
"""

import os
import warnings
from typing import Any

import ray
import ray.data

from . import _engine

__all__ = ["Lab", "score"]


class _Scorer:
    """An actor: opens the bundle once, and answers batches."""

    def __init__(self, job: _engine.Job, archive: Any) -> None:
        self._job = job
        packed: _engine.Packed = ray.get(archive[0])
        self._model = job.model(packed.unpacked(job.sha256))

    def __call__(self, table: Any) -> Any:
        return self._job.score(self._model, table)


def score(
    dataset: "ray.data.Dataset",
    bundle: str | os.PathLike[str],
    *,
    task: str | None = None,
    left: str = "left",
    right: str = "right",
    precision: str = "f32",
    workers: int | tuple[int, int] = 2,
    threads: int = 1,
    batch_size: int = 1024,
) -> "ray.data.Dataset":
    """The dataset with the columns of ``sextant score`` appended; lazily, as Ray Data does everything.

    The bundle goes into the object store once, from which each machine takes it once; every actor checks its
    hash. An actor that dies is started again with its batches, and no row is lost or doubled. Ray Data keeps the
    order of rows if ``ray.data.DataContext.get_current().execution_options.preserve_order`` is set.

    Args:
        dataset: rows; all columns keep their types, those named like the prediction's are replaced.
        bundle: a bundle, an ensemble or a run on this machine.
        task: the task of all rows; a column ``task`` gives each row's own.
        left: the column of the left sides: texts, or structs for products.
        right: the column of the right sides.
        precision: of the products: ``f32``, ``bf16`` or ``int8``.
        workers: how many actors, or the least and the most.
        threads: of each actor, for which Ray reserves as many CPUs. Leave some for reading, without which there
            is nothing to score: a warning says so when the actors take all that the cluster has.
        batch_size: how many rows an actor gets at a time. Larger blocks are divided, so that all actors have work
            however few blocks the dataset has.

    Raises:
        ValueError: a column is missing, or the model does not answer the task.
        ModelError: the bundle cannot be opened.
    """
    job, folder = _engine.job(bundle, precision, task, left, right, threads)
    names = dataset.columns()
    if names is not None:
        _engine.check_columns(names, left, right, job.task)
    archive = ray.put(_engine.packed(folder))
    least, most = workers if isinstance(workers, tuple) else (workers, workers)
    cpus = ray.cluster_resources().get("CPU", 0)
    if least * threads >= cpus:
        warnings.warn(
            f"{least} workers of {threads} threads take all of the cluster's {cpus:g} CPUs: unless it grows, none is "
            "left for reading the rows, and the job waits forever; lower `workers` or `threads`",
            stacklevel=2,
        )
    # Ray reads a small file as one block, which one actor would score alone. (This streams; nothing is shuffled.)
    dataset = dataset.repartition(target_num_rows_per_block=batch_size)
    return dataset.map_batches(
        _Scorer,
        # In a list, so that the actor gets the reference and not, once more, the bytes.
        fn_constructor_args=(job, [archive]),
        batch_format="pyarrow",
        batch_size=batch_size,
        # One batch to score and one that waits: an actor that is ready first does not take the others' work.
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most, max_tasks_in_flight_per_actor=2),
        num_cpus=threads,
        max_restarts=-1,
        max_task_retries=-1,
    )


def __getattr__(name: str) -> Any:
    if name == "Lab":
        from ._ray_lab import Lab

        return Lab
    raise AttributeError(f"module `sextant.ray` has no attribute `{name}`")
