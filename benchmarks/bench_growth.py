"""Time how cost grows at fixed rows: with groups, with periods, with customers.

How it grows with rows is read from bench_peers.py.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from functools import partial
from typing import Any

import harness
import log_cases
import pandas as pd
import polars as pl
import survey_cases
from harness import Case

import loyaltykit as lk

GROUPS = [1, 10, 100, 1000, 10_000, 100_000]
FREQUENCIES = ["quarter", "month", "week", "day"]
CUSTOMERS = [10_000, 100_000, 300_000, 1_000_000, 3_000_000]


def main() -> None:
    options = parsed()
    harness.restart_clean()
    tables = []
    for table in (by_groups(options), by_periods(options), by_customers(options)):
        tables.append(table)
        harness.write(options.json, {"rows": options.rows, "tables": tables})


def parsed() -> argparse.Namespace:
    parser = harness.parser(__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    options = parser.parse_args()
    if options.rows < 1000:
        parser.error("--rows starts at 1000")
    options.repeats = options.repeats or 3
    return options


def measured(
    title: str, over: str, points: Iterator[tuple[str, list[Case]]], options: argparse.Namespace
) -> dict[str, Any]:
    """Return the medians of every case at every point, which share the number of rows."""
    rows = []
    for label, cases in points:
        heading = f"{title}: {label} {over}"
        medians = harness.summary(harness.timed(heading, cases, options.repeats))
        rows.append({"label": label, "ms": {name: ms["median"] for name, ms in medians.items()}})
        shown = ", ".join(f"{name} {ms['median']:,.1f}" for name, ms in medians.items())
        print(f"{heading}: {shown}", flush=True)
        gc.collect()
    return {"title": f"{title}, {options.rows:,} rows", "over": over, "points": rows}


def by_groups(options: argparse.Namespace) -> dict[str, Any]:
    return measured("NPS by groups", "groups", group_points(options.rows), options)


def group_points(rows: int) -> Iterator[tuple[str, list[Case]]]:
    for groups in GROUPS:
        frame = survey_cases.answers(rows, groups=groups)
        numbers = survey_cases.answers(rows, "int64", groups)
        polars = survey_cases.to_polars(frame)
        tally = partial(lk.tally, frame, "score", by="sector", scale=(0, 10))
        yield (
            f"{groups:,}",
            [
                Case("nps, categorical key", partial(lk.nps, frame, "score", by="sector")),
                Case("its tally alone", tally),
                Case("nps, int64 key", partial(lk.nps, numbers, "score", by="sector")),
                Case("pandas boolean means", partial(survey_cases.boolean_nps, frame)),
                Case("Polars lazy mean", partial(survey_cases.polars_nps, polars)),
            ],
        )


def by_periods(options: argparse.Namespace) -> dict[str, Any]:
    return measured("Two years by periods", "periods", period_points(options.rows), options)


def period_points(rows: int) -> Iterator[tuple[str, list[Case]]]:
    log = log_cases.interactions(rows)
    survey = log.assign(score=survey_cases.answers(rows)["score"])
    last = pd.Timestamp(log["time"].max())
    for freq in FREQUENCIES:
        call: dict[str, Any] = {"customer": "customer", "time": "time", "freq": freq}
        frequency = {"quarter": "Q", "month": "M", "week": "W-SUN", "day": "D"}[freq]
        first = pd.Timestamp(log_cases.START).to_period(frequency)
        spans = last.to_period(frequency).ordinal - first.ordinal + 1
        yield (
            f"{spans:,} {freq}s",
            [
                Case("nps by time", partial(lk.nps, survey, "score", time="time", freq=freq)),
                Case("customer_flow", partial(lk.customer_flow, log, **call)),
                Case("cohort_retention", partial(lk.cohort_retention, log, **call)),
            ],
        )


def by_customers(options: argparse.Namespace) -> dict[str, Any]:
    points = customer_points(options.rows)
    return measured("Logs by customers, int64 ids", "customers", points, options)


def customer_points(rows: int) -> Iterator[tuple[str, list[Case]]]:
    for customers in CUSTOMERS:
        if customers > rows:
            continue
        log = log_cases.interactions(rows, customers=customers)
        polars = pl.from_pandas(log)
        call: dict[str, Any] = {"customer": "customer", "time": "time"}
        yield (
            f"{customers:,}",
            [
                Case("customer_flow", partial(lk.customer_flow, log, **call)),
                Case("cohort_retention", partial(lk.cohort_retention, log, **call)),
                Case("loyalty_tier", partial(lk.loyalty_tier, log, **call)),
                Case("Polars lazy cohorts", partial(log_cases.polars_cohorts, polars)),
            ],
        )


if __name__ == "__main__":
    main()
