"""Attaching segments: a left join that keeps every row, as of a moment where asked to."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import re
import zoneinfo
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    Engine,
    categories_of,
    column,
    column_names,
    dtype_names,
    frame_rows,
    stacked,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit.errors import ColumnNotFoundError, DataError, LoyaltyKitError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS: dict[str, list[Any]] = {"id": [3, 1, 9, 1], "nps": [9, 10, 0, 4]}
CUSTOMERS: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "sector": ["B2B", "NPO", None],
    "staff": [7, 8, 9],
}

unhurried = settings(deadline=None, max_examples=25)


def at(*texts: str | None) -> list[Any]:
    return [None if text is None else dt.datetime.fromisoformat(text) for text in texts]


def empty(frame: Any) -> Any:
    """Return a frame without its rows."""
    return frame.slice(0, 0) if isinstance(frame, pa.Table) else frame[:0]


# ---- rows and columns ---------------------------------------------------------------------------


def test_columns_are_added_to_every_row(engine: Engine) -> None:
    answers = engine.frame(ANSWERS)
    table = lk.attach_segments(answers, engine.frame(CUSTOMERS), on="id")
    assert type(table) is type(answers)
    assert column_names(table) == ["id", "nps", "sector", "staff"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        (3, 9, None, 9),
        (1, 10, "B2B", 7),
        (9, 0, None, None),
        (1, 4, "B2B", 7),
    ]


@given(
    ids=st.lists(st.none() | st.integers(0, 9), max_size=12),
    known=st.lists(st.integers(0, 9), max_size=10, unique=True),
)
@unhurried
def test_left_join(engine: Engine, ids: list[int | None], known: list[int]) -> None:
    """Every row stays in its place and has what its key says."""
    answers = engine.frame({"id": [*ids, 0], "row": list(range(len(ids) + 1))})
    customers = engine.frame({"id": [*known, 99], "of": [f"c{i}" for i in [*known, 99]]})
    table = lk.attach_segments(answers, customers, on="id")
    assert frame_rows(table) == [
        {**row, "of": f"c{int(row['id'])}" if row["id"] in known else None}
        for row in frame_rows(answers)
    ]


def test_the_columns_of_data_keep_their_types(engine: Engine) -> None:
    days = [dt.date(2026, 1, 1), None]
    answers = engine.frame({"id": [1, 2], "nps": [1, 0], "day": days, "text": ["x", None]})
    table = lk.attach_segments(answers, engine.frame(CUSTOMERS), on="id")
    for name in column_names(answers):
        assert dtype_names(table)[name] == dtype_names(answers)[name]
        assert column(table, name) == column(answers, name)


@pytest.mark.parametrize(
    "index",
    [
        *([7, 7, 2, 9], ["d", "a", "c", "b"], [3, 2, 1, 0]),
        pd.MultiIndex.from_product([["x", "y"], [1, 0]], names=["one", "two"]),
        pd.Index(pd.to_datetime(["2026-01-02"] * 4), name="when"),
    ],
    ids=str,
)
def test_pandas_keeps_its_index(index: Any) -> None:
    answers = pd.DataFrame(ANSWERS, index=index)
    customers = pd.DataFrame(CUSTOMERS, index=[5, 5, 0])
    table = lk.attach_segments(answers, customers, on="id")
    pd.testing.assert_index_equal(table.index, answers.index)
    assert column(table, "staff") == [9, 7, None, 7]


def test_a_slice_of_pandas_rows() -> None:
    """What is left after filtering has gaps in its index: nothing may shift."""
    answers, customers = pd.DataFrame(ANSWERS), pd.DataFrame(CUSTOMERS)
    some = answers[answers["id"] == 1]
    table = lk.attach_segments(some, customers[customers["id"] != 2], on="id")
    assert table.index.tolist() == [1, 3]
    assert column(table, "staff") == [7, 7]


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_columns_in_chunks(kind: Callable[..., Any]) -> None:
    answers = stacked([kind({"id": [3, 1]}), kind({"id": [9, 1]})])
    customers = stacked([kind({"id": [2, 1], "of": ["b", "a"]}), kind({"id": [3], "of": ["c"]})])
    table = lk.attach_segments(answers, customers, on="id")
    assert column(table, "of") == ["c", "a", None, "a"]


@pytest.mark.parametrize(
    ("columns", "added"),
    [
        (None, ["sector", "staff"]),
        ("staff", ["staff"]),
        (["staff", "sector"], ["staff", "sector"]),
        (("sector",), ["sector"]),
        ([], []),
    ],
)
def test_columns_can_be_chosen(engine: Engine, columns: Any, added: list[str]) -> None:
    answers = engine.frame(ANSWERS)
    table = lk.attach_segments(answers, engine.frame(CUSTOMERS), on="id", columns=columns)
    assert column_names(table) == ["id", "nps", *added]
    assert len(frame_rows(table)) == 4


def test_valid_from_is_attached_when_asked_for(engine: Engine) -> None:
    answers = engine.frame({"id": [1], "day": [dt.date(2026, 3, 1)]})
    tiers = engine.frame({"id": [1], "since": [dt.date(2026, 2, 1)], "tier": ["new"]})
    keywords = {"on": "id", "time": "day", "valid_from": "since"}
    table = lk.attach_segments(answers, tiers, **keywords)
    assert column_names(table) == ["id", "day", "tier"]
    table = lk.attach_segments(answers, tiers, columns=["tier", "since"], **keywords)
    assert frame_rows(table) == [
        {"id": 1, "day": dt.date(2026, 3, 1), "tier": "new", "since": dt.date(2026, 2, 1)}
    ]


# ---- types of what is attached ------------------------------------------------------------------

VALUES: dict[str, list[Any]] = {
    "int": [1, 2],
    "float": [1.5, 2.5],
    "bool": [True, False],
    "text": ["a", "b"],
    "date": [dt.date(2026, 1, 1), dt.date(2026, 1, 2)],
    "time": at("2026-01-01T10:00:00", "2026-01-02T11:00:00"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_column_keeps_its_type_when_all_rows_match(engine: Engine, kind: str) -> None:
    customers = engine.frame({"id": [1, 2], "value": VALUES[kind]})
    table = lk.attach_segments(engine.frame({"id": [2, 1, 2]}), customers, on="id")
    assert dtype_names(table)["value"] == dtype_names(customers)["value"]
    one, two = column(customers, "value")
    assert column(table, "value") == [two, one, two]


@pytest.mark.parametrize("kind", VALUES)
def test_a_column_with_gaps_has_nulls(engine: Engine, kind: str) -> None:
    """Only NumPy integers and booleans have to change their type to hold a null."""
    customers = engine.frame({"id": [1, 2], "value": VALUES[kind]})
    table = lk.attach_segments(engine.frame({"id": [5, 1, None]}), customers, on="id")
    assert column(table, "value") == [None, column(customers, "value")[0], None]
    if engine.name != "pandas" or kind not in ("int", "bool"):
        assert dtype_names(table)["value"] == dtype_names(customers)["value"]


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "float32"])
def test_a_column_keeps_its_width(engine: Engine, kind: str) -> None:
    customers = engine.typed({"id": [1, 2], "value": [3, 4]}, "value", kind)
    table = lk.attach_segments(engine.frame({"id": [2, 2]}), customers, on="id")
    assert dtype_names(table)["value"] == dtype_names(customers)["value"]
    assert column(table, "value") == [4, 4]


@pytest.mark.parametrize("ids", [[2, 1], [2, 5]], ids=["all match", "a gap"])
def test_categories_are_kept(engine: Engine, ids: list[int]) -> None:
    customers = engine.frame(
        {"id": [1, 2], "tier": ["new", "loyal"]}, {"tier": ["prospect", "new", "loyal"]}
    )
    table = lk.attach_segments(engine.frame({"id": ids}), customers, on="id")
    assert column(table, "tier") == ["loyal", "new" if ids[1] == 1 else None]
    assert categories_of(table["tier"]) == ["prospect", "new", "loyal"]


# ---- keys ---------------------------------------------------------------------------------------


def test_rows_without_a_key_have_no_segment(engine: Engine) -> None:
    answers = engine.frame({"id": [None, 1, None]})
    table = lk.attach_segments(answers, engine.frame(CUSTOMERS), on="id")
    assert column(table, "sector") == [None, "B2B", None]


@pytest.mark.parametrize(
    ("answers", "customers"),
    [
        (pd.DataFrame({"id": [None, None]}), pd.DataFrame(CUSTOMERS)),
        (pl.DataFrame({"id": [None, None]}), pl.DataFrame(CUSTOMERS)),
        (pa.table({"id": pa.nulls(2)}), pa.table(CUSTOMERS)),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_no_row_has_a_key(answers: Any, customers: Any) -> None:
    table = lk.attach_segments(answers, customers, on="id")
    assert column(table, "sector") == [None, None]


@pytest.mark.parametrize("on", [["id", "year"], ("year", "id")])
def test_keys_of_several_columns(engine: Engine, on: Any) -> None:
    answers = engine.frame(
        {"id": [1, 1, 2, None, 2, 3], "year": ["a", "b", "a", "a", None, "a"], "row": range(6)}
    )
    customers = engine.frame(
        {"year": ["b", "a", "a", "b"], "id": [1, 2, 1, 2], "of": ["1b", "2a", "1a", "2b"]}
    )
    table = lk.attach_segments(answers, customers, on=on)
    assert column_names(table) == ["id", "year", "row", "of"]
    assert column(table, "of") == ["1a", "1b", "2a", None, None, None]


@pytest.mark.parametrize(
    "keys",
    [
        *(["b", "a"], [2.5, -1.0], [True, False]),
        [dt.date(2026, 1, 2), dt.date(2026, 1, 1)],
        at("2026-01-02T10:00:00", "2026-01-02T10:00:00.000001"),
        [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (2, 1)],
        [decimal.Decimal("1.50"), decimal.Decimal("-2.25")],
    ],
    ids=lambda keys: type(keys[0]).__name__,
)
def test_keys_of_every_type(engine: Engine, keys: list[Any]) -> None:
    answers = engine.frame({"key": [keys[1], None, keys[0], keys[1]]})
    customers = engine.frame({"key": keys, "of": ["first", "second"]})
    table = lk.attach_segments(answers, customers, on="key")
    assert column(table, "of") == ["second", None, "first", "second"]


def test_keys_of_another_width_match(engine: Engine) -> None:
    customers = engine.typed(CUSTOMERS, "id", "int8")
    table = lk.attach_segments(engine.frame({"id": [300, 3, 44]}), customers, on="id")
    assert column(table, "staff") == [None, 9, None]


def test_whole_floats_match_integers(engine: Engine) -> None:
    """A column of integers with a null is one of floats in pandas."""
    answers = engine.frame({"id": [3.0, None, 1.5]})
    table = lk.attach_segments(answers, engine.frame(CUSTOMERS), on="id")
    assert column(table, "staff") == [9, None, None]


@pytest.mark.parametrize("side", ["data", "segments", "both"])
def test_categories_match_their_text(engine: Engine, side: str) -> None:
    answers = engine.frame(
        {"id": ["b", None, "z", "a"]}, {"id": ["z", "b", "a"]} if side != "segments" else None
    )
    customers = engine.frame(
        {"id": ["a", "b"], "of": [1, 2]}, {"id": ["unused", "a", "b"]} if side != "data" else None
    )
    table = lk.attach_segments(answers, customers, on="id")
    assert column(table, "of") == [2, None, None, 1]
    assert dtype_names(table)["id"] == dtype_names(answers)["id"]


@pytest.mark.parametrize("left", ["numpy", "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("right", ["numpy", "numpy_nullable", "pyarrow"])
def test_pandas_dtypes_mix(left: Any, right: Any) -> None:
    answers = pd.DataFrame({"id": ["b", "a", None], "year": [1, 2, 3]})
    customers = pd.DataFrame({"id": ["a", "b"], "year": [2, 1], "of": ["a2", "b1"]})
    if left != "numpy":
        answers = answers.convert_dtypes(dtype_backend=left)
    if right != "numpy":
        customers = customers.convert_dtypes(dtype_backend=right)
    table = lk.attach_segments(answers, customers, on=["id", "year"])
    assert column(table, "of") == ["b1", "a2", None]


def test_arrow_dictionary_that_holds_a_key_twice() -> None:
    ids = pa.DictionaryArray.from_arrays(pa.array([1, 2]), pa.array(["a", "a", "b"]))
    customers = pa.table({"id": ids, "of": [1, 2]})
    table = lk.attach_segments(pa.table({"id": ["b", "a"]}), customers, on="id")
    assert column(table, "of") == [2, 1]


def test_pandas_dates_match_timestamps() -> None:
    """Both are dates: a report read from SQL holds one kind, one read from Parquet the other."""
    answers = pd.DataFrame({"day": [dt.date(2026, 1, 1)]})
    customers = pd.DataFrame({"day": pd.to_datetime(["2026-01-01"]), "of": [1]})
    assert column(lk.attach_segments(answers, customers, on="day"), "of") == [1]


# ---- as of a moment -----------------------------------------------------------------------------

CHANGES: dict[str, list[Any]] = {
    "id": [1, 2, 1, 1],
    "since": [dt.date(2026, 2, 1), dt.date(2026, 1, 15), dt.date(2026, 1, 1), dt.date(2026, 3, 1)],
    "tier": ["repeat", "new", "new", "loyal"],
}


def test_the_latest_row_that_holds_is_attached(engine: Engine) -> None:
    when = [
        *((1, "2025-12-31"), (1, "2026-01-01"), (1, "2026-01-31"), (1, "2026-02-01")),
        *((1, "2026-02-28"), (1, "2026-03-01"), (1, "2030-01-01")),
        *((2, "2026-01-14"), (2, "2026-01-15"), (3, "2026-02-01")),
    ]
    answers = engine.frame(
        {"id": [i for i, _ in when], "day": [dt.date.fromisoformat(day) for _, day in when]}
    )
    table = lk.attach_segments(
        answers, engine.frame(CHANGES), on="id", time="day", valid_from="since"
    )
    assert column(table, "tier") == [
        *(None, "new", "new", "repeat", "repeat", "loyal", "loyal"),
        *(None, "new", None),
    ]


@given(
    changes=st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 20)), min_size=1, max_size=10, unique=True
    ),
    rows=st.lists(
        st.tuples(st.none() | st.integers(1, 4), st.none() | st.integers(-2, 22)), max_size=10
    ),
)
@unhurried
def test_as_of_join(
    engine: Engine, changes: list[tuple[int, int]], rows: list[tuple[int | None, int | None]]
) -> None:
    """Against a search through all changes; a row without key or time has none."""
    start = dt.datetime(2026, 1, 1)

    def moment(hours: int | None) -> dt.datetime | None:
        return None if hours is None else start + dt.timedelta(hours=hours)

    rows = [*rows, (1, 5)]  # so that no column is without a type
    answers = engine.frame({"id": [i for i, _ in rows], "at": [moment(hour) for _, hour in rows]})
    segments = engine.frame(
        {
            "id": [i for i, _ in changes],
            "from": [moment(hour) for _, hour in changes],
            "value": [f"{i} from {hour}" for i, hour in changes],
        }
    )
    expected = []
    for i, hour in rows:
        held = [h for who, h in changes if who == i and hour is not None and h <= hour]
        expected.append(f"{i} from {max(held)}" if held else None)
    table = lk.attach_segments(answers, segments, on="id", time="at", valid_from="from")
    assert column(table, "value") == expected


def test_moments_within_a_day(engine: Engine) -> None:
    changes = engine.frame(
        {
            "id": [1, 1],
            "since": at("2026-01-05T12:00:00", "2026-01-05T12:00:00.000001"),
            "tier": ["noon", "later"],
        }
    )
    times = at("2026-01-05T11:59:59.999999", "2026-01-05T12:00:00", "2026-01-05T12:00:00.000001")
    answers = engine.frame({"id": [1, 1, 1], "time": times})
    table = lk.attach_segments(answers, changes, on="id", time="time", valid_from="since")
    assert column(table, "tier") == [None, "noon", "later"]


def test_dates_and_moments_and_text_can_be_compared(engine: Engine) -> None:
    """A date is the midnight it begins with, on either side."""
    answers = engine.frame({"id": [1, 1], "time": at("2026-01-31T23:59:59", "2026-02-01T00:00:00")})
    text = {**CHANGES, "since": [day.isoformat() for day in CHANGES["since"]]}
    for changes in (engine.frame(CHANGES), engine.frame(text)):
        table = lk.attach_segments(answers, changes, on="id", time="time", valid_from="since")
        assert column(table, "tier") == ["new", "repeat"]


def test_as_of_with_several_keys(engine: Engine) -> None:
    changes = engine.frame(
        {
            "id": [1, 1, 1],
            "shop": ["x", "y", "x"],
            "since": at("2026-01-01", "2026-01-01", "2026-02-01"),
            "tier": ["x1", "y1", "x2"],
        }
    )
    answers = engine.frame(
        {"id": [1, 1, 1], "shop": ["y", "x", "z"], "time": at(*["2026-02-01"] * 3)}
    )
    table = lk.attach_segments(answers, changes, on=["id", "shop"], time="time", valid_from="since")
    assert column(table, "tier") == ["y1", "x2", None]


def test_rows_without_a_time_have_no_segment(engine: Engine) -> None:
    answers = engine.frame({"id": [1, 1], "time": at(None, "2026-02-01")})
    table = lk.attach_segments(
        answers, engine.frame(CHANGES), on="id", time="time", valid_from="since"
    )
    assert column(table, "tier") == [None, "repeat"]


def test_tiers_of_a_log_are_ready_to_attach(engine: Engine) -> None:
    """The tier as of each answer, from purchases before the month in which it was given."""
    log = engine.frame(
        {"id": [1, 1, 2], "day": [dt.date(2026, 1, 5), dt.date(2026, 2, 6), dt.date(2026, 2, 7)]}
    )
    tiers = lk.loyalty_tier(log, "id", "day", freq="month", as_of="2026-03-31")
    days = [dt.date(2026, month, 20) for month in (1, 2, 3, 2, 3)]
    answers = engine.frame({"id": [1, 1, 1, 2, 2], "day": days})
    table = lk.attach_segments(answers, tiers, on="id", time="day", valid_from="valid_from")
    assert column(table, "tier") == [None, "new", "repeat", None, "new"]
    assert categories_of(table["tier"]) == ["prospect", "new", "repeat", "loyal"]


def test_times_of_two_zones_are_compared_as_moments(engine: Engine) -> None:
    """00:30 in Jakarta is 17:30 of the day before in UTC, which is before 18:00."""
    since = dt.datetime(2026, 1, 1, 0, 30, tzinfo=zoneinfo.ZoneInfo("Asia/Jakarta"))
    times = [dt.datetime(2025, 12, 31, hour, tzinfo=dt.UTC) for hour in (17, 18)]
    answers = engine.frame({"id": [1, 1], "time": times})
    changes = engine.frame({"id": [1], "since": [since], "tier": ["new"]})
    if engine.name != "polars":  # early versions turn a list of aware times into UTC
        assert "Jakarta" in dtype_names(changes)["since"]
    table = lk.attach_segments(answers, changes, on="id", time="time", valid_from="since")
    assert column(table, "tier") == [None, "new"]


# ---- empty frames -------------------------------------------------------------------------------


def test_no_rows(engine: Engine) -> None:
    answers, customers = engine.frame(ANSWERS), engine.frame(CUSTOMERS)
    for segments in (customers, empty(customers)):
        table = lk.attach_segments(empty(answers), segments, on="id")
        assert column_names(table) == ["id", "nps", "sector", "staff"]
        assert frame_rows(table) == []
        kinds = dtype_names(customers) | dtype_names(answers)
        assert dtype_names(table) == {name: kinds[name] for name in column_names(table)}


def test_no_segments(engine: Engine) -> None:
    answers, customers = engine.frame(ANSWERS), engine.frame(CUSTOMERS)
    table = lk.attach_segments(answers, empty(customers), on="id")
    assert column(table, "nps") == ANSWERS["nps"]
    assert column(table, "sector") == column(table, "staff") == [None] * 4


def test_no_changes(engine: Engine) -> None:
    answers = engine.frame({"id": [1], "day": [dt.date(2026, 1, 1)]})
    table = lk.attach_segments(
        answers, empty(engine.frame(CHANGES)), on="id", time="day", valid_from="since"
    )
    assert column(table, "tier") == [None]


# ---- bad input ----------------------------------------------------------------------------------


def test_duplicate_keys_are_refused(engine: Engine) -> None:
    customers = engine.frame({"id": [1, 2, 1, 3, 1, 3], "of": list("abcdef")})
    with pytest.raises(DataError) as raised:
        lk.attach_segments(engine.frame(ANSWERS), customers, on="id")
    message = str(raised.value)
    for said in ("segments has 3 rows too many", "key 'id'", "1, 1, 3"):
        assert said in message


def test_duplicates_of_several_columns_are_refused(engine: Engine) -> None:
    customers = engine.frame({"id": [1, 1, 1], "nps": [9, 8, 9], "of": list("abc")})
    with pytest.raises(DataError, match="1 row too many for the key 'id', 'nps'"):
        lk.attach_segments(engine.frame(ANSWERS), customers, on=["id", "nps"])


def test_duplicate_changes_are_refused(engine: Engine) -> None:
    answers = engine.frame({"id": [1], "day": [dt.date(2026, 1, 1)]})
    changes = {name: [*values, values[0]] for name, values in CHANGES.items()}
    with pytest.raises(DataError, match="segments has 1 row too many for the key 'id'"):
        lk.attach_segments(answers, engine.frame(changes), on="id", time="day", valid_from="since")


def test_changes_need_valid_from(engine: Engine) -> None:
    """Without it there would be two rows for one key."""
    with pytest.raises(DataError, match="2 rows too many"):
        lk.attach_segments(engine.frame(ANSWERS), engine.frame(CHANGES), on="id")


@pytest.mark.parametrize("on", ["id", ["id", "staff"]])
def test_segments_without_a_key_are_refused(engine: Engine, on: Any) -> None:
    customers = engine.frame({**CUSTOMERS, "id": [1, None, None]})
    answers = engine.frame({**ANSWERS, "staff": [1, 2, 3, 4]})
    with pytest.raises(DataError, match="segments: 2 rows whose 'id' is null"):
        lk.attach_segments(answers, customers, on=on, columns="sector")


def test_nan_is_no_key(engine: Engine) -> None:
    """Nor is it in pandas columns of Arrow types, where it is not null by itself."""
    customers = engine.frame({"id": [1.0, float("nan")], "of": ["a", "b"]})
    with pytest.raises(DataError, match="segments: 1 row whose 'id' is null"):
        lk.attach_segments(engine.frame({"id": [1.0, float("nan")]}), customers, on="id")


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (["1", "2", "3"], "text"),
        ([True, False, None], "true or false"),
        ([dt.date(2026, 1, day) for day in (1, 2, 3)], "dates"),
    ],
)
def test_keys_of_another_type_are_refused(engine: Engine, theirs: list[Any], kind: str) -> None:
    segments = engine.frame({"id": theirs[:2], "of": [1, 2]})
    with pytest.raises(DataError) as raised:
        lk.attach_segments(engine.frame(ANSWERS), segments, on="id")
    message = str(raised.value)
    for said in ("'id'", "numbers in data", f"{kind} in segments"):
        assert said in message


def test_aware_and_naive_keys_never_match_in_silence(engine: Engine) -> None:
    """They cannot be equal, so that every row would lose its segment without a word."""
    answers = engine.frame({"at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]})
    segments = engine.frame({"at": at("2026-01-01T00:00:00"), "of": [1]})
    with pytest.raises(DataError, match="'at'"):
        lk.attach_segments(answers, segments, on="at")


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"on": "ID"}, r"on\[0\]='ID': data has no such column.* mean 'id'"),
        ({"on": ["id", "nps"]}, r"on\[1\]='nps': segments has no such column"),
        ({"on": "id", "columns": "sectr"}, r"'sectr': segments has no .* mean 'sector'"),
        (
            {"on": "id", "time": "day", "valid_from": "since"},
            "time='day': data has no such column",
        ),
        (
            {"on": "id", "time": "nps", "valid_from": "since"},
            "valid_from='since': segments has no such column",
        ),
    ],
)
def test_unknown_columns(engine: Engine, keywords: dict[str, Any], match: str) -> None:
    with pytest.raises(ColumnNotFoundError, match=match):
        lk.attach_segments(engine.frame(ANSWERS), engine.frame(CUSTOMERS), **keywords)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"on": []}, "on is empty"),
        ({"on": ["id", "id"]}, "on names 'id' more than once"),
        ({"on": "id", "columns": ["staff", "staff"]}, "columns names 'staff' more than once"),
        ({"on": "id", "columns": ["id"]}, "data already has 'id'"),
        ({"on": "id", "time": "nps"}, "time= and valid_from= belong together"),
        ({"on": "id", "valid_from": "staff"}, "time= and valid_from= belong together"),
    ],
)
def test_parameters_that_cannot_be(keywords: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        lk.attach_segments(pd.DataFrame(ANSWERS), pd.DataFrame(CUSTOMERS), **keywords)


def test_a_column_that_data_has_already_is_refused(engine: Engine) -> None:
    answers = engine.frame({**ANSWERS, "staff": [0] * 4, "sector": ["x"] * 4})
    customers = engine.frame({**CUSTOMERS, "tier": ["new"] * 3})
    with pytest.raises(ParameterError, match="data already has 'sector', 'staff'"):
        lk.attach_segments(answers, customers, on="id")
    table = lk.attach_segments(answers, customers, on="id", columns="tier")
    assert column(table, "sector") == ["x"] * 4
    assert column(table, "tier") == ["new", "new", None, "new"]


def test_frames_of_two_engines_are_refused() -> None:
    frames = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
    for left, make_left in frames.items():
        for right, make_right in frames.items():
            if left != right:
                with pytest.raises(
                    TypeError, match=f"segments is a {right} frame and data a {left} one"
                ):
                    lk.attach_segments(make_left(ANSWERS), make_right(CUSTOMERS), on="id")


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"on": 0}, "on must be a column name or a sequence"),
        ({"on": {"id"}}, "on must be a column name or a sequence"),
        ({"on": ["id", 0]}, r"on\[1\] must be a column name"),
        ({"on": "id", "columns": 1}, "columns must be a column name or a sequence"),
    ],
)
def test_parameters_of_a_wrong_type(keywords: dict[str, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match):
        lk.attach_segments(pd.DataFrame(ANSWERS), pd.DataFrame(CUSTOMERS), **keywords)


@pytest.mark.parametrize("keywords", [{"time": ["day"]}, {"time": 3}], ids=str)
def test_a_time_of_a_wrong_type(keywords: dict[str, Any]) -> None:
    answers = pd.DataFrame({"id": [1], "day": [dt.date(2026, 1, 1)]})
    with pytest.raises(TypeError, match="time must be a column name"):
        lk.attach_segments(answers, pd.DataFrame(CHANGES), on="id", valid_from="since", **keywords)


@pytest.mark.parametrize("frame", [[1, 2], None, {"id": [1]}, pd.Series([1], name="id")])
def test_both_are_frames(frame: Any) -> None:
    with pytest.raises(TypeError, match="data must be a DataFrame"):
        lk.attach_segments(frame, pd.DataFrame(CUSTOMERS), on="id")
    with pytest.raises(TypeError, match="segments must be a DataFrame"):
        lk.attach_segments(pd.DataFrame(ANSWERS), frame, on="id")


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["id", "id"])
    with pytest.raises(LoyaltyKitError, match="data cannot be read"):
        lk.attach_segments(twice, pd.DataFrame(CUSTOMERS), on="id")


def test_a_time_that_is_no_date_is_refused(engine: Engine) -> None:
    """A row without a time has no segment; one whose time cannot be read is an error."""
    answers = engine.frame({"id": [1, 1, 2], "day": ["2026-02-01", "soon", None]})
    with pytest.raises(DataError, match=r"'day': 1 row with times that are not ISO.*'soon'"):
        lk.attach_segments(answers, engine.frame(CHANGES), on="id", time="day", valid_from="since")


def test_a_number_is_no_time(engine: Engine) -> None:
    answers = engine.frame({"id": [1], "day": [20260101]})
    with pytest.raises(DataError, match="'day' holds Int64, not dates"):
        lk.attach_segments(answers, engine.frame(CHANGES), on="id", time="day", valid_from="since")


@pytest.mark.parametrize(
    ("since", "match"),
    [
        (["2026-01-01", None, "2026-01-02"], "'since': 1 row without a date"),
        (["2026-01-01", "soon", "2026-01-02"], "'since': 1 row with times .*'soon'"),
    ],
)
def test_changes_need_a_date(engine: Engine, since: list[Any], match: str) -> None:
    changes = engine.frame({"id": [1, 1, 1], "since": since, "tier": ["a", "b", "c"]})
    answers = engine.frame({"id": [1], "day": ["2026-01-01"]})
    with pytest.raises(DataError, match=match) as raised:
        lk.attach_segments(answers, changes, on="id", time="day", valid_from="since")
    # An error names only keywords that the function has.
    advised = set(re.findall(r"(\w+)=", str(raised.value)))
    assert advised <= set(inspect.signature(lk.attach_segments).parameters)


# ---- keys and clocks that once went wrong -------------------------------------------------------


def test_many_wide_keys_do_not_outgrow_64_bits(engine: Engine) -> None:
    keys = {f"k{i}": list(range(3000)) for i in range(7)}
    segments = engine.frame({**keys, "of": list(range(3000))})
    table = lk.attach_segments(engine.frame(keys), segments, on=list(keys))
    assert column(table, "of") == list(range(3000))


def test_text_with_a_zone_is_compared_as_a_moment(engine: Engine) -> None:
    """03:00 in Jakarta is 20:00 of the day before in UTC."""
    answers = engine.frame({"id": [1, 1], "t": ["2026-02-01T03:00:00+07:00"] * 2})
    changes = engine.frame({"id": [1], "since": ["2026-02-01T00:00:00Z"], "tier": ["new"]})
    table = lk.attach_segments(answers, changes, on="id", time="t", valid_from="since")
    assert column(table, "tier") == [None, None]


def test_tiers_of_a_log_join_back_to_answers_with_a_zone(engine: Engine) -> None:
    log = engine.frame({"id": [1, 1], "day": ["2026-01-05", "2026-02-05"]})
    tiers = lk.loyalty_tier(log, "id", "day", freq="month")
    answers = engine.frame({"id": [1, 1], "t": ["2026-01-31T12:00Z", "2026-02-01T00:00Z"]})
    table = lk.attach_segments(answers, tiers, on="id", time="t", valid_from="valid_from")
    assert column(table, "tier") == [None, "new"]
