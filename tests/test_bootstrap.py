"""The bootstrap kernel: the exact distribution, naive resampling of rows, edges, seeds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import _bootstrap

NET = (1.0, 0.0, -1.0)
SHARE = (1.0, 0.0)
EASE = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
MANY = 200_000

# Counts and the values they stand for: NPS, shares, means; balanced, lopsided, tiny.
CASES: list[tuple[list[int], tuple[float, ...]]] = [
    ([15, 13, 8], NET),
    ([9, 0, 1], NET),
    ([1, 1, 0], NET),
    ([30, 0, 0], NET),
    ([0, 0, 4], NET),
    ([56, 14], SHARE),
    ([1, 28], SHARE),
    ([1, 0, 1, 0, 2, 4, 2], EASE),
    ([0, 0, 0, 3, 0, 0, 9], EASE),
]
EACH = pytest.mark.parametrize(("counts", "values"), CASES)


def limits(
    counts: list[int],
    values: tuple[float, ...],
    level: float = 0.95,
    *,
    seed: int = 1,
    n_resamples: int = MANY,
) -> tuple[float, float]:
    """Call the kernel for a single group."""
    low, high = _bootstrap.percentile(
        np.array([counts]),
        np.array(values),
        level,
        rng=np.random.default_rng(seed),
        n_resamples=n_resamples,
    )
    return float(low[0]), float(high[0])


def resampled_rows(
    counts: list[int], values: tuple[float, ...], n_resamples: int
) -> npt.NDArray[np.float64]:
    """Return the means of answers drawn one by one, with replacement, from the answers."""
    answers = np.repeat(values, counts)
    rng = np.random.default_rng(99)
    draws = (rng.choice(answers, size=answers.size) for _ in range(n_resamples))
    return np.array([draw.mean() for draw in draws])


def around(tail: float, n_resamples: int) -> tuple[float, float]:
    """Return the tails that five standard errors of a share of the replicates lie between."""
    error = 5 * math.sqrt(tail * (1 - tail) / n_resamples)
    return max(tail - error, 0.0), min(tail + error, 1.0)


# --- Against what it stands for -------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_limits_are_quantiles_of_the_exact_distribution(
    counts: list[int], values: tuple[float, ...], level: float
) -> None:
    means, chances = oracles.resampled_means(counts, values)
    below = np.cumsum(chances)
    for tail, limit in zip(
        ((1 - level) / 2, (1 + level) / 2), limits(counts, values, level), strict=True
    ):
        least, most = (
            means[min(int(np.searchsorted(below, edge)), len(means) - 1)]
            for edge in around(tail, MANY)
        )
        assert least - 1e-12 <= limit <= most + 1e-12


@EACH
def test_limits_are_those_of_rows_drawn_one_by_one(
    counts: list[int], values: tuple[float, ...]
) -> None:
    naive = resampled_rows(counts, values, 4000)
    for tail, limit in zip((0.025, 0.975), limits(counts, values), strict=True):
        least, most = np.quantile(naive, around(tail, 4000))
        assert least - 1e-12 <= limit <= most + 1e-12


@pytest.mark.parametrize("n", [10**4, 10**9, 10**15])
def test_limits_of_a_large_group_are_walds(n: int) -> None:
    # The distribution is normal by then, whatever n is.
    promoters, detractors = n // 2, n // 5
    low, high = limits([promoters, n - promoters - detractors, detractors], NET)
    p, d = promoters / n, detractors / n
    margin = oracles.normal_z(0.95) * math.sqrt((p + d - (p - d) ** 2) / n)
    assert (low - (p - d)) / margin == pytest.approx(-1.0, abs=0.02)
    assert (high - (p - d)) / margin == pytest.approx(1.0, abs=0.02)


def test_limits_published() -> None:
    # scipy 1.17: stats.bootstrap((answers,), np.mean, method="percentile", n_resamples=10**6,
    # rng=1) of 15 promoters, 13 passives and 8 detractors as 1, 0 and -1; steps of 1/36.
    assert limits([15, 13, 8], NET) == pytest.approx((-2 / 36, 16 / 36), abs=1e-12)


# --- Edges ----------------------------------------------------------------------------------------


def test_a_group_without_answers_is_nan_and_all_alike_have_no_width() -> None:
    counts = np.array([[0, 0, 0], [5, 0, 0], [0, 1, 0], [0, 0, 7], [2, 1, 3], [0, 0, 0]])
    rng = np.random.default_rng(4)
    low, high = _bootstrap.percentile(counts, np.array(NET), 0.95, rng=rng, n_resamples=999)
    np.testing.assert_array_equal(low[:4], [np.nan, 1.0, 0.0, -1.0])
    np.testing.assert_array_equal(high[:4], [np.nan, 1.0, 0.0, -1.0])
    assert -1.0 <= low[4] < -1 / 6 < high[4] <= 1.0
    assert np.isnan([low[5], high[5]]).all()


@pytest.mark.parametrize("groups", [0, 3])
def test_nobody_answered(groups: int) -> None:
    counts = np.zeros((groups, 3), dtype=np.int64)
    rng = np.random.default_rng(4)
    low, high = _bootstrap.percentile(counts, np.array(NET), 0.95, rng=rng, n_resamples=999)
    assert low.shape == high.shape == (groups,)
    assert np.isnan([*low, *high]).all()


def test_a_single_answer_has_no_width() -> None:
    assert limits([0, 0, 0, 0, 1, 0, 0], EASE) == (5.0, 5.0)


def test_an_empty_bucket_changes_nothing() -> None:
    assert limits([15, 0, 13, 0, 8], (1.0, 9.0, 0.0, 5.0, -1.0)) == limits([15, 13, 8], NET)


def test_means_of_every_group_have_the_mean_and_error_of_their_answers() -> None:
    rng = np.random.default_rng(6)
    counts = rng.integers(0, 40, (300, 4)) * rng.integers(0, 2, (300, 4))
    counts[:, 2] += 1
    values = np.array([1.0, 2.0, 4.0, 9.0])
    means = _bootstrap._resampled_means(counts, values, rng, 4000)
    n = counts.sum(axis=1)
    expected = counts @ values / n
    error = np.sqrt((counts @ values**2 / n - expected**2) / n)
    assert means.shape == (300, 4000)
    assert np.all(np.abs(means.mean(axis=1) - expected) <= 5 * error / math.sqrt(4000))
    assert means.std(axis=1) == pytest.approx(error, rel=0.1, abs=1e-12)


# --- What must always hold ------------------------------------------------------------------------


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 10**6), min_size=3, max_size=3).filter(any),
    levels=st.tuples(st.floats(0.5, 0.99), st.floats(0.5, 0.99)),
    seed=st.integers(0, 2**32),
)
def test_limits_stay_on_the_scale_are_nested_and_turn_with_the_values(
    counts: list[int], levels: tuple[float, float], seed: int
) -> None:
    low, high = limits(counts, NET, min(levels), seed=seed, n_resamples=500)
    assert -1.0 <= low <= high <= 1.0
    outer_low, outer_high = limits(counts, NET, max(levels), seed=seed, n_resamples=500)
    assert outer_low <= low + 1e-15
    assert high <= outer_high + 1e-15
    turned = limits(counts, (-1.0, 0.0, 1.0), min(levels), seed=seed, n_resamples=500)
    assert turned == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("block", [1, 1000, 3 * 500])
def test_groups_are_drawn_block_by_block(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    # No matter how many replicates fit a block, they are those of its groups in turn.
    counts = np.array([[5, 3, 1], [0, 0, 0], [2, 8, 4], [7, 7, 0], [1, 2, 3], [0, 9, 1]])
    answered, step = np.array([0, 2, 3, 4, 5]), max(1, block // 500)
    rng = np.random.default_rng(2)
    expected = np.full((2, 6), np.nan)
    for first in range(0, 5, step):
        some = answered[first : first + step]
        means = _bootstrap._resampled_means(counts[some], np.array(NET), rng, 500)
        expected[:, some] = np.quantile(means, [0.025, 0.975], axis=1)
    monkeypatch.setattr(_bootstrap, "_BLOCK", block)
    rng = np.random.default_rng(2)
    found = _bootstrap.percentile(counts, np.array(NET), 0.95, rng=rng, n_resamples=500)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_many_groups_in_one_call() -> None:
    rng = np.random.default_rng(8)
    counts = rng.multinomial(rng.integers(0, 4, 100_000) * 40, [0.5, 0.3, 0.2])
    low, high = _bootstrap.percentile(counts, np.array(NET), 0.8, rng=rng, n_resamples=20)
    n = counts.sum(axis=1)
    assert low.shape == high.shape == n.shape
    np.testing.assert_array_equal(np.isnan(low), n == 0)
    share = (counts[:, 0] - counts[:, 2])[n > 0] / n[n > 0]
    # Of the estimates, nearly all lie inside, and none far off: the groups are not mixed up.
    assert np.mean((low[n > 0] <= share) & (share <= high[n > 0])) > 0.95
    assert np.abs((low + high)[n > 0] / 2 - share).max() < 0.35


# --- Seeds ----------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_limits_and_a_generator_goes_on() -> None:
    counts, values = [150, 130, 80], NET
    assert limits(counts, values, seed=5) == limits(counts, values, seed=5)
    table = np.array([counts]), np.array(values), 0.95
    rng = np.random.default_rng(5)
    first = _bootstrap.percentile(*table, rng=rng, n_resamples=500)
    second = _bootstrap.percentile(*table, rng=rng, n_resamples=500)
    assert (first[0], first[1]) != (second[0], second[1])


def test_inputs_and_the_global_generator_stay_as_they_are() -> None:
    counts, values = np.array([[5, 3, 1], [0, 0, 0]]), np.array(NET)
    counts.flags.writeable = values.flags.writeable = False
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    rng = np.random.default_rng(1)
    low, high = _bootstrap.percentile(counts, values, 0.95, rng=rng, n_resamples=500)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    np.testing.assert_array_equal(before["state"]["key"], after["state"]["key"])
    assert before["state"]["pos"] == after["state"]["pos"]
    assert low.dtype == high.dtype == np.float64
