"""Flows of customers counted by queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_flows`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import _flows, _lazy, _queries
from loyaltykit._flows import CHURNED, KIND, NEW, RETAINED, RETURNED
from loyaltykit._frame import ID, PERIOD, Query

_BEFORE, _AFTER = "lk before", "lk after"


def counted(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    **options: Any,
) -> _flows.Counts:
    """Count new, retained, returned and churned customers, as `_flows.flows`."""
    log = _queries.read_log(query, customer, time, keep=[] if lookup else by, **options)
    last = log.active.first + log.active.span - 1
    period = nw.col(PERIOD)
    rows, split = _queries.split_of(log, customer, by, lookup) if by else (log.rows, None)
    seen = rows.select(ID, PERIOD).unique()
    seen = seen.with_columns(
        period.shift(1).over(ID, order_by=PERIOD).alias(_BEFORE),
        period.shift(-1).over(ID, order_by=PERIOD).alias(_AFTER),
    )
    kind = (
        nw.when(nw.col(_BEFORE) == period - 1)
        .then(nw.lit(RETAINED))
        .when(nw.col(_BEFORE).is_null())
        .then(nw.lit(NEW))
        .otherwise(nw.lit(RETURNED))
    )
    stayed = nw.col(_AFTER) == period + 1
    left = seen.filter((nw.col(_AFTER).is_null() | ~stayed) & (period < last))
    events = nw.concat(
        [
            seen.select(ID, PERIOD, kind.cast(nw.Int64).alias(KIND)),
            left.select(ID, (period + 1).alias(PERIOD), _lazy.integer(CHURNED, KIND)),
        ],
        how="vertical",
    )
    if split is not None:
        events = _queries.with_keys(events, split, [KIND])
    cells = _lazy.collected(_lazy.counted(events, [*by, PERIOD, KIND]))
    return _flows.from_cells(cells, by, log.active, log.end)
