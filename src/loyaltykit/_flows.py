"""Flows of customers in memory: who was new, retained, returned or gone in each period.

Everything follows from each pair of customer and period and the one before it. The counts of
shards that are split by customer add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _frame, _logs, _parallel, _splits

IntArray = npt.NDArray[np.int64]

KIND = "lk kind"
NEW, RETAINED, RETURNED, CHURNED = range(4)
KINDS = 4
_CELL = (_frame.PERIOD, KIND, _frame.N)
_MOST_CELLS = 1 << 16


class Counts(NamedTuple):
    """What a log was counted to: groups down, periods across, then kinds.

    Only groups that are present have a row. Counts of shards that are split by customer add up.
    """

    keys: _frame.Frame
    table: IntArray
    starts: npt.NDArray[np.datetime64]
    complete: bool
    as_of: np.datetime64


def counted(
    frame: _frame.Frame,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _frame.Frame | None,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
) -> Counts:
    """Count the flows of a log in memory."""
    log = _logs.read_log(frame, customer, time, as_of=as_of, tz=tz, errors=errors, ordered=False)
    active = _logs.activity(log, freq)
    split = _splits.read_split(frame, log, customer, by, lookup)
    table = flows(active, split)
    groups = np.flatnonzero(table.any(axis=(1, 2)))
    return _counts(_splits.keys_of(split, groups), table[groups], active, log.end)


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64 | None,
) -> Counts:
    """Put together what was counted elsewhere: rows of keys, PERIOD, KIND and N.

    Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    period, place, n = (cells[name].to_numpy().astype(np.int64) for name in _CELL)
    _logs.refuse_blow_up(groups.size * active.span, active)
    table = np.zeros((groups.size, active.span, KINDS), dtype=np.int64)
    np.add.at(table, (groups.codes, period - active.first, place), n)
    return _counts(groups.keys, table, active, end)


def _counts(
    keys: _frame.Frame, table: IntArray, active: _logs.Activity, end: np.datetime64 | None
) -> Counts:
    return Counts(
        keys, table, _logs.starts(active), _logs.last_is_complete(end, active), _logs.as_of_day(end)
    )


def flows(active: _logs.Activity, split: _splits.Split) -> IntArray:
    """Return counts by group, period and kind: new, retained, returned, churned.

    A customer is retained in a period when also active in the one before, new when never active
    before, else returned; and churned in the period after one, when not active in it.
    """
    customer, period, span = active.customer, active.period, active.span
    _logs.refuse_blow_up((split.length + 1) * span, active)
    same = ~_codes.starts_of_runs(customer)
    follows = same.copy()
    follows[1:] &= period[1:] == period[:-1] + 1
    stays = np.append(follows[1:], np.False_)
    day = _logs.starts(active).astype(np.int64)
    size = (split.length + 1) * span * KINDS

    def count(part: slice) -> IntArray:
        cells = np.zeros(size, dtype=np.int64)
        for rows in _parallel.blocks(part, max(_parallel.BLOCK, size)):
            who, when = customer[rows], period[rows]
            kind = np.where(follows[rows], RETAINED, np.where(same[rows], RETURNED, NEW))
            group = _splits.groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * KINDS + kind, minlength=size)
            left = ~stays[rows] & (when + 1 < span)
            who, when = who[left], when[left] + 1
            group = _splits.groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * KINDS + CHURNED, minlength=size)
        return cells

    # Each thread has a table of its own, so that large ones are counted in one.
    whole = [slice(0, len(customer))]
    parts = _parallel.in_parts(count, len(customer)) if size <= _MOST_CELLS else map(count, whole)
    counted = sum(parts, np.zeros(size, dtype=np.int64))
    return counted.reshape(split.length + 1, span, KINDS)
