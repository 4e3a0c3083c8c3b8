"""Flows of customers in memory: who was new, retained, returned or gone in each period.

Everything follows from each pair of customer and period and the one before it. The counts of
shards that are split by customer add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _contracts, _frame, _logs, _parallel, _splits

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

KIND = "lk kind"
# The first four are counted of a log. Of contracts also who joined and left within a period, and
# whose contract ended in it: all who were in force at its start, and those of them who were not at
# its end. Where groups change, also who was in the same one a period before.
NEW, RETAINED, RETURNED, CHURNED, BRIEF, DUE, ENDED, STAYED = range(8)
KINDS = 8
_OF_PAIRS = 4
_CELL = (_frame.PERIOD, KIND, _frame.N)
_MOST_CELLS = 1 << 16


class Counts(NamedTuple):
    """What a log was counted to: groups down, periods across, then kinds.

    Only groups that are present have a row. Counts of shards that are split by customer add up.
    ``changes`` says whether customers may change groups.
    """

    keys: _frame.Frame
    table: IntArray
    starts: npt.NDArray[np.datetime64]
    complete: bool
    as_of: np.datetime64
    changes: bool


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
    contract_end: str | None = None,
    observed_from: Any = None,
    grace: int = 0,
    kinds: Sequence[int] = (),
) -> Counts:
    """Count the flows of a log, or of contracts, in memory; of some kinds only if named."""
    options: dict[str, Any] = {"as_of": as_of, "tz": tz, "errors": errors}
    if contract_end is None:
        log = _logs.read_log(frame, customer, time, ordered=False, **options)
        active = _logs.lasting(_logs.activity(log, freq, observed_from), grace)
    else:
        contracts = _contracts.read(frame, customer, time, contract_end, **options)
        log, active = contracts.log, _contracts.activity(contracts, freq, observed_from)
    split = _splits.read_split(frame, log, customer, by, lookup)
    table = flows(active, split, kinds)
    groups = _present(table[:, active.lead :], by)
    changes = split.changes is not None
    return _counts(_splits.keys_of(split, groups), table[groups], active, log.end, changes)


def _present(table: IntArray, by: Sequence[str]) -> IntArray:
    """Return the groups that are there in some period; the only one of no keys if there is one."""
    if not by and table.shape[1]:
        return np.zeros(1, dtype=np.int64)
    return np.flatnonzero(table.any(axis=(1, 2)))


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64 | None,
    *,
    changes: bool = False,
) -> Counts:
    """Put together what was counted elsewhere: rows of keys, PERIOD, KIND and N.

    Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    period, place, n = (cells[name].to_numpy().astype(np.int64) for name in _CELL)
    _logs.refuse_blow_up(groups.size * active.span, active)
    table = np.zeros((groups.size, active.span, KINDS), dtype=np.int64)
    np.add.at(table, (groups.codes, period - active.first, place), n)
    there = _present(table[:, active.lead :], by)
    return _counts(_frame.rows(groups.keys, there), table[there], active, end, changes)


def _counts(
    keys: _frame.Frame,
    table: IntArray,
    active: _logs.Activity,
    end: np.datetime64 | None,
    changes: bool,
) -> Counts:
    return Counts(
        keys,
        table[:, active.lead :],
        _logs.starts(active)[active.lead :],
        _logs.last_is_complete(end, active),
        _logs.as_of_day(end),
        changes,
    )


def flows(active: _logs.Activity, split: _splits.Split, kinds: Sequence[int] = ()) -> IntArray:
    """Return counts by group, period and kind; of the kinds due, ended and stayed only if named.

    A customer is retained in a period when also active in the one before, new when never active
    before, else returned; and churned in the period after one, when not active in it.
    """
    customer, period, span = active.customer, active.period, active.span
    _logs.refuse_blow_up((split.length + 1) * span, active)
    same = ~_codes.starts_of_runs(customer)
    follows = same.copy()
    follows[1:] &= period[1:] == period[:-1] + 1
    stays = np.append(follows[1:], np.False_)
    if active.brief is not None and len(active.brief[0]):
        same |= _after_brief(active, active.brief)
    day = _logs.starts(active).astype(np.int64)
    size = (split.length + 1) * span * _OF_PAIRS

    def count(part: slice) -> IntArray:
        cells = np.zeros(size, dtype=np.int64)
        for rows in _parallel.blocks(part, max(_parallel.BLOCK, size)):
            who, when = customer[rows], period[rows]
            kind = np.where(follows[rows], RETAINED, np.where(same[rows], RETURNED, NEW))
            group = _splits.groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * _OF_PAIRS + kind, minlength=size)
            left = ~stays[rows] & (when + 1 < span)
            who, when = who[left], when[left] + 1
            group = _splits.groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * _OF_PAIRS + CHURNED, minlength=size)
        return cells

    # Each thread has a table of its own, so that large ones are counted in one.
    whole = [slice(0, len(customer))]
    parts = _parallel.in_parts(count, len(customer)) if size <= _MOST_CELLS else map(count, whole)
    counted = sum(parts, np.zeros(size, dtype=np.int64))
    table = np.zeros((split.length + 1, span, KINDS), dtype=np.int64)
    table[:, :, :_OF_PAIRS] = counted.reshape(split.length + 1, span, _OF_PAIRS)
    for kind, (who, when) in _pairs_of(active, split, stays, day, kinds).items():
        group = _splits.groups_at(split, who, day[when])
        table[:, :, kind] = np.bincount(
            group * span + when, minlength=(split.length + 1) * span
        ).reshape(split.length + 1, span)
    return table


def _after_brief(active: _logs.Activity, brief: tuple[IntArray, IntArray]) -> BoolArray:
    """Return which pairs come after a period in which their customer joined and left."""
    who, when = brief
    first = _codes.starts_of_runs(who)
    size = max(int(who[-1]), int(active.customer.max(initial=0))) + 1
    earliest = np.full(size, active.span)
    earliest[who[first]] = when[first]
    return earliest[active.customer] < active.period


def _pairs_of(
    active: _logs.Activity,
    split: _splits.Split,
    stays: BoolArray,
    day: IntArray,
    kinds: Sequence[int],
) -> dict[int, tuple[IntArray, IntArray]]:
    """Return the pairs of customer and period of the kinds that do not follow from a pair alone."""
    made: dict[int, tuple[IntArray, IntArray]] = {}
    if active.brief is not None:
        made[BRIEF] = active.brief
    if active.due is not None and DUE in kinds:
        who, when = active.due
        before = active.customer * active.span + active.period
        # All of them were in force at the start, so that the pair of the period before is there.
        ended = ~stays[np.searchsorted(before, who * active.span + when - 1)]
        made |= {DUE: active.due, ENDED: (who[ended], when[ended])}
    if STAYED in kinds and split.changes is not None:
        rows = np.flatnonzero(active.period + 1 < active.span)
        who, when = active.customer[rows], active.period[rows]
        was = _splits.groups_at(split, who, day[when])
        same = was == _splits.groups_at(split, who, day[when + 1])
        made[STAYED] = who[same], when[same] + 1
    return made
