"""SQL: the function ``relevance`` for DataFusion and DuckDB.

>>> import duckdb, sextant.sql   # doctest: +SKIP
>>> sextant.sql.register(duckdb, "runs/mine")   # doctest: +SKIP
>>> duckdb.sql("SELECT relevance('query-product', query, title).score FROM pairs")   # doctest: +SKIP
"""

import os
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .relevance import Relevance

TYPE = pa.struct(
    [
        pa.field("grade", pa.int64()),
        pa.field("label", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("probs", pa.list_(pa.float64())),
    ]
)
"""What the function returns: the columns of ``sextant score``."""


def register(
    connection: Any,
    bundle: "str | os.PathLike[str] | Relevance",
    *,
    name: str = "relevance",
    precision: str = "f32",
    threads: int | None = None,
) -> None:
    """Defines ``relevance(task, left, right)``, which returns ``STRUCT(grade, label, score, probs)``.

    All three arguments are texts; a product with fields is written as JSON. Where one of them is NULL, the result
    is NULL. A text that is empty, or a task that the model lacks, is an error of the query.

    Args:
        connection: a ``datafusion.SessionContext``, a DuckDB connection, or the module ``duckdb``.
        bundle: a bundle, an ensemble, a run, or an open :class:`sextant.Relevance`.
        name: the function's name.
        precision: of the products: ``f32``, ``bf16`` or ``int8``.
        threads: how many threads compute, of all queries together; all that the machine has unless given.

    Raises:
        TypeError: the connection is of neither engine.
        ModelError: the bundle cannot be opened.
    """
    model = bundle if isinstance(bundle, Relevance) else Relevance.load(bundle, precision, threads=threads)

    def relevance(task: Any, left: Any, right: Any) -> Any:
        return _relevance(model, task, left, right)

    # A connection of DuckDB may come from `duckdb` or its extension module.
    module = getattr(connection, "__name__", None) or type(connection).__module__
    engine = module.split(".", 1)[0].lstrip("_")
    if engine == "datafusion":
        from datafusion import udf

        texts = [pa.string()] * 3
        connection.register_udf(udf(relevance, texts, TYPE, "immutable", name))
    elif engine == "duckdb":
        connection.create_function(
            name,
            relevance,
            ["VARCHAR"] * 3,
            "STRUCT(grade BIGINT, label VARCHAR, score DOUBLE, probs DOUBLE[])",
            type="arrow",
            null_handling="special",
        )
    else:
        raise TypeError(
            f"a DataFusion context or a DuckDB connection is expected, found {type(connection).__module__}."
            f"{type(connection).__qualname__}"
        )


def _relevance(model: Relevance, *columns: Any) -> Any:
    """The struct of each row. A column is an array, chunked or not, or a scalar for all rows."""
    rows = max((len(column) for column in columns if not isinstance(column, pa.Scalar)), default=1)
    task, left, right = (_array(column, rows) for column in columns)
    whole = pc.and_(pc.and_(task.is_valid(), left.is_valid()), right.is_valid())
    table = pa.table({"task": task, "left": left, "right": right})
    some = table if whole.true_count == rows else table.filter(whole)
    scored = model.score(some, progress=False).combine_chunks()
    names = ("predicted_grade", "predicted_label", "score", "probs")
    arrays = [_chunk(scored.column(name)).cast(field.type) for name, field in zip(names, TYPE, strict=True)]
    found = pa.StructArray.from_arrays(arrays, fields=list(TYPE))
    if some is table:
        return found
    # The place of each whole row among those that were scored; NULL for the others.
    places = pc.subtract(pc.cumulative_sum(whole.cast(pa.int64())), 1)
    return found.take(pc.if_else(whole, places, pa.scalar(None, pa.int64())))


def _array(column: Any, rows: int) -> Any:
    if isinstance(column, pa.Scalar):
        return pa.array([column.as_py()] * rows, pa.string())
    array = _chunk(column).cast(pa.string())
    return pa.array(array.to_pylist() * rows, pa.string()) if len(array) == 1 and rows > 1 else array


def _chunk(column: Any) -> Any:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
