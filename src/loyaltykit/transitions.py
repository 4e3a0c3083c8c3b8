"""How customers move between tiers, counted from the tiers at successive dates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _checks,
    _customer_partitions,
    _dask,
    _estimates,
    _frame,
    _history_queries,
    _results,
    _sources,
    _splits,
)
from loyaltykit._frame import DAY, N
from loyaltykit._history_queries import NEXT_DAY, NEXT_TIER
from loyaltykit.errors import DataError

IntArray = npt.NDArray[np.int64]

_NEVER = -(2**62)
_MOST_ROWS = 5_000_000


class _Moves(NamedTuple):
    """Rows of customers counted by day and tier, and by the customer's next day and tier.

    Tiers are places among ``levels``; those of customers without a next day mean nothing.
    """

    levels: _frame.Series
    day: IntArray
    tier: IntArray
    next_day: IntArray
    next_tier: IntArray
    rows: IntArray


def tier_transitions(
    tiers: Any,
    customer: str,
    *,
    tier: str = "tier",
    valid_from: str = "valid_from",
    confidence_level: float = 0.95,
    method: str = "wilson",
) -> Any:
    r"""Tier transitions: the share of each tier that is in each tier at the next date.

    .. math:: p_t(a, b) = 100 \frac{|\{i : i \text{ in } a \text{ at } t - 1, \text{ in } b
        \text{ at } t\}|}{|\{i : i \text{ in } a \text{ at } t - 1, \text{ anywhere at } t\}|}

    The dates are those of the frame itself, and t - 1 is the one before t.

    Parameters
    ----------
    tiers : DataFrame
        A row per customer and date, as `loyalty_tier` and `lifecycle_stage` make with ``freq=``;
        in any supported engine.
    customer : str
        Column of the customer's id.
    tier : str, optional
        Column of the tier, or of the stage. A null is a level of its own, after the others.
    valid_from : str, optional
        Column of the date from which the tier holds (a date type or ISO text); its day counts.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval of each share; "none" when all customers were counted and no inference is
        wanted.

    Returns
    -------
    DataFrame
        In the engine of `tiers` (pandas for lazy and distributed ones), for every date but the
        first each level at the date before by each level at the date: period, coverage
        ("observed"), from_tier, to_tier, metric, n, n_missing, moved, estimate (percent),
        std_error, ci_low, ci_high, confidence_level, method, unit, definition. n are the customers
        of from_tier who have a row at both dates, n_missing those who have none at the later one,
        moved those of n who are in to_tier then. The levels are those that occur anywhere, in the
        order of their categories.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or a date is missing or unreadable, or a customer has two rows for one date.
    ParameterError
        If a parameter has a value that is not allowed.

    See Also
    --------
    pool : All dates together, with ``over="period"``.
    loyalty_tier, lifecycle_stage : The frames that this counts.

    Notes
    -----
    Where n is 0 the estimate is null; where nobody moved it is a true 0. The estimates of one
    from_tier add up to 100, so that they are no independent shares: each interval speaks of one
    cell alone, and `compare` does not hold one to_tier against another.

    A frame with one row per change is no such frame: at a date without a change a customer has no
    row, and would count as missing.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> tiers = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 3, 1, 2],
    ...         "valid_from": ["2026-01-01"] * 3 + ["2026-02-01"] * 2,
    ...         "tier": ["new", "new", "repeat", "new", "repeat"],
    ...     }
    ... )
    >>> moves = lk.tier_transitions(tiers, "id")
    >>> moves[["period", "from_tier", "to_tier", "n", "n_missing", "moved", "estimate"]]
          period from_tier to_tier  n  n_missing  moved  estimate
    0 2026-02-01       new     new  2          0      1      50.0
    1 2026-02-01       new  repeat  2          0      1      50.0
    2 2026-02-01    repeat     new  0          1      0       NaN
    3 2026-02-01    repeat  repeat  0          1      0       NaN
    """
    named = {"customer": customer, "tier": tier, "valid_from": valid_from}
    for role, name in named.items():
        _checks.check_name(role, name)
    level = _checks.check_confidence_level(confidence_level)
    _checks.check_choice("method", method, _estimates.RATE_METHODS)
    with _sources.turn(tiers):
        source = _sources.opened(tiers, "tiers")
        _checks.check_columns(named, _sources.columns_of(source), "tiers")
        if isinstance(source, _frame.LazyFrame):
            source = _sources.only(source, named.values())
            moves = _read(_history_queries.moves(source, **named), tier)
        elif isinstance(source, _dask.Partitions):
            cells = _customer_partitions.moves(source, count=_cells, **named)
            moves = _read(cells, tier)
        else:
            moves = _counted(source, **named)
    return _table(moves, method, level)


# ---- counting -----------------------------------------------------------------------------------


def _counted(frame: _frame.Frame, customer: str, tier: str, valid_from: str) -> _Moves:
    """Return the rows of a frame in memory by customer and day, each counted as one."""
    who = _frame.compact(frame[customer], ordered=False)
    nobody = int((who.codes < 0).sum())
    if nobody:
        _checks.null_values(customer, nobody, "customer", coercible=False)
    times = _frame.read_times(frame[valid_from], None, None).values
    day = times.astype("datetime64[D]").astype(np.int64)
    names = [customer, valid_from]
    _splits.refuse_duplicates(frame[customer], who.codes.astype(np.int64), day, "tiers", names)
    groups = _frame.group(frame.select(tier), [tier])
    order = np.lexsort((day, who.codes))
    owner, day, code = who.codes[order], day[order], groups.codes[order]
    same = owner[1:] == owner[:-1]
    next_day, next_tier = np.full(len(day), _NEVER), np.zeros(len(day), dtype=np.int64)
    next_day[:-1][same], next_tier[:-1][same] = day[1:][same], code[1:][same]
    return _Moves(groups.keys[tier], day, code, next_day, next_tier, np.ones_like(day))


def _cells(frame: _frame.Frame, customer: str, tier: str, valid_from: str) -> Any:
    """Count the rows of one partition by day and tier, and by next day and tier."""
    moves = _counted(frame, customer, tier, valid_from)
    length = len(moves.levels)
    days = np.unique(np.append(moves.day, moves.next_day))
    place = np.searchsorted(days, moves.day) * length + moves.tier
    place = (place * len(days) + np.searchsorted(days, moves.next_day)) * length + moves.next_tier
    found, count = np.unique(place, return_counts=True)
    found, next_tier = np.divmod(found, max(length, 1))
    found, next_day = np.divmod(found, max(len(days), 1))
    day, code = np.divmod(found, max(length, 1))
    held = _frame.take(moves.levels, code).alias(tier)
    later = _frame.take(moves.levels, next_tier).alias(NEXT_TIER)
    keys = _frame.beside({tier: held, NEXT_TIER: later})
    columns = {DAY: days[day], NEXT_DAY: days[next_day], N: count.astype(np.int64)}
    return _frame.table(keys, columns, len(count))


def _read(cells: _frame.Frame, tier: str) -> _Moves:
    """Return what was counted elsewhere: rows of DAY, tier, NEXT_DAY, NEXT_TIER and N."""
    groups = _frame.group(cells.select(tier), [tier])
    levels = groups.keys[tier]
    later = _frame.encode(cells[NEXT_TIER])
    places = _frame.positions(later.levels, levels.drop_nulls())
    next_tier = np.append(places, groups.size - 1)[later.codes]  # where null is a level, the last
    next_day = _frame.floats(cells[NEXT_DAY])
    if next_day is None:
        next_day = np.full(len(cells), np.nan)
    known = ~np.isnan(next_day)
    after = np.where(known, np.nan_to_num(next_day), _NEVER).astype(np.int64)
    day, count = (cells[name].to_numpy().astype(np.int64) for name in (DAY, N))
    return _Moves(levels, day, groups.codes, after, np.where(known, next_tier, 0), count)


# ---- the table ----------------------------------------------------------------------------------


def _table(moves: _Moves, method: str, confidence_level: float) -> Any:
    days, at = np.unique(moves.day, return_inverse=True)
    periods, length = max(len(days) - 1, 0), len(moves.levels)
    if periods * length * length > _MOST_ROWS:
        msg = (
            f"{len(days):,} dates and {length:,} tiers would be a table of "
            f"{periods * length * length:,} rows. Is the column of tiers the right one?"
        )
        raise DataError(msg)
    table = np.zeros((periods, length, length), dtype=np.int64)
    gone = np.zeros((periods, length), dtype=np.int64)
    inside = at < periods  # the last date has no next one
    at, tier, count = at[inside], moves.tier[inside], moves.rows[inside]
    stays = moves.next_day[inside] == days[at + 1] if periods else inside[:0]
    np.add.at(table, (at[stays], tier[stays], moves.next_tier[inside][stays]), count[stays])
    np.add.at(gone, (at[~stays], tier[~stays]), count[~stays])
    period, one, other = (grid.ravel() for grid in np.indices(table.shape))
    keys = {
        "from_tier": _frame.take(moves.levels, one).alias("from_tier"),
        "to_tier": _frame.take(moves.levels, other).alias("to_tier"),
    }
    made = _results.metric_table(
        _frame.beside(keys),
        "tier_transitions",
        {"moved": table.ravel()},
        np.repeat(table.sum(axis=2).ravel(), length),
        np.repeat(gone.ravel(), length),
        before={
            "period": days[1:].astype("datetime64[D]")[period],
            "coverage": np.full(len(period), "observed"),
        },
        method=method,
        confidence_level=confidence_level,
        definition=_results.TRANSITIONS_DEFINITION,
    )
    return _frame.reordered(made, _results.TIER_TRANSITIONS)
