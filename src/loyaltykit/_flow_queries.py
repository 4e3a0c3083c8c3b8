"""Flows of customers counted by queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_flows`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import _contract_queries, _flows, _lazy, _logs, _queries
from loyaltykit._flows import BRIEF, CHURNED, DUE, ENDED, KIND, NEW, RETAINED, RETURNED, STAYED
from loyaltykit._frame import ID, PERIOD, Query

_BEFORE, _AFTER, _MORE = "lk before", "lk after", "lk more"


def counted(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    contract_end: str | None = None,
    grace: int = 0,
    kinds: Sequence[int] = (),
    **options: Any,
) -> _flows.Counts:
    """Count new, retained, returned and churned customers and so on, as `_flows.flows`."""
    options["keep"] = [] if lookup else by
    if contract_end is None:
        log = _queries.read_log(query, customer, time, **options)
    else:
        log = _contract_queries.read(query, customer, time, contract_end, **options)
    active = log.active
    rows, split = _queries.split_of(log, customer, by, lookup) if by else (log.rows, None)
    if contract_end is None:
        seen = _lasting(rows.select(ID, PERIOD).unique(), active, grace)
        events = _events(seen, active, None)
    else:
        stock = _contract_queries.stock(rows, active)
        seen = stock.held
        events = [*_events(seen, active, stock.brief), *_of_contracts(stock, kinds)]
    made = nw.concat(events, how="vertical")
    if split is not None:
        made = _queries.with_keys(made, split, [KIND]).select(*by, PERIOD, KIND)
        if split.changes and STAYED in kinds:
            made = nw.concat([made, _stayed(seen, split, by, active)], how="vertical")
    cells = _lazy.collected(_lazy.counted(made, [*by, PERIOD, KIND]))
    changes = split is not None and split.changes
    return _flows.from_cells(cells, by, active, log.end, changes=changes)


def _lasting(seen: Query, active: _logs.Activity, grace: int) -> Query:
    """Return the pairs where each period counts for the next ones too, as `_logs.lasting`."""
    if not grace or not active.span:
        return seen
    more = _lazy.table_beside(seen, {_MORE: list(range(min(grace, active.span) + 1))}, [int])
    seen = seen.join(more, how="cross")
    period = nw.col(PERIOD) + nw.col(_MORE)
    last = active.first + active.span - 1
    reported = (nw.col(PERIOD) >= active.first + active.lead) | (nw.col(_MORE) == 0)
    seen = seen.filter(reported & (period <= last))
    return seen.select(ID, period.cast(nw.Int64).alias(PERIOD)).unique()


def _events(seen: Query, active: _logs.Activity, brief: Query | None) -> list[Query]:
    """Return who comes and goes when: a row of ID, PERIOD and KIND for each."""
    last = active.first + active.span - 1
    period = nw.col(PERIOD)
    seen = seen.with_columns(
        period.shift(1).over(ID, order_by=PERIOD).alias(_BEFORE),
        period.shift(-1).over(ID, order_by=PERIOD).alias(_AFTER),
    )
    first = nw.col(_BEFORE).is_null()
    if brief is not None:
        earliest = brief.group_by(ID).agg(period.min().alias(_MORE))
        seen = seen.join(earliest, on=ID, how="left")
        first = first & (nw.col(_MORE).is_null() | (nw.col(_MORE) > period))
    kind = (
        nw.when(nw.col(_BEFORE) == period - 1)
        .then(nw.lit(RETAINED))
        .when(first)
        .then(nw.lit(NEW))
        .otherwise(nw.lit(RETURNED))
    )
    stayed = nw.col(_AFTER) == period + 1
    left = seen.filter((nw.col(_AFTER).is_null() | ~stayed) & (period < last))
    return [
        seen.select(ID, PERIOD, kind.cast(nw.Int64).alias(KIND)),
        left.select(ID, (period + 1).alias(PERIOD), _lazy.integer(CHURNED, KIND)),
    ]


def _of_contracts(stock: _contract_queries.Stock, kinds: Sequence[int]) -> list[Query]:
    made = [stock.brief.select(ID, PERIOD, _lazy.integer(BRIEF, KIND))]
    if DUE in kinds:
        ended = stock.due.join(stock.held, on=[ID, PERIOD], how="anti")
        made.append(stock.due.select(ID, PERIOD, _lazy.integer(DUE, KIND)))
        made.append(ended.select(ID, PERIOD, _lazy.integer(ENDED, KIND)))
    return made


def _stayed(seen: Query, split: _queries.Split, by: Sequence[str], active: _logs.Activity) -> Query:
    """Return a row of keys, PERIOD and KIND for each who is in the same group a period later."""
    points = seen.filter(nw.col(PERIOD) < active.first + active.span - 1).select(ID, PERIOD)
    later = nw.col(PERIOD) + 1
    was = [f"lk was {i}" for i in range(len(by))]
    before = _queries.with_keys(points, split)
    before = before.select(
        ID,
        later.alias(PERIOD),
        *(nw.col(key).alias(name) for key, name in zip(by, was, strict=True)),
    )
    now = _queries.with_keys(points.select(ID, later.alias(PERIOD)), split)
    both = now.select(ID, PERIOD, *by).join(before, on=[ID, PERIOD], how="inner")
    for key, name in zip(by, was, strict=True):
        one, other = nw.col(key), nw.col(name)
        both = both.filter((one == other) | (one.is_null() & other.is_null()))
    return both.select(*by, PERIOD, _lazy.integer(STAYED, KIND))
