"""Measure what leaves a shard: tallies of answers, flows and (customer, month) pairs of a log.

Before anything is measured, the shards' tallies and flows, added up, must give the single pass.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import harness
import log_cases
import numpy as np
import pandas as pd
import survey_cases

import loyaltykit as lk

SHARDS = 16
KEYS: dict[str, Any] = {"by": "sector", "freq": "month"}


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    options = parser.parse_args()
    harness.restart_clean()
    log = log_cases.interactions(options.rows)
    survey = survey_cases.answers(options.rows).assign(time=log["time"])
    results = {
        "rows": options.rows,
        "shards": SHARDS,
        "tally": tallies(survey, options.repeats or 5),
        "log": logs(log),
    }
    for name in ("tally", "log"):
        print(name, results[name])
    harness.write(options.json, results)


def tallies(survey: pd.DataFrame, repeats: int) -> dict[str, Any]:
    """Return the size of one shard's tally, and the time that adding all of them up takes."""
    shards = [survey.iloc[rows] for rows in np.array_split(np.arange(len(survey)), SHARDS)]
    made = [lk.tally(shard, "score", time="time", scale=(0, 10), **KEYS) for shard in shards]

    def merged() -> Any:
        return lk.nps(pd.concat(made), "answer", counts="n", time="period", **KEYS)

    pd.testing.assert_frame_equal(merged(), lk.nps(survey, "score", time="time", **KEYS))
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        merged()
        runs.append(1000 * (time.perf_counter() - start))
    return {
        "groups": int(made[0]["sector"].nunique()),
        "periods": int(made[0]["period"].nunique()),
        "rows": len(made[0]),
        "bytes": int(made[0].memory_usage(index=False).sum()),
        "merge_ms": statistics.median(runs),
    }


def logs(log: pd.DataFrame) -> dict[str, Any]:
    """Return the size of a flow, and how many distinct pairs the rows of a log hold."""
    call = {"customer": "customer", "time": "time", "as_of": "2025-12-31"}
    flows = [lk.customer_flow(shard, **call) for _, shard in log.groupby(log["customer"] % SHARDS)]
    counts = ["start", "new", "retained", "returned", "churned", "end"]
    added = pd.concat(flows).groupby("period")[counts].sum(min_count=SHARDS)
    whole = lk.customer_flow(log, **call).set_index("period")[counts]
    pd.testing.assert_frame_equal(added, whole)
    month = log["time"].dt.year * 12 + log["time"].dt.month
    pairs = pd.DataFrame({"customer": log["customer"], "month": month}).drop_duplicates()
    return {
        "periods": len(whole),
        "counts": len(counts),
        "bytes": int(flows[0].memory_usage(index=False).sum()),
        "rows_per_customer": len(log) / log["customer"].nunique(),
        "pairs_per_customer": len(pairs) / log["customer"].nunique(),
        "pairs_per_row": len(pairs) / len(log),
    }


if __name__ == "__main__":
    main()
