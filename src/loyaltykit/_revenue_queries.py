"""Recurring revenue as queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_revenue`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from loyaltykit import _contract_queries, _contracts, _lazy, _logs, _queries, _refusals, _revenue
from loyaltykit._contract_queries import FIRST, FROM, LAST, TO
from loyaltykit._frame import ID, OWN, PERIOD, N, Query
from loyaltykit._revenue import CELL, END, NEW, REFERRED, START, Asked

_AMOUNT, _TURNED, _CURRENCY, _SINCE = (
    OWN + name for name in ("amount", "turned", "currency", "since")
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
) -> _revenue.Counts:
    """Add up the movements of a log, or of contracts, as `_revenue.counted`."""
    query, turns = _queries.with_amounts(query, asked.amount, _AMOUNT, options["errors"])
    keep = [*(by if lookup is None else []), _AMOUNT]
    for name, made in ((asked.currency, _CURRENCY), (asked.referred, REFERRED)):
        if name is not None:
            query = query.with_columns(_told(query, name, made).alias(made))
            keep.append(made)
    if turns:
        query = query.with_columns(nw.col(_AMOUNT).abs().alias(_TURNED))
        keep.append(_TURNED)
    if contract_end is None:
        log = _queries.read_log(query, customer, time, keep=keep, **options)
    else:
        log = _contract_queries.read(query, customer, time, contract_end, keep=keep, **options)
    if asked.currency is not None and asked.currency not in by:
        own = [] if lookup is not None else by
        both = log.rows.select(*own, nw.col(_CURRENCY).alias(asked.currency))
        there = _lazy.collected(both.unique())
        _revenue.refuse_currencies(there, asked.currency, own)
    active = log.active
    rows, split = _queries.split_of(log, customer, by, lookup) if by else (log.rows, None)
    made_of = _paid_of_log if contract_end is None else _paid_of_contracts
    paid = made_of(rows, active, [name for name in (_AMOUNT, _TURNED) if name in keep], asked)
    moves = _moves(paid, active, asked, contracts=contract_end is not None)
    if split is not None:
        moves = _with_keys(moves, split, asked)
    keys = [*by, PERIOD]
    if asked.one_by_one:
        told = [START, END, NEW, *_flags(asked)]
        cells = _lazy.collected(_lazy.counted(moves, [*keys, *told]))
    else:
        sums = {CELL[name]: value for name, value in _values(asked).items()}
        moves = moves.with_columns(*(value.alias(name) for name, value in sums.items()))
        cells = _lazy.collected(moves.group_by(keys).agg(*(nw.col(name).sum() for name in sums)))
    return _revenue.from_cells(
        cells, by, active, log.end, asked, contracts=contract_end is not None
    )


def _told(query: Query, name: str, made: str) -> nw.Expr:
    """Return the column of currencies, or that of who is referred as 1 and 0."""
    if made == _CURRENCY:
        return _lazy.value(query, name)
    true = _queries.true_rows(query, name)
    return nw.when(true).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def _flags(asked: Asked) -> list[str]:
    return [] if asked.referred is None else [REFERRED]


# ---- what customers pay -------------------------------------------------------------------------


def _paid_of_log(
    rows: Query, active: _logs.Activity, amounts: Sequence[str], asked: Asked
) -> Query:
    """Return what customers of a log pay in which period, as `_paid`."""
    totals = _totals(rows, [ID, PERIOD], amounts, asked)
    return _paid(_without_rounding(totals, active, amounts, asked), asked)


def _paid_of_contracts(
    rows: Query, active: _logs.Activity, amounts: Sequence[str], asked: Asked
) -> Query:
    """Return what customers pay at which closing, as `_revenue.paid_in_force`."""
    low = nw.lit(active.first)
    inside = (nw.col(FIRST) <= nw.col(LAST)) & (nw.col(LAST) >= low)
    more = [*amounts, *_flags(asked)]
    reach = rows.filter(inside).select(
        ID,
        _contract_queries.at_least(nw.col(FIRST), active.first).alias(FROM),
        nw.col(LAST).alias(TO),
        *more,
    )
    # Those that run alike are one, before they are written out.
    reach = _totals(reach, [ID, FROM, TO], amounts, asked)
    held = _contract_queries.closings(reach, active, more)
    totals = _without_rounding(_totals(held, [ID, PERIOD], amounts, asked), active, amounts, asked)
    # Who joined and left within a period, or before all that are reported, is not new later.
    brief = (nw.col(PERIOD) > _contracts.NEVER) & (nw.col(_AMOUNT) > 0)
    began = _contract_queries.at_least(nw.col(PERIOD), active.first)
    others = rows.filter(~inside).select(
        ID,
        began.alias(PERIOD),
        nw.lit(0.0).alias(_AMOUNT),
        *_flags(asked),
        nw.when(brief).then(began).alias(_SINCE),
    )
    return _paid(nw.concat([totals, others], how="vertical"), asked)


def _totals(rows: Query, keys: Sequence[str], amounts: Sequence[str], asked: Asked) -> Query:
    sums = [nw.col(name).sum() for name in amounts]
    return rows.group_by(list(keys)).agg(*sums, *(nw.col(name).max() for name in _flags(asked)))


def _without_rounding(
    totals: Query, active: _logs.Activity, amounts: Sequence[str], asked: Asked
) -> Query:
    """Return the totals and _SINCE, the period of those above 0; refuse those below."""
    amount, period = nw.col(_AMOUNT), nw.col(PERIOD)
    if _TURNED in amounts:
        nothing = amount.abs() <= nw.col(_TURNED) * _revenue.ROUNDING
        left = nw.when(nothing).then(nw.lit(0.0)).otherwise(amount)
        totals = totals.with_columns(left.alias(_AMOUNT))
        below = amount < 0
        if active.lead > 1:
            below = below & (period >= active.first + active.lead)
        count = _lazy.only_row(totals.select(_lazy.number(below, N)))[N]
        if count:
            shown = _lazy.shown(totals.filter(below), ID)
            _refusals.negative_amounts(asked.amount, count, active.freq, shown)
    since = nw.when(amount > 0).then(period)
    return totals.select(ID, PERIOD, _AMOUNT, *_flags(asked), since.alias(_SINCE))


def _paid(totals: Query, asked: Asked) -> Query:
    """Return the totals above 0, with _SINCE when each customer pays and who is referred."""
    totals = totals.with_columns(
        nw.col(_SINCE).min().over(ID), *(nw.col(name).max().over(ID) for name in _flags(asked))
    )
    return totals.filter(nw.col(_AMOUNT) > 0)


# ---- how it moves -------------------------------------------------------------------------------


def _moves(paid: Query, active: _logs.Activity, asked: Asked, *, contracts: bool) -> Query:
    """Return ID, PERIOD and what stands in `_revenue.Moves`, as `_revenue.moves_of`."""
    opens = active.first + _revenue.known_from(active, contracts=contracts)
    period, later = nw.col(PERIOD), nw.col(PERIOD) + asked.trailing
    amount, nothing = nw.col(_AMOUNT), nw.lit(0.0)
    same = [_SINCE, *_flags(asked)]
    last = active.first + active.span - 1
    ends = paid.filter(period >= opens + asked.trailing).select(
        ID, PERIOD, nothing.alias(START), amount.alias(END), *same
    )
    starts = paid.filter((period >= opens) & (later <= last)).select(
        ID, later.cast(nw.Int64).alias(PERIOD), amount.alias(START), nothing.alias(END), *same
    )
    # Both under one another, since a sum finds the two of a customer without a join.
    moves = (
        nw.concat([ends, starts], how="vertical")
        .group_by(ID, PERIOD)
        .agg(nw.col(START).sum(), nw.col(END).sum(), *(nw.col(name).max() for name in same))
    )
    new = nw.when(nw.col(_SINCE) > period - asked.trailing).then(nw.lit(1)).otherwise(nw.lit(0))
    return moves.with_columns(new.cast(nw.Int64).alias(NEW)).drop(_SINCE)


def _with_keys(moves: Query, split: _queries.Split, asked: Asked) -> Query:
    """Return the movements with the keys that hold when their span of periods opens."""
    ahead = asked.trailing - 1
    extra = [START, END, NEW, *_flags(asked)]
    moved = moves.with_columns((nw.col(PERIOD) - ahead).cast(nw.Int64).alias(PERIOD))
    made = _queries.with_keys(moved, split, extra)
    return made.with_columns((nw.col(PERIOD) + ahead).cast(nw.Int64).alias(PERIOD))


def _values(asked: Asked) -> dict[str, nw.Expr]:
    """Return what each customer adds to `Asked.sums`."""
    start, end = nw.col(START), nw.col(END)
    base, new = start > 0, nw.col(NEW) == 1
    stays, gone = base & (end > 0), base & (end <= 0)
    fresh, returned = (start <= 0) & new, (start <= 0) & ~new

    def where(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
        return nw.when(condition).then(value).otherwise(nw.lit(0.0))

    one = nw.lit(1.0)
    made = {
        "n": where(base, one),
        "retained": where(stays, one),
        "start": start,
        "new": where(fresh, end),
        "expansion": where(base & (end > start), end - start),
        "contraction": where(stays & (end < start), start - end),
        "churned": where(gone, start),
        "reactivation": where(returned, end),
        "end": end,
        "amount_sumsq": where(base, end * end),
        "amount_start_sumsq": start * start,
        "amount_cross": start * end,
        "reactivated": where(returned, one),
        "reactivation_sumsq": where(returned, end * end),
    }
    if asked.referred is not None:
        told = fresh & (nw.col(REFERRED) == 1)
        made |= {
            "referred": where(told, one),
            "referred_amount": where(told, end),
            "referred_sumsq": where(told, end * end),
        }
    return made
