"""The picture of a metric by period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _curves, _drawing, _fitting, _frame, _language, _results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Where one side of a value is another matter than the other.
REFERENCES = {"nrr": 100.0, "quick_ratio": 1.0, "points": 0.0}

# Compare tables lack one of these: their interval is not that of an estimate.
_TREND = ("period", "metric", "n", "n_missing", *_results.ESTIMATES, *_results.WORDS)


# ---- public -------------------------------------------------------------------------------------


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
    Below the periods of one line stands how many each of them rests on; the names of several lines
    say from how few to how many.

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
    >>> [label.get_text().splitlines() for label in ax.get_xticklabels()]
    [['2026-01', 'n = 3'], ['2026-02', 'n = 3']]
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _TREND, "a metric function by period")
    unit, definition, level = (
        _drawing.constant(frame, name) or "" for name in ("unit", "definition", "confidence_level")
    )
    metrics = sorted(set(_frame.python_values(frame["metric"])))
    days = _drawing.days(frame, "period")
    keys = _curves.keys_of(frame, "period")
    _drawing.refuse_twice(frame, (*keys, "metric", "period"))
    several, alone = _drawing.parted(frame, keys)
    group = _drawing.group_title(frame, alone, definition, language)
    place, freq = _places(days, definition)
    curves = _aside(_trends(frame, several, place, definition, language))
    ax = _drawing.opened(ax, 8.0, max(28.0, _curves.legend_height(curves)))
    *others, last = [_drawing.metric_name(metric, language) for metric in metrics] or [""]
    name = f"{', '.join(others)} {_language.say('and', language)} {last}" if others else last
    banded = _curves.banded(curves)
    axis = _drawing.axis_name(name, unit, level if banded else None, language)
    ax.set_ylabel(axis if curves else "")
    how = definition if "freq=" in definition else ""
    title = _drawing.titled(name, group, how, language)
    ax.set_title(title if curves else "", parse_math=False)
    _curves.draw(ax, curves, language, banded=banded, ordered=False)
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
    _curves.scale(ax, np.append(whole if len(whole) else running, always), running)
    _references(ax, {unit, *metrics})
    _period_ticks(ax, frame, place, freq, definition, language if len(curves) == 1 else "")
    _drawing.number_ticks(ax.yaxis, language)
    ax.set_xlabel(_notes(frame, curves, language))
    return _fitting.fit(ax)


# ---- reading ------------------------------------------------------------------------------------


def _aside(curves: list[_curves.Curve]) -> list[_curves.Curve]:
    """Return the curves side by side, where none of them is more than points: seen one by one."""
    known = [~np.isnan(curve.estimate) for curve in curves]
    if any((one[1:] & one[:-1]).any() for one in known):
        return curves
    middle = (len(curves) - 1) / 2
    return [curve._replace(age=curve.age + 0.05 * (i - middle)) for i, curve in enumerate(curves)]


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
) -> list[_curves.Curve]:
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
        _curves.Curve(
            _drawing.line_name(name, _curves.sizes(n[i], language, falling=False)),
            periods.astype(np.float64),
            estimate[i],
            low[i],
            high[i],
            partial[i],
        )
        for i, name in enumerate(names)
    ]


# ---- drawing ------------------------------------------------------------------------------------


def _whole_and_running(
    curves: list[_curves.Curve], *, banded: bool
) -> tuple[FloatArray, FloatArray]:
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
    return _curves.points(whole, banded=banded)[1], open_ends[~np.isnan(open_ends)]


def _references(ax: Axes, words: set[str]) -> None:
    """Draw a line where a value of the metric, or of its unit, turns."""
    low, high = ax.get_ylim()
    for turn in {REFERENCES[word] for word in words & REFERENCES.keys()}:
        if low <= turn <= high:
            ax.axhline(turn, color=_drawing.LINE, linewidth=1, zorder=1)


def _notes(frame: _frame.Frame, curves: list[_curves.Curve], language: str) -> str:
    """Return what stands below the periods: how many one line rests on, and what is open."""
    one = len(curves) == 1
    notes = [_curves.sizes(_drawing.floats(frame, "n"), language, falling=False)] if one else []
    if any(curve.partial.any() for curve in curves):
        notes.append(f"({_language.say('hollow and dashed: partial', language)})")
    return " ".join(notes)


def _period_ticks(
    ax: Axes, frame: _frame.Frame, place: IntArray, freq: str, definition: str, language: str
) -> None:
    """Name the periods, as many as there is room for; of one line, with a language, with its n."""
    texts = _drawing.key_texts(_frame.python_values(frame["period"]), "period", definition)
    places, rows = np.unique(place, return_index=True)
    ax.set_xlim(places[0] - 0.4, places[-1] + 0.4)
    named = [texts[row] for row in rows.tolist()]
    longest = max(map(len, named))
    if language:
        sizes = _drawing.floats(frame, "n")[rows].tolist()
        below = ["" if np.isnan(n) else _language.number(n, "n = {:,.0f}", language) for n in sizes]
        named = [f"{text}\n{n}".rstrip() for text, n in zip(named, below, strict=True)]
        longest = max(longest, *map(len, below))
    ax.set_xticks(places, named, parse_math=False)
    span = int(places[-1] - places[0]) + 1
    need = (0.64 * longest + 0.8) * _drawing.font_size("medium")
    step = _drawing.step_of(span, _drawing.extent(ax)[0], need, f"freq={freq}")
    shown: list[int] = []
    for i, at in enumerate(places.tolist()):
        if not shown or at - places[shown[-1]] >= step:
            shown.append(i)
    ax.set_xticks(places[shown], [named[i] for i in shown], parse_math=False)
