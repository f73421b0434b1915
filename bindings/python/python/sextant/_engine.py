"""What all engines share: a bundle that travels, is checked where it arrives, and is opened once per process."""

import io
import json
import os
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from typing import IO, Any

from .relevance import ADDED_COLUMNS, Relevance

_open: dict[tuple[str, str, int | None], Relevance] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Job:
    """How to score, as plain values that any engine can send to its workers."""

    sha256: str
    """The hash of the bundle's manifest, which every worker checks."""
    precision: str
    task: str | None
    left: str
    right: str
    threads: int | None

    def model(self, folder: str) -> Relevance:
        """The model of a folder on this machine, opened once per process.

        Raises:
            RuntimeError: the folder does not hold the bundle that was sent.
        """
        with _lock:
            model = _open.get(self._key)
            if model is None:
                model = Relevance.load(folder, self.precision, threads=self.threads)
                if model.manifest_sha256 != self.sha256:
                    raise RuntimeError(
                        f"{folder}: the bundle's hash is {model.manifest_sha256[:12]}, but the job is for "
                        f"{self.sha256[:12]}; a worker has another bundle than the driver"
                    )
                _open[self._key] = model
        return model

    def keep(self, model: Relevance) -> None:
        """Has :meth:`model` give this model in this process, which opened it already."""
        with _lock:
            _open.setdefault(self._key, model)

    @property
    def _key(self) -> tuple[str, str, int | None]:
        return self.sha256, self.precision, self.threads

    def score(self, model: Relevance, table: Any) -> Any:
        """A ``pyarrow.Table`` with the columns of the prediction appended."""
        return model.score(table, self.task, left=self.left, right=self.right, progress=False)


def job(
    bundle: str | os.PathLike[str],
    precision: str,
    task: str | None,
    left: str,
    right: str,
    threads: int | None,
    *,
    here: bool = False,
) -> tuple[Job, str]:
    """The job, and the folder of the bundle on this machine. The bundle is opened here once, so that mistakes
    are found before anything is sent; and kept, if this process will compute."""
    model = Relevance.load(bundle, precision, threads=threads)
    if task is None and len(model.tasks) == 1:
        task = model.tasks[0]
    if task is not None and task not in model.tasks:
        raise ValueError(f"the model does not answer `{task}`; it answers {', '.join(model.tasks)}")
    made = Job(model.manifest_sha256, precision, task, left, right, threads)
    if here:
        made.keep(model)
    return made, model.path


def check_columns(names: list[str], left: str, right: str, task: str | None) -> None:
    """Finds missing columns before anything runs.

    Raises:
        ValueError: a column is missing.
    """
    for name in (left, right):
        if name not in names:
            listed = ", ".join(f"`{column}`" for column in names)
            raise ValueError(f"the table has no column `{name}`; it has {listed}")
    if task is None and "task" not in names:
        raise ValueError("the table has no column `task`; name the task of all rows: `task=`")


def kept(names: list[str]) -> list[str]:
    """The columns that stay: those that the prediction does not replace."""
    return [name for name in names if name not in ADDED_COLUMNS]


def packed(folder: str) -> "Packed":
    """A bundle or an ensemble with its members, as an archive in memory."""
    buffer = io.BytesIO()
    return Packed(inner=write_archive(folder, buffer), archive=buffer.getvalue())


def write_archive(folder: str, file: IO[bytes]) -> str:
    """Writes a bundle, or an ensemble with its members, as an uncompressed tar archive. (Weights do not compress.)
    Returns the bundle's folder in the archive."""
    root, folders, inner = _layout(folder)
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path in folders:
            archive.add(path, arcname=os.path.relpath(path, root))
    return inner


def place_in_archive(folder: str) -> str:
    """The bundle's folder in the archive that :func:`write_archive` writes."""
    return _layout(folder)[2]


def _layout(folder: str) -> tuple[str, list[str], str]:
    """The folder that holds all that travels, the folders that do, and the bundle's place there."""
    folder = os.path.realpath(folder)
    folders = [folder, *_members(folder)]
    # An ensemble names its members by relative paths, which must lead to them there as well.
    root = os.path.commonpath([os.path.dirname(path) for path in folders])
    return root, folders, os.path.relpath(folder, root)


def _members(folder: str) -> list[str]:
    manifest = os.path.join(folder, "ensemble.json")
    if not os.path.exists(manifest):
        return []
    with open(manifest, encoding="utf-8") as file:
        members = json.load(file)["members"]
    return [os.path.realpath(os.path.join(folder, member["path"])) for member in members]


@dataclass(frozen=True)
class Packed:
    """A bundle that travels."""

    archive: bytes
    inner: str
    """The bundle's folder in the archive."""

    def unpacked(self, sha256: str) -> str:
        """The bundle's folder on this machine, unpacked once however many processes ask for it."""
        place = os.path.join(tempfile.gettempdir(), f"sextant-bundles-{os.getuid()}")
        target = os.path.join(place, sha256)
        if not os.path.isdir(target):
            os.makedirs(place, mode=0o700, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place, prefix=".unpacking-") as scratch:
                whole = os.path.join(scratch, "whole")
                with tarfile.open(fileobj=io.BytesIO(self.archive)) as tar:
                    tar.extractall(whole, filter="data")
                try:
                    os.rename(whole, target)
                except OSError:
                    if not os.path.isdir(target):  # otherwise another process was first, with the same files
                        raise
        return os.path.join(target, self.inner)
