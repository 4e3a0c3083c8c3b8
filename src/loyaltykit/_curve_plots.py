"""Pictures with lines: retention by age, cohorts or groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _curves, _drawing, _fitting, _frame, _language
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_COHORTS = ("cohort_age", "coverage", "metric", "n", "estimate", "ci_low", "ci_high")


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
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    needed = (*_COHORTS, "confidence_level", "unit", "definition")
    _checks.check_result(frame.columns, needed, "cohort_retention")
    metric, unit, definition, level = (
        _drawing.constant(frame, name) or ""
        for name in ("metric", "unit", "definition", "confidence_level")
    )
    keys = _curves.keys_of(frame, "cohort_age")
    _drawing.refuse_twice(frame, (*keys, "cohort_age"))
    several, alone = _drawing.parted(frame, keys)
    if "cohort" in several and len(several) > 1:
        msg = (
            f"result holds several cohorts of several {several[0]!r}. Select one, or draw "
            'pool(result, over="cohort").'
        )
        raise ParameterError(msg)
    curves = _lines_of(frame, several or alone[-1:], definition, language)
    group = _drawing.group_title(frame, alone if several else alone[:-1], definition, language)
    ax = _drawing.opened(ax, 8.0, max(30.0, _curves.legend_height(curves)))
    name = _drawing.metric_name(metric, language)
    banded = _curves.banded(curves)
    ax.set(
        xlabel=_drawing.ages_label(definition, language) if curves else "",
        ylabel=_drawing.axis_name(name, unit, level if banded else None, language)
        if curves
        else "",
    )
    title = _drawing.titled(name, group, definition, language)
    ax.set_title(title if curves else "", parse_math=False)
    _curves.draw(ax, curves, language, banded=banded, ordered=several == ["cohort"])
    _ages(ax, curves, definition, language, banded=banded)
    return _fitting.fit(ax)


# ---- reading ------------------------------------------------------------------------------------


def _lines_of(
    frame: _frame.Frame, keys: list[str], definition: str, language: str
) -> list[_curves.Curve]:
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
        label = _drawing.line_name(name, _curves.sizes(n[rows], language))
        rows = rows[np.argsort(age[rows], kind="stable")]
        known = np.flatnonzero(~np.isnan(estimate[rows]))
        rows = rows[: known[-1] + 1 if len(known) else 0]  # a null between two others parts them
        points = age[rows], estimate[rows], low[rows], high[rows], partial[rows]
        curves.append(_curves.Curve(label, *points))
    return curves


def _ages(
    ax: Axes, curves: list[_curves.Curve], definition: str, language: str, *, banded: bool
) -> None:
    """Set the axes: the whole of all ages, but for a start of 100 % that would flatten the rest."""
    from matplotlib.ticker import MaxNLocator

    age, value = _curves.points(curves, banded=banded)
    if not len(value):
        _drawing.tidy(ax)
        ax.set(xticks=[], yticks=[])
        return
    later = value[age > 0]
    starts = np.concatenate([curve.estimate[curve.age == 0] for curve in curves])
    hidden = len(later) and len(starts) and np.isclose(starts, 100).all() and later.max() <= 50
    _curves.scale(ax, later if hidden else value)
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
