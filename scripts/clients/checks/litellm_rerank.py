"""litellm: reranking by six providers."""

import litellm
from shop import DOCUMENTS, QUERY, URL, check

for provider, base in [
    ("cohere", URL + "/v2/rerank"),
    ("jina_ai", URL + "/v1/rerank"),
    ("voyage", URL),
    ("hosted_vllm", URL),
    ("huggingface", URL),
    ("infinity", URL + "/infinity"),
]:
    for options in [{}, {"top_n": 2}, {"return_documents": True}]:
        found = litellm.rerank(
            model=f"{provider}/any", query=QUERY, documents=DOCUMENTS, api_key="any", api_base=base, **options
        )
        rows = [(row["index"], row["relevance_score"]) for row in found.results]
        check(rows, top=options.get("top_n"))
