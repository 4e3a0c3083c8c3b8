"""The names of periods and the numbers above columns."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from loyaltykit import _columns

mpl.use("Agg")


@pytest.mark.parametrize(("width", "names", "numbers"), [(8.0, 12, 12), (2.5, 4, 0)])
def test_as_many_names_as_fit_and_all_numbers_or_none(
    width: float, names: int, numbers: int
) -> None:
    ax = Figure(figsize=(width, 3), layout="constrained").subplots()
    ax.set_xlim(-0.6, 11.4)
    labels = [f"2026-{month:02d}" for month in range(1, 13)]
    partial = np.arange(12) == 11
    _columns.name_periods(ax, labels, partial, "id")
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert len(shown) <= names
    assert shown[0] == "2026-01"
    assert all(text == "2026-12\n(belum lengkap)" for text in shown[11:])
    _columns.write_above(ax, np.full(12, 1234.0), np.full(12, 1.0), "id")
    assert [text.get_text() for text in ax.texts] == ["1.234"] * numbers


def test_no_periods() -> None:
    ax = Figure().subplots()
    _columns.name_periods(ax, [], np.zeros(0, dtype=np.bool_), "en")
    assert [text.get_text() for text in ax.texts] == ["no rows"]
