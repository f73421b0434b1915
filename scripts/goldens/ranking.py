"""Writes the goldens of ranking measures: what ir-measures, ranx and pytrec-eval say of random runs.

Run from the repository root, in an environment with ir-measures (0.4.3), cwl-eval, ranx (0.3.21) and
pytrec-eval-terrier (0.5.11); gdeval, which ir-measures brings, needs perl:

    python scripts/goldens/ranking.py

It writes crates/sextant-eval/tests/goldens/ranking.json, the same bytes at every run. gdeval prints five digits; the
script makes its copy print all of them, and changes nothing else of it.
"""

import json
import pkgutil
from pathlib import Path

import ir_measures
import numpy as np
import pytrec_eval
import ranx
from ir_measures.providers import gdeval_provider

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-eval/tests/goldens/ranking.json"

whole = pkgutil.get_data
gdeval_provider.pkgutil.get_data = lambda *args: (
    whole(*args).replace(b"%.5f,%.5f", b"%.17g,%.17g") if args[1].endswith("gdeval.pl") else whole(*args)
)


def case(rng, queries, documents, ties, graded=True):
    qrels, run = {}, {}
    for number in range(1, queries + 1):
        query = str(number)
        names = [f"d{n}" for n in rng.permutation(documents * 3)[:documents]]
        judged = [name for name in names if rng.random() < 0.7] or names[:1]
        grades = rng.choice([-1, 0, 1, 2, 3] if graded else [0, 1], len(judged), p=[0.03, 0.47, 0.2, 0.2, 0.1] if graded else None)
        qrels[query] = {name: int(grade) for name, grade in zip(judged, grades)}
        # A judged document that the run misses.
        qrels[query]["absent"] = int(rng.integers(0, 3))
        if number == queries:
            continue  # judged, and not in the run
        scores = rng.integers(0, 6, documents) / 4 if ties else rng.permutation(documents) / 128 + 0.25
        run[query] = {name: float(score) for name, score in zip(names, scores)}
    run["9999"] = {"d1": 1.0}  # in the run, and not judged
    return qrels, run


def reference(qrels, run, ties):
    found = {}
    measures = [
        "nDCG@10", "nDCG@5", "nDCG", "nDCG(dcg='exp-log2')@10", "RR", "RR(rel=2)", "RR@5", "AP", "AP(rel=2)", "AP@10",
        "RBP(rel=1)", "RBP(p=0.95,rel=2)", "ERR@20", "ERR@5", "P@5", "P(rel=2)@10", "R@10", "R(rel=2)@10", "Judged@10",
    ]
    if ties:  # for these, ir-measures calls programs that order equal scores otherwise than trec_eval, which has the rest
        measures = [name for name in measures if name not in ("Judged@10", "RR@5", "RBP(rel=1)", "RBP(p=0.95,rel=2)")]
    parsed = [ir_measures.parse_measure(name) for name in measures]
    answered = {query: documents for query, documents in run.items()}
    found["ir-measures"] = {name: {} for name in measures}
    for metric in ir_measures.iter_calc(parsed, qrels, answered):
        if metric.query_id in qrels:
            name = measures[parsed.index(metric.measure)]
            found["ir-measures"][name][metric.query_id] = metric.value
    trec = {"ndcg_cut_10": "nDCG@10", "ndcg": "nDCG", "recip_rank": "RR", "map": "AP", "map_cut_10": "AP@10", "P_5": "P@5", "recall_10": "R@10"}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "ndcg", "recip_rank", "map", "map_cut.10", "P.5", "recall.10"})
    found["pytrec-eval"] = {ours: {} for ours in trec.values()}
    for query, values in evaluator.evaluate(run).items():
        for name, ours in trec.items():
            found["pytrec-eval"][ours][query] = values[name]
    if not ties:  # ranx orders equal scores by chance
        names = {
            "ndcg@10": "nDCG@10", "ndcg_burges@10": "nDCG(dcg='exp-log2')@10", "mrr": "RR", "mrr@5": "RR@5", "map": "AP",
            "map@10": "AP@10", "rbp.80": "RBP(p=0.8)", "rbp.95": "RBP(p=0.95)", "precision@5": "P@5", "recall@10": "R@10",
        }
        # ranx knows no grades below 0, and no queries of one side alone.
        clean = {q: {d: max(0, g) for d, g in docs.items()} for q, docs in qrels.items() if q in run}
        run_of = ranx.Run({q: docs for q, docs in run.items() if q in clean})
        ranx.evaluate(ranx.Qrels(clean), run_of, list(names))
        found["ranx"] = {ours: {q: float(v) for q, v in run_of.scores[name].items()} for name, ours in names.items() if "rbp" not in name}
        # ranx takes a grade of 3 for three times a relevant document, so that its RBP exceeds 1.
        binary = {q: {d: min(1, g) for d, g in docs.items()} for q, docs in clean.items()}
        ranx.evaluate(ranx.Qrels(binary), run_of, ["rbp.80", "rbp.95"])
        for name in ["rbp.80", "rbp.95"]:
            found["ranx"][names[name]] = {q: float(v) for q, v in run_of.scores[name].items()}
    return found


def main():
    rng = np.random.default_rng(2027)
    cases = []
    for name, queries, documents, ties, graded in [
        ("distinct scores", 12, 30, False, True),
        ("ties", 10, 25, True, True),
        ("binary, short lists", 8, 6, False, False),
    ]:
        qrels, run = case(rng, queries, documents, ties, graded)
        cases.append({"name": name, "qrels": qrels, "run": run, "expected": reference(qrels, run, ties)})
    OUT.write_text(json.dumps(cases, indent=None, separators=(",", ":")) + "\n")


main()
