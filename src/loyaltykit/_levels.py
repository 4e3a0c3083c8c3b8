"""The levels of one key of a result table, and which rows are held against which.

Rows are told by their place in the table. Pairs of rows come within the groups that the remaining
keys make, all groups at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _estimates, _frame, _refusals
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]
TimeArray = npt.NDArray[np.datetime64]
Pairs = tuple[IntArray, IntArray]

PERIODS = ("period", "cohort")
REST, PREVIOUS = "rest", "previous"
_FROM_COARSE = tuple(reversed(_checks.FREQUENCIES))


class Levels(NamedTuple):
    """Each row's group and level in order, and the rows in order of both.

    ``times`` are those of the levels where they are dates; NaT where a level is null.
    """

    name: str
    group: IntArray
    groups: int
    code: IntArray
    levels: list[Any]
    times: TimeArray | None
    order: IntArray


def read(frame: _frame.Frame, keys: Sequence[str], name: str) -> Levels:
    """Return the levels of a key within the groups of the other keys; refuse repeated rows."""
    others, own = _frame.group(frame, keys), _frame.group(frame, [name])
    series = own.keys[name]
    times = _times(series) if name in PERIODS or _frame.is_dates(series) else None
    code, levels = own.codes, _frame.python_values(series)
    order = np.lexsort((code, others.codes))
    _refuse_repeated(frame, [*keys, name], others.codes[order], code[order], order)
    if times is None and _frame.is_text(series) and not np.array_equal(order, np.arange(len(code))):
        # Labels that somebody has put in an order of his own, as a table from counts may have.
        appearance = np.argsort(_codes.first_rows(code, own.size))
        code, levels = _codes.ranked(code, appearance), [levels[i] for i in appearance]
        order = np.lexsort((code, others.codes))
    return Levels(name, others.codes, others.size, code, levels, times, order)


def _times(series: _frame.Series) -> TimeArray:
    return _frame.read_times(series, None, None, nullable=True).values.astype("datetime64[us]")


def _refuse_repeated(
    frame: _frame.Frame, names: Sequence[str], group: IntArray, code: IntArray, order: IntArray
) -> None:
    twice = np.flatnonzero((group[1:] == group[:-1]) & (code[1:] == code[:-1])) + 1
    if twice.size:
        shown = _frame.rows(frame.select(list(names)), order[twice[:3]])
        cells = zip(*(_frame.python_values(shown[name]) for name in names), strict=True)
        msg = (
            f"result has {_checks.rows(len(twice))} too many for the key {_checks.listed(names)}: "
            f"{', '.join(f'({_checks.listed(cell)})' for cell in cells)}. Keep one row per key."
        )
        raise ParameterError(msg)


def all_pairs(levels: Levels) -> Pairs:
    """Return every two rows of a group: the earlier level first, of dates the later one."""
    order = levels.order
    rank, size = _ranks(levels.group[order], levels.groups)
    if levels.times is None:
        each = size - 1 - rank
        first, step = _repeated(each)
        return order[first], order[first + 1 + step]
    later, step = _repeated(rank)
    return order[later], order[later - rank[later] + step]


def _ranks(group: IntArray, groups: int) -> Pairs:
    """Return each sorted row's place in its group, and how many rows that has."""
    sizes = np.bincount(group, minlength=groups)
    starts = np.cumsum(sizes) - sizes
    return np.arange(len(group)) - starts[group], sizes[group]


def _repeated(times: IntArray) -> Pairs:
    """Return each place as often as it says, and which of these times it is."""
    place = np.repeat(np.arange(len(times)), times)
    before = np.cumsum(times) - times
    return place, np.arange(len(place)) - before[place]


def against(levels: Levels, code: int) -> Pairs:
    """Return every other level of a group against that one; none where a group has no row of it."""
    row = np.full(levels.groups, -1)
    own = np.flatnonzero(levels.code == code)
    row[levels.group[own]] = own
    ordered = levels.order
    rows = ordered[(levels.code[ordered] != code) & (row[levels.group[ordered]] >= 0)]
    return rows, row[levels.group[rows]]


def beside_others(levels: Levels) -> IntArray:
    """Return the rows that are not alone in their group."""
    sizes = np.bincount(levels.group, minlength=levels.groups)
    rows: IntArray = levels.order[sizes[levels.group[levels.order]] > 1]
    return rows


def before(levels: Levels, definition: str) -> Pairs:
    """Return each row and that of the period, or else of the level, just before its own."""
    wanted = previous(levels, definition)[levels.code[levels.order]]
    # One number for group and level, with a gap between groups that no predecessor can cross.
    width = len(levels.levels) + 1
    number = levels.group[levels.order] * width + levels.code[levels.order] + 1
    sought = levels.group[levels.order] * width + wanted + 1
    found = np.minimum(np.searchsorted(number, sought), max(len(number) - 1, 0))
    fits = (wanted >= 0) & (number[found] == sought)
    return levels.order[fits], levels.order[found[fits]]


def previous(levels: Levels, definition: str) -> IntArray:
    """Return for each level the one just before it: -1 for the first, for a gap and for null."""
    known = np.array([level is not None for level in levels.levels], dtype=np.bool_)
    if levels.name not in PERIODS or levels.times is None:
        return np.where(known, np.arange(len(known)), 0) - 1
    # A log's rate says its periods; a survey's table does not, but begins on their first days.
    days = _calendar.day_numbers(levels.times)
    freq = _estimates.part_of(definition, "freq") or coarsest(days)
    codes = _calendar.period_codes(days, freq)
    order = np.argsort(codes)  # text need not stand in the order of the calendar
    place = np.minimum(np.searchsorted(codes, codes - 1, sorter=order), len(codes) - 1)
    return np.where(codes[order[place]] == codes - 1, order[place], -1)


def coarsest(days: IntArray) -> str:
    """Return the coarsest periods that have all the days for their first."""
    for freq in _FROM_COARSE:
        starts = _calendar.period_starts(_calendar.period_codes(days, freq), freq)
        if np.array_equal(_calendar.day_numbers(starts), days):
            return freq
    return _checks.FREQUENCIES[0]


def code_of(levels: Levels, value: object, parameter: str, also: Sequence[str] = ()) -> int:
    """Return the code of a level, named as it is in the column; dates may be ISO text.

    The words in ``also`` are what the caller would take instead, for the message.
    """
    if hasattr(value, "__len__") and not isinstance(value, str):
        _checks.wrong_type(parameter, value, f"one level of {levels.name!r}")
    found = _same_time(levels, value) if levels.times is not None else _same_value(levels, value)
    if found is None:
        shown = levels.levels if levels.times is None else [_text(time) for time in levels.times]
        _refusals.unknown_level(parameter, value, levels.name, shown, also)
    return found


def has(levels: Levels, value: object) -> bool:
    """Return whether a word is itself a level."""
    return levels.times is None and _same_value(levels, value) is not None


def _same_value(levels: Levels, value: object) -> int | None:
    truth = isinstance(value, (bool, np.bool_))
    for i, level in enumerate(levels.levels):
        # True == 1, and is no level of numbers.
        if level is not None and isinstance(level, bool) == truth and _is_same(level, value):
            return i
    return None


def _is_same(level: object, value: object) -> bool:
    try:
        return bool(level == value)
    except TypeError:  # a missing value of pandas is neither equal nor not
        return False


def _same_time(levels: Levels, value: object) -> int | None:
    if levels.times is None or not isinstance(value, (str, dt.date, np.datetime64)):
        return None
    text = value.isoformat() if isinstance(value, dt.date) else str(value).strip()
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    found = np.flatnonzero(levels.times == np.datetime64(moment.replace(tzinfo=None), "us"))
    return int(found[0]) if found.size else None


def _text(time: np.datetime64) -> str | None:
    if np.isnat(time):
        return None
    return str(time.astype("datetime64[s]")).removesuffix("T00:00:00")
