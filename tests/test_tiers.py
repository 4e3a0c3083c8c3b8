"""Loyalty tiers: the rule and its edges, against a loop over customers and dates."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, categories_of, column, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import FREQUENCIES, Case, cases

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

TIERS = ["prospect", "new", "repeat", "loyal"]
ONE_DAY = dt.timedelta(days=1)

unhurried = settings(deadline=None, max_examples=20)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def log_of(rows: str) -> dict[str, list[Any]]:
    """Return columns from text such as ``1 2026-01-05, 2 2026-01-09``."""
    pairs = [row.split() for row in rows.split(",")]
    return {"id": [int(who) for who, _ in pairs], "day": days(*[day for _, day in pairs])}


def tiers_of(table: Any) -> dict[Any, str]:
    """Return the tier of each customer, in the order of the table."""
    return {row["id"]: row["tier"] for row in frame_rows(table)}


def tier_of_one(engine: Engine, *purchases: str, **keywords: Any) -> str:
    """Return the tier of the only customer."""
    log = engine.frame({"id": [1] * len(purchases), "day": days(*purchases)})
    return tiers_of(lk.loyalty_tier(log, "id", "day", **keywords))[1]


# 1 bought once, 2 twice, 3 in three months; 4 is only listed
LOG = log_of("3 2026-01-03, 1 2026-01-05, 2 2026-02-06, 2 2026-01-09, 3 2026-03-05, 3 2026-02-02")
LISTED = {"id": [4, 1]}


# ---- the table ----------------------------------------------------------------------------------


def test_one_row_per_customer(engine: Engine) -> None:
    table = lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=engine.frame(LISTED))
    assert column_names(table) == ["id", "tier"]
    assert frame_rows(table) == [
        {"id": 1, "tier": "new"},
        {"id": 2, "tier": "repeat"},
        {"id": 3, "tier": "loyal"},
        {"id": 4, "tier": "prospect"},
    ]


def test_one_row_per_customer_and_period(engine: Engine) -> None:
    customers = engine.frame(LISTED)
    table = lk.loyalty_tier(engine.frame(LOG), "id", "day", freq="month", customers=customers)
    january, february, march = days("2026-01-01", "2026-02-01", "2026-03-01")
    assert column_names(table) == ["id", "valid_from", "tier"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        *((1, january, "prospect"), (1, february, "new"), (1, march, "new")),
        *((2, february, "new"), (2, march, "repeat")),
        *((3, february, "new"), (3, march, "repeat")),
        *((4, january, "prospect"), (4, february, "prospect"), (4, march, "prospect")),
    ]


@pytest.mark.parametrize("freq", [None, "month"])
def test_types_of_the_columns(engine: Engine, freq: Any) -> None:
    log = engine.frame(LOG)
    table = lk.loyalty_tier(log, "id", "day", freq=freq, customers=engine.frame(LISTED))
    assert type(table) is type(log)
    assert categories_of(table["tier"]) == TIERS
    if freq is not None:
        date = {"polars": "Date", "pyarrow": "date32[day]"}.get(engine.name, "datetime64[us]")
        assert dtype_names(table)["valid_from"] == date
    if engine.is_pandas:
        assert table.index.equals(pd.RangeIndex(len(table)))


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    "ids",
    [
        *([2, 1, 2], ["b", "a", "b"], [2.5, 1.5, 2.5], [True, False, True]),
        days("2026-01-02", "2026-01-01", "2026-01-02"),
    ],
    ids=lambda ids: type(ids[0]).__name__,
)
def test_the_customers_column_keeps_name_and_type(
    engine: Engine, ids: list[Any], listed: bool
) -> None:
    log = engine.frame({"who is it": ids, "day": days("2026-01-01", "2026-01-02", "2026-01-03")})
    customers = engine.frame({"who is it": ids[:2]}) if listed else None
    table = lk.loyalty_tier(log, "who is it", "day", customers=customers)
    assert column_names(table) == ["who is it", "tier"]
    assert column(table, "who is it") == sorted(set(ids))
    assert dtype_names(table)["who is it"] == dtype_names(log)["who is it"]


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "float32"])
def test_the_customers_column_keeps_its_width(engine: Engine, kind: str) -> None:
    log = engine.typed(LOG, "id", kind)
    customers = engine.typed(LISTED, "id", kind)
    table = lk.loyalty_tier(log, "id", "day", customers=customers)
    assert dtype_names(table)["id"] == dtype_names(log)["id"]
    assert tiers_of(table) == {1: "new", 2: "repeat", 3: "loyal", 4: "prospect"}


def test_customers_are_in_the_order_of_their_categories(engine: Engine) -> None:
    log = engine.frame(
        {"id": ["a", "b", "b"], "day": days("2026-01-01", "2026-01-02", "2026-01-03")},
        {"id": ["c", "b", "a"]},
    )
    table = lk.loyalty_tier(log, "id", "day")
    assert tiers_of(table) == {"b": "repeat", "a": "new"}
    assert column(table, "id") == ["b", "a"]
    assert categories_of(table["id"]) == ["c", "b", "a"]


# ---- against the naive answer -------------------------------------------------------------------


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    window = draw(st.integers(1, 8))
    lapsed = draw(st.none() | st.integers(1, 8))
    periods = draw(st.integers(1, window))
    return {"loyal_window": window, "loyal_periods": periods, "lapsed_after": lapsed}


purchase_flags = st.lists(st.booleans(), min_size=20, max_size=20)
listed_customers = st.none() | st.lists(st.integers(1, 9), max_size=5)


def arguments_of(
    engine: Engine, case: Case, flags: list[bool], listed: list[int] | None
) -> tuple[Any, dict[str, Any]]:
    """Return the log as a frame, and the keyword arguments."""
    rows = [(*row, flag) for row, flag in zip(case.log, flags, strict=False)]
    customer, day, bought = (list(values) for values in zip(*rows, strict=True))
    keywords: dict[str, Any] = {"purchase": "bought", "as_of": case.as_of}
    if listed:
        keywords["customers"] = engine.frame({"id": listed})
    return engine.frame({"id": customer, "day": day, "bought": bought}), keywords


@given(case=cases(split=False), flags=purchase_flags, listed=listed_customers, rule=rules())
@unhurried
def test_tier_as_of_a_date(
    engine: Engine,
    case: Case,
    flags: list[bool],
    listed: list[int] | None,
    rule: dict[str, Any],
) -> None:
    frame, keywords = arguments_of(engine, case, flags, listed)
    log = [(*row, flag) for row, flag in zip(case.log, flags, strict=False)]
    expected = oracles.loyalty_tier(log, case.end, listed or (), **rule)
    assert tiers_of(lk.loyalty_tier(frame, "id", "day", **keywords, **rule)) == expected


@given(case=cases(split=False), flags=purchase_flags, listed=listed_customers, rule=rules())
@unhurried
def test_tier_at_every_start(
    engine: Engine,
    case: Case,
    flags: list[bool],
    listed: list[int] | None,
    rule: dict[str, Any],
) -> None:
    frame, keywords = arguments_of(engine, case, flags, listed)
    log = [(*row, flag) for row, flag in zip(case.log, flags, strict=False)]
    expected = oracles.loyalty_tiers_through_time(log, case.freq, case.end, listed or (), **rule)
    table = lk.loyalty_tier(frame, "id", "day", freq=case.freq, **keywords, **rule)
    assert [tuple(row.values()) for row in frame_rows(table)] == expected


@given(case=cases(split=False), flags=purchase_flags, listed=listed_customers, rule=rules())
@unhurried
def test_tier_at_a_start_is_that_as_of_the_day_before(
    engine: Engine,
    case: Case,
    flags: list[bool],
    listed: list[int] | None,
    rule: dict[str, Any],
) -> None:
    frame, keywords = arguments_of(engine, case, flags, listed)
    keywords |= rule
    table = frame_rows(lk.loyalty_tier(frame, "id", "day", freq=case.freq, **keywords))
    first = min(day for _, day in case.log)
    for start in {row["valid_from"] for row in table if row["valid_from"] > first}:
        at_start = {row["id"]: row["tier"] for row in table if row["valid_from"] == start}
        keywords["as_of"] = start - ONE_DAY
        assert at_start == tiers_of(lk.loyalty_tier(frame, "id", "day", **keywords))


@given(case=cases(split=False), seed=st.integers(0, 99))
@unhurried
def test_neither_order_nor_repetition_of_rows_matters(case: Case, seed: int) -> None:
    shuffled = case.log * 2
    random.Random(seed).shuffle(shuffled)
    tables: list[Any] = []
    for log in (case.log, shuffled):
        frame = pd.DataFrame(log, columns=["id", "day"])
        tables.append(lk.loyalty_tier(frame, "id", "day", freq=case.freq, as_of=case.as_of))
    pd.testing.assert_frame_equal(*tables)


@given(case=cases(split=False), lapsed=st.none() | st.integers(1, 4))
@unhurried
def test_retention_by_tier_at_the_start_pools_to_retention(case: Case, lapsed: int | None) -> None:
    """Every customer of a period's start has one tier there, and is counted in it alone."""
    frame, keywords = case.arguments("pandas")
    tiers = lk.loyalty_tier(frame, "id", "day", lapsed_after=lapsed, **keywords)
    split = lk.retention_rate(frame, "id", "day", by="tier", segments=tiers, **keywords)
    total = frame_rows(lk.retention_rate(frame, "id", "day", **keywords))
    counts = ("n", "retained", "churned")
    added: dict[dt.date, dict[str, int]] = {}
    for row in frame_rows(split):
        if row["coverage"] != "unobserved":
            period = added.setdefault(row["period"], dict.fromkeys(counts, 0))
            for name in counts:
                period[name] += row[name]
    known = [row for row in total if row["coverage"] != "unobserved" and row["n"]]
    assert [added[row["period"]] for row in known] == [
        {name: row[name] for name in counts} for row in known
    ]
    assert sum(row["n"] for row in added.values()) == sum(row["n"] for row in known)
    if sum(row["n"] for row in known if row["coverage"] == "observed"):
        pooled = lk.pool(split, over=["tier", "period"])
        overall = lk.pool(lk.retention_rate(frame, "id", "day", **keywords), over="period")
        assert frame_rows(pooled) == frame_rows(overall)


# ---- lapsed -------------------------------------------------------------------------------------

LAPSED = ["prospect", "lapsed", "new", "repeat", "loyal"]


@pytest.mark.parametrize(
    ("as_of", "after", "tier"),
    [
        ("2026-03-31", 1, "loyal"),  # bought in March, the month of the date
        ("2026-04-01", 1, "lapsed"),  # April has begun without a purchase
        ("2026-04-30", 2, "loyal"),
        ("2026-05-01", 2, "lapsed"),
        ("2026-08-31", 6, "repeat"),  # March is the sixth month back: counted, and alone
        ("2026-09-01", 6, "lapsed"),
    ],
)
def test_lapsed_begins_with_the_month(engine: Engine, as_of: str, after: int, tier: str) -> None:
    bought = ("2026-01-05", "2026-02-06", "2026-03-01")
    assert tier_of_one(engine, *bought, as_of=as_of, lapsed_after=after) == tier


def test_a_prospect_never_lapses_and_a_lapsed_customer_returns(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05, 1 2026-04-06, 1 2026-05-01"))
    customers = engine.frame({"id": [2]})
    table = lk.loyalty_tier(
        log, "id", "day", freq="month", customers=customers, lapsed_after=2, as_of="2026-06-30"
    )
    assert categories_of(table["tier"]) == LAPSED
    tiers = {1: [], 2: []}  # type: dict[int, list[str]]
    for row in frame_rows(table):
        tiers[row["id"]].append(row["tier"])
    assert tiers == {1: ["new", "new", "lapsed", "repeat", "loyal"], 2: ["prospect"] * 6}


def test_without_lapsed_after_there_is_no_such_category(engine: Engine) -> None:
    table = lk.loyalty_tier(engine.frame(LOG), "id", "day", as_of="2027-12-31")
    assert categories_of(table["tier"]) == TIERS
    assert set(tiers_of(table).values()) == {"new", "repeat"}


@pytest.mark.parametrize(
    ("value", "error"), [(0, ParameterError), (1.5, TypeError), (True, TypeError)]
)
def test_lapsed_after_is_a_number_of_months(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="lapsed_after"):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", lapsed_after=value)


# ---- many customers -----------------------------------------------------------------------------


def test_more_customers_than_a_block_holds() -> None:
    """Blocks of customers join up, and so do the parts of two threads."""
    size = 600_000
    log = pd.DataFrame({"id": np.arange(size), "day": np.datetime64("2026-01-31", "us")})
    log.loc[::7, "day"] = np.datetime64("2026-02-28", "us")
    again = log[log["id"] % 1000 == 5].assign(day=np.datetime64("2026-03-01", "us"))
    table = lk.loyalty_tier(
        pd.concat([log, again], ignore_index=True), "id", "day", freq="month", lapsed_after=1
    )
    late = np.arange(size) % 7 == 0
    counts = table.groupby(["valid_from", "tier"], observed=True).size()
    assert list(table["id"]) == list(np.repeat(np.arange(size), np.where(late, 1, 2)))
    assert counts.to_dict() == {
        (pd.Timestamp("2026-02-01"), "new"): int((~late).sum()),
        (pd.Timestamp("2026-03-01"), "lapsed"): int((~late).sum()),
        (pd.Timestamp("2026-03-01"), "new"): int(late.sum()),
    }


# ---- when ---------------------------------------------------------------------------------------


def test_by_default_all_rows_count(engine: Engine) -> None:
    log = engine.frame(LOG)
    latest = lk.loyalty_tier(log, "id", "day")
    assert frame_rows(latest) == frame_rows(lk.loyalty_tier(log, "id", "day", as_of="2026-03-05"))
    assert tiers_of(latest) == {1: "new", 2: "repeat", 3: "loyal"}


@pytest.mark.parametrize(
    "as_of",
    [
        *("2026-02-02", dt.date(2026, 2, 2), dt.datetime(2026, 2, 2), np.datetime64("2026-02-02")),
        pd.Timestamp("2026-02-02"),
    ],
)
def test_later_rows_are_left_out(engine: Engine, as_of: Any) -> None:
    """The day of as_of counts in full, and who came later is not there yet."""
    log = engine.frame({"id": [*LOG["id"], 5], "day": [*LOG["day"], dt.date(2026, 2, 3)]})
    table = lk.loyalty_tier(log, "id", "day", as_of=as_of)
    assert tiers_of(table) == {1: "new", 2: "new", 3: "repeat"}


def test_as_of_a_moment(engine: Engine) -> None:
    times = [dt.datetime(2026, 1, 5, 9), dt.datetime(2026, 1, 6, 9), dt.datetime(2026, 1, 6, 15)]
    log = engine.frame({"id": [1, 1, 2], "time": times})
    table = lk.loyalty_tier(log, "id", "time", as_of="2026-01-06T12:00:00")
    assert tiers_of(table) == {1: "repeat"}


def test_as_of_after_the_last_row_moves_the_window(engine: Engine) -> None:
    log = engine.frame(LOG)
    tiers = lk.loyalty_tier(log, "id", "day", as_of="2027-01-01")
    assert tiers_of(tiers) == {1: "new", 2: "repeat", 3: "repeat"}
    starts = column(
        lk.loyalty_tier(log, "id", "day", as_of="2026-06-01", freq="month"), "valid_from"
    )
    assert max(starts) == dt.date(2026, 6, 1)


def test_as_of_before_the_log_is_refused(engine: Engine) -> None:
    with pytest.raises(ParameterError, match="before the first row of the log, 2026-01-03"):
        lk.loyalty_tier(engine.frame(LOG), "id", "day", as_of="2026-01-02")


@pytest.mark.parametrize(
    ("freq", "starts"),
    [
        ("day", [f"2026-01-{day:02}" for day in range(29, 32)] + ["2026-02-01", "2026-02-02"]),
        ("week", ["2026-01-26", "2026-02-02"]),
        ("month", ["2026-01-01", "2026-02-01"]),
        ("quarter", ["2026-01-01"]),
        ("year", ["2026-01-01"]),
    ],
)
def test_every_period_of_the_log_has_a_start(engine: Engine, freq: Any, starts: list[str]) -> None:
    log = engine.frame(log_of("1 2026-01-29, 2 2026-02-01, 2 2026-02-02"))
    customers = engine.frame({"id": [9]})
    table = lk.loyalty_tier(log, "id", "day", freq=freq, customers=customers)
    since = {
        9: starts,
        1: [s for s in starts if s > "2026-01-29"],
        2: [s for s in starts if s > "2026-02-01"],
    }
    for customer, expected in since.items():
        found = [row["valid_from"] for row in frame_rows(table) if row["id"] == customer]
        assert found == days(*expected)


def test_a_purchase_counts_from_the_day_after(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-30, 1 2026-02-01, 1 2026-02-02"))
    table = lk.loyalty_tier(log, "id", "day", freq="day")
    assert {row["valid_from"]: row["tier"] for row in frame_rows(table)} == {
        dt.date(2026, 1, 31): "new",
        dt.date(2026, 2, 1): "new",
        dt.date(2026, 2, 2): "repeat",
    }


def test_aware_times_are_read_in_their_zone_or_in_tz(engine: Engine) -> None:
    """20:00 in London on the last of January is February in Jakarta."""
    times = [dt.datetime(2026, 1, 31, hour, tzinfo=dt.UTC) for hour in (10, 20)]
    log = engine.frame({"id": [1, 1], "time": times})
    assert tiers_of(lk.loyalty_tier(log, "id", "time")) == {1: "new"}
    assert tiers_of(lk.loyalty_tier(log, "id", "time", tz="Asia/Jakarta")) == {1: "repeat"}
    starts = lk.loyalty_tier(log, "id", "time", freq="month", tz="Asia/Jakarta")
    assert column(starts, "valid_from") == days("2026-02-01")


def test_a_zone_needs_aware_times(engine: Engine) -> None:
    log = engine.frame({"id": [1], "time": [dt.datetime(2026, 1, 31)]})
    with pytest.raises(ParameterError, match="'time' has no time zone"):
        lk.loyalty_tier(log, "id", "time", tz="Asia/Jakarta")


# ---- what counts as a purchase ------------------------------------------------------------------


def test_purchases_of_one_day_are_one(engine: Engine) -> None:
    times = [dt.datetime(2026, 1, 5, hour) for hour in (0, 9, 23)]
    log = engine.frame({"id": [1, 1, 1], "time": times})
    assert tiers_of(lk.loyalty_tier(log, "id", "time")) == {1: "new"}


@pytest.mark.parametrize(
    "bought", [[True, False, True, False], [1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0]], ids=str
)
def test_only_the_rows_of_purchase_count(engine: Engine, bought: list[Any]) -> None:
    rows = log_of("1 2026-01-05, 1 2026-01-06, 2 2026-01-07, 3 2026-01-08")
    log = engine.frame({**rows, "bought": bought})
    table = lk.loyalty_tier(log, "id", "day", purchase="bought")
    assert tiers_of(table) == {1: "new", 2: "new", 3: "prospect"}
    assert tiers_of(lk.loyalty_tier(log, "id", "day")) == {1: "repeat", 2: "new", 3: "new"}


def test_other_rows_make_a_customer_known_as_a_prospect(engine: Engine) -> None:
    rows = log_of("1 2026-01-05, 1 2026-02-10, 1 2026-03-10")
    log = engine.frame({**rows, "bought": [False, True, False]})
    table = lk.loyalty_tier(log, "id", "day", purchase="bought", freq="month")
    assert [tuple(row.values())[1:] for row in frame_rows(table)] == [
        (dt.date(2026, 2, 1), "prospect"),
        (dt.date(2026, 3, 1), "new"),
    ]


def test_other_rows_do_not_make_loyal(engine: Engine) -> None:
    rows = log_of("1 2026-01-05, 1 2026-01-10, 1 2026-02-10, 1 2026-03-10")
    log = engine.frame({**rows, "bought": [True, True, False, False]})
    assert tiers_of(lk.loyalty_tier(log, "id", "day", purchase="bought")) == {1: "repeat"}


@pytest.mark.parametrize("kind", ["boolean", "bool[pyarrow]", "object", "int8", "Int64"])
def test_purchase_in_any_dtype_of_pandas(kind: str) -> None:
    """A column of True and False that was once merged or read is often of objects."""
    log = pd.DataFrame({**log_of("1 2026-01-05, 2 2026-01-06"), "bought": [True, False]})
    table = lk.loyalty_tier(log.astype({"bought": kind}), "id", "day", purchase="bought")
    assert tiers_of(table) == {1: "new", 2: "prospect"}


@pytest.mark.parametrize(
    ("bought", "count", "shown"),
    [
        ([True, None, None], 2, "(None|<NA>|nan), (None|<NA>|nan)"),
        (["yes", "no", "yes"], 3, "'yes', 'no'"),
        ([0, 1, 2], 1, "2"),
        ([0.0, 0.5, 1.0], 1, "0.5"),
        (["True", "False", "True"], 3, "'True', 'False'"),
    ],
)
def test_a_purchase_is_true_or_false(
    engine: Engine, bought: list[Any], count: int, shown: str
) -> None:
    rows = log_of("1 2026-01-05, 1 2026-01-06, 2 2026-01-07")
    log = engine.frame({**rows, "bought": bought})
    with pytest.raises(DataError, match=rf"'bought': {count} rows? neither.*: {shown}"):
        lk.loyalty_tier(log, "id", "day", purchase="bought")


# ---- the rule of loyalty ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purchases", "as_of", "tier"),
    [
        # three days of one month are repetition, not consistency
        ("2026-01-05 2026-01-06 2026-01-07", None, "repeat"),
        ("2026-01-31 2026-02-01 2026-02-28", None, "repeat"),
        ("2026-01-31 2026-02-28 2026-03-01", None, "loyal"),
        # the window is six calendar months, that of as_of included
        ("2026-01-31 2026-02-28 2026-03-31", "2026-06-30", "loyal"),
        ("2026-01-31 2026-02-28 2026-03-31", "2026-07-01", "repeat"),
        ("2026-01-01 2026-02-01 2026-03-01", "2026-06-30", "loyal"),
        ("2025-11-30 2025-12-31 2026-01-01", "2026-04-30", "loyal"),
        ("2025-11-30 2025-12-31 2026-01-01", "2026-05-01", "repeat"),
        ("2023-12-31 2024-01-31 2024-02-29", "2024-05-31", "loyal"),
        ("2023-12-31 2024-01-31 2024-02-29", "2024-06-01", "repeat"),
        # months need not follow one another
        ("2025-10-15 2025-12-15 2026-03-15", None, "loyal"),
        ("2025-09-30 2025-12-15 2026-03-15", None, "repeat"),
        # an old purchase makes a repeat customer, never a new one
        ("2020-01-01 2026-03-15", None, "repeat"),
        ("2020-01-01 2020-02-01 2020-03-01", "2026-01-01", "repeat"),
    ],
)
def test_three_of_the_last_six_months(
    engine: Engine, purchases: str, as_of: str | None, tier: str
) -> None:
    assert tier_of_one(engine, *purchases.split(), as_of=as_of) == tier


@pytest.mark.parametrize(
    ("purchases", "periods", "window", "tier"),
    [
        ("2026-03-15", 1, 1, "new"),  # who came once is new, whatever the rule
        ("2026-03-14 2026-03-15", 1, 1, "loyal"),
        ("2026-02-28 2026-03-15", 2, 2, "loyal"),
        ("2026-01-31 2026-03-15", 2, 2, "repeat"),
        ("2026-01-31 2026-03-15", 2, 3, "loyal"),
        ("2025-04-01 2026-03-15", 2, 12, "loyal"),
        ("2025-03-31 2026-03-15", 2, 12, "repeat"),
    ],
)
def test_the_rule_has_parameters(
    engine: Engine, purchases: str, periods: int, window: int, tier: str
) -> None:
    found = tier_of_one(engine, *purchases.split(), loyal_periods=periods, loyal_window=window)
    assert found == tier


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_the_window_is_in_months_whatever_the_periods(engine: Engine, freq: Any) -> None:
    log = engine.frame(log_of("1 2025-10-05, 1 2025-11-05, 1 2025-12-05"))
    table = lk.loyalty_tier(log, "id", "day", freq=freq, as_of="2027-01-04")
    loyal = [row["valid_from"] for row in frame_rows(table) if row["tier"] == "loyal"]
    first, last = dt.date(2025, 12, 6), dt.date(2026, 4, 1)
    assert all(first <= start <= last for start in loyal)
    assert bool(loyal)
    assert "repeat" in column(table, "tier")


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"loyal_periods": 7}, "loyal_periods=7 cannot exceed loyal_window=6 months"),
        ({"loyal_window": 2}, "loyal_periods=3 cannot exceed loyal_window=2 months"),
        ({"loyal_periods": 0}, "loyal_periods=0 must be at least 1"),
        ({"loyal_window": 0}, "loyal_window=0 must be at least 1"),
    ],
)
def test_rules_that_cannot_be(keywords: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", **keywords)


# ---- customers ----------------------------------------------------------------------------------


def test_listed_customers_without_a_purchase_are_prospects(engine: Engine) -> None:
    customers = engine.frame({"id": [0, 9, 2], "sector": ["B2B", None, "B2C"]})
    table = lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=customers)
    expected = {0: "prospect", 1: "new", 2: "repeat", 3: "loyal", 9: "prospect"}
    assert tiers_of(table) == expected
    assert list(tiers_of(table)) == [0, 1, 2, 3, 9]


def test_a_customer_listed_twice_has_one_row(engine: Engine) -> None:
    customers = engine.frame({"id": [9, 1, 9, 1]})
    table = lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=customers)
    assert column(table, "id") == [1, 2, 3, 9]


def test_listed_customers_who_come_later_are_prospects_before(engine: Engine) -> None:
    table = lk.loyalty_tier(
        engine.frame(LOG), "id", "day", as_of="2026-01-04", customers=engine.frame(LISTED)
    )
    assert tiers_of(table) == {1: "prospect", 3: "new", 4: "prospect"}


@pytest.mark.parametrize("freq", [None, "month"])
def test_nobody_listed(engine: Engine, freq: Any) -> None:
    log = engine.frame(LOG)
    nobody = engine.frame(LISTED)[:0] if engine.name != "pyarrow" else pa.table(LISTED).slice(0, 0)
    table = lk.loyalty_tier(log, "id", "day", freq=freq, customers=nobody)
    assert frame_rows(table) == frame_rows(lk.loyalty_tier(log, "id", "day", freq=freq))


@pytest.mark.parametrize("as_of", [None, "2026-01-31"])
def test_a_log_without_rows(engine: Engine, as_of: str | None) -> None:
    log = engine.frame(LOG)
    empty = log[:0] if engine.name != "pyarrow" else log.slice(0, 0)
    alone = lk.loyalty_tier(empty, "id", "day", as_of=as_of)
    assert (column_names(alone), frame_rows(alone)) == (["id", "tier"], [])
    assert categories_of(alone["tier"]) == TIERS
    listed = lk.loyalty_tier(empty, "id", "day", as_of=as_of, customers=engine.frame(LISTED))
    assert frame_rows(listed) == [{"id": i, "tier": "prospect"} for i in (1, 4)]
    assert dtype_names(listed)["id"] == dtype_names(log)["id"]
    periods = lk.loyalty_tier(empty, "id", "day", freq="month")
    assert (column_names(periods), frame_rows(periods)) == (["id", "valid_from", "tier"], [])


@pytest.mark.parametrize(
    ("empty", "listed"),
    [
        (pd.DataFrame({"id": [], "day": []}, dtype=object), pd.DataFrame(LISTED)),
        (pl.DataFrame({"id": [], "day": []}), pl.DataFrame(LISTED)),
        (pa.table({"id": [], "day": []}), pa.table(LISTED)),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_a_log_without_rows_or_types(empty: Any, listed: Any) -> None:
    """What a query that found nothing gives: columns whose type nobody knows."""
    assert frame_rows(lk.loyalty_tier(empty, "id", "day")) == []
    table = lk.loyalty_tier(empty, "id", "day", customers=listed)
    assert frame_rows(table) == [{"id": i, "tier": "prospect"} for i in (1, 4)]


def test_ids_of_another_width_match(engine: Engine) -> None:
    log = engine.typed(LOG, "id", "int32")
    table = lk.loyalty_tier(log, "id", "day", customers=engine.frame(LISTED))
    assert tiers_of(table) == {1: "new", 2: "repeat", 3: "loyal", 4: "prospect"}


def test_a_listed_id_that_is_too_large_for_the_logs_type(engine: Engine) -> None:
    """Id 300 does not fit int8: it must not turn into 44, which may be somebody else."""
    log = engine.typed(LOG, "id", "int8")
    table = lk.loyalty_tier(log, "id", "day", customers=engine.frame({"id": [1, 300]}))
    assert tiers_of(table) == {1: "new", 2: "repeat", 3: "loyal", 300: "prospect"}


def test_a_listed_category_that_the_log_does_not_have(engine: Engine) -> None:
    log = engine.frame(
        {"id": ["a", "b", "a"], "day": days("2026-01-05", "2026-01-06", "2026-01-07")},
        {"id": ["a", "b"]},
    )
    customers = engine.frame({"id": ["a", "c"]}, {"id": ["a", "b", "c"]})
    table = lk.loyalty_tier(log, "id", "day", customers=customers)
    assert tiers_of(table) == {"a": "repeat", "b": "new", "c": "prospect"}


def test_categories_in_the_log_and_text_in_the_list(engine: Engine) -> None:
    log = engine.frame(
        {"id": ["a", "b", "a"], "day": days("2026-01-05", "2026-01-06", "2026-01-07")},
        {"id": ["a", "b"]},
    )
    table = lk.loyalty_tier(log, "id", "day", customers=engine.frame({"id": ["a", "c"]}))
    assert tiers_of(table) == {"a": "repeat", "b": "new", "c": "prospect"}


def test_arrow_dictionary_that_holds_a_customer_twice() -> None:
    ids = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", "a"]))
    log = pa.table({"id": ids, "day": days("2026-01-05", "2026-01-06")})
    assert frame_rows(lk.loyalty_tier(log, "id", "day")) == [{"id": "a", "tier": "repeat"}]


def test_customers_without_an_id_are_refused(engine: Engine) -> None:
    customers = engine.frame({"id": [1, None, 4, None]})
    with pytest.raises(DataError, match="customers: 2 rows whose 'id' is null"):
        lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=customers)


def test_customers_need_the_column_of_the_log(engine: Engine) -> None:
    customers = engine.frame({"ID": [1]})
    with pytest.raises(ColumnNotFoundError, match=r"'id': customers has no .* mean 'ID'"):
        lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=customers)


def test_ids_of_another_type_are_refused(engine: Engine) -> None:
    """The message says which frame holds what."""
    customers = engine.frame({"id": ["1", "4"]})
    with pytest.raises(DataError) as raised:
        lk.loyalty_tier(engine.frame(LOG), "id", "day", customers=customers)
    message = str(raised.value)
    for said in ("'id'", "numbers in data", "text in customers"):
        assert said in message


def test_customers_of_another_engine_are_refused() -> None:
    with pytest.raises(TypeError, match="customers is a polars frame and data a pandas one"):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", customers=pl.DataFrame(LISTED))


@pytest.mark.parametrize("customers", [[1, 4], {"id": [1]}, pd.Series([1], name="id")])
def test_customers_are_a_frame(customers: Any) -> None:
    with pytest.raises(TypeError, match="customers must be a DataFrame"):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", customers=customers)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "times", "match"),
    [
        ([1, None, 2, None], ["2026-01-05"] * 4, "'id': 2 rows without a customer"),
        ([1, 2, 3, 4], ["2026-01-05", None, "2026-01-06", None], "'day': 2 rows without a date"),
        (
            *([1, 2, 3, 4], ["2026-01-05", "soon", "2026-01-06", "later"]),
            "'day': 2 rows with times that are not ISO dates .*'soon', 'later'",
        ),
    ],
)
def test_rows_without_customer_or_date(
    engine: Engine, ids: list[Any], times: list[Any], match: str
) -> None:
    log = engine.frame({"id": ids, "day": times})
    with pytest.raises(DataError, match=match):
        lk.loyalty_tier(log, "id", "day")
    with pytest.warns(DroppedRowsWarning, match="2 rows left out"):
        table = lk.loyalty_tier(log, "id", "day", errors="coerce")
    assert tiers_of(table) == {ids[0]: "new", ids[2]: "new"}


def test_left_out_rows_do_not_shift_the_purchases(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": [None, 1, 2], "day": ["2026-01-05"] * 3}
    log = engine.frame({**columns, "bought": [False, True, False]})
    with pytest.warns(DroppedRowsWarning, match="1 row left out"):
        table = lk.loyalty_tier(log, "id", "day", purchase="bought", errors="coerce")
    assert tiers_of(table) == {1: "new", 2: "prospect"}


def test_arrow_dictionary_that_holds_null() -> None:
    ids = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([None, "a"]))
    log = pa.table({"id": ids, "day": days("2026-01-05", "2026-01-06")})
    with pytest.raises(DataError, match="'id': 1 row without a customer"):
        lk.loyalty_tier(log, "id", "day")


@pytest.mark.parametrize(
    ("arguments", "keywords", "match"),
    [
        (("Id", "day"), {}, "customer='Id': data has no such column.* mean 'id'"),
        (("id", "days"), {}, "time='days': data has no such column.* mean 'day'"),
        (("id", "day"), {"purchase": "bought"}, "purchase='bought': data has no such column"),
    ],
)
def test_unknown_columns(
    engine: Engine, arguments: tuple[str, str], keywords: dict[str, Any], match: str
) -> None:
    with pytest.raises(ColumnNotFoundError, match=match):
        lk.loyalty_tier(engine.frame(LOG), *arguments, **keywords)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"freq": "M"}, "freq='M' is not one of .* is written 'month' here"),
        ({"errors": "ignore"}, "errors='ignore' is not one of"),
        ({"as_of": "March"}, "as_of='March' is not an ISO date"),
    ],
)
def test_parameters_that_cannot_be(keywords: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", **keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        *({"freq": 1}, {"errors": None}, {"loyal_periods": 2.0}, {"loyal_window": "6"}),
        *({"purchase": ["bought"]}, {"as_of": 20260101}),
    ],
    ids=str,
)
def test_parameters_of_a_wrong_type(keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(keywords))} must be"):
        lk.loyalty_tier(pd.DataFrame(LOG), "id", "day", **keywords)


def test_the_log_is_a_frame() -> None:
    with pytest.raises(TypeError, match="data must be a DataFrame"):
        lk.loyalty_tier(LOG, "id", "day")  # type: ignore[arg-type]


def test_numbers_are_no_dates(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [20260105]})
    with pytest.raises(DataError, match="'day' holds Int64, not dates"):
        lk.loyalty_tier(log, "id", "day")


@pytest.mark.parametrize(("name", "freq"), [("tier", None), ("valid_from", "month")])
def test_a_customer_column_with_the_name_of_a_result_column(
    engine: Engine, name: str, freq: Any
) -> None:
    """The ids must not vanish under the tiers: either both are there, or the name is refused."""
    log = engine.frame({name: LOG["id"], "day": LOG["day"]})
    with pytest.raises(LoyaltyKitError, match=name):
        lk.loyalty_tier(log, name, "day", freq=freq)
