"""Columns of lazy engines: days, periods, texts and types say what the NumPy path says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from conftest import WRAPPED
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import FREQUENCIES

from loyaltykit import _calendar, _frame, _lazy
from loyaltykit._frame import DAY, PERIOD
from loyaltykit._lazy import CLOCK, MOMENT
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]
MOMENTS = st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2120, 12, 31))
MIDNIGHTS = st.dates(dt.date(1890, 1, 1), dt.date(2120, 12, 31)).map(
    lambda day: dt.datetime.combine(day, dt.time(0))
)


def query(lazy: str, columns: dict[str, Any]) -> _frame.Query:
    base, wrap = WRAPPED[lazy]
    table = pa.table(columns)
    made: _frame.Query = nw.from_native(
        wrap(pl.from_arrow(table) if base == "polars" else table, None)
    )
    return made


def asked(frame: _frame.Query, *exprs: nw.Expr) -> dict[str, list[Any]]:
    """Return columns of a query in the order of its column of places."""
    rows = frame.select("place", *exprs).collect().sort("place")
    return {name: rows[name].to_list() for name in rows.columns}


def moments(values: list[dt.datetime]) -> dict[str, Any]:
    return {"place": range(len(values)), "time": pa.array(values, type=pa.timestamp("us"))}


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("freq", FREQUENCIES)
@given(values=st.lists(MOMENTS | MIDNIGHTS, min_size=1, max_size=40))
@settings(max_examples=15)
def test_days_and_periods_are_those_of_the_calendar(
    lazy: str, freq: str, values: list[dt.datetime]
) -> None:
    frame, zone = _lazy.with_clock(query(lazy, moments(values)), "time", None)
    start = _lazy.next_start(frame, freq).alias("start")
    found = asked(frame, _lazy.day_number(), _lazy.moment(frame), _lazy.period(freq), start)
    times = np.array(values, dtype="datetime64[us]")
    days = _calendar.day_numbers(times)
    codes = _calendar.period_codes(days, freq)
    on_time = _calendar.period_starts(codes, freq) == times
    assert zone is None
    assert found[DAY] == days.tolist()
    assert found[MOMENT] == times.astype(np.int64).tolist()
    assert found[PERIOD] == codes.tolist()
    assert found["start"] == np.where(on_time, codes, codes + 1).tolist()


@pytest.mark.parametrize("lazy", LAZY)
def test_texts_are_read_as_iso_times(lazy: str) -> None:
    texts = ["2026-01-31", " 2026-01-31T10:20 ", "2026-01-31 10:20:30.5", "20260131", None]
    bad = ["2026-02-30", "31/01/2026", "soon", "2026", "2026-01-31T25:00:00", "", "20261331"]
    columns = {"place": range(12), "time": [*texts, *bad]}
    frame, _ = _lazy.with_clock(query(lazy, columns), "time", None)
    day = dt.datetime(2026, 1, 31)
    read = [day, dt.datetime(2026, 1, 31, 10, 20), dt.datetime(2026, 1, 31, 10, 20, 30, 500_000)]
    assert asked(frame, nw.col(CLOCK))[CLOCK] == [*read, day, *[None] * 8]


@pytest.mark.parametrize("lazy", LAZY)
def test_moments_are_read_on_the_clock_of_a_zone(lazy: str) -> None:
    """Berlin's clocks go back at 01:00 UTC: 02:30 is shown twice, an hour apart."""
    at = [dt.datetime(2026, 10, 25, 0, 30), dt.datetime(2026, 10, 25, 1, 30)]
    for unit in ("us", "ns"):
        columns = {"place": [0, 1], 'a "time"': pa.array(at, type=pa.timestamp(unit, tz="UTC"))}
        frame, zone = _lazy.with_clock(query(lazy, columns), 'a "time"', "Europe/Berlin")
        assert zone == "Europe/Berlin"
        clock = [value.replace(microsecond=0) for value in asked(frame, nw.col(CLOCK))[CLOCK]]
        assert clock == [dt.datetime(2026, 10, 25, 2, 30)] * 2


@pytest.mark.parametrize("lazy", LAZY)
def test_no_number_is_not_a_number(lazy: str) -> None:
    columns = {"place": range(4), "x": [1.5, float("nan"), None, -0.0]}
    frame = query(lazy, columns)
    assert repr(asked(frame, _lazy.value(frame, "x"))["x"]) == "[1.5, None, None, 0.0]"


@pytest.mark.parametrize("lazy", LAZY)
def test_lists_are_refused_by_name(lazy: str) -> None:
    frame = query(lazy, {"place": [0], "x": [[1, 2]]})
    with pytest.raises(DataError, match=r"'x' holds values of the type List.*cannot read"):
        _lazy.value(frame, "x")


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("values", [[1], [1.5], [True], [dt.time(1)]], ids=str)
def test_what_is_no_date(lazy: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"'time' holds .*, not dates"):
        _lazy.with_clock(query(lazy, {"place": [0], "time": values}), "time", None)


@pytest.mark.parametrize("lazy", LAZY)
def test_a_small_table_beside_a_query(lazy: str) -> None:
    frame = query(lazy, {"place": [0]})
    day = dt.date(2026, 1, 31)
    made = _lazy.table_beside(frame, {"i": [1, 2], "on": [day, day]}, [int, dt.date])
    rows = frame.join(made, how="cross").collect().sort("i").rows()
    assert rows == [(0, 1, day), (0, 2, day)]
    nothing = _lazy.table_beside(frame, {"i": [], "on": []}, [int, dt.date])
    assert len(frame.join(nothing, how="cross").collect()) == 0
