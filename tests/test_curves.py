"""Lines as pictures draw them: their names, and where they end."""

import numpy as np
import pytest

from loyaltykit import _curves

NAN = np.nan


@pytest.mark.parametrize(
    ("n", "falling", "language", "text"),
    [
        ([10.0, 1200.0], True, "en", "(n = 1,200 to 10)"),
        ([10.0, 1200.0], False, "id", "(n = 10 sampai 1.200)"),
        ([7.0, NAN, 7.0], True, "en", "(n = 7)"),
        ([0.0, 0.0], True, "id", "(n = 0, tidak ada data)"),
        ([NAN], True, "en", "(unobserved)"),
    ],
)
def test_base_sizes_of_a_line(n: list[float], falling: bool, language: str, text: str) -> None:
    assert _curves.sizes(np.array(n), language, falling=falling) == text


def test_estimates_between_two_nulls_stand_alone() -> None:
    values = np.array([1.0, NAN, 2.0, NAN, 3.0, 4.0])
    assert _curves._alone(values).tolist() == [True, False, True, False, False, False]
    assert _curves._alone(np.zeros(0)).tolist() == []
