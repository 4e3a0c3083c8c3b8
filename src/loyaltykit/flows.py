"""The flow of customers, from an interaction log or from contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _flow_tables, _frame
from loyaltykit._flows import BRIEF, CHURNED, NEW, RETAINED, RETURNED, STAYED

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result


def customer_flow(
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
) -> Result:
    r"""Count customers by period: at the start, new, retained, returned, churned, at the end.

    .. math:: end = start - churned + new + returned

    in every row. Start are the customers active in the period before, end those active in this
    one; retained are in both, churned in the first only; new were never active before; returned
    were, but not in the period before. Of contracts, active are those in force when a period
    closes.

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

    Returns
    -------
    DataFrame
        A row per group and period, in the engine of `data` (pandas for lazy and distributed ones):
        the keys, period, coverage, start, new, retained, returned, churned, end. In the first
        period of a log only end is known.

        With `contract_end` also joined_and_left: customers with a contract in the period, but none
        when it opens or closes. Where `segments` have ``valid_from``, also migrated_in and
        migrated_out: who changed groups since the period before; null in the first one.

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
    retention_rate, churn_rate : The rates, with intervals.
    quick_ratio : What was gained for each customer lost.

    Notes
    -----
    Every count of a row is that of the customers who belong to its group at the period's start.
    With keys that change, such as a tier, one period's end is therefore not the next one's start:

    .. math:: start_t = end_{t-1} + migrated\_in_t - migrated\_out_t

    in every group; over all groups as many go in as out.

    With `contract_end` the customers are those in force: at the start when the period opens, at the
    end when it closes, or at `as_of` where it is still running. A contract is in force from its
    start to just before its end, whatever else the customer has; overlapping and touching contracts
    are one. One that begins with a period, on 1 February at 0:00, is in force when that opens: it
    stands in the start of February, and in new and end of January. The first period's start is
    known. Contracts that start after the end of observation are left out.

    A period that is still running at `as_of` is "partial"; so are the first periods of a log that
    look back, by `grace`, to some that were not observed.

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

    Contracts. Customer 1 leaves on 15 January, 2 starts with February, 3 comes and goes.

    >>> contracts = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 3],
    ...         "start": ["2026-01-01", "2026-02-01", "2026-02-10"],
    ...         "end": ["2026-01-15", None, "2026-02-20"],
    ...     }
    ... )
    >>> flow = lk.customer_flow(contracts, "id", "start", contract_end="end", as_of="2026-02-28")
    >>> flow[["start", "new", "churned", "end", "joined_and_left"]]
       start  new  churned  end  joined_and_left
    0      1    1        1    1                0
    1      1    0        0    1                1
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
        kinds=(STAYED,),
    )
    end = flow.all_of(NEW, RETAINED, RETURNED)
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
    if contract_end is not None:
        columns["joined_and_left"] = flow.sum_of(BRIEF)
    if flow.changes:
        columns |= _migrated(flow)
    made: Result = _frame.table(flow.keys, columns, len(flow.period))
    return made


def _migrated(flow: _flow_tables.Flow) -> dict[str, npt.NDArray[Any]]:
    """Return who came from other groups and went to them between two periods."""
    start, end = (flow.all_of(*kinds) for kinds in ((RETAINED, CHURNED), (NEW, RETAINED, RETURNED)))
    stayed, first = flow.all_of(STAYED), flow.first
    moved = {"migrated_in": start - stayed, "migrated_out": np.roll(end, 1) - stayed}
    return {name: np.ma.masked_array(counts, mask=first) for name, counts in moved.items()}
