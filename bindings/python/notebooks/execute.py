"""Runs the notebooks from end to end, each in an empty folder; with `--write`, keeps their outputs in them."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))


def executed(path: Path, folder: str) -> Any:
    """The notebook with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran, which differs each time
        # What programs said while they worked is of no use to a reader.
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    return notebook


def main() -> None:
    """Runs all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the notebooks")
    arguments = parser.parse_args()
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, folder)
        if arguments.write:
            nbformat.write(notebook, path)
        print(f"{path.name}: runs")


if __name__ == "__main__":
    main()
