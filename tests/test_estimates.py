"""One kernel per metric and method, in the unit that people report."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import oracles
import pytest

from loyaltykit import _checks, _estimates
from loyaltykit.errors import ParameterError

# Groups as promoters, detractors, n: the SFO survey of 2017, a plain one, all of a kind, empty.
UP = np.array([1436, 30, 5, 0, 0])
DOWN = np.array([342, 50, 0, 0, 0])
N = np.array([2746, 100, 5, 1, 0])
FULL = 4  # the groups before this one have answers


def of(metric: str, method: str, level: float = 0.95, **counts: object) -> _estimates.Estimate:
    arrays = {name: np.asarray(values) for name, values in counts.items()}
    n = arrays.pop("n", N)
    kind = "mean" if method == "t" else "net" if method in _estimates.NET_METHODS else "share"
    return _estimates.from_counts(metric, kind, arrays, n, method=method, confidence_level=level)


def test_nps_in_points() -> None:
    made = of("nps", "score", promoters=UP, detractors=DOWN)
    assert made.estimate[:FULL].tolist() == [100 * 1094 / 2746, -20.0, 100.0, 0.0]
    for i in range(FULL):
        up, down, n = int(UP[i]), int(DOWN[i]), int(N[i])
        low, high = oracles.tango_interval(up, down, n, 0.95)
        assert made.std_error[i] == pytest.approx(100 * oracles.nps_error(up, down, n), abs=1e-12)
        assert made.ci_low[i] == pytest.approx(100 * low, abs=1e-9)
        assert made.ci_high[i] == pytest.approx(100 * high, abs=1e-9)


@pytest.mark.parametrize(("method", "added"), [("wald", 0.0), ("adjusted_wald", 0.75)])
def test_nps_by_the_other_methods(method: str, added: float) -> None:
    made = of("nps", method, promoters=UP, detractors=DOWN)
    score = of("nps", "score", promoters=UP, detractors=DOWN)
    assert np.array_equal(made.estimate, score.estimate, equal_nan=True)
    assert np.array_equal(made.std_error, score.std_error, equal_nan=True)
    for i in range(FULL):
        size = N[i] + 4 * added
        p, d = (UP[i] + added) / size, (DOWN[i] + added) / size
        margin = oracles.normal_z(0.95) * math.sqrt((p + d - (p - d) ** 2) / size)
        assert made.ci_low[i] == pytest.approx(100 * max(p - d - margin, -1), abs=1e-9)
        assert made.ci_high[i] == pytest.approx(100 * min(p - d + margin, 1), abs=1e-9)


@pytest.mark.parametrize("method", ["agresti_coull", "clopper_pearson", "jeffreys"])
@pytest.mark.parametrize("metric", ["csat", "retention_rate"])
def test_shares_by_the_other_methods(metric: str, method: str) -> None:
    successes, n = np.array([14, 5, 0, 0]), np.array([40, 5, 7, 0])
    numerator = {"csat": "satisfied", "retention_rate": "retained"}[metric]
    made = of(metric, method, 0.9, **{numerator: successes}, n=n)
    wilson = of(metric, "wilson", 0.9, **{numerator: successes}, n=n)
    assert np.array_equal(made.estimate, wilson.estimate, equal_nan=True)
    assert np.array_equal(made.std_error, wilson.std_error, equal_nan=True)
    oracle = getattr(oracles, f"{method}_interval")
    for i in range(3):
        low, high = oracle(int(successes[i]), int(n[i]), 0.9)
        assert (made.ci_low[i], made.ci_high[i]) == pytest.approx((100 * low, 100 * high), abs=1e-6)
    assert np.isnan([made.ci_low[3], made.ci_high[3]]).all()


def test_bootstrap_limits_in_points() -> None:
    counts = np.column_stack([UP, N - UP - DOWN, DOWN])
    values = np.array([1.0, 0.0, -1.0])
    rng = np.random.default_rng(3)
    low, high = _estimates.bootstrap_limits("net", counts, values, 0.95, rng, 5000)
    # Large group: about Wald's. All alike: no width. No answer: nothing.
    wald = of("nps", "wald", promoters=UP, detractors=DOWN)
    assert (low[0], high[0]) == pytest.approx((wald.ci_low[0], wald.ci_high[0]), abs=0.3)
    assert (low[2], high[2]) == (100.0, 100.0)
    assert np.isnan([low[FULL], high[FULL]]).all()


@pytest.mark.parametrize(
    ("statistic", "methods"),
    [
        ("mean", _estimates.MEAN_METHODS),
        ("box", _estimates.SHARE_METHODS),
        ("net", _estimates.NET_METHODS),
    ],
)
def test_every_statistic_of_ces_takes_the_methods_of_its_kind_and_the_bootstrap(
    statistic: str, methods: tuple[str, ...]
) -> None:
    every = {*_estimates.MEAN_METHODS, *_estimates.RATE_METHODS, *_estimates.NET_METHODS}
    assert _checks.check_ces_method(statistic, None) == methods[0]
    for method in (*methods, _estimates.BOOTSTRAP):
        assert _checks.check_ces_method(statistic, method) == method
    for method in every - set(methods):
        with pytest.raises(ParameterError, match="is not one of"):
            _checks.check_ces_method(statistic, method)


def test_the_bootstrap_is_no_method_of_a_rate() -> None:
    assert _estimates.BOOTSTRAP not in _estimates.RATE_METHODS


@pytest.mark.parametrize(
    ("metric", "numerator", "other"),
    [
        ("csat", "satisfied", None),
        ("ces", "easy", "hard"),
        ("retention_rate", "retained", "churned"),
        ("churn_rate", "churned", "retained"),
        ("cohort_retention", "retained", None),
    ],
)
def test_shares_in_percent(metric: str, numerator: str, other: str | None) -> None:
    counts = {numerator: UP} | ({} if other is None else {other: N - UP})
    made = of(metric, "wilson", 0.9, **counts)
    for i in range(FULL):
        low, high = oracles.wilson_interval(int(UP[i]), int(N[i]), 0.9)
        share = UP[i] / N[i]
        assert made.estimate[i] == pytest.approx(100 * share, rel=1e-15)
        assert made.std_error[i] == pytest.approx(100 * math.sqrt(share * (1 - share) / N[i]))
        assert made.ci_low[i] == pytest.approx(100 * low, abs=1e-9)
        assert made.ci_high[i] == pytest.approx(100 * high, abs=1e-9)


def test_ces_mean_in_scale_points() -> None:
    answers = [[7, 6, 4, 2], [5, 5, 5], [3]]
    sums, squares = [sum(a) for a in answers], [sum(x * x for x in a) for a in answers]
    made = of("ces", "t", answer_sum=sums, answer_sumsq=squares, n=[len(a) for a in answers])
    mean, error, low, high = oracles.t_interval(answers[0], 0.95)
    assert made.estimate.tolist() == [mean, 5.0, 3.0]
    assert made.std_error[0] == pytest.approx(error)
    assert (made.ci_low[0], made.ci_high[0]) == (pytest.approx(low), pytest.approx(high))
    # All equal: no width. One answer: a mean, but nothing to tell its error from.
    assert (made.std_error[1], made.ci_low[1], made.ci_high[1]) == (0.0, 5.0, 5.0)
    assert np.isnan([made.std_error[2], made.ci_low[2], made.ci_high[2]]).all()


def test_ces_net_takes_easy_less_hard() -> None:
    net = of("ces", "score", easy=UP, hard=DOWN)
    nps = of("nps", "score", promoters=UP, detractors=DOWN)
    for ours, same in zip(net, nps, strict=True):
        assert np.array_equal(ours, same, equal_nan=True)


def test_method_none_keeps_the_rate_and_infers_nothing() -> None:
    made = of("retention_rate", "none", retained=UP)
    assert made.estimate[0] == 100 * 1436 / 2746
    assert np.isnan([made.std_error, made.ci_low, made.ci_high]).all()


@pytest.mark.parametrize(
    ("metric", "method", "counts"),
    [
        *[("nps", method, ("promoters", "detractors")) for method in _estimates.NET_METHODS],
        *[("csat", method, ("satisfied",)) for method in _estimates.SHARE_METHODS],
        ("ces", "t", ("answer_sum", "answer_sumsq")),
        ("retention_rate", "wilson", ("retained",)),
        ("retention_rate", "none", ("retained",)),
    ],
)
def test_no_answers_no_number(metric: str, method: str, counts: tuple[str, ...]) -> None:
    nothing = np.zeros(2, dtype=np.int64)
    zeros: dict[str, Any] = dict.fromkeys((*counts, "n"), nothing)
    made = of(metric, method, **zeros)
    for values in made:
        assert values.dtype == np.float64
        assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("metric", "definition", "kind", "unit"),
    [
        ("nps", "scale=0..10;promoter>=9;detractor<=6", "net", "points"),
        ("nps", "basis=counts", "net", "points"),
        ("csat", "scale=1..5;satisfied>=4", "share", "percent"),
        ("ces", "scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3", "mean", "scale_points"),
        ("ces", "scale=1..7;direction=ease;statistic=box;easy>=5;hard<=3", "share", "percent"),
        ("ces", "scale=1..7;direction=ease;statistic=net;easy>=5;hard<=3", "net", "points"),
        ("retention_rate", "basis=log;freq=month;grace=0", "share", "percent"),
        ("churn_rate", "basis=log;freq=month;grace=0;denominator=start", "share", "percent"),
        ("cohort_retention", "basis=log;freq=month;window=calendar;rule=on", "share", "percent"),
        ("churn_rate", "basis=contracts;freq=month;denominator=average", "average", "percent"),
        ("quick_ratio", "gained=new+returned;lost=churned", "ratio", "ratio"),
    ],
)
def test_kind_and_unit(metric: str, definition: str, kind: str, unit: str) -> None:
    assert _estimates.kind(metric, definition) == kind
    assert _estimates.unit(kind) == unit


def test_a_higher_level_is_a_wider_interval() -> None:
    narrow = of("nps", "score", 0.8, promoters=UP, detractors=DOWN)
    wide = of("nps", "score", 0.99, promoters=UP, detractors=DOWN)
    assert (wide.ci_low[:FULL] <= narrow.ci_low[:FULL]).all()
    assert (wide.ci_high[:FULL] >= narrow.ci_high[:FULL]).all()
