"""Training a model from a recipe."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from . import _data, _progress, _sextant
from .relevance import Relevance

Event = dict[str, Any]
"""An event of a run, as ``log.jsonl`` has it: ``event`` is ``started``, ``step``, ``dev``, ``interrupted`` or
``finished``."""


@dataclass
class Run:
    """A finished run."""

    path: str
    """The run's folder, which ``sextant`` commands take."""
    summary: dict[str, Any]
    """What ``summary.json`` says: steps, rows, seconds, the best dev value and its step, …"""
    events: list[Event] = field(repr=False, default_factory=list)
    """The events of this process."""

    @property
    def bundle(self) -> str:
        """The folder of the bundle with the best weights."""
        return os.path.join(self.path, "bundle")

    def load(self, precision: str = "f32", **options: Any) -> Relevance:
        """Opens the bundle; see :meth:`sextant.Relevance.load`."""
        return Relevance.load(self.bundle, precision, **options)

    def history(self, event: str = "step") -> Any:
        """The steps (or, with ``event="dev"``, the looks at the dev set) as a pandas frame."""
        import pandas as pd

        return pd.json_normalize([entry for entry in self.events if entry["event"] == event])

    def _repr_html_(self) -> str:
        from ._display import table

        best = self.summary.get("best")
        shown = {
            "run": self.path,
            "routing": self.summary.get("routing"),
            "steps": self.summary.get("steps"),
            "rows": self.summary.get("rows"),
            "seconds": round(self.summary.get("seconds", 0.0), 1),
            "best dev value": None if best is None else f"{best[0]:.4f} at step {best[1]}",
        }
        return table([[name, value] for name, value in shown.items()])


def train(
    recipe: str | os.PathLike[str] | dict[str, Any],
    data: Any = None,
    *,
    settings: dict[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Iterable[Callable[[Event], Any]] = (),
    device: str = "cpu",
    progress: bool | None = None,
) -> Run:
    """Trains a model; the same weights, bit for bit, as ``sextant train`` with the same recipe, rows and seed.

    Args:
        recipe: a recipe's path, or the recipe as a dict.
        data: the rows: a path, or rows with the columns of a data set (docs/data-format.md) as a pandas or polars
            frame, an Arrow table, a ``datasets.Dataset`` or ``DatasetDict``, or a dict of those by split. Rows in
            memory become ``rows.parquet`` in the run's folder. What the recipe names unless given.
        settings: changes keys of the recipe: ``{"schedule.epochs": 1.0}``.
        out: the run's folder; ``runs/NAME`` unless given.
        resume: go on with the run in that folder.
        overwrite: replace the run in that folder.
        callbacks: functions that get each event as a dict. One that returns ``False`` stops the run in good
            order: a checkpoint is saved, and :class:`Stopped` is raised; ``resume=True`` goes on from there. So
            does Ctrl-C, with ``KeyboardInterrupt``.
        device: ``cpu``, or ``cuda`` in a build with that feature.
        progress: whether to show a bar; unless given, one appears in terminals and notebooks.

    Raises:
        RecipeError: a mistake in the recipe; all of them, each with its key.
        RowError: a row that cannot be read.
        Stopped: a callback asked to stop.
    """
    if resume and overwrite:
        raise ValueError("`resume` goes on with a run and `overwrite` replaces it; give one of them")
    text, origin = _recipe(recipe)
    changed = [f"{key}={toml_value(value)}" for key, value in (settings or {}).items()]
    path = _data.path_of(data)
    if path is not None:
        changed.append(f"data.path={toml_value(path)}")
    elif data is not None and out is None:
        # The name decides the folder, which decides where the rows go.
        probe = [*changed, 'data.path="rows.parquet"']
        out = os.path.join("runs", json.loads(_sextant.recipe(text, origin, probe))["name"])
    if data is not None and path is None:
        rows = os.path.join(os.path.abspath(os.fspath(out or ".")), "rows.parquet")
        changed.append(f"data.path={toml_value(rows)}")
        # A mistake in the recipe should be found before rows are written.
        _sextant.recipe(text, origin, changed)
        _data.write(data, rows)
    folder = os.fspath(out) if out is not None else None
    if folder is None:
        folder = os.path.join("runs", json.loads(_sextant.recipe(text, origin, changed))["name"])
    start = "resume" if resume else "again" if overwrite else "new"
    events: list[Event] = []
    listeners = list(callbacks)
    with _progress.steps(progress) as show:

        def hear(line: str) -> bool:
            event: Event = json.loads(line)
            events.append(event)
            show(event)
            return all([listener(event) is not False for listener in listeners])

        summary = _sextant.train(text, origin, changed, folder, start, device, hear)
    return Run(folder, json.loads(summary), events)


def _recipe(recipe: str | os.PathLike[str] | dict[str, Any]) -> tuple[str, str]:
    """The text of a recipe, and what errors call it."""
    if isinstance(recipe, dict):
        return toml_document(recipe), "the recipe"
    path = os.fspath(recipe)
    with open(path, encoding="utf-8") as file:
        return file.read(), path


def toml_document(recipe: dict[str, Any]) -> str:
    """A dict as TOML: one key for each line, with tables inline."""
    return "".join(f"{_key(key)} = {toml_value(value)}\n" for key, value in recipe.items() if value is not None)


def toml_value(value: Any) -> str:
    """A value as TOML.

    Raises:
        TypeError: a type that TOML does not have.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | os.PathLike):
        return json.dumps(os.fspath(value), ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        items = (f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return "{ " + ", ".join(items) + " }"
    raise TypeError(f"a recipe has no values of the type {type(value).__name__}: {value!r:.60}")


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key)
