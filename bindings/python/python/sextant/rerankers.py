"""The library ``rerankers``: a ranker.

>>> from sextant.rerankers import SextantRanker   # doctest: +SKIP
>>> SextantRanker("runs/mine").rank("red sofa", ["Velvet sofa", "Garden hose"])   # doctest: +SKIP
"""

import os
from typing import Any

from rerankers.documents import Document
from rerankers.models.ranker import BaseRanker
from rerankers.results import RankedResults, Result
from rerankers.utils import prep_docs

from ._encoder import opened
from .cross_encoder import CrossEncoder


class SextantRanker(BaseRanker):
    """A ``BaseRanker``.

    Args:
        model_name_or_path: a bundle, a run, a published reranker, or an open :class:`sextant.CrossEncoder`.
        verbose: accepted for compatibility.
        options: those of :class:`sextant.CrossEncoder`, such as ``precision``.
    """

    def __init__(
        self, model_name_or_path: str | os.PathLike[str] | CrossEncoder, verbose: int = 0, **options: Any
    ) -> None:
        self.verbose = verbose
        self.ranking_type = "pointwise"
        self.model = opened(model_name_or_path, **options)

    def score(self, query: str, doc: str) -> float:
        """The score of one document."""
        return float(self.model.predict((query, doc)))

    def rank(
        self,
        query: str,
        docs: str | list[str] | Document | list[Document],
        doc_ids: list[str] | list[int] | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> RankedResults:
        """The documents by falling score."""
        documents = prep_docs(docs, doc_ids, metadata)
        ranked = self.model.rank(query, [document.text for document in documents])
        results = [
            Result(document=documents[entry["corpus_id"]], score=float(entry["score"]), rank=place)
            for place, entry in enumerate(ranked, start=1)
        ]
        return RankedResults(results=results, query=query, has_scores=True)
