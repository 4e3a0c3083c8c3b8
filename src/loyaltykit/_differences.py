"""Two independent groups held against each other: intervals and p-values, as array functions.

Every function takes one-dimensional arrays of equal length, one entry per comparison, and returns
new ``float64`` arrays of that length. A difference is that of ``one`` minus ``other``, its unit
shares (0.2, not 20) or, for means, scale points. Where a side has no answers, all is NaN. The
arguments are taken as already checked.

An interval and its p-value are of one pivot: 0 lies outside of the interval exactly where p is
below 1 minus the confidence level. Of a one-sided alternative the other limit is left out: it is
``widest``, the end of the scale of differences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr

from loyaltykit._intervals import (
    CountArray,
    FloatArray,
    Interval,
    normal_quantile,
    student_quantile,
    student_shrinkage,
    tango,
    tango_variance,
)
from loyaltykit._shares import wilson

BoolArray = npt.NDArray[np.bool_]

# Newton's steps take four to eight; where one would leave the bracket, it is halved instead.
_STEPS = 60
_ARRIVED = 1e-9  # a step this short leaves an error of its square
_FARTHEST = 50.0  # of the logarithm of a ratio of errors: sides of 1 and 1e43 answers
_LEAST = 1e-300  # in place of a variance of 0, which has no logarithm


class Side(NamedTuple):
    """Answers that count +1 and -1, and all answers; ``below`` is None for a share.

    ``n`` need not be whole: it may be an effective sample size, and the counts shares of it.
    """

    above: CountArray
    below: CountArray | None
    n: CountArray


class Means(NamedTuple):
    """Means, their standard errors, and how many answers they are of."""

    mean: FloatArray
    std_error: FloatArray
    n: CountArray


class Pivot(NamedTuple):
    """How a statistic is read: its tails, its confidence level, and what it is distributed as.

    ``df`` are the degrees of freedom of Student's t; None means the normal distribution.
    """

    alternative: str
    confidence_level: float
    df: FloatArray | None = None

    @property
    def level(self) -> float:
        """Return the level of the two-sided interval that has the limits wanted."""
        if self.alternative == "two-sided":
            return self.confidence_level
        return 2.0 * self.confidence_level - 1.0

    @property
    def quantile(self) -> FloatArray:
        """Return how many errors the limits lie from the middle, NaN without df."""
        if self.df is None:
            return np.array(normal_quantile(self.level))
        return student_quantile(self.df, self.level)

    def p_value(self, statistic: FloatArray) -> FloatArray:
        """Return the chance of a statistic at least as extreme in the direction looked at."""
        if self.alternative == "two-sided":
            return 2.0 * self._below(-np.abs(statistic))
        return self._below(-statistic if self.alternative == "greater" else statistic)

    def limits(self, low: FloatArray, high: FloatArray, widest: float) -> Interval:
        """Return the limits that the alternative asks for, cut at the ends of the scale."""
        low, high = np.maximum(low, -widest), np.minimum(high, widest)
        if self.alternative == "greater":
            high = np.where(np.isnan(high), np.nan, widest)
        if self.alternative == "less":
            low = np.where(np.isnan(low), np.nan, -widest)
        return low, high

    def _below(self, statistic: FloatArray) -> FloatArray:
        if self.df is None:
            chance: FloatArray = ndtr(statistic)
            return chance
        known = self.df > 0
        return np.where(known, stdtr(np.where(known, self.df, 1.0), statistic), np.nan)


class Outcome(NamedTuple):
    """One value per comparison each; NaN where there is nothing to say."""

    ci_low: FloatArray
    ci_high: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray


def mover(one: Side, other: Side, pivot: Pivot) -> Outcome:
    r"""Return the interval recovered from the score limits of both sides, and its p-value.

    With the estimates e, their limits l and u, and :math:`D = e_1 - e_2`,

    .. math:: L = D - \sqrt{(e_1 - l_1)^2 + (u_2 - e_2)^2}, \quad
        U = D + \sqrt{(u_1 - e_1)^2 + (e_2 - l_2)^2}.

    The statistic is the z at which the limit next to 0 touches it. A score limit l satisfies
    :math:`n (e - l)^2 = z^2 V(l)`, so that with the limits where they touch,

    .. math:: z = D \,/ \sqrt{V_1(l_1) / n_1 + V_2(u_2) / n_2},

    and finding z is finding how D is split between the two sides: one angle, with no limits solved
    for inside.

    Parameters
    ----------
    one, other : Side
        Limits are Tango's for a net score, and Wilson's for a share, for which this is the tenth
        method of Newcombe.
    pivot : Pivot
        How the statistic is read.

    Returns
    -------
    Outcome
        A difference of 0 has the statistic 0.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
    comparison of eleven methods. Statistics in Medicine 17(8), 873-890.
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I

    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a
    general approach. Statistics in Medicine 27(10), 1693-1702. https://doi.org/10.1002/sim.3095
    """
    sides = _shares(one), _shares(other)
    difference = sides[0].estimate - sides[1].estimate
    (low, high), (other_low, other_high) = (_score_limits(side, pivot) for side in (one, other))
    down = np.hypot(sides[0].estimate - low, other_high - sides[1].estimate)
    up = np.hypot(high - sides[0].estimate, sides[1].estimate - other_low)
    statistic = _touching_z(*sides, difference)
    limits = pivot.limits(difference - down, difference + up, _widest(one))
    return _outcome(limits, statistic, pivot)


def adjusted_wald(one: Side, other: Side, pivot: Pivot) -> Outcome:
    r"""Return Wald's interval and p-value, with pseudo-answers added to each side.

    A net score is given 3/4 of a promoter, 3/4 of a detractor and three answers in all; a share one
    success and one failure. With the estimates :math:`\tilde e` and the variances
    :math:`\tilde V` of one answer that follow,

    .. math:: z = (\tilde e_1 - \tilde e_2) \,/
        \sqrt{\tilde V_1 / \tilde n_1 + \tilde V_2 / \tilde n_2}.

    Parameters
    ----------
    one, other : Side
        The sides as they are.
    pivot : Pivot
        How the statistic is read.

    Returns
    -------
    Outcome
        The middle of the interval is drawn towards 0, and the statistic goes with the middle: with
        a handful of answers it may have another sign than the plain difference.

    References
    ----------
    Agresti, A. and Caffo, B. (2000). Simple and effective confidence intervals for proportions and
    differences of proportions result from adding two successes and two failures. The American
    Statistician 54(4), 280-288. https://doi.org/10.1080/00031305.2000.10474560

    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372. Preprint: https://doi.org/10.48550/arXiv.1601.07235
    """
    sides = _shares(_with_pseudo_answers(one)), _shares(_with_pseudo_answers(other))
    middle = sides[0].estimate - sides[1].estimate
    error = np.sqrt(_wald_variance(sides[0]) / sides[0].n + _wald_variance(sides[1]) / sides[1].n)
    error = np.where((one.n > 0) & (other.n > 0), error, np.nan)
    margin = pivot.quantile * error
    limits = pivot.limits(middle - margin, middle + margin, _widest(one))
    return _outcome(limits, middle / error, pivot)


def n_minus_1(one: Side, other: Side, pivot: Pivot) -> Outcome:
    r"""Return the "N - 1" chi-square test of two shares, as a signed root; it has no interval.

    .. math:: z = (e_1 - e_2) \sqrt{\frac{N - 1}{N}} \,\Big/
        \sqrt{\bar e (1 - \bar e) (1 / n_1 + 1 / n_2)}, \quad N = n_1 + n_2,

    where :math:`\bar e` is the share of both sides together.

    Parameters
    ----------
    one, other : Side
        Two shares of whole counts.
    pivot : Pivot
        How the statistic is read.

    Returns
    -------
    Outcome
        The limits are NaN: an interval of this test would not be one of the shares' own errors.
        Where nobody or everybody succeeds there is no difference, and the statistic is 0.

    References
    ----------
    Campbell, I. (2007). Chi-squared and Fisher-Irwin tests of two-by-two tables with small sample
    recommendations. Statistics in Medicine 26(19), 3661-3675. https://doi.org/10.1002/sim.2832
    """
    sides = _shares(one), _shares(other)
    size = sides[0].n + sides[1].n
    pooled = (_as_float(one.above) + other.above) / size
    scatter = pooled * (1.0 - pooled) * (1.0 / sides[0].n + 1.0 / sides[1].n)
    difference = sides[0].estimate - sides[1].estimate
    error = np.sqrt(scatter * size / np.maximum(size - 1.0, 1.0))
    statistic = np.divide(difference, error, out=0.0 * difference, where=error > 0)
    nothing = np.full(len(statistic), np.nan)
    return _outcome((nothing, nothing), statistic, pivot)


def welch(one: Means, other: Means, pivot: Pivot, widest: float) -> Outcome:
    r"""Return Welch's interval and p-value for the difference of two means.

    .. math:: t = \frac{\bar x_1 - \bar x_2}{\sqrt{v_1 + v_2}}, \quad
        df = \frac{(v_1 + v_2)^2}{v_1^2 / (n_1 - 1) + v_2^2 / (n_2 - 1)}, \quad v = s^2 / n.

    Parameters
    ----------
    one, other : Means
        The means and their errors.
    pivot : Pivot
        How the statistic is read; where it has fewer degrees of freedom, those stand.
    widest : float
        The width of the scale, which stands for the limit that a one-sided alternative leaves out.

    Returns
    -------
    Outcome
        NaN where a side has a single answer, or where neither side has any spread.

    References
    ----------
    Welch, B. L. (1947). The generalization of "Student's" problem when several different population
    variances are involved. Biometrika 34(1-2), 28-35. https://doi.org/10.1093/biomet/34.1-2.28
    """
    variance = one.std_error**2 + other.std_error**2
    variance = np.where(variance > 0, variance, np.nan)
    # As shares of the variance, whose squares cannot vanish.
    shares = one.std_error**2 / variance, other.std_error**2 / variance
    spare = [np.maximum(side.n - 1.0, 1.0) for side in (one, other)]
    df = 1.0 / (shares[0] ** 2 / spare[0] + shares[1] ** 2 / spare[1])
    pivot = pivot._replace(df=df if pivot.df is None else np.minimum(df, pivot.df))
    difference, error = one.mean - other.mean, np.sqrt(variance)
    margin = pivot.quantile * error
    low, high = difference - margin, difference + margin
    if pivot.alternative != "two-sided":
        low, high = pivot.limits(low, high, widest)
    return _outcome((low, high), difference / error, pivot)


def normal(one: Means, other: Means, pivot: Pivot, widest: float) -> Outcome:
    r"""Return the interval and p-value of a difference whose errors are known, by the normal.

    .. math:: z = \frac{e_1 - e_2}{\sqrt{se_1^2 + se_2^2}}.

    Parameters
    ----------
    one, other : Means
        Estimates and their errors; ``n`` does not count.
    pivot : Pivot
        How the statistic is read.
    widest : float
        The end of the scale of differences.

    Returns
    -------
    Outcome
        NaN where a side has no error, or neither has one above 0.
    """
    error = np.hypot(one.std_error, other.std_error)
    error = np.where(error > 0, error, np.nan)
    difference, margin = one.mean - other.mean, pivot.quantile * error
    limits = pivot.limits(difference - margin, difference + margin, widest)
    return _outcome(limits, difference / error, pivot)


class _Shares(NamedTuple):
    """Shares of +1 and -1, their difference and n; NaN where n is 0."""

    up: FloatArray
    down: FloatArray | None
    estimate: FloatArray
    n: FloatArray


def _as_float(counts: CountArray) -> FloatArray:
    return np.asarray(counts, dtype=np.float64)


def _shares(side: Side) -> _Shares:
    n, above = np.where(side.n > 0, _as_float(side.n), np.nan), _as_float(side.above)
    if side.below is None:
        return _Shares(above / n, None, above / n, n)
    below = _as_float(side.below)
    # One rounding only, so that equal scores are equal numbers.
    return _Shares(above / n, below / n, (above - below) / n, n)


def _widest(side: Side) -> float:
    return 1.0 if side.below is None else 2.0


def _outcome(limits: Interval, statistic: FloatArray, pivot: Pivot) -> Outcome:
    p = pivot.p_value(statistic)
    statistic = np.where(np.isnan(p), np.nan, statistic)
    none = np.full(len(statistic), np.nan)
    df = none if pivot.df is None else np.where(np.isnan(p), np.nan, pivot.df)
    return Outcome(*limits, statistic, df, p)


def _with_pseudo_answers(side: Side) -> Side:
    above, n = _as_float(side.above), _as_float(side.n)
    if side.below is None:
        return Side(above + 1.0, None, n + 2.0)
    return Side(above + 0.75, _as_float(side.below) + 0.75, n + 3.0)


def _wald_variance(side: _Shares) -> FloatArray:
    both = side.up if side.down is None else side.up + side.down
    variance: FloatArray = np.maximum(both - side.estimate**2, 0.0)
    return variance


def _score_limits(side: Side, pivot: Pivot) -> Interval:
    """Return Tango's or Wilson's limits at the pivot's quantile."""
    if pivot.df is not None:
        fewer = student_shrinkage(pivot.df, pivot.level)
        below = None if side.below is None else side.below * fewer
        side = Side(side.above * fewer, below, side.n * fewer)
    if side.below is None:
        return wilson(side.above, side.n, pivot.level)
    return tango(side.above, side.below, side.n, pivot.level)


def _score_variance(side: _Shares, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the variance of one answer where the true value is theta, and its slope."""
    if side.down is None:
        return theta * (1.0 - theta), 1.0 - 2.0 * theta
    return tango_variance(side.up, side.down, theta)


def _touching_z(one: _Shares, other: _Shares, difference: FloatArray) -> FloatArray:
    """Return the signed z at which the interval touches 0."""
    # The higher side goes down by size * cosine and the lower one up by size * sine: they meet.
    swap = difference < 0
    higher, lower = _swapped(one, other, swap)
    size = np.abs(difference)
    cosine, sine = _split(higher, lower, size)
    error = np.sqrt(
        _score_variance(higher, higher.estimate - size * cosine)[0] / higher.n
        + _score_variance(lower, lower.estimate + size * sine)[0] / lower.n
    )
    z = np.divide(size, error, out=0.0 * size, where=(size > 0) & (error > 0))
    return np.where(swap, -z, z)


def _swapped(one: _Shares, other: _Shares, swap: BoolArray) -> tuple[_Shares, _Shares]:
    def chosen(first: _Shares, second: _Shares) -> _Shares:
        down = None
        if first.down is not None and second.down is not None:
            down = np.where(swap, second.down, first.down)
        return _Shares(
            np.where(swap, second.up, first.up),
            down,
            np.where(swap, second.estimate, first.estimate),
            np.where(swap, second.n, first.n),
        )

    return chosen(one, other), chosen(other, one)


def _split(higher: _Shares, lower: _Shares, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the cosine and sine of the angle at which both sides are at one z.

    Solved for u, the logarithm of the tangent: the ratio of the two z^2 falls with u, and its
    logarithm is close to a straight line, so that Newton's steps arrive soon.
    """
    half = size * np.sqrt(0.5)
    start = [
        np.log(np.maximum(_score_variance(side, side.estimate + move)[0], _LEAST) / side.n)
        for side, move in ((higher, -half), (lower, half))
    ]
    u = np.clip((start[1] - start[0]) / 2.0, -_FARTHEST, _FARTHEST)
    least, most = np.full(len(u), -_FARTHEST), np.full(len(u), _FARTHEST)
    moving = size > 0
    for _ in range(_STEPS):
        cosine, sine = _angle(u)
        ahead, slope = _lead(higher, lower, size, cosine, sine, u)
        # The lead falls with u: where it is positive the root lies above.
        least, most = np.where(ahead > 0, u, least), np.where(ahead > 0, most, u)
        step = u - np.divide(ahead, slope, out=np.full(len(u), np.inf), where=slope < 0)
        inside = (step >= least) & (step <= most)
        following = np.where(inside, step, (least + most) / 2.0)
        moved = np.abs(following - u)
        # A row that has arrived stays, so that it does not depend on the other rows.
        u = np.where(moving, following, u)
        moving &= moved > _ARRIVED
        if not moving.any():
            break
    return _angle(u)


def _angle(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    tangent = np.exp(u)
    cosine = 1.0 / np.hypot(1.0, tangent)
    return cosine, tangent * cosine


def _lead(
    higher: _Shares,
    lower: _Shares,
    size: FloatArray,
    cosine: FloatArray,
    sine: FloatArray,
    u: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the logarithm of the higher side's z^2 over the lower side's, and its slope in u."""
    down, up = size * cosine, size * sine
    variance, slope = _score_variance(higher, higher.estimate - down)
    other, other_slope = _score_variance(lower, lower.estimate + up)
    variance, other = np.maximum(variance, _LEAST), np.maximum(other, _LEAST)
    ahead = np.log(higher.n / variance) - np.log(lower.n / other) - 2.0 * u
    tilt = cosine * cosine * up * other_slope / other - sine * sine * down * slope / variance
    return ahead, tilt - 2.0
