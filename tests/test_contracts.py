"""Contracts read in memory: the closings at which each is in force, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, column, frame_rows

import loyaltykit as lk
from loyaltykit import _contracts, _logs
from loyaltykit.errors import DataError, DroppedRowsWarning, ParameterError

JANUARY = 672  # months since 1970
NEVER = _contracts.NEVER


def moments(*texts: str) -> np.ndarray[Any, Any]:
    return np.array([text or "NaT" for text in texts], dtype="datetime64[us]")


def contracts(rows: str) -> dict[str, list[Any]]:
    """Return columns from text such as ``1 2026-01-01 2026-01-15, 2 2026-02-01``."""
    parts = [row.split() for row in rows.split(",")]
    ends = [part[2] if len(part) > 2 else None for part in parts]
    return {"id": [int(p[0]) for p in parts], "start": [p[1] for p in parts], "end": ends}


def flow(engine: Engine, rows: str, **options: Any) -> Any:
    options = {"contract_end": "end", "as_of": "2026-03-31", **options}
    return lk.customer_flow(engine.frame(contracts(rows)), "id", "start", **options)


# ---- one contract -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "first", "last", "began", "ended"),
    [
        # Each first and last: the months at whose closing it is in force.
        ("2026-01-05", "2026-03-15", 0, 1, 0, 2),
        ("2026-01-01", "2026-01-15", -1, -1, 0, 0),  # a January leaver: December closed with him
        ("2026-02-01", "", 0, 2, 1, None),  # a February starter: January closed with him
        ("2026-02-01", "2026-03-01", 0, 0, 1, 1),  # over when February closes
        ("2026-02-03", "2026-02-20", 1, 0, 1, 1),  # in force at no closing
        ("2026-02-01", "2026-02-01", 0, -1, 1, None),  # never in force, so that nothing ended
        ("2026-02-01", "2027-01-01", 0, 2, 1, None),  # to end after the observation
        ("2026-03-31", "2026-04-01", 2, 1, 2, 2),
        ("2026-03-31", "2026-04-02", 2, 2, 2, None),
        ("2026-04-01", "", 2, 2, None, None),  # from the moment of the end of observation
    ],
)
def test_a_contract_as_months(
    start: str, end: str, first: int, last: int, began: int | None, ended: int | None
) -> None:
    until = np.datetime64("2026-04-01", "us")
    made = _contracts.ranges(moments(start), moments(end), until, "month")
    wanted = (first, last, began, ended)
    assert [int(part[0]) for part in made] == [
        NEVER if month is None else JANUARY + month for month in wanted
    ]


def test_the_last_period_closes_with_the_observation() -> None:
    until = np.datetime64("2026-03-10T12:00", "us")
    starts = moments("2026-01-05", "2026-01-05", "2026-03-10T12:00", "2026-03-10T11:59")
    ends = moments("2026-03-10T12:00", "2026-03-10T12:00:00.000001", "", "2026-03-10T11:59:30")
    made = _contracts.ranges(starts, ends, until, "month")
    assert (made.last - JANUARY).tolist() == [1, 2, 2, 1]
    assert made.ended.tolist() == [JANUARY + 2, NEVER, NEVER, JANUARY + 2]


# ---- customers ----------------------------------------------------------------------------------


def test_ranges_of_a_customer_unite() -> None:
    who = np.array([1, 0, 0, 0, 0, 1])
    first, last = np.array([2, 0, 1, 4, 5, 0]), np.array([2, 2, 1, 5, 7, 1])
    began = first + 1
    ended = np.full(6, NEVER)
    base = _logs.nobody(0, 9, "month", lead=1)
    made = _contracts.stock(who, _contracts.Ranges(first, last, began, ended), base)
    assert made.customer.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert made.period.tolist() == [0, 1, 2, 4, 5, 6, 7, 0, 1, 2]


def test_the_words_of_the_design(engine: Engine) -> None:
    """A leaver of 15 January, a starter of 1 February, joined and left, overlaps, an open end."""
    rows = (
        "1 2026-01-01 2026-01-15, 2 2026-02-01, 3 2026-02-10 2026-02-20, "
        "4 2026-01-01 2026-02-10, 4 2026-02-01 2026-03-10, 5 2026-01-20"
    )
    table = flow(engine, rows)
    names = ("start", "new", "retained", "returned", "churned", "end", "joined_and_left")
    assert [tuple(row[name] for name in names) for row in frame_rows(table)] == [
        (2, 2, 1, 0, 1, 3, 0),
        (3, 0, 3, 0, 0, 3, 1),
        (3, 0, 2, 0, 1, 2, 0),
    ]
    assert column(table, "coverage") == ["observed"] * 3


def test_touching_contracts_are_one_and_a_gap_is_a_return(engine: Engine) -> None:
    rows = "1 2025-12-15 2026-02-01, 1 2026-02-01 2026-02-15, 1 2026-03-05"
    table = flow(engine, rows, observed_from="2026-01-01")
    assert column(table, "retained") == [1, 0, 0]
    assert column(table, "churned") == [0, 1, 0]
    assert column(table, "returned") == [0, 0, 1]


def test_who_joined_and_left_before_is_not_new(engine: Engine) -> None:
    rows = "1 2026-01-05 2026-01-09, 1 2026-03-05, 2 2026-01-07 2026-01-07, 2 2026-02-01"
    table = flow(engine, rows)
    assert column(table, "joined_and_left") == [1, 0, 0]
    assert column(table, "new") == [1, 0, 0]  # 2 is in force when January closes
    assert column(table, "returned") == [0, 0, 1]
    later = flow(engine, rows, observed_from="2026-02-10")
    assert (column(later, "start"), column(later, "returned")) == ([1], [1])


def test_only_who_is_in_neither_stock_joined_and_left(engine: Engine) -> None:
    """In February: 1 and 2 have a contract within it, but were there before, or are there after."""
    rows = (
        "1 2026-01-05 2026-02-10, 1 2026-02-12 2026-02-20, "
        "2 2026-02-03 2026-02-05, 2 2026-02-25, 3 2026-02-03 2026-02-05"
    )
    table = flow(engine, rows)
    assert column(table, "joined_and_left") == [0, 1, 0]
    assert (column(table, "churned"), column(table, "new")) == ([0, 1, 0], [1, 1, 0])


def test_ends_of_any_type(engine: Engine) -> None:
    expected = frame_rows(flow(engine, "1 2026-01-05 2026-02-15, 2 2026-01-07"))
    days: dict[str, list[Any]] = {
        "start": [dt.date(2026, 1, 5), dt.date(2026, 1, 7)],
        "end": [dt.date(2026, 2, 15), None],
    }
    times: dict[str, list[Any]] = {
        name: [value and dt.datetime.combine(value, dt.time(0)) for value in values]
        for name, values in days.items()
    }
    for columns in (days, times, {**days, "end": times["end"]}):
        frame = engine.frame({"id": [1, 2], **columns})
        found = lk.customer_flow(frame, "id", "start", contract_end="end", as_of="2026-03-31")
        assert frame_rows(found) == expected


def test_starts_and_ends_of_two_zones_are_brought_to_that_of_the_starts() -> None:
    # Midnight of 1 February in Jakarta is 17:00 of 31 January in UTC.
    jakarta, utc = pl.Datetime("us", "Asia/Jakarta"), pl.Datetime("us", "UTC")
    moment = dt.datetime(2026, 1, 31, 17, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        {"id": [1], "start": [moment - dt.timedelta(days=40)], "end": [moment]},
        schema={"id": pl.Int64, "start": jakarta, "end": utc},
    )
    for zone, churned in ((None, [0, 1, 0]), ("UTC", [0, 1, 0]), ("Asia/Tokyo", [0, 0, 1])):
        options: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28", "tz": zone}
        assert column(lk.customer_flow(frame, "id", "start", **options), "churned") == churned
    later = frame.with_columns(pl.col("end") + dt.timedelta(hours=1))
    assert column(lk.customer_flow(later, "id", "start", **{**options, "tz": None}), "end")[1] == 1
    assert column(lk.customer_flow(later, "id", "start", **{**options, "tz": "UTC"}), "end")[1] == 0


# ---- refusals -----------------------------------------------------------------------------------


def test_contracts_that_end_before_they_start(engine: Engine) -> None:
    rows = "1 2026-01-05 2026-01-04, 2 2026-01-05 2026-02-01, 3 2026-02-01 2026-01-31"
    message = r"contract_end='end': 2 rows with an end before 'start': '2026-01-04', '2026-01-31'"
    with pytest.raises(DataError, match=message):
        flow(engine, rows)
    with pytest.warns(DroppedRowsWarning, match="2 rows left out: no customer, no usable date, or"):
        table = flow(engine, rows, errors="coerce")
    assert column(table, "joined_and_left") == [1, 0, 0]  # over when January closes


def test_rows_are_counted_once_that_are_wrong_in_several_ways(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "id": [1, None, 3, 4],
        "start": ["2026-01-05", "2026-01-05", None, "2026-01-05"],
        "end": ["never", "2026-01-01", "2026-01-01", None],
    }
    with pytest.warns(DroppedRowsWarning, match="^3 rows left out"):
        table = lk.customer_flow(
            *(engine.frame(columns), "id", "start"),
            contract_end="end",
            as_of="2026-01-31",
            errors="coerce",
        )
    assert column(table, "end") == [1]


def test_only_one_of_start_and_end_has_a_zone() -> None:
    aware = pd.Series(pd.to_datetime(["2026-01-05", "2026-02-05"]).tz_localize("Asia/Jakarta"))
    naive = pd.to_datetime(pd.Series(["2026-03-05", None]))
    for start, end in ((aware, naive), (naive.fillna(aware[0].tz_localize(None)), aware)):
        frame = pd.DataFrame({"id": [1, 2], "start": start, "end": end})
        with pytest.raises(DataError, match="Only one of 'start' and 'end' has a time zone"):
            lk.customer_flow(frame, "id", "start", contract_end="end", as_of="2026-03-31")


def test_parameters_that_do_not_go_with_contracts(engine: Engine) -> None:
    rows = "1 2026-01-05 2026-02-01"
    with pytest.raises(ParameterError, match="as_of is needed with contract_end"):
        flow(engine, rows, as_of=None)
    with pytest.raises(ParameterError, match="grace=1 beside contract_end: a contract says itself"):
        flow(engine, rows, grace=1)
    with pytest.raises(ParameterError, match="contract_end='start' is the column of the starts"):
        flow(engine, rows, contract_end="start")
    with pytest.raises(TypeError, match="contract_end must be a column name"):
        flow(engine, rows, contract_end=3)


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="in force at 300,000,000 closings of a day"):
        _contracts.refuse_many(300_000_000, "day")
    days = pd.DataFrame({"id": range(40_000), "start": "1990-01-01", "end": "2026-01-01"})
    with pytest.raises(DataError, match=r"in force at 525,\d{3},\d{3} closings of a day"):
        lk.customer_flow(*(days, "id", "start"), contract_end="end", freq="day", as_of="2026-01-31")


def test_nothing_in_nothing_out(engine: Engine) -> None:
    frame = engine.frame(contracts("1 2026-01-05 2026-02-01"))
    empty = frame[:0] if engine.name != "pyarrow" else frame.slice(0, 0)
    table = lk.customer_flow(empty, "id", "start", contract_end="end", as_of="2026-03-31")
    assert frame_rows(table) == []


@pytest.mark.parametrize("name", ["pandas", "polars", "polars-lazy", "duckdb"])
def test_ends_that_are_all_open_need_no_zone(name: str) -> None:
    start = [dt.datetime(2026, 1, 5, tzinfo=dt.UTC), dt.datetime(2026, 1, 7, tzinfo=dt.UTC)]
    kinds = {"start": pa.timestamp("us", "UTC"), "end": pa.timestamp("us")}
    columns: dict[str, list[Any]] = {"id": [1, 2], "start": start, "end": [None, None]}
    log = Engine(name).with_types(columns, kinds)
    options: dict[str, Any] = {"contract_end": "end", "as_of": "2026-01-31", "tz": "Europe/Berlin"}
    assert column(lk.customer_flow(log, "id", "start", **options), "end") == [2]
