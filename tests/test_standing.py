"""What tiers and stages share: the call, and the frames beside the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest
from conftest import frame_rows

import loyaltykit as lk
from loyaltykit.errors import ColumnNotFoundError, ParameterError

LOG = pd.DataFrame({"id": [1, 1, 2], "day": ["2026-01-05", "2026-02-06", "2026-01-09"]})
FUNCTIONS: list[Callable[..., Any]] = [lk.loyalty_tier, lk.lifecycle_stage]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("freq", [None, "week"])
def test_the_same_customers_and_dates(function: Callable[..., Any], freq: Any) -> None:
    table = function(LOG, "id", "day", freq=freq, customers=pd.DataFrame({"id": [5]}))
    other = lk.loyalty_tier(LOG, "id", "day", freq=freq, customers=pd.DataFrame({"id": [5]}))
    keys = ["id", *(["valid_from"] if freq else [])]
    pd.testing.assert_frame_equal(table[keys], other[keys])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        (("id", 3), {}, TypeError, "time must be a column name"),
        (("who", "day"), {}, ColumnNotFoundError, "customer='who': data has no such column"),
        (("id", "day"), {"purchase": "buys"}, ColumnNotFoundError, "purchase='buys': data has no"),
        (("id", "day"), {"tz": 3}, TypeError, "tz must be the name of a time zone"),
        (
            ("id", "day"),
            {"customers": pd.DataFrame({"who": [1]})},
            ColumnNotFoundError,
            "customer='id': customers has no such column",
        ),
        (
            ("id", "day"),
            {"customers": pl.DataFrame({"id": [1]})},
            TypeError,
            "pass both of one kind",
        ),
    ],
)
def test_bad_calls(
    function: Callable[..., Any],
    arguments: tuple[Any, Any],
    keywords: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        function(LOG, *arguments, **keywords)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_valid_from_is_taken_only_with_freq(function: Callable[..., Any]) -> None:
    log = LOG.rename(columns={"id": "valid_from"})
    assert len(frame_rows(function(log, "valid_from", "day"))) == 2
    with pytest.raises(ParameterError, match="customer='valid_from': a result table has a column"):
        function(log, "valid_from", "day", freq="month")


def test_answers_are_read_by_their_own_names() -> None:
    answers = pd.DataFrame({"id": [1], "nps": ["10"], "when": ["2026-01-31"]})
    table = lk.lifecycle_stage(
        LOG, "id", "day", answers=answers, score="nps", answered="when", onboarding=1
    )
    assert [row["stage"] for row in frame_rows(table)] == ["advocacy", "retention"]
    with pytest.raises(TypeError, match="answered must be a column name"):
        lk.lifecycle_stage(LOG, "id", "day", answers=answers, answered=3)  # type: ignore[arg-type]
