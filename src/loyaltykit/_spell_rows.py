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

from loyaltykit import _checks, _codes, _designs, _frame, _refusals, _tally, _variance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Times = npt.NDArray[Any]  # int64 or float64

# The columns of spells that an engine has counted; the keys stand before them.
DURATION, EVENT, ENTRY = (_frame.OWN + name for name in ("duration", "event", "entry"))
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
    """

    keys: _frame.Frame
    size: int
    group: IntArray
    duration: Times
    event: BoolArray
    entry: Times | None
    n: IntArray
    weight: FloatArray | None
    square: FloatArray | None


class Rows(NamedTuple):
    """The spells of some rows; ``n`` and ``weight`` are None where each row is one."""

    duration: Times
    event: BoolArray
    entry: Times | None
    n: FloatArray | None
    weight: FloatArray | None


class Wrong(NamedTuple):
    """How many rows of a frame are wrong in each way, and a few values to show for it."""

    counted: dict[str, int]
    shown: dict[str, list[Any]]


def in_memory(frame: _frame.Frame, asked: Asked, by: Sequence[str], errors: str) -> Spells:
    """Return the spells of a frame."""
    kept, rows, wrong = read_rows(frame, asked, by)
    refuse(asked, wrong.counted, wrong.shown.__getitem__, errors)
    return spells(kept, by, rows)


def counted(frame: _frame.Frame, asked: Asked, by: Sequence[str]) -> Spells:
    """Return the spells that an engine has counted: N of each, or the sums WEIGHT and SQUARE."""
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
    rows = Rows(_widened(frame[DURATION].to_numpy()), event, entry, n, weight)
    return spells(frame, by, rows, square)


# ---- rows ---------------------------------------------------------------------------------------


def read_rows(
    frame: _frame.Frame, asked: Asked, by: Sequence[str]
) -> tuple[_frame.Frame, Rows, Wrong]:
    """Return the rows that can be used, their spells, and what is wrong with the rows."""
    duration = _frame.quantities(frame[asked.duration], "duration")
    event, unclear = _truths(frame[asked.event])
    entry = None
    if asked.entry is not None:
        entry = _frame.quantities(frame[asked.entry], "entry")
    n = None if asked.counts is None else _tally.row_counts(frame[asked.counts])
    weight = None if asked.weights is None else _designs.read_weights(frame[asked.weights])

    no_event = unclear & frame[asked.event].is_null().to_numpy() if unclear.any() else unclear
    wrong: dict[str, BoolArray] = {
        BAD_EVENT: unclear & ~no_event,
        BAD_DURATION: _no_span(duration),
        NO_DURATION: _null(duration),
        NO_EVENT: no_event,
    }
    if entry is not None:
        entry = np.where(_null(entry), 0, entry)
        wrong[BAD_ENTRY] = _no_span(entry)
        wrong[LATE] = (entry >= duration) & (entry > 0) & ~wrong[BAD_DURATION] & ~wrong[BAD_ENTRY]
    if weight is not None:
        wrong[NO_WEIGHT] = _null(weight)
    lost = wrong[NO_DURATION] | no_event
    if weight is not None:
        lost |= wrong[NO_WEIGHT]
    wrong[LOST] = lost
    told = _told(frame, asked, wrong)
    if told.counted[LOST]:
        kept = np.flatnonzero(~lost)
        frame = _frame.rows(frame.select(list(dict.fromkeys([*by, *asked.named.values()]))), kept)
        if frame[asked.duration].dtype.is_integer():  # as floats they were only to hold the nulls
            duration = _frame.quantities(frame[asked.duration], "duration")
        else:
            duration = duration[kept]
        event = event[kept]
        entry, n, weight = (
            None if values is None else values[kept] for values in (entry, n, weight)
        )
    made = Rows(_typed(duration, frame[asked.duration]), event, None, n, weight)
    if entry is not None and asked.entry is not None:
        made = made._replace(entry=_typed(entry, frame[asked.entry]))
    return frame, made, told


def _alike(rows: Rows) -> Rows:
    """Return the rows with whole entries beside whole durations: a null made floats of them."""
    entry = rows.entry
    if entry is None or entry.dtype == rows.duration.dtype or rows.duration.dtype.kind == "f":
        return rows
    whole = entry.astype(np.int64)
    return rows._replace(entry=whole) if bool((whole == entry).all()) else rows


def _truths(series: _frame.Series) -> tuple[BoolArray, BoolArray]:
    """Return where a column is true, and where it is neither true nor false."""
    quick = _frame.plain_truths(series)
    if quick is not None:
        return quick, np.zeros(len(quick), dtype=np.bool_)
    return _frame.truths(series)


def _null(values: npt.NDArray[Any]) -> BoolArray:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)


def _no_span(values: npt.NDArray[Any]) -> BoolArray:
    """Return which numbers are no length of time."""
    bad = values < 0
    return bad | np.isinf(values) if values.dtype.kind == "f" else bad


def _typed(values: npt.NDArray[Any], series: _frame.Series) -> Times:
    """Return times as 64-bit integers where the column holds such, else as floats."""
    made: Times = _widened(values.astype(np.int64) if series.dtype.is_integer() else values)
    return made


def _widened(values: Any) -> Any:
    if values is None:
        return None
    if values.dtype.kind in "iu" and values.max(initial=0) <= np.iinfo(np.int64).max:
        return values.astype(np.int64, copy=False)
    return values.astype(np.float64) + 0.0  # -0.0 is 0.0


def _told(frame: _frame.Frame, asked: Asked, wrong: Mapping[str, BoolArray]) -> Wrong:
    columns = {
        BAD_EVENT: asked.event,
        BAD_DURATION: asked.duration,
        BAD_ENTRY: asked.entry,
        LATE: asked.entry,
    }
    counted = {name: int(rows.sum()) for name, rows in wrong.items()}
    shown = {
        name: _frame.sample(frame[column], np.flatnonzero(wrong[name]))
        for name, column in columns.items()
        if column is not None and counted[name]
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
    """Return the distinct spells of rows; ``square`` where these are sums already."""
    if square is None and rows.weight is not None:
        square = rows.weight * rows.weight
    groups = _frame.group(frame, by)
    made = cells(groups.codes if by else None, groups.size, _alike(rows), square)
    return Spells(groups.keys, groups.size, *made)


def cells(
    group: IntArray | None, size: int, rows: Rows, square: FloatArray | None
) -> tuple[Any, ...]:
    """Return group, duration, event, entry, n, weight and square of the distinct spells."""
    codes, levels = coded(rows.duration)
    width = len(levels)
    if group is not None:
        codes, total = group * width + codes, size * width
    else:
        total = size * width
    codes = 2 * codes + rows.event
    total *= 2
    entries: Times | None = None
    if rows.entry is not None:
        own, entries = coded(rows.entry)
        if total * len(entries) > _MOST_WHOLE:
            codes, present = _codes.renumber(codes, total)
            total = len(present)
        else:
            present = np.arange(total)
        codes, total = codes * len(entries) + own, total * len(entries)
    n = rows.n
    if rows.weight is not None:  # who weighs nothing is nobody
        n = np.where(rows.weight > 0, 1.0 if n is None else n, 0.0)
    if total > max(_MOST_WHOLE, 2 * len(codes)):
        codes, kept = _codes.renumber(codes, total)
    else:
        kept = np.arange(total)
    number = _sums(codes, n, len(kept))
    there = np.flatnonzero(number)
    weight, squares = (
        None if values is None else _variance.sums(codes, values, len(kept))[there]
        for values in (rows.weight, square)
    )
    place, entry = kept[there], None
    if entries is not None:
        place, at = np.divmod(place, len(entries))
        place, entry = present[place], entries[at]
    place, event = np.divmod(place, 2)
    of_group, at = np.divmod(place, max(width, 1))
    return of_group, levels[at], event == 1, entry, number[there], weight, squares


def _sums(codes: IntArray, n: FloatArray | None, size: int) -> IntArray:
    if n is None:
        return np.bincount(codes, minlength=size).astype(np.int64, copy=False)
    return _variance.sums(codes, n, size).astype(np.int64)


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
