"""Scoring: every form of pairs, the answers of the command line, errors, and Ctrl-C."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sextant
from conftest import Place

PAIRS = [("red sofa", "Sofas"), ("garden hose 20 m", "Garden Hoses"), ("lamp", "Sofas")]


@pytest.fixture(scope="module")
def model(shared: Place) -> sextant.Relevance:
    return sextant.Relevance.load(shared.path("run"))


def test_what_a_model_says_of_itself(model: sextant.Relevance, shared: Place) -> None:
    assert model.tasks == ["query-type", "product-type"]
    assert len(model.manifest_sha256) == 64
    assert model.path == shared.path("run/bundle")
    assert "product-type" in repr(model) and "product-type" in model._repr_html_()
    assert sextant.Relevance.load(shared.path("ensemble")).tasks == model.tasks


def test_grades_expected_grades_and_probabilities_agree(model: sextant.Relevance) -> None:
    found = model.probabilities(PAIRS, "query-type")
    assert found.shape == (3, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    expected = model.predict(PAIRS, "query-type")
    assert expected.shape == (3,) and expected.dtype == np.float32
    assert np.array_equal(expected, found[:, 1] + 2 * found[:, 2])
    assert np.array_equal(model.grade(PAIRS, "query-type"), found.argmax(axis=1))
    found[:] = 0  # the caller's own array


def test_all_forms_of_pairs_give_the_same_bits(model: sextant.Relevance) -> None:
    expected = model.probabilities(PAIRS, "query-type")
    lefts, rights = zip(*PAIRS, strict=True)
    columns = {"query": list(lefts), "type": list(rights), "price": [1, 2, 3]}
    forms = [
        [list(pair) for pair in PAIRS],
        iter(PAIRS),
        np.array(PAIRS),
        np.array(PAIRS, dtype=object),
        [{"left": left, "right": right} for left, right in PAIRS],
    ]
    for form in forms:
        assert np.array_equal(model.probabilities(form, "query-type"), expected), type(form)
    table = pa.table(columns)
    tables = [
        pd.DataFrame(columns),
        pl.DataFrame(columns),
        table,
        table.to_batches()[0],
        table.to_reader(),
        pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        table.set_column(0, "query", table["query"].dictionary_encode()),
        table.set_column(1, "type", table["type"].cast(pa.large_string())),
        table.set_column(1, "type", table["type"].cast(pa.string_view())),
    ]
    for form in tables:
        found = model.probabilities(form, "query-type", left="query", right="type")
        assert np.array_equal(found, expected), type(form)


def test_a_batch_of_none_and_of_one(model: sextant.Relevance) -> None:
    assert model.probabilities([], "query-type").shape == (0, 3)
    assert model.predict(pa.table({"left": pa.array([], pa.string()), "right": pa.array([], pa.string())}), "query-type").shape == (0,)
    alone = np.concatenate([model.probabilities([pair], "query-type") for pair in PAIRS])
    assert np.array_equal(alone, model.probabilities(PAIRS, "query-type"))


def test_one_pair_without_a_list_has_one_answer(model: sextant.Relevance) -> None:
    """As sentence-transformers does. A list of two pairs is not taken for one."""
    expected = model.predict(PAIRS[:1], "query-type")
    left, right = PAIRS[0]
    for pair in [(left, right), [left, right], {"left": left, "right": right}, ({"title": "Drill"}, "Drills")]:
        task = "product-type" if isinstance(pair, tuple) and isinstance(pair[0], dict) else "query-type"
        found = model.predict(pair, task)
        assert isinstance(found, np.float32)
        assert found == model.predict([pair], task)[0]
        probabilities = model.probabilities(pair, task)
        assert probabilities.shape == (3,) and found == probabilities[1] + 2 * probabilities[2]
        grade = model.grade(pair, task)
        assert isinstance(grade, np.int64) and grade == probabilities.argmax()
    assert model.predict((left, right), "query-type") == expected[0]
    assert sextant._inputs.is_pair(({"title": "Drill"}, {"title": "Saw"}))
    named = [{"left": "red sofa", "right": "Sofas", "title": "a column"}] * 2
    assert model.predict(named, "query-type").shape == (2,)
    assert model.predict(PAIRS[:2], "query-type").shape == (2,)
    with pytest.raises(sextant.RowError, match="the text is empty"):
        model.predict(("red sofa", " "), "query-type")


def test_answers_are_those_of_the_command_line(place: Place) -> None:
    """Structured products, JSON in text, a task for each row: bit for bit as `sextant score`."""
    rows = [row for row in place.rows() if row["task"] in ("query-type", "product-type")]
    with open(place.path("pairs.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for precision in ("f32", "bf16", "int8"):
        name = f"scored-{precision}.jsonl"
        place.sextant("score", "run/bundle", "pairs.jsonl", name, "--precision", precision)
        with open(place.path(name), encoding="utf-8") as file:
            scored = [json.loads(line) for line in file]
        model = sextant.Relevance.load(place.path("run"), precision)
        found = model.probabilities(rows)
        probs = np.array([row["probs"] for row in scored]).astype(np.float32)
        assert np.array_equal(found, probs), precision
        assert np.array_equal(model.grade(rows), [row["predicted_grade"] for row in scored])
        frame = pd.DataFrame({"left": [r["left"] for r in rows], "right": [r["right"] for r in rows], "task": [r["task"] for r in rows]})
        done = model.score(frame)
        assert done["score"].tolist() == [row["score"] for row in scored]
        assert done["probs"].tolist() == [row["probs"] for row in scored]
        assert done["predicted_label"].tolist() == [row["predicted_label"] for row in scored]


def test_products_as_structs_are_those_as_dicts(model: sextant.Relevance) -> None:
    products = [{"title": "Drill", "brand": "Acme"}, {"title": "Saw", "brand": None}]
    pairs = [(products[0], "Drills"), ({"title": "Saw"}, "Saws")]
    table = pa.table({"left": products, "right": ["Drills", "Saws"]})
    expected = model.probabilities(pairs, "product-type")
    assert np.array_equal(model.probabilities(table, "product-type"), expected)
    text = [(json.dumps(left), right) for left, right in pairs]
    assert np.array_equal(model.probabilities(text, "product-type"), expected)


def test_scored_tables_keep_their_kind_and_other_columns(model: sextant.Relevance) -> None:
    columns = {"left": ["red sofa", "lamp"], "right": ["Sofas", "Lamps"], "score": ["old", "old"]}
    table = pa.table(columns).append_column("when", pa.array([1, None], pa.timestamp("us", tz="Europe/Rome")))
    scored = model.score(table, "query-type")
    assert isinstance(scored, pa.Table)
    assert scored.column_names == ["left", "right", "when", "predicted_grade", "predicted_label", "score", "probs"]
    assert scored.schema.field("when") == table.schema.field("when")
    assert scored["when"].equals(table["when"])
    framed = pl.DataFrame(columns).with_columns(day=pl.lit(None, pl.Date))
    done = model.score(framed, "query-type")
    assert isinstance(done, pl.DataFrame) and done.schema["day"] == pl.Date
    assert done["score"].to_list() == scored["score"].to_pylist()
    pandas = pd.DataFrame(columns, index=[7, 9]).astype({"right": "category"})
    done = model.score(pandas, "query-type")
    assert done.index.tolist() == [7, 9] and done["right"].dtype == "category"
    assert done["score"].tolist() == scored["score"].to_pylist()


def test_ranking(model: sextant.Relevance) -> None:
    documents = ["Garden Hoses", "Sofas", "Lamps"]
    ranked = model.rank("red sofa", documents, task="query-type")
    scores = model.predict([("red sofa", document) for document in documents], "query-type") / 2
    assert [entry["corpus_id"] for entry in ranked] == np.argsort(-scores, kind="stable").tolist()
    assert [entry["score"] for entry in ranked] == sorted(scores.tolist(), reverse=True)
    assert all(documents[entry["corpus_id"]] == entry["text"] for entry in ranked)
    assert model.rank("red sofa", documents, 2, task="query-type", return_documents=False) == [
        {name: entry[name] for name in ("corpus_id", "score", "grade")} for entry in ranked[:2]
    ]


def test_errors_say_what_where_and_how_to_mend_it(model: sextant.Relevance, shared: Place) -> None:
    with pytest.raises(sextant.RowError, match=r"row 1 \(counted from 0\): column `left`: the text is empty"):
        model.predict([("a", "b"), (" ", "b")], "query-type")
    with pytest.raises(sextant.RowError, match="column `task`: no value; name the task"):
        model.predict(PAIRS)
    with pytest.raises(sextant.RowError, match="query-query"):
        model.predict(PAIRS, "query-query")
    with pytest.raises(sextant.RowError, match=r"row 5000 \(counted from 0\)"):
        model.predict([("sofa", "Sofas")] * 5000 + [("sofa", None)], "query-type")
    with pytest.raises(ValueError, match="unknown task `quary-type`; expected one of"):
        model.predict(PAIRS, "quary-type")
    with pytest.raises(ValueError, match="has no column `query`; it has `left`, `right`"):
        model.predict(pa.table({"left": ["a"], "right": ["b"]}), "query-type", left="query")
    with pytest.raises(ValueError, match="has no column `query`; it has `left`, `right`"):
        model.predict(pd.DataFrame({"left": ["a"], "right": ["b"]}), "query-type", left="query")
    with pytest.raises(ValueError, match=r"pair 1 \(counted from 0\) is not two texts"):
        model.predict([("a", "b"), ("a", "b", "c")], "query-type")
    with pytest.raises(TypeError, match="row 0 .*: a text or a product .* is expected, found float"):
        model.predict([(1.5, "b")], "query-type")
    with pytest.raises(ValueError, match=r"\[n, 2\], not \[2, 3\]"):
        model.predict(np.zeros((2, 3)), "query-type")
    with pytest.raises(TypeError, match="found str"):
        model.predict("red sofa", "query-type")
    with pytest.raises(sextant.ModelError, match="nowhere"):
        sextant.Relevance.load(shared.path("nowhere"))
    with pytest.raises(ValueError, match="int4"):
        sextant.Relevance.load(shared.path("run"), precision="int4")
    with pytest.raises(ValueError, match="at least 1"):
        sextant.Relevance.load(shared.path("run"), threads=0)


def test_a_changed_bundle_is_refused(place: Place) -> None:
    with open(place.path("run/bundle/tokenizer.json"), "a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(sextant.ModelError, match="tokenizer.json"):
        sextant.Relevance.load(place.path("run"))


def test_threads_and_pickles_change_nothing(model: sextant.Relevance, shared: Place) -> None:
    expected = model.probabilities(PAIRS, "query-type")
    one = sextant.Relevance.load(shared.path("run"), threads=1)
    assert np.array_equal(one.probabilities(PAIRS, "query-type"), expected)
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.probabilities(PAIRS, "query-type"), expected)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(model.probabilities(PAIRS, "query-type"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(np.array_equal(one, expected) for one in found)


def test_other_threads_run_meanwhile(model: sextant.Relevance) -> None:
    """The interpreter's lock is released: a counter goes on while a long call computes."""
    pairs = [(f"red sofa {n}", "Sofas and garden chairs") for n in range(60_000)]
    table = pa.table({"left": [p[0] for p in pairs], "right": [p[1] for p in pairs]})
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before, start = counted[0], time.monotonic()
    model.predict(table, "query-type")
    seconds, during = time.monotonic() - start, counted[0] - before
    stop.set()
    thread.join()
    assert during > 50 * seconds, f"{during} in {seconds:.2f} s"


def test_progress_counts_all_rows(model: sextant.Relevance) -> None:
    seen: list[int] = []
    rows = [("red sofa", "Sofas")] * 9000
    model._scorer.pairs([r[0] for r in rows], [r[1] for r in rows], None, "query-type", seen.append)
    assert sum(seen) == 9000 and len(seen) > 1


def test_an_exception_of_the_progress_ends_the_call(model: sextant.Relevance) -> None:
    def fail(rows: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model._scorer.pairs(["a"] * 9000, ["b"] * 9000, None, "query-type", fail)


def test_ctrl_c_ends_a_long_call(shared: Place) -> None:
    code = f"""
    import pyarrow as pa, sextant
    model = sextant.Relevance.load({shared.path("run")!r}, threads=1)
    n = 3_000_000
    table = pa.table({{"left": pa.array(["red sofa with many words in it"] * n), "right": pa.array(["Sofas"] * n)}})
    print("begun", flush=True)
    try:
        model.predict(table, "query-type")
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(1)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted\n" and process.returncode == 0
    assert time.monotonic() - start < 10


def test_the_command_of_the_package(shared: Place) -> None:
    assert shared.sextant("--version").stdout.startswith("sextant ")
    failed = shared.sextant("score", "nowhere", "a.jsonl", "b.jsonl", check=False)
    assert failed.returncode == 1 and failed.stderr.startswith("error: ")
    assert shared.sextant("frobnicate", check=False).returncode == 2
    script = os.path.join(os.path.dirname(sys.executable), "sextant")
    if os.path.exists(script):
        assert subprocess.run([script, "--version"], capture_output=True, check=True).stdout.startswith(b"sextant ")


def test_ctrl_c_ends_the_command_with_the_code_of_shells(place: Place) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sextant", "train", "run.toml", "--set", "schedule.steps=100000", "--out", "long"],
        cwd=place.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = place.folder / "long/log.jsonl"
    for _ in range(600):
        if log.exists() and log.stat().st_size > 1000:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert (place.folder / "long/checkpoint").exists()


def test_importing_is_quick_and_light() -> None:
    code = "import sys, sextant; print([m for m in ('numpy', 'pandas', 'pyarrow', 'torch', 'tqdm') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
