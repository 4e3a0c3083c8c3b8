"""Dask: what is counted of one partition's customers. Clusters are in test_partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import random_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import (
    _cohort_rows,
    _contract_partitions,
    _contracts,
    _dask,
    _frame,
    _log_partitions,
    _logs,
    _partitions,
    _revenue,
)
from loyaltykit._cohorts import AGE, DONE, MEMBERS
from loyaltykit._flows import KIND
from loyaltykit._frame import ID, PERIOD, N
from loyaltykit.errors import DataError

PART = pd.DataFrame({ID: [7, 7, 9], _dask.HOME: [0, 0, 0], PERIOD: [672, 673, 672]})
NOTHING = np.zeros(0, dtype=np.int64)
ASKED: dict[str, Any] = {
    "customer": "id",
    "by": [],
    "active": _logs.Activity(NOTHING, NOTHING, 672, 2, "month"),  # January and February 2026
    "end": np.datetime64("2026-03-01"),
    "zone": None,
}


def test_a_partition_counts_the_flow_of_its_customers() -> None:
    found = _log_partitions._flows_of(PART, **ASKED)
    assert list(found.columns) == [PERIOD, KIND, N]
    cells = [(672, 0, 2), (673, 1, 1), (673, 3, 1)]
    assert list(found.itertuples(index=False, name=None)) == cells


def test_a_partition_counts_the_cohorts_of_its_customers() -> None:
    found = _log_partitions._cohorts_of(PART, **ASKED, asked=_cohort_rows.Asked())
    assert list(found.columns) == [PERIOD, DONE, AGE, MEMBERS, N]
    # The cohort's two members, then who was active at which age.
    cells = [(672, 0, -1, 2, 0), (672, 0, 0, 0, 2), (672, 0, 1, 0, 1)]
    assert list(found.itertuples(index=False, name=None)) == cells


# ---- revenue: reduced in parts, then added up where the customers are together ------------------

PAID = st.sampled_from([0.0, 0.25, 9.75, 1024.0])
ZONELESS: dict[str, Any] = {"tz": None, "errors": "raise"}


def added_up(
    frame: pd.DataFrame, time: str, asked: _revenue.Asked, keywords: dict[str, Any]
) -> _revenue.Counts:
    """Return what two partitions of rows, then two of customers, come to."""
    freq, as_of = keywords["freq"], keywords["as_of"]
    contract_end, since = keywords.get("contract_end"), keywords.get("observed_from")
    if contract_end is None:
        parts = _partitions.facts(frame, "id", time, None, None, _log_partitions._amounts(asked))
        moments = parts.moments or (None, None)
    else:
        told = _contract_partitions._facts(frame, "id", time, contract_end, None, asked)
        moments = told.starts.moments or (None, None)
    low, high = moments
    active, end = _logs.observed(low, high, freq, as_of, None, since)
    assert end is not None
    reduce: Any = _partitions._distinct_rows
    options: dict[str, Any] = {"customer": "id", "time": time, "own": [], "tz": None, "end": end}
    options |= {"freq": freq, "asked": asked}
    if contract_end is None:
        options["purchase"] = None
    else:
        active = _contracts.periods(active)
        options["contract_end"] = contract_end
        reduce = _contract_partitions._distinct_rows
    rows = pd.concat([reduce(part, **options) for part in (frame[::2], frame[1::2])])
    contracts = contract_end is not None
    tell: dict[str, Any] = {"customer": "id", "by": [], "active": active, "end": end}
    tell |= {"zone": None, "asked": asked, "contracts": contracts}
    odd = rows[ID] % 2 == 1
    cells = [_log_partitions._revenue_of(part, **tell) for part in (rows[odd], rows[~odd])]
    stacked = _frame.open_frame(pd.concat(cells, ignore_index=True))
    return _revenue.from_cells(stacked, [], active, end, asked, contracts=contracts)


def check(frame: Any, time: str, asked: _revenue.Asked, keywords: dict[str, Any]) -> None:
    keywords = {name: value for name, value in keywords.items() if value is not None}
    keywords = {"as_of": None, **keywords}
    opened = _frame.open_frame(frame)
    options = {**keywords, **ZONELESS, "by": [], "lookup": None, "asked": asked}
    try:
        wanted = _revenue.counted(opened, "id", time, **options)
    except DataError as error:
        what = str(error).partition(" case")[0].rpartition(" in ")[0]
        with pytest.raises(DataError, match=what):
            added_up(frame, time, asked, keywords)
        return
    found = added_up(frame, time, asked, keywords)
    assert np.array_equal(found.table, wanted.table)
    assert np.array_equal(found.known, wanted.known)
    assert np.array_equal(found.starts, wanted.starts)
    assert (found.moves is None) == (wanted.moves is None) == (not asked.one_by_one)
    if found.moves is not None and wanted.moves is not None:
        columns = ("period", "start", "end", "new")
        pairs = [
            sorted(zip(*(getattr(moves, name).tolist() for name in columns), strict=True))
            for moves in (found.moves, wanted.moves)
        ]
        assert pairs[0] == pairs[1]


def with_amounts(frame: pd.DataFrame, data: st.DataObject) -> pd.DataFrame:
    size = len(frame)
    paid = data.draw(st.lists(PAID, min_size=size, max_size=size))
    back = data.draw(st.lists(st.sampled_from([1, 1, 1, -1]), min_size=size, max_size=size))
    told = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return frame.assign(mrr=np.multiply(paid, back), told=told)


ASKINGS = st.builds(
    _revenue.Asked,
    st.just("mrr"),
    currency=st.none(),
    trailing=st.integers(1, 3),
    referred=st.sampled_from([None, "told"]),
    one_by_one=st.booleans(),
)


@given(drawn=random_logs.options(split=False), asked=ASKINGS, data=st.data())
@settings(max_examples=50, deadline=None)
def test_partitions_of_a_log_add_up_to_its_revenue(
    drawn: random_logs.Options, asked: _revenue.Asked, data: st.DataObject
) -> None:
    frame, keywords = drawn.case.arguments("pandas")
    keywords["observed_from"] = drawn.observed_from
    check(with_amounts(frame, data), "day", asked, keywords)


@given(case=random_logs.contracts(split=False), asked=ASKINGS, data=st.data())
@settings(max_examples=50, deadline=None)
def test_partitions_of_contracts_add_up_to_their_revenue(
    case: random_logs.Contracts, asked: _revenue.Asked, data: st.DataObject
) -> None:
    frame, keywords = case.arguments("pandas")
    check(with_amounts(frame, data), "start", asked, keywords)


def test_amounts_that_cancel_out_across_partitions_are_rounding() -> None:
    rows = pd.DataFrame(
        {ID: [7] * 3, "lk home": [0] * 3, PERIOD: [672] * 3, _partitions.AMOUNT: [0.1, 0.2, -0.3]}
    )
    found = _log_partitions._revenue_of(rows, **ASKED, asked=_revenue.Asked("mrr"), contracts=False)
    assert len(found) == 0


def test_rows_below_nothing_stay_apart() -> None:
    rows = pd.DataFrame({ID: [7, 7, 7], _partitions.AMOUNT: [2.0, 3.0, -4.0]})
    rows[_partitions._TURNED] = rows[_partitions.AMOUNT] < 0
    made = _partitions.added_up(rows)
    assert made[_partitions.AMOUNT].tolist() == [5.0, -4.0]
