"""Adapters, each with the real library; skipped where the library is not installed."""

from typing import Any

import numpy as np
import pytest
import sextant
from conftest import RECIPE, Place

DOCUMENTS = ["Garden Hoses", "Sofas", "Lamps"]


@pytest.fixture(scope="module")
def encoder(shared: Place) -> sextant.CrossEncoder:
    return sextant.CrossEncoder(shared.path("run"), task="query-type")


@pytest.fixture(scope="module")
def scores(encoder: sextant.CrossEncoder) -> list[float]:
    found = encoder.predict([("red sofa", document) for document in DOCUMENTS])
    assert len(set(found.tolist())) == 3
    return [float(score) for score in found]


@pytest.mark.peer
def test_langchain(encoder: sextant.CrossEncoder, scores: list[float]) -> None:
    cross_encoders = pytest.importorskip("langchain_core.cross_encoders")
    from sextant.langchain import SextantCrossEncoder

    model = SextantCrossEncoder(encoder)
    assert isinstance(model, cross_encoders.BaseCrossEncoder)
    assert model.score([("red sofa", document) for document in DOCUMENTS]) == scores


@pytest.mark.peer
def test_llama_index(shared: Place, scores: list[float]) -> None:
    schema = pytest.importorskip("llama_index.core.schema")
    from sextant.llama_index import SextantRerank

    rerank = SextantRerank(shared.path("run"), top_n=2, keep_retrieval_score=True, task="query-type")
    nodes = [schema.NodeWithScore(node=schema.TextNode(text=text), score=0.5) for text in DOCUMENTS]
    found = rerank.postprocess_nodes(nodes, query_str="red sofa")
    assert [node.score for node in found] == sorted(scores, reverse=True)[:2]
    assert found[0].node.metadata["retrieval_score"] == 0.5
    assert rerank.postprocess_nodes([], query_str="red sofa") == []
    with pytest.raises(ValueError, match="there is no query"):
        rerank.postprocess_nodes(nodes)


@pytest.mark.peer
def test_haystack(shared: Place, scores: list[float]) -> None:
    haystack = pytest.importorskip("haystack")
    from sextant.haystack import SextantRanker

    pipeline = haystack.Pipeline()
    pipeline.add_component("ranker", SextantRanker(shared.path("run"), top_k=2, task="query-type"))
    again = haystack.Pipeline.loads(pipeline.dumps(), allowed_modules=["sextant.haystack"])
    documents = [haystack.Document(content=text) for text in DOCUMENTS]
    for line in (pipeline, again):
        found = line.run({"ranker": {"query": "red sofa", "documents": documents}})["ranker"]["documents"]
        assert [document.score for document in found] == sorted(scores, reverse=True)[:2]
    assert documents[0].score is None
    high = SextantRanker(shared.path("run"), score_threshold=max(scores), task="query-type")
    assert len(high.run("red sofa", documents)["documents"]) == 1


@pytest.mark.peer
def test_rerankers(encoder: sextant.CrossEncoder, scores: list[float]) -> None:
    rerankers = pytest.importorskip("rerankers")
    from sextant.rerankers import SextantRanker

    ranker = SextantRanker(encoder)
    found = ranker.rank("red sofa", DOCUMENTS, doc_ids=["a", "b", "c"])
    assert isinstance(found, rerankers.results.RankedResults)
    assert [found.get_score_by_docid(name) for name in "abc"] == scores
    assert found.top_k(1)[0].score == max(scores)
    assert ranker.score("red sofa", DOCUMENTS[1]) == scores[1]


@pytest.mark.peer
def test_mteb(encoder: sextant.CrossEncoder) -> None:
    """An in-memory reranking task from end to end."""
    mteb = pytest.importorskip("mteb")
    from mteb.models.models_protocols import CrossEncoderProtocol
    from mteb_task import InMemoryReranking
    from sextant.mteb import SextantModel

    model = SextantModel(encoder)
    assert isinstance(model, CrossEncoderProtocol)
    results = mteb.evaluate(model, [InMemoryReranking()], cache=None)
    found = results.task_results[0].scores["test"][0]
    best = {query: encoder.rank(query, DOCUMENTS)[0]["corpus_id"] for query in ("red sofa", "hose")}
    expected = np.mean([best["red sofa"] == 1, best["hose"] == 0])
    assert found["hit_rate_at_1"] == expected


def test_scikit_learn(place: Place) -> None:
    pytest.importorskip("sklearn")
    from sextant.sklearn import RelevanceClassifier
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    rows = [row for row in place.rows("train") if row["task"] == "query-type"]
    pairs = [(row["left"], row["right"]) for row in rows]
    grades = np.array([row["grade"] for row in rows])
    recipe: dict[str, Any] = {**RECIPE, "tasks": ["query-type"]}
    classifier = clone(RelevanceClassifier(recipe, task="query-type", random_state=3))
    with pytest.raises(NotFittedError):
        classifier.predict(pairs)
    found = classifier.fit(pairs, grades).predict_proba(pairs)
    assert found.shape == (len(pairs), 3)
    assert np.array_equal(classifier.predict(pairs), found.argmax(axis=1))
    assert 0 <= classifier.score(pairs, grades) <= 1
    again = clone(classifier).fit(pairs, grades)
    assert np.array_equal(again.predict_proba(pairs), found), "the same seed gives the same model"
    with pytest.raises(ValueError, match="grades are 0, 1 or 2"):
        clone(classifier).fit(pairs, grades + 1)
    with pytest.raises(ValueError, match="name the training recipe"):
        RelevanceClassifier().fit(pairs, grades)
