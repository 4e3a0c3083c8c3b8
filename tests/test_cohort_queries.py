"""Cohorts as queries: what lazy engines count is what NumPy counts, in random logs."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import WRAPPED, frame_rows
from hypothesis import given, settings
from random_logs import Case, cases

import loyaltykit as lk

LAZY = ["polars-lazy", "duckdb"]


def wrapped(lazy: str, frame: Any) -> Any:
    return WRAPPED[lazy][1](frame, None)


@pytest.mark.parametrize("lazy", LAZY)
@given(case=cases())
@settings(max_examples=8)
def test_the_queries_count_what_numpy_counts(lazy: str, case: Case) -> None:
    base = WRAPPED[lazy][0]
    log, keywords = case.arguments(base)
    other = dict(keywords)
    if "segments" in other:
        other["segments"] = wrapped(lazy, other["segments"])
    numpy = lk.cohort_retention(log, "id", "day", **keywords)
    found = lk.cohort_retention(wrapped(lazy, log), "id", "day", **other)
    assert frame_rows(found) == frame_rows(numpy)
