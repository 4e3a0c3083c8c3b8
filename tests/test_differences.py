"""Two sides held against each other: published examples, scalar oracles, and their agreement."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from loyaltykit import _differences

ALTERNATIVES = ("two-sided", "greater", "less")
LEVELS = (0.8, 0.95, 0.99)


def pivot(alternative: str = "two-sided", level: float = 0.95, df: Any = None) -> Any:
    return _differences.Pivot(alternative, level, None if df is None else np.atleast_1d(df))


def share(*pairs: tuple[float, float]) -> _differences.Side:
    hits, n = (np.array(values) for values in zip(*pairs, strict=True))
    return _differences.Side(hits, None, n)


def net(*triples: tuple[float, float, float]) -> _differences.Side:
    above, below, n = (np.array(values) for values in zip(*triples, strict=True))
    return _differences.Side(above, below, n)


def row(outcome: _differences.Outcome, i: int = 0) -> dict[str, float]:
    return {name: float(values[i]) for name, values in outcome._asdict().items()}


# ---- MOVER: published intervals -----------------------------------------------------------------

# Newcombe (1998), Statistics in Medicine 17, 873-890, table II: eight examples, method 10.
NEWCOMBE = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0000)),
    ((10, 10), (0, 10), (0.6075, 1.0000)),
]


@pytest.mark.parametrize(("one", "other", "limits"), NEWCOMBE)
def test_newcombe_1998(
    one: tuple[int, int], other: tuple[int, int], limits: tuple[float, float]
) -> None:
    made = row(_differences.mover(share(one), share(other), pivot()))
    # To half a unit of the last digit printed; R and the paper round 0.80625 both ways.
    assert (made["ci_low"], made["ci_high"]) == pytest.approx(limits, abs=6e-5)
    expected = oracles.mover_interval(oracles.wilson_limits(*one), oracles.wilson_limits(*other))
    assert (made["ci_low"], made["ci_high"]) == pytest.approx(expected, abs=1e-12)
    assert (made["p_value"] < 0.05) == (made["ci_low"] > 0 or made["ci_high"] < 0)


def test_what_statsmodels_cannot_do() -> None:
    """Its score interval of 10 of 10 against 0 of 10 raises a ValueError (0.15.0)."""
    made = row(_differences.mover(share((10, 10)), share((0, 10)), pivot()))
    assert made["ci_high"] == 1.0
    assert made["p_value"] == pytest.approx(8.948084e-07, rel=1e-6)


def test_an_interval_that_does_not_contradict_its_p() -> None:
    """0 of 20 against 4 of 20.

    statsmodels' score test says p = 0.035 (0.15.0, without correction) beside Newcombe's interval,
    -0.4160 to 0.0005, which holds 0.
    """
    made = row(_differences.mover(share((0, 20)), share((4, 20)), pivot()))
    assert (made["ci_low"], made["ci_high"]) == pytest.approx(
        (-0.4160174322518936, 0.0005091271200974024), abs=1e-12
    )
    assert 0.05 < made["p_value"] < 0.06


def test_net_scores_of_the_issue() -> None:
    """15, 13, 8 against 12, 7, 12: 19.444, from -20.156 to 57.255."""
    made = row(_differences.mover(net((15, 8, 36)), net((12, 12, 31)), pivot()))
    assert (made["ci_low"], made["ci_high"]) == pytest.approx((-0.20156, 0.57255), abs=5e-6)
    sides = oracles.tango_limits(15, 8, 36), oracles.tango_limits(12, 12, 31)
    expected = oracles.mover_interval(*sides)
    assert (made["ci_low"], made["ci_high"]) == pytest.approx(expected, abs=1e-9)


# ---- MOVER: the p-value is that of the interval -------------------------------------------------

NETS = [
    ((15, 8, 36), (12, 12, 31)),
    ((10, 0, 10), (7, 1, 10)),
    ((1, 0, 1), (0, 3, 4)),
    ((0, 9, 12), (5, 5, 12)),
    ((500, 30, 1000), (3, 0, 8)),
]


@pytest.mark.parametrize(("one", "other"), NETS)
def test_the_interval_at_one_minus_p_touches_zero(one: Any, other: Any) -> None:
    made = row(_differences.mover(net(one), net(other), pivot()))
    level = 1.0 - made["p_value"]
    first, second = (oracles.tango_limits(up, down, n, level) for up, down, n in (one, other))
    nearer = min(oracles.mover_interval(first, second), key=abs)
    assert nearer == pytest.approx(0.0, abs=1e-9)
    assert made["p_value"] == pytest.approx(2 * NormalDist().cdf(-abs(made["statistic"])))
    difference = (one[0] - one[1]) / one[2] - (other[0] - other[1]) / other[2]
    assert math.copysign(1.0, made["statistic"]) == math.copysign(1.0, difference)


@pytest.mark.parametrize(("one", "other"), [pair[:2] for pair in NEWCOMBE])
def test_p_of_shares_by_bisection(one: tuple[int, int], other: tuple[int, int]) -> None:
    made = row(_differences.mover(share(one), share(other), pivot()))
    assert made["statistic"] == pytest.approx(oracles.mover_z(one, other), rel=1e-9, abs=1e-9)


counts = st.integers(0, 60).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n)).filter(lambda pair: pair[1] > 0)
)
buckets = st.tuples(*[st.integers(0, 40)] * 3).filter(lambda sizes: sum(sizes) > 0)


def agrees(made: dict[str, float], alternative: str, level: float) -> None:
    """Check that 0 is outside of the interval exactly where p is below the level's error."""
    assume(abs(made["p_value"] - (1 - level)) > 1e-9)
    low, high = made["ci_low"] > 0, made["ci_high"] < 0
    outside = {"two-sided": low or high, "greater": low, "less": high}[alternative]
    assert outside == (made["p_value"] < 1 - level)


@given(counts, counts, st.sampled_from(ALTERNATIVES), st.sampled_from(LEVELS))
def test_p_and_interval_of_shares_agree(
    one: tuple[int, int], other: tuple[int, int], alternative: str, level: float
) -> None:
    sides = share(one), share(other)
    for kernel in (_differences.mover, _differences.adjusted_wald):
        agrees(row(kernel(*sides, pivot(alternative, level))), alternative, level)


@given(buckets, buckets, st.sampled_from(ALTERNATIVES), st.sampled_from(LEVELS))
def test_p_and_interval_of_net_scores_agree(
    one: tuple[int, ...], other: tuple[int, ...], alternative: str, level: float
) -> None:
    first, second = (net((up, down, up + between + down)) for up, between, down in (one, other))
    for kernel in (_differences.mover, _differences.adjusted_wald):
        agrees(row(kernel(first, second, pivot(alternative, level))), alternative, level)


@given(counts, counts, st.sampled_from(ALTERNATIVES), st.integers(1, 40))
def test_p_and_interval_agree_with_degrees_of_freedom(
    one: tuple[int, int], other: tuple[int, int], alternative: str, df: int
) -> None:
    for kernel in (_differences.mover, _differences.adjusted_wald):
        made = row(kernel(share(one), share(other), pivot(alternative, 0.95, float(df))))
        agrees(made, alternative, 0.95)
        assert made["df"] == df


def test_nobody_of_20_against_4_of_20() -> None:
    """The z of a pooled error gives .035 here, while Newcombe's interval holds 0."""
    made = row(_differences.mover(share((0, 20)), share((4, 20)), pivot()))
    assert (made["ci_low"], made["ci_high"]) == pytest.approx((-0.4160, 0.0005), abs=5e-5)
    assert made["p_value"] == pytest.approx(0.0505, abs=5e-5)


@given(buckets, buckets)
def test_the_sides_exchanged(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    first, second = (net((up, down, up + between + down)) for up, between, down in (one, other))
    for kernel in (_differences.mover, _differences.adjusted_wald):
        made = row(kernel(first, second, pivot()))
        turned = row(kernel(second, first, pivot()))
        assert turned["ci_low"] == -made["ci_high"]
        assert turned["ci_high"] == -made["ci_low"]
        assert turned["statistic"] == -made["statistic"]
        assert turned["p_value"] == made["p_value"]
        greater, less = (row(kernel(first, second, pivot(name))) for name in ALTERNATIVES[1:])
        assert greater["p_value"] + less["p_value"] == pytest.approx(1.0)
        assert made["p_value"] == pytest.approx(2 * min(greater["p_value"], less["p_value"]))


def test_one_sided_limits() -> None:
    """A one-sided limit at 97.5 % is that of the two-sided interval at 95 %."""
    sides = net((15, 8, 36)), net((12, 12, 31))
    both = row(_differences.mover(sides[0], sides[1], pivot()))
    greater = row(_differences.mover(*sides, pivot("greater", 0.975)))
    less = row(_differences.mover(*sides, pivot("less", 0.975)))
    assert greater["ci_low"] == pytest.approx(both["ci_low"], rel=1e-12)
    assert less["ci_high"] == pytest.approx(both["ci_high"], rel=1e-12)
    assert (greater["ci_high"], less["ci_low"]) == (2.0, -2.0)
    assert greater["p_value"] == pytest.approx(both["p_value"] / 2)
    shares = share((56, 70)), share((48, 80))
    assert row(_differences.mover(*shares, pivot("greater")))["ci_high"] == 1.0


def test_no_difference_is_exactly_one() -> None:
    """1 of 3 and 1000 of 3000 are one number, and so are 7 of 10 and 21 of 30."""
    sides = share((1, 3), (7, 10), (0, 4)), share((1000, 3000), (21, 30), (0, 9))
    made = _differences.mover(sides[0], sides[1], pivot())
    assert made.statistic.tolist() == [0.0, 0.0, 0.0]
    assert made.p_value.tolist() == [1.0, 1.0, 1.0]
    one_sided = _differences.mover(*sides, pivot("greater"))
    assert one_sided.p_value.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("kernel", [_differences.mover, _differences.adjusted_wald])
def test_a_side_without_answers(kernel: Any) -> None:
    for sides in (
        (share((0, 0), (3, 5), (0, 0)), share((3, 5), (0, 0), (0, 0))),
        (net((0, 0, 0), (3, 1, 5), (0, 0, 0)), net((3, 1, 5), (0, 0, 0), (0, 0, 0))),
    ):
        for alternative in ALTERNATIVES:
            made = kernel(*sides, pivot(alternative))
            assert np.isnan(np.array(made)).all()


def test_sides_of_very_different_size() -> None:
    """One answer against a billion: the billion moves nothing, and the steps still arrive."""
    made = row(_differences.mover(net((1, 0, 1)), net((0, 10**9, 10**9)), pivot()))
    # The reference is at -1 for sure, so the limit of one promoter falls all the way to it: never.
    assert made["ci_low"] == pytest.approx(2 - (1 - oracles.tango_limits(1, 0, 1)[1]), abs=1e-6)
    far = row(_differences.mover(share((1, 10)), share((3 * 10**8, 10**9)), pivot()))
    # Wilson's z for 1 of 10 against .3 known for sure.
    assert far["statistic"] == pytest.approx(-0.2 / math.sqrt(0.3 * 0.7 / 10), rel=1e-6)


def test_a_row_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(5)
    n = rng.integers(1, 200, (2, 300))
    up = rng.binomial(n, 0.4)
    down = rng.binomial(n - up, 0.5)
    sides = [_differences.Side(up[i], down[i], n[i]) for i in range(2)]
    together = _differences.mover(sides[0], sides[1], pivot())
    for i in range(0, 300, 37):
        alone = [
            _differences.Side(*(part[i : i + 1] for part in side if part is not None))
            for side in sides
        ]
        assert row(_differences.mover(alone[0], alone[1], pivot())) == pytest.approx(
            row(together, i), nan_ok=True, rel=1e-15, abs=0
        )


def test_student_quantiles_are_those_of_fewer_answers() -> None:
    one, other, df = (30, 12, 60), (20, 25, 70), 9.0
    made = row(_differences.mover(net(one), net(other), pivot("two-sided", 0.95, df)))
    fewer = (oracles.normal_z(0.95) / float(stats.t.ppf(0.975, df))) ** 2
    sides = [oracles.tango_limits(*(fewer * part for part in side)) for side in (one, other)]
    expected = oracles.mover_interval(sides[0], sides[1])
    assert (made["ci_low"], made["ci_high"]) == pytest.approx(expected, abs=1e-9)
    plain = row(_differences.mover(net(one), net(other), pivot()))
    assert made["statistic"] == plain["statistic"]
    assert made["p_value"] == pytest.approx(2 * stats.t.sf(abs(made["statistic"]), df))
    nothing = _differences.mover(net(one), net(other), pivot("two-sided", 0.95, math.nan))
    assert np.isnan(np.array(nothing)).all()


def test_100_000_comparisons_in_one_call() -> None:
    rng = np.random.default_rng(11)
    n = rng.integers(1, 300, (2, 100_000))
    up = rng.binomial(n, rng.random((2, 100_000)))
    down = rng.binomial(n - up, rng.random((2, 100_000)))
    sides = [_differences.Side(up[i], down[i], n[i]) for i in range(2)]
    made = _differences.mover(sides[0], sides[1], pivot())
    outside = (made.ci_low > 0) | (made.ci_high < 0)
    clear = np.abs(made.p_value - 0.05) > 1e-9
    assert np.array_equal(outside[clear], (made.p_value < 0.05)[clear])
    assert 10_000 < outside.sum() < 90_000
    checked = 0
    for i in range(0, 100_000, 12_500):
        triples = [(int(up[j, i]), int(down[j, i]), int(n[j, i])) for j in range(2)]
        limits = oracles.mover_interval(*(oracles.tango_limits(*each) for each in triples))
        assert (made.ci_low[i], made.ci_high[i]) == pytest.approx(limits, abs=1e-9)
        if 1e-9 < made.p_value[i] < 1:
            level = 1 - float(made.p_value[i])
            sides_then = (oracles.tango_limits(*each, level) for each in triples)
            assert min(oracles.mover_interval(*sides_then), key=abs) == pytest.approx(0, abs=1e-6)
            checked += 1
    assert checked > 3


# ---- the other methods --------------------------------------------------------------------------


@given(counts, counts)
def test_agresti_and_caffo(one: tuple[int, int], other: tuple[int, int]) -> None:
    made = row(_differences.adjusted_wald(share(one), share(other), pivot()))
    p, q = ((hits + 1) / (n + 2) for hits, n in (one, other))
    error = math.sqrt(p * (1 - p) / (one[1] + 2) + q * (1 - q) / (other[1] + 2))
    margin = oracles.normal_z(0.95) * error
    assert made["ci_low"] == pytest.approx(max(p - q - margin, -1), abs=1e-12)
    assert made["ci_high"] == pytest.approx(min(p - q + margin, 1), abs=1e-12)
    assert made["statistic"] == pytest.approx((p - q) / error, abs=1e-12)


@given(buckets, buckets)
def test_adjusted_wald_of_net_scores(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    sizes = [sum(side) for side in (one, other)]
    made = row(
        _differences.adjusted_wald(
            net((one[0], one[2], sizes[0])), net((other[0], other[2], sizes[1])), pivot()
        )
    )
    nets, variance = [], 0.0
    for (up, _, down), n in zip((one, other), sizes, strict=True):
        p, d = (up + 0.75) / (n + 3), (down + 0.75) / (n + 3)
        nets.append(p - d)
        variance += (p + d - (p - d) ** 2) / (n + 3)
    middle, margin = nets[0] - nets[1], oracles.normal_z(0.95) * math.sqrt(variance)
    assert made["ci_low"] == pytest.approx(max(middle - margin, -2), abs=1e-12)
    assert made["ci_high"] == pytest.approx(min(middle + margin, 2), abs=1e-12)
    assert made["statistic"] == pytest.approx(middle / math.sqrt(variance), abs=1e-12)


@given(counts, counts)
def test_n_minus_1_is_the_scaled_chi_square(one: tuple[int, int], other: tuple[int, int]) -> None:
    made = row(_differences.n_minus_1(share(one), share(other), pivot()))
    assert math.isnan(made["ci_low"])
    assert math.isnan(made["ci_high"])
    hits, size = one[0] + other[0], one[1] + other[1]
    if hits in (0, size):
        assert (made["statistic"], made["p_value"]) == (0.0, 1.0)
        return
    table = [[hit, n - hit] for hit, n in (one, other)]
    chi2 = float(stats.chi2_contingency(table, correction=False).statistic) * (size - 1) / size
    assert made["statistic"] ** 2 == pytest.approx(chi2, abs=1e-9)
    assert made["p_value"] == pytest.approx(float(stats.chi2.sf(chi2, 1)), abs=1e-9)
    sign = np.sign(one[0] * other[1] - other[0] * one[1])
    assert np.sign(round(made["statistic"], 12)) == sign


@pytest.mark.parametrize(
    ("one", "other", "statistic", "p"),
    [
        ((56, 70), (48, 80), 2.6413232722941253, 0.008258287929380758),
        ((0, 20), (4, 20), -2.0816659994661326, 0.037372988340651475),
    ],
)
def test_n_minus_1_in_statsmodels(
    one: tuple[int, int], other: tuple[int, int], statistic: float, p: float
) -> None:
    """From statsmodels 0.15.0, test_proportions_2indep(method="score", correction=True)."""
    made = row(_differences.n_minus_1(share(one), share(other), pivot()))
    assert (made["statistic"], made["p_value"]) == pytest.approx((statistic, p), rel=1e-12)


answers = st.lists(st.integers(1, 7), min_size=2, max_size=12)


def means(*groups: list[int]) -> _differences.Means:
    mean = np.array([np.mean(group) for group in groups])
    error = np.array([np.std(group, ddof=1) / math.sqrt(len(group)) for group in groups])
    return _differences.Means(mean, error, np.array([len(group) for group in groups]))


@given(answers, answers, st.sampled_from(ALTERNATIVES))
def test_welch_is_that_of_scipy(one: list[int], other: list[int], alternative: str) -> None:
    assume(min(len(set(one)), len(set(other))) > 1)  # SciPy warns of less
    made = row(_differences.welch(means(one), means(other), pivot(alternative), 6.0))
    test = stats.ttest_ind(one, other, equal_var=False, alternative=alternative)
    assert made["statistic"] == pytest.approx(test.statistic, abs=1e-9)
    assert made["p_value"] == pytest.approx(test.pvalue, abs=1e-9)
    one_sided = alternative != "two-sided"
    df, low, high = oracles.welch(one, other, 0.95 if one_sided else 0.975)
    assert made["df"] == pytest.approx(df)
    end = 6.0 if one_sided else math.inf  # two-sided limits may lie off the scale
    if alternative != "less":
        assert made["ci_low"] == pytest.approx(max(low, -end), abs=1e-9)
    if alternative != "greater":
        assert made["ci_high"] == pytest.approx(min(high, end), abs=1e-9)
    if alternative == "greater":
        assert made["ci_high"] == 6.0
    if alternative == "less":
        assert made["ci_low"] == -6.0


def test_normal_is_known_by_its_quantiles() -> None:
    """1.959964 errors leave 2.5 % beyond, 1.644854 leave 5 %."""
    one = _differences.Means(np.array([3.0, 3.0, 3.0]), np.array([0.6, 0.0, np.nan]), np.ones(3))
    other = _differences.Means(np.array([1.0, 1.0, 1.0]), np.array([0.8, 0.0, 1.0]), np.ones(3))
    found = _differences.normal(one, other, _differences.Pivot("two-sided", 0.95), 3.9)
    assert found.statistic[0] == 2.0
    assert found.p_value[0] == pytest.approx(0.0455002639)
    assert found.ci_low[0] == pytest.approx(2 - 1.959963985)
    assert found.ci_high[0] == 3.9  # the end of the scale
    assert np.isnan(found.df).all()
    for part in found:
        assert np.isnan(part[1:]).all()
    less = _differences.normal(one, other, _differences.Pivot("less", 0.95), 9.0)
    assert (less.ci_low[0], less.ci_high[0]) == (-9.0, pytest.approx(2 + 1.644853627))
    assert less.p_value[0] == pytest.approx(1 - 0.0455002639 / 2)


def test_welch_without_spread_or_with_one_answer() -> None:
    none = float("nan")
    one = _differences.Means(np.array([5.0, 5.0]), np.array([0.0, none]), np.array([4, 1]))
    other = _differences.Means(np.array([4.0, 4.0]), np.array([0.0, 0.5]), np.array([3, 9]))
    made = _differences.welch(one, other, pivot(), 6.0)
    assert np.isnan(np.array(made)).all()
    # One side without spread is enough of the other's.
    made = _differences.welch(means([5, 5, 5]), means([1, 4, 6]), pivot(), 6.0)
    assert made.df.tolist() == [2.0]
    given_df = _differences.welch(means([5, 6, 5]), means([1, 4, 6]), pivot(df=1.5), 6.0)
    assert given_df.df.tolist() == [1.5]  # fewer than Welch's
    expected = 2 * stats.t.sf(abs(float(given_df.statistic[0])), 1.5)
    assert given_df.p_value[0] == pytest.approx(expected)
