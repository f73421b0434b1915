"""cohere: clients of version 1 and 2."""

import cohere
from shop import DOCUMENTS, QUERY, URL, check

v2 = cohere.ClientV2(api_key="any", base_url=URL)
answer = v2.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS, top_n=3)
check([(row.index, row.relevance_score) for row in answer.results], top=3)
v2.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS, max_tokens_per_doc=512)

v1 = cohere.Client(api_key="any", base_url=URL)
answer = v1.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS, return_documents=True)
check([(row.index, row.relevance_score) for row in answer.results])
assert [row.document.text for row in answer.results] == [DOCUMENTS[row.index] for row in answer.results]
objects = [{"text": document, "sku": "7"} for document in DOCUMENTS]
answer = v1.rerank(model="rerank-v3.5", query=QUERY, documents=objects, rank_fields=["text"])
check([(row.index, row.relevance_score) for row in answer.results])
