"""A trained model that answers pairs."""

import os
from collections.abc import Iterable
from html import escape
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from . import GRADES, _inputs, _progress, _sextant

ADDED_COLUMNS = ("predicted_grade", "predicted_label", "score", "probs")
"""The columns that scoring appends to a table."""


OnePair: TypeAlias = tuple[str | dict[str, Any], str | dict[str, Any]] | list[str] | dict[str, Any]
"""One pair: two texts or products, or a dict with both sides."""


class Relevance:
    """An opened bundle or ensemble.

    A model answers pairs of the six tasks with the probabilities of three grades (0 irrelevant, 1 partial,
    2 relevant). ``pairs`` may be

    * a list of ``(left, right)``, each a text or a product (a dict with ``title`` and, if known, ``brand``,
      ``category``, ``description``, ``attributes``);
    * a list of dicts with ``left``, ``right`` and, if you like, ``task``;
    * a NumPy array ``[n, 2]`` of texts;
    * a table: pandas, polars, pyarrow (table, record batch or reader), ``datasets.Dataset``, or anything with
      the Arrow C interface. ``left`` and ``right`` name its columns; a column ``task`` gives each row's task;
    * or one pair, ``(left, right)`` or a dict: then the answer is that of the pair, and no array of answers.

    ``task`` is the task of pairs that name none; it may be left out for a model of one task. The answers are,
    bit for bit, those of ``sextant score``. Other Python threads run meanwhile, and Ctrl-C works.
    """

    def __init__(self, scorer: "_sextant.Scorer", path: str, precision: str, threads: int | None) -> None:
        self._scorer = scorer
        self.path = path
        """The folder of the bundle or the ensemble."""
        self.precision = precision
        """The precision of the products."""
        self._threads = threads

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        precision: str = "f32",
        *,
        threads: int | None = None,
        device: str = "cpu",
    ) -> "Relevance":
        """Opens a bundle, an ensemble, or the run that holds a bundle.

        Args:
            path: the folder.
            precision: of the products: ``f32``, ``bf16`` or ``int8``.
            threads: how many threads compute; all that the machine has unless given. The answers are the same.
            device: ``cpu``, or ``cuda`` in a build with that feature.

        Raises:
            ModelError: the folder is neither, or its files were changed since it was written.
            ValueError: an unknown precision or device.
        """
        folder = os.fspath(path)
        inner = os.path.join(folder, "bundle")
        if os.path.isdir(inner) and not any(
            os.path.exists(os.path.join(folder, name)) for name in ("bundle.json", "ensemble.json")
        ):
            folder = inner
        scorer = _sextant.Scorer(folder, precision, threads, device)
        return cls(scorer, folder, precision, threads)

    @property
    def tasks(self) -> list[str]:
        """The tasks that the model answers."""
        return self._scorer.tasks

    @property
    def manifest_sha256(self) -> str:
        """The SHA-256 of the manifest, which lists the hashes of all other files. Models with the same hash
        give the same answers on the same kind of machine."""
        return self._scorer.manifest_sha256

    def probabilities(
        self,
        pairs: Any,
        task: str | None = None,
        *,
        left: str = "left",
        right: str = "right",
        progress: bool | None = None,
    ) -> NDArray[np.float32]:
        """The probabilities of the grades 0, 1 and 2.

        Args:
            pairs: see the class.
            task: the task of pairs that name none.
            left: the column of the left sides.
            right: the column of the right sides.
            progress: whether to show a bar; unless given, one appears in terminals and notebooks when the call
                takes longer than two seconds.

        Returns:
            An array ``[n, 3]`` of ``float32``, whose rows sum to 1; for one pair ``[3]``.

        Raises:
            RowError: a pair that cannot be answered: no text, a task that the model lacks. It names the row.
            ValueError: not pairs, or an unknown task.
        """
        alone = _inputs.is_pair(pairs, left, right)
        given = _inputs.of([pairs] if alone else pairs, left, right)
        if isinstance(given, _inputs.Table):
            with _progress.rows(given.rows, progress) as update:
                flat = self._scorer.table(given.table, left, right, task, update)
        else:
            with _progress.rows(len(given), progress) as update:
                flat = self._scorer.pairs(given.lefts, given.rights, given.tasks, task, update)
        found = np.frombuffer(flat, dtype=np.float32).reshape(-1, 3)
        return found[0] if alone else found

    @overload
    def predict(
        self, pairs: OnePair, task: str | None = None, *, left: str = "left", right: str = "right", progress: bool | None = None
    ) -> np.float32: ...
    @overload
    def predict(
        self, pairs: Any, task: str | None = None, *, left: str = "left", right: str = "right", progress: bool | None = None
    ) -> NDArray[np.float32]: ...
    def predict(
        self,
        pairs: Any,
        task: str | None = None,
        *,
        left: str = "left",
        right: str = "right",
        progress: bool | None = None,
    ) -> NDArray[np.float32] | np.float32:
        """The expected grade of each pair, in [0, 2]: an array ``[n]`` of ``float32``, or one number for one pair.

        Arguments and errors are those of :meth:`probabilities`.
        """
        found = self.probabilities(pairs, task, left=left, right=right, progress=progress)
        return expected_grade(found)

    @overload
    def grade(
        self, pairs: OnePair, task: str | None = None, *, left: str = "left", right: str = "right", progress: bool | None = None
    ) -> np.int64: ...
    @overload
    def grade(
        self, pairs: Any, task: str | None = None, *, left: str = "left", right: str = "right", progress: bool | None = None
    ) -> NDArray[np.int64]: ...
    def grade(
        self,
        pairs: Any,
        task: str | None = None,
        *,
        left: str = "left",
        right: str = "right",
        progress: bool | None = None,
    ) -> NDArray[np.int64] | np.int64:
        """The most probable grade of each pair, 0, 1 or 2: an array ``[n]`` of ``int64``, or one number for one
        pair. Of equally probable grades, it is the lowest.

        Arguments and errors are those of :meth:`probabilities`.
        """
        found = self.probabilities(pairs, task, left=left, right=right, progress=progress)
        grades: NDArray[np.int64] | np.int64 = found.argmax(axis=-1)
        return grades

    def rank(
        self,
        query: Any,
        documents: Iterable[Any],
        top_k: int | None = None,
        *,
        task: str | None = None,
        return_documents: bool = True,
    ) -> list[dict[str, Any]]:
        """Documents by falling relevance to a query; of equal ones, the first stays first.

        Args:
            query: the left side: a text or a product.
            documents: the right sides.
            top_k: how many to return; all unless given.
            task: ``query-product`` unless given, or the model's only task.
            return_documents: whether each entry repeats its document, as ``text``.

        Returns:
            For each document ``corpus_id`` (its place among ``documents``), ``score`` (expected grade / 2, in
            [0, 1]), ``grade`` and ``text``.
        """
        documents = list(documents)
        if task is None and "query-product" in self.tasks:
            task = "query-product"
        found = self.probabilities([(query, document) for document in documents], task, progress=False)
        scores = expected_grade(found) / np.float32(2)
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [
            {
                "corpus_id": int(place),
                "score": float(scores[place]),
                "grade": int(found[place].argmax()),
                **({"text": documents[place]} if return_documents else {}),
            }
            for place in order
        ]

    def score(
        self,
        table: Any,
        task: str | None = None,
        *,
        left: str = "left",
        right: str = "right",
        progress: bool | None = None,
    ) -> Any:
        """The table with the columns of ``sextant score`` appended.

        They are ``predicted_grade`` (int64), ``predicted_label`` (text), ``score`` (float64: expected grade / 2)
        and ``probs`` (list of three float64). All other columns stay as they are; columns that have these names
        already are replaced.

        Returns:
            A pandas frame for a pandas frame, a polars frame for a polars frame, and a ``pyarrow.Table`` for
            everything else.
        """
        if type(table).__module__.split(".", 1)[0] == "polars":
            return self._score_polars(table, task, left, right, progress)
        if _inputs.is_pandas(table):
            return self._score_pandas(table, task, left, right, progress)
        given = _inputs.of(table, left, right)
        if not isinstance(given, _inputs.Table):
            raise TypeError("a table is expected; for a list of pairs there are `predict` and `probabilities`")
        with _progress.rows(given.rows, progress) as update:
            return self._scorer.score(given.table, left, right, task, update)

    def _score_pandas(self, frame: Any, task: str | None, left: str, right: str, progress: bool | None) -> Any:
        found = self.probabilities(frame, task, left=left, right=right, progress=progress)
        kept = frame.drop(columns=[name for name in ADDED_COLUMNS if name in frame.columns])
        grades = found.argmax(axis=1)
        return kept.assign(
            predicted_grade=grades,
            predicted_label=[GRADES[grade] for grade in grades],
            score=_decimals(expected_grade(found) / np.float32(2)),
            probs=[list(row) for row in _decimals(found)],
        )

    def _score_polars(self, frame: Any, task: str | None, left: str, right: str, progress: bool | None) -> Any:
        import polars

        names = [left, right] + (["task"] if "task" in frame.columns else [])
        with _progress.rows(frame.height, progress) as update:
            scored: Any = polars.from_arrow(self._scorer.score(frame.select(names), left, right, task, update))
        kept = frame.drop([name for name in ADDED_COLUMNS if name in frame.columns])
        return kept.with_columns([scored[name] for name in ADDED_COLUMNS])

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.path, self.precision, self._threads)

    def __repr__(self) -> str:
        return f"Relevance({self.path!r}, precision={self.precision!r}, tasks={self.tasks})"

    def _repr_html_(self) -> str:
        rows = [
            ("bundle", self.path),
            ("precision", self.precision),
            ("tasks", ", ".join(self.tasks)),
            ("manifest", self.manifest_sha256[:12]),
        ]
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table>{cells}</table>"


def _load(path: str, precision: str, threads: int | None) -> Relevance:
    return Relevance.load(path, precision, threads=threads)


def expected_grade(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """P(partial) + 2 · P(relevant), of an array ``[n, 3]``; of ``[3]``, it is one number."""
    expected: NDArray[np.float32] = probabilities[..., 1] + np.float32(2) * probabilities[..., 2]
    return expected


def _decimals(numbers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each number as the ``float64`` of its shortest decimal, as files have it: 0.1, not 0.10000000149011612."""
    flat = [float(str(number)) for number in numbers.ravel()]
    return np.array(flat, dtype=np.float64).reshape(numbers.shape)
