"""The notebooks run from end to end, in an empty folder."""

import sys
from pathlib import Path

import pytest

for library in ("nbclient", "nbformat", "ipykernel", "matplotlib"):
    pytest.importorskip(library)

FOLDER = Path(__file__).parents[1] / "notebooks"
sys.path.insert(0, str(FOLDER))

import execute  # noqa: E402


def test_there_are_notebooks() -> None:
    assert len(execute.NOTEBOOKS) >= 3


@pytest.mark.parametrize("path", execute.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws(path: Path, tmp_path: Path) -> None:
    notebook = execute.executed(path, str(tmp_path))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert "image/png" in shown and "text/html" in shown
