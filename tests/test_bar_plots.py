"""What the pictures of flows and of times between purchases show, read back from the artists."""

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import Engine
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color

import loyaltykit as lk
from loyaltykit import _bar_plots, _drawing, plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")

DAYS: dict[int, list[str]] = {
    1: ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-02"],
    2: ["2026-01-07", "2026-03-09"],
    3: ["2026-02-07", "2026-03-11"],
    4: ["2026-02-09"],
}
ACTIVITY: dict[str, list[Any]] = {
    "id": [customer for customer, days in DAYS.items() for _ in days],
    "day": [dt.date.fromisoformat(day) for days in DAYS.values() for day in days],
}


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def flow(data: Any = None, as_of: str = "2026-04-10", **options: Any) -> Any:
    data = pd.DataFrame(ACTIVITY) if data is None else data
    return lk.customer_flow(data, "id", "day", as_of=as_of, **options)


def periods(count: int) -> pd.DataFrame:
    """So many months of 900 customers, of whom 100 leave and 100 are new in each."""
    return pd.DataFrame(
        {
            "period": pd.date_range("2020-01-01", periods=count, freq="MS"),
            "coverage": "observed",
            "start": 900,
            "new": 100,
            "retained": 800,
            "returned": 0,
            "churned": 100,
            "end": 900,
        }
    )


def bars(ax: Axes) -> dict[str, list[tuple[float, float, float]]]:
    """Return by series: the period, where the bar begins and how high it is."""
    return {
        str(series.get_label()): [
            (bar.get_x() + bar.get_width() / 2, bar.get_y(), bar.get_height()) for bar in series
        ]
        for series in ax.containers
    }


def marks(ax: Axes) -> list[tuple[float, float]]:
    """Return period and height of each mark of the end."""
    (lines,) = (item for item in ax.collections if isinstance(item, LineCollection))
    return [tuple(np.asarray(line).mean(axis=0).tolist()) for line in lines.get_segments()]


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


# ---- customer_flow ------------------------------------------------------------------------------


def test_who_is_there_stands_up_and_who_left_hangs_down(engine: Engine) -> None:
    ax = plot.customer_flow(flow(engine.frame(ACTIVITY)))
    assert bars(ax) == {
        "retained": [(1, 0, 1), (2, 0, 2), (3, 0, 1)],
        "returned": [(1, 1, 0), (2, 2, 1), (3, 1, 0)],
        "new": [(1, 1, 2), (2, 3, 0), (3, 1, 0)],
        "churned": [(1, 0, -1), (2, 0, -1), (3, 0, -2)],
    }
    # The first month has no start: its end stands alone.
    assert marks(ax) == [(0, 2), (1, 3), (2, 3), (3, 1)]
    assert [text.get_text() for text in ax.texts] == ["2", "3", "3", "1"]
    assert labels(ax) == ["2026-01", "2026-02", "2026-03", "2026-04\n(partial)"]
    assert ax.get_title() == "Customer flow"
    assert ax.get_ylabel() == "Customers"


def test_bars_of_a_running_period_are_hatched() -> None:
    ax = plot.customer_flow(flow())
    hatches = [[bar.get_hatch() for bar in series] for series in ax.containers]
    assert hatches == [[None, None, _drawing.HATCH]] * 4
    ends = ["Retained", "Returned", "New", "Churned", "At the end"]
    assert legend(ax) == [*ends, "Partial"]
    whole = plot.customer_flow(flow(as_of="2026-04-30"))
    assert legend(whole) == ends
    assert not any(bar.get_hatch() for series in whole.containers for bar in series)


def test_migration_is_drawn_where_it_is_counted() -> None:
    table = periods(3).assign(migrated_in=7, migrated_out=5, joined_and_left=3, end=907)
    ax = plot.customer_flow(table)
    assert list(bars(ax)) == [
        *("retained", "returned", "new", "migrated_in", "churned", "migrated_out"),
    ]
    assert bars(ax)["migrated_in"][0] == (0, 900, 7)
    assert bars(ax)["migrated_out"][0] == (0, -100, -5)
    assert "Migrated in" in legend(ax)
    colours = [series[0].get_facecolor() for series in ax.containers]
    assert all(map(same_color, colours, [*_bar_plots.STAYED.values(), *_bar_plots.LEFT.values()]))


def test_axis_counts_upwards_on_both_sides() -> None:
    ax = plot.customer_flow(periods(6).assign(churned=700))
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    assert low < -700
    assert high > 900
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    assert not any("-" in tick or "\N{MINUS SIGN}" in tick for tick in ticks)


@pytest.mark.parametrize("count", [1, 2, 12, 36, 120])
def test_labels_and_ends_never_overlap(count: int) -> None:
    ax = plot.customer_flow(periods(count).assign(end=1_234_567))
    ax.figure.canvas.draw()
    names = [label.get_window_extent() for label in ax.get_xticklabels()]
    ends = [text.get_window_extent() for text in ax.texts]
    for boxes in (names, ends):
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert len(ends) in (0, count)
    assert bool(ends) == (count <= 2)
    months = [int(label[:4]) * 12 + int(label[5:7]) for label in labels(ax)]
    assert set(np.diff(months)) <= {1, 2, 3, 6, 12, 24}


def test_flow_of_one_group() -> None:
    data = pd.DataFrame(ACTIVITY).assign(sector=lambda t: np.where(t["id"] < 3, "B2B", "B2C"))
    table = flow(data, by="sector")
    with pytest.raises(ParameterError, match=r"^result holds several 'sector': 'B2B', 'B2C'\. Sel"):
        plot.customer_flow(table)
    ax = plot.customer_flow(table[table["sector"] == "B2B"])
    assert ax.get_title() == "Customer flow: B2B"


def test_wrong_flows_are_refused() -> None:
    with pytest.raises(ParameterError, match="result is not a table of customer_flow: it lacks"):
        plot.customer_flow(lk.retention_rate(pd.DataFrame(ACTIVITY), "id", "day"))
    with pytest.raises(ParameterError, match="several rows of period 2026-01-01"):
        plot.customer_flow(pd.concat([flow(), flow()]))
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, not int"):
        plot.customer_flow(flow(), ax=1)  # type: ignore[arg-type]


def test_flow_without_rows_or_with_the_first_alone() -> None:
    ax = plot.customer_flow(flow()[:0])
    assert [text.get_text() for text in ax.texts] == ["no rows"]
    ax = plot.customer_flow(flow()[:1])
    assert marks(ax) == [(0, 2)]
    assert all(not drawn for drawn in bars(ax).values())


# ---- inactivity_gap -----------------------------------------------------------------------------

GAPS: dict[str, list[Any]] = {
    "gap": [1, 7, 8, 30],
    "n": [2, 5, 1, 2],
    "within": [20.0, 70.0, 80.0, 100.0],
    "proposed": [False, False, True, False],
}


def gaps(lengths: Any, proposed: int | None = None) -> pd.DataFrame:
    lengths = np.asarray(lengths)
    return pd.DataFrame(
        {
            "gap": lengths,
            "n": 10,
            "within": 100 * np.arange(1, len(lengths) + 1) / len(lengths),
            "proposed": [length == proposed for length in lengths.tolist()],
        }
    )


def histogram(ax: Axes) -> list[tuple[float, float, float]]:
    (series,) = ax.containers
    return [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in series]


def test_every_length_has_a_bar_and_a_step(engine: Engine) -> None:
    ax = plot.inactivity_gap(engine.frame(GAPS))
    middles = [((low + high) / 2, height) for low, high, height in histogram(ax)]
    np.testing.assert_allclose(middles, [(1, 2), (7, 5), (8, 1), (30, 2)])
    (panel,) = ax.child_axes
    assert isinstance(panel, Axes)
    steps = panel.lines[0]
    assert steps.get_drawstyle() == "steps-post"
    assert np.asarray(steps.get_xdata()).tolist() == [0, 1, 7, 8, 30, 30.5]
    assert np.asarray(steps.get_ydata()).tolist() == [0, 20, 70, 80, 100, 100]
    assert panel.get_xlim() == ax.get_xlim()
    assert ax.get_title() == "Time between activities (n = 10)"


def test_proposed_gap_is_a_line_through_both_parts() -> None:
    ax = plot.inactivity_gap(pd.DataFrame(GAPS))
    panel = ax.child_axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[8, 8]]  # type: ignore[arg-type]
    assert list(panel.lines[1].get_xdata()) == [8, 8]  # type: ignore[arg-type]
    (note,) = ax.texts
    assert note.get_text() == "Proposed gap: 8 days (80.0% within)"
    assert note.get_horizontalalignment() == "left"
    right = plot.inactivity_gap(gaps(range(1, 41), 39)).texts[0]
    assert right.get_horizontalalignment() == "right"


def test_without_a_proposal_there_is_no_line() -> None:
    ax = plot.inactivity_gap(gaps([1, 2, 3]))
    assert list(ax.lines) == []
    assert [text.get_text() for text in ax.texts] == ["No gap proposed"]


@pytest.mark.parametrize(
    ("longest", "wide", "unit"),
    [
        (89, 1, "Times"),
        (90, 7, "Times, by 7 days"),
        (629, 7, "Times, by 7 days"),
        (630, 14, "Times, by 14 days"),
        (40_000, 445, "Times, by 445 days"),
    ],
)
def test_many_lengths_share_bars(longest: int, wide: int, unit: str) -> None:
    ax = plot.inactivity_gap(gaps(np.arange(1, longest + 1)))
    drawn = histogram(ax)
    assert len(drawn) <= 90
    assert sum(height for *_, height in drawn) == 10 * longest
    edges = np.array([low for low, *_ in drawn]) + 0.5
    assert ax.get_ylabel() == unit
    if wide > 1:
        np.testing.assert_allclose(edges, wide * np.arange(len(drawn)), atol=1e-9)
        assert drawn[0][2] == 10 * (wide - 1)  # there is no time of 0 days here


def test_bars_stay_below_the_steps() -> None:
    ax = plot.inactivity_gap(gaps(range(1, 41), 10))
    ax.figure.canvas.draw()
    tops = max(bar.get_window_extent().y1 for bar in ax.containers[0])
    note = ax.texts[0].get_window_extent()
    panel = ax.child_axes[0].get_window_extent()
    assert tops < note.y0
    assert note.y1 < panel.y0
    assert all(float(tick) <= 10 for tick in ax.get_yticks())


def test_gaps_of_any_order_one_and_none() -> None:
    table = pd.DataFrame(GAPS)
    whole, back = (plot.inactivity_gap(rows) for rows in (table, table[::-1]))
    assert histogram(whole) == histogram(back)
    steps = [np.asarray(ax.child_axes[0].lines[0].get_xydata()).tolist() for ax in (whole, back)]
    assert steps[0] == steps[1]
    assert len(histogram(plot.inactivity_gap(table[:1]))) == 1
    empty = plot.inactivity_gap(table[:0])
    assert [text.get_text() for text in empty.texts] == ["no rows"]
    assert list(empty.containers) == []


def test_wrong_gaps_are_refused() -> None:
    table = pd.DataFrame(GAPS)
    with pytest.raises(ParameterError, match="result is not a table of inactivity_gap: it lacks"):
        plot.inactivity_gap(flow())
    with pytest.raises(ParameterError, match=r"^result proposes several gaps: 1, 7, 8, 30\. Sel"):
        plot.inactivity_gap(table.assign(proposed=True))
    with pytest.raises(ParameterError, match="several rows of gap 1"):
        plot.inactivity_gap(pd.concat([table, table]))
    with pytest.raises(ParameterError, match="rows without gap or n"):
        plot.inactivity_gap(table.assign(n=[1, np.nan, 2, 3]))
    sectors = pd.concat([table.assign(sector="a"), table.assign(sector="b")])
    with pytest.raises(ParameterError, match="several 'sector': 'a', 'b'"):
        plot.inactivity_gap(sectors[["sector", *GAPS]])
