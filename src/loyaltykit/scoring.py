"""Customers scored by recency, frequency and money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loyaltykit import (
    _checks,
    _customer_partitions,
    _dask,
    _frame,
    _logs,
    _score_queries,
    _scores,
    _sources,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Moment, Result, Rows

_MADE = frozenset(
    (
        *("frequency", "recency", "T", "monetary"),
        *("recency_score", "frequency_score", "monetary_score", "segment"),
    )
)
_MOST_BINS = 100


def rfm(
    data: Rows[Result],
    customer: str,
    time: str,
    amount: str,
    *,
    as_of: Moment | None = None,
    freq: _checks.Frequency = "day",
    bins: int = 5,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Score every customer by recency, frequency and money, and name the segment.

    Of the N customers with a purchase, each measure is scored by rank,

    .. math:: score(x) = 1 + \left\lfloor bins \frac{|\{y : y \text{ worse than } x\}|}{N}
        \right\rfloor,

    so that equal values share a score, whatever the order of the rows: that of their lowest rank.
    More is better for frequency and money; for recency a shorter silence, T - recency.

    Parameters
    ----------
    data : DataFrame
        The log: one row per purchase or return, in any supported engine.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    amount : str
        Column of numbers. A negative amount is a return: it counts in monetary, and its day is no
        purchase. A zero amount is a purchase, as a gift or a free sample is.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        The period that frequency, recency and T are counted in.
    bins : int, optional
        The number of scores, from 2 to 100. The segments are those of 5; other numbers give no
        column of them.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer, date or a finite amount are refused, or left out with a
        warning.

    Returns
    -------
    DataFrame
        The customer's column, frequency (periods with a purchase, less one: the repeated ones),
        recency (periods from the first to the last one with a purchase), T (periods from the first
        to that of `as_of`), monetary (the sum of all amounts: net of returns), recency_score,
        frequency_score, monetary_score (1 is the worst), and segment, a categorical (text in
        Spark). It is of the caller's own kind, lazy included, and ordered by customer, except in
        DuckDB, Spark and Dask, which promise no order. A customer who has only returned things has
        monetary and nulls.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id, a date or an amount is missing or unreadable.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    Notes
    -----
    frequency, recency and T are those of the models of a customer's value (BG/NBD and its kin), as
    the package lifetimes counts them. Those models take the mean amount of repeated periods; this
    monetary is the sum, for the score.

    The segments, by recency score and frequency score:

    ==================== ======= =========
    segment              recency frequency
    ==================== ======= =========
    champions            5       4, 5
    loyal_customers      3, 4    4, 5
    potential_loyalists  4, 5    2, 3
    new_customers        5       1
    promising            4       1
    need_attention       3       3
    about_to_sleep       3       1, 2
    at_risk              1, 2    3, 4
    cant_lose            1, 2    5
    hibernating          1, 2    1, 2
    ==================== ======= =========

    The ten names and the two axes are CleverTap's; the borders, which others draw otherwise, are
    ours. The categories are in this order, which is no ranking. Scores are of these customers on
    this date: those of another log or date are not comparable. Where most customers have bought
    once, most share the frequency score 1, and there may be no 2: ties are not broken to fill bins.
    Where more than 1 in `bins` share the best value, nobody has the highest score, as with a long
    `freq`, in which most have bought in the last period: score by day.
    Sums are ranked rounded to a millionth, so that the order of the rows changes no score.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24(2), 275-284.
    https://doi.org/10.1287/mksc.1040.0098

    CleverTap, RFM analysis. https://docs.clevertap.com/docs/rfm

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 2, 3],
    ...         "day": [
    ...             "2026-01-05",
    ...             "2026-02-06",
    ...             "2026-03-05",
    ...             "2026-01-09",
    ...             "2026-01-19",
    ...             "2026-03-01",
    ...         ],
    ...         "paid": [20.0, 35.0, 10.0, 80.0, -80.0, 15.0],
    ...     }
    ... )
    >>> scores = lk.rfm(log, "id", "day", "paid")
    >>> scores[["id", "frequency", "recency", "T", "monetary", "segment"]]
       id  frequency  recency   T  monetary          segment
    0   1          2       59  59      65.0  loyal_customers
    1   2          0        0  55       0.0      hibernating
    2   3          0        0   4      15.0      hibernating
    """
    named = {"customer": customer, "time": time, "amount": amount}
    _checks.check_freq(freq)
    _check_bins(bins)
    options = _checks.check_log(as_of, tz, errors)
    with _sources.turn(data):
        source = _sources.having(data, named, _MADE)
        if isinstance(source, _frame.LazyFrame):
            query: Result = _score_queries.scored(source, **named, freq=freq, bins=bins, **options)
            return query
        if isinstance(source, _dask.Partitions):
            parts: Result = _customer_partitions.scored(
                source, **named, freq=freq, bins=bins, **options
            )
            return parts
        made: Result = _scored(source, **named, freq=freq, bins=bins, **options)
        return made


def _check_bins(bins: object) -> None:
    number = _checks.check_integer("bins", bins, low=2)
    if number > _MOST_BINS:
        msg = f"bins={number} must be at most {_MOST_BINS}. 5 is usual."
        raise ParameterError(msg)


def _scored(
    frame: _frame.Frame,
    customer: str,
    time: str,
    amount: str,
    *,
    freq: str,
    bins: int,
    **options: Any,
) -> Any:
    log = _logs.read_log(frame, customer, time, **options)
    amounts = _frame.amounts(frame[amount])
    amounts = amounts if log.kept is None else amounts[log.kept]
    _scores.without_amount(amount, int(np.isnan(amounts).sum()), options["errors"])
    found = _scores.summary(log, amounts, freq)
    last = 0 if log.end is None else _logs.last_period(log.end, freq)
    ranked = _scores.values(found, last)
    cuts = {name: _scores.cuts(*_scores.counted(values), bins) for name, values in ranked.items()}
    return _scores.table(found, cuts, last, customer, named=bins == _scores.NAMED_BINS)
