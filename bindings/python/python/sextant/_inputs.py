"""What users hold, as sequences or as a table with the Arrow C interface."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Sides:
    """Pairs as sequences of texts and products."""

    lefts: Sequence[Any]
    rights: Sequence[Any]
    tasks: Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.lefts)


@dataclass
class Table:
    """Pairs as the rows of a table with the Arrow C interface."""

    table: Any
    rows: int | None


def _module(value: object) -> str:
    return type(value).__module__.split(".", 1)[0]


def is_pandas(value: object) -> bool:
    return _module(value) == "pandas" and hasattr(value, "columns")


def _column(frame: Any, name: str) -> list[Any]:
    if name not in frame.columns:
        names = ", ".join(f"`{column}`" for column in frame.columns)
        raise ValueError(f"the table has no column `{name}`; it has {names}")
    column = frame[name]
    return [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]


def is_pair(value: Any, left: str = "left", right: str = "right") -> bool:
    """Whether a value is one pair and not several: two texts or products, or a dict with both sides.

    A list of pairs never has a text as an element, and where its elements are dicts, these have both sides; a product
    has a title.
    """
    if isinstance(value, dict):
        return all(isinstance(value.get(side), str | dict) for side in (left, right))
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return all(
        isinstance(side, str) or (isinstance(side, dict) and "title" in side and not (left in side and right in side))
        for side in value
    )


def of(pairs: Any, left: str, right: str) -> Sides | Table:
    """Makes one of the two forms of pairs.

    Raises:
        ValueError: a list whose elements are not pairs, an array of another shape.
        TypeError: anything else.
    """
    if _module(pairs) == "datasets":
        pairs = pairs.with_format("arrow")[:]
    if is_pandas(pairs):
        # Not through Arrow, which pandas can do only with pyarrow, and which knows no column that mixes texts
        # and products.
        tasks = _column(pairs, "task") if "task" in pairs.columns else None
        return Sides(_column(pairs, left), _column(pairs, right), tasks)
    if _module(pairs) == "numpy":
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ValueError(f"an array of pairs has the shape [n, 2], not {list(pairs.shape)}")
        return Sides(pairs[:, 0].tolist(), pairs[:, 1].tolist())
    if hasattr(pairs, "__arrow_c_stream__") or hasattr(pairs, "__arrow_c_array__"):
        rows = getattr(pairs, "num_rows", None)
        if rows is None and hasattr(pairs, "height"):
            rows = pairs.height
        return Table(pairs, rows if isinstance(rows, int) else None)
    if isinstance(pairs, str) or not hasattr(pairs, "__iter__"):
        raise TypeError(
            "pairs are a list of (left, right), an array [n, 2] or a table with a column for each side; "
            f"found {type(pairs).__name__}"
        )
    return _sequence(list(pairs), left, right)


def _sequence(pairs: list[Any], left: str, right: str) -> Sides:
    if pairs and all(isinstance(pair, dict) for pair in pairs):
        for row, pair in enumerate(pairs):
            if left not in pair or right not in pair:
                raise ValueError(f"pair {row} (counted from 0) lacks `{left}` or `{right}`: {pair!r:.100}")
        tasks = [pair.get("task") for pair in pairs]
        named = any(task is not None for task in tasks)
        return Sides([p[left] for p in pairs], [p[right] for p in pairs], tasks if named else None)
    for row, pair in enumerate(pairs):
        if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise ValueError(f"pair {row} (counted from 0) is not two texts or products: {pair!r:.100}")
    return Sides([pair[0] for pair in pairs], [pair[1] for pair in pairs])
