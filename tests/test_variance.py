"""Linearised variances: against published figures, and against sums over answers one by one."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _variance

# The eight units of two strata that R's survey package and SUDAAN's manual work through.
STRATUM = np.array([0, 0, 0, 0, 0, 1, 1, 1])
WEIGHT = np.array([3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0])
VALUE = np.array([2.8, 4.1, 6.8, 6.8, 9.2, 3.7, 6.6, 4.2])
EACH = np.arange(8)
ONE = np.zeros(8, dtype=np.int64)
UNKNOWN = np.array([np.inf, np.inf])


def cells(unit: np.ndarray | None = None, stratum: np.ndarray = STRATUM) -> _variance.Cells:
    return _variance.Cells(ONE, stratum, unit, WEIGHT, WEIGHT**2)


@pytest.mark.parametrize("unit", [EACH, None], ids=["clusters of one", "no clusters"])
@pytest.mark.parametrize(
    # svymean(~x, svydesign(~psuid, strata = ~stratid, weights = ~weight, [fpc = ~Nh], data = fpc))
    # of R survey prints 5.4481 with these standard errors, as does SUDAAN.
    ("population", "error"),
    [(UNKNOWN, 0.7413), (np.array([15.0, 12.0]), 0.6160)],
)
def test_the_published_example(unit: np.ndarray, population: np.ndarray, error: float) -> None:
    strata = _variance.Strata(np.array([5.0, 3.0]), population)
    made = _variance.linearised(cells(unit), VALUE, 1, strata)
    assert np.sqrt(made.variance[0]) == pytest.approx(error, abs=5e-5)
    assert np.average(VALUE, weights=WEIGHT) == pytest.approx(5.4481, abs=5e-5)
    assert strata.df == 6.0


def test_a_stratum_taken_whole_adds_nothing() -> None:
    strata = _variance.Strata(np.array([5.0, 3.0]), np.array([5.0, 3.0]))
    made = _variance.linearised(cells(), VALUE, 1, strata)
    assert made.variance.tolist() == [0.0]
    assert made.kish.tolist() == [np.inf]


@given(
    rows=st.lists(
        st.tuples(
            *(st.integers(0, 2), st.integers(0, 1), st.integers(0, 3)),
            *(st.integers(-1, 1), st.floats(0.1, 9.0)),
        ),
        min_size=1,
        max_size=25,
    ),
    clustered=st.booleans(),
)
def test_it_is_the_sum_over_answers_one_by_one(
    rows: list[tuple[int, int, int, int, float]], clustered: bool
) -> None:
    group, stratum, unit, value, weight = (np.array(column) for column in zip(*rows, strict=True))
    unit = unit + 4 * stratum if clustered else np.arange(len(rows))
    _, stratum = np.unique(stratum, return_inverse=True)
    sizes = [len(np.unique(unit[stratum == h])) for h in range(int(stratum.max()) + 1)]
    population = np.array([2.0 * size for size in sizes])
    strata = _variance.Strata(np.array(sizes, dtype=np.float64), population)
    given_cells = _variance.Cells(group, stratum, unit if clustered else None, weight, weight**2)
    made = _variance.linearised(given_cells, value.astype(np.float64), 3, strata)
    for g in range(3):
        expected = oracles.linearised_variance(
            *(value.tolist(), weight.tolist(), (group == g).tolist()),
            *(unit.tolist(), stratum.tolist(), population.tolist()),
        )
        if expected is None or (clustered and len(set(unit[group == g])) == 1):
            assert np.isnan(made.variance[g])  # one cluster tells nothing of the spread
        else:
            assert made.variance[g] == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_equal_answers_have_no_spread_to_the_last_digit() -> None:
    weight = np.array([0.1, 0.2, 0.7, 1.1, 0.3])
    plain = _variance.Cells(np.zeros(5, int), np.zeros(5, int), None, weight, weight**2)
    strata = _variance.Strata(np.array([5.0]), np.array([np.inf]))
    made = _variance.linearised(plain, np.full(5, 7.0), 1, strata)
    assert made.variance.tolist() == [0.0]
    assert made.kish[0] == pytest.approx(sum(weight) ** 2 / sum(weight**2), rel=1e-12)


def test_clusters_that_are_alike_leave_no_spread_and_kish_counts_them() -> None:
    group, unit = np.zeros(60, int), np.repeat(np.arange(30), 2)
    weight, values = np.full(60, 0.3), np.tile([1.0, -1.0], 30)
    alike = _variance.Cells(group, group, unit, weight, weight**2)
    made = _variance.linearised(
        alike, values, 1, _variance.Strata(np.array([30.0]), np.array([np.inf]))
    )
    assert made.variance.tolist() == [0.0]
    assert made.kish[0] == pytest.approx(30.0, rel=1e-12)


def test_one_unit_in_all_has_no_variance() -> None:
    weight = np.array([1.0, 2.0])
    one = _variance.Cells(np.zeros(2, int), np.zeros(2, int), np.zeros(2, int), weight, weight**2)
    strata = _variance.Strata(np.array([1.0]), np.array([np.inf]))
    made = _variance.linearised(one, np.array([1.0, -1.0]), 2, strata)
    assert np.isnan(made.variance).all()
    assert made.kish[0] == 1.0  # the unit's weight against itself
    assert np.isnan(made.kish[1])  # no answer


def test_effective_size() -> None:
    spread, variance = np.array([0.5, 0.0, 0.5, 0.5]), np.array([0.01, 0.0, np.nan, np.nan])
    kish = np.array([9.0, 9.0, 9.0, np.nan])
    made = _variance.effective_size(spread, variance, kish)
    assert made[:3].tolist() == [50.0, 9.0, 9.0]
    assert np.isnan(made[3])


def test_a_ratio_of_sums_is_moved_by_each_customers_own_deviation() -> None:
    x, y = [40.0, 50.0, 10.0, 25.0], [60.0, -10.0, 30.0, 0.0]
    sums = [sum(y), sum(x), sum(b * b for b in y), sum(a * a for a in x)]
    cross = sum(a * b for a, b in zip(x, y, strict=True))
    columns = [np.array([value, 0.0]) for value in (*sums, cross)]
    found, error = _variance.ratio(np.array([4, 0]), *columns)
    apart = sum(((b - found[0] * a) / sum(x)) ** 2 for a, b in zip(x, y, strict=True))
    assert found[0] == pytest.approx(80 / 125)
    assert error[0] == pytest.approx((4 / 3 * apart) ** 0.5)
    assert np.isnan([found[1], error[1]]).all()  # nothing to divide by


def test_a_ratio_that_all_customers_share_has_no_error_and_one_customer_tells_none() -> None:
    # y = 3 x, with x of 1, 4, 4 and 1: the sums of y and x, of their squares, and of products.
    sums = [np.array([float(value)] * 2) for value in (30, 10, 306, 34, 102)]
    found, error = _variance.ratio(np.array([4, 1]), *sums)
    assert found.tolist() == [3.0, 3.0]
    assert error[0] == 0.0
    assert np.isnan(error[1])
