"""Lifetimes and the gap that ends them, against a walk from day to day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import oracles
import pandas as pd
import pytest
from conftest import Engine, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import days
from random_logs import Case, cases

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

unhurried = settings(deadline=None, max_examples=25)


def log_of(engine: Engine, *dates: str) -> Any:
    """Return the log of the only customer."""
    return engine.frame({"id": [1] * len(dates), "day": days(*dates)})


def life_of_one(engine: Engine, *dates: str, **keywords: Any) -> tuple[int, bool]:
    (row,) = frame_rows(lk.customer_lifetimes(log_of(engine, *dates), "id", "day", **keywords))
    return row["duration"], row["event"]


# ---- lifetimes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "life"),
    [
        ("2026-01-11", (10, False)),
        ("2026-01-20", (19, False)),  # silent for 9 days
        ("2026-01-21", (20, True)),  # for 10: known from now on, and dated today
        ("2026-03-31", (20, True)),
    ],
)
def test_the_last_silence_ends_a_life_when_it_was_observed_in_full(
    engine: Engine, as_of: str, life: tuple[int, bool]
) -> None:
    assert life_of_one(engine, "2026-01-01", "2026-01-11", gap=10, as_of=as_of) == life


def test_a_silence_of_the_gap_is_none_too_many(engine: Engine) -> None:
    assert life_of_one(engine, "2026-01-01", "2026-01-11", gap=10) == (10, False)
    assert life_of_one(engine, "2026-01-01", "2026-01-12", gap=10) == (10, True)


def test_a_life_after_the_gap_is_not_counted(engine: Engine) -> None:
    dates = ("2026-01-01", "2026-01-03", "2026-03-01", "2026-06-01")
    assert life_of_one(engine, *dates, gap=30) == (32, True)


def test_lives_written_out(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": ["b", "a", "b", "c"],
            "day": days(*["2026-01-20", "2026-01-01", "2026-01-10"], "2026-02-28"),
        }
    )
    table = lk.customer_lifetimes(log, "id", "day", gap=14, as_of="2026-02-28")
    assert column_names(table) == ["id", "start", "duration", "event"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        ("a", dt.date(2026, 1, 1), 14, True),
        ("b", dt.date(2026, 1, 10), 24, True),
        ("c", dt.date(2026, 2, 28), 0, False),
    ]


def test_types_of_the_columns(engine: Engine) -> None:
    log = log_of(engine, "2026-01-01")
    table = lk.customer_lifetimes(log, "id", "day", gap=14)
    assert type(table) is type(log)
    found = dtype_names(table)
    assert found["id"] == dtype_names(log)["id"]
    date = {"polars": "Date", "pyarrow": "date32[day]"}.get(engine.name, "datetime64[us]")
    assert found["start"] == date
    assert found["duration"].lower() == "int64"
    assert found["event"].lower() in ("bool", "boolean")


@given(case=cases(split=False), gap=st.integers(1, 120))
@unhurried
def test_lives_against_a_walk_from_day_to_day(engine: Engine, case: Case, gap: int) -> None:
    log, keywords = case.arguments(engine.name)
    del keywords["freq"]
    table = lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords)
    found = {row["id"]: (row["start"], row["duration"], row["event"]) for row in frame_rows(table)}
    assert found == oracles.customer_lifetimes(case.log, gap, case.end)


@given(case=cases(split=False), gap=st.integers(1, 60), more=st.integers(1, 60))
@unhurried
def test_a_longer_gap_ends_no_life_sooner(case: Case, gap: int, more: int) -> None:
    log, keywords = case.arguments("pandas")
    del keywords["freq"]
    short = frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords))
    long = frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap + more, **keywords))
    assert all(a["duration"] <= b["duration"] for a, b in zip(short, long, strict=True))
    assert all(a["event"] or not b["event"] for a, b in zip(short, long, strict=True))


# ---- the gap ------------------------------------------------------------------------------------


def test_gaps_written_out(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": [1, 1, 1, 1, 2, 2, 3],
            "day": days(
                *("2026-01-01", "2026-01-08", "2026-01-08", "2026-01-15"),
                *("2026-01-01", "2026-02-01", "2026-01-20"),
            ),
        }
    )
    table = lk.inactivity_gap(log, "id", "day", share=2 / 3)
    assert type(table) is type(log)
    assert column_names(table) == ["gap", "n", "within", "proposed"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        (7, 2, pytest.approx(200 / 3), True),
        (31, 1, 100.0, False),
    ]


@pytest.mark.parametrize(("share", "proposed"), [(0.07, 7), (0.071, 8), (0.9, 90), (1, 100)])
def test_the_smallest_gap_that_covers_the_share(share: float, proposed: int) -> None:
    """One silence of each length from 1 to 100: 7 of them are 7 percent, and not less."""
    first = dt.date(2026, 1, 1)
    ids = [i for i in range(1, 101) for _ in range(2)]
    dates = [first + dt.timedelta(days=i * step) for i in range(1, 101) for step in (0, 1)]
    table = lk.inactivity_gap(pd.DataFrame({"id": ids, "day": dates}), "id", "day", share=share)
    assert list(table.loc[table["proposed"], "gap"]) == [proposed]


def test_no_gaps(engine: Engine) -> None:
    table = lk.inactivity_gap(log_of(engine, "2026-01-01", "2026-01-01"), "id", "day")
    assert frame_rows(table) == []
    assert column_names(table) == ["gap", "n", "within", "proposed"]


@given(case=cases(split=False))
@unhurried
def test_gaps_against_a_loop_and_shards_add_up(engine: Engine, case: Case) -> None:
    log, keywords = case.arguments(engine.name)
    del keywords["freq"]
    table = frame_rows(lk.inactivity_gap(log, "id", "day", **keywords))
    assert {row["gap"]: row["n"] for row in table} == oracles.gaps(case.log, case.end)
    assert sum(row["proposed"] for row in table) == bool(table)
    added: dict[int, int] = {}
    for odd in (0, 1):
        shard = [row for row in case.log if row[0] % 2 == odd and row[1] <= case.end]
        if shard:
            frame = engine.frame({"id": [i for i, _ in shard], "day": [day for _, day in shard]})
            for row in frame_rows(lk.inactivity_gap(frame, "id", "day")):
                added[row["gap"]] = added.get(row["gap"], 0) + row["n"]
    assert dict(sorted(added.items())) == {row["gap"]: row["n"] for row in table}


@given(case=cases(split=False))
@unhurried
def test_the_gap_that_covers_all_ends_no_life_that_went_on(case: Case) -> None:
    log, keywords = case.arguments("pandas")
    del keywords["freq"]
    table = lk.inactivity_gap(log, "id", "day", share=1.0, **keywords)
    gap = int(table["gap"].max()) if len(table) else 1
    for row in frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords)):
        last = max(day for who, day in case.log if who == row["id"] and day <= case.end)
        until = last + dt.timedelta(days=gap) if row["event"] else case.end
        assert row["start"] + dt.timedelta(days=row["duration"]) == until


# ---- bad input ----------------------------------------------------------------------------------

FUNCTIONS = [
    lambda log, **keywords: lk.customer_lifetimes(log, "id", "day", gap=5, **keywords),
    lambda log, **keywords: lk.inactivity_gap(log, "id", "day", **keywords),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rows_without_a_customer_or_a_date(engine: Engine, function: Any) -> None:
    columns: dict[str, list[Any]] = {"id": [1, 1, None], "day": [*days("2026-01-01"), None, None]}
    columns["day"][2] = dt.date(2026, 1, 2)
    with pytest.raises(DataError, match=r"^'(id|day)': 1 row without a (customer|date)"):
        function(engine.frame(columns))
    with pytest.warns(DroppedRowsWarning, match="^2 rows left out: no customer or no usable date"):
        function(engine.frame(columns), errors="coerce")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"as_of": "2025-01-01"}, ParameterError, "lies before the first row of the log"),
        ({"errors": "drop"}, ParameterError, "errors='drop' is not one of"),
        ({"tz": "Mars"}, ParameterError, "tz='Mars' is not a known time zone"),
    ],
)
def test_bad_parameters(
    function: Any, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(log_of(Engine("pandas"), "2026-01-01"), **keywords)


@pytest.mark.parametrize(
    ("share", "error", "message"),
    [
        (0, ParameterError, "share=0 must be above 0 and at most 1"),
        (90, ParameterError, r"share=90 must be .*\. Did you mean 0\.9\?"),
        (float("nan"), ParameterError, "share=nan must be above 0"),
        ("0.9", TypeError, "share must be a number, not str"),
    ],
)
def test_bad_shares(share: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lk.inactivity_gap(log_of(Engine("pandas"), "2026-01-01"), "id", "day", share=share)


@pytest.mark.parametrize(
    ("gap", "error"), [(0, ParameterError), (1.5, TypeError), (None, TypeError)]
)
def test_bad_gaps(gap: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^gap") as caught:
        lk.customer_lifetimes(log_of(Engine("pandas"), "2026-01-01"), "id", "day", gap=gap)
    assert isinstance(caught.value, (TypeError, LoyaltyKitError))


def test_columns_that_are_not_there_or_taken() -> None:
    log = pd.DataFrame({"start": [1], "day": days("2026-01-01")})
    with pytest.raises(ColumnNotFoundError, match="customer='id': data has no such column"):
        lk.inactivity_gap(log, "id", "day")
    with pytest.raises(ParameterError, match="customer='start': a result table has a column"):
        lk.customer_lifetimes(log, "start", "day", gap=5)
