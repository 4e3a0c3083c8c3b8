"""Cohorts of customers in memory: who joined in which period, and was active how much later.

The counts of shards that are split by customer add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _frame, _logs, _splits

IntArray = npt.NDArray[np.int64]

AGE = "lk age"
_CELL = (_frame.PERIOD, AGE, _frame.N)


class Counts(NamedTuple):
    """What a log was counted to: groups down, cohorts across, then ages.

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
    """Count the cohorts of a log in memory."""
    log = _logs.read_log(frame, customer, time, as_of=as_of, tz=tz, errors=errors, ordered=False)
    active = _logs.activity(log, freq)
    split = _splits.read_split(frame, log, customer, by, lookup)
    table = cohorts(active, split)
    groups = np.flatnonzero(table.any(axis=(1, 2)))
    return _counts(_splits.keys_of(split, groups), table[groups], active, log.end)


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64 | None,
) -> Counts:
    """Put together what was counted elsewhere: rows of keys, PERIOD, AGE and N.

    Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    period, place, n = (cells[name].to_numpy().astype(np.int64) for name in _CELL)
    _logs.refuse_blow_up(groups.size * active.span**2, active)
    table = np.zeros((groups.size, active.span, active.span), dtype=np.int64)
    np.add.at(table, (groups.codes, period - active.first, place), n)
    return _counts(groups.keys, table, active, end)


def _counts(
    keys: _frame.Frame, table: IntArray, active: _logs.Activity, end: np.datetime64 | None
) -> Counts:
    return Counts(
        keys, table, _logs.starts(active), _logs.last_is_complete(end, active), _logs.as_of_day(end)
    )


def cohorts(active: _logs.Activity, split: _splits.Split) -> IntArray:
    """Return active customers by group, first period and periods since then.

    The group is that at the start of the customer's first period.
    """
    customer, period, span = active.customer, active.period, active.span
    first = np.ones(len(customer), dtype=np.bool_)
    first[1:] = customer[1:] != customer[:-1]
    index = np.flatnonzero(first)
    joined = period[index]
    group = _splits.groups_at(split, customer[index], _logs.starts(active).astype(np.int64)[joined])
    of_pair = np.cumsum(first) - 1
    # A customer's row of the table is settled once; each pair then only adds its age.
    row = (group * span + joined) * span - joined
    size = (split.length + 1) * span * span
    _logs.refuse_blow_up(size, active)
    cells = np.bincount(row[of_pair] + period, minlength=size)
    return cells.reshape(split.length + 1, span, span).astype(np.int64)
