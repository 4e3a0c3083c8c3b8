"""Periods as integer codes, against the calendar of the standard library."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _calendar, _parallel
from loyaltykit.errors import ParameterError

FREQUENCIES = ["day", "week", "month", "quarter", "year"]
EPOCH = dt.date(1970, 1, 1)
JAKARTA = dt.timezone(dt.timedelta(hours=7))


def days(*dates: dt.date) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([(date - EPOCH).days for date in dates], dtype=np.int64)


def first_day(date: dt.date, freq: str) -> dt.date:
    """Return the first day of the date's period, by the standard library."""
    if freq == "day":
        return date
    if freq == "week":
        year, week, _ = date.isocalendar()
        return dt.date.fromisocalendar(year, week, 1)
    month = {"month": date.month, "quarter": (date.month - 1) // 3 * 3 + 1, "year": 1}[freq]
    return date.replace(month=month, day=1)


# ---- days ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("1970-01-01T00", 0),
        ("1970-01-01T23", 0),
        ("1970-01-02T00", 1),
        ("1969-12-31T23", -1),  # before the epoch, rounding goes down and not towards zero
        ("1969-12-31T00", -1),
        ("2026-03-31T12", 20543),
    ],
)
def test_day_numbers_of_every_unit(unit: str, time: str, day: int) -> None:
    times = np.array([time], dtype="datetime64[h]").astype(f"datetime64[{unit}]")
    assert _calendar.day_numbers(times).tolist() == [day]
    assert _calendar.day_numbers(times).dtype == np.int64


def test_last_instant_of_a_day_is_still_that_day() -> None:
    times = np.array(["2026-03-31T23:59:59.999999999"], dtype="datetime64[ns]")
    assert _calendar.day_numbers(times).tolist() == days(dt.date(2026, 3, 31)).tolist()


# ---- periods ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freq", "date", "code", "start"),
    [
        ("day", "1970-01-01", 0, "1970-01-01"),
        ("week", "1970-01-01", 0, "1969-12-29"),
        ("week", "1970-01-04", 0, "1969-12-29"),
        ("week", "1970-01-05", 1, "1970-01-05"),
        ("week", "1969-12-28", -1, "1969-12-22"),
        ("week", "2021-01-03", 2661, "2020-12-28"),  # ISO week 53 of 2020
        ("week", "2021-01-04", 2662, "2021-01-04"),  # ISO week 1 of 2021
        ("month", "1970-01-31", 0, "1970-01-01"),
        ("month", "1969-12-31", -1, "1969-12-01"),
        ("month", "2024-02-29", 649, "2024-02-01"),
        ("quarter", "1970-03-31", 0, "1970-01-01"),
        ("quarter", "1969-12-31", -1, "1969-10-01"),
        ("quarter", "2026-12-31", 227, "2026-10-01"),
        ("year", "1969-01-01", -1, "1969-01-01"),
        ("year", "2026-12-31", 56, "2026-01-01"),
    ],
)
def test_known_periods(freq: str, date: str, code: int, start: str) -> None:
    codes = _calendar.period_codes(days(dt.date.fromisoformat(date)), freq)
    assert codes.tolist() == [code]
    assert _calendar.period_starts(codes, freq).astype(str).tolist() == [start]
    assert _calendar.start_day(code, freq) == days(dt.date.fromisoformat(start))[0]


@pytest.mark.parametrize("freq", FREQUENCIES)
@given(dates=st.lists(st.dates(dt.date(1600, 1, 1), dt.date(2400, 12, 31)), min_size=1))
def test_starts_are_those_of_the_standard_library(freq: str, dates: list[dt.date]) -> None:
    starts = _calendar.period_starts(_calendar.period_codes(days(*dates), freq), freq)
    assert starts.dtype == np.dtype("datetime64[D]")
    assert starts.tolist() == [first_day(date, freq) for date in dates]


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_codes_count_periods_without_a_gap(freq: str) -> None:
    every_day = np.arange(*days(dt.date(1965, 1, 1), dt.date(2035, 1, 1)))
    codes = _calendar.period_codes(every_day, freq)
    assert set(np.diff(codes).tolist()) <= {0, 1}
    back = _calendar.period_codes(_calendar.period_starts(codes, freq).view(np.int64), freq)
    assert np.array_equal(back, codes)


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_no_dates_have_no_periods(freq: str) -> None:
    codes = _calendar.period_codes(days(), freq)
    assert codes.tolist() == []
    assert _calendar.period_starts(codes, freq).tolist() == []


# ---- the end of observation ---------------------------------------------------------------------

END_OF_MARCH = dt.datetime(2026, 4, 1)


@pytest.mark.parametrize(
    "as_of",
    [
        "2026-03-31",
        " 2026-03-31 ",
        "2026-03-31T00:00:00",
        "2026-03-31 23:59:59",
        "2026-03-31T23:59:59.999999",
        dt.date(2026, 3, 31),
        dt.datetime(2026, 3, 31),
        dt.datetime(2026, 3, 31, 23, 59, 59),
        np.datetime64("2026-03-31"),
        np.datetime64("2026-03-31T00:00:00.000000000"),
        pd.Timestamp("2026-03-31"),
        pd.Timestamp("2026-03-31 23:59:59.999999999"),
    ],
)
def test_a_date_means_the_end_of_that_day(as_of: object) -> None:
    assert _calendar.observation_end(as_of).item() == END_OF_MARCH


@pytest.mark.parametrize(
    "as_of",
    ["2026-03-31T12:00", dt.datetime(2026, 3, 31, 12), pd.Timestamp("2026-03-31 12:00:00.0000009")],
)
def test_a_time_of_day_is_the_last_moment_observed(as_of: object) -> None:
    assert _calendar.observation_end(as_of).item() == dt.datetime(2026, 3, 31, 12, 0, 0, 1)


@pytest.mark.parametrize("zone", ["+07:00", "UTC+07:00", "Asia/Jakarta"])
def test_zones_may_be_offsets(zone: str) -> None:
    noon = dt.datetime(2026, 3, 31, 5, tzinfo=dt.UTC)
    expected = dt.datetime(2026, 3, 31, 12, 0, 0, 1)
    assert _calendar.observation_end(noon, zone).item() == expected


def test_aware_end_is_read_on_the_clock_of_the_data() -> None:
    half_past = dt.datetime(2026, 3, 31, 18, 30, tzinfo=dt.UTC)
    end = _calendar.observation_end(half_past, "Asia/Jakarta").item()
    assert end == dt.datetime(2026, 4, 1, 1, 30, 0, 1)
    midnight = dt.datetime(2026, 3, 31, tzinfo=JAKARTA)
    assert _calendar.observation_end(midnight, "Asia/Jakarta").item() == END_OF_MARCH


@pytest.mark.parametrize(
    ("as_of", "zone", "message"),
    [
        ("31/03/2026", None, "as_of='31/03/2026' is not an ISO date such as '2026-03-31'"),
        ("", None, "is not an ISO date"),
        (pd.NaT, None, "as_of is NaT"),
        (np.datetime64("NaT"), None, "as_of is NaT"),
        (dt.datetime(2026, 3, 31, tzinfo=JAKARTA), None, "has a time zone, but the times have no"),
        (dt.datetime(2026, 3, 31, tzinfo=JAKARTA), "Mars/Olympus", "write it without a zone"),
    ],
)
def test_end_refused(as_of: object, zone: str | None, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        _calendar.observation_end(as_of, zone)


@pytest.mark.parametrize("as_of", [20260331, 1.5, ["2026-03-31"]])
def test_end_of_another_type(as_of: object) -> None:
    with pytest.raises(TypeError, match="as_of must be a date, a datetime or ISO text, not"):
        _calendar.observation_end(as_of)


def test_the_last_day_of_the_calendar_is_an_end_like_any_other() -> None:
    """9999-12-31 is how many systems write "still running"."""
    assert _calendar.observation_end("9999-12-31") > np.datetime64("9999-12-31T23:59:59")


@pytest.mark.parametrize(
    ("observed_from", "zone", "expected"),
    [
        ("2026-03-31", None, "2026-03-31"),
        (dt.date(2026, 3, 31), None, "2026-03-31"),
        (dt.datetime(2026, 3, 31, 23, 59, 59), None, "2026-03-31T23:59:59"),  # not the next day
        (pd.Timestamp("2026-03-31 12:00:00.000000999"), None, "2026-03-31T12:00"),
        (dt.datetime(2026, 3, 30, 17, tzinfo=dt.UTC), "Asia/Jakarta", "2026-03-31"),
    ],
)
def test_a_date_begins_with_its_first_moment(
    observed_from: object, zone: str | None, expected: str
) -> None:
    assert _calendar.observation_start(observed_from, zone) == np.datetime64(expected, "us")


def test_beginning_refused() -> None:
    with pytest.raises(ParameterError, match="observed_from is NaT: name a date, or leave it out"):
        _calendar.observation_start(pd.NaT)
    with pytest.raises(TypeError, match="observed_from must be a date, a datetime or ISO text"):
        _calendar.observation_start(20260331)


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_the_next_period_is_the_first_that_starts_then_or_later(freq: str) -> None:
    days = np.arange("1969-11-01", "1971-02-01", dtype="datetime64[D]")
    opening = [oracles.period_start(day, freq) == day for day in days.tolist()]
    own = _calendar.period_codes(days.astype(np.int64), freq)
    expected = own + ~np.array(opening)
    assert (_calendar.next_periods(days, freq) == expected).all()
    later = days.astype("datetime64[us]") + 1
    assert (_calendar.next_periods(later, freq) == own + 1).all()


# ---- the periods of many times ------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("freq", FREQUENCIES)
@pytest.mark.parametrize("most_days", [1 << 22, 0])
def test_periods_of_times(
    monkeypatch: pytest.MonkeyPatch, unit: str, freq: str, most_days: int
) -> None:
    """In runs and two threads, by a table of days or without one."""
    monkeypatch.setattr(_calendar, "_MOST_DAYS", most_days)
    monkeypatch.setattr(_parallel, "BLOCK", 7)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)
    rng = np.random.default_rng(1)
    seconds = rng.integers(-2 * 10**9, 2 * 10**9, 100)
    times = seconds.astype("datetime64[s]").astype(f"datetime64[{unit}]")
    codes, first, span = _calendar.periods(times, freq)
    expected = _calendar.period_codes(_calendar.day_numbers(times), freq)
    assert (codes.astype(np.int64) + first).tolist() == expected.tolist()
    assert (first, first + span - 1) == (expected.min(), expected.max())


def test_periods_of_no_times() -> None:
    nothing = _calendar.periods(np.zeros(0, dtype="datetime64[us]"), "month")
    assert (nothing.codes.tolist(), nothing.span) == ([], 1)


def test_instants_by_way_of_utc() -> None:
    clock = np.array(["2024-03-10T01:30", "2024-03-10T03:30", "2024-11-03T01:30"], "datetime64[us]")
    told = _calendar.instants(clock, "America/New_York").astype("datetime64[us]").astype(str)
    hours = [moment[11:16] for moment in told]
    assert hours == ["06:30", "07:30", "05:30"]  # of the hour shown twice, the first
    ahead = _calendar.instants(clock, "+07:00").astype("datetime64[us]")
    assert (clock - ahead == np.timedelta64(7, "h")).all()
    assert (_calendar.instants(clock, None).astype("datetime64[us]") == clock).all()
    with pytest.raises(ParameterError, match="no known zone: name one"):
        _calendar.instants(clock, "Local/Nowhere")
