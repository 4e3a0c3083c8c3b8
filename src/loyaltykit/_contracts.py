"""Contracts, read: who was in force at the closing of which period.

A contract is in force from its start to just before its end, half-open. A customer counts as active
in a period who is in force when it closes; so contracts become pairs of customer and period, as the
rows of a log do. Overlapping and touching contracts of a customer unite by themselves.

Lazy engines and Dask reduce their contracts by themselves; what they share with NumPy is here too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame, _logs, _refusals
from loyaltykit.errors import DataError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

UNUSABLE = "no customer, no usable date, or an end before the start"
NEVER = -(2**60)  # before every period


class Contracts(NamedTuple):
    """The usable contracts: the log of their starts, and their ends, NaT for none."""

    log: _logs.Log
    ends: _frame.TimeArray


class Ranges(NamedTuple):
    """Contracts as periods.

    The first and the last period at whose closing each is in force, the first after the last where
    there is none; the period in which it began; and the one by whose closing it had ended. The
    latter two are `NEVER` where that was not observed.
    """

    first: IntArray
    last: IntArray
    began: IntArray
    ended: IntArray


def read(
    frame: _frame.Frame,
    customer: str,
    time: str,
    contract_end: str,
    *,
    as_of: object,
    tz: str | None,
    errors: str,
    ordered: bool = False,
) -> Contracts:
    """Return the contracts that have a customer, a start up to ``as_of`` and no end before it.

    The customers come in order if asked for.
    """
    tz = _checks.check_zone(tz)
    starts, ends = times_of(frame, time, contract_end, tz, errors)
    backwards = ends.values < starts.values  # NaT is not before anything
    if backwards.any() and errors == "raise":
        rows = np.flatnonzero(backwards)
        shown = _frame.sample(frame[contract_end], rows)
        _refusals.ends_before_start(contract_end, time, len(rows), shown)
    lost = [part for part in (starts.lost, ends.lost) if part is not None]
    lost += [backwards] if backwards.any() else []
    usable = starts._replace(lost=np.logical_or.reduce(lost) if lost else None)
    log = _logs.log_of(
        frame[customer],
        usable,
        as_of=as_of,
        errors=errors,
        ordered=ordered,
        unusable=UNUSABLE,
        closing=True,
    )
    return Contracts(log, ends.values if log.kept is None else ends.values[log.kept])


def times_of(
    frame: _frame.Frame, time: str, contract_end: str, tz: str | None, errors: str
) -> tuple[_frame.Times, _frame.Times]:
    """Return starts and ends in microseconds, on one clock."""
    remedy = "bring them to one, or name the zone to read them in with tz="
    starts = _frame.read_times(frame[time], tz, errors, remedy=remedy)
    ends = _frame.read_times(frame[contract_end], tz, errors, nullable=True, remedy=remedy)
    if not (np.isnat(starts.values).all() or np.isnat(ends.values).all()):
        if (starts.zone is None) != (ends.zone is None):
            _refusals.one_zone(time, contract_end)
        if starts.zone != ends.zone:
            ends = _frame.read_times(frame[contract_end], starts.zone, errors, nullable=True)
    return _fine(starts), _fine(ends)


def _fine(times: _frame.Times) -> _frame.Times:
    return times._replace(values=times.values.astype("datetime64[us]", copy=False))


def ranges(
    starts: _frame.TimeArray, ends: _frame.TimeArray, end: np.datetime64, freq: str
) -> Ranges:
    """Return contracts as periods, up to the end of observation; an end after it is none yet."""
    closing, last = end.astype("datetime64[us]"), _logs.last_period(end, freq)
    # The last period closes at the end of observation, also where that comes before its own.
    opens = np.minimum(_calendar.next_periods(starts, freq), last + 1)
    over = ends <= closing  # NaT is not
    stops = _calendar.next_periods(np.where(over, ends, closing), freq)
    stops = np.minimum(stops, last + 1)
    began = _calendar.period_codes(_calendar.day_numbers(starts), freq)
    return Ranges(
        opens - 1,
        np.where(over, stops - 2, last),
        np.where(starts < closing, began, NEVER),
        np.where(over & (ends > starts), stops - 1, NEVER),
    )


def periods(active: _logs.Activity) -> _logs.Activity:
    """Return the periods of contracts: one more before the first, for who is in force then."""
    if active.lead or not active.span:
        return active
    return active._replace(first=active.first - 1, span=active.span + 1, lead=1)


def activity(contracts: Contracts, freq: str, observed_from: object = None) -> _logs.Activity:
    """Return the distinct pairs of customer and period at whose closing he was in force."""
    log = contracts.log
    since = _logs.first_reported(observed_from, log.end, log.zone, freq)
    if log.end is None or not len(log.times):
        return _logs.nobody(0, 0, freq)
    made = ranges(log.times, contracts.ends, log.end, freq)
    first = int(_calendar.period_codes(_calendar.day_numbers(log.times.min()[np.newaxis]), freq)[0])
    active = periods(_logs.from_first(first, log.end, since, freq))
    return stock(log.customer, made, active)


def stock(who: IntArray, made: Ranges, active: _logs.Activity) -> _logs.Activity:
    """Return the activity of customers whose contracts are given as ranges.

    What was over before the periods reported makes one pair, in the first of all, which says that
    the customer is not new.
    """
    opening = active.first + active.lead
    inside = made.first <= made.last
    early = ~inside & (made.began < opening) & (made.began > NEVER)
    first, last = (
        np.where(early, 0, np.maximum(part - active.first, 0)) for part in (made.first, made.last)
    )
    customer, place = _united(who, first, last, inside | early, active)
    pairs = customer * active.span + place
    rows = np.flatnonzero(~inside & (made.began >= opening))
    brief = _codes.unique(who[rows] * active.span + (made.began[rows] - active.first))
    brief = brief[~(_held(pairs, brief) | _held(pairs, brief - 1))]
    rows = np.flatnonzero(made.ended >= opening)
    due = _codes.unique(who[rows] * active.span + (made.ended[rows] - active.first))
    due = due[_held(pairs, due - 1)]
    return active._replace(
        customer=customer,
        period=place,
        brief=_apart(brief, active.span),
        due=_apart(due, active.span),
    )


def _united(
    who: IntArray, first: IntArray, last: IntArray, rows: BoolArray, active: _logs.Activity
) -> tuple[IntArray, IntArray]:
    """Return the places of each customer's ranges, sorted, each once."""
    order = np.flatnonzero(rows)
    order = order[np.argsort(who[order] * active.span + first[order], kind="stable")]
    who, first, last = who[order], first[order], last[order]
    # How far the customer's earlier ranges reach; those of others end before his first place.
    reach = np.maximum.accumulate(who * active.span + last)
    reached = np.full(len(who), -1, dtype=np.int64)
    reached[1:] = reach[:-1] - who[1:] * active.span
    first = np.maximum(first, reached + 1)
    length = np.maximum(last - first + 1, 0)
    refuse_many(int(length.sum()), active.freq)
    return np.repeat(who, length), _codes.runs(first, length)


def refuse_many(places: int, freq: str) -> None:
    """Refuse the pairs that very short periods would make."""
    if places > _logs.MOST_PAIRS:
        msg = (
            f"The contracts are in force at {places:,} closings of a {freq}, counted by customer: "
            "too many to hold. Choose a longer freq, or a later observed_from."
        )
        raise DataError(msg)


def _held(pairs: IntArray, wanted: IntArray) -> BoolArray:
    """Return which of some pairs are among the sorted ones."""
    found = np.searchsorted(pairs, wanted)
    held: BoolArray = np.append(pairs, -1)[found] == wanted
    return held


def _apart(pairs: IntArray, span: int) -> tuple[IntArray, IntArray]:
    customer = pairs // span
    return customer, pairs - customer * span
