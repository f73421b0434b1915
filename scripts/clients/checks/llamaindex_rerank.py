"""llama-index: postprocessors for Cohere, Jina and TEI."""

from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference
from shop import DOCUMENTS, QUERY, URL, check_documents

for reranker in [
    CohereRerank(api_key="any", base_url=URL, model="rerank-v3.5", top_n=3),
    JinaRerank(api_key="any", base_url=URL + "/v1", model="jina-reranker-v2", top_n=3),
    TextEmbeddingInference(base_url=URL, model_name="any", top_n=3),
    TextEmbeddingInference(base_url=URL, model_name="any", top_n=3, auth_token="any"),
]:
    nodes = [NodeWithScore(node=TextNode(text=text), score=0.0) for text in DOCUMENTS]
    found = reranker.postprocess_nodes(nodes, query_str=QUERY)
    check_documents([(row.node.get_content(), row.score) for row in found], top=3)
