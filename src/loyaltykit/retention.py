"""Retention and churn of customers from an interaction log, and the flow beneath them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _behaviour, _checks, _estimates, _frame, _results, _sources
from loyaltykit._flows import CHURNED, NEW, RETAINED, RETURNED

IntArray = npt.NDArray[np.int64]
MaskedArray = np.ma.MaskedArray[Any, np.dtype[np.int64]]


class _Flow(NamedTuple):
    """Flow counts, a row per group and period; ``unknown`` marks the periods without a start."""

    keys: _frame.Frame
    period: npt.NDArray[np.datetime64]
    coverage: npt.NDArray[Any]
    counts: IntArray
    unknown: npt.NDArray[np.bool_]
    as_of: np.datetime64

    def sum_of(self, *kinds: int) -> MaskedArray:
        """Return the sum of some kinds of counts, null where the period has no start."""
        return np.ma.masked_array(self.counts[:, list(kinds)].sum(axis=1), mask=self.unknown)


def retention_rate(
    data: Any,
    customer: str,
    time: str,
    *,
    freq: str = "month",
    by: str | Sequence[str] | None = None,
    segments: Any = None,
    as_of: Any = None,
    tz: str | None = None,
    errors: str = "raise",
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Any:
    r"""Customer retention rate by period: who of the customers at the start was still there.

    .. math:: retention_t = 100 \frac{|A_{t-1} \cap A_t|}{|A_{t-1}|}
        = 100 \frac{end_t - new_t - returned_t}{start_t}

    where A is the set of customers with an interaction in a period. Customers who come back after
    a period of silence have returned: they are neither new nor retained.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Duplicates count once.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period. Weeks are ISO weeks, from Monday.
    by : str or sequence of str, optional
        Key columns, looked up in `segments` first and then in `data`, where they must not change
        within a customer.
    segments : DataFrame, optional
        Of the engine of `data`; one row per customer with the key columns, or one per change with a
        column ``valid_from``: the row that holds at the period's start decides. A customer without
        one has a null key.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval, Wilson's unless another is named; or no error and no interval, for a base
        that was counted in full and where nothing is to be inferred beyond it.

    Returns
    -------
    DataFrame
        A row per group and period, in the engine of `data` (pandas for lazy and distributed ones):
        the keys, period, coverage, metric, n (customers at the start), n_missing (0), retained,
        churned, estimate (percent), std_error, ci_low, ci_high, confidence_level, method, unit,
        definition, as_of.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, a key changes within a customer, or `segments`
        has two rows for one key.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    customer_flow : The counts in full.
    churn_rate : 100 less the retention.

    Notes
    -----
    The log's first period has no start: it is "unobserved", and null. A period that is still
    running at `as_of` is "partial": its customers may yet come. A period whose start was 0 has
    n = 0 and a null rate. Groups whose start is 0 in every period are left out.

    The formula is the customer retention rate of the marketing literature, (E - N) / S; see for
    example N. T. Bendle, P. W. Farris, P. E. Pfeifer and D. J. Reibstein, Marketing Metrics
    (Pearson, 4th ed. 2020), chapter on customer profitability.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 3, 1, 3],
    ...         "day": ["2026-01-05", "2026-01-09", "2026-01-20", "2026-02-06", "2026-02-07"],
    ...     }
    ... )
    >>> table = lk.retention_rate(log, "id", "day", as_of="2026-02-28")
    >>> table[["period", "coverage", "n", "retained", "churned"]]
          period    coverage     n  retained  churned
    0 2026-01-01  unobserved  <NA>      <NA>     <NA>
    1 2026-02-01    observed     3         2        1
    >>> round(float(table.loc[1, "estimate"]), 2)
    66.67
    """
    return _rate(
        "retention_rate",
        _flow(data, customer, time, by, segments, freq, as_of, tz, errors, rates=True),
        freq,
        confidence_level,
        method,
    )


def churn_rate(
    data: Any,
    customer: str,
    time: str,
    *,
    freq: str = "month",
    by: str | Sequence[str] | None = None,
    segments: Any = None,
    as_of: Any = None,
    tz: str | None = None,
    errors: str = "raise",
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Any:
    r"""Customer churn rate by period: who of the customers at the start was gone.

    .. math:: churn_t = 100 \frac{|A_{t-1} \setminus A_t|}{|A_{t-1}|} = 100 - retention_t

    where A is the set of customers with an interaction in a period.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Duplicates count once.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period. Weeks are ISO weeks, from Monday.
    by : str or sequence of str, optional
        Key columns, looked up in `segments` first and then in `data`, where they must not change
        within a customer.
    segments : DataFrame, optional
        Of the engine of `data`; one row per customer with the key columns, or one per change with a
        column ``valid_from``: the row that holds at the period's start decides. A customer without
        one has a null key.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval, as in `retention_rate`.

    Returns
    -------
    DataFrame
        As that of `retention_rate`; the estimate is the share of churned customers in percent.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, a key changes within a customer, or `segments`
        has two rows for one key.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    retention_rate : The share that stayed, with notes on coverage that hold here too.

    Notes
    -----
    Churn is counted in the first period of silence. In a log it is a silence, not a goodbye: a
    customer may return, and is counted as returned then. Customers won in the period are not in the
    denominator (``denominator=start`` in the definition).

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 1], "day": ["2026-01-05", "2026-01-09", "2026-02-06"]})
    >>> table = lk.churn_rate(log, "id", "day", as_of="2026-02-28")
    >>> table[["n", "churned", "estimate"]]
          n  churned  estimate
    0  <NA>     <NA>       NaN
    1     2        1      50.0
    """
    return _rate(
        "churn_rate",
        _flow(data, customer, time, by, segments, freq, as_of, tz, errors, rates=True),
        freq,
        confidence_level,
        method,
    )


def customer_flow(
    data: Any,
    customer: str,
    time: str,
    *,
    freq: str = "month",
    by: str | Sequence[str] | None = None,
    segments: Any = None,
    as_of: Any = None,
    tz: str | None = None,
    errors: str = "raise",
) -> Any:
    r"""Count customers by period: at the start, new, retained, returned, churned, at the end.

    .. math:: end = start - churned + new + returned

    in every row. Start are the customers active in the period before, end those active in this
    one; retained are in both, churned in the first only; new were never active before; returned
    were, but not in the period before.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Duplicates count once.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period. Weeks are ISO weeks, from Monday.
    by : str or sequence of str, optional
        Key columns, looked up in `segments` first and then in `data`, where they must not change
        within a customer.
    segments : DataFrame, optional
        Of the engine of `data`; one row per customer with the key columns, or one per change with a
        column ``valid_from``: the row that holds at the period's start decides. A customer without
        one has a null key.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.

    Returns
    -------
    DataFrame
        A row per group and period, in the engine of `data` (pandas for lazy and distributed ones):
        the keys, period, coverage, start, new, retained, returned, churned, end. In the first
        period only end is known.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, a key changes within a customer, or `segments`
        has two rows for one key.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    Notes
    -----
    Every count of a row is that of the customers who belong to its group at the period's start.
    With keys that change, such as a tier, one period's end is therefore not the next one's start.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 1, 3, 2],
    ...         "day": ["2026-01-05", "2026-01-09", "2026-02-06", "2026-02-07", "2026-03-01"],
    ...     }
    ... )
    >>> flow = lk.customer_flow(log, "id", "day", as_of="2026-03-31")
    >>> flow[["start", "new", "retained", "returned", "churned", "end"]]
       start   new  retained  returned  churned  end
    0   <NA>  <NA>      <NA>      <NA>     <NA>    2
    1      2     1         1         0        1    2
    2      2     0         0         1        2    1
    """
    flow = _flow(data, customer, time, by, segments, freq, as_of, tz, errors, rates=False)
    end = flow.counts[:, [NEW, RETAINED, RETURNED]].sum(axis=1)
    columns = {
        "period": flow.period,
        "coverage": flow.coverage,
        "start": flow.sum_of(RETAINED, CHURNED),
        "new": flow.sum_of(NEW),
        "retained": flow.sum_of(RETAINED),
        "returned": flow.sum_of(RETURNED),
        "churned": flow.sum_of(CHURNED),
        "end": np.ma.masked_array(end, mask=np.zeros(len(end), dtype=np.bool_)),
    }
    return _frame.table(flow.keys, columns, len(end))


def _flow(
    data: Any,
    customer: str,
    time: str,
    by: str | Sequence[str] | None,
    segments: Any,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    *,
    rates: bool,
) -> _Flow:
    """Return the flow of every group that is present, in every period from first to last.

    For rates, a group that had no customers at the start of any period is not present.
    """
    with _sources.turn(data):
        counted = _behaviour.count_log(
            data,
            customer,
            time,
            "flows",
            by=by,
            segments=segments,
            freq=freq,
            as_of=as_of,
            tz=tz,
            errors=errors,
        )
    table, span = counted.table, len(counted.starts)
    told = table[:, :, [RETAINED, CHURNED]] if rates and counted.keys.columns else table
    groups = np.flatnonzero(told.any(axis=(1, 2)))
    period = np.tile(np.arange(span), len(groups))
    complete = np.ones(span, dtype=np.bool_)
    complete[-1:] = counted.complete
    observed, partial = complete.copy(), ~complete
    observed[:1] = partial[:1] = False  # the first period has no start
    return _Flow(
        _frame.rows(counted.keys, np.repeat(groups, span)),
        counted.starts[period],
        _results.coverage(observed, partial)[period],
        table[groups].reshape(-1, 4),
        period == 0,
        counted.as_of,
    )


def _rate(metric: str, flow: _Flow, freq: str, confidence_level: float, method: str) -> Any:
    _checks.check_choice("method", method, _estimates.RATE_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    n = flow.sum_of(RETAINED, CHURNED)
    return _results.metric_table(
        flow.keys,
        metric,
        {"retained": flow.sum_of(RETAINED), "churned": flow.sum_of(CHURNED)},
        n,
        np.ma.masked_array(np.zeros(len(n), dtype=np.int64), mask=np.ma.nomask),
        before={"period": flow.period, "coverage": flow.coverage},
        after={"as_of": np.full(len(n), flow.as_of)},
        method=method,
        confidence_level=level,
        definition=_results.rate_definition(metric, freq),
    )
