"""Cohort retention: customers grouped by their first period, followed through the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loyaltykit import _behaviour, _checks, _estimates, _frame, _results, _sources


def cohort_retention(
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
) -> Any:
    r"""Cohort retention: the share of each cohort that is active k periods after its first one.

    .. math:: retention(c, k) = 100 \frac{|\{i \in c : i \text{ active in period } c + k\}|}{|c|}

    A cohort c is the customers whose first interaction lies in that calendar period. Each cell
    looks at one calendar period alone (rule "on"): a customer may be silent in one month and count
    again in a later one.

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
        column ``valid_from``: the row that holds at the start of the cohort's period decides. A
        customer without one has a null key.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.
    confidence_level : float, optional
        Confidence level of Wilson's interval, between 0 and 1.

    Returns
    -------
    DataFrame
        A row per group, cohort and age, in the engine of `data` (pandas for lazy and distributed
        ones): the keys, cohort, cohort_age, coverage, metric, n (customers of the cohort),
        n_missing (0), retained, estimate (percent), std_error, ci_low, ci_high, confidence_level,
        method, unit, definition, as_of.

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
    cohort_matrix : The same as a triangle.
    pool : All cohorts together, over those old enough.

    Notes
    -----
    Three things that other tables show as 0 % are kept apart. A cell whose period has not begun at
    `as_of` is "unobserved", and null. One whose period is still running is "partial": more
    customers may come. An observed cell in which nobody came is a true 0. Every calendar period
    has a cohort; an empty one has n = 0 and a null rate.

    Each interval speaks of one cell alone; the cells of a cohort hold the same people.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 3, 3, 4],
    ...         "day": [
    ...             "2026-01-05",
    ...             "2026-02-06",
    ...             "2026-01-09",
    ...             "2026-02-03",
    ...             "2026-03-02",
    ...             "2026-03-05",
    ...         ],
    ...     }
    ... )
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    >>> lk.cohort_matrix(table)
          cohort      0      1    2
    0 2026-01-01  100.0   50.0  0.0
    1 2026-02-01  100.0  100.0  NaN
    2 2026-03-01  100.0    NaN  NaN
    """
    level = _checks.check_confidence_level(confidence_level)
    with _sources.turn(data):
        counted = _behaviour.count_log(
            data,
            customer,
            time,
            "cohorts",
            by=by,
            segments=segments,
            freq=freq,
            as_of=as_of,
            tz=tz,
            errors=errors,
        )
    groups, span = len(counted.table), len(counted.starts)
    joined, age = (grid.ravel() for grid in np.indices((span, span)))
    reached = joined + age < span
    running = (joined + age == span - 1) & (not counted.complete)
    unknown = np.tile(~reached, groups)
    n = np.ma.masked_array(np.repeat(counted.table[:, :, :1].ravel(), span), mask=unknown)
    return _results.metric_table(
        _frame.rows(counted.keys, np.repeat(np.arange(groups), span * span)),
        "cohort_retention",
        {"retained": np.ma.masked_array(counted.table.ravel(), mask=unknown)},
        n,
        np.ma.masked_array(np.zeros(len(n), dtype=np.int64), mask=np.ma.nomask),
        before={
            "cohort": np.tile(counted.starts[joined], groups),
            "cohort_age": np.tile(age, groups),
            "coverage": np.tile(_results.coverage(reached & ~running, running), groups),
        },
        after={"as_of": np.full(len(n), counted.as_of)},
        method=_estimates.SHARE_METHODS[0],
        confidence_level=level,
        definition=_results.cohort_definition(freq),
    )


def cohort_matrix(result: Any, values: str = "estimate") -> Any:
    """Return one column of a cohort table as a triangle: cohorts down, ages across.

    Parameters
    ----------
    result : DataFrame
        A table of `cohort_retention`, or of `pool` over its keys.
    values : str, optional
        The column to show, such as "estimate", "retained", "n" or "coverage".

    Returns
    -------
    DataFrame
        The keys and cohort, then one column per age, named "0", "1" and so on; null where the cell
        is unobserved.

    Raises
    ------
    ColumnNotFoundError
        If `values` is not a column of `result`.
    ParameterError
        If `result` is not a cohort table.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 1], "day": ["2026-01-05", "2026-01-09", "2026-02-06"]})
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-02-28")
    >>> lk.cohort_matrix(table, values="retained")
          cohort  0     1
    0 2026-01-01  2     1
    1 2026-02-01  0  <NA>
    """
    frame = _frame.open_frame(result, "result")
    _checks.check_name("values", values)
    _checks.check_result(frame.columns, ("cohort_age", "metric"), "cohort_retention")
    _checks.check_columns({"values": values}, frame.columns, "result")
    before = list(frame.columns[: frame.columns.index("cohort_age")])
    return _frame.pivot(frame, before, "cohort_age", values)
