"""huggingface-api-haystack: the ranker for TEI."""

from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker
from shop import DOCUMENTS, QUERY, URL, check_documents

ranker = HuggingFaceTEIRanker(url=URL, top_k=3, token=Secret.from_token("any"))
found = ranker.run(query=QUERY, documents=[Document(content=text) for text in DOCUMENTS])
check_documents([(row.content, row.score) for row in found["documents"]], top=3)
