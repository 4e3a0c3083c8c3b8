"""Columns of customers over periods: the names below them, the numbers above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loyaltykit import _drawing, _language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]


def name_periods(
    ax: Axes, labels: list[str], partial: npt.NDArray[np.bool_], language: str
) -> None:
    """Name the periods, as many as there is room for, and count customers beside them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if not labels:
        ax.set(xticks=[], yticks=[])
        _drawing.say_empty(ax, language)
        return
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: _language.number(abs(value), "{:,.0f}", language))
    )
    running = _language.say("partial", language)
    texts = [
        f"{label}\n({running})" if part else label
        for label, part in zip(labels, partial.tolist(), strict=True)
    ]
    ax.set_xticks(range(len(texts)), texts, parse_math=False)
    longest = max(len(line) for text in texts for line in text.split("\n"))
    need = (0.64 * longest + 0.8) * _drawing.font_size("medium")
    monthly = "freq=month" if len(labels[0]) == len("2026-01") else ""
    step = _drawing.step_of(len(texts), _drawing.extent(ax)[0], need, monthly)
    ax.set_xticks(range(0, len(texts), step), texts[::step], parse_math=False)


def write_above(ax: Axes, numbers: FloatArray, tops: FloatArray, language: str) -> None:
    """Write the numbers above the columns, if all of them fit."""
    rows = np.flatnonzero(~np.isnan(numbers))
    texts = [_language.number(value, "{:,.0f}", language) for value in numbers[rows].tolist()]
    longest = max(map(len, texts), default=0)
    room = _drawing.extent(ax)[0] / max(len(numbers), 1)
    if (0.64 * longest + 0.4) * _drawing.font_size("small") > room:
        return
    for row, text in zip(rows.tolist(), texts, strict=True):
        ax.annotate(
            text,
            (row, tops[row]),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize="small",
        )
