"""Durations and events counted over the partitions of a Dask frame, and added up."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from loyaltykit import _dask, _frame, _spell_rows
from loyaltykit._frame import SQUARE, WEIGHT, N
from loyaltykit._spell_rows import DURATION, ENTRY, EVENT, MISSING

_MOST_SHOWN = 6


class _Part(NamedTuple):
    """What is wrong in a partition, and else its distinct spells."""

    wrong: _spell_rows.Wrong
    rows: Any


def distinct_spells(
    source: _dask.Partitions, asked: _spell_rows.Asked, by: Sequence[str], errors: str
) -> _frame.Frame:
    """Return the distinct rows of keys, DURATION, EVENT and [ENTRY], with their sums."""
    needed = list(dict.fromkeys([*by, *asked.named.values()]))
    reduce = functools.partial(_distinct_spells, asked=asked, by=by)
    parts = _dask.each(_dask.known(source.frame[needed], by), reduce)
    counted = {
        name: sum(part.wrong.counted.get(name, 0) for part in parts) for name in _spell_rows.WRONGS
    }

    def shown(name: str) -> list[Any]:
        every = (value for part in parts for value in part.wrong.shown.get(name, ()))
        return list(every)[:_MOST_SHOWN]

    _spell_rows.refuse(asked, counted, shown, errors)
    return _frame.open_frame(_dask.stacked([part.rows for part in parts]))


def _distinct_spells(part: Any, asked: _spell_rows.Asked, by: Sequence[str]) -> _Part:
    frame = _frame.positional(_frame.open_frame(part))
    rows, wrong = _spell_rows.read_rows(frame, asked)
    if any(wrong.counted.get(name) for name in _spell_rows.BAD):
        return _Part(wrong, None)
    spells = _spell_rows.spells(frame, by, rows)
    # A group of nobody is one too, and needs a row to be told of; so do those left out.
    nobody = np.flatnonzero(
        (np.bincount(spells.group, minlength=spells.size) == 0) | (spells.missing > 0)
    )
    group = np.append(spells.group, nobody)
    made: dict[str, Any] = {
        DURATION: spells.duration,
        EVENT: spells.event.astype(np.int64),
        ENTRY: spells.entry,
        N: spells.n,
        WEIGHT: spells.weight,
        SQUARE: spells.square,
    }
    columns = {
        name: np.append(values, np.zeros(len(nobody), dtype=values.dtype))
        for name, values in made.items()
        if values is not None
    }
    none = np.zeros(len(spells.group), dtype=np.int64)
    columns[MISSING] = np.append(none, spells.missing[nobody])
    return _Part(wrong, _frame.table(_frame.rows(spells.keys, group), columns, len(group)))
