"""Measure the peak memory of every case beside the frame it reads, each in a process of its own.

The extra is the peak during the call less what the process held before it. What an allocator had
kept from making the frame may serve the call unseen, so an extra is a lower bound.
"""

from __future__ import annotations

import gc
from typing import Any

import bench_peers
import harness
import pyarrow as pa

GROUPS = ["nps_categorical", "nps_string", "cohort_int64", "flow_int64", "tier_int64"]
SLOW = ["cohort_categorical", "cohort_string"]


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="answers")
    parser.add_argument("--log-rows", type=int, default=3_000_000, help="interactions")
    parser.add_argument("--full", action="store_true", help=f"add {' and '.join(SLOW)}")
    options = parser.parse_args()
    harness.restart_clean()
    if not harness.can_reset_peak():
        print("Left out: peaks are read from /proc, which this system does not have.")
        return
    wanted = GROUPS + SLOW * options.full
    groups = [group for group in bench_peers.GROUPS if group.name in wanted]
    results: dict[str, Any] = {"groups": []}
    for group in groups:
        rows = options.rows if group.metric == "nps" else options.log_rows
        results["groups"].append(measured(group, rows))
        harness.write(options.json, results)


def measured(group: bench_peers.Group, rows: int) -> dict[str, Any]:
    """Return the extra bytes of every case of a group; the floor is not one."""
    cases = group.cases(group.frame(1000))
    names = [case.name for case in cases if case.read]
    columns = harness.in_child(column_bytes, group.name, rows)
    print(f"\n{group.title}, {rows:,} rows; columns read: {columns / harness.MIB:,.0f} MiB")
    extras = {}
    for name in names:
        extras[name] = harness.in_child(extra_bytes, group.name, name, rows)
        print(f"  {name:<48}{extras[name] / harness.MIB:>12,.0f} MiB", flush=True)
    title = f"{group.title}, {rows:,} rows"
    return {"name": group.name, "title": title, "columns": columns, "extras": extras}


def column_bytes(group: str, rows: int) -> int:
    """Return the bytes of the columns of the pandas frame, all of which are read."""
    return int(group_named(group).frame(rows).memory_usage(index=False).sum())


def extra_bytes(group: str, name: str, rows: int) -> int:
    """Return what one call needs, in a process that has done nothing else than make its data."""
    found = group_named(group)
    case_named(found.cases(found.frame(1000)), name).run()  # imports what a first call imports
    case = case_named(found.cases(found.frame(rows)), name)
    gc.collect()
    pa.default_memory_pool().release_unused()
    harness.reset_peak()
    before = harness.own_memory("VmRSS")
    case.run()
    return max(harness.own_memory("VmHWM") - before, 0)


def group_named(name: str) -> bench_peers.Group:
    return next(group for group in bench_peers.GROUPS if group.name == name)


def case_named(cases: list[harness.Case], name: str) -> harness.Case:
    return next(case for case in cases if case.name == name)


if __name__ == "__main__":
    main()
