"""Cohorts of customers counted by queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_cohorts`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import _cohorts, _lazy, _queries
from loyaltykit._cohorts import AGE
from loyaltykit._frame import ID, PERIOD, Query

_COHORT = "lk cohort"


def counted(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    **options: Any,
) -> _cohorts.Counts:
    """Count active customers by first period and periods since then, as `_cohorts.cohorts`."""
    log = _queries.read_log(query, customer, time, keep=[] if lookup else by, **options)
    rows, split = _queries.split_of(log, customer, by, lookup) if by else (log.rows, None)
    seen = rows.select(ID, PERIOD).unique()
    seen = seen.with_columns(nw.col(PERIOD).min().over(ID).alias(_COHORT))
    if split is not None:
        joined = seen.select(ID, nw.col(_COHORT).alias(PERIOD)).unique()
        seen = seen.join(_queries.with_keys(joined, split).select(ID, *by), on=ID, how="left")
    age = (nw.col(PERIOD) - nw.col(_COHORT)).alias(AGE)
    aged = seen.select(*by, nw.col(_COHORT).alias(PERIOD), age)
    cells = _lazy.collected(_lazy.counted(aged, [*by, PERIOD, AGE]))
    return _cohorts.from_cells(cells, by, log.active, log.end)
