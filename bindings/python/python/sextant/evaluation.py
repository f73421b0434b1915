"""Evaluating a model on labelled rows."""

import json
import os
import tempfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import GRADES, _data, _progress, _sextant
from .relevance import Relevance


@dataclass
class Evaluation:
    """The metrics of a model, by task and pooled, with intervals by bootstrap over groups."""

    report: dict[str, Any] = field(repr=False)
    """The report as ``sextant eval --out`` writes it."""
    text: str = field(repr=False)
    """The report as ``sextant eval`` prints it."""
    left_out: int = 0
    """How many rows were of tasks that the model does not know."""

    @property
    def accuracy(self) -> float:
        """The pooled accuracy."""
        return float(self.report["pooled"]["metrics"]["accuracy"]["value"])

    def to_frame(self) -> Any:
        """A pandas frame with a row for each task and metric: ``task``, ``metric``, ``value``, ``low``, ``high``,
        ``rows``; of all tasks together, ``task`` is ``pooled``."""
        import pandas as pd

        columns = ["task", "metric", "value", "low", "high", "rows"]
        return pd.DataFrame(
            [
                (name, metric, found["value"], *_interval(found), metrics["rows"])
                for name, metrics in self._slices()
                for metric, found in metrics["metrics"].items()
                if found is not None
            ],
            columns=columns,
        )

    def confusion(self, task: str | None = None) -> Any:
        """How many rows of each true grade (rows) were predicted to be of each grade (columns): an array
        ``[3, 3]``; of all tasks unless one is named.

        Raises:
            KeyError: a task without rows.
        """
        metrics = self.report["pooled"] if task is None else self.report["tasks"][task]
        return np.array(metrics["confusion"], dtype=np.float64)

    def _slices(self) -> list[tuple[str, dict[str, Any]]]:
        return [*self.report["tasks"].items(), ("pooled", self.report["pooled"])]

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from . import _display

        slices = self._slices()
        shown = ("accuracy", "macro_f1", "quadratic_kappa", "ece", "ndcg@10")
        names = [name for name in slices[-1][1]["metrics"] if name in shown]
        rows = [
            [name, metrics["rows"], *[_shown(metrics["metrics"].get(metric)) for metric in names]]
            for name, metrics in slices
        ]
        tables = _display.table(rows, ["", "rows", *names])
        return tables + _display.confusion(self.report["pooled"]["confusion"], GRADES, "Pooled")


def evaluate(
    model: "str | os.PathLike[str] | Relevance",
    data: Any,
    *,
    split: str | None = None,
    task: str | None = None,
    precision: str | None = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> Evaluation:
    """Evaluates a model on labelled rows; the same numbers, bit for bit, as ``sextant eval``.

    Args:
        model: a bundle, an ensemble, a run, or an open :class:`sextant.Relevance`.
        data: a data set's path, or rows with a ``grade`` as :func:`sextant.train` takes them.
        split: the part of data whose rows state one: ``test`` unless given.
        task: the task of rows that name none.
        precision: of the products; the open model's, or ``f32``, unless given.
        device: ``cpu``, or ``cuda`` in a build with that feature.
        progress: whether to show a bar; unless given, one appears when the call takes long.

    Raises:
        RowError: a row that cannot be read or answered.
        SextantError: no rows of that part, or of the model's tasks.
    """
    if not isinstance(model, Relevance):
        model = Relevance.load(model, precision or "f32", device=device)
    precision = precision or model.precision
    path = _data.path_of(data)
    with tempfile.TemporaryDirectory(prefix="sextant-") as scratch:
        if path is None:
            path = os.path.join(scratch, "rows.parquet")
            _data.write(data, path)
            name = "rows in memory"
        else:
            name = path
        with _progress.rows(None, progress) as update:
            report, text, left_out = _sextant.evaluate(
                model.path, path, name, split, task, precision, device, update
            )
    return Evaluation(json.loads(report), text, left_out)


def _interval(found: dict[str, Any]) -> tuple[float | None, float | None]:
    return found.get("low"), found.get("high")


def _shown(found: dict[str, Any] | None) -> str | None:
    if found is None:
        return None
    low, high = _interval(found)
    return f"{found['value']:.4f}" + ("" if low is None else f" [{low:.4f}, {high:.4f}]")
