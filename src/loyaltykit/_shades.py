"""Cells coloured by a number, from pale to dark: their scale, and the ink that stands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _drawing, _language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# From pale to dark in steps that are equally far apart in Oklab (Ottosson 2020): even to the eye,
# and told apart by lightness alone, so alike for every kind of colour vision and in grey print.
COLOURS = (
    *("#F1F0C0", "#C6DABC", "#9BC3B6", "#6FADB0", "#3B96A8"),
    *("#2C7A96", "#1E5F83", "#124471", "#0A2A5E"),
)


def pale_to_dark() -> Colormap:
    """Return the colours as a scale."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("pale to dark", list(COLOURS))


def mesh(ax: Axes, values: FloatArray, mask: Mask, colours: Colormap, norm: Normalize) -> Any:
    """Draw the cells of the mask."""
    edges = [np.arange(size + 1) - 0.5 for size in values.shape]
    shown = np.ma.masked_array(values, mask=~mask)
    return ax.pcolormesh(edges[1], edges[0], shown, cmap=colours, norm=norm)


def colour_bar(ax: Axes, mesh: Any, unit: str, language: str, *, whole: bool = False) -> None:
    """Draw the scale beside the cells, with as many marks as its height has room for."""
    from matplotlib.ticker import MaxNLocator

    beside = ax.inset_axes((1.02, 0.0, 0.03, 1.0))
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    marks = MaxNLocator(nbins=int(np.clip(height / 25, 1, 6)), integer=whole)
    bar = ax.figure.colorbar(mesh, cax=beside, ticks=marks)
    bar.outline.set_visible(False)
    _drawing.number_ticks(beside.yaxis, language)
    # Off the last label of the cells.
    beside.set_xlabel(_language.word(unit, language), fontsize="small", x=0.0, ha="left")
    beside.tick_params(length=0, labelsize="small")


def is_dark(rgba: FloatArray) -> Mask:
    """Return where white stands out more than black: below a luminance of 0.179 (WCAG 2)."""
    parts = rgba[..., :3]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    dark: Mask = linear @ np.array([0.2126, 0.7152, 0.0722]) < 0.179
    return dark
