"""Store one day's answers as a tally in DuckDB; ask the service about a year of stored days.

python daily_job.py store responses.csv tallies.duckdb --day 2025-03-05
python daily_job.py ask tallies.duckdb --year 2025 --service http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pandas as pd

import loyaltykit as lk

sys.path.insert(0, str(Path(__file__).parents[1]))
from daily_tallies import COLUMNS, TABLE, readable, tally_of

QUERY = Path(__file__).with_name("nps_by_quarter.sql").read_text()


def store(responses: Path, database: Path, day: dt.date) -> int:
    """Put the day's tally in the place of an earlier one; return how many rows it has."""
    answers = pd.read_csv(responses, parse_dates=["responded_at"])
    tally = tally_of(answers[answers["responded_at"].dt.date == day])
    with duckdb.connect(str(database)) as connection:
        connection.execute(TABLE.replace("create table", "create table if not exists"))
        connection.register("tally", tally)
        connection.begin()  # a job that runs twice counts once, and one that fails changes nothing
        connection.execute("delete from tallies where period = ?", [day])
        connection.execute(f"insert into tallies select {', '.join(COLUMNS)} from tally")
        connection.commit()
    return len(tally)


def ask(database: Path, year: int, service: str) -> Any:
    """Return the year's NPS by quarter and sector: added up in DuckDB, estimated by the service."""
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = connection.execute(QUERY, {"year": year}).df()
    asked = {
        "rows": lk.to_records(counts.astype({"answer": "Int64"})),
        "score": "answer",
        "counts": "n",
        "by": ["sector"],
        "time": "period",
        "freq": "quarter",
    }
    reply = httpx.post(f"{service}/nps/rows", json=asked)
    if reply.is_error:
        sys.exit(f"{reply.status_code}: {reply.json()['detail']}")
    return lk.from_records(reply.json()["records"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("store")
    one.add_argument("responses", type=Path)
    one.add_argument("database", type=Path)
    one.add_argument("--day", type=dt.date.fromisoformat, required=True)
    other = commands.add_parser("ask")
    other.add_argument("database", type=Path)
    other.add_argument("--year", type=int, required=True)
    other.add_argument("--service", default="http://127.0.0.1:8000")
    asked = parser.parse_args()
    if asked.command == "store":
        rows = store(asked.responses, asked.database, asked.day)
        print(f"{asked.day}: {rows} rows of counts stored")
    else:
        print(readable(ask(asked.database, asked.year, asked.service)))


if __name__ == "__main__":
    main()
