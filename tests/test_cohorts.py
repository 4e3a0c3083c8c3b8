"""Cohort retention: the three coverages, the triangle, and sets of customers as the oracle."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    CONSTRUCTORS,
    Engine,
    column,
    column_names,
    dtype_names,
    frame_rows,
    stacked,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import Case, cases, log_frame
from random_visits import ASKED, event_case

import loyaltykit as lk
from loyaltykit.errors import ColumnNotFoundError, DataError, ParameterError

unhurried = settings(deadline=None, max_examples=40)

JANUARY, FEBRUARY, MARCH = (dt.date(2026, month, 1) for month in (1, 2, 3))

COLUMNS = (
    *("cohort", "cohort_age", "coverage", "metric", "n", "n_missing", "retained"),
    *("estimate", "std_error", "ci_low", "ci_high"),
    *("confidence_level", "method", "unit", "definition", "as_of"),
)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


# The example of the issue.
SIX_ROWS: dict[str, list[Any]] = {
    "id": [1, 1, 2, 3, 3, 4],
    "day": days(
        *("2026-01-05", "2026-02-06", "2026-01-09", "2026-02-03", "2026-03-02", "2026-03-05")
    ),
}


def cells(table: Any) -> dict[tuple[dt.date, int], tuple[Any, ...]]:
    """Return coverage, n, retained and estimate by cohort and age."""
    names = ("coverage", "n", "retained", "estimate")
    rows = frame_rows(table)
    return {(row["cohort"], row["cohort_age"]): tuple(row[name] for name in names) for row in rows}


# ---- the example of the issue -------------------------------------------------------------------


def test_six_rows(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", as_of="2026-03-31")
    unobserved = ("unobserved", None, None, None)
    assert cells(table) == {
        (JANUARY, 0): ("observed", 2, 2, 100.0),
        (JANUARY, 1): ("observed", 2, 1, 50.0),
        (JANUARY, 2): ("observed", 2, 0, 0.0),  # nobody came: a true 0
        (FEBRUARY, 0): ("observed", 1, 1, 100.0),
        (FEBRUARY, 1): ("observed", 1, 1, 100.0),
        (FEBRUARY, 2): unobserved,
        (MARCH, 0): ("observed", 1, 1, 100.0),
        (MARCH, 1): unobserved,  # April has not happened: null, not 0
        (MARCH, 2): unobserved,
    }


def test_six_rows_pooled_over_cohorts(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", as_of="2026-03-31")
    pooled = frame_rows(lk.pool(table, over="cohort"))
    # Age 1 leaves out the March cohort, which has not reached it; age 2 all but January.
    assert [(row["cohort_age"], row["n"], row["retained"]) for row in pooled] == [
        (0, 4, 4),
        (1, 3, 2),
        (2, 2, 0),
    ]
    assert [row["estimate"] for row in pooled] == pytest.approx([100, 200 / 3, 0])
    assert [row["coverage"] for row in pooled] == ["observed"] * 3


def test_six_rows_while_march_is_running(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", as_of="2026-03-15")
    coverage = {cell: found[0] for cell, found in cells(table).items()}
    partial = {(JANUARY, 2), (FEBRUARY, 1), (MARCH, 0)}
    assert {cell for cell, word in coverage.items() if word == "partial"} == partial
    assert cells(table)[FEBRUARY, 1] == ("partial", 1, 1, 100.0)  # it keeps its numbers
    assert cells(table)[MARCH, 1][0] == "unobserved"
    pooled = frame_rows(lk.pool(table, over="cohort"))
    assert [(row["n"], row["retained"]) for row in pooled] == [(3, 3), (2, 1), (None, None)]
    assert [row["coverage"] for row in pooled] == ["observed", "observed", "unobserved"]


def test_six_rows_without_as_of_end_with_the_last_row(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day")
    assert set(column(table, "as_of")) == {dt.date(2026, 3, 5)}
    assert cells(table)[JANUARY, 2][0] == "partial"


# ---- the shape of the table ---------------------------------------------------------------------


def test_columns_and_their_types(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day")
    assert column_names(table) == list(COLUMNS)
    kinds = dtype_names(table)
    count, number, date = {
        "polars": ("Int64", "Float64", "Date"),
        "pyarrow": ("int64", "double", "date32[day]"),
    }.get(engine.name, ("Int64", "float64", "datetime64[us]"))
    assert {kinds[name] for name in ("n", "n_missing", "retained")} == {count}
    assert {kinds[name] for name in COLUMNS[7:12]} == {number}
    assert {kinds[name] for name in ("cohort", "as_of")} == {date}
    assert kinds["cohort_age"].lower() == "int64"
    expected = {"polars": pl.DataFrame, "pyarrow": pa.Table}.get(engine.name, pd.DataFrame)
    assert type(table) is expected


def test_what_a_cohort_table_says_of_itself(engine: Engine) -> None:
    log = engine.frame(SIX_ROWS)
    table = lk.cohort_retention(log, "id", "day", freq="quarter", confidence_level=0.9)
    (row,) = frame_rows(table)
    assert (row["metric"], row["unit"], row["method"]) == ("cohort_retention", "percent", "wilson")
    assert row["definition"] == "basis=log;freq=quarter;window=calendar;rule=on"
    assert (row["n_missing"], row["confidence_level"]) == (0, 0.9)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_are_wilsons(engine: Engine, level: float) -> None:
    log = engine.frame(SIX_ROWS)
    table = lk.cohort_retention(log, "id", "day", as_of="2026-03-31", confidence_level=level)
    for row in frame_rows(table):
        if row["coverage"] == "unobserved":
            assert [row[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3
        else:
            low, high = oracles.wilson_interval(row["retained"], row["n"], level)
            assert row["ci_low"] == pytest.approx(100 * low, abs=1e-9)
            assert row["ci_high"] == pytest.approx(100 * high)


# ---- cohorts ------------------------------------------------------------------------------------


def test_a_period_without_new_customers_is_an_empty_cohort(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1, 2], "day": days("2026-01-05", "2026-02-06", "2026-03-31")})
    found = cells(lk.cohort_retention(log, "id", "day"))
    assert [found[FEBRUARY, age] for age in (0, 1)] == [("observed", 0, 0, None)] * 2
    assert found[FEBRUARY, 2] == ("unobserved", None, None, None)


def test_who_was_silent_counts_again_later(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1, 2], "day": days("2026-01-05", "2026-03-31", "2026-01-07")})
    found = cells(lk.cohort_retention(log, "id", "day"))
    assert [found[JANUARY, age][2] for age in range(3)] == [2, 0, 1]


def test_one_row_is_one_cell(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": days("2026-01-31")})
    assert cells(lk.cohort_retention(log, "id", "day")) == {(JANUARY, 0): ("observed", 1, 1, 100.0)}


def test_duplicates_count_once(engine: Engine) -> None:
    doubled = {name: [*values, *values[::-1]] for name, values in SIX_ROWS.items()}
    once = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day")
    assert frame_rows(lk.cohort_retention(engine.frame(doubled), "id", "day")) == frame_rows(once)


def test_observation_beyond_the_last_row_adds_ages(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": days("2026-01-05")})
    found = cells(lk.cohort_retention(log, "id", "day", as_of="2026-02-28"))
    assert found == {
        (JANUARY, 0): ("observed", 1, 1, 100.0),
        (JANUARY, 1): ("observed", 1, 0, 0.0),
        (FEBRUARY, 0): ("observed", 0, 0, None),
        (FEBRUARY, 1): ("unobserved", None, None, None),
    }


@pytest.mark.parametrize(
    ("freq", "cohorts"),
    [
        ("day", ["2025-12-28", "2025-12-29", "2025-12-30"]),
        ("week", ["2025-12-22", "2025-12-29", "2026-01-05"]),
        ("month", ["2025-12-01", "2026-01-01", "2026-02-01"]),
        ("quarter", ["2025-10-01", "2026-01-01", "2026-04-01"]),
        ("year", ["2025-01-01", "2026-01-01", "2027-01-01"]),
    ],
)
def test_cohorts_of_every_frequency(engine: Engine, freq: Any, cohorts: list[str]) -> None:
    starts = days(*cohorts)
    # 28 December 2025 is a Sunday: the last day of its ISO week, and the first row's.
    log = engine.frame({"id": [1, 1, 2], "day": [dt.date(2025, 12, 28), *starts[1:]]})
    table = lk.cohort_retention(log, "id", "day", freq=freq)
    assert list(dict.fromkeys(column(table, "cohort"))) == starts
    assert [cells(table)[starts[0], age][2] for age in range(3)] == [1, 1, 0]


# ---- splits -------------------------------------------------------------------------------------


def test_a_customer_stays_in_the_group_of_the_first_period(engine: Engine) -> None:
    # Customer 1 is new when January starts, and repeat from February on.
    tiers = engine.frame(
        {
            "id": [1, 1, 2],
            "valid_from": days("2026-01-01", "2026-02-01", "2026-02-15"),
            "tier": ["new", "repeat", "new"],
        }
    )
    log = engine.frame({"id": [1, 1, 2], "day": days("2026-01-05", "2026-02-06", "2026-02-28")})
    table = lk.cohort_retention(log, "id", "day", by="tier", segments=tiers)
    found = {(row["tier"], row["cohort"], row["cohort_age"]): row["n"] for row in frame_rows(table)}
    assert found == {
        ("new", JANUARY, 0): 1,
        ("new", JANUARY, 1): 1,
        ("new", FEBRUARY, 0): 0,
        ("new", FEBRUARY, 1): None,
        (None, JANUARY, 0): 0,
        (None, JANUARY, 1): 0,
        (None, FEBRUARY, 0): 1,  # customer 2 has no tier yet when February starts
        (None, FEBRUARY, 1): None,
    }
    assert [row["retained"] for row in frame_rows(table) if row["cohort_age"] == 1][:1] == [1]


def test_groups_come_with_their_cohorts(engine: Engine) -> None:
    levels = ["NPO", "B2C", "B2B"]
    customers = engine.frame({"id": [1, 2, 3], "sector": ["B2B", "NPO", "B2B"]}, {"sector": levels})
    table = lk.cohort_retention(
        engine.frame(SIX_ROWS), "id", "day", by="sector", segments=customers
    )
    assert column_names(table) == ["sector", *COLUMNS]
    # Order of the categories; nobody is B2C, and customer 4 has no row.
    assert list(dict.fromkeys(column(table, "sector"))) == ["NPO", "B2B", None]
    assert len(frame_rows(table)) == 3 * 9


def test_a_key_that_changes_within_a_customer(engine: Engine) -> None:
    log = engine.frame({**SIX_ROWS, "tier": ["a", "b", "a", "a", "a", "a"]})
    with pytest.raises(DataError, match=r"by='tier' changes within 1 customer .*segments="):
        lk.cohort_retention(log, "id", "day", by="tier")


# ---- the triangle -------------------------------------------------------------------------------


def test_matrix_has_cohorts_down_and_ages_across(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", as_of="2026-03-31")
    matrix = lk.cohort_matrix(table)
    assert column_names(matrix) == ["cohort", "0", "1", "2"]
    assert frame_rows(matrix) == [
        {"cohort": JANUARY, "0": 100.0, "1": 50.0, "2": 0.0},
        {"cohort": FEBRUARY, "0": 100.0, "1": 100.0, "2": None},
        {"cohort": MARCH, "0": 100.0, "1": None, "2": None},
    ]
    assert type(matrix) is type(table)
    assert dtype_names(matrix)["cohort"] == dtype_names(table)["cohort"]


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ("n", [[2, 2, 2], [1, 1, None], [1, None, None]]),
        ("retained", [[2, 1, 0], [1, 1, None], [1, None, None]]),
        (
            "coverage",
            [
                ["observed"] * 3,
                ["observed", "observed", "unobserved"],
                ["observed", "unobserved", "unobserved"],
            ],
        ),
    ],
)
def test_matrix_of_another_column(engine: Engine, values: str, rows: list[list[Any]]) -> None:
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", as_of="2026-03-31")
    matrix = lk.cohort_matrix(table, values=values)
    assert [[row[age] for age in "012"] for row in frame_rows(matrix)] == rows
    assert dtype_names(matrix)["1"] == dtype_names(table)[values]


def test_matrix_keeps_the_keys(engine: Engine) -> None:
    log = engine.frame({**SIX_ROWS, "sector": ["B2C", "B2C", "B2B", "B2C", "B2C", None]})
    table = lk.cohort_retention(log, "id", "day", by="sector", as_of="2026-03-31")
    matrix = lk.cohort_matrix(table, "retained")
    assert column_names(matrix) == ["sector", "cohort", "0", "1", "2"]
    rows = [tuple(row.values()) for row in frame_rows(matrix)]
    assert len(rows) == 9
    assert rows[0] == ("B2B", JANUARY, 1, 0, 0)
    assert rows[3] == ("B2C", JANUARY, 1, 1, 0)
    assert rows[8] == (None, MARCH, 1, None, None)


def test_matrix_of_more_ages_than_ten_is_in_order(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1], "day": days("2025-01-01", "2025-12-31")})
    matrix = lk.cohort_matrix(lk.cohort_retention(log, "id", "day"))
    assert column_names(matrix) == ["cohort", *[str(age) for age in range(12)]]


def test_matrix_of_pooled_keys_and_of_pooled_cohorts(engine: Engine) -> None:
    log = engine.frame({**SIX_ROWS, "sector": ["B2C", "B2C", "B2B", "B2C", "B2C", None]})
    split = lk.cohort_retention(log, "id", "day", by="sector", as_of="2026-03-31")
    whole = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    pooled = lk.cohort_matrix(lk.pool(split, over="sector"))
    assert frame_rows(pooled) == frame_rows(lk.cohort_matrix(whole))
    by_sector = lk.cohort_matrix(lk.pool(split, over="cohort"), "n")
    assert column_names(by_sector) == ["sector", "0", "1", "2"]
    assert [row["1"] for row in frame_rows(by_sector)] == [1, 2, 0]


def test_matrix_needs_a_cohort_table(engine: Engine) -> None:
    log = engine.frame(SIX_ROWS)
    for table in (lk.retention_rate(log, "id", "day"), lk.customer_flow(log, "id", "day"), log):
        with pytest.raises(ParameterError, match="not a table of cohort_retention"):
            lk.cohort_matrix(table)
    cohort_table = lk.cohort_retention(log, "id", "day")
    with pytest.raises(ColumnNotFoundError, match=r"'estimat'.*Did you mean 'estimate'"):
        lk.cohort_matrix(cohort_table, "estimat")


def test_matrix_of_an_empty_table(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": ["2026-01-05"]})
    empty = engine.keep(log.slice(0, 0) if isinstance(log, pa.Table) else log[:0])
    matrix = lk.cohort_matrix(lk.cohort_retention(empty, "id", "day"))
    assert frame_rows(matrix) == []
    assert column_names(matrix) == ["cohort"]


# ---- against the naive answer -------------------------------------------------------------------


@pytest.mark.parametrize("name", CONSTRUCTORS)
@unhurried
@given(case=cases())
def test_cells_are_those_of_sets_of_customers(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    table = frame_rows(lk.cohort_retention(log, "id", "day", **keywords))
    naive = case.without_key(oracles.cohorts(case.log, case.freq, case.end, case.key_at))
    for row, expected in zip(table, naive, strict=True):
        share = expected.pop("estimate")
        assert {name: row[name] for name in expected} == expected
        assert row["estimate"] == pytest.approx(share)
        if share is not None:
            assert 0 <= row["ci_low"] <= row["estimate"] <= row["ci_high"] <= 100
        if row["cohort_age"] == 0 and row["n"]:
            assert row["retained"] == row["n"]


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
@unhurried
@given(case=cases(split=False))
def test_shards_split_by_customer_add_up(name: str, case: Case) -> None:
    keywords: dict[str, Any] = {"freq": case.freq, "as_of": case.end}
    added: dict[tuple[dt.date, int], tuple[int, int]] = {}
    for remainder in range(3):
        # A shard of customers who all came after as_of has nothing to add.
        shard = [row for row in case.log if row[0] % 3 == remainder and row[1] <= case.end]
        if shard:
            table = lk.cohort_retention(log_frame(name, shard), "id", "day", **keywords)
            for cell, (word, n, retained, _) in cells(table).items():
                if word != "unobserved":
                    before = added.get(cell, (0, 0))
                    added[cell] = (before[0] + (n or 0), before[1] + (retained or 0))
    whole = cells(lk.cohort_retention(log_frame(name, case.log), "id", "day", **keywords))
    assert added == {cell: found[1:3] for cell, found in whole.items() if cell in added}
    rest = [found for cell, found in whole.items() if cell not in added]
    assert all(found[0] == "unobserved" or not found[1] for found in rest)


def test_a_stray_date_is_named_before_it_fills_the_memory(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": ["1900-01-01", "2026-01-05"]})
    with pytest.raises(DataError, match="from 1900-01-01 to 2026-01-05"):
        lk.cohort_retention(log, "id", "day", freq="day")
    with pytest.raises(DataError, match="Check the dates, or choose a longer freq"):
        lk.cohort_retention(log, "id", "day", freq="week")


def test_the_matrix_has_ages_in_order_and_one_row_for_a_cell(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1], "day": ["2026-01-05", "2026-02-05"]})
    table = lk.cohort_retention(log, "id", "day", as_of="2026-02-28")
    upside_down = table[::-1] if not isinstance(table, pa.Table) else table.take([3, 2, 1, 0])
    assert column_names(lk.cohort_matrix(upside_down)) == ["cohort", "0", "1"]
    with pytest.raises(ParameterError, match="several rows for one cell"):
        lk.cohort_matrix(stacked([table, table]))


# ---- windows, rules and presets -----------------------------------------------------------------


def test_six_rows_in_rolling_windows(engine: Engine) -> None:
    options: dict[str, Any] = {"window": "rolling", "as_of": "2026-03-08"}
    table = lk.cohort_retention(engine.frame(SIX_ROWS), "id", "day", **options)
    unobserved = ("unobserved", None, None, None)
    assert cells(table) == {
        (JANUARY, 0): ("observed", 2, 2, 100.0),
        (JANUARY, 1): ("partial", 1, 1, 100.0),  # customer 2 completes it on 9 March
        (FEBRUARY, 0): ("observed", 1, 1, 100.0),
        (FEBRUARY, 1): unobserved,  # 27 days after the first visit is window 0 still
        (MARCH, 0): unobserved,
        (MARCH, 1): unobserved,
    }
    assert {row["definition"] for row in frame_rows(table)} == {
        "basis=log;freq=month;window=rolling;rule=on"
    }


# The tools' own examples: Amplitude and Mixpanel on their pages on time, read in November 2026.
@pytest.mark.parametrize(
    ("first", "again", "freq", "asked", "age"),
    [
        ("2026-01-05T17:59", "2026-01-06T17:00", "day", {"like": "amplitude"}, 1),
        ("2026-01-05T17:59", "2026-01-06T17:00", "day", {"like": "mixpanel"}, 0),
        ("2025-12-01", "2025-12-08", "week", {"like": "amplitude"}, 1),
        ("2025-12-01", "2025-12-07", "week", {"like": "amplitude"}, 0),
        ("2026-02-25", "2026-03-03", "month", {"like": "mixpanel"}, 0),
        ("2026-02-25", "2026-03-03", "month", {"like": "posthog"}, 1),
        ("2026-01-05T20:00", "2026-01-06T06:00", "day", {"window": "rolling"}, 0),
        ("2026-01-05T20:00", "2026-01-06T06:00", "day", {}, 1),
    ],
)
def test_examples_of_the_tools(
    engine: Engine, first: str, again: str, freq: str, asked: dict[str, Any], age: int
) -> None:
    log = engine.frame({"id": [1, 1], "day": [first, again]})
    options: dict[str, Any] = {"freq": freq, "as_of": "2026-04-30", **asked}
    rows = frame_rows(lk.cohort_retention(log, "id", "day", **options))
    assert max(row["cohort_age"] for row in rows if row["retained"]) == age


DEFINITIONS: dict[str, dict[str, Any]] = {
    "window=rolling;rule=on_or_after;floor=hour": {"like": "amplitude", "freq": "day"},
    "window=rolling;rule=on_or_after": {"like": "mixpanel", "rule": "on_or_after"},
    "window=calendar;rule=on": {"like": "posthog"},
    "window=calendar;rule=brackets(0,1,4,8)": {"rule": [0, 1, 4, 8]},
    "window=calendar;rule=on;start_event=yes;return_event=no": {
        "start_event": "yes",
        "return_event": "no",
    },
}


@pytest.mark.parametrize("words", DEFINITIONS)
def test_definitions(words: str) -> None:
    log = pd.DataFrame({**SIX_ROWS, "yes": True, "no": False})
    table = lk.cohort_retention(log, "id", "day", **DEFINITIONS[words])
    freq = DEFINITIONS[words].get("freq", "month")
    assert set(table["definition"]) == {f"basis=log;freq={freq};{words}"}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a window misspelt": ({"window": "roling"}, "window='roling'.*Did you mean 'rolling'"),
    "a rule misspelt": ({"rule": "on or after"}, "rule='on or after'.*'on_or_after'"),
    "a rule that falls": ({"rule": (0, 3, 1)}, r"rule=\(0, 3, 1\) must be rising ages"),
    "a rule of one age": ({"rule": (1,)}, "two at the least"),
    "a rule below 0": ({"rule": (-1, 2)}, r"rule\[0\]=-1"),
    "a window against a preset": (
        {"like": "posthog", "window": "rolling"},
        "window='rolling' contradicts like='posthog', which is window='calendar'",
    ),
    "a rule against a preset": ({"like": "posthog", "rule": (0, 1)}, "rule=.*contradicts like"),
    "a tool nobody verified": ({"like": "heap"}, "like='heap' is not one of 'amplitude'"),
    "a freq of no tool": ({"like": "mixpanel", "freq": "year"}, "documents no freq='year'"),
    "revenue on or after": ({"amount": "a", "rule": "on_or_after"}, "amount= with rule="),
    "Wilson of revenue": ({"amount": "a", "method": "wilson"}, "method='wilson' is not one of"),
    "linearised shares": ({"method": "linearised"}, "method='linearised' is not one of"),
    "no end with contracts": ({"contract_end": "a"}, "as_of is needed with contract_end"),
    "revenue of contracts": (
        {"contract_end": "a", "amount": "a", "as_of": "2026-03-31"},
        "'amount' with contract_end",
    ),
    "observation that starts after its end": (
        {"observed_from": "2026-03-02", "as_of": "2026-03-31"},
        "observed_from=2026-03-02: no month starts",
    ),
    "a name that a definition cannot hold": ({"start_event": "a;b"}, "cannot hold ';' or '='"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters(name: str) -> None:
    asked, message = WRONG[name]
    log = pd.DataFrame({**SIX_ROWS, "a": 1.0, "a;b": True})
    with pytest.raises(ParameterError, match=message):
        lk.cohort_retention(log, "id", "day", **asked)


def test_a_rule_of_a_wrong_type() -> None:
    with pytest.raises(TypeError, match="rule must be"):
        lk.cohort_retention(pd.DataFrame(SIX_ROWS), "id", "day", rule=3)  # type: ignore[arg-type]


# ---- revenue ------------------------------------------------------------------------------------


def test_revenue_and_its_interval(engine: Engine) -> None:
    """The limits are those of each customer's own deviation, by Student's t."""
    start, later = [40.0, 50.0, 10.0, 25.0], [60.0, -10.0, 30.0, 0.0]
    columns: dict[str, list[Any]] = {
        "id": [1, 2, 3, 4, 1, 2, 3],
        "day": ["2026-01-05"] * 4 + ["2026-02-06"] * 3,
        "spent": [*start, *later[:3]],
    }
    table = lk.cohort_retention(
        engine.frame(columns), "id", "day", amount="spent", as_of="2026-02-28", confidence_level=0.9
    )
    first, second = frame_rows(table)[:2]
    assert (first["estimate"], first["std_error"]) == (100.0, 0.0)
    ratio, _, low, high = oracles.ratio_interval(start, later, 0.9)
    assert (second["n"], second["retained"], second["amount"]) == (4, 3, 80.0)
    found = [second[name] for name in ("estimate", "ci_low", "ci_high")]
    assert found == pytest.approx([100 * ratio, 100 * low, 100 * high])
    assert (second["metric"], second["method"]) == ("cohort_revenue", "linearised")


def test_revenue_without_a_start_or_a_second_customer_has_no_interval() -> None:
    log = pd.DataFrame({"id": [1, 2, 2], "day": ["2026-01-05", "2026-02-05", "2026-03-31"]})
    table = lk.cohort_retention(log.assign(spent=[0.0, 5.0, 20.0]), "id", "day", amount="spent")
    found = table.set_index(["cohort", "cohort_age"])
    assert found["estimate"].isna()[("2026-01-01", 0)]
    assert found["estimate"][("2026-02-01", 1)] == 400.0  # never cut off
    assert found["ci_low"].isna().all()


def test_amounts_of_one_a_period_are_counts() -> None:
    log = pd.DataFrame(SIX_ROWS).assign(one=1)
    revenue = lk.cohort_retention(log, "id", "day", amount="one", as_of="2026-03-31")
    shares = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    pd.testing.assert_series_equal(revenue["estimate"], shares["estimate"])
    pd.testing.assert_series_equal(
        revenue["amount"], shares["retained"].astype("float64"), check_names=False
    )


def test_revenue_is_compared_and_not_explained() -> None:
    log = pd.DataFrame(
        {
            "id": [1, 2, 3, 1, 2, 3, 11, 12, 13, 11, 12],
            "day": [*["2026-01-05"] * 3, *["2026-02-06"] * 3]
            + ["2026-01-05"] * 3
            + ["2026-02-06"] * 2,
            "spent": [10.0, 20, 15, 12, 10, 15, 20, 20, 30, 10, 25],
            "sector": ["B2B"] * 6 + ["B2C"] * 5,
        }
    )
    table = lk.cohort_retention(log, "id", "day", amount="spent", by="sector", as_of="2026-02-28")
    later = table[table["cohort_age"] == 1].dropna(subset=["estimate"])
    (change,) = frame_rows(lk.compare(later, "sector"))
    sides = [([10, 20, 15], [12, 10, 15]), ([20, 20, 30], [10, 25, 0])]
    ratios, errors, *_ = zip(*(oracles.ratio_interval(x, y, 0.95) for x, y in sides), strict=True)
    assert change["difference"] == pytest.approx(100 * (ratios[0] - ratios[1]))
    assert change["std_error"] == pytest.approx(100 * np.hypot(*errors))
    with pytest.raises(ParameterError, match=r"cohort_revenue is a ratio.*without amount="):
        lk.explain_change(table, "cohort", reference="previous", segment="sector")


def test_pooled_revenue_is_that_of_all_customers() -> None:
    log = pd.DataFrame({**SIX_ROWS, "spent": [5.0, 7, 11, 2, 3, 13], "sector": list("aabbba")})
    options: dict[str, Any] = {"amount": "spent", "as_of": "2026-03-31", "rule": (0, 1, 3)}
    split = lk.cohort_retention(log, "id", "day", by="sector", **options)
    whole = lk.cohort_retention(log, "id", "day", **options)
    pd.testing.assert_frame_equal(lk.pool(split, over="sector"), whole)
    assert list(lk.cohort_matrix(whole).columns) == ["cohort", "0", "1"]
    assert lk.to_records(whole)[0]["amount"] == 16.0


# ---- what must hold whatever the log ------------------------------------------------------------


@given(seed=st.integers(0, 2**20), name=st.sampled_from(sorted(ASKED)))
@settings(max_examples=60)
def test_shards_add_up_and_order_and_duplicates_change_nothing(seed: int, name: str) -> None:
    case = event_case(seed, ASKED[name])
    keys = ["sector", "cohort", "cohort_age"]
    case = case._replace(keywords={**case.keywords, "by": "sector"})
    whole = case.table("pandas")
    again = case.table("pandas", [*case.visits[::-1], *case.visits])
    pd.testing.assert_frame_equal(again, whole)
    assert (whole["retained"].isna() == (whole["coverage"] == "unobserved")).all()
    assert not (whole["estimate"].notna() & (whole["coverage"] == "unobserved")).any()
    added: dict[Any, tuple[int, int]] = {}
    for remainder in range(2):
        # A shard of customers who all came after as_of has nothing to add.
        shard = [visit for visit in case.visits if visit.customer // 2 % 2 == remainder]
        if not any(
            visit.moment.replace(tzinfo=None) < case.end.replace(tzinfo=None) for visit in shard
        ):
            continue
        for row in lk.to_records(case.table("pandas", shard)):
            if row["n"]:
                n, retained = added.get(tuple(row[key] for key in keys), (0, 0))
                key = tuple(row[key] for key in keys)
                added[key] = (n + int(row["n"]), retained + int(row["retained"] or 0))
    rows = {tuple(row[key] for key in keys): row for row in lk.to_records(whole) if row["n"]}
    assert added == {key: (row["n"], row["retained"]) for key, row in rows.items()}


@given(seed=st.integers(0, 2**20), window=st.sampled_from(["calendar", "rolling"]))
@settings(max_examples=40)
def test_on_or_after_is_no_less_than_on_and_falls_with_age(seed: int, window: str) -> None:
    case = event_case(seed, {"window": window})
    on = case.table("pandas")
    case = case._replace(keywords={**case.keywords, "rule": "on_or_after"})
    after = case.table("pandas")
    assert (after["n"].fillna(0) == on["n"].fillna(0)).all()
    assert (after["retained"].fillna(0) >= on["retained"].fillna(0)).all()
    if window == "calendar":
        keys = [name for name in ("sector", "cohort") if name in after.columns]
        steps = after.groupby(keys, dropna=False)["retained"].diff().dropna()
        assert (steps <= 0).all()


def test_what_no_group_has_observed_stays_null_when_groups_are_pooled() -> None:
    """Of the cohort of February group "a" has nobody, and "b" no window that is over."""
    log = {"id": [1, 2, 3], "day": ["2026-01-02", "2026-02-20", "2026-01-02"], "g": list("abb")}
    frame = pd.DataFrame(log)
    options: dict[str, Any] = {"window": "rolling", "as_of": "2026-03-08"}
    pooled = lk.pool(lk.cohort_retention(frame, "id", "day", by="g", **options), over="g")
    assert frame_rows(pooled) == frame_rows(lk.cohort_retention(frame, "id", "day", **options))


def test_revenue_that_nobody_brought_has_no_error_and_cancelled_starts_no_ratio() -> None:
    log = pd.DataFrame({"id": range(12), "day": ["2026-01-05"] * 12, "paid": range(10, 22)})
    rows = frame_rows(lk.cohort_retention(log, "id", "day", amount="paid", as_of="2026-02-28"))
    assert [(row["estimate"], row["std_error"], row["ci_high"]) for row in rows[1:2]] == [
        (0.0, None, None)
    ]
    days = ["2026-01-05", "2026-01-06", "2026-01-20", "2026-02-03"]
    back = pd.DataFrame({"id": [1, 2, 3, 1], "day": days, "paid": [0.1, 0.2, -0.3, 40.0]})
    rows = frame_rows(lk.cohort_retention(back, "id", "day", amount="paid", as_of="2026-02-28"))
    assert 0 < rows[0]["amount_start"] < 1e-15  # what rounding has left
    assert rows[1]["estimate"] is None
