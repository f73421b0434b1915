"""Writes the goldens of several raters: Fleiss' kappa of statsmodels, Krippendorff's alpha of `krippendorff`, and the
model of Dawid and Skene of crowd-kit.

Run from the repository root, in an environment with statsmodels (0.15), krippendorff and crowd-kit (1.4):

    python scripts/goldens/raters.py

It writes crates/sextant-data/tests/goldens/raters.json, the same bytes at every run.
"""

import json
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene
from statsmodels.stats.inter_rater import fleiss_kappa

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-data/tests/goldens/raters.json"


def case(rng, name, items, raters, present):
    truth = rng.choice(3, items, p=[0.3, 0.3, 0.4])
    ratings = []
    for rater in range(raters):
        skill = rng.uniform(0.45, 0.95)
        for item in range(items):
            if rng.random() < present:
                grade = truth[item] if rng.random() < skill else rng.integers(0, 3)
                ratings.append([item, rater, int(grade)])
    table = np.full((raters, items), np.nan)
    for item, rater, grade in ratings:
        table[rater, item] = grade
    counts = np.zeros((items, 3))
    for item, _, grade in ratings:
        counts[item, grade] += 1
    frame = pd.DataFrame(ratings, columns=["task", "worker", "label"])
    model = DawidSkene(n_iter=200, tol=0).fit(frame)
    alpha = lambda level: krippendorff.alpha(reliability_data=table, value_domain=[0, 1, 2], level_of_measurement=level)
    return {
        "name": name,
        "items": items,
        "raters": raters,
        "ratings": ratings,
        "fleiss": float(fleiss_kappa(counts)) if present == 1 else None,
        "nominal": alpha("nominal"),
        "ordinal": alpha("ordinal"),
        "interval": alpha("interval"),
        # Items that nobody rated are absent.
        "posteriors": [[int(item), *row] for item, row in zip(model.probas_.index, model.probas_[[0, 1, 2]].to_numpy().tolist())],
    }


def main():
    rng = np.random.default_rng(7)
    cases = [case(rng, "everybody rates everything", 40, 5, 1), case(rng, "gaps", 60, 6, 0.6)]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
