"""Flows: kinds written out; contracts, grace and migration against sets of customers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pytest
from conftest import CONSTRUCTORS, Engine, column, column_names, frame_rows
from hypothesis import given, settings
from random_logs import Contract, Contracts, Options, contracts, log_frame, options

import loyaltykit as lk
from loyaltykit import _flows, _frame, _logs, _splits
from loyaltykit.errors import ParameterError

unhurried = settings(deadline=None, max_examples=40)


def test_each_pair_is_a_kind_and_each_gap_a_loss() -> None:
    customer = np.array([0, 0, 0, 1, 2, 2])
    period = np.array([0, 1, 3, 1, 0, 3])
    active = _logs.Activity(customer, period, 672, 4, "month")
    nobody = _frame.pandas_keys()
    split = _splits.Split(nobody, 1, np.zeros(3, dtype=np.int64), None)
    table = _flows.flows(active, split)[0]
    assert table[:, _flows.NEW].tolist() == [2, 1, 0, 0]
    assert table[:, _flows.RETAINED].tolist() == [0, 1, 0, 0]
    assert table[:, _flows.RETURNED].tolist() == [0, 0, 0, 2]
    assert table[:, _flows.CHURNED].tolist() == [0, 1, 2, 0]


# ---- customer_flow: contracts, grace, observed_from, migration ----------------------------------

HIDDEN = ("due", "not_renewed")


def shown(rows: list[dict[str, Any]], *, split: bool) -> list[dict[str, Any]]:
    """Return the oracle's rows without what a flow table does not show."""
    hidden = HIDDEN if split else (*HIDDEN, "key")
    return [{name: row[name] for name in row if name not in hidden} for row in rows]


@pytest.mark.parametrize("name", CONSTRUCTORS)
@unhurried
@given(case=contracts())
def test_contracts_are_sets_of_customers_in_force(name: str, case: Contracts) -> None:
    frame, keywords = case.arguments(name)
    naive = oracles.contract_flow(
        case.rows,
        case.freq,
        case.until,
        case.key_at,
        observed_from=case.observed_from,
        migration=case.migrates,
    )
    found = frame_rows(lk.customer_flow(frame, "id", "start", **keywords))
    assert found == shown(naive, split=bool(case.changes))


@pytest.mark.parametrize("name", CONSTRUCTORS)
@unhurried
@given(drawn=options())
def test_grace_and_observed_from_are_windows_of_sets(name: str, drawn: Options) -> None:
    case = drawn.case
    log, keywords = case.arguments(name)
    naive = oracles.customer_flow(
        case.log,
        case.freq,
        case.end,
        case.key_at,
        migration=case.migrates,
        **drawn.keywords(),
    )
    flow = lk.customer_flow(log, "id", "day", **keywords, **drawn.keywords())
    assert frame_rows(flow) == case.without_key(naive)


def check_reconciled(rows: list[dict[str, Any]], *, migrates: bool) -> None:
    """Hold each row against itself, against the one before, and all groups against each other."""
    for before, row in zip([None, *rows], rows, strict=False):
        if row["start"] is not None:
            assert row["start"] + row["new"] + row["returned"] - row["churned"] == row["end"]
            assert row["start"] == row["retained"] + row["churned"]
        if before is not None and before["key"] == row["key"]:
            moved = row["migrated_in"] - row["migrated_out"] if migrates else 0
            assert row["start"] == before["end"] + moved
            assert not migrates or min(row["migrated_in"], row["migrated_out"]) >= 0
        elif migrates:
            assert row["migrated_in"] is None
            assert row["migrated_out"] is None
    for period in {row["period"] for row in rows} if migrates else ():
        into, out = (
            [row[name] for row in rows if row["period"] == period]
            for name in ("migrated_in", "migrated_out")
        )
        assert None in into or sum(into) == sum(out)


@unhurried
@given(case=contracts(split=True))
def test_contracts_reconcile_in_every_split(case: Contracts) -> None:
    frame, keywords = case.arguments("pandas")
    rows = frame_rows(lk.customer_flow(frame, "id", "start", **keywords))
    check_reconciled(rows, migrates=case.migrates)


@unhurried
@given(drawn=options(split=True))
def test_logs_reconcile_in_every_split(drawn: Options) -> None:
    log, keywords = drawn.case.arguments("pandas")
    flow = lk.customer_flow(log, "id", "day", **keywords, **drawn.keywords())
    check_reconciled(frame_rows(flow), migrates=drawn.case.migrates)


@unhurried
@given(case=contracts(split=False))
def test_shards_of_contracts_add_up(case: Contracts) -> None:
    last = oracles.period_start((case.until - dt.timedelta(microseconds=1)).date(), case.freq)
    case = case._replace(observed_from=case.observed_from or last)
    shards = [[row for row in case.rows if row[0] % 2 == rest] for rest in range(2)]
    # A shard whose contracts all begin later is refused, as a whole log of them is.
    shards = [s for s in shards if s and min(start for _, start, _ in s) < case.until]
    parts = [added(case, rows) for rows in shards]
    whole = added(case, [row for rows in shards for row in rows])
    for total, *rows in zip(whole, *parts, strict=True):
        for name in ("start", "new", "retained", "returned", "churned", "end", "joined_and_left"):
            assert total[name] == sum(row[name] for row in rows)


def added(case: Contracts, rows: list[Contract]) -> list[dict[str, Any]]:
    frame, keywords = case._replace(spelling="datetime").arguments("polars", rows)
    frame = frame.with_columns(pl.col("end").cast(pl.Datetime("us")))
    return frame_rows(lk.customer_flow(frame, "id", "start", **keywords))


@unhurried
@given(drawn=options(split=False))
def test_shards_of_a_log_begin_together(drawn: Options) -> None:
    case = drawn.case
    since = drawn.observed_from or oracles.period_start(case.end, case.freq)
    keywords: dict[str, Any] = {"freq": case.freq, "as_of": case.end, "observed_from": since}
    keywords["grace"] = drawn.grace
    halves = [[row for row in case.log if row[0] % 2 == rest] for rest in range(2)]
    shards = [shard for shard in halves if shard and min(day for _, day in shard) <= case.end]
    parts = [
        frame_rows(lk.customer_flow(log_frame("pandas", shard), "id", "day", **keywords))
        for shard in shards
    ]
    whole = lk.customer_flow(
        log_frame("pandas", [row for shard in shards for row in shard]), "id", "day", **keywords
    )
    for total, *rows in zip(frame_rows(whole), *parts, strict=True):
        assert {row["coverage"] for row in rows} == {total["coverage"]}
        for name in ("start", "new", "retained", "returned", "churned", "end"):
            numbers = [row[name] for row in rows]
            assert total[name] == (None if None in numbers else sum(numbers))


def test_who_changes_groups_migrates(engine: Engine) -> None:
    # Customer 1 is new until February, and repeat when March starts.
    days = ["2026-01-05", "2026-02-06", "2026-02-07", "2026-03-08"]
    log = engine.frame({"id": [1, 1, 2, 1], "day": days})
    tiers = engine.frame(
        {
            "id": [1, 1, 2],
            "valid_from": ["2026-01-01", "2026-03-01", "2026-02-01"],
            "tier": ["new", "repeat", "new"],
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=tiers, as_of="2026-03-31")
    names = ("tier", "start", "end", "migrated_in", "migrated_out")
    assert [tuple(row[name] for name in names) for row in frame_rows(flow)] == [
        ("new", None, 1, None, None),
        ("new", 1, 2, 0, 0),
        ("new", 1, 0, 0, 1),
        ("repeat", None, 0, None, None),
        ("repeat", 0, 0, 0, 0),
        ("repeat", 1, 1, 1, 0),
    ]
    assert column_names(flow)[-2:] == ["migrated_in", "migrated_out"]


def test_grace_keeps_who_is_silent_for_a_while(engine: Engine) -> None:
    days = ["2026-01-05", "2026-03-09", "2026-01-20", "2026-05-31"]
    log = engine.frame({"id": [1, 1, 2, 2], "day": days})
    flow = lk.customer_flow(log, "id", "day", grace=1)
    names = ("coverage", "start", "new", "retained", "returned", "churned", "end")
    assert [tuple(row[name] for name in names) for row in frame_rows(flow)] == [
        ("unobserved", None, None, None, None, None, 2),
        ("partial", 2, 0, 2, 0, 0, 2),  # its start looks back to December
        ("observed", 2, 0, 1, 0, 1, 1),
        ("observed", 1, 0, 1, 0, 0, 1),
        ("observed", 1, 0, 0, 1, 1, 1),
    ]


def test_earlier_rows_only_tell_who_is_not_new(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2, 1, 3], "day": ["2025-11-05", *["2026-01-09"] * 3]})
    options: dict[str, Any] = {"observed_from": "2025-12-15", "as_of": "2026-02-28"}
    flow = lk.customer_flow(log, "id", "day", **options)
    assert column(flow, "period") == [dt.date(2026, 1, 1), dt.date(2026, 2, 1)]
    assert column(flow, "end") == [3, 0]
    assert column(flow, "churned") == [None, 3]
    day_before = lk.customer_flow(log, "id", "day", **{**options, "observed_from": "2025-12-01"})
    assert column(day_before, "new") == [None, 2, 0]
    assert column(day_before, "returned") == [None, 1, 0]


def test_a_table_begins_where_observation_did(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": ["2026-03-05"]})
    flow = lk.customer_flow(log, "id", "day", observed_from="2026-01-01")
    assert column(flow, "end") == [0, 0, 1]
    early = lk.customer_flow(log, "id", "day", observed_from="2026-04-01", as_of="2026-04-30")
    assert column(early, "end") == [0]


@pytest.mark.parametrize(
    ("since", "message"),
    [
        ("2026-03-06", r"^observed_from=2026-03-06: no month starts between it and the end"),
        ("soon", r"^observed_from='soon' is not an ISO date"),
        (pd.NaT, "^observed_from is NaT: name a date, or leave it out"),
        (
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            "^observed_from='2026-01-01T00:00:00.*' has a time zone, but the times have none",
        ),
    ],
)
def test_a_beginning_that_cannot_be(since: Any, message: str) -> None:
    log = pd.DataFrame({"id": [1], "day": ["2026-03-05"]})
    with pytest.raises(ParameterError, match=message):
        lk.customer_flow(log, "id", "day", observed_from=since)
    with pytest.raises(TypeError, match="observed_from must be a date"):
        lk.customer_flow(log, "id", "day", observed_from=2026)  # type: ignore[arg-type]


def test_grace_is_a_number_of_periods() -> None:
    log = pd.DataFrame({"id": [1], "day": ["2026-03-05"]})
    with pytest.raises(ParameterError, match="grace=-1 must be at least 0"):
        lk.customer_flow(log, "id", "day", grace=-1)
    with pytest.raises(TypeError, match="grace must be a whole number"):
        lk.customer_flow(log, "id", "day", grace="month")  # type: ignore[arg-type]
