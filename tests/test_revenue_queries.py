"""Revenue as queries: what lazy engines add up is what NumPy adds up, in random amounts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import polars as pl
import pytest
import random_logs
from conftest import WRAPPED, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _lazy, _logs, _revenue, _revenue_queries
from loyaltykit._frame import ID, PERIOD
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]
# They and their products add up without rounding, so that the tables are equal to the bit.
PAID = st.sampled_from([0.0, 0.25, 0.5, 9.75, 10.0, 1024.0])
DRAWN: dict[str, Any] = {"method": "bootstrap", "rng": 3, "n_resamples": 100}

pytestmark = pytest.mark.filterwarnings("ignore::loyaltykit.errors.ConcentrationWarning")


def wrapped(lazy: str, frame: Any) -> Any:
    return WRAPPED[lazy][1](frame, None)


def beside(lazy: str, frame: Any, size: int, data: st.DataObject, *, signed: bool) -> Any:
    """Return the frame with amounts, of which some are taken back, and with who is referred."""
    paid = data.draw(st.lists(PAID, min_size=size, max_size=size))
    if signed:
        signs = data.draw(st.lists(st.sampled_from([1, 1, -1]), min_size=size, max_size=size))
        paid = [sign * amount for sign, amount in zip(signs, paid, strict=True)]
    told = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    columns: dict[str, list[Any]] = {"mrr": paid, "told": told}
    if WRAPPED[lazy][0] == "polars":
        return frame.with_columns(**{name: pl.Series(each) for name, each in columns.items()})
    if WRAPPED[lazy][0] == "pyarrow":
        for name, each in columns.items():
            frame = frame.append_column(name, [each])
        return frame
    return frame.assign(**columns)


def asked(data: st.DataObject) -> dict[str, Any]:
    referred: dict[str, Any] = data.draw(st.sampled_from([{}, {"referred": "told"}]))
    drawn: dict[str, Any] = data.draw(st.sampled_from([{}, {}, DRAWN]))
    return {"trailing": data.draw(st.integers(1, 3)), **referred, **drawn}


def outcome(frame: Any, time: str, keywords: dict[str, Any]) -> Any:
    """Return the rows, or why there are none."""
    try:
        return frame_rows(lk.revenue_retention(frame, "id", time, "mrr", **keywords))
    except DataError as error:
        return str(error).partition(", of the customers")[0]


def check(lazy: str, frame: Any, time: str, keywords: dict[str, Any]) -> None:
    other = dict(keywords)
    if "segments" in other:
        other["segments"] = wrapped(lazy, other["segments"])
    assert outcome(wrapped(lazy, frame), time, other) == outcome(frame, time, keywords)


@pytest.mark.parametrize("lazy", LAZY)
@given(drawn=random_logs.options(), data=st.data())
@settings(max_examples=4, deadline=None)
def test_a_log_is_added_up_as_numpy_adds_it_up(
    lazy: str, drawn: random_logs.Options, data: st.DataObject
) -> None:
    frame, keywords = drawn.case.arguments(WRAPPED[lazy][0])
    frame = beside(lazy, frame, len(drawn.case.log), data, signed=data.draw(st.booleans()))
    check(lazy, frame, "day", {**keywords, "observed_from": drawn.observed_from, **asked(data)})


@pytest.mark.parametrize("lazy", LAZY)
@given(case=random_logs.contracts(), data=st.data())
@settings(max_examples=4, deadline=None)
def test_contracts_are_added_up_as_numpy_adds_them_up(
    lazy: str, case: random_logs.Contracts, data: st.DataObject
) -> None:
    frame, keywords = case.arguments(WRAPPED[lazy][0])
    frame = beside(lazy, frame, len(case.rows), data, signed=data.draw(st.booleans()))
    check(lazy, frame, "start", {**keywords, **asked(data)})


@pytest.mark.parametrize("make", [lambda frame: frame.lazy(), duckdb.from_arrow], ids=LAZY)
def test_tenths_that_cancel_out_are_nothing(make: Any) -> None:
    rows = {
        "id": [1, 1, 1, 2, 1, 2],
        "day": [dt.date(2026, 1, 5)] * 4 + [dt.date(2026, 2, 5)] * 2,
        "mrr": [0.1, 0.2, -0.3, 5.0, 4.0, 5.0],
    }
    frame = pl.DataFrame(rows)
    data = make(frame if make is not duckdb.from_arrow else frame.to_arrow())
    row = frame_rows(lk.revenue_retention(data, "id", "day", "mrr"))[-1]
    assert (row["n"], row["start"], row["new"], row["end"]) == (1, 5.0, 4.0, 9.0)


def test_two_equal_contracts_are_two() -> None:
    rows = {
        "id": [7, 7, 8],
        "start": ["2026-01-01"] * 3,
        "end": [None, None, "2026-02-15"],
        "mrr": [10.0, 10.0, 4.0],
    }
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28"}
    table = lk.revenue_retention(pl.LazyFrame(rows), "id", "start", "mrr", **terms)
    last = frame_rows(table)[-1]
    assert (last["start"], last["churned"], last["end"]) == (24.0, 4.0, 20.0)


def test_the_movements_of_a_few_customers() -> None:
    """1 pays more, 2 stops, 3 pays again, 4 is new."""
    paid = _lazy.query_of(
        pl.LazyFrame(
            {
                ID: [1, 1, 2, 3, 4],
                PERIOD: [1, 2, 1, 2, 2],
                _revenue_queries._AMOUNT: [5.0, 7.0, 3.0, 2.0, 1.0],
                _revenue_queries._SINCE: [1, 1, 1, 0, 2],
            }
        )
    )
    active = _logs.nobody(0, 3, "month")
    moves = _revenue_queries._moves(paid, active, _revenue.Asked("mrr"), contracts=False)
    names = (ID, PERIOD, _revenue.START, _revenue.END, _revenue.NEW)
    found = sorted(moves.collect().select(*names).rows())
    assert found == [
        (1, 1, 0.0, 5.0, 1),
        (1, 2, 5.0, 7.0, 0),
        (2, 1, 0.0, 3.0, 1),
        (2, 2, 3.0, 0.0, 0),
        (3, 2, 0.0, 2.0, 0),
        (4, 2, 0.0, 1.0, 1),
    ]


def test_too_many_closings_are_refused() -> None:
    frame = pl.LazyFrame({"id": range(40_000)}).with_columns(
        start=pl.lit(dt.date(1990, 1, 1)), end=pl.lit(dt.date(2026, 1, 1)), mrr=pl.lit(1.0)
    )
    options: dict[str, Any] = {"contract_end": "end", "freq": "day", "as_of": "2026-01-31"}
    with pytest.raises(DataError, match=r"in force at 525,\d{3},\d{3} closings of a day"):
        lk.revenue_retention(frame, "id", "start", "mrr", **options)
