"""Writes the goldens of error analysis: confident learning of cleanlab, and the difference of a slice to the rest as a
regression of statsmodels with standard errors clustered by group.

Run from the repository root, in an environment with cleanlab (2.9) and statsmodels (0.15):

    python scripts/goldens/errors.py

It writes crates/sextant-eval/tests/goldens/errors.json, the same bytes at every run.
"""

import json
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from cleanlab.count import compute_confident_joint, num_label_issues
from cleanlab.filter import find_label_issues

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-eval/tests/goldens/errors.json"


def noise(rng, rows, flipped, skill):
    truth = rng.choice(3, rows, p=[0.2, 0.3, 0.5])
    labels = np.where(rng.random(rows) < flipped, rng.integers(0, 3, rows), truth)
    logits = rng.normal(size=(rows, 3)) + skill * np.eye(3)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    thousandths = np.round(probs * 1000).astype(int)
    thousandths[np.arange(rows), thousandths.argmax(1)] += 1000 - thousandths.sum(1)
    probs = thousandths / 1000
    order = find_label_issues(labels, probs, filter_by="confident_learning", return_indices_ranked_by="normalized_margin")
    joint = compute_confident_joint(labels, probs, calibrate=True)
    return {
        "labels": labels.tolist(),
        "thousandths": thousandths.tolist(),
        "suspects": [int(i) for i in order],
        "off_diagonal": int(num_label_issues(labels, probs, estimation_method="off_diagonal")),
        "calibrated": int(num_label_issues(labels, probs, estimation_method="off_diagonal_calibrated")),
        "joint": joint.tolist(),
    }


def slice_case(rng, rows, groups):
    group = rng.integers(0, groups, rows)
    base = rng.normal(0, 0.4, groups)[group]
    inside = (rng.random(rows) < 0.3).astype(int)
    right = (rng.random(rows) < 0.75 + 0.15 * np.tanh(base) - 0.12 * inside).astype(int)
    fit = sm.OLS(right, sm.add_constant(inside)).fit(
        cov_type="cluster", cov_kwds={"groups": group, "use_correction": False, "df_correction": False}
    )
    return {
        "group": group.tolist(), "inside": inside.tolist(), "right": right.tolist(),
        "difference": float(fit.params[1]), "standard_error": float(fit.bse[1]),
    }


def main():
    rng = np.random.default_rng(11)
    golden = {
        "noise": [noise(rng, 300, 0.15, 2.5), noise(rng, 120, 0.3, 1.5), noise(rng, 200, 0.0, 6.0)],
        "slices": [slice_case(rng, 400, 40), slice_case(rng, 90, 90)],
    }
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
