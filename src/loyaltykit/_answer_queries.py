"""Answers counted by queries of lazy engines. Only small tables are collected.

Each query says the same as the NumPy path of `_tally`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals.stable.v2 as nw

from loyaltykit import _designs, _frame, _lazy, _queries, _refusals, _tally
from loyaltykit._frame import PERIOD, ROWS, SQUARE, WEIGHT, N, Query

_IDLE = "lk idle"


def distinct_answers(
    query: Query,
    score: str,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None = None,
) -> _frame.Frame:
    """Return the distinct rows of keys, [PERIOD] and answer, with their N answers in ROWS rows.

    With a design its columns are keys too, and the sums WEIGHT and SQUARE stand beside N.
    """
    names = list(dict.fromkeys([*by, *([] if design is None else design.keys), score]))
    keys = list(names)
    query = query.with_columns(_lazy.value(query, name) for name in names)
    if time is not None:
        query, _ = _lazy.with_clock(query, time, None)
    if time is not None or counts is not None:
        query = _queries.usable(query, counts, time, errors)
    if time is not None:
        query = query.with_columns(_lazy.period(freq))
        keys.append(PERIOD)
    number = nw.lit(1.0) if counts is None else nw.col(counts).cast(nw.Float64)
    query = query.with_columns(number.alias(N), nw.lit(1).alias(ROWS))
    totals = [nw.col(N).sum(), _lazy.total(nw.col(ROWS), ROWS)]
    if design is not None:
        query = _weighed(query, design, errors)
        keys.append(_IDLE)
        totals += [nw.col(WEIGHT).sum(), nw.col(SQUARE).sum()]
    off = None if score in by else _off_scale(query, score, scale)
    marked = query
    if off is not None:
        # Numbers off the scale may be as many as there are rows; one says as much as all.
        one = nw.when(off).then(nw.lit(float("inf"))).otherwise(nw.col(score).cast(nw.Float64))
        marked = query.with_columns(one.alias(score))
    sums = [N, ROWS] if design is None else [N, ROWS, WEIGHT, SQUARE]
    found = _lazy.collected(marked.select(*keys, *sums).group_by(keys).agg(*totals))
    if off is not None and errors == "raise":
        count = int(found.filter(nw.col(score) == float("inf"))[ROWS].sum())
        if count:
            shown = _lazy.shown(query.filter(off), score)
            _refusals.bad_answers(score, count, shown, (scale.low, scale.high), _tally.ADVICE)
    return found


def _weighed(query: Query, design: _designs.Design, errors: str) -> Query:
    """Return the rows with WEIGHT, SQUARE, and _IDLE where an answer has no weight."""
    if design.weights is None:
        query = query.with_columns(nw.col(N).alias(WEIGHT), nw.col(N).alias(SQUARE))
    else:
        _queries.refuse_weights(query, design, errors)
        weight = _or_zero(query, design.weights)
        squares = design.squares
        square = weight * weight if squares is None else _or_zero(query, squares)
        query = query.with_columns(weight.alias(WEIGHT), square.alias(SQUARE))
    idle = nw.when(nw.col(WEIGHT) > 0).then(nw.lit(0)).otherwise(nw.lit(1))
    return query.with_columns(idle.alias(_IDLE))


def _or_zero(query: Query, name: str) -> nw.Expr:
    weight = _lazy.value(query, name).cast(nw.Float64)
    return nw.when(~weight.is_null()).then(weight).otherwise(nw.lit(0.0))


def distinct_rows(query: Query, names: Sequence[str]) -> _frame.Frame:
    """Return the distinct rows of some columns; ROWS says how often each stands there."""
    query = query.with_columns(_lazy.value(query, name) for name in names)
    return _lazy.collected(_lazy.counted(query, names, ROWS))


def _off_scale(query: Query, score: str, scale: _tally.Scale) -> nw.Expr | None:
    """Return where a number is neither on the scale nor a blank code; None for other columns."""
    if not query.collect_schema()[score].is_numeric():
        return None
    number = nw.col(score).cast(nw.Float64)
    on = (number >= scale.low) & (number <= scale.high) & (number % 1 == 0)
    return ~(on | number.is_in(scale.missing_numbers.tolist())) & ~number.is_null()
