"""The axis of dots with intervals; tests/test_plot.py has the dots themselves."""

from __future__ import annotations

import numpy as np
import pytest

from loyaltykit import _dots

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ([20.0, 30.0], "points", (-1.8, 31.8)),  # the zero of points means something
        ([50.0, 60.0], "percent", (49.4, 60.6)),
        ([99.0, 100.0], "percent", (98.94, 100.0)),  # no axis beyond 100 %
        ([99.0, 120.0], "percent", (97.74, 120.0)),  # but where the data are
        ([5.0, NAN], "scale_points", (4.0, 6.0)),
        ([NAN], "percent", (0.0, 1.0)),
        ([], "percent", (0.0, 1.0)),
    ],
)
def test_the_axis_holds_the_data(
    values: list[float], unit: str, expected: tuple[float, float]
) -> None:
    assert _dots.limits(np.array(values), unit=unit) == pytest.approx(expected)
