"""What the picture of survival shows, read back from the artists."""

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
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

import loyaltykit as lk
from loyaltykit import plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")

# Remission in weeks of two arms of leukemia patients: Freireich et al. 1963.
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
ARMS: dict[str, list[Any]] = {
    "arm": ["6-MP"] * 21 + ["placebo"] * 21,
    "weeks": TREATED + CONTROL,
    "relapse": RELAPSED + [1] * 21,
}


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def arms(frame: Any = None, **options: Any) -> Any:
    frame = pd.DataFrame(ARMS) if frame is None else frame
    return lk.survival_curve(frame, "weeks", "relapse", **{"by": "arm", **options})


def groups(count: int, name: str = "group {}") -> Any:
    """Return the curves of so many groups, each of 40 with durations up to its number plus 30."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "arm": [name.format(i) for i in range(count) for _ in range(40)],
            "weeks": np.concatenate([rng.integers(1, 30 + i, 40) for i in range(count)]),
            "relapse": rng.random(40 * count) < 0.6,
        }
    )
    return arms(frame)


def lines(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def strokes(ax: Axes) -> list[list[list[float]]]:
    return [
        np.asarray(line.get_xydata()).tolist()
        for line in ax.lines
        if line.get_label() == "_censored"
    ]


def samples(ax: Axes) -> list[Line2D]:
    return [
        item for item in ax.get_children() if isinstance(item, Line2D) and _label(item) == "_sample"
    ]


def look(line: Any) -> str:
    """Return colour and dashes; the public name of a style is the same for all dashes."""
    return f"{line.get_color()} {line._dash_pattern}"


def _label(line: Line2D) -> str:
    return str(line.get_label())


def bands(ax: Axes) -> list[PolyCollection]:
    return [item for item in ax.collections if isinstance(item, PolyCollection)]


def table(ax: Axes) -> list[list[str]]:
    """Return the rows of texts below the axis, each from left to right."""
    figure: Any = ax.figure
    figure.canvas.draw()
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in ax.texts:
        assert isinstance(text, Annotation)
        box = text.get_window_extent()
        rows.setdefault(round(text.xyann[1], 6), []).append((box.x0, text.get_text()))
    return [[text for _, text in sorted(rows[down])] for down in sorted(rows, reverse=True)]


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


# ---- curves -------------------------------------------------------------------------------------


def test_curves_are_the_steps_of_the_table(engine: Engine) -> None:
    ax = plot.survival(arms(engine.frame(ARMS)))
    expected = arms()
    for line, (name, rows) in zip(lines(ax), expected.groupby("arm"), strict=True):
        assert line.get_label() == f"{name} (n = 21, median {23 if name == '6-MP' else 8})"
        assert line.get_drawstyle() == "steps-post"
        points = rows[["duration", "estimate"]].to_numpy(dtype=float)
        np.testing.assert_allclose(np.asarray(line.get_xydata()), points)
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= 100
    assert ax.get_ylabel() == "Still customers, percent (95% interval)"
    assert ax.get_title() == "Survival"


def test_bands_are_as_wide_as_their_steps_and_nowhere_else() -> None:
    known = arms(by=None)
    ax = plot.survival(known)
    (band,) = bands(ax)
    (path,) = band.get_paths()
    inside = known[known["ci_low"].notna()]
    corners = {tuple(corner) for corner in np.round(np.asarray(path.vertices), 9).tolist()}
    ends = [*inside["duration"][1:], known["duration"].iloc[-1]]
    for start, end, low, high in zip(
        inside["duration"], ends, inside["ci_low"], inside["ci_high"], strict=True
    ):
        for side in (low, high):
            assert {(start, round(side, 9)), (end, round(side, 9))} <= corners
    assert min(x for x, _ in corners) == inside["duration"].iloc[0] > 0


def test_many_curves_have_no_bands() -> None:
    assert len(bands(plot.survival(groups(4)))) == 4
    ax = plot.survival(groups(5))
    assert bands(ax) == []
    assert ax.get_ylabel() == "Still customers, percent"


def test_no_two_lines_are_alike_and_each_looks_as_in_its_row() -> None:
    ax = plot.survival(groups(9))
    looks = [look(line) for line in lines(ax)]
    assert len(set(looks)) == 9
    assert sorted(map(look, samples(ax))) == sorted(looks)


def test_a_group_looks_alike_whatever_else_is_drawn() -> None:
    turned = arms().assign(estimate=lambda t: np.where(t["arm"] == "6-MP", 1.0, 99.0))
    one, other = (
        {
            _label(line).split("(")[0].strip(): line.get_color()
            for line in lines(plot.survival(rows))
        }
        for rows in (arms(), turned)
    )
    assert one == other


def test_some_who_leave_at_once_make_a_step_at_0() -> None:
    rows = pd.DataFrame({"weeks": [0, 0, 3, 5], "relapse": [1, 0, 1, 0]})
    ax = plot.survival(arms(rows, by=None))
    (line,) = lines(ax)
    assert np.asarray(line.get_xydata()).tolist()[:2] == [[0, 100], [0, 75]]


def test_strokes_mark_the_censored_where_they_are_few() -> None:
    ax = plot.survival(arms())
    treated = arms().query("arm == '6-MP' and censored > 0")
    assert strokes(ax)[0] == treated[["duration", "estimate"]].to_numpy().tolist()
    assert ax.get_xlabel() == "Duration (strokes: censored)"
    many = pd.DataFrame({"weeks": range(1, 40), "relapse": False})
    ax = plot.survival(arms(many, by=None))
    assert strokes(ax) == []
    assert ax.get_xlabel() == "Duration"


# ---- numbers at risk ----------------------------------------------------------------------------


def test_numbers_at_risk_stand_below_their_ticks() -> None:
    ax = plot.survival(arms())
    # R 4.2.2, survival 3.5-3: summary(survfit(Surv(weeks, relapse) ~ arm), times = seq(0, 35, 5),
    # extend = TRUE)$n.risk
    assert table(ax) == [
        ["At risk", "Median"],
        ["6-MP", "21", "21", "15", "11", "8", "5", "4", "1", "23"],
        ["placebo", "21", "14", "8", "4", "2", "0", "0", "0", "8"],
    ]
    assert ticks(ax) == ["0", "5", "10", "15", "20", "25", "30", "35"]
    figure: Any = ax.figure
    for text in ax.texts:
        assert isinstance(text, Annotation)
        if text.get_text() in ("11", "4"):
            box = text.get_window_extent(figure.canvas.get_renderer())
            tick = ax.transData.transform((float(text.xy[0]), 0.0))
            assert (box.x0 + box.x1) / 2 == pytest.approx(tick[0], abs=1)


def test_late_entries_are_at_risk_after_they_entered() -> None:
    rows = pd.DataFrame({"weeks": [4, 8, 10, 10], "relapse": [1, 1, 0, 0], "from": [0, 4, 6, 0]})
    ax = plot.survival(arms(rows, by=None, entry="from"))
    assert ticks(ax) == ["0", "2", "4", "6", "8", "10"]
    # At 4 the first is still there and the second is not yet; the third comes after 6.
    assert table(ax)[1] == ["All", "2", "2", "2", "2", "3", "2", "6"]
    (line,) = lines(plot.survival(arms(rows, by=None, entry="from"), at_risk=False))
    assert _label(line) == "All (n = 4, median 6)"


def test_ticks_at_fractions_count_as_the_durations_do() -> None:
    rows = pd.DataFrame({"weeks": [0.1, 0.2, 0.3, 0.3, 0.6, 0.7], "relapse": True})
    ax = plot.survival(arms(rows, by=None))
    assert ticks(ax) == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    assert table(ax)[1] == ["All", "6", "6", "5", "4", "2", "2", "2", "1", "0.3"]


def test_medians_are_those_of_survival_quantile() -> None:
    rows = pd.DataFrame({"weeks": [1, 2, 4, 7], "relapse": True})
    curve = arms(rows, by=None)
    assert lk.survival_quantile(curve)["estimate"].tolist() == [3.0]
    assert table(plot.survival(curve))[1][-1] == "3"


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("size", [(7.0, 6.0), (14.0, 8.0)])
def test_nothing_overlaps_or_is_cut_off(count: int, size: tuple[float, float]) -> None:
    curves = groups(count, "Pelanggan korporasi dan pemerintah daerah {}")
    for column in ("at_risk", "entered"):
        curves[column] *= 100_000
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    plot.survival(curves, ax=ax)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in (*ax.texts, ax.xaxis.label)]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    names = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(names))
    whole = ax.get_tightbbox()
    assert whole is not None
    assert whole.x0 >= 0
    assert whole.y0 >= 0
    assert whole.x1 <= figure.bbox.x1
    assert whole.y1 <= figure.bbox.y1


def test_numbers_keep_off_the_neighbours_in_every_layout() -> None:
    for layout in ("constrained", "tight"):
        figure, (upper, lower) = plt.subplots(2, 1, figsize=(8, 9), layout=layout)
        plot.survival(arms(), ax=upper)
        plot.survival(arms(), ax=lower)
        figure.canvas.draw()
        above, below = (ax.get_tightbbox() for ax in (upper, lower))
        assert above is not None
        assert below is not None
        assert above.y0 > below.y1
        assert below.y0 >= 0


def test_numbers_of_ticks_that_are_cut_off_are_not_shown() -> None:
    figure, ax = plt.subplots(figsize=(8, 5))
    plot.survival(arms(by=None), ax=ax)
    wide = ax.get_tightbbox()
    ax.set_xlim(0, 12)
    figure.canvas.draw()
    narrow = ax.get_tightbbox()
    assert wide is not None
    assert narrow is not None
    assert narrow.x1 == pytest.approx(wide.x1, abs=2)


def test_without_numbers_a_legend_tells_the_lines_apart() -> None:
    ax = plot.survival(arms(), at_risk=False)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "6-MP (n = 21, median 23)",
        "placebo (n = 21, median 8)",
    ]
    assert list(ax.texts) == []
    assert samples(ax) == []
    with pytest.raises(TypeError, match="at_risk must be True or False, not str"):
        plot.survival(arms(), at_risk="no")  # type: ignore[arg-type]


# ---- tables of all kinds ------------------------------------------------------------------------


def test_weighted_curves_count_customers() -> None:
    rows = pd.DataFrame({"weeks": TREATED, "relapse": RELAPSED, "w": [0.5] * 21})
    ax = plot.survival(arms(rows, by=None, weights="w"))
    assert table(ax)[1][1] == "21"


def test_groups_that_are_one_name_the_title() -> None:
    both = pd.DataFrame(ARMS).assign(land="ID")
    ax = plot.survival(arms(both, by=["land", "arm"]))
    assert ax.get_title() == "Survival: ID"
    assert [row[0] for row in table(ax)[1:]] == ["6-MP", "placebo"]
    ax = plot.survival(arms().query("arm == 'placebo'"))
    assert table(ax)[1][0] == "placebo"


def test_names_are_text_and_nobody_is_missing() -> None:
    names = {**ARMS, "arm": ["$10 to $20"] * 21 + [None] * 21}
    ax = plot.survival(arms(pd.DataFrame(names)))
    assert [row[0] for row in table(ax)[1:]] == ["$10 to $20", "(missing)"]
    assert not any(text.get_parse_math() for text in ax.texts)


def test_a_group_of_nobody_keeps_its_row() -> None:
    curves = arms().astype({"estimate": float})
    nobody = curves["arm"] == "placebo"
    curves.loc[nobody, ["estimate", "std_error", "ci_low", "ci_high"]] = np.nan
    curves.loc[nobody, ["at_risk", "events", "censored", "entered"]] = 0
    rows = table(plot.survival(curves))
    assert rows[2] == ["placebo", *["0"] * 8, "no data"]
    ax = plot.survival(curves[nobody])
    assert [text.get_text() for text in ax.texts] == ["no data"]


def test_all_censored_and_one_duration() -> None:
    rows = pd.DataFrame({"weeks": [3, 5], "relapse": [0, 0]})
    ax = plot.survival(arms(rows, by=None))
    assert table(ax)[1][-1] == "not reached"
    assert ax.get_ylabel() == "Still customers, percent"
    ax = plot.survival(arms(rows.assign(weeks=0), by=None))
    assert table(ax)[1][1] == "2"


def test_no_rows_and_given_axes() -> None:
    figure, ax = plt.subplots(layout="constrained")
    assert plot.survival(arms()[:0], ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["no rows"]
    assert figure.axes == [ax]


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="result is not a table of survival_curve: it lacks"):
        plot.survival(lk.survival_quantile(arms()))
    with pytest.raises(ParameterError, match="several rows of arm 6-MP, duration 0"):
        plot.survival(pd.concat([arms(), arms()]))
    with pytest.raises(ParameterError, match="result mixes confidence_level"):
        plot.survival(pd.concat([arms(), arms(confidence_level=0.9)]))
    with pytest.raises(ParameterError, match=r"rows without a duration\. Leave them out"):
        plot.survival(arms().astype({"duration": float}).replace({"duration": {35: np.nan}}))
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, not int"):
        plot.survival(arms(), ax=3)  # type: ignore[arg-type]


def test_the_table_is_left_as_it_was() -> None:
    curves = arms()
    before = curves.copy(deep=True)
    plot.survival(curves)
    pd.testing.assert_frame_equal(curves, before)
