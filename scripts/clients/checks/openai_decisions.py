"""openai: decisions."""

import json

from openai import OpenAI
from shop import DOCUMENTS, QUERY, URL, expected

client = OpenAI(api_key="any", base_url=URL + "/v1")
levels = [{"label": "irrelevant"}, {"label": "partial"}, {"label": "relevant", "description": "what was meant"}]
answer = client.decisions.create(
    model="any",
    input=json.dumps({"query": QUERY, "product": DOCUMENTS[1]}),
    questions=[
        {"type": "score", "name": "fit", "instructions": "How well does the product answer the query?", "levels": levels},
        {"type": "predicate", "instructions": "The product is relevant to the query."},
    ],
)
fit, relevant = answer.answers
assert abs(fit.score / 2 - expected()[1][1]) < 1e-5, (fit, expected())
assert [row.label for row in fit.probabilities] == ["irrelevant", "partial", "relevant"]
assert abs(relevant.probability - fit.probabilities[2].probability) < 1e-6
