"""The bootstrap interval of a mean, drawn from the counts of its values.

Rows need not be there: to draw n answers with replacement is to draw how many of each value come,
a multinomial of n and the shares. That takes as long for a billion answers as for a hundred.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

# Replicates at a time, of 40 bytes each while they are drawn and sorted: more are not quicker.
_BLOCK = 200_000


def percentile(
    counts: IntArray,
    values: FloatArray,
    confidence_level: float,
    *,
    rng: np.random.Generator,
    n_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    r"""Return the percentile interval of a mean of values, one for each group of counts.

    .. math:: \bar x^* = \frac{1}{n} \sum_j x_j m^*_j, \quad
        (m^*_1, \dots, m^*_k) \sim Multinomial(n,\, c / n), \quad n = \sum_j c_j

    for each replicate; the limits are the quantiles of :math:`\bar x^*` that leave half of the
    error on each side, interpolated linearly between the two replicates next to them (NumPy's
    method "linear").

    Parameters
    ----------
    counts : integer array of shape (groups, k)
        How many answers each group has of each value.
    values : array of shape (k,)
        The values x: (1, 0, -1) for NPS, (1, 0) for a share, the scale's points for a mean.
    confidence_level : float
        Between 0 and 1.
    rng : numpy.random.Generator
        Where the draws come from. Groups are drawn together, so that the limits of one depend on
        which others there are.
    n_resamples : int
        Replicates, 1 or more.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits in the unit of the values, on their scale. NaN where ``n`` is 0; no width where all
        answers are alike, and too little in small groups: the bootstrap cannot draw what is not
        there.

    References
    ----------
    Efron, B. (1979). Bootstrap methods: another look at the jackknife. The Annals of Statistics
    7(1), 1-26. https://doi.org/10.1214/aos/1176344552
    """
    tail = (1.0 - confidence_level) / 2.0
    limits = np.full((2, len(counts)), np.nan)
    answered = np.flatnonzero(counts.sum(axis=1))
    step = max(1, _BLOCK // n_resamples)
    for first in range(0, len(answered), step):
        block = answered[first : first + step]
        means = _resampled_means(counts[block], values, rng, n_resamples)
        limits[:, block] = np.quantile(means, [tail, 1.0 - tail], axis=1, overwrite_input=True)
    low, high = limits
    return low, high


def _resampled_means(
    counts: IntArray, values: FloatArray, rng: np.random.Generator, n_resamples: int
) -> FloatArray:
    """Return one mean per group and replicate, of groups that have answers.

    A multinomial is drawn bucket by bucket: each takes a binomial of what the ones before it left.
    """
    used = np.flatnonzero(counts.any(axis=0))  # a bucket that is empty everywhere draws nothing
    counts = counts[:, used]
    left = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # in this bucket and those after it
    n = left[:, :1]
    remaining = np.broadcast_to(n, (len(counts), n_resamples))
    total = np.zeros(remaining.shape)
    for j, value in enumerate(values[used[:-1]]):
        # Exactly 1 in a group's last bucket, so that no answer is left over.
        share = counts[:, j, None] / np.maximum(left[:, j, None], 1)
        drawn = rng.binomial(remaining, share)
        total += value * drawn
        remaining = remaining - drawn
    total += values[used[-1]] * remaining
    total /= n
    return total


def ratio(
    codes: IntArray,
    top: FloatArray,
    bottom: FloatArray,
    size: int,
    confidence_level: float,
    *,
    rng: np.random.Generator,
    n_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    r"""Return the percentile interval of a ratio of two sums, one for each code.

    .. math:: R^* = \sum_{i \in S^*} y_i \Big/ \sum_{i \in S^*} x_i

    where S* are as many units as the code has, drawn with replacement.

    Parameters
    ----------
    codes : integer array of shape (units,)
        The group of each unit, sorted.
    top, bottom : array of shape (units,)
        The amounts y and x of each unit.
    size : int
        How many codes there are.
    confidence_level : float
        Between 0 and 1.
    rng : numpy.random.Generator
        Where the draws come from.
    n_resamples : int
        Replicates, 1 or more.

    Returns
    -------
    low, high : array of shape (size,)
        NaN for a code without units, and where a replicate beyond the limit divides by 0.
    """
    tail = (1.0 - confidence_level) / 2.0
    limits = np.full((2, size), np.nan)
    counts = np.bincount(codes, minlength=size)
    ends = np.cumsum(counts)
    there = np.flatnonzero(counts)
    for block in _blocks_of(there, n_resamples):
        first, last = ends[block[0]] - counts[block[0]], ends[block[-1]]
        begins = ends[block] - counts[block] - first
        made = _resampled_ratios(
            top[first:last], bottom[first:last], begins, counts[block], rng, n_resamples
        )
        with np.errstate(invalid="ignore"):  # between two replicates that divide by 0
            limits[:, block] = np.quantile(made, [tail, 1.0 - tail], axis=0, overwrite_input=True)
    low, high = np.where(np.isfinite(limits), limits, np.nan)
    return low, high


def _blocks_of(codes: IntArray, n_resamples: int) -> Iterator[IntArray]:
    """Return codes in runs whose replicates fit in memory."""
    step = max(1, _BLOCK // n_resamples)
    return (codes[first : first + step] for first in range(0, len(codes), step))


def _resampled_ratios(
    top: FloatArray,
    bottom: FloatArray,
    begins: IntArray,
    counts: IntArray,
    rng: np.random.Generator,
    n_resamples: int,
) -> FloatArray:
    """Return one ratio per replicate and code; infinite where the bottom of one is 0."""
    first, length = (np.repeat(values, counts) for values in (begins, counts))
    made = np.empty((n_resamples, len(begins)))
    step = max(1, _BLOCK // max(len(top), 1))
    for start in range(0, n_resamples, step):
        rows = slice(start, min(start + step, n_resamples))
        drawn = rng.random((rows.stop - start, len(top)))
        unit = first + (drawn * length).astype(np.int64)
        above, below = (np.add.reduceat(each[unit], begins, axis=1) for each in (top, bottom))
        made[rows] = np.inf
        np.divide(above, below, out=made[rows], where=below > 0)
    return made
