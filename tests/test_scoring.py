"""Recency, frequency and money: the measures, the rule for ties, the grid of segments."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import Engine, categories_of, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import days
from random_logs import Case, cases

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

MEASURES = ["frequency", "recency", "T", "monetary"]
SCORES = ["recency_score", "frequency_score", "monetary_score"]
SEGMENTS = [
    *("champions", "loyal_customers", "potential_loyalists", "new_customers", "promising"),
    *("need_attention", "about_to_sleep", "at_risk", "cant_lose", "hibernating"),
]

unhurried = settings(deadline=None, max_examples=25)


def log_of(engine: Engine, rows: str) -> Any:
    """Return a frame from text such as ``1 2026-01-05 20, 2 2026-01-09 -5``."""
    ids, dates, paid = zip(*(row.split() for row in rows.split(",")), strict=True)
    amounts = [float(amount) for amount in paid]
    return engine.frame({"id": [int(i) for i in ids], "day": days(*dates), "paid": amounts})


def rows_of(table: Any, *names: str) -> dict[Any, tuple[Any, ...]]:
    return {row["id"]: tuple(row[name] for name in names) for row in frame_rows(table)}


# ---- the measures -------------------------------------------------------------------------------

# 1 buys on three days, twice on one; 2 brings a purchase back; 3 takes a free sample.
LOG = (
    "1 2026-01-05 20, 1 2026-01-05 5, 1 2026-02-06 10, 1 2026-03-05 1, "
    "2 2026-01-09 80, 2 2026-01-19 -80, 3 2026-03-01 0"
)


def test_measures_written_out(engine: Engine) -> None:
    table = lk.rfm(log_of(engine, LOG), "id", "day", "paid", as_of="2026-03-10")
    assert column_names(table) == ["id", *MEASURES, *SCORES, "segment"]
    assert rows_of(table, *MEASURES) == {
        1: (2, 59, 64, 36.0),
        2: (0, 0, 60, 0.0),
        3: (0, 0, 9, 0.0),
    }


def test_measures_in_months(engine: Engine) -> None:
    table = lk.rfm(log_of(engine, LOG), "id", "day", "paid", as_of="2026-04-01", freq="month")
    assert rows_of(table, *MEASURES[:3]) == {1: (2, 2, 3), 2: (0, 0, 3), 3: (0, 0, 1)}


def test_who_only_returned_things_has_money_and_nulls(engine: Engine) -> None:
    """Of two buyers, one is worse than none and the other worse than half."""
    log = log_of(engine, "1 2026-01-05 20, 2 2026-01-06 -3, 3 2026-01-07 -0.0")
    table = lk.rfm(log, "id", "day", "paid")
    assert rows_of(table, *MEASURES, *SCORES, "segment") == {
        1: (0, 0, 2, 20.0, 1, 1, 3, "hibernating"),
        2: (None, None, None, -3.0, None, None, None, None),
        3: (0, 0, 0, 0.0, 3, 1, 1, "about_to_sleep"),
    }


def test_a_return_is_no_purchase_day(engine: Engine) -> None:
    """Neither the first, nor the last, nor one more."""
    log = log_of(engine, "1 2026-01-01 -5, 1 2026-01-10 20, 1 2026-02-01 -20, 2 2026-02-05 1")
    table = lk.rfm(log, "id", "day", "paid")
    assert rows_of(table, *MEASURES)[1] == (0, 0, 26, -5.0)


# ---- scores -------------------------------------------------------------------------------------


def spread(engine: Engine, amounts: list[float]) -> Any:
    """Return one purchase each, all on one day."""
    ids = list(range(1, len(amounts) + 1))
    day = days(*["2026-01-05"] * len(ids))
    return engine.frame({"id": ids, "day": day, "paid": amounts})


@pytest.mark.parametrize(
    ("amounts", "scores"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4, 5]),
        ([1.0, 1.0, 1.0, 1.0, 5.0], [1, 1, 1, 1, 5]),
        ([1.0, 5.0, 5.0, 5.0, 5.0], [1, 2, 2, 2, 2]),  # that of their lowest rank
        ([7.0] * 5, [1] * 5),
        ([3.0], [1]),
        ([float(i) for i in range(10)], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
    ],
)
def test_equal_values_share_a_score(
    engine: Engine, amounts: list[float], scores: list[int]
) -> None:
    table = lk.rfm(spread(engine, amounts), "id", "day", "paid")
    assert [row["monetary_score"] for row in frame_rows(table)] == scores


def test_sums_that_are_equal_on_paper_share_a_score(engine: Engine) -> None:
    """0.1 + 0.2 is more than 0.3 to a computer."""
    log = log_of(engine, "1 2026-01-05 0.1, 1 2026-01-05 0.2, 2 2026-01-05 0.3, 3 2026-01-05 9")
    table = lk.rfm(log, "id", "day", "paid")
    assert [row["monetary_score"] for row in frame_rows(table)] == [1, 1, 4]


def test_a_shorter_silence_is_a_better_recency(engine: Engine) -> None:
    rows = ", ".join(f"{i} 2026-01-0{i} 1" for i in range(1, 6))
    table = lk.rfm(log_of(engine, rows), "id", "day", "paid")
    assert [row["recency_score"] for row in frame_rows(table)] == [1, 2, 3, 4, 5]
    assert {row["recency"] for row in frame_rows(table)} == {0}


def test_every_cell_of_the_grid_has_a_segment(engine: Engine) -> None:
    """25 customers, whose silences and purchases make all pairs of scores."""
    rows = [
        f"{5 * silence + count} 2026-0{5 - silence}-{day + 1:02} 1"
        for silence in range(5)
        for count in range(5)
        for day in range(5 - count - 1, 5)
    ]
    log = log_of(engine, ", ".join(rows))
    grid: dict[tuple[int, int], str] = {
        (row["recency_score"], row["frequency_score"]): row["segment"]
        for row in frame_rows(lk.rfm(log, "id", "day", "paid"))
    }
    lines = [[grid[recency, frequency] for frequency in range(1, 6)] for recency in range(5, 0, -1)]
    assert lines == [
        ["new_customers", *["potential_loyalists"] * 2, *["champions"] * 2],
        ["promising", *["potential_loyalists"] * 2, *["loyal_customers"] * 2],
        [*["about_to_sleep"] * 2, "need_attention", *["loyal_customers"] * 2],
        [*["hibernating"] * 2, *["at_risk"] * 2, "cant_lose"],
        [*["hibernating"] * 2, *["at_risk"] * 2, "cant_lose"],
    ]


def test_other_bins_have_no_segments(engine: Engine) -> None:
    table = lk.rfm(spread(engine, [1.0, 2.0, 3.0]), "id", "day", "paid", bins=3)
    assert column_names(table) == ["id", *MEASURES, *SCORES]
    assert [row["monetary_score"] for row in frame_rows(table)] == [1, 2, 3]


@given(
    case=cases(split=False),
    paid=st.lists(st.integers(-300, 900), min_size=20, max_size=20),
    bins=st.integers(2, 6),
    seed=st.integers(0, 9),
)
@unhurried
def test_against_a_loop_whatever_the_order(
    engine: Engine, case: Case, paid: list[int], bins: int, seed: int
) -> None:
    rows = [(*row, cents / 100) for row, cents in zip(case.log, paid, strict=False)]
    wanted = oracles.rfm(rows, case.freq, case.end, bins)
    random.Random(seed).shuffle(rows)
    ids, dates, amounts = (list(values) for values in zip(*rows, strict=True))
    log = engine.frame({"id": ids, "day": dates, "paid": amounts})
    table = lk.rfm(log, "id", "day", "paid", freq=case.freq, as_of=case.as_of, bins=bins)
    found = {row.pop("id"): row for row in frame_rows(table)}
    for customer, row in wanted.items():
        row["monetary"] = pytest.approx(row["monetary"], abs=1e-9)
        found[customer].pop("segment", None)
        assert found[customer] == row
    assert len(found) == len(wanted)


# ---- the table ----------------------------------------------------------------------------------


def test_types_of_the_columns(engine: Engine) -> None:
    log = log_of(engine, LOG)
    table = lk.rfm(log, "id", "day", "paid")
    assert type(table) is type(log)
    assert categories_of(table["segment"]) == SEGMENTS
    found = dtype_names(table)
    whole = {found[name] for name in (*MEASURES[:3], *SCORES)}
    assert whole == {{"polars": "Int64", "pyarrow": "int64"}.get(engine.name, "Int64")}
    assert found["id"] == dtype_names(log)["id"]


def test_a_log_without_rows(engine: Engine) -> None:
    log = engine.with_types(
        {"id": [], "day": [], "paid": []}, {"id": "int64", "day": "date32", "paid": "float64"}
    )
    table = lk.rfm(log, "id", "day", "paid")
    assert frame_rows(table) == []
    assert column_names(table) == ["id", *MEASURES, *SCORES, "segment"]


@pytest.mark.parametrize("amounts", [[1, 2], [Decimal("1.50"), Decimal("2")], [1.5, 2.5]])
def test_kinds_of_numbers(engine: Engine, amounts: list[Any]) -> None:
    table = lk.rfm(spread(engine, amounts), "id", "day", "paid")
    assert [row["monetary"] for row in frame_rows(table)] == [float(value) for value in amounts]


# ---- bad input ----------------------------------------------------------------------------------


def test_amounts_that_are_missing(engine: Engine) -> None:
    """Whoever is left without a row is not in the table."""
    amounts: list[Any] = [1.0, None, float("inf"), float("nan"), 2.0]
    log = spread(engine, amounts)
    with pytest.raises(DataError, match=r"^'paid': 3 rows without a finite amount\. Complete or"):
        lk.rfm(log, "id", "day", "paid")
    with pytest.warns(DroppedRowsWarning, match=r"^3 rows left out: no finite amount in 'paid'"):
        table = lk.rfm(log, "id", "day", "paid", errors="coerce")
    assert rows_of(table, "monetary", "monetary_score") == {1: (1.0, 1), 5: (2.0, 3)}


def test_amounts_after_the_end_need_not_be_there(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": [1, 1], "paid": [1.0, None]}
    columns["day"] = days("2026-01-05", "2026-02-05")
    table = lk.rfm(engine.frame(columns), "id", "day", "paid", as_of="2026-01-31")
    assert rows_of(table, "monetary", "T") == {1: (1.0, 26)}


@pytest.mark.parametrize("amounts", [["1", "2"], ["a", None], days("2026-01-01", "2026-01-02")])
def test_amounts_that_are_no_numbers(engine: Engine, amounts: list[Any]) -> None:
    with pytest.raises(DataError, match=r"^(amount=)?'paid' (must be a column of|holds .*, not) "):
        lk.rfm(spread(engine, amounts), "id", "day", "paid")


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"bins": 1}, ParameterError, "bins=1 must be at least 2"),
        ({"bins": 1000}, ParameterError, "bins=1000 must be at most 100"),
        ({"bins": 5.0}, TypeError, "bins must be a whole number"),
        ({"freq": "D"}, ParameterError, "'D' is written 'day' here"),
        ({"as_of": "2025-01-01"}, ParameterError, "lies before the first row of the log"),
        ({"amount": "price"}, ColumnNotFoundError, "amount='price': data has no such column"),
    ],
)
def test_bad_parameters(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    log = log_of(Engine("pandas"), LOG)
    with pytest.raises(error, match=message) as caught:
        lk.rfm(log, "id", "day", **{"amount": "paid", **keywords})
    assert isinstance(caught.value, (TypeError, LoyaltyKitError))


def test_a_customer_named_as_a_column_made() -> None:
    log = pd.DataFrame({"T": [1], "day": days("2026-01-01"), "paid": np.ones(1)})
    with pytest.raises(ParameterError, match="customer='T': a result table has a column"):
        lk.rfm(log, "T", "day", "paid")
