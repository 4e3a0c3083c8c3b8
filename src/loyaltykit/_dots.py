"""Estimates as dots with their intervals as lines: how pictures draw them, and their axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loyaltykit import _drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VALUES = {"points": "{:+.0f}", "percent": "{:.1f}%", "scale_points": "{:.2f}"}
# No axis goes beyond what a unit can be, unless the data do.
_BOUNDS = {"points": (-100.0, 100.0), "percent": (0.0, 100.0)}


def draw(ax: Axes, table: _drawing.Rows) -> None:
    """Draw the estimates with their intervals, and write the values at the right."""
    lined = np.flatnonzero(~np.isnan(table.low) & ~np.isnan(table.high))
    ax.hlines(lined, table.low[lined], table.high[lined], color=_drawing.BLUE, linewidth=2)
    rows = np.flatnonzero(~np.isnan(table.estimate))
    form = VALUES.get(table.unit, "{:.3g}")
    for row in rows.tolist():
        fill = ax.get_facecolor() if table.partial[row] else _drawing.BLUE
        # Not clipped: a dot at 100 % stays whole.
        ax.plot(
            table.estimate[row], row, "o", color=_drawing.BLUE, markerfacecolor=fill, clip_on=False
        )
    values = table.estimate[rows].tolist()
    _drawing.beside(
        ax, rows, [_drawing.value_text(value, form, table.language) for value in values]
    )
    ax.set_xlim(*limits(table.estimate, table.low, table.high, unit=table.unit))
    if not len(rows):
        ax.set_xticks([])
    _drawing.number_ticks(ax.xaxis, table.language)
    ax.set_xlabel(table.axis)
    _drawing.tidy(ax)
    ax.grid(axis="y", color=_drawing.GUIDE, linewidth=0.6)
    ax.set_axisbelow(True)
    if table.unit == "points":
        ax.axvline(0, color=_drawing.LINE, linewidth=1, zorder=1)


def limits(*values_of: _drawing.FloatArray, unit: str) -> tuple[float, float]:
    """Return the ends of the axis: those of the data with some air, within what the unit can be."""
    values = np.concatenate(values_of)
    values = values[~np.isnan(values)]
    if unit == "points" or not len(values):
        values = np.append(values, 0.0)
    low, high = float(values.min()), float(values.max())
    air = 0.06 * (high - low) or 1.0
    floor, ceiling = _BOUNDS.get(unit, (-np.inf, np.inf))
    return max(low - air, min(low, floor)), min(high + air, max(high, ceiling))
