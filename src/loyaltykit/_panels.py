"""A scorecard drawn: a panel per metric, a row per group, and the texts beside the dots."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from loyaltykit import _cards, _dots, _drawing, _language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 4  # panels beside one another, before a next line of them
UP, DOWN = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"
_LABEL_WIDTH = 24  # characters
_PANEL = 2.7  # inches, with the values beside it
_ROW, _HEAD, _FOOT = 2.9, 4.2, 3.2  # font sizes
_TOTAL = "total"
_DOTS_END = 0.58  # of the width of a panel


def draw(ax: Axes, read: _cards.Card, language: str) -> Axes:
    """Draw a card that was read before."""
    ax.set_axis_off()
    if not read.entries:
        _drawing.say_empty(ax, language)
        return ax
    labels = _labels(read, language)
    most = max(len(line) for label in labels for line in label.split("\n"))
    size_in_points = _drawing.font_size("medium")
    across = min(len(read.names), ACROSS)
    lines = -(-len(read.names) // ACROSS)
    whole, tall = _drawing.extent(ax)
    left = min((0.6 * most + 1.0) * size_in_points / whole, 0.45)
    step = (1 - left) / across
    head, foot = (rows * size_in_points / tall for rows in (_HEAD, _FOOT))
    for i, name in enumerate(read.names):
        line, place = divmod(i, ACROSS)
        top = 1 - line / lines
        bounds = (left + place * step, top - 1 / lines + foot, step, 1 / lines - head - foot)
        panel = ax.inset_axes((bounds[0], bounds[1], _DOTS_END * step, max(bounds[3], 0.01)))
        _panel(panel, read, name, labels if place == 0 else None, language)
    if any(entry.is_clear for entry in read.now.values()):
        note = _language.say("clear change from the period before", language)
        ax.text(0, 0, f"{UP}{DOWN} {note}", fontsize="small", va="top", transform=ax.transAxes)
    return ax


def size(read: _cards.Card) -> tuple[float, float]:
    """Return the width and height in inches that a card needs."""
    lines = max(-(-len(read.names) // ACROSS), 1)
    across = min(max(len(read.names), 1), ACROSS)
    most = max((label.count("\n") + 1 for label in _labels(read, "en")), default=1)
    row = max(_ROW, 1.25 * most + 0.6)
    rows = row * len(_rows(read)) + _HEAD + _FOOT
    return 2.0 + _PANEL * across, lines * rows * _drawing.font_size("medium") / 72


def _rows(read: _cards.Card) -> list[tuple[str, str | None]]:
    """Return the rows from top to bottom; one without a level heads those of its dimension.

    There are heads where there are several dimensions.
    """
    several = len({dimension for dimension, _ in read.groups}) > 1
    rows: list[tuple[str, str | None]] = []
    for dimension, level in read.groups:
        if several and (not rows or rows[-1][0] != dimension):
            rows.append((dimension, None))
        rows.append((dimension, level))
    return rows


def _labels(read: _cards.Card, language: str) -> list[str]:
    """Return the names of the rows from top to bottom, each dimension under its own."""
    labels: list[str] = []
    for dimension, level in _rows(read):
        if level is not None:
            labels.append(textwrap.shorten(_language.word(level, language), 60))
        elif dimension == _TOTAL:
            labels.append("")  # it has no levels, and needs no name above its own
        else:
            labels.append(_drawing.heading(dimension, language).upper())
    return [textwrap.fill(label, _LABEL_WIDTH) for label in labels]


def _panel(ax: Axes, read: _cards.Card, name: str, labels: list[str] | None, language: str) -> None:
    """Draw one name: dots with intervals, and beside them estimates, bases and clear changes."""
    places = {group: row for row, group in enumerate(_rows(read)) if group[1] is not None}
    entries = [one for (which, _), one in read.now.items() if which == name]
    rows = [places[one.group] for one in entries]
    estimate, low, high = (
        np.array([getattr(one, column) for one in entries], dtype=np.float64)
        for column in ("estimate", "low", "high")
    )
    before = np.array([_before(one) for one in entries])
    ax.hlines(rows, low, high, color=_drawing.BLUE, linewidth=2)
    ax.plot(before, rows, "|", color=_drawing.LINE, markersize=9, markeredgewidth=1.6)
    ax.plot(estimate, rows, "o", color=_drawing.BLUE, markersize=5, clip_on=False)
    unit = entries[0].unit if entries else ""
    ax.set_xlim(*_dots.limits(estimate, low, high, before, unit=unit))
    ax.set_ylim(max(places.values()) + 0.6, -0.6)
    ax.set_yticks(range(len(labels or [])), labels or [], parse_math=False)
    _drawing.tidy(ax)
    _drawing.number_ticks(ax.xaxis, language)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(axis="x", labelsize="small")
    ax.set_xlabel(_axis(read, name, unit, language), fontsize="small")
    ax.set_title(title(entries, name, language), fontsize="medium", loc="left", parse_math=False)
    guides = list(places.values())
    across = ax.get_yaxis_transform()
    ax.hlines(guides, 0, 1, _drawing.GUIDE, linewidth=0.6, zorder=0.5, transform=across)
    for row, one in zip(rows, entries, strict=True):
        ax.annotate(
            f"{value_text(one, language)}\n{_drawing.size_text(one.n, language)}",
            (1.06, row),
            xycoords=across,
            va="center",
            fontsize="small",
            annotation_clip=False,
        )


def title(entries: list[_cards.Entry], name: str, language: str) -> str:
    """Return a metric as a reader calls it, or the name that the caller gave."""
    if any(one.metric != name for one in entries):
        return name
    return _drawing.metric_name(name, language)


def _axis(read: _cards.Card, name: str, unit: str, language: str) -> str:
    period = read.latest[name]
    said = _language.word(unit, language)
    return said if period is None else f"{said}, {period[:7] if period.endswith('-01') else period}"


def _before(entry: _cards.Entry) -> float:
    return entry.estimate - entry.change.difference if entry.change else math.nan


def value_text(entry: _cards.Entry, language: str) -> str:
    """Return the estimate, and the change where it is clear."""
    if math.isnan(entry.estimate):
        return _language.say("no estimate" if entry.n > 0 else "no data", language)
    form = _dots.VALUES.get(entry.unit, "{:.3g}")
    text = _drawing.value_text(entry.estimate, form, language)
    if entry.change is None or not entry.is_clear:
        return text
    return f"{text} {UP if entry.change.difference > 0 else DOWN}{change_text(entry, language)}"


def change_text(entry: _cards.Entry, language: str) -> str:
    """Return the difference from the period before, with its sign."""
    if entry.change is None or math.isnan(entry.change.difference):
        return ""
    form = "{:+.2f}" if entry.unit == "scale_points" else "{:+.1f}"
    return _drawing.value_text(entry.change.difference, form, language)
