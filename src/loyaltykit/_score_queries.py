"""Recency, frequency and money as queries of lazy engines; only thresholds are collected.

Each query says the same as the NumPy path of `_scores`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from loyaltykit import _history_queries, _lazy, _queries, _refusals, _scores
from loyaltykit._frame import ID, PERIOD, N, Query

_AMOUNT, _BOUGHT, _FIRST, _LAST, _MEASURE, _VALUE, _SCORE, _UPTO = (
    f"lk {name}"
    for name in ("amount", "bought", "first", "last", "measure", "value", "score", "upto")
)
_RANKED = {name: f"lk {name}" for name in _scores.MEASURES}


def scored(
    query: Query,
    customer: str,
    time: str,
    amount: str,
    *,
    freq: str,
    bins: int,
    **options: Any,
) -> Any:
    """Return the scores of every customer, as `_scores.table` makes them."""
    dtype = query.collect_schema()[amount]
    if not dtype.is_numeric():
        _refusals.amounts_are_numbers(amount, dtype)
    log = _queries.read_log(query, customer, time, keep=[amount], freq=freq, **options)
    number = nw.col(amount).cast(nw.Float64)
    rows = log.rows.with_columns(nw.when(number.abs() < float("inf")).then(number).alias(_AMOUNT))
    gone = _lazy.number(nw.col(_AMOUNT).is_null(), N)
    _scores.without_amount(amount, _lazy.only_row(rows.select(gone))[N], options["errors"])
    found = _summary(
        rows.filter(~nw.col(_AMOUNT).is_null()), log.active.first + log.active.span - 1
    )
    cuts = _cuts(found, bins)
    return _table(found, cuts, customer, named=bins == _scores.NAMED_BINS)


def _summary(rows: Query, last: int) -> Query:
    """Return a row per customer: BOUGHT periods, the FIRST and LAST of them, AMOUNT, and ranks."""
    # Two steps, since flags are added up more surely than conditions.
    flag = nw.when(nw.col(_AMOUNT) >= 0).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)
    flagged = rows.with_columns(flag.alias(_BOUGHT))
    periods = flagged.group_by(ID, PERIOD).agg(nw.col(_AMOUNT).sum(), nw.col(_BOUGHT).max())
    bought = nw.when(nw.col(_BOUGHT) == 1).then(nw.col(PERIOD))
    periods = periods.with_columns(bought.alias(_FIRST), bought.alias(_LAST))
    found = periods.group_by(ID).agg(
        _lazy.total(nw.col(_BOUGHT), _BOUGHT),
        nw.col(_FIRST).min(),
        nw.col(_LAST).max(),
        nw.col(_AMOUNT).sum(),
    )
    some = nw.col(_BOUGHT) > 0
    money = (nw.col(_AMOUNT) * _scores.PARTS + 0.5).floor()
    ranked = {
        "recency": nw.col(_LAST) - last,
        "frequency": nw.col(_BOUGHT),
        "monetary": money,
    }
    return found.with_columns(
        (nw.lit(last) - nw.col(_FIRST)).alias("T"),
        *(
            nw.when(some).then(value.cast(nw.Float64)).alias(_RANKED[name])
            for name, value in ranked.items()
        ),
    )


def _cuts(found: Query, bins: int) -> dict[str, _scores.Cuts]:
    """Collect where the scores of each measure begin."""
    stacked = nw.concat(
        [
            found.select(_lazy.integer(i, _MEASURE), nw.col(name).alias(_VALUE))
            for i, name in enumerate(_RANKED.values())
        ],
        how="vertical",
    )
    counts = _lazy.counted(stacked.filter(~nw.col(_VALUE).is_null()), [_MEASURE, _VALUE])
    upto = nw.col(N).cum_sum().over(_MEASURE, order_by=_VALUE)
    counts = counts.with_columns(upto.alias(_UPTO))
    counts = counts.with_columns(nw.col(_UPTO).max().over(_MEASURE).alias("lk all"))
    less = (nw.col(_UPTO) - nw.col(N)).cast(nw.Int64)
    score = 1 + less * bins // nw.col("lk all").cast(nw.Int64)
    counts = counts.with_columns(score.cast(nw.Int64).alias(_SCORE))
    thresholds = counts.group_by(_MEASURE, _SCORE).agg(nw.col(_VALUE).min())
    begins = _lazy.collected(thresholds)
    measure, scores, values = (begins[name].to_numpy() for name in (_MEASURE, _SCORE, _VALUE))
    made = {}
    for i, name in enumerate(_scores.MEASURES):
        own = np.flatnonzero(measure == i)
        own = own[np.argsort(values[own])]
        made[name] = _scores.Cuts(values[own].astype(np.float64), scores[own].astype(np.int64))
    return made


def _table(found: Query, cuts: Mapping[str, _scores.Cuts], customer: str, *, named: bool) -> Any:
    scores = {f"{name}_score": _score(_RANKED[name], cuts[name]) for name in _scores.MEASURES}
    repeats = nw.when(nw.col(_BOUGHT) > 0).then(nw.col(_BOUGHT) - 1)
    made = found.select(
        nw.col(ID).alias(customer),
        repeats.cast(nw.Int64).alias("frequency"),
        (nw.col(_LAST) - nw.col(_FIRST)).cast(nw.Int64).alias("recency"),
        nw.col("T").cast(nw.Int64),
        nw.col(_AMOUNT).alias("monetary"),
        *(score.alias(name) for name, score in scores.items()),
    )
    if named:
        made = made.with_columns(_segment(made).alias("segment"))
    return _history_queries.ordered(made, [customer]).to_native()


def _score(name: str, cuts: _scores.Cuts) -> nw.Expr:
    """Return the score of a value: that of the last cut not above it; null where there is none."""
    chain = nw.when(nw.col(name).is_null()).then(nw.lit(None, dtype=nw.Int64))
    for value, score in zip(cuts.values[::-1], cuts.scores[::-1], strict=True):
        chain = chain.when(nw.col(name) >= float(value)).then(nw.lit(int(score), dtype=nw.Int64))
    return chain.otherwise(nw.lit(None, dtype=nw.Int64))


def _segment(made: Query) -> nw.Expr:
    cell = nw.col("recency_score") * 10 + nw.col("frequency_score")
    chain = nw.when(cell.is_null()).then(nw.lit(None, dtype=nw.String))
    for name, (recency, frequency) in _scores.GRID.items():
        cells = [10 * r + f for r in recency for f in frequency]
        chain = chain.when(cell.is_in(cells)).then(nw.lit(name))
    return _history_queries.category(
        made, chain.otherwise(nw.lit(None, dtype=nw.String)), _scores.SEGMENTS
    )
