"""Sextant: one relevance model for six kinds of e-commerce entity pairs.

>>> import sextant
>>> model = sextant.Relevance.load("runs/mine/bundle", precision="int8")   # doctest: +SKIP
>>> model.predict([("red sofa", "Velvet sofa, 3 seats")], task="query-product")   # doctest: +SKIP
array([1.87], dtype=float32)

What the package offers is imported when it is first used, so that ``import sextant`` is quick. Adapters and
engines are modules of their own, which need their libraries: ``sextant.langchain``, ``sextant.llama_index``, ``sextant.haystack``,
``sextant.rerankers``, ``sextant.mteb``, ``sextant.sklearn``; ``sextant.spark``, ``sextant.ray``, ``sextant.daft``,
``sextant.sql``.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from ._sextant import DataError, ModelError, RecipeError, RowError, SextantError, Stopped

if TYPE_CHECKING:
    from .comparison import Comparison, compare
    from .cross_encoder import CrossEncoder
    from .evaluation import Evaluation, evaluate
    from .lab import Lab
    from .relevance import Relevance
    from .training import Run, train

TASKS = (
    "query-product",
    "query-type",
    "query-query",
    "product-product",
    "product-type",
    "type-type",
)
"""The tasks: which two kinds of entity a pair consists of."""

GRADES = ("irrelevant", "partial", "relevant")
"""The names of the grades 0, 1 and 2."""

_WHERE = {
    "Comparison": "comparison",
    "compare": "comparison",
    "CrossEncoder": "cross_encoder",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "Lab": "lab",
    "Relevance": "relevance",
    "Run": "training",
    "train": "training",
}

_MODULES = (
    *("daft", "ray", "spark", "sql"),
    *("haystack", "langchain", "llama_index", "mteb", "rerankers", "sklearn"),
)

__all__ = [
    "GRADES",
    "TASKS",
    "Comparison",
    "CrossEncoder",
    "DataError",
    "Evaluation",
    "Lab",
    "ModelError",
    "RecipeError",
    "Relevance",
    "RowError",
    "Run",
    "SextantError",
    "Stopped",
    "compare",
    "evaluate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        try:
            return _import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("sextant"):
                raise
            message = f"`sextant.{name}` needs the library `{error.name}`: install it with pip"
            raise ModuleNotFoundError(message, name=error.name) from error
    if name not in _WHERE:
        raise AttributeError(f"module `sextant` has no attribute `{name}`")
    return getattr(_import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
