"""LlamaIndex: a node postprocessor.

>>> from sextant.llama_index import SextantRerank   # doctest: +SKIP
>>> index.as_query_engine(node_postprocessors=[SextantRerank(model="runs/mine", top_n=5)])   # doctest: +SKIP
"""

import os
from typing import Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from ._encoder import opened
from .cross_encoder import CrossEncoder


class SextantRerank(BaseNodePostprocessor):
    """Ranks nodes by their relevance to the query, and keeps the best.

    Args:
        model: a bundle, a run, a published reranker, or an open :class:`sextant.CrossEncoder`.
        top_n: how many nodes to keep.
        keep_retrieval_score: whether to keep the score of the retrieval in the node's metadata.
        options: those of :class:`sextant.CrossEncoder`, such as ``precision``.
    """

    model: str = Field(description="The model's folder or name.")
    top_n: int = Field(description="Number of nodes to return, by falling score.")
    keep_retrieval_score: bool = Field(default=False, description="Whether to keep the retrieval's score.")
    _encoder: Any = PrivateAttr()

    def __init__(
        self,
        model: str | os.PathLike[str] | CrossEncoder,
        top_n: int = 2,
        keep_retrieval_score: bool = False,
        **options: Any,
    ) -> None:
        encoder = opened(model, **options)
        super().__init__(model=encoder.source, top_n=top_n, keep_retrieval_score=keep_retrieval_score)
        self._encoder = encoder

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores the component."""
        return "SextantRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise ValueError("there is no query: give `query_str` or `query_bundle`")
        if not nodes:
            return []
        payload = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
            scores = self._encoder.predict([(query_bundle.query_str, text) for text in texts])
            for node, score in zip(nodes, scores, strict=True):
                if self.keep_retrieval_score:
                    node.node.metadata["retrieval_score"] = node.score
                node.score = float(score)
            ranked = sorted(nodes, key=lambda node: -(node.score or 0.0))[: self.top_n]
            event.on_end(payload={EventPayload.NODES: ranked})
        return ranked
