"""Time loyaltykit beside pandas, Polars and DuckDB: NPS by sector, and a monthly cohort table.

The cases of a group read the same rows and take turns, so that a busy moment of the machine hits
them alike; their first run, which is not timed, must give the same counts. Read the ratios: the
milliseconds hold for one machine and one day.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import loyaltykit as lk

SEED = 20_260_101
SECTORS = ["B2B", "B2C", "B2G", "NPO"]
BUCKETS = ["detractors", "passives", "promoters"]
START = np.datetime64("2024-01-01", "us")
DAYS = 731  # 24 months
ROWS_PER_CUSTOMER = 10
OURS = ("loyaltykit, pandas", "loyaltykit, Polars")

Counts = dict[Any, Any]
Rows = Iterable[tuple[Any, ...]]


class Case(NamedTuple):
    """One way to the answer: ``read`` turns what ``run`` returns into counts to compare."""

    name: str
    run: Callable[[], Any]
    read: Callable[[Any], Counts] | None = None


Groups = Iterator[tuple[str, list[Case]]]


def main() -> None:
    options = parsed()
    if options.threads:
        set_threads(options.threads)
    print_environment(options.threads)
    for rows in options.rows:
        for metric in [options.only] if options.only else ["nps", "cohort"]:
            groups = nps_groups if metric == "nps" else cohort_groups
            for title, cases in groups(rows, options.threads):
                print_table(f"{title}, {rows:,} rows", timed(title, cases, options.repeats))
            if options.memory:
                print_memory(metric, rows)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each case [5]")
    parser.add_argument("--only", choices=["nps", "cohort"], help="one metric instead of both")
    parser.add_argument("--threads", type=int, help="of Polars, DuckDB and PyArrow [their own]")
    parser.add_argument("--memory", action="store_true", help="add loyaltykit's peak memory")
    options = parser.parse_args()
    if min(options.rows) < 1000 or options.repeats < 1 or (options.threads or 1) < 1:
        parser.error("--rows starts at 1000, --repeats and --threads at 1")
    return options


def set_threads(threads: int) -> None:
    """Start anew where need be: Polars reads its number from the environment at import."""
    if os.environ.get("POLARS_MAX_THREADS") != str(threads):
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        sys.exit(subprocess.run([sys.executable, *sys.argv], check=False).returncode)
    pa.set_cpu_count(threads)


# ---- NPS by sector -------------------------------------------------------------------------------


def nps_groups(rows: int, threads: int | None) -> Groups:
    frame = answers(rows)
    yield "NPS by sector, categorical key", nps_cases(frame, pl.Enum(SECTORS), threads)
    frame = frame.astype({"sector": "str"})
    yield "NPS by sector, string key", nps_cases(frame, pl.String, threads)


def nps_cases(frame: pd.DataFrame, key: Any, threads: int | None) -> list[Case]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    polars = pl.DataFrame(table).with_columns(pl.col("sector").cast(key))
    codes = pd.factorize(frame["sector"])[0].astype(np.int8)
    sql = connection(threads, frame=frame, arrow=table)
    shares = shares_reader(frame)
    return [
        Case(OURS[0], partial(lk.nps, frame, "score", by="sector"), our_nps),
        Case(OURS[1], partial(lk.nps, polars, "score", by="sector"), our_nps),
        Case("pandas cut + value_counts", partial(cut_nps, frame), cut_counts),
        Case("pandas boolean means", partial(boolean_nps, frame), shares),
        Case("Polars lazy mean", partial(polars_nps, polars), shares),
        Case("DuckDB over the pandas frame", partial(duckdb_nps, sql, "frame"), shares),
        Case("DuckDB over an Arrow table", partial(duckdb_nps, sql, "arrow"), shares),
        floor("key codes and scores", codes, frame["score"].to_numpy()),
    ]


def answers(rows: int) -> pd.DataFrame:
    """Return answers of 0 to 10, three in a hundred of them missing, and a categorical sector."""
    rng = np.random.default_rng(SEED)
    score = rng.binomial(10, 0.8, rows).astype(np.float64)
    score[rng.random(rows) < 0.03] = np.nan
    sector = pd.Categorical.from_codes(rng.integers(0, len(SECTORS), rows, np.int8), SECTORS)
    return pd.DataFrame({"sector": sector, "score": score})


def cut_nps(frame: pd.DataFrame) -> pd.DataFrame:
    bucket = pd.cut(frame["score"], [-1, 6, 8, 10], labels=BUCKETS)
    return bucket.groupby(frame["sector"], observed=True).value_counts().unstack()


def boolean_nps(frame: pd.DataFrame) -> Rows:
    valid = frame.dropna(subset="score")
    flags = pd.DataFrame({"promoters": valid["score"] >= 9, "detractors": valid["score"] <= 6})
    return flags.groupby(valid["sector"], observed=True).mean().itertuples()


def polars_nps(data: pl.DataFrame) -> Rows:
    promoters, detractors = (pl.col("score") >= 9).mean(), (pl.col("score") <= 6).mean()
    means = data.lazy().group_by("sector").agg(promoters=promoters, detractors=detractors)
    return means.collect().rows()


def duckdb_nps(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    means = "avg((score >= 9)::INT), avg((score <= 6)::INT)"
    return sql.execute(f"SELECT sector, {means} FROM {source} GROUP BY sector").fetchall()


def our_nps(table: Any) -> Counts:
    return {row["sector"]: [row[name] for name in BUCKETS] for row in lk.to_records(table)}


def cut_counts(wide: pd.DataFrame) -> Counts:
    return {sector: counts for sector, *counts in wide[BUCKETS].itertuples()}


def shares_reader(frame: pd.DataFrame) -> Callable[[Rows], Counts]:
    """Return what turns the shares of promoters and detractors into counts."""
    sizes = frame.groupby("sector", observed=True)["score"].count().to_dict()

    def counts(n: int, up: float, down: float) -> list[int]:
        return [round(down * n), n - round(up * n) - round(down * n), round(up * n)]

    return lambda shares: {sector: counts(sizes[sector], *rest) for sector, *rest in shares}


# ---- cohort table --------------------------------------------------------------------------------


def cohort_groups(rows: int, threads: int | None) -> Groups:
    for kind in ("int64", "categorical", "string"):
        yield f"Cohort table, {kind} ids", cohort_cases(*interactions(rows, kind), threads)


def cohort_cases(frame: pd.DataFrame, codes: np.ndarray, threads: int | None) -> list[Case]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    polars = pl.DataFrame(table)
    sql = connection(threads, frame=frame, arrow=table)
    return [
        Case(OURS[0], partial(lk.cohort_retention, frame, "customer", "time"), our_cohorts),
        Case(OURS[1], partial(lk.cohort_retention, polars, "customer", "time"), our_cohorts),
        Case("pandas nunique", partial(pandas_cohorts, frame), by_age),
        Case("pandas distinct pairs first", partial(distinct_cohorts, frame), by_age),
        Case("Polars lazy unique + join", partial(polars_cohorts, polars), by_age),
        Case("DuckDB over the pandas frame", partial(duckdb_cohorts, sql, "frame"), by_age),
        Case("DuckDB over an Arrow table", partial(duckdb_cohorts, sql, "arrow"), by_age),
        floor("id codes and times", codes, frame["time"].to_numpy().view(np.int64)),
    ]


def interactions(rows: int, kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a log of 24 months in no order, busiest after joining, and its customers' codes."""
    rng = np.random.default_rng(SEED)
    size = rows // ROWS_PER_CUSTOMER
    ids = rng.permutation(np.unique(rng.integers(10**9, 10**12, size + size // 10)))[:size]
    codes = rng.integers(0, size, rows)
    joined = DAYS * rng.random(size)[codes]
    days = joined + (DAYS - joined) * rng.random(rows) ** 2
    times = START + (days * 86_400_000_000).astype("timedelta64[us]")
    customer: Any = ids[codes]
    if kind != "int64":
        names = pd.array([f"C{number}" for number in ids], dtype="str")
        text = kind == "string"
        customer = names.take(codes) if text else pd.Categorical.from_codes(codes, names)
    return pd.DataFrame({"customer": customer, "time": times}), codes


def pandas_cohorts(frame: pd.DataFrame) -> Rows:
    log = frame.assign(month=frame["time"].dt.to_period("M"))
    log["cohort"] = log.groupby("customer", observed=True)["month"].transform("min")
    counted = log.groupby(["cohort", "month"])["customer"].nunique()
    return counted.reset_index().itertuples(index=False)


def distinct_cohorts(frame: pd.DataFrame) -> Rows:
    log = frame.assign(month=frame["time"].dt.to_period("M"))
    log = log[["customer", "month"]].drop_duplicates()
    log["cohort"] = log.groupby("customer", observed=True)["month"].transform("min")
    return log.groupby(["cohort", "month"]).size().reset_index().itertuples(index=False)


def polars_cohorts(data: pl.DataFrame) -> Rows:
    month = pl.col("time").dt.truncate("1mo").alias("month")
    pairs = data.lazy().select("customer", month).unique()
    first = pairs.group_by("customer").agg(cohort=pl.col("month").min())
    return pairs.join(first, on="customer").group_by("cohort", "month").len().collect().rows()


def duckdb_cohorts(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    query = f"""
        WITH pairs AS (
            SELECT DISTINCT customer, year(time) * 12 + month(time) AS month FROM {source}
        ), firsts AS (
            SELECT customer, min(month) AS cohort FROM pairs GROUP BY customer
        )
        SELECT cohort, month, count(*) FROM pairs JOIN firsts USING (customer) GROUP BY ALL
        """
    return sql.execute(query).fetchall()


def our_cohorts(table: Any) -> Counts:
    rows = (row for row in lk.to_records(table) if row["retained"])
    return {(month_number(row["cohort"]), row["cohort_age"]): row["retained"] for row in rows}


def by_age(rows: Rows) -> Counts:
    numbers = ((month_number(cohort), month_number(month), n) for cohort, month, n in rows)
    return {(cohort, month - cohort): n for cohort, month, n in numbers}


def month_number(day: Any) -> int:
    """Return year * 12 + month, which is what DuckDB was asked for."""
    day = dt.date.fromisoformat(day) if isinstance(day, str) else day
    return day if isinstance(day, int) else day.year * 12 + day.month


# ---- running and printing ------------------------------------------------------------------------


def connection(threads: int | None, **tables: Any) -> duckdb.DuckDBPyConnection:
    sql = duckdb.connect()
    if threads:
        sql.execute(f"SET threads = {threads}")
    for name, table in tables.items():
        sql.register(name, table)
    return sql


def floor(name: str, *arrays: np.ndarray) -> Case:
    """Return the time it takes just to read the columns."""
    return Case(f"floor: np.sum of {name}", lambda: [np.sum(array) for array in arrays])


def timed(title: str, cases: list[Case], repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run, after one that checks that the cases agree."""
    results = {case.name: case.read(case.run()) for case in cases if case.read}
    for name, found in results.items():
        check_equal(f"{title}: {OURS[0]} and {name}", results[OURS[0]], found)
    runs: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            start = time.perf_counter()
            case.run()
            runs[case.name].append(1000 * (time.perf_counter() - start))
    return runs


def check_equal(names: str, ours: Counts, theirs: Counts) -> None:
    wrong = sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))
    if wrong or not ours:
        shown = "; ".join(f"{key}: {ours.get(key)}, {theirs.get(key)}" for key in wrong[:3])
        msg = f"{names} differ in {len(wrong)} of {len(ours)} counts: {shown}"
        raise SystemExit(msg)


def print_table(title: str, runs: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(times) for name, times in runs.items()}
    heads = ("median ms", "min ms", "x ours pd", "x ours pl")
    print(f"\n{title:<46}" + "".join(f"{head:>11}" for head in heads))
    for name, times in runs.items():
        ratios = "".join(f"{medians[name] / medians[ours]:>11.2f}" for ours in OURS)
        print(f"  {name:<44}{medians[name]:>11.1f}{min(times):>11.1f}{ratios}", flush=True)


def print_environment(threads: int | None) -> None:
    packages = ("numpy", "pandas", "polars", "duckdb", "pyarrow", "narwhals")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    print(f"loyaltykit {lk.__version__}, Python {platform.python_version()}", *versions, sep=", ")
    in_duckdb = connection(threads).execute("SELECT current_setting('threads')").fetchall()[0][0]
    own = f"Polars {pl.thread_pool_size()}, DuckDB {in_duckdb}, PyArrow {pa.cpu_count()}"
    print(f"{os.cpu_count()} cores; threads: {own}; NumPy, pandas and loyaltykit run in one")
    print("x ours pd, x ours pl: the median over that of loyaltykit on the pandas frame and on the")
    print("Polars frame of the same group; above 1, loyaltykit is faster", flush=True)


# ---- memory --------------------------------------------------------------------------------------


def print_memory(metric: str, rows: int) -> None:
    print("\nPeak memory of loyaltykit on the pandas frame, beside the frame itself", flush=True)
    if not Path("/proc/self/clear_refs").exists():
        print("  left out: it is read from /proc, which this system does not have")
        return
    # Freed blocks of this size go back to the system, so that none serves the call unseen.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 18)
    fresh = multiprocessing.get_context("spawn").Process(target=measure, args=(metric, rows))
    fresh.start()
    fresh.join()
    if fresh.exitcode:
        sys.exit(fresh.exitcode)


def measure(metric: str, rows: int) -> None:
    """Print what one call needs, in a process that has done nothing else than make its frame."""
    if metric == "nps":
        name, frame = "nps, categorical key", answers(rows)
        call = partial(lk.nps, score="score", by="sector")
    else:
        name, frame = "cohort_retention, int64 ids", interactions(rows, "int64")[0]
        call = partial(lk.cohort_retention, customer="customer", time="time")
    call(frame.head(1000))  # imports what is imported at the first call
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of making the frame
    loaded = status("VmRSS")
    call(frame)
    extra, columns = (status("VmHWM") - loaded) / 2**10, frame.memory_usage(index=False) / 2**20
    print(f"  {name:<44}{extra:>11.0f} MiB; the columns read hold {columns.sum():.0f} MiB")


def status(field: str) -> int:
    """Return a line of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main()
