"""The picture of survival: who is still a customer, and how many are at risk."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _drawing, _fitting, _frame, _language, _results, _survival
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]

# Told apart once more than by colour; 4 of them and 7 colours make 28 lines, no two alike.
STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)))
STROKES = 30  # so many durations with censored customers are marked, more are a hatching

_NAME_WIDTH = 20  # characters of a name beside the numbers at risk
_TICKS = 8
# In sizes of the small font: the first line below the label of the axis, a line, between rows.
_BELOW, _LINE, _BETWEEN = 4.2, 1.25, 0.35
_SAMPLE = 2.8  # the length of a line that says which it is


class _Curve(NamedTuple):
    """One line: its place among the keys, its names, its median in words, its steps in order."""

    place: int
    name: str
    label: str
    median: str
    duration: FloatArray
    at_risk: FloatArray
    censored: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray


# ---- public -------------------------------------------------------------------------------------


def survival(
    result: Any, *, at_risk: bool = True, language: Language = "en", ax: Axes | None = None
) -> Axes:
    """Draw survival curves as the steps that they are, and below them how many are at risk.

    A line for every group, with its interval as a band. Below the axis stands for each of its ticks
    how many customers are at risk at that duration: where they are few, a curve rests on few.

    Parameters
    ----------
    result : DataFrame
        A table of `survival_curve`; a pandas, Polars or PyArrow frame.
    at_risk : bool, optional
        Whether the numbers at risk stand below the axis.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels and the numbers. By default a new figure, as high as the numbers need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the lines.

    Raises
    ------
    ParameterError
        If `result` is no table of `survival_curve`, mixes confidence levels, has rows without a
        duration, or several rows of one group and duration.

    Notes
    -----
    The axis is the whole of 0 to 100 %. A band is the confidence interval of each duration alone;
    there is none where the table has none: before the first event, and where nobody is left. Up to
    four lines have one. Up to 30 durations at which customers were censored are marked by strokes.

    The median is the first duration at which no more than half are left, the middle of the stretch
    where it is exactly half. Without the numbers at risk a legend at the right tells the lines
    apart, with the median and how many came under observation.

    The number at risk at a tick counts those under observation just before it. In a weighted table
    it counts customers, not weights. The ticks are those for which numbers were written: set
    ``at_risk=False`` to place your own.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> customers = pd.DataFrame({"months": [1, 2, 2, 3], "left": [True, True, False, False]})
    >>> table = lk.survival_curve(customers, "months", "left")
    >>> ax = lk.plot.survival(table)
    >>> [text.get_text() for text in ax.texts]
    ['At risk', 'Median', 'All', '2.5', '4', '4', '3', '1']
    """
    if not isinstance(at_risk, bool):
        _checks.wrong_type("at_risk", at_risk, "True or False")
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _results.SURVIVAL, "survival_curve")
    level = _drawing.constant(frame, "confidence_level")
    _drawing.constant(frame, "unit")
    keys = frame.columns[: frame.columns.index("duration")]
    _drawing.refuse_twice(frame, (*keys, "duration"))
    several, alone = _drawing.parted(frame, keys)
    curves = _ordered(_curves(frame, several or alone[-1:], language))
    group = _drawing.group_title(frame, alone if several else alone[:-1], "", language)
    lines = sum(curve.name.count("\n") + 1 for curve in curves) + 1 if at_risk else 0
    ax = _drawing.opened(ax, 8.0, 28.0 + 1.3 * lines)
    name = _language.say("Survival", language)
    ax.set_title(f"{name}: {group}" if group else name if curves else "", parse_math=False)
    _drawing.tidy(ax)
    known = [curve for curve in curves if not np.isnan(curve.estimate).all()]
    if not known:
        ax.set(xticks=[], yticks=[])
        _drawing.say_empty(ax, language, "no data" if curves else "no rows")
        return ax
    banded = len(curves) <= _drawing.BANDS and any((~np.isnan(curve.low)).any() for curve in curves)
    left = _language.say("Still customers", language)
    ax.set_ylabel(_drawing.axis_name(left, "percent", level if banded else None, language))
    marked = 0 < sum(int((curve.censored > 0).sum()) for curve in curves) <= STROKES
    along = "Duration (strokes: censored)" if marked else "Duration"
    ax.set_xlabel(_language.word(along, language))
    drawn = _lines(ax, curves, banded=banded, marked=marked)
    ax.set_ylim(0, 103)
    ax.set_yticks([0, 25, 50, 75, 100])
    ax.grid(axis="y", color=_drawing.GUIDE, linewidth=0.6)
    ax.set_axisbelow(True)
    if not at_risk:
        _drawing.line_legend(ax, drawn, length=_SAMPLE)
    _durations(ax, curves, drawn if at_risk else [], language)
    return _fitting.fit(ax)


# ---- reading ------------------------------------------------------------------------------------


def _curves(frame: _frame.Frame, keys: list[str], language: str) -> list[_Curve]:
    """Return the lines, in the order of their keys."""
    if not len(frame):
        return []
    columns = ("duration", "at_risk", "censored", "estimate", "ci_low", "ci_high")
    values = np.array([_drawing.floats(frame, name) for name in columns])
    if np.isnan(values[0]).any():
        msg = "result has rows without a duration. Leave them out."
        raise ParameterError(msg)
    entered = _drawing.floats(frame, "entered")
    groups = _frame.group(frame, keys)
    order = np.lexsort((values[0], groups.codes))
    starts = np.searchsorted(groups.codes[order], np.arange(groups.size))
    medians = _survival.first_at_most(values[3, order] / 100, 0.5, values[0, order], starts)
    names = _drawing.group_names(groups, keys, "", language)
    curves = []
    for i, rows in enumerate(np.split(order, starts[1:])):
        n = np.nansum(entered[rows])
        nobody = _language.say("no data", language)
        median = _median_text(float(medians[i]), language) if n else nobody
        said = _language.say("median {median}", language, median=median) if n else nobody
        note = _drawing.base(n, language, said)
        label = _drawing.line_name(names[i], note)
        curves.append(
            _Curve(i, textwrap.fill(names[i], _NAME_WIDTH), label, median, *values[:, rows])
        )
    return curves


def _ordered(curves: list[_Curve]) -> list[_Curve]:
    """Return the lines in the order in which they end, from top to bottom."""
    known = [curve.estimate[~np.isnan(curve.estimate)] for curve in curves]
    last = [values[-1] if len(values) else -np.inf for values in known]
    return [curves[i] for i in np.argsort(-np.array(last), kind="stable").tolist()]


def _median_text(median: float, language: str) -> str:
    """Return the median in words."""
    if np.isnan(median):
        return _language.say("not reached", language)
    digits = ".10g" if 2 * median == round(2 * median) else ".1f" if median >= 100 else ".3g"
    return _language.number(median, f"{{:,{digits}}}", language)


# ---- drawing ------------------------------------------------------------------------------------


def _lines(ax: Axes, curves: list[_Curve], *, banded: bool, marked: bool) -> list[Line2D]:
    """Draw the lines with their bands and strokes; return the lines."""
    named = []
    for curve in curves:
        # By the keys, so that a group looks alike in every picture.
        colour = _drawing.LINES[curve.place % len(_drawing.LINES)]
        named.append(_line(ax, curve, colour, STYLES[curve.place % len(STYLES)]))
        if banded:
            _band(ax, curve, colour)
        if marked:
            rows = curve.censored > 0
            ax.plot(
                curve.duration[rows],
                curve.estimate[rows],
                linestyle="none",
                marker="|",
                markersize=7,
                color=colour,
                label="_censored",
            )
    return named


def _line(ax: Axes, curve: _Curve, colour: str, style: Any) -> Line2D:
    x, y = curve.duration, curve.estimate
    if len(x) and x[0] == 0 and y[0] < 100:  # some were lost at once
        x, y = np.append(0.0, x), np.append(100.0, y)
    (line,) = ax.plot(
        x,
        y,
        drawstyle="steps-post",
        color=colour,
        linestyle=style,
        linewidth=1.6,
        label=curve.label,
    )
    return line


def _band(ax: Axes, curve: _Curve, colour: str) -> None:
    """Draw the interval of each step as wide as the step is."""
    x = np.stack([curve.duration[:-1], curve.duration[1:]], axis=1).ravel()
    low, high = (np.repeat(side[:-1], 2) for side in (curve.low, curve.high))
    ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)


def _durations(ax: Axes, curves: list[_Curve], drawn: list[Line2D], language: str) -> None:
    """Set the axis of the durations, and write below it how many of each line drawn are at risk."""
    from matplotlib.ticker import MaxNLocator

    durations = np.concatenate([curve.duration for curve in curves])
    end = float(durations.max()) or 1.0
    ax.set_xlim(-0.015 * end, 1.015 * end)
    most = max(float(np.nanmax(curve.at_risk, initial=0.0)) for curve in curves)
    digits = len(f"{most:,.0f}")
    _rows(ax, curves, drawn, digits, language)
    need = max(
        (0.64 * digits + 1.2) * _drawing.font_size("small"),
        (0.64 * len(f"{end:,.5g}") + 1.2) * _drawing.font_size("medium"),
    )
    bins = int(min(max(_drawing.extent(ax)[0] // need, 1), _TICKS))
    whole = bool((durations == np.floor(durations)).all())
    places = MaxNLocator(nbins=bins, integer=whole, steps=[1, 2, 5, 10]).tick_values(0, end)
    # Written once: 3 times 0.1 is no more than 0.3.
    ticks = np.array([float(f"{tick:.10g}") for tick in places])
    ticks = ticks[(ticks >= 0) & (ticks <= end)]
    ax.set_xticks(ticks, [_language.number(tick, "{:,.10g}", language) for tick in ticks.tolist()])
    down = _BELOW + _LINE
    for curve, _ in zip(curves, drawn, strict=False):
        for tick, n in zip(ticks.tolist(), _at_risk(curve, ticks).tolist(), strict=True):
            text = "" if np.isnan(n) else _language.number(n, "{:,.0f}", language)
            # Not where somebody cuts the axis afterwards.
            _below(
                ax,
                text,
                (tick, 0.0),
                -down,
                xycoords=ax.get_xaxis_transform(),
                annotation_clip=True,
            )
        down += _height(curve)


def _at_risk(curve: _Curve, ticks: FloatArray) -> FloatArray:
    """Return how many are at risk at each tick: as many as at the next duration; then nobody."""
    return np.append(curve.at_risk, 0.0)[np.searchsorted(curve.duration, ticks, side="left")]


def _rows(ax: Axes, curves: list[_Curve], drawn: list[Line2D], digits: int, language: str) -> None:
    """Write below the axis the rows of the lines drawn: name and line at the left, median right."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Affine2D, ScaledTranslation

    if not drawn:
        return
    figure: Any = ax.figure
    axes: Any = ax.transAxes
    inches = Affine2D().scale(_drawing.font_size("small") / 72)
    # From the lower left corner, in font sizes.
    corner = inches + figure.dpi_scale_trans + ScaledTranslation(0, 0, axes)
    off = 0.32 * digits + 0.8  # clear of a number that is centred on the end of the axis
    left = -off - _SAMPLE - 0.6
    heads = _language.say("At risk", language), _language.say("Median", language)
    right = off + 0.62 * max(len(text) for text in (heads[1], *(curve.median for curve in curves)))
    _below(ax, heads[0], (0, 0), -_BELOW, left, ha="right")
    _below(ax, heads[1], (1, 0), -_BELOW, right, ha="right")
    down = _BELOW + _LINE
    for curve, line in zip(curves, drawn, strict=True):
        _below(ax, curve.name, (0, 0), -down, left, ha="right")
        _below(ax, curve.median, (1, 0), -down, right, ha="right")
        sample = Line2D([-off - _SAMPLE, -off], [-down - 0.5] * 2, transform=corner, clip_on=False)
        sample.update_from(line)
        sample.set(transform=corner, clip_on=False, drawstyle="default", label="_sample")
        ax.add_artist(sample)
        down += _height(curve)


def _height(curve: _Curve) -> float:
    return _LINE * (curve.name.count("\n") + 1) + _BETWEEN


def _below(
    ax: Axes, text: str, at: tuple[float, float], down: float, aside: float = 0.0, **options: Any
) -> None:
    """Write a text below the axis, so many font sizes down and aside of a place on it."""
    ax.annotate(
        text,
        at,
        xytext=(aside, down),
        textcoords="offset fontsize",
        va="top",
        fontsize="small",
        linespacing=1.1,
        parse_math=False,
        **{"xycoords": "axes fraction", "ha": "center", **options},
    )
