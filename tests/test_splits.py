"""How customers are split and counted: keys, kinds of ids, segments as of a day.

All log functions read their log through one door; customer_flow, which counts only, stands for all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    CONSTRUCTORS,
    Engine,
    column,
    column_names,
    dtype_names,
    frame_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import FULL_DAY, LOG_FUNCTIONS, SPELLINGS, active, aware_frame, days, moments

import loyaltykit as lk
from loyaltykit import _parallel, _splits
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    ParameterError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- columns and keys ---------------------------------------------------------------------------


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
def test_a_key_that_changes_within_a_customer_names_segments(
    engine: Engine, function: Callable[..., Any]
) -> None:
    log = engine.frame(
        {
            "id": [1, 1, 2, 2, 3],
            "day": days("2026-01-05", "2026-02-06", "2026-01-09", "2026-02-01", "2026-02-02"),
            "tier": ["new", "repeat", "new", None, "new"],
        }
    )
    with pytest.raises(DataError, match=r"by='tier' changes within 2 customers .*1, 2.*segments="):
        function(log, "id", "day", by="tier")


def test_a_key_that_never_changes_needs_no_segments(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": [1, 2, 1, 3],
            "day": days("2026-01-05", "2026-01-09", "2026-02-06", "2026-02-07"),
            "sector": ["B2B", "B2C", "B2B", None],
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="sector")
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        ("B2C", "2026-01"): 1,
        (None, "2026-02"): 1,
    }


# ---- kinds of ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ids",
    [
        ["x-1", "x-2", "x-1"],
        [10.0, 20.5, 10.0],
        [2**62, 1, 2**62],
        [-5, 0, -5],
        [True, False, True],
        days("2001-01-01", "2002-02-02", "2001-01-01"),
    ],
    ids=["text", "floats", "large", "negative", "flags", "dates"],
)
def test_ids_may_be_of_any_kind(engine: Engine, ids: list[Any]) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-02-06")
    flow = lk.customer_flow(engine.frame({"id": ids, "day": times}), "id", "day")
    assert column(flow, "retained") == [None, 1]
    assert column(flow, "churned") == [None, 1]


def test_ids_may_be_categories_with_some_unused(engine: Engine) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-02-06")
    log = engine.frame({"id": ["b", "a", "b"], "day": times}, {"id": ["z", "b", "y", "a"]})
    flow = lk.customer_flow(log, "id", "day")
    assert column(flow, "start") == [None, 2]
    assert column(flow, "retained") == [None, 1]


@pytest.mark.parametrize(
    "keys",
    [
        pd.PeriodIndex(["2025-01", "2025-02", "2025-01"], freq="M"),
        pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
        pd.DatetimeIndex(["2025-01-01", "2025-02-01", "2025-01-01"], tz="America/New_York"),
    ],
    ids=["periods", "intervals", "dates of New York"],
)
def test_types_that_only_pandas_has_are_keys_and_ids(keys: Any) -> None:
    times = days("2026-01-05", "2026-01-09", "2026-01-06")
    distinct = len(set(keys))
    flow = lk.customer_flow(pd.DataFrame({"id": keys, "day": times}), "id", "day")
    assert column(flow, "end") == [distinct]
    log = pd.DataFrame({"id": [1, 2, 3], "day": times, "group": keys})
    flow = lk.customer_flow(log, "id", "day", by="group")
    assert flow["group"].tolist() == sorted(set(keys))
    assert sum(column(flow, "end")) == 3


def test_the_index_of_a_pandas_log_does_not_matter() -> None:
    log = pd.DataFrame(
        {
            "id": [1, 2, 1],
            "day": pd.to_datetime(["2026-01-05", "2026-01-09", "2026-02-06"]),
            "sector": pd.Categorical(["B2B", "B2C", "B2B"]),
        }
    )
    expected = lk.customer_flow(log, "id", "day", by="sector")
    odd = log.set_axis([7, 7, -1])
    pd.testing.assert_frame_equal(lk.customer_flow(odd, "id", "day", by="sector"), expected)
    customers = pd.DataFrame({"id": [2, 1], "tier": ["new", "loyal"]}, index=[5, 5])
    flow = lk.customer_flow(odd, "id", "day", by="tier", segments=customers)
    assert column(flow, "tier") == ["loyal", "loyal", "new", "new"]


# ---- segments -----------------------------------------------------------------------------------


@pytest.fixture
def log(engine: Engine) -> Any:
    """Customers 1 and 2 in January, 1 and 3 in February."""
    times = days("2026-01-05", "2026-01-09", "2026-02-06", "2026-02-07")
    return engine.frame({"id": [1, 2, 1, 3], "day": times})


def test_segments_give_each_customer_a_key(engine: Engine, log: Any) -> None:
    # Unsorted, and with a customer that the log does not know.
    customers = engine.frame({"sector": ["B2C", "B2B", "NPO", "B2B"], "id": [3, 1, 99, 2]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 2,
        ("B2B", "2026-02"): 1,
        ("B2C", "2026-02"): 1,
    }


def test_valid_from_holds_from_the_start_of_the_period_on(engine: Engine, log: Any) -> None:
    changes = engine.frame(
        {
            "id": [1, 1, 2, 3],
            "tier": ["repeat", "new", "new", "new"],
            # Customer 1 changes on the very day on which February starts, 3 a day too late for it.
            "valid_from": days("2026-02-01", "2025-12-01", "2026-01-01", "2026-02-02"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier") == {
        ("new", "2026-01"): 2,
        ("repeat", "2026-02"): 1,
        (None, "2026-02"): 1,
    }


def test_the_order_of_segment_rows_does_not_matter(engine: Engine, log: Any) -> None:
    ids, tiers = [1, 1, 1, 2, 3], ["new", "repeat", "loyal", "new", "repeat"]
    since = days("2025-01-01", "2026-01-01", "2026-02-01", "2025-06-01", "2026-02-01")
    expected = None
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]):
        columns: dict[str, list[Any]] = {"id": ids, "tier": tiers, "valid_from": since}
        shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
        flow = lk.customer_flow(log, "id", "day", by="tier", segments=engine.frame(shuffled))
        expected = expected or frame_rows(flow)
        assert frame_rows(flow) == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_valid_from_may_be_spelled_as_times_are(engine: Engine, log: Any, spelling: str) -> None:
    spelled: dict[str, list[Any]] = {
        "dates": days("2026-01-01", "2026-02-01"),
        "datetimes": moments("2026-01-01", "2026-02-01"),
        "ISO dates": ["2026-01-01", "2026-02-01"],
        "ISO datetimes": ["2026-01-01T00:00:00", "2026-02-01T00:00:00"],
        "ISO with a blank": ["2026-01-01 00:00", "2026-02-01 00:00"],
        "ISO without dashes": ["20260101", "20260201"],
        "ISO of both kinds": ["2026-01-01", "2026-02-01T00:00"],
    }
    changes = engine.frame({"id": [1, 1], "tier": ["new", "old"], "valid_from": spelled[spelling]})
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["new", "2026-01"] == 1
    assert active(flow, "tier")["old", "2026-02"] == 1


def test_a_change_after_the_start_of_the_periods_first_day_is_too_late(
    engine: Engine, log: Any
) -> None:
    # The purchase of that afternoon made the customer a repeat one: not so when February started.
    changes = engine.frame(
        {
            "id": [1, 1],
            "tier": ["new", "repeat"],
            "valid_from": moments("2026-01-01T00:00", "2026-02-01T15:00"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["new", "2026-02"] == 1


def test_a_customer_may_change_twice_within_a_day(engine: Engine, log: Any) -> None:
    changes = engine.frame(
        {
            "id": [1, 1],
            "tier": ["new", "repeat"],
            "valid_from": moments("2026-01-20T08:00", "2026-01-20T15:00"),
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=changes)
    assert active(flow, "tier")["repeat", "2026-02"] == 1


def test_valid_from_is_read_in_the_zone_of_the_log(engine: Engine) -> None:
    # In Jakarta the log lies in February, and the change on the second of it: too late.
    log = engine.keep(aware_frame(engine.name, moments("2026-02-10T12:00"), "UTC"))
    since = aware_frame(engine.name, moments("2026-02-01T17:30"), "UTC")
    if engine.is_pandas:
        changes = since.rename(columns={"day": "valid_from"}).assign(tier="repeat")
    elif engine.name == "polars":
        changes = since.rename({"day": "valid_from"}).with_columns(tier=pl.lit("repeat"))
    else:
        renamed = since.rename_columns(["id", "valid_from"])
        changes = renamed.append_column("tier", pa.array(["repeat"]))
    flow = lk.customer_flow(
        log, "id", "day", tz="Asia/Jakarta", by="tier", segments=engine.keep(changes)
    )
    assert active(flow, "tier") == {(None, "2026-02"): 1}


def test_a_customer_without_a_row_has_a_null_key(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }
    assert column(flow, "sector") == ["B2B", "B2B", None, None]


def test_a_null_key_and_a_missing_row_are_one_group(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "sector": ["B2B", None]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {
        ("B2B", "2026-01"): 1,
        ("B2B", "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }
    assert len(frame_rows(flow)) == 4


def test_segments_of_no_rows_or_of_others_give_null_keys(engine: Engine, log: Any) -> None:
    others = engine.frame({"id": [98, 99], "sector": ["B2B", "B2C"]})
    empty = engine.keep(others.slice(0, 0) if isinstance(others, pa.Table) else others[:0])
    for customers in (others, empty):
        flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
        assert active(flow, "sector") == {(None, "2026-01"): 2, (None, "2026-02"): 2}
        assert len(frame_rows(flow)) == 2


def test_keys_may_all_be_null(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 3], "sector": [None, None, None]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {(None, "2026-01"): 2, (None, "2026-02"): 2}


@pytest.mark.parametrize("third", [None, float("nan")])
def test_nan_is_a_null_key(engine: Engine, log: Any, third: float | None) -> None:
    customers = engine.frame({"id": [1, 2, 3], "size": [1.5, float("nan"), third]})
    flow = lk.customer_flow(log, "id", "day", by="size", segments=customers)
    assert active(flow, "size") == {
        (1.5, "2026-01"): 1,
        (1.5, "2026-02"): 1,
        (None, "2026-01"): 1,
        (None, "2026-02"): 1,
    }


def test_a_nan_key_and_a_missing_row_are_one_group(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "size": [1.5, float("nan")]})
    flow = lk.customer_flow(log, "id", "day", by="size", segments=customers)
    assert column(flow, "size") == [1.5, 1.5, None, None]
    assert column(flow, "end") == [1, 1, 1, 1]


def test_several_keys_come_from_one_frame(engine: Engine, log: Any) -> None:
    customers = engine.frame(
        {"id": [1, 2, 3], "sector": ["B2B", "B2B", None], "region": ["west", None, "east"]}
    )
    flow = lk.customer_flow(log, "id", "day", by=["sector", "region"], segments=customers)
    assert column_names(flow)[:2] == ["sector", "region"]
    pairs = list(dict.fromkeys((row["sector"], row["region"]) for row in frame_rows(flow)))
    assert pairs == [("B2B", "west"), ("B2B", None), (None, "east")]


def test_categories_keep_their_order_and_type(engine: Engine, log: Any) -> None:
    levels = ["new", "repeat", "loyal", "gone"]
    customers = engine.frame(
        {"id": [1, 2, 3], "tier": ["loyal", "new", "repeat"]}, {"tier": levels}
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=customers)
    assert list(dict.fromkeys(column(flow, "tier"))) == ["new", "repeat", "loyal"]
    assert dtype_names(flow)["tier"] == dtype_names(customers)["tier"]
    if engine.is_pandas:
        assert flow["tier"].dtype == customers["tier"].dtype
        assert list(flow["tier"].cat.categories) == levels
    # A null beside them changes neither.
    some = engine.frame({"id": [1, 2], "tier": ["loyal", "new"]}, {"tier": levels})
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=some)
    assert list(dict.fromkeys(column(flow, "tier"))) == ["new", "loyal", None]
    assert dtype_names(flow)["tier"] == dtype_names(some)["tier"]


@pytest.mark.parametrize(
    "keys",
    [
        [30, 9, 30],
        [2.5, -1.0, 2.5],
        [True, False, True],
        days("2020-05-01", "2019-01-01", "2020-05-01"),
        ["b", "a", "b"],
    ],
    ids=["integers", "floats", "flags", "dates", "text"],
)
def test_keys_keep_their_type_and_are_sorted(engine: Engine, log: Any, keys: list[Any]) -> None:
    customers = engine.frame({"id": [1, 2, 3], "group": keys})
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert list(dict.fromkeys(column(flow, "group"))) == sorted(set(keys))
    assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


@pytest.mark.parametrize("size", ["int8", "int16", "uint8", "int32"])
def test_small_integer_keys_stay_small(engine: Engine, log: Any, size: str) -> None:
    customers = engine.typed({"id": [1, 2, 3], "group": [7, 100, 7]}, "group", size)
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert column(flow, "group") == [7, 7, 100, 100]
    assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


def test_integer_keys_keep_a_null_where_the_engine_can(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2], "group": [10, 20]})
    flow = lk.customer_flow(log, "id", "day", by="group", segments=customers)
    assert list(dict.fromkeys(column(flow, "group"))) == [10, 20, None]
    if engine.name != "pandas":  # NumPy's integers have no null
        assert dtype_names(flow)["group"] == dtype_names(customers)["group"]


# ---- segments that are refused ------------------------------------------------------------------


def test_duplicate_customers_in_segments(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 1, 1], "sector": ["B2B", "B2C", "B2B", "NPO"]})
    with pytest.raises(DataError, match=r"segments has 2 rows too many for the key 'id': 1, 1"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_duplicate_changes_in_segments(engine: Engine, log: Any) -> None:
    since = days("2026-01-01", "2026-01-01", "2026-02-01")
    changes = engine.frame({"id": [1, 1, 1], "tier": ["a", "b", "c"], "valid_from": since})
    with pytest.raises(DataError, match=r"segments has 1 row too many .*'id', 'valid_from': 1"):
        lk.customer_flow(log, "id", "day", by="tier", segments=changes)


@pytest.mark.parametrize(
    ("in_data", "in_segments", "kinds"),
    [
        ([1, 2], ["1", "2"], "numbers in data and text in segments"),
        (["1", "2"], [1, 2], "text in data and numbers in segments"),
        ([1, 2], days("2026-01-01", "2026-01-02"), "numbers in data and dates in segments"),
    ],
    ids=["numbers-text", "text-numbers", "numbers-dates"],
)
def test_ids_of_different_types(
    engine: Engine, in_data: list[Any], in_segments: list[Any], kinds: str
) -> None:
    log = engine.frame({"id": in_data, "day": [FULL_DAY, FULL_DAY]})
    customers = engine.frame({"id": in_segments, "sector": ["B2B", "B2C"]})
    with pytest.raises(DataError, match=f"'id' holds {kinds}, so no row would match"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_ids_of_one_kind_match_across_types(engine: Engine) -> None:
    log = engine.frame({"id": [1.0, 2.0], "day": [FULL_DAY, FULL_DAY]})
    customers = engine.typed({"id": [2, 1], "sector": ["B2B", "B2C"]}, "id", "int16")
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert active(flow, "sector") == {("B2B", "2026-03"): 1, ("B2C", "2026-03"): 1}


def test_text_ids_match_categories(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": ["x", "y"], "day": [FULL_DAY, FULL_DAY]}
    customers = {"id": ["y", "x"], "sector": ["B2B", "B2C"]}
    for left, right in ((["y", "x"], None), (None, ["x", "z", "y"])):
        log = engine.frame(columns, {"id": left} if left else None)
        segments = engine.frame(customers, {"id": right} if right else None)
        flow = lk.customer_flow(log, "id", "day", by="sector", segments=segments)
        assert active(flow, "sector") == {("B2B", "2026-03"): 1, ("B2C", "2026-03"): 1}


@pytest.mark.parametrize("errors", ["raise", "coerce"])
def test_null_ids_in_segments(engine: Engine, log: Any, errors: Any) -> None:
    customers = engine.frame({"id": [1, None, None], "sector": ["B2B", "B2C", "NPO"]})
    with pytest.raises(DataError, match=r"segments.*2 rows whose"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers, errors=errors)


@pytest.mark.parametrize("errors", ["raise", "coerce"])
def test_null_and_unreadable_valid_from(engine: Engine, log: Any, errors: Any) -> None:
    for since, count in ((["2026-01-01", None], "1 row"), (["soon", "later"], "2 rows")):
        changes = engine.frame({"id": [1, 2], "tier": ["a", "b"], "valid_from": since})
        with pytest.raises(DataError, match=f"valid_from.*{count}") as caught:
            lk.customer_flow(log, "id", "day", by="tier", segments=changes, errors=errors)
        # errors= is about the rows of the log, so it is no way out here.
        assert "coerce" not in str(caught.value)


def test_segments_of_another_engine(engine: Engine, log: Any) -> None:
    other = "polars" if engine.is_pandas or engine.name == "pyarrow" else "pandas"
    customers = CONSTRUCTORS[other]({"id": [1], "sector": ["B2B"]})
    with pytest.raises(TypeError, match="segments"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_segments_of_another_kind() -> None:
    log = pl.DataFrame({"id": [1], "day": [FULL_DAY]})
    customers = pl.DataFrame({"id": [1], "sector": ["B2B"]})
    with pytest.raises(
        TypeError, match=r"segments is a polars \(lazy\) frame and data a polars one"
    ):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers.lazy())


@pytest.mark.parametrize("segments", [{"id": [1]}, [1, 2], "customers"])
def test_segments_that_are_no_frame(log: Any, segments: Any) -> None:
    with pytest.raises(TypeError, match="segments must be a DataFrame"):
        lk.customer_flow(log, "id", "day", by="sector", segments=segments)


def test_segments_without_by(engine: Engine, log: Any) -> None:
    customers = engine.frame({"id": [1, 2, 3], "sector": ["B2B", "B2C", "B2B"]})
    nothing: list[str] = []
    for by in (None, nothing):
        with pytest.raises(ParameterError, match="segments= is given without by="):
            lk.customer_flow(log, "id", "day", by=by, segments=customers)


def test_segments_without_the_customer(engine: Engine, log: Any) -> None:
    customers = engine.frame({"customer": [1], "sector": ["B2B"]})
    with pytest.raises(ColumnNotFoundError, match=r"'id'.*segments has no such column"):
        lk.customer_flow(log, "id", "day", by="sector", segments=customers)


def test_keys_half_in_segments_and_half_in_data(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "region": ["east"]})
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    with pytest.raises(ParameterError, match=r"'region' is not in segments .*attach_segments"):
        lk.customer_flow(log, "id", "day", by=["sector", "region"], segments=customers)


def test_keys_are_looked_up_in_segments_before_data(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "sector": ["old"], "region": ["east"]})
    customers = engine.frame({"id": [1], "sector": ["B2B"]})
    flow = lk.customer_flow(log, "id", "day", by="sector", segments=customers)
    assert column(flow, "sector") == ["B2B"]
    flow = lk.customer_flow(log, "id", "day", by="region", segments=customers)
    assert column(flow, "region") == ["east"]
    with pytest.raises(ColumnNotFoundError, match=r"'secto'.*Did you mean 'sector'"):
        lk.customer_flow(log, "id", "day", by="secto", segments=customers)


# ---- the lookup as of a moment ------------------------------------------------------------------

SMALL = st.integers(0, 5)
WIDE = st.integers(-(10**9), 10**9)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(SMALL, WIDE | SMALL), max_size=12, unique=True),
    asked=st.lists(st.tuples(SMALL, WIDE | SMALL), max_size=12),
)
def test_the_latest_row_that_holds(
    rows: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    rows = sorted(rows)
    expected = []
    for key, moment in asked:
        holding = [i for i, (owner, since) in enumerate(rows) if owner == key and since <= moment]
        expected.append(max(holding, default=-1))
    columns = [
        np.array([pair[i] for pair in pairs], dtype=np.int64)
        for pairs in (rows, asked)
        for i in (0, 1)
    ]
    changes = _splits.changes_of(*columns[:2])
    assert _splits.as_of_rows(changes, *columns[2:]).tolist() == expected


# ---- how customers are told apart ---------------------------------------------------------------


def random_log(rows: int = 4000) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(5)
    return rng.integers(0, 700, rows), np.datetime64("2026-01-01") + rng.integers(0, 200, rows)


# Spellings of customer numbers in which the order stays the same.
IDS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "dense": lambda who: who,
    "small": lambda who: (who - 300).astype(np.int16),
    "sparse": lambda who: who * 10**12 - 3 * 10**14,
    "wider than 64 bits with the period": lambda who: (who - 350) * 2**54,
    "beyond signed": lambda who: who.astype(np.uint64) + np.uint64(2**63 - 5),
    "masked": lambda who: pd.array(who, dtype="Int64"),
    "text": lambda who: pd.array([f"C{i:04d}" for i in who], dtype="str"),
    "arrow": lambda who: pd.array([f"C{i:04d}" for i in who], dtype="string[pyarrow]"),
    "long text": lambda who: pd.array([f"customer number {i:04d}" for i in who], dtype="str"),
    "objects": lambda who: np.array([f"C{i:04d}" for i in who], dtype=object),
    "floats": lambda who: who / 2,
    "category": lambda who: pd.Categorical(who, categories=range(700)),
}


@pytest.mark.parametrize("spelling", IDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_any_spelling_of_the_ids_gives_the_same_tables(
    monkeypatch: pytest.MonkeyPatch, spelling: str, threads: int, package: str
) -> None:
    who, when = random_log()
    ids = IDS[spelling](who)
    log = pd.DataFrame({"id": who, "day": when, "half": who % 2})
    spelled: Any = log.assign(id=ids)
    expected = [
        lk.cohort_retention(log, "id", "day"),
        lk.customer_flow(log, "id", "day", by="half"),
        lk.loyalty_tier(log, "id", "day").drop(columns="id"),
    ]
    segments: Any = pd.DataFrame({"id": pd.Series(ids).unique()})
    segments["half"] = pd.Series(who).unique() % 2
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 100)
    monkeypatch.setattr(_parallel, "BLOCK", 333)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    if package != "pandas":
        convert = pl.from_arrow if package == "polars" else pa.table
        spelled, segments = (
            convert(pa.Table.from_pandas(table, preserve_index=False))
            for table in (spelled, segments)
        )
    tiers = lk.loyalty_tier(spelled, "id", "day")
    found = [
        lk.cohort_retention(spelled, "id", "day"),
        lk.customer_flow(spelled, "id", "day", by="half"),
        tiers,
    ]
    for table, other in zip(found, expected, strict=True):
        rows = [{name: row[name] for name in other.columns} for row in lk.to_records(table)]
        assert rows == lk.to_records(other)
    if spelling != "category":  # Polars knows categories of its own order
        assert column(tiers, "id") == sorted(column(tiers, "id"))
    again = lk.customer_flow(spelled, "id", "day", by="half", segments=segments)
    assert frame_rows(again) == frame_rows(found[1])


@pytest.mark.parametrize("spelling", ["dense", "sparse", "text", "category"])
def test_eight_threads_get_what_one_gets(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 100)
    who, when = random_log()
    log = pd.DataFrame({"id": IDS[spelling](who), "day": when, "score": who % 11})
    log["key"] = pd.Categorical(who % 3)

    def work(_: int) -> list[Any]:
        return [
            lk.to_records(table)
            for table in (
                lk.nps(log, "score", by="key", time="day"),
                lk.cohort_retention(log, "id", "day"),
                lk.retention_rate(log, "id", "day"),
                lk.loyalty_tier(log, "id", "day"),
            )
        ]

    alone = work(0)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == alone for found in pool.map(work, range(8)))
