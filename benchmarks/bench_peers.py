"""Time loyaltykit beside pandas, Polars and DuckDB on the same rows, in one process.

Surveys: NPS by sector. Logs: cohort tables, customer flow, loyalty tiers. The first run of every
case, which is not timed, must give the same counts. Read the ratios: the milliseconds hold for one
machine and one day.
"""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import harness
import log_cases
import polars as pl
import pyarrow as pa
import survey_cases

if TYPE_CHECKING:
    import pandas as pd

MILLION = 1_000_000


class Group(NamedTuple):
    """Cases that are held beside each other; a row of them needs about so many bytes in all."""

    title: str
    metric: str
    kind: str
    bytes_per_row: int
    largest: int  # in a run of ordinary length

    @property
    def name(self) -> str:
        return f"{self.metric}_{self.kind}"

    def frame(self, rows: int) -> pd.DataFrame:
        if self.metric == "nps":
            return survey_cases.answers(rows, self.kind)
        return log_cases.interactions(rows, self.kind)

    def cases(self, frame: pd.DataFrame, threads: int | None = None) -> list[harness.Case]:
        if self.metric == "nps":
            return survey_cases.cases(frame, threads)
        return log_cases.cases(self.metric, frame, threads)


GROUPS = [
    Group("NPS by sector, categorical key", "nps", "categorical", 80, 100 * MILLION),
    Group("NPS by sector, string key", "nps", "string", 140, 10 * MILLION),
    Group("Cohort table, int64 ids", "cohort", "int64", 200, 10 * MILLION),
    Group("Cohort table, categorical ids", "cohort", "categorical", 240, 10 * MILLION),
    Group("Cohort table, string ids", "cohort", "string", 300, 10 * MILLION),
    Group("Rolling cohort table, int64 ids", "rolling", "int64", 480, 10 * MILLION),
    Group("Customer flow by month, int64 ids", "flow", "int64", 200, 10 * MILLION),
    Group("Revenue kept by month, int64 ids", "revenue", "int64", 480, 10 * MILLION),
    Group("Loyalty tier, int64 ids", "tier", "int64", 240, 10 * MILLION),
]
SIZES = [MILLION, 10 * MILLION, 30 * MILLION, 100 * MILLION]


def main() -> None:
    options = parsed()
    threads = options.threads
    harness.restart_clean(**({"POLARS_MAX_THREADS": str(threads)} if threads else {}))
    if threads:
        pa.set_cpu_count(threads)
    results: dict[str, Any] = {
        "environment": harness.environment(["polars", "duckdb", "pyarrow"]),
        "threads": peers_threads(threads),
        "groups": [],
        "left_out": [],
    }
    print(results["environment"], results["threads"], sep="\n")
    for group, rows in wanted(options):
        title = f"{group.title}, {rows:,} rows"
        if left_out := too_large(group, rows):
            results["left_out"].append(f"{title}: {left_out}")
            print(f"\n{title}: left out, {left_out}")
            continue
        repeats = options.repeats or (5 if rows <= MILLION else 3)
        runs = harness.timed(title, group.cases(group.frame(rows), threads), repeats)
        cases = harness.summary(runs)
        gc.collect()
        harness.show(title, cases)
        results["groups"].append(
            {"name": group.name, "title": group.title, "rows": rows, "repeats": repeats}
            | {"cases": cases}
        )
        harness.write(options.json, results)
    harness.write(options.json, results)


def parsed() -> argparse.Namespace:
    parser = harness.parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", help="instead of 1, 10, 30 and 100 M")
    parser.add_argument("--full", action="store_true", help="go past 10 M rows in slow groups too")
    known = sorted({group.metric for group in GROUPS} | {group.name for group in GROUPS})
    parser.add_argument("--only", nargs="+", choices=known, help="metrics or groups")
    parser.add_argument("--threads", type=harness.at_least_1, help="of the peers [their own]")
    options = parser.parse_args()
    if options.rows and min(options.rows) < 1000:
        parser.error("--rows starts at 1000")
    return options


def wanted(options: argparse.Namespace) -> Iterator[tuple[Group, int]]:
    """Yield groups and sizes; logs stop at 30 M rows, which hold 3 M customers."""
    for rows in options.rows or SIZES:
        for group in GROUPS:
            most = 100 * MILLION if group.metric == "nps" else 30 * MILLION
            fits = rows <= (most if options.full else group.largest)
            asked = not options.only or {group.metric, group.name} & set(options.only)
            if asked and (fits or options.rows):
                yield group, rows


def too_large(group: Group, rows: int) -> str:
    """Return why the machine's free memory does not do, if it does not."""
    need, free = group.bytes_per_row * rows, harness.memory("MemAvailable")
    if not free or need < 0.9 * free:
        return ""
    return f"it needs about {need / 2**30:.0f} GiB of memory, and {free / 2**30:.0f} were free"


def peers_threads(threads: int | None) -> dict[str, int]:
    """Return how many threads everybody has; pandas and NumPy run in one."""
    setting = "SELECT current_setting('threads')"
    in_duckdb = survey_cases.connection(threads).execute(setting).fetchall()[0][0]
    cores = os.cpu_count() or 1
    own = 2 if harness.thread_setting() else 1
    return {
        "Polars": pl.thread_pool_size(),
        "DuckDB": in_duckdb,
        "PyArrow": pa.cpu_count(),
        "loyaltykit at most": min(own, cores),
    }


if __name__ == "__main__":
    main()
