"""How a log is read: times, zones, the end of observation and dirty rows.

All log functions read their log through one door; customer_flow, which counts only, stands for all.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import (
    CONSTRUCTORS,
    PANDAS_2,
    Engine,
    column,
    dtype_names,
    frame_rows,
)
from logs import FULL_DAY, LOG_FUNCTIONS, SPELLINGS, aware_frame, day, days, dropped, ends, moments

import loyaltykit as lk
from loyaltykit import _frame, _logs
from loyaltykit.errors import (
    DataError,
    DroppedRowsWarning,
    ParameterError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", SPELLINGS.values(), ids=SPELLINGS)
def test_times_may_be_dates_datetimes_or_iso_text(engine: Engine, times: list[Any]) -> None:
    flow = lk.customer_flow(engine.frame({"id": [1, 1, 2], "day": times}), "id", "day")
    assert ends(flow) == {day("2026-01-01"): 1, day("2026-02-01"): 2}
    assert column(flow, "coverage") == ["unobserved", "observed"]


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
def test_numbers_are_no_times(engine: Engine, times: list[Any], errors: Any) -> None:
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
        lk.customer_flow(log, "id", "day", errors="ignore")  # type: ignore[arg-type]


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


# ---- what lasts, and what was before ------------------------------------------------------------


def test_each_period_lasts_for_the_next_ones() -> None:
    active = _logs.Activity(np.array([0, 0, 0, 1]), np.array([0, 1, 4, 5]), 0, 6, "month")
    made = _logs.lasting(active, 2)
    assert made.customer.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert made.period.tolist() == [0, 1, 2, 3, 4, 5, 5]
    assert _logs.lasting(active, 0) is active


def test_what_was_before_does_not_last() -> None:
    active = _logs.Activity(np.array([0, 0, 1]), np.array([0, 3, 0]), 0, 6, "month", lead=2)
    made = _logs.lasting(active, 1)
    assert (made.customer.tolist(), made.period.tolist()) == ([0, 0, 0, 1], [0, 3, 4, 0])


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_logs, "MOST_PAIRS", 5)
    active = _logs.Activity(np.array([0, 1]), np.array([0, 0]), 0, 6, "day")
    with pytest.raises(ParameterError, match="grace=2 makes 6 pairs of customer and day: too many"):
        _logs.lasting(active, 2)


def test_the_periods_from_a_day_on() -> None:
    log = pd.DataFrame(
        {"id": [1, 1, 2, 3], "day": ["2025-12-31", "2026-02-01", "2026-01-05", None]}
    )
    read = _logs.read_log(
        *(_frame.open_frame(log.dropna()), "id", "day"), as_of="2026-03-31", tz=None, errors="raise"
    )
    active = _logs.activity(read, "month", "2026-01-02")
    assert (active.first, active.span, active.lead) == (671, 4, 2)
    assert (active.customer.tolist(), active.period.tolist()) == ([0, 0, 1], [0, 2, 0])
    told, _ = _logs.observed(0, 10**15, "month", "2026-03-31", None, "2026-01-02")
    assert (told.first, told.span, told.lead) == (671, 4, 2)
    assert _logs.places(np.array([600, 672, 673, 674]), active).tolist() == [0, 0, 2, 3]
