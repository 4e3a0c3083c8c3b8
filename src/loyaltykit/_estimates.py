"""From a metric's counts to its estimate, error and interval, in the unit people report.

A metric and a method name one kernel. Every table is made through `from_counts` or, where answers
are weighted, `from_weights`, whether the sums were tallied a moment ago, came from SQL, or are
summed again by pool.

Every estimate but a ratio of amounts is a mean of values: +1, 0 and -1 of a net score, 1 and 0 of a
share, and the answers themselves. `moments` says what a metric's sums are in these terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from loyaltykit import _bootstrap, _intervals, _shares, _variance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# What `method` may be where answers were given, and where customers stay or leave.
NetMethod = Literal["score", "adjusted_wald", "wald", "bootstrap"]
ShareMethod = Literal["wilson", "agresti_coull", "clopper_pearson", "jeffreys", "bootstrap"]
RateMethod = Literal["wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"]
# Without those that are cut off at 1, whose odds have no end.
OddsMethod = Literal["wilson", "clopper_pearson", "jeffreys", "none"]
RevenueMethod = Literal["linearised", "none"]

BOOTSTRAP = "bootstrap"  # a method of survey metrics, and no kernel: it takes draws
NET_METHODS: tuple[str, ...] = get_args(NetMethod)[:-1]
SHARE_METHODS: tuple[str, ...] = get_args(ShareMethod)[:-1]
RATE_METHODS: tuple[str, ...] = get_args(RateMethod)
ODDS_METHODS: tuple[str, ...] = get_args(OddsMethod)
REVENUE_METHODS: tuple[str, ...] = get_args(RevenueMethod)
MEAN_METHODS = ("t",)

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
    "quick_ratio": "gained",
    "tier_transitions": "moved",
}
_NET_OF = {"nps": ("promoters", "detractors"), "ces": ("easy", "hard")}
_REST_OF = {
    "csat": ("unsatisfied",),
    "ces": ("neutral", "hard"),
    "retention_rate": ("churned",),
    "churn_rate": ("retained",),
}

# What the ratio of a cohort's amounts is made from, as `_variance.ratio` takes it.
_COHORT_SUMS = ("amount", "amount_start", "amount_sumsq", "amount_start_sumsq", "amount_cross")

NET, SHARE, MEAN = "net", "share", "mean"
# Made from a share, and monotone in it: churned by the average base, and what was gained by lost.
AVERAGE, RATIO = "average", "ratio"
# Ratios of two sums of amounts: of a cohort; of who paid at the start, or also of who came back or
# was referred since; and the share of the amounts that no customer took back.
REVENUE, NET_REVENUE, NET_AND_RETURNED = "revenue", "net_revenue", "net_revenue_and_returned"
EARNED, GROSS = "earned_growth", "gross_revenue"
RATIOS_OF_AMOUNTS = (REVENUE, NET_REVENUE, NET_AND_RETURNED, EARNED)
# Those that know what no customer took back.
_NET_RATIOS = RATIOS_OF_AMOUNTS[1:]
_UNITS = {
    NET: "points",
    SHARE: "percent",
    MEAN: "scale_points",
    AVERAGE: "percent",
    RATIO: "ratio",
    **dict.fromkeys((*RATIOS_OF_AMOUNTS, GROSS), "percent"),
}
_UNITS_OF_DIFFERENCES = {
    **_UNITS,
    **dict.fromkeys((SHARE, GROSS, *RATIOS_OF_AMOUNTS), "percentage_points"),
}
# Whatever the definition.
_KINDS = {
    "nps": NET,
    "quick_ratio": RATIO,
    "cohort_revenue": REVENUE,
    "grr": GROSS,
    "earned_growth": EARNED,
}
# From what is compared to the unit: means of values, and ratios as they are estimated.
_FACTORS = {
    **dict.fromkeys((NET, SHARE, GROSS), 100.0),
    **dict.fromkeys((MEAN, *RATIOS_OF_AMOUNTS), 1.0),
}


class Moments(NamedTuple):
    """Of each group's values: how many or how heavy, their sum, and the sum of their squares."""

    total: FloatArray
    first: FloatArray
    second: FloatArray


class Weighted(NamedTuple):
    """What weights and a sampling design make of each group, beside its counts.

    The sums of weights and of squared weights are by bucket; the variance is the linearised one of
    the mean of values; ``units`` are the clusters of a group, infinite where they are not known or
    there are none; ``df`` are the degrees of freedom of the whole sample.
    """

    weights: Mapping[str, FloatArray]
    squares: Mapping[str, FloatArray]
    variance: FloatArray
    kish: FloatArray
    units: FloatArray
    df: FloatArray


class Estimate(NamedTuple):
    """One value per row each; NaN where there is nothing to say."""

    estimate: FloatArray
    std_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


def from_counts(
    metric: str,
    kind: str,
    counts: Mapping[str, npt.NDArray[Any]],
    n: IntArray,
    *,
    method: str,
    confidence_level: float,
) -> Estimate:
    """Return the estimates of a metric from its counts; rows with n = 0 are NaN.

    A method without a kernel, as the bootstrap or none at all, leaves the interval to others.
    """
    if kind == MEAN:
        sums = counts["answer_sum"], counts["answer_sumsq"]
        return Estimate(*_intervals.mean_t(*sums, n, confidence_level))
    if kind == GROSS:
        return _gross(counts, method, confidence_level)
    if kind in RATIOS_OF_AMOUNTS:
        return _ratio(kind, counts, n, method, confidence_level)
    if kind == NET:
        above, below = (counts[name] for name in _NET_OF[metric])
        return _net(above, below, n, method, confidence_level)
    share = _share(counts[_SHARE_OF[metric]], n, method, confidence_level)
    if kind == AVERAGE:
        return _per_average(share, counts["churned"], counts["end"], n)
    return _odds(share, counts["gained"], counts["lost"]) if kind == RATIO else share


def from_weights(
    metric: str,
    kind: str,
    weighted: Weighted,
    n: IntArray,
    *,
    method: str,
    confidence_level: float,
) -> tuple[Estimate, FloatArray]:
    """Return the estimates of weighted answers, and the effective number of those.

    The kernels see the weighted shares of as many answers as a simple random sample would need for
    the same error, and Student's t by way of fewer of them.
    """
    sums, level, df = moments(metric, kind, weighted.weights), confidence_level, weighted.df
    mean, spread = mean_and_spread(sums)
    effective = _variance.effective_size(spread, weighted.variance, weighted.kish)
    effective = np.where(n > 0, effective, np.nan)
    error = np.sqrt(weighted.variance)
    if kind == MEAN:
        error = np.where(n > 1, error, np.nan)
        # A group of few has less to tell its spread by than the sample.
        own = np.minimum(df, np.minimum(n, weighted.units) - 1.0)
        margin = _intervals.student_quantile(own, level) * error
        return Estimate(mean, error, mean - margin, mean + margin), effective
    low, high = _weighted_limits(metric, kind, weighted.weights, effective, df, method, level)
    # Nothing is left to chance where all of the population was asked.
    low, high = (np.where(np.isposinf(effective), mean, limit) for limit in (low, high))
    return Estimate(100 * mean, 100 * error, 100 * low, 100 * high), effective


def _weighted_limits(
    metric: str,
    kind: str,
    weights: Mapping[str, FloatArray],
    effective: FloatArray,
    df: FloatArray,
    method: str,
    level: float,
) -> _intervals.Interval:
    finite = np.where(np.isfinite(effective), effective, 0.0)
    size = finite * _intervals.student_shrinkage(df, level)
    total = np.where(size > 0, moments(metric, kind, weights).total, 1.0)
    if kind == NET:
        above, below = (size * (weights[name] / total) for name in _NET_OF[metric])
        return _NET[method](above, below, size, level)
    hits = size * (weights[_SHARE_OF[metric]] / total)
    return _SHARE[method](hits, size, level)


def moments(metric: str, kind: str, sums: Mapping[str, npt.NDArray[Any]]) -> Moments:
    """Return the moments of a metric's values, from its counts or from its sums of weights.

    The sums are by bucket. Where a share's table does not name the rest, ``n`` does.
    """
    if kind == NET:
        above, below = (_as_float(sums[name]) for name in _NET_OF[metric])
        between = _as_float(sums["passives" if metric == "nps" else "neutral"])
        return Moments(above + between + below, above - below, above + below)
    if kind == MEAN:
        easy, neutral, hard = (_as_float(sums[name]) for name in ("easy", "neutral", "hard"))
        return Moments(
            easy + neutral + hard, _as_float(sums["answer_sum"]), _as_float(sums["answer_sumsq"])
        )
    if kind == GROSS:
        size = np.nan_to_num(effective_customers(sums))
        kept = size * np.nan_to_num(_gross(sums, "none", 0.0).estimate) / 100.0
        return Moments(size, kept, kept)
    hits = _as_float(sums[_SHARE_OF[metric]])
    rest = [_as_float(sums[name]) for name in _REST_OF.get(metric, ()) if name in sums]
    total = hits + sum(rest) if rest else _as_float(sums["n"])
    return Moments(total, hits, hits)


def mean_and_spread(sums: Moments) -> tuple[FloatArray, FloatArray]:
    """Return the mean of the values and their variance, NaN where there are none."""
    total = np.where(sums.total > 0, sums.total, np.nan)
    mean = sums.first / total
    spread = sums.second / total - mean * mean
    # What is left of equal values is rounding.
    return mean, np.where(spread > 1e-14 * sums.second / total, spread, 0.0)


def kish(sums: Moments, squares: Moments) -> FloatArray:
    """Return Kish's effective size, NaN where there are no answers."""
    size = _variance.kish_size(sums.total, squares.total)
    return np.where(sums.total > 0, size, np.nan)


def moments_variance(sums: Moments, squares: Moments, answers: FloatArray) -> FloatArray:
    """Return the linearised variance of weighted means of a sample without clusters or strata.

    The squares are the moments by squared weights, the answers those of the whole sample.
    """
    mean, spread = mean_and_spread(sums)
    apart = squares.second - 2.0 * mean * squares.first + mean * mean * squares.total
    factor = answers / np.where(answers > 1, answers - 1.0, np.nan)
    total = np.where(sums.total > 0, sums.total, np.nan)
    variance = factor * np.maximum(apart, 0.0) / (total * total)
    constant: FloatArray = np.where(spread > 0, variance, 0.0 * variance)
    return constant


def kind(metric: str, definition: str) -> str:
    """Return what a metric's estimate is: a net score, a share, a mean of answers, or a ratio."""
    if metric in _KINDS:
        return _KINDS[metric]
    if metric == "nrr":
        returned = part_of(definition, "reactivation") == "counted"
        return NET_AND_RETURNED if returned else NET_REVENUE
    if metric != "ces":
        return AVERAGE if part_of(definition, "denominator") == "average" else SHARE
    return {"mean": MEAN, "box": SHARE, "net": NET}[part_of(definition, "statistic")]


def part_of(definition: str, name: str) -> str:
    """Return what a definition says of a name, as in ``scale=0..10``; nothing where it does not."""
    parts = (part.partition("=") for part in definition.split(";"))
    return next((value for key, _, value in parts if key == name), "")


def unit(kind: str) -> str:
    """Return the unit of an estimate of this kind."""
    return _UNITS[kind]


def difference_unit(kind: str) -> str:
    """Return the unit of a difference between two estimates of this kind."""
    return _UNITS_OF_DIFFERENCES[kind]


def factor(kind: str) -> float:
    """Return what turns a mean of values into the unit of its kind."""
    return _FACTORS[kind]


def _as_float(values: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def bootstrap_limits(
    kind: str,
    counts: IntArray,
    values: FloatArray,
    confidence_level: float,
    rng: np.random.Generator,
    n_resamples: int,
) -> _intervals.Interval:
    """Return the limits of the bootstrap, in the unit of the kind.

    ``counts`` are the answers by group and value, shape (groups, k); ``values`` are 1, 0 and -1 or
    the scale's points, and may repeat.
    """
    distinct, place = np.unique(values, return_inverse=True)
    buckets = np.zeros((len(distinct), len(counts)), dtype=np.int64)
    np.add.at(buckets, place, counts.T)  # fewer buckets are fewer draws
    low, high = _bootstrap.percentile(
        buckets.T, distinct, confidence_level, rng=rng, n_resamples=n_resamples
    )
    return factor(kind) * low, factor(kind) * high


def _net(above: IntArray, below: IntArray, n: IntArray, method: str, level: float) -> Estimate:
    low = high = np.full(len(n), np.nan)
    if method in _NET:
        low, high = _NET[method](above, below, n, level)
    error = _intervals.nps_std_error(above, below, n)
    return Estimate(percent(above - below, n), 100 * error, 100 * low, 100 * high)


def _share(successes: IntArray, n: IntArray, method: str, level: float) -> Estimate:
    estimate = percent(successes, n)
    if method == "none":
        nothing = np.full(len(n), np.nan)
        return Estimate(estimate, nothing, nothing, nothing)
    low = high = np.full(len(n), np.nan)
    if method in _SHARE:
        low, high = _SHARE[method](successes, n, level)
    error = _shares.proportion_std_error(successes, n)
    return Estimate(estimate, 100 * error, 100 * low, 100 * high)


def _gross(sums: Mapping[str, npt.NDArray[Any]], method: str, level: float) -> Estimate:
    """Return the share of the amounts at the start that no customer took back."""
    start = np.where(_as_float(sums["start"]) > 0, _as_float(sums["start"]), np.nan)
    share, size = _kept(sums) / start, effective_customers(sums)
    nothing = np.full(len(share), np.nan)
    if method == "none":
        return Estimate(100 * share, nothing, nothing, nothing)
    error = np.sqrt(share * (1.0 - share) / size)
    low = high = nothing
    if method == "wilson":
        known = np.where(np.isnan(size), 0.0, size)
        low, high = _shares.wilson(np.where(known > 0, share * known, 0.0), known, level)
    return Estimate(100 * share, 100 * error, 100 * low, 100 * high)


def _kept(sums: Mapping[str, npt.NDArray[Any]]) -> FloatArray:
    """Return the amounts at the start that no customer took back."""
    start, less, gone = (_as_float(sums[name]) for name in ("start", "contraction", "churned"))
    # Of all amounts no more than all is lost; what is above is rounding.
    return start - np.minimum(less + gone, start)


def effective_customers(sums: Mapping[str, npt.NDArray[Any]]) -> FloatArray:
    r"""Return how many equal customers are worth those at the start, :math:`(\sum s)^2 / \sum s^2`.

    NaN where there are none.
    """
    names = ("start", "amount_start_sumsq") if "start" in sums else _COHORT_SUMS[1::2]
    start, squares = (_as_float(sums[name]) for name in names)
    return np.where(start > 0, _variance.kish_size(start, squares), np.nan)


def _amounts(
    kind: str, sums: Mapping[str, npt.NDArray[Any]], n: IntArray
) -> tuple[FloatArray, list[FloatArray]]:
    """Return how many customers there are, and the sums of their amounts as `_variance.ratio`."""
    if kind == REVENUE:
        return _as_float(n), [_as_float(sums[name]) for name in _COHORT_SUMS]
    start, amount = _as_float(sums["start"]), _kept(sums) + sums["expansion"]
    square, count = _as_float(sums["amount_sumsq"]), _as_float(n)
    # Who came back, or was referred, had nothing at the start.
    added = {
        NET_AND_RETURNED: ("reactivated", "reactivation", "reactivation_sumsq"),
        EARNED: ("referred", "referred_amount", "referred_sumsq"),
    }
    if kind in added:
        others = (_as_float(sums[name]) for name in added[kind])
        count, amount, square = (
            a + b for a, b in zip((count, amount, square), others, strict=True)
        )
    squares = (_as_float(sums[name]) for name in ("amount_start_sumsq", "amount_cross"))
    return count, [amount, start, square, *squares]


def _ratio(
    kind: str, sums: Mapping[str, npt.NDArray[Any]], n: IntArray, method: str, level: float
) -> Estimate:
    """Return a ratio of amounts with its linearised error.

    Student's t has the degrees of freedom of the customers that the amounts are worth, and not of
    their number: the spread of few large ones is known from few. The limits, and not the error of
    the table, are those of `with_least_error`.
    """
    count, amounts = _amounts(kind, sums, n)
    ratio, error = _variance.ratio(count, *amounts)
    # Growth is what a ratio has above 1.
    estimate = 100 * ratio - (100 if kind == EARNED else 0)
    if method == "none":
        nothing = np.full(len(ratio), np.nan)
        return Estimate(estimate, nothing, nothing, nothing)
    # Where nobody is active there is no spread to tell an error by; it is not 0. Nor is there where
    # all customers have the same ratio, except that of a cohort to itself.
    spread = amounts[0] > 0 if kind == REVENUE else error > 0
    error = np.where(spread, error, np.nan)
    if method != "linearised":
        nothing = np.full(len(ratio), np.nan)
        return Estimate(estimate, 100 * error, nothing, nothing)
    few = np.minimum(effective_customers(sums), count) - 1.0
    few = np.where(few >= 1.0, few, np.nan)  # below that, any ratio at all would be inside
    wide = with_least_error(kind, sums, 100 * error, count)
    margin = _intervals.student_quantile(few, level) * wide
    # What recurs is not below 0; the amounts of a cohort may be.
    least = {REVENUE: -np.inf, EARNED: -100.0}.get(kind, 0.0)
    return Estimate(estimate, 100 * error, np.maximum(estimate - margin, least), estimate + margin)


def with_least_error(
    kind: str, sums: Mapping[str, npt.NDArray[Any]], error: FloatArray, n: npt.NDArray[Any]
) -> FloatArray:
    r"""Return errors of ratios, in percent, or that of the gross rate where this is more.

    Where hardly any customer changed, the linearised error knows those alone who did. The gross
    rate g is a share, and of one it is known how to allow for those who might have: two equal
    customers more stay, and two leave,

    .. math:: \tilde g = \frac{g \, n_{eff} + 2}{n_{eff} + 4}, \quad
        se = \sqrt{\frac{\tilde g (1 - \tilde g)}{n_{eff} + 4}}.

    A cohort's amounts have no gross rate, and keep their error.

    References
    ----------
    Agresti, A. and Coull, B. A. (1998). Approximate is better than "exact" for interval estimation
    of binomial proportions. The American Statistician 52(2), 119-126.
    https://doi.org/10.1080/00031305.1998.10480550
    """
    if kind not in _NET_RATIOS:
        return error
    start = np.where(_as_float(sums["start"]) > 0, _as_float(sums["start"]), np.nan)
    size = np.minimum(effective_customers(sums), n)
    share = (size * _kept(sums) / start + 2.0) / (size + 4.0)
    least = 100.0 * np.sqrt(share * (1.0 - share) / (size + 4.0))
    wide: FloatArray = np.fmax(error, least)
    return wide


def _per_average(share: Estimate, churned: IntArray, end: IntArray, n: IntArray) -> Estimate:
    r"""Return churned customers per average of start and end, from the share of the start.

    With the share p of n, and j who joined, the end is n - p n + j, and the rate

    .. math:: R(p) = \frac{p n}{n - p n / 2 + j / 2}, \quad
        R'(p) = \frac{n (n + j / 2)}{(n - p n / 2 + j / 2)^2}

    rises in p; j is taken as given.
    """
    size = np.where(n > 0, _as_float(n), np.nan)
    base = (size + end) / 2.0
    whole = base + churned / 2.0  # n + j / 2

    def rate(percent: FloatArray) -> FloatArray:
        made: FloatArray = percent * size / (whole - percent / 100.0 * size / 2.0)
        return made

    error = share.std_error * size * whole / (base * base)
    return Estimate(100.0 * churned / base, error, rate(share.ci_low), rate(share.ci_high))


def _odds(share: Estimate, gained: IntArray, lost: IntArray) -> Estimate:
    """Return a share's odds, p / (1 - p), null where nothing is lost."""
    some = np.where(lost > 0, _as_float(lost), np.nan)

    def odds(percent: FloatArray) -> FloatArray:
        part = np.where(lost > 0, percent / 100.0, np.nan)
        made: FloatArray = part / (1.0 - part)
        return made

    # 1 - p is what was lost of all.
    total = gained + some
    error = share.std_error / 100.0 * (total / some) ** 2
    return Estimate(gained / some, error, odds(share.ci_low), odds(share.ci_high))


def percent(part: IntArray, whole: IntArray) -> FloatArray:
    """Return parts of a whole in percent, NaN of nothing."""
    shares = np.full(len(whole), np.nan)
    np.divide(100.0 * part, whole, out=shares, where=whole > 0)
    return shares
