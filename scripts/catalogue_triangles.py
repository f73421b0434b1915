"""Pairs of unlabelled triangles of a query, a product and a type, from the test rows of public-six.

    python scripts/catalogue_triangles.py data/public-six/test.jsonl 6000 data/triangles
    sextant consistency RUNS... --data data/triangles --triples 6000

Each triangle is a query with a product that was judged for it, and the type whose words its title shares most, among
the types of the test rows; so that the type is neither random nor known to be right. Two of its three pairs are
written, with a grade that stands for none: `sextant consistency` adds the third pair. Nobody has graded these pairs
with the type, so that what the command says about true grades means nothing here.
"""

import json
import random
import re
import sys
from pathlib import Path


def words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower())}


def text(side: object) -> str:
    return side if isinstance(side, str) else str(side.get("title") or side.get("text"))


def main() -> None:
    source, count, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    types = set()
    for row in rows:
        left, _, right = row["task"].partition("-")
        types |= {text(row[side]) for side, kind in (("left", left), ("right", right)) if kind == "type"}
    by_word: dict[str, list[str]] = {}
    for name in sorted(types):
        for word in words(name):
            by_word.setdefault(word, []).append(name)
    pairs = [row for row in rows if row["task"] == "query-product"]
    random.Random(20260623).shuffle(pairs)
    seen, lines = set(), []
    for row in pairs:
        title = words(text(row["right"]))
        shared: dict[str, int] = {}
        for word in title:
            for name in by_word.get(word, []):
                shared[name] = shared.get(name, 0) + 1
        if not shared or text(row["right"]) in seen:
            continue
        seen.add(text(row["right"]))
        # The most words, and of these the largest share of the type's own; the name decides what is left.
        best = min(shared, key=lambda name: (-shared[name], len(words(name)), name))
        for task, left, right in (("query-product", row["left"], row["right"]), ("product-type", row["right"], best)):
            lines.append(json.dumps({"task": task, "left": left, "right": right, "grade": 0}))
        if len(seen) == count:
            break
    out.mkdir(parents=True, exist_ok=True)
    (out / "test.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(seen)} triangles of {len(pairs)} judged pairs and {len(types)} types")


main()
