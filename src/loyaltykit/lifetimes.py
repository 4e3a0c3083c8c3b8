"""How long customers stay active, and which silence is one: lifetimes and the gap between days."""

from __future__ import annotations

import functools
from numbers import Real
from typing import Any

import numpy as np

from loyaltykit import (
    _checks,
    _customer_partitions,
    _dask,
    _frame,
    _histories,
    _history_queries,
    _logs,
    _queries,
    _sources,
)
from loyaltykit._frame import N
from loyaltykit.errors import ParameterError

_MADE = frozenset(("start", "duration", "event"))
_LENGTH = "lk length"


def customer_lifetimes(
    data: Any,
    customer: str,
    time: str,
    *,
    gap: int,
    as_of: Any = None,
    tz: str | None = None,
    errors: str = "raise",
) -> Any:
    r"""Return the first lifetime of every customer: its start, its length, and whether it ended.

    Of the days d(1) to d(k) on which a customer was active, and the last day observed c, the first
    silence longer than `gap` days ends the lifetime:

    .. math:: event: \; d_{i+1} - d_i > gap, \quad \text{or } c - d_k \ge gap \text{ for } i = k

    .. math:: duration = d_i + gap - d_1 \text{ with an event, else } c - d_1

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Every row is activity.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    gap : int
        Days of silence after which a customer counts as gone; `inactivity_gap` proposes one.
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
        The customer's column, start (the day of the first row), duration (days) and event (true
        where the lifetime ended, false where it is still open at `as_of`). It is of the caller's
        own kind, lazy included, and ordered by customer, except in DuckDB, Spark and Dask, which
        promise no order.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    inactivity_gap : The distribution of the days between two active ones.

    Notes
    -----
    The event is dated when it became known, `gap` days after the last activity, and not on the day
    of that activity. Of who is still open, up to `gap` days of silence are counted as life; to end
    the others at their last activity would take the same days from the dead alone. Survival would
    then look worse the longer the gap is, and whoever is known to be alive would have lived for
    days in which nobody could have died (immortal time).

    A silence of exactly `gap` days between two active days is none too many: the customer came back
    on the last day. The last silence has to be observed in full, to the end of day d(k) + gap.

    Who comes back after the gap begins another life, which is not counted here. The longer the gap,
    the fewer do so; the shorter, the sooner an end is known.

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of Epidemiology
    167(4), 492-499. https://doi.org/10.1093/aje/kwm324

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 3],
    ...         "day": ["2026-01-01", "2026-01-21", "2026-04-01", "2026-03-20", "2026-03-01"],
    ...     }
    ... )
    >>> lk.customer_lifetimes(log, "id", "day", gap=30, as_of="2026-04-15")
       id      start  duration  event
    0   1 2026-01-01        50   True
    1   2 2026-03-20        26  False
    2   3 2026-03-01        30   True
    """
    days = _checks.check_integer("gap", gap, low=1)
    options = _checks.check_log(as_of, tz, errors)
    with _sources.turn(data):
        source = _sources.having(data, {"customer": customer, "time": time}, _MADE)
        if isinstance(source, _frame.LazyFrame):
            query = _queries.read_log(source, customer, time, freq="day", **options)
            return _history_queries.lifetimes(query, customer, days, _last_day(query.end))
        make = functools.partial(_lifetimes, customer=customer, gap=days)
        if isinstance(source, _dask.Partitions):
            return _customer_partitions.of_days(source, customer, time, make, options)
        log = _logs.read_log(source, customer, time, **options)
        return make(log, _last_day(log.end))


def _last_day(end: np.datetime64 | None) -> int:
    return 0 if end is None else int(_logs.as_of_day(end).astype(np.int64))


def _lifetimes(log: _logs.Log, until: int, *, customer: str, gap: int) -> Any:
    days = _histories.active_days(log)
    found = _histories.lifetimes(days, gap, until)
    columns = {
        "start": found.start.astype("datetime64[D]"),
        "duration": found.duration,
        "event": found.event,
    }
    return _frame.table(log.ids.alias(customer).to_frame(), columns, days.size)


# ---- the gap ------------------------------------------------------------------------------------


def inactivity_gap(
    data: Any,
    customer: str,
    time: str,
    *,
    share: float = 0.9,
    as_of: Any = None,
    tz: str | None = None,
    errors: str = "raise",
) -> Any:
    r"""Return how long customers are silent between two active days, and the gap that proposes.

    .. math:: within(g) = 100 \frac{|\{\text{silences} \le g\}|}{|\{\text{silences}\}|}, \quad
        proposed = \min\{g : within(g) \ge 100 \times share\}

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    share : float, optional
        The share of all silences that the proposed gap is to cover, above 0 and up to 1.
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
        A row per length that occurs, in the engine of `data` (pandas for lazy and distributed
        ones): gap (days from one active day to the customer's next one), n (how many), within
        (percent of all that are no longer), proposed (true in one row). No row where nobody came
        twice.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    customer_lifetimes : What the gap is for.

    Notes
    -----
    Only silences that ended are counted: the one that a customer is in is no gap yet, and who came
    once has none. Long silences are therefore missing where the log is short, and the proposal is
    too small; let the log be several times as long as the gap it proposes. Customers who come often
    have more silences than others, and weigh more.

    The counts n of parts of the log that are split by customer add up: sum them by gap, and take
    the cumulative share.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 2, 3],
    ...         "day": [
    ...             "2026-01-01",
    ...             "2026-01-08",
    ...             "2026-01-15",
    ...             "2026-01-01",
    ...             "2026-02-01",
    ...             "2026-01-20",
    ...         ],
    ...     }
    ... )
    >>> lk.inactivity_gap(log, "id", "day", share=0.5)
       gap  n      within  proposed
    0    7  2   66.666667      True
    1   31  1  100.000000     False
    """
    least = _check_share(share)
    options = _checks.check_log(as_of, tz, errors)
    with _sources.turn(data):
        source = _sources.having(data, {"customer": customer, "time": time})
        like = _frame.pandas_keys()
        if isinstance(source, _frame.LazyFrame):
            query = _queries.read_log(source, customer, time, freq="day", **options)
            length, n = _history_queries.gaps(query)
        elif isinstance(source, _dask.Partitions):
            parts = _customer_partitions.of_days(source, customer, time, _gaps, options)
            found = _frame.open_frame(parts.compute())
            length, place = np.unique(found[_LENGTH].to_numpy(), return_inverse=True)
            n = np.zeros(len(length), dtype=np.int64)
            np.add.at(n, place, found[N].to_numpy())
        else:
            log = _logs.read_log(source, customer, time, **options, ordered=False)
            length, n = _histories.gaps(_histories.active_days(log))
            like = source.select([])
    upto = np.cumsum(n)
    # Divided, because 0.07 x 100 is more than 7 to a computer.
    enough = np.flatnonzero(upto / max(int(n.sum()), 1) >= least)
    proposed = np.zeros(len(n), dtype=np.bool_)
    proposed[enough[:1]] = True
    within = 100.0 * upto / max(int(n.sum()), 1)
    columns = {"gap": length, "n": n, "within": within, "proposed": proposed}
    return _frame.table(like, columns, len(n))


def _check_share(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, Real):
        _checks.wrong_type("share", share, "a number")
    value = float(share)
    if not 0 < value <= 1:
        hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
        msg = f"share={share!r} must be above 0 and at most 1.{hint}"
        raise ParameterError(msg)
    return value


def _gaps(log: _logs.Log, _until: int) -> Any:
    length, n = _histories.gaps(_histories.active_days(log))
    return _frame.table(
        _frame.pandas_keys({"gap": np.zeros(0)}).select([]), {_LENGTH: length, N: n}, len(n)
    )
