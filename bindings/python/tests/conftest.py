"""What the tests share: tiny trained models, a synthetic market, and the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[3] / "crates/sextant/tests/fixtures/v1"

RECIPE = {
    "name": "tiny",
    "tasks": ["query-type", "product-type"],
    "model": {
        "backbone": {
            "vocab_size": 400,
            "hidden_size": 16,
            "layers": 2,
            "attention_heads": 2,
            "intermediate_size": 32,
        },
        "routing": {"prefix": False, "heads": "per_task", "private_layers": 1},
        "pooling": "mean",
        "dense": False,
    },
    "text": {"max_tokens": 32},
    "schedule": {"steps": 20},
    "batch": {"rows": 16},
    "dev": {"every": 5},
}


class Place:
    """A copy of the stored models and rows, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sextant(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs the command that the package brings along."""
        command = [sys.executable, "-m", "sextant", *arguments]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert not check or ran.returncode == 0, ran.stderr
        return ran

    def rows(self, split: str = "test") -> list[dict[str, Any]]:
        with open(self.folder / f"market/{split}.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    # Links of other places may not lead into the repository, where nothing may be written.
    shutil.copytree(FIXTURES, tmp_path / "v1")
    return Place(tmp_path / "v1")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place in which tests only read."""
    folder = tmp_path_factory.mktemp("shared") / "v1"
    shutil.copytree(FIXTURES, folder)
    return Place(folder)


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of MiniLM's real weights."""
    folder = os.environ.get("SEXTANT_MINILM")
    if not folder:
        pytest.skip("set SEXTANT_MINILM to the folder that `sextant get minilm` fills")
    return folder
