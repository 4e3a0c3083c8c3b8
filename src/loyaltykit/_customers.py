"""Rows per customer as queries of lazy engines: loyalty tiers, segments joined to rows, one answer.

What comes out is a query as well, in the caller's engine; only facts for the checks are collected.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _lazy, _queries
from loyaltykit._engines import SPARK
from loyaltykit._frame import DAY, ID, PERIOD, N, Query
from loyaltykit._lazy import CLOCK, MOMENT
from loyaltykit._queries import SINCE

IntArray = npt.NDArray[np.int64]

_START, _MONTH, _BOUGHT, _PURCHASES, _MONTHS, _ROW = (
    f"lk {name}" for name in ("start", "month", "bought", "purchases", "months", "row")
)
_MARCH_TO_1970 = 719_468  # days from 1 March of the year 0 to 1970-01-01


# ---- loyalty tiers ------------------------------------------------------------------------------


def tiers(
    log: _queries.Log,
    customer: str,
    *,
    customers: Query | None,
    purchase: str | None,
    starts: IntArray,
    freq: str | None,
    periods: int,
    window: int,
    labels: Sequence[str],
) -> Any:
    """Return the tier of every customer at every start, as `tiers._tiers` makes it."""
    first = log.active.first
    rows = log.rows.with_columns(_lazy.period("month").alias(_MONTH))
    if customers is not None:
        customers = customers.with_columns(_lazy.value(customers, customer).alias(ID))
        _queries.refuse_null_keys(customers, ID, customer, "customers")
        rows, customers = _lazy.alike(rows, customers, ID, customer, ("data", "customers"))
    # What happens on a day counts from the next start on; a single start counts all.
    counts_from = nw.col(PERIOD) - first + 1 if freq else _lazy.integer(0, _START)
    rows = rows.with_columns(counts_from.alias(_START))
    bought = rows if purchase is None else rows.filter(_lazy.flag(rows, purchase)[1])
    days = bought.select(ID, DAY, _MONTH, _START).unique()
    opened = days.group_by(ID, _MONTH).agg(nw.col(_START).min())
    closed = opened.with_columns(_leaves(window, starts, first, freq).alias(_START))
    changes = [
        _changes(days, 1, 0),
        _changes(opened, 0, 1),
        _changes(closed, 0, -1),
        _changes(_grid(rows, customers, len(starts)), 0, 0),
    ]
    both = nw.concat(changes, how="vertical").filter(nw.col(_START) < len(starts))
    sums = _lazy.total(nw.col(_PURCHASES), _PURCHASES), _lazy.total(nw.col(_MONTHS), _MONTHS)
    at = both.group_by(ID, _START).agg(*sums)
    running = (nw.col(name).cum_sum().over(ID, order_by=_START) for name in (_PURCHASES, _MONTHS))
    return _labelled(at.with_columns(*running), customer, starts, freq, periods, labels)


def refuse_unclear(query: Query, purchase: str) -> None:
    """Refuse a column that should hold true and false, or 1 and 0, where it does not."""
    unclear, _ = _lazy.flag(query, purchase)
    count = _lazy.only_row(query.select(_lazy.number(unclear, N)))[N]
    if count:
        _checks.not_flags(purchase, count, _lazy.shown(query.filter(unclear), purchase))


def _changes(rows: Query, purchases: int, months: int) -> Query:
    """Return what begins or ceases to count at a start."""
    return rows.select(
        ID, _START, _lazy.integer(purchases, _PURCHASES), _lazy.integer(months, _MONTHS)
    )


def _grid(rows: Query, customers: Query | None, length: int) -> Query:
    """Return every customer with every start at which the customer was known."""
    known = rows.group_by(ID).agg(nw.col(_START).min())
    if customers is not None:
        listed = customers.select(ID, _lazy.integer(0, _START))
        both = nw.concat([known, listed], how="vertical")
        known = both.group_by(ID).agg(nw.col(_START).min())
    numbers = _lazy.table_beside(rows, {_ROW: list(range(length))}, [int])
    grid = known.join(numbers, how="cross").filter(nw.col(_ROW) >= nw.col(_START))
    return grid.select(ID, nw.col(_ROW).cast(nw.Int64).alias(_START))


def _leaves(window: int, starts: IntArray, first: int, freq: str | None) -> nw.Expr:
    """Return the first start at which a month with a purchase has left the window."""
    month = nw.col(_MONTH) + window
    day = _first_day(month)
    if freq is None:  # one start: the month is gone when the day before it lies in a later one
        gone = day < int(starts[0])
        return nw.when(gone).then(nw.lit(0)).otherwise(nw.lit(1)).cast(nw.Int64)
    code = {
        "day": day,
        "week": (day + _lazy.MONDAY) // 7,
        "month": month,
        "quarter": month // 3,
        "year": month // 12,
    }[freq]
    return (code - first + 1).cast(nw.Int64)


def _first_day(month: nw.Expr) -> nw.Expr:
    """Return the day number on which a month begins, counted in years from March to February."""
    since_march = (month % 12 + 10) % 12
    year = (month - 2) // 12 + 1970
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * since_march + 2) // 5 - _MARCH_TO_1970


def _labelled(
    at: Query,
    customer: str,
    starts: IntArray,
    freq: str | None,
    periods: int,
    labels: Sequence[str],
) -> Any:
    purchases, months = nw.col(_PURCHASES), nw.col(_MONTHS)
    prospect, new, repeat, loyal = (nw.lit(label) for label in labels)
    tier = (
        nw.when(purchases == 0)
        .then(prospect)
        .when(purchases == 1)
        .then(new)
        .when(months < periods)
        .then(repeat)
        .otherwise(loyal)
    )
    if at.implementation is not SPARK:  # which has no categories
        tier = tier.cast(nw.Enum(list(labels)))
    columns = [nw.col(ID).alias(customer), tier.alias("tier")]
    if freq is not None:
        dates = starts.astype("datetime64[D]").tolist()
        made = {_START: list(range(len(starts))), "valid_from": dates}
        known = _lazy.table_beside(at, made, [int, dt.date])
        at = at.join(known, on=_START, how="inner")
        columns.insert(1, nw.col("valid_from"))
    tiers = at.select(*columns)
    if tiers.implementation.is_polars():  # the others keep no order
        tiers = tiers.sort(customer, *(["valid_from"] if freq else []))
    return tiers.to_native()


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
        _checks.tied_answers(customer, time, keep, count, _lazy.shown(several, ID))
    return query.select(*kept).to_native()


def _end(name: str, keep: str) -> nw.Expr:
    return nw.col(name).max() if keep == "latest" else nw.col(name).min()
