"""Segments joined as queries: what lazy engines say of a customer is what NumPy says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import WRAPPED, Engine, collected, frame_rows
from hypothesis import given, settings
from random_logs import Case, cases

import loyaltykit as lk

LAZY = ["polars-lazy", "duckdb"]


def in_order(table: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = frame_rows(collected(table))
    return sorted(rows, key=lambda row: [(row[n] is None, str(row[n])) for n in names])


@pytest.mark.parametrize("lazy", LAZY)
@given(case=cases(split=True))
@settings(max_examples=20)
def test_the_queries_attach_what_numpy_attaches(lazy: str, case: Case) -> None:
    base, wrap = WRAPPED[lazy]
    log, keywords = case.arguments(base)
    segments, when = keywords["segments"], {}
    names = segments.column_names if base == "pyarrow" else segments.columns
    if "valid_from" in names:
        when = {"time": "day", "valid_from": "valid_from"}
    numpy = lk.attach_segments(log, segments, on="id", **when)
    found = lk.attach_segments(wrap(log, None), wrap(segments, None), on="id", **when)
    assert in_order(found, ["id", "day", "key"]) == in_order(numpy, ["id", "day", "key"])
    if lazy == "polars-lazy":  # which keeps the order of the rows
        assert frame_rows(found) == frame_rows(numpy)


@pytest.mark.parametrize("lazy", LAZY)
def test_nothing_is_run_before_it_is_asked_for(lazy: str) -> None:
    """What comes back is the caller's kind, lazy as it came."""
    engine = Engine(lazy)
    log = engine.frame({"id": [2, 1], "day": [dt.date(2026, 1, 5)] * 2})
    segments = engine.frame({"id": [1], "sector": ["B2B"]})
    assert type(lk.attach_segments(log, segments, on="id")) is type(log)
    engine.check_inputs_unchanged()
