"""Periods: day, ISO week, month, quarter and year as integer codes, straight from datetimes.

A code counts periods from 1970: day 0 is 1970-01-01, week 0 the ISO week of that Thursday
(it starts on Monday 1969-12-29), month 0 January 1970, quarter 0 its first quarter, year 0 1970.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _parallel
from loyaltykit._checks import wrong_type
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
TimeArray = npt.NDArray[np.datetime64]

_UNITS_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_MOST_DAYS = 1 << 22  # looked up one by one: 11,000 years
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONDAY = 3  # 1970-01-01 was a Thursday, three days after the Monday that opens its ISO week.
_LAST_SECOND = dt.time(23, 59, 59)
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d):?(\d\d)")  # how engines name a zone without a name


def day_numbers(times: TimeArray) -> IntArray:
    """Return days since 1970-01-01; the times hold no NaT."""
    unit = np.datetime_data(times.dtype)[0]
    if unit in _UNITS_PER_DAY:
        return times.view(np.int64) // _UNITS_PER_DAY[unit]
    return times.astype("datetime64[D]").view(np.int64)


def period_codes(days: IntArray, freq: str) -> IntArray:
    """Return the period that each day number lies in."""
    if freq == "day":
        return days
    if freq == "week":
        return (days + _MONDAY) // 7
    if not days.size:
        return days
    # Months differ in length, so they are looked up: one entry a day, and far fewer days than rows.
    first = int(days.min())
    calendar = np.arange(first, int(days.max()) + 1).astype("datetime64[D]")
    months = calendar.astype("datetime64[M]").astype(np.int64)
    return (months // _MONTHS[freq])[days - first]


class Periods(NamedTuple):
    """Periods in narrow codes from 0, which is the first one; and how many there are."""

    codes: Integers
    first: int
    span: int


def periods(times: TimeArray, freq: str) -> Periods:
    """Return the period that each time lies in; the times hold no NaT."""
    if not times.size:
        return Periods(np.zeros(0, dtype=np.int64), 0, 1)
    ends = day_numbers(np.array([times.min(), times.max()]))
    first, last = (int(code) for code in period_codes(ends, freq))
    opening, span = int(ends[0]), last - first + 1
    if ends[1] - ends[0] > _MOST_DAYS:
        return Periods(period_codes(day_numbers(times), freq) - first, first, span)
    calendar = np.arange(opening, int(ends[1]) + 1)
    of_day = (period_codes(calendar, freq) - first).astype(_codes.narrowest(span))
    codes = np.empty(times.size, dtype=of_day.dtype)

    def look_up(part: slice) -> None:
        for rows in _parallel.blocks(part):
            codes[rows] = of_day.take(day_numbers(times[rows]) - opening)

    _parallel.in_parts(look_up, times.size)
    return Periods(codes, first, span)


def narrowed(codes: Integers) -> Periods:
    """Return periods counted elsewhere in narrow codes."""
    first = int(codes.min()) if len(codes) else 0
    span = int(codes.max()) - first + 1 if len(codes) else 1
    return Periods((codes - first).astype(_codes.narrowest(span)), first, span)


def period_starts(codes: IntArray, freq: str) -> TimeArray:
    """Return the first day of each period."""
    if freq == "day":
        return codes.astype("datetime64[D]")
    if freq == "week":
        return (codes * 7 - _MONDAY).astype("datetime64[D]")
    return (codes * _MONTHS[freq]).astype("datetime64[M]").astype("datetime64[D]")


def next_periods(times: TimeArray, freq: str) -> IntArray:
    """Return the first period that starts at each time or after it; the times hold no NaT."""
    moments = times.astype("datetime64[us]", copy=False).view(np.int64)
    days = -(-moments // _UNITS_PER_DAY["us"])  # the midnight at each time or after it
    return period_codes(days - 1, freq) + 1


def start_day(code: int, freq: str) -> int:
    """Return the day number on which one period starts."""
    return int(period_starts(np.array([code], dtype=np.int64), freq).view(np.int64)[0])


def observation_end(as_of: object, zone: str | None = None) -> np.datetime64:
    """Return the first moment that is no longer observed, as wall-clock time in ``zone``.

    A date, or a datetime at midnight or in a day's last second, means the end of that day: that is
    what people mean who write ``2026-03-31`` in whatever type they have at hand. Any other
    datetime is itself the last moment observed.
    """
    given = _on_the_clock("as_of", as_of, "leave it out for the last row's day", zone)
    day, time = np.datetime64(given.date(), "D"), given.time()
    if time == dt.time(0) or time >= _LAST_SECOND:
        after: np.datetime64 = (day + np.timedelta64(1, "D")).astype("datetime64[us]")
        return after
    return _moment(given) + np.timedelta64(1, "us")


def observation_start(observed_from: object, zone: str | None = None) -> np.datetime64:
    """Return the moment from which all was observed; of a date its first one."""
    return _moment(_on_the_clock("observed_from", observed_from, "leave it out", zone))


def _moment(given: dt.datetime) -> np.datetime64:
    # Combined anew, because a pandas Timestamp carries nanoseconds that datetime does not have.
    return np.datetime64(dt.datetime.combine(given.date(), given.time()), "us")


def _on_the_clock(name: str, value: object, otherwise: str, zone: str | None) -> dt.datetime:
    given = _as_datetime(name, value, otherwise)
    return given if given.tzinfo is None else _in_zone(name, given, zone)


def instants(clock: TimeArray, zone: str | None) -> IntArray:
    """Return microseconds since 1970 by way of UTC of a few wall-clock times in a zone.

    Of an hour that the clocks show twice, it is the first; naive times stay as they are.
    """
    moments = clock.astype("datetime64[us]")
    if zone is None:
        return moments.view(np.int64)
    try:
        found = _zone(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        msg = f"The times are in {zone!r}, which is no known zone: name one to read them in, tz=."
        raise ParameterError(msg) from None
    told = [time.replace(tzinfo=found).astimezone(dt.UTC) for time in moments.tolist()]
    naive = np.array([time.replace(tzinfo=None) for time in told], dtype="datetime64[us]")
    return naive.view(np.int64)


def _zone(zone: str) -> dt.tzinfo:
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        return zoneinfo.ZoneInfo(zone)
    sign, hours, minutes = offset.groups()
    ahead = dt.timedelta(hours=int(hours), minutes=int(minutes))
    return dt.timezone(ahead if sign == "+" else -ahead)


def _in_zone(name: str, moment: dt.datetime, zone: str | None) -> dt.datetime:
    if zone is None:
        msg = f"{name}={moment.isoformat()!r} has a time zone, but the times have none."
        raise ParameterError(msg)
    try:
        return moment.astimezone(_zone(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        msg = f"{name}={moment.isoformat()!r}: write it without a zone, as a time in {zone!r}."
        raise ParameterError(msg) from None


def _as_datetime(name: str, value: object, otherwise: str) -> dt.datetime:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            msg = f"{name}={value!r} is not an ISO date such as '2026-03-31'."
            raise ParameterError(msg) from None
    nothing = f"{name} is NaT: name a date, or {otherwise}."
    if isinstance(value, dt.datetime):
        if value != value:  # noqa: PLR0124  (pandas' NaT is a datetime that is not equal to itself)
            raise ParameterError(nothing)
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(0))
    if value is None:
        raise ParameterError(nothing)
    return wrong_type(name, value, "a date, a datetime or ISO text")
