"""How a log is read: times, zones, the end of observation, dirty rows, and the keys of customers.

All log functions read their log through one door; customer_flow, which counts only, stands for all.
"""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    CONSTRUCTORS,
    PANDAS_2,
    Engine,
    column,
    column_names,
    dtype_names,
    frame_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _activity, _parallel
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    ParameterError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LOG_FUNCTIONS = [lk.customer_flow, lk.retention_rate, lk.churn_rate, lk.cohort_retention]
FULL_DAY = dt.date(2026, 3, 31)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def moments(*texts: str) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(text) for text in texts]


def ends(table: Any) -> dict[dt.date, int]:
    """Return how many customers were active in each period."""
    return {row["period"]: row["end"] for row in frame_rows(table)}


def active(table: Any, key: str) -> dict[tuple[Any, str], int]:
    """Return how many customers of each key were active, where any were, by month."""
    rows = frame_rows(table)
    return {(row[key], f"{row['period']:%Y-%m}"): row["end"] for row in rows if row["end"]}


def dropped(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, str]:
    """Return a result and the message of the one warning that came with it."""
    with pytest.warns(DroppedRowsWarning) as caught:
        result = function(*args, **kwargs)
    (warning,) = caught
    return result, str(warning.message)


# ---- times --------------------------------------------------------------------------------------

SPELLINGS: dict[str, list[Any]] = {
    "dates": days("2026-01-05", "2026-02-28", "2026-02-28"),
    "datetimes": moments("2026-01-05T00:00", "2026-02-28T23:59:59", "2026-02-28T12:00"),
    "ISO dates": ["2026-01-05", "2026-02-28", "2026-02-28"],
    "ISO datetimes": ["2026-01-05T00:00:00", "2026-02-28T23:59:59.999999", "2026-02-28T12:00:00"],
    "ISO with a blank": ["2026-01-05 00:00", "2026-02-28 23:59", "2026-02-28 12:00"],
    "ISO without dashes": ["20260105", "20260228", "20260228"],
    "ISO of both kinds": ["2026-01-05", "2026-02-28T23:59:59", "2026-02-28"],
}


@pytest.mark.parametrize("times", SPELLINGS.values(), ids=SPELLINGS)
def test_times_may_be_dates_datetimes_or_iso_text(engine: Engine, times: list[Any]) -> None:
    flow = lk.customer_flow(engine.frame({"id": [1, 1, 2], "day": times}), "id", "day")
    assert ends(flow) == {day("2026-01-01"): 1, day("2026-02-01"): 2}
    assert column(flow, "coverage") == ["unobserved", "observed"]


def aware_frame(name: str, times: list[Any], zone: str | None, unit: str = "us") -> Any:
    """Return customers 1, 2, ... at instants given in UTC and held in a zone."""
    instants = pa.array([time.replace(tzinfo=dt.UTC) for time in times], pa.timestamp(unit, "UTC"))
    table = pa.table({"id": list(range(1, len(times) + 1)), "day": instants})
    kept = pa.timestamp(unit, zone) if zone else pa.timestamp(unit)
    table = table.set_column(1, "day", instants.cast(kept))
    if name == "polars":
        return pl.from_arrow(table)
    if name.startswith("pandas"):
        return table.to_pandas(types_mapper=pd.ArrowDtype if name == "pandas-arrow" else None)
    return table


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Jakarta"])
def test_times_come_in_every_unit(engine: Engine, unit: str, zone: str | None) -> None:
    times = moments("1969-12-31T12:00", "1970-01-01T12:00", "2026-02-28T12:00")
    log = engine.keep(aware_frame(engine.name, times, zone, unit))
    flow = lk.customer_flow(log, "id", "day", freq="year", as_of="2026-12-31")
    assert sum(column(flow, "end")) == 3
    assert {period.year for period, end in ends(flow).items() if end} == {1969, 1970, 2026}


@pytest.mark.parametrize(
    "times", [[20260105, 20260206], [1.5, 2.5], [True, False]], ids=["integers", "floats", "flags"]
)
@pytest.mark.parametrize("errors", ["raise", "coerce"])
def test_numbers_are_no_times(engine: Engine, times: list[Any], errors: str) -> None:
    log = engine.frame({"id": [1, 2], "day": times})
    with pytest.raises(DataError, match=r"'day' holds .*, not dates"):
        lk.customer_flow(log, "id", "day", errors=errors)


def test_unreadable_dates_are_counted_and_shown(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2, 3], "day": ["2026-01-05", "31/01/2026", "soon"]})
    with pytest.raises(DataError, match=r"'day': 2 rows .*'31/01/2026', 'soon'") as caught:
        lk.customer_flow(log, "id", "day")
    assert 'errors="coerce"' in str(caught.value)
    flow, message = dropped(lk.customer_flow, log, "id", "day", errors="coerce")
    assert message.startswith("2 rows left out")
    assert ends(flow) == {day("2026-01-01"): 1}


@pytest.mark.parametrize("word", ["now", "today", "NOW"])
def test_words_are_no_dates(engine: Engine, word: str) -> None:
    # Else a log would give another answer every day.
    log = engine.frame({"id": [1, 2], "day": ["2026-01-05", word]})
    with pytest.raises(DataError, match=f"'day': 1 row .*'{word}'"):
        lk.customer_flow(log, "id", "day")


# ---- rows without a customer or a time ----------------------------------------------------------


def test_null_times_are_refused_with_their_number(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2, 3], "day": [FULL_DAY, None, None]})
    with pytest.raises(DataError, match=r"'day': 2 rows without a date.*errors=\"coerce\""):
        lk.customer_flow(log, "id", "day")


@pytest.mark.parametrize("ids", [[1, None, 2], [1.0, None, 2.0], ["a", None, "b"]])
def test_null_ids_are_refused_with_their_number(engine: Engine, ids: list[Any]) -> None:
    log = engine.frame({"id": ids, "day": [FULL_DAY] * 3})
    with pytest.raises(DataError, match=r"'id': 1 row without a customer.*errors=\"coerce\""):
        lk.customer_flow(log, "id", "day")


def test_nan_is_a_null_id(engine: Engine) -> None:
    log = engine.frame({"id": [1.0, float("nan")], "day": [FULL_DAY] * 2})
    with pytest.raises(DataError, match="1 row without a customer"):
        lk.customer_flow(log, "id", "day")


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
def test_coerce_leaves_rows_out_and_says_how_many(
    engine: Engine, function: Callable[..., Any]
) -> None:
    times = days("2026-01-05", "2026-01-06", "2026-02-07", "2026-02-08")
    clean = engine.frame({"id": [1, 2, 1, 3], "day": times})
    # One row lacks its id, one its time, and one both: three rows, not four.
    dirty = engine.frame(
        {"id": [1, 2, None, 1, 3, None, 2], "day": [*times[:2], times[2], *times[2:], None, None]}
    )
    result, message = dropped(function, dirty, "id", "day", errors="coerce")
    assert message.startswith("3 rows left out")
    assert frame_rows(result) == frame_rows(function(clean, "id", "day"))


def test_one_row_left_out_is_singular(engine: Engine) -> None:
    log = engine.frame({"id": [1, None], "day": [FULL_DAY] * 2})
    _, message = dropped(lk.customer_flow, log, "id", "day", errors="coerce")
    assert message.startswith("1 row left out")


def test_the_warning_points_to_the_line_of_the_call() -> None:
    log = pd.DataFrame({"id": [1.0, None], "day": [FULL_DAY] * 2})
    for function in LOG_FUNCTIONS:
        with pytest.warns(DroppedRowsWarning) as caught:
            function(log, "id", "day", errors="coerce")
        assert caught[0].filename == __file__


def test_coerce_is_silent_when_nothing_is_wrong(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": [FULL_DAY] * 2})
    coerced = lk.customer_flow(log, "id", "day", errors="coerce")
    assert frame_rows(coerced) == frame_rows(lk.customer_flow(log, "id", "day"))


@pytest.mark.parametrize("as_of", [None, "2026-03-31"])
@pytest.mark.parametrize("null", ["id", "day", "both"])
def test_a_log_of_nothing_but_unusable_rows_is_an_empty_log(
    engine: Engine, null: str, as_of: str | None
) -> None:
    texts: dict[str, list[Any]] = {"id": ["a", "b"], "day": ["2026-01-05", "2026-02-06"]}
    for name in ("id", "day") if null == "both" else (null,):
        texts[name] = [None, None]
    log = engine.frame(texts)
    for function in LOG_FUNCTIONS:
        result, message = dropped(function, log, "id", "day", errors="coerce", as_of=as_of)
        assert message.startswith("2 rows left out")
        assert frame_rows(result) == []


def test_errors_has_two_words(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY]})
    with pytest.raises(ParameterError, match="errors='ignore' is not one of 'raise', 'coerce'"):
        lk.customer_flow(log, "id", "day", errors="ignore")


# ---- empty logs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("as_of", [None, FULL_DAY])
@pytest.mark.parametrize("function", LOG_FUNCTIONS)
def test_an_empty_log_gives_an_empty_table_of_the_same_columns(
    engine: Engine, function: Callable[..., Any], as_of: dt.date | None
) -> None:
    log = engine.frame({"id": [1], "day": ["2026-01-05"], "sector": ["B2B"]})
    empty = engine.keep(log.slice(0, 0) if isinstance(log, pa.Table) else log[:0])
    for by in (None, "sector"):
        result = function(empty, "id", "day", by=by, as_of=as_of)
        assert frame_rows(result) == []
        assert dtype_names(result) == dtype_names(function(log, "id", "day", by=by))


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_an_empty_log_needs_no_types(name: str, function: Callable[..., Any]) -> None:
    # Columns made from empty lists are floats in pandas and of type null elsewhere.
    log = CONSTRUCTORS[name]({"id": [], "day": []})
    assert frame_rows(function(log, "id", "day")) == []


# ---- the end of observation ---------------------------------------------------------------------

END_OF_MARCH = [
    FULL_DAY,
    dt.datetime(2026, 3, 31),
    dt.datetime(2026, 3, 31, 23, 59, 59),
    dt.datetime(2026, 3, 31, 23, 59, 59, 999_999),
    "2026-03-31",
    "2026-03-31T00:00:00",
    "2026-03-31 23:59:59",
    pd.Timestamp("2026-03-31"),
    pd.Timestamp("2026-03-31 23:59:59.999999999"),
    np.datetime64("2026-03-31"),
    np.datetime64("2026-03-31T23:59:59"),
]


@pytest.fixture
def evening_log(engine: Engine) -> Any:
    times = moments("2026-01-05T10:00", "2026-03-31T18:00", "2026-03-31T23:59:59.999999")
    return engine.frame({"id": [1, 2, 3, 4], "day": [*times, dt.datetime(2026, 4, 1)]})


@pytest.mark.parametrize("as_of", END_OF_MARCH, ids=lambda as_of: f"{type(as_of).__name__}-{as_of}")
def test_a_date_means_the_end_of_that_day_in_any_spelling(evening_log: Any, as_of: Any) -> None:
    rates = lk.retention_rate(evening_log, "id", "day", as_of=as_of)
    assert column(rates, "coverage") == ["unobserved", "observed", "observed"]
    assert set(column(rates, "as_of")) == {FULL_DAY}
    flow = lk.customer_flow(evening_log, "id", "day", as_of=as_of)
    assert column(flow, "end") == [1, 0, 2]


@pytest.mark.parametrize(
    ("as_of", "active_in_march"),
    [
        (dt.datetime(2026, 3, 31, 12), 0),
        (dt.datetime(2026, 3, 31, 17, 59, 59, 999_999), 0),
        (dt.datetime(2026, 3, 31, 18), 1),  # the last moment observed, so that it counts
        ("2026-03-31T18:00:00", 1),
        (pd.Timestamp("2026-03-31 18:00:00.000001"), 1),
        ("2026-03-31T23:59:58", 1),
    ],
)
def test_a_time_of_day_is_the_last_moment_observed(
    evening_log: Any, as_of: Any, active_in_march: int
) -> None:
    flow = lk.customer_flow(evening_log, "id", "day", as_of=as_of)
    assert column(flow, "coverage") == ["unobserved", "observed", "partial"]
    assert column(flow, "end")[-1] == active_in_march


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
def test_rows_after_as_of_are_as_if_they_were_not_there(
    engine: Engine, function: Callable[..., Any]
) -> None:
    before: dict[str, list[Any]] = {
        "id": [1, 2, 1],
        "day": days("2026-01-05", "2026-01-09", "2026-02-06"),
    }
    later: dict[str, list[Any]] = {
        "id": [2, 3, 1],
        "day": days("2026-03-01", "2026-03-02", "2027-01-01"),
    }
    both = {name: [*before[name], *later[name]] for name in before}
    full = function(engine.frame(both), "id", "day", as_of="2026-02-28")
    cut = function(engine.frame(before), "id", "day", as_of="2026-02-28")
    assert frame_rows(full) == frame_rows(cut)


def test_a_key_that_changes_after_as_of_is_none_of_our_business(engine: Engine) -> None:
    log = engine.frame(
        {"id": [1, 1], "day": days("2026-01-05", "2026-02-06"), "sector": ["B2B", "B2C"]}
    )
    flow = lk.customer_flow(log, "id", "day", by="sector", as_of="2026-01-31")
    assert column(flow, "sector") == ["B2B"]
    with pytest.raises(DataError, match="segments="):
        lk.customer_flow(log, "id", "day", by="sector", as_of="2026-02-28")


def test_observation_goes_on_after_the_last_row(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": days("2026-01-05")})
    flow = lk.customer_flow(log, "id", "day", as_of="2026-04-10")
    assert column(flow, "end") == [1, 0, 0, 0]
    assert column(flow, "coverage") == ["unobserved", "observed", "observed", "partial"]
    assert column(flow, "churned") == [None, 1, 0, 0]


def test_observation_ends_with_the_last_rows_day(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1], "day": moments("2026-01-05T10:00", "2026-02-28T00:01")})
    rates = lk.retention_rate(log, "id", "day")
    assert column(rates, "coverage") == ["unobserved", "observed"]
    assert set(column(rates, "as_of")) == {day("2026-02-28")}
    earlier = engine.frame({"id": [1, 1], "day": moments("2026-01-05T10:00", "2026-02-27T23:59")})
    assert column(lk.retention_rate(earlier, "id", "day"), "coverage")[-1] == "partial"


def test_as_of_before_the_first_row_is_an_error(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": days("2026-02-06", "2026-01-05")})
    with pytest.raises(ParameterError, match=r"as_of=2026-01-04 .*first row.*2026-01-05"):
        lk.customer_flow(log, "id", "day", as_of=day("2026-01-04"))
    assert ends(lk.customer_flow(log, "id", "day", as_of=day("2026-01-05"))) == {
        day("2026-01-01"): 1
    }


def test_a_row_left_out_is_not_the_first_row(engine: Engine) -> None:
    log = engine.frame({"id": [None, "a"], "day": days("2026-01-05", "2026-02-06")})
    with (
        pytest.warns(DroppedRowsWarning),
        pytest.raises(ParameterError, match=r"as_of=2026-01-15 .*first row.*2026-02-06"),
    ):
        lk.customer_flow(log, "id", "day", errors="coerce", as_of="2026-01-15")


@pytest.mark.parametrize("as_of", ["31/03/2026", "", "last month", pd.NaT, np.datetime64("NaT")])
def test_as_of_that_is_no_date_is_an_error(as_of: Any) -> None:
    log = pd.DataFrame({"id": [1], "day": [FULL_DAY]})
    with pytest.raises(ParameterError, match="as_of"):
        lk.customer_flow(log, "id", "day", as_of=as_of)


@pytest.mark.parametrize("as_of", [20260331, 1.5, True, ["2026-03-31"]])
def test_as_of_of_another_type_is_a_type_error(as_of: Any) -> None:
    log = pd.DataFrame({"id": [1], "day": [FULL_DAY]})
    with pytest.raises(TypeError, match="as_of must be a date, a datetime or ISO text"):
        lk.customer_flow(log, "id", "day", as_of=as_of)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_as_of_may_lie_far_ahead(unit: str) -> None:
    # Nanoseconds end in 2262; beyond, they must not wrap around to before the first row.
    times = pd.Series(["2026-01-05", "2027-01-05"]).astype(np.dtype(f"datetime64[{unit}]"))
    log = pd.DataFrame({"id": [1, 2], "day": times})
    flow = lk.customer_flow(log, "id", "day", freq="year", as_of="2300-12-31")
    assert column(flow, "end")[:3] == [1, 1, 0]
    assert len(flow) == 2300 - 2026 + 1


def test_the_last_date_there_is_can_be_as_of(engine: Engine) -> None:
    if PANDAS_2 and engine.is_pandas:
        pytest.skip("pandas 2 has no dates beyond 2262 in objects")
    log = engine.frame({"id": [1], "day": days("9999-12-30")})
    flow = lk.customer_flow(log, "id", "day", freq="year", as_of="9999-12-31")
    assert column(flow, "end") == [1]


# ---- time zones ---------------------------------------------------------------------------------

# The evening of 31 January in London is 1 February in Jakarta, seven hours ahead.
BY_ZONE = {None: "2026-01-01", "Asia/Jakarta": "2026-02-01", "America/New_York": "2026-01-01"}


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Jakarta", "America/New_York", "Etc/GMT+5", "America/Port-au-Prince"]
)
def test_aware_times_are_read_in_their_own_zone(engine: Engine, zone: str) -> None:
    log = engine.keep(aware_frame(engine.name, moments("2026-01-31T18:00"), zone))
    assert column(lk.customer_flow(log, "id", "day"), "period") == days(
        BY_ZONE.get(zone, "2026-01-01")
    )


@pytest.mark.parametrize("stored", ["UTC", "Europe/London", "Asia/Jakarta", "America/New_York"])
@pytest.mark.parametrize(("tz", "month"), BY_ZONE.items())
def test_tz_names_another_zone_to_read_them_in(
    engine: Engine, stored: str, tz: str | None, month: str
) -> None:
    log = engine.keep(aware_frame(engine.name, moments("2026-01-31T18:00"), stored))
    own = {"Asia/Jakarta": "2026-02-01"}.get(stored, "2026-01-01")
    expected = own if tz is None else month
    assert column(lk.customer_flow(log, "id", "day", tz=tz), "period") == days(expected)


@pytest.mark.parametrize("times", SPELLINGS.values(), ids=SPELLINGS)
def test_tz_with_naive_times_is_an_error(engine: Engine, times: list[Any]) -> None:
    log = engine.frame({"id": [1, 1, 2], "day": times})
    with pytest.raises(ParameterError, match="'day' has no time zone to convert from"):
        lk.customer_flow(log, "id", "day", tz="Asia/Jakarta")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "GMT+25"])
def test_an_unknown_zone_is_an_error_that_names_it(engine: Engine, tz: str) -> None:
    log = engine.keep(aware_frame(engine.name, moments("2026-01-31T18:00"), "UTC"))
    with pytest.raises(ParameterError, match=f"tz='{tz}'".replace("+", r"\+")):
        lk.customer_flow(log, "id", "day", tz=tz)


def test_tz_of_another_type_is_a_type_error(engine: Engine) -> None:
    log = engine.keep(aware_frame(engine.name, moments("2026-01-31T18:00"), "UTC"))
    with pytest.raises(TypeError, match="tz must be"):
        lk.customer_flow(log, "id", "day", tz=7)  # type: ignore[arg-type]


# (instant in UTC, day in Berlin) about the two changes of the clock in 2026.
BERLIN = [
    ("2026-03-28T22:30", "2026-03-28"),
    ("2026-03-28T23:30", "2026-03-29"),
    ("2026-03-29T21:30", "2026-03-29"),
    ("2026-03-29T22:30", "2026-03-30"),
    ("2026-10-24T21:30", "2026-10-24"),
    ("2026-10-24T22:30", "2026-10-25"),
    ("2026-10-25T00:30", "2026-10-25"),
    ("2026-10-25T01:30", "2026-10-25"),
    ("2026-10-25T22:30", "2026-10-25"),
    ("2026-10-25T23:30", "2026-10-26"),
]


@pytest.mark.parametrize(("stored", "tz"), [("Europe/Berlin", None), ("UTC", "Europe/Berlin")])
def test_days_follow_the_clock_through_its_changes(
    engine: Engine, stored: str, tz: str | None
) -> None:
    log = engine.keep(aware_frame(engine.name, moments(*[at for at, _ in BERLIN]), stored))
    flow = lk.customer_flow(log, "id", "day", freq="day", tz=tz)
    expected: dict[dt.date, int] = {}
    for _, local in BERLIN:
        expected[day(local)] = expected.get(day(local), 0) + 1
    assert {period: end for period, end in ends(flow).items() if end} == expected


@pytest.mark.parametrize(
    ("text", "own", "in_utc", "in_jakarta"),
    [
        ("2026-02-01T01:00:00+07:00", "2026-02-01", "2026-01-01", "2026-02-01"),
        ("2026-01-31T18:00:00Z", "2026-01-01", "2026-01-01", "2026-02-01"),
        ("2026-01-31T23:30:00-05:00", "2026-01-01", "2026-02-01", "2026-02-01"),
    ],
)
def test_text_with_one_offset_is_read_as_written(
    engine: Engine, text: str, own: str, in_utc: str, in_jakarta: str
) -> None:
    log = engine.frame({"id": [1, 2], "day": [text, text]})
    for tz, month in ((None, own), ("UTC", in_utc), ("Asia/Jakarta", in_jakarta)):
        assert column(lk.customer_flow(log, "id", "day", tz=tz), "period") == days(month)


def test_text_of_several_offsets_needs_a_zone(engine: Engine) -> None:
    # A year of Berlin in text has two offsets.
    log = engine.frame(
        {"id": [1, 1], "day": ["2026-02-28T23:30:00+01:00", "2026-03-31T23:30:00+02:00"]}
    )
    with pytest.raises(DataError, match=r"'day' holds times of several zones.*tz="):
        lk.customer_flow(log, "id", "day")


@pytest.mark.parametrize(
    ("tz", "months"),
    [
        ("Europe/Berlin", ["2026-02-01", "2026-03-01"]),
        ("Asia/Jakarta", ["2026-03-01", "2026-04-01"]),
    ],
)
def test_tz_reads_text_of_several_offsets(engine: Engine, tz: str, months: list[str]) -> None:
    log = engine.frame(
        {"id": [1, 1], "day": ["2026-02-28T23:30:00+01:00", "2026-03-31T23:30:00+02:00"]}
    )
    flow = lk.customer_flow(log, "id", "day", tz=tz)
    assert ends(flow) == dict.fromkeys(days(*months), 1)


def test_text_with_and_without_offsets_is_refused(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1], "day": ["2026-02-28T23:30:00+01:00", "2026-03-31T23:30:00"]})
    for tz in (None, "Europe/Berlin"):
        with pytest.raises(DataError, match="'day' holds times of several zones"):
            lk.customer_flow(log, "id", "day", tz=tz)


JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.mark.parametrize(
    "as_of",
    [
        "2026-03-31",
        dt.datetime(2026, 3, 31, 23, 59, 59, tzinfo=JAKARTA),
        dt.datetime(2026, 3, 31, 16, 59, 59, tzinfo=dt.UTC),
        "2026-03-31T16:59:59+00:00",
        pd.Timestamp("2026-03-31 16:59:59", tz="UTC"),
    ],
    ids=str,
)
@pytest.mark.parametrize(("stored", "tz"), [("Asia/Jakarta", None), ("UTC", "Asia/Jakarta")])
def test_as_of_with_a_zone_is_the_same_instant(
    engine: Engine, stored: str, tz: str | None, as_of: Any
) -> None:
    # In Jakarta: 5 January, the last hour of March, and the first of April.
    times = moments("2026-01-05T03:00", "2026-03-31T16:30", "2026-03-31T17:30")
    log = engine.keep(aware_frame(engine.name, times, stored))
    rates = lk.customer_flow(log, "id", "day", tz=tz, as_of=as_of)
    assert column(rates, "end") == [1, 0, 1]
    assert column(rates, "coverage")[-1] == "observed"


@pytest.mark.parametrize("zone", ["America/New_York", "Etc/GMT+5"])
def test_as_of_with_a_zone_for_zones_of_any_spelling(engine: Engine, zone: str) -> None:
    # In New York: 5 January, and the last hour of January; UTC is five hours ahead.
    log = engine.keep(
        aware_frame(engine.name, moments("2026-01-05T12:00", "2026-02-01T04:30"), zone)
    )
    flow = lk.customer_flow(log, "id", "day", as_of="2026-02-01T04:59:59+00:00")
    assert ends(flow) == {day("2026-01-01"): 2}


def test_as_of_with_a_zone_works_for_text_with_an_offset(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": ["2026-01-05T10:00+07:00", "2026-02-28T10:00+07:00"]})
    flow = lk.customer_flow(log, "id", "day", as_of="2026-02-28T23:59:59+07:00")
    assert column(flow, "coverage") == ["unobserved", "observed"]


def test_as_of_with_a_zone_needs_times_with_one(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY]})
    with pytest.raises(ParameterError, match="has a time zone, but the times have none"):
        lk.customer_flow(log, "id", "day", as_of="2026-03-31T23:59:59+07:00")


# ---- columns and keys ---------------------------------------------------------------------------


def test_missing_columns_are_named_with_the_near_one(engine: Engine) -> None:
    log = engine.frame({"Customer ": [1], "day": [FULL_DAY], "sector": ["B2B"]})
    with pytest.raises(ColumnNotFoundError, match=r"customer='customer'.*Did you mean 'Customer '"):
        lk.customer_flow(log, "customer", "day")
    with pytest.raises(ColumnNotFoundError, match=r"time='days'.*Did you mean 'day'"):
        lk.customer_flow(log, "Customer ", "days")
    with pytest.raises(ColumnNotFoundError, match=r"'sectr'.*Did you mean 'sector'"):
        lk.customer_flow(log, "Customer ", "day", by="sectr")


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
@pytest.mark.parametrize("name", ["period", "cohort", "start", "estimate", "n", "coverage"])
def test_a_key_cannot_have_the_name_of_a_result_column(
    function: Callable[..., Any], name: str
) -> None:
    log = pd.DataFrame({"id": [1], "day": [FULL_DAY], name: ["x"]})
    with pytest.raises(ParameterError, match=f"by='{name}'"):
        function(log, "id", "day", by=name)


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
def test_a_key_that_changes_within_a_customer_names_segments(
    engine: Engine, function: Callable[..., Any]
) -> None:
    log = engine.frame(
        {
            "id": [1, 1, 2, 2, 3],
            "day": days("2026-01-05", "2026-02-06", "2026-01-09", "2026-02-01", "2026-02-02"),
            "tier": ["new", "repeat", "new", None, "new"],
        }
    )
    with pytest.raises(DataError, match=r"by='tier' changes within 2 customers .*1, 2.*segments="):
        function(log, "id", "day", by="tier")


def test_a_key_that_never_changes_needs_no_segments(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": [1, 2, 1, 3],
            "day": days("2026-01-05", "2026-01-09", "2026-02-06", "2026-02-07"),
            "sector": ["B2B", "B2C", "B2B", None],
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="sector")
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        ("B2C", "2026-01"): 1,
        (None, "2026-02"): 1,
    }


def test_by_takes_one_name_several_or_none(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "sector": ["B2B"], "region": ["east"]})
    one = lk.customer_flow(log, "id", "day", by="sector")
    assert frame_rows(one) == frame_rows(lk.customer_flow(log, "id", "day", by=["sector"]))
    two = lk.customer_flow(log, "id", "day", by=["region", "sector"])
    assert column_names(two)[:3] == ["region", "sector", "period"]
    none = lk.customer_flow(log, "id", "day", by=[])
    assert frame_rows(none) == frame_rows(lk.customer_flow(log, "id", "day"))
    with pytest.raises(ParameterError, match="by names 'sector' more than once"):
        lk.customer_flow(log, "id", "day", by=["sector", "sector"])


# ---- kinds of ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ids",
    [
        ["x-1", "x-2", "x-1"],
        [10.0, 20.5, 10.0],
        [2**62, 1, 2**62],
        [-5, 0, -5],
        [True, False, True],
        days("2001-01-01", "2002-02-02", "2001-01-01"),
    ],
    ids=["text", "floats", "large", "negative", "flags", "dates"],
)
def test_ids_may_be_of_any_kind(engine: Engine, ids: list[Any]) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-02-06")
    flow = lk.customer_flow(engine.frame({"id": ids, "day": times}), "id", "day")
    assert column(flow, "retained") == [None, 1]
    assert column(flow, "churned") == [None, 1]


def test_ids_may_be_categories_with_some_unused(engine: Engine) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-02-06")
    log = engine.frame({"id": ["b", "a", "b"], "day": times}, {"id": ["z", "b", "y", "a"]})
    flow = lk.customer_flow(log, "id", "day")
    assert column(flow, "start") == [None, 2]
    assert column(flow, "retained") == [None, 1]


@pytest.mark.parametrize(
    "keys",
    [
        pd.PeriodIndex(["2025-01", "2025-02", "2025-01"], freq="M"),
        pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
        pd.DatetimeIndex(["2025-01-01", "2025-02-01", "2025-01-01"], tz="America/New_York"),
    ],
    ids=["periods", "intervals", "dates of New York"],
)
def test_types_that_only_pandas_has_are_keys_and_ids(keys: Any) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-01-06")
    distinct = len(set(keys))
    flow = lk.customer_flow(pd.DataFrame({"id": keys, "day": times}), "id", "day")
    assert column(flow, "end") == [distinct]
    log = pd.DataFrame({"id": [1, 2, 3], "day": times, "group": keys})
    flow = lk.customer_flow(log, "id", "day", by="group")
    assert flow["group"].tolist() == sorted(set(keys))
    assert sum(column(flow, "end")) == 3


def test_the_index_of_a_pandas_log_does_not_matter() -> None:
    log = pd.DataFrame(
        {
            "id": [1, 2, 1],
            "day": pd.to_datetime(["2026-01-05", "2026-01-09", "2026-02-06"]),
            "sector": pd.Categorical(["B2B", "B2C", "B2B"]),
        }
    )
    expected = lk.customer_flow(log, "id", "day", by="sector")
    odd = log.set_axis([7, 7, -1])
    pd.testing.assert_frame_equal(lk.customer_flow(odd, "id", "day", by="sector"), expected)
    customers = pd.DataFrame({"id": [2, 1], "tier": ["new", "loyal"]}, index=[5, 5])
    flow = lk.customer_flow(odd, "id", "day", by="tier", segments=customers)
    assert column(flow, "tier") == ["loyal", "loyal", "new", "new"]


# ---- segments -----------------------------------------------------------------------------------


@pytest.fixture
def log(engine: Engine) -> Any:
    """Customers 1 and 2 in January, 1 and 3 in February."""
    times = days("2026-01-05", "2026-01-09", "2026-02-06", "2026-02-07")
    return engine.frame({"id": [1, 2, 1, 3], "day": times})


def test_segments_give_each_customer_a_key(engine: Engine, log: Any) -> None:
    # Unsorted, and with a customer that the log does not know.
    customers = engine.frame({"sector": ["B2C", "B2B", "NPO", "B2B"], "id": [3, 1, 99, 2]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 2,
        ("B2B", "2026-02"): 1,
        ("B2C", "2026-02"): 1,
    }


def test_valid_from_holds_from_the_start_of_the_period_on(engine: Engine, log: Any) -> None:
    changes = engine.frame(
        {
            "id": [1, 1, 2, 3],
            "tier": ["repeat", "new", "new", "new"],
            # Customer 1 changes on the very day on which February starts, 3 a day too late for it.
            "valid_from": days("2026-02-01", "2025-12-01", "2026-01-01", "2026-02-02"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier") == {
        ("new", "2026-01"): 2,
        ("repeat", "2026-02"): 1,
        (None, "2026-02"): 1,
    }


def test_the_order_of_segment_rows_does_not_matter(engine: Engine, log: Any) -> None:
    ids, tiers = [1, 1, 1, 2, 3], ["new", "repeat", "loyal", "new", "repeat"]
    since = days("2025-01-01", "2026-01-01", "2026-02-01", "2025-06-01", "2026-02-01")
    expected = None
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]):
        columns: dict[str, list[Any]] = {"id": ids, "tier": tiers, "valid_from": since}
        shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
        flow = lk.customer_flow(log, "id", "day", by="tier", segments=engine.frame(shuffled))
        expected = expected or frame_rows(flow)
        assert frame_rows(flow) == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_valid_from_may_be_spelled_as_times_are(engine: Engine, log: Any, spelling: str) -> None:
    spelled: dict[str, list[Any]] = {
        "dates": days("2026-01-01", "2026-02-01"),
        "datetimes": moments("2026-01-01", "2026-02-01"),
        "ISO dates": ["2026-01-01", "2026-02-01"],
        "ISO datetimes": ["2026-01-01T00:00:00", "2026-02-01T00:00:00"],
        "ISO with a blank": ["2026-01-01 00:00", "2026-02-01 00:00"],
        "ISO without dashes": ["20260101", "20260201"],
        "ISO of both kinds": ["2026-01-01", "2026-02-01T00:00"],
    }
    changes = engine.frame({"id": [1, 1], "tier": ["new", "old"], "valid_from": spelled[spelling]})
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["new", "2026-01"] == 1
    assert active(flow, "tier")["old", "2026-02"] == 1


def test_a_change_after_the_start_of_the_periods_first_day_is_too_late(
    engine: Engine, log: Any
) -> None:
    # The purchase of that afternoon made the customer a repeat one: not so when February started.
    changes = engine.frame(
        {
            "id": [1, 1],
            "tier": ["new", "repeat"],
            "valid_from": moments("2026-01-01T00:00", "2026-02-01T15:00"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["new", "2026-02"] == 1


def test_a_customer_may_change_twice_within_a_day(engine: Engine, log: Any) -> None:
    changes = engine.frame(
        {
            "id": [1, 1],
            "tier": ["new", "repeat"],
            "valid_from": moments("2026-01-20T08:00", "2026-01-20T15:00"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["repeat", "2026-02"] == 1


def test_valid_from_is_read_in_the_zone_of_the_log(engine: Engine) -> None:
    # In Jakarta the log lies in February, and the change on the second of it: too late.
    log = engine.keep(aware_frame(engine.name, moments("2026-02-10T12:00"), "UTC"))
    since = aware_frame(engine.name, moments("2026-02-01T17:30"), "UTC")
    if engine.is_pandas:
        changes = since.rename(columns={"day": "valid_from"}).assign(tier="repeat")
    elif engine.name == "polars":
        changes = since.rename({"day": "valid_from"}).with_columns(tier=pl.lit("repeat"))
    else:
        renamed = since.rename_columns(["id", "valid_from"])
        changes = renamed.append_column("tier", pa.array(["repeat"]))
    flow = lk.customer_flow(
        log, "id", "day", tz="Asia/Jakarta", by="tier", segments=engine.keep(changes)
    )
    assert active(flow, "tier") == {(None, "2026-02"): 1}


def test_a_customer_without_a_row_has_a_null_key(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }
    assert column(flow, "sector") == ["B2B", "B2B", None, None]


def test_a_null_key_and_a_missing_row_are_one_group(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "sector": ["B2B", None]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }
    assert len(frame_rows(flow)) == 4


def test_segments_of_no_rows_or_of_others_give_null_keys(engine: Engine, log: Any) -> None:
    others = engine.frame({"id": [98, 99], "sector": ["B2B", "B2C"]})
    empty = engine.keep(others.slice(0, 0) if isinstance(others, pa.Table) else others[:0])
    for customers in (others, empty):
        flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
        assert active(flow, "sector") == {(None, "2026-01"): 2, (None, "2026-02"): 2}
        assert len(frame_rows(flow)) == 2


def test_keys_may_all_be_null(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 3], "sector": [None, None, None]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {(None, "2026-01"): 2, (None, "2026-02"): 2}


@pytest.mark.parametrize("third", [None, float("nan")])
def test_nan_is_a_null_key(engine: Engine, log: Any, third: float | None) -> None:
    customers = engine.frame({"id": [1, 2, 3], "size": [1.5, float("nan"), third]})
    flow = lk.customer_flow(log, "id", "day", by="size", segments=customers)
    assert active(flow, "size") == {
        (1.5, "2026-01"): 1,
        (1.5, "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }


def test_a_nan_key_and_a_missing_row_are_one_group(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "size": [1.5, float("nan")]})
    flow = lk.customer_flow(log, "id", "day", by="size", segments=customers)
    assert column(flow, "size") == [1.5, 1.5, None, None]
    assert column(flow, "end") == [1, 1, 1, 1]


def test_several_keys_come_from_one_frame(engine: Engine, log: Any) -> None:
    customers = engine.frame(
        {"id": [1, 2, 3], "sector": ["B2B", "B2B", None], "region": ["west", None, "east"]}
    )
    flow = lk.customer_flow(log, "id", "day", by=["sector", "region"], segments=customers)
    assert column_names(flow)[:2] == ["sector", "region"]
    pairs = list(dict.fromkeys((row["sector"], row["region"]) for row in frame_rows(flow)))
    assert pairs == [("B2B", "west"), ("B2B", None), (None, "east")]


def test_categories_keep_their_order_and_type(engine: Engine, log: Any) -> None:
    levels = ["new", "repeat", "loyal", "gone"]
    customers = engine.frame(
        {"id": [1, 2, 3], "tier": ["loyal", "new", "repeat"]}, {"tier": levels}
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=customers)
    assert list(dict.fromkeys(column(flow, "tier"))) == ["new", "repeat", "loyal"]
    assert dtype_names(flow)["tier"] == dtype_names(customers)["tier"]
    if engine.is_pandas:
        assert flow["tier"].dtype == customers["tier"].dtype
        assert list(flow["tier"].cat.categories) == levels
    # A null beside them changes neither.
    some = engine.frame({"id": [1, 2], "tier": ["loyal", "new"]}, {"tier": levels})
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=some)
    assert list(dict.fromkeys(column(flow, "tier"))) == ["new", "loyal", None]
    assert dtype_names(flow)["tier"] == dtype_names(some)["tier"]


@pytest.mark.parametrize(
    "keys",
    [
        [30, 9, 30],
        [2.5, -1.0, 2.5],
        [True, False, True],
        days("2020-05-01", "2019-01-01", "2020-05-01"),
        ["b", "a", "b"],
    ],
    ids=["integers", "floats", "flags", "dates", "text"],
)
def test_keys_keep_their_type_and_are_sorted(engine: Engine, log: Any, keys: list[Any]) -> None:
    customers = engine.frame({"id": [1, 2, 3], "group": keys})
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert list(dict.fromkeys(column(flow, "group"))) == sorted(set(keys))
    assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


@pytest.mark.parametrize("size", ["int8", "int16", "uint8", "int32"])
def test_small_integer_keys_stay_small(engine: Engine, log: Any, size: str) -> None:
    customers = engine.typed({"id": [1, 2, 3], "group": [7, 100, 7]}, "group", size)
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert column(flow, "group") == [7, 7, 100, 100]
    assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


def test_integer_keys_keep_a_null_where_the_engine_can(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "group": [10, 20]})
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert list(dict.fromkeys(column(flow, "group"))) == [10, 20, None]
    if engine.name != "pandas":  # NumPy's integers have no null
        assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


# ---- segments that are refused ------------------------------------------------------------------


def test_duplicate_customers_in_segments(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 1, 1], "sector": ["B2B", "B2C", "B2B", "NPO"]})
    with pytest.raises(DataError, match=r"segments has 2 rows too many for the key 'id': 1, 1"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_duplicate_changes_in_segments(engine: Engine, log: Any) -> None:
    since = days("2026-01-01", "2026-01-01", "2026-02-01")
    changes = engine.frame({"id": [1, 1, 1], "tier": ["a", "b", "c"], "valid_from": since})
    with pytest.raises(DataError, match=r"segments has 1 row too many .*'id', 'valid_from': 1"):
        lk.customer_flow(log, "id", "day", by="tier", segments=changes)


@pytest.mark.parametrize(
    ("in_data", "in_segments", "kinds"),
    [
        ([1, 2], ["1", "2"], "numbers in data and text in segments"),
        (["1", "2"], [1, 2], "text in data and numbers in segments"),
        ([1, 2], days("2026-01-01", "2026-01-02"), "numbers in data and dates in segments"),
    ],
    ids=["numbers-text", "text-numbers", "numbers-dates"],
)
def test_ids_of_different_types(
    engine: Engine, in_data: list[Any], in_segments: list[Any], kinds: str
) -> None:
    log = engine.frame({"id": in_data, "day": [FULL_DAY, FULL_DAY]})
    customers = engine.frame({"id": in_segments, "sector": ["B2B", "B2C"]})
    with pytest.raises(DataError, match=f"'id' holds {kinds}, so no row would match"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_ids_of_one_kind_match_across_types(engine: Engine) -> None:
    log = engine.frame({"id": [1.0, 2.0], "day": [FULL_DAY, FULL_DAY]})
    customers = engine.typed({"id": [2, 1], "sector": ["B2B", "B2C"]}, "id", "int16")
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {("B2B", "2026-03"): 1, ("B2C", "2026-03"): 1}


def test_text_ids_match_categories(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": ["x", "y"], "day": [FULL_DAY, FULL_DAY]}
    customers = {"id": ["y", "x"], "sector": ["B2B", "B2C"]}
    for left, right in ((["y", "x"], None), (None, ["x", "z", "y"])):
        log = engine.frame(columns, {"id": left} if left else None)
        segments = engine.frame(customers, {"id": right} if right else None)
        flow = lk.customer_flow(log, "id", "day", by="sector", segments=segments)
        assert active(flow, "sector") == {("B2B", "2026-03"): 1, ("B2C", "2026-03"): 1}


@pytest.mark.parametrize("errors", ["raise", "coerce"])
def test_null_ids_in_segments(engine: Engine, log: Any, errors: str) -> None:
    customers = engine.frame({"id": [1, None, None], "sector": ["B2B", "B2C", "NPO"]})
    with pytest.raises(DataError, match=r"segments.*2 rows whose"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers, errors=errors)


@pytest.mark.parametrize("errors", ["raise", "coerce"])
def test_null_and_unreadable_valid_from(engine: Engine, log: Any, errors: str) -> None:
    for since, count in ((["2026-01-01", None], "1 row"), (["soon", "later"], "2 rows")):
        changes = engine.frame({"id": [1, 2], "tier": ["a", "b"], "valid_from": since})
        with pytest.raises(DataError, match=f"valid_from.*{count}") as caught:
            lk.customer_flow(log, "id", "day", by="tier", segments=changes, errors=errors)
        # errors= is about the rows of the log, so it is no way out here.
        assert "coerce" not in str(caught.value)


def test_segments_of_another_engine(engine: Engine, log: Any) -> None:
    other = "polars" if engine.is_pandas or engine.name == "pyarrow" else "pandas"
    customers = CONSTRUCTORS[other]({"id": [1], "sector": ["B2B"]})
    with pytest.raises(TypeError, match="segments"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_segments_of_another_kind() -> None:
    log = pl.DataFrame({"id": [1], "day": [FULL_DAY]})
    customers = pl.DataFrame({"id": [1], "sector": ["B2B"]})
    with pytest.raises(
        TypeError, match=r"segments is a polars \(lazy\) frame and data a polars one"
    ):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers.lazy())


@pytest.mark.parametrize("segments", [{"id": [1]}, [1, 2], "customers"])
def test_segments_that_are_no_frame(log: Any, segments: Any) -> None:
    with pytest.raises(TypeError, match="segments must be a DataFrame"):
        lk.customer_flow(log, "id", "day", by="sector", segments=segments)


def test_segments_without_by(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 3], "sector": ["B2B", "B2C", "B2B"]})
    nothing: list[str] = []
    for by in (None, nothing):
        with pytest.raises(ParameterError, match="segments= is given without by="):
            lk.customer_flow(log, "id", "day", by=by, segments=customers)


def test_segments_without_the_customer(engine: Engine, log: Any) -> None:
    customers = engine.frame({"customer": [1], "sector": ["B2B"]})
    with pytest.raises(ColumnNotFoundError, match=r"'id'.*segments has no such column"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_keys_half_in_segments_and_half_in_data(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "region": ["east"]})
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    with pytest.raises(ParameterError, match=r"'region' is not in segments .*attach_segments"):
        lk.customer_flow(log, "id", "day", by=["sector", "region"], segments=customers)


def test_keys_are_looked_up_in_segments_before_data(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "sector": ["old"], "region": ["east"]})
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert column(flow, "sector") == ["B2B"]
    flow = lk.customer_flow(log, "id", "day", by="region", segments=customers)
    assert column(flow, "region") == ["east"]
    with pytest.raises(ColumnNotFoundError, match=r"'secto'.*Did you mean 'sector'"):
        lk.customer_flow(log, "id", "day", by="secto", segments=customers)


# ---- the lookup as of a moment ------------------------------------------------------------------

SMALL = st.integers(0, 5)
WIDE = st.integers(-(10**9), 10**9)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(SMALL, WIDE | SMALL), max_size=12, unique=True),
    asked=st.lists(st.tuples(SMALL, WIDE | SMALL), max_size=12),
)
def test_the_latest_row_that_holds(
    rows: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    rows = sorted(rows)
    expected = []
    for key, moment in asked:
        holding = [i for i, (owner, since) in enumerate(rows) if owner == key and since <= moment]
        expected.append(max(holding, default=-1))
    columns = [
        np.array([pair[i] for pair in pairs], dtype=np.int64)
        for pairs in (rows, asked)
        for i in (0, 1)
    ]
    assert _activity.as_of_rows(*columns).tolist() == expected


# ---- how customers are told apart ---------------------------------------------------------------


def random_log(rows: int = 4000) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(5)
    return rng.integers(0, 700, rows), np.datetime64("2026-01-01") + rng.integers(0, 200, rows)


# Spellings of customer numbers in which the order stays the same.
IDS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "dense": lambda who: who,
    "small": lambda who: (who - 300).astype(np.int16),
    "sparse": lambda who: who * 10**12 - 3 * 10**14,
    "wider than 64 bits with the period": lambda who: (who - 350) * 2**54,
    "beyond signed": lambda who: who.astype(np.uint64) + np.uint64(2**63 - 5),
    "masked": lambda who: pd.array(who, dtype="Int64"),
    "text": lambda who: pd.array([f"C{i:04d}" for i in who], dtype="str"),
    "arrow": lambda who: pd.array([f"C{i:04d}" for i in who], dtype="string[pyarrow]"),
    "long text": lambda who: pd.array([f"customer number {i:04d}" for i in who], dtype="str"),
    "objects": lambda who: np.array([f"C{i:04d}" for i in who], dtype=object),
    "floats": lambda who: who / 2,
    "category": lambda who: pd.Categorical(who, categories=range(700)),
}


@pytest.mark.parametrize("spelling", IDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_any_spelling_of_the_ids_gives_the_same_tables(
    monkeypatch: pytest.MonkeyPatch, spelling: str, threads: int, package: str
) -> None:
    who, when = random_log()
    ids = IDS[spelling](who)
    log = pd.DataFrame({"id": who, "day": when, "half": who % 2})
    spelled: Any = log.assign(id=ids)
    expected = [
        lk.cohort_retention(log, "id", "day"),
        lk.customer_flow(log, "id", "day", by="half"),
        lk.loyalty_tier(log, "id", "day").drop(columns="id"),
    ]
    segments: Any = pd.DataFrame({"id": pd.Series(ids).unique()})
    segments["half"] = pd.Series(who).unique() % 2
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 100)
    monkeypatch.setattr(_parallel, "BLOCK", 333)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    if package != "pandas":
        convert = pl.from_arrow if package == "polars" else pa.table
        spelled, segments = (
            convert(pa.Table.from_pandas(table, preserve_index=False))
            for table in (spelled, segments)
        )
    tiers = lk.loyalty_tier(spelled, "id", "day")
    found = [
        lk.cohort_retention(spelled, "id", "day"),
        lk.customer_flow(spelled, "id", "day", by="half"),
        tiers,
    ]
    for table, other in zip(found, expected, strict=True):
        rows = [{name: row[name] for name in other.columns} for row in lk.to_records(table)]
        assert rows == lk.to_records(other)
    if spelling != "category":  # Polars knows categories of its own order
        assert column(tiers, "id") == sorted(column(tiers, "id"))
    again = lk.customer_flow(spelled, "id", "day", by="half", segments=segments)
    assert frame_rows(again) == frame_rows(found[1])


@pytest.mark.parametrize("spelling", ["dense", "sparse", "text", "category"])
def test_eight_threads_get_what_one_gets(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 100)
    who, when = random_log()
    log = pd.DataFrame({"id": IDS[spelling](who), "day": when, "score": who % 11})
    log["key"] = pd.Categorical(who % 3)

    def work(_: int) -> list[Any]:
        return [
            lk.to_records(table)
            for table in (
                lk.nps(log, "score", by="key", time="day"),
                lk.cohort_retention(log, "id", "day"),
                lk.retention_rate(log, "id", "day"),
                lk.loyalty_tier(log, "id", "day"),
            )
        ]

    alone = work(0)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == alone for found in pool.map(work, range(8)))
