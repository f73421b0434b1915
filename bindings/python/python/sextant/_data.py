"""Labelled rows that Python holds, as a file that the Rust crates read.

Training, evaluation and comparison read files, several times over and in bounded memory. Rows in memory become a
Parquet file first, so that there is one reader for all, and the results are those of the command line.
"""

import json
import os
import tempfile
from typing import Any

from . import _inputs


def path_of(data: Any) -> str | None:
    """The path, if the data are one."""
    return os.fspath(data) if isinstance(data, str | os.PathLike) else None


def write(data: Any, path: str) -> None:
    """Writes rows as Parquet, whole or not at all, over a file of before.

    ``data`` is a frame, a table or a ``datasets.Dataset`` with the columns of a data set
    (docs/data-format.md), or a dict of those by split: ``train``, ``dev`` (or ``validation``), ``test``.

    Raises:
        TypeError: not rows.
        ValueError: an unknown split.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if hasattr(data, "items") and not hasattr(data, "columns"):
        tables = [_with_split(_table(part), name) for name, part in data.items()]
        table = pa.concat_tables(tables, promote_options="permissive")
    else:
        table = _table(data)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".sextant-", suffix=".parquet")
    os.close(descriptor)
    try:
        pq.write_table(table, scratch)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def _table(data: Any) -> Any:
    import pyarrow as pa

    if type(data).__module__.split(".", 1)[0] == "datasets":
        data = data.with_format("arrow")[:]
    if _inputs.is_pandas(data):
        # Products become JSON in text: a column of Arrow cannot hold both texts and dicts, as one of six tasks does.
        sides = {side: data[side].map(_text) for side in ("left", "right") if side in data.columns}
        return pa.Table.from_pandas(data.assign(**sides), preserve_index=False)
    if isinstance(data, list):
        return pa.Table.from_pylist(
            [{name: _text(value) if name in ("left", "right") else value for name, value in row.items()} for row in data]
        )
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return pa.table(data)
    raise TypeError(
        "rows are a path, a table (pandas, polars, pyarrow, datasets.Dataset), a list of dicts, or a dict of those "
        f"by split; found {type(data).__name__}"
    )


def _text(side: Any) -> Any:
    return json.dumps(side, ensure_ascii=False) if isinstance(side, dict) else side


def _with_split(table: Any, name: str) -> Any:
    import pyarrow as pa

    split = {"validation": "dev", "valid": "dev", "val": "dev"}.get(name, name)
    if split not in ("train", "dev", "test"):
        raise ValueError(f"unknown split `{name}`: train, dev (or validation) and test are known")
    if "split" in table.column_names:
        table = table.drop_columns(["split"])
    return table.append_column("split", pa.array([split] * table.num_rows, pa.string()))
