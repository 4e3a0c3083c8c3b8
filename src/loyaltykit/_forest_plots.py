"""The picture of comparisons: each difference with its interval, beside a line at 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loyaltykit import _checks, _dots, _drawing, _fitting, _frame, _language, _levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

_NEEDED = (
    *("metric", "reference", "n", "n_reference", "difference", "ci_low", "ci_high"),
    *("p_adjusted", "adjust", "confidence_level", "unit", "definition"),
)
_FORMS = {"scale_points": "{:+.2f}", "duration": "{:+.3g}"}  # others have one decimal
_ADJUSTED = {
    "holm": "p adjusted by Holm, comparisons: {number}",
    "bh": "p adjusted by Benjamini and Hochberg, comparisons: {number}",
    "none": "p not adjusted, comparisons: {number}",
}
_LEAST_P = 0.001


def differences(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    r"""Draw comparisons as a forest: every difference with its interval, beside a line at 0.

    The rows stand in the order of the table, from top to bottom, each with the base sizes of its
    two sides. At the right are the difference and its adjusted p-value. A filled dot is a
    difference that is clear at the confidence level; a hollow one may be chance.

    Parameters
    ----------
    result : DataFrame
        A table of `compare` or `compare_paired`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the dots.

    Raises
    ------
    ParameterError
        If `result` is no table of comparisons, or mixes metrics, units, definitions, adjustments or
        confidence levels.

    Notes
    -----
    Clear means that the adjusted p-value is below 1 minus the confidence level. Where p-values are
    adjusted for many comparisons, an interval that does not hold 0 may belong to a hollow dot: it
    is the interval of that comparison alone. A one-sided interval ends where the scale does.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(
    ...     satisfied=[56, 48], n=[70, 80], labels={"site": ["north", "south"]}
    ... )
    >>> ax = lk.plot.differences(lk.compare(table, "site"))
    >>> [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]
    ['north against south (n = 70 and 80)']
    >>> [text.get_text() for text in ax.texts]
    ['+20.0\np = 0.008']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _NEEDED, "compare")
    metric, unit, _, adjust = (
        _drawing.constant(frame, name) or "" for name in ("metric", "unit", "definition", "adjust")
    )
    level: float | None = _drawing.constant(frame, "confidence_level")
    value, low, high, p = (
        _drawing.floats(frame, name) for name in ("difference", "ci_low", "ci_high", "p_adjusted")
    )
    clear = p < 1 - (level or 0.0)
    name = _drawing.metric_name(metric, language)
    change = _language.say("Difference in {name}", language, name=name)
    table = _drawing.Rows(
        labels=_labels(frame, language),
        estimate=value,
        low=low,
        high=high,
        partial=~clear,
        name=name,
        unit=unit,
        axis=_drawing.axis_name(change, unit, level, language) if metric else "",
        language=language,
    )
    ax = _drawing.prepared(ax, table.labels, width=8.0, language=language)
    form = _FORMS.get(unit, "{:+.1f}")
    rows = np.flatnonzero(~np.isnan(value)).tolist()
    _dots.draw(ax, table, [_value_text(value[row], p[row], form, language) for row in rows])
    if table.labels:
        ax.axvline(0, color=_drawing.LINE, linewidth=1, zorder=1)
    ax.set_xlim(*_dots.limits(value, low, high, np.zeros(1), unit=""))
    if level is not None:
        number = _language.number(int((~np.isnan(p)).sum()), "{:,.0f}", language)
        said = _ADJUSTED[adjust]
        ax.set_title(f"{name}\n{_language.say(said, language, number=number)}")
        _legend(ax, level, language)
    return _fitting.fit(ax)


def _labels(frame: _frame.Frame, language: str) -> list[str]:
    """Return what is held against what, within which group, and on how many answers."""
    place = frame.columns.index("reference")
    across = frame.columns[place - 1]
    keys = frame.columns[: frame.columns.index("metric")]
    texts = {
        name: _drawing.key_texts(_frame.python_values(frame[name]), kind, "", language)
        for name, kind in (*((key, key) for key in keys), (across, across), ("reference", across))
    }
    if _levels.REST not in _frame.python_values(frame[across]):
        rest = _language.say("the rest", language)
        texts["reference"] = [rest if text == _levels.REST else text for text in texts["reference"]]
    labels = []
    for row, (n, other) in enumerate(
        zip(*(_drawing.floats(frame, name) for name in ("n", "n_reference")), strict=True)
    ):
        against = _language.say(
            "{level} against {reference}",
            language,
            level=texts[across][row],
            reference=texts["reference"][row],
        )
        group = [texts[key][row] for key in keys]
        notes = [] if np.isnan([n, other]).any() else [_sizes(n, other, language)]
        label = ", ".join([*group, against])
        labels.append(_drawing.row_label(label, *notes) if notes else label)
    return labels


def _sizes(n: float, other: float, language: str) -> str:
    first, last = (_language.number(size, "{:,.0f}", language) for size in (n, other))
    return f"(n = {first} {_language.say('and', language)} {last})"


def _value_text(value: float, p: float, form: str, language: str) -> str:
    """Return a difference and its p-value."""
    text = _drawing.value_text(value, form, language)
    if np.isnan(p):
        return text
    if p < _LEAST_P:
        return f"{text}\np < {_language.number(_LEAST_P, '{:g}', language)}"
    return f"{text}\np = {_language.number(p, '{:.3f}', language)}"


def _legend(ax: Axes, level: float, language: str) -> None:
    """Say what a filled dot is, and a hollow one."""
    from matplotlib.lines import Line2D

    limit = _language.number(round(1 - level, 10), "{:g}", language)
    clear = _language.say("clear: p below {limit}", language, limit=limit)
    look: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": _drawing.BLUE}
    keys = {
        clear: Line2D([], [], **look),
        _language.say("may be chance", language): Line2D([], [], markerfacecolor="white", **look),
    }
    _drawing.legend(ax, keys)
