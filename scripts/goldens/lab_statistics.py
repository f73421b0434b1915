"""Writes the goldens of what sextant-eval says about tests, effects, calibration and ensembles.

Run from the repository root, in an environment with numpy, scipy (1.17), scikit-learn (1.9) and
statsmodels (0.15):

    python scripts/goldens/lab_statistics.py

It writes crates/sextant-eval/tests/goldens/statistics.json, the same bytes at every run. McNemar's
p-values are in mcnemar.json, metrics and ECE in metrics.json: metrics.py writes them. (Not named
`statistics.py`: that would hide Python's own module from every script beside it.)
"""

import json
import warnings
from itertools import combinations

import numpy as np
from metrics import OUT, case, expected_calibration_error
from scipy import optimize, stats
from sklearn import metrics as sk
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_effectsize

REPLICATES = 20000


def holm(rng):
    families = [
        [0.2],
        [0.01, 0.04, 0.03, 0.005, 0.5],
        [0.02, 0.02, 0.02, 1.0, 0.001],  # ties
        [0.6, 0.7, 0.9],  # all of them 1
        np.round(rng.random(40) ** 4, 6).tolist(),
    ]
    return [{"p": p, "corrected": multipletests(p, method="holm")[1].tolist()} for p in families]


def odds_ratio(only_first, only_second, level):
    """The Clopper-Pearson interval of the second's share, as odds; null where they are infinite."""
    n = only_first + only_second
    interval = stats.binomtest(only_second, n).proportion_ci(level, method="exact")
    # As odds: of 1 - p where p is near 1, from the failures' own interval, which does not cancel.
    failures = stats.binomtest(only_first, n).proportion_ci(level, method="exact")
    return {
        "only_first": only_first,
        "only_second": only_second,
        "level": level,
        "value": only_second / only_first if only_first else None,
        "low": float(interval.low / failures.high),
        "high": float(interval.high / failures.low) if only_first else None,
    }


def risk_coverage(confidence, correct):
    """Geifman et al. 2019, row by row: no sorting, no sums that run along."""
    risks = [1 - correct[confidence >= threshold].mean() for threshold in confidence]
    errors = np.sort(1 - correct)
    best = np.cumsum(errors) / np.arange(1, len(errors) + 1)
    return {"aurc": float(np.mean(risks)), "excess_aurc": float(np.mean(risks) - np.mean(best))}


def calibration(rows):
    """A temperature by scipy's bounded minimisation; what ECE, log loss and AURC are with it."""
    truth, weight = np.array(rows["grade"]), np.array(rows["weight"])
    probs = (np.array(rows["thousandths"]) / 1000).astype(np.float32).astype(np.float64)
    logits = np.log(np.maximum(probs, 1e-30))  # the floor of `fit_temperature`

    def scaled(temperature):
        powers = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
        return powers / powers.sum(1, keepdims=True)

    def loss(temperature):
        return sk.log_loss(truth, scaled(temperature), labels=[0, 1, 2], sample_weight=weight)

    found = optimize.minimize_scalar(loss, bounds=(0.02, 50), method="bounded", options={"xatol": 1e-10})
    after = scaled(found.x)
    values = {}
    for name, p in [("before", probs), ("after", after)]:
        correct = p.argmax(1) == truth
        values[name] = {
            "ece": float(expected_calibration_error(p.max(1), correct, weight)),
            "log_loss": float(sk.log_loss(truth, p, labels=[0, 1, 2], sample_weight=weight)),
        }
    correct = probs.argmax(1) == truth
    area = risk_coverage(probs.max(1), correct) if (weight == 1).all() else None
    answers = {key: rows[key] for key in ["grade", "thousandths", "weight"]}
    return {**answers, "temperature": float(found.x), **values, "risk_coverage": area}


def diversity(rng, members, rows):
    """Kuncheva and Whitaker 2003: means over pairs, those where a measure is defined."""
    truth = rng.integers(0, 3, rows)
    hard = rng.random(rows) < 0.3  # rows that all find hard, so that failures go together
    predicted = []
    for _ in range(members):
        wrong = rng.random(rows) < np.where(hard, 0.7, 0.15)
        predicted.append(np.where(wrong, (truth + rng.integers(1, 3, rows)) % 3, truth))
    disagreement, q, kappa, quadratic = [], [], [], []
    for a, b in combinations(predicted, 2):
        disagreement.append(np.mean(a != b))
        (n00, n01), (n10, n11) = sk.confusion_matrix(a == truth, b == truth, labels=[False, True])
        q.append((n11 * n00 - n01 * n10) / (n11 * n00 + n01 * n10))
        kappa.append(sk.cohen_kappa_score(a, b, labels=[0, 1, 2]))
        quadratic.append(sk.cohen_kappa_score(a, b, labels=[0, 1, 2], weights="quadratic"))
    digits = lambda values: "".join(map(str, values))
    return {
        "truth": digits(truth),
        "members": [digits(member) for member in predicted],
        "disagreement": float(np.mean(disagreement)),
        "q": float(np.mean(q)),
        "kappa": float(np.mean(kappa)),
        "quadratic_kappa": float(np.mean(quadratic)),
    }


def cohens_h(first, second):
    return 2 * (np.arcsin(np.sqrt(second)) - np.arcsin(np.sqrt(first)))


def paired_bootstrap(rng, rows, groups=None):
    """Percentile intervals of the difference and of Cohen's h by scipy: of rows, or of groups."""
    # Skewed, so that groups are of very different sizes.
    group = np.arange(rows) if groups is None else (groups * rng.random(rows) ** 2).astype(int)
    # What a group's rows have in common: resampling rows in place of groups would be told apart.
    skill = (0.2 + 0.8 * rng.random(group.max() + 1))[group]
    first = (rng.random(rows) < 0.8).astype(int)
    second = np.where(rng.random(rows) < 0.3, first, rng.random(rows) < skill).astype(int)
    options = {"n_resamples": REPLICATES, "method": "percentile", "batch": 500}
    if groups is None:
        data = (first, second)
        accuracies = lambda a, b, axis: (a.mean(axis), b.mean(axis))
        options["paired"] = True
    else:
        sums = np.array([np.bincount(group, values) for values in (np.ones(rows), first, second)])
        data = (np.unique(group),)

        def accuracies(drawn, axis):
            size, a, b = sums[:, drawn].sum(axis)
            return a / size, b / size

    found = {}
    for name, of in [("difference", lambda a, b: b - a), ("cohens_h", cohens_h)]:
        statistic = lambda *data, axis: of(*accuracies(*data, axis=axis))
        interval = stats.bootstrap(data, statistic, rng=np.random.default_rng(11), **options).confidence_interval
        value = of(first.mean(), second.mean())
        found[name] = {"value": float(value), "low": float(interval.low), "high": float(interval.high)}
    return {
        "group": None if groups is None else group.tolist(),
        "first": "".join(map(str, first)),
        "second": "".join(map(str, second)),
        "replicates": REPLICATES,
        **found,
    }


def welch(rng, first, second, spread):
    """Welch's test of two groups of seeds, and its interval: the limit of very many test rows."""
    a, b = (np.round(0.7 + shift + spread * rng.standard_normal(n), 4) for shift, n in ((0, first), (0.02, second)))
    found = stats.ttest_ind(b, a, equal_var=False)
    interval = found.confidence_interval(0.99)
    return {
        "first": a.tolist(),
        "second": b.tolist(),
        "degrees": float(found.df),
        "p": float(found.pvalue),
        "low_99": float(interval.low),
        "high_99": float(interval.high),
    }


def main():
    warnings.filterwarnings("ignore")  # sums that are 1 only to f32
    rng = np.random.default_rng(13)
    even = [1 / 3] * 3
    counts = [(0, 3), (3, 0), (1, 1), (4, 1), (12, 5), (30, 11), (59, 101), (1000, 900), (1, 900), (9000, 8000)]
    shares = [(0.0, 1.0), (0.5, 0.5), (0.825, 0.9), (0.99, 0.995), (0.4, 0.3), (1.0, 0.97)]
    goldens = {
        "holm": holm(rng),
        "odds_ratio": [odds_ratio(b, c, level) for b, c in counts for level in (0.95, 0.99)],
        "cohens_h": [
            {"first": a, "second": b, "value": float(proportion_effectsize(b, a))} for a, b in shares
        ],
        "calibration": [
            calibration(case(rng, 300, priors=even)),
            calibration(case(rng, 300, priors=even, skill=0.4)),
            calibration(case(rng, 200, priors=[0.1, 0.2, 0.7], weighted=True)),
            calibration(case(rng, 200, priors=even, skill=3.0, coarse=True)),
        ],
        "diversity": [diversity(rng, 4, 200), diversity(rng, 2, 30)],
        "paired_bootstrap": [paired_bootstrap(rng, 1000), paired_bootstrap(rng, 1000, groups=40)],
        "welch": [welch(rng, 2, 2, 0.004), welch(rng, 3, 3, 0.01), welch(rng, 5, 3, 0.002), welch(rng, 30, 40, 0.05)],
    }
    # A line for each case.
    parts = []
    for name, cases in goldens.items():
        lines = ",\n".join(json.dumps(value, separators=(",", ":"), allow_nan=False) for value in cases)
        parts.append(f'"{name}":[\n{lines}\n]')
    (OUT / "statistics.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
