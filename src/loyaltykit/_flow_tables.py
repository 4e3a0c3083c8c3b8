"""The flows of all groups and periods as rows: what flows, retention and churn share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _behaviour, _checks, _frame, _results, _sources
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]
MaskedArray = np.ma.MaskedArray[Any, np.dtype[np.int64]]


class Flow(NamedTuple):
    """Flow counts, a row per group and period: ``first`` marks the first period of each group.

    ``unknown`` marks the periods without a start; ``changes`` says whether customers may change
    groups.
    """

    keys: _frame.Frame
    period: npt.NDArray[np.datetime64]
    coverage: npt.NDArray[Any]
    counts: IntArray
    first: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.bool_]
    changes: bool
    as_of: np.datetime64

    def all_of(self, *kinds: int) -> IntArray:
        """Return the sum of some kinds of counts."""
        total: IntArray = self.counts[:, list(kinds)].sum(axis=1)
        return total

    def sum_of(self, *kinds: int) -> MaskedArray:
        """Return the sum of some kinds of counts, null where the period has no start."""
        return np.ma.masked_array(self.all_of(*kinds), mask=self.unknown)


def counted(
    data: Any,
    customer: str,
    time: str,
    *,
    contract_end: str | None,
    grace: int,
    kinds: Sequence[int] = (),
    base: Sequence[int] = (),
    **options: Any,
) -> Flow:
    """Return the flow of every group that is present, in every period from first to last.

    Some kinds are counted only if named. With a base, a group in which that is 0 in every period is
    not present, unless there are no groups.
    """
    grace = check_grace(grace, contract_end)
    with _sources.turn(data):
        counted = _behaviour.count_log(
            data,
            customer,
            time,
            "flows",
            contract_end=contract_end,
            grace=grace,
            kinds=kinds,
            **options,
        )
    table, span = counted.table, len(counted.starts)
    told = table[:, :, list(base)] if base and counted.keys.columns else table
    groups = np.flatnonzero(told.any(axis=(1, 2)) | (not counted.keys.columns))
    period = np.tile(np.arange(span), len(groups))
    observed = np.ones(span, dtype=np.bool_)
    observed[-1:] = counted.complete
    partial = ~observed
    if contract_end is None:
        # The starts of the first ones look back to periods that were not observed.
        partial[1 : 1 + grace] = True
        observed[: 1 + grace] = partial[:1] = False
    return Flow(
        _frame.rows(counted.keys, np.repeat(groups, span)),
        counted.starts[period],
        _results.coverage(observed, partial)[period],
        table[groups].reshape(-1, table.shape[2]),
        period == 0,
        (period == 0) & (contract_end is None),
        counted.changes,
        counted.as_of,
    )


def check_grace(grace: object, contract_end: str | None) -> int:
    """Return the periods of silence that a customer may keep."""
    number = _checks.check_integer("grace", grace, low=0)
    if number and contract_end is not None:
        msg = (
            f"grace={number} beside contract_end: a contract says itself when it ends. Leave grace "
            "out, or move the ends."
        )
        raise ParameterError(msg)
    return number
