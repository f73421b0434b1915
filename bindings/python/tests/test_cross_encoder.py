"""The drop-in beside sentence-transformers: same arguments, same scores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sextant
from conftest import Place

PAIRS = [
    ("red sofa", "Velvet sofa, 3 seats, red"),
    ("red sofa", "Garden hose, 20 m"),
    ("how many people live in Berlin", "Berlin had a population of 3,520,031 registered inhabitants in an area of 891.82 km2."),
    ("größe 42 schuhe", "Running shoes “Aéro”, size 42"),
    # Longer than the tokenizers allow, so that both cut it.
    ("red sofa " * 10, "Garden hose, 20 m " * 150),
]


@pytest.fixture(scope="module")
def encoder(shared: Place) -> sextant.CrossEncoder:
    return sextant.CrossEncoder(shared.path("run"), task="query-type")


def test_a_bundle_gives_scores_between_0_and_1(encoder: sextant.CrossEncoder) -> None:
    scores = encoder.predict(PAIRS)
    assert scores.shape == (5,) and scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    assert np.array_equal(scores, encoder.model.predict(PAIRS, "query-type") / 2)
    shares = encoder.predict(PAIRS, apply_softmax=True)
    assert np.array_equal(shares, encoder.model.probabilities(PAIRS, "query-type"))


def test_shapes_are_those_of_sentence_transformers(encoder: sextant.CrossEncoder) -> None:
    scores = encoder.predict(PAIRS)
    one = encoder.predict(PAIRS[0])
    assert np.ndim(one) == 0 and one == scores[0]
    assert encoder.predict([]).shape == (0,)
    as_list = encoder.predict(PAIRS, convert_to_numpy=False)
    assert isinstance(as_list, list) and as_list == scores.tolist()
    assert np.array_equal(encoder.predict([list(p) for p in PAIRS], batch_size=2, show_progress_bar=False), scores)
    assert np.array_equal(encoder.predict(PAIRS, prompt="find: "), encoder.predict([("find: " + a, b) for a, b in PAIRS]))
    ranked = encoder.rank("red sofa", [b for _, b in PAIRS], top_k=3, return_documents=True)
    assert len(ranked) == 3 and all(set(entry) == {"corpus_id", "score", "text"} for entry in ranked)
    assert [entry["score"] for entry in ranked] == sorted((e["score"] for e in ranked), reverse=True)
    assert encoder.rank("red sofa", []) == []


def test_a_copy_gives_the_same_scores_and_nothing_is_written_over(
    encoder: sextant.CrossEncoder, tmp_path: Path
) -> None:
    target = tmp_path / "a/b"
    encoder.save_pretrained(target)
    again = sextant.CrossEncoder(target, task="query-type")
    assert np.array_equal(again.predict(PAIRS), encoder.predict(PAIRS))
    with pytest.raises(FileExistsError, match="exists already"):
        encoder.save_pretrained(target)
    assert sorted(os.listdir(tmp_path / "a")) == ["b"]


def test_what_cannot_be_is_refused(shared: Place, encoder: sextant.CrossEncoder) -> None:
    with pytest.raises(ValueError, match="computes on the CPU"):
        sextant.CrossEncoder(shared.path("run"), device="cuda")
    with pytest.raises(ValueError, match="a bundle answers probabilities"):
        sextant.CrossEncoder(shared.path("run"), activation_fn=lambda x: x)
    with pytest.raises(ValueError, match="with one label"):
        encoder.predict(PAIRS, activation_fn=lambda x: x)
    with pytest.raises(sextant.ModelError, match="no-such/model"):
        sextant.CrossEncoder("no-such/model")


def _peer(reranker: Path, *flags: str) -> dict[str, Any]:
    """What sentence-transformers says, in the environment that has it."""
    python = os.environ.get("SEXTANT_PEERS_PYTHON")
    if python is None:
        pytest.importorskip("sentence_transformers")
        python = sys.executable
    script = Path(__file__).with_name("peer.py")
    command = [python, str(script), str(reranker), *flags]
    ran = subprocess.run(command, input=json.dumps(PAIRS), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


FAMILIES = ["bert", "roberta", "xlm-roberta", "electra", "distilbert", "modernbert", "deberta-v2"]
DECODERS = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"]


@pytest.mark.peer
@pytest.mark.parametrize("family", FAMILIES + DECODERS)
def test_rerankers_of_every_family_get_the_scores_of_sentence_transformers(family: str, tmp_path: Path) -> None:
    peer = _peer(tmp_path / "reranker", "--make", family)
    ours = sextant.CrossEncoder(tmp_path / "reranker")
    np.testing.assert_allclose(ours.predict(PAIRS)[:-1], peer["scores"][:-1], atol=2e-6)
    # Where a pair is cut, the two may share the tokens between the sides otherwise by one.
    if family not in DECODERS:
        assert peer["cut"][0] == pytest.approx(peer["scores"][-1], abs=2e-6)
        assert np.min(np.abs(ours.predict(PAIRS)[-1] - np.array(peer["cut"]))) < 2e-6
    logits = sextant.CrossEncoder(tmp_path / "reranker", activation_fn=lambda logits: logits).predict(PAIRS)
    np.testing.assert_allclose(logits[:-1], peer["logits"][:-1], rtol=1e-4, atol=2e-5)
    ranked = [entry["corpus_id"] for entry in ours.rank(PAIRS[0][0], [b for _, b in PAIRS])]
    assert [place for place in ranked if place != 4] == [place for place in peer["ranking"] if place != 4]


@pytest.mark.peer
@pytest.mark.parametrize("labels", [["relevant", "irrelevant", "partial"], ["irrelevant", "relevant"]])
def test_several_labels_get_the_probabilities_of_sentence_transformers(labels: list[str], tmp_path: Path) -> None:
    peer = _peer(tmp_path / "reranker", "--make", "bert", "--labels", *labels)
    ours = sextant.CrossEncoder(tmp_path / "reranker")
    shares = ours.predict(PAIRS, apply_softmax=True)
    assert shares.shape == (5, len(labels)) and shares.dtype == np.float32
    np.testing.assert_allclose(shares[:-1], peer["shares"][:-1], atol=2e-6)
    assert np.array_equal(ours.predict(PAIRS[0], apply_softmax=True), shares[0])
    assert ours.predict([], apply_softmax=True).shape == (0, len(labels))
    # One number of each pair, which rises with the better label, unless the probabilities are asked for.
    scores = ours.predict(PAIRS)
    worth = {"irrelevant": 0.0, "partial": 0.5, "relevant": 1.0}
    if len(labels) == 3:
        np.testing.assert_allclose(scores, shares @ [worth[label] for label in labels], atol=2e-6)
    assert [entry["corpus_id"] for entry in ours.rank("red sofa", ["sofa", "hose"])] in ([0, 1], [1, 0])
    with pytest.raises(ValueError, match="leave out `apply_softmax`"):
        ours.rank("red sofa", ["sofa"], apply_softmax=True)
    with pytest.raises(ValueError, match="`apply_softmax=True` gives"):
        ours.predict(PAIRS, activation_fn=lambda x: x)


@pytest.mark.peer
def test_minilm_gets_the_scores_of_sentence_transformers(minilm: str, tmp_path: Path) -> None:
    """Real weights, with a head, in the layout in which rerankers are published."""
    peer = _peer(tmp_path / "reranker", "--make", minilm, "--identity")
    ours = sextant.CrossEncoder(tmp_path / "reranker")
    np.testing.assert_allclose(ours.predict(PAIRS)[:-1], peer["scores"][:-1], rtol=1e-4, atol=2e-5)
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    ours.save_pretrained(tmp_path / "copy")
    assert _peer(tmp_path / "copy")["scores"] == peer["scores"]
    eighth = sextant.CrossEncoder(tmp_path / "reranker", precision="int8").predict(PAIRS)
    assert np.abs(eighth - peer["scores"]).max() < 0.2
