"""LangChain: a cross-encoder for ``CrossEncoderReranker``.

>>> from sextant.langchain import SextantCrossEncoder   # doctest: +SKIP
>>> CrossEncoderReranker(model=SextantCrossEncoder("runs/mine"), top_n=5)   # doctest: +SKIP
"""

import os
from typing import Any

from langchain_core.cross_encoders import BaseCrossEncoder

from ._encoder import opened
from .cross_encoder import CrossEncoder


class SextantCrossEncoder(BaseCrossEncoder):
    """A LangChain ``BaseCrossEncoder``.

    Args:
        model: a bundle, a run, a published reranker, or an open :class:`sextant.CrossEncoder`.
        options: those of :class:`sextant.CrossEncoder`, such as ``precision``.
    """

    def __init__(self, model: str | os.PathLike[str] | CrossEncoder, **options: Any) -> None:
        self.client = opened(model, **options)

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """The score of each pair, in the order of the pairs."""
        return [float(score) for score in self.client.predict(list(text_pairs))]
