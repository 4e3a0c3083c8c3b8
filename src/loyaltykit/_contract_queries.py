"""Contracts as queries of lazy engines: who was in force at the closing of which period.

Each query says the same as the NumPy path of `_contracts`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from loyaltykit import _contracts, _lazy, _logs, _queries, _refusals
from loyaltykit._contracts import NEVER
from loyaltykit._engines import SPARK
from loyaltykit._frame import ID, PERIOD, Query
from loyaltykit._lazy import CLOCK, MOMENT
from loyaltykit._queries import STOP

# Of a contract, beside PERIOD, in which it begins: the rest of `_contracts.Ranges`.
FIRST, LAST, ENDED = "lk first", "lk last", "lk ended"
# The first period that starts at its end or later.
_STOPS = "lk stops"
FROM, TO, _PLACE = "lk from", "lk to", "lk place"


class Stock(NamedTuple):
    """Distinct rows of ID and PERIOD: in force at its closing; joined and left in it; due in it."""

    held: Query
    brief: Query
    due: Query


def read(
    query: Query,
    customer: str,
    time: str,
    contract_end: str,
    *,
    keep: Sequence[str] = (),
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    observed_from: Any = None,
) -> _queries.Log:
    """Return the usable contracts up to ``as_of``: ID, FIRST, LAST, PERIOD, ENDED, columns kept.

    Also MOMENT and STOP, the microseconds of start and end.
    """
    query, zone, end_zone = _with_moments(query, customer, time, contract_end, freq, tz)
    facts = _queries.facts_of(query, time, contract_end)
    if tz is not None and end_zone is None and facts["ending"]:
        _refusals.naive_times(tz, contract_end)
    one_zone = (zone is None) == (end_zone is None)
    _queries.refuse_ends(query, time, contract_end, errors, facts, one_zone=one_zone)
    _queries.refuse(query, customer, time, tz, zone, errors, facts)
    strange = nw.col(STOP).is_null() & ~nw.col(contract_end).is_null()
    dropped = _queries.unusable() | strange | _lazy.known(nw.col(STOP) < nw.col(MOMENT))
    options: dict[str, Any] = {"why": _contracts.UNUSABLE, "closing": True}
    log = _queries.until(query, facts, dropped, freq, as_of, zone, observed_from, **options)
    log = log._replace(active=_contracts.periods(log.active))
    end = _logs.end_or_any(log.end)
    closing, last = int(end.astype("datetime64[us]").astype(np.int64)), _logs.last_period(end, freq)
    over = nw.col(STOP) <= closing
    kept = [_lazy.value(log.rows, name) for name in keep]
    rows = log.rows.select(
        ID,
        MOMENT,
        STOP,
        (_at_most(_lazy.next_start(log.rows, freq), last + 1) - 1).alias(FIRST),
        _either(over, _at_most(nw.col(_STOPS), last + 1) - 2, last).alias(LAST),
        _either(nw.col(MOMENT) < closing, _lazy.period(freq), NEVER).alias(PERIOD),
        _either(
            over & (nw.col(STOP) > nw.col(MOMENT)), _at_most(nw.col(_STOPS), last + 1) - 1, NEVER
        ).alias(ENDED),
        *kept,
    )
    return log._replace(rows=rows)


def _with_moments(
    query: Query, customer: str, time: str, contract_end: str, freq: str, tz: str | None
) -> tuple[Query, str | None, str | None]:
    """Return the rows with ID, CLOCK and MOMENT of the start, STOP and _STOPS; and the zones."""
    schema = query.collect_schema()
    zones = [getattr(schema[name], "time_zone", None) for name in (time, contract_end)]
    if tz is not None and zones[0] is None and schema[time] in (nw.Date, nw.Datetime):
        _refusals.naive_times(tz, time)  # the start is read first in memory
    # An end without a zone is held against the start's when it is known whether there is any.
    naive = zones[1] is None and schema[contract_end] in (nw.Date, nw.Datetime)
    own = None if naive else tz if zones[1] is None else tz or zones[0] or zones[1]
    query, _ = _lazy.with_clock(query, contract_end, own)
    stops = _lazy.next_start(query, freq).alias(_STOPS)
    query = query.with_columns(_lazy.moment(query).alias(STOP), stops)
    query = query.drop(CLOCK, _lazy.TEXT, strict=False)
    query, zone = _queries.timed(query, customer, time, tz)
    return query, zone, own if zones[1] else None


def stock(rows: Query, active: _logs.Activity) -> Stock:
    """Return who was in force at which closing, as `_contracts.stock`."""
    low, opening = active.first, active.first + active.lead
    first, last, began = nw.col(FIRST), nw.col(LAST), nw.col(PERIOD)
    inside = first <= last
    early = ~inside & (began < opening) & (began > NEVER)
    reach = rows.filter(inside | early).select(
        ID,
        _either(early, nw.lit(low), at_least(first, low)).alias(FROM),
        _either(early, nw.lit(low), at_least(last, low)).alias(TO),
    )
    held = closings(reach.unique(), active).unique()
    opened = held.select(ID, (nw.col(PERIOD) + 1).alias(PERIOD))
    brief = rows.filter(~inside & (began >= opening)).select(ID, PERIOD).unique()
    for others in (held, opened):
        brief = brief.join(others, on=[ID, PERIOD], how="anti")
    due = rows.filter(nw.col(ENDED) >= opening).select(ID, nw.col(ENDED).alias(PERIOD)).unique()
    return Stock(held, brief, due.join(opened, on=[ID, PERIOD], how="semi"))


def closings(reach: Query, active: _logs.Activity, extra: Sequence[str] = ()) -> Query:
    """Return a row of ID, PERIOD and more for each closing of a row, from FROM to TO."""
    if reach.implementation is not SPARK:  # which has more than one machine to hold them
        length = _lazy.total(nw.col(TO) - nw.col(FROM) + 1, "total")
        _contracts.refuse_many(_lazy.only_row(reach.select(length))["total"] or 0, active.freq)
    low = active.first
    places = _lazy.table_beside(reach, {_PLACE: list(range(low, low + active.span))}, [int])
    held = reach.join(places, how="cross")
    held = held.filter((nw.col(_PLACE) >= nw.col(FROM)) & (nw.col(_PLACE) <= nw.col(TO)))
    return held.select(ID, nw.col(_PLACE).cast(nw.Int64).alias(PERIOD), *extra)


def _either(condition: nw.Expr, one: Any, other: Any) -> nw.Expr:
    other = nw.lit(other) if isinstance(other, int) else other
    return nw.when(condition).then(one).otherwise(other).cast(nw.Int64)


def _at_most(column: nw.Expr, most: int) -> nw.Expr:
    return _either(column > most, nw.lit(most), column)


def at_least(column: nw.Expr, least: int) -> nw.Expr:
    return _either(column < least, nw.lit(least), column)
