"""Write scaling.md: what work past one machine costs, from the figures of one machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness import OURS

RESPONSES = 10**10
WORKERS = [1, 4, 16, 64, 256]
# What is assumed rather than measured.
NETWORK = 125e6  # bytes per second of each machine: 1 Gbit/s
STORAGE = 200e6  # bytes per second that each worker reads
ANSWER_BYTES = 9  # a float64 score and an int8 key code
LOG_BYTES = 16  # an int64 id and an int64 time
PAIR_BYTES = 16  # an int64 id and an int64 period
COUNT_BYTES = 8
COLUMN_BYTES = 8
ANSWERS = 12  # the points 0 to 10, and missing


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the note."""
    shards = found["shards"]
    yield from opening(found)
    yield from tally_part(shards)
    yield from response_part(per_row(found, "nps_categorical"), shards["tally"])
    yield from log_part(per_row(found, "flow_int64"), shards["log"])
    yield from LIMITS


def per_row(found: dict[str, Any], name: str) -> tuple[float, int]:
    """Return the seconds per row in one thread at the largest size, and that size."""
    sizes = [group for group in found["peers"]["groups"] if group["name"] == name]
    group = max(sizes, key=lambda size: size["rows"])
    cases = group["cases"]
    one = cases.get(f"{OURS}, pandas, 1 thread") or cases[f"{OURS}, pandas"]
    return one["median"] / 1000 / group["rows"], group["rows"]


def opening(found: dict[str, Any]) -> Iterator[str]:
    yield "# Past one machine"
    yield ""
    yield f"Written by `make bench` on {found['about']['date']}, from the figures it measured for"
    yield "[results.md](results.md). A shard is reduced to counts where it lies; only counts, or"
    yield "distinct pairs of customer and period, move. Measured: nanoseconds per row in one"
    yield "thread, the bytes of a tally, the pairs in a log. Assumed, to be replaced by your own:"
    yield ""
    yield f"- {NETWORK / 1e6:g} MB/s of network for each machine (1 Gbit/s), no latency counted;"
    yield f"- {STORAGE / 1e6:g} MB/s of storage for each worker, {ANSWER_BYTES} bytes per answer,"
    yield f"  {LOG_BYTES} bytes per row of a log, uncompressed;"
    yield "- shards of one size, workers as quick as the machine measured, one thread each."


def tally_part(shards: dict[str, Any]) -> Iterator[str]:
    tally = shards["tally"]
    yield from ["", "## Surveys: a tally moves", ""]
    yield "A tally has a row per group, period and answer that is present, whatever the number of"
    yield f"responses: at most groups x periods x {ANSWERS} rows (the points 0 to 10, and missing)"
    yield f"of {4 * COLUMN_BYTES} bytes (key, period, answer, n; {COLUMN_BYTES} each)."
    bound = tally["groups"] * tally["periods"] * ANSWERS
    yield ""
    yield f"Measured, on a shard of {shards['rows'] // shards['shards']:,} answers with"
    yield f"{tally['groups']} groups and {tally['periods']} months: {tally['rows']:,} rows of"
    yield f"at most {bound:,}, {tally['bytes']:,} bytes (a categorical key is short)."
    yield f"Stacking {shards['shards']} of them and computing NPS took {tally['merge_ms']:.1f} ms,"
    yield "and gave the table of the single pass, which the command checks."
    yield from ["", "| groups | periods | rows at most | kB per shard | ms per shard to move |"]
    yield "|---:|---:|---:|---:|---:|"
    for groups, periods in ((4, 1), (4, 24), (100, 24), (10_000, 24), (10_000, 731)):
        rows = groups * periods * ANSWERS
        size = rows * 4 * COLUMN_BYTES
        moved = 1000 * size / NETWORK
        yield f"| {groups:,} | {periods} | {rows:,} | {size / 1e3:,.1f} | {moved:,.2f} |"


def response_part(cost: tuple[float, int], tally: dict[str, Any]) -> Iterator[str]:
    seconds, rows = cost
    yield from ["", f"## {RESPONSES:,} responses on k workers", ""]
    yield f"count = responses x {1e9 * seconds:.1f} ns / k (NPS by a categorical key, {rows:,}"
    yield "rows in results.md); read = responses x bytes / storage / k; move = k tallies of"
    yield f"{tally['bytes']:,} bytes into one machine."
    yield from ["", "| k | rows each | count, s | read, s | move, s | in all, s |"]
    yield "|---:|---:|---:|---:|---:|---:|"
    for k in WORKERS:
        count = RESPONSES * seconds / k
        read = RESPONSES * ANSWER_BYTES / STORAGE / k
        move = k * tally["bytes"] / NETWORK
        cells = [f"{k}", f"{RESPONSES // k:,}", f"{count:,.1f}", f"{read:,.1f}", f"{move:.4f}"]
        yield f"| {' | '.join(cells)} | {count + read + move:,.1f} |"
    yield ""
    yield verdict(RESPONSES * seconds, RESPONSES * ANSWER_BYTES / STORAGE)


def verdict(count: float, read: float) -> str:
    """Return which of the two is the larger part."""
    larger, smaller, words = (
        (read, count, "Reading costs more than counting")
        if read > count
        else (count, read, "Counting costs more than reading")
    )
    return f"{words}: {larger / smaller:.1f} times as much. Moving is nothing beside either."


def log_part(cost: tuple[float, int], log: dict[str, Any]) -> Iterator[str]:
    seconds, rows = cost
    flow = log["periods"] * log["counts"] * COUNT_BYTES
    yield from ["", f"## Logs: {RESPONSES:,} interactions on k workers", ""]
    yield "Customers are counted once per period, so all rows of a customer must meet. A log that"
    yield "is already split by customer moves only flows: groups x periods x"
    yield f"{log['counts']} counts x {COUNT_BYTES} bytes, which is {flow:,} bytes for one group and"
    yield f"{log['periods']} months ({log['bytes']:,} as a table). Otherwise each worker first"
    yield f"reduces its rows to distinct (customer, month) pairs of {PAIR_BYTES} bytes; of those,"
    yield "(k - 1) / k move to the worker of their customer."
    yield ""
    yield f"Measured, with {log['rows_per_customer']:.1f} rows per customer:"
    yield f"{log['pairs_per_customer']:.1f} pairs per customer, {log['pairs_per_row']:.2f} per row."
    yield "So many move when all of a customer's rows lie on one worker; rows scattered at random"
    yield "repeat pairs, up to one per row. The table has both ends:"
    yield f"count = interactions x {1e9 * seconds:.1f} ns / k (customer flow by month, {rows:,}"
    yield "rows in results.md); move = pairs x bytes x (k - 1) / k / k / network, all at once."
    yield from ["", "| k | count, s | read, s | least moved, GB | s | most moved, GB | s |"]
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    for k in WORKERS:
        count, read = RESPONSES * seconds / k, RESPONSES * LOG_BYTES / STORAGE / k
        cells = [f"{k}", f"{count:,.1f}", f"{read:,.1f}"]
        for pairs in (RESPONSES * log["pairs_per_row"], RESPONSES):
            moved = pairs * PAIR_BYTES * (k - 1) / k
            cells += [f"{moved / 1e9:,.1f}", f"{moved / k / NETWORK:,.1f}"]
        yield f"| {' | '.join(cells)} |"


LIMITS = [
    "",
    "## What this leaves out",
    "",
    "- The cost per row of a log grows with the customers of a shard, because their table leaves",
    "  the processor's cache: results.md shows how. Shards larger than those measured cost more.",
    "- Pairs that arrive are reduced once more: at most the column count again.",
    "- String ids move their text as well, and cost what results.md shows for them.",
    "- Start-up of workers, scheduling, retries, skewed shards and compression are not counted.",
]
