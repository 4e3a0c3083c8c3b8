"""Kernel: the mean duration up to a horizon, which is the area under the survival curve.

All groups are worked on at once: their times of events lie one after the other, group by group, and
sums and products run within each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _hazards

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Area(NamedTuple):
    """One value per group each: NaN where there is nothing to say."""

    estimate: FloatArray
    std_error: FloatArray
    longest: FloatArray  # the longest duration in the group


class _Steps(NamedTuple):
    """The times at which the curves of the groups fall, group by group.

    Those of group g go from ``first[g]`` to before ``end[g]``, and ``place`` counts them from 0.
    """

    group: IntArray
    time: FloatArray
    place: IntArray
    first: IntArray
    end: IntArray


class _Spans(NamedTuple):
    """The steps at which each cell is at risk, from ``start`` to before ``stop``.

    ``event`` is true where the last of them is its own event.
    """

    start: IntArray
    stop: IntArray
    event: BoolArray


class _Risk(NamedTuple):
    """The events of each step, who is at risk then, and who is left: exactly 0 where nobody is."""

    events: FloatArray
    at_risk: FloatArray
    left: FloatArray


def restricted_mean(cells: _hazards.Cells, size: int, horizon: float) -> Area:
    r"""Return the area under each group's Kaplan-Meier curve up to a horizon, and its error.

    With the area :math:`A_i` from the time :math:`t_i` of an event to the horizon,

    .. math:: \mu = \int_0^\tau S(t) \, dt, \quad
        V = \sum_{t_i \le \tau} A_i^2 \frac{d_i}{Y_i (Y_i - d_i)}.

    Of weighted subjects the variance is :math:`\sum_j w_j^2 U_j^2`, with the derivative of the area
    by the weight of a subject

    .. math:: U_j = \sum_{e_j < t_i \le \min(x_j, \tau)} A_i \frac{d_i}{Y_i (Y_i - d_i)}
        - \delta_j 1(x_j \le \tau) \frac{A(x_j)}{Y(x_j) - d(x_j)}.

    Where a curve has come down to 0 no area is left, and 0 / 0 counts as 0.

    Parameters
    ----------
    cells : Cells
        The subjects. Weighted ones weigh more than 0.
    size : int
        How many groups there are; a group may have no subject.
    horizon : float
        Above 0.

    Returns
    -------
    Area
        A curve that ends above 0 before the horizon has no area. The error is NaN where it would be
        0: nothing has happened by then, or all of it at once.
    """
    longest = np.full(size, np.nan)
    np.fmax.at(longest, cells.group, cells.duration.astype(np.float64))
    steps, spans = _steps(cells, size, horizon)
    risk = _risk(cells, steps, spans)
    survival = _running(np.multiply, risk.left / risk.at_risk, steps.place)
    until = np.full(len(steps.time), horizon)
    until[:-1] = np.where(steps.place[1:] > 0, steps.time[1:], horizon)
    area = _to_the_end(survival * (until - steps.time), steps)
    # Before its first step a curve is at 1.
    estimate, last = np.full(size, float(horizon)), np.ones(size)
    some = steps.end > steps.first
    estimate[some] = (steps.time + area)[steps.first[some]]
    last[some] = survival[steps.end[some] - 1]
    known = (longest >= horizon) | (~np.isnan(longest) & (last == 0.0))
    reach = np.divide(area, risk.left, out=np.zeros(len(area)), where=risk.left > 0)
    hazard = reach * risk.events / risk.at_risk  # A d / (Y (Y - d))
    if cells.weight is None or cells.square is None:
        variance = np.bincount(steps.group, area * hazard, minlength=size)
    else:
        influence = _influence(cells.group, hazard, reach, steps, spans)
        variance = np.bincount(cells.group, cells.square * influence**2, minlength=size)
    error = np.sqrt(np.where(known & (variance > 0.0), variance, np.nan))
    return Area(np.where(known, estimate, np.nan), error, longest)


def _steps(cells: _hazards.Cells, size: int, horizon: float) -> tuple[_Steps, _Spans]:
    """Return the steps of each curve up to the horizon, and those at which each cell is at risk."""
    happened = cells.event & (cells.duration <= horizon)
    times = np.unique(cells.duration[happened])
    width = max(len(times), 1)
    start, stop = _hazards.exposed(cells, times)
    own = cells.group * width
    codes = np.unique((own + stop - 1)[happened])
    group, at = np.divmod(codes, width)
    first, end = (np.searchsorted(codes, np.arange(i, size + i) * width) for i in (0, 1))
    steps = _Steps(
        group, times[at].astype(np.float64), np.arange(len(codes)) - first[group], first, end
    )
    # After the last of the times comes the code of the next group's first.
    spans = (np.searchsorted(codes, own + part) for part in (start, stop))
    return steps, _Spans(*spans, happened)


def _risk(cells: _hazards.Cells, steps: _Steps, spans: _Spans) -> _Risk:
    numbers = _counted(cells.group, cells.n, steps, spans)
    if cells.weight is None:
        return numbers
    # Sums of weights are rounded: that nobody is left is told by the numbers.
    sums = _counted(cells.group, cells.weight, steps, spans)
    left = np.where(numbers.left > 0, sums.left, 0.0)
    return _Risk(sums.events, sums.events + left, left)


def _counted(
    group: IntArray, each: IntArray | FloatArray, steps: _Steps, spans: _Spans
) -> _Risk:
    """Return the sums over the cells of each step."""
    size, first = len(steps.time), steps.first[group]
    last = spans.stop - 1
    events = np.bincount(last[spans.event], each[spans.event], minlength=size)
    # Added up from the end, where few are left, so that no digits are lost.
    stay, enter = last - spans.event, spans.start - 1
    changes = np.zeros(size)
    for at, sign in ((stay, 1.0), (enter, -1.0)):
        inside = at >= first
        changes += np.bincount(at[inside], sign * each[inside], minlength=size)
    left = _to_the_end(changes, steps)
    return _Risk(events, events + left, left)


def _influence(
    group: IntArray, hazard: FloatArray, reach: FloatArray, steps: _Steps, spans: _Spans
) -> FloatArray:
    """Return the derivative of the area by the weight of a subject of each cell."""
    running, first = _running(np.add, hazard, steps.place), steps.first[group]

    def before(at: IntArray) -> FloatArray:
        made = np.zeros(len(at))
        inside = at > first
        made[inside] = running[at[inside] - 1]
        return made

    influence = before(spans.stop) - before(spans.start)
    influence[spans.event] -= reach[spans.stop[spans.event] - 1]
    return influence


def _to_the_end(values: FloatArray, steps: _Steps) -> FloatArray:
    """Return the sums from each step to the last one of its group."""
    after = (steps.end - steps.first)[steps.group] - 1 - steps.place
    return _running(np.add, values[::-1], after[::-1])[::-1]


def _running(step: np.ufunc, values: FloatArray, place: IntArray) -> FloatArray:
    """Return the sums or products up to each place of a group.

    Each turn doubles how far they reach, so that no group's rounding spoils that of the next.
    """
    made = values.copy()
    longest, reach = int(place.max(initial=0)), 1
    while reach <= longest:
        further = step(made[reach:], made[:-reach])
        made[reach:] = np.where(place[reach:] >= reach, further, made[reach:])
        reach *= 2
    return made
