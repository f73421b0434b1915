"""voyageai."""

import voyageai
from shop import DOCUMENTS, QUERY, URL, check

client = voyageai.Client(api_key="any", base_url=URL + "/v1")
answer = client.rerank(QUERY, DOCUMENTS, model="rerank-2")
check([(row.index, row.relevance_score) for row in answer.results])
assert answer.total_tokens >= 0
answer = client.rerank(QUERY, DOCUMENTS, model="rerank-2", top_k=2)
check([(row.index, row.relevance_score) for row in answer.results], top=2)
