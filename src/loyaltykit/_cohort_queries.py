"""Cohorts of customers counted by queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_cohorts`, which it is tested against.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import (
    _cohort_rows,
    _cohorts,
    _contract_queries,
    _contracts,
    _lazy,
    _logs,
    _queries,
)
from loyaltykit._cohort_rows import NOWHERE, Asked
from loyaltykit._cohorts import AGE, DONE, MEMBERS
from loyaltykit._contract_queries import FIRST, LAST
from loyaltykit._frame import ID, OWN, PERIOD, N, Query
from loyaltykit._lazy import CLOCK, MOMENT

_COHORT, _FIRST, _EXACT, _TOLD, _ORIGIN = (
    OWN + name for name in ("cohort", "first", "exact", "told", "origin")
)
_STARTS, _ACTIVE, _AMOUNT, _START = (
    OWN + name for name in ("starts", "active", "sum", "start sum")
)
_STOP, _LOW, _HIGH = (OWN + name for name in ("exact stop", "low", "high"))
_START_SUMS, _CELL_SUMS = (
    [OWN + name for name in names] for names in (_cohorts.START_SUMS, _cohorts.CELL_SUMS)
)


def counted(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    asked: Asked,
    contract_end: str | None = None,
    **options: Any,
) -> _cohorts.Counts:
    """Count customers by cohort, completed windows and age, as `_cohorts.counted`."""
    keep = list(by) if lookup is None else []
    if contract_end is not None:
        for name, made in ((time, _EXACT), (contract_end, _STOP)):
            query = _with_exact(query, name, options["tz"], made)
        keep += [_EXACT, _STOP]
        log = _contract_queries.read(query, customer, time, contract_end, keep=keep, **options)
        log = log._replace(active=_cohort_rows.reported_only(log.active))
    else:
        if not asked.by_periods:
            query = _with_flags(query, asked)
            if asked.amount is not None:
                counts = nw.col(_ACTIVE) == 1
                query = _queries.with_amounts(
                    query, asked.amount, _AMOUNT, options["errors"], counts
                )[0]
            query = _with_exact(query, time, options["tz"], _EXACT)
            keep += [MOMENT, _EXACT, _STARTS, _ACTIVE]
            keep += [_AMOUNT] if asked.amount is not None else []
        log = _queries.read_log(query, customer, time, keep=keep, **options)
    since = _logs.first_reported(asked.observed_from, log.end, log.zone, options["freq"])
    active = _cohort_rows.reported(log.active, since)
    rows, split = _queries.split_of(log, customer, by, lookup) if by else (log.rows, None)
    end = _cohort_rows.window_end(log.end, log.zone, asked)
    if contract_end is not None:
        aged = _aged_terms(rows, end, asked)
    else:
        aged = _aged_periods(rows) if asked.by_periods else _aged(rows, end, asked)
    aged = aged.filter(nw.col(_COHORT).is_between(active.first, active.first + active.span - 1))
    seen = _distinct(aged, asked)
    if split is not None:
        joined = seen.select(ID, nw.col(_COHORT).alias(PERIOD)).unique()
        seen = seen.join(_queries.with_keys(joined, split).select(ID, *by), on=ID, how="left")
    seen = seen.with_columns(nw.col(_COHORT).alias(PERIOD))
    cells = _lazy.collected(_totals(seen, [*by, PERIOD, DONE, AGE], asked))
    return _cohorts.from_cells(cells, by, active, log.end, log.zone, asked)


# ---- columns ------------------------------------------------------------------------------------


def _with_flags(query: Query, asked: Asked) -> Query:
    """Return the rows with what they are: a start, an activity; refuse unclear flags."""
    made = {_STARTS: nw.lit(1), _ACTIVE: nw.lit(1)}
    flags = {_STARTS: asked.start_event, _ACTIVE: asked.return_event}
    for name, column in flags.items():
        if column is not None:
            made[name] = (
                nw.when(_queries.true_rows(query, column)).then(nw.lit(1)).otherwise(nw.lit(0))
            )
    return query.with_columns(*(flag.cast(nw.Int64).alias(name) for name, flag in made.items()))


def _with_exact(query: Query, time: str, tz: str | None, made: str) -> Query:
    """Return the rows with their moments by way of UTC; naive times stay as they are."""
    aware = getattr(query.collect_schema()[time], "time_zone", None) is not None
    query, _ = _lazy.with_clock(query, time, "UTC" if aware else tz)
    return query.with_columns(_lazy.moment(query).alias(made)).drop(CLOCK)


# ---- customers ----------------------------------------------------------------------------------


def _aged_periods(rows: Query) -> Query:
    """Return distinct customers and ages in periods; all are active from the first one on."""
    seen = rows.select(ID, PERIOD).unique()
    seen = seen.with_columns(nw.col(PERIOD).min().over(ID).alias(_COHORT))
    age = (nw.col(PERIOD) - nw.col(_COHORT)).alias(AGE)
    return seen.with_columns(age, _lazy.integer(0, DONE))


def _aged(rows: Query, end: int, asked: Asked) -> Query:
    """Return rows from each customer's first start on, with cohort, completed windows and age."""
    starts, exact = nw.col(_STARTS) == 1, nw.col(_EXACT)
    told = exact
    if asked.floor is not None:
        told = nw.col(MOMENT) - nw.col(MOMENT) % asked.floor
    rows = rows.with_columns(told.alias(_TOLD))
    firsts = {_FIRST: _EXACT, _ORIGIN: _TOLD, _COHORT: PERIOD}
    rows = rows.with_columns(
        *(nw.when(starts).then(nw.col(name)).alias(made) for made, name in firsts.items())
    )
    rows = rows.with_columns(*(nw.col(name).min().over(ID).alias(name) for name in firsts))
    rows = rows.filter(exact >= nw.col(_FIRST))
    if asked.length is None:
        rows = rows.with_columns((nw.col(PERIOD) - nw.col(_COHORT)).alias(AGE))
        return rows.with_columns(_lazy.integer(0, DONE))
    age = _lazy.quotient(nw.col(_TOLD) - nw.col(_ORIGIN), asked.length)
    left = end - nw.col(_ORIGIN)
    left = nw.when(left > 0).then(left).otherwise(nw.lit(0))
    return rows.with_columns(age.alias(AGE), _lazy.quotient(left, asked.length).alias(DONE))


def _aged_terms(rows: Query, end: int, asked: Asked) -> Query:
    """Return who is in force at which age, as `_cohort_rows.people_of_terms`; and all NOWHERE."""
    period, start = nw.col(PERIOD), nw.col(_EXACT)
    known = period > _contracts.NEVER
    rows = rows.with_columns(
        nw.when(known).then(period).alias(_COHORT), nw.when(known).then(start).alias(_ORIGIN)
    )
    rows = rows.with_columns(*(nw.col(name).min().over(ID) for name in (_COHORT, _ORIGIN)))
    rows = rows.filter(~nw.col(_COHORT).is_null())
    if asked.length is None:
        low, high = (nw.col(name) - nw.col(_COHORT) for name in (FIRST, LAST))
        done = nw.lit(0)
    else:
        length, origin = asked.length, nw.col(_ORIGIN)
        stop = nw.when(nw.col(_STOP) <= end).then(nw.col(_STOP)).otherwise(nw.lit(end + 1))
        low, high = (_lazy.quotient(part - origin + (length - 1), length) for part in (start, stop))
        high, done = high - 1, _lazy.quotient(end - origin, length) + 1
    low = nw.when(low > 0).then(low).otherwise(nw.lit(0))
    columns = {DONE: done, _LOW: low, _HIGH: high}
    rows = rows.with_columns(*(made.cast(nw.Int64).alias(name) for name, made in columns.items()))
    reach = rows.filter(nw.col(_LOW) <= nw.col(_HIGH))
    facts = _lazy.only_row(
        reach.select(
            nw.col(_HIGH).max().alias("most"),
            _lazy.total(nw.col(_HIGH) - nw.col(_LOW) + 1, "total"),
        )
    )
    _contracts.refuse_many(facts["total"] or 0, "window")
    ages = list(range((facts["most"] or 0) + 1))
    held = reach.join(_lazy.table_beside(rows, {AGE: ages}, [int]), how="cross")
    age = nw.col(AGE).cast(nw.Int64).alias(AGE)
    held = held.filter((nw.col(AGE) >= nw.col(_LOW)) & (nw.col(AGE) <= nw.col(_HIGH)))
    everybody = rows.select(ID, _COHORT, DONE, _lazy.integer(NOWHERE, AGE))
    return nw.concat([held.select(ID, _COHORT, DONE, age), everybody], how="vertical")


def _distinct(aged: Query, asked: Asked) -> Query:
    """Return a row for each age at which a customer was active; NOWHERE where at none.

    Ages are brackets, or the last age, where these are asked. One that the customer has not
    completed is left out.
    """
    age, done = nw.col(AGE), nw.col(DONE)
    if _ACTIVE in aged.collect_schema().names():
        aged = aged.with_columns(
            nw.when(nw.col(_ACTIVE) == 1).then(age).otherwise(nw.lit(NOWHERE)).alias(AGE)
        )
    if asked.amount is not None:
        amount = nw.when(age == 0).then(nw.col(_AMOUNT)).otherwise(nw.lit(0.0))
        aged = aged.with_columns(amount.alias(_START))
    if asked.edges is not None:
        aged = aged.with_columns(
            _bracket(age, asked.edges).alias(AGE), _brackets(done, asked.edges).alias(DONE)
        )
    if asked.length is not None and not asked.after:
        inside = nw.when(age < done).then(age).otherwise(nw.lit(NOWHERE))
        aged = aged.with_columns(inside.cast(nw.Int64).alias(AGE))
    if asked.after:
        aged = aged.group_by(ID, _COHORT, DONE).agg(age.max())
        last = nw.when(age < done).then(age).otherwise(done - 1)
        return aged if asked.length is None else aged.with_columns(last.alias(AGE))
    if asked.amount is None:
        return aged.select(ID, _COHORT, DONE, AGE).unique()
    sums = [nw.col(name).sum() for name in (_AMOUNT, _START)]
    seen = aged.group_by(ID, _COHORT, DONE, AGE).agg(*sums)
    return seen.with_columns(nw.col(_START).sum().over(ID))


def _bracket(age: nw.Expr, edges: Sequence[int]) -> nw.Expr:
    """Return the bracket that an age lies in, NOWHERE outside."""
    place = nw.lit(NOWHERE)
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        place = nw.when((age >= low) & (age < high)).then(nw.lit(i)).otherwise(place)
    return place.cast(nw.Int64)


def _brackets(done: nw.Expr, edges: Sequence[int]) -> nw.Expr:
    """Return how many brackets are complete with so many windows."""
    complete = nw.lit(0)
    for i, high in enumerate(edges[1:]):
        complete = nw.when(done >= high).then(nw.lit(i + 1)).otherwise(complete)
    return complete.cast(nw.Int64)


def _totals(seen: Query, keys: Sequence[str], asked: Asked) -> Query:
    """Return the customers of each cell, those who stand in no other one, and their sums."""
    age = nw.col(AGE)
    alone = age == age.min().over(ID)
    columns = {
        MEMBERS: nw.when(alone).then(nw.lit(1)).otherwise(nw.lit(0)),
        N: nw.when(age >= 0).then(nw.lit(1)).otherwise(nw.lit(0)),
    }
    seen = seen.with_columns(*(column.alias(name) for name, column in columns.items()))
    totals = [_lazy.total(nw.col(name), name) for name in columns]
    if asked.amount is not None:
        x = nw.when(nw.col(MEMBERS) == 1).then(nw.col(_START)).otherwise(nw.lit(0.0))
        y = nw.when(age >= 0).then(nw.col(_AMOUNT)).otherwise(nw.lit(0.0))
        products = (x, x * x, y, y * y, nw.col(_START) * y)
        names = _START_SUMS + _CELL_SUMS
        seen = seen.with_columns(*(p.alias(n) for n, p in zip(names, products, strict=True)))
        totals += [nw.col(name).sum() for name in names]
    return seen.group_by(list(keys)).agg(*totals)
