"""The customers of a log for cohorts: when each joined, and at which ages each was active.

Ages count calendar periods, or windows of one length from each customer's own first moment on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _contracts, _frame, _logs, _refusals, _splits

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NO_AMOUNT = "no finite amount"
NOWHERE = -1  # the age of who was not active at any that is asked for
MICROSECONDS = {"hour": 3_600_000_000, "day": 86_400_000_000}
LENGTHS = {
    freq: days * MICROSECONDS["day"]
    for freq, days in (("day", 1), ("week", 7), ("month", 30), ("quarter", 90), ("year", 365))
}
_LATE = np.iinfo(np.int64).max


class Asked(NamedTuple):
    """How ages are told, and which rows count.

    ``length`` is that of a rolling window in microseconds, None for calendar periods; ``floor``
    what moments are rounded down to. ``edges`` are the ages at which brackets begin, and the one
    at which the last one ends.
    """

    length: int | None = None
    floor: int | None = None
    after: bool = False
    edges: tuple[int, ...] | None = None
    start_event: str | None = None
    return_event: str | None = None
    amount: str | None = None
    observed_from: Any = None
    contracts: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns of the log that are asked for, by parameter."""
        roles = ("start_event", "return_event", "amount")
        return {role: getattr(self, role) for role in roles if getattr(self, role) is not None}

    @property
    def by_periods(self) -> bool:
        """Return whether it is enough to know who was active in which period."""
        return self.length is None and not self.columns

    @property
    def flags(self) -> list[str]:
        """Return the columns of true and false."""
        return [name for name in (self.start_event, self.return_event) if name is not None]


class Rows(NamedTuple):
    """Rows of a log: period, moment, and what they are; None for all or for nothing.

    Moments are microseconds by way of UTC; ``clock`` are those that ages are told by.
    """

    customer: IntArray
    period: IntArray
    moment: IntArray
    clock: IntArray
    starts: BoolArray | None
    returns: BoolArray | None
    amount: FloatArray | None


class Terms(NamedTuple):
    """Contracts: their first and last period, as `_contracts.Ranges`, and their moments.

    Periods count from the first one reported. Moments are microseconds by way of UTC; one of an
    end that has not been observed is after it.
    """

    customer: IntArray
    began: IntArray
    known: BoolArray
    first: IntArray
    last: IntArray
    start: IntArray
    stop: IntArray


class People(NamedTuple):
    """Customers with their cohort and completed windows, and the ages at which each was active.

    Owners and ages are distinct pairs, sorted. A negative cohort is none of those reported.
    """

    cohort: IntArray
    done: IntArray
    owner: IntArray
    age: IntArray
    amount: FloatArray | None = None
    start: FloatArray | None = None


def reported(active: _logs.Activity, since: int | None) -> _logs.Activity:
    """Return the activity with periods counted from the first one to report, if one is named."""
    if since is None or not active.span:
        return active
    before = since - active.first
    return active._replace(first=since, span=active.span - before, period=active.period - before)


def window_end(end: np.datetime64 | None, zone: str | None, asked: Asked) -> int:
    """Return the end of observation on the clock that ages are told by, in microseconds."""
    if end is None:
        return 0
    clock = np.array([end], dtype="datetime64[us]")
    return int(_calendar.instants(clock, None if asked.floor else zone)[0])


def with_amounts(
    frame: _frame.Frame, name: str, errors: str, counts: str | None = None
) -> tuple[_frame.Frame, FloatArray]:
    """Return the rows that have an amount, and their amounts; rows that do not count need none."""
    amounts, missing = without_amount(frame, name, counts)
    if not missing.any():
        return frame, amounts
    if errors == "raise":
        _refusals.null_values(name, int(missing.sum()), "finite amount")
    _checks.warn_of_dropped(int(missing.sum()), NO_AMOUNT)
    kept = np.flatnonzero(~missing)
    return _frame.rows(frame, kept), amounts[kept]


def without_amount(
    frame: _frame.Frame, name: str, counts: str | None
) -> tuple[FloatArray, BoolArray]:
    """Return the amounts of the rows, and which lack one; rows that do not count need none."""
    amounts = _frame.amounts(frame[name])
    missing = np.isnan(amounts)
    if counts is not None and missing.any():
        missing &= _frame.flags(frame[counts])
    return amounts, missing


def read(
    frame: _frame.Frame,
    time: str,
    log: _logs.Log,
    freq: str,
    since: int | None,
    asked: Asked,
    amount: FloatArray | None,
) -> tuple[_logs.Activity, Rows]:
    """Return the periods to report, and the rows of a log with what is asked of them."""
    codes, first, _ = _calendar.periods(log.times, freq)
    last = _logs.last_period(log.end, freq) if log.end is not None else first
    nothing = np.zeros(0, dtype=np.int64)
    opens = first if since is None else since
    active = _logs.Activity(nothing, nothing, opens, last - opens + 1, freq)

    def kept(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values if log.kept is None else values[log.kept]

    wall = _splits.microseconds(log.times)
    moment = wall
    if log.zone is not None:
        moment = kept(_splits.microseconds(_frame.read_times(frame[time], "UTC", "coerce").values))
    starts, returns = (
        None if name is None else kept(_frame.flags(frame[name]))
        for name in (asked.start_event, asked.return_event)
    )
    clock = moment if asked.floor is None else wall - wall % asked.floor
    period = codes.astype(np.int64) + (first - opens)
    amount = None if amount is None else kept(amount)
    return active, Rows(log.customer, period, moment, clock, starts, returns, amount)


def people_of_rows(rows: Rows, size: int, end: int, asked: Asked) -> People:
    """Return what the rows of a log say of its customers."""
    who, starts = rows.customer, rows.starts
    first = np.full(size, _LATE)
    np.minimum.at(first, *(_taken(starts, who, rows.moment)))
    cohort = np.full(size, _LATE)
    np.minimum.at(cohort, *(_taken(starts, who, rows.period)))
    cohort[cohort == _LATE] = NOWHERE
    counts = _both(rows.returns, None if starts is None else rows.moment >= first[who])
    origin, done = first, np.zeros(size, dtype=np.int64)
    if asked.length is not None:
        if asked.floor is not None:
            origin = np.full(size, _LATE)
            np.minimum.at(origin, *(_taken(starts, who, rows.clock)))
        known = origin < _LATE
        done[known] = np.maximum(end - origin[known], 0) // asked.length
    who, period, clock = _taken(counts, who, rows.period, rows.clock)
    age = period - cohort[who] if asked.length is None else clock - origin[who]
    if asked.length is not None:
        age //= asked.length
    amount = None if rows.amount is None else _taken(counts, rows.amount)[0]
    return _people(cohort, done, who, age, amount, asked)


def people_of_terms(terms: Terms, size: int, end: int, asked: Asked) -> People:
    """Return what contracts say of their customers: active is who is in force.

    Of calendar periods that is when they close, of windows at the moment they begin; the first
    contract tells the cohort.
    """
    who, known = terms.customer, terms.known
    cohort, done = np.full(size, _LATE), np.zeros(size, dtype=np.int64)
    np.minimum.at(cohort, who[known], terms.began[known])
    cohort[cohort == _LATE] = NOWHERE
    low, high = terms.first - cohort[who], terms.last - cohort[who]
    if asked.length is not None:
        origin = np.full(size, end + 1)
        np.minimum.at(origin, who[known], terms.start[known])
        done = np.maximum((end - origin) // asked.length + 1, 0)
        stop = np.minimum(terms.stop, end + 1)
        low, high = (-((origin[who] - part) // asked.length) for part in (terms.start, stop))
        high -= 1
    low = np.maximum(low, 0)
    rows = np.flatnonzero((cohort[who] >= 0) & (low <= high))
    length = (high - low + 1)[rows]
    _contracts.refuse_many(int(length.sum()), "window")
    age = _codes.runs(low[rows], length)
    return _people(cohort, done, np.repeat(who[rows], length), age, None, asked)


def read_terms(
    frame: _frame.Frame,
    customer: str,
    time: str,
    contract_end: str,
    freq: str,
    asked: Asked,
    options: dict[str, Any],
) -> tuple[_logs.Log, _logs.Activity, Terms | None]:
    """Return the log of the starts of contracts, the periods to report, and the contracts."""
    contracts = _contracts.read(frame, customer, time, contract_end, **options)
    log, ends = contracts.log, contracts.ends
    since = _logs.first_reported(asked.observed_from, log.end, log.zone, freq)
    if log.end is None or not len(log.times):
        return log, _logs.nobody(0, 0, freq), None
    moments = [log.times, ends]
    if log.zone is not None:
        exact = _contracts.times_of(frame, time, contract_end, "UTC", "coerce")
        moments = [t.values if log.kept is None else t.values[log.kept] for t in exact]
    ranges = _contracts.ranges(log.times, ends, log.end, freq)
    opens = int(_calendar.period_codes(_calendar.day_numbers(log.times.min()[np.newaxis]), freq)[0])
    active = _logs.from_first(opens, log.end, since, freq)
    active = reported_only(active)
    return log, active, terms_of(log.customer, ranges, moments, active)


def reported_only(active: _logs.Activity) -> _logs.Activity:
    """Return the periods without those that come before the first one to report."""
    lead = active.lead
    return active._replace(first=active.first + lead, span=active.span - lead, lead=0)


def terms_of(
    who: IntArray,
    ranges: _contracts.Ranges,
    moments: Sequence[_frame.TimeArray],
    active: _logs.Activity,
) -> Terms:
    """Return contracts with periods counted from the first one reported."""
    start, stop = (_splits.microseconds(values) for values in moments)
    stop = np.where(np.isnat(moments[1]), _LATE, stop)
    first, last, began = (part - active.first for part in ranges[:3])
    return Terms(who, began, ranges.began > _contracts.NEVER, first, last, start, stop)


def _taken(rows: BoolArray | None, *columns: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    return columns if rows is None else tuple(values[rows] for values in columns)


def _both(one: BoolArray | None, other: BoolArray | None) -> BoolArray | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _people(
    cohort: IntArray,
    done: IntArray,
    who: IntArray,
    age: IntArray,
    amount: FloatArray | None,
    asked: Asked,
) -> People:
    """Return customers and their distinct ages: brackets, or the last age, where these are asked.

    An age that the customer has not completed, or that is in no bracket, is left out.
    """
    size, start = len(cohort), None
    if amount is not None:
        at_start = age == 0
        start = _codes.added(who[at_start], amount[at_start], size)
    age, done = places(age, asked), windows(done, asked)
    inside = (cohort[who] >= 0) & (age >= 0)
    if asked.length is not None and not asked.after:
        inside &= age < done[who]
    if not inside.all():
        who, age = who[inside], age[inside]
        amount = None if amount is None else amount[inside]
    width = int(age.max()) + 1 if len(age) else 1
    pairs = _codes.distinct_pairs(who, age, width, size)
    owner = pairs // width
    sums = None
    if amount is not None:
        sums = _codes.added_of(who * width + age, pairs, amount, size * width)
    people = People(cohort, done, owner, pairs - owner * width, sums, start)
    return _last_ages(people, asked) if asked.after else people


def _last_ages(people: People, asked: Asked) -> People:
    """Return customers with the last age at which each was active, of those that are complete."""
    last = np.ones(len(people.owner), dtype=np.bool_)
    last[:-1] = people.owner[1:] != people.owner[:-1]
    owner, age = people.owner[last], people.age[last]
    if asked.length is None:
        return people._replace(owner=owner, age=age)
    age = np.minimum(age, people.done[owner] - 1)
    return people._replace(owner=owner[age >= 0], age=age[age >= 0])


def places(age: IntArray, asked: Asked) -> IntArray:
    """Return the bracket that each age lies in, NOWHERE outside; without brackets the age."""
    if asked.edges is None:
        return age
    edges = np.array(asked.edges)
    place = np.searchsorted(edges, age, side="right") - 1
    return np.where(place < len(edges) - 1, place, NOWHERE)


def windows(done: IntArray, asked: Asked) -> IntArray:
    """Return how many brackets are complete with so many windows; without brackets the windows."""
    if asked.edges is None:
        return done
    return np.searchsorted(np.array(asked.edges[1:]), done, side="right")


def people_of_periods(active: _logs.Activity, asked: Asked) -> People:
    """Return the same from distinct pairs of customer and period."""
    first = _codes.starts_of_runs(active.customer)
    cohort = active.period[first]
    who = np.cumsum(first) - 1
    done = np.zeros(len(cohort), dtype=np.int64)
    return _people(cohort, done, who, active.period - cohort[who], None, asked)
