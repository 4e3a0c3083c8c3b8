"""What a log says of each customer up to a date: purchases so far, first and last, silences.

Everything is read off the distinct days of customers, sorted. Customers are worked through in
blocks that fit the cache, so that a million of them at 24 dates need little beside the result.
Lifetimes are told of contracts as well, as ranges of days.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _checks,
    _codes,
    _contracts,
    _frame,
    _logs,
    _parallel,
    _refusals,
    _splits,
    _tally,
)
from loyaltykit.errors import DataError, ParameterError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# A customer and a period make a row: a million customers through four years of months.
_MOST_ROWS = 50_000_000
# Cells of customers by starts that are worked on at a time.
_CELLS = 1 << 17
NPS_SCALE, _PROMOTER = _tally.make_scale((0, 10), ()), 9
_ADVICE = "Make codes that mean 'no answer' null, or pass errors=\"coerce\" to leave them out."


# ---- days ---------------------------------------------------------------------------------------


class Days:
    """Distinct days of customers, sorted by customer and day."""

    def __init__(self, owner: IntArray, day: IntArray, size: int) -> None:
        self.owner, self.day, self.size = owner, day, size
        self.offset: IntArray = np.zeros(size + 1, dtype=np.int64)
        np.cumsum(np.bincount(owner, minlength=size), out=self.offset[1:])

    @functools.cached_property
    def month(self) -> IntArray:
        """Return the month of each day."""
        return _calendar.period_codes(self.day, "month")

    @functools.cached_property
    def opens(self) -> BoolArray:
        """Return which days are a customer's first of their month."""
        return _codes.starts_of_runs(self.owner) | _codes.starts_of_runs(self.month)

    def next_days(self) -> tuple[IntArray, BoolArray]:
        """Return the day after each, and where that is the same customer's."""
        following = np.append(self.day[1:], 0)[: len(self.day)]
        return following, ~np.append(_codes.starts_of_runs(self.owner)[1:], True)[: len(self.day)]


class Answers(NamedTuple):
    """The days on which customers answered, and whether the lowest answer was a promoter's."""

    days: Days
    promoter: BoolArray


def distinct_days(
    log: _logs.Log, bought: BoolArray | None = None
) -> tuple[IntArray, IntArray, BoolArray]:
    """Return customer and day of every distinct pair, in order, and whether it is a purchase's.

    A day may stand there twice, once with rows that are purchases and once with others.
    """
    if not len(log.times):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing.astype(np.bool_)
    codes, first, span = _calendar.periods(log.times, "day")
    if bought is None:
        customer, day = log.pairs(codes, span)
        return customer, day + first, np.ones(len(day), dtype=np.bool_)
    customer, both = log.pairs(2 * codes.astype(np.int64) + bought, 2 * span)
    return customer, both // 2 + first, both % 2 == 1


def active_days(log: _logs.Log) -> Days:
    """Return the days on which customers of a log were active."""
    customer, day, _ = distinct_days(log)
    return Days(customer, day, len(log.ids))


def scores_off_scale(scores: _frame.Series) -> tuple[int, list[Any]]:
    """Return how many scores are no answer from 0 to 10, nulls aside, and the first few."""
    off = np.flatnonzero(_tally.slots(scores, NPS_SCALE, errors="coerce") == NPS_SCALE.off)
    return len(off), _frame.sample(scores, off)


def refuse_scores(name: str, count: int, shown: Iterable[Any], errors: str) -> None:
    """Refuse scores off the scale, or warn that they are left out."""
    if count and errors == "raise":
        _refusals.bad_answers(name, count, shown, (NPS_SCALE.low, NPS_SCALE.high), _ADVICE)
    if count:
        _checks.warn_of_dropped(count, f"no answer from 0 to 10 in {name!r}")


def read_answers(
    log: _logs.Log, scores: _frame.Series, ids: _frame.Series, customer: str
) -> Answers:
    """Return the answers of some customers; of several on one day the lowest counts.

    The scores are those of the rows that the log has kept; others than 0 to 10 are none.
    """
    slot = _tally.slots(scores, NPS_SCALE, errors="coerce")
    place = _frame.positions(log.ids.alias(customer), ids, ("answers", "data"))[log.customer]
    told = (slot < NPS_SCALE.no_answer) & (place >= 0)
    owner, day, slot = place[told], log.day[told], slot[told]
    order = np.lexsort((slot, day, owner))
    owner, day, slot = owner[order], day[order], slot[order]
    first = _codes.starts_of_runs(owner) | _codes.starts_of_runs(day)
    return Answers(Days(owner[first], day[first], len(ids)), slot[first] >= _PROMOTER)


def judged(values: _frame.Series, rows: IntArray) -> tuple[list[Any], list[Any], int]:
    """Return which of some distinct scores are answers, and which of these are promoters'.

    Each score stands for so many rows; also how many of these are no answers and no nulls.
    """
    slot = _tally.slots(values, NPS_SCALE, errors="coerce")
    answers = slot < NPS_SCALE.no_answer
    chosen = (answers, answers & (slot >= _PROMOTER))
    every, best = (_frame.python_values(_frame.take(values, np.flatnonzero(c))) for c in chosen)
    return every, best, int(rows[slot == NPS_SCALE.off].sum())


# ---- who, and at which dates --------------------------------------------------------------------


def everybody(
    ids: _frame.Series, lookup: _frame.Frame | None, customer: str
) -> tuple[_frame.Series, IntArray, IntArray]:
    """Return all ids in order, where those of the log stand, and where the listed ones do."""
    if lookup is None:
        return ids, np.arange(len(ids)), np.zeros(0, dtype=np.int64)
    listed = _frame.encode(lookup[customer])
    if (listed.codes < 0).any():
        _refusals.null_keys("customers", customer, int((listed.codes < 0).sum()))
    held = _codes.distinct(listed.codes, len(listed.levels))
    names = _frame.take(listed.levels, held)
    frames = ("customers", "data")
    extra = _frame.take(names, np.flatnonzero(_frame.positions(names, ids, frames) < 0))
    every = _frame.encode(_frame.stacked(ids, extra)).levels
    return every, _frame.positions(ids, every, frames), _frame.positions(names, every, frames)


def periods(log: _logs.Log, freq: str) -> _logs.Activity:
    """Return the periods of a log, without its customers."""
    nothing = np.zeros(0, dtype=np.int64)
    if log.end is None or not len(log.times):
        return _logs.Activity(nothing, nothing, 0, 0, freq)
    day = _calendar.day_numbers(log.times.min()[np.newaxis])
    first = int(_calendar.period_codes(day, freq)[0])
    return _logs.Activity(
        nothing, nothing, first, _logs.last_period(log.end, freq) - first + 1, freq
    )


def starts(active: _logs.Activity, end: np.datetime64 | None, freq: str | None) -> IntArray:
    """Return the days before which purchases count: period starts, or the day after as_of."""
    if freq is None:
        last = np.datetime64(0, "D") if end is None else _logs.as_of_day(end)
        return np.array([last.astype(np.int64) + 1])
    return _logs.starts(active).astype(np.int64)


def _refuse_too_many(customers: int, starts: IntArray, freq: str | None) -> None:
    if customers * len(starts) > _MOST_ROWS:
        days = starts.astype("datetime64[D]")
        msg = (
            f"{customers:,} customers at {len(starts):,} starts of a {freq}, from {days[0]} to "
            f"{days[-1]}, would be {customers * len(starts):,} tiers at the most. Check the dates, "
            "or choose a longer freq."
        )
        raise DataError(msg)


# ---- where customers stand ----------------------------------------------------------------------


class History:
    """What is known of some customers at each start: what lies before it.

    Arrays have a row per customer and a column per start. Dates of a purchase mean nothing where
    there is none yet.
    """

    def __init__(
        self, days: Days, starts: IntArray, rows: slice, answers: Answers | None = None
    ) -> None:
        self._days, self._starts, self._rows, self._answers = days, starts, rows, answers
        self.date = starts - 1  # as of whose end a customer is seen
        self.purchases = _running(days, starts, rows)

    def first(self) -> IntArray:
        """Return the day of the first purchase, one column for all starts."""
        opening = self._days.offset[self._rows.start : self._rows.stop, np.newaxis]
        day: IntArray = _at(self._days.day, opening)
        return day

    def last(self) -> IntArray:
        """Return the day of the latest purchase."""
        day: IntArray = _at(self._days.day, self._latest(self._days, self.purchases))
        return day

    def months(self, window: int) -> IntArray:
        """Return the months with a purchase among the last ``window`` ones, the date's included."""
        days, opens = self._days, self._days.opens
        current = _calendar.period_codes(self.date, "month")
        begun = _running(days, self._starts, self._rows, opens)
        return begun - _running(days, current - window + 1, self._rows, opens, days.month)

    def silent_months(self) -> IntArray:
        """Return the months from that of the latest purchase to the date's."""
        current = _calendar.period_codes(self.date, "month")
        month: IntArray = _at(self._days.month, self._latest(self._days, self.purchases))
        return current - month

    def promoter(self) -> BoolArray:
        """Return where the latest answer is a promoter's."""
        if self._answers is None:
            return np.zeros(self.purchases.shape, dtype=np.bool_)
        count = _running(self._answers.days, self._starts, self._rows)
        found: BoolArray = _at(self._answers.promoter, self._latest(self._answers.days, count))
        return found & (count > 0)

    def _latest(self, days: Days, count: IntArray) -> IntArray:
        return days.offset[self._rows.start : self._rows.stop, np.newaxis] + count - 1


def _at(values: npt.NDArray[Any], places: IntArray) -> Any:
    """Return the values at the places, anything where a place is none."""
    if not len(values):
        return np.zeros(places.shape, dtype=values.dtype)
    return values.take(places, mode="clip")


def _running(
    days: Days,
    limits: IntArray,
    rows: slice,
    among: BoolArray | None = None,
    codes: IntArray | None = None,
) -> IntArray:
    """Return how many days of each customer lie before each limit.

    ``among`` says which days count; ``codes`` stand for the days where limits are no days.
    """
    part = slice(int(days.offset[rows.start]), int(days.offset[rows.stop]))
    owner, day = days.owner[part] - rows.start, (days.day if codes is None else codes)[part]
    if among is not None:
        owner, day = owner[among[part]], day[among[part]]
    # A day counts from the first limit after it on; past the last one there is a column to spare.
    width = len(limits) + 1
    size = (rows.stop - rows.start) * width
    cells = np.bincount(owner * width + np.searchsorted(limits, day, side="right"), minlength=size)
    return cells.reshape(-1, width)[:, :-1].cumsum(axis=1)


Label = Callable[[History], npt.NDArray[Any]]


def standing(
    log: _logs.Log,
    bought: BoolArray | None,
    customer: str,
    customers: _frame.Frame | None,
    starts: IntArray,
    *,
    freq: str | None,
    name: str,
    labels: tuple[str, ...],
    label: Label,
    answers: Callable[[_frame.Series], Answers] | None = None,
) -> Any:
    """Return what a rule makes of every customer of a log at some starts, as a native frame."""
    owner, day, buys = distinct_days(log, bought)
    ids, of_log, listed = everybody(log.ids, customers, customer)
    _refuse_too_many(len(ids), starts, freq)
    owner = of_log[owner]
    known = _first_start(owner, day, starts, len(ids))
    known[listed] = 0
    days = _sorted_days(owner[buys], day[buys], len(ids))
    told = None if answers is None else answers(ids)
    codes = _labelled(days, starts, known, label, told)
    length = len(starts) - known
    made = {customer: _frame.take(ids, np.repeat(np.arange(len(ids)), length)).alias(customer)}
    if freq is not None:
        # The place of a row among all, less that of the customer's row at the very first start.
        opening = np.cumsum(length) - length - known
        start = np.arange(len(codes)) - np.repeat(opening, length)
        days_of = {_splits.VALID_FROM: starts.astype("datetime64[D]")}
        dates = _frame.open_frame(_frame.table(_no_columns(ids), days_of, len(starts)))
        made[_splits.VALID_FROM] = _frame.take(dates[_splits.VALID_FROM], start)
    made[name] = _frame.categories(made[customer], codes, labels).alias(name)
    return _frame.beside(made, fresh=True).to_native()


def _no_columns(like: _frame.Series) -> _frame.Frame:
    return like.to_frame().select([])


def _first_start(customer: IntArray, day: IntArray, starts: IntArray, size: int) -> IntArray:
    """Return the first start after each customer's first row; past the last where none is."""
    known = np.full(size, len(starts), dtype=np.int64)
    first = _codes.starts_of_runs(customer)  # whose days are in order
    known[customer[first]] = np.searchsorted(starts, day[first], side="right")
    return known


def _sorted_days(owner: IntArray, day: IntArray, size: int) -> Days:
    """Return days that are in order of each customer; customers may have been put in another."""
    if len(owner) and (owner[1:] < owner[:-1]).any():
        order = np.argsort(owner, kind="stable")
        owner, day = owner[order], day[order]
    return Days(owner, day, size)


def _labelled(
    days: Days, starts: IntArray, known: IntArray, label: Label, answers: Answers | None
) -> npt.NDArray[np.int8]:
    """Return the labels of all customers from the start on at which each is known, in order."""
    if not days.size or not len(starts):
        return np.zeros(0, dtype=np.int8)
    step = max(1, _CELLS // (len(starts) + 1))
    columns = np.arange(len(starts))

    def work(part: slice) -> list[npt.NDArray[np.int8]]:
        made = []
        for rows in _parallel.blocks(part, step):
            codes = label(History(days, starts, rows, answers)).astype(np.int8)
            made.append(codes[columns >= known[rows, np.newaxis]])
        return made

    return np.concatenate([codes for part in _parallel.in_parts(work, days.size) for codes in part])


# ---- silences -----------------------------------------------------------------------------------


class Lifetimes(NamedTuple):
    """The first lifetime of each customer: its first day, its length, and whether it has ended."""

    start: IntArray
    duration: IntArray
    event: BoolArray


def lifetimes(days: Days, gap: int, until: int) -> Lifetimes:
    """Return the first lifetimes up to a day; a silence longer than ``gap`` days ends one."""
    following, same = days.next_days()
    # Who is silent to the end might have come on the day after.
    ended = np.flatnonzero(np.where(same, following, until + 1) - days.day > gap)
    ended = ended[_codes.starts_of_runs(days.owner[ended])]
    start = days.day[days.offset[:-1]]
    event = np.zeros(days.size, dtype=np.bool_)
    event[days.owner[ended]] = True
    last = np.full(days.size, until, dtype=np.int64)
    last[days.owner[ended]] = days.day[ended] + gap
    return Lifetimes(start, last - start, event)


class Window(NamedTuple):
    """The days of contracts in which lifetimes are told: the last one, and the first if any."""

    until: int
    since: int | None


def window(
    active: _logs.Activity,
    end: np.datetime64,
    zone: str | None,
    gap: int,
    observed_from: object = None,
) -> Window:
    """Return the days in which lifetimes are told; the ends of later ones might not be final.

    Of the activity only the periods matter, which are the days of all contracts.
    """
    last = _logs.last_period(end, "day")
    until, since = last - gap, _logs.first_reported(observed_from, end, zone, "day")
    first = active.first + active.lead if active.span else until
    for day, what in ((first, "the first start"), (since, "observed_from")):
        if day is not None and day > until:
            one, other = np.array([day, last]).astype("datetime64[D]")
            msg = (
                f"gap={gap}: an end is final when a contract has been missing for longer, and "
                f"from {what}, {one}, to the end of observation, {other}, that is known of no "
                "day. Choose a shorter gap."
            )
            raise ParameterError(msg)
    return Window(until, since)


class Terms(NamedTuple):
    """The first lifetime in contracts of each customer who has one, and his days before entry."""

    customer: IntArray
    lives: Lifetimes
    entry: IntArray


def terms(who: IntArray, made: _contracts.Ranges, gap: int, seen: Window) -> Terms:
    """Return the first lifetimes of customers whose contracts are given as ranges of days.

    A day is one of the lifetime when its closing is; more than ``gap`` others end it.
    """
    low = int(made.first.min(initial=seen.until)) - 1  # a contract in force at no closing
    width = max(int(made.last.max(initial=low)), seen.until) - low + 2
    order = np.argsort(who * width + (made.first - low), kind="stable")
    who, first, last, began = (part[order] for part in (who, *made[:3]))
    # How far the customer's contracts reach so far; those of others are smaller numbers.
    reach = np.maximum.accumulate(who * width + (last - low)) - who * width + low
    opens = _codes.starts_of_runs(who)
    opens[1:] |= first[1:] - reach[:-1] > gap + 1
    begins = np.flatnonzero(opens)
    closes = np.append(begins[1:], len(who))[: len(begins)] - 1
    # Who begins with the end of observation may carry on from before, but is none yet.
    began = np.where(began == _contracts.NEVER, seen.until + 1, began)
    start = np.minimum.reduceat(began, begins) if len(begins) else began
    who, first, reach = who[begins], first[begins], reach[closes]
    kept = start <= seen.until
    if seen.since is not None:
        kept &= (reach >= seen.since - 1) | (start >= seen.since)
    rows = np.flatnonzero(kept)
    rows = rows[_codes.starts_of_runs(who[rows])]
    who, start, first, reach = (part[rows] for part in (who, start, first, reach))
    event = reach < seen.until
    entry = np.zeros(len(who), dtype=np.int64)
    if seen.since is not None:
        entry = np.maximum(seen.since - 1 - first, 0)
    lives = Lifetimes(start, np.where(event, reach + 1, seen.until) - first, event)
    return Terms(who, lives, entry)


def gaps(days: Days) -> tuple[IntArray, IntArray]:
    """Return the lengths in days from one active day to the next, and how many of each."""
    following, same = days.next_days()
    lengths, counts = np.unique((following - days.day)[same], return_counts=True)
    return lengths, counts.astype(np.int64)
