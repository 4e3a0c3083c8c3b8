"""Answers counted over the partitions of a Dask frame: the pandas path in each, then a merge.

Answers need no shuffle, because tallies add up.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _dask, _designs, _frame, _partitions, _tally
from loyaltykit._frame import PERIOD, ROWS, SQUARE, WEIGHT, Frame, N

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def distinct_answers(
    source: _dask.Partitions,
    score: str,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None = None,
) -> Frame:
    """Return the distinct rows of keys, [PERIOD] and answer, with their N answers in ROWS rows.

    With a design its columns are keys too, and the sums WEIGHT and SQUARE stand beside N.
    """
    keys, roles = (list(by), {}) if design is None else ([*by, *design.keys], design.roles)
    names = list(dict.fromkeys([*keys, score]))
    used = (*names, counts, time, *roles.values())
    needed = [*dict.fromkeys(name for name in used if name is not None)]
    reduce = functools.partial(
        _distinct_answers,
        names=names,
        counts=counts,
        time=time,
        freq=freq,
        errors=errors,
        design=design,
    )
    parts = _dask.each(_dask.known(source.frame[needed], keys), reduce)
    if time is not None:
        _partitions.refuse_times(parts, time, errors)
        gone = sum(part.without_time for part in parts)
        if gone:
            _checks.warn_of_dropped(gone, f"no usable date in {time!r}")
    return _frame.open_frame(_dask.stacked([part.rows for part in parts]))


def _distinct_answers(
    part: Any,
    names: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None,
) -> _partitions.Part:
    frame = _frame.positional(_frame.open_frame(part))
    told, periods = _partitions.told_nothing(), None
    if time is not None:
        times, told = _partitions.times_of(frame, time, None)
        kept = np.flatnonzero(~np.isnat(times))
        frame = _frame.rows(frame, kept)
        periods = _calendar.period_codes(_calendar.day_numbers(times[kept]), freq)
    codes, keys, starts = _group_periods(_frame.group(frame, names), periods)
    if design is None:
        n = np.ones(len(frame)) if counts is None else _tally.row_counts(frame[counts])
        sums = {N: n}
    else:
        rows = _designs.read_rows(frame, counts, design, errors)
        sums = {N: rows.n, WEIGHT: rows.weight, SQUARE: rows.square}
        codes, keys, starts = _apart(codes, keys, starts, sums[WEIGHT] > 0)
    columns = {
        PERIOD: starts,
        **{
            name: np.bincount(codes, weights=values, minlength=len(starts))
            for name, values in sums.items()
        },
        ROWS: np.bincount(codes, minlength=len(starts)).astype(np.int64),
    }
    return told._replace(rows=_frame.table(keys, columns, len(starts)))


def distinct_rows(source: _dask.Partitions, names: Sequence[str], by: Sequence[str]) -> Frame:
    """Return the distinct rows of some columns; ROWS says how often each stands in a partition."""
    frame = _dask.known(source.frame[list(names)], by)
    parts = _dask.each(frame, functools.partial(_distinct_rows_of, names=names))
    return _frame.open_frame(_dask.stacked(parts))


def _distinct_rows_of(part: Any, names: Sequence[str]) -> Any:
    groups = _frame.group(_frame.positional(_frame.open_frame(part)), names)
    rows = np.bincount(groups.codes, minlength=groups.size).astype(np.int64)
    return _frame.table(groups.keys, {ROWS: rows}, groups.size)


def _group_periods(
    groups: _frame.Groups, periods: IntArray | None
) -> tuple[IntArray, Frame, IntArray]:
    """Split groups by period: the code of each row, and the keys and the period of each code."""
    if periods is None:
        return groups.codes, groups.keys, np.zeros(groups.size, dtype=np.int64)
    counted_from = _calendar.narrowed(periods)
    cells = _codes.paired(groups.codes, counted_from.codes, counted_from.span)
    codes, present = _codes.renumber(cells, groups.size * counted_from.span)
    group, period = np.divmod(present, counted_from.span)
    return codes, _frame.rows(groups.keys, group), period + counted_from.first


def _apart(
    codes: IntArray, keys: Frame, starts: IntArray, weighed: BoolArray
) -> tuple[IntArray, Frame, IntArray]:
    """Split groups again, so that answers without a weight are not counted with the others."""
    codes, present = _codes.renumber(2 * codes + weighed, 2 * len(starts))
    return codes, _frame.rows(keys, present // 2), starts[present // 2]


def series_as_frame(data: object, name: str) -> _dask.Partitions | None:
    """Return a Dask series as a frame of one column; None for anything else."""
    if not type(data).__module__.startswith("dask.") or not hasattr(data, "to_frame"):
        return None
    return _dask.Partitions(data.to_frame(name))
