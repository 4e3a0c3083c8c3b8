"""What the picture of a metric by period shows, read back from the artists."""

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
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import same_color
from matplotlib.lines import Line2D
from tables import ACTIVITY

import loyaltykit as lk
from loyaltykit import _drawing, _trend_plots, plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def lines(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def points(line: Line2D) -> list[tuple[float, float]]:
    x, y = (np.asarray(side, dtype=float) for side in line.get_data())
    return [(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True) if not np.isnan(b)]


def of_kind(ax: Axes, kind: str) -> list[list[tuple[float, float]]]:
    return [points(line) for line in ax.lines if line.get_label() == kind]


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def bands(ax: Axes) -> int:
    return sum(isinstance(item, PolyCollection) for item in ax.collections)


def metric(
    rows: dict[str, list[float]], first: str = "2026-01-01", freq: str = "MS", **columns: Any
) -> pd.DataFrame:
    """Return a metric by group and period, each with 5 points around it."""
    table = pd.DataFrame(
        [
            (name, period, value)
            for name, line in rows.items()
            for period, value in zip(
                pd.date_range(first, periods=len(line), freq=freq), line, strict=True
            )
        ],
        columns=["group", "period", "estimate"],
    )
    table = table.assign(
        coverage=np.where(table["estimate"].isna(), "unobserved", "observed"),
        metric="retention_rate",
        n=100,
        n_missing=0,
        std_error=2.5,
        ci_low=table["estimate"] - 5,
        ci_high=table["estimate"] + 5,
        confidence_level=0.95,
        method="wilson",
        unit="percent",
        definition="basis=log;freq=month;grace=0",
    )
    order = [
        *("group", "period", "coverage", "metric", "n", "n_missing", "estimate", "std_error"),
        *("ci_low", "ci_high", "confidence_level", "method", "unit", "definition"),
    ]
    return table.assign(**columns)[order]


def revenue(grr: list[float], nrr: list[float], **columns: Any) -> pd.DataFrame:
    """Return both rates of revenue by month, of one group."""
    definition = "basis=log;freq=month;trailing=1;reactivation=apart;amount=mrr"
    tables = [
        metric({"All": values}, metric=name, definition=definition, **columns)
        for name, values in (("grr", grr), ("nrr", nrr))
    ]
    return pd.concat(tables).drop(columns="group")


def months(ax: Axes) -> list[str]:
    return [label.get_text().split("\n")[0] for label in ax.get_xticklabels()]


def references(ax: Axes) -> list[float]:
    """Return the values at which a grey line crosses the whole picture."""
    return [
        float(np.asarray(line.get_ydata())[0])
        for line in ax.lines
        if same_color(line.get_color(), _drawing.LINE)
    ]


def test_trend_of_a_log(engine: Engine) -> None:
    table = lk.retention_rate(engine.frame(ACTIVITY), "id", "day", as_of="2026-04-10")
    ax = plot.trend(table)
    (line,) = lines(ax)
    # The first month has no start; of March's 2 only one had come again when April had begun.
    assert points(line) == [(1.0, 75.0), (2.0, 40.0)]
    assert of_kind(ax, "_partial") == [[(3.0, 50.0)]]
    assert of_kind(ax, "_dashed") == [[(2.0, 40.0), (3.0, 50.0)]]
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        *("2026-01", "2026-02\nn = 4", "2026-03\nn = 5", "2026-04\nn = 2")
    ]
    assert ax.get_ylabel() == "Retention rate, percent (95% interval)"
    assert ax.get_title() == "Retention rate\nby month, grace 0"
    assert ax.get_xlabel() == "(n = 2 to 5) (hollow and dashed: partial)"
    assert legend(ax) == []
    assert bands(ax) == 1


def test_both_rates_of_revenue_are_one_picture() -> None:
    ax = plot.trend(revenue([90.0, 88.0], [104.0, 101.0]))
    assert [points(line) for line in lines(ax)] == [
        [(0.0, 90.0), (1.0, 88.0)],
        [(0.0, 104.0), (1.0, 101.0)],
    ]
    assert legend(ax) == ["NRR (n = 100)", "GRR (n = 100)"]
    assert ax.get_ylabel() == "GRR and NRR, percent (95% interval)"
    assert ax.get_title() == "GRR and NRR\nby month, amount mrr"
    assert references(ax) == [100.0]
    low, high = plot.trend(revenue([50.0, 52.0], [60.0, 61.0])).get_ylim()
    assert low < 50
    assert high > 100  # always shown
    three = revenue([90.0], [104.0])
    three = pd.concat([three, three[:1].assign(metric="earned_growth", estimate=8.0)])
    assert plot.trend(three).get_ylabel().startswith("Earned growth, GRR and NRR, percent")
    table = revenue([90.0], [104.0]).assign(sector="B2B")[["sector", *revenue([1.0], [1.0])]]
    other = table.assign(sector="B2C", estimate=70.0)
    assert legend(plot.trend(pd.concat([table, other])))[0] == "B2B, NRR (n = 100)"


def test_trend_of_a_survey(engine: Engine) -> None:
    answers: dict[str, list[Any]] = {
        "day": [dt.date(2026, month, 5) for month in (1, 2, 2, 4)],
        "score": [10, 9, 0, 10],
    }
    ax = plot.trend(lk.nps(engine.frame(answers), "score", time="day"))
    (line,) = lines(ax)
    # Nobody was asked in March: the line runs on, and its points are as far apart as the months.
    assert points(line) == [(0.0, 100.0), (1.0, 0.0), (3.0, 100.0)]
    assert not np.isnan(np.asarray(line.get_ydata(), dtype=float)).any()
    assert months(ax) == ["2026-01", "2026-02", "2026-04"]
    assert ax.get_title() == "NPS"
    assert references(ax) == [0.0]


def test_unobserved_periods_part_the_lines() -> None:
    table = metric({"a": [70.0, np.nan, 72.0, 71.0], "b": [60.0, 61.0, 62.0, 63.0]})
    ax = plot.trend(table)
    a, b = (np.asarray(line.get_ydata(), dtype=float) for line in lines(ax))
    np.testing.assert_array_equal(a, [70.0, np.nan, 72.0, 71.0])
    np.testing.assert_array_equal(b, [60.0, 61.0, 62.0, 63.0])
    # A period without a row is a gap, too, where another group has one.
    gone = plot.trend(table[(table["group"] != "b") | (table["estimate"] != 61.0)])
    np.testing.assert_array_equal(
        np.asarray(lines(gone)[1].get_ydata(), dtype=float), [60.0, np.nan, 62.0, 63.0]
    )


def test_an_estimate_between_gaps_is_seen() -> None:
    values = [70.0 + i % 3 for i in range(60)]
    values[29:32] = [np.nan, 75.0, np.nan]
    ax = plot.trend(metric({"a": values}))
    (line,) = lines(ax)
    marked = np.asarray(line.get_markevery())
    assert 30 in marked
    assert len(marked) < 12
    strokes = [item for item in ax.collections if isinstance(item, LineCollection)]
    segments = [np.asarray(part).tolist() for item in strokes for part in item.get_segments()]
    assert [[30.0, 70.0], [30.0, 80.0]] in segments


def test_running_periods_do_not_stretch_the_axis() -> None:
    table = metric({"a": [90.0, 91.0, 90.0, 60.0]})
    low, _ = plot.trend(table).get_ylim()
    table["coverage"] = ["observed"] * 3 + ["partial"]
    running, _ = plot.trend(table).get_ylim()
    assert low < running < 60


@pytest.mark.parametrize("count", [1, 2, 12, 60, 240])
def test_periods_never_overlap(count: int) -> None:
    ax = plot.trend(metric({"a": [70.0] * count}))
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    numbers = [int(label[:4]) * 12 + int(label[5:7]) for label in months(ax)]
    assert set(np.diff(numbers)) <= {1, 2, 3, 6, 12, 24, 60}


@pytest.mark.parametrize(
    ("days", "places", "freq"),
    [
        (["2026-01-01", "2026-04-01", "2026-10-01"], [0, 1, 3], "quarter"),
        (["2026-01-05", "2026-01-26", "2026-02-02"], [0, 3, 4], "week"),
        (["2026-01-05", "2026-01-06", "2026-01-09"], [0, 1, 4], "day"),
        (["2026-03-01"], [0], "month"),
        (["2024-01-01", "2026-01-01", "2029-01-01"], [0, 2, 5], "year"),
    ],
)
def test_periods_of_surveys_are_found(days: list[str], places: list[int], freq: str) -> None:
    numbers = np.array(days, dtype="datetime64[D]").astype(np.int64)
    found, length = _trend_plots._places(numbers, "scale=0..10")
    assert (found.tolist(), length) == (places, freq)


def test_many_lines_have_no_bands() -> None:
    ax = plot.trend(metric({name: [50.0, 60.0] for name in "abcde"}))
    assert bands(ax) == 0
    assert ax.get_ylabel() == "Retention rate, percent"


def test_single_periods_stand_side_by_side() -> None:
    ax = plot.trend(revenue([np.nan, 90.0], [np.nan, 104.0]))
    (left,), (right,) = (points(line) for line in lines(ax))
    assert left[0] < 1 < right[0]
    assert left[0] + right[0] == pytest.approx(2)
    assert months(ax) == ["2026-01", "2026-02"]


def test_many_names_make_a_picture_higher() -> None:
    names = [f"Pelanggan korporasi dan pemerintah daerah {i}" for i in range(14)]
    ax = plot.trend(metric({name: [50.0, 60.0] for name in names}))
    ax.figure.canvas.draw()
    found = ax.get_legend()
    assert found is not None
    assert found.get_window_extent().y0 >= 0
    assert ax.get_window_extent().height > 300


def test_reference_lines_where_the_axis_reaches_them() -> None:
    ratio = {"metric": "quick_ratio", "unit": "ratio", "definition": "gained=new;lost=churned"}
    table = metric({"a": [0.8, 1.4]}, **ratio).assign(ci_low=0.5, ci_high=2.0)
    assert references(plot.trend(table)) == [1.0]
    points = metric({"a": [80.0, 82.0]}, metric="nps", unit="points", definition="scale=0..10")
    assert references(plot.trend(points)) == []
    assert references(plot.trend(metric({"a": [50.0]}))) == []


def test_nothing_observed_and_no_rows() -> None:
    ax = plot.trend(metric({"a": [np.nan, np.nan]}))
    assert [text.get_text() for text in ax.texts] == ["no estimates"]
    figure, ax = plt.subplots(layout="constrained")
    assert plot.trend(metric({"a": [50.0]})[:0], ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["no rows"]
    assert figure.axes == [ax]


def test_long_labels_of_low_axes_are_broken() -> None:
    _, ax = plt.subplots(figsize=(3, 2), layout="constrained")
    plot.trend(metric({"a": [50.0, 60.0]}), ax=ax)
    lines = ax.get_ylabel().split("\n")
    assert len(lines) > 1
    assert " ".join(lines) == "Retention rate, percent (95% interval)"


def test_wrong_trends_are_refused() -> None:
    table = metric({"a": [50.0, 60.0]})
    with pytest.raises(
        ParameterError, match="not a table of a metric function by period: it lacks"
    ):
        plot.trend(lk.cohort_retention(pd.DataFrame(ACTIVITY), "id", "day", as_of="2026-04-10"))
    with pytest.raises(ParameterError, match="result mixes definition"):
        plot.trend(
            pd.concat([table, table.assign(metric="churn_rate", definition="freq=month;x=1")])
        )
    with pytest.raises(ParameterError, match="result mixes unit"):
        plot.trend(pd.concat([table, table.assign(metric="nps", unit="points")]))
    with pytest.raises(
        ParameterError, match="several rows of group a, metric retention_rate, peri"
    ):
        plot.trend(pd.concat([table, table]))
    with pytest.raises(ParameterError, match=r"'period' must hold a date in every row, not None\."):
        plot.trend(table.assign(period=table["period"].shift()))
    with pytest.raises(
        ParameterError, match="'period' must hold a date in every row, not 'spring'"
    ):
        plot.trend(table.assign(period=["spring", "2026-02-01"]))
