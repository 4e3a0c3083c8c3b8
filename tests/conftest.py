"""Engines that every test runs over, and the helpers that tests share."""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import settings

Columns: TypeAlias = Mapping[str, Sequence[Any]]
Rows: TypeAlias = list[dict[str, Any]]

# pandas 2 parses texts and objects in nanoseconds, which begin in 1678 and end in 2262.
PANDAS_2 = int(pd.__version__.partition(".")[0]) < 3

DATA = Path(os.environ.get("LOYALTYKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))

# A slow machine is no bug; a red run must be red again the next time.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


# ---- one constructor per engine -----------------------------------------------------------------


def pandas_frame(columns: Columns) -> pd.DataFrame:
    """NumPy dtypes: a null among numbers makes them floats with NaN."""
    return pd.DataFrame(dict(columns))


def pandas_nullable_frame(columns: Columns) -> pd.DataFrame:
    """Int64, Float64, boolean and string, with a mask for nulls."""
    with np.errstate(invalid="ignore"):  # pandas 2 tries an integer for infinity
        return pandas_frame(columns).convert_dtypes()


def pandas_arrow_frame(columns: Columns) -> pd.DataFrame:
    """ArrowDtype throughout."""
    frame: pd.DataFrame = pyarrow_frame(columns).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def polars_frame(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame(dict(columns))


def pyarrow_frame(columns: Columns) -> pa.Table:
    return pa.table(dict(columns))


CONSTRUCTORS: dict[str, Callable[[Columns], Any]] = {
    "pandas": pandas_frame,
    "pandas-nullable": pandas_nullable_frame,
    "pandas-arrow": pandas_arrow_frame,
    "polars": polars_frame,
    "pyarrow": pyarrow_frame,
}


class Engine:
    """Makes frames of one engine, and remembers them: no test may leave one changed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._made: list[tuple[Any, object]] = []

    def __repr__(self) -> str:
        return f"Engine({self.name!r})"

    @property
    def is_pandas(self) -> bool:
        return self.name.startswith("pandas")

    def frame(self, columns: Columns, categories: Mapping[str, Sequence[Any]] | None = None) -> Any:
        """Return a frame; the columns named in categories become ordered categories."""
        frame = CONSTRUCTORS[self.name](columns)
        for name, levels in (categories or {}).items():
            frame = _with_column(frame, name, _category(self.name, columns[name], levels))
        return self.keep(frame)

    def typed(self, columns: Columns, name: str, dtype: Any) -> Any:
        """Return a frame whose named column is of an Arrow type such as "uint8"."""
        arrays = {key: pa.array(values) for key, values in columns.items() if key != name}
        arrays[name] = pa.array(columns[name], type=dtype)
        table = pa.table({key: arrays[key] for key in columns})
        return self.keep(_FROM_ARROW[self.name](table))

    def series(self, values: Sequence[Any]) -> Any:
        return self.frame({"values": values})["values"]

    def keep(self, frame: Any) -> Any:
        """Remember a frame as it is now."""
        self._made.append((frame, snapshot(frame)))
        return frame

    def check_inputs_unchanged(self) -> None:
        made, self._made = self._made, []
        for frame, before in made:
            assert snapshot(frame) == before, "an input frame was modified"


@pytest.fixture(scope="session", params=CONSTRUCTORS)
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine after the other. It holds no data, so that hypothesis may use it as well."""
    return Engine(request.param)


@pytest.fixture(autouse=True)
def _inputs_stay_as_they_were(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test, each frame that an engine made must still be as it was made."""
    yield
    if "engine" in request.fixturenames:
        request.getfixturevalue("engine").check_inputs_unchanged()


def _with_column(frame: Any, name: str, values: Any) -> Any:
    if isinstance(frame, pd.DataFrame):
        return frame.assign(**{name: values})
    if isinstance(frame, pl.DataFrame):
        return frame.with_columns(values.alias(name))
    return frame.set_column(frame.column_names.index(name), name, values)


def _category(engine: str, values: Sequence[Any], levels: Sequence[Any]) -> Any:
    if engine == "polars":
        return pl.Series(values, dtype=pl.Enum(list(levels)))
    if engine == "pyarrow":
        codes = [None if value is None else list(levels).index(value) for value in values]
        index = pa.array(codes, type=pa.int8() if len(levels) < 128 else pa.int16())
        return pa.DictionaryArray.from_arrays(index, pa.array(levels), ordered=True)
    return pd.Categorical(values, categories=list(levels), ordered=True)


_FROM_ARROW: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": pa.Table.to_pandas,
    "pandas-nullable": lambda table: table.to_pandas().convert_dtypes(),
    "pandas-arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "pyarrow": lambda table: table,
}


def stacked(frames: Sequence[Any]) -> Any:
    """Return frames of one engine under one another, as a user of that engine would do it."""
    if isinstance(frames[0], pd.DataFrame):
        return pd.concat(frames, ignore_index=True)
    if isinstance(frames[0], pl.DataFrame):
        return pl.concat(frames)
    return pa.concat_tables(frames)


# ---- reading frames -----------------------------------------------------------------------------


def frame_rows(table: Any) -> Rows:
    """Return a table of any engine as a list of rows of plain Python values.

    Null and NaN are None. A datetime at midnight without a zone is a date, because periods are
    datetimes in pandas and dates elsewhere.
    """
    columns = {name: values_of(table[name]) for name in column_names(table)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values_of(series: Any) -> list[Any]:
    """Return a series of any engine as plain Python values."""
    return [_plain(value) for value in series]


def column_names(table: Any) -> list[str]:
    return list(table.column_names if isinstance(table, pa.Table) else table.columns)


def column(table: Any, name: str) -> list[Any]:
    """Return one column as plain Python values."""
    return [row[name] for row in frame_rows(table)]


def only_row(table: Any) -> dict[str, Any]:
    (row,) = frame_rows(table)
    return row


def dtype_names(table: Any) -> dict[str, str]:
    """Return every column's dtype in the engine's own words."""
    if isinstance(table, pa.Table):
        return {field.name: str(field.type) for field in table.schema}
    return {name: str(table[name].dtype) for name in table.columns}


def categories_of(values: Any) -> list[Any]:
    """Return the categories of a column in their order; one without an order is refused."""
    if isinstance(values, pd.Series):
        assert values.cat.ordered
        return list(values.cat.categories)
    if isinstance(values, pl.Series):
        assert isinstance(values.dtype, pl.Enum)
        return values.dtype.categories.to_list()
    assert values.type.ordered
    return list(values.combine_chunks().dictionary.to_pylist())


def _plain(value: Any) -> Any:
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, dt.datetime) and value.tzinfo is None and value.time() == dt.time(0):
        return value.date()
    return value


def snapshot(frame: Any) -> object:
    """Return all that a caller could see of a frame, for a comparison later."""
    if isinstance(frame, pa.Table):  # its values cannot be changed
        return dtype_names(frame)
    values = {name: [repr(value) for value in frame[name]] for name in column_names(frame)}
    if isinstance(frame, pd.DataFrame):
        return values, dtype_names(frame), frame.index.tolist(), frame.index.name, dict(frame.attrs)
    return values, dtype_names(frame)


# ---- real data ----------------------------------------------------------------------------------


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return the path of a file in ../shared/data, or in the directory LOYALTYKIT_DATA."""

    def path(name: str) -> Path:
        found = DATA / name
        if not found.is_file():
            pytest.skip(f"no real data: {found} is not there (LOYALTYKIT_DATA names another place)")
        return found

    return path
