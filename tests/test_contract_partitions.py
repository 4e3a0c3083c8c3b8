"""Dask: contracts of one partition as rows, and as the activity of its customers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyaltykit import _contract_partitions, _contracts, _dask, _frame, _log_partitions, _logs
from loyaltykit._contract_partitions import BEGAN, ENDED, FIRST, LAST
from loyaltykit._frame import ID, PERIOD, N

ROWS = pd.DataFrame(
    {
        "id": [7, 7, None, 9, 9],
        "start": ["2026-01-05", "2026-01-05", "2026-01-06", "2026-02-10", "2026-03-09"],
        "end": ["2026-02-15", "2026-02-15", None, "2026-02-20", "2026-03-01"],
    }
)
UNTIL = np.datetime64("2026-04-01", "us")


def distinct_rows() -> pd.DataFrame:
    made: pd.DataFrame = _contract_partitions._distinct_rows(
        ROWS,
        customer="id",
        time="start",
        contract_end="end",
        own=[],
        tz=None,
        end=UNTIL,
        freq="month",
    )
    return made


def test_what_a_partition_says_of_its_contracts() -> None:
    part = _contract_partitions._facts(ROWS, "id", "start", "end", None)
    assert part.starts.without_id == 1
    assert (part.starts.dropped, part.backwards, part.shown) == (2, 1, ["2026-03-01"])
    days = np.array(part.starts.moments, dtype="datetime64[us]").astype(str)
    assert [day[:10] for day in days] == ["2026-01-05", "2026-02-10"]


def test_usable_contracts_become_distinct_ranges() -> None:
    made = distinct_rows()
    assert list(made.columns) == [ID, _dask.HOME, FIRST, LAST, BEGAN, ENDED]
    ranges = made[[ID, FIRST, LAST, BEGAN, ENDED]].itertuples(index=False, name=None)
    assert list(ranges) == [(7, 672, 672, 672, 673), (9, 673, 672, 673, 673)]


def test_a_partition_counts_its_customers() -> None:
    active = _contracts.periods(_logs.nobody(672, 3, "month"))
    found = _log_partitions._flows_of(
        distinct_rows(),
        customer="id",
        by=[],
        active=active,
        end=UNTIL,
        zone=None,
    )
    cells = found[[PERIOD, "lk kind", N]].itertuples(index=False, name=None)
    assert list(cells) == [(672, 0, 1), (673, 3, 1), (673, 4, 1)]


def test_the_stock_is_that_of_the_partitions_customers() -> None:
    frame = _frame.positional(_frame.open_frame(distinct_rows()))
    active = _contracts.periods(_logs.nobody(672, 3, "month"))
    log = _contract_partitions_log(frame)
    made = _contract_partitions.stock(frame, log, active)
    assert (made.customer.tolist(), made.period.tolist()) == ([0], [1])


def _contract_partitions_log(frame: _frame.Frame) -> _logs.Log:
    who = _frame.compact(frame[ID])
    return _logs.Log(who, np.zeros(len(frame), dtype="datetime64[D]"), None, UNTIL, None)
