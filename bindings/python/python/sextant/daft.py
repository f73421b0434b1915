"""Daft: scores a data frame.

>>> import sextant.daft   # doctest: +SKIP
>>> scored = sextant.daft.score(df, "runs/mine", task="query-product", left="query", right="title")   # doctest: +SKIP
"""

import os
from typing import Any

import daft
import pyarrow as pa

from . import _engine
from .relevance import ADDED_COLUMNS

_RESULT = daft.DataType.struct(
    {
        "predicted_grade": daft.DataType.int64(),
        "predicted_label": daft.DataType.string(),
        "score": daft.DataType.float64(),
        "probs": daft.DataType.list(daft.DataType.float64()),
    }
)


def score(
    df: "daft.DataFrame",
    bundle: str | os.PathLike[str],
    *,
    task: str | None = None,
    left: str = "left",
    right: str = "right",
    precision: str = "f32",
    workers: int = 1,
    threads: int | None = None,
    batch_size: int = 1024,
) -> "daft.DataFrame":
    """The data frame with the columns of ``sextant score`` appended; lazily, as Daft does everything.

    Args:
        df: rows; all columns keep their types, those named like the prediction's are replaced.
        bundle: a bundle, an ensemble or a run; on Ray runners, its bytes travel with the query.
        task: the task of all rows; a column ``task`` gives each row's own.
        left: the column of the left sides: texts, or structs for products.
        right: the column of the right sides.
        precision: of the products: ``f32``, ``bf16`` or ``int8``.
        workers: how many processes. With one, Daft's own process computes, and all of its threads share the model;
            with more, each has its own.
        threads: of each worker; all that the machine has unless given.
        batch_size: the most rows that are scored in one call. Daft's threads divide the calls among them.

    Raises:
        ValueError: a column is missing, or the model does not answer the task.
        ModelError: the bundle cannot be opened.
    """
    on_ray = daft.get_or_infer_runner_type() == "ray"
    here = workers == 1 and not on_ray
    job, folder = _engine.job(bundle, precision, task, left, right, threads, here=here)
    _engine.check_columns(df.column_names, left, right, job.task)
    columns = [left, right] + (["task"] if "task" in df.column_names else [])
    packed = _engine.packed(folder) if on_ray else None

    class SextantScorer:
        def __init__(self) -> None:
            place = folder if packed is None else packed.unpacked(job.sha256)
            self._model = job.model(place)

        @daft.method.batch(return_dtype=_RESULT, unnest=True, batch_size=batch_size)
        def score(self, *series: daft.Series) -> Any:
            table = pa.table({name: column.to_arrow() for name, column in zip(columns, series, strict=True)})
            scored = job.score(self._model, table).combine_chunks()
            arrays = [scored.column(name).combine_chunks() for name in ADDED_COLUMNS]
            return pa.StructArray.from_arrays(arrays, names=list(ADDED_COLUMNS))

    # Whenever it is stated, the concurrency is that of processes.
    scorer: Any = daft.cls(SextantScorer, max_concurrency=None if here else workers, use_process=not here)()
    names = _engine.kept(df.column_names)
    return df.select(*names, scorer.score(*(df[name] for name in columns)))
