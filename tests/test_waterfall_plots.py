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


# ---- revenue_bridge -----------------------------------------------------------------------------

DEFINITION = "basis=log;freq=month;trailing=1;reactivation=apart;amount=mrr"
BRIDGE = ["Start", "New", "Reactivation", "Expansion", "Contraction", "Churned", "End"]
MINUS = "\N{MINUS SIGN}"
# At the start a pays 100, b 50, c 30 and d 20; at the end a 120, b 40 and e 70.
WORKED: dict[str, float] = {
    **{"new": 70, "expansion": 20, "contraction": 10, "churned": 50, "reactivation": 0},
}


def revenue(
    *movements: dict[str, float], start: float = 200.0, first: str = "2026-02-01", **columns: Any
) -> pd.DataFrame:
    """Return the table of a chain of months, each of which starts with what the last ended with."""
    rows = []
    for period, moves in zip(
        pd.date_range(first, periods=len(movements), freq="MS"), movements, strict=True
    ):
        up = moves["new"] + moves["expansion"] + moves["reactivation"]
        end = start + up - moves["contraction"] - moves["churned"]
        amounts = {"start": float(start), **{name: float(moves[name]) for name in WORKED}}
        for metric, gain in (("grr", 0.0), ("nrr", moves["expansion"])):
            kept = start - moves["contraction"] - moves["churned"] + gain
            rows.append(
                {
                    "period": period,
                    "coverage": "observed",
                    "metric": metric,
                    **amounts,
                    "end": end,
                    "estimate": 100 * kept / start if start else np.nan,
                }
            )
        start = end
    return pd.DataFrame(rows).assign(
        ci_low=lambda t: t["estimate"] - 5,
        ci_high=lambda t: t["estimate"] + 5,
        confidence_level=0.95,
        definition=DEFINITION,
        **columns,
    )


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def drawn(ax: Axes) -> list[tuple[str, float, float]]:
    """Return for each bar, from top to bottom: its series, where it begins and where it ends."""
    return [
        (name, left, left + width)
        for name, _, left, width in sorted(bars(ax), key=lambda bar: bar[1])
    ]


def test_bridge_leads_from_the_start_to_the_end() -> None:
    ax = plot.revenue_bridge(revenue(WORKED))
    assert labels(ax) == BRIDGE
    assert [name for name, *_ in drawn(ax)] == ["total", *["gained"] * 3, *["lost"] * 2, "total"]
    places = [(0, 200), (200, 270), (270, 270), (270, 290), (290, 280), (280, 230), (0, 230)]
    assert [bar[1:] for bar in drawn(ax)] == places
    assert texts(ax) == [
        "200",
        "+70 (+35.0%)",
        "0 (0.0%)",
        "+20 (+10.0%)",
        f"{MINUS}10 ({MINUS}5.0%)",
        f"{MINUS}50 ({MINUS}25.0%)",
        "230",
    ]
    assert ax.get_title().split("\n") == [
        "Revenue bridge: 2026-02",
        "GRR 70.0% (95% interval 65.0 to 75.0)",
        "NRR 80.0% (95% interval 75.0 to 85.0)",
    ]
    assert ax.get_xlabel() == "Amount (mrr)"
    assert ax.get_xlim()[0] < 0 < 290 < ax.get_xlim()[1]


def test_bridge_of_each_engine(engine: Engine) -> None:
    table = revenue(WORKED)
    columns: dict[str, list[Any]] = {
        str(name): [value.date() if name == "period" else value for value in table[name].tolist()]
        for name in table
    }
    ax = plot.revenue_bridge(engine.frame(columns))
    assert texts(ax) == texts(plot.revenue_bridge(table))
    assert ax.get_title() == plot.revenue_bridge(table).get_title()


def test_months_are_one_bridge_from_the_first_start_to_the_last_end() -> None:
    table = revenue(WORKED, {**WORKED, "new": 5, "churned": 100}, {**WORKED, "reactivation": 3})
    ax = plot.revenue_bridge(table[::-1])
    assert [end - start for _, start, end in drawn(ax)] == [200, 145, 3, 60, -30, -200, 178]
    assert drawn(ax)[-2][2] == drawn(ax)[-1][2] == table["end"].iloc[-1]
    assert ax.get_title() == "Revenue bridge: 2026-02 to 2026-04"  # no rate is told


def test_what_is_not_whole_is_left_out_of_several() -> None:
    table = revenue(WORKED, WORKED, {**WORKED, "churned": 150})
    coverage = np.repeat(["unobserved", "observed", "partial"], 2)
    table["coverage"] = coverage
    table.loc[coverage == "unobserved", [*WORKED, "start", "end", "estimate"]] = np.nan
    ax = plot.revenue_bridge(table)
    assert ax.get_title().startswith("Revenue bridge: 2026-03\nGRR")
    assert ax.get_xlabel() == "Amount (mrr)\n(without 2026-04, still running)"
    assert not any(bar.get_hatch() for series in ax.containers for bar in series)
    running = plot.revenue_bridge(table[coverage == "partial"])
    assert running.get_title().startswith("Revenue bridge: 2026-04 (partial)\n")
    assert all(bar.get_hatch() for series in running.containers for bar in series)
    unknown = plot.revenue_bridge(table[coverage == "unobserved"])
    assert unknown.get_title() == "Revenue bridge: 2026-02 (unobserved)"
    assert texts(unknown) == ["no known start"]
    assert bars(unknown) == []


def test_months_that_do_not_lead_to_one_another_are_refused() -> None:
    table = revenue(*[WORKED] * 3)
    with pytest.raises(ParameterError, match=r"several periods that are not consecutive\. Select"):
        plot.revenue_bridge(table[table["period"] != "2026-03-01"])
    moved = table.assign(start=lambda t: t["start"] + 10 * (t["period"] == "2026-03-01"))
    found = "do not follow on: 2026-02 ends with 230 and 2026-03 starts with 240"
    with pytest.raises(ParameterError, match=found):
        plot.revenue_bridge(moved)
    yearly = table.assign(definition=DEFINITION.replace("trailing=1", "trailing=12"))
    with pytest.raises(ParameterError, match=r"periods of trailing=12, which overlap\. Select one"):
        plot.revenue_bridge(yearly)
    one = plot.revenue_bridge(yearly[:2])
    assert one.get_title().split("\n")[:2] == ["Revenue bridge: 2026-02", "trailing 12"]


def test_bridge_of_one_group_only() -> None:
    both = [revenue(WORKED, sector=name) for name in ("B2B", "B2C")]
    table = pd.concat(both)[["sector", *revenue(WORKED)]]
    with pytest.raises(ParameterError, match=r"several 'sector': 'B2B', 'B2C'\. Select one"):
        plot.revenue_bridge(table)
    ax = plot.revenue_bridge(table[table["sector"] == "B2C"])
    assert ax.get_title().startswith("Revenue bridge: B2C, 2026-02\n")
    with pytest.raises(ParameterError, match="several rows of period 2026-02-01, metric grr"):
        plot.revenue_bridge(pd.concat([revenue(WORKED)] * 2))


def test_start_of_zero_has_no_shares_and_no_rates() -> None:
    nothing = dict.fromkeys(WORKED, 0.0)
    ax = plot.revenue_bridge(revenue({**nothing, "new": 500.0}, start=0.0))
    assert texts(ax) == ["0", "+500", "0", "0", "0", "0", "500"]
    assert ax.get_title() == "Revenue bridge: 2026-02"
    ax = plot.revenue_bridge(revenue(nothing, start=0.0))
    assert texts(ax) == ["0"] * 7
    assert ax.get_xlim() == (0, 1)


def test_wrong_bridges_are_refused_and_empty_ones_drawn() -> None:
    with pytest.raises(ParameterError, match="result is not a table of revenue_retention: it lack"):
        plot.revenue_bridge(satisfied())
    table = revenue(WORKED)
    mixed = pd.concat([table, table.assign(definition="x")])
    with pytest.raises(ParameterError, match="result mixes definition"):
        plot.revenue_bridge(mixed)
    figure, ax = plt.subplots(layout="constrained")
    assert plot.revenue_bridge(revenue(WORKED)[:0], ax=ax) is ax
    assert texts(ax) == ["no rows"]
    assert figure.axes == [ax]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.05, "0.05"),
        (12.5, "12.5"),
        (999.4, "999"),
        (999.6, "1 k"),
        (85_349.0, "85.3 k"),
        (999_950.0, "1 M"),
        (1_234_567.0, "1.23 M"),
        (-1_234_567_890.0, f"{MINUS}1.23 bn"),
        (1.5e12, "1.5 tn"),
        (4.56789e18, "4,570,000 tn"),
    ],
)
def test_amounts_are_short(value: float, text: str) -> None:
    assert _waterfall_plots._short(value, "en") == text


@pytest.mark.parametrize("size", [(3.5, 3.0), (7.0, 4.0), (16.0, 4.0)])
def test_amounts_along_the_axis_never_overlap(size: tuple[float, float]) -> None:
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    plot.revenue_bridge(revenue({**WORKED, "new": 1_560_000}, start=1_234_567.0), ax=ax)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert len(boxes) > 1
