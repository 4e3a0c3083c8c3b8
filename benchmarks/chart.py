"""Draw cost against rows: a panel for each group, a line for each way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import OURS

# Okabe and Ito's colours: told apart by colour-blind people too. Marks differ as well.
STYLES: dict[str, dict[str, Any]] = {
    f"{OURS}, pandas, 2 threads": {"color": "#0072B2", "marker": "D", "linewidth": 2.4},
    f"{OURS}, pandas": {"color": "#000000", "marker": "o", "linewidth": 2.4},
    f"{OURS}, Polars": {"color": "#CC79A7", "marker": "s", "linewidth": 1.8},
    "pandas": {"color": "#D55E00", "marker": "v", "linestyle": "--"},
    "Polars": {"color": "#009E73", "marker": "^", "linestyle": "--"},
    "DuckDB": {"color": "#E69F00", "marker": "x", "linestyle": "--"},
}
LABELS = {"pandas": "pandas idiom", "Polars": "Polars", "DuckDB": "DuckDB"}
COLUMNS = 4


def draw(groups: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the picture; of several ways of one peer, the quickest at each size is drawn."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(group["name"] for group in groups))
    height = -(-len(names) // COLUMNS)
    figure, grid = plt.subplots(
        height, COLUMNS, figsize=(13, 3.5 * height + 0.6), sharex=True, sharey=True, squeeze=False
    )
    panels = list(grid.flat)
    for panel, name in zip(panels, names, strict=False):
        draw_panel(panel, [group for group in groups if group["name"] == name])
    panels[0].set_xticks(sorted({group["rows"] for group in groups}))  # of all: they share it
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    for panel in panels[max(len(names) - COLUMNS, 0) : len(names)]:
        panel.xaxis.set_tick_params(labelbottom=True)
        panel.set_xlabel("rows")
    for row in grid:
        row[0].set_ylabel("median ms")
    handles, labels = panels[0].get_legend_handles_labels()
    # In the empty place of the grid if there is one, else in the first panel.
    panels[len(names) if len(panels) > len(names) else 0].legend(
        handles, labels, loc="upper left", frameon=False
    )
    figure.suptitle("Cost against rows: loyaltykit beside its peers, same rows, same kind of key")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_panel(panel: Any, sizes: Sequence[dict[str, Any]]) -> None:
    panel.set_title(sizes[0]["title"], fontsize=10)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.grid(visible=True, which="major", color="#DDDDDD", linewidth=0.6)
    for way, style in STYLES.items():
        points = [(group["rows"], quickest(group["cases"], way)) for group in sizes]
        points = [(rows, ms) for rows, ms in points if ms is not None]
        if points:
            panel.plot(*zip(*points, strict=True), label=LABELS.get(way, way), **style)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_formatter("")
    panel.yaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    panel.xaxis.set_major_formatter(lambda rows, _: f"{rows / 1e6:g} M")


def quickest(cases: dict[str, dict[str, float]], way: str) -> float | None:
    """Return the least median of the cases of a way; ours are told apart by threads."""
    one_thread = f"{OURS}, pandas"
    names = {way, f"{way}, 1 thread"} if way == one_thread else {way}
    if not way.startswith(OURS):
        names = {name for name in cases if name.startswith(way)}
    return min((cases[name]["median"] for name in names if name in cases), default=None)
