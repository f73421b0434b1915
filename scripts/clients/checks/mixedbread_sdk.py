"""mixedbread."""

from mixedbread import Mixedbread
from shop import DOCUMENTS, QUERY, URL, check

client = Mixedbread(api_key="any", base_url=URL)
answer = client.rerank(model="mxbai-rerank-v2", query=QUERY, input=DOCUMENTS, top_k=3, return_input=True)
check([(row.index, row.score) for row in answer.data], top=3)
assert [row.input for row in answer.data] == [DOCUMENTS[row.index] for row in answer.data]
answer = client.rerank(query=QUERY, input=DOCUMENTS)
check([(row.index, row.score) for row in answer.data])
