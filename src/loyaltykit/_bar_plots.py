"""Pictures with bars: customers by period, times between activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _columns, _drawing, _fitting, _frame, _language, _results
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Who is there at the end of a period, from the bottom up, and who has left.
STAYED = {
    "retained": "#C4C4C4",
    "returned": "#7FB2D6",
    "new": _drawing.BLUE,
    "migrated_in": "#003050",
}
LEFT = {"churned": _drawing.ORANGE, "migrated_out": "#8A5200"}

_GAPS = ("gap", "n", "within", "proposed")
# Days in one bar: whole weeks are compared with whole weeks.
_BINS = (1, 7, 14, 28, 91, 182, 364)
_MOST_BARS = 90
_BARS_END, _STEPS_START = 0.58, 0.68  # of the height of the Axes


# ---- public -------------------------------------------------------------------------------------


def customer_flow(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw who came, stayed and left in each period: stacked bars up and down, and a line.

    Up are those who are there at the end of a period: retained, returned and new. Down are those
    who left. The line is the number at the end. Bars of a period that is still running are hatched.

    Parameters
    ----------
    result : DataFrame
        A table of `customer_flow` for one group; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as wide as the periods need, up to a page.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `customer_flow`, or holds several groups: select one of them.

    Notes
    -----
    The first period of a log has no start: nobody knows who of its customers is new. It shows the
    number at its end alone. Those who moved between the groups of a table are drawn where it counts
    them (columns migrated_in and migrated_out). Those who joined and left within one period
    (joined_and_left) are there neither at its start nor at its end, and are not drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 1, 3], "day": ["2026-01-05"] * 2 + ["2026-02-06"] * 2})
    >>> ax = lk.plot.customer_flow(lk.customer_flow(log, "id", "day", as_of="2026-02-28"))
    >>> [(bars.get_label(), float(bars[0].get_height())) for bars in ax.containers]
    [('retained', 1.0), ('returned', 0.0), ('new', 1.0), ('churned', -1.0)]
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _results.CUSTOMER_FLOW, "customer_flow")
    keys = frame.columns[: frame.columns.index("period")]
    group = _drawing.group_title(frame, keys, "", language)
    _drawing.refuse_twice(frame, ("period",))
    labels = _drawing.key_texts(_frame.python_values(frame["period"]), "period", "")
    coverage = _frame.python_values(frame["coverage"])
    partial = np.array([word == "partial" for word in coverage], dtype=np.bool_)
    ax = _drawing.opened(ax, max(min(0.62 * len(labels), 13.0), 4.0) + 1.4, 32.0)
    title = _drawing.titled(_language.say("Customer flow", language), group, "")
    ax.set_title(title, parse_math=False)
    ax.set_ylabel(_language.say("Customers", language) if labels else "")
    end = _drawing.floats(frame, "end")
    heights = _bars(ax, frame, partial, language)
    shown = np.concatenate([end, *heights, [0.0]])
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown)) or 1.0
    ax.set_ylim(1.12 * low - 0.02 * high, 1.12 * high)
    ax.set_xlim(-0.6, max(len(labels), 1) - 0.4)
    _columns.name_periods(ax, labels, partial, language)
    _ends(ax, end, heights[0], language)
    return _fitting.fit(ax)


def inactivity_gap(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw the times between two activities: how many of each length, and how many within it.

    Below are the times by their length, above the share that is no longer than that, step by step.
    A line marks the proposed gap.

    Parameters
    ----------
    result : DataFrame
        A table of `inactivity_gap` for one group, with the columns gap, n, within and proposed; a
        pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars. The panel with the shares lies within it: ``ax.child_axes[0]``.

    Raises
    ------
    ParameterError
        If `result` is no table of `inactivity_gap`, holds several groups, or proposes several gaps:
        select one of them.

    Notes
    -----
    Up to 90 days every length has a bar; beyond that a bar holds whole weeks, as few as make no
    more than 90 bars. The shares are those of single days whatever the bars are.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> table = pd.DataFrame(
    ...     {
    ...         "gap": [1, 7, 30],
    ...         "n": [2, 6, 2],
    ...         "within": [20.0, 80.0, 100.0],
    ...         "proposed": [False, True, False],
    ...     }
    ... )
    >>> ax = lk.plot.inactivity_gap(table)
    >>> [text.get_text() for text in ax.texts]
    ['Proposed gap: 7 days (80.0% within)']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _GAPS, "inactivity_gap")
    keys = frame.columns[: frame.columns.index("gap")]
    group = _drawing.group_title(frame, keys, "", language)
    _drawing.refuse_twice(frame, ("gap",))
    gap, n, within = (_drawing.floats(frame, name) for name in ("gap", "n", "within"))
    if np.isnan(gap).any() or np.isnan(n).any():
        msg = "result has rows without gap or n. Leave them out."
        raise ParameterError(msg)
    proposed = [place for place, flag in enumerate(_frame.python_values(frame["proposed"])) if flag]
    if len(proposed) > 1:
        found = [f"{gap[place]:g}" for place in proposed]
        msg = f"result proposes several gaps: {', '.join(found)}. Select one."
        raise ParameterError(msg)
    ax = _drawing.opened(ax, 8.0, 34.0)
    title = _drawing.titled(_language.say("Time between activities", language), group, "")
    sized = f"{title} {_drawing.base(n.sum(), language)}" if len(n) else title
    ax.set_title(sized, parse_math=False)
    ax.set_xlabel(_language.say("Days from one to the next", language))
    panel = ax.inset_axes((0.0, _STEPS_START, 1.0, 1 - _STEPS_START), sharex=ax)
    _histogram(ax, gap, n, language)
    _cumulative(panel, gap, within, language)
    note = _language.say("No gap proposed" if len(gap) else "no rows", language)
    if proposed:
        (place,) = proposed
        note = _language.say(
            "Proposed gap: {days} days ({share} within)",
            language,
            days=_language.number(gap[place], "{:,.0f}", language),
            share=_language.number(within[place], "{:.1f}%", language),
        )
        ax.axvline(gap[place], color="black", linewidth=1.2, zorder=3)
        panel.axvline(gap[place], color="black", linewidth=1.2, zorder=3)
    _note(ax, note, gap[proposed])
    return _fitting.fit(ax)


# ---- flows --------------------------------------------------------------------------------------


def _bars(ax: Axes, frame: _frame.Frame, partial: Mask, language: str) -> list[FloatArray]:
    """Draw the bars and what they mean; return where they end above and below."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: dict[str, Any] = {}
    ends = []
    for sign, series in ((1, STAYED), (-1, LEFT)):
        level = np.zeros(len(frame))
        for name, colour in series.items():
            if name not in frame.columns:
                continue
            height = sign * _drawing.floats(frame, name)
            rows = np.flatnonzero(~np.isnan(height))
            bars = ax.bar(
                rows, height[rows], 0.74, level[rows], color=colour, edgecolor="white", label=name
            )
            for place, bar in zip(rows.tolist(), bars, strict=True):
                if partial[place]:
                    bar.set(hatch=_drawing.HATCH, alpha=0.75)
            level[rows] += height[rows]
            keys[name.replace("_", " ")] = colour
        ends.append(level)
    ax.axhline(0, color=_drawing.LINE, linewidth=1)
    _drawing.tidy(ax)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    keys["at the end"] = Line2D([], [], color="black", linewidth=1.6)
    if partial.any():
        keys["partial"] = Patch(
            facecolor=_drawing.LINE, edgecolor="white", hatch=_drawing.HATCH, alpha=0.75
        )
    if len(frame):
        # Closer than usual: no label of an axis lies between.
        _drawing.legend(ax, keys, pad=3.6 if partial.any() else 2.2, language=language)
    return ends


def _ends(ax: Axes, end: FloatArray, tops: FloatArray, language: str) -> None:
    """Mark the number at the end of each period, and write it where all of them fit."""
    rows = np.flatnonzero(~np.isnan(end))
    ax.hlines(end[rows], rows - 0.37, rows + 0.37, color="black", linewidth=1.6, zorder=3)
    _columns.write_above(ax, end, np.fmax(end, tops), language)


# ---- gaps ---------------------------------------------------------------------------------------


def _histogram(ax: Axes, gap: FloatArray, n: FloatArray, language: str) -> None:
    """Draw the numbers on the lower part of the Axes, by whole weeks where they are many."""
    from matplotlib.ticker import MaxNLocator

    _drawing.tidy(ax)
    if not len(gap):
        ax.set(xticks=[], yticks=[], xlabel="")
        return
    most = gap.max() + 1
    wide = next((days for days in _BINS if days * _MOST_BARS >= most), -(-most // _MOST_BARS))
    bars = np.bincount((gap // wide).astype(np.int64), weights=n)
    places = np.flatnonzero(bars)
    left = places * wide - 0.5
    thin = 0.8 if most <= 45 else 1.0
    ax.bar(left + wide / 2, bars[places], wide * thin, color=_drawing.BLUE, label="n")
    top = float(bars.max()) or 1.0
    ax.set_ylim(0, top / _BARS_END)
    ax.set_xlim(-0.5, len(bars) * wide - 0.5)
    ticks = np.array(MaxNLocator(nbins=4, integer=True).tick_values(0, top))
    shown = ticks[ticks <= top]
    texts = [_language.number(tick, "{:,.0f}", language) for tick in shown.tolist()]
    ax.set_yticks(shown, texts)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    unit = _language.say("Times", language)
    if wide > 1:
        days = _language.number(wide, "{:,.0f}", language)
        unit = _language.say("Times, by {days} days", language, days=days)
    ax.set_ylabel(unit, y=_BARS_END / 2)


def _cumulative(ax: Axes, gap: FloatArray, within: FloatArray, language: str) -> None:
    """Draw the share that is no longer than a gap, as the steps that it is."""
    _drawing.tidy(ax)
    ax.tick_params(axis="x", labelbottom=False, length=0)
    if not len(gap):
        ax.set_visible(False)
        return
    order = np.argsort(gap, kind="stable")
    end = max(ax.get_xlim()[1], float(gap.max()))
    x = np.concatenate([[min(0.0, float(gap.min()))], gap[order], [end]])
    y = np.concatenate([[0.0], within[order], within[order][-1:]])
    ax.step(x, y, where="post", color=_drawing.BLUE, linewidth=1.6)
    ax.set_ylim(0, 104)
    ax.set_yticks([0, 50, 100])
    ax.grid(axis="y", color=_drawing.GUIDE, linewidth=0.6)
    ax.set_ylabel(_language.say("Within, percent", language))


def _note(ax: Axes, text: str, places: FloatArray) -> None:
    """Write the note between the two parts, beside the line that it speaks of."""
    low, high = ax.get_xlim()
    place = float(places[0]) if len(places) else low
    right = place > (low + high) / 2
    ax.annotate(
        text,
        (place, (_BARS_END + _STEPS_START) / 2),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-5 if right else 5, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        fontsize="small",
    )
