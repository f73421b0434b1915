"""What engines add to the time of the plain command, with two workers on one machine.

    python bindings/python/benches/engines.py BUNDLE ROWS.parquet --task query-product [--rows 6000 24000] [--rounds 2]
        [--engines spark ray daft datafusion duckdb]

Each contender scores the same rows, one contender after another, and writes what it found to Parquet: first the smaller
number once as a warm-up (for engines whose workers live on, this is the run that starts them), then in each round both
numbers. The difference of the two gives the time per row, and what is left the time that is the same for any number of
rows: the command's is opening the model, an engine's its planning, its workers and their opening as well. Time runs from
the call to the last row; an engine's own start (a JVM, Ray's processes) is not in it. Engines that are not installed are
left out. All answers must be those of the command.
"""

import argparse
import os
import shutil
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

    # Two for the workers and one that reads.
    ray.init(num_cpus=3, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def run() -> None:
        rows = ray.data.read_parquet(path)
        scored = sextant.ray.score(rows, bundle, task=options.task, precision=options.precision, workers=2)
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


def command(bundle: str, path: str, out: str, options: argparse.Namespace) -> Callable[[], None]:
    arguments = [sys.executable, "-m", "sextant", "score", bundle, path, out, "--overwrite"]
    arguments += ["--task", options.task, "--precision", options.precision]
    return lambda: subprocess.run(arguments, check=True, capture_output=True) and None


ENGINES = (spark, ray, daft, datafusion, duckdb)


def scores(out: str) -> list[float]:
    """The scores that a contender wrote, in the order of the rows' numbers."""
    table = pq.read_table(out)
    answers = table["r"].to_pylist() if "r" in table.column_names else table.select(["score"]).to_pylist()
    found = dict(zip(table["number"].to_pylist(), (answer["score"] for answer in answers), strict=True))
    return [found[number] for number in range(len(found))]


def rows_of(path: str, count: int, out: str) -> None:
    """Writes so many pairs, with numbers, in eight row groups."""
    table = pq.read_table(path, columns=["left", "right"])
    table = pa.concat_tables([table] * (count // table.num_rows + 1)).slice(0, count)
    table = table.append_column("number", pa.array(range(count)))
    pq.write_table(table, out, row_group_size=-(-count // 8))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("path")
    parser.add_argument("--task", required=True)
    parser.add_argument("--rows", type=int, nargs=2, default=[6000, 24000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--engines", nargs="*", default=[make.__name__ for make in ENGINES])
    options = parser.parse_args()
    small, large = options.rows
    bundle = os.path.abspath(options.bundle)
    with tempfile.TemporaryDirectory() as place:
        paths = {rows: f"{place}/rows-{rows}.parquet" for rows in options.rows}
        for rows, path in paths.items():
            rows_of(options.path, rows, path)
        # Per contender and number of rows: what to run, and where it writes.
        contenders: dict[str, dict[int, tuple[Callable[[], None], str]]] = {}
        for make in (command, *(make for make in ENGINES if make.__name__ in options.engines)):
            name = "sextant score" if make is command else make.__name__
            try:
                for rows, path in paths.items():
                    out = f"{place}/{make.__name__}-{rows}" + (".parquet" if make in (command, duckdb) else "")
                    contenders.setdefault(name, {})[rows] = (make(bundle, path, out, options), out)
            except ImportError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)

        def timed(name: str, rows: int, what: str) -> float:
            run, out = contenders[name][rows]
            # Some engines add files to a folder that is there.
            shutil.rmtree(out, ignore_errors=True)
            before = time.perf_counter()
            run()
            took = time.perf_counter() - before
            print(f"{what}, {name}, {rows} rows: {took:.2f} s, {rows / took:.0f} rows/s", file=sys.stderr)
            expected = scores(contenders["sextant score"][rows][1])
            assert what != "warm-up" or scores(out) == expected, f"{name} answers otherwise"
            return took

        first = {name: timed(name, small, "warm-up") for name in contenders}
        times: dict[tuple[str, int], list[float]] = {}
        for round in range(options.rounds):
            for name in contenders:
                for rows in options.rows:
                    times.setdefault((name, rows), []).append(timed(name, rows, f"round {round}"))
        print("| | first run | fixed, later | ms per row | per row, over the command's | rows/s in all, later |")
        print("|---|---:|---:|---:|---:|---:|")
        plain = 0.0
        for name in contenders:
            few, many = (statistics.median(times[name, rows]) for rows in options.rows)
            per_row = (many - few) / (large - small)
            plain = plain or per_row
            print(
                f"| {name} | {first[name]:.1f} s | {few - per_row * small:.1f} s | {per_row * 1000:.3f} "
                f"| {per_row / plain - 1:+.0%} | {large / many:.0f} |"
            )


if __name__ == "__main__":
    main()
