"""A log of interactions, read: who, when, until when; and who was active in which period.

Lazy engines and Dask reduce their logs by themselves; what they share with NumPy is here as well.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame, _refusals
from loyaltykit.errors import DataError, ParameterError

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

NO_CUSTOMER_OR_DATE = "no customer or no usable date"
_MOST_ROWS = 5_000_000
MOST_PAIRS = 200_000_000


class Log:
    """The usable rows of a log: who, and when.

    ``ids`` are the customers, and ``customer`` is the place of each row's among them. Ids that are
    integers, or can be, serve as they are; they are numbered only for who asks.
    """

    def __init__(
        self,
        who: _frame.Compact | _frame.Keys,
        times: _frame.TimeArray,
        kept: BoolArray | None,
        end: np.datetime64 | None,
        zone: str | None,
    ) -> None:
        self.times, self.kept, self.end, self.zone = times, kept, end, zone
        self._who = who

    @functools.cached_property
    def ids(self) -> _frame.Series:
        """Return the distinct customers."""
        if isinstance(self._who, _frame.Compact):
            return self._who.levels
        return self._who.named(_codes.unique(self._who.values))

    @functools.cached_property
    def customer(self) -> IntArray:
        """Return the place of each row's customer in ``ids``."""
        if isinstance(self._who, _frame.Compact):
            return self._who.codes.astype(np.int64, copy=False)
        customer, distinct = _frame.ranks(self._who.values)
        self.ids = self._who.named(distinct)  # sorted by the way
        return customer

    @functools.cached_property
    def day(self) -> IntArray:
        """Return the day number of each row."""
        return _calendar.day_numbers(self.times)

    def pairs(self, period: Integers, span: int) -> tuple[IntArray, IntArray]:
        """Return the distinct pairs of customer and period, sorted."""
        if isinstance(self._who, _frame.Keys):
            keys = self._who.values
            low, high = int(keys.min()), int(keys.max())
            if high < 1 << 63 and (high - low + 1) * span < 1 << 63:
                return self._pairs_of_keys(self._who, low, high, period, span)
        codes = self._who.codes if isinstance(self._who, _frame.Compact) else self.customer
        made = _codes.distinct_pairs(codes, period, span, len(self.ids))
        customer = made // span
        return customer, made - customer * span

    def _pairs_of_keys(
        self, who: _frame.Keys, low: int, high: int, period: Integers, span: int
    ) -> tuple[IntArray, IntArray]:
        # Sorted as numbers, the pairs name the customers by the way.
        made = _codes.distinct_pairs(who.values, period, span, high - low + 1, low)
        key = made // span
        first = _codes.starts_of_runs(key)
        self.ids = who.named(key[first] + low)
        return np.cumsum(first) - 1, made - key * span


class Activity(NamedTuple):
    """Distinct (customer, period) pairs, sorted; periods count from ``first``.

    As many periods as ``lead`` come before the first one reported. Two where the log has been
    observed from then on only: 0 stands for all that was before, and 1 is empty, so that nobody
    stays from before. One for contracts, which are known to be in force when the first one opens.

    Of contracts, ``brief`` are the pairs of those who joined and left within a period, and ``due``
    the pairs of those with a contract that ended in it.
    """

    customer: IntArray
    period: IntArray
    first: int
    span: int
    freq: str
    lead: int = 0
    brief: tuple[IntArray, IntArray] | None = None
    due: tuple[IntArray, IntArray] | None = None


def read_log(
    frame: _frame.Frame,
    customer: str,
    time: str,
    *,
    as_of: object,
    tz: str | None,
    errors: str,
    ordered: bool = True,
) -> Log:
    """Return the rows up to ``as_of`` that have a customer and a time.

    Without ``ordered`` the customers come in any order, which saves a sort of their names.
    """
    remedy = "bring them to one, or name the zone to read them in with tz="
    tz = _checks.check_zone(tz)
    times, zone, lost = _frame.read_times(frame[time], tz, errors, remedy=remedy)
    read = _frame.Times(times, zone, lost)
    return log_of(frame[customer], read, as_of=as_of, errors=errors, ordered=ordered)


def log_of(
    ids: _frame.Series,
    read: _frame.Times,
    *,
    as_of: object,
    errors: str,
    ordered: bool = True,
    unusable: str = NO_CUSTOMER_OR_DATE,
    closing: bool = False,
) -> Log:
    """Return the rows that have a customer and whose time is usable and not after ``as_of``.

    With ``closing`` the moment at which observation ends is still in.
    """
    times, zone, lost = read
    keys = _frame.integer_keys(ids)
    who: _frame.Compact | _frame.Keys
    if keys is not None:
        who = keys
    else:
        who = _frame.compact(ids, ordered=ordered)
        lost = _without_id(who.codes, lost, ids.name, errors)
    end = None if as_of is None else _calendar.observation_end(as_of, zone)
    kept = None if lost is None else ~lost
    if lost is not None:
        _checks.warn_of_dropped(int(lost.sum()), unusable)
    if end is not None:
        # Nanoseconds end in 2262, and would wrap around at an end beyond it.
        times = times.astype("datetime64[us]", copy=False)
        usable = times if kept is None else times[kept]
        refuse_early_end(as_of, end, usable.min() if len(usable) else None)
        seen = times <= end if closing else times < end
        kept = seen if kept is None else kept & seen
    if kept is not None and not kept.all():
        who, times = who.only(kept), times[kept]
    else:
        kept = None
    if end is None and len(times):
        end = np.datetime64(int(_calendar.day_numbers(times.max()[np.newaxis])[0]) + 1, "D")
    return Log(who, times, kept, end, zone)


def _without_id(
    codes: Integers, lost: BoolArray | None, customer: str, errors: str
) -> BoolArray | None:
    missing = codes < 0
    if not missing.any():
        return lost
    if errors == "raise":
        _refusals.null_values(customer, int(missing.sum()), "customer")
    return missing if lost is None else lost | missing


def refuse_early_end(as_of: object, end: np.datetime64, first: np.datetime64 | None) -> None:
    """Refuse an end of observation before everything that was observed."""
    if first is not None and end <= first:
        msg = f"as_of={as_of!s} lies before the first row of the log, {str(first)[:10]}."
        raise ParameterError(msg)


def activity(log: Log, freq: str, observed_from: object = None) -> Activity:
    """Return the distinct (customer, period) pairs of a log."""
    since = first_reported(observed_from, log.end, log.zone, freq)
    if log.end is None or not len(log.times):
        return nobody(0, 0, freq)
    codes, first, _ = _calendar.periods(log.times, freq)
    active = from_first(first, log.end, since, freq)
    if active.lead:
        codes = places(codes.astype(np.int64) + first, active)
    customer, period = log.pairs(codes, active.span)
    return active._replace(customer=customer, period=period)


def from_first(first: int, end: np.datetime64, since: int | None, freq: str) -> Activity:
    """Return the periods from the first one of the log, or from the first one to be reported."""
    last = last_period(end, freq)
    if since is None:
        return nobody(first, last - first + 1, freq)
    return nobody(since - 2, last - since + 3, freq, lead=2)


def lasting(active: Activity, grace: int) -> Activity:
    """Return the activity where each period of a customer counts for the ``grace`` next ones too.

    What was before the periods reported says only who is not new, and counts for none.
    """
    if not grace or not len(active.customer):
        return active
    customer, period = active.customer, active.period
    length = np.minimum(active.span - period, min(grace, active.span) + 1)
    gap = period[1:] - period[:-1]
    length[:-1] = np.where(customer[1:] == customer[:-1], np.minimum(length[:-1], gap), length[:-1])
    length[period < active.lead] = 1
    total = int(length.sum())
    if total > MOST_PAIRS:
        msg = (
            f"grace={grace} makes {total:,} pairs of customer and {active.freq}: too many to hold. "
            "Choose a longer freq, or a later observed_from."
        )
        raise ParameterError(msg)
    lasting = _codes.runs(period, length)
    return active._replace(customer=np.repeat(customer, length), period=lasting)


def nobody(first: int, span: int, freq: str, lead: int = 0) -> Activity:
    """Return periods in which nobody was active."""
    nothing = np.zeros(0, dtype=np.int64)
    return Activity(nothing, nothing, first, span, freq, lead)


def first_reported(
    observed_from: object, end: np.datetime64 | None, zone: str | None, freq: str
) -> int | None:
    """Return the first period that starts when all is observed, or None where that is not said."""
    if observed_from is None:
        return None
    moment = _calendar.observation_start(observed_from, zone)
    since = int(_calendar.next_periods(np.array([moment]), freq)[0])
    if end is not None and since > last_period(end, freq):
        last = str(as_of_day(end))
        msg = (
            f"observed_from={observed_from!s}: no {freq} starts between it and the end of "
            f"observation, {last}. Name an earlier date, or a later as_of."
        )
        raise ParameterError(msg)
    return since


def places(period: IntArray, active: Activity) -> IntArray:
    """Return the periods of rows counted from the first; 0 for all before those reported."""
    place = period - active.first
    return np.where(place < active.lead, 0, place) if active.lead else place


def observed(
    first: int | None,
    last: int | None,
    freq: str,
    as_of: object,
    zone: str | None,
    observed_from: object = None,
) -> tuple[Activity, np.datetime64 | None]:
    """Return the periods of a log from its first and last moment, and the end of observation.

    Moments are microseconds. The customers of the activity are left out.
    """
    end = None if as_of is None else _calendar.observation_end(as_of, zone)
    if first is None or last is None:
        first_reported(observed_from, end, zone, freq)
        return nobody(0, 0, freq), end
    moments = np.array([first, last], dtype="datetime64[us]")
    days = _calendar.day_numbers(moments)
    if end is None:
        end = np.datetime64(int(days[1]) + 1, "D")
    refuse_early_end(as_of, end, moments[0])
    since = first_reported(observed_from, end, zone, freq)
    start = int(_calendar.period_codes(days, freq)[0])
    return from_first(start, end, since, freq), end


def last_period(end: np.datetime64, freq: str) -> int:
    """Return the period of the last moment observed."""
    last_day = (end - np.timedelta64(1, "us")).astype("datetime64[D]").astype(np.int64)
    return int(_calendar.period_codes(np.array([last_day]), freq)[0])


def as_of_day(end: np.datetime64 | None) -> np.datetime64:
    """Return the last day observed; NaT for an empty log."""
    if end is None:
        return np.datetime64("NaT", "D")
    day: np.datetime64 = (end - np.timedelta64(1, "us")).astype("datetime64[D]")
    return day


def end_or_any(end: np.datetime64 | None) -> np.datetime64:
    """Return the end of observation, and any date for an empty log that has none."""
    return np.datetime64(0, "D") if end is None else end


def starts(active: Activity) -> npt.NDArray[np.datetime64]:
    """Return the first day of every period from first to last."""
    codes = active.first + np.arange(active.span, dtype=np.int64)
    return _calendar.period_starts(codes, active.freq)


def last_is_complete(end: np.datetime64 | None, active: Activity) -> bool:
    """Return whether the last period had ended when observation did."""
    if end is None:
        return False
    after = _calendar.start_day(active.first + active.span, active.freq)
    return bool(np.datetime64(after, "D") <= end)


def refuse_blow_up(rows: int, active: Activity) -> None:
    """Refuse the tables that one stray date, or very short periods, would make."""
    if rows <= _MOST_ROWS:
        return
    days = starts(active)
    msg = (
        f"The log spans {active.span:,} periods of a {active.freq}, from {days[0]} to {days[-1]}: "
        f"a table of up to {rows:,} rows. Check the dates, or choose a longer freq."
    )
    raise DataError(msg)
