"""Durations and events counted by queries of lazy engines. Only the distinct spells are collected.

Each query says the same as the NumPy path of `_spell_rows`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw

from loyaltykit import _designs, _frame, _lazy, _queries, _refusals
from loyaltykit._frame import SQUARE, WEIGHT, N, Query
from loyaltykit._spell_rows import (
    BAD_DURATION,
    BAD_ENTRY,
    BAD_EVENT,
    DURATION,
    ENTRY,
    EVENT,
    LATE,
    LOST,
    MISSING,
    NO_DURATION,
    NO_EVENT,
    NO_WEIGHT,
    Asked,
    refuse,
)

_INFINITY = float("inf")


def distinct_spells(query: Query, asked: Asked, by: Sequence[str], errors: str) -> _frame.Frame:
    """Return the distinct rows of keys, DURATION, EVENT and [ENTRY], with their sums."""
    duration = _span(query, asked.duration, "duration").alias(DURATION)
    query = query.with_columns(_lazy.value(query, asked.event).alias(EVENT), duration)
    unclear, true = _lazy.flag(query, EVENT)
    if asked.entry is not None:
        entry = _span(query, asked.entry, "entry")
        begun = nw.when(~entry.is_null()).then(entry).otherwise(nw.lit(0)).alias(ENTRY)
        query = query.with_columns(begun)
    if asked.counts is not None:
        query = _queries.usable(query, asked.counts, None, errors)
    subjects = _subjects(asked)
    query = _with_sums(query, asked)
    wrong = _wrong(asked, unclear)
    facts = [_lazy.number(_lazy.known(condition), name) for name, condition in wrong.items()]
    columns = {
        BAD_EVENT: asked.event,
        BAD_DURATION: asked.duration,
        BAD_ENTRY: asked.entry,
        LATE: asked.entry,
    }
    refuse(
        asked,
        _lazy.only_row(query.select(*facts)),
        lambda name: _lazy.shown(query.filter(wrong[name]), str(columns[name])),
        errors,
    )
    code = nw.when(true).then(nw.lit(1)).otherwise(nw.lit(0))
    lost = _lazy.known(wrong[LOST])
    missing = nw.when(lost).then(subjects).otherwise(nw.lit(0.0))
    # Rows left out stay as nobody, so that their group does.
    none = [DURATION, *([] if asked.entry is None else [ENTRY]), *_sums(asked)]
    rows = query.with_columns(
        *(_lazy.value(query, name) for name in by),
        missing.alias(MISSING),
        nw.when(lost).then(nw.lit(0)).otherwise(code).alias(EVENT),
        *(nw.when(~lost).then(nw.col(name)).otherwise(nw.lit(0)).alias(name) for name in none),
    )
    sums = [*_sums(asked), MISSING]
    keys = [*by, DURATION, EVENT, *([] if asked.entry is None else [ENTRY])]
    totals = [nw.col(name).sum() for name in sums]
    return _lazy.collected(rows.select(*keys, *sums).group_by(keys).agg(*totals))


def _sums(asked: Asked) -> list[str]:
    return [N] if asked.weights is None else [N, WEIGHT, SQUARE]


def _span(query: Query, name: str, parameter: str) -> nw.Expr:
    """Return a column of lengths of time, as 64-bit integers or floats."""
    dtype = query.collect_schema()[name]
    if _lazy.holds_nulls_only(query, name):
        return nw.lit(None, dtype=nw.Float64)
    if not dtype.is_numeric():
        _refusals.not_numbers(parameter, name, dtype)
    narrow = dtype.is_integer() and dtype not in (nw.UInt64, nw.Int128, nw.UInt128)
    return _lazy.value(query, name).cast(nw.Int64 if narrow else nw.Float64)


def _subjects(asked: Asked) -> nw.Expr:
    return nw.lit(1.0) if asked.counts is None else nw.col(asked.counts).cast(nw.Float64)


def _with_sums(query: Query, asked: Asked) -> Query:
    """Return the rows with what is added up of them: N, and with weights WEIGHT and SQUARE."""
    if asked.weights is None:
        return query.with_columns(_subjects(asked).alias(N))
    design = _designs.Design(asked.weights, None, None, None, None)
    _queries.refuse_weights(query, design, "coerce")
    query = query.with_columns(_lazy.value(query, asked.weights).cast(nw.Float64).alias(WEIGHT))
    weighed = nw.when(nw.col(WEIGHT) > 0).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return query.with_columns(weighed.alias(N), (nw.col(WEIGHT) * nw.col(WEIGHT)).alias(SQUARE))


def _wrong(asked: Asked, unclear: nw.Expr) -> dict[str, nw.Expr]:
    """Return which rows are wrong, in each way, as `_spell_rows.read_rows` does."""
    duration, no_event = nw.col(DURATION), nw.col(EVENT).is_null()
    lost = duration.is_null() | no_event
    wrong = {
        BAD_EVENT: unclear & ~no_event,
        BAD_DURATION: _no_span(duration),
        NO_DURATION: duration.is_null(),
        NO_EVENT: no_event,
    }
    if asked.entry is not None:
        entry = nw.col(ENTRY)
        wrong[BAD_ENTRY] = _no_span(entry)
        late = (entry >= duration) & (entry > 0) & ~_no_span(duration) & ~_no_span(entry)
        wrong[LATE] = late
    if asked.weights is not None:
        wrong[NO_WEIGHT] = nw.col(WEIGHT).is_null()
        lost = lost | wrong[NO_WEIGHT]
    wrong[LOST] = lost
    return wrong


def _no_span(column: nw.Expr) -> nw.Expr:
    return (column < 0) | (column == _INFINITY)
