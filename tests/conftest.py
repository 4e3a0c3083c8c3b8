"""Engines that every test runs over, and the helpers that tests share."""

from __future__ import annotations

import datetime as dt
import functools
import importlib.util
import itertools
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import settings

Columns: TypeAlias = Mapping[str, Sequence[Any]]
Rows: TypeAlias = list[dict[str, Any]]
# Where the parts of a frame end; None leaves the cuts to the constructor.
Ends: TypeAlias = Sequence[int] | None

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
    return _nullable(pandas_frame(columns))


def _nullable(frame: pd.DataFrame) -> pd.DataFrame:
    with np.errstate(invalid="ignore"):  # pandas 2 tries an integer for infinity
        return frame.convert_dtypes()


def pandas_arrow_frame(columns: Columns) -> pd.DataFrame:
    """ArrowDtype throughout."""
    frame: pd.DataFrame = pyarrow_frame(columns).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def polars_frame(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame(dict(columns))


def pyarrow_frame(columns: Columns) -> pa.Table:
    return pa.table(dict(columns))


def duckdb_relation(table: pa.Table, ends: Ends = None) -> duckdb.DuckDBPyRelation:
    """Return a relation over an Arrow table; what is a dictionary there is an ENUM here."""
    relation = _duckdb().from_arrow(table)
    for field in table.schema:
        if pa.types.is_dictionary(field.type):
            levels = table[field.name].combine_chunks().dictionary.to_pylist()
            enum = ", ".join(f"'{level}'" for level in levels)
            column = f'"{field.name}"'
            relation = relation.project(f"* replace ({column}::enum({enum}) as {column})")
    return relation


def spark_frame(table: pa.Table, ends: Ends = None) -> Any:
    """Return a Spark DataFrame of an Arrow table's rows, and of Spark's nearest types.

    Naive times become TimestampNTZ and aware ones Timestamp, both in microseconds. Unsigned
    integers are widened, as Spark's own readers do; categories become what they stand for.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    for i, field in enumerate(table.schema):
        if (known := _spark_type(field.type)) != field.type:
            table = table.set_column(i, field.name, table[field.name].cast(known))
    schema = from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
    starts = [0, *(ends or [])]
    parts = [table.slice(start, end - start) for start, end in itertools.pairwise(starts)]
    made = [_spark().createDataFrame(part, schema=schema) for part in parts or [table]]
    return functools.reduce(lambda first, second: first.union(second), made)


def _spark_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _spark_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    unsigned = {"uint8": pa.int16(), "uint16": pa.int32(), "uint32": pa.int64()}
    return {**unsigned, "uint64": pa.decimal128(20)}.get(str(kind), kind)


def dask_frame(frame: pd.DataFrame, ends: Ends = None) -> Any:
    """Return a Dask frame on the cluster, in several partitions, one of them without a row.

    It is persisted: what a function does to a partition would show in the next result. Its
    partitions are pandas' own: Dask would make text of every column of objects.
    """
    import dask
    import dask.dataframe as dd

    _dask()
    half = len(frame) // 2
    starts = [0, *([half, half, len(frame)] if ends is None else ends)]
    parts = [frame.iloc[start:end] for start, end in itertools.pairwise(starts)]
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(_same, parts, meta=frame.iloc[:0]).persist()


def _same(part: pd.DataFrame) -> pd.DataFrame:
    return part


CONSTRUCTORS: dict[str, Callable[[Columns], Any]] = {
    "pandas": pandas_frame,
    "pandas-nullable": pandas_nullable_frame,
    "pandas-arrow": pandas_arrow_frame,
    "polars": polars_frame,
    "pyarrow": pyarrow_frame,
}

_FROM_ARROW: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": pa.Table.to_pandas,
    "pandas-nullable": lambda table: _nullable(table.to_pandas()),
    "pandas-arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "pyarrow": lambda table: table,
}

# Lazy and distributed kinds: the eager kind that they are made from, and how.
WRAPPED: dict[str, tuple[str, Callable[[Any, Ends], Any]]] = {
    "polars-lazy": ("polars", lambda frame, _: frame.lazy()),
    "duckdb": ("pyarrow", duckdb_relation),
    "spark": ("pyarrow", spark_frame),
    "dask": ("pandas", dask_frame),
}


# ---- the engines that run beside the tests: each started once, when first asked for --------------

# Set by `make test-engines`: an engine that is not there fails its tests then.
REQUIRED = os.environ.get("LOYALTYKIT_ENGINES") in ("required", "all")
EVERY_CASE = os.environ.get("LOYALTYKIT_ENGINES") == "all"


# Those that are processes of their own, by the package that starts them.
BESIDE = {"spark": "pyspark", "dask": "distributed"}


def missing_engine(name: str) -> str | None:
    """Return why an engine cannot be tested here, or None when it can."""
    package = BESIDE.get(name)
    if package is None:
        return None
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed here: make test-engines tests {name}"
    if name == "spark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "Spark needs a Java runtime: make test-engines finds or installs one"
    if "PYTEST_XDIST_WORKER" in os.environ:
        return f"{name} is started once, not by every worker: make test-engines tests it"
    return None


@functools.cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


@functools.cache
def _spark() -> Any:
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.log.level": "ERROR",
        "spark.pyspark.python": sys.executable,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("loyaltykit")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@functools.cache
def _dask() -> Any:
    """Return the client of a cluster of two processes; frames find it by themselves."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=":0",  # any free port: another cluster may run beside
    )
    return Client(cluster)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    spared = [] if EVERY_CASE else _long_lists_of_spark(items)[1::2]
    config.hook.pytest_deselected(items=spared)
    left_out = {item.nodeid for item in spared}
    items[:] = [item for item in items if item.nodeid not in left_out]
    for item in items:
        if _engine_of(item) in BESIDE:
            item.add_marker("engines")


def _long_lists_of_spark(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the cases of the long lists, of which Spark has every second one: each takes seconds.

    DuckDB runs the same expressions in all of them, and the table of docs/engines.md calls every
    function on Spark.
    """
    lists = ("::test_same_answer[", "::test_same_refusal[")
    cases = [item for item in items if _engine_of(item) == "spark"]
    cases = [item for item in cases if any(name in item.nodeid for name in lists)]
    return sorted(cases, key=lambda item: item.nodeid)


def _engine_of(item: pytest.Item) -> str | None:
    return item.callspec.params.get("any_engine") if hasattr(item, "callspec") else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what was started; where every engine is required, a test left out is a failure."""
    if _spark.cache_info().currsize:
        _spark().stop()
    if _dask.cache_info().currsize:
        client, cluster = _dask(), _dask().cluster
        client.close()  # first, or the cluster would mourn what the client still holds
        cluster.close()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRED and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("\nLOYALTYKIT_ENGINES is set, and tests were skipped.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Engine:
    """Makes frames of one engine, and remembers them: no test may leave one changed."""

    def __init__(self, name: str, *, categories: bool = True) -> None:
        self.name = name
        self._base = WRAPPED[name][0] if name in WRAPPED else name
        self._wrap = WRAPPED[name][1] if name in WRAPPED else None
        # Spark has none: there, and in what it is compared with, they are plain values.
        self.has_categories = categories and name != "spark"
        self._made: list[tuple[Any, object]] = []

    def __repr__(self) -> str:
        return f"Engine({self.name!r})"

    @property
    def is_pandas(self) -> bool:
        return self.name.startswith("pandas")

    @property
    def is_eager(self) -> bool:
        return self._wrap is None

    def frame(
        self,
        columns: Columns,
        categories: Mapping[str, Sequence[Any]] | None = None,
        ends: Ends = None,
    ) -> Any:
        """Return a frame; the columns named in categories become ordered categories.

        The ends cut the rows into parts, where an engine has them; two that are equal leave a part
        without a row.
        """
        frame = CONSTRUCTORS[self._base](columns)
        for name, levels in (categories or {}).items() if self.has_categories else ():
            frame = _with_column(frame, name, _category(frame, columns[name], levels))
        return self._finished(frame, ends)

    def with_types(self, columns: Columns, types: Mapping[str, Any], ends: Ends = None) -> Any:
        """Return a frame with columns of Arrow types, as in {"nps": "uint8"}."""
        arrays = {name: pa.array(values, type=types.get(name)) for name, values in columns.items()}
        return self._finished(_FROM_ARROW[self._base](pa.table(arrays)), ends)

    def typed(self, columns: Columns, name: str, dtype: Any) -> Any:
        """Return a frame whose named column is of an Arrow type such as "uint8"."""
        return self.with_types(columns, {name: dtype})

    def series(self, values: Sequence[Any]) -> Any:
        return self.frame({"values": values})["values"]

    def _finished(self, frame: Any, ends: Ends) -> Any:
        return self.keep(frame if self._wrap is None else self._wrap(frame, ends))

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
    """One eager engine after the other. It holds no data, so that hypothesis may use it as well."""
    return Engine(request.param)


@pytest.fixture(scope="session", params=[*CONSTRUCTORS, *WRAPPED])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """One engine after the other, lazy and distributed ones too; for the contract suite."""
    reason = missing_engine(request.param)
    if reason is not None and REQUIRED:
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)
    return Engine(request.param)


@pytest.fixture(autouse=True)
def _inputs_stay_as_they_were(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test, each frame that an engine made must still be as it was made."""
    yield
    for name in {"engine", "any_engine"} & set(request.fixturenames):
        request.getfixturevalue(name).check_inputs_unchanged()


def _with_column(frame: Any, name: str, values: Any) -> Any:
    if isinstance(frame, pd.DataFrame):
        return frame.assign(**{name: values})
    if isinstance(frame, pl.DataFrame):
        return frame.with_columns(values.alias(name))
    return frame.set_column(frame.column_names.index(name), name, values)


def _category(frame: Any, values: Sequence[Any], levels: Sequence[Any]) -> Any:
    if isinstance(frame, pl.DataFrame):
        return pl.Series(values, dtype=pl.Enum(list(levels)))
    if isinstance(frame, pa.Table):
        codes = [None if value is None else list(levels).index(value) for value in values]
        index = pa.array(codes, type=pa.int8() if len(levels) < 128 else pa.int16())
        return pa.DictionaryArray.from_arrays(index, pa.array(levels), ordered=True)
    return pd.Categorical(values, categories=list(levels), ordered=True)


def stacked(frames: Sequence[Any]) -> Any:
    """Return frames of one engine under one another, as a user of that engine would do it."""
    if isinstance(frames[0], pd.DataFrame):
        return pd.concat(frames, ignore_index=True)
    if isinstance(frames[0], pl.DataFrame):
        return pl.concat(frames)
    return pa.concat_tables(frames)


# ---- reading frames -----------------------------------------------------------------------------


def collected(table: Any) -> Any:
    """Return a lazy or distributed table as an eager one; an eager one as it is."""
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if isinstance(table, duckdb.DuckDBPyRelation):
        return table.to_arrow_table()
    if hasattr(table, "toArrow"):
        return table.toArrow()
    return table.compute() if hasattr(table, "compute") else table


def frame_rows(table: Any) -> Rows:
    """Return a table of any engine as a list of rows of plain Python values.

    Null and NaN are None. A datetime at midnight without a zone is a date, because periods are
    datetimes in pandas and dates elsewhere.
    """
    table = collected(table)
    columns = {name: values_of(table[name]) for name in column_names(table)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values_of(series: Any) -> list[Any]:
    """Return a series of any engine as plain Python values."""
    return [_plain(value) for value in series]


def column_names(table: Any) -> list[str]:
    if isinstance(table, pl.LazyFrame):
        return table.collect_schema().names()
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
    if isinstance(table, pl.LazyFrame):
        return {name: str(dtype) for name, dtype in table.collect_schema().items()}
    if isinstance(table, duckdb.DuckDBPyRelation):
        return {name: str(dtype) for name, dtype in zip(table.columns, table.types, strict=True)}
    if hasattr(table, "toArrow"):
        return dict(table.dtypes)
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
    if hasattr(frame, "npartitions"):
        return snapshot(frame.compute())
    if not isinstance(frame, (pd.DataFrame, pl.DataFrame)):  # its values cannot be changed
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
