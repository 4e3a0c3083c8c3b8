"""Frames and result tables that tests of pooling and of comparing share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import loyaltykit as lk
from loyaltykit import _estimates, _frame, _results

# Four customers of January and two of February; April has only begun.
DAYS: dict[int, list[str]] = {
    1: ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-02"],
    2: ["2026-01-07", "2026-02-09"],
    3: ["2026-01-07", "2026-02-11"],
    4: ["2026-01-09"],
    5: ["2026-02-01", "2026-03-08"],
    6: ["2026-02-03"],
}
ACTIVITY: dict[str, list[Any]] = {
    "id": [customer for customer, days in DAYS.items() for _ in days],
    "day": [dt.date.fromisoformat(day) for days in DAYS.values() for day in days],
    "sector": ["B2B" if customer % 2 else "B2C" for customer, days in DAYS.items() for _ in days],
}


def log_columns(customers: int = 40) -> dict[str, list[Any]]:
    """Return a log of five months of 2026 in which every customer has a sector and a region."""
    rows = []
    for customer in range(customers):
        for month in range(1, 6):
            if customer % 7 < month and (customer * month) % 5 != 1:
                sector = ["B2B", "B2C", None][customer % 3]
                region = ["east", "west"][customer % 2]
                rows.append((customer, dt.date(2026, month, 10), sector, region))
    ids, times, sectors, regions = zip(*rows, strict=True)
    columns = {"id": ids, "day": times, "sector": sectors, "region": regions}
    return {name: list(values) for name, values in columns.items()}


ANSWERS: dict[str, list[Any]] = {
    "nps": [10, 9, 3, 7, None, 10, 0, 8, 9, 6],
    "csat": [5, 4, 1, 3, 2, None, 5, 5, 4, 1],
    "ces": [7, 6, 1, 4, 2, None, 5, 5, 4, 3],
    "sector": ["B2B", "B2C", "B2B", None, "B2C", "B2B", "B2C", "B2B", None, "B2B"],
    "tier": ["new", "new", "loyal", "loyal", "new", "new", "loyal", "loyal", "loyal", "new"],
    "day": [dt.date(2026, month, 15) for month in (1, 1, 1, 2, 2, 2, 3, 3, 3, 3)],
}


def weighted_table(rows: list[tuple[str, int, float]], keys: list[str], sampling: str = "") -> Any:
    """Return the NPS of (key, answer, weight) by key, every sum and variance by a plain loop.

    A domain's variance is that of Taylor linearisation, with the n of the whole sample.
    """
    names, size = ("promoters", "passives", "detractors"), len(rows)
    buckets: dict[str, list[list[float]]] = {key: [[], [], []] for key in keys}
    for key, answer, weight in rows:
        for name in {key, "all"} & set(keys):
            buckets[name][0 if answer >= 9 else 1 if answer >= 7 else 2].append(weight)
    weights: list[list[float]] = [[], [], []]
    squares: list[list[float]] = [[], [], []]
    counts: list[list[int]] = [[], [], []]
    variance, kish = [], []
    for key in keys:
        total = sum(map(sum, buckets[key]))
        mean = (sum(buckets[key][0]) - sum(buckets[key][2])) / total
        apart = 0.0
        for i, value in enumerate((1, 0, -1)):
            own = buckets[key][i]
            weights[i].append(sum(own))
            squares[i].append(sum(weight**2 for weight in own))
            counts[i].append(len(own))
            apart += sum((weight * (value - mean) / total) ** 2 for weight in own)
        variance.append(size / (size - 1) * apart)
        kish.append(total**2 / sum(squares[i][-1] for i in range(3)))
    by_bucket = [
        {name: np.array(each[i]) for i, name in enumerate(names)} for each in (weights, squares)
    ]
    df = np.full(len(keys), size - 1.0)
    unknown = np.full(len(keys), np.inf)
    sums = by_bucket[0], by_bucket[1]
    made = _estimates.Weighted(*sums, np.array(variance), np.array(kish), unknown, df)
    tally = {name: np.array(counts[i], dtype=np.int64) for i, name in enumerate(names)}
    n = np.sum(list(tally.values()), axis=0)
    head = {} if keys == ["all"] else {"sector": keys}
    return _results.metric_table(
        _frame.open_frame(pd.DataFrame(head, index=range(len(keys)))),
        "nps",
        tally,
        n,
        np.zeros(len(keys), dtype=np.int64),
        weighted=made,
        method="score",
        confidence_level=0.95,
        definition="scale=0..10;promoter>=9;detractor<=6" + sampling,
    )


WEIGHTED_ROWS = [
    *(("B2B", 10, 1.5), ("B2B", 9, 0.5), ("B2B", 3, 2.0), ("B2B", 7, 1.0), ("B2B", 10, 0.7)),
    *(("B2C", 0, 1.2), ("B2C", 8, 0.8), ("B2C", 6, 2.5), ("B2C", 9, 1.1)),
    *(("NPO", 9, 1.0), ("NPO", 5, 0.6), ("NPO", 2, 1.4)),
]


SECTORS = ["B2B", "B2C", "NPO"]


SURVEYS: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
    (lk.nps, "nps", {}),
    (lk.nps, "nps", {"method": "adjusted_wald", "confidence_level": 0.9}),
    (lk.nps, "nps", {"promoter_min": 8, "detractor_max": 5}),
    (lk.csat, "csat", {}),
    (lk.ces, "ces", {}),
    (lk.ces, "ces", {"statistic": "box"}),
    (lk.ces, "ces", {"statistic": "net", "direction": "effort"}),
]


def same_frame(made: pd.DataFrame, table: pd.DataFrame) -> None:
    """Assert that two frames are equal, types included.

    Texts of pandas 2 are objects, and a null among them is None or NaN: both are one null.
    """
    pd.testing.assert_frame_equal(with_one_null(made), with_one_null(table))


def with_one_null(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in which every null among objects is None."""
    changed = frame.copy()
    for name in [name for name in frame.columns if frame[name].dtype.kind == "O"]:
        changed[name] = frame[name].where(frame[name].notna(), None)
    return changed
