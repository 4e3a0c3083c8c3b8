"""Pictures with lines: retention by age, estimates by period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _drawing, _frame, _language, _results
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Told apart once more than by colour.
MARKERS = "osD^vPX"
# From early to late: cohorts have an order, and dark lines are read first.
ORDERED = ("#9DBFD8", "#003A61")
MARKED = 40  # so many points have a marker each, more of them one here and there
NAMED = 8  # so many cohorts have a key each, more of them a scale

# Where one side of a value is another matter than the other.
REFERENCES = {"nrr": 100.0, "quick_ratio": 1.0, "points": 0.0}

# Compare tables lack one of these: their interval is not that of an estimate.
_TREND = ("period", "metric", "n", "n_missing", *_results.ESTIMATES, *_results.WORDS)
_COHORTS = ("cohort_age", "coverage", "metric", "n", "estimate", "ci_low", "ci_high")


class _Curve(NamedTuple):
    """One line: what it is called, and its points in order of age or period."""

    name: str
    age: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    partial: Mask


# ---- public -------------------------------------------------------------------------------------


def retention_curves(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw retention by age: a line for every group, or for every cohort, with its interval.

    Points that nobody can know yet are not drawn. Those that are still running are hollow, and no
    solid line leads to them.

    Parameters
    ----------
    result : DataFrame
        A table of `cohort_retention`, or of `pool` over its cohorts; a pandas, Polars or PyArrow
        frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
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
    keys = _keys(frame, "cohort_age")
    _drawing.refuse_twice(frame, (*keys, "cohort_age"))
    several, alone = _drawing.parted(frame, keys)
    if "cohort" in several and len(several) > 1:
        msg = (
            f"result holds several cohorts of several {several[0]!r}. Select one, or draw "
            'pool(result, over="cohort").'
        )
        raise ParameterError(msg)
    curves = _curves(frame, several or alone[-1:], definition, language)
    group = _drawing.group_title(frame, alone if several else alone[:-1], definition, language)
    ax = _drawing.opened(ax, 8.0, max(30.0, _legend_height(curves)))
    name = _drawing.metric_name(metric, language)
    banded = _banded(curves)
    ax.set(
        xlabel=_drawing.ages_label(definition, language) if curves else "",
        ylabel=_drawing.axis_name(name, unit, level if banded else None, language)
        if curves
        else "",
    )
    title = _drawing.titled(name, group, definition, language)
    ax.set_title(title if curves else "", parse_math=False)
    _lines(ax, curves, language, banded=banded, ordered=several == ["cohort"])
    _ages(ax, curves, definition, language, banded=banded)
    return ax


def trend(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw a metric by period: a line for every group, with its interval as a band.

    Where a period is not observed or has no estimate the line is parted. A period that is still
    running is hollow, and no solid line leads to it.

    Parameters
    ----------
    result : DataFrame
        A table of a metric function by period, such as `nps` with ``time=``, `retention_rate` or
        `revenue_retention`; a pandas, Polars or PyArrow frame. Several metrics are drawn together
        where they have one unit and one definition, as GRR and NRR do.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
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
        If `result` is no metric table by period, mixes units, definitions or confidence levels, has
        rows without a period, or several rows of one group and period.

    Notes
    -----
    A band is the confidence interval of each period alone. Up to four lines have one; an estimate
    between two gaps has a stroke. Periods stand as far apart as in the calendar. A line is parted
    at a period that the table holds for another group only; it runs on over those that it holds for
    none, such as months between two waves of a survey.

    The axis follows the data. A grey line is where a value turns: 100 % for NRR, which is always
    shown; 0 for points and 1 for the quick ratio, where the axis reaches them.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame(
    ...     {"score": [10, 9, 3, 10, 8, 7], "day": ["2026-01-05"] * 3 + ["2026-02-06"] * 3}
    ... )
    >>> ax = lk.plot.trend(lk.nps(answers, "score", time="day"))
    >>> ax.lines[0].get_ydata().round(1).tolist()
    [33.3, 33.3]
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['2026-01', '2026-02']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _TREND, "a metric function by period")
    unit, definition, level = (
        _drawing.constant(frame, name) or "" for name in ("unit", "definition", "confidence_level")
    )
    metrics = sorted(set(_frame.python_values(frame["metric"])))
    days = _drawing.days(frame, "period")
    keys = _keys(frame, "period")
    _drawing.refuse_twice(frame, (*keys, "metric", "period"))
    several, alone = _drawing.parted(frame, keys)
    group = _drawing.group_title(frame, alone, definition, language)
    place, freq = _places(days, definition)
    curves = _aside(_trends(frame, several, place, definition, language))
    ax = _drawing.opened(ax, 8.0, max(28.0, _legend_height(curves)))
    *others, last = [_drawing.metric_name(metric, language) for metric in metrics] or [""]
    name = f"{', '.join(others)} {_language.say('and', language)} {last}" if others else last
    banded = _banded(curves)
    axis = _drawing.axis_name(name, unit, level if banded else None, language)
    ax.set_ylabel(axis if curves else "")
    how = definition if "freq=" in definition else ""
    title = _drawing.titled(name, group, how, language)
    ax.set_title(title if curves else "", parse_math=False)
    _lines(ax, curves, language, banded=banded, ordered=False)
    if len(curves) == 1 and (legend := ax.get_legend()):
        legend.remove()  # the title says whose line it is
    whole, running = _whole_and_running(curves, banded=banded)
    if not len(whole) + len(running):
        _drawing.tidy(ax)
        ax.set(xticks=[], yticks=[])
        if curves:
            _drawing.say_empty(ax, language, "no estimates")
        return ax
    always = [REFERENCES["nrr"]] if "nrr" in metrics else []
    _values(ax, np.append(whole if len(whole) else running, always), running)
    _references(ax, {unit, *metrics})
    _period_ticks(ax, frame, place, freq, definition)
    _drawing.number_ticks(ax.yaxis, language)
    ax.set_xlabel(_notes(frame, curves, language))
    _drawing.fit_height(ax)
    return ax


# ---- reading ------------------------------------------------------------------------------------


def _keys(frame: _frame.Frame, along: str) -> list[str]:
    """Return the keys of a metric table, but for the one that the axis is along."""
    head = frame.columns[: frame.columns.index("metric")]
    return [name for name in head if name not in (along, "coverage")]


def _banded(curves: list[_Curve]) -> bool:
    return len(curves) <= _drawing.BANDS and any((~np.isnan(curve.low)).any() for curve in curves)


def _aside(curves: list[_Curve]) -> list[_Curve]:
    """Return the curves side by side, where none of them is more than points: seen one by one."""
    known = [~np.isnan(curve.estimate) for curve in curves]
    if any((one[1:] & one[:-1]).any() for one in known):
        return curves
    middle = (len(curves) - 1) / 2
    return [curve._replace(age=curve.age + 0.05 * (i - middle)) for i, curve in enumerate(curves)]


def _legend_height(curves: list[_Curve]) -> float:
    """Return the height that all names need, in font sizes."""
    return 6.0 + sum(1.25 * (curve.name.count("\n") + 1) + 0.5 for curve in curves)


def _places(days: IntArray, definition: str) -> tuple[IntArray, str]:
    """Return where each period stands, in periods from the first, and how long these are.

    Tables of surveys do not say it. They are in months if all begin with one, and in the longest
    step that leads to each of them.
    """
    freq = _drawing.definition_parts(definition).get("freq", "")
    if not len(days):
        return days, freq
    if freq in _checks.FREQUENCIES:
        codes = _calendar.period_codes(days, freq)
        return codes - codes.min(), freq
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    monthly = bool((months == dates).all())
    codes = months.astype(np.int64) if monthly else days
    step = int(np.gcd.reduce(np.diff(np.unique(codes)), initial=0)) or 1
    lengths = {1: "month", 3: "quarter", 12: "year"} if monthly else {1: "day", 7: "week"}
    return (codes - codes.min()) // step, lengths.get(step, "")


def _trends(
    frame: _frame.Frame, keys: list[str], place: IntArray, definition: str, language: str
) -> list[_Curve]:
    """Return the lines in the order of their keys, each at all periods of the table."""
    if not len(frame):
        return []
    periods, column = np.unique(place, return_inverse=True)
    groups = _frame.group(frame, [*keys, "metric"])
    n, estimate, low, high = (
        np.full((groups.size, len(periods)), np.nan) for _ in ("n", "estimate", "low", "high")
    )
    for grid, name in zip(
        (n, estimate, low, high), ("n", "estimate", "ci_low", "ci_high"), strict=True
    ):
        grid[groups.codes, column] = _drawing.floats(frame, name)
    partial = np.zeros(estimate.shape, dtype=np.bool_)
    partial[groups.codes, column] = [word == "partial" for word in _drawing.coverages(frame)]
    metrics = [
        _drawing.metric_name(name, language) for name in _frame.python_values(groups.keys["metric"])
    ]
    names = _drawing.group_names(groups, keys, definition, language)
    if len(set(metrics)) > 1:
        pairs = zip(names, metrics, strict=True)
        names = [f"{name}, {metric}" if keys else metric for name, metric in pairs]
    return [
        _Curve(
            _drawing.line_name(name, _sizes(n[i], language, falling=False)),
            periods.astype(np.float64),
            estimate[i],
            low[i],
            high[i],
            partial[i],
        )
        for i, name in enumerate(names)
    ]


def _curves(frame: _frame.Frame, keys: list[str], definition: str, language: str) -> list[_Curve]:
    """Return the lines in the order of their keys; unobserved points are left out."""
    age, n, estimate, low, high = (
        _drawing.floats(frame, name)
        for name in ("cohort_age", "n", "estimate", "ci_low", "ci_high")
    )
    partial = np.array([word == "partial" for word in _drawing.coverages(frame)], dtype=np.bool_)
    groups = _frame.group(frame, keys)
    names = _drawing.group_names(groups, keys, definition, language)
    curves = []
    for code, name in enumerate(names if len(frame) else []):
        rows = np.flatnonzero(groups.codes == code)
        label = _drawing.line_name(name, _sizes(n[rows], language))
        rows = rows[np.argsort(age[rows], kind="stable")]
        known = np.flatnonzero(~np.isnan(estimate[rows]))
        rows = rows[: known[-1] + 1 if len(known) else 0]  # a null between two others parts them
        points = age[rows], estimate[rows], low[rows], high[rows], partial[rows]
        curves.append(_Curve(label, *points))
    return curves


def _sizes(n: FloatArray, language: str, *, falling: bool = True) -> str:
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


def _lines(ax: Axes, curves: list[_Curve], language: str, *, banded: bool, ordered: bool) -> None:
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


def _line(ax: Axes, curve: _Curve, colour: Any, marker: str, *, banded: bool) -> Line2D:
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


def _points(curves: list[_Curve], *, banded: bool) -> tuple[FloatArray, FloatArray]:
    """Return where the values are that the axes have to show, and what they are."""
    points = [
        np.stack([curve.age, side], axis=1)
        for curve in curves
        for side in (curve.estimate, *((curve.low, curve.high) if banded else ()))
    ]
    age, value = np.concatenate([*points, np.empty((0, 2))]).T
    return age[~np.isnan(value)], value[~np.isnan(value)]


def _whole_and_running(curves: list[_Curve], *, banded: bool) -> tuple[FloatArray, FloatArray]:
    """Return the values of the lines and their bands, and those of periods still running."""
    whole = [
        curve._replace(
            estimate=np.where(curve.partial, np.nan, curve.estimate),
            low=np.where(curve.partial, np.nan, curve.low),
            high=np.where(curve.partial, np.nan, curve.high),
        )
        for curve in curves
    ]
    running = [curve.estimate[curve.partial] for curve in curves]
    open_ends = np.concatenate([*running, np.empty(0)])
    return _points(whole, banded=banded)[1], open_ends[~np.isnan(open_ends)]


def _values(ax: Axes, shown: FloatArray, beyond: FloatArray | None = None) -> None:
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


def _ages(ax: Axes, curves: list[_Curve], definition: str, language: str, *, banded: bool) -> None:
    """Set the axes: the whole of all ages, but for a start of 100 % that would flatten the rest."""
    from matplotlib.ticker import MaxNLocator

    age, value = _points(curves, banded=banded)
    if not len(value):
        _drawing.tidy(ax)
        ax.set(xticks=[], yticks=[])
        return
    later = value[age > 0]
    starts = np.concatenate([curve.estimate[curve.age == 0] for curve in curves])
    hidden = len(later) and len(starts) and np.isclose(starts, 100).all() and later.max() <= 50
    _values(ax, later if hidden else value)
    ax.set_xlim(age.min() - 0.3, age.max() + 0.3)
    ages = np.unique(age)
    if len(ages) <= 12 and ages[-1] <= 40:  # also ages that begin a bracket
        ax.set_xticks(ages, _drawing.age_texts(ages.tolist(), definition))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(curve.partial.any() for curve in curves):
        note = _language.say("hollow and dashed: partial", language)
        ax.set_xlabel(f"{ax.get_xlabel()}\n({note})")
    if hidden:
        note = _language.say("at 0 all lines are at 100%, above the picture", language)
        ax.set_xlabel(f"{ax.get_xlabel()}\n({note})")
    _drawing.number_ticks(ax.yaxis, language)


def _references(ax: Axes, words: set[str]) -> None:
    """Draw a line where a value of the metric, or of its unit, turns."""
    low, high = ax.get_ylim()
    for turn in {REFERENCES[word] for word in words & REFERENCES.keys()}:
        if low <= turn <= high:
            ax.axhline(turn, color=_drawing.LINE, linewidth=1, zorder=1)


def _notes(frame: _frame.Frame, curves: list[_Curve], language: str) -> str:
    """Return what stands below the periods: how many one line rests on, and what is open."""
    one = len(curves) == 1
    notes = [_sizes(_drawing.floats(frame, "n"), language, falling=False)] if one else []
    if any(curve.partial.any() for curve in curves):
        notes.append(f"({_language.say('hollow and dashed: partial', language)})")
    return " ".join(notes)


def _period_ticks(
    ax: Axes, frame: _frame.Frame, place: IntArray, freq: str, definition: str
) -> None:
    """Name the periods, as many as there is room for."""
    texts = _drawing.key_texts(_frame.python_values(frame["period"]), "period", definition)
    places, rows = np.unique(place, return_index=True)
    ax.set_xlim(places[0] - 0.4, places[-1] + 0.4)
    named = [texts[row] for row in rows.tolist()]
    ax.set_xticks(places, named, parse_math=False)
    span = int(places[-1] - places[0]) + 1
    need = (0.64 * max(map(len, named)) + 0.8) * _drawing.font_size("medium")
    step = _drawing.step_of(span, _drawing.extent(ax)[0], need, f"freq={freq}")
    shown: list[int] = []
    for i, at in enumerate(places.tolist()):
        if not shown or at - places[shown[-1]] >= step:
            shown.append(i)
    ax.set_xticks(places[shown], [named[i] for i in shown], parse_math=False)
