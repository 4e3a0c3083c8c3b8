"""What the curves of retention show, read back from the artists."""

from collections.abc import Iterator
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
from loyaltykit import _curves, _drawing, plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def cohorts(data: Any = None, **options: Any) -> Any:
    data = pd.DataFrame(ACTIVITY) if data is None else data
    return lk.cohort_retention(data, "id", "day", as_of="2026-04-10", **options)


def curves(rows: dict[str, list[float]], n: int = 1000, **columns: Any) -> pd.DataFrame:
    """Return a pooled table: the estimates by age of every group, each with 5 points around it."""
    table = pd.DataFrame(
        [(name, age, value) for name, line in rows.items() for age, value in enumerate(line)],
        columns=["group", "cohort_age", "estimate"],
    )
    return table.assign(
        coverage=np.where(table["estimate"].isna(), "unobserved", "observed"),
        metric="cohort_retention",
        n=n,
        ci_low=table["estimate"] - 5,
        ci_high=table["estimate"] + 5,
        confidence_level=0.95,
        unit="percent",
        definition="basis=log;freq=month;window=calendar;rule=on",
        **columns,
    )[
        [
            *("group", "cohort_age", "coverage", "metric", "n", "estimate", "ci_low", "ci_high"),
            *("confidence_level", "unit", "definition"),
        ]
    ]


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


def test_pooled_cohorts_are_one_line(engine: Engine) -> None:
    ax = plot.retention_curves(lk.pool(cohorts(engine.frame(ACTIVITY)), over="cohort"))
    (line,) = lines(ax)
    # January and February together: 4 of 6 came back after one month; January alone later.
    assert points(line) == [(0.0, 100.0), (1.0, pytest.approx(400 / 6)), (2.0, 25.0)]
    assert same_color(line.get_color(), _drawing.LINES[0])
    assert bands(ax) == 1
    assert legend(ax) == ["All (n = 6 to 4)"]
    assert ax.get_ylabel() == "Cohort retention, percent (95% interval)"
    assert ax.get_xlabel() == "Age of the cohort, months"
    assert ax.get_title() == "Cohort retention\nby month, calendar window, rule on"
    assert ax.get_ylim()[0] == 0


def test_running_points_are_hollow_and_dashed() -> None:
    table = cohorts()
    ax = plot.retention_curves(table[table["cohort"] == "2026-01-01"])
    (line,) = lines(ax)
    assert points(line) == [(0.0, 100.0), (1.0, 75.0), (2.0, 25.0)]
    assert of_kind(ax, "_dashed") == [[(2.0, 25.0), (3.0, 25.0)]]
    assert of_kind(ax, "_partial") == [[(3.0, 25.0)]]
    dashed, hollow = (
        next(line for line in ax.lines if line.get_label() == kind)
        for kind in ("_dashed", "_partial")
    )
    assert dashed.is_dashed()
    assert not line.is_dashed()
    assert hollow.get_markerfacecolor() == ax.get_facecolor()
    assert hollow.get_color() == line.get_color()


def test_one_line_a_cohort_from_early_to_late() -> None:
    table = cohorts()
    ax = plot.retention_curves(table[table["cohort"] < "2026-03"])
    assert legend(ax) == ["2026-01 (n = 4)", "2026-02 (n = 2)"]
    colours = [line.get_color() for line in lines(ax)]
    assert all(map(same_color, colours, _curves.ORDERED))


def test_cohort_without_customers_has_a_name_and_no_line() -> None:
    ax = plot.retention_curves(cohorts())
    assert "2026-03 (n = 0, no data)" in legend(ax)
    assert [len(points(line)) for line in lines(ax)] == [3, 2, 0, 0]


def test_many_cohorts_have_a_scale() -> None:
    starts = pd.date_range("2024-01-01", periods=20, freq="MS")
    rows = curves({str(i): [100, 50, 40 - i] for i in range(20)})
    table = rows.rename(columns={"group": "cohort"})
    table["cohort"] = np.repeat(starts, 3)
    ax = plot.retention_curves(table)
    assert ax.get_legend() is None
    (bar,) = ax.child_axes
    assert [text.get_text() for text in bar.get_yticklabels()] == [
        f"{month} (n = 1,000)" for month in ("2024-01", "2024-10", "2025-08")
    ]
    assert bar.get_ylim()[0] > bar.get_ylim()[1]
    assert bands(ax) == 0


def test_groups_differ_in_colour_and_marker() -> None:
    rows = {f"g{i}": [100.0, 60 + i, 50 + i] for i in range(20)}
    ax = plot.retention_curves(curves(rows))
    looks = {(line.get_color(), line.get_marker()) for line in lines(ax)}
    assert len(looks) == 20
    assert [line.get_color() for line in lines(ax)[:7]] == list(_drawing.LINES)
    # The names stand in the order in which the lines end.
    assert legend(ax) == [f"g{i} (n = 1,000)" for i in reversed(range(20))]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (4, 4), (5, 0)])
def test_bands_are_few(count: int, expected: int) -> None:
    ax = plot.retention_curves(curves({f"g{i}": [100.0, 60 + i] for i in range(count)}))
    assert bands(ax) == expected
    assert ("interval" in ax.get_ylabel()) == bool(expected)


def test_band_is_the_interval() -> None:
    ax = plot.retention_curves(curves({"a": [90.0, 60.0, 50.0]}))
    (band,) = (item for item in ax.collections if isinstance(item, PolyCollection))
    edge = {tuple(corner) for corner in np.asarray(band.get_paths()[0].vertices).tolist()}
    assert edge == {
        (age, value + side) for age, value in enumerate((90, 60, 50)) for side in (-5, 5)
    }


def test_one_point_has_a_whisker() -> None:
    ax = plot.retention_curves(curves({"a": [90.0]}))
    (whisker,) = (item for item in ax.collections if isinstance(item, LineCollection))
    assert np.asarray(whisker.get_segments()).tolist() == [[[0, 85], [0, 95]]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0"]


def test_a_null_parts_the_line_and_the_unobserved_end_it() -> None:
    ax = plot.retention_curves(curves({"a": [100.0, 60.0, np.nan, 50.0, np.nan, np.nan]}))
    (line,) = lines(ax)
    np.testing.assert_array_equal(np.asarray(line.get_ydata()), [100.0, 60.0, np.nan, 50.0])


def test_a_start_of_100_does_not_flatten_the_rest() -> None:
    ax = plot.retention_curves(curves({"a": [100.0, 20.0, 10.0], "b": [100.0, 14.0, 10.0]}))
    assert ax.get_ylim()[1] < 30
    assert ax.get_xlabel().endswith("months\n(at 0 all lines are at 100%, above the picture)")
    for shown in ([100.0, 70.0, 10.0], [80.0, 20.0, 10.0], [100.0]):
        ax = plot.retention_curves(curves({"a": shown}))
        assert ax.get_ylim()[1] >= max(shown)
        assert ax.get_xlabel() == "Age of the cohort, months"


def test_axis_follows_high_values_but_not_too_near() -> None:
    low, _ = plot.retention_curves(curves({"a": [100.0, 95.0, 94.0]})).get_ylim()
    assert low == pytest.approx(73 - 0.06 * 32)  # 89 to 105, and as far below
    flat = curves({"a": [100.0, 99.99]}).assign(ci_low=np.nan, ci_high=np.nan)
    low, high = plot.retention_curves(flat).get_ylim()
    assert high - low > 5
    negative = curves({"a": [100.0, 60.0, -40.0]})
    assert plot.retention_curves(negative).get_ylim()[0] < -45


def test_names_are_text() -> None:
    ax = plot.retention_curves(curves({"$10 to $20": [100.0, 60.0], "_x": [100.0, 70.0]}))
    assert legend(ax) == [" _x (n = 1,000)", "$10 to $20 (n = 1,000)"]
    found = ax.get_legend()
    assert found is not None
    assert not any(text.get_parse_math() for text in found.get_texts())


def test_groups_of_one_cohort_and_groups_that_are_one() -> None:
    table = cohorts(by="sector")
    ax = plot.retention_curves(table[table["cohort"] == "2026-01-01"])
    assert legend(ax) == ["B2B (n = 2)", "B2C (n = 2)"]
    assert ax.get_title().startswith("Cohort retention: 2026-01\n")
    ax = plot.retention_curves(table[table["sector"] == "B2B"])
    assert ax.get_title().startswith("Cohort retention: B2B\n")
    with pytest.raises(ParameterError, match=r"several cohorts of several 'sector'\. Select one"):
        plot.retention_curves(table)


def test_wrong_curves_are_refused() -> None:
    table = cohorts()
    with pytest.raises(ParameterError, match="result is not a table of cohort_retention: it lacks"):
        plot.retention_curves(lk.retention_rate(pd.DataFrame(ACTIVITY), "id", "day"))
    with pytest.raises(ParameterError, match="result mixes metric"):
        plot.retention_curves(pd.concat([table, table.assign(metric="cohort_revenue")]))
    with pytest.raises(ParameterError, match="several rows of cohort 2026-01-01, cohort_age 0"):
        plot.retention_curves(pd.concat([table, table]))


def test_no_rows_and_given_axes() -> None:
    figure, ax = plt.subplots(layout="constrained")
    assert plot.retention_curves(cohorts()[:0], ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["no rows"]
    assert figure.axes == [ax]


def test_ages_that_begin_brackets_are_the_ticks() -> None:
    table = curves({"a": [100.0, 60.0, 50.0, 40.0]})
    table["cohort_age"] = [0, 1, 4, 8]
    ax = plot.retention_curves(table)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "4", "8"]
