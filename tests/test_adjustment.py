"""Adjusted p-values: the published example, figures by hand, naive loops."""

from __future__ import annotations

import bisect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _adjustment

# Benjamini and Hochberg (1995), section 3.2: 15 comparisons of two thrombolytic treatments.
THROMBOLYSIS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000),
]
P_VALUES = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=12)


def naive(p: list[float], adjust: str) -> list[float]:
    """One p-value at a time, over the pairs of the formula."""
    ordered = sorted(value for value in p if not math.isnan(value))
    m = len(ordered)

    def one(value: float) -> float:
        if math.isnan(value):
            return value
        first, last = bisect.bisect_left(ordered, value), bisect.bisect_right(ordered, value)
        if adjust == "holm":
            return min(1.0, max((m - j) * ordered[j] for j in range(last)))
        return min(1.0, *(m / (j + 1) * ordered[j] for j in range(first, m)))

    return [one(value) for value in p]


def test_benjamini_hochberg_1995() -> None:
    """Their text: the procedure at .05 rejects the four smallest, Bonferroni's only three."""
    p = np.array(THROMBOLYSIS)
    assert (_adjustment.adjusted(p, "bh") <= 0.05).sum() == 4
    assert (_adjustment.adjusted(p, "holm") <= 0.05).sum() == 3
    # The fourth: .0095 <= .05 * 4 / 15 = .013; the fifth: .0201 > .05 * 5 / 15 = .0167.
    assert _adjustment.adjusted(p, "bh")[3:5] == pytest.approx([0.0095 * 15 / 4, 0.0201 * 3])


def test_figures_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    # Sorted .005 .01 .03 .04: Holm times 4 3 2 1 and never falling, BH times 4 2 4/3 1.
    assert _adjustment.adjusted(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert _adjustment.adjusted(p, "bh") == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert _adjustment.adjusted(p, "none").tolist() == p.tolist()


@pytest.mark.parametrize("adjust", _adjustment.ADJUSTMENTS)
def test_edges(adjust: str) -> None:
    assert _adjustment.adjusted(np.array([]), adjust).size == 0
    assert np.isnan(_adjustment.adjusted(np.array([np.nan, np.nan]), adjust)).all()
    assert _adjustment.adjusted(np.array([0.2]), adjust).tolist() == [0.2]
    assert _adjustment.adjusted(np.array([np.nan, 0.2]), adjust)[1] == 0.2
    assert _adjustment.adjusted(np.array([1.0, 1.0, 0.9]), adjust).max() == 1.0


def test_the_argument_is_not_modified() -> None:
    p = np.array([0.04, 0.01])
    _adjustment.adjusted(p, "none")[0] = 9.0
    _adjustment.adjusted(p, "holm")
    assert p.tolist() == [0.04, 0.01]


@pytest.mark.parametrize("adjust", ["holm", "bh"])
@given(p=P_VALUES)
def test_against_a_naive_loop(adjust: str, p: list[float]) -> None:
    made = _adjustment.adjusted(np.array(p, dtype=np.float64), adjust)
    np.testing.assert_allclose(made, naive(p, adjust), rtol=1e-12)


@pytest.mark.parametrize("adjust", _adjustment.ADJUSTMENTS)
@given(p=P_VALUES)
def test_order_is_kept_and_nothing_gets_smaller(adjust: str, p: list[float]) -> None:
    values = np.array(p, dtype=np.float64)
    made = _adjustment.adjusted(values, adjust)
    tested = ~np.isnan(values)
    assert (made[tested] >= values[tested]).all()
    assert (np.diff(made[tested][np.argsort(values[tested])]) >= 0).all()
