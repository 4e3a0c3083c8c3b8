"""Recency, frequency and money of customers: the sums by customer, and scores by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame, _logs, _refusals

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MEASURES = ("recency", "frequency", "monetary")
# Sums of floats differ by engine in the last digits, and equal ones share a score.
PARTS = 1e6

# The named cells of five recency scores by five frequency scores, which cover all 25 once.
GRID: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "champions": ((5,), (4, 5)),
    "loyal_customers": ((3, 4), (4, 5)),
    "potential_loyalists": ((4, 5), (2, 3)),
    "new_customers": ((5,), (1,)),
    "promising": ((4,), (1,)),
    "need_attention": ((3,), (3,)),
    "about_to_sleep": ((3,), (1, 2)),
    "at_risk": ((1, 2), (3, 4)),
    "cant_lose": ((1, 2), (5,)),
    "hibernating": ((1, 2), (1, 2)),
}
SEGMENTS, NAMED_BINS = tuple(GRID), 5


class Summary(NamedTuple):
    """What each customer's rows add up to; those without a purchase have no periods.

    ``first`` and ``last`` are the periods of the first and the last purchase, ``periods`` how many
    have one.
    """

    ids: _frame.Series
    periods: IntArray
    first: IntArray
    last: IntArray
    monetary: FloatArray


class Cuts(NamedTuple):
    """The values at which scores begin, and the scores."""

    values: FloatArray
    scores: IntArray


Values = Mapping[str, FloatArray]


def without_amount(name: str, count: int, errors: str) -> None:
    """Refuse rows whose amount is missing or infinite, or warn that they are left out."""
    if count and errors == "raise":
        _refusals.null_values(name, count, "finite amount")
    if count:
        _checks.warn_of_dropped(count, f"no finite amount in {name!r}")


def summary(log: _logs.Log, amount: FloatArray, freq: str) -> Summary:
    """Return the sums of a log's customers; rows without an amount, NaN, are left out.

    A negative amount is no purchase, but part of the sum.
    """
    used = ~np.isnan(amount)
    customer, size = log.customer, len(log.ids)
    monetary: FloatArray = np.zeros(size)
    monetary += np.bincount(customer[used], weights=amount[used], minlength=size)
    buys = used & (np.where(used, amount, 0.0) >= 0)
    codes, first, span = _calendar.periods(log.times[buys], freq)
    pairs = _codes.distinct_pairs(customer[buys], codes, span, max(size, 1))
    owner, period = pairs // span, pairs % span + first
    opening, periods = _codes.starts_of_runs(owner), np.bincount(owner, minlength=size)
    begun, ended = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    begun[owner[opening]] = period[opening]
    ended[owner] = period  # the last one written stays, and a customer's are in order
    there = np.flatnonzero(np.bincount(customer[used], minlength=size))
    ids = log.ids if len(there) == size else _frame.take(log.ids, there)
    return Summary(ids, periods[there], begun[there], ended[there], monetary[there])


def values(found: Summary, last: int) -> Values:
    """Return what is ranked, of the customers with a purchase: more is better.

    ``last`` is the period of the end of observation.
    """
    bought = found.periods > 0
    return {
        "recency": (found.last[bought] - last).astype(np.float64),
        "frequency": found.periods[bought].astype(np.float64),
        "monetary": rounded(found.monetary[bought]),
    }


def rounded(sums: FloatArray) -> FloatArray:
    """Return sums in millionths, so that those that are equal on paper are equal here."""
    return np.floor(sums * PARTS + 0.5)


def counted(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct values and how many there are of each."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct, counts.astype(np.int64)


def cuts(values: FloatArray, counts: IntArray, bins: int) -> Cuts:
    """Return where the scores of distinct values, in order, begin.

    The score is 1 + floor(bins * (how many are less) / (how many there are)).
    """
    n, upto = int(counts.sum()), np.cumsum(counts)
    score = 1 + bins * (upto - counts) // max(n, 1)
    begins = _codes.starts_of_runs(score)
    return Cuts(values[begins], score[begins])


def merged(parts: Sequence[tuple[FloatArray, IntArray]]) -> tuple[FloatArray, IntArray]:
    """Return distinct values and their counts from those of several parts."""
    every = np.concatenate([values for values, _ in parts] or [np.zeros(0)])
    counts = np.concatenate([count for _, count in parts] or [np.zeros(0, dtype=np.int64)])
    distinct, place = np.unique(every, return_inverse=True)
    added = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(added, place, counts)
    return distinct, added


def scored(values: FloatArray, cuts: Cuts) -> IntArray:
    """Return the score of each value."""
    return cuts.scores[np.searchsorted(cuts.values, values, side="right") - 1]


def segment_codes(recency: IntArray, frequency: IntArray) -> IntArray:
    """Return the place of each pair of scores among the segments."""
    place = np.empty((6, 6), dtype=np.int64)
    for code, (rows, columns) in enumerate(GRID.values()):
        place[np.ix_(rows, columns)] = code
    return place[recency, frequency]


def table(
    found: Summary, cuts: Mapping[str, Cuts], last: int, customer: str, *, named: bool
) -> Any:
    """Return the table of customers, scored by cuts, as a native frame."""
    bought = found.periods > 0
    of_bought = values(found, last)
    columns: dict[str, Any] = {
        "frequency": np.ma.masked_array(found.periods - 1, mask=~bought),
        "recency": np.ma.masked_array(found.last - found.first, mask=~bought),
        "T": np.ma.masked_array(last - found.first, mask=~bought),
        "monetary": found.monetary,
    }
    scores = {}
    for name in MEASURES:
        scores[name] = np.zeros(len(bought), dtype=np.int64)
        scores[name][bought] = scored(of_bought[name], cuts[name])
        columns[f"{name}_score"] = np.ma.masked_array(scores[name], mask=~bought)
    keys = found.ids.alias(customer).to_frame()
    made = _frame.open_frame(_frame.table(keys, columns, len(bought)))
    if not named:
        return made.to_native()
    codes = np.full(len(bought), -1, dtype=np.int64)
    codes[bought] = segment_codes(scores["recency"][bought], scores["frequency"][bought])
    return made.with_columns(
        _frame.categories(made[customer], codes, SEGMENTS).alias("segment")
    ).to_native()
