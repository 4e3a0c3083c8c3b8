"""Kernels of survival: from distinct spells to life tables, Kaplan-Meier curves and quantiles.

Arrays in, arrays out. A table has a row for duration 0 and for every time of exit or late entry in
each group; the rows of a group follow one another in order of time. Running sums and products stop
at the end of each group.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _intervals, _variance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Times = npt.NDArray[Any]  # int64 or float64

Method = Literal["log-log", "log", "plain"]
METHODS: tuple[str, ...] = get_args(Method)
# Two shares that differ by less are the same one, written in another way.
_SAME = 1e-8


class Table(NamedTuple):
    """Counts by group and time, and where each spell enters and leaves.

    ``first`` is the first row of every group; ``enters`` is None where nobody comes late.
    """

    group: IntArray
    duration: Times
    at_risk: IntArray
    events: IntArray
    censored: IntArray
    entered: IntArray
    first: IntArray
    leaves: IntArray
    enters: IntArray | None


class Curve(NamedTuple):
    """Survival, and the variance of its logarithm; NaN where there is none."""

    survival: FloatArray
    variance: FloatArray


class Weighted(NamedTuple):
    """Sums of weights beside the counts of a table; those at risk stay or have the event."""

    at_risk: FloatArray
    events: FloatArray
    staying: FloatArray


# ---- counts -------------------------------------------------------------------------------------


def life_table(
    group: IntArray,
    duration: Times,
    event: BoolArray,
    entry: Times | None,
    n: IntArray,
    size: int,
) -> Table:
    """Return who is at risk, leaves with and without an event, and enters, at every time."""
    none = np.zeros(1, dtype=duration.dtype)
    times = _codes.unique(np.concatenate([none, duration, none if entry is None else entry]))
    width = len(times)
    leaves = group * width + np.searchsorted(times, duration)
    starts = np.arange(size, dtype=np.int64) * width
    enters = None if entry is None else group * width + np.searchsorted(times, entry)
    every = [starts, leaves] if enters is None else [starts, leaves, enters]
    rows = _codes.distinct(np.concatenate(every), size * width)
    leaves, first = np.searchsorted(rows, leaves), np.searchsorted(rows, starts)
    of_group, at = np.divmod(rows, width)
    exits, events = (_counted(leaves, part, len(rows)) for part in (n, np.where(event, n, 0)))
    if enters is None:
        entered = np.zeros(len(rows), dtype=np.int64)
        entered[first] = _counted(group, n, size)
    else:
        enters = np.searchsorted(rows, enters)
        entered = _counted(enters, n, len(rows))
    late = entered.copy()
    late[first] = 0
    # Sums over all groups: every group's own end at 0, and whole numbers lose nothing.
    at_risk = _from_here_on(exits - late)
    ends = np.append(first, len(rows))[1:]
    at_risk = at_risk - np.append(at_risk, 0)[ends][of_group]
    return Table(
        *(of_group, times[at], at_risk, events, exits - events, entered),
        *(first, leaves, enters),
    )


def _counted(codes: IntArray, n: IntArray, size: int) -> IntArray:
    # Of whole numbers below 2**53, which floats add up exactly.
    return _variance.sums(codes, n.astype(np.float64), size).astype(np.int64)


def _from_here_on(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum of each value and all that follow."""
    return np.cumsum(values[::-1])[::-1]


# ---- running sums and products within groups ----------------------------------------------------


def running(values: FloatArray, table: Table, combine: Any) -> FloatArray:
    """Return the sum, or product, of each value and those before it in its group.

    Values are combined over distances of 1, 2, 4, ..., so that groups do not touch one another as
    they would in differences of one long sum.
    """
    if len(table.first) <= 1:
        made: FloatArray = combine.accumulate(values)
        return made
    place = np.arange(len(values)) - table.first[table.group]
    made, step, longest = values.copy(), 1, int(place.max(initial=0))
    while step <= longest:
        inside = np.flatnonzero(place >= step)
        made[inside] = combine(made[inside], made[inside - step])
        step *= 2
    return made


def remaining(values: FloatArray, table: Table) -> FloatArray:
    """Return the sum of each value and those after it in its group."""
    backwards = table._replace(
        group=len(table.first) - 1 - table.group[::-1], first=(len(values) - _ends(table))[::-1]
    )
    return running(values[::-1], backwards, np.add)[::-1]


def _ends(table: Table) -> IntArray:
    """Return the row after the last of every group."""
    return np.append(table.first, len(table.group))[1:]


# ---- curves -------------------------------------------------------------------------------------


def kaplan_meier(table: Table) -> Curve:
    """Return the product-limit estimate with Greenwood's variance."""
    sums = unweighted(table)
    return _known(table, product_limit(table, sums), running(increments(sums), table, np.add))


def unweighted(table: Table) -> Weighted:
    """Return the counts as if each weighed 1."""
    at_risk, events = table.at_risk.astype(np.float64), table.events.astype(np.float64)
    return Weighted(at_risk, events, at_risk - events)


def weigh(table: Table, event: BoolArray, weight: FloatArray) -> Weighted:
    """Return the sums of weights at risk, of those with an event, and of the others."""
    events, staying = _apart(table, event, weight)
    return Weighted(events + staying, events, staying)


def weighted_kaplan_meier(
    table: Table, sums: Weighted, event: BoolArray, square: FloatArray
) -> Curve:
    r"""Return the weighted product-limit estimate with the variance of its infinitesimal jackknife.

    That is the sum of w^2 U^2 over all spells, where U is the derivative of log S by the weight of
    a spell. At every time U grows by D / (Y (Y - D)) for those who stay, and falls by 1 / Y for
    those with an event; for all others it stays as it is. Two sums over those at risk, of w^2 and
    of w^2 U, tell how much the sum of w^2 U^2 grows: no spell has to be followed through time.
    """
    size = len(table.group)
    step = increments(sums)
    rate = np.divide(1.0, sums.at_risk, out=np.zeros(size), where=sums.at_risk > 0)
    lost, rest = _apart(table, event, square)
    hazard = running(step, table, np.add)
    before = one_row_on(hazard, table)
    if table.enters is None:  # U is the same for all at risk
        lost_moved, rest_moved = lost * before, rest * before
    else:
        moved = np.where(event, before[table.leaves], hazard[table.leaves])
        moved = square * (moved - at_entry(table, hazard))
        lost_moved = _variance.sums(table.leaves, np.where(event, moved, 0.0), size)
        gone = _variance.sums(table.leaves, moved, size)
        still = running(step * rest - gone, table, np.add)
        rest_moved = one_row_on(still, table) - lost_moved
    grown = step * (step * rest + 2.0 * rest_moved) + rate * (rate * lost - 2.0 * lost_moved)
    variance = running(grown, table, np.add)
    return _known(table, product_limit(table, sums), np.maximum(variance, 0.0))


def _apart(table: Table, event: BoolArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sums over those at risk with an event, and over the others.

    Both are added up, because a difference would be a rest of rounding where most of the weight
    goes at once. Late entry needs one difference: of the two that there are, that of smaller sums.
    """
    size = len(table.group)
    events, others = (
        _variance.sums(table.leaves, np.where(chosen, values, 0.0), size)
        for chosen in (event, ~event)
    )
    exits = events + others
    going = remaining(exits, table)
    after = np.append(going, 0.0)[1:]
    after[_ends(table) - 1] = 0.0
    staying = after + others
    if table.enters is not None:
        entered = _variance.sums(table.enters, values, size)
        late = entered.copy()
        late[table.first] = 0.0
        came = running(entered, table, np.add) - late
        gone = one_row_on(running(exits, table, np.add), table)
        forward, backward = came - gone - events, staying - remaining(late, table)
        staying = np.where(came < going, forward, backward)
    return events, np.where(table.events < table.at_risk, np.maximum(staying, 0.0), 0.0)


def at_entry(table: Table, upto: FloatArray) -> FloatArray:
    """Return for each spell the running sum at its entry, 0 where it was there from the start."""
    if table.enters is None:
        return np.zeros(len(table.leaves))
    late = table.enters > table.first[table.group[table.enters]]
    return np.where(late, upto[table.enters], 0.0)


def one_row_on(values: FloatArray, table: Table) -> FloatArray:
    """Return the value of the row before, 0 in the first row of a group."""
    moved = np.append(0.0, values)[: len(values)]
    moved[table.first] = 0.0
    return moved


def product_limit(table: Table, sums: Weighted) -> FloatArray:
    # 1 where nobody is at risk: nobody could leave.
    ones = np.ones(len(table.group))
    kept = np.divide(sums.staying, sums.at_risk, out=ones, where=sums.at_risk > 0)
    return running(kept, table, np.multiply)


def increments(sums: Weighted) -> FloatArray:
    """Return D / (Y (Y - D)) where somebody stays."""
    divisor = sums.at_risk * sums.staying
    return np.divide(sums.events, divisor, out=np.zeros(len(divisor)), where=divisor > 0)


def _known(table: Table, survival: FloatArray, variance: FloatArray) -> Curve:
    """Return a curve with NaN where there is nobody in a group, and no variance where it is 0."""
    somebody = np.maximum.reduceat(table.entered, table.first) > 0 if len(table.first) else None
    if somebody is None:
        return Curve(survival, variance)
    known = somebody[table.group]
    survival = np.where(known, survival, np.nan)
    return Curve(survival, np.where(known & (survival > 0), variance, np.nan))


def std_error(curve: Curve) -> FloatArray:
    """Return the standard error of survival."""
    return curve.survival * np.sqrt(curve.variance)


def interval(curve: Curve, method: str, confidence_level: float) -> tuple[FloatArray, FloatArray]:
    """Return pointwise limits; NaN where survival is 0 or 1."""
    inside = (curve.survival > 0) & (curve.survival < 1)
    survival = np.where(inside, curve.survival, 0.5)
    reach = _intervals.normal_quantile(confidence_level) * np.sqrt(
        np.where(inside, curve.variance, 0.0)
    )
    with np.errstate(over="ignore"):  # a reach without end leads to 0 and 1
        if method == "log-log":
            bend = np.exp(reach / -np.log(survival))
            low, high = survival**bend, survival ** (1.0 / bend)
        elif method == "log":
            low, high = survival * np.exp(-reach), survival * np.exp(reach)
        else:
            low, high = survival * (1.0 - reach), survival * (1.0 + reach)
    low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


# ---- quantiles ----------------------------------------------------------------------------------


def first_at_most(
    values: FloatArray, level: float, duration: FloatArray, first: IntArray
) -> FloatArray:
    """Return for each group the time at which its values first reach a level from above.

    Where they stay at that level for a while, it is the middle of that stretch; NaN where they do
    not reach it. ``first`` is the first row of every group.
    """
    if not len(first):
        return np.zeros(0)
    size, place = len(values), np.arange(len(values))
    last = np.append(first[1:], size) - 1
    with np.errstate(invalid="ignore"):  # NaN is nowhere near
        reached, level_with = values <= level + _SAME, np.abs(values - level) <= _SAME
    begins = np.minimum.reduceat(np.where(reached, place, size), first)
    found = begins < size
    begins = np.where(found, begins, 0)
    # The first row after the beginning that is on another level, else the last of the group.
    other = np.append(np.where(level_with, size, place), size)
    leaves = np.minimum.accumulate(other[::-1])[::-1][begins]
    ends = np.where(level_with[begins], np.minimum(leaves, last), begins)
    return np.where(found, (duration[begins] + duration[ends]) / 2.0, np.nan)
