"""A cross-encoder of sentence-transformers behind FastAPI and uvicorn, as people write it themselves.

    python benches/peers/serve_fastapi.py FOLDER PORT
"""

import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import CrossEncoder

MODEL = CrossEncoder(sys.argv[1], max_length=64)
APP = FastAPI()
# A prediction uses all threads; two at a time would only keep each other from them.
TURN = threading.Lock()


class Rerank(BaseModel):
    query: str
    documents: list[str]


@APP.get("/health")
def health():
    return "ok"


@APP.post("/rerank")
def rerank(body: Rerank):
    with TURN:
        scores = MODEL.predict([(body.query, text) for text in body.documents], show_progress_bar=False)
    return {"results": [{"index": index, "relevance_score": float(score)} for index, score in enumerate(scores)]}


if __name__ == "__main__":
    uvicorn.run(APP, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
