"""The loyalty tier that a log of purchases shows, as of a date or through time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _histories, _history_queries, _results, _standing
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result, Rows

IntArray = npt.NDArray[np.int64]


def loyalty_tier(
    data: Rows[Result],
    customer: str,
    time: str,
    *,
    as_of: Moment | None = None,
    freq: _checks.Frequency | None = None,
    customers: Data[object] | None = None,
    purchase: str | None = None,
    loyal_periods: int = 3,
    loyal_window: int = 6,
    lapsed_after: int | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
) -> Result:
    """Label every customer prospect, new, repeat, loyal or lapsed, as of a date or through time.

    A purchase is a day on which a customer bought; several on one day are one. Of the purchases so
    far, a prospect has none, a new customer one, a repeat customer more. Loyal is a repeat customer
    with purchases in at least `loyal_periods` of the last `loyal_window` calendar months, the month
    of the date included. With `lapsed_after`, whoever has bought, but in none of so many last
    calendar months, is lapsed, whatever tier that was.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Label at the start of every period of the log instead of once, from purchases strictly
        before it: the tier at a period's start is the one as of the day before.
    customers : DataFrame, optional
        Frame with a column of the same name as `customer`: everybody who could buy; of the engine
        of `data`. Those without a purchase are prospects.
    purchase : str, optional
        Column of true and false that tells which rows are purchases; all of them by default. A
        customer with other rows only is a prospect.
    loyal_periods, loyal_window : int, optional
        The months with a purchase that make a customer loyal, out of how many.
    lapsed_after : int, optional
        The calendar months without a purchase that make a customer lapsed, the month of the date
        included: 6 on 31 July when the last purchase was in January or earlier. Nobody lapses when
        it is left out, and there is no such category.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.

    Returns
    -------
    DataFrame
        The customer's column, [valid_from,] and tier, an ordered categorical (text in Spark):
        prospect < [lapsed <] new < repeat < loyal. It is of the caller's own kind, lazy included,
        and ordered by customer, except in DuckDB, Spark and Dask, which promise no order. With
        `freq` a row per period from the first at which the customer was known, ready for
        ``segments=``.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, or `purchase` is not true or false.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    Notes
    -----
    A tier says what was known on its date, the day before `valid_from`. To split a rate by the tier
    at the period's end would be circular: who is still "new" at the end is who did not come again.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 2, 3, 3, 3],
    ...         "day": [
    ...             "2026-01-05",
    ...             "2026-01-09",
    ...             "2026-02-06",
    ...             "2026-01-03",
    ...             "2026-02-02",
    ...             "2026-03-05",
    ...         ],
    ...     }
    ... )
    >>> lk.loyalty_tier(log, "id", "day", customers=pd.DataFrame({"id": [1, 2, 3, 4]}))
       id      tier
    0   1       new
    1   2    repeat
    2   3     loyal
    3   4  prospect
    """
    window = _checks.check_integer("loyal_window", loyal_window, low=1)
    periods = _checks.check_integer("loyal_periods", loyal_periods, low=1)
    if periods > window:
        msg = f"loyal_periods={periods} cannot exceed loyal_window={window} months."
        raise ParameterError(msg)
    if lapsed_after is not None:
        lapsed_after = _checks.check_integer("lapsed_after", lapsed_after, low=1)
    rule: dict[str, Any] = {"periods": periods, "window": window, "lapsed_after": lapsed_after}
    made: Result = _standing.labelled(
        data,
        customer,
        time,
        name="tier",
        labels=_results.TIERS if lapsed_after is None else _results.TIERS_AND_LAPSED,
        label=functools.partial(_tier, **rule),
        query=functools.partial(_history_queries.tiers, **rule),
        freq=freq,
        customers=customers,
        purchase=purchase,
        as_of=as_of,
        tz=tz,
        errors=errors,
    )
    return made


def _tier(
    history: _histories.History, *, periods: int, window: int, lapsed_after: int | None
) -> IntArray:
    """Return the place of each customer's tier among the labels."""
    bought = history.purchases
    tier = np.minimum(bought, 2)
    tier[(bought > 1) & (history.months(window) >= periods)] = 3
    if lapsed_after is not None:
        tier[bought > 0] += 1
        tier[(bought > 0) & (history.silent_months() >= lapsed_after)] = 1
    return tier
