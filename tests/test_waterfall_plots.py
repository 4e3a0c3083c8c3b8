"""What the waterfalls show, read back from the artists."""

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
from matplotlib.colors import to_rgb

import loyaltykit as lk
from loyaltykit import _waterfall_plots, plot
from loyaltykit.errors import ParameterError

mpl.use("Agg")

# B2C has been asked and gave no answer, one sector is unknown.
FRAME = pd.DataFrame(
    {
        "sector": [*["B2B"] * 7, *["B2C"] * 2, *["B2G"] * 3, None],
        "score": [10, 10, 9, 8, 7, 3, 0, None, None, 9, 10, 10, 5],
        "day": [*["2026-03-05"] * 5, *["2026-04-01"] * 8],
    }
)


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    # Drawing is where matplotlib notices a text without room or a glyph without a font.
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def bars(ax: Axes) -> list[tuple[str, float, float, float]]:
    """Return each bar's series, its row, where it starts and how wide it is."""
    return [
        (str(series.get_label()), bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width())
        for series in ax.containers
        for bar in series
    ]


# ---- change_waterfall ---------------------------------------------------------------------------


def satisfied(waves: int = 2) -> pd.DataFrame:
    """Two sectors that both gain, while the harder one grows; a third wave as the second."""
    counts = [(64, 80), (8, 20), *[(34, 40), (27, 60)] * (waves - 1)]
    table: pd.DataFrame = lk.csat_from_counts(
        satisfied=[hits for hits, _ in counts],
        n=[n for _, n in counts],
        labels={
            "year": [2025 + wave for wave in range(waves) for _ in "ab"],
            "sector": ["B2B", "B2C"] * waves,
        },
    )
    return table


def change(table: Any = None, segment: Any = "sector") -> Any:
    table = satisfied() if table is None else table
    return lk.explain_change(table, "year", reference=2025, segment=segment)


def test_waterfall_begins_at_zero_and_ends_with_the_total() -> None:
    parts = change()
    ax = plot.change_waterfall(parts)
    assert labels(ax) == ["B2B: mix", "B2B: within", "B2C: mix", "B2C: within", "Total change"]
    drawn = sorted(bars(ax), key=lambda bar: bar[1])
    assert [bar[0] for bar in drawn] == ["mix", "within", "mix", "within", "total"]
    starts = np.array([bar[2] for bar in drawn])
    ends = starts + [bar[3] for bar in drawn]
    # matplotlib turns a bar of negative width around or not; its ends are what they are.
    values = [*parts["estimate"], -11.0]
    np.testing.assert_allclose(ends - starts, values, atol=1e-12)
    np.testing.assert_allclose(starts[:4], [0, *ends[:3]], atol=1e-12)
    assert starts[4] == 0
    lines = [item for item in ax.collections if isinstance(item, LineCollection)]
    across = next(item for item in lines if len(item.get_segments()) == 4 and _flat(item))
    shown = np.array([np.asarray(segment)[:, 0] for segment in across.get_segments()])
    limits = parts[["ci_low", "ci_high"]].to_numpy() + starts[:4, None]
    np.testing.assert_allclose(shown, limits, atol=1e-12)
    minus = "\N{MINUS SIGN}"
    texts = [text.get_text() for text in ax.texts]
    assert texts == [f"{minus}6.4", "+3.0", f"{minus}9.6", "+2.0", f"{minus}11.0"]
    assert ax.get_title() == "CSAT: 2026 against 2025"
    assert ax.get_xlabel() == "Change in CSAT, percentage points"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Mix", "Within", "Total"]


def _flat(item: LineCollection) -> bool:
    return all(np.ptp(np.asarray(segment)[:, 1]) == 0 for segment in item.get_segments())


def test_waterfall_of_points_and_scale_points() -> None:
    answers = FRAME.assign(year=np.where(FRAME["day"] < "2026-04", 2025, 2026)).dropna()
    table = lk.nps(answers, "score", by=["year", "sector"])
    ax = plot.change_waterfall(change(table))
    assert ax.get_xlabel() == "Change in NPS, points"
    ces = lk.ces(answers, "score", by=["year", "sector"], scale=(0, 10))
    ax = plot.change_waterfall(change(ces))
    assert ax.get_xlabel() == "Change in CES, scale points"
    assert all(len(text.get_text().split(".")[1]) == 2 for text in ax.texts)


def test_waterfall_of_periods_and_groups() -> None:
    table = lk.nps(FRAME.dropna().assign(land="x"), "score", by=["land", "sector"], time="day")
    parts = lk.explain_change(table, "period", reference="previous", segment="sector")
    assert plot.change_waterfall(parts).get_title() == "NPS: x, 2026-04 against 2026-03"
    nested = change(
        satisfied().assign(tier="new")[["tier", *satisfied().columns]], ["sector", "tier"]
    )
    assert labels(plot.change_waterfall(nested))[0] == "B2B, new: mix"


def test_waterfall_without_estimates() -> None:
    nothing = satisfied().assign(satisfied=0, n=0)
    ax = plot.change_waterfall(change(nothing))
    assert labels(ax)[0] == "B2B: mix (no estimate)"
    assert labels(ax)[-1] == "Total change (no estimate)"
    assert bars(ax) == []
    assert [text.get_text() for text in ax.texts] == []
    # Clusters: parts without errors have no lines across them.
    ax = plot.change_waterfall(change().assign(ci_low=np.nan, ci_high=np.nan))
    assert len(bars(ax)) == 5
    assert not any(_flat(item) for item in ax.collections if item.get_paths())  # type: ignore[arg-type]
    half = change()
    half.loc[1, ["estimate", "ci_low", "ci_high"]] = np.nan
    ax = plot.change_waterfall(half)
    assert labels(ax)[1] == "B2B: within (no estimate)"
    assert sorted(row for _, row, *_ in bars(ax)) == [0, 2, 3]


def test_waterfall_of_one_change_only() -> None:
    parts = change(satisfied(3))
    with pytest.raises(ParameterError, match=r"changes of several 'year': '2026', '2027'\. Select"):
        plot.change_waterfall(parts)
    one = plot.change_waterfall(parts[parts["year"] == 2027])
    assert one.get_title() == "CSAT: 2027 against 2025"
    with pytest.raises(ParameterError, match="result is not a table of explain_change: it lacks"):
        plot.change_waterfall(satisfied())


def test_waterfall_without_rows(engine: Engine) -> None:
    rows = engine.frame({"year": [2025], "sector": ["B2B"], "score": [9]})
    ax = plot.change_waterfall(change(lk.nps(rows, "score", by=["year", "sector"])))
    assert labels(ax) == []
    assert "no rows" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_waterfall_rows_do_not_overlap(count: int) -> None:
    names = ["Department of Environmental Protection and Public Works", *map(str, range(1, count))]
    table = lk.csat_from_counts(
        satisfied=range(2 * count),
        n=[40] * (2 * count),
        labels={"year": [2025] * count + [2026] * count, "sector": names * 2},
    )
    ax = plot.change_waterfall(change(table))
    figure = ax.figure
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) == 2 * count + 1
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))
    box = ax.get_tightbbox()
    assert box is not None
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


def test_waterfall_in_every_engine(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "year": [2025, 2025, 2026, 2026, 2026],
        "sector": ["B2B", None, "B2B", None, "B2B"],
        "score": [9, 3, 8, 10, 10],
    }

    def seen(frame: Any) -> Any:
        table = lk.nps(frame, "score", by=["year", "sector"])
        ax = plot.change_waterfall(change(table))
        texts = [text.get_text() for text in ax.texts]
        return labels(ax), bars(ax), texts, ax.get_title(), ax.get_xlabel()

    assert seen(engine.frame(columns)) == seen(pd.DataFrame(columns))
    assert seen(pd.DataFrame(columns))[0][2] == "(missing): mix"


def test_parts_differ_in_grey() -> None:
    fills = [
        np.array(to_rgb(fill)) @ [0.2126, 0.7152, 0.0722]
        for fill in _waterfall_plots.PARTS.values()
    ]
    assert min(abs(a - b) for a, b in zip(fills, [*fills[1:], fills[0]], strict=True)) > 0.15


def test_waterfall_draws_on_given_axes_and_leaves_the_table() -> None:
    parts = change()
    before = parts.copy(deep=True)
    figure, (first, second) = plt.subplots(1, 2, figsize=(14, 4), layout="constrained")
    assert plot.change_waterfall(parts, ax=second) is second
    assert plt.get_fignums() == [figure.number]
    assert not first.has_data()
    pd.testing.assert_frame_equal(parts, before)
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, not Figure"):
        plot.change_waterfall(parts, ax=figure)  # type: ignore[arg-type]
