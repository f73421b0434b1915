"""rerankers: its API ranker with each provider that takes an address."""

from rerankers.models.api_rankers import APIRanker
from shop import DOCUMENTS, QUERY, URL, check

for provider, path in [
    ("cohere", "/v1/rerank"),
    ("jina", "/v1/rerank"),
    ("voyage", "/v1/rerank"),
    ("mixedbread.ai", "/v1/reranking"),
    ("text-embeddings-inference", "/rerank"),
]:
    ranker = APIRanker("any", api_key="any", api_provider=provider, verbose=0, url=URL + path)
    found = ranker.rank(query=QUERY, docs=DOCUMENTS)
    check([(row.document.doc_id, row.score) for row in found.results])
