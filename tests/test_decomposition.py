"""The change of a mean split over cells, against all orders, numerical slopes and resampling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from loyaltykit import _decomposition
from loyaltykit._decomposition import Sample

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Nests = list[IntArray]
Vectors = tuple[FloatArray, FloatArray, FloatArray, FloatArray]

# Five cells in one whole: alone, in two sectors, and in two regions of one of those.
PLAIN = [np.zeros(5, dtype=np.int64), np.arange(5)]
NESTED = [np.zeros(5, dtype=np.int64), np.array([0, 0, 0, 1, 1]), np.arange(5)]
DEEP = [*NESTED[:2], np.array([0, 0, 1, 2, 2]), np.arange(5)]
SHAPES = {"plain": PLAIN, "nested": NESTED, "deep": DEEP}

SHARES = np.array([0.3, 0.1, 0.2, 0.25, 0.15]), np.array([0.1, 0.3, 0.2, 0.05, 0.35])
RATES = np.array([0.4, -0.1, 0.2, 0.6, 0.05]), np.array([0.3, 0.1, 0.25, 0.5, -0.2])


def shares_sample(n: int, shares: FloatArray, rates: FloatArray, second: FloatArray) -> Sample:
    """Return a sample by its shares; counts need not be whole numbers here."""
    total = n * shares
    return Sample(
        np.ceil(total).astype(np.int64),
        *(total, total * rates),
        *(total, total * rates, total * second),
    )


def split(samples: Sequence[Sample], nests: Nests) -> tuple[FloatArray, FloatArray]:
    mix, within = _decomposition.parts(_decomposition.factors(samples, nests))
    return mix.change, within.change


def variances(samples: Sequence[Sample], nests: Nests) -> list[list[FloatArray]]:
    """Return by part and by sample the variance of every cell."""
    both = _decomposition.factors(samples, nests)
    return [
        [
            _decomposition.variance(
                _decomposition.influence(part, both, period), samples[period], nests
            )
            for period in (0, 1)
        ]
        for part in _decomposition.parts(both)
    ]


def all_orders(vectors: Vectors, nests: Nests) -> tuple[FloatArray, FloatArray]:
    """Return mix and within of the cells of one whole, by trying every order of every cell."""
    w0, w1, r0, r1 = vectors
    factors: list[list[list[float]]] = [[], []]
    for period, w in enumerate((w0, w1)):
        for cell in range(len(w)):
            chain = [w[codes == codes[cell]].sum() for codes in nests]
            own = [b / a if a > 0 else math.nan for a, b in itertools.pairwise(chain)]
            factors[period].append([*own, (r0, r1)[period][cell] if w[cell] > 0 else math.nan])
    overall = sum(np.nansum(w * r) / w.sum() for w, r in ((w0, r0), (w1, r1)))
    mix, within = np.zeros(len(w0)), np.zeros(len(w0))
    for cell in range(len(w0)):
        pair = [factors[period][cell] for period in (0, 1)]
        for own, other in (pair, pair[::-1]):
            own[:] = [b if math.isnan(a) else a for a, b in zip(own, other, strict=True)]
            own[:] = [0.0 if math.isnan(a) else a for a in own]  # neither has it
        orders = list(itertools.permutations(range(len(nests))))
        for order in orders:
            now = list(pair[0])
            for factor in order:
                before = math.prod(now)
                now[factor] = pair[1][factor]
                gained = (math.prod(now) - before) / len(orders)
                part = within if factor == len(nests) - 1 else mix
                part[cell] += gained
        mix[cell] -= (w1[cell] / w1.sum() - w0[cell] / w0.sum()) * overall / 2
    return mix, within


@pytest.fixture(params=SHAPES)
def nests(request: pytest.FixtureRequest) -> Nests:
    return SHAPES[request.param]


# ---- the parts ----------------------------------------------------------------------------------

# Which cells each sample lacks: none; one that appears; one that vanishes; a whole sector of one.
GAPS: list[tuple[list[int], list[int]]] = [
    ([], []),
    ([1], []),
    ([], [4]),
    ([3, 4], [0]),
    ([2], [2]),
]


def gapped(gaps: tuple[list[int], list[int]]) -> Vectors:
    w0, w1 = SHARES[0].copy(), SHARES[1].copy()
    w0[gaps[0]], w1[gaps[1]] = 0.0, 0.0
    return w0 / w0.sum(), w1 / w1.sum(), RATES[0], RATES[1]


def samples_of(vectors: Vectors, sizes: tuple[int, int] = (100, 80)) -> list[Sample]:
    w0, w1, r0, r1 = vectors
    return [
        shares_sample(n, w, r, np.full(5, 0.7))
        for n, w, r in zip(sizes, (w0, w1), (r0, r1), strict=True)
    ]


@pytest.mark.parametrize("gaps", GAPS)
def test_parts_are_the_mean_over_all_orders(
    nests: Nests, gaps: tuple[list[int], list[int]]
) -> None:
    vectors = gapped(gaps)
    w0, w1, r0, r1 = vectors
    found = split(samples_of(vectors), nests)
    for ours, theirs in zip(found, all_orders(vectors, nests), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-15)
    assert np.sum(found) == pytest.approx(w1 @ r1 - w0 @ r0, rel=1e-12)
    new_or_gone = (w0 == 0) | (w1 == 0)
    assert (found[1][new_or_gone] == 0).all()
    assert (found[0][(w0 == 0) & (w1 == 0)] == 0).all()


def test_one_level_is_kitagawas_split() -> None:
    """Two segments by hand: 80 % at 0.5 and 20 % at 0.1 become 50 % at 0.6 and 50 % at 0.2."""
    vectors = np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.array([0.5, 0.1]), np.array([0.6, 0.2])
    samples = [shares_sample(100, vectors[i], vectors[i + 2], np.array([0.7, 0.7])) for i in (0, 1)]
    mix, within = split(samples, [np.zeros(2, dtype=np.int64), np.arange(2)])
    # Overall 0.42 and 0.40, so 0.41 in the middle.
    np.testing.assert_allclose(within, [0.65 * 0.1, 0.35 * 0.1], rtol=1e-12)
    np.testing.assert_allclose(mix, [-0.3 * (0.55 - 0.41), 0.3 * (0.15 - 0.41)], rtol=1e-12)
    assert mix.sum() + within.sum() == pytest.approx(-0.02, rel=1e-12)


def test_product_of_five_factors_of_das_gupta() -> None:
    """Das Gupta 1993, example 2.4: the total fertility rate of South Korea, 1970 and 1960.

    The differences are quoted to seven decimals: 1.0909785, 1.2298438, 0.7278399, -0.8398707,
    -0.1290187, of 2.0797729.
    """
    was = [np.array([value]) for value in (0.58, 0.76, 0.84, 0.66, 16.573)]
    now = [np.array([value]) for value in (0.72, 0.97, 0.97, 0.56, 16.158)]
    found = [_decomposition._shapley((was, now), i).change[0] for i in range(5)]
    quoted = [1.0909785, 1.2298438, 0.7278399, -0.8398707, -0.1290187]
    assert found == pytest.approx(quoted, abs=1e-7)
    assert sum(found) == pytest.approx(2.0797729, abs=1e-7)


def test_wholes_are_apart() -> None:
    """Two wholes in one call are each as they are alone."""
    first, second = samples_of(gapped(([1], []))), samples_of(gapped(([], [0])), (30, 60))
    twice = [
        Sample(*(np.concatenate(pair) for pair in zip(a, b, strict=True)))
        for a, b in zip(first, second, strict=True)
    ]
    both = [np.concatenate([codes, codes + codes.max() + 1]) for codes in NESTED]
    for part in (0, 1):
        alone = [split(samples, NESTED)[part] for samples in (first, second)]
        np.testing.assert_array_equal(split(twice, both)[part], np.concatenate(alone))
        for period in (0, 1):
            alone = [variances(samples, NESTED)[part][period] for samples in (first, second)]
            found = variances(twice, both)[part][period]
            np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-12, atol=1e-18)


# ---- their errors -------------------------------------------------------------------------------


def slopes(function: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """Return central differences, a row per argument; arguments at 0 are left alone."""
    made = []
    for i in range(len(at)):
        step = np.zeros(len(at))
        step[i] = 1e-6 * (at[i] != 0)
        made.append((function(at + step) - function(at - step)) / 2e-6)
    return np.array(made)


@pytest.mark.parametrize("gaps", GAPS)
def test_variance_is_the_delta_method(nests: Nests, gaps: tuple[list[int], list[int]]) -> None:
    """Numerical slopes by joint shares and rates, times the covariance of a multinomial sample."""
    vectors = gapped(gaps)
    spread = [np.full(5, 0.7) - vectors[i] ** 2 for i in (2, 3)]
    found = variances(samples_of(vectors), nests)
    for part, period in itertools.product((0, 1), (0, 1)):
        n, w, r = (100, 80)[period], vectors[period], vectors[2 + period]

        def parts_at(both: FloatArray, part: int = part, period: int = period) -> FloatArray:
            moved = list(vectors)
            moved[period], moved[2 + period] = both[:5], both[5:]
            return all_orders((moved[0], moved[1], moved[2], moved[3]), nests)[part]

        by_share, by_rate = np.split(slopes(parts_at, np.concatenate([w, r])), 2)
        covariance = (np.diag(w) - np.outer(w, w)) / n
        errors = np.divide(spread[period], n * w, out=np.zeros(5), where=w > 0)
        expected = np.einsum("ik,ij,jk->k", by_share, covariance, by_share)
        expected += np.einsum("ik,i,ik->k", by_rate, errors, by_rate)
        np.testing.assert_allclose(found[part][period], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("gaps", GAPS)
def test_influences_of_all_parts_add_up_to_that_of_the_change(
    nests: Nests, gaps: tuple[list[int], list[int]]
) -> None:
    vectors = gapped(gaps)
    both = _decomposition.factors(samples_of(vectors), nests)
    found = _decomposition.parts(both)
    for period, sign in ((0, -1.0), (1, 1.0)):
        w, r = vectors[period], vectors[2 + period]
        moved = [_decomposition.influence(part, both, period) for part in found]
        for home, y in itertools.product(np.flatnonzero(w > 0), (-1.0, 0.0, 1.0)):
            shells = [sum(codes[cell] == codes[home] for codes in nests) - 1 for cell in range(5)]
            total = sum(
                part.level[shell][cell] + part.slope[shell][cell] * y
                for part in moved
                for cell, shell in enumerate(shells)
            )
            assert total == pytest.approx(sign * (y - w @ r), abs=1e-12)


def resampled(
    rng: np.random.Generator, n: int, shares: FloatArray, times: int
) -> tuple[Sample, FloatArray]:
    """Return samples of answers -1, 0, 1 drawn anew, one whole each, and the true parameters."""
    chances = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    chances = np.roll(chances, n % 4, axis=0)
    drawn = rng.multinomial(n, (shares[:, None] * chances).ravel(), size=times)
    counts = drawn.reshape(times * 4, 3).astype(np.float64)
    total, first = counts.sum(axis=1), counts[:, 2] - counts[:, 0]
    second = counts[:, 2] + counts[:, 0]
    return Sample(total.astype(np.int64), total, first, total, first, second), chances


def test_errors_are_those_of_resampling() -> None:
    rng = np.random.default_rng(20260301)
    times, shape = 20_000, [np.array([0, 0, 1, 1]), np.arange(4)]
    samples = [
        resampled(rng, n, np.array(shares), times)[0]
        for n, shares in ((401, [0.4, 0.2, 0.3, 0.1]), (302, [0.15, 0.25, 0.2, 0.4]))
    ]
    wholes = np.repeat(np.arange(times), 4)
    nests = [wholes, *(np.tile(codes, times) + wholes * (codes.max() + 1) for codes in shape)]
    changes, found = split(samples, nests), variances(samples, nests)
    for change, by_sample in zip(changes, found, strict=True):
        spread = change.reshape(times, 4).std(axis=0)
        error = np.sqrt(np.add(*by_sample)).reshape(times, 4).mean(axis=0)
        np.testing.assert_allclose(error, spread, rtol=0.03)


def test_equal_answers_leave_only_the_shares_to_chance() -> None:
    equal = np.full(5, 0.3)
    samples = [shares_sample(100, shares, equal, equal**2) for shares in SHARES]
    mix, within = split(samples, NESTED)
    np.testing.assert_allclose(np.concatenate([mix, within]), 0.0, atol=1e-16)
    for by_sample in variances(samples, NESTED):
        # A root of this is what a reader sees: it must not be 1e-8.
        assert np.max(by_sample) < 1e-28


def test_no_cells() -> None:
    nothing: Any = np.empty(0)
    sample = Sample(nothing.astype(np.int64), *[nothing] * 5)
    none = [nothing.astype(np.int64)] * 2
    assert [len(part) for part in split([sample, sample], none)] == [0, 0]
    assert len(variances([sample, sample], none)[0][0]) == 0
