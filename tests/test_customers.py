"""Tiers and segments as queries: what lazy engines say of a customer is what NumPy says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import CONSTRUCTORS, WRAPPED, Engine, collected, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import FREQUENCIES, Case, cases

import loyaltykit as lk
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]


def in_order(table: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = frame_rows(collected(table))
    return sorted(rows, key=lambda row: [(row[n] is None, str(row[n])) for n in names])


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("freq", [None, *FREQUENCIES])
@given(case=cases(split=False), rule=st.tuples(st.integers(1, 3), st.integers(0, 3)))
@settings(max_examples=12)
def test_the_queries_label_what_numpy_labels(
    lazy: str, freq: str | None, case: Case, rule: tuple[int, int]
) -> None:
    base, wrap = WRAPPED[lazy]
    case = case._replace(freq=case.freq if freq in (None, "day") else str(freq))
    log, keywords = case.arguments(base)
    listed = CONSTRUCTORS[base]({"id": [1, 5, 9, 9]})
    keywords |= {"freq": freq, "loyal_periods": rule[0], "loyal_window": sum(rule)}
    numpy = lk.loyalty_tier(log, "id", "day", customers=listed, **keywords)
    keywords["customers"] = wrap(listed, None)
    found = lk.loyalty_tier(wrap(log, None), "id", "day", **keywords)
    names = ["id"] if freq is None else ["id", "valid_from"]
    assert in_order(found, names) == in_order(numpy, names)


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
    assert type(lk.loyalty_tier(log, "id", "day")) is type(log)
    segments = engine.frame({"id": [1], "sector": ["B2B"]})
    assert type(lk.attach_segments(log, segments, on="id")) is type(log)
    engine.check_inputs_unchanged()


@pytest.mark.parametrize("lazy", LAZY)
def test_purchases_are_true_or_false(lazy: str) -> None:
    engine = Engine(lazy)
    columns: dict[str, Any] = {
        "id": [1, 2, 3],
        "day": [dt.date(2026, 1, 5)] * 3,
        "bought": [1, 0, 2],
    }
    with pytest.raises(DataError, match="'bought': 1 row neither true nor false: 2"):
        lk.loyalty_tier(engine.frame(columns), "id", "day", purchase="bought")
    found = lk.loyalty_tier(
        engine.frame({**columns, "bought": [1, 0, 1]}), "id", "day", purchase="bought"
    )
    assert [row["tier"] for row in in_order(found, ["id"])] == ["new", "prospect", "new"]
