"""The last step of a picture: its texts and its legend are brought into the room that they have.

Nothing here reads a table: what is measured is what was drawn.
"""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

from loyaltykit import _drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from matplotlib.text import Text

_MOST_BESIDE = 0.42  # of the width: a legend at the right that takes more goes below
_TRIES = 5


def fit(ax: Axes) -> Axes:
    """Break texts that are too long, and place the legend; return the Axes.

    Called once, when everything else is drawn.
    """
    room = _drawing.cell(ax)
    legend = _columned(ax, room.width)
    if legend is not None and _is_below(legend):
        legend.set_in_layout(False)  # it would push the Axes aside before it is placed
    _drawing.extent(ax)
    box = ax.get_window_extent()
    middle = (box.x0 + box.x1) / 2
    across = 2 * min(middle - room.x0, room.x1 - middle)
    _break(ax.title, across)
    panels: list[Any] = [
        child for child in ax.child_axes if child.get_xlabel() and _is_panel(child)
    ]
    _break(ax.xaxis.label, 0.67 * box.width if panels else across)
    for panel in panels:
        own = panel.get_window_extent()
        right = room.x1 - (own.x0 + own.x1) / 2
        _break(panel.xaxis.label, 2 * min(0.58 * own.width, right))
    for axes in (ax, *panels):
        _thin(axes)
    for axes in (ax, *ax.child_axes):
        reach = 2 * _drawing.font_size("medium") * ax.figure.dpi / 72  # a little beyond
        _break(axes.yaxis.label, axes.get_window_extent().height + reach, upright=True)
    if legend is not None and _is_below(legend):
        _place(ax, legend, room)
    return ax


def _is_panel(child: Any) -> bool:
    return bool(child.xaxis.label.get_horizontalalignment() == "center")  # not a scale of colours


def _is_below(legend: Legend) -> bool:
    return bool(legend._loc == 9)  # type: ignore[attr-defined]  # upper center


def _columned(ax: Axes, width: float) -> Legend | None:
    """Return the legend in as many columns as there is room for, below if not at the right."""
    legend: Any = ax.get_legend()
    if legend is None:
        return None
    below = _is_below(legend)
    taken = legend.get_window_extent().width
    if taken <= (width if below else _MOST_BESIDE * width):
        return ax.get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    most = legend._ncols if below else 2
    anchor = legend.get_bbox_to_anchor().transformed(ax.transAxes.inverted())
    middle = anchor.x0 if below else 0.5
    for columns in range(min(most, len(texts)), 0, -1):
        legend = ax.legend(
            legend.legend_handles,
            texts,
            loc="upper center",
            bbox_to_anchor=(middle, 0),
            ncols=columns,
            frameon=False,
            fontsize="small",
            handlelength=1 if below else 2,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        if legend.get_window_extent().width <= width:
            break
    keys = legend.get_window_extent().width - max(
        text.get_window_extent().width for text in legend.get_texts()
    )
    for text in legend.get_texts():
        _break(text, width - keys)
    return ax.get_legend()


def _place(ax: Axes, legend: Legend, room: Any) -> None:
    """Place the legend below all labels, and where it does not reach out of the picture."""
    box, taken = ax.get_window_extent(), legend.get_window_extent().width
    anchor = legend.get_bbox_to_anchor()
    middle = min(max((anchor.x0 + anchor.x1) / 2, room.x0 + taken / 2), room.x1 - taken / 2)
    legend.set_bbox_to_anchor(((middle - box.x0) / box.width, 0.0), ax.transAxes)
    boxes = [axes.xaxis.get_tightbbox() for axes in (ax, *ax.child_axes)]
    boxes += [text.get_window_extent() for text in ax.texts if text.get_text()]
    lowest = min((some.y0 for some in boxes if some is not None), default=box.y0)
    size = _drawing.font_size("small") * ax.figure.dpi / 72
    legend.borderaxespad = max(box.y0 - lowest, 0.0) / size + 0.5
    legend.set_in_layout(True)


def _break(text: Text, room: float, *, upright: bool = False) -> None:
    """Break a text between words until no line is longer than the room, in pixels."""

    def taken() -> float:
        box = text.get_window_extent()
        return box.height if upright else box.width

    if taken() > room:  # what stands in brackets is a part of its own
        text.set_text(text.get_text().replace(" (", "\n("))
    lines = text.get_text().split("\n")
    for _ in range(_TRIES):
        longest = max(map(len, text.get_text().split("\n")))
        if taken() <= room or longest < 2:
            return
        most = max(int(0.97 * longest * room / taken()), 1)
        broken = [
            part
            for line in lines
            for part in textwrap.wrap(line, most, break_long_words=False, break_on_hyphens=False)
        ]
        if "\n".join(broken) == text.get_text():
            return
        text.set_text("\n".join(broken))


def _thin(ax: Axes) -> None:
    """Leave out every second number of the axis below until none overlaps the next."""
    for _ in range(_TRIES):
        low, high = sorted(ax.get_xlim())
        ticks = [place for place in ax.get_xticks() if low <= place <= high]
        boxes = [
            label.get_window_extent()
            for place, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
            if low <= place <= high and label.get_text()
        ]
        near = 0.3 * _drawing.font_size("medium") * ax.figure.dpi / 72
        if len(boxes) < 2 or all(a.x1 + near < b.x0 for a, b in itertools.pairwise(boxes)):
            return
        texts = [label.get_text() for label in ax.get_xticklabels()]
        kept = dict(zip(ax.get_xticks(), texts, strict=True))
        ax.set_xticks(ticks[::2], [kept[place] for place in ticks[::2]], parse_math=False)
