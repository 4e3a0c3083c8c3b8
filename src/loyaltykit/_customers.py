"""Rows per customer as queries of lazy engines: segments joined to rows, one answer of each.

What comes out is a query as well, in the caller's engine; only facts for the checks are collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import _lazy, _queries, _refusals
from loyaltykit._frame import ID, PERIOD, N, Query
from loyaltykit._lazy import CLOCK, MOMENT
from loyaltykit._queries import SINCE

_ROW = "lk row"


# ---- segments joined to rows --------------------------------------------------------------------


def attach(
    query: Query,
    lookup: Query,
    keys: Sequence[str],
    columns: Sequence[str],
    time: str | None,
    valid_from: str | None,
) -> Any:
    """Return the rows with columns of a lookup frame: those of the key, latest at their time."""
    own = [f"lk key {i}" for i in range(len(keys))]
    pairs = list(zip(own, keys, strict=True))
    kept = query.collect_schema().names()
    query = _lazy.numbered(query, _ROW).with_columns(
        _lazy.value(query, key).alias(as_) for as_, key in pairs
    )
    lookup = lookup.with_columns(_lazy.value(lookup, key).alias(as_) for as_, key in pairs)
    for as_, key in pairs:
        _queries.refuse_null_keys(lookup, as_, key)
        query, lookup = _lazy.alike(query, lookup, as_, key, ("data", "segments"))
    added = [nw.col(name).alias(f"lk column {i}") for i, name in enumerate(columns)]
    if time is None or valid_from is None:
        _queries.refuse_duplicates(lookup, own, keys)
        joined = query.join(lookup.select(*own, *added), on=own, how="left")
    else:
        query, lookup = _with_moments(query, lookup, time, valid_from)
        _queries.refuse_duplicates(lookup, [*own, MOMENT], keys)
        points = query.select(*own, MOMENT).unique()
        found = _queries.latest(points, lookup, own, MOMENT)
        rows = lookup.select(*own, nw.col(MOMENT).alias(SINCE), *added)
        joined = query.join(found, on=[*own, MOMENT], how="left")
        joined = joined.join(rows, on=[*own, SINCE], how="left")
    if joined.implementation.is_polars():
        joined = joined.sort(_ROW)
    named = (nw.col(f"lk column {i}").alias(name) for i, name in enumerate(columns))
    return joined.select(*kept, *named).to_native()


def _with_moments(query: Query, lookup: Query, time: str, valid_from: str) -> tuple[Query, Query]:
    """Return both frames with comparable microseconds; a row without a time is before all."""
    zones = [
        getattr(frame.collect_schema()[name], "time_zone", None)
        for frame, name in ((query, time), (lookup, valid_from))
    ]
    query, zone = _lazy.with_clock(query, time, "UTC" if None not in zones else None)
    _queries.refuse_bad_times(query, time)
    query = query.with_columns(_lazy.moment(query).fill_null(-(2**61)))
    return query, _queries.with_valid_from(lookup, valid_from, zone)


# ---- one answer of each -------------------------------------------------------------------------


def one_answer(
    query: Query, customer: str, time: str, keep: str, waves: Sequence[str], freq: str | None
) -> Any:
    """Return one row of each customer and wave, the latest or the first."""
    kept = query.collect_schema().names()
    own = [ID, *(f"lk key {i}" for i in range(len(waves)))]
    pairs = list(zip(own, [customer, *waves], strict=True))
    query = _lazy.numbered(query, _ROW).with_columns(
        _lazy.value(query, name).alias(as_) for as_, name in pairs
    )
    zone = getattr(query.collect_schema()[time], "time_zone", None)
    if freq is not None:
        local, _ = _lazy.with_clock(query, time, None)
        query = local.with_columns(_lazy.period(freq)).drop(CLOCK)
        own.append(PERIOD)
    # As moments, because a zone's clock shows one hour twice a year.
    query, _ = _lazy.with_clock(query, time, None if zone is None else "UTC")
    _queries.refuse_no_one_and_no_time(query, customer, time)
    query = query.filter(nw.col(CLOCK) == _end(CLOCK, keep).over(*own))
    if query.implementation.is_polars():  # its rows have an order, which settles ties
        query = query.filter(nw.col(_ROW) == _end(_ROW, keep).over(*own))
        return query.select(*kept).to_native()
    query = query.select(*own, *kept).unique()
    several = _lazy.counted(query, own).filter(nw.col(N) > 1)
    count = _lazy.only_row(several.select(nw.len().alias(N)))[N]
    if count:
        _refusals.tied_answers(customer, time, keep, count, _lazy.shown(several, ID))
    return query.select(*kept).to_native()


def _end(name: str, keep: str) -> nw.Expr:
    return nw.col(name).max() if keep == "latest" else nw.col(name).min()
