"""Who joined when and came again when: windows, rules, events and amounts, customer by customer."""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo
from typing import Any

import oracles
import pyarrow as pa
import pytest
from conftest import Engine, frame_rows
from random_visits import ASKED, event_case

import loyaltykit as lk

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")

SUMS = ("amount", "amount_start", "amount_sumsq", "amount_start_sumsq", "amount_cross")


def same_cells(table: Any, naive: list[dict[str, Any]], *, by: bool) -> None:
    found = frame_rows(table)
    assert len(found) == len(naive)
    for row, cell in zip(found, naive, strict=True):
        names = ["cohort", "cohort_age", "coverage", "n", "retained"]
        assert [row[name] for name in names] == [cell[name] for name in names]
        assert not by or row["sector"] == cell["key"]
        share = None if not cell["n"] else 100 * cell["retained"] / cell["n"]
        if row["metric"] == "cohort_revenue":
            assert [row[name] for name in SUMS] == [cell[name] for name in SUMS]
            start = cell["amount_start"] or 0
            share = 100 * cell["amount"] / start if start > 0 else None
        assert row["estimate"] == (None if share is None else pytest.approx(share))


# A query of DuckDB is planned for longer than these few rows take to count.
SEEDS = {"pandas": 25, "polars-lazy": 6, "duckdb": 2}

RULES = [(name, False) for name in ASKED] + [
    (name, True) for name, asked in ASKED.items() if "after" not in name and "like" not in asked
]


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize(("name", "amount"), RULES)
def test_cells_are_those_of_each_customer_followed_alone(
    kind: str, name: str, amount: bool
) -> None:
    for seed in range(SEEDS[kind]):
        case = event_case(seed, ASKED[name], amount=amount)
        naive = case.naive()
        if not naive and "by" not in case.keywords:
            rows = frame_rows(case.table(kind))  # nobody joined in what is reported
            assert all(not row["n"] for row in rows)
        else:
            same_cells(case.table(kind), naive, by="by" in case.keywords)


# ---- contracts ----------------------------------------------------------------------------------

TERMS = {name: asked for name, asked in ASKED.items() if "like" not in asked}


def contracts_of(seed: int) -> tuple[list[tuple[int, dt.datetime, Any]], dt.datetime, Any, str]:
    """Return contracts that a seed makes, the end of observation, its last day, and the freq."""
    rng = random.Random(seed)
    freq, zone = rng.choice(["week", "month", "quarter"]), rng.choice([None, NEW_YORK])
    span = {"week": 60, "month": 250, "quarter": 700}[freq]
    opening = dt.datetime(2024, 1, 1, tzinfo=None if zone is None else dt.UTC)
    rows = []
    for _ in range(rng.randint(3, 25)):
        hours = rng.choice([rng.randrange(span * 24), 24 * rng.randrange(span)])
        start = opening + dt.timedelta(hours=hours)
        stop = start + dt.timedelta(hours=rng.choice([0, 720, rng.randrange(span * 12)]))
        if zone is not None:
            start, stop = start.astimezone(zone), stop.astimezone(zone)
        rows.append((rng.randint(1, 6), start, stop if rng.random() < 0.8 else None))
    # The day after the earliest start at the least.
    low = min(start.date() for _, start, _ in rows)
    as_of = low + dt.timedelta(days=rng.randint(1, span))
    return rows, dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(), zone), as_of, freq


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("name", TERMS)
def test_contracts_are_those_of_each_customer_looked_at_alone(kind: str, name: str) -> None:
    for seed in range(1 if kind == "duckdb" else SEEDS[kind]):
        rows, end, as_of, freq = contracts_of(seed)
        naive = oracles.contract_cohorts(rows, freq, end, **TERMS[name])
        zone = None if end.tzinfo is None else "America/New_York"
        customers, starts, ends = (list(column) for column in zip(*rows, strict=True))
        kinds = {"start": pa.timestamp("us", zone), "end": pa.timestamp("us", zone)}
        frame = Engine(kind).with_types({"id": customers, "start": starts, "end": ends}, kinds)
        options: dict[str, Any] = {"freq": freq, "as_of": as_of, "tz": zone, **TERMS[name]}
        table = lk.cohort_retention(frame, "id", "start", contract_end="end", **options)
        for row, cell in zip(frame_rows(table), naive, strict=True):
            assert (row["cohort"], row["cohort_age"]) == (cell["cohort"], cell["cohort_age"])
            if not cell["members"]:
                assert not row["n"]
                continue
            assert row["coverage"] == cell["coverage"]
            if row["coverage"] != "unobserved":
                assert (row["n"], row["retained"]) == (cell["n"], cell["retained"])
