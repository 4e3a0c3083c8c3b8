"""Which engine counts: what is opened, and what is refused with a word on what would do."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest
from conftest import Engine

import loyaltykit as lk
from loyaltykit import _frame, _sources
from loyaltykit.errors import ColumnNotFoundError, ParameterError

ROWS: dict[str, list[Any]] = {"id": [1, 2], "day": ["2026-01-05", "2026-02-06"], "nps": [9, 3]}
LAZY = ["polars-lazy", "duckdb"]


@pytest.mark.parametrize("lazy", LAZY)
def test_queries_are_opened_as_they_are(lazy: str) -> None:
    source = _sources.opened(Engine(lazy).frame(ROWS))
    assert isinstance(source, _frame.LazyFrame)
    assert _sources.columns_of(source) == ["id", "day", "nps"]


def test_eager_frames_are_opened(engine: Engine) -> None:
    source = _sources.opened(engine.frame(ROWS))
    assert isinstance(source, _frame.EagerFrame)
    assert _sources.columns_of(source) == ["id", "day", "nps"]


@pytest.mark.parametrize("data", [None, [1], "rows", {"id": [1]}, pd.DataFrame(ROWS).groupby("id")])
def test_the_error_names_every_engine(data: Any) -> None:
    engines = r"pandas, Polars or PyArrow, Polars lazy, DuckDB, PySpark or Dask"
    with pytest.raises(TypeError, match=f"data must be a DataFrame of {engines}, not"):
        lk.customer_flow(data, "id", "day")


@pytest.mark.parametrize("lazy", LAZY)
def test_one_engine_a_call(lazy: str) -> None:
    log, segments = Engine(lazy).frame(ROWS), pd.DataFrame({"id": [1], "sector": ["B2B"]})
    words = r"is a pandas frame and data a (polars|duckdb) \(lazy\) one: pass both of one kind"
    with pytest.raises(TypeError, match=f"segments {words}"):
        lk.customer_flow(log, "id", "day", by="sector", segments=segments)
    with pytest.raises(TypeError, match=f"customers {words}"):
        lk.loyalty_tier(log, "id", "day", customers=segments)
    with pytest.raises(TypeError, match=f"segments {words}"):
        lk.attach_segments(log, segments, on="id")


@pytest.mark.parametrize("lazy", LAZY)
def test_columns_are_looked_up_in_the_schema(lazy: str) -> None:
    log = Engine(lazy).frame(ROWS)
    with pytest.raises(ColumnNotFoundError, match=r"score='NPS'.* Did you mean 'nps'\?"):
        lk.nps(log, "NPS")
    with pytest.raises(ColumnNotFoundError, match=r"time='Day'.* Did you mean 'day'\?"):
        lk.customer_flow(log, "id", "Day")


def test_result_tables_are_taken_in_memory() -> None:
    table = pl.DataFrame(lk.to_records(lk.nps(pd.DataFrame(ROWS), "nps"))).lazy()
    for call in (lk.to_records, lambda t: lk.pool(t, over="sector"), lk.scorecard):
        with pytest.raises(TypeError, match=r"not LazyFrame of polars\. Collect it first"):
            call(table)  # type: ignore[arg-type]


@pytest.mark.parametrize("lazy", LAZY)
def test_names_of_our_own_are_not_taken(lazy: str) -> None:
    log = Engine(lazy).frame({**ROWS, "lk id": [1, 2]})
    with pytest.raises(ParameterError, match=r"data has columns that are named like.*'lk id'"):
        lk.customer_flow(log, "id", "day")


def test_dots_in_names() -> None:
    """DuckDB takes them for a path; columns that are not in use may be called anything."""
    log = Engine("duckdb").frame({**ROWS, "a.b": [1, 2]})
    assert lk.nps(log, "nps")["n"].tolist() == [2]
    with pytest.raises(ParameterError, match=r"'a\.b': DuckDB reads a dot.*Rename the column"):
        lk.nps(log, "nps", by="a.b")
    assert lk.nps(Engine("polars-lazy").frame({**ROWS, "a.b": [1, 2]}), "nps", by="a.b")[
        "a.b"
    ].tolist() == [1, 2]


@pytest.mark.parametrize("lazy", LAZY)
def test_a_query_is_opened_with_the_columns_in_use(lazy: str) -> None:
    named = {"customer": "id", "time": "day"}
    made = frozenset(["duration"])
    source = _sources.having(Engine(lazy).frame(ROWS), named, made)
    assert _sources.columns_of(source) == ["id", "day"]
    assert _sources.columns_of(_sources.having(pd.DataFrame(ROWS), named)) == list(ROWS)
    with pytest.raises(ParameterError, match=r"^customer='day': a result table has a column of"):
        _sources.having(Engine(lazy).frame(ROWS), {"customer": "day"}, frozenset(["day"]))
    with pytest.raises(TypeError, match=r"^time must be a column name"):
        _sources.having(Engine(lazy).frame(ROWS), {"customer": "id", "time": None})  # type: ignore[dict-item]
