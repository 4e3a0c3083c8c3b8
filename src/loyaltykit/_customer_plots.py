"""Pictures of tables with a row per customer: how many are in each tier, stage or score."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _checks,
    _columns,
    _drawing,
    _fitting,
    _frame,
    _language,
    _results,
    _scores,
    _shades,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]

# From those who never bought to the loyal: ever darker, and orange for who has gone.
TIERS = dict(
    zip(
        _results.TIERS_AND_LAPSED,
        (_drawing.LIGHT, "#C46A00", "#8DBBDD", "#4A90C2", "#00406B"),
        strict=True,
    )
)
# Neighbours in a column differ in lightness by half or more, so in grey print, too.
STAGES = dict(
    zip(
        _results.STAGES,
        (_drawing.LIGHT, "#8DBBDD", _drawing.BLUE, "#F0B44C", "#A65A00", "#5CC4A0"),
        strict=True,
    )
)

_SINCE = "valid_from"
_SCORES = ("recency_score", "frequency_score", "monetary_score")
_MOST = 100  # scores: more of them rfm does not make
_CELL = (1.05, 0.78)  # inches


# ---- public -------------------------------------------------------------------------------------


def loyalty_tiers(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw how many customers are in each loyalty tier, on one date or from period to period.

    On one date there is a bar for each tier, with the number of its customers and their share. Of
    a table made with ``freq=`` there is a column for each period, with the tiers as its parts from
    the bottom up, and the number of all customers above it.

    Parameters
    ----------
    result : DataFrame
        A table of `loyalty_tier`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as large as the tiers or periods need, up to a page.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `loyalty_tier`, has other tiers, or a row without a date.

    Notes
    -----
    Every row is one customer, on one date. Tiers that nobody is in are left out: a log alone knows
    of no prospects, and who lapses only where `lapsed_after` says so. A column is what was known
    the day before its date. Rows without a tier are drawn as missing. Other columns, such as those
    of segments, are not looked at: select one segment to see it.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 2], "day": ["2026-01-05", "2026-01-09", "2026-02-06"]})
    >>> people = pd.DataFrame({"id": [1, 2, 3, 4]})
    >>> ax = lk.plot.loyalty_tiers(lk.loyalty_tier(log, "id", "day", customers=people))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['prospect', 'new', 'repeat']
    >>> [text.get_text() for text in ax.texts]
    ['2 (50.0%)', '1 (25.0%)', '1 (25.0%)']
    """
    return _labelled(result, "tier", TIERS, "loyalty_tier", "Loyalty tiers", language, ax)


def lifecycle_stages(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw how many customers are in each stage of life, on one date or from period to period.

    On one date there is a bar for each stage, with the number of its customers and their share. Of
    a table made with ``freq=`` there is a column for each period, with the stages as its parts from
    the bottom up, and the number of all customers above it.

    Parameters
    ----------
    result : DataFrame
        A table of `lifecycle_stage`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as large as the stages or periods need, up to a page.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `lifecycle_stage`, has other stages, or a row without a date.

    Notes
    -----
    Every row is one customer, on one date. Stages that nobody is in are left out: without `answers`
    nobody can be in advocacy, which is not that nobody recommends. A column is what was known the
    day before its date. Rows without a stage are drawn as missing. Other columns, such as those of
    segments, are not looked at: select one segment to see it.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 2], "day": ["2025-01-05", "2026-01-09", "2026-02-06"]})
    >>> ax = lk.plot.lifecycle_stages(lk.lifecycle_stage(log, "id", "day"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['onboarding', 'churned']
    """
    return _labelled(result, "stage", STAGES, "lifecycle_stage", "Stages of life", language, ax)


def rfm(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw how many customers have which scores: recency across, frequency up, and the segments.

    The number of customers of a cell is its colour and is written where there is room. Lines part
    the ten segments of five scores, each with its name.

    Parameters
    ----------
    result : DataFrame
        A table of `rfm`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as large as the cells need, up to a page.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the cells. The colour bar lies beside it: ``ax.child_axes[0]``, if anybody has
        scores.

    Raises
    ------
    ParameterError
        If `result` is no table of `rfm`, or has scores that are no whole numbers from 1 to 100.

    Notes
    -----
    The best customers are at the upper right. Customers without scores, who have only returned
    things, are counted in the title and are in no cell. A table does not tell its `bins`: without
    segments, the axes reach to the highest score that anybody has. Money is not in the picture; of
    a cell's customers, the mean of `monetary` tells it.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 3],
    ...         "day": ["2026-01-05", "2026-03-05", "2026-01-09", "2026-03-01"],
    ...         "paid": [20.0, 10.0, 80.0, 15.0],
    ...     }
    ... )
    >>> ax = lk.plot.rfm(lk.rfm(log, "id", "day", "paid"))
    >>> ax.get_title()
    'Recency and frequency (n = 3)'
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _SCORES, "rfm")
    named = "segment" in frame.columns
    cells, without = _cells(frame, _scores.NAMED_BINS if named else 1)
    bins, n = len(cells), cells.sum()
    ax = _opened(ax, bins)
    title = _language.say("Recency and frequency", language)
    if n or without:
        title = f"{title} {_drawing.base(n, language)}"
    if without:
        number = _language.number(without, "{:,.0f}", language)
        title += f"\n({_language.say('without a purchase: {number}', language, number=number)})"
    ax.set_title(title)
    if not n:
        ax.set(xticks=[], yticks=[])
        _drawing.say_empty(ax, language, "no customers" if without else "no rows")
        return ax
    ax.set_xlabel(_language.say("Recency score ({best} = latest)", language, best=bins))
    ax.set_ylabel(_language.say("Frequency score ({best} = most often)", language, best=bins))
    dark = _colour(ax, cells, language)
    width, height = _drawing.extent(ax)
    room = width / bins, height / bins
    for axis, side in ((ax.xaxis, room[0]), (ax.yaxis, room[1])):
        step = _drawing.step_of(bins, bins * side, 1.6 * _drawing.font_size("medium"))
        places = np.arange(0, bins, step)
        axis.set_ticks(places, [f"{place + 1}" for place in places.tolist()])
    split = named and _segments(ax, room, dark, language)
    _write(ax, cells, dark, room, language, low=0.12 if split else 0.0)
    return _fitting.fit(ax)


# ---- tiers and stages ---------------------------------------------------------------------------


def _labelled(
    result: Any,
    column: str,
    colours: Mapping[str, str],
    maker: str,
    title: str,
    language: str,
    ax: Axes | None,
) -> Axes:
    """Draw the customers by their label, on one date or on several."""
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, (column,), maker)
    counts, labels, dates = _counted(frame, column, colours, maker)
    names = [_drawing.plain_text(_worded(label, language), language) for label in labels]
    fills = [_drawing.LINE if label is None else colours[label] for label in labels]
    name = _language.word(title, language)
    if len(counts) > 1:
        ax = _stacked(ax, counts, dict(zip(names, fills, strict=True)), dates, language)
        ax.set_title(name)
        return _fitting.fit(ax)
    ax = _drawing.prepared(ax, names, width=6.5, language=language)
    n = counts.sum()
    name = f"{name}: {dates[0]}" if dates else name
    ax.set_title(f"{name} {_drawing.base(n, language)}" if labels else name)
    _drawing.tidy(ax)
    if not labels:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        return ax
    rows = np.arange(len(labels))
    ax.barh(rows, counts[0], 0.7, color=fills)
    ax.axvline(0, color=_drawing.LINE, linewidth=1)
    ax.set_xlim(0, 1.06 * float(counts.max()))
    ax.set_xlabel(_language.say("Customers", language))
    _whole(ax.xaxis, language)
    texts = [
        _language.number(value, "{:,.0f}", language)
        + _language.number(100 * value / n, " ({:.1f}%)", language)
        for value in counts[0].tolist()
    ]
    _drawing.beside(ax, rows, texts)
    return _fitting.fit(ax)


def _counted(
    frame: _frame.Frame, column: str, colours: Mapping[str, str], maker: str
) -> tuple[FloatArray, list[str | None], list[str]]:
    """Return the customers by date and label, the labels that any has, and the dates as texts."""
    keys = [name for name in (_SINCE, column) if name in frame.columns]
    groups = _frame.group(frame, keys)
    sizes = np.bincount(groups.codes, minlength=groups.size)
    found = _frame.python_values(groups.keys[column])
    others = [label for label in dict.fromkeys(found) if label is not None and label not in colours]
    if others:
        msg = (
            f"result is not a table of {maker}: {column!r} holds {_checks.listed(others)}, and may "
            f"hold {_checks.listed(colours)}."
        )
        raise ParameterError(msg)
    labels = [label for label in (*colours, None) if label in found]
    dates: list[str] = []
    row = np.zeros(groups.size, dtype=np.int64)
    if _SINCE in keys:
        days, first, row = np.unique(
            _drawing.days(groups.keys, _SINCE), return_index=True, return_inverse=True
        )
        values = _frame.python_values(groups.keys[_SINCE])
        dates = [_drawing.plain_text(values[place]) for place in first.tolist()]
        if len(days) > 1:
            dates = _drawing.key_texts([values[place] for place in first.tolist()], "period", "")
    counts = np.zeros((max(len(dates), 1), len(labels)))
    place = np.array([labels.index(label) for label in found], dtype=np.int64)
    np.add.at(counts, (row, place), sizes)
    return counts, labels, dates


def _worded(label: str | None, language: str) -> str | None:
    return None if label is None else _language.word(label, language)


def _stacked(
    ax: Axes | None, counts: FloatArray, fills: Mapping[str, str], dates: list[str], language: str
) -> Axes:
    """Draw a column for each date, its parts from the bottom up."""
    ax = _drawing.opened(ax, max(min(0.62 * len(dates), 13.0), 4.0) + 1.4, 32.0)
    places, level = np.arange(len(dates)), np.zeros(len(dates))
    edge = 0.6 if len(dates) < 60 else 0.0  # white lines would hide thin columns
    for (name, fill), height in zip(fills.items(), counts.T, strict=True):
        ax.bar(
            places,
            height,
            0.74 if edge else 1.0,
            level,
            color=fill,
            edgecolor="white",
            linewidth=edge,
            label=name,
        )
        level += height
    _drawing.tidy(ax)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.6, len(dates) - 0.4)
    ax.set_ylim(0, 1.12 * float(level.max()))
    ax.set_ylabel(_language.say("Customers", language))
    _drawing.legend(ax, fills, pad=2.2)
    _columns.name_periods(ax, dates, np.zeros(len(dates), dtype=np.bool_), language)
    _columns.write_above(ax, level, level, language)
    return ax


def _whole(axis: Any, language: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    _drawing.number_ticks(axis, language, "{:,.0f}")


# ---- scores -------------------------------------------------------------------------------------


def _cells(frame: _frame.Frame, least: int) -> tuple[FloatArray, int]:
    """Return the customers by frequency and recency score, and how many have none."""
    scores = [_drawing.floats(frame, name) for name in _SCORES]
    for name, values in zip(_SCORES, scores, strict=True):
        known = values[~np.isnan(values)]
        bad = known[(known != np.floor(known)) | (known < 1) | (known > _MOST)]
        if len(bad):
            found = _checks.listed(dict.fromkeys(bad.tolist()))
            msg = f"result: {name!r} must hold whole numbers from 1 to {_MOST}, not {found}."
            raise ParameterError(msg)
    recency, frequency, _ = scores
    scored = ~(np.isnan(recency) | np.isnan(frequency))
    bins = int(max((np.nanmax(values, initial=least) for values in scores), default=least))
    cells = np.zeros((bins, bins))
    places = tuple(values[scored].astype(np.int64) - 1 for values in (frequency, recency))
    np.add.at(cells, places, 1)
    return cells, int((~scored).sum())


def _opened(ax: Axes | None, bins: int) -> Axes:
    """Return Axes with a place for each cell: the best at the upper right."""
    inch = 72 / _drawing.font_size("medium")
    width, height = (min(max(side * bins, 3.0), 6.5) for side in _CELL)
    ax = _drawing.opened(ax, width + 1.9, height * inch + 7.0)
    ax.set_xlim(-0.5, bins - 0.5)
    ax.set_ylim(-0.5, bins - 0.5)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _colour(ax: Axes, cells: FloatArray, language: str) -> npt.NDArray[np.bool_]:
    """Draw the cells with anybody in them, and return which of all are dark."""
    from matplotlib.colors import Normalize

    colours, norm = _shades.pale_to_dark(), Normalize(0, cells.max())
    shown = _shades.mesh(ax, cells, cells > 0, colours, norm)
    shown.set(edgecolor="white", linewidth=0.6 if len(cells) <= 20 else 0.0)
    _shades.colour_bar(ax, shown, "customers", language, whole=True)
    dark: npt.NDArray[np.bool_] = _shades.is_dark(np.asarray(colours(norm(cells))))
    return dark & (cells > 0)


def _segments(
    ax: Axes, room: tuple[float, float], dark: npt.NDArray[np.bool_], language: str
) -> bool:
    """Part the segments and name them in their upper left cell, if there is room for all."""
    from matplotlib.patches import Rectangle

    size = _drawing.font_size("small")
    most = int((room[0] - 6) / (0.58 * size))
    texts = {
        name: textwrap.wrap(_language.word(name, language), max(most, 1), break_long_words=False)
        for name in _scores.GRID
    }
    high = max(map(len, texts.values()))
    wide = max(len(line) for lines in texts.values() for line in lines)
    if wide > most or (1.2 * high + 1.4) * size > room[1]:
        return False
    for name, (recency, frequency) in _scores.GRID.items():
        left, low = recency[0] - 1.5, frequency[0] - 1.5
        top = frequency[-1] - 0.5
        ax.add_patch(
            Rectangle(
                (left, low),
                len(recency),
                len(frequency),
                fill=False,
                edgecolor="#404040",
                linewidth=1.2,
                clip_on=False,
            )
        )
        ax.annotate(
            "\n".join(texts[name]),
            (left, top),
            xytext=(3, -3),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize="small",
            color="white" if dark[frequency[-1] - 1, recency[0] - 1] else "black",
        )
    return True


def _write(
    ax: Axes,
    cells: FloatArray,
    dark: npt.NDArray[np.bool_],
    room: tuple[float, float],
    language: str,
    *,
    low: float,
) -> None:
    """Write the numbers where they fit, so much below the middle of their cells."""
    size = _drawing.font_size("medium")
    longest = len(f"{cells.max():,.0f}")
    if 0.64 * longest * size + 4 > room[0] or 1.3 * size > room[1]:
        return
    for row, column in zip(*(side.tolist() for side in np.nonzero(cells)), strict=True):
        ax.text(
            column,
            row - 2 * low,
            _language.number(cells[row, column], "{:,.0f}", language),
            color="white" if dark[row, column] else "black",
            ha="center",
            va="center",
        )
