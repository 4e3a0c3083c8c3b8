"""Scores as queries: what lazy engines say of a customer is what NumPy says."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import CONSTRUCTORS, WRAPPED, collected, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import Case, cases

import loyaltykit as lk

AMOUNTS = st.sampled_from([-20.0, -0.1, 0.0, 0.1, 0.2, 0.3, 19.99, 1e9])


def in_order(table: Any) -> list[dict[str, Any]]:
    return sorted(frame_rows(collected(table)), key=lambda row: int(row["id"]))


@pytest.mark.parametrize("lazy", ["polars-lazy", "duckdb"])
@given(
    case=cases(split=False),
    bins=st.integers(2, 7),
    paid=st.lists(AMOUNTS, min_size=20, max_size=20),
)
@settings(max_examples=10)
def test_the_queries_score_what_numpy_scores(
    lazy: str, case: Case, bins: int, paid: list[float]
) -> None:
    """Whole cents that add up to the same, in another order, share a score in every engine."""
    base, wrap = WRAPPED[lazy]
    customers, days = (list(values) for values in zip(*case.log, strict=True))
    log = CONSTRUCTORS[base]({"id": customers, "day": days, "paid": paid[: len(days)]})
    keywords: dict[str, Any] = {"freq": case.freq, "as_of": case.as_of, "bins": bins}
    numpy = in_order(lk.rfm(log, "id", "day", "paid", **keywords))
    found = in_order(lk.rfm(wrap(log, None), "id", "day", "paid", **keywords))
    for row, wanted in zip(found, numpy, strict=True):
        assert row.pop("monetary") == pytest.approx(wanted.pop("monetary"), rel=1e-12, abs=1e-9)
        assert row == wanted
