"""Spells as queries: what lazy engines count is what NumPy counts, and columns of other types."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _lazy
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@pytest.mark.parametrize("lazy", LAZY)
@given(seed=st.integers(0, 10**6), size=st.integers(0, 40))
@settings(deadline=None, max_examples=15)
def test_the_queries_count_what_numpy_counts(lazy: str, seed: int, size: int) -> None:
    months = [(seed * i + i * i) % 9 for i in range(size)]
    columns: dict[str, list[Any]] = {
        "months": months,
        "left": [(seed + i) % 3 > 0 for i in range(size)],
        "since": [month * (i % 3) // 3 or None for i, month in enumerate(months)],
        "plan": [["a", "b", None][(seed + i * 5) % 3] for i in range(size)],
        "times": [i % 4 for i in range(size)],
    }
    types = {
        "months": "int16",
        "left": "bool",
        "since": "int32",
        "plan": "string",
        "times": "int64",
    }
    options: dict[str, Any] = {"by": "plan", "entry": "since", "counts": "times"}
    found, wanted = (
        frame_rows(
            lk.survival_curve(Engine(kind).with_types(columns, types), "months", "left", **options)
        )
        for kind in (lazy, "pandas")
    )
    assert found == wanted


def test_decimals_and_wide_integers_become_floats() -> None:
    """As sums come out of SQL."""
    made = (
        "select sum(i)::hugeint as a, sum(i)::decimal(9, 2) as b, i > 1 as left from range(3) t(i)"
    )
    relation: Any = duckdb.sql(f"{made} group by i")
    for name in ("a", "b"):
        rows = frame_rows(lk.survival_curve(relation, name, "left"))
        assert [(row["duration"], row["estimate"]) for row in rows] == [(0, 100), (1, 100), (2, 0)]


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ("select null as t, true as d", "'t': 1 row without a duration"),
        ("select interval 3 day as t, true as d", "duration='t' must be a column of numbers, not"),
        ("select 3 as t, null as d", "'d': 1 row without an event code"),
        ("select 3 as t, date '2026-01-01' as d", "event='d': 1 row neither true nor false"),
    ],
)
def test_columns_of_no_use(relation: str, message: str) -> None:
    connection = duckdb.connect()
    with pytest.raises(DataError, match=message):
        lk.survival_curve(connection.sql(relation), "t", "d")


def test_columns_of_nulls_in_polars() -> None:
    frame = pl.LazyFrame({"t": [None, None], "d": [True, False]})
    with pytest.raises(DataError, match="'t': 2 rows without a duration"):
        lk.survival_curve(frame, "t", "d")
    frame = pl.LazyFrame({"t": [3, 4], "d": [True, False], "since": [None, None]})
    wanted = lk.survival_curve(frame, "t", "d")
    assert frame_rows(lk.survival_curve(frame, "t", "d", entry="since")) == frame_rows(wanted)


def test_only_what_is_distinct_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    collected = _lazy.collected

    def counting(query: Any) -> Any:
        made = collected(query)
        sizes.append(len(made))
        return made

    monkeypatch.setattr(_lazy, "collected", counting)
    frame = pa.table({"t": [5, 6] * 500, "d": [True, False] * 500})
    lk.survival_curve(duckdb.from_arrow(frame), "t", "d")
    assert sizes == [2]
