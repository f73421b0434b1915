"""Grids of runs."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from . import _data, _progress, _sextant
from .training import Event, toml_value


class LabReport(NamedTuple):
    """Where a lab's report is."""

    html: Path
    """For a browser."""
    markdown: Path
    """For a repository."""
    json: Path
    """For programs."""
    tables: Path
    """The folder of the tables as CSV."""

    def _repr_html_(self) -> str:
        return self.html.read_text(encoding="utf-8")


class Lab:
    """A grid of runs: backbones, routings, seeds, baselines, a search, as a lab recipe states them.

    The runs are those of ``sextant lab run``, with the same results. Finished runs are kept; killed or
    interrupted, the same call goes on where it was; several processes may share a folder.

    Args:
        recipe: the lab recipe's path.
        out: the lab's folder; ``labs/NAME`` unless given.
        settings: changes keys of the recipe: ``{"base.schedule.epochs": 1.0}``.
        data: the rows, as :func:`sextant.train` takes them, in place of those that the recipe names.

    Raises:
        RecipeError: a mistake in the recipe; all of them, each with its key.
    """

    def __init__(
        self,
        recipe: str | os.PathLike[str],
        *,
        out: str | os.PathLike[str] | None = None,
        settings: dict[str, Any] | None = None,
        data: Any = None,
    ) -> None:
        self.recipe = os.fspath(recipe)
        self.settings = [f"{key}={toml_value(value)}" for key, value in (settings or {}).items()]
        path = _data.path_of(data)
        if path is not None:
            self.settings.append(f"base.data.path={toml_value(path)}")
        self.name, self.runs = _sextant.lab_cells(self.recipe, self.settings)
        self.path = os.fspath(out) if out is not None else os.path.join("labs", self.name)
        """The lab's folder."""
        if data is not None and path is None:
            rows = os.path.join(os.path.abspath(self.path), "rows.parquet")
            _data.write(data, rows)
            self.settings.append(f"base.data.path={toml_value(rows)}")

    def run(
        self,
        *,
        shard: str = "1/1",
        budget: float | None = None,
        overwrite: bool = False,
        callbacks: Iterable[Callable[[Event], Any]] = (),
        device: str = "cpu",
        progress: bool | None = None,
    ) -> bool:
        """Trains and evaluates what is missing.

        Args:
            shard: only a part of the grid, such as ``3/16``, for schedulers that start many processes.
            budget: begin no run that does not fit so many seconds.
            overwrite: replace a different recipe that is in the folder.
            callbacks: functions that get each event as a dict; one that returns ``False`` stops the lab in good
                order, and :class:`Stopped` is raised.
            device: ``cpu``, or ``cuda`` in a build with that feature.
            progress: whether to show the runs' steps; unless given, in terminals and notebooks.

        Returns:
            Whether every run is finished; ``False`` if the time was up.
        """
        listeners = list(callbacks)
        with _progress.steps(progress) as show:

            def hear(line: str) -> bool:
                event: Event = json.loads(line)
                if "step" in event:
                    show(event)
                return all([listener(event) is not False for listener in listeners])

            ended = _sextant.lab_run(
                self.recipe, self.settings, self.path, shard, budget, overwrite, device, hear
            )
        return ended == "complete"

    def status(self) -> Any:
        """The runs of the grid as a pandas frame: ``run``, ``state``, ``holder``, and the ledger's numbers. Before
        anything has run, all are ``waiting``."""
        import pandas as pd

        if not os.path.exists(os.path.join(self.path, "lab.toml")):
            return pd.DataFrame({"run": self.runs, "state": "waiting", "holder": None})
        return pd.json_normalize(json.loads(_sextant.lab_status(self.path)))

    def report(self, *, overwrite: bool = False) -> LabReport:
        """Writes the report: HTML, Markdown, JSON and CSV.

        Args:
            overwrite: replace files of other origin that have the report's names.
        """
        return LabReport(*_sextant.lab_report(self.path, overwrite))

    def __repr__(self) -> str:
        return f"Lab({self.recipe!r}, out={self.path!r}): {len(self.runs)} runs"

    def _repr_html_(self) -> str:
        html: str = self.status()._repr_html_()
        return html
