"""Moves between tiers: counted between the dates of the frame, against a loop over customers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import oracles
import pandas as pd
import pytest
from conftest import Engine, categories_of, column_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import days
from random_logs import cases

import loyaltykit as lk
from loyaltykit.errors import ColumnNotFoundError, DataError, ParameterError

COUNTS = ("period", "from_tier", "to_tier", "n", "n_missing", "moved")
LEVELS = ["prospect", "new", "loyal"]
JANUARY, FEBRUARY, MARCH = days("2026-01-01", "2026-02-01", "2026-03-01")

Row = tuple[Any, Any, Any]

# 1 becomes loyal, 2 stays new, 3 is gone in March, 4 comes in March.
ROWS: list[Row] = [
    *((1, JANUARY, "new"), (1, FEBRUARY, "loyal"), (1, MARCH, "loyal")),
    *((2, JANUARY, "new"), (2, FEBRUARY, "new"), (2, MARCH, "loyal")),
    *((3, JANUARY, "prospect"), (3, FEBRUARY, "new"), (4, MARCH, "prospect")),
]


def frame_of(engine: Engine, rows: list[Row], levels: list[str] | None = LEVELS) -> Any:
    ids, since, tiers = (list(values) for values in zip(*rows, strict=True))
    columns = {"id": ids, "valid_from": since, "tier": tiers}
    return engine.frame(columns, {"tier": levels} if levels else {})


def counts_of(table: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in COUNTS) for row in frame_rows(table)]


# ---- the table ----------------------------------------------------------------------------------


def test_moves_written_out(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS), "id")
    assert column_names(table)[:8] == [
        *("period", "coverage", "from_tier", "to_tier"),
        *("metric", "n", "n_missing", "moved"),
    ]
    assert counts_of(table) == [
        (FEBRUARY, "prospect", "prospect", 1, 0, 0),
        (FEBRUARY, "prospect", "new", 1, 0, 1),
        (FEBRUARY, "prospect", "loyal", 1, 0, 0),
        (FEBRUARY, "new", "prospect", 2, 0, 0),
        (FEBRUARY, "new", "new", 2, 0, 1),
        (FEBRUARY, "new", "loyal", 2, 0, 1),
        (FEBRUARY, "loyal", "prospect", 0, 0, 0),
        (FEBRUARY, "loyal", "new", 0, 0, 0),
        (FEBRUARY, "loyal", "loyal", 0, 0, 0),
        (MARCH, "prospect", "prospect", 0, 0, 0),
        (MARCH, "prospect", "new", 0, 0, 0),
        (MARCH, "prospect", "loyal", 0, 0, 0),
        (MARCH, "new", "prospect", 1, 1, 0),
        (MARCH, "new", "new", 1, 1, 0),
        (MARCH, "new", "loyal", 1, 1, 1),
        (MARCH, "loyal", "prospect", 1, 0, 0),
        (MARCH, "loyal", "new", 1, 0, 0),
        (MARCH, "loyal", "loyal", 1, 0, 1),
    ]
    rows = frame_rows(table)
    assert {row["coverage"] for row in rows} == {"observed"}
    assert {row["definition"] for row in rows} == {"basis=tiers;column=tier;freq=month"}
    assert [row["estimate"] for row in rows[3:7]] == [0.0, 50.0, 50.0, None]
    # Wilson's limits of 1 of 2 are 1/2 -+ z / (2 sqrt(2 + z^2)), with z = 1.959963984540054.
    assert rows[4]["ci_low"] == pytest.approx(9.453120573423074, abs=1e-9)
    assert rows[4]["ci_high"] == pytest.approx(90.54687942657693, abs=1e-9)


def test_tiers_keep_their_categories(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS[:4], [*LEVELS, "unheard of"]), "id")
    for name in ("from_tier", "to_tier"):
        assert categories_of(table[name]) == [*LEVELS, "unheard of"]
    # Only what occurs has rows.
    assert {row["from_tier"] for row in frame_rows(table)} == {"new", "loyal"}


def test_texts_are_in_the_order_of_the_alphabet(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS, None), "id")
    assert [row["to_tier"] for row in frame_rows(table)][:3] == ["loyal", "new", "prospect"]


def test_a_null_tier_is_a_level_of_its_own(engine: Engine) -> None:
    rows = [(1, JANUARY, "new"), (1, FEBRUARY, None), (2, JANUARY, None), (2, FEBRUARY, None)]
    table = lk.tier_transitions(frame_of(engine, rows), "id")
    assert counts_of(table) == [
        (FEBRUARY, "new", "new", 1, 0, 0),
        (FEBRUARY, "new", None, 1, 0, 1),
        (FEBRUARY, None, "new", 1, 0, 0),
        (FEBRUARY, None, None, 1, 0, 1),
    ]


def test_dates_as_texts_and_moments(engine: Engine) -> None:
    wanted = frame_rows(lk.tier_transitions(frame_of(engine, ROWS), "id"))
    for spell in (dt.date.isoformat, lambda since: dt.datetime.combine(since, dt.time(9, 30))):
        rows = [(who, spell(since), tier) for who, since, tier in ROWS]
        assert frame_rows(lk.tier_transitions(frame_of(engine, rows), "id")) == wanted


@pytest.mark.parametrize("rows", [ROWS[:1], [(1, JANUARY, "new"), (2, JANUARY, "loyal")]])
def test_one_date_makes_no_move(engine: Engine, rows: list[Row]) -> None:
    table = lk.tier_transitions(frame_of(engine, rows), "id")
    assert frame_rows(table) == []
    assert column_names(table) == column_names(lk.tier_transitions(frame_of(engine, ROWS), "id"))


def test_no_rows(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": [], "valid_from": [], "tier": []}
    types = {"id": "int64", "valid_from": "date32", "tier": "string"}
    assert frame_rows(lk.tier_transitions(engine.with_types(columns, types), "id")) == []


# ---- against the naive answer -------------------------------------------------------------------

dates = st.integers(0, 3).map(lambda i: JANUARY + dt.timedelta(days=31 * i))
tier_rows = st.lists(
    st.tuples(st.integers(1, 5), dates, st.sampled_from([*LEVELS, None])),
    min_size=1,
    max_size=16,
    unique_by=lambda row: row[:2],
).filter(lambda rows: any(tier for _, _, tier in rows))


@given(rows=tier_rows)
@settings(max_examples=30)
def test_moves(engine: Engine, rows: list[Row]) -> None:
    held = {tier for _, _, tier in rows}
    levels = [*(level for level in LEVELS if level in held), *([None] if None in held else [])]
    table = lk.tier_transitions(frame_of(engine, rows), "id")
    assert counts_of(table) == oracles.tier_transitions(rows, levels)


@given(case=cases(split=False), lapsed=st.none() | st.integers(1, 3))
@settings(max_examples=30)
def test_moves_between_loyalty_tiers_go_one_way(case: Any, lapsed: int | None) -> None:
    """Nobody who has bought twice is new again, and the shares of a tier add up to 100."""
    frame, keywords = case.arguments("pandas")
    tiers = lk.loyalty_tier(frame, "id", "day", lapsed_after=lapsed, **keywords)
    rows = frame_rows(lk.tier_transitions(tiers, "id"))
    for row in rows:
        if row["to_tier"] == "new" and row["from_tier"] in ("repeat", "loyal"):
            assert row["moved"] == 0
        assert row["n_missing"] == 0  # a tier is never lost
    shares: dict[Any, float] = {}
    for row in rows:
        if row["n"]:
            key = (row["period"], row["from_tier"])
            shares[key] = shares.get(key, 0.0) + row["estimate"]
    assert all(total == pytest.approx(100.0) for total in shares.values())


# ---- what works on the table --------------------------------------------------------------------


def test_pool_over_the_periods(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS), "id")
    pooled = lk.pool(table, over="period")
    assert column_names(pooled)[:5] == ["from_tier", "to_tier", "metric", "n", "n_missing"]
    names = ("from_tier", "to_tier", "n", "n_missing", "moved", "estimate")
    found = [tuple(row[name] for name in names) for row in frame_rows(pooled)]
    assert [row for row in found if row[4]] == [
        ("prospect", "new", 1, 0, 1, 100.0),
        ("new", "new", 3, 1, 1, 100.0 / 3),
        ("new", "loyal", 3, 1, 2, 200.0 / 3),
        ("loyal", "loyal", 1, 0, 1, 100.0),
    ]
    assert len(found) == 9


def test_one_from_tier_has_the_same_customers_in_every_row(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS), "id")
    with pytest.raises(ParameterError, match=r"^over='to_tier': the customers of a from_tier are"):
        lk.pool(table, over=["period", "to_tier"])
    with pytest.raises(ParameterError, match=r"^across='to_tier': the shares of one from_tier are"):
        lk.compare(table, "to_tier")
    with pytest.raises(ParameterError, match=r"^segment='to_tier' is no key of the table"):
        lk.explain_change(table, "period", reference="previous", segment="to_tier")


def test_compare_and_records(engine: Engine) -> None:
    table = lk.tier_transitions(frame_of(engine, ROWS), "id")
    change = lk.compare(table, "period", reference="previous")
    row = next(
        row for row in frame_rows(change) if (row["from_tier"], row["to_tier"]) == ("new", "loyal")
    )
    assert (row["period"], row["n"], row["n_reference"], row["difference"]) == (MARCH, 1, 2, 50.0)
    records = lk.to_records(table)
    assert records[0]["from_tier"] == "prospect"
    assert records[6]["estimate"] is None


@pytest.mark.parametrize("name", ["from_tier", "to_tier", "moved"])
def test_the_names_are_reserved(name: str) -> None:
    frame = pd.DataFrame({"nps": [9, 8], name: ["a", "b"]})
    with pytest.raises(ParameterError, match=f"by='{name}': a result table has a column"):
        lk.nps(frame, "nps", by=name)


# ---- bad input ----------------------------------------------------------------------------------


def test_two_rows_for_one_date(engine: Engine) -> None:
    rows = [*ROWS, (2, FEBRUARY, "loyal")]
    with pytest.raises(
        DataError, match=r"^tiers has 1 row too many for the key 'id', 'valid_from'"
    ):
        lk.tier_transitions(frame_of(engine, rows), "id")


def test_no_customer_and_no_date(engine: Engine) -> None:
    with pytest.raises(DataError, match=r"^'id': 1 row without a customer\. Complete or remove"):
        lk.tier_transitions(frame_of(engine, [*ROWS, (None, MARCH, "new")]), "id")
    columns: dict[str, list[Any]] = {
        "id": [1, 2],
        "valid_from": [JANUARY, None],
        "tier": ["new", "new"],
    }
    with pytest.raises(DataError, match=r"^'valid_from': 1 row without a date"):
        lk.tier_transitions(engine.frame(columns), "id")


def test_a_column_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(ColumnNotFoundError, match=r"^tier='stage': tiers has no such column"):
        lk.tier_transitions(frame_of(engine, ROWS), "id", tier="stage")


@pytest.mark.parametrize("name", ["confidence_level", "method"])
def test_bad_parameters(name: str) -> None:
    frame = pd.DataFrame({"id": [1], "valid_from": [JANUARY], "tier": ["new"]})
    wrong: dict[str, Any] = {"confidence_level": 95, "method": "wald"}
    with pytest.raises(ParameterError, match=name):
        lk.tier_transitions(frame, "id", **{name: wrong[name]})


def test_a_column_of_numbers_by_mistake() -> None:
    """Every row a level of its own would be a table of millions of rows."""
    frame = pd.DataFrame(
        {"id": range(6000), "valid_from": [JANUARY, FEBRUARY] * 3000, "tier": range(6000)}
    )
    with pytest.raises(DataError, match=r"6,000 tiers would be a table of 36,000,000 rows"):
        lk.tier_transitions(frame, "id")
