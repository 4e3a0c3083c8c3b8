"""The loyalty tier that a log of purchases shows, as of a date or through time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _checks,
    _codes,
    _customer_partitions,
    _customers,
    _dask,
    _frame,
    _logs,
    _queries,
    _results,
    _sources,
    _splits,
)
from loyaltykit.errors import DataError, ParameterError

# A customer and a period make a row: a million customers through four years of months.
_MOST_ROWS = 50_000_000

IntArray = npt.NDArray[np.int64]


def loyalty_tier(
    data: Any,
    customer: str,
    time: str,
    *,
    as_of: Any = None,
    freq: str | None = None,
    customers: Any = None,
    purchase: str | None = None,
    loyal_periods: int = 3,
    loyal_window: int = 6,
    tz: str | None = None,
    errors: str = "raise",
) -> Any:
    """Label every customer prospect, new, repeat or loyal, as of a date or at every period's start.

    A purchase is a day on which a customer bought; several on one day are one. Of the purchases so
    far, a prospect has none, a new customer one, a repeat customer more. Loyal is a repeat customer
    with purchases in at least `loyal_periods` of the last `loyal_window` calendar months, the month
    of the date included.

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
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.

    Returns
    -------
    DataFrame
        The customer's column, [valid_from,] and tier, an ordered categorical (text in Spark). It is
        of the caller's own kind, lazy included, and ordered by customer, except in DuckDB, Spark
        and Dask, which promise no order. With `freq` a row per period from the first at which the
        customer was known, ready for ``segments=``.

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
    A tier says what was known on its date. To split a rate by the tier at the period's end would
    be circular: who is still "new" at the end is who did not come again.

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
    named = {"customer": customer, "time": time}
    if purchase is not None:
        named["purchase"] = purchase
    for role, name in named.items():
        _checks.check_name(role, name)
    made = ("tier",) if freq is None else ("tier", _splits.VALID_FROM)
    _checks.check_reserved([customer], frozenset(made), "customer")
    _checks.check_choice("errors", errors, ("raise", "coerce"))
    window = _checks.check_integer("loyal_window", loyal_window, low=1)
    periods = _checks.check_integer("loyal_periods", loyal_periods, low=1)
    if periods > window:
        msg = f"loyal_periods={periods} cannot exceed loyal_window={window} months."
        raise ParameterError(msg)
    if freq is not None:
        _checks.check_freq(freq)
    rule: dict[str, Any] = {"freq": freq, "periods": periods, "window": window}
    options = {"as_of": as_of, "tz": _checks.check_zone(tz), "errors": errors}
    with _sources.turn(data):
        return _label_source(data, named, customers, rule, options)


def _label_source(
    data: Any,
    named: dict[str, str],
    customers: Any,
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Label the customers of a log where the data are."""
    source = _sources.opened(data)
    _checks.check_columns(named, _sources.columns_of(source))
    customer, time, purchase = named["customer"], named["time"], named.get("purchase")
    listed = None
    if customers is not None:
        listed = _sources.opened_beside(source, customers, "customers")
        _checks.check_columns({"customer": customer}, _sources.columns_of(listed), "customers")
    if isinstance(source, _frame.LazyFrame):
        source = _sources.only(source, [customer, time, purchase])
        listed = None if listed is None else _sources.only(listed, [customer])
        return _label_query(source, customer, time, listed, purchase, rule, options)
    if isinstance(source, _dask.Partitions):
        return _customer_partitions.labelled(
            source, customer, time, listed, purchase, _label, _starts, rule, options
        )
    log = _logs.read_log(source, customer, time, **options)
    bought = np.ones(len(log.day), dtype=np.bool_)
    if purchase is not None:
        bought = _frame.flags(source[purchase])
        bought = bought if log.kept is None else bought[log.kept]
    active = _logs.activity(log, rule["freq"] or "month")
    starts = _starts(active, log.end, rule["freq"])
    return _label(log, bought, customer, listed, starts, **rule)


def _label_query(
    query: _frame.Query,
    customer: str,
    time: str,
    listed: _frame.Query | None,
    purchase: str | None,
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    keep = [] if purchase is None else [purchase]
    if purchase is not None:
        _customers.refuse_unclear(query, purchase)
    freq = rule["freq"] or "month"
    log = _queries.read_log(query, customer, time, keep=keep, freq=freq, **options)
    starts = _starts(log.active, log.end, rule["freq"])
    return _customers.tiers(
        log,
        customer,
        customers=listed,
        purchase=purchase,
        starts=starts,
        labels=_results.TIERS,
        **rule,
    )


def _label(
    log: _logs.Log,
    bought: npt.NDArray[np.bool_],
    customer: str,
    customers: _frame.Frame | None,
    starts: IntArray,
    *,
    freq: str | None,
    periods: int,
    window: int,
) -> Any:
    """Return the tiers of the customers of a log at some starts, as a native frame."""
    ids, of_log, listed = _everybody(log.ids, customers, customer)
    _refuse_too_many(len(ids), starts, freq)
    known = _first_start(of_log[log.customer], log.day, starts, len(ids))
    known[listed] = 0
    owner, start = np.nonzero(np.arange(len(starts)) >= known[:, np.newaxis])
    tiers = _tiers(of_log[log.customer[bought]], log.day[bought], starts, len(ids), periods, window)
    keys = _frame.take(ids, owner).alias(customer).to_frame()
    if freq is not None:
        dates = starts.astype("datetime64[D]")[start]
        keys = _frame.open_frame(_frame.table(keys, {_splits.VALID_FROM: dates}, len(owner)))
    tier = _frame.categories(keys[customer], tiers[owner, start], _results.TIERS).alias("tier")
    return keys.with_columns(tier).to_native()


def _everybody(
    ids: _frame.Series, lookup: _frame.Frame | None, customer: str
) -> tuple[_frame.Series, IntArray, IntArray]:
    """Return all ids in order, where those of the log stand, and where the listed ones do."""
    if lookup is None:
        return ids, np.arange(len(ids)), np.zeros(0, dtype=np.int64)
    listed = _frame.encode(lookup[customer])
    if (listed.codes < 0).any():
        _checks.null_keys("customers", customer, int((listed.codes < 0).sum()))
    held = _codes.distinct(listed.codes, len(listed.levels))
    names = _frame.take(listed.levels, held)
    frames = ("customers", "data")
    extra = _frame.take(names, np.flatnonzero(_frame.positions(names, ids, frames) < 0))
    every = _frame.encode(_frame.stacked(ids, extra)).levels
    return every, _frame.positions(ids, every, frames), _frame.positions(names, every, frames)


def _starts(active: _logs.Activity, end: np.datetime64 | None, freq: str | None) -> IntArray:
    """Return the days before which purchases count: period starts, or the day after as_of."""
    if freq is None:
        last = np.datetime64(0, "D") if end is None else _logs.as_of_day(end)
        return np.array([last.astype(np.int64) + 1])
    return _logs.starts(active).astype(np.int64)


def _refuse_too_many(customers: int, starts: IntArray, freq: str | None) -> None:
    if customers * len(starts) > _MOST_ROWS:
        days = starts.astype("datetime64[D]")
        msg = (
            f"{customers:,} customers at {len(starts):,} starts of a {freq}, from {days[0]} to "
            f"{days[-1]}, would be {customers * len(starts):,} tiers at the most. Check the dates, "
            "or choose a longer freq."
        )
        raise DataError(msg)


def _first_start(customer: IntArray, day: IntArray, starts: IntArray, size: int) -> IntArray:
    """Return the first start after each customer's first row; past the last where none is."""
    known = np.full(size, len(starts), dtype=np.int64)
    np.minimum.at(known, customer, np.searchsorted(starts, day, side="right"))
    return known


def _tiers(
    customer: IntArray, day: IntArray, starts: IntArray, size: int, periods: int, window: int
) -> IntArray:
    """Return the tier of every customer at every start.

    What happens on a day counts from the next start on. Each purchase and each month with one is
    added where it begins to count and, for months, taken off where it leaves the window; a running
    sum along the starts does the rest.
    """
    if not len(day) or not len(starts):
        return np.zeros((size, len(starts)), dtype=np.int64)
    first, width = int(day.min()), int(day.max() - day.min()) + 1
    pairs = _codes.distinct(customer * width + (day - first), size * width)
    owner, day = pairs // width, pairs % width + first
    purchases = _running(owner, np.searchsorted(starts, day, side="right"), size, len(starts))
    month = _calendar.period_codes(day, "month")
    opens = np.ones(len(day), dtype=np.bool_)
    opens[1:] = (owner[1:] != owner[:-1]) | (month[1:] != month[:-1])
    owner, day, month = owner[opens], day[opens], month[opens]
    current = _calendar.period_codes(starts - 1, "month")
    enters = np.searchsorted(starts, day, side="right")
    leaves = np.searchsorted(current, month + window, side="left")
    months = _running(owner, enters, size, len(starts)) - _running(owner, leaves, size, len(starts))
    tier = np.minimum(purchases, 2)
    tier[(purchases > 1) & (months >= periods)] = 3
    return tier


def _running(owner: IntArray, start: IntArray, size: int, length: int) -> IntArray:
    """Return how many events each owner has had at each start."""
    inside = start < length
    cells = np.bincount(owner[inside] * length + start[inside], minlength=size * length)
    return cells.reshape(size, length).cumsum(axis=1)
