"""Haystack: a ranker component.

>>> from sextant.haystack import SextantRanker   # doctest: +SKIP
>>> pipeline.add_component("ranker", SextantRanker("runs/mine", top_k=5))   # doctest: +SKIP

A pipeline that was stored is loaded with ``allowed_modules=["sextant.haystack"]``.
"""

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from ._encoder import opened
from .cross_encoder import CrossEncoder


@component
class SextantRanker:
    """Ranks documents by their relevance to the query.

    Args:
        model: a bundle, a run, or a published reranker: its folder or name.
        top_k: how many documents to return.
        meta_fields_to_embed: fields of a document's ``meta`` that stand before its content.
        embedding_separator: what stands between them.
        score_threshold: documents with a lower score are left out.
        options: those of :class:`sextant.CrossEncoder`, such as ``precision``.
    """

    def __init__(
        self,
        model: str,
        top_k: int = 10,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        score_threshold: float | None = None,
        **options: Any,
    ) -> None:
        if top_k <= 0:
            raise ValueError(f"top_k must be at least 1, but is {top_k}")
        self.model = model
        self.top_k = top_k
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self.score_threshold = score_threshold
        self.options = options
        self._encoder: CrossEncoder | None = None

    def warm_up(self) -> None:
        """Opens the model."""
        if self._encoder is None:
            self._encoder = opened(self.model, **self.options)

    def to_dict(self) -> dict[str, Any]:
        """The component as a dictionary, for pipelines that are stored."""
        return default_to_dict(
            self,
            model=self.model,
            top_k=self.top_k,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
            score_threshold=self.score_threshold,
            **self.options,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "SextantRanker":
        """The component that :meth:`to_dict` described."""
        found: SextantRanker = default_from_dict(cls, data)
        return found

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """The documents by falling score, which each of them states.

        Args:
            query: the query.
            documents: what to rank; they are left as they are.
            top_k: in place of the component's own.
        """
        if not documents:
            return {"documents": []}
        self.warm_up()
        assert self._encoder is not None, "`warm_up` has opened it"
        ranked = self._encoder.rank(query, [self._text(document) for document in documents], top_k or self.top_k)
        found = [replace(documents[entry["corpus_id"]], score=float(entry["score"])) for entry in ranked]
        if self.score_threshold is not None:
            threshold = self.score_threshold
            found = [document for document in found if (document.score or 0.0) >= threshold]
        return {"documents": found}

    def _text(self, document: Document) -> str:
        fields = [str(document.meta[name]) for name in self.meta_fields_to_embed if document.meta.get(name)]
        return self.embedding_separator.join([*fields, document.content or ""])
