"""Pictures of the steps from one amount to another: parts of a change, movements of revenue."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _drawing, _fitting, _frame, _language, _results
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]

# Blue and orange, and a total that is neither.
PARTS = {"mix": _drawing.ORANGE, "within": _drawing.BLUE, "total": _drawing.LIGHT}
MOVES = {"gained": _drawing.BLUE, "lost": _drawing.ORANGE, "total": _drawing.LIGHT}

_CHANGES = {"scale_points": "{:+.2f}"}  # others have one decimal
# The bars of a bridge from top to bottom, and whether they add or take away.
_BRIDGE = {
    "start": 0,
    "new": 1,
    "reactivation": 1,
    "expansion": 1,
    "contraction": -1,
    "churned": -1,
    "end": 0,
}
_REVENUE = (
    *("period", "coverage", "metric"),
    *_BRIDGE,
    *("estimate", "ci_low", "ci_high", "confidence_level", "definition"),
)
# Amounts of a period and of the next that differ by less differ by rounding.
_ROUNDING = 1e-6
_TOLD = ("freq=", "amount=")
_AMOUNTS = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))


class _Bridge(NamedTuple):
    """What is drawn: the amounts of the bars, and what the title says of them."""

    amounts: FloatArray
    span: str
    rates: list[str]
    note: str
    partial: bool


# ---- public -------------------------------------------------------------------------------------


def change_waterfall(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw why a metric moved: the parts of a change, one after the other, and the whole of it.

    The rows stand in the order of the table, from top to bottom. The first bar begins at 0, each
    other one where the bar before it ends, and the last one is the total. A thin line is the
    interval of the part that it crosses. A part without an estimate keeps its row and says so.

    Parameters
    ----------
    result : DataFrame
        One change of a table of `explain_change`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `explain_change`, or holds the changes of several levels or
        groups: select one of them.

    Notes
    -----
    The values are in the unit of the change: points, percentage points or scale points. The total
    has no interval here: that of the metric's difference is not the sum of those of its parts.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(
    ...     satisfied=[64, 8, 34, 27],
    ...     n=[80, 20, 40, 60],
    ...     labels={"year": [2025, 2025, 2026, 2026], "sector": ["B2B", "B2C"] * 2},
    ... )
    >>> parts = lk.explain_change(table, "year", reference=2025, segment="sector")
    >>> ax = lk.plot.change_waterfall(parts)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['B2B: mix', 'B2B: within', 'B2C: mix', 'B2C: within', 'Total change']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _results.EXPLAIN_CHANGE, "explain_change")
    title = _change(frame, language)
    metric, unit = (_drawing.constant(frame, name) or "" for name in ("metric", "unit"))
    _drawing.constant(frame, "definition")
    parts = _frame.python_values(frame["part"])
    estimate, low, high = (
        _drawing.floats(frame, name) for name in ("estimate", "ci_low", "ci_high")
    )
    # The total closes the table; where a part is unknown, so is the total.
    steps = np.append(estimate, estimate.sum() if len(estimate) else [])
    total = [_language.say("Total change", language)] if len(estimate) else []
    names = [*_part_names(frame, parts, language), *total]
    nothing = f"({_language.say('no estimate', language)})"
    notes = [nothing if np.isnan(step) else "" for step in steps]
    labels = [_drawing.row_label(*row).rstrip() for row in zip(names, notes, strict=True)]
    ax = _drawing.prepared(ax, labels, width=7.0, language=language)
    starts = np.append(0.0, np.nancumsum(estimate))[: len(steps)]
    starts[len(estimate) :] = 0.0
    _steps(ax, [*parts, "total"], PARTS, starts, steps, language)
    _whiskers(ax, starts[: len(low)], low, high)
    form = _CHANGES.get(unit, "{:+.1f}")
    rows = np.flatnonzero(~np.isnan(steps))
    values = [_drawing.value_text(value, form, language) for value in steps[rows].tolist()]
    _drawing.beside(ax, rows, values)
    ends = np.concatenate([starts + steps, starts[: len(low)] + low, starts[: len(low)] + high])
    _limits(ax, ends)
    name = _drawing.metric_name(metric, language)
    change = _language.say("Change in {name}", language, name=name)
    ax.set_xlabel(f"{change}, {_language.word(unit, language)}" if metric else "")
    _drawing.number_ticks(ax.xaxis, language)
    ax.set_title(textwrap.fill(f"{name}: {title}", 60) if metric else "", parse_math=False)
    return _fitting.fit(ax)


def revenue_bridge(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw how revenue moved from the start to the end: what came in, and what was lost.

    The first bar is the amount at the start, the last one that at the end. Between them each bar
    begins where the one before it ends: new, reactivation and expansion add, contraction and
    churned take away. At the right stand the amounts, those of movements with their share of the
    start.

    Parameters
    ----------
    result : DataFrame
        A table of `revenue_retention` for one group; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `revenue_retention`, holds several groups, mixes definitions, or
        holds several periods that do not lead from one to the next: select one of them.

    Notes
    -----
    A table of several periods is drawn as one bridge, from the start of its first period to the
    end of its last. Each movement is the sum of those of the periods: who was lost in one and came
    back in another is in both bars. Periods without a known start are left out, and so is the last
    one where it is still running; where it is left out, a note says so. The periods have to be
    consecutive, of ``trailing=1``, and each has to start with what the one before it ended with. It
    does not in a split whose customers change groups.

    The rates are written for one period alone, as those of several do not follow from their sums. A
    table keeps the same amounts for each of its metrics; every metric that it holds is written.

    The scale begins at 0, so that the lengths of all bars compare.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> paid = pd.DataFrame(
    ...     {
    ...         "id": ["a", "b", "c", "d", "a", "b", "e"],
    ...         "day": ["2026-01-10"] * 4 + ["2026-02-10"] * 3,
    ...         "mrr": [100, 50, 30, 20, 120, 40, 70],
    ...     }
    ... )
    >>> table = lk.revenue_retention(paid, "id", "day", "mrr", as_of="2026-02-28")
    >>> ax = lk.plot.revenue_bridge(table)
    >>> print(ax.get_title())
    Revenue bridge: 2026-02
    GRR 70.0% (95% interval 22.2 to 95.0)
    NRR 80.0% (95% interval 0.0 to 209.0)
    >>> [text.get_text() for text in ax.texts][:2]
    ['200', '+70 (+35.0%)']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _REVENUE, "revenue_retention")
    definition = _drawing.constant(frame, "definition") or ""
    _drawing.constant(frame, "confidence_level")
    keys = frame.columns[: frame.columns.index("period")]
    group = _drawing.group_title(frame, keys, definition, language)
    _drawing.refuse_twice(frame, ("period", "metric"))
    bridge = _bridge(frame, definition, language)
    names = [_drawing.heading(name, language) for name in _BRIDGE] if len(bridge.amounts) else []
    ax = _drawing.prepared(ax, names, width=7.0, language=language)
    if not len(bridge.amounts):
        ax.set(xticks=[])
        _drawing.tidy(ax)
        return ax
    signs = np.array(list(_BRIDGE.values()))
    steps = np.where(signs < 0, -bridge.amounts, bridge.amounts)
    ends = np.nancumsum(steps[:-1])
    starts = np.concatenate([[0.0], ends[:-1], [0.0]])
    kinds = [{1: "gained", -1: "lost"}.get(sign, "total") for sign in signs.tolist()]
    pad = 5.3 if bridge.note else 3.6
    _steps(ax, kinds, MOVES, starts, steps, language, partial=bridge.partial, pad=pad)
    rows = np.flatnonzero(~np.isnan(steps))
    _drawing.beside(ax, rows, [_amount_text(row, steps, signs, language) for row in rows.tolist()])
    _limits(ax, starts + steps)
    column = _drawing.definition_parts(definition).get("amount", "")
    amount = _language.say("Amount", language)
    ax.set_xlabel(amount if column in ("", "amount") else f"{amount} ({column})", parse_math=False)
    if bridge.note:
        ax.set_xlabel(f"{ax.get_xlabel()}\n({bridge.note})", parse_math=False)
    title = ", ".join(filter(None, [group, bridge.span]))
    # Its periods and the label of the axis tell the rest.
    how = ";".join(part for part in definition.split(";") if not part.startswith(_TOLD))
    name = _language.say("Revenue bridge", language)
    lines = [_drawing.titled(name, title, how, language), *bridge.rates]
    ax.set_title("\n".join(filter(None, lines)), parse_math=False)
    _amounts(ax, language)
    if not len(rows):
        ax.set(xticks=[])
        _drawing.say_empty(ax, language, "no known start")
    return _fitting.fit(ax)


# ---- changes ------------------------------------------------------------------------------------


def _change(frame: _frame.Frame, language: str) -> str:
    """Return which level is held against which; refuse a table of several changes."""
    place = frame.columns.index("reference")
    head = frame.columns[: frame.columns.index("metric")]
    across = frame.columns[place - 1]
    texts = []
    for name in (*head, across, "reference"):
        values = _drawing.one_level(frame, name, "the changes of several")
        kind = across if name == "reference" else name
        definition = _drawing.constant(frame, "definition") or ""
        texts += _drawing.key_texts(values, kind, definition, language)
    *keys, level, reference = texts or ["", ""]
    against = _language.say(
        "{level} against {reference}", language, level=level, reference=reference
    )
    return ", ".join([*keys, against])


def _part_names(frame: _frame.Frame, parts: list[Any], language: str) -> list[str]:
    first, last = frame.columns.index("reference") + 1, frame.columns.index("part")
    segments = [
        [_drawing.plain_text(value, language) for value in _frame.python_values(frame[name])]
        for name in frame.columns[first:last]
    ]
    joined = [", ".join(levels) for levels in zip(*segments, strict=True)]
    kinds = [_language.word(part, language) for part in parts]
    return [f"{name}: {kind}" for name, kind in zip(joined, kinds, strict=True)]


def _steps(
    ax: Axes,
    kinds: Sequence[str],
    colours: Mapping[str, str],
    starts: FloatArray,
    steps: FloatArray,
    language: str,
    *,
    partial: bool = False,
    pad: float = 3.6,
) -> None:
    """Draw the bars of a waterfall, what leads from one to the next, and what they mean."""
    hatch: dict[str, Any] = {"hatch": _drawing.HATCH, "edgecolor": "white", "linewidth": 0}
    for name, colour in colours.items():
        rows = [i for i in range(len(steps)) if kinds[i] == name and not np.isnan(steps[i])]
        ax.barh(
            rows,
            steps[rows],
            0.7,
            left=starts[rows],
            color=colour,
            label=name,
            **(hatch if partial else {}),
        )
    ends = np.where(np.isnan(steps), starts, starts + steps)[:-1]
    places = np.arange(len(ends))
    ax.vlines(ends, places, places + 1, color=_drawing.LINE, linewidth=0.8, zorder=0.8)
    ax.axvline(0, color=_drawing.LINE, linewidth=1, zorder=0.9)
    _drawing.tidy(ax)
    _drawing.legend(ax, colours, pad=pad, language=language)


def _limits(ax: Axes, ends: FloatArray) -> None:
    """Set an axis that holds the ends of all bars, and 0."""
    ends = np.append(ends[~np.isnan(ends)], 0.0)
    air = 0.06 * (ends.max() - ends.min()) or 1.0
    ax.set_xlim(ends.min() - air, ends.max() + air)


def _whiskers(ax: Axes, starts: FloatArray, low: FloatArray, high: FloatArray) -> None:
    from matplotlib.patheffects import withStroke

    rows = np.flatnonzero(~np.isnan(low) & ~np.isnan(high))
    halo = [withStroke(linewidth=3, foreground="white")]  # seen on a dark bar, too
    ax.hlines(
        rows,
        starts[rows] + low[rows],
        starts[rows] + high[rows],
        color="black",
        linewidth=1,
        path_effects=halo,
    )


# ---- bridges ------------------------------------------------------------------------------------


def _bridge(frame: _frame.Frame, definition: str, language: str) -> _Bridge:
    """Return the bars of the whole periods of a table together, or of the one that it holds."""
    days = _drawing.days(frame, "period")
    # All metrics of a period hold the same amounts: its first row is as good as any.
    _, rows = np.unique(days, return_index=True)
    coverage = np.array(_drawing.coverages(frame), dtype=np.str_)[rows]
    names = _drawing.key_texts(_frame.python_values(frame["period"]), "period", definition)
    amounts = np.array([_drawing.floats(frame, name) for name in _BRIDGE])
    if not len(rows):
        return _Bridge(np.zeros(0), "", [], "", partial=False)
    # Whole periods, where there are any: of one that is still running not all is known.
    word = next((word for word in ("observed", "partial") if word in coverage), "unobserved")
    taken = rows[coverage == word]
    first, last = names[taken[0]], names[taken[-1]]
    to = _language.say("{first} to {last}", language, first=first, last=last)
    span = first if len(taken) == 1 else to
    if len(taken) > 1 and word != "unobserved":
        _check_chain(days[taken], amounts[:, taken], [names[row] for row in taken], definition)
    bars = amounts[:, taken].sum(axis=1)
    bars[0], bars[-1] = amounts[0, taken[0]], amounts[-1, taken[-1]]
    left = [names[row] for row in rows[coverage == "partial"]] if word == "observed" else []
    return _Bridge(
        bars,
        span if word == "observed" else f"{span} ({_language.word(word, language)})",
        _rates(frame, np.flatnonzero(days == days[taken[0]]), language) if len(taken) == 1 else [],
        _language.say("without {periods}, still running", language, periods=", ".join(left))
        if left
        else "",
        partial=word == "partial",
    )


def _check_chain(
    days: npt.NDArray[np.int64], amounts: FloatArray, names: list[str], definition: str
) -> None:
    """Refuse periods whose movements together do not lead from the first start to the last end."""
    parts = _drawing.definition_parts(definition)
    trailing, freq = parts.get("trailing", "1"), parts.get("freq", "")
    start, end = amounts[0, 1:], amounts[-1, :-1]
    why = ""
    if trailing != "1":
        why = f"of trailing={trailing}, which overlap"
    elif freq in _checks.FREQUENCIES and (np.diff(_calendar.period_codes(days, freq)) != 1).any():
        why = "that are not consecutive"
    elif len(broken := np.flatnonzero(~np.isclose(start, end, rtol=_ROUNDING, atol=0))):
        at = int(broken[0])
        why = (
            f"that do not follow on: {names[at]} ends with {end[at]:,.10g} and {names[at + 1]} "
            f"starts with {start[at]:,.10g}, as where customers change groups"
        )
    if why:
        msg = f"result holds several periods {why}. Select one period."
        raise ParameterError(msg)


def _rates(frame: _frame.Frame, rows: npt.NDArray[np.int64], language: str) -> list[str]:
    """Return what the rows say of the rates of their period, each with its interval."""
    metrics = _frame.python_values(frame["metric"])
    interval = _drawing.interval(_drawing.constant(frame, "confidence_level"), language)
    values = np.array([_drawing.floats(frame, name) for name in ("estimate", "ci_low", "ci_high")])
    texts = []
    for row in rows.tolist():
        estimate, low, high = (
            _drawing.value_text(value, "{:.1f}", language) for value in values[:, row].tolist()
        )
        if "nan" in estimate:
            continue
        known = "nan" not in low + high
        to = _language.say("{first} to {last}", language, first=low, last=high)
        text = f"{_drawing.metric_name(metrics[row], language)} {estimate}%"
        texts.append(f"{text} ({interval} {to})" if known else text)
    return texts


def _amounts(ax: Axes, language: str) -> None:
    """Name the amounts along the axis, as many as there is room for."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_xlim()
    if low == -high:  # no amount at all
        ax.set(xlim=(0, 1), xticks=[0.0], xticklabels=["0"])
        return
    need = (0.64 * len("1.25 M") + 1.2) * _drawing.font_size("medium")
    most = int(max(_drawing.extent(ax)[0] // need, 1))
    ax.xaxis.set_major_locator(MaxNLocator(min(most, 8)))
    ax.xaxis.set_major_formatter(lambda value, _: _short(value, language))


def _amount_text(row: int, steps: FloatArray, signs: npt.NDArray[np.int64], language: str) -> str:
    """Return the text beside a bar; a movement is signed, and told as a share of the start."""
    if signs[row] == 0:
        return _short(steps[row], language)
    start = steps[0]
    text = _short(steps[row], language, sign="+")
    if not start > 0:
        return text
    share = _drawing.value_text(100 * steps[row] / start, "{:+.1f}", language)
    return f"{text} ({share}%)"


def _short(value: float, language: str, sign: str = "") -> str:
    """Return an amount in three digits: 950, 12.5 k, 1.2 M."""
    rounded = float(f"{value:.3g}")  # first: 999.9 k are 1 M
    size, unit = next(((size, unit) for size, unit in _AMOUNTS if abs(rounded) >= size), (1.0, ""))
    digits = f"{rounded / size:.10g}" if abs(rounded) < 1e15 else f"{rounded / size:,.0f}"
    text = _drawing.value_text(float(digits.replace(",", "")), f"{{:{sign},.10g}}", language)
    return f"{text} {_language.word(unit, language)}" if unit else text
