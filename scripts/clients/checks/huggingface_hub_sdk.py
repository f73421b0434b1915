"""huggingface_hub: text classification of a pair."""

from huggingface_hub import InferenceClient
from shop import DOCUMENTS, QUERY, URL, expected

client = InferenceClient(model=URL + "/predict", token="any")
found = client.text_classification([QUERY, DOCUMENTS[1]])
classes = {row.label: row.score for row in found}
score = classes["partial"] / 2 + classes["relevant"]
assert abs(score - expected()[1][1]) < 1e-5, (classes, expected())
