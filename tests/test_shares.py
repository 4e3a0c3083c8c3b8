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

KERNELS = [_shares.wilson, _shares.agresti_coull, _shares.clopper_pearson, _shares.jeffreys]
EACH = pytest.mark.parametrize("kernel", KERNELS)
# SciPy before 1.12 gives twelve digits of a beta quantile, and in a billion answers seven.
DIGITS = 1e-11


# --- Wilson ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "limits"),
    [
        # Newcombe 1998, Statistics in Medicine 17, 857-872, Table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_published(successes: int, n: int, limits: tuple[float, float]) -> None:
    low, high = one(_shares.wilson, successes, n)
    assert (round(low, 4), round(high, 4)) == limits


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
def test_wilson_of_statsmodels(
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


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (1, 3), (350, 1000), (1, BILLION)])
def test_proportion_std_error(successes: int, n: int) -> None:
    share = Fraction(successes, n)
    error = _shares.proportion_std_error(np.array([successes]), np.array([n]))
    assert error[0] == pytest.approx(math.sqrt(share * (1 - share) / n), rel=1e-14, abs=0)


# --- Agresti-Coull --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "level", "limits"),
    [
        # statsmodels 0.15: proportion_confint(successes, n, 1 - level, method="agresti_coull").
        (81, 263, 0.95, (0.25522066518999675, 0.3662774316710775)),
        (15, 148, 0.95, (0.06138597492879727, 0.16148766632524705)),
        (0, 20, 0.95, (0.0, 0.18980956054248888)),
        (1, 29, 0.95, (0.0, 0.18628650856170612)),
        (1, 1, 0.95, (0.167499485479413, 1.0)),
        (0, 1, 0.95, (0.0, 0.832500514520587)),
        (7, 10, 0.90, (0.43841587933002235, 0.8764073326366149)),
    ],
)
def test_agresti_coull_published(
    successes: int, n: int, level: float, limits: tuple[float, float]
) -> None:
    found = one(_shares.agresti_coull, successes, n, level=level)
    assert found == pytest.approx(limits, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 49, 1000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_agresti_coull_matches_oracle(n: int, level: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        expected = oracles.agresti_coull_interval(successes, n, level)
        found = one(_shares.agresti_coull, successes, n, level=level)
        assert found == pytest.approx(expected, abs=1e-14)


@unhurried
@given(counts=share_counts(), level=LEVELS)
def test_agresti_coull_holds_wilsons_interval(counts: tuple[int, int], level: float) -> None:
    # Brown, Cai and DasGupta 2001, section 3.1.2: it always contains Wilson's interval.
    low, high = one(_shares.agresti_coull, *counts, level=level)
    inner_low, inner_high = one(_shares.wilson, *counts, level=level)
    assert low <= inner_low + 1e-15
    assert inner_high <= high + 1e-15


# --- Clopper-Pearson ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "limits"),
    [
        # Newcombe 1998, Statistics in Medicine 17, 857-872, Table I, method 5.
        (81, 263, (0.2527, 0.3676)),
        (15, 148, (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1684)),
        (1, 29, (0.0009, 0.1776)),
    ],
)
def test_clopper_pearson_published(successes: int, n: int, limits: tuple[float, float]) -> None:
    low, high = one(_shares.clopper_pearson, successes, n)
    assert (round(low, 4), round(high, 4)) == limits


@pytest.mark.parametrize(
    ("successes", "n", "level", "limits"),
    [
        # statsmodels 0.15: proportion_confint(successes, n, 1 - level, method="beta").
        (81, 263, 0.95, (0.25273674558527126, 0.3676219226013514)),
        (15, 148, 0.95, (0.05784401008344857, 0.161650490349479)),
        (0, 20, 0.95, (0.0, 0.16843347098308534)),
        (1, 29, 0.95, (0.000872646883579922, 0.17764429548872293)),
        (7, 10, 0.90, (0.39337578389458766, 0.9127355660858497)),
        # The documentation of R GenBinomApps: clopper.pearson.ci(5, 100000, CI = "two.sided").
        (5, 100_000, 0.90, (1.97017e-05, 0.0001051275)),
    ],
)
def test_clopper_pearson_of_other_programs(
    successes: int, n: int, level: float, limits: tuple[float, float]
) -> None:
    found = one(_shares.clopper_pearson, successes, n, level=level)
    assert found == pytest.approx(limits, rel=DIGITS, abs=5e-11)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 49, 150])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_clopper_pearson_matches_oracle(n: int, level: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        expected = oracles.clopper_pearson_interval(successes, n, level)
        found = one(_shares.clopper_pearson, successes, n, level=level)
        assert found == pytest.approx(expected, rel=DIGITS)


@pytest.mark.parametrize("n", [1, 3, 20, 1000, 12_345_678])
def test_clopper_pearson_at_the_boundaries_is_known(n: int) -> None:
    # The chance of no success is (1 - p)^n: half of the error is left where that is 0.025.
    limit = -math.expm1(math.log(0.025) / n)
    none, all_of_them = one(_shares.clopper_pearson, 0, n), one(_shares.clopper_pearson, n, n)
    assert (none[0], all_of_them[1]) == (0.0, 1.0)
    assert (none[1], all_of_them[0]) == pytest.approx((limit, 1.0 - limit), rel=DIGITS)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.77])
@pytest.mark.parametrize("n", [1, 5, 30])
def test_clopper_pearson_covers_as_often_as_it_says(n: int, share: float) -> None:
    assert oracles.share_coverage(_shares.clopper_pearson, n, share, 0.95) >= 0.95


# --- Jeffreys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "limits"),
    [
        # Brown, Cai and DasGupta 2001, Table A.1 for n = 7, as quoted by the tests of
        # Boost.Histogram. Its modified interval is Jeffreys' own where 2 to 5 succeed.
        (2, (0.065, 0.648)),
        (3, (0.139, 0.766)),
        (4, (0.234, 0.861)),
    ],
)
def test_jeffreys_published(successes: int, limits: tuple[float, float]) -> None:
    # The table's last digit is off by one in 0.766 and 0.234: they are 0.7655 and 0.2345.
    assert one(_shares.jeffreys, successes, 7) == pytest.approx(limits, abs=6e-4)


@pytest.mark.parametrize(
    ("successes", "n", "level", "limits"),
    [
        # statsmodels 0.15: proportion_confint(successes, n, 1 - level, method="jeffreys").
        (81, 263, 0.95, (0.2545219349910236, 0.36564749917408246)),
        (15, 148, 0.95, (0.060448517009296425, 0.15764314347874112)),
        (1, 29, 0.95, (0.003746173649057073, 0.15007768600223176)),
        (7, 10, 0.90, (0.44187323351536595, 0.8826706233197898)),
    ],
)
def test_jeffreys_of_statsmodels_inside_the_boundaries(
    successes: int, n: int, level: float, limits: tuple[float, float]
) -> None:
    found = one(_shares.jeffreys, successes, n, level=level)
    assert found == pytest.approx(limits, rel=DIGITS)


def test_jeffreys_is_certain_at_the_boundaries_where_statsmodels_is_not() -> None:
    # statsmodels 0.15 gives 2.4246478459242733e-05 and 0.11663898290487543 for 0 of 20, and
    # 0.9177135170761761 and 0.9999832132478752 for 29 of 29: neither holds the share itself.
    none, all_of_them = one(_shares.jeffreys, 0, 20), one(_shares.jeffreys, 29, 29)
    assert (none[0], all_of_them[1]) == (0.0, 1.0)
    inner = (0.11663898290487543, 0.9177135170761761)
    assert (none[1], all_of_them[0]) == pytest.approx(inner, rel=DIGITS)


@pytest.mark.parametrize("n", [1, 2, 10, 150])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_jeffreys_matches_oracle(n: int, level: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        expected = oracles.jeffreys_interval(successes, n, level)
        found = one(_shares.jeffreys, successes, n, level=level)
        assert found == pytest.approx(expected, abs=1e-8)  # as far as the grid is fine


# --- All of them ----------------------------------------------------------------------------------


def proportion_std_error(*counts: Any) -> tuple[npt.NDArray[np.float64]]:
    """Give the error the shape of a kernel that takes a confidence level."""
    return (_shares.proportion_std_error(*counts[:-1]),)


EVERY = pytest.mark.parametrize("kernel", [*KERNELS, proportion_std_error])


@EACH
@unhurried
@given(counts=share_counts(), levels=st.tuples(LEVELS, LEVELS))
def test_limits_hold_the_share_stay_on_the_scale_and_are_nested(
    kernel: Callable[..., Any], counts: tuple[int, int], levels: tuple[float, float]
) -> None:
    successes, n = counts
    low, high = one(kernel, successes, n, level=min(levels))
    assert 0.0 <= low <= successes / n <= high <= 1.0
    assert low < high
    outer_low, outer_high = one(kernel, successes, n, level=max(levels))
    assert outer_low <= low * (1 + DIGITS) + 1e-15
    assert high <= outer_high * (1 + DIGITS) + 1e-15


@EACH
@unhurried
@given(counts=share_counts(), level=LEVELS)
def test_limits_of_the_failures_mirror_those_of_the_successes(
    kernel: Callable[..., Any], counts: tuple[int, int], level: float
) -> None:
    successes, n = counts
    low, high = one(kernel, successes, n, level=level)
    failures = one(kernel, n - successes, n, level=level)
    assert failures == pytest.approx((1.0 - high, 1.0 - low), abs=DIGITS)


@EACH
@unhurried
@given(counts=share_counts(), times=st.integers(2, 100), level=LEVELS)
def test_limits_narrow_as_answers_are_added(
    kernel: Callable[..., Any], counts: tuple[int, int], times: int, level: float
) -> None:
    low, high = one(kernel, *counts, level=level)
    more_low, more_high = one(kernel, *(times * count for count in counts), level=level)
    assert more_high - more_low < high - low


@EACH
@pytest.mark.parametrize("n", [0.3, 1, 2, 3, 7.5, 49, 93, 12_345_678, BILLION])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_limits_are_certain_at_the_boundaries_and_nowhere_else(
    kernel: Callable[..., Any], n: float, level: float
) -> None:
    low, high = one(kernel, 0, n, level=level)
    assert low == 0.0 < high < 1.0
    low, high = one(kernel, n, n, level=level)
    assert 0.0 < low < high == 1.0
    if n > 2 and kernel is not _shares.agresti_coull:  # which is cut there too
        assert one(kernel, 1, n, level=level)[0] > 0.0
        assert one(kernel, n - 1, n, level=level)[1] < 1.0


@EACH
def test_limits_move_with_an_effective_sample_size(kernel: Callable[..., Any]) -> None:
    n = np.linspace(10.0, 11.0, 21)
    low, high = kernel(0.3 * n, n, 0.95)
    assert np.all(np.diff(low) > 0.0)
    assert np.all(np.diff(high) < 0.0)
    whole_low, whole_high = kernel(np.array([3]), np.array([10]), 0.95)
    assert (low[0], high[0]) == (whole_low[0], whole_high[0])


@EACH
def test_limits_of_many_groups_are_those_of_each_alone(kernel: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    n = rng.integers(0, 60, 100_000)
    successes = rng.binomial(n, 0.8)
    low, high = kernel(successes, n, 0.95)
    assert low.shape == high.shape == n.shape
    np.testing.assert_array_equal(np.isnan(low), n == 0)
    np.testing.assert_array_equal(np.isnan(high), n == 0)
    oracle = getattr(oracles, f"{kernel.__name__}_interval")
    for i in np.flatnonzero(n)[:40]:
        expected = oracle(int(successes[i]), int(n[i]), 0.95)
        assert (low[i], high[i]) == pytest.approx(expected, abs=1e-8)


@EACH
def test_limits_keep_their_digits_in_a_billion_answers(kernel: Callable[..., Any]) -> None:
    low, high = one(kernel, BILLION // 2, BILLION)
    margin = oracles.normal_z(0.95) / math.sqrt(4 * BILLION)
    assert (low, high) == pytest.approx((0.5 - margin, 0.5 + margin), abs=1e-9)


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
    for kernel in KERNELS:
        low, high = one(kernel, above, n)
        assert 0.0 < low < high == 1.0
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
