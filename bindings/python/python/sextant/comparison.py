"""Runs side by side on the same rows."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _data, _progress, _sextant


@dataclass
class Comparison:
    """Runs and trivial baselines by task, and their differences from the first run with paired tests."""

    table: dict[str, Any] = field(repr=False)
    """The accuracies as ``sextant compare`` computes them."""
    differences: list[dict[str, Any]] = field(repr=False)
    """The difference of each run from the first, by slice: intervals, permutation and McNemar tests."""
    markdown: str = field(repr=False)
    """The report as ``sextant compare --out`` writes it."""

    def to_frame(self) -> Any:
        """The accuracies as a pandas frame: a row for each run, a column for each task and ``pooled``."""
        import pandas as pd

        columns = [column["slice"] for column in self.table["columns"]]
        cells = [[cell and cell["value"] for cell in row["cells"]] for row in self.table["rows"]]
        return pd.DataFrame(cells, columns=columns, index=[row["name"] for row in self.table["rows"]], dtype=float)

    def differences_to_frame(self) -> Any:
        """The differences as a pandas frame, a row for each run and slice; nested values as ``mcnemar.p``."""
        import pandas as pd

        return pd.json_normalize(self.differences)

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        from . import _display

        columns = [column["slice"] for column in self.table["columns"]]
        rows = [[row["name"], *[cell and cell["value"] for cell in row["cells"]]] for row in self.table["rows"]]
        return _display.table(rows, ["", *columns], "Accuracy")


def compare(
    runs: Sequence[str | os.PathLike[str]] | Mapping[str, Any],
    data: Any,
    *,
    split: str = "test",
    task: str | None = None,
    precision: str = "f32",
    device: str = "cpu",
    title: str = "Runs compared",
    progress: bool | None = None,
) -> Comparison:
    """Evaluates runs on the same rows; the same numbers, bit for bit, as ``sextant compare``.

    Args:
        runs: folders of runs or ensembles, the reference first; or a dict from names to folders, or to lists of
            folders that divide the tasks among them. ``FOLDER@int8`` predicts in that precision.
        data: a data set's path, or rows as :func:`sextant.train` takes them.
        split: the part on which to compare.
        task: the task of rows that name none.
        precision: of the products.
        device: ``cpu``, or ``cuda`` in a build with that feature.
        title: the report's heading.
        progress: whether to show a bar; unless given, one appears when the call takes long.

    Raises:
        SextantError: a run that is not finished, no rows of that part, or a task that no model knows.
        RowError: a row that cannot be read or answered.
    """
    if isinstance(runs, Mapping):
        named = [f"{name}={','.join(_folders(folders))}" for name, folders in runs.items()]
    else:
        named = [os.fspath(run) for run in runs]
    if not named:
        raise ValueError("there is nothing to compare: name at least one run")
    path = _data.path_of(data)
    with tempfile.TemporaryDirectory(prefix="sextant-") as scratch:
        if path is None:
            path = os.path.join(scratch, "rows.parquet")
            _data.write(data, path)
        with _progress.rows(None, progress) as update:
            table, differences, markdown = _sextant.compare(
                named, path, split, task, precision, device, title, update
            )
    return Comparison(json.loads(table), json.loads(differences), markdown)


def _folders(folders: Any) -> list[str]:
    if isinstance(folders, str | os.PathLike):
        return [os.fspath(folders)]
    return [os.fspath(folder) for folder in folders]
