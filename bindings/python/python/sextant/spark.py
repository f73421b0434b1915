"""Apache Spark: scores a data frame on the cluster's executors.

>>> import sextant.spark   # doctest: +SKIP
>>> scored = sextant.spark.score(df, "runs/mine", task="query-product", left="query", right="title")   # doctest: +SKIP

The executors need this package (``pip install sextant pyarrow``) and no toolchain.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from pyspark import SparkFiles
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DoubleType, LongType, StringType, StructField, StructType

from . import _engine

_ADDED = [
    StructField("predicted_grade", LongType()),
    StructField("predicted_label", StringType()),
    StructField("score", DoubleType()),
    StructField("probs", ArrayType(DoubleType())),
]


def score(
    df: DataFrame,
    bundle: str | os.PathLike[str],
    *,
    task: str | None = None,
    left: str = "left",
    right: str = "right",
    precision: str = "f32",
    threads: int | None = None,
) -> DataFrame:
    """The data frame with the columns of ``sextant score`` appended; lazily, as Spark does everything.

    The bundle is sent once to each executor (``addArchive``), which checks its hash. Rows go to and from the
    Python workers as Arrow batches (``mapInArrow``); ``spark.sql.execution.arrow.maxRecordsPerBatch`` is their
    size. A task whose worker dies is run again by Spark, and no row is lost or doubled.

    Args:
        df: rows; all columns keep their types, those named like the prediction's are replaced.
        bundle: a bundle, an ensemble or a run on the driver's machine.
        task: the task of all rows; a column ``task`` gives each row's own.
        left: the column of the left sides: texts, or structs for products.
        right: the column of the right sides.
        precision: of the products: ``f32``, ``bf16`` or ``int8``.
        threads: of each Python worker, which share one model; as many as Spark gives a task unless stated. Spark runs
            a Python worker for every ``spark.task.cpus`` cores of an executor: with 1, its default, each core has a
            worker with a model of its own; with as many as the executor has cores, they share one.

    Raises:
        ValueError: a column is missing, or the model does not answer the task.
        ModelError: the bundle cannot be opened.
    """
    context = df.sparkSession.sparkContext
    if threads is None:
        threads = int(context.getConf().get("spark.task.cpus", "1") or 1)
    job, folder = _engine.job(bundle, precision, task, left, right, threads)
    _engine.check_columns(df.columns, left, right, job.task)
    name = f"sextant-{job.sha256[:16]}"
    inner = _send(context, folder, name)

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        model = job.model(os.path.join(SparkFiles.get(name), inner))
        for batch in batches:
            yield from job.score(model, batch).to_batches()

    fields = [field for field in df.schema.fields if field.name in _engine.kept(df.columns)]
    return df.mapInArrow(run, StructType(fields + _ADDED))


def _send(context: Any, folder: str, name: str) -> str:
    """Gives the bundle to all executors under a name, once for each bundle and context; returns the place of the
    bundle in what they get."""
    if any(f"{name}.tar" in archive for archive in context.listArchives):
        return _engine.place_in_archive(folder)
    scratch = tempfile.mkdtemp(prefix="sextant-spark-")
    # Executors that start later fetch the archive from the driver, so that it stays as long as the driver.
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    archive = os.path.join(scratch, f"{name}.tar")
    with open(archive, "wb") as file:
        inner = _engine.write_archive(folder, file)
    context.addArchive(f"{archive}#{name}")
    return inner
