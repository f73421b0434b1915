"""How a bundle travels to workers, without any engine."""

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
import sextant
from conftest import Place
from sextant import _engine


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(_engine, "_open", {})


def test_a_worker_refuses_another_bundle_than_the_drivers(shared: Place) -> None:
    job, folder = _engine.job(shared.path("run"), "f32", "query-type", "left", "right", 1)
    other = dataclasses.replace(job, sha256="0" * 64)
    with pytest.raises(RuntimeError, match="a worker has another bundle than the driver"):
        other.model(folder)
    assert job.model(folder) is job.model(folder), "opened once for each process"


@pytest.mark.parametrize("name", ["run", "ensemble"])
def test_a_bundle_that_travelled_answers_alike(name: str, shared: Place, tmp_path: Path) -> None:
    job, folder = _engine.job(shared.path(name), "f32", "query-type", "left", "right", 1)
    packed = _engine.packed(folder)
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(lambda _: packed.unpacked(job.sha256), range(8)))
    (place,) = places
    assert place.startswith(str(tmp_path)) and not place.startswith(folder)
    table = pa.table({"left": ["red sofa", "lamp"], "right": ["Sofas", "Sofas"], "n": [1, 2]})
    found = job.score(job.model(place), table)
    assert found.equals(sextant.Relevance.load(shared.path(name)).score(table, "query-type"))


def test_mistakes_are_found_before_anything_is_sent(shared: Place) -> None:
    with pytest.raises(ValueError, match="it answers query-type, product-type"):
        _engine.job(shared.path("run"), "f32", "type-type", "left", "right", 1)
    with pytest.raises(ValueError, match="no column `title`; it has `left`, `right`"):
        _engine.check_columns(["left", "right"], "left", "title", "query-type")
    with pytest.raises(ValueError, match="name the task of all rows"):
        _engine.check_columns(["left", "right"], "left", "right", None)


def test_engines_are_there_without_an_import_of_their_own() -> None:
    code = """
import sys, sextant
assert not hasattr(sextant, "spork")
sys.modules["pyspark"] = None
try:
    sextant.spark
except ModuleNotFoundError as error:
    assert "`sextant.spark` needs the library `pyspark`" in str(error), error
else:
    raise AssertionError("pyspark is absent")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
