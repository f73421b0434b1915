"""Engines, each with the real one and two workers: row for row what `sextant score` answers.

`SEXTANT_ENGINE_ROWS` is how many rows; each engine is skipped where it is not installed.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sextant
from conftest import RECIPE, Place

pytestmark = pytest.mark.engine

ROWS = int(os.environ.get("SEXTANT_ENGINE_ROWS", "3000"))
ADDED = ["predicted_grade", "predicted_label", "score", "probs"]


@pytest.fixture(scope="module")
def files(shared: Place) -> tuple[Place, str, pa.Table]:
    """Rows with columns of many types, and the answers of the command line."""
    words = ["red", "sofa", "lamp", "garden", "hose", "drill", "oak", "small", "table", "box"]
    number = range(ROWS)
    table = pa.table(
        {
            "id": pa.array(number, pa.int64()),
            "left": [" ".join(words[(n * k) % 10] for k in range(1, 2 + n % 6)) for n in number],
            "right": [f"{words[n % 10].title()} & {words[(n // 10) % 10]}" for n in number],
            "price": pa.array([n / 7 if n % 5 else None for n in number], pa.float64()),
            "small": pa.array([n % 100 for n in number], pa.int16()),
            "when": pa.array([n * 1_000_000 for n in number], pa.timestamp("us", tz="UTC")),
            "tags": pa.array([[words[n % 10]] * (n % 3) for n in number], pa.list_(pa.string())),
        }
    )
    sextant.train(RECIPE, shared.path("market"), out=shared.path("engines"), progress=False)
    path = shared.path("rows.parquet")
    pq.write_table(table, path, row_group_size=max(1, ROWS // 8))
    shared.sextant("score", "engines/bundle", "rows.parquet", "scored.parquet", "--task", "query-type")
    return shared, path, pq.read_table(shared.path("scored.parquet"))


def check(found: pa.Table, expected: pa.Table) -> None:
    """The same rows, whatever their order, with the same answers."""
    assert found.num_rows == expected.num_rows
    assert found.column_names[:7] == expected.column_names[:7]
    found = found.sort_by("id")
    for name in ["id", *ADDED]:
        assert found[name].to_pylist() == expected[name].to_pylist(), name
    for name in ("left", "right", "price", "small", "tags"):
        assert found[name].to_pylist() == expected[name].to_pylist(), name


def descendants(pid: int) -> list[int]:
    """The processes below a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        left = [child for parent in left for child in parents.get(parent, [])]
        found += left
    return found


def scoring(pid: int) -> bool:
    """Whether a process has the extension in its memory."""
    try:
        return "_sextant" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


class Killer:
    """Kills one worker that has opened the model, while a job runs."""

    def __init__(self, roots: list[int]) -> None:
        self.roots = roots
        self.killed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            for pid in [pid for root in self.roots for pid in descendants(root)]:
                if pid != os.getpid() and scoring(pid) and not self.killed:
                    time.sleep(0.1)
                    os.kill(pid, signal.SIGKILL)
                    self.killed = pid
                    return

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    pyspark = pytest.importorskip("pyspark")
    import sys

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        pyspark.sql.SparkSession.builder.master("local[2,4]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "2000")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_spark(spark: Any, files: tuple[Place, str, pa.Table]) -> None:
    import sextant.spark

    place, path, expected = files
    df = spark.read.parquet(path).repartition(4)
    scored = sextant.spark.score(df, place.path("engines"), task="query-type")
    assert scored.schema.fields[:7] == df.schema.fields
    check(scored.toArrow(), expected)
    with pytest.raises(ValueError, match="has no column `query`"):
        sextant.spark.score(df, place.path("engines"), task="query-type", left="query")
    with pytest.raises(ValueError, match="does not answer `type-type`"):
        sextant.spark.score(df, place.path("engines"), task="type-type")
    # An ensemble travels with its members, which are outside of its folder.
    few = sextant.spark.score(df.limit(20), place.path("ensemble"), task="query-type")
    assert few.count() == 20


def test_spark_gives_a_worker_as_many_threads_as_a_task_has_cores(
    spark: Any, files: tuple[Place, str, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sextant.spark

    place, path, _ = files
    made = sextant.spark._engine.job
    asked: list[int | None] = []

    def job(*arguments: Any) -> Any:
        asked.append(arguments[-1])
        return made(*arguments)

    monkeypatch.setattr(sextant.spark._engine, "job", job)
    df = spark.read.parquet(path).limit(20)
    for threads in (None, 2):
        sextant.spark.score(df, place.path("engines"), task="query-type", threads=threads)
    assert asked == [1, 2]


def test_spark_with_a_killed_worker(spark: Any, files: tuple[Place, str, pa.Table]) -> None:
    import sextant.spark

    place, path, expected = files
    df = spark.read.parquet(path).repartition(8)
    scored = sextant.spark.score(df, place.path("engines"), task="query-type", precision="bf16")
    exact = sextant.Relevance.load(place.path("engines"), "bf16").score(pq.read_table(path), "query-type")
    with Killer([os.getpid()]) as killer:
        found = scored.toArrow()
    assert killer.killed
    check(found, exact)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    # Two for the workers and one that reads.
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


def collected(dataset: Any) -> pa.Table:
    return pa.concat_tables([block for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow")])


def test_ray(ray: Any, files: tuple[Place, str, pa.Table]) -> None:
    import sextant.ray

    place, path, expected = files
    dataset = ray.data.read_parquet(path)
    scored = sextant.ray.score(dataset, place.path("engines"), task="query-type", workers=2, batch_size=500)
    with pytest.warns(UserWarning, match="none is left for reading"):
        sextant.ray.score(dataset, place.path("engines"), task="query-type", workers=3)
    found = collected(scored)
    assert found.schema.field("when").type == pa.timestamp("us", tz="UTC")
    assert found.schema.field("small").type == pa.int16()
    check(found, expected)


def test_ray_with_a_killed_actor(ray: Any, files: tuple[Place, str, pa.Table]) -> None:
    import sextant.ray

    place, path, expected = files
    dataset = ray.data.read_parquet(path)
    scored = sextant.ray.score(dataset, place.path("engines"), task="query-type", workers=2, batch_size=100)
    with Killer([os.getpid()]) as killer:
        found = collected(scored)
    assert killer.killed
    check(found, expected)


def test_a_lab_as_ray_tasks(ray: Any, place: Place) -> None:
    import sextant
    import sextant.ray

    os.chdir(place.folder)
    settings = {"base.data.path": place.path("market"), "name": "other", "base.schedule.steps": 600}
    recipe = place.path("lab/lab.toml")
    alone = sextant.Lab(recipe, out=place.path("alone"), settings=settings)
    assert alone.run(progress=False)
    lab = sextant.ray.Lab(recipe, out=place.path("cluster"), settings=settings)
    with Killer([os.getpid()]) as killer:
        assert lab.run()
    assert killer.killed, "a run whose worker was lost is started again"
    numbers = ["run", "state", "entry.test_accuracy", "entry.fingerprint", "entry.recipe_sha256"]
    assert lab.status()[numbers].equals(alone.status()[numbers])
    assert lab.run(), "finished runs are kept"
    assert lab.report().markdown.exists()


def test_daft(files: tuple[Place, str, pa.Table]) -> None:
    daft = pytest.importorskip("daft")
    import sextant.daft

    place, path, expected = files
    df = daft.read_parquet(path)
    for workers in (1, 2):
        scored = sextant.daft.score(df, place.path("engines"), task="query-type", workers=workers, batch_size=500)
        found = scored.to_arrow()
        assert found.schema.field("small").type == pa.int16()
        check(found, expected)


def columns(found: pa.Table) -> list[dict[str, Any]]:
    return found.sort_by("id")["r"].to_pylist()


def rows(expected: pa.Table) -> list[dict[str, Any]]:
    names = {"predicted_grade": "grade", "predicted_label": "label"}
    return expected.select(ADDED).rename_columns([names.get(name, name) for name in ADDED]).to_pylist()


SQL = "SELECT id, relevance('query-type', \"left\", \"right\") AS r FROM pairs"


def test_datafusion(files: tuple[Place, str, pa.Table]) -> None:
    datafusion = pytest.importorskip("datafusion")
    import sextant.sql

    place, path, expected = files
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(2))
    sextant.sql.register(context, place.path("engines"))
    context.register_parquet("pairs", path)
    found = pa.Table.from_batches(context.sql(SQL).collect())
    assert columns(found) == rows(expected)
    some = context.sql("SELECT relevance('query-type', CASE WHEN id % 2 = 0 THEN \"left\" END, \"right\") AS r, id FROM pairs")
    found = pa.Table.from_batches(some.collect()).sort_by("id")["r"].to_pylist()
    assert found[::2] == rows(expected)[::2] and set(map(str, found[1::2])) == {"None"}
    with pytest.raises(Exception, match="unknown task"):
        context.sql("SELECT relevance('no-task', \"left\", \"right\") FROM pairs").collect()


def test_duckdb(files: tuple[Place, str, pa.Table]) -> None:
    duckdb = pytest.importorskip("duckdb")
    import sextant.sql

    place, path, expected = files
    connection = duckdb.connect(config={"threads": 2})
    sextant.sql.register(connection, place.path("engines"))
    connection.execute(f"CREATE VIEW pairs AS SELECT * FROM '{path}'")
    assert columns(connection.sql(SQL).to_arrow_table()) == rows(expected)
    some = "SELECT id, relevance('query-type', CASE WHEN id % 2 = 0 THEN \"left\" END, \"right\") AS r FROM pairs"
    found = connection.sql(some).to_arrow_table().sort_by("id")["r"].to_pylist()
    assert found[::2] == rows(expected)[::2] and set(map(str, found[1::2])) == {"None"}
    assert connection.sql("SELECT relevance('query-type', 'red sofa', 'Sofas').score").fetchall()[0][0] > 0
    with pytest.raises(Exception, match="unknown task"):
        connection.sql(SQL.replace("query-type", "no-task")).fetchall()
    with pytest.raises(TypeError, match="a DataFusion context or a DuckDB connection"):
        sextant.sql.register(object(), place.path("engines"))
