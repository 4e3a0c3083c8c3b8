"""Contracts as queries: what lazy engines count is what NumPy counts, in random contracts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from conftest import WRAPPED, frame_rows
from hypothesis import given, settings
from random_logs import Contracts, contracts

import loyaltykit as lk
from loyaltykit import _contract_queries, _lazy
from loyaltykit._frame import ID, PERIOD
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]


def wrapped(lazy: str, frame: Any) -> Any:
    return WRAPPED[lazy][1](frame, None)


@pytest.mark.parametrize("lazy", LAZY)
@given(case=contracts())
@settings(max_examples=4, deadline=None)
def test_the_queries_count_what_numpy_counts(lazy: str, case: Contracts) -> None:
    frame, keywords = case.arguments(WRAPPED[lazy][0])
    other = dict(keywords)
    if "segments" in other:
        other["segments"] = wrapped(lazy, other["segments"])
    numpy = lk.customer_flow(frame, "id", "start", **keywords)
    found = lk.customer_flow(wrapped(lazy, frame), "id", "start", **other)
    assert frame_rows(found) == frame_rows(numpy)


@pytest.mark.parametrize("lazy", LAZY)
@given(case=contracts())
@settings(max_examples=3, deadline=None)
def test_renewals_too(lazy: str, case: Contracts) -> None:
    frame, keywords = case.arguments(WRAPPED[lazy][0])
    keywords["denominator"] = "renewal_due"
    other = dict(keywords)
    if "segments" in other:
        other["segments"] = wrapped(lazy, other["segments"])
    numpy = lk.churn_rate(frame, "id", "start", **keywords)
    found = lk.churn_rate(wrapped(lazy, frame), "id", "start", **other)
    assert frame_rows(found) == frame_rows(numpy)


def test_the_stock_of_a_few_contracts() -> None:
    rows = {
        "id": [1, 2, 3, 3],
        "start": ["2026-01-01", "2026-02-01", "2026-02-10", "2026-01-10"],
        "end": ["2026-01-15", None, "2026-02-20", "2026-01-12"],
    }
    query = _lazy.query_of(pl.LazyFrame(rows))
    options: dict[str, Any] = {"freq": "month", "as_of": "2026-02-28", "tz": None}
    log = _contract_queries.read(query, "id", "start", "end", errors="raise", **options)
    assert (log.active.first, log.active.span, log.active.lead) == (671, 3, 1)
    stock = _contract_queries.stock(log.rows, log.active)
    held, brief, due = (sorted(part.collect().select(ID, PERIOD).rows()) for part in stock)
    assert held == [(1, 671), (2, 672), (2, 673)]
    assert brief == [(3, 672), (3, 673)]
    assert due == [(1, 672)]


def test_too_many_pairs_are_refused() -> None:
    frame = pl.LazyFrame({"id": range(40_000)}).with_columns(
        start=pl.lit(dt.date(1990, 1, 1)), end=pl.lit(dt.date(2026, 1, 1))
    )
    options: dict[str, Any] = {"contract_end": "end", "freq": "day", "as_of": "2026-01-31"}
    with pytest.raises(DataError, match=r"in force at 525,\d{3},\d{3} closings of a day"):
        lk.customer_flow(frame, "id", "start", **options)


def test_a_zone_on_one_side_only() -> None:
    frame = pl.LazyFrame({"id": [1], "start": [dt.datetime(2026, 1, 5, tzinfo=dt.UTC)]})
    frame = frame.with_columns(end=pl.lit(dt.datetime(2026, 2, 5)))
    with pytest.raises(DataError, match="Only one of 'start' and 'end' has a time zone"):
        lk.customer_flow(frame, "id", "start", contract_end="end", as_of="2026-03-31")
