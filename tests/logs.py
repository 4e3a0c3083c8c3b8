"""Logs written out by hand, and what tests read of the tables made from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    frame_rows,
)

import loyaltykit as lk
from loyaltykit.errors import (
    DroppedRowsWarning,
)

LOG_FUNCTIONS: list[Callable[..., Any]] = [
    lk.customer_flow,
    lk.retention_rate,
    lk.churn_rate,
    lk.cohort_retention,
]
FULL_DAY = dt.date(2026, 3, 31)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def moments(*texts: str) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(text) for text in texts]


def ends(table: Any) -> dict[dt.date, int]:
    """Return how many customers were active in each period."""
    return {row["period"]: row["end"] for row in frame_rows(table)}


def active(table: Any, key: str) -> dict[tuple[Any, str], int]:
    """Return how many customers of each key were active, where any were, by month."""
    rows = frame_rows(table)
    return {(row[key], f"{row['period']:%Y-%m}"): row["end"] for row in rows if row["end"]}


def dropped(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, str]:
    """Return a result and the message of the one warning that came with it."""
    with pytest.warns(DroppedRowsWarning) as caught:
        result = function(*args, **kwargs)
    (warning,) = caught
    return result, str(warning.message)


def aware_frame(name: str, times: list[Any], zone: str | None, unit: str = "us") -> Any:
    """Return customers 1, 2, ... at instants given in UTC and held in a zone."""
    instants = pa.array([time.replace(tzinfo=dt.UTC) for time in times], pa.timestamp(unit, "UTC"))
    table = pa.table({"id": list(range(1, len(times) + 1)), "day": instants})
    kept = pa.timestamp(unit, zone) if zone else pa.timestamp(unit)
    table = table.set_column(1, "day", instants.cast(kept))
    if name == "polars":
        return pl.from_arrow(table)
    if name.startswith("pandas"):
        return table.to_pandas(types_mapper=pd.ArrowDtype if name == "pandas-arrow" else None)
    return table


SPELLINGS: dict[str, list[Any]] = {
    "dates": days("2026-01-05", "2026-02-28", "2026-02-28"),
    "datetimes": moments("2026-01-05T00:00", "2026-02-28T23:59:59", "2026-02-28T12:00"),
    "ISO dates": ["2026-01-05", "2026-02-28", "2026-02-28"],
    "ISO datetimes": ["2026-01-05T00:00:00", "2026-02-28T23:59:59.999999", "2026-02-28T12:00:00"],
    "ISO with a blank": ["2026-01-05 00:00", "2026-02-28 23:59", "2026-02-28 12:00"],
    "ISO without dashes": ["20260105", "20260228", "20260228"],
    "ISO of both kinds": ["2026-01-05", "2026-02-28T23:59:59", "2026-02-28"],
}
