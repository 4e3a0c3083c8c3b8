"""How customers move between tiers, counted from the tiers at successive dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _checks,
    _codes,
    _customer_partitions,
    _dask,
    _estimates,
    _frame,
    _history_queries,
    _refusals,
    _results,
    _sources,
)
from loyaltykit._frame import DAY, N
from loyaltykit._history_queries import NEXT_DAY, NEXT_TIER
from loyaltykit.errors import DataError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result

IntArray = npt.NDArray[np.int64]

_NEVER = -(2**62)
_MOST_ROWS = 5_000_000
_MOST_CELLS = 1 << 24  # counted one by one, whether there is a row or not
_MOST_APART = 1 << 22  # days, looked up one by one
_WIDEST = 1 << 40  # integer ids that serve as they are, with room for a day beside them


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
    tiers: Data[Result],
    customer: str,
    *,
    tier: str = "tier",
    valid_from: str = "valid_from",
    confidence_level: float = 0.95,
    method: _estimates.RateMethod = "wilson",
) -> Result:
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
        _checks.check_definable(role, name)
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
    made: Result = _table(moves, tier, method, level)
    return made


# ---- counting -----------------------------------------------------------------------------------


def _counted(frame: _frame.Frame, customer: str, tier: str, valid_from: str) -> _Moves:
    """Count the rows of a frame in memory."""
    who = _owners(frame, customer)
    times = _frame.read_times(frame[valid_from], None, None).values
    days, place = _distinct_days(_calendar.day_numbers(times))
    groups = _frame.group(frame.select(tier), [tier])
    _refuse_too_many(len(days), groups.size)
    # A customer's days, then a place that is nobody's: so a customer's last day has none after it.
    width, levels = len(days) + 1, max(groups.size, 1)
    key, code = _codes.paired(who, place, width), groups.codes
    if (key[1:] <= key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key, code = key[order], code[order]
        again = order[1:][key[1:] == key[:-1]]
        if len(again):
            shown = _frame.sample(frame[customer], again)
            _refusals.duplicate_keys("tiers", [customer, valid_from], len(again), shown)
    owner, place = np.divmod(key, width)
    same = np.append(owner[1:] == owner[:-1], False)[: len(key)]
    after = np.where(same, np.append(place[1:], 0)[: len(key)], len(days))
    later = np.where(same, np.append(code[1:], 0)[: len(key)], 0)
    cell = ((place * levels + code) * width + after) * levels + later
    cells, rows = _counted_codes(cell, width * levels * width * levels)
    cells, later = np.divmod(cells, levels)
    cells, after = np.divmod(cells, width)
    place, code = np.divmod(cells, levels)
    return _Moves(groups.keys[tier], days[place], code, np.append(days, _NEVER)[after], later, rows)


def _owners(frame: _frame.Frame, customer: str) -> _frame.Integers:
    """Return a number from 0 for each row's customer, in any order."""
    keys = _frame.integer_keys(frame[customer])
    if keys is not None:
        low, high = int(keys.values.min()), int(keys.values.max())
        if high - low < _WIDEST and high < 1 << 63:
            return keys.values.astype(np.int64) - low
    codes = _frame.compact(frame[customer], ordered=False).codes
    nobody = int((codes < 0).sum())
    if nobody:
        _refusals.null_values(customer, nobody, "customer", coercible=False)
    return codes


def _distinct_days(day: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct days, and each one's place among them."""
    if not len(day):
        return day, day
    first = int(day.min())
    span = int(day.max()) - first + 1
    days = _codes.distinct(day - first, span) + first
    if span > _MOST_APART:
        return days, np.searchsorted(days, day)
    place = np.zeros(span, dtype=np.int64)
    place[days - first] = np.arange(len(days))
    return days, place[day - first]


def _counted_codes(codes: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Return the distinct codes below a size, and how often each stands there."""
    if size > _MOST_CELLS:
        found, rows = np.unique(codes, return_counts=True)
        return found, rows.astype(np.int64)
    counts = np.bincount(codes, minlength=size)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _cells(frame: _frame.Frame, customer: str, tier: str, valid_from: str) -> Any:
    """Count the rows of one partition, as a native frame."""
    moves = _counted(frame, customer, tier, valid_from)
    keys = {
        tier: _frame.take(moves.levels, moves.tier).alias(tier),
        NEXT_TIER: _frame.take(moves.levels, moves.next_tier).alias(NEXT_TIER),
    }
    columns = {DAY: moves.day, NEXT_DAY: moves.next_day, N: moves.rows}
    return _frame.table(_frame.beside(keys), columns, len(moves.rows))


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


def _refuse_too_many(days: int, levels: int) -> None:
    if (days - 1) * levels * levels > _MOST_ROWS:
        msg = (
            f"{days:,} dates and {levels:,} tiers would be a table of "
            f"{(days - 1) * levels * levels:,} rows. Is the column of tiers the right one?"
        )
        raise DataError(msg)


# ---- the table ----------------------------------------------------------------------------------


def _freq(days: IntArray) -> str:
    """Return the longest period that begins on each of the days."""
    longest = reversed(_checks.FREQUENCIES)
    return next(
        freq
        for freq in longest
        if np.array_equal(
            _calendar.period_starts(_calendar.period_codes(days, freq), freq).astype(np.int64), days
        )
    )


def _table(moves: _Moves, column: str, method: str, confidence_level: float) -> Any:
    days, at = np.unique(moves.day, return_inverse=True)
    periods, length = max(len(days) - 1, 0), len(moves.levels)
    _refuse_too_many(len(days), length)
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
        definition=_results.transitions_definition(_freq(days), column),
    )
    return _frame.reordered(made, _results.TIER_TRANSITIONS)
