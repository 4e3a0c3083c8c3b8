"""The picture of retention by age, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _drawing, _frame
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Told apart with every kind of colour vision: after Okabe and Ito 2008, https://jfly.uni-koeln.de/
# color/, with the blue and orange of the other pictures. Markers tell them apart once more.
LINES = (_drawing.BLUE, _drawing.ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#7A3B00", "#404040")
MARKERS = "osD^vPX"
# From early to late: cohorts have an order, and dark lines are read first.
ORDERED = ("#9DBFD8", "#003A61")
BANDS = 4  # more of them hide each other
NAMED = 8  # so many cohorts have a key each, more of them a scale

_COHORTS = ("cohort_age", "coverage", "metric", "n", "estimate", "ci_low", "ci_high")


class _Curve(NamedTuple):
    """One line: what it is called, and its points in order of age."""

    name: str
    age: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    partial: Mask


# ---- public -------------------------------------------------------------------------------------


def retention_curves(result: Any, *, ax: Axes | None = None) -> Axes:
    """Draw retention by age: a line for every group, or for every cohort, with its interval.

    Points that nobody can know yet are not drawn. Those that are still running are hollow, and no
    solid line leads to them.

    Parameters
    ----------
    result : DataFrame
        A table of `cohort_retention`, or of `pool` over its cohorts; a pandas, Polars or PyArrow
        frame.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the lines.

    Raises
    ------
    ParameterError
        If `result` is no table of `cohort_retention`, mixes metrics, units or definitions, or holds
        several groups and several cohorts: select one group, or pool the cohorts.

    Notes
    -----
    A band is the confidence interval of each point alone. Up to four lines have one. With more than
    eight cohorts the shade says which is which, from the first to the last.

    At age 0 every customer of a cohort is there. Where all lines start at 100 % and none comes back
    to half of it, the axis ends above the other points, and a note says where the lines come from.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 3, 3],
    ...         "day": ["2026-01-05", "2026-02-06", "2026-01-09", "2026-02-03", "2026-03-02"],
    ...     }
    ... )
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    >>> ax = lk.plot.retention_curves(lk.pool(table, over="cohort"))
    >>> ax.lines[0].get_ydata().tolist()
    [100.0, 66.66666666666667, 0.0]
    """
    frame = _frame.open_frame(result, "result")
    needed = (*_COHORTS, "confidence_level", "unit", "definition")
    _checks.check_result(frame.columns, needed, "cohort_retention")
    metric, unit, definition, level = (
        _drawing.constant(frame, name) or ""
        for name in ("metric", "unit", "definition", "confidence_level")
    )
    keys = [
        name
        for name in frame.columns[: frame.columns.index("metric")]
        if name not in ("cohort_age", "coverage")
    ]
    _drawing.refuse_twice(frame, (*keys, "cohort_age"))
    several = [name for name in keys if len(set(_frame.python_values(frame[name]))) > 1]
    if "cohort" in several and len(several) > 1:
        msg = (
            f"result holds several cohorts of several {several[0]!r}. Select one, or draw "
            'pool(result, over="cohort").'
        )
        raise ParameterError(msg)
    alone = [name for name in keys if name not in several]
    curves = _curves(frame, several or alone[-1:], definition)
    group = _drawing.group_title(frame, alone if several else alone[:-1], definition)
    ax = _drawing.opened(ax, 8.0, 30.0)
    name = _drawing.metric_name(metric)
    banded = len(curves) <= BANDS and any((~np.isnan(curve.low)).any() for curve in curves)
    interval = f" ({100 * level:g}% interval)" if banded else ""
    ax.set(
        xlabel=_drawing.ages_label(definition) if curves else "",
        ylabel=f"{name}, {unit.replace('_', ' ')}{interval}" if curves else "",
    )
    ax.set_title(_drawing.titled(name, group, definition) if curves else "", parse_math=False)
    _lines(ax, curves, banded=banded, ordered=several == ["cohort"])
    _ages(ax, curves, definition, banded=banded)
    return ax


# ---- lines --------------------------------------------------------------------------------------


def _curves(frame: _frame.Frame, keys: list[str], definition: str) -> list[_Curve]:
    """Return the lines in the order of their keys; unobserved points are left out."""
    age, n, estimate, low, high = (
        _drawing.floats(frame, name)
        for name in ("cohort_age", "n", "estimate", "ci_low", "ci_high")
    )
    coverage = [word or "observed" for word in _frame.python_values(frame["coverage"])]
    partial = np.array([word == "partial" for word in coverage], dtype=np.bool_)
    groups = _frame.group(frame, keys)
    texts = [
        _drawing.key_texts(_frame.python_values(groups.keys[name]), name, definition)
        for name in keys
    ]
    names = [", ".join(parts) for parts in zip(*texts, strict=True)] if keys else ["All"]
    curves = []
    for code, name in enumerate(names if len(frame) else []):
        rows = np.flatnonzero(groups.codes == code)
        label = _drawing.row_label(name, _sizes(n[rows]))
        label = f" {label}" if label.startswith("_") else label  # matplotlib would leave it out
        rows = rows[np.argsort(age[rows], kind="stable")]
        known = np.flatnonzero(~np.isnan(estimate[rows]))
        rows = rows[: known[-1] + 1 if len(known) else 0]  # a null between two others parts them
        points = age[rows], estimate[rows], low[rows], high[rows], partial[rows]
        curves.append(_Curve(label, *points))
    return curves


def _sizes(n: FloatArray) -> str:
    """Return the base size; pooled cohorts have a smaller one the older they are."""
    known = n[~np.isnan(n)]
    if not len(known):
        return "(unobserved)"
    most, least = known.max(), known.min()
    if most == 0:
        return "(n = 0, no data)"
    return f"(n = {most:,.0f})" if most == least else f"(n = {most:,.0f} to {least:,.0f})"


def _lines(ax: Axes, curves: list[_Curve], *, banded: bool, ordered: bool) -> None:
    """Draw the lines, and say at the right which is which."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("early to late", list(ORDERED))
    shares = np.linspace(0.0, 1.0, max(len(curves), 2)).tolist()
    scaled = ordered and len(curves) > NAMED
    named = []
    for i, curve in enumerate(curves):
        colour = shades(shares[i]) if ordered else LINES[i % len(LINES)]
        # A marker comes back later than a colour does: no two lines are drawn alike.
        marker = "o" if scaled else MARKERS[(i + i // len(LINES)) % len(MARKERS)]
        named.append(_line(ax, curve, colour, "" if scaled else marker, banded=banded))
    if not curves:
        _drawing.say_empty(ax)
    elif scaled:
        _order_bar(ax, [curve.name for curve in curves], shades)
    else:
        # In the order in which the lines end, from top to bottom; cohorts in their own.
        last = [curve.estimate[-1] if len(curve.estimate) else -np.inf for curve in curves]
        order = range(len(curves)) if ordered else np.argsort(-np.array(last), kind="stable")
        handles = [named[i] for i in order]
        legend = ax.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _line(ax: Axes, curve: _Curve, colour: Any, marker: str, *, banded: bool) -> Line2D:
    """Draw one line: solid through whole points, dashed to those that are still running."""
    whole = np.where(curve.partial, np.nan, curve.estimate)
    few = marker if len(curve.age) <= 40 else ""
    (line,) = ax.plot(
        curve.age, whole, marker=few, color=colour, linewidth=1.6, markersize=5, label=curve.name
    )
    open_ends = curve.partial[:-1] | curve.partial[1:]
    # Each piece by itself: NaN parts it from the next.
    pieces = [
        np.stack([side[:-1], side[1:], np.full(len(open_ends), np.nan)], axis=1)[open_ends].ravel()
        for side in (curve.age, curve.estimate)
    ]
    ax.plot(*pieces, color=colour, linewidth=1.2, linestyle=(0, (2, 2)), label="_dashed")
    ax.plot(
        curve.age[curve.partial],
        curve.estimate[curve.partial],
        linestyle="none",
        marker=marker or "o",
        markersize=5 if marker else 3,
        color=colour,
        markerfacecolor=ax.get_facecolor(),
        label="_partial",
    )
    if banded:
        low, high = (np.where(curve.partial, np.nan, side) for side in (curve.low, curve.high))
        ax.fill_between(curve.age, low, high, color=colour, alpha=0.16, linewidth=0)
        if np.isfinite(low).sum() == 1:  # a band of one point has no width
            ax.vlines(curve.age, low, high, color=colour, linewidth=1.6)
    return line


def _order_bar(ax: Axes, names: list[str], shades: Any) -> None:
    """Say which shade is which cohort, by the first, the middle and the last."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    last = len(names) - 1
    marks = sorted({0, last // 2, last})
    scale = ScalarMappable(Normalize(0, last), shades)
    bar = ax.figure.colorbar(scale, cax=ax.inset_axes((1.02, 0.0, 0.025, 1.0)), ticks=marks)
    bar.ax.set_yticklabels([names[mark] for mark in marks], parse_math=False)
    bar.ax.invert_yaxis()  # in the order of a table, from top to bottom
    bar.ax.tick_params(length=0, labelsize="small")
    bar.outline.set_visible(False)


def _ages(ax: Axes, curves: list[_Curve], definition: str, *, banded: bool) -> None:
    """Set the axes: the whole of all ages, but for a start of 100 % that would flatten the rest."""
    from matplotlib.ticker import MaxNLocator

    _drawing.tidy(ax)
    ax.grid(axis="y", color=_drawing.GUIDE, linewidth=0.6)
    ax.set_axisbelow(True)
    points = [
        np.stack([curve.age, side], axis=1)
        for curve in curves
        for side in (curve.estimate, *((curve.low, curve.high) if banded else ()))
    ]
    age, value = np.concatenate([*points, np.empty((0, 2))]).T
    age, value = age[~np.isnan(value)], value[~np.isnan(value)]
    if not len(value):
        ax.set(xticks=[], yticks=[])
        return
    later = value[age > 0]
    starts = np.concatenate([curve.estimate[curve.age == 0] for curve in curves])
    hidden = len(later) and len(starts) and np.isclose(starts, 100).all() and later.max() <= 50
    shown = later if hidden else value
    high = float(shown.max()) or 1.0
    low = _drawing.scale_start(shown)
    air = 0.06 * (high - low) or 1.0
    ax.set_ylim(low if low == 0 else low - air, high + air)
    ax.set_xlim(age.min() - 0.3, age.max() + 0.3)
    ages = np.unique(age)
    if len(ages) <= 12 and ages[-1] <= 40:  # also ages that begin a bracket
        ax.set_xticks(ages, _drawing.age_texts(ages.tolist(), definition))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(curve.partial.any() for curve in curves):
        ax.set_xlabel(f"{ax.get_xlabel()}\n(hollow and dashed: partial)")
    if hidden:
        ax.set_xlabel(f"{ax.get_xlabel()}\n(at 0 all lines are at 100%, above the picture)")
