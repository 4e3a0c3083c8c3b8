"""Pictures of tables with a row per customer: what is counted, in which order, and what is said."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

import loyaltykit as lk
from loyaltykit import _customer_plots, _results, _scores
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine

mpl.use("Agg")

LOG: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3, 3, 3],
    "day": [
        *("2026-01-05", "2026-01-09", "2026-02-06"),
        *("2026-01-03", "2026-02-02", "2026-03-05"),
    ],
}
PEOPLE: dict[str, list[Any]] = {"id": [1, 2, 3, 4]}


@pytest.fixture(autouse=True)
def _close() -> Any:
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # where matplotlib warns
    plt.close("all")


def labels(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def tiers(engine: Engine, **options: Any) -> Any:
    people = engine.frame(PEOPLE)
    return lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=people, **options)


# ---- tiers and stages ---------------------------------------------------------------------------


def test_tiers_on_one_date(engine: Engine) -> None:
    ax = lk.plot.loyalty_tiers(tiers(engine))
    assert labels(ax) == ["prospect", "new", "repeat", "loyal"]
    (series,) = ax.containers
    assert [bar.get_width() for bar in series] == [1, 1, 1, 1]
    assert texts(ax) == ["1 (25.0%)"] * 4
    assert (ax.get_title(), ax.get_xlabel()) == ("Loyalty tiers (n = 4)", "Customers")


def test_tiers_from_period_to_period(engine: Engine) -> None:
    ax = lk.plot.loyalty_tiers(tiers(engine, freq="month"))
    drawn = {series.get_label(): [bar.get_height() for bar in series] for series in ax.containers}
    # At the start of January nobody has bought; all three have by February.
    assert drawn == {"prospect": [4, 1, 1], "new": [0, 3, 1], "repeat": [0, 0, 2]}
    assert texts(ax) == ["4", "4", "4"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2026-01", "2026-02", "2026-03"]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Prospect", "New", "Repeat"]


def test_one_period_of_several_is_one_date() -> None:
    table = lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", freq="month")
    ax = lk.plot.loyalty_tiers(table[table["valid_from"] == "2026-03-01"])
    assert ax.get_title() == "Loyalty tiers: 2026-03-01 (n = 3)"
    assert texts(ax) == ["1 (33.3%)", "2 (66.7%)"]


def test_tiers_that_are_text_and_a_customer_without_one() -> None:
    table = pd.DataFrame({"id": [1, 2, 3], "tier": ["loyal", None, "lapsed"]})
    ax = lk.plot.loyalty_tiers(table, language="id")
    assert labels(ax) == ["tidak aktif", "setia", "(kosong)"]
    assert texts(ax)[0] == "1 (33,3%)"


def test_stages() -> None:
    frame = pd.DataFrame(LOG)
    ax = lk.plot.lifecycle_stages(lk.lifecycle_stage(frame, "id", "day", as_of="2026-08-31"))
    # Silences of 238, 206 and 179 days; rhythms of 90, 28 and 30.5.
    assert labels(ax) == ["at risk", "churned"]
    assert texts(ax) == ["1 (33.3%)", "2 (66.7%)"]
    table = lk.lifecycle_stage(frame, "id", "day", freq="month")
    ax = lk.plot.lifecycle_stages(table, language="id")
    assert (ax.get_title(), ax.get_ylabel()) == ("Tahap pelanggan", "Pelanggan")


def test_many_thin_columns_have_no_edges() -> None:
    days = pd.date_range("2026-01-01", periods=120)
    table = pd.DataFrame({"id": 1, "valid_from": days, "tier": "new"})
    ax = lk.plot.loyalty_tiers(table)
    assert {bar.get_linewidth() for bar in ax.containers[0]} == {0.0}
    assert len(ax.get_xticklabels()) < 20
    assert texts(ax) == []


def test_neighbours_in_a_column_differ_in_grey() -> None:
    def luminance(colour: str) -> float:
        parts = np.array(to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    plain = [_customer_plots.TIERS[name] for name in _results.TIERS]
    for colours in (plain, [*_customer_plots.TIERS.values()], [*_customer_plots.STAGES.values()]):
        for pair in pairwise(colours):
            dark, light = sorted(map(luminance, pair))
            assert (light + 0.05) / (dark + 0.05) >= 1.5, pair


@pytest.mark.parametrize("dated", [False, True])
def test_no_customers(dated: bool) -> None:
    table = lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", freq="month" if dated else None)
    ax = lk.plot.loyalty_tiers(table.head(0))
    assert (labels(ax), texts(ax), ax.get_title()) == ([], ["no rows"], "Loyalty tiers")


def test_other_labels_and_tables_are_refused() -> None:
    table = pd.DataFrame({"id": [1, 2], "tier": ["gold", "new"]})
    with pytest.raises(ParameterError, match="not a table of loyalty_tier: 'tier' holds 'gold'"):
        lk.plot.loyalty_tiers(table)
    with pytest.raises(ParameterError, match="not a table of lifecycle_stage: it lacks 'stage'"):
        lk.plot.lifecycle_stages(table)
    undated = pd.DataFrame({"id": [1], "valid_from": [None], "tier": ["new"]})
    with pytest.raises(ParameterError, match="'valid_from' must hold a date in every row"):
        lk.plot.loyalty_tiers(undated)


# ---- scores -------------------------------------------------------------------------------------


def scored(recency: list[Any], frequency: list[Any], *, named: bool = True) -> pd.DataFrame:
    columns = {"recency_score": recency, "frequency_score": frequency}
    table = pd.DataFrame({**columns, "monetary_score": recency}, dtype="Int64")
    return table.assign(segment=None) if named else table


def outlines(ax: Any) -> list[tuple[float, float, float, float]]:
    return [
        (*patch.get_xy(), patch.get_width(), patch.get_height())
        for patch in ax.patches
        if isinstance(patch, Rectangle)
    ]


def test_cells_are_counted_and_segments_named(engine: Engine) -> None:
    log = engine.frame({**LOG, "paid": [3.0, 5, 2, 4, 4, 4]})
    table = lk.rfm(log, "id", "day", "paid")
    ax = lk.plot.rfm(table)
    assert ax.get_title() == "Recency and frequency (n = 3)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Recency score (5 = latest)",
        "Frequency score (5 = most often)",
    )
    # Of three customers, the scores by rank are 1, 2 and 4, in both.
    assert texts(ax)[-3:] == ["1", "1", "1"]
    places = [text.get_position()[0] + 1 for text in ax.texts[-3:]]
    assert sorted(places) == [1, 2, 4]
    assert [text.replace("\n", "_").replace(" ", "_") for text in texts(ax)[:-3]] == [
        *_scores.SEGMENTS
    ]
    # Together the segments are all 25 cells.
    assert sum(width * height for *_, width, height in outlines(ax)) == 25


def test_other_bins_have_no_segments_and_who_has_no_score_is_told() -> None:
    table = scored([1, 3, 3, None], [2, 7, 7, None], named=False)
    ax = lk.plot.rfm(table)
    assert ax.get_title() == "Recency and frequency (n = 3)\n(without a purchase: 1)"
    assert outlines(ax) == []
    assert [(text.get_position(), text.get_text()) for text in ax.texts] == [
        ((0, 1), "1"),
        ((2, 6), "2"),
    ]
    assert ax.get_xlabel() == "Recency score (7 = latest)"


def test_small_cells_have_no_names() -> None:
    _, ax = plt.subplots(figsize=(3, 3), layout="constrained")
    lk.plot.rfm(scored([1, 5], [5, 1]), language="id", ax=ax)
    assert texts(ax) == ["1", "1"]
    assert outlines(ax) == []
    assert ax.get_xlabel().startswith("Skor kebaruan")


def test_nobody_has_scores() -> None:
    assert texts(lk.plot.rfm(scored([], []))) == ["no rows"]
    ax = lk.plot.rfm(scored([None], [None]))
    assert texts(ax) == ["no customers"]
    assert ax.get_title() == "Recency and frequency (n = 0)\n(without a purchase: 1)"


def test_other_scores_are_refused() -> None:
    with pytest.raises(ParameterError, match="not a table of rfm: it lacks 'recency_score'"):
        lk.plot.rfm(pd.DataFrame({"id": [1]}))
    with pytest.raises(ParameterError, match="'recency_score' must hold whole numbers from 1"):
        lk.plot.rfm(scored([0], [1]))
