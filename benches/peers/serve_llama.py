"""llama.cpp's server with a reranker, in this process.

    python benches/peers/serve_llama.py FILE.gguf PORT
"""

import sys
import time

import xllamacpp

THREADS = 2

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.embedding = True
params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
# rows of a batch are the server's slots, and each has a share of the context
params.n_parallel = 16
params.n_ctx = 16 * 64
params.n_batch = params.n_ubatch = 1024
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
while True:
    time.sleep(3600)
