r"""The change of a mean between two samples, split over cells into mix and within.

A cell has a share :math:`w` of its sample and a mean (a rate) :math:`r`; the mean of all is
:math:`R = \sum w r`. Cells are nested in k levels, such as sectors and the tiers of each sector,
and a share is the product of the conditional ones, :math:`f_l = M_l / M_{l-1}`, where :math:`M_l`
is the share of the cell's ancestor at level l, :math:`M_0 = 1` and :math:`M_k = w`. So a cell adds

.. math:: w (r - \bar R) = f_1 \cdots f_k (r - \bar R), \quad \bar R = (R_0 + R_1) / 2

to the mean about :math:`\bar R`, in sample 0 and in sample 1. Changing the k + 1 factors from one
sample to the other one by one, each adds something that depends on those changed before it; its
Shapley value is the average over all orders, and these add up to the whole change. *Within* is that
of the rate, *mix* the sum of those of the shares. With one level this is Kitagawa's split,

.. math:: within = \frac{w_0 + w_1}{2} (r_1 - r_0), \quad
    mix = (w_1 - w_0) \left(\frac{r_0 + r_1}{2} - \bar R\right).

Taken about :math:`\bar R`, a cell below the average that grows has a negative mix; the sum over all
cells is the same, because the shares add up to 1 in both samples.

A factor that one sample does not have, such as the rate of a cell without answers, takes the value
of the other: it has not changed, and what has changed is the share.

Variances are linearised: an answer y moves a part by its influence, which is linear in y with
coefficients that depend only on how many of the cell's ancestors the answer lies in. So the moments
of the *shells*, each ancestor less the next one, are all that the variance needs.

References
----------
Kitagawa, E. M. (1955). Components of a difference between two rates. Journal of the American
Statistical Association 50(272), 1168-1194. https://doi.org/10.1080/01621459.1955.10501299

Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau of
the Census, Current Population Reports P23-186.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

# What is left of a spread this small beside the squares is rounding.
_ROUNDING = 1e-14


class Sample(NamedTuple):
    """The answers of one sample, by cell.

    Sums of the weights and of the values by weight, then of squared weights: alone, by value and by
    squared value. Without weights the first two are the first two of these.
    """

    n: IntArray
    total: FloatArray
    first: FloatArray
    square_total: FloatArray
    square_first: FloatArray
    square_second: FloatArray


class Factors(NamedTuple):
    """What a cell's contribution is the product of: k conditional shares, then the rate.

    ``known`` says where a factor is the sample's own. The ancestors are the shares of the cell's
    ancestors from the whole on down, the cell's own last. The rates are about the middle of the two
    overall means.
    """

    values: list[FloatArray]
    known: list[BoolArray]
    ancestors: list[FloatArray]
    overall: FloatArray


class Part(NamedTuple):
    """One part of each cell's change, and its slopes: by sample, then by factor."""

    change: FloatArray
    slopes: tuple[list[FloatArray], list[FloatArray]]


class Influence(NamedTuple):
    """What an answer y of each shell moves a part by: ``level + slope * y``."""

    level: list[FloatArray]
    slope: list[FloatArray]


def factors(samples: Sequence[Sample], nests: Sequence[IntArray]) -> tuple[Factors, Factors]:
    """Return the factors of every cell in both samples.

    Parameters
    ----------
    samples : pair of Sample
        What changes from the first one to the second one.
    nests : sequence of k + 1 arrays of shape (cells,)
        The codes of each cell's ancestors, from 0 without gaps: first those of the whole it belongs
        to, then level by level, at last the cell itself.

    Returns
    -------
    pair of Factors
        Those of a whole without answers in one of the samples mean nothing.
    """
    ancestors = [_shares(sample.total, nests) for sample in samples]
    overall = [
        _ratio(_within(sample.first, nests[0]), _within(sample.total, nests[0]))
        for sample in samples
    ]
    middle = (overall[0] + overall[1]) / 2.0
    found = []
    for sample, shares in zip(samples, ancestors, strict=True):
        values = [_ratio(inner, outer) for outer, inner in itertools.pairwise(shares)]
        found.append([*values, _ratio(sample.first, sample.total) - middle])
    known = [[~np.isnan(values) for values in own] for own in found]
    return (
        Factors(_filled(found[0], found[1]), known[0], ancestors[0], overall[0]),
        Factors(_filled(found[1], found[0]), known[1], ancestors[1], overall[1]),
    )


def parts(both: tuple[Factors, Factors]) -> tuple[Part, Part]:
    """Return the mix and the within part of every cell; they add up to the change of the whole."""
    values = both[0].values, both[1].values
    *shares, rate = (_shapley(values, factor) for factor in range(len(values[0])))
    slopes = [
        [np.sum(slopes, axis=0) for slopes in zip(*(s.slopes[period] for s in shares), strict=True)]
        for period in (0, 1)
    ]
    mix = Part(np.sum([share.change for share in shares], axis=0), (slopes[0], slopes[1]))
    return mix, rate


def influence(part: Part, both: tuple[Factors, Factors], period: int) -> Influence:
    """Return what an answer of one sample moves a part by.

    The first shell is the whole without the ancestor at level 1, the last one the cell itself.
    """
    mine, other = both[period], both[1 - period]
    slopes = [
        # Where the other sample borrows a factor, both change with this one.
        np.where(known, own + np.where(theirs, 0.0, lent), 0.0)
        for own, lent, known, theirs in zip(
            part.slopes[period], part.slopes[1 - period], mine.known, other.known, strict=True
        )
    ]
    # The rates are about the middle of the overall means, which moves with every answer.
    centre = -(part.slopes[0][-1] + part.slopes[1][-1]) / 2.0
    *shares, rate = mine.values
    steps = [
        _ratio(slope, outer, 0.0)
        for slope, outer in zip(slopes[:-1], mine.ancestors[:-1], strict=True)
    ]
    level, slope = [], []
    height = -centre * mine.overall
    for step, share in zip(steps, shares, strict=True):
        level.append(height - step * share)
        slope.append(centre)
        height = height + step * (1.0 - share)
    in_cell = _ratio(slopes[-1], mine.ancestors[-1], 0.0)
    middle = (both[0].overall + both[1].overall) / 2.0
    level.append(height - in_cell * (rate + middle))
    slope.append(centre + in_cell)
    return Influence(level, slope)


def variance(moved: Influence, sample: Sample, nests: Sequence[IntArray]) -> FloatArray:
    """Return the sum of squared influences over the answers, by the square of the weights' sum."""
    shells = _shells(sample, nests)
    whole = _within(sample.total, nests[0])
    squares = np.zeros(len(sample.n))
    for level, slope, (total, first, second) in zip(*moved, shells, strict=True):
        # About the mean of the shell, so that equal answers leave nothing behind.
        mean = _ratio(first, total, 0.0)
        spread = second - mean * first
        spread = np.where(spread > _ROUNDING * second, spread, 0.0)
        squares = squares + total * (level + slope * mean) ** 2 + spread * slope**2
    return _ratio(squares, whole * whole)


def _shapley(values: tuple[list[FloatArray], list[FloatArray]], factor: int) -> Part:
    """Return the Shapley value of one factor of a product, and its slopes."""
    step = values[1][factor] - values[0][factor]
    average = _mean_product(values, {factor})
    slopes: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for period, sign in enumerate((-1.0, 1.0)):
        for other in range(len(values[0])):
            if other == factor:
                slopes[period].append(sign * average)
            else:
                slopes[period].append(step * _mean_product(values, {factor, other}, period))
    return Part(step * average, slopes)


def _mean_product(
    values: tuple[list[FloatArray], list[FloatArray]], left_out: set[int], changed: int = 0
) -> FloatArray:
    """Return the mean, over all orders, of the product of all factors but some.

    The orders are those in which the factors change; the mean is over what has changed before one
    of those left out. ``changed`` counts the others left out that have changed as well.
    """
    count = len(values[0])
    rest = [i for i in range(count) if i not in left_out]
    mean = np.zeros(len(values[0][0]))
    for periods in itertools.product((0, 1), repeat=len(rest)):
        orders = count * math.comb(count - 1, changed + sum(periods))
        product = np.full(len(mean), 1.0 / orders)
        for i, period in zip(rest, periods, strict=True):
            product = product * values[period][i]
        mean = mean + product
    return mean


def _filled(own: list[FloatArray], other: list[FloatArray]) -> list[FloatArray]:
    """Return the factors, from the other sample where a sample has none, and 0 where neither."""
    return [
        np.where(np.isnan(mine), np.where(np.isnan(lent), 0.0, lent), mine)
        for mine, lent in zip(own, other, strict=True)
    ]


def _shares(total: FloatArray, nests: Sequence[IntArray]) -> list[FloatArray]:
    sums = [_within(total, codes) for codes in nests]
    return [_ratio(part, sums[0]) for part in sums]


def _shells(
    sample: Sample, nests: Sequence[IntArray]
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return the moments by squared weights of each ancestor less the next one."""
    squares = (sample.square_total, sample.square_first, sample.square_second)
    sums = [[_within(values, codes) for values in squares] for codes in nests]
    counts = [_within(sample.n, codes) for codes in nests]
    shells = []
    for outer, inner in itertools.pairwise(range(len(nests))):
        # Told by the counts, because the difference of equal sums of weights may be rounding.
        some = counts[outer] > counts[inner]
        less = [np.where(some, a - b, 0.0) for a, b in zip(sums[outer], sums[inner], strict=True)]
        shells.append((less[0], less[1], less[2]))
    return [*shells, (sums[-1][0], sums[-1][1], sums[-1][2])]


def _within(values: IntArray | FloatArray, codes: IntArray) -> FloatArray:
    """Return the sum of each cell's group."""
    if not len(codes):
        return np.zeros(0)
    sums: FloatArray = np.bincount(codes, weights=values)[codes].astype(np.float64, copy=False)
    return sums


def _ratio(above: FloatArray, below: FloatArray, otherwise: float = np.nan) -> FloatArray:
    made = np.full(len(below), otherwise)
    np.divide(above, below, out=made, where=below > 0.0)
    return made
