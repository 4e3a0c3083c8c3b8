"""Estimates of error and limits of NPS and of a mean, as array functions over counts.

Every function takes one-dimensional arrays of equal length, one entry per group, and returns new
``float64`` arrays of that length. Units are shares (0.4, not 40) or, for a mean, scale points. A
group without answers (``n == 0``) gives NaN. The arguments are taken as already checked.

The NPS kernels also take an ``n`` that is no whole number, such as an effective sample size; the
counts beside it are then shares of that ``n``.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
CountArray: TypeAlias = IntArray | FloatArray
Interval: TypeAlias = tuple[FloatArray, FloatArray]

# Tango's equation is solved in two to five steps; more are only rounding that has not settled.
_STEPS = 10
_ARRIVED = 1e-8  # a step this short, of the whole way, leaves an error of its square
_BLOCK = 8192  # groups whose working arrays stay in the processor's cache: three times faster


def normal_quantile(confidence_level: float) -> float:
    """Return z, the normal quantile that leaves half of the error in each tail.

    Parameters
    ----------
    confidence_level : float
        Between 0 and 1, both excluded.

    Returns
    -------
    float
        The z with P(-z < Z < z) equal to the confidence level, 1.96 for 0.95.
    """
    # The lower tail keeps its digits as the level nears 1; the upper one would round to infinity.
    return -float(ndtri((1.0 - confidence_level) / 2.0))


def student_quantile(df: FloatArray, confidence_level: float) -> FloatArray:
    """Return Student's t quantile that leaves half of the error in each tail.

    Parameters
    ----------
    df : array of shape (groups,)
        Degrees of freedom.
    confidence_level : float
        Between 0 and 1, both excluded.

    Returns
    -------
    array of shape (groups,)
        The quantiles; NaN where there are no degrees of freedom.
    """
    quantile: FloatArray = -stdtrit(np.where(df > 0, df, 1.0), (1.0 - confidence_level) / 2.0)
    return np.where(df > 0, quantile, np.nan)


def student_shrinkage(df: FloatArray, confidence_level: float) -> FloatArray:
    """Return how many answers are left of one when z is to stand for Student's t.

    z and n enter a score equation as n / z^2 only, so that the limits of n answers by the quantile
    of Student's t are those of fewer answers, n z^2 / t^2, by the normal one.

    Parameters
    ----------
    df : array of shape (groups,)
        Degrees of freedom.
    confidence_level : float
        Between 0 and 1, both excluded.

    Returns
    -------
    array of shape (groups,)
        Factors up to 1; 0 where there are no degrees of freedom.
    """
    ratio = normal_quantile(confidence_level) / student_quantile(df, confidence_level)
    return np.where(ratio > 0, ratio * ratio, 0.0)


def tango(
    promoters: CountArray, detractors: CountArray, n: CountArray, confidence_level: float
) -> Interval:
    r"""Return Tango's score interval for the promoter share minus the detractor share.

    The limits are the two values of :math:`\theta` that solve

    .. math:: n (\hat p - \hat d - \theta)^2 = z^2 (2 q + \theta - \theta^2),

    where :math:`q` is the detractor share of greatest likelihood among those that make the true
    difference :math:`\theta`: the larger root of :math:`2 q^2 + B q + C = 0` with
    :math:`B = (2 - \hat p + \hat d) \theta - \hat p - \hat d` and
    :math:`C = -\hat d \theta (1 - \theta)`.

    Parameters
    ----------
    promoters, detractors, n : array of shape (groups,)
        Promoters, detractors and all valid answers.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits as shares in [-1, 1]. They hold the estimate and widen with the confidence level.
        ``low`` is exactly -1 where all are detractors, ``high`` exactly 1 where all are promoters.
        NaN where ``n`` is 0.

    References
    ----------
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design. Statistics in Medicine 17(8), 891-908.
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B

    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372. Preprint: https://doi.org/10.48550/arXiv.1601.07235
    """
    size = _divisor(n)
    up, down = _as_float(promoters) / size, _as_float(detractors) / size
    estimate = (_as_float(promoters) - _as_float(detractors)) / size
    z = normal_quantile(confidence_level)
    # Both limits at once: the lower one is the upper one of the two shares swapped, sign turned.
    sides = np.concatenate([up, down]), np.concatenate([down, up])
    both = np.concatenate([estimate, -estimate]), np.concatenate([size, size])
    reach_up, reach_down = np.split(_tango_reach(*sides, *both, z), 2)
    low, high = estimate - reach_down, estimate + reach_up
    # On counts, because a limit that is certain must not depend on rounding.
    low = np.where(detractors >= n, -1.0, low)
    high = np.where(promoters >= n, 1.0, high)
    return _on_scale(low, high, n)


def adjusted_wald(
    promoters: CountArray, detractors: CountArray, n: CountArray, confidence_level: float
) -> Interval:
    r"""Return the adjusted Wald interval for the promoter share minus the detractor share.

    The Wald interval of the counts with 3/4 of a promoter, 3/4 of a detractor and three answers
    added:

    .. math:: \tilde N \pm z \sqrt{(\tilde p + \tilde d - \tilde N^2) / (n + 3)}, \quad
        \tilde p = \frac{promoters + 3/4}{n + 3}, \quad
        \tilde d = \frac{detractors + 3/4}{n + 3}, \quad \tilde N = \tilde p - \tilde d.

    Parameters
    ----------
    promoters, detractors, n : array of shape (groups,)
        Promoters, detractors and all valid answers.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits as shares, cut at -1 and 1. The centre is drawn towards 0, so that with a handful
        of equal answers the interval may miss the estimate. NaN where ``n`` is 0.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372. Preprint: https://doi.org/10.48550/arXiv.1601.07235
    """
    low, high = _wald_limits(
        _as_float(promoters) + 0.75,
        _as_float(detractors) + 0.75,
        _as_float(n) + 3.0,
        normal_quantile(confidence_level),
    )
    return _on_scale(low, high, n)


def wald(
    promoters: CountArray, detractors: CountArray, n: CountArray, confidence_level: float
) -> Interval:
    r"""Return the Wald interval for the promoter share minus the detractor share.

    .. math:: \hat N \pm z \sqrt{(\hat p + \hat d - \hat N^2) / n}, \quad \hat N = \hat p - \hat d.

    For comparison with published figures: it covers too rarely in small groups and has no width
    where all answers fall in one bucket.

    Parameters
    ----------
    promoters, detractors, n : array of shape (groups,)
        Promoters, detractors and all valid answers.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits as shares, cut at -1 and 1. NaN where ``n`` is 0.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician
    70(4), 365-372. Preprint: https://doi.org/10.48550/arXiv.1601.07235
    """
    low, high = _wald_limits(
        _as_float(promoters),
        _as_float(detractors),
        _divisor(n),
        normal_quantile(confidence_level),
    )
    return _on_scale(low, high, n)


def nps_std_error(promoters: CountArray, detractors: CountArray, n: CountArray) -> FloatArray:
    r"""Return the standard error of the promoter share minus the detractor share.

    .. math:: \sqrt{(\hat p + \hat d - (\hat p - \hat d)^2) / n}

    Parameters
    ----------
    promoters, detractors, n : array of shape (groups,)
        Promoters, detractors and all valid answers.

    Returns
    -------
    array of shape (groups,)
        Standard error as a share; 0 where all answers fall in one bucket, NaN where ``n`` is 0.
    """
    error = _wald_error(_as_float(promoters), _as_float(detractors), _divisor(n))
    return np.where(n > 0, error, np.nan)


def mean_t(
    total: IntArray, total_squares: IntArray, n: IntArray, confidence_level: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    r"""Return the mean of whole-number answers, its standard error and its t interval.

    .. math:: \bar x \pm t_{n-1} \sqrt{s^2 / n}, \quad
        s^2 = \frac{\sum x^2 - (\sum x)^2 / n}{n - 1}

    Parameters
    ----------
    total, total_squares, n : integer array of shape (groups,)
        Sum of the answers, sum of their squares, number of answers. Exact for answers from -1000
        to 1000 and up to a billion of them.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    mean, std_error, low, high : array of shape (groups,)
        In scale points; the limits may lie off the scale. One answer gives its mean and NaN for
        the rest, equal answers an interval without width, ``n == 0`` NaN throughout.

    References
    ----------
    Student (1908). The probable error of a mean. Biometrika 6(1), 1-25.
    https://doi.org/10.1093/biomet/6.1.1
    """
    answers = np.asarray(n, dtype=np.int64)
    mean = np.where(answers > 0, _as_float(total) / _divisor(answers), np.nan)
    squares = _sum_of_squares(
        np.asarray(total, dtype=np.int64),
        np.asarray(total_squares, dtype=np.int64),
        np.maximum(answers, 1),
    )
    df = np.maximum(answers - 1, 1).astype(np.float64)
    error = np.where(answers > 1, np.sqrt(squares / df / _divisor(answers)), np.nan)
    margin = -stdtrit(df, (1.0 - confidence_level) / 2.0) * error
    return mean, error, mean - margin, mean + margin


def _as_float(counts: CountArray) -> FloatArray:
    """Widen before any arithmetic: products of small integer types overflow in silence."""
    return np.asarray(counts, dtype=np.float64)


def _divisor(n: CountArray) -> FloatArray:
    """Return n, with 1 for the empty groups that are masked at the end."""
    return np.where(n > 0, _as_float(n), 1.0)


def _on_scale(low: FloatArray, high: FloatArray, n: CountArray) -> Interval:
    """Cut the limits at -1 and 1, and blank the groups without answers."""
    return (
        np.where(n > 0, np.maximum(low, -1.0), np.nan),
        np.where(n > 0, np.minimum(high, 1.0), np.nan),
    )


def _wald_error(promoters: FloatArray, detractors: FloatArray, n: FloatArray) -> FloatArray:
    passives = np.maximum(n - promoters - detractors, 0.0)
    # p + d - (p - d)^2 as a sum of positive terms, which rounding cannot push below 0.
    variance = (4.0 * promoters * detractors + passives * (promoters + detractors)) / (n * n)
    return np.sqrt(variance / n)


def _wald_limits(
    promoters: FloatArray, detractors: FloatArray, n: FloatArray, z: float
) -> Interval:
    centre = (promoters - detractors) / n
    margin = z * _wald_error(promoters, detractors, n)
    return centre - margin, centre + margin


def _tango_reach(
    up: FloatArray, down: FloatArray, estimate: FloatArray, n: FloatArray, z: float
) -> FloatArray:
    """Return how far the upper limit lies above the estimate."""
    reach = np.empty_like(estimate)
    for first in range(0, estimate.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        given = up[block], down[block], estimate[block], n[block] / (z * z)
        reach[block] = _nested(*given, _climb_tango(*given))
    return reach


def _climb_tango(
    up: FloatArray, down: FloatArray, estimate: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return where weight * reach^2 meets the variance, by steps that double the digits.

    q is convex in theta, so its tangent stays below it. With the tangent in its place the equation
    is quadratic, and its solution a step that comes nearer and never passes the limit.
    """
    farthest, doubled = 1.0 - estimate, 2.0 * weight
    # Wald's margin, to begin with: the nearer the start, the fewer steps.
    wald = np.sqrt(np.maximum(up + down - estimate * estimate, 0.0) / weight)
    reach: FloatArray = np.minimum(wald, farthest)
    moving = weight > 0.0
    for _ in range(_STEPS):
        variance, slope = tango_variance(up, down, estimate + reach)
        ahead, fall = variance - weight * reach * reach, doubled * reach - slope
        # The root of (weight + 1) step^2 + fall step - ahead, without a difference of like numbers.
        square = fall * fall + (2.0 * doubled + 4.0) * ahead
        root = np.sqrt(np.maximum(square, 0.0)) + np.abs(fall)
        step = np.divide(2.0 * ahead, root, out=root / (doubled + 2.0), where=fall > 0.0)
        # A group that has arrived stays, so that its limits do not depend on the other groups.
        nearer = np.minimum(np.maximum(reach + step, 0.0), farthest)
        reach = np.where(moving, nearer, reach)
        moving &= np.abs(step) > _ARRIVED * reach
        if not moving.any():
            break
    return reach


def _nested(
    up: FloatArray, down: FloatArray, estimate: FloatArray, weight: FloatArray, reach: FloatArray
) -> FloatArray:
    """Return the highest of the coarser numbers around the reach that passes the score test.

    The last bits of the reach are rounding, and would not widen with the confidence level. Whether
    a given number passes only loosens with it, so that limits chosen by this are nested.
    """
    grain = 4.0 * np.spacing(np.maximum(np.abs(estimate), reach))
    rungs = np.floor(reach / grain) + np.array([[-1.0], [0.0], [1.0]])
    trials = np.maximum(rungs, 0.0) * grain
    variance, _ = tango_variance(up, down, estimate + trials)
    passed: FloatArray = np.where(weight * trials * trials <= variance, trials, trials[0])
    highest: FloatArray = passed.max(axis=0)
    return highest


def tango_variance(
    up: FloatArray, down: FloatArray, theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the variance of one answer when the true difference of shares is theta, and its slope.

    The slope leaves out the last term of the variance, -theta^2, beyond its first order at theta.
    """
    # Stated for the side that theta points away from, no like numbers are subtracted: q is the
    # fitted share of that side, C is never positive, and 2 q + |theta| - theta^2 is a plain sum.
    size, left = np.abs(theta), theta < 0.0
    away, both = np.where(left, up, down), up + down
    rate, spread, lean = 2.0 + 2.0 * away - both, size * (1.0 - size), 1.0 - 2.0 * size
    b = rate * size - both
    minus_2c = 2.0 * away * spread
    # q = (r - B) / 4, and for a positive B the same root as -2 C / (r + B).
    r = np.sqrt(np.maximum(b * b + 4.0 * minus_2c, 0.0))
    r_and_b = r + np.abs(b)
    q: FloatArray = np.divide(minus_2c, r_and_b, out=r_and_b / 4.0, where=b > 0.0)
    # r is 4 q + B, and 0 only where q has a corner: any slope between those beside it will do.
    q_slope = np.divide(away * lean - rate * q, r, out=np.zeros_like(r), where=r > 0.0)
    slope = 2.0 * q_slope + lean
    return 2.0 * q + spread, np.where(left, -slope, slope)


def _sum_of_squares(total: IntArray, total_squares: IntArray, n: IntArray) -> FloatArray:
    """Return the sum of squared deviations from the mean, from whole-number sums.

    ``n * total_squares - total ** 2`` passes 64 bits and loses all digits as a float. Taken about
    the whole number below the mean, every intermediate fits 64 bits and is exact.
    """
    floor, rest = total // n, total % n
    about_floor = total_squares - floor * (2 * total - n * floor)
    # What remains is about_floor - rest^2 / n: whole parts first, the fraction in one rounding.
    whole, part = rest * rest // n, rest * rest % n
    return ((about_floor - whole).astype(np.float64) * n - part) / n
