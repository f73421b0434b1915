"""Training, evaluation, comparison and labs: what the command line gives, bit for bit."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sextant
from conftest import RECIPE, Place

COLUMNS = ("task", "left", "right", "grade", "group", "split")


def weights(run: str) -> str:
    return hashlib.sha256(Path(run, "bundle/model.safetensors").read_bytes()).hexdigest()


def market(place: Place) -> list[dict[str, Any]]:
    """All rows; products as JSON in text, so that every kind of table can hold them."""
    found = []
    for split in ("train", "dev", "test"):
        for row in place.rows(split):
            for side in ("left", "right"):
                if isinstance(row[side], dict):
                    row[side] = json.dumps(row[side])
            found.append({name: row.get(name) for name in COLUMNS})
    return found


def unpacked(side: str) -> Any:
    return json.loads(side) if side.startswith("{") else side


@pytest.fixture(scope="module")
def command(shared: Place) -> Place:
    """A run of the command line on rows with products as JSON in text."""
    pd.DataFrame(market(shared)).to_parquet(shared.path("rows.parquet"))
    shared.sextant("train", "run.toml", "--set", 'data.path="rows.parquet"', "--set", "schedule.steps=20", "--out", "cli")
    return shared


def test_rows_in_memory_train_the_weights_of_the_command_line(command: Place, tmp_path: Path) -> None:
    rows = market(command)
    by_split = {split: pd.DataFrame([r for r in rows if r["split"] == split]).drop(columns="split") for split in ("train", "dev", "test")}
    products = [{**r, "left": unpacked(r["left"]), "right": unpacked(r["right"])} for r in rows]
    assert any(isinstance(row["right"], dict) for row in products)
    forms: dict[str, Any] = {
        "pandas with dicts": pd.DataFrame(products),
        "list with dicts": products,
        "pandas": pd.DataFrame(rows),
        "polars": pl.DataFrame(rows),
        "pyarrow": pa.Table.from_pylist(rows),
        "list": rows,
        "dict": by_split,
        "path": command.path("rows.parquet"),
    }
    try:
        import datasets

        forms["datasets"] = datasets.Dataset.from_list(rows)
        parts = {name: datasets.Dataset.from_pandas(frame) for name, frame in by_split.items()}
        forms["DatasetDict"] = datasets.DatasetDict(
            {"train": parts["train"], "validation": parts["dev"], "test": parts["test"]}
        )
    except ImportError:
        pass
    expected = weights(command.path("cli"))
    for name, form in forms.items():
        run = sextant.train(
            command.path("run.toml"), form, settings={"schedule.steps": 20}, out=tmp_path / name, progress=False
        )
        assert weights(run.path) == expected, name
        assert run.summary["steps"] == 20 and run.events[-1]["event"] == "finished"


def test_a_recipe_as_a_dict_and_a_frame_of_its_history(command: Place, tmp_path: Path) -> None:
    recipe = {**RECIPE, "optimizer": {"learning_rate": 2e-3}}
    run = sextant.train(recipe, command.path("rows.parquet"), out=tmp_path / "run", progress=False)
    assert weights(run.path) == weights(command.path("cli"))
    steps = run.history()
    assert steps["step"].tolist() == list(range(1, 21)) and (steps["loss"] > 0).all()
    assert run.history("dev")["step"].tolist() == [5, 10, 15, 20]
    assert run.load("int8").tasks == ["query-type", "product-type"]
    assert "best dev value" in run._repr_html_()


def test_a_callback_stops_a_run_that_goes_on_to_the_same_weights(command: Place, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"settings": {"schedule.steps": 20}, "out": tmp_path / "run", "progress": False}
    rows = pd.DataFrame(market(command))

    def stop(event: sextant.training.Event) -> bool:
        return event.get("step") != 7

    with pytest.raises(sextant.Stopped, match="resume the run to go on"):
        sextant.train(command.path("run.toml"), rows, callbacks=[stop], **arguments)
    # What to do is said in arguments, not in options of the command line.
    with pytest.raises(sextant.SextantError, match=r"`resume=True` to go on.*`overwrite=True`.*`out=`") as refused:
        sextant.train(command.path("run.toml"), rows, **arguments)
    assert "--" not in str(refused.value)
    run = sextant.train(command.path("run.toml"), rows, resume=True, **arguments)
    assert run.events[0]["step"] > 0 and weights(run.path) == weights(command.path("cli"))

    def fail(event: sextant.training.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sextant.train(command.path("run.toml"), rows, callbacks=[fail], overwrite=True, **arguments)


def test_ctrl_c_saves_a_checkpoint(command: Place, tmp_path: Path) -> None:
    code = f"""
    import sextant
    try:
        sextant.train({command.path("run.toml")!r}, {command.path("rows.parquet")!r}, out={str(tmp_path / "run")!r},
                      settings={{"schedule.steps": 100000}}, progress=False,
                      callbacks=[lambda event: event["event"] != "started" or print("begun", flush=True)])
    except KeyboardInterrupt:
        print("interrupted")
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted\n" and (tmp_path / "run/checkpoint").exists()


def test_mistakes_are_found_before_anything_runs(command: Place, tmp_path: Path) -> None:
    with pytest.raises(sextant.RecipeError) as caught:
        sextant.train(
            command.path("run.toml"), command.path("rows.parquet"), out=tmp_path / "run", settings={"batch.rows": 0, "optimizer.learning_rate": -1.0}
        )
    assert "batch.rows" in str(caught.value) and "optimizer.learning_rate" in str(caught.value)
    with pytest.raises(sextant.RecipeError, match="bacth"):
        sextant.train({**RECIPE, "bacth": {}}, command.path("rows.parquet"), out=tmp_path / "run")
    with pytest.raises(sextant.RecipeError):
        sextant.train({**RECIPE, "bacth": {}}, pd.DataFrame(market(command)), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    rows = market(command)
    rows[3]["grade"] = 7
    with pytest.raises(sextant.RowError, match="rows.parquet row 4, column `grade`: unknown grade `7`"):
        sextant.train(RECIPE, rows, out=tmp_path / "run", progress=False)
    with pytest.raises(TypeError, match="found int"):
        sextant.train(RECIPE, 7, out=tmp_path / "other")
    with pytest.raises(ValueError, match="unknown split `tests`"):
        sextant.train(RECIPE, {"tests": rows}, out=tmp_path / "other")
    with pytest.raises(ValueError, match="give one of them"):
        sextant.train(RECIPE, rows, out=tmp_path / "other", resume=True, overwrite=True)


def test_an_evaluation_is_that_of_the_command_line(command: Place) -> None:
    command.sextant("eval", "cli/bundle", "rows.parquet", "--out", "report.json")
    expected = json.loads(Path(command.path("report.json")).read_text())
    by_path = sextant.evaluate(command.path("cli"), command.path("rows.parquet"), progress=False)
    in_memory = sextant.evaluate(sextant.Relevance.load(command.path("cli")), market(command), progress=False)
    for found in (by_path, in_memory):
        report = dict(found.report)
        for one in (report, expected):
            one.pop("dataset", None)
        assert report == expected
    assert by_path.left_out == len([r for r in market(command) if r["split"] == "test" and r["task"] not in RECIPE["tasks"]])
    frame = in_memory.to_frame()
    accuracy = frame[(frame.task == "pooled") & (frame.metric == "accuracy")].iloc[0]
    assert accuracy.value == in_memory.accuracy and accuracy.low <= accuracy.value <= accuracy.high
    assert in_memory.confusion().sum() == accuracy.rows
    assert in_memory.confusion("query-type").shape == (3, 3)
    html = in_memory._repr_html_()
    assert "query-type" in html and "true, columns: predicted" in html and "accuracy" in str(in_memory)
    with pytest.raises(sextant.SextantError, match="there are no dev rows"):
        sextant.evaluate(command.path("cli"), [r for r in market(command) if r["split"] == "test"], split="dev")


def test_a_comparison_is_that_of_the_command_line(command: Place) -> None:
    command.sextant("train", "run.toml", "--set", 'data.path="rows.parquet"', "--set", "schedule.steps=20", "--set", "seed=2", "--out", "second")
    rows = [row for row in market(command) if row["task"] in RECIPE["tasks"]]
    pd.DataFrame(rows).to_parquet(command.path("two.parquet"))
    command.sextant("compare", "cli", "second", "--data", "two.parquet", "--out", "compared.md")
    runs = [command.path("cli"), command.path("second")]
    found = sextant.compare(runs, command.path("two.parquet"), progress=False)
    expected = Path(command.path("compared.md")).read_text()
    without_place = re.compile("Evaluated on: .*")
    assert without_place.sub("", found.markdown) == without_place.sub("", expected)
    in_memory = sextant.compare({"cli": runs[0], "second": runs[1]}, rows, progress=False)
    assert in_memory.to_frame().equals(found.to_frame())
    assert found.to_frame().index.tolist()[-2:] == ["cli", "second"]
    differences = found.differences_to_frame()
    assert set(differences["run"]) == {"second"} and "pooled" in set(differences["slice"])
    assert "<table>" in found._repr_html_()
    with pytest.raises(ValueError, match="nothing to compare"):
        sextant.compare([], rows)


def numbers(folder: str) -> list[dict[str, Any]]:
    """The entries of a ledger without times, in the order of their names."""
    with open(os.path.join(folder, "ledger.jsonl"), encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    timed = ("seconds", "test_seconds", "peak_memory_bytes")
    kept = [{name: value for name, value in entry.items() if name not in timed} for entry in entries]
    return sorted(kept, key=lambda entry: str(entry["name"]))


def test_a_lab_is_that_of_the_command_line_and_shards_share_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    recipe = Path("lab/lab.toml").read_text().replace("seeds = [1]", "seeds = [1, 2]")
    Path("grid.toml").write_text(recipe)
    place.sextant("lab", "run", "grid.toml", "--out", "cli")
    seen: list[str] = []
    lab = sextant.Lab("grid.toml", out="python")
    assert len(lab.runs) == 4
    before = lab.status()
    assert before["run"].tolist() == lab.runs and set(before["state"]) == {"waiting"} and "waiting" in lab._repr_html_()
    assert lab.run(callbacks=[lambda event: seen.append(event["event"])], progress=False)
    assert seen.count("opened") == 1 and seen.count("step") == 80
    assert set(lab.status()["state"]) == {"finished"}
    # Two shards at once, as a scheduler starts them.
    command = [sys.executable, "-m", "sextant", "lab", "run", "grid.toml", "--out", "shards", "--shard"]
    processes = [subprocess.Popen([*command, f"{part}/2"], stdout=subprocess.PIPE, text=True) for part in (1, 2)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert ["(part 1/2): every run is finished" in said[0], "(part 2/2): every run is finished" in said[1]] == [True, True]
    expected = numbers("cli")
    assert len(expected) == 4
    assert numbers("python") == expected and numbers("shards") == expected
    report = lab.report()
    assert report.html.exists() and "<html" in report._repr_html_().lower()
    with pytest.raises(sextant.RecipeError):
        sextant.Lab("grid.toml", settings={"grid.sedes": [1]})
    with pytest.raises(ValueError, match="no part 3 of 2"):
        lab.run(shard="3/2")


def test_a_stopped_lab_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    lab = sextant.Lab("lab/lab.toml", out="new", data=market(place))
    with pytest.raises(sextant.Stopped, match="stopped, as asked, after step"):
        lab.run(callbacks=[lambda event: event.get("step") != 3], progress=False)
    assert lab.run(progress=False)
    assert np.isfinite(lab.status()["entry.test_accuracy"]).all()
