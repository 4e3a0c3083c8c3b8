"""Scorecards read for pictures and pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _cards
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine

ANSWERS: dict[str, list[Any]] = {
    "sector": ["B2B", "B2C"] * 40,
    "score": [10, 9, 3, 8] * 10 + [10, 9, 9, 10] * 10,
    "day": ["2026-01-15"] * 40 + ["2026-02-15"] * 40,
}


def test_the_latest_period_and_its_change(engine: Engine) -> None:
    table = lk.nps(engine.frame(ANSWERS), "score", by="sector", time="day")
    card = lk.scorecard(table, reference="previous", adjust="none")
    read = _cards.read(card)
    assert read.names == ["nps"]
    assert read.groups == [("sector", "B2B"), ("sector", "B2C")]
    assert read.latest == {"nps": "2026-02-01"}
    first = read.now["nps", ("sector", "B2B")]
    assert (first.n, first.estimate) == (20, 100.0)
    assert first.change is not None
    assert (first.change.reference, first.change.difference) == ("2026-01-01", 100.0)
    assert first.is_clear
    assert len(read.entries) == 4


def test_a_total_has_no_period() -> None:
    card = lk.scorecard(lk.csat_from_counts(satisfied=[5, 0], n=[9, 0], labels=["a", "b"]))
    read = _cards.read(card)
    assert read.groups == [("group", "a"), ("group", "b")]
    assert read.latest == {"csat": None}
    empty = read.now["csat", ("group", "b")]
    assert empty.n == 0
    assert math.isnan(empty.estimate)
    assert empty.change is None
    assert not empty.is_clear


def test_a_period_still_running_is_not_the_latest() -> None:
    log = pd.DataFrame(
        {
            "id": [1, 2, 1, 2, 1],
            "day": ["2026-01-05", "2026-01-06", "2026-02-05", "2026-02-06", "2026-03-02"],
        }
    )
    read = _cards.read(lk.scorecard(lk.retention_rate(log, "id", "day", as_of="2026-03-10")))
    assert read.latest == {"retention_rate": "2026-02-01"}


def test_another_table_and_a_name_twice_are_refused() -> None:
    table = lk.csat_from_counts(satisfied=5, n=9)
    with pytest.raises(ParameterError, match="scorecard"):
        _cards.read(table)
    with pytest.raises(ParameterError, match="holds 'csat' more than once for total 'total'"):
        _cards.read(lk.scorecard(table, table))
