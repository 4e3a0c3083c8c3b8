"""Rows of durations and events: what is wrong with them, and how many of them are alike.

A spell is the time from which somebody was under observation to the event, or to the end of
observation without one. Everything that follows needs only the distinct spells of each group, and
how often each occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _codes, _counting, _designs, _frame, _refusals, _tally, _variance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Times = npt.NDArray[Any]  # int64 or float64

# The columns of spells that an engine has counted; the keys stand before them.
DURATION, EVENT, ENTRY, MISSING = (
    _frame.OWN + name for name in ("duration", "event", "entry", "missing")
)
# What may be wrong with a row, in the order in which it is refused.
BAD_EVENT, BAD_DURATION, BAD_ENTRY, LATE = "bad event", "bad duration", "bad entry", "late entry"
NO_DURATION, NO_EVENT, NO_WEIGHT, LOST = "no duration", "no event", "no weight", "lost"
BAD = (BAD_EVENT, BAD_DURATION, BAD_ENTRY, LATE)
WRONGS = (*BAD, NO_DURATION, NO_EVENT, NO_WEIGHT, LOST)
# Whole durations up to the first are their own codes, without a sort; up to the second always.
_MOST_WHOLE, _FEW = 1 << 20, 1 << 12


class Asked(NamedTuple):
    """The columns of the spells."""

    duration: str
    event: str
    entry: str | None
    counts: str | None
    weights: str | None

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that are given, under their parameters."""
        return {role: name for role, name in self._asdict().items() if name is not None}


class Spells(NamedTuple):
    """The distinct spells of every group, and how often each occurs; groups without one stay.

    They come in order of group, duration, event and entry. An entry of 0 is none. ``weight`` and
    ``square`` are the sums of sampling weights and of their squares, None where there are none.
    ``missing`` are the subjects of each group that were left out.
    """

    keys: _frame.Frame
    size: int
    missing: IntArray
    group: IntArray
    duration: Times
    event: BoolArray
    entry: Times | None
    n: IntArray
    weight: FloatArray | None
    square: FloatArray | None


class Rows(NamedTuple):
    """The spells of some rows; ``n`` and ``weight`` are None where each row is one.

    ``kept`` are their positions in a frame of which others are left out, None for all, and
    ``missing`` says of each row of that frame how many subjects are left out with it.
    """

    duration: Times
    event: BoolArray
    entry: Times | None
    n: FloatArray | None
    weight: FloatArray | None
    kept: IntArray | None = None
    missing: FloatArray | None = None


class Wrong(NamedTuple):
    """How many rows of a frame are wrong in each way, and a few values to show for it."""

    counted: dict[str, int]
    shown: dict[str, list[Any]]


def in_memory(frame: _frame.Frame, asked: Asked, by: Sequence[str], errors: str) -> Spells:
    """Return the spells of a frame."""
    rows, wrong = read_rows(frame, asked)
    refuse(asked, wrong.counted, wrong.shown.__getitem__, errors)
    return spells(frame, by, rows)


def counted(frame: _frame.Frame, asked: Asked, by: Sequence[str]) -> Spells:
    """Return the spells that an engine has counted: N of each, or the sums WEIGHT and SQUARE.

    MISSING are those left out; a row of theirs counts nobody.
    """
    n = frame[_frame.N].to_numpy().astype(np.float64)
    _refusals.check_total(asked.counts, float(n.sum()))
    weight = square = entry = None
    if asked.weights is not None:
        weight, square = (
            frame[name].to_numpy().astype(np.float64) for name in (_frame.WEIGHT, _frame.SQUARE)
        )
    if asked.entry is not None:
        entry = _widened(frame[ENTRY].to_numpy())
    event = frame[EVENT].to_numpy().astype(np.bool_)
    missing = frame[MISSING].to_numpy().astype(np.float64)
    rows = Rows(_widened(frame[DURATION].to_numpy()), event, entry, n, weight, None, missing)
    return spells(frame, by, rows, square)


# ---- rows ---------------------------------------------------------------------------------------


def read_rows(frame: _frame.Frame, asked: Asked) -> tuple[Rows, Wrong]:
    """Return the spells of the rows that can be used, and what is wrong with the rows."""
    duration = _frame.quantities(frame[asked.duration], "duration")
    event, wrong = _events(frame[asked.event])
    entry = None
    if asked.entry is not None:
        entry = _frame.quantities(frame[asked.entry], "entry")
    n = None if asked.counts is None else _tally.row_counts(frame[asked.counts])
    weight = None if asked.weights is None else _designs.read_weights(frame[asked.weights])

    wrong |= {BAD_DURATION: _no_span(duration), NO_DURATION: _null(duration)}
    if entry is not None:
        unknown = _null(entry)
        entry = entry if unknown is None else np.where(unknown, 0, entry)
        wrong[BAD_ENTRY] = _no_span(entry)
        spans = _any_of([wrong[BAD_DURATION], wrong[BAD_ENTRY]])
        late = (entry >= duration) & (entry > 0)
        wrong[LATE] = late if spans is None else late & ~spans
    if weight is not None:
        wrong[NO_WEIGHT] = _null(weight)
    lost = _any_of([wrong.get(name) for name in (NO_DURATION, NO_EVENT, NO_WEIGHT)])
    told = _told(frame, asked, {**wrong, LOST: lost})
    kept = missing = None
    if lost is not None:
        missing = np.where(lost, 1.0 if n is None else n, 0.0)
        kept = np.flatnonzero(~lost)
        frame = _frame.rows(frame.select(list(dict.fromkeys(asked.named.values()))), kept)
        if frame[asked.duration].dtype.is_integer():  # as floats they were only to hold the nulls
            duration = _frame.quantities(frame[asked.duration], "duration")
        else:
            duration = duration[kept]
        event = event[kept]
        entry, n, weight = (
            None if values is None else values[kept] for values in (entry, n, weight)
        )
    made = Rows(_typed(duration, frame[asked.duration]), event, None, n, weight, kept, missing)
    if entry is not None and asked.entry is not None:
        made = made._replace(entry=_typed(entry, frame[asked.entry]))
    return made, told


def _alike(rows: Rows) -> Rows:
    """Return the rows with whole entries beside whole durations: a null made floats of them."""
    entry = rows.entry
    if entry is None or entry.dtype == rows.duration.dtype or rows.duration.dtype.kind == "f":
        return rows
    whole = entry.astype(np.int64)
    return rows._replace(entry=whole) if bool((whole == entry).all()) else rows


# In these, None is a mask of nobody: most columns have nothing wrong, and need none.
Mask = BoolArray | None


def _any_of(masks: Sequence[Mask]) -> Mask:
    some = [rows for rows in masks if rows is not None]
    return np.logical_or.reduce(some) if some else None


def _events(series: _frame.Series) -> tuple[BoolArray, dict[str, Mask]]:
    """Return where a column is true, and what is wrong with it."""
    quick = _frame.plain_truths(series)
    if quick is not None:
        return quick, {}
    event, unclear, null = _frame.truths(series)
    return event, {BAD_EVENT: unclear, NO_EVENT: null if null.any() else None}


def _null(values: npt.NDArray[Any]) -> Mask:
    if values.dtype.kind != "f":
        return None
    null = np.isnan(values)
    return null if null.any() else None


def _no_span(values: npt.NDArray[Any]) -> Mask:
    """Return which numbers are no length of time."""
    low, high = np.fmin.reduce(values, initial=0), np.fmax.reduce(values, initial=0)
    return (values < 0) | (values == np.inf) if low < 0 or high == np.inf else None


def _typed(values: npt.NDArray[Any], series: _frame.Series) -> Times:
    """Return times as 64-bit integers where the column holds such, else as floats."""
    whole = series.dtype.is_integer() and values.dtype.kind == "f"
    made: Times = _widened(values.astype(np.int64) if whole else values)
    return made


def _widened(values: Any) -> Any:
    if values is None:
        return None
    if values.dtype.kind in "iu" and values.max(initial=0) <= np.iinfo(np.int64).max:
        return values.astype(np.int64, copy=False)
    return values.astype(np.float64) + 0.0  # -0.0 is 0.0


def _told(frame: _frame.Frame, asked: Asked, wrong: Mapping[str, Mask]) -> Wrong:
    columns = {
        BAD_EVENT: asked.event,
        BAD_DURATION: asked.duration,
        BAD_ENTRY: asked.entry,
        LATE: asked.entry,
    }
    found = {name: rows for name, rows in wrong.items() if rows is not None}
    counted = {name: int(np.count_nonzero(rows)) for name, rows in found.items()}
    shown = {
        name: _frame.sample(frame[column], np.flatnonzero(found[name]))
        for name, column in columns.items()
        if column is not None and counted.get(name)
    }
    return Wrong(counted, shown)


def refuse(
    asked: Asked,
    counted: Mapping[str, int],
    shown: Callable[[str], Sequence[object]],
    errors: str,
) -> None:
    """Refuse rows that are wrong; warn of those without a value that are left out."""
    found = [name for name in WRONGS if counted.get(name)]
    if not found:
        return
    first = found[0]
    number = counted[first]
    if first == BAD_EVENT:
        _refusals.bad_events(asked.event, number, shown(first))
    if first == BAD_DURATION:
        _refusals.bad_spans("duration", asked.duration, number, shown(first))
    if first == BAD_ENTRY:
        _refusals.bad_spans("entry", str(asked.entry), number, shown(first))
    if first == LATE:
        _refusals.late_entries(str(asked.entry), asked.duration, number, shown(first))
    if errors == "raise":
        missing = {
            NO_DURATION: (asked.duration, "duration"),
            NO_EVENT: (asked.event, "event code"),
            NO_WEIGHT: (str(asked.weights), "weight"),
        }
        column, what = missing[first]
        _refusals.null_values(column, number, what)
    needed = "no duration or event" if asked.weights is None else "no duration, event or weight"
    _checks.warn_of_dropped(counted[LOST], needed)


# ---- counting -----------------------------------------------------------------------------------


def spells(
    frame: _frame.Frame, by: Sequence[str], rows: Rows, square: FloatArray | None = None
) -> Spells:
    """Return the distinct spells of rows; ``square`` where these are sums already.

    A group all of whose rows are left out is one of nobody.
    """
    if square is None and rows.weight is not None:
        square = rows.weight * rows.weight
    if not by:
        alone = _frame.cells(frame, by)
        total = 0.0 if rows.missing is None else rows.missing.sum()
        missing = np.full(1, total).astype(np.int64)
        return Spells(alone.keys, 1, missing, *_cells(None, 1, _alike(rows), square))
    groups = _frame.group(frame, by)
    missing = np.zeros(groups.size, dtype=np.int64)
    if rows.missing is not None:
        missing = _variance.sums(groups.codes, rows.missing, groups.size).astype(np.int64)
    codes = groups.codes if rows.kept is None else groups.codes[rows.kept]
    cells = _cells(codes, groups.size, _alike(rows), square)
    return Spells(groups.keys, groups.size, missing, *cells)


def _cells(
    group: IntArray | None, size: int, rows: Rows, square: FloatArray | None
) -> tuple[Any, ...]:
    """Return group, duration, event, entry, n, weight and square of the distinct spells."""
    codes, levels = coded(rows.duration)
    width, length = 2 * len(levels), len(codes)
    few = size * width <= max(_MOST_WHOLE, 2 * length)
    if few and rows.entry is None and rows.weight is None:
        number = _count(group, size, width, codes, rows).ravel()
        return _named(np.arange(len(number)), number, levels, None, None, None)
    cell = 2 * codes + rows.event
    if group is not None:
        cell += group * width
    present: IntArray = np.arange(size * width) if few else np.zeros(0, dtype=np.int64)
    if not few:
        cell, present = _codes.renumber(cell, size * width)
    entries = None
    if rows.entry is not None:
        own, entries = coded(rows.entry)
        cell, pairs = _codes.renumber(
            cell * len(entries) + own, max(len(present) * len(entries), 1)
        )
        before, at = np.divmod(pairs, max(len(entries), 1))
        present, entries = present[before], entries[at]
    n = rows.n
    if rows.weight is not None:  # who weighs nothing is nobody
        n = np.where(rows.weight > 0, 1.0 if n is None else n, 0.0)
    ones = np.ones(length) if n is None else n
    number = _variance.sums(cell, ones, len(present)).astype(np.int64)
    weight, squares = (
        None if values is None else _variance.sums(cell, values, len(present))
        for values in (rows.weight, square)
    )
    return _named(present, number, levels, entries, weight, squares)


def _count(group: IntArray | None, size: int, width: int, codes: IntArray, rows: Rows) -> IntArray:
    """Return how many have each duration and event in each group."""

    def slots(part: slice) -> IntArray:
        made: IntArray = 2 * codes[part]
        made += rows.event[part]
        return made

    return _counting.count_cells(group, size, width, slots, len(codes), rows.n)


def _named(
    place: IntArray,
    number: IntArray,
    levels: Times,
    entry: Times | None,
    weight: FloatArray | None,
    square: FloatArray | None,
) -> tuple[Any, ...]:
    """Return the columns of the cells in which somebody is."""
    there = np.flatnonzero(number)
    group, rest = np.divmod(place[there], max(2 * len(levels), 1))
    at, event = np.divmod(rest, 2)
    sums = (None if values is None else values[there] for values in (entry, weight, square))
    entry, weight, square = sums
    return group, levels[at], event == 1, entry, number[there], weight, square


def coded(values: Times) -> tuple[IntArray, Times]:
    """Return a code for each time, and the times in order, of which some may not occur."""
    if not len(values):
        return np.zeros(0, dtype=np.int64), values
    high = values.max()
    if values.min() >= 0 and high < min(_MOST_WHOLE, 8 * len(values) + _FEW):
        whole = values.astype(np.int64, copy=False)
        if values.dtype.kind == "i" or bool((whole == values).all()):
            return whole, np.arange(int(high) + 1).astype(values.dtype)
    order = np.argsort(values)
    starts = _codes.starts_of_runs(values[order])
    codes = np.empty(len(values), dtype=np.int64)
    codes[order] = np.cumsum(starts) - 1
    return codes, values[order[starts]]
