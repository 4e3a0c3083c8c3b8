"""Intervals of a share, as array functions over counts.

Every function takes one-dimensional arrays of equal length, one entry per group, and returns new
``float64`` arrays of that length, as shares (0.4, not 40). A group without answers (``n == 0``)
gives NaN. The arguments are taken as already checked. ``n`` need not be whole: it may be an
effective sample size, and the successes beside it the share times that ``n``.
"""

import numpy as np

from loyaltykit._intervals import CountArray, FloatArray, Interval, normal_quantile


def wilson(successes: CountArray, n: CountArray, confidence_level: float) -> Interval:
    r"""Return Wilson's score interval for a share.

    .. math:: \frac{2 s + z^2 \pm z \sqrt{z^2 + 4 s (n - s) / n}}{2 (n + z^2)}

    Parameters
    ----------
    successes, n : array of shape (groups,)
        Successes s and all valid answers.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits as shares in [0, 1]. ``low`` is exactly 0 where there is no success, ``high``
        exactly 1 where there is nothing else. NaN where ``n`` is 0.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
    Journal of the American Statistical Association 22(158), 209-212.
    https://doi.org/10.1080/01621459.1927.10502953
    """
    z = normal_quantile(confidence_level)
    hits, misses, size = _parts(successes, n)
    centre, scale = 2.0 * hits + z * z, 2.0 * (size + z * z)
    margin = z * np.sqrt(z * z + 4.0 * hits * misses / size)
    return _certain_at_the_ends((centre - margin) / scale, (centre + margin) / scale, successes, n)


def proportion_std_error(successes: CountArray, n: CountArray) -> FloatArray:
    r"""Return the standard error of a share.

    .. math:: \sqrt{\hat p (1 - \hat p) / n}

    Parameters
    ----------
    successes, n : array of shape (groups,)
        Successes and all valid answers.

    Returns
    -------
    array of shape (groups,)
        Standard error as a share; 0 where all or none succeed, NaN where ``n`` is 0.
    """
    hits, misses, size = _parts(successes, n)
    return np.where(n > 0, np.sqrt(hits / size * (misses / size) / size), np.nan)


def _parts(successes: CountArray, n: CountArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return successes, failures and n as floats, with 1 for the n that are masked at the end."""
    hits, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    size = np.where(size > 0.0, size, 1.0)
    # A share of an effective sample size may come out one bit above it.
    return hits, np.maximum(size - hits, 0.0), size


def _certain_at_the_ends(
    low: FloatArray, high: FloatArray, successes: CountArray, n: CountArray
) -> Interval:
    """Put 0 below no success and 1 above nothing else, and blank the groups without answers."""
    # On counts, because a limit that is certain must not depend on rounding.
    low = np.where(successes <= 0, 0.0, low)
    high = np.where(successes >= n, 1.0, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
