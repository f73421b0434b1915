"""What every check asks, and what it must be answered."""

import json
import os
import urllib.request

URL = os.environ["SEXTANT_URL"]
QUERY = "cordless drill"
DOCUMENTS = ["Garden hose 20 m", "Cordless drill 18V", "Drill bit set", "Red sofa"]


def expected():
    """The documents' positions from the best to the worst, and their scores, by the native API."""
    pairs = [{"left": QUERY, "right": document} for document in DOCUMENTS]
    body = json.dumps({"task": "query-product", "pairs": pairs}).encode()
    # Not through the address that is recorded.
    request = urllib.request.Request(os.environ["SEXTANT_DIRECT_URL"] + "/v1/relevance", body)
    with urllib.request.urlopen(request) as answer:
        scores = [row["score"] for row in json.load(answer)["results"]]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return order, scores


def check(found, top=None):
    """Compares pairs of position and score, in their order, with what is expected."""
    order, scores = expected()
    found = list(found)
    assert [index for index, _ in found] == order[:top], (found, order)
    for index, score in found:
        assert abs(score - scores[index]) < 1e-5, (index, score, scores)


def check_documents(found, top=None):
    """The same for clients that give documents and no positions."""
    check([(DOCUMENTS.index(text), score) for text, score in found], top)
