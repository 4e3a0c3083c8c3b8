"""The kernels of a share: published values, naive oracles, edges, and what must always hold."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import _shares

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

BILLION = 10**9


def one(kernel: Callable[..., Any], *counts: float, level: float = 0.95) -> tuple[float, ...]:
    """Call a kernel for a single group."""
    columns = kernel(*(np.array([count]) for count in counts), level)
    return tuple(float(column[0]) for column in columns)


@st.composite
def share_counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 10**6))
    return draw(st.integers(0, n)), n


LEVELS = st.floats(0.5, 0.9999)
unhurried = settings(deadline=None)


# --- Wilson ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "level", "limits"),
    [
        # statsmodels 0.15: proportion_confint(successes, n, alpha=1 - level, method="wilson").
        (81, 263, 0.95, (0.2552885198782742, 0.36620957698280004)),
        (15, 148, 0.95, (0.06238639953073628, 0.16048724172330803)),
        (0, 20, 0.95, (0.0, 0.1611251580528194)),
        (1, 29, 0.95, (0.006113214292762667, 0.17175521879320294)),
        (1, 1, 0.95, (0.2065493143772374, 1.0)),
        (7, 10, 0.90, (0.44169979586983493, 0.873123416096802)),
    ],
)
def test_wilson_published(
    successes: int, n: int, level: float, limits: tuple[float, float]
) -> None:
    assert one(_shares.wilson, successes, n, level=level) == pytest.approx(limits, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 49, 1000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_wilson_matches_oracle(n: int, level: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        expected = oracles.wilson_interval(successes, n, level)
        found = one(_shares.wilson, successes, n, level=level)
        assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("n", [1, 3, 10, 49, 93, 12_345_678, BILLION])
def test_wilson_is_certain_at_the_boundaries(n: int) -> None:
    z = oracles.normal_z(0.95)
    low, high = one(_shares.wilson, 0, n)
    assert low == 0.0
    assert high == pytest.approx(z**2 / (n + z**2), rel=1e-14)
    low, high = one(_shares.wilson, n, n)
    assert low == pytest.approx(n / (n + z**2), rel=1e-14)
    assert high == 1.0


def test_wilson_keeps_its_digits_in_a_billion_answers() -> None:
    # The roots of (n + z^2) x^2 - (2 s + z^2) x + s^2 / n, multiplied: s^2 / (n (n + z^2)).
    z = oracles.normal_z(0.95)
    for successes in (1, 3, 1000):
        low, high = one(_shares.wilson, successes, BILLION)
        product = successes**2 / (BILLION * (BILLION + z**2))
        assert low * high == pytest.approx(product, rel=1e-14, abs=0)
        assert low + high == pytest.approx((2 * successes + z**2) / (BILLION + z**2), rel=1e-14)


@unhurried
@given(counts=share_counts(), levels=st.tuples(LEVELS, LEVELS))
def test_wilson_is_bounded_nested_and_symmetric(
    counts: tuple[int, int], levels: tuple[float, float]
) -> None:
    successes, n = counts
    low, high = one(_shares.wilson, successes, n, level=min(levels))
    assert 0.0 <= low <= successes / n <= high <= 1.0
    assert low < high
    outer_low, outer_high = one(_shares.wilson, successes, n, level=max(levels))
    assert outer_low <= low + 1e-15
    assert high <= outer_high + 1e-15
    failures = one(_shares.wilson, n - successes, n, level=min(levels))
    assert failures == pytest.approx((1.0 - high, 1.0 - low), abs=1e-14)


@unhurried
@given(counts=share_counts(), times=st.integers(2, 100), level=LEVELS)
def test_wilson_narrows_as_answers_are_added(
    counts: tuple[int, int], times: int, level: float
) -> None:
    low, high = one(_shares.wilson, *counts, level=level)
    more_low, more_high = one(_shares.wilson, *(times * count for count in counts), level=level)
    assert more_high - more_low < high - low


def test_wilson_takes_an_effective_sample_size() -> None:
    s, n, z = 2.5, 7.5, oracles.normal_z(0.95)
    centre = (s + z**2 / 2) / (n + z**2)
    margin = z * math.sqrt(s * (n - s) / n + z**2 / 4) / (n + z**2)
    expected = centre - margin, centre + margin
    assert one(_shares.wilson, s, n) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (1, 3), (350, 1000), (1, BILLION)])
def test_proportion_std_error(successes: int, n: int) -> None:
    share = Fraction(successes, n)
    error = _shares.proportion_std_error(np.array([successes]), np.array([n]))
    assert error[0] == pytest.approx(math.sqrt(share * (1 - share) / n), rel=1e-14, abs=0)


# --- All of them ----------------------------------------------------------------------------------


def proportion_std_error(*counts: Any) -> tuple[npt.NDArray[np.float64]]:
    """Give the error the shape of a kernel that takes a confidence level."""
    return (_shares.proportion_std_error(*counts[:-1]),)


EVERY = pytest.mark.parametrize("kernel", [_shares.wilson, proportion_std_error])


@EVERY
def test_a_group_without_answers_is_nan_and_no_other_is(kernel: Callable[..., Any]) -> None:
    first = kernel(np.array([5]), np.array([9]), 0.95)
    both = kernel(np.array([5, 0]), np.array([9, 0]), 0.95)
    for alone, beside in zip(first, both, strict=True):
        assert beside[0] == alone[0]
        assert np.isnan(beside[1])


@pytest.mark.parametrize("n", [0.3, 5.5, 1234.5])
def test_a_share_rounded_past_the_whole_does_no_harm(n: float) -> None:
    # An effective sample size times a weighted share of 1 may come out one bit above itself.
    above = math.nextafter(n, math.inf)
    assert one(_shares.wilson, above, n)[1] == 1.0
    assert one(proportion_std_error, above, n) == (0.0,)


@EVERY
def test_inputs_stay_as_they_are_and_outputs_are_new_floats(kernel: Callable[..., Any]) -> None:
    counts = np.array([5, 0, 1]), np.array([9, 0, 1])
    for column in counts:
        column.flags.writeable = False
    for found in kernel(*counts, 0.95):
        assert found.dtype == np.float64
        assert found.shape == (3,)
        assert not any(np.shares_memory(found, column) for column in counts)


@EVERY
def test_no_groups_give_no_limits(kernel: Callable[..., Any]) -> None:
    nobody = np.array([], dtype=np.int64)
    for found in kernel(nobody, nobody, 0.95):
        assert found.shape == (0,)


@EVERY
@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint64", "float64"])
def test_the_type_of_the_counts_does_not_matter(kernel: Callable[..., Any], dtype: str) -> None:
    wide = np.array([BILLION // 3]), np.array([BILLION])
    narrow = [column.astype(dtype) for column in wide]
    np.testing.assert_array_equal(kernel(*narrow, 0.95), kernel(*wide, 0.95))
