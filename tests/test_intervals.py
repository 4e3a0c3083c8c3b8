"""The kernels of NPS and of a mean: published values, oracles, edges, what must always hold."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import _intervals

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

BILLION = 10**9
NET = [_intervals.tango, _intervals.adjusted_wald, _intervals.wald]

# Promoters, detractors, n: plain, lopsided, all of one kind, single answers, large groups.
COUNTS = [
    (1436, 342, 2746),
    (50, 30, 100),
    (30, 50, 100),
    (7, 0, 10),
    (0, 7, 10),
    (9, 1, 10),
    (5, 5, 10),
    (0, 0, 10),
    (10, 0, 10),
    (0, 10, 10),
    (1, 0, 1),
    (0, 1, 1),
    (0, 0, 1),
]
LARGE_COUNTS = [
    (BILLION // 2, BILLION // 3, BILLION),
    (BILLION // 3, BILLION // 2, BILLION),
    (BILLION // 2, BILLION // 2, BILLION),
    (BILLION - 1, 0, BILLION),
    (BILLION - 1, 1, BILLION),
    (1, BILLION - 1, BILLION),
    (10, 2, BILLION),
    (2, 10, BILLION),
    (1, 0, BILLION),
    (0, 0, BILLION),
]


def one(kernel: Callable[..., Any], *counts: float, level: float = 0.95) -> tuple[float, ...]:
    """Call a kernel for a single group."""
    columns = kernel(*(np.array([count]) for count in counts), level)
    return tuple(float(column[0]) for column in columns)


@st.composite
def net_counts(draw: st.DrawFn, most: int = 10**6) -> tuple[int, int, int]:
    n = draw(st.integers(1, most))
    promoters = draw(st.integers(0, n))
    return promoters, draw(st.integers(0, n - promoters)), n


LEVELS = st.floats(0.5, 0.9999)
unhurried = settings(deadline=None)


# --- The normal quantile --------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_normal_quantile_is_two_sided(level: float) -> None:
    assert _intervals.normal_quantile(level) == pytest.approx(oracles.normal_z(level), rel=1e-12)


def test_normal_quantile_stays_finite_next_to_certainty() -> None:
    assert _intervals.normal_quantile(math.nextafter(1.0, 0.0)) == pytest.approx(8.2924, abs=1e-4)


# --- Tango ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "level", "limits", "digits"),
    [
        # Tango 1998, as quoted by the tests of R ratesci: pairbinci(x = c(4, 9, 3, 16)).
        ((9, 3, 32), 0.95, (-0.027, 0.390), 3),
        # Tango 1998, as quoted there: pairbinci(x = c(43, 0, 1, 0), level = 0.90).
        ((0, 1, 44), 0.90, (-0.096, 0.037), 3),
        # Agresti and Min 2005, as quoted there: pairbinci(x = c(53, 16, 8, 9)).
        ((16, 8, 86), 0.95, (-0.020, 0.207), 3),
        # Fagerland, Lydersen and Laake 2014, as quoted there: pairbinci(x = c(1, 1, 7, 12)).
        ((1, 7, 21), 0.95, (-0.517, -0.026), 3),
        # Expected output of R contingencytables:
        # Tango_asymptotic_score_CI_paired_2x2(rbind(c(59, 6), c(16, 80))).
        ((6, 16, 161), 0.95, (-0.1240, -0.0054), 4),
        # The issue that asked for it, to three decimals of a point: 15, 13 passives, 8.
        ((15, 8, 36), 0.95, (-0.06770, 0.42867), 5),
        # SFO customer survey 2017, NPS 39.84: the project's own figure, not a published one.
        ((1436, 342, 2746), 0.95, (0.3719, 0.4242), 4),
    ],
)
def test_tango_published(
    counts: tuple[int, int, int], level: float, limits: tuple[float, float], digits: int
) -> None:
    low, high = one(_intervals.tango, *counts, level=level)
    assert (round(low, digits), round(high, digits)) == limits


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_tango_matches_oracle(counts: tuple[int, int, int], level: float) -> None:
    expected = oracles.tango_interval(*counts, level)
    assert one(_intervals.tango, *counts, level=level) == pytest.approx(expected, abs=1e-14)


def test_tango_matches_oracle_in_every_small_sample() -> None:
    tables = [(p, d, n) for n in (2, 3, 4) for p in range(n + 1) for d in range(n + 1 - p)]
    promoters, detractors, n = np.array(tables).T
    low, high = _intervals.tango(promoters, detractors, n, 0.95)
    expected = np.array([oracles.tango_interval(*table, 0.95) for table in tables])
    np.testing.assert_allclose(low, expected[:, 0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(high, expected[:, 1], rtol=0, atol=1e-14)


@pytest.mark.parametrize("counts", LARGE_COUNTS)
def test_tango_keeps_its_digits_in_a_billion_answers(counts: tuple[int, int, int]) -> None:
    expected = oracles.tango_interval(*counts, 0.95)
    assert one(_intervals.tango, *counts) == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("n", [1, 2, 10, 1000, BILLION])
def test_tango_without_promoters_or_detractors_is_known(n: int) -> None:
    # With p = d = 0 the fitted q is 0 for theta > 0, and n theta^2 = z^2 theta (1 - theta).
    limit = oracles.normal_z(0.95) ** 2 / (n + oracles.normal_z(0.95) ** 2)
    assert one(_intervals.tango, 0, 0, n) == pytest.approx((-limit, limit), rel=1e-10)


@pytest.mark.parametrize("n", [1, 3, 10, 49, 93, BILLION])
def test_tango_is_certain_at_the_ends_of_the_scale(n: int) -> None:
    assert one(_intervals.tango, n, 0, n)[1] == 1.0
    assert one(_intervals.tango, 0, n, n)[0] == -1.0
    assert -1.0 < one(_intervals.tango, n, 0, n)[0] < 1.0


@pytest.mark.parametrize("n", [2, 10, 1000, 10**6])
def test_tango_is_not_certain_one_answer_from_the_end(n: int) -> None:
    assert one(_intervals.tango, n - 1, 0, n)[1] < 1.0
    assert one(_intervals.tango, 0, n - 1, n)[0] > -1.0


def test_tango_takes_an_effective_sample_size() -> None:
    n = 10.5
    expected = oracles.tango_interval(0.7 * n, 0.1 * n, n, 0.95)
    assert one(_intervals.tango, 0.7 * n, 0.1 * n, n) == pytest.approx(expected, abs=1e-14)
    assert one(_intervals.tango, n, 0.0, n)[1] == 1.0


def test_tango_gives_every_group_its_own_limits_however_many_there_are() -> None:
    rng = np.random.default_rng(7)
    n = rng.integers(0, 500, 20_000)
    promoters = rng.binomial(n, 0.5)
    detractors = rng.binomial(n - promoters, 0.4)
    low, high = _intervals.tango(promoters, detractors, n, 0.95)
    some = rng.integers(0, n.size, 100)
    low_some, high_some = _intervals.tango(promoters[some], detractors[some], n[some], 0.95)
    np.testing.assert_array_equal(low[some], low_some)
    np.testing.assert_array_equal(high[some], high_some)


@pytest.mark.parametrize(
    ("p", "d"), [(0.5, 0.2), (0.6, 0.1), (0.3, 0.3), (0.8, 0.05), (0.2, 0.5), (0.9, 0.05)]
)
def test_tango_covers_usual_populations_in_ten_answers(p: float, d: float) -> None:
    assert oracles.net_coverage(_intervals.tango, 10, p, d, 0.95) >= 0.94


def test_tango_covers_every_population_better_than_the_others() -> None:
    grid = [(i / 10, j / 10) for i in range(11) for j in range(11 - i)]
    worst = {
        kernel.__name__: min(oracles.net_coverage(kernel, 10, p, d, 0.95) for p, d in grid)
        for kernel in NET
    }
    assert worst["tango"] > worst["adjusted_wald"] > worst["wald"]
    assert worst["tango"] > 0.92


@unhurried
@given(counts=net_counts(), level=LEVELS)
def test_tango_stays_on_the_scale_and_holds_the_estimate(
    counts: tuple[int, int, int], level: float
) -> None:
    promoters, detractors, n = counts
    low, high = one(_intervals.tango, *counts, level=level)
    assert -1.0 <= low <= (promoters - detractors) / n <= high <= 1.0
    assert low < high


@unhurried
@given(counts=net_counts(), level=LEVELS)
def test_tango_changes_sign_with_the_sides(counts: tuple[int, int, int], level: float) -> None:
    promoters, detractors, n = counts
    low, high = one(_intervals.tango, promoters, detractors, n, level=level)
    assert one(_intervals.tango, detractors, promoters, n, level=level) == (-high, -low)


@unhurried
@given(counts=net_counts(), levels=st.tuples(LEVELS, LEVELS))
def test_tango_is_nested(counts: tuple[int, int, int], levels: tuple[float, float]) -> None:
    inner_low, inner_high = one(_intervals.tango, *counts, level=min(levels))
    outer_low, outer_high = one(_intervals.tango, *counts, level=max(levels))
    assert outer_low <= inner_low
    assert inner_high <= outer_high


@unhurried
@given(counts=net_counts(most=10**4), times=st.integers(2, 100), level=LEVELS)
def test_tango_narrows_as_answers_are_added(
    counts: tuple[int, int, int], times: int, level: float
) -> None:
    low, high = one(_intervals.tango, *counts, level=level)
    more_low, more_high = one(_intervals.tango, *(times * count for count in counts), level=level)
    assert more_low >= low - 1e-15
    assert more_high <= high + 1e-15
    assert more_high - more_low < high - low


# --- Wald and adjusted Wald -----------------------------------------------------------------------


@pytest.mark.parametrize("counts", COUNTS + LARGE_COUNTS)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wald_matches_oracle(counts: tuple[int, int, int], level: float) -> None:
    expected = oracles.wald_interval(*counts, level)
    assert one(_intervals.wald, *counts, level=level) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("counts", COUNTS + LARGE_COUNTS)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_adjusted_wald_matches_oracle(counts: tuple[int, int, int], level: float) -> None:
    expected = oracles.wald_interval(*counts, level, added=Fraction(3, 4))
    assert one(_intervals.adjusted_wald, *counts, level=level) == pytest.approx(expected, abs=1e-14)


def test_wald_published() -> None:
    # Expected output of R contingencytables: Wald_CI_diff_paired_2x2(rbind(c(59, 6), c(16, 80))).
    low, high = one(_intervals.wald, 6, 16, 161)
    assert (round(low, 4), round(high, 4)) == (-0.1184, -0.0058)


def test_adjusted_wald_of_the_issue_that_asked_for_it() -> None:
    # 15 promoters, 13 passives, 8 detractors, to three decimals of a point.
    low, high = one(_intervals.adjusted_wald, 15, 8, 36)
    assert (round(low, 5), round(high, 5)) == (-0.06280, 0.42178)


def test_adjusted_wald_of_one_promoter_misses_the_estimate() -> None:
    low, high = one(_intervals.adjusted_wald, 1, 0, 1)
    assert (round(low, 3), round(high, 3)) == (-0.485, 0.985)


def test_wald_is_cut_to_the_scale() -> None:
    # 9 of 10: 0.9 + 1.96 * 0.095 passes 1; ten of ten, adjusted: 1.063 (R NPS prints it uncut).
    assert one(_intervals.wald, 9, 0, 10)[1] == 1.0
    assert one(_intervals.wald, 0, 9, 10)[0] == -1.0
    assert one(_intervals.adjusted_wald, 10, 0, 10)[1] == 1.0
    assert one(_intervals.adjusted_wald, 0, 10, 10)[0] == -1.0


@pytest.mark.parametrize("counts", [(1, 0, 1), (0, 10, 10), (0, 0, 10)])
def test_wald_has_no_width_when_all_answers_agree(counts: tuple[int, int, int]) -> None:
    low, high = one(_intervals.wald, *counts)
    assert low == high == (counts[0] - counts[1]) / counts[2]


@unhurried
@given(counts=net_counts(), level=LEVELS)
def test_wald_intervals_change_sign_with_the_sides(
    counts: tuple[int, int, int], level: float
) -> None:
    promoters, detractors, n = counts
    for kernel in (_intervals.wald, _intervals.adjusted_wald):
        low, high = one(kernel, promoters, detractors, n, level=level)
        assert one(kernel, detractors, promoters, n, level=level) == (-high, -low)
        assert -1.0 <= low <= high <= 1.0


@pytest.mark.parametrize("counts", [counts for counts in COUNTS if counts[2] < 10_000])
def test_nps_std_error_matches_oracle(counts: tuple[int, int, int]) -> None:
    error = _intervals.nps_std_error(*(np.array([count]) for count in counts))
    assert error[0] == pytest.approx(oracles.nps_error(*counts), rel=1e-14)


def test_nps_std_error_published() -> None:
    # statsmodels 0.15: d = DescrStatsW([1] * 1436 + [0] * 968 + [-1] * 342); sqrt(d.var / 2746).
    error = _intervals.nps_std_error(np.array([1436]), np.array([342]), np.array([2746]))
    assert error[0] == pytest.approx(0.013341371334870181, rel=1e-14)


@unhurried
@given(n=st.integers(1, BILLION))
def test_nps_std_error_is_0_and_never_below_it_when_all_answers_agree(n: int) -> None:
    size = np.array([n, n, n])
    error = _intervals.nps_std_error(np.array([n, 0, 0]), np.array([0, n, 0]), size)
    np.testing.assert_array_equal(error, 0.0)


# --- The mean with a t interval -------------------------------------------------------------------


def sums(
    *groups: list[int],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return total, total of squares and number of answers, one entry per group."""
    total = [sum(group) for group in groups]
    squares = [sum(answer**2 for answer in group) for group in groups]
    return np.array(total), np.array(squares), np.array([len(group) for group in groups])


@pytest.mark.parametrize(
    ("answers", "level", "expected"),
    [
        # statsmodels 0.15: d = DescrStatsW(answers); d.mean, d.std_mean, d.tconfint_mean(alpha).
        (
            [7, 6, 5, 7, 3, 1, 6, 6],
            0.95,
            (5.125, 0.7425222459389925, 3.3692138899055166, 6.880786110094483),
        ),
        (
            [5, 5, 5, 5, 7, 7, 7],
            0.90,
            (5.857142857142857, 0.4040610178208843, 5.071979455188371, 6.642306259097342),
        ),
        # The limits leave the scale; they are not cut.
        ([1, 2], 0.95, (1.5, 0.5, -4.853102368087347, 7.853102368087347)),
    ],
)
def test_mean_t_published(
    answers: list[int], level: float, expected: tuple[float, float, float, float]
) -> None:
    found = [float(column[0]) for column in _intervals.mean_t(*sums(answers), level)]
    # SciPy before 1.12 gives ten digits of the t quantile.
    assert found == pytest.approx(expected, rel=1e-9)


@unhurried
@given(
    answers=st.lists(st.integers(-1000, 1000), min_size=2, max_size=60),
    level=LEVELS,
)
def test_mean_t_matches_oracle(answers: list[int], level: float) -> None:
    found = [float(column[0]) for column in _intervals.mean_t(*sums(answers), level)]
    assert found == pytest.approx(oracles.t_interval(answers, level), rel=1e-11, abs=1e-9)


def test_mean_t_of_none_one_and_equal_answers() -> None:
    mean, error, low, high = _intervals.mean_t(*sums([], [4], [5, 5, 5], [-3, -3]), 0.95)
    np.testing.assert_array_equal(mean, [np.nan, 4.0, 5.0, -3.0])
    np.testing.assert_array_equal(error, [np.nan, np.nan, 0.0, 0.0])
    np.testing.assert_array_equal(low, [np.nan, np.nan, 5.0, -3.0])
    np.testing.assert_array_equal(high, [np.nan, np.nan, 5.0, -3.0])


@pytest.mark.parametrize(
    "answers",
    [
        {1000: BILLION - 1, 999: 1},
        {1000: BILLION - 1, -1000: 1},
        {-1000: BILLION - 1, -999: 1},
        {1000: BILLION // 2, -1000: BILLION // 2},
        {1000: BILLION},
        {0: BILLION - 3, 1: 2, -1: 1},
        {7: 10**8, 6: 3 * 10**8, 2: 6 * 10**8 - 1},
    ],
)
def test_mean_t_keeps_its_digits_in_a_billion_answers(answers: dict[int, int]) -> None:
    n = sum(answers.values())
    total = sum(answer * count for answer, count in answers.items())
    squares = sum(answer**2 * count for answer, count in answers.items())
    variance = (squares - Fraction(total**2, n)) / (n - 1)
    columns = _intervals.mean_t(np.array([total]), np.array([squares]), np.array([n]), 0.95)
    mean, error, low, high = (float(column[0]) for column in columns)
    assert mean == pytest.approx(total / n, rel=1e-15)
    assert error == pytest.approx(math.sqrt(variance / n), rel=1e-14, abs=0)
    assert low <= mean <= high


# --- All of them ----------------------------------------------------------------------------------


def nps_std_error(*counts: Any) -> tuple[npt.NDArray[np.float64]]:
    """Give the error the shape of a kernel that takes a confidence level."""
    return (_intervals.nps_std_error(*counts[:-1]),)


# Each with three groups: some answers, none, a single one.
EVERY: list[tuple[Callable[..., Any], list[list[int]]]] = [
    (_intervals.tango, [[5, 0, 1], [2, 0, 0], [9, 0, 1]]),
    (_intervals.adjusted_wald, [[5, 0, 1], [2, 0, 0], [9, 0, 1]]),
    (_intervals.wald, [[5, 0, 1], [2, 0, 0], [9, 0, 1]]),
    (nps_std_error, [[5, 0, 1], [2, 0, 0], [9, 0, 1]]),
    (_intervals.mean_t, [[20, 0, 3], [90, 0, 9], [5, 0, 1]]),
]


@pytest.mark.parametrize(("kernel", "counts"), EVERY)
def test_a_group_without_answers_is_nan_and_no_other_is(
    kernel: Callable[..., Any], counts: list[list[int]]
) -> None:
    first = kernel(*(np.array(column[:1]) for column in counts), 0.95)
    both = kernel(*(np.array(column[:2]) for column in counts), 0.95)
    for alone, beside in zip(first, both, strict=True):
        assert beside[0] == alone[0]
        assert np.isnan(beside[1])


@pytest.mark.parametrize("n", [0.3, 5.5, 1234.5])
def test_a_share_rounded_past_the_whole_does_no_harm(n: float) -> None:
    # An effective sample size times a weighted share of 1 may come out one bit above itself.
    above = math.nextafter(n, math.inf)
    for kernel in (_intervals.tango, _intervals.wald):
        assert one(kernel, above, 0.0, n)[1] == 1.0
        assert one(kernel, 0.0, above, n)[0] == -1.0
    assert one(nps_std_error, above, 0.0, n) == (0.0,)


@pytest.mark.parametrize(("kernel", "counts"), EVERY)
def test_inputs_stay_as_they_are_and_outputs_are_new_floats(
    kernel: Callable[..., Any], counts: list[list[int]]
) -> None:
    given_counts = [np.array(column) for column in counts]
    for column in given_counts:
        column.flags.writeable = False
    for found in kernel(*given_counts, 0.95):
        assert found.dtype == np.float64
        assert found.shape == given_counts[0].shape
        assert not any(np.shares_memory(found, column) for column in given_counts)


@pytest.mark.parametrize(("kernel", "counts"), EVERY)
def test_no_groups_give_no_limits(kernel: Callable[..., Any], counts: list[list[int]]) -> None:
    for found in kernel(*(np.array([], dtype=np.int64) for _ in counts), 0.95):
        assert found.shape == (0,)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint64", "float64"])
@pytest.mark.parametrize(
    ("kernel", "counts"),
    [
        *((kernel, [BILLION // 2, BILLION // 3, BILLION]) for kernel in (*NET, nps_std_error)),
        (_intervals.mean_t, [60_000, 60_000_000, 60_001]),
    ],
)
def test_the_type_of_the_counts_does_not_matter(
    kernel: Callable[..., Any], counts: list[int], dtype: str
) -> None:
    wide = [np.array([count]) for count in counts]
    narrow = [column.astype(dtype) for column in wide]
    np.testing.assert_array_equal(kernel(*narrow, 0.95), kernel(*wide, 0.95))
