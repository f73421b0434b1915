"""Writes the goldens of sextant-eval: what scikit-learn and statsmodels say of random predictions.

Run from the repository root, in an environment with numpy, scikit-learn (1.9) and statsmodels (0.15):

    python scripts/goldens/metrics.py

It writes crates/sextant-eval/tests/goldens/{metrics,mcnemar}.json, the same bytes at every run.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-eval/tests/goldens"
TASKS = ["query-product", "query-type", "query-query", "product-product", "product-type", "type-type"]
GRADES = [0, 1, 2]


def case(rng, rows, *, priors, tasks=(0,), groups=None, skill=1.5, never_predicted=None, coarse=False, weighted=False):
    """Random rows. Probabilities are whole thousandths, so that they are short to write and often tie."""
    truth = rng.choice(3, rows, p=priors)
    logits = rng.normal(size=(rows, 3)) + skill * np.eye(3)[truth]
    if never_predicted is not None:
        logits[:, never_predicted] = -20.0
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    unit = 100 if coarse else 1
    thousandths = np.round(probs * 1000 / unit).astype(int) * unit
    thousandths[np.arange(rows), thousandths.argmax(1)] += 1000 - thousandths.sum(1)
    group = rng.integers(0, groups, rows) if groups else np.full(rows, -1)
    # Some rows stand alone also where groups exist.
    group = np.where(rng.random(rows) < 0.1, -1, group)
    weight = rng.integers(1, 9, rows) / 4 if weighted else np.ones(rows)
    return {
        "task": [TASKS[t] for t in rng.choice(tasks, rows)],
        "group": [None if g < 0 else f"g{g}" for g in group],
        "grade": truth.tolist(),
        "thousandths": thousandths.tolist(),
        "weight": weight.tolist(),
    }


def number(value):
    value = float(value)
    return None if math.isnan(value) else value


def expected_calibration_error(confidence, correct, weight, bins=15):
    """Guo et al. 2017, written without regard to the one in Rust: bins (lower, upper]."""
    which = np.clip(np.digitize(confidence, np.arange(1, bins) / bins, right=True), 0, bins - 1)
    error = 0.0
    for b in range(bins):
        inside = which == b
        if inside.any():
            w = weight[inside]
            gap = abs(np.average(correct[inside], weights=w) - np.average(confidence[inside], weights=w))
            error += w.sum() / weight.sum() * gap
    return error


def slice_metrics(task, group, truth, probs, weight):
    predicted, expected = probs.argmax(1), probs[:, 1] + 2 * probs[:, 2]
    classes = dict(labels=GRADES, sample_weight=weight, zero_division=0)
    precision, recall, f1, support = sk.precision_recall_fscore_support(truth, predicted, **classes)
    kappa = dict(labels=GRADES, sample_weight=weight)
    lists = {}
    for i, key in enumerate(zip(task, group)):
        if key[1] is not None:
            lists.setdefault(key, []).append(i)
    ndcg = [
        sk.ndcg_score([2.0 ** truth[rows] - 1], [expected[rows]], k=10)
        for rows in lists.values()
        if len(rows) >= 2 and truth[rows].any()
    ]
    return {
        "rows": len(truth),
        "ranked_lists": len(ndcg),
        "accuracy": number(sk.accuracy_score(truth, predicted, sample_weight=weight)),
        "macro_f1": number(sk.f1_score(truth, predicted, average="macro", **classes)),
        "quadratic_kappa": number(sk.cohen_kappa_score(truth, predicted, weights="quadratic", **kappa)),
        "cohen_kappa": number(sk.cohen_kappa_score(truth, predicted, **kappa)),
        "mae": number(sk.mean_absolute_error(truth, expected, sample_weight=weight)),
        "rmse": number(sk.root_mean_squared_error(truth, expected, sample_weight=weight)),
        "log_loss": number(sk.log_loss(truth, y_proba=probs, labels=GRADES, sample_weight=weight)),
        "brier": number(sk.brier_score_loss(truth, probs, labels=GRADES, sample_weight=weight, scale_by_half=False)),
        "ece": number(expected_calibration_error(probs.max(1), predicted == truth, weight)),
        "ndcg_at_10": number(np.mean(ndcg)) if ndcg else None,
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "confusion": sk.confusion_matrix(truth, predicted, labels=GRADES, sample_weight=weight).tolist(),
    }


def expectations(rows):
    task, group = np.array(rows["task"]), np.array(rows["group"], dtype=object)
    truth, weight = np.array(rows["grade"]), np.array(rows["weight"])
    # The predictions are f32 in Rust: take the same values, then compute in f64.
    probs = (np.array(rows["thousandths"]) / 1000).astype(np.float32).astype(np.float64)
    columns = (task, group, truth, probs, weight)
    slices = {"pooled": slice_metrics(*columns)}
    for name in TASKS:
        if (task == name).any():
            slices[name] = slice_metrics(*(column[task == name] for column in columns))
    return slices


def main():
    warnings.filterwarnings("ignore")  # undefined kappas, sums that are 1 only to f32
    rng = np.random.default_rng(7)
    even, skewed = [1 / 3] * 3, [0.08, 0.12, 0.8]
    cases = {
        "balanced": case(rng, 150, priors=even),
        "skewed": case(rng, 150, priors=skewed, groups=20),
        "six tasks": case(rng, 240, priors=[0.3, 0.3, 0.4], tasks=range(6), groups=25),
        "long lists": case(rng, 120, priors=[0.5, 0.3, 0.2], groups=4),
        "ties": case(rng, 120, priors=even, groups=12, coarse=True),
        "grade absent from truth": case(rng, 60, priors=[0.5, 0.0, 0.5], groups=10),
        "grade never predicted": case(rng, 60, priors=even, groups=10, never_predicted=1),
        "grade absent from both": case(rng, 60, priors=[0.5, 0.0, 0.5], never_predicted=1),
        "weighted": case(rng, 120, priors=even, tasks=[0, 3], groups=15, weighted=True),
        "wrong and sure": case(rng, 30, priors=even, skill=-9.0),
        "all one grade": case(rng, 10, priors=[0.0, 0.0, 1.0], groups=3, skill=12.0),
        "single row": case(rng, 1, priors=even),
    }
    counts = [(0, 0), (1, 0), (4, 1), (10, 10), (12, 5), (30, 11), (59, 101), (1000, 900), (40000, 39000), (3000, 1000)]
    tests = []
    for b, c in counts:
        table = [[0, b], [c, 0]]
        exact = mcnemar(table, exact=True)
        corrected = mcnemar(table, exact=False, correction=True) if b != c else None
        tests.append({
            "only_first": b,
            "only_second": c,
            "exact_p": float(exact.pvalue),
            # statsmodels squares a correction that went past zero where b = c; there it is left out.
            "corrected_statistic": corrected and float(corrected.statistic),
            "corrected_p": corrected and float(corrected.pvalue),
        })
    OUT.mkdir(parents=True, exist_ok=True)
    goldens = [{"name": name, "rows": rows, "expected": expectations(rows)} for name, rows in cases.items()]
    for name, values in [("metrics", goldens), ("mcnemar", tests)]:
        lines = ",\n".join(json.dumps(value, separators=(",", ":"), allow_nan=False) for value in values)
        (OUT / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
