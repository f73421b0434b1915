"""langchain-cohere: a document compressor and plain reranking."""

from langchain_cohere import CohereRerank
from langchain_core.documents import Document
from shop import DOCUMENTS, QUERY, URL, check, check_documents

reranker = CohereRerank(model="rerank-v3.5", cohere_api_key="any", base_url=URL, top_n=10)
check([(row["index"], row["relevance_score"]) for row in reranker.rerank(DOCUMENTS, QUERY)])
found = reranker.compress_documents([Document(page_content=text) for text in DOCUMENTS], QUERY)
check_documents([(row.page_content, row.metadata["relevance_score"]) for row in found])
