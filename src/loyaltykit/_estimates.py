"""From a metric's counts to its estimate, error and interval, in the unit people report.

A metric and a method name one kernel. Every table is made through `from_counts`, whether the counts
were tallied a moment ago, came from SQL, or are summed again by pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _bootstrap, _intervals, _shares

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NET_METHODS = ("score", "adjusted_wald", "wald")
SHARE_METHODS = ("wilson", "agresti_coull", "clopper_pearson", "jeffreys")
RATE_METHODS = (*SHARE_METHODS, "none")
MEAN_METHODS = ("t",)
BOOTSTRAP = "bootstrap"  # a method of survey metrics, and no kernel: it takes draws

_NET = {
    "score": _intervals.tango,
    "adjusted_wald": _intervals.adjusted_wald,
    "wald": _intervals.wald,
}
_SHARE = {
    "wilson": _shares.wilson,
    "agresti_coull": _shares.agresti_coull,
    "clopper_pearson": _shares.clopper_pearson,
    "jeffreys": _shares.jeffreys,
}
# Which count is the share's numerator.
_SHARE_OF = {
    "csat": "satisfied",
    "ces": "easy",
    "retention_rate": "retained",
    "churn_rate": "churned",
    "cohort_retention": "retained",
}
_NET_OF = {"nps": ("promoters", "detractors"), "ces": ("easy", "hard")}


class Estimate(NamedTuple):
    """One value per row each; NaN where there is nothing to say."""

    estimate: FloatArray
    std_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def from_counts(
    metric: str,
    counts: Mapping[str, npt.NDArray[Any]],
    n: IntArray,
    *,
    method: str,
    confidence_level: float,
) -> Estimate:
    """Return the estimates of a metric from its counts; rows with n = 0 are NaN."""
    if method in MEAN_METHODS:
        sums = counts["answer_sum"], counts["answer_sumsq"]
        return Estimate(*_intervals.mean_t(*sums, n, confidence_level))
    if method in NET_METHODS:
        above, below = (counts[name] for name in _NET_OF[metric])
        return _net(above, below, n, method, confidence_level)
    return _share(counts[_SHARE_OF[metric]], n, method, confidence_level)


def resampled(
    estimate: Estimate,
    counts: IntArray,
    values: FloatArray,
    scale_factor: float,
    confidence_level: float,
    rng: np.random.Generator,
    n_resamples: int,
) -> Estimate:
    """Return the estimates with the limits of the bootstrap; the errors stay as they are.

    ``counts`` are the answers by group and value, shape (groups, k); ``values`` are 1, 0 and -1 or
    the scale's points, and the factor takes their mean to the unit of the estimates.
    """
    low, high = _bootstrap.percentile(
        counts, values, confidence_level, rng=rng, n_resamples=n_resamples
    )
    return estimate._replace(ci_low=scale_factor * low, ci_high=scale_factor * high)


def unit(metric: str, method: str) -> str:
    """Return the unit of a metric's estimate."""
    if method in MEAN_METHODS:
        return "scale_points"
    return "points" if method in NET_METHODS else "percent"


def _net(above: IntArray, below: IntArray, n: IntArray, method: str, level: float) -> Estimate:
    low, high = _NET[method](above, below, n, level)
    error = _intervals.nps_std_error(above, below, n)
    return Estimate(_percent(above - below, n), 100 * error, 100 * low, 100 * high)


def _share(successes: IntArray, n: IntArray, method: str, level: float) -> Estimate:
    estimate = _percent(successes, n)
    if method == "none":
        nothing = np.full(len(n), np.nan)
        return Estimate(estimate, nothing, nothing, nothing)
    low, high = _SHARE[method](successes, n, level)
    error = _shares.proportion_std_error(successes, n)
    return Estimate(estimate, 100 * error, 100 * low, 100 * high)


def _percent(part: IntArray, whole: IntArray) -> FloatArray:
    shares = np.full(len(whole), np.nan)
    np.divide(100.0 * part, whole, out=shares, where=whole > 0)
    return shares
