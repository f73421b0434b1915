"""The part of the package that is Rust. Private: use what ``sextant`` offers."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

__all__ = [
    "DataError",
    "ModelError",
    "RecipeError",
    "RowError",
    "Scorer",
    "SextantError",
    "Stopped",
    "compare",
    "evaluate",
    "import_classifier",
    "lab_cells",
    "lab_report",
    "lab_run",
    "lab_status",
    "main",
    "recipe",
    "train",
]

class SextantError(Exception):
    """Something that Sextant cannot do. The message says what is wrong, where, and how to mend it."""

class DataError(SextantError):
    """Data that cannot be read or written."""

class RowError(DataError):
    """A row that cannot be read or scored. The message names the row."""

class ModelError(SextantError):
    """A model that cannot be opened, run or written."""

class RecipeError(SextantError):
    """A recipe with mistakes. The message lists all of them, each with its key."""

class Stopped(SextantError):
    """Work that a callback asked to stop. What was done is kept, and the same call goes on from there."""

@final
class Scorer:
    """An opened bundle or ensemble."""

    def __new__(
        cls,
        path: str | os.PathLike[str],
        precision: str,
        threads: int | None = None,
        device: str = "cpu",
    ) -> Scorer: ...
    @property
    def tasks(self) -> list[str]: ...
    @property
    def manifest_sha256(self) -> str: ...
    def provenance(self) -> str: ...
    def pairs(
        self,
        lefts: Sequence[Any],
        rights: Sequence[Any],
        tasks: Sequence[Any] | None = None,
        task: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> bytearray: ...
    def table(
        self,
        table: Any,
        left: str,
        right: str,
        task: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> bytearray: ...
    def score(
        self,
        table: Any,
        left: str,
        right: str,
        task: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Any: ...

def import_classifier(
    name: str, out: str | os.PathLike[str], max_tokens: int | None = None
) -> tuple[str, list[int]]: ...
def recipe(text: str, origin: str, settings: Sequence[str]) -> str: ...
def train(
    text: str,
    origin: str,
    settings: Sequence[str],
    out: str | os.PathLike[str],
    start: str,
    device: str,
    function: Callable[[str], object],
) -> str: ...
def evaluate(
    bundle: str | os.PathLike[str],
    data: str | os.PathLike[str],
    name: str,
    split: str | None,
    task: str | None,
    precision: str,
    device: str,
    progress: Callable[[int], object] | None,
) -> tuple[str, str, int]: ...
def compare(
    runs: Sequence[str],
    data: str | os.PathLike[str],
    split: str,
    task: str | None,
    precision: str,
    device: str,
    title: str,
    progress: Callable[[int], object] | None,
) -> tuple[str, str, str]: ...
def lab_cells(path: str | os.PathLike[str], settings: Sequence[str]) -> tuple[str, list[str]]: ...
def lab_run(
    path: str | os.PathLike[str],
    settings: Sequence[str],
    out: str | os.PathLike[str],
    shard: str,
    budget: float | None,
    overwrite: bool,
    device: str,
    function: Callable[[str], object],
) -> str: ...
def lab_status(folder: str | os.PathLike[str]) -> str: ...
def lab_report(folder: str | os.PathLike[str], overwrite: bool) -> list[Path]: ...
def main(arguments: Sequence[str | bytes | os.PathLike[str]]) -> int: ...
