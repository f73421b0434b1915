"""What engines add to the time of the plain command, with two workers on one machine.

    python bindings/python/benches/engines.py BUNDLE ROWS.parquet --task query-product [--rows 20000] [--rounds 3]

Each contender scores the same rows once in each round, one after another, and writes what it found to Parquet where the
command writes it. Time runs from the call to the last row, opening the model included; an engine's own start is not.
Engines that are not installed are left out. All answers must be those of the command.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import sextant


def spark(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    from pyspark.sql import SparkSession

    import sextant.spark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "4096")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def run() -> None:
        # More parts than workers, so that the last one does not leave a core idle for long.
        df = session.read.parquet(path).repartition(8)
        scored = sextant.spark.score(df, bundle, task=options.task, precision=options.precision)
        scored.write.mode("overwrite").parquet(out)

    return run


def ray(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    import ray

    import sextant.ray

    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run() -> None:
        # Ray cuts a small file into one block unless told otherwise, and gives it to one worker.
        rows = ray.data.read_parquet(path, override_num_blocks=8)
        scored = sextant.ray.score(rows, bundle, task=options.task, precision=options.precision, workers=2, batch_size=1024)
        scored.write_parquet(out)

    return run


def daft(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    import daft

    import sextant.daft

    def run() -> None:
        rows = daft.read_parquet(path)
        sextant.daft.score(rows, bundle, task=options.task, precision=options.precision).write_parquet(out, write_mode="overwrite")

    return run


SQL = "SELECT *, relevance('{task}', \"left\", \"right\") AS r FROM '{path}'"


def datafusion(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    import datafusion

    import sextant.sql

    def run() -> None:
        context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(2))
        sextant.sql.register(context, bundle, precision=options.precision)
        context.register_parquet("pairs", path)
        context.sql(SQL.format(task=options.task, path="pairs").replace("'pairs'", "pairs")).write_parquet(out)

    return run


def duckdb(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    import duckdb

    import sextant.sql

    def run() -> None:
        connection = duckdb.connect(config={"threads": 2})
        sextant.sql.register(connection, bundle, precision=options.precision)
        connection.execute(f"COPY ({SQL.format(task=options.task, path=path)}) TO '{out}' (FORMAT parquet)")

    return run


def scores(out: str) -> list[float]:
    """The scores that a contender wrote, in the order of the rows' numbers."""
    table = pq.read_table(out)
    answers = table["r"].to_pylist() if "r" in table.column_names else table.select(["score"]).to_pylist()
    found = dict(zip(table["number"].to_pylist(), (answer["score"] for answer in answers), strict=True))
    return [found[number] for number in range(len(found))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("path")
    parser.add_argument("--task", required=True)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="int8")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/rows.parquet"
        table = pq.read_table(options.path, columns=["left", "right"])
        table = pa.concat_tables([table] * (options.rows // table.num_rows + 1)).slice(0, options.rows)
        table = table.append_column("number", pa.array(range(options.rows)))
        pq.write_table(table, path, row_group_size=max(1, options.rows // 8))
        bundle = os.path.abspath(options.bundle)

        def command(out: str) -> Callable[[], None]:
            arguments = [sys.executable, "-m", "sextant", "score", bundle, path, out, "--overwrite"]
            arguments += ["--task", options.task, "--precision", options.precision]
            return lambda: subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) and None

        contenders = {"sextant score": (command(f"{place}/command.parquet"), f"{place}/command.parquet")}
        for make in (spark, ray, daft, datafusion, duckdb):
            out = f"{place}/{make.__name__}" + (".parquet" if make is duckdb else "")
            try:
                contenders[make.__name__] = (make(bundle, path, out, options), out)
            except ImportError as error:
                print(f"{make.__name__} is left out: {error}", file=sys.stderr)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for round in range(options.rounds):
            for name, (run, out) in contenders.items():
                before = time.perf_counter()
                run()
                took = time.perf_counter() - before
                times[name].append(took)
                print(f"round {round}, {name}: {options.rows / took:.0f} rows/s", file=sys.stderr)
                if round == 0:
                    assert scores(out) == scores(f"{place}/command.parquet"), f"{name} answers otherwise"
        print("| | rows/s | time of the command's |\n|---|---:|---:|")
        for name, took in times.items():
            ratio = statistics.median(mine / plain for mine, plain in zip(took, times["sextant score"]))
            print(f"| {name} | {options.rows / statistics.median(took):.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
