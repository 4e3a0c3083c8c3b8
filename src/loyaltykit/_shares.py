"""Intervals of a share, as array functions over counts.

Every function takes one-dimensional arrays of equal length, one entry per group, and returns new
``float64`` arrays of that length, as shares (0.4, not 40). A group without answers (``n == 0``)
gives NaN. The arguments are taken as already checked. ``n`` need not be whole: it may be an
effective sample size, and the successes beside it the share times that ``n``.
"""

import numpy as np
from scipy.special import betaincinv

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


def agresti_coull(successes: CountArray, n: CountArray, confidence_level: float) -> Interval:
    r"""Return the Agresti-Coull interval for a share.

    The Wald interval of the counts with z^2 / 2 successes and as many failures added:

    .. math:: \tilde p \pm z \sqrt{\tilde p (1 - \tilde p) / \tilde n}, \quad
        \tilde n = n + z^2, \quad \tilde p = \frac{s + z^2 / 2}{\tilde n}.

    Its middle is that of Wilson's interval, which it always holds.

    Parameters
    ----------
    successes, n : array of shape (groups,)
        Successes s and all valid answers.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : array of shape (groups,)
        Limits as shares, cut at 0 and 1. ``low`` is exactly 0 where there is no success, ``high``
        exactly 1 where there is nothing else. NaN where ``n`` is 0.

    References
    ----------
    Agresti, A. and Coull, B. A. (1998). Approximate is better than "exact" for interval estimation
    of binomial proportions. The American Statistician 52(2), 119-126.
    https://doi.org/10.1080/00031305.1998.10480550
    """
    z = normal_quantile(confidence_level)
    hits, misses, size = _parts(successes, n)
    added = z * z / 2.0
    hits, misses, size = hits + added, misses + added, size + 2.0 * added
    margin = z * np.sqrt(hits * misses / size)
    low, high = np.maximum(hits - margin, 0.0) / size, np.minimum((hits + margin) / size, 1.0)
    return _certain_at_the_ends(low, high, successes, n)


def clopper_pearson(successes: CountArray, n: CountArray, confidence_level: float) -> Interval:
    r"""Return the Clopper-Pearson interval for a share, also called exact.

    The shares that neither binomial tail test rejects, each at half of the error
    :math:`\alpha`. Binomial tails are beta integrals, so that the limits are quantiles:

    .. math:: B_{\alpha / 2}(s,\, n - s + 1), \qquad B_{1 - \alpha / 2}(s + 1,\, n - s).

    It covers at least as often as the confidence level says, and mostly more often.

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
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated
    in the case of the binomial. Biometrika 26(4), 404-413.
    https://doi.org/10.1093/biomet/26.4.404
    """
    hits, misses, _ = _parts(successes, n)
    tail = (1.0 - confidence_level) / 2.0
    low = _beta_quantile(hits, misses + 1.0, tail)
    high = _beta_quantile(hits + 1.0, misses, 1.0 - tail)
    return _certain_at_the_ends(low, high, successes, n)


def jeffreys(successes: CountArray, n: CountArray, confidence_level: float) -> Interval:
    r"""Return the Jeffreys interval for a share.

    The middle of the posterior under Jeffreys' prior, a beta distribution with both parameters 1/2:

    .. math:: B_{\alpha / 2}(s + \tfrac12,\, n - s + \tfrac12), \qquad
        B_{1 - \alpha / 2}(s + \tfrac12,\, n - s + \tfrac12),

    with 0 as the lower limit where s = 0 and 1 as the upper one where s = n, as Brown, Cai and
    DasGupta define it: the quantile itself would leave out the estimate there.

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
    Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial
    proportion. Statistical Science 16(2), 101-133. https://doi.org/10.1214/ss/1009213286
    """
    hits, misses, _ = _parts(successes, n)
    tail = (1.0 - confidence_level) / 2.0
    low = _beta_quantile(hits + 0.5, misses + 0.5, tail)
    high = _beta_quantile(hits + 0.5, misses + 0.5, 1.0 - tail)
    return _certain_at_the_ends(low, high, successes, n)


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


def _beta_quantile(a: FloatArray, b: FloatArray, below: float) -> FloatArray:
    """Return the quantile; any number where a parameter is 0, which leaves no distribution."""
    found: FloatArray = betaincinv(np.where(a > 0.0, a, 1.0), np.where(b > 0.0, b, 1.0), below)
    return found


def _certain_at_the_ends(
    low: FloatArray, high: FloatArray, successes: CountArray, n: CountArray
) -> Interval:
    """Put 0 below no success and 1 above nothing else, and blank the groups without answers."""
    # On counts, because a limit that is certain must not depend on rounding.
    low = np.where(successes <= 0, 0.0, low)
    high = np.where(successes >= n, 1.0, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
