"""Keep one small tally a day in a database, and answer a year's question from those rows alone.

Raw answers come in by the day and may be deleted afterwards: `lk.tally` turns a day into a few rows
of counts, which are appended to a table. Counts add up, so a quarter's NPS by sector, and the
year's, follow from the stored rows exactly as from all the answers. The table is kept in SQLite,
which every Python has, and in DuckDB where that is installed: there the stored rows are added up
in the database, and only the counts come out.
"""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import loyaltykit as lk

YEAR = 2025
TABLE = "create table tallies (sector text, period date, answer integer, n bigint)"
COLUMNS = ["sector", "period", "answer", "n"]
# The days of one year; a quarter or a week is as easy to ask for.
STORED = (
    "select sector, period, answer, n from tallies "
    f"where period between '{YEAR}-01-01' and '{YEAR}-12-31'"
)
COUNTS = ["n", "n_missing", "promoters", "passives", "detractors"]
LIMITS = ["estimate", "ci_low", "ci_high"]


def main() -> int:
    """Fill the databases day by day, ask both, compare with the single pass, print."""
    answers = lk.datasets.sample_responses(20_000, rng=7)
    answers["sector"] = answers["sector"].astype("str")  # databases have no ordered categories
    tallies = [tally_of(day) for _, day in answers.groupby(answers["responded_at"].dt.date)]
    with TemporaryDirectory() as folder:
        asked = {"SQLite": in_sqlite(Path(folder) / "tallies.sqlite", tallies)}
        if importlib.util.find_spec("duckdb") is not None:
            asked["DuckDB"] = in_duckdb(Path(folder) / "tallies.duckdb", tallies)
    in_year = answers[answers["responded_at"].dt.year == YEAR]
    single = nps_by_quarter(in_year, "nps", "responded_at")
    for database, (rows, merged) in asked.items():
        if lk.to_records(merged) != lk.to_records(single):
            print(f"{database}: the stored rows give another answer", file=sys.stderr)
            return 1
        print(f"{database}: {rows:,} stored rows give what {len(in_year):,} answers give")
    of_the_year = lk.pool(merged, over="period")
    print(f"\nNPS of {YEAR} by quarter and sector\n\n{readable(merged)}")
    print(f"\nThe year by sector, pooled\n\n{readable(of_the_year)}")
    print(f"\nAll sectors, pooled\n\n{readable(lk.pool(of_the_year, over='sector'))}")
    return 0


def tally_of(day: pd.DataFrame) -> pd.DataFrame:
    """Return one day's answers as counts; in a service, a job of the night."""
    tally: pd.DataFrame = lk.tally(
        day, "nps", by="sector", time="responded_at", freq="day", scale=(0, 10)
    )
    return tally


def nps_by_quarter(frame: Any, score: str, time: str, counts: str | None = None) -> pd.DataFrame:
    """Return the NPS by sector and quarter, from answers or from stored counts of them."""
    table: pd.DataFrame = lk.nps(
        frame, score, by="sector", time=time, freq="quarter", counts=counts
    )
    return table


def in_sqlite(path: Path, tallies: list[pd.DataFrame]) -> tuple[int, pd.DataFrame]:
    """Store the tallies in SQLite; return how many rows the year has, and its NPS."""
    connection = sqlite3.connect(path)
    try:
        connection.execute(TABLE)
        for tally in tallies:
            # Plain values: dates as ISO text, and None where the answers are missing.
            rows = [tuple(row[name] for name in COLUMNS) for row in lk.to_records(tally)]
            with connection:  # a day is stored as a whole, or not at all
                connection.executemany("insert into tallies values (?, ?, ?, ?)", rows)
        stored = pd.read_sql_query(STORED, connection)
        return len(stored), nps_by_quarter(stored, "answer", "period", counts="n")
    finally:
        connection.close()


def in_duckdb(path: Path, tallies: list[pd.DataFrame]) -> tuple[int, pd.DataFrame]:
    """Store the tallies in DuckDB; return how many rows the year has, and its NPS."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLE)
        for tally in tallies:
            connection.register("tally", tally)
            connection.execute(f"insert into tallies select {', '.join(COLUMNS)} from tally")
        stored = connection.sql(STORED)  # a query that has not run: DuckDB does the counting
        return len(stored), nps_by_quarter(stored, "answer", "period", counts="n")


def readable(table: pd.DataFrame) -> str:
    """Return a table's keys, counts and limits for a terminal."""
    keys = [name for name in ("sector", "period") if name in table]
    shown = table[[*keys, *COUNTS, *LIMITS]].round(dict.fromkeys(LIMITS, 1))
    return str(shown.to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
