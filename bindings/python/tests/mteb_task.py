"""A reranking task of MTEB that is in memory."""

from typing import Any

import datasets
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata


class InMemoryReranking(AbsTaskRetrieval):
    """Two queries over three documents."""

    metadata = TaskMetadata(
        name="InMemoryReranking",
        description="Queries and product types.",
        dataset={"path": "in/memory", "revision": "1"},
        type="Reranking",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="hit_rate_at_1",
        date=("2026-01-01", "2026-01-02"),
        domains=["Web"],
        task_subtypes=[],
        license="cc0-1.0",
        annotations_creators="derived",
        dialect=[],
        sample_creation="created",
        bibtex_citation="",
    )

    def load_data(self, *_: Any, **__: Any) -> None:
        texts = ["Garden Hoses", "Sofas", "Lamps"]
        corpus = datasets.Dataset.from_dict({"id": ["d0", "d1", "d2"], "text": texts, "title": ["", "", ""]})
        queries = datasets.Dataset.from_dict({"id": ["q0", "q1"], "text": ["red sofa", "hose"]})
        split = {
            "corpus": corpus,
            "queries": queries,
            "relevant_docs": {"q0": {"d1": 1}, "q1": {"d0": 1}},
            "top_ranked": {"q0": ["d0", "d1", "d2"], "q1": ["d0", "d1", "d2"]},
        }
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True
