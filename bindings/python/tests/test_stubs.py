"""The hand-written stubs say what the extension has, and the package is typed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

CORE = ["relevance", "cross_encoder", "training", "evaluation", "comparison", "lab", "_inputs", "_data", "_progress", "_display"]


def test_the_stubs_are_those_of_the_extension(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "sextant._sextant"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_package_is_typed(tmp_path: Path) -> None:
    modules = [argument for name in CORE for argument in ("-m", f"sextant.{name}")]
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--cache-dir", str(tmp_path), *modules]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
