"""scikit-learn: a classifier.

>>> from sextant.sklearn import RelevanceClassifier   # doctest: +SKIP
>>> RelevanceClassifier(recipe="recipes/first-run.toml").fit(pairs, grades).predict_proba(pairs)   # doctest: +SKIP
"""

import os
import tempfile
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from . import _inputs
from .relevance import Relevance
from .training import train


class RelevanceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Grades of pairs: a classifier whose ``X`` are pairs and whose ``y`` are grades 0, 1, 2.

    Args:
        recipe: the training recipe: its path, or a dict.
        task: the task of all pairs; pairs that are dicts or rows of a table may name their own.
        settings: changes keys of the recipe.
        out: the run's folder, in which an earlier run of this classifier is replaced; a temporary one, which goes
            when the process ends, unless given.
        dev_share: the share of the pairs on which the best weights are chosen.
        precision: of the products when predicting.
        random_state: the seed, also of the choice of these pairs; the recipe's unless given.
    """

    def __init__(
        self,
        recipe: Any = None,
        task: str | None = "query-product",
        settings: dict[str, Any] | None = None,
        out: str | os.PathLike[str] | None = None,
        dev_share: float = 0.1,
        precision: str = "f32",
        random_state: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.task = task
        self.settings = settings
        self.out = out
        self.dev_share = dev_share
        self.precision = precision
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "RelevanceClassifier":
        """Trains on pairs and their grades.

        Args:
            X: pairs in any form that :class:`sextant.Relevance` takes.
            y: a grade for each.

        Raises:
            ValueError: grades other than 0, 1, 2, or fewer or more than pairs.
            RecipeError: a mistake in the recipe.
        """
        if self.recipe is None:
            raise ValueError("name the training recipe: `recipe=`")
        grades = np.asarray(y)
        if not np.isin(grades, (0, 1, 2)).all():
            raise ValueError(f"grades are 0, 1 or 2; found {sorted(set(grades.tolist()) - {0, 1, 2})}")
        rows = self._rows(X)
        if len(rows) != len(grades):
            raise ValueError(f"there are {len(rows)} pairs and {len(grades)} grades")
        if len(rows) < 2:
            raise ValueError("two pairs are needed at least: one to train on and one to choose by")
        dev = np.zeros(len(rows), dtype=bool)
        random = np.random.default_rng(self.random_state or 0)
        dev[random.permutation(len(rows))[: max(1, round(self.dev_share * len(rows)))]] = True
        for row, grade, is_dev in zip(rows, grades, dev, strict=True):
            row["grade"] = int(grade)
            row["split"] = "dev" if is_dev else "train"
        settings = dict(self.settings or {})
        if self.random_state is not None:
            settings["seed"] = self.random_state
        if self.out is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="sextant-")
            out = os.path.join(self._scratch.name, "run")
        else:
            out = os.fspath(self.out)
        self.run_ = train(self.recipe, rows, settings=settings, out=out, overwrite=True)
        self.model_: Relevance = self.run_.load(self.precision)
        self.classes_ = np.array([0, 1, 2])
        return self

    def _rows(self, X: Any) -> list[dict[str, Any]]:
        given = _inputs.of(X, "left", "right")
        if isinstance(given, _inputs.Table):
            import pyarrow as pa

            table = pa.table(given.table)
            names = [name for name in ("left", "right", "task") if name in table.column_names]
            rows: list[dict[str, Any]] = table.select(names).to_pylist()
        else:
            tasks = given.tasks or [None] * len(given)
            sides = zip(given.lefts, given.rights, tasks, strict=True)
            rows = [{"left": left, "right": right, "task": task} for left, right, task in sides]
        for row in rows:
            row["task"] = row.get("task") or self.task
        return rows

    def predict_proba(self, X: Any) -> Any:
        """The probabilities of the grades 0, 1, 2: an array ``[n, 3]``."""
        check_is_fitted(self, "model_")
        return self.model_.probabilities(X, self.task)

    def predict(self, X: Any) -> Any:
        """The most probable grade of each pair: an array ``[n]``."""
        check_is_fitted(self, "model_")
        return self.model_.grade(X, self.task)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
