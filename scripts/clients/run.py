"""Runs real clients of rerank, classification and decision APIs against a running server.

    sextant serve BUNDLE &
    python scripts/clients/run.py --url http://127.0.0.1:8080 --environments FOLDER [--only NAME …] [--write]

Each client has a virtual environment of its own under the folder of --environments, since clients pin each other
apart; environments that are there are used. Needs the network for installing, and node for one client. A check
compares order and scores with the native API's answers to the same pairs.

With --write, the table in docs/serving.md and the requests and answers in crates/sextant-serve/tests/recorded are
replaced. A test of that crate sends the recorded requests again, without any client.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import venv
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Name of the environment and of the check, what is installed, and what the table says of it.
CLIENTS = {
    "cohere_sdk": (["cohere==7.3.1"], "`base_url`"),
    "langchain_rerank": (["langchain-cohere==0.6.0"], "`base_url`"),
    "llamaindex_rerank": (
        [
            "llama-index-postprocessor-cohere-rerank==0.10.0",
            "llama-index-postprocessor-jinaai-rerank==0.6.0",
            "llama-index-postprocessor-tei-rerank==0.6.0",
        ],
        "`base_url`; Jina: with `/v1`",
    ),
    "haystack_tei": (["huggingface-api-haystack==3.1.0"], "`url`"),
    "huggingface_hub_sdk": (["huggingface_hub==2.4.0"], "`model`, with `/predict`"),
    "voyage_sdk": (["voyageai==0.5.0"], "`base_url`, with `/v1`"),
    "mixedbread_sdk": (["mixedbread==0.54.0"], "`base_url`"),
    "rerankers_api": (["rerankers==0.10.0", "requests"], "`url`, with the path"),
    "litellm_rerank": (["litellm==1.110.2"], "`api_base`; Infinity: with `/infinity`"),
    "openai_decisions": (["openai==3.57.0"], "`base_url`, with `/v1`"),
    "typesafe_systemone": (["typesafe-sdk[zstd]==0.7.5"], "`base_url`"),
    "cohere_ai": (["cohere-ai@8.1.0"], "`environment`"),
}


class Recorder(BaseHTTPRequestHandler):
    """Passes requests on to the server, and keeps them with their answers."""

    protocol_version = "HTTP/1.1"
    server_url = ""
    kept: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        request = urllib.request.Request(self.server_url + self.path, body, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read()
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"] or "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.keep(body, text, answer.status)

    def keep(self, body, text, status):
        packed = self.headers.get("content-encoding")
        path = self.path.rstrip("/")
        self.kept.append({"path": path, "status": status, "packed": packed, "request": body, "answer": text})

    def log_message(self, *_):
        pass


def environment(name, packages, folder):
    """The program that runs the checks of a client, with its packages installed."""
    place = folder / name
    if packages[0].startswith("cohere-ai"):
        if not (place / "node_modules").exists():
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--silent", "--prefix", place, *packages], check=True)
        return None
    python = place / "bin/python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def run(name, packages, folder, url, direct):
    """Runs a check, and returns what it complained of."""
    program = environment(name, packages, folder)
    variables = {**os.environ, "SEXTANT_URL": url, "SEXTANT_DIRECT_URL": direct, "PYTHONPATH": str(HERE)}
    if program is None:
        os.environ.update(variables)
        sys.path.insert(0, str(HERE))
        import shop

        variables["SEXTANT_EXPECTED"] = json.dumps([shop.QUERY, shop.DOCUMENTS, shop.expected()[0]])
        # node finds packages beside the script only.
        copy = folder / name / f"{name}.mjs"
        copy.write_text((HERE / f"checks/{name}.mjs").read_text())
        command = ["node", copy]
    else:
        command = [program, HERE / f"checks/{name}.py"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip().splitlines()[-1]


def recorded(name, packages, kept):
    """The lines of a client's recorded requests, each form of a request once."""
    lines, seen = [], set()
    for exchange in kept:
        if exchange["status"] != 200 or exchange["packed"]:
            continue
        request = json.loads(exchange["request"])
        form = (exchange["path"], json.dumps({key: type(value).__name__ for key, value in request.items()}))
        if form not in seen:
            seen.add(form)
            answer = json.loads(exchange["answer"])
            line = {"client": " ".join(packages), "path": exchange["path"], "request": request, "answer": answer}
            lines.append(json.dumps(line, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def table(results):
    """The table of clients in docs/serving.md."""
    lines = ["| client | where its address goes | asks | result |", "|---|---|---|---|"]
    for name, (packages, where) in CLIENTS.items():
        if name in results:
            problem, paths = results[name]
            asked = ", ".join(f"`{path}`" for path in paths)
            lines.append(f"| {', '.join(packages)} | {where} | {asked} | {problem or 'passes'} |")
    return "\n".join(lines)


def write_table(text):
    place = ROOT / "docs/serving.md"
    document = place.read_text()
    begin, end = "<!-- clients: begin -->\n", "<!-- clients: end -->"
    head, rest = document.split(begin)
    place.write_text(head + begin + text + "\n" + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=CLIENTS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    Recorder.server_url = options.url
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{proxy.server_port}"
    results = {}
    for name, (packages, _) in CLIENTS.items():
        if options.only and name not in options.only:
            continue
        Recorder.kept.clear()
        problem = run(name, packages, options.environments.absolute(), url, options.url)
        paths = list(dict.fromkeys(exchange["path"] for exchange in Recorder.kept))
        results[name] = (problem, paths)
        packed = {exchange["packed"] for exchange in Recorder.kept} - {None}
        print(f"{name}: {problem or 'passes'} ({', '.join(paths)}{'; packed: ' + ', '.join(packed) if packed else ''})", flush=True)
        if options.write and not problem:
            lines = recorded(name, packages, Recorder.kept)
            (ROOT / f"crates/sextant-serve/tests/recorded/{name}.jsonl").write_text(lines)
    if options.write and not options.only:
        write_table(table(results))
    sys.exit(any(problem for problem, _ in results.values()))


main()
