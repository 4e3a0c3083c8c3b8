"""What the heat maps of cohorts and of tiers show, read back from the artists."""

import datetime as dt
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import Engine
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Rectangle

import loyaltykit as lk
from loyaltykit import _matrix_plots, _shades, plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")

# January: 4 customers; February: 2; March: nobody new; April has only begun, with one new.
DAYS: dict[int, list[str]] = {
    1: ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-02"],
    2: ["2026-01-07", "2026-02-09"],
    3: ["2026-01-07", "2026-02-11"],
    4: ["2026-01-09"],
    5: ["2026-02-01", "2026-03-08"],
    6: ["2026-02-03"],
    7: ["2026-04-01"],
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


def cohorts(data: Any = None, as_of: str = "2026-04-10", **options: Any) -> Any:
    data = pd.DataFrame(ACTIVITY) if data is None else data
    return lk.cohort_retention(data, "id", "day", as_of=as_of, **options)


def many(count: int, freq: str = "month") -> pd.DataFrame:
    """A triangle of so many cohorts, whose estimates fall with age."""
    starts = pd.date_range("2020-01-01", periods=count, freq={"month": "MS", "day": "D"}[freq])
    row, age = (side.ravel() for side in np.indices((count, count)))
    seen = row + age < count
    return pd.DataFrame(
        {
            "cohort": starts[row],
            "cohort_age": age,
            "coverage": np.where(seen, "observed", "unobserved"),
            "metric": "cohort_retention",
            "n": np.where(seen, 1000.0, np.nan),
            "estimate": np.where(seen, 100.0 / (1 + age), np.nan),
            "unit": "percent",
            "definition": f"basis=log;freq={freq};window=calendar;rule=on",
        }
    )


def transitions(tiers: Any = ("new", "loyal", "lapsed"), **columns: Any) -> pd.DataFrame:
    """Ten are new, of whom 6 stay; 4 are loyal and stay; nobody is lapsed yet."""
    moved = [[6, 1, 3], [0, 4, 0], [0, 0, 0]]
    n = np.repeat([10, 4, 0], 3)
    first, second = (side.ravel() for side in np.indices((3, 3)))
    names = np.array(tiers, dtype=object)
    return pd.DataFrame(
        {
            **columns,
            "from_tier": names[first],
            "to_tier": names[second],
            "metric": "tier_transitions",
            "n": n,
            "moved": np.ravel(moved),
            "estimate": np.where(n > 0, 100 * np.ravel(moved) / np.maximum(n, 1), np.nan),
            "unit": "percent",
            "definition": "basis=log;freq=month",
        }
    )


def labels(ax: Axes) -> tuple[list[str], list[str]]:
    rows, columns = ax.get_yticklabels(), ax.get_xticklabels()
    return [label.get_text() for label in rows], [label.get_text() for label in columns]


def meshes(ax: Axes) -> list[QuadMesh]:
    return [item for item in ax.collections if isinstance(item, QuadMesh)]


def coloured(ax: Axes) -> Any:
    """Return the coloured values, NaN elsewhere."""
    (mesh,) = (mesh for mesh in meshes(ax) if mesh.get_cmap().name == "pale to dark")
    array: Any = mesh.get_array()
    return np.ma.filled(array, np.nan)


def filled(ax: Axes, colour: str) -> list[tuple[int, int]]:
    """Return the cells of one colour."""
    for mesh in meshes(ax):
        if mesh.get_cmap().name != "pale to dark" and mesh.get_cmap()(0.0) == to_rgba(colour):
            array: Any = mesh.get_array()
            return [(row, column) for row, column in np.argwhere(~array.mask).tolist()]
    return []


def hatched(ax: Axes) -> list[tuple[int, int]]:
    cells = [item for item in ax.collections if isinstance(item, PolyCollection)]
    assert all(item.get_hatch() == _matrix_plots.HATCH for item in cells)
    paths = [path for item in cells for path in item.get_paths()]
    middles = [np.asarray(path.vertices)[:4].mean(axis=0) for path in paths]
    return sorted((round(row), round(column)) for column, row in middles)


def texts(ax: Axes) -> dict[tuple[int, int], str]:
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in ax.texts
    }


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def luminance(colour: Any) -> float:
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ---- cohort_heatmap -----------------------------------------------------------------------------


def test_four_kinds_of_cells_are_told_apart(engine: Engine) -> None:
    """Observed is coloured, partial hatched, an empty cohort grey with dashes, the rest blank."""
    ax = plot.cohort_heatmap(cohorts(engine.frame(ACTIVITY)))
    rows, columns = labels(ax)
    assert rows == [
        "2026-01 (n = 4)",
        "2026-02 (n = 2)",
        "2026-03 (n = 0, no customers)",
        "2026-04 (n = 1)",
    ]
    assert columns == ["0", "1", "2", "3"]
    nan = np.nan
    expected = [[nan, 75, 25, 25], [nan, 50, 0, nan], [nan] * 4, [nan] * 4]
    np.testing.assert_array_equal(coloured(ax), expected)
    assert filled(ax, _matrix_plots.PLAIN) == [(0, 0), (1, 0), (3, 0)]
    assert filled(ax, _matrix_plots.EMPTY) == [(2, 0), (2, 1)]
    assert hatched(ax) == [(0, 3), (1, 2), (3, 0)]
    dash = _matrix_plots.DASH
    assert texts(ax) == {
        **{(0, 0): "100", (0, 1): "75.0", (0, 2): "25.0", (0, 3): "25.0"},
        **{(1, 0): "100", (1, 1): "50.0", (1, 2): "0.0"},
        **{(2, 0): dash, (2, 1): dash, (3, 0): "100"},
    }
    assert legend(ax) == ["Partial", "No customers"]
    assert ax.get_title() == "Cohort retention\nby month, calendar window, rule on"
    assert ax.get_xlabel() == "Age of the cohort, months"


def test_whole_tables_need_no_legend() -> None:
    table = cohorts(as_of="2026-04-30")
    ax = plot.cohort_heatmap(table[table["cohort"] < "2026-03"])
    assert legend(ax) == []
    assert hatched(ax) == []


def scale(ax: Axes) -> Any:
    (mesh,) = (mesh for mesh in meshes(ax) if mesh.get_cmap().name == "pale to dark")
    return mesh.norm.vmin, mesh.norm.vmax


def test_scale_is_that_of_what_is_not_known_beforehand() -> None:
    assert scale(plot.cohort_heatmap(cohorts())) == (0, 75)
    # Another event starts the cohort: age 0 says something, and is coloured.
    other = cohorts()
    other.loc[other["cohort_age"] == 0, "estimate"] *= 0.9
    ax = plot.cohort_heatmap(other)
    assert scale(ax) == (0, 90)
    assert filled(ax, _matrix_plots.PLAIN) == []


def test_scale_begins_below_high_values_and_at_negative_ones() -> None:
    later = cohorts()["cohort_age"] > 0
    high = cohorts().assign(estimate=lambda t: t["estimate"].where(~later, 80 + t["estimate"] / 10))
    assert scale(plot.cohort_heatmap(high)) == (72.5, 87.5)
    revenue = cohorts().assign(
        metric="cohort_revenue",
        estimate=lambda t: t["estimate"].where(~later, 4 * t["estimate"] - 110),
    )
    ax = plot.cohort_heatmap(revenue)
    assert scale(ax) == (-110, 190)
    assert ax.get_title().startswith("Cohort revenue\n")
    assert "\N{MINUS SIGN}110.0" in texts(ax).values()
    nothing = cohorts().assign(estimate=lambda t: t["estimate"].where(~later, 0 * t["estimate"]))
    assert scale(plot.cohort_heatmap(nothing)) == (0, 100)


def test_colour_bar_names_the_unit() -> None:
    (bar,) = plot.cohort_heatmap(cohorts()).child_axes
    assert isinstance(bar, Axes)
    assert bar.get_xlabel() == "percent"
    only_starts = cohorts()
    ax = plot.cohort_heatmap(only_starts[only_starts["cohort_age"] == 0])
    assert ax.child_axes == []


def test_colours_are_even_and_readable() -> None:
    """Steps of one length in Oklab, lightness always falling; ink of a contrast above 4.5."""
    linear = np.array([to_rgb(colour) for colour in _shades.COLOURS])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    # Matrices of https://bottosson.github.io/posts/oklab/.
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    lab = np.cbrt(linear @ np.transpose(to_cones)) @ np.transpose(to_lab)
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.05
    assert (np.diff(lab[:, 0]) < -0.06).all()
    for mesh in meshes(plot.cohort_heatmap(cohorts())):
        for share in np.linspace(0, 1, 21).tolist():
            fill = mesh.get_cmap()(share)
            dark = bool(_shades.is_dark(np.array(fill)))
            lights = sorted((luminance(fill), luminance("white" if dark else "black")))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def test_ink_is_the_one_that_stands_out() -> None:
    ax = plot.cohort_heatmap(cohorts())
    inks = {text.get_text(): text.get_color() for text in ax.texts}
    assert inks["75.0"] == "white"
    assert inks["0.0"] == inks["100"] == "black"


def test_brackets_stand_at_their_ages() -> None:
    table = many(12)
    table = table[table["cohort_age"].isin([0, 1, 4, 8])].assign(
        definition="basis=log;freq=month;window=rolling;rule=0..1..4..8"
    )
    ax = plot.cohort_heatmap(table)
    assert labels(ax)[1] == ["0", "1", "4", "8"]
    assert coloured(ax).shape == (12, 4)
    assert ax.get_title().endswith("by month, rolling window, rule 0..1..4..8")


@pytest.mark.parametrize(
    ("count", "freq"), [(1, "month"), (24, "month"), (60, "month"), (90, "day")]
)
def test_labels_and_values_never_overlap(count: int, freq: str) -> None:
    ax = plot.cohort_heatmap(many(count, freq))
    figure = ax.figure
    figure.canvas.draw()
    rows, columns = ax.get_yticklabels(), ax.get_xticklabels()
    down, across = ([label.get_window_extent() for label in side] for side in (rows, columns))
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(down))
    assert all(left.x1 < right.x0 for left, right in pairwise(across))
    assert (count < 30) == (len(down) == count)
    cell = ax.get_window_extent().width / count, ax.get_window_extent().height / count
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width < cell[0]
        assert box.height < cell[1]
    assert (count < 30) == bool(ax.texts)
    whole = ax.get_tightbbox()
    assert whole is not None
    assert whole.x0 >= 0
    assert whole.y0 >= 0
    assert whole.x1 <= figure.bbox.x1 + 1
    assert figure.bbox.x1 < 1800


def test_months_are_thinned_to_parts_of_a_year() -> None:
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    assert plot.cohort_heatmap(many(60), ax=ax) is ax
    ages = [int(text) for text in labels(ax)[1]]
    assert set(np.diff(ages)) <= {3, 6, 12}
    assert figure.axes == [ax]


def test_one_group_is_named_and_several_are_refused() -> None:
    data = pd.DataFrame(ACTIVITY).assign(sector=lambda t: np.where(t["id"] < 5, "B2B", "B2C"))
    table = cohorts(data, by="sector")
    with pytest.raises(ParameterError, match=r"^result holds several 'sector': 'B2B', 'B2C'\. Sel"):
        plot.cohort_heatmap(table)
    ax = plot.cohort_heatmap(table[table["sector"] == "B2B"])
    assert ax.get_title().startswith("Cohort retention: B2B\n")


def test_wrong_cohort_tables_are_refused() -> None:
    table = cohorts()
    with pytest.raises(ParameterError, match="not a table of cohort_retention: it lacks 'cohort'"):
        plot.cohort_heatmap(lk.pool(table, over="cohort"))
    with pytest.raises(
        ParameterError, match="result mixes metric: 'cohort_retention', 'cohort_rev"
    ):
        plot.cohort_heatmap(pd.concat([table, table.assign(metric="cohort_revenue")]))
    with pytest.raises(ParameterError, match="result mixes definition"):
        plot.cohort_heatmap(pd.concat([table, table.assign(definition="other")]))
    with pytest.raises(ParameterError, match="several rows of cohort 2026-01-01, cohort_age 0"):
        plot.cohort_heatmap(pd.concat([table, table]))
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, not str"):
        plot.cohort_heatmap(table, ax="x")  # type: ignore[arg-type]


def test_tables_from_json() -> None:
    ax = plot.cohort_heatmap(pd.DataFrame(lk.to_records(cohorts())))
    assert texts(ax) == texts(plot.cohort_heatmap(cohorts()))


@pytest.mark.parametrize(
    ("draw", "make"), [(plot.cohort_heatmap, cohorts), (plot.tier_transitions, transitions)]
)
def test_tables_without_rows(draw: Callable[..., Axes], make: Callable[[], pd.DataFrame]) -> None:
    ax = draw(make()[:0])
    assert [text.get_text() for text in ax.texts] == ["no rows"]
    assert labels(ax) == ([], [])


@pytest.mark.parametrize(
    ("draw", "make"), [(plot.cohort_heatmap, cohorts), (plot.tier_transitions, transitions)]
)
def test_inputs_stay_as_they_are(
    draw: Callable[..., Axes], make: Callable[[], pd.DataFrame]
) -> None:
    table, settings = make(), dict(mpl.rcParams)
    before = table.copy(deep=True)
    draw(table)
    pd.testing.assert_frame_equal(table, before)
    assert dict(mpl.rcParams) == settings


# ---- tier_transitions ---------------------------------------------------------------------------


def test_matrix_of_tiers(engine: Engine) -> None:
    columns = {str(name): values.tolist() for name, values in transitions().items()}
    ax = plot.tier_transitions(engine.frame(columns))
    rows, across = labels(ax)
    assert rows == ["new (n = 10)", "loyal (n = 4)", "lapsed (n = 0, no customers)"]
    assert across == ["new", "loyal", "lapsed"]
    dash = _matrix_plots.DASH
    assert list(texts(ax).values()) == [
        *("60.0%", "10.0%", "30.0%", "0.0%", "100.0%", "0.0%"),
        *(dash, dash, dash),
    ]
    assert scale(ax) == (0, 100)
    outlined = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [patch.get_xy() for patch in outlined] == [(-0.5, -0.5), (0.5, 0.5), (1.5, 1.5)]
    assert not any(patch.get_fill() for patch in outlined)
    assert legend(ax) == ["No customers"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("To", "From")


def test_tiers_keep_the_order_of_their_categories() -> None:
    order = ["lapsed", "new", "unused", "loyal"]
    table = transitions()
    for name in ("from_tier", "to_tier"):
        table[name] = pd.Categorical(table[name], order, ordered=True)
    ax = plot.tier_transitions(table)
    assert labels(ax)[1] == ["lapsed", "new", "loyal"]
    assert texts(ax)[1, 1] == "60.0%"


def test_missing_tier_stands_last() -> None:
    ax = plot.tier_transitions(transitions((None, "new", "loyal")))
    assert labels(ax)[1] == ["new", "loyal", "(missing)"]
    assert texts(ax)[2, 2] == "60.0%"


def test_tiers_of_several_periods_are_refused() -> None:
    month = {"coverage": "observed"}
    one = transitions(period=pd.Timestamp("2026-01-01"), **month)
    two = transitions(period=pd.Timestamp("2026-02-01"), **month)
    match = r'pool\(result, over="period"\) first, or select one period'
    with pytest.raises(ParameterError, match=match):
        plot.tier_transitions(pd.concat([one, two]))
    ax = plot.tier_transitions(two.assign(coverage="partial"))
    assert ax.get_title() == "Tier transitions: 2026-02\nby month"
    assert legend(ax) == ["Partial", "No customers"]
    with pytest.raises(ParameterError, match="several 'sector': 'a', 'b'"):
        plot.tier_transitions(pd.concat([transitions(sector="a"), transitions(sector="b")]))
    with pytest.raises(ParameterError, match="several rows of from_tier new, to_tier new"):
        plot.tier_transitions(pd.concat([transitions(), transitions()]))
    with pytest.raises(ParameterError, match="result is not a table of tier_transitions: it lacks"):
        plot.tier_transitions(cohorts())


def test_long_names_of_tiers_are_broken() -> None:
    ax = plot.tier_transitions(
        transitions(("a tier with a very long name indeed", "W" * 40, "$1 to $2"))
    )
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert not any(label.get_parse_math() for label in ax.get_xticklabels())
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())
