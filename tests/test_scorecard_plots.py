"""The picture of a scorecard; tests/test_panels.py has what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import loyaltykit as lk
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine

mpl.use("Agg")


def test_it_draws_on_the_axes_given(engine: Engine) -> None:
    frame = engine.frame({"sector": ["a", "b"] * 9, "score": [10, 9, 3] * 6})
    _, ax = plt.subplots()
    card = lk.scorecard(lk.nps(frame, "score", by="sector"))
    assert lk.plot.scorecard(card, ax=ax) is ax
    assert len(ax.child_axes) == 1
    plt.close("all")


def test_other_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="scorecard"):
        lk.plot.scorecard(lk.csat_from_counts(satisfied=5, n=9))
