r"""Linearised variances: of weighted means, by weights, clusters and strata, and of ratios.

A weighted mean of values y with weights w over a group is moved by one answer by about

.. math:: u = w (y - \bar y) / \sum w,

and its variance is that of the sum of these u over the sampling units: the clusters, or the answers
themselves. In a stratum h with :math:`m_h` units out of :math:`N_h`,

.. math:: V = \sum_h (1 - m_h / N_h) \frac{m_h}{m_h - 1} \sum_c (u_{hc} - \bar u_h)^2.

A unit without an answer in the group has u = 0, and counts in :math:`m_h` all the same: a group is
a part of the sample whose size is itself left to chance.

References
----------
Binder, D. A. (1983). On the variances of asymptotically normal estimators from complex surveys.
International Statistical Review 51(3), 279-292. https://doi.org/10.2307/1402588
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# An error this small beside the spread of the answers is rounding: no group has as many answers.
_ROUNDING = 1e-18


class Strata(NamedTuple):
    """The sampling units of each stratum, and how many there are to sample; infinite if unknown."""

    units: FloatArray
    population: FloatArray

    @property
    def factor(self) -> FloatArray:
        """Return what multiplies the squares of each stratum; a stratum taken whole has none."""
        more = np.maximum(self.units - 1.0, 1.0)
        return np.where(self.unsampled > 0.0, self.unsampled * self.units / more, 0.0)

    @property
    def unsampled(self) -> FloatArray:
        """Return the share of each stratum that was not sampled."""
        return np.maximum(1.0 - self.units / self.population, 0.0)

    @property
    def df(self) -> float:
        """Return the degrees of freedom: units less strata."""
        return float(self.units.sum() - len(self.units))


class Cells(NamedTuple):
    """Answers that are alike: their group, stratum, unit and value, and their sums of weights.

    ``unit`` is None where every answer is its own; then ``square``, the sum of the squared weights,
    says what the answers of a cell add up to one by one.
    """

    group: IntArray
    stratum: IntArray
    unit: IntArray | None
    weight: FloatArray
    square: FloatArray


class Linearised(NamedTuple):
    """By group: the variance of the mean, Kish's size, which knows the weights alone, and units.

    The units are the clusters with an answer in the group; infinite where answers are none.
    """

    variance: FloatArray
    kish: FloatArray
    units: FloatArray


def linearised(cells: Cells, values: FloatArray, size: int, strata: Strata) -> Linearised:
    """Return the variance of each group's weighted mean of the cells' values.

    Parameters
    ----------
    cells : Cells
        Cells with a positive weight.
    values : array of shape (cells,)
        The value of each cell's answers.
    size : int
        Number of groups.
    strata : Strata
        The strata of the whole sample.

    Returns
    -------
    Linearised
        NaN for a group without a cell, and for the variance where there is one unit in all. The
        variance is exactly 0 where the answers or the units leave no spread.
    """
    total = sums(cells.group, cells.weight, size)
    none, width = total <= 0.0, len(strata.units)
    whole = np.where(none, 1.0, total)
    mean = weighted_mean(cells.group, values, cells.weight, whole, size)
    rest = (values - mean[cells.group]) / whole[cells.group]
    moved = cells.weight * rest
    # Sums by group and stratum of u and of its square, and of the squared weights of the units.
    pair, pairs = _codes.renumber(cells.group * width + cells.stratum, size * width)
    group, stratum = pairs // width, pairs % width
    moves = sums(pair, moved, len(pairs))
    own = np.full(size, np.inf)
    if cells.unit is None:
        squares = sums(pair, cells.square * rest * rest, len(pairs))
        kept = sums(pair, cells.square, len(pairs))
    else:
        units = int(cells.unit.max(initial=0)) + 1
        block, blocks = _codes.renumber(pair * units + cells.unit, len(pairs) * units)
        squares, kept = (
            sums(blocks // units, sums(block, each, len(blocks)) ** 2, len(pairs))
            for each in (moved, cells.weight)
        )
        own = sums(group[blocks // units], np.ones(len(blocks)), size)
    apart = (
        np.maximum(squares - moves * moves / strata.units[stratum], 0.0) * strata.factor[stratum]
    )
    variance = sums(group, apart, size)
    kept = sums(group, kept * strata.unsampled[stratum], size)
    spread = sums(cells.group, moved * (values - mean[cells.group]), size)
    variance[variance <= _ROUNDING * spread] = 0.0
    if strata.df <= 0.0 and strata.unsampled.any():
        variance[:] = np.nan
    kish = np.where(none, np.nan, kish_size(total, kept))
    # One cluster says nothing of the spread between clusters.
    return Linearised(np.where(none | (own <= 1.0), np.nan, variance), kish, own)


def sums(codes: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Return the sum of the values of each code."""
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64, copy=False)


def weighted_mean(
    group: IntArray, values: FloatArray, weight: FloatArray, total: FloatArray, size: int
) -> FloatArray:
    """Return each group's mean, to the last digit where its values are all equal."""
    first = np.zeros(size)
    first[group] = values
    apart = sums(group, weight * (values - first[group]), size)
    mean: FloatArray = first + apart / total
    return mean


def kish_size(total: FloatArray, squares: FloatArray) -> FloatArray:
    r"""Return Kish's effective size, :math:`(\sum w)^2 / \sum w^2`; infinite where nothing is left.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley, New York.
    """
    infinite = np.full(len(total), np.inf)
    size: FloatArray = np.divide(total * total, squares, out=infinite, where=squares > 0.0)
    return size


def effective_size(spread: FloatArray, variance: FloatArray, kish: FloatArray) -> FloatArray:
    """Return how many answers of a simple random sample would have this variance.

    The spread is the variance of one answer. Where the linearised variance is 0, as when all
    answers are equal, Kish's size stands in.

    References
    ----------
    Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data. Survey Methodology 24(2),
    193-201.
    """
    size: FloatArray = np.divide(spread, variance, out=kish.copy(), where=variance > 0.0)
    return size


def ratio(
    n: FloatArray,
    amount: FloatArray,
    start: FloatArray,
    amount_sq: FloatArray,
    start_sq: FloatArray,
    cross: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    r"""Return the ratio R of two sums over n customers, and its linearised standard error.

    A customer with y of the amount and x of the start moves it by about
    :math:`u = (y - R x) / \sum x`; the u add up to 0, and the variance is
    :math:`n / (n - 1) \sum u^2`. A start that is not positive has no ratio: NaN.
    """
    # What is left where starts cancel out is rounding, and no start.
    whole = np.where(start > 1e-12 * np.sqrt(start_sq), start, np.nan)
    found = amount / whole
    parts = amount_sq, -2.0 * found * cross, found * found * start_sq
    apart, scale = sum(parts), amount_sq + found * found * start_sq
    # What is left where all customers have the same ratio is rounding.
    apart = np.where(apart > 1e-14 * scale, apart, 0.0 * scale)
    factor = n / np.where(n > 1, n - 1.0, np.nan)
    return found, np.sqrt(factor * apart) / whole
