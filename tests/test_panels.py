"""A scorecard drawn: panels, rows, values, and changes that are clear."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _panels

mpl.use("Agg")

UP = _panels.UP
ANSWERS = pd.DataFrame(
    {
        "sector": ["B2B", "B2C"] * 40,
        "score": [10, 9, 3, 8] * 10 + [10, 9, 9, 10] * 10,
        "day": ["2026-01-15"] * 40 + ["2026-02-15"] * 40,
    }
)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def card() -> Any:
    nps = lk.nps(ANSWERS, "score", by="sector", time="day")
    csat = lk.csat_from_counts(satisfied=[8, 0], n=[10, 0], labels={"tier": ["new", "loyal"]})
    return lk.scorecard(nps, csat, lk.pool(nps, over="sector"), reference="previous", adjust="none")


def texts(panel: Any) -> list[str]:
    return [text.get_text() for text in panel.texts]


def test_a_panel_per_name_and_a_row_per_group() -> None:
    ax = lk.plot.scorecard(card())
    panels: list[Any] = list(ax.child_axes)
    nps, csat = panels
    assert [nps.get_title("left"), csat.get_title("left")] == ["NPS", "CSAT"]
    names = [label.get_text() for label in nps.get_yticklabels()]
    assert names == ["SECTOR", "B2B", "B2C", "TIER", "new", "loyal", "", "total"]
    assert [label.get_text() for label in csat.get_yticklabels()] == []
    assert texts(nps)[0] == f"+100 {UP}+100.0\nn = 20"
    assert texts(csat) == ["80.0%\nn = 10", "no data\nn = 0"]
    assert (nps.get_xlabel(), csat.get_xlabel()) == ("points, 2026-02", "percent")
    assert texts(ax)[-1].endswith("clear change from the period before")
    dots = next(line for line in nps.lines if line.get_marker() == "o")
    before = next(line for line in nps.lines if line.get_marker() == "|")
    assert dots.get_ydata().tolist() == [1, 2, 7]
    assert before.get_xdata().tolist()[:2] == [0.0, 50.0]


def test_in_indonesian() -> None:
    nps, csat = lk.plot.scorecard(card(), language="id").child_axes
    assert next(label.get_text() for label in nps.get_yticklabels()) == "SEKTOR"
    assert texts(nps)[0] == f"+100 {UP}+100,0\nn = 20"
    assert texts(csat) == ["80,0%\nn = 10", "tidak ada data\nn = 0"]


@pytest.mark.parametrize("names", [1, 4, 5])
def test_panels_lie_beside_one_another_and_within_the_figure(names: int) -> None:
    tables = [lk.csat_from_counts(satisfied=[8, 3], n=[10, 9]) for _ in range(names)]
    ax = lk.plot.scorecard(lk.scorecard(*tables, names=[f"question {i}" for i in range(names)]))
    figure = ax.figure
    figure.canvas.draw()
    found: list[Any] = [panel.get_tightbbox() for panel in ax.child_axes]
    boxes = [box for box in found if box is not None]
    assert len(boxes) == names
    whole = figure.bbox
    for i, box in enumerate(boxes):
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_no_rows() -> None:
    ax = lk.plot.scorecard(card().head(0))
    assert texts(ax) == ["no rows"]
    assert ax.child_axes == []


def test_long_names_have_the_room_of_their_lines() -> None:
    names = [f"a name of {i} that goes on over several lines of a label" for i in range(4)]
    table = lk.csat_from_counts(satisfied=[5] * 4, n=[9] * 4, labels={"site": names})
    (panel,) = lk.plot.scorecard(lk.scorecard(table)).child_axes
    panel.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in panel.get_yticklabels()]
    assert not any(box.overlaps(other) for box, other in itertools.pairwise(boxes))
