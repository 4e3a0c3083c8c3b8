"""Write results.md, scaling.md and cost.png from the figures that the benchmarks left as JSON.

Every sentence with a number in it is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import budget
import chart
import scaling
from harness import MIB, OURS

Figures = dict[str, Any]


def write(figures: Path, target: Path) -> None:
    """Write the report of the figures in one folder into another."""
    found = {path.stem: json.loads(path.read_text()) for path in figures.glob("*.json")}
    if "peers" in found:
        chart.draw(found["peers"]["groups"], target / "cost.png")
    (target / "results.md").write_text("\n".join(lines(found)) + "\n")
    if {"peers", "shards"} <= set(found):
        (target / "scaling.md").write_text("\n".join(scaling.lines(found)) + "\n")


def lines(found: Figures) -> Iterator[str]:
    yield from head(found)
    if "peers" in found:
        yield from what_they_say(found["peers"]["groups"])
    yield from budget.lines(found)
    for name, section in SECTIONS.items():
        if name in found:
            yield ""
            yield from section(found[name])
    if "lifetimes" not in found:
        yield from ["", "lifetimes and lifelines were left out: their environment was not named."]


def head(found: Figures) -> Iterator[str]:
    about, peers = found["about"], found.get("peers")
    yield "# Measured"
    yield ""
    flags = f" with BENCH_FLAGS={about['flags']!r}" if about["flags"] else ""
    yield f"By `make bench`{flags} on {about['date']}, in {about['minutes']} minutes. Every line of"
    yield "this file is written by it. Run it on an idle machine. Milliseconds hold for one machine"
    yield "and one day: read the ratios."
    if not peers:
        return
    made = peers["environment"]
    yield ""
    memory = f", {made['memory_gib']} GiB" if made["memory_gib"] else ""
    yield f"- {made['system']}, {made['cores']} cores{memory};"
    yield f"  Python {made['python']}, {listed(made['versions'])}."
    yield f"- Threads: {listed(peers['threads'])}; pandas and NumPy run in one."
    yield "- Every case of a group reads the same rows with the same kind of key, and gave the same"
    yield "  counts before it was timed. The cases take turns. loyaltykit checks every answer and"
    yield "  date on the way, and returns intervals; the peers do neither."
    yield "- ms is the median; x is the median over that of loyaltykit on the pandas frame, in one"
    yield "  thread: above 1, loyaltykit is faster. Divide by the x of another row of loyaltykit to"
    yield "  compare with that row."
    yield from (f"- Left out: {what}." for what in peers["left_out"])


def listed(named: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in named.items())


# ---- what they say -------------------------------------------------------------------------------


def what_they_say(groups: Sequence[Figures]) -> Iterator[str]:
    yield from ["", "## What they say", ""]
    yield "Cost against rows, both axes logarithmic; loyaltykit has the solid lines:"
    yield from ["", "![Cost against rows, beside pandas, Polars and DuckDB](cost.png)", ""]
    yield "On a pandas frame, at the largest size of each:"
    yield ""
    for group in largest(groups):
        ms = {name: times["median"] for name, times in group["cases"].items()}
        ours = min(value for name, value in ms.items() if name.startswith(f"{OURS}, pandas"))
        best = {peer: least(ms, peer) / ours for peer in ("pandas", "Polars", "DuckDB")}
        told = ", ".join(f"{compared(ratio)} {peer}" for peer, ratio in best.items())
        yield f"- {group['title']}, {group['rows']:,} rows: {told}."
    yield ""
    yield "Each is the quickest of ours on that frame against the quickest way of each peer."


def largest(groups: Sequence[Figures]) -> list[Figures]:
    """Return each group's largest size, in the order of the groups."""
    by_name: dict[str, Figures] = {}
    for group in groups:
        if group["rows"] >= by_name.get(group["name"], group)["rows"]:
            by_name[group["name"]] = group
    return list(by_name.values())


def least(ms: dict[str, float], peer: str) -> float:
    return min(value for name, value in ms.items() if name.startswith(peer))


def compared(ratio: float) -> str:
    """Return a ratio of times in words."""
    if 0.95 < ratio < 1.05:
        return "level with"
    return f"{ratio:.1f} x faster than" if ratio > 1 else f"{1 / ratio:.1f} x slower than"


# ---- tables --------------------------------------------------------------------------------------


def peers_section(peers: Figures) -> Iterator[str]:
    yield "## Side by side"
    for name in dict.fromkeys(group["name"] for group in peers["groups"]):
        sizes = [group for group in peers["groups"] if group["name"] == name]
        yield from ["", f"### {sizes[0]['title']}", ""]
        heads = [[f"{millions(group['rows'])}, ms", "x"] for group in sizes]
        rows = []
        for case in sizes[0]["cases"]:
            row = [case]
            for group in sizes:
                ms = [times["median"] for times in group["cases"].values()]
                median = group["cases"][case]["median"]
                row += [number(median), f"{median / ms[0]:.2f}"]
            rows.append(row)
        yield from table(["case", *(head for pair in heads for head in pair)], rows)
    yield from ["", "### Cost per row", ""]
    yield "Nanoseconds per row of loyaltykit on the pandas frame; flat means proportional to rows."
    yield ""
    yield from per_row(peers["groups"])


def per_row(groups: Sequence[Figures]) -> Iterator[str]:
    sizes = sorted({group["rows"] for group in groups})
    cost: dict[tuple[str, str], dict[int, float]] = {}
    for group in groups:
        for case, times in group["cases"].items():
            if case.startswith(f"{OURS}, pandas"):
                key = (group["title"], case.removeprefix(f"{OURS}, "))
                cost.setdefault(key, {})[group["rows"]] = 1e6 * times["median"] / group["rows"]
    rows = [
        [title, case, *(number(ns[size]) if size in ns else "" for size in sizes)]
        for (title, case), ns in cost.items()
    ]
    yield from table(["case", "frame", *map(millions, sizes)], rows)


def growth_section(growth: Figures) -> Iterator[str]:
    yield "## How cost grows at fixed rows"
    for part in growth["tables"]:
        yield from ["", f"### {part['title']}, ms", ""]
        cases = list(part["points"][0]["ms"])
        rows = [
            [point["label"], *(number(point["ms"][case]) for case in cases)]
            for point in part["points"]
        ]
        yield from table([part["over"], *cases], rows)


def small_section(small: Figures) -> Iterator[str]:
    yield "## Start-up and small calls"
    yield ""
    loaded = ", ".join(small["loaded"]) or "none of them"
    yield f"Of {', '.join(small['not_at_import'])}, `import loyaltykit` loads: {loaded}."
    yield "Fresh processes that take turns:"
    yield ""
    starts = [
        [name, number(times["median"]), number(times["min"])]
        for name, times in small["starts"].items()
    ]
    yield from table(["start", "median ms", "min ms"], starts)
    yield from ["", "Warm calls, each beside the bare pandas group-by of the same rows:", ""]
    calls = [[call["name"], f"{call['ms']:.3f}", f"{call['ratio']:.2f}"] for call in small["calls"]]
    yield from table(["call", "ms", "x bare group-by"], calls)
    yield from ["", "Bootstrap intervals, drawn from counts of three buckets:", ""]
    draws = [[draw["name"], f"{draw['ms']:.3f}"] for draw in small["draws"]]
    yield from table(["call", "ms"], draws)


def memory_section(memory: Figures) -> Iterator[str]:
    yield "## Peak memory"
    yield ""
    yield "Each case in a process of its own: the peak during the call less what the process held"
    yield "with its data loaded. What an allocator had kept may serve the call unseen, so that an"
    yield "extra is a lower bound. The columns read are those of the pandas frame."
    for group in memory["groups"]:
        columns = group["columns"]
        yield from ["", f"### {group['title']}: {columns / MIB:,.0f} MiB of columns read", ""]
        extras = [
            [name, f"{extra / MIB:,.0f}", f"{extra / columns:.2f}"]
            for name, extra in group["extras"].items()
        ]
        yield from table(["case", "extra MiB", "x columns"], extras)


def lifetimes_section(lifetimes: Figures) -> Iterator[str]:
    yield "## lifetimes and lifelines"
    yield ""
    made = lifetimes["environment"]
    yield f"In an environment of their own: Python {made['python']}, {listed(made['versions'])}."
    for group in lifetimes["groups"]:
        yield from ["", f"### {group['title']}", "", group["note"], ""]
        first = next(iter(group["cases"].values()))["median"]
        rows = [
            [name, number(times["median"]), f"{times['median'] / first:.2f}"]
            for name, times in group["cases"].items()
        ]
        yield from table(["case", "ms", "x"], rows)


SECTIONS = {
    "peers": peers_section,
    "growth": growth_section,
    "small_calls": small_section,
    "memory": memory_section,
    "lifetimes": lifetimes_section,
}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table, its first column to the left and the others to the right."""
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def number(value: float) -> str:
    """Return about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def millions(rows: int) -> str:
    return f"{rows / 1e6:g} M"
