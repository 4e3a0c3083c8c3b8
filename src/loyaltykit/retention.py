"""Retention and churn of customers, from an interaction log or from contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _flow_tables, _results
from loyaltykit._flows import BRIEF, CHURNED, DUE, ENDED, NEW, RETAINED, RETURNED
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result

# Of each denominator: the kinds of customers it is made of, and those counted only if named.
_BASES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "start": ((RETAINED, CHURNED), ()),
    "average": ((RETAINED, CHURNED, NEW, RETURNED), ()),
    "start_plus_new": ((RETAINED, CHURNED, NEW, RETURNED, BRIEF), ()),
    "renewal_due": ((DUE,), (DUE,)),
}
Denominator = Literal["start", "average", "start_plus_new", "renewal_due"]
Like = Literal["chartmogul", "stripe"]
_LIKE: dict[str, Denominator] = {"chartmogul": "start", "stripe": "start_plus_new"}


def retention_rate(
    data: Data[Result],
    customer: str,
    time: str,
    *,
    contract_end: str | None = None,
    freq: _checks.Frequency = "month",
    by: str | Sequence[str] | None = None,
    segments: Data[object] | None = None,
    as_of: Moment | None = None,
    observed_from: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
    grace: int = 0,
    confidence_level: float = 0.95,
    method: _estimates.RateMethod = "wilson",
) -> Result:
    r"""Customer retention rate by period: who of the customers at the start was still there.

    .. math:: retention_t = 100 \frac{|A_{t-1} \cap A_t|}{|A_{t-1}|}
        = 100 \frac{end_t - new_t - returned_t}{start_t}

    where A is the set of customers with an interaction in a period or, with `contract_end`, of
    those in force when it closes. Customers who come back after a period of silence have returned:
    they are neither new nor retained.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Duplicates count once. With
        `contract_end`, one row per contract.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text); for contracts that
        of the start.
    contract_end : str, optional
        Column of the end of each contract: the first moment at which it is not in force any more,
        null while it runs. The data are then contracts; see Notes. Needs `as_of`.
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
    observed_from : date, datetime or str, optional
        The moment from which the data are complete; a date means its start. The first period
        reported is the first that starts then or later. Earlier rows of a log only tell who is not
        new.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning; so too
        contracts that end before they start.
    grace : int, optional
        Periods of silence, 0 or more, that a customer of a log may keep without being gone: active
        is who came in the period or in one of so many before it. Not with `contract_end`.
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
        If an id or date is missing or unreadable, a contract ends before it starts, only one of
        start and end has a time zone, a key changes within a customer, or `segments` has two rows
        for one key.
    ParameterError
        If a parameter has a value that is not allowed, or one that contradicts another.

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
    running at `as_of` is "partial": its customers may yet come. So are the first periods of a log
    that look back, by `grace`, to some that were not observed. A period whose start was 0 has
    n = 0 and a null rate. Groups whose start is 0 in every period are left out.

    With `contract_end` the customers are those in force: at the start when the period opens, at the
    end when it closes, or at `as_of` where it is still running. A contract is in force from its
    start to just before its end, whatever else the customer has; overlapping and touching contracts
    are one. One that begins with a period, on 1 February at 0:00, is in force when that opens: it
    stands in the start of February, and in new and end of January. The first period's start is
    known. Contracts that start after the end of observation are left out.

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
    flow = _flow_tables.counted(
        data,
        customer,
        time,
        contract_end=contract_end,
        freq=freq,
        by=by,
        segments=segments,
        as_of=as_of,
        observed_from=observed_from,
        tz=tz,
        errors=errors,
        grace=grace,
        base=(RETAINED, CHURNED),
    )
    counts = {"retained": flow.sum_of(RETAINED), "churned": flow.sum_of(CHURNED)}
    definition = _results.rate_definition(freq, grace, contracts=contract_end is not None)
    made: Result = _rate("retention_rate", flow, counts, definition, confidence_level, method)
    return made


def churn_rate(
    data: Data[Result],
    customer: str,
    time: str,
    *,
    contract_end: str | None = None,
    freq: _checks.Frequency = "month",
    by: str | Sequence[str] | None = None,
    segments: Data[object] | None = None,
    as_of: Moment | None = None,
    observed_from: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
    grace: int = 0,
    confidence_level: float = 0.95,
    method: _estimates.RateMethod = "wilson",
    denominator: Denominator = "start",
    like: Like | None = None,
) -> Result:
    r"""Customer churn rate by period: who of the customers at the start was gone.

    .. math:: churn_t = 100 \frac{|A_{t-1} \setminus A_t|}{|A_{t-1}|} = 100 - retention_t

    where A is the set of customers with an interaction in a period or, with `contract_end`, of
    those in force when it closes. Other denominators are in use, and make other rates.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Duplicates count once. With
        `contract_end`, one row per contract.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text); for contracts that
        of the start.
    contract_end : str, optional
        Column of the end of each contract: the first moment at which it is not in force any more,
        null while it runs. The data are then contracts; see Notes. Needs `as_of`.
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
    observed_from : date, datetime or str, optional
        The moment from which the data are complete; a date means its start. The first period
        reported is the first that starts then or later. Earlier rows of a log only tell who is not
        new.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning; so too
        contracts that end before they start.
    grace : int, optional
        Periods of silence, 0 or more, that a customer of a log may keep without being gone: active
        is who came in the period or in one of so many before it. Not with `contract_end`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval, as in `retention_rate`.
    denominator : {"start", "average", "start_plus_new", "renewal_due"}, optional
        What the churned are divided by.

        "start": the customers at the start.
        "average": the mean of start and end. The rate can pass 100.
        "start_plus_new": start, new and returned, and those who joined and left, who are then
        churned as well.
        "renewal_due": customers in force at the start with a contract that ends in the period, its
        closing included; churned are those of them who are not in force when it closes. Needs
        `contract_end`.
    like : {"chartmogul", "stripe"} or None, optional
        The denominator that a tool documents: "start" for ChartMogul's standard rate,
        "start_plus_new" for Stripe's. Another `denominator` than "start" beside it is refused if it
        differs. Needs `contract_end`; see Notes for what a tool does otherwise.

    Returns
    -------
    DataFrame
        As that of `retention_rate`; the estimate is in percent. `n` is the denominator, churned and
        retained make it up. With "average", n is the start, and a column end follows churned.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, a contract ends before it starts, only one of
        start and end has a time zone, a key changes within a customer, or `segments` has two rows
        for one key.
    ParameterError
        If a parameter has a value that is not allowed, or one that contradicts another.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    retention_rate : The share that stayed, with notes on coverage and on contracts that hold here.

    Notes
    -----
    Churn is counted in the first period of silence. In a log it is a silence, not a goodbye: a
    customer may return, and is counted as returned then. Groups whose denominator is 0 in every
    period are left out.

    With the average of start and end the rate is no share. Its limits are those of the share of the
    start, carried over: with the share p of n customers, and j who joined, it is

    .. math:: R(p) = 100 \frac{p\, n}{n - p\, n / 2 + j / 2},

    which rises in p; j is taken as given, and the error is by the delta method. `pool` adds up
    such rates too; `compare` and `explain_change` take the others only.

    ChartMogul divides those who were there at the start and not at the end by those at the start
    [1]_. Stripe divides by the customers at the start and those won since, and counts who joined
    and left [2]_; but over the last 30 days and not a calendar month, and a customer who comes back
    and leaves again churns twice there, and once here at most.

    References
    ----------
    .. [1] ChartMogul, "Churn rate formulas",
       https://help.chartmogul.com/hc/en-us/articles/207340419-Churn-rate-formulas
    .. [2] Stripe, "Calculating subscriber churn rate in Billing",
       https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing

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

    One of two contracts of January ends in February, and one is won and lost:

    >>> contracts = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 3],
    ...         "start": ["2026-01-01", "2026-01-01", "2026-02-10"],
    ...         "end": ["2026-02-15", None, "2026-02-20"],
    ...     }
    ... )
    >>> for denominator in ("start", "average", "start_plus_new", "renewal_due"):
    ...     table = lk.churn_rate(
    ...         contracts,
    ...         "id",
    ...         "start",
    ...         contract_end="end",
    ...         as_of="2026-02-28",
    ...         denominator=denominator,
    ...     )
    ...     print(denominator, round(float(table["estimate"].iloc[1]), 1))
    start 50.0
    average 66.7
    start_plus_new 66.7
    renewal_due 100.0
    """
    chosen = _denominator(denominator, like, contract_end)
    base, kinds = _BASES[chosen]
    flow = _flow_tables.counted(
        data,
        customer,
        time,
        contract_end=contract_end,
        freq=freq,
        by=by,
        segments=segments,
        as_of=as_of,
        observed_from=observed_from,
        tz=tz,
        errors=errors,
        grace=grace,
        kinds=kinds,
        base=base,
    )
    definition = _results.rate_definition(
        freq, grace, contracts=contract_end is not None, denominator=chosen
    )
    counts = _churned(flow, chosen)
    made: Result = _rate("churn_rate", flow, counts, definition, confidence_level, method)
    return made


def _denominator(denominator: object, like: object, contract_end: str | None) -> str:
    """Return the denominator, which `like` names as well; refuse what contradicts it."""
    chosen = _checks.check_choice("denominator", denominator, tuple(_BASES))
    if chosen == "renewal_due" and contract_end is None:
        msg = "denominator='renewal_due' needs contract_end: a log says nothing of renewals."
        raise ParameterError(msg)
    if like is None:
        return chosen
    named = _LIKE[_checks.check_choice("like", like, tuple(_LIKE))]
    if contract_end is None:
        msg = f"like={like!r} needs contract_end: that tool counts subscriptions, and no log."
        raise ParameterError(msg)
    if chosen not in ("start", named):
        msg = f"denominator={chosen!r} contradicts like={like!r}, whose is {named!r}. Give one."
        raise ParameterError(msg)
    return named


def _churned(flow: _flow_tables.Flow, denominator: str) -> dict[str, npt.NDArray[Any]]:
    """Return the counts of a churn rate; retained and churned make up n."""
    kept: tuple[int, ...] = (RETAINED,)
    gone: tuple[int, ...] = (CHURNED,)
    if denominator == "start_plus_new":
        kept, gone = (RETAINED, NEW, RETURNED), (CHURNED, BRIEF)
    churned = flow.sum_of(*gone)
    if denominator == "renewal_due":
        churned = flow.sum_of(ENDED)
        return {"retained": flow.sum_of(DUE) - churned, "churned": churned}
    counts: dict[str, npt.NDArray[Any]] = {"retained": flow.sum_of(*kept), "churned": churned}
    if denominator == "average":
        counts["end"] = flow.sum_of(RETAINED, NEW, RETURNED)
    return counts


def _rate(
    metric: str,
    flow: _flow_tables.Flow,
    counts: Mapping[str, npt.NDArray[Any]],
    definition: str,
    confidence_level: float,
    method: str,
) -> Any:
    _checks.check_choice("method", method, _estimates.RATE_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    n = counts["retained"] + counts["churned"]
    return _results.metric_table(
        flow.keys,
        metric,
        counts,
        n,
        np.ma.masked_array(np.zeros(len(n), dtype=np.int64), mask=np.ma.nomask),
        before={"period": flow.period, "coverage": flow.coverage},
        after={"as_of": np.full(len(n), flow.as_of)},
        method=method,
        confidence_level=level,
        definition=definition,
    )
