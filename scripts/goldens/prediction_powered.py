"""Writes crates/sextant-eval/tests/goldens/prediction_powered.json: what ppi_py says of made-up means.

Run from the repository root, in an environment with ppi-python (0.2.3):

    python scripts/goldens/prediction_powered.py
"""

import json
from pathlib import Path

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

OUT = Path(__file__).resolve().parents[2] / "crates/sextant-eval/tests/goldens/prediction_powered.json"


def case(rng, labelled, unlabelled, agreement, values):
    """Rows whose truth the judge repeats with a probability."""
    truth = rng.choice(values, labelled + unlabelled)
    judged = np.where(rng.random(len(truth)) < agreement, truth, rng.choice(values, len(truth)))
    y, yhat, rest = truth[:labelled].astype(float), judged[:labelled].astype(float), judged[labelled:].astype(float)
    plain = ppi_mean_ci(y, yhat, rest, alpha=0.05, lam=1)
    tuned = ppi_mean_ci(y, yhat, rest, alpha=0.05)
    return {
        "truth": y.tolist(), "judged": yhat.tolist(), "unlabelled": rest.tolist(),
        "plain": {"value": float(ppi_mean_pointestimate(y, yhat, rest, lam=1)[0]), "low": float(plain[0][0]), "high": float(plain[1][0])},
        "tuned": {"value": float(ppi_mean_pointestimate(y, yhat, rest)[0]), "low": float(tuned[0][0]), "high": float(tuned[1][0])},
    }


def main():
    rng = np.random.default_rng(5)
    cases = [
        case(rng, 40, 300, 0.9, [0, 1]),
        case(rng, 60, 200, 0.5, [0, 1, 1]),
        case(rng, 50, 400, 0.8, [-1, 0, 0, 0, 1]),
        case(rng, 30, 30, 0.1, [0, 1]),
    ]
    OUT.write_text(json.dumps(cases) + "\n")


main()
