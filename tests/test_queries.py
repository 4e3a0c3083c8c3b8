"""Logs as queries: times that lazy engines do not read, and a table that changes meanwhile."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from conftest import Engine, column, frame_rows

import loyaltykit as lk
from loyaltykit import _lazy
from loyaltykit.errors import DataError, DroppedRowsWarning

LAZY = ["polars-lazy", "duckdb"]


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("errors", ["raise", "coerce"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-01-05T10:00:00Z", "'day': 1 row with texts that name a time zone"),
        ("2026-01-05 10:00+07:00", "'day': 1 row with texts that name a time zone"),
        ("2026-01", "'day': 1 row with times that are not ISO dates such as 2026-01-31: '2026-01'"),
        ("20260105T101010", "'day': 1 row with times that are not ISO dates"),
    ],
)
def test_texts_that_only_pandas_reads(lazy: str, errors: Any, text: str, words: str) -> None:
    """They are refused, and never left out: pandas would count them."""
    log = Engine(lazy).frame({"id": [1, 2], "day": ["2026-01-05", text], "nps": [9, 3]})
    with pytest.raises(DataError, match=words):
        lk.customer_flow(log, "id", "day", errors=errors)
    with pytest.raises(DataError, match=words):
        lk.nps(log, "nps", time="day", errors=errors)


def test_infinite_times_are_no_times() -> None:
    made = "SELECT * FROM (VALUES (1, TIMESTAMP '2026-01-05', 9), (2, TIMESTAMP 'infinity', 3))"
    connection = duckdb.connect()
    log = connection.sql(f"{made} AS t(id, moment, nps)")
    with pytest.raises(DataError, match="'moment': 1 row with times that are not ISO dates"):
        lk.customer_flow(log, "id", "moment")
    with pytest.warns(DroppedRowsWarning, match="1 row left out"):
        assert column(lk.nps(log, "nps", time="moment", errors="coerce"), "n") == [1]


def test_a_log_that_grows_between_two_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that comes before the first one only when the facts are told is not counted."""
    connection = duckdb.connect()
    connection.sql("CREATE TABLE log AS SELECT 1 AS id, DATE '2026-02-05' AS day")
    log = connection.table("log")
    wanted = frame_rows(lk.customer_flow(log, "id", "day", as_of="2026-03-31"))
    only_row = _lazy.only_row

    def late(frame: Any) -> dict[str, Any]:
        facts = only_row(frame)
        connection.execute("INSERT INTO log VALUES (2, DATE '2025-06-01')")
        return facts

    monkeypatch.setattr(_lazy, "only_row", late)
    assert frame_rows(lk.customer_flow(log, "id", "day", as_of="2026-03-31")) == wanted
