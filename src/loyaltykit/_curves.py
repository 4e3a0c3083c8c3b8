"""Lines with bands, as pictures draw them: by age or by period, and what says which is which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _drawing, _frame, _language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Told apart once more than by colour.
MARKERS = "osD^vPX"
# From early to late: cohorts have an order, and dark lines are read first.
ORDERED = ("#9DBFD8", "#003A61")
MARKED = 40  # so many points have a marker each, more of them one here and there
NAMED = 8  # so many cohorts have a key each, more of them a scale


class Curve(NamedTuple):
    """One line: what it is called, and its points in order of age or period."""

    name: str
    age: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    partial: Mask


def keys_of(frame: _frame.Frame, along: str) -> list[str]:
    """Return the keys of a metric table, but for the one that the axis is along."""
    head = frame.columns[: frame.columns.index("metric")]
    return [name for name in head if name not in (along, "coverage")]


def banded(curves: list[Curve]) -> bool:
    return len(curves) <= _drawing.BANDS and any((~np.isnan(curve.low)).any() for curve in curves)


def legend_height(curves: list[Curve]) -> float:
    """Return the height that all names need, in font sizes."""
    return 6.0 + sum(1.25 * (curve.name.count("\n") + 1) + 0.5 for curve in curves)


def sizes(n: FloatArray, language: str, *, falling: bool = True) -> str:
    """Return the base size; pooled cohorts have a smaller one the older they are."""
    known = n[~np.isnan(n)]
    if not len(known):
        return f"({_language.say('unobserved', language)})"
    most, least = float(known.max()), float(known.min())
    if most == 0:
        return _drawing.base(0, language, _language.say("no data", language))
    if most == least:
        return _drawing.base(most, language)
    first, last = (
        _language.number(size, "{:,.0f}", language)
        for size in ((most, least) if falling else (least, most))
    )
    return f"(n = {_language.say('{first} to {last}', language, first=first, last=last)})"


def draw(ax: Axes, curves: list[Curve], language: str, *, banded: bool, ordered: bool) -> None:
    """Draw the lines, and say at the right which is which."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("early to late", list(ORDERED))
    shares = np.linspace(0.0, 1.0, max(len(curves), 2)).tolist()
    scaled = ordered and len(curves) > NAMED
    named = []
    for i, curve in enumerate(curves):
        colour = shades(shares[i]) if ordered else _drawing.LINES[i % len(_drawing.LINES)]
        # A marker comes back later than a colour does: no two lines are drawn alike.
        marker = "o" if scaled else MARKERS[(i + i // len(_drawing.LINES)) % len(MARKERS)]
        named.append(_line(ax, curve, colour, "" if scaled else marker, banded=banded))
    if not curves:
        _drawing.say_empty(ax, language)
    elif scaled:
        _order_bar(ax, [curve.name for curve in curves], shades)
    else:
        # In the order in which the lines end, from top to bottom; cohorts in their own.
        known = [curve.estimate[~np.isnan(curve.estimate)] for curve in curves]
        last = [values[-1] if len(values) else -np.inf for values in known]
        order = range(len(curves)) if ordered else np.argsort(-np.array(last), kind="stable")
        _drawing.line_legend(ax, [named[i] for i in order])


def _line(ax: Axes, curve: Curve, colour: Any, marker: str, *, banded: bool) -> Line2D:
    """Draw one line: solid through whole points, dashed to those that are still running."""
    whole = np.where(curve.partial, np.nan, curve.estimate)
    apart = _alone(whole)  # no line leads to these
    known = np.flatnonzero(~np.isnan(whole))
    few = len(curve.age) <= MARKED
    marked = known if few else np.union1d(known[:: MARKED // 4], np.flatnonzero(apart))
    (line,) = ax.plot(
        curve.age,
        whole,
        marker=marker,
        markevery=marked.tolist(),
        color=colour,
        linewidth=1.6,
        markersize=5,
        label=curve.name,
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
        apart = _alone(low)  # a band of one point has no width
        ax.vlines(curve.age[apart], low[apart], high[apart], color=colour, linewidth=1.6)
    return line


def _alone(values: FloatArray) -> Mask:
    """Return which values stand between two that are null, or at an end beside one."""
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    alone: Mask = known[1:-1] & ~known[:-2] & ~known[2:]
    return alone


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


def points(curves: list[Curve], *, banded: bool) -> tuple[FloatArray, FloatArray]:
    """Return where the values are that the axes have to show, and what they are."""
    points = [
        np.stack([curve.age, side], axis=1)
        for curve in curves
        for side in (curve.estimate, *((curve.low, curve.high) if banded else ()))
    ]
    age, value = np.concatenate([*points, np.empty((0, 2))]).T
    return age[~np.isnan(value)], value[~np.isnan(value)]


def scale(ax: Axes, shown: FloatArray, beyond: FloatArray | None = None) -> None:
    """Set the axis of the values: it follows them, not too near, and just holds those beyond."""
    _drawing.tidy(ax)
    ax.grid(axis="y", color=_drawing.GUIDE, linewidth=0.6)
    ax.set_axisbelow(True)
    high = float(shown.max()) or 1.0
    low = _drawing.scale_start(shown)
    if beyond is not None:
        low, high = min(low, beyond.min(initial=low)), max(high, beyond.max(initial=high))
    air = 0.06 * (high - low) or 1.0
    ax.set_ylim(low if low == 0 else low - air, high + air)
