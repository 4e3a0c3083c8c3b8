"""What the pictures show, read back from the artists."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise, takewhile
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import Engine
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from test_contract import TABLES

import loyaltykit as lk
from loyaltykit import plot
from loyaltykit.errors import LoyaltyKitError, ParameterError

mpl.use("Agg")

# B2C has been asked and gave no answer, one sector is unknown.
ANSWERS: dict[str, list[Any]] = {
    "sector": [*["B2B"] * 7, *["B2C"] * 2, *["B2G"] * 3, None],
    "score": [10, 10, 9, 8, 7, 3, 0, None, None, 9, 10, 10, 5],
    "day": [*["2026-03-05"] * 5, *["2026-04-01"] * 8],
}
FRAME = pd.DataFrame(ANSWERS)
# Two months of customers and a third one that has only begun.
ACTIVITY: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 1, 2, 3, 5, 1, 5],
    "day": [*["2026-01-05"] * 4, *["2026-02-05"] * 4, *["2026-03-02"] * 2],
}
LOG = pd.DataFrame(ACTIVITY)


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    # Drawing is where matplotlib notices a text without room or a glyph without a font.
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def by_sector() -> pd.DataFrame:
    table: pd.DataFrame = lk.nps(FRAME, "score", by="sector")
    return table


def by_month(data: Any) -> Any:
    return lk.nps(data, "score", by="sector", time="day", freq="month")


def retention() -> pd.DataFrame:
    table: pd.DataFrame = lk.retention_rate(LOG, "id", "day", as_of="2026-03-10")
    return table


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def dots(ax: Axes) -> list[tuple[float, float]]:
    marked = [line for line in ax.lines if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in marked]  # type: ignore[index, arg-type]


def filled(ax: Axes) -> list[bool]:
    marked = [line for line in ax.lines if line.get_marker() == "o"]
    return [line.get_markerfacecolor() == line.get_color() for line in marked]


def whiskers(ax: Axes) -> list[list[list[float]]]:
    (lines,) = (item for item in ax.collections if isinstance(item, LineCollection))
    return [np.asarray(segment).tolist() for segment in lines.get_segments()]


def bars(ax: Axes) -> list[tuple[str, float, float, float]]:
    """Return each bar's series, its row, where it starts and how wide it is."""
    return [
        (str(series.get_label()), bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width())
        for series in ax.containers
        for bar in series
    ]


def scores(ax: Axes) -> Axes:
    (panel,) = ax.child_axes
    assert isinstance(panel, Axes)
    return panel


def artists(ax: Axes) -> Any:
    """Return all that a reader sees."""
    panel = scores(ax) if ax.child_axes else ax
    texts = [text.get_text() for text in (*ax.texts, *panel.texts)]
    words = (ax.get_title(), ax.get_xlabel(), panel.get_xlabel())
    return labels(ax), bars(ax), dots(panel), whiskers(panel), filled(panel), texts, words


def expected_whiskers(table: pd.DataFrame) -> list[list[list[float]]]:
    limits = table[["ci_low", "ci_high"]].to_numpy(dtype=float)
    return [
        [[low, row], [high, row]] for row, (low, high) in enumerate(limits) if not np.isnan(low)
    ]


# ---- nps_bars -----------------------------------------------------------------------------------


def test_bars_are_the_shares_in_order() -> None:
    ax = plot.nps_bars(by_sector())
    drawn = bars(ax)
    assert len(drawn) == 3 * 3  # the sector without answers has no bar
    series = list(dict.fromkeys(name for name, *_ in drawn))
    assert series == ["detractors", "passives", "promoters"]
    for row, n in ((0, 7), (2, 3), (3, 1)):
        starts, widths = zip(*(bar[2:] for bar in drawn if bar[1] == row), strict=True)
        assert sum(widths) == pytest.approx(100, abs=1e-12)
        np.testing.assert_allclose(starts, np.cumsum([0, *widths[:-1]]), atol=1e-12)
        np.testing.assert_allclose(np.array(widths) * n % 100, 0, atol=1e-9)
    b2b = [width for _, row, _, width in drawn if row == 0]
    np.testing.assert_allclose(b2b, [200 / 7, 200 / 7, 300 / 7])


def test_scores_and_their_intervals() -> None:
    table = by_sector()
    panel = scores(plot.nps_bars(table))
    known = table["estimate"].notna()
    assert dots(panel) == [(value, row) for row, value in table["estimate"][known].items()]
    assert whiskers(panel) == expected_whiskers(table)
    assert panel.get_xlabel() == "NPS, points\n(95% interval)"
    assert [text.get_text() for text in panel.texts] == ["+14", "+100", "\N{MINUS SIGN}100"]


def test_rows_stand_in_table_order_from_the_top() -> None:
    table = by_sector().iloc[::-1]
    ax = plot.nps_bars(table)
    assert labels(ax) == [
        "(missing) (n = 1)",
        "B2G (n = 3)",
        "B2C (n = 0, no answers)",
        "B2B (n = 7)",
    ]
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert scores(ax).get_ylim() == (bottom, top)


def test_narrow_segments_have_no_label() -> None:
    ax = plot.nps_bars(lk.nps_from_counts(promoters=970, passives=20, detractors=10))
    assert [text.get_text() for text in ax.texts] == ["", "", "97%"]


def test_legend_names_the_shares_from_left_to_right() -> None:
    legend = plot.nps_bars(by_sector()).get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["Detractors", "Passives", "Promoters"]


def test_shares_differ_in_grey_and_carry_readable_text() -> None:
    def luminance(colour: str) -> float:
        parts = np.array(to_rgb(colour))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(one: str, other: str) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    fills = [fill for fill, _ in plot.SHARES.values()]
    assert all(contrast(fill, ink) >= 4.5 for fill, ink in plot.SHARES.values())
    for one, other in zip(fills, [*fills[1:], fills[0]], strict=True):
        assert contrast(one, other) > 1.5


# ---- estimates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "title", "axis"),
    [
        (lk.nps(FRAME, "score", by="sector"), "NPS", "NPS, points (95% interval)"),
        (
            lk.csat_from_counts(satisfied=[3, 4], n=[5, 6], confidence_level=0.9),
            "CSAT",
            "CSAT, percent (90% interval)",
        ),
        (
            lk.ces_from_counts(answers=range(1, 8), n=[1, 2, 3, 4, 5, 6, 7]),
            "CES",
            "CES, scale points (95% interval)",
        ),
        (
            lk.churn_rate_from_counts(start=100, lost=7),
            "Churn rate",
            "Churn rate, percent (95% interval)",
        ),
    ],
)
def test_every_metric(table: pd.DataFrame, title: str, axis: str) -> None:
    ax = plot.estimates(table)
    known = table["estimate"].notna()
    assert dots(ax) == [(value, row) for row, value in table["estimate"][known].items()]
    assert whiskers(ax) == expected_whiskers(table)
    assert (ax.get_title(), ax.get_xlabel()) == (title, axis)
    for label, n in zip(labels(ax), table["n"], strict=True):
        assert f"n = {n:,}" in label


def test_unobserved_and_partial_periods() -> None:
    ax = plot.estimates(retention())
    assert labels(ax) == ["2026-01 (unobserved)", "2026-02 (n = 4)", "2026-03 (n = 4, partial)"]
    assert dots(ax) == [(75.0, 1.0), (50.0, 2.0)]
    assert filled(ax) == [True, False]


def test_without_interval_there_is_a_dot_alone() -> None:
    table = lk.retention_rate(LOG, "id", "day", as_of="2026-02-28", method="none")
    ax = plot.estimates(table)
    assert dots(ax) == [(75.0, 1.0)]
    assert whiskers(ax) == []
    assert ax.get_xlabel() == "Retention rate, percent"


def test_percent_axis_follows_the_data_within_the_scale() -> None:
    low, high = plot.estimates(lk.csat_from_counts(satisfied=80, n=100)).get_xlim()
    assert 65 < low < high < 90
    edges = lk.csat_from_counts(satisfied=[0, 9], n=[9, 9])
    assert plot.estimates(edges).get_xlim() == (0, 100)
    beyond = edges.assign(ci_high=[30.0, 130.0])
    assert plot.estimates(beyond).get_xlim() == (0, 130)


def test_points_show_zero() -> None:
    ax = plot.estimates(lk.nps_from_counts(promoters=900, passives=90, detractors=10))
    low, high = ax.get_xlim()
    assert low < 0 < high <= 100
    assert [0, 0] in [list(line.get_xdata()) for line in ax.lines]  # type: ignore[arg-type]


def test_empty_rates_say_so() -> None:
    ax = plot.estimates(lk.csat_from_counts(satisfied=[0, 4], n=[0, 5], labels=["a", "b"]))
    assert labels(ax) == ["a (n = 0, no answers)", "b (n = 5)"]
    ax = plot.estimates(lk.churn_rate_from_counts(start=0, lost=0))
    assert labels(ax) == ["All (n = 0, no data)"]
    hidden = lk.csat_from_counts(satisfied=3, n=1234).assign(estimate=np.nan, ci_low=np.nan)
    assert labels(plot.estimates(hidden)) == ["All (n = 1,234, no estimate)"]


# ---- labels -------------------------------------------------------------------------------------


def test_keys_are_joined_and_periods_written_as_months() -> None:
    table = by_month(FRAME.head(9))
    assert labels(plot.nps_bars(table)) == [
        "B2B, 2026-03 (n = 5)",
        "B2B, 2026-04 (n = 2)",
        "B2C, 2026-04 (n = 0, no answers)",
    ]
    daily = lk.nps(FRAME.head(7), "score", time="day", freq="day")
    assert labels(plot.nps_bars(daily)) == ["2026-03-05 (n = 5)", "2026-04-01 (n = 2)"]


def test_quarters_are_written_as_quarters() -> None:
    table = lk.retention_rate(LOG, "id", "day", freq="quarter", as_of="2026-03-31")
    assert labels(plot.estimates(table)) == ["2026-Q1 (unobserved)"]


def test_cohorts_have_ages() -> None:
    table = lk.cohort_retention(LOG, "id", "day", as_of="2026-02-28")
    assert labels(plot.estimates(table)) == [
        "2026-01, age 0 (n = 4)",
        "2026-01, age 1 (n = 4)",
        "2026-02, age 0 (n = 1)",
        "2026-02, age 1 (unobserved)",
    ]


def test_long_names_are_wrapped_and_dollars_stay() -> None:
    names = ["Department of Environmental Protection and Public Works North", "$10 to $20"]
    ax = plot.nps_bars(
        lk.nps_from_counts(promoters=[3, 4], detractors=[1, 2], n=[5, 1234], labels=names)
    )
    long, short = labels(ax)
    assert long.replace("\n", " ") == f"{names[0]} (n = 5)"
    assert max(map(len, long.split("\n"))) <= 34
    assert short == "$10 to $20 (n = 1,234)"
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())


@pytest.mark.parametrize("draw", [plot.nps_bars, plot.estimates])
def test_labels_are_not_clipped(draw: Callable[..., Axes]) -> None:
    ax = draw(lk.nps_from_counts(promoters=[5], detractors=[1], n=[9], labels=["W" * 60]))
    figure = ax.figure
    figure.canvas.draw()
    box = ax.get_tightbbox()
    assert box is not None
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("draw", [plot.nps_bars, plot.estimates])
@pytest.mark.parametrize("count", [1, 2, 4, 12, 40])
def test_rows_do_not_overlap(draw: Callable[..., Axes], count: int) -> None:
    ones = np.ones(count, dtype=int)
    ax = draw(lk.nps_from_counts(promoters=5 * ones, detractors=ones, n=9 * ones))
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) == count
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))


# ---- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [plot.nps_bars, plot.estimates])
def test_given_axes_are_drawn_on(draw: Callable[..., Axes]) -> None:
    figure, (first, second) = plt.subplots(1, 2, figsize=(14, 4), layout="constrained")
    assert draw(by_sector(), ax=second) is second
    assert plt.get_fignums() == [figure.number]
    assert not first.has_data()
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, not Figure"):
        draw(by_sector(), ax=figure)


@pytest.mark.parametrize("draw", [plot.nps_bars, plot.estimates])
def test_nothing_else_is_touched(draw: Callable[..., Axes]) -> None:
    table = by_sector()
    before, settings = table.copy(deep=True), dict(mpl.rcParams)
    draw(table)
    pd.testing.assert_frame_equal(table, before)
    assert dict(mpl.rcParams) == settings
    assert len(plt.get_fignums()) == 1


def test_engines_give_the_same_picture(engine: Engine) -> None:
    answers, log = engine.frame(ANSWERS), engine.frame(ACTIVITY)
    for draw, table, reference in (
        (plot.nps_bars, lk.nps(answers, "score", by="sector"), by_sector()),
        (plot.nps_bars, by_month(answers), by_month(FRAME)),
        (plot.estimates, lk.retention_rate(log, "id", "day", as_of="2026-03-10"), retention()),
    ):
        assert artists(draw(engine.keep(table))) == artists(draw(reference))


@pytest.mark.parametrize("draw", [plot.nps_bars, plot.estimates])
def test_table_without_rows(engine: Engine, draw: Callable[..., Axes]) -> None:
    ax = draw(lk.nps(engine.frame(ANSWERS)[:0], "score", by="sector"))
    assert labels(ax) == []
    assert "no rows" in [text.get_text() for text in ax.texts]


def test_scorecard_of_several_metrics_is_drawn_one_by_one() -> None:
    card = lk.scorecard(by_sector(), retention())
    with pytest.raises(ParameterError, match="result mixes metric: 'nps', 'retention_rate'"):
        plot.estimates(card)
    # Survey rows have neither period nor coverage: both are null beside those of a rate.
    nps, rate = (card[card["name"] == name] for name in ("nps", "retention_rate"))
    assert labels(plot.estimates(nps))[:2] == [
        "nps, sector, B2B (n = 7)",
        "nps, sector, B2C\n(n = 0, no answers)",
    ]
    assert len(dots(plot.estimates(rate))) == 2


def test_table_that_went_through_json() -> None:
    table = pd.DataFrame(lk.to_records(retention()))
    assert labels(plot.estimates(table))[1] == "2026-02-01 (n = 4)"
    assert dots(plot.estimates(table)) == dots(plot.estimates(retention()))


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="result is not a table of nps: it lacks"):
        plot.nps_bars(lk.csat_from_counts(satisfied=3, n=4))
    with pytest.raises(ParameterError, match="result is not a table of a metric function"):
        plot.estimates(lk.customer_flow(LOG, "id", "day"))
    with pytest.raises(LoyaltyKitError, match="result is not a table"):
        plot.estimates(FRAME)
    with pytest.raises(TypeError, match="result must be a DataFrame"):
        plot.nps_bars([1, 2, 3])


def test_mixed_tables_are_refused() -> None:
    one = lk.nps_from_counts(promoters=3, detractors=1, n=5)
    two = lk.csat_from_counts(satisfied=3, n=4)
    with pytest.raises(ParameterError, match=r"result mixes metric: 'csat', 'nps'\. Draw each"):
        plot.estimates(pd.concat([one, two]))
    other = one.assign(definition="scale=0..100;promoter>=90;detractor<=60")
    with pytest.raises(ParameterError, match="result mixes definition"):
        plot.nps_bars(pd.concat([one, other]))


def test_import_does_not_load_matplotlib() -> None:
    code = "import sys, loyaltykit.plot; print('matplotlib' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


def test_given_axes_need_no_pyplot() -> None:
    """A service draws on a figure of its own, without a global list of figures."""
    code = (
        "import sys, loyaltykit as lk, loyaltykit.plot; from matplotlib.figure import Figure; "
        "lk.plot.nps_bars(lk.nps_from_counts(promoters=3, detractors=1, n=5), "
        "ax=Figure().subplots()); print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


def test_pictures_of_behaviour_need_no_pyplot() -> None:
    code = (
        "import sys, pandas as pd, loyaltykit as lk; from matplotlib.figure import Figure; "
        "log = pd.DataFrame({'id': [1, 1, 2], 'day': ['2026-01-05', '2026-02-06', '2026-02-07']}); "
        "cohorts = lk.cohort_retention(log, 'id', 'day'); "
        "axes = Figure(layout='constrained').subplots(3); "
        "lk.plot.cohort_heatmap(cohorts, ax=axes[0]); "
        "lk.plot.retention_curves(cohorts, ax=axes[1]); "
        "lk.plot.customer_flow(lk.customer_flow(log, 'id', 'day'), ax=axes[2]); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


def test_yearly_periods_are_years() -> None:
    table = retention().assign(definition="basis=log;freq=year;grace=0")
    assert labels(plot.estimates(table))[1] == "2026 (n = 4)"


def test_bars_of_weighted_answers_are_those_of_the_weights() -> None:
    data = pd.DataFrame({"nps": [10, 8, 0], "w": [2.0, 1.0, 1.0]})
    ax = lk.plot.nps_bars(lk.nps(data, "nps", weights="w"))
    widths = [bar.get_width() for container in ax.containers for bar in container]
    assert widths == [25.0, 25.0, 50.0]


# ---- which picture for which table --------------------------------------------------------------

# The tables of the contract that stand for a function and a picture.
DRAWN = {
    "nps": "nps by time",
    "csat": "csat",
    "ces": "ces",
    "tally": "tally",
    "retention_rate": "retention",
    "churn_rate": "churn",
    "quick_ratio": "quick ratio",
    "customer_flow": "flow",
    "cohort_retention": "cohorts",
    "revenue_retention": "revenue retention of contracts",
    "survival_curve": "weighted survival",
    "restricted_mean": "restricted mean",
    "loyalty_tier": "tier through time",
    "tier_transitions": "pooled transitions",
    "lifecycle_stage": "stage",
    "rfm": "rfm",
    "inactivity_gap": "gap",
    "compare": "compare",
    "compare_paired": "paired",
    "explain_change": "change",
    "scorecard": "scorecard",
}
TIMELESS = {"csat", "ces"}  # as they stand in the contract


def pictured() -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the pictures of each function, and why others have none, as the docstring says."""
    pictures: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    lines = iter((plot.__doc__ or "").splitlines())
    for line in lines:
        if not line.startswith("="):
            continue
        place = line.index(" ")
        own = next(lines).startswith("table of")
        next(lines)
        for row in takewhile(lambda row: not row.startswith("="), lines):
            for name in re.findall(r"`(\w+)`", row[:place]):
                if own:
                    pictures[name] = re.findall(r"`(\w+)`", row[place:])
                else:
                    reasons[name] = row[place:].strip()
    return pictures, reasons


def test_every_function_has_a_picture_or_a_reason() -> None:
    pictures, reasons = pictured()
    functions = {name for name in lk.__all__ if callable(getattr(lk, name))}
    assert pictures.keys() | reasons.keys() == functions
    assert pictures.keys() & reasons.keys() == set()
    assert all(reasons.values())
    assert {name for names in pictures.values() for name in names} == set(plot.__all__)
    counted = {name for name in functions if name.endswith("_from_counts")}
    assert pictures.keys() - counted == DRAWN.keys()


@pytest.mark.parametrize("name", DRAWN)
def test_the_pictures_draw_the_tables_of_the_contract(name: str) -> None:
    table = TABLES[DRAWN[name]][0](Engine("pandas"))
    for picture in pictured()[0][name]:
        if name in TIMELESS and picture == "trend":
            continue
        ax = getattr(plot, picture)(table, ax=Figure(layout="constrained").subplots())
        assert any(axes.has_data() for axes in (ax, *ax.child_axes)), picture
        assert "no rows" not in [text.get_text() for text in ax.texts]
