"""Nothing in a small picture is cut off or lies on something else, in either language."""

from itertools import combinations
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _language, plot

mpl.use("Agg")

PAID = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d", "a", "b", "e"],
        "day": ["2026-01-10"] * 4 + ["2026-02-10"] * 3,
        "mrr": [100, 50, 30, 20, 120, 40, 70],
    }
)
NPS = lk.nps_from_counts(
    promoters=[120, 0], detractors=[30, 0], n=[200, 0], labels=["Pelanggan korporasi", "B2C"]
)
RATE = lk.retention_rate(PAID, "id", "day", as_of="2026-02-20")
TABLES: dict[str, Any] = {
    "nps_bars": NPS,
    "estimates": NPS,
    "trend": RATE,
    "customer_flow": lk.customer_flow(PAID, "id", "day", as_of="2026-02-28"),
    "revenue_bridge": lk.revenue_retention(PAID, "id", "day", "mrr", as_of="2026-02-28"),
    "retention_curves": lk.pool(
        lk.cohort_retention(PAID, "id", "day", as_of="2026-02-28"), over="cohort"
    ),
}


def drawn(name: str, language: str, width: float) -> tuple[Any, list[Any]]:
    """Return the figure, and every text on it that is seen."""
    figure, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    getattr(plot, name)(TABLES[name], language=language, ax=ax)
    figure.canvas.draw()
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible()]
    plt.close(figure)
    return figure, [text for text in texts if text.get_text().strip()]


@pytest.mark.parametrize("name", TABLES)
def test_no_english_word_is_left_in_indonesian(name: str) -> None:
    _, texts = drawn(name, "id", 8)
    said = "\n".join(text.get_text() for text in texts).lower()
    english = {
        key.lower()
        for key, value in _language.INDONESIAN.items()
        if " " in key and "{" not in key and key.lower() != value.lower()
    }
    assert [key for key in english if key in said] == []


@pytest.mark.parametrize("name", ["estimates", "trend", "revenue_bridge", "retention_curves"])
def test_titles_and_labels_of_small_pictures_are_whole_and_apart(name: str) -> None:
    figure, _ = drawn(name, "id", 3.2)
    (ax,) = figure.axes
    parts = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_yticklabels()]
    boxes = [text.get_window_extent() for text in parts if text.get_text()]
    if legend := ax.get_legend():
        boxes.append(legend.get_window_extent())
    for box in boxes:
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= -1
        assert box.y1 <= figure.bbox.y1 + 1
    # Text of a label may touch the next line's box; a pixel is none.
    apart = [box.padded(-1) for box in boxes if box.width > 3]
    assert not any(one.overlaps(other) for one, other in combinations(apart, 2))
