"""Time what a service pays: starting up, small calls once warm, and bootstrap intervals.

Starting is measured in fresh processes that take turns. A warm call is held against a bare pandas
group-by of the same rows; 3 times as long is what it may take. A bootstrap of 10,000 replicates
may take 5 ms, however many answers stand behind the counts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from typing import Any

import harness
import pandas as pd
import survey_cases

import loyaltykit as lk

CALLS = 50  # per run
RESAMPLES = 10_000
NOT_AT_IMPORT = [
    "matplotlib",
    "scipy.stats",
    "scipy.optimize",
    "pandas",
    "polars",
    "pyarrow",
    "duckdb",
]
COUNTS = "promoters=[50], passives=[30], detractors=[20]"
STARTS = {
    "import numpy": "import numpy",
    "import pandas": "import pandas",
    "import loyaltykit": "import loyaltykit",
    "import pandas and a first group-by": (
        "import pandas\n"
        "f = pandas.DataFrame({'g': ['a'], 'p': [True], 'd': [False]})\n"
        "f.groupby('g')[['p', 'd']].mean()"
    ),
    "import loyaltykit and a first nps_from_counts": (
        f"import loyaltykit\nloyaltykit.nps_from_counts({COUNTS})"
    ),
    "import both and a first nps of a pandas frame": (
        "import pandas, loyaltykit\n"
        "loyaltykit.nps(pandas.DataFrame({'g': ['a'], 's': [9]}), 's', by='g')"
    ),
}
TIMER = "import time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"


def main() -> None:
    options = harness.parser(__doc__).parse_args()
    harness.restart_clean()
    starts = harness.summary(start_up(options.repeats or 7))
    harness.show("Start-up, fresh processes", starts)
    loaded = loaded_at_import()
    print(f"  import loyaltykit loads of {', '.join(NOT_AT_IMPORT)}: {', '.join(loaded) or 'none'}")
    calls = small_calls(options.repeats or 20)
    for call in calls:
        print(f"  {call['name']:<58}{call['ms']:>8.3f} ms{call['ratio']:>8.2f} x {call['beside']}")
    draws = bootstraps(options.repeats or 20)
    for draw in draws:
        print(f"  {draw['name']:<58}{draw['ms']:>8.3f} ms")
    results = {
        "starts": starts,
        "loaded": loaded,
        "not_at_import": NOT_AT_IMPORT,
        "calls": calls,
        "draws": draws,
    }
    harness.write(options.json, results)


def start_up(repeats: int) -> dict[str, list[float]]:
    """Return milliseconds of every start, after one that fills the system's cache of files."""
    runs: dict[str, list[float]] = {name: [] for name in STARTS}
    for turn in range(repeats + 1):
        for name, code in STARTS.items():
            seconds = float(child(TIMER.format(code=code)))
            if turn:
                runs[name].append(1000 * seconds)
    return runs


def loaded_at_import() -> list[str]:
    """Return which modules that ought to wait are loaded by ``import loyaltykit``."""
    modules = child("import sys, loyaltykit; print(*sys.modules)").split()
    return [name for name in NOT_AT_IMPORT if name in modules]


def child(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def small_calls(repeats: int) -> list[dict[str, Any]]:
    """Return milliseconds per warm call, each beside the bare group-by of its rows."""
    counts = pd.DataFrame({"sector": ["B2B"], "promoters": [50], "detractors": [20]})
    numbers: dict[str, Any] = {"promoters": [50], "passives": [30], "detractors": [20]}
    scalars: dict[str, Any] = {name: number for name, (number,) in numbers.items()}
    bare = "bare group-by mean of a frame of one row"
    calls: dict[str, tuple[harness.Run, str | None]] = {
        bare: (partial(grouped_mean, counts), None),
        "nps_from_counts, one row": (partial(lk.nps_from_counts, **numbers, labels=["B2B"]), bare),
        "nps_from_counts, plain numbers": (partial(lk.nps_from_counts, **scalars), bare),
    }
    for kind in ("categorical", "string", "int64"):
        calls |= calls_on_rows(kind)
    medians = interleaved({name: run for name, (run, _) in calls.items()}, repeats)
    return [
        {
            "name": name,
            "ms": medians[name],
            "beside": beside,
            "ratio": medians[name] / medians[beside],
        }
        for name, (_, peer) in calls.items()
        if (beside := peer or name)
    ]


def calls_on_rows(kind: str) -> dict[str, tuple[harness.Run, str | None]]:
    """Return nps on 1,000 rows by a key, beside the group-by of flags, made before or in time."""
    frame = survey_cases.answers(1000, kind)
    flags = frame.assign(promoters=frame["score"] >= 9, detractors=frame["score"] <= 6)
    bare = f"bare group-by mean of two flags, 1,000 rows, {kind} key"
    return {
        bare: (partial(grouped_mean, flags), None),
        f"the same with making the flags, {kind} key": (
            partial(survey_cases.boolean_nps, frame),
            bare,
        ),
        f"nps, 1,000 rows, {kind} key": (partial(lk.nps, frame, "score", by="sector"), bare),
    }


def bootstraps(repeats: int) -> list[dict[str, Any]]:
    """Return milliseconds per table of one row whose interval is drawn from three buckets."""
    calls: dict[str, harness.Run] = {}
    for n in (100, 10_000, 10**9):
        counts: dict[str, Any] = {"promoters": n // 2, "detractors": n // 5, "n": n}
        options: dict[str, Any] = {"method": "bootstrap", "n_resamples": RESAMPLES, "rng": 1}
        name = f"nps_from_counts, {RESAMPLES:,} replicates, {n:,} answers"
        calls[name] = partial(lk.nps_from_counts, **counts, **options)
    return [{"name": name, "ms": ms} for name, ms in interleaved(calls, repeats).items()]


def grouped_mean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("sector", observed=True)[["promoters", "detractors"]].mean()


def interleaved(calls: dict[str, harness.Run], repeats: int) -> dict[str, float]:
    """Return the median milliseconds per call; the first runs warm up."""

    def many(run: harness.Run) -> None:
        for _ in range(CALLS):
            run()

    cases = [harness.Case(name, partial(many, run)) for name, run in calls.items()]
    harness.timed("warm-up", cases, 1)
    runs = harness.timed("small calls", cases, repeats)
    return {name: statistics.median(times) / CALLS for name, times in runs.items()}


if __name__ == "__main__":
    main()
