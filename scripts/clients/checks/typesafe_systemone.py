"""typesafe-sdk: system one, with a body that is large enough to be packed with zstd."""

from shop import DOCUMENTS, QUERY, URL, expected
from typesafe_sdk import Noul, Score, TypeSafeClient

LEVELS = ["has nothing to do with it", "is related", "is what was meant"]
for padding in ["", "x" * 5000]:
    with TypeSafeClient(api_key="any", base_url=URL) as client:
        answer = client.system_one(
            state={"query": QUERY, "product": DOCUMENTS[1], "notes": padding},
            questions={
                "fit": Score(instructions="How well does the product answer the query?", criteria=LEVELS),
                "relevant": Noul(instructions="Is the product relevant to the query?"),
            },
        )
    fit = answer.scores["fit"]
    assert abs(fit.score / 2 - expected()[1][1]) < 1e-5, (fit, expected())
    assert 0 <= answer.nouls["relevant"].noul <= 1
