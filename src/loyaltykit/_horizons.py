"""Kernel: the mean duration up to a horizon, which is the area under the survival curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _survival, _variance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Area(NamedTuple):
    """One value per group each; NaN where there is nothing to say."""

    estimate: FloatArray
    std_error: FloatArray
    longest: FloatArray  # the longest duration in the group


class Weights(NamedTuple):
    """Of each spell: whether it ends with the event, and the sums of its weights and squares."""

    event: BoolArray
    weight: FloatArray
    square: FloatArray


class Curve(NamedTuple):
    """Of each row of a table: who is at risk and what becomes of them, and survival."""

    sums: _survival.Weighted
    survival: FloatArray


def curve(table: _survival.Table, weights: Weights | None) -> Curve:
    """Return the curves of all groups."""
    if weights is None:
        sums = _survival.unweighted(table)
    else:
        sums = _survival.weigh(table, weights.event, weights.weight)
    return Curve(sums, _survival.product_limit(table, sums))


def restricted_mean(
    table: _survival.Table, curve: Curve, weights: Weights | None, horizon: float
) -> Area:
    r"""Return the area under each group's Kaplan-Meier curve up to a horizon, and its error.

    With the area :math:`A_i` from the time :math:`t_i` to the horizon :math:`\tau`,

    .. math:: \mu = \int_0^\tau S(t) \, dt, \quad
        V = \sum_{t_i \le \tau} A_i^2 \frac{d_i}{Y_i (Y_i - d_i)}.

    Of weighted spells it is :math:`\sum_j w_j^2 U_j^2`, with the derivative of the area by a weight

    .. math:: U_j = \sum_{e_j < t_i \le \min(x_j, \tau)} A_i \frac{d_i}{Y_i (Y_i - d_i)}
        - \delta_j 1(x_j \le \tau) \frac{A(x_j)}{Y(x_j) - d(x_j)}.

    Where a curve has come down to 0 no area is left, and 0 / 0 counts as 0.

    Parameters
    ----------
    table : Table
        The life table of all groups.
    curve : Curve
        The curves that follow from it.
    weights : Weights or None
        Those of the spells that the table was made of.
    horizon : float
        Above 0.

    Returns
    -------
    Area
        A curve that ends above 0 before the horizon has no area. The error is NaN where it would be
        0: nothing has happened by then, or all of it at once.
    """
    sums, survival = curve
    size, last = len(table.first), np.append(table.first, len(table.group))[1:] - 1
    time = np.minimum(table.duration.astype(np.float64), horizon)
    until = np.full(len(time), horizon)
    until[:-1] = time[1:]
    until[last] = horizon
    # What is beyond the horizon has no area, and so moves nothing.
    area = _survival.remaining(survival * (until - time), table)
    somebody = np.bincount(table.group, table.entered, minlength=size) > 0
    longest = np.where(somebody, table.duration[last].astype(np.float64), np.nan)
    known = somebody & ((longest >= horizon) | (survival[last] == 0.0))
    hazard = area * _survival.increments(sums)
    if weights is None:
        variance = _variance.sums(table.group, area * hazard, size)
    else:
        upto = _survival.running(hazard, table, np.add)
        # Who has the event is no part of those left: -A / Y is A d / (Y (Y - d)) - A / (Y - d).
        fall = np.divide(area, sums.at_risk, out=np.zeros(len(area)), where=sums.at_risk > 0)
        ended = (_survival.one_row_on(upto, table) - fall)[table.leaves]
        moved = np.where(weights.event, ended, upto[table.leaves])
        moved -= _survival.at_entry(table, upto)
        variance = _variance.sums(table.group[table.leaves], weights.square * moved * moved, size)
    error = np.sqrt(np.where(known & (variance > 0.0), variance, np.nan))
    return Area(np.where(known, area[table.first], np.nan), error, longest)


def numbers(table: _survival.Table, horizon: float) -> tuple[IntArray, IntArray]:
    """Return how many subjects each group has, and how many events up to a horizon."""
    events = np.where(table.duration <= horizon, table.events, 0)
    n, happened = (
        _variance.sums(table.group, part.astype(np.float64), len(table.first)).astype(np.int64)
        for part in (table.entered, events)
    )
    return n, happened
