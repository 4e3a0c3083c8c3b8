"""The speed that the design asks for, as ratios on 10 M rows, beside what was measured.

A report, never a test: a busy machine fails it, and a change of peers moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness import OURS

ROWS = 10_000_000
MOST_SMALL = 3.0
MOST_BOOTSTRAP = 5.0  # ms
SURVIVAL, LEAST_SURVIVAL = "Survival of customers", 5.0


class Target(NamedTuple):
    """``peer`` is to take at least ``ratio`` times as long as ours with so many threads."""

    group: str
    peer: str
    ratio: float
    threads: int = 1


IDIOM = "pandas boolean means"
NUNIQUE = "pandas nunique"
TARGETS = [
    Target("nps_categorical", IDIOM, 5),
    Target("nps_categorical", "Polars", 1.5),
    Target("nps_categorical", "DuckDB", 1.5),
    Target("nps_categorical", "Polars", 2, threads=2),
    Target("nps_categorical", "DuckDB", 2, threads=2),
    Target("nps_string", IDIOM, 2),
    Target("cohort_int64", NUNIQUE, 4),
    Target("cohort_int64", "Polars", 1.6),
    Target("cohort_int64", "DuckDB", 1.6),
    Target("rolling_int64", NUNIQUE, 2, threads=2),
    Target("rolling_int64", "Polars", 1, threads=2),
    Target("rolling_int64", "DuckDB", 1, threads=2),
    Target("cohort_categorical", NUNIQUE, 8),
    Target("cohort_string", "Polars", 1),
    Target("cohort_string", "DuckDB", 0.9),
]


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the targets with what was measured for each, as a Markdown table."""
    yield from ["", "## The budget", ""]
    yield f"What the design asks for, as ratios at {ROWS:,} rows, or at the size nearest to it."
    yield "Polars and DuckDB have the threads named above; the quickest way of each counts."
    yield ""
    yield "| what | beside | asked | measured | |"
    yield "|---|---|---:|---:|---|"
    for what, beside, asked, measured, met in verdicts(found):
        yield f"| {what} | {beside} | {asked} | {measured} | {met} |"


def verdicts(found: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    groups = found.get("peers", {}).get("groups", [])
    for target in TARGETS:
        group = nearest([group for group in groups if group["name"] == target.group])
        if group:
            yield peer_verdict(target, group)
    for group in found.get("lifetimes", {}).get("groups", []):
        if group["title"].startswith(SURVIVAL):
            yield survival_verdict(group)
    if "small_calls" in found:
        yield from small_verdicts(found["small_calls"])
    for group in found.get("memory", {}).get("groups", []):
        if group["name"].startswith("nps"):
            yield memory_verdict(group)


def nearest(sizes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the size that is nearest to the budget's."""
    return min(sizes, key=lambda group: abs(group["rows"] - ROWS), default=None)


def peer_verdict(target: Target, group: dict[str, Any]) -> tuple[str, str, str, str, str]:
    label = "1 thread" if target.threads == 1 else f"{target.threads} threads"
    what = f"{group['title']}, {group['rows']:,} rows, {label}"
    asked = f">= {target.ratio:g} x"
    ms = {name: times["median"] for name, times in group["cases"].items()}
    ours = ms.get(f"{OURS}, pandas, {label}")
    if ours is None and target.threads == 1:
        ours = ms[f"{OURS}, pandas"]
    if ours is None:
        return what, target.peer, asked, "no thread setting", "not measured"
    measured = min(value for name, value in ms.items() if name.startswith(target.peer)) / ours
    return what, target.peer, asked, f"{measured:.2f} x", verdict(measured >= target.ratio)


def survival_verdict(group: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return how much longer lifelines takes for a curve with its interval."""
    ms = {name: times["median"] for name, times in group["cases"].items()}
    measured = ms["lifelines, KaplanMeierFitter"] / ms[f"{OURS}, survival_curve"]
    met = verdict(measured >= LEAST_SURVIVAL)
    return group["title"], "lifelines", f">= {LEAST_SURVIVAL:g} x", f"{measured:.2f} x", met


def small_verdicts(small: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    for call in small["calls"]:
        if call["name"].startswith("nps"):
            met = verdict(call["ratio"] <= MOST_SMALL)
            asked = f"<= {MOST_SMALL:g} x"
            yield call["name"], "bare group-by", asked, f"{call['ratio']:.2f} x", met
    for draw in small["draws"]:
        met = verdict(draw["ms"] <= MOST_BOOTSTRAP)
        yield draw["name"], "itself", f"<= {MOST_BOOTSTRAP:g} ms", f"{draw['ms']:.2f} ms", met
    loaded = ", ".join(small["loaded"]) or "none"
    yield "`import loyaltykit`", "slow modules, engines", "none", loaded, verdict(loaded == "none")


def memory_verdict(group: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return the extra memory of ours on a pandas frame, the most of any number of threads."""
    extras = [extra for name, extra in group["extras"].items() if f"{OURS}, pandas" in name]
    measured = max(extras) / group["columns"]
    what = f"{group['title']}: extra memory"
    return what, "bytes of the columns read", "<= 1 x", f"{measured:.2f} x", verdict(measured <= 1)


def verdict(met: bool) -> str:
    return "met" if met else "**not met**"
