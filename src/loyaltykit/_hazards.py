"""Kernels: survival of several groups held against each other by the log-rank test.

What comes in are cells: distinct subjects and how many each stands for, as arrays of one length,
taken as already checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from loyaltykit import _codes, _variance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Times = npt.NDArray[Any]  # 64-bit integers or floats

_BLOCK = 1 << 18  # groups or pairs by times that are worked on at once: two megabytes an array


class Cells(NamedTuple):
    """Subjects by group, duration, event and entry (0, or None for all, is from the beginning).

    ``n`` says how many each stands for.
    """

    group: IntArray
    duration: Times
    event: BoolArray
    entry: Times | None
    n: IntArray


class Overall(NamedTuple):
    """The events expected in each group, and the one test of all of them; NaN without a test."""

    expected: FloatArray
    statistic: float
    df: int
    p_value: float


class Pairwise(NamedTuple):
    """One value per pair each; NaN without a test."""

    expected: FloatArray
    expected_reference: FloatArray
    statistic: FloatArray
    df: IntArray
    p_value: FloatArray


def subjects(cells: Cells, size: int) -> tuple[IntArray, IntArray]:
    """Return how many subjects each group has, and how many events."""
    n, events = (np.zeros(size, dtype=np.int64) for _ in range(2))
    np.add.at(n, cells.group, cells.n)
    np.add.at(events, cells.group, np.where(cells.event, cells.n, 0))
    return n, events


def overall(cells: Cells, size: int) -> Overall:
    r"""Return the log-rank test of all groups.

    With the events :math:`d_g` and the subjects at risk :math:`Y_g` of each group at each time of
    an event, and their sums d and Y,

    .. math:: E_g = \sum d \frac{Y_g}{Y}, \quad
        V_{gh} = \sum \frac{d (Y - d)}{Y - 1} \frac{Y_g}{Y} \Bigl(1_{g = h} - \frac{Y_h}{Y}\Bigr),
        \quad \chi^2 = (O - E)^T V^- (O - E),

    on as many degrees of freedom as V has rank. Groups that are at risk together while something is
    left to chance, directly or by way of others, make a component; each takes one off the rank.

    Parameters
    ----------
    cells : Cells
        The subjects.
    size : int
        How many groups there are; a group may have no subject.

    Returns
    -------
    Overall
        Without a degree of freedom the statistic and p are NaN.
    """
    expected, products = np.zeros(size), np.zeros((size, size))
    if not size:
        return Overall(expected, np.nan, 0, np.nan)
    for deaths, at_risk in _risk_sets(cells, size, size):
        total, died = at_risk.sum(axis=0), deaths.sum(axis=0)
        shares = at_risk / total  # somebody is at risk at the time of an event
        expected += shares @ died
        spread = shares * np.sqrt(_spread(died, total))
        products += spread @ spread.T
    np.fill_diagonal(products, 0.0)
    linked = _components(products > 0.0)
    left = np.ones(size, dtype=np.bool_)
    left[linked] = False  # the first of each component follows from the others
    df = int(left.sum())
    if not df:
        return Overall(expected, np.nan, 0, np.nan)
    # Rows of V add up to 0. Its diagonal is summed, because 1 - Y_g / Y would lose digits.
    variance = products.sum(axis=1)
    scale = np.sqrt(variance[left])
    matrix = (np.diag(variance) - products)[np.ix_(left, left)] / np.outer(scale, scale)
    apart = (subjects(cells, size)[1] - expected)[left] / scale
    statistic = max(float(apart @ np.linalg.solve(matrix, apart)), 0.0)
    return Overall(expected, statistic, df, float(chdtrc(df, statistic)))


def pairwise(cells: Cells, size: int, one: IntArray, other: IntArray) -> Pairwise:
    """Return the log-rank test of each pair of groups, as if there were no others.

    Parameters
    ----------
    cells : Cells
        The subjects.
    size : int
        How many groups there are.
    one, other : array of shape (pairs,)
        The two groups of each pair.

    Returns
    -------
    Pairwise
        ``df`` is 1, or 0 where nothing is left to chance.
    """
    expected, reference, variance = (np.zeros(len(one)) for _ in range(3))
    for deaths, at_risk in _risk_sets(cells, size, max(size, len(one))):
        total, died = at_risk[one] + at_risk[other], deaths[one] + deaths[other]
        somebody = np.maximum(total, 1.0)  # others may be at risk where neither of the two is
        mine, theirs = at_risk[one] / somebody, at_risk[other] / somebody
        expected += (died * mine).sum(axis=1)
        reference += (died * theirs).sum(axis=1)
        variance += (_spread(died, total) * mine * theirs).sum(axis=1)
    tested = variance > 0.0
    apart = subjects(cells, size)[1][one] - expected
    statistic = np.divide(apart * apart, variance, out=np.full(len(one), np.nan), where=tested)
    return Pairwise(expected, reference, statistic, tested.astype(np.int64), chdtrc(1.0, statistic))


def _spread(deaths: FloatArray, total: FloatArray) -> FloatArray:
    """Return d (Y - d) / (Y - 1), which is 0 where a single subject is at risk."""
    made: FloatArray = deaths * (total - deaths) / np.maximum(total - 1.0, 1.0)
    return made


def _components(linked: BoolArray) -> IntArray:
    """Return for each group the first one that it is linked to, directly or by way of others."""
    reached = linked | np.eye(len(linked), dtype=np.bool_)
    while True:  # each turn doubles the length of the ways
        steps = reached.astype(np.float32)
        further = steps @ steps > 0.0
        if (further == reached).all():
            first: IntArray = reached.argmax(axis=1)
            return first
        reached = further


# ---- who is at risk -----------------------------------------------------------------------------


def _exposed(cells: Cells, times: Times) -> tuple[IntArray, IntArray]:
    """Return the first of the times at which each cell is at risk, and the first after the last.

    Who enters at a time is at risk after it, and who was there from the beginning at time 0 too.
    """
    stop = np.searchsorted(times, cells.duration, side="right")
    if cells.entry is None:
        return np.zeros_like(stop), stop
    return np.where(cells.entry > 0, np.searchsorted(times, cells.entry, side="right"), 0), stop


class _Changes(NamedTuple):
    """By how much the number of subjects of a group changes, and at which of the times."""

    time: IntArray
    group: IntArray
    by: FloatArray

    def taken(self, rows: slice | IntArray | BoolArray) -> _Changes:
        """Return some of the changes."""
        return _Changes(self.time[rows], self.group[rows], self.by[rows])


def _risk_sets(cells: Cells, size: int, height: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Return the events and the subjects at risk, by group and time, in runs of times of events.

    The height is that of the arrays that the caller makes of them, by which the runs are cut.
    """
    times = _codes.unique(cells.duration[cells.event])
    start, stop = _exposed(cells, times)
    width = max(_BLOCK // max(height, 1), 1)
    moves = _Changes(
        np.concatenate((start, stop)),
        np.concatenate((cells.group, cells.group)),
        np.concatenate((cells.n, -cells.n)).astype(np.float64),
    )
    ends = _Changes(stop - 1, cells.group, cells.n.astype(np.float64)).taken(cells.event)
    before = np.zeros((size, 1))
    for moved, deaths in zip(
        _counted(moves, size, len(times), width),
        _counted(ends, size, len(times), width),
        strict=True,
    ):
        at_risk = before + np.cumsum(moved, axis=1)
        before = at_risk[:, -1:]
        yield deaths, at_risk


def _counted(changes: _Changes, size: int, times: int, width: int) -> Iterator[FloatArray]:
    """Return the changes by group and time, for so many times after the other."""
    if times > width:
        changes = changes.taken(np.argsort(changes.time, kind="stable"))
    for low in range(0, times, width):
        wide = min(width, times - low)
        run: slice | BoolArray = changes.time < times  # all that happens, in a single run
        if times > width:
            run = slice(*np.searchsorted(changes.time, (low, low + wide)))
        these = changes.taken(run)
        code = these.group * wide + (these.time - low)
        yield _variance.sums(code, these.by, size * wide).reshape(size, wide)
