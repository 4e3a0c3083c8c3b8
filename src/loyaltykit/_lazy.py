"""Columns of lazy engines (Polars, DuckDB, PySpark) as narwhals expressions, and small answers.

What is collected here is small: facts about columns, or distinct rows with their counts. Collected
tables are pandas frames. Times become integers in the engine (microseconds, days and periods since
1970, as in `_calendar`), because engines differ in every other form of a date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NoReturn

import narwhals.stable.v2 as nw

from loyaltykit import _checks, _engines, _refusals
from loyaltykit._engines import DUCKDB, SPARK
from loyaltykit._frame import DAY, PERIOD, Frame, N, Query
from loyaltykit.errors import DataError, ParameterError

# Columns of our own: wall-clock times, and the same as microseconds since 1970.
CLOCK, MOMENT = "lk clock", "lk moment"
TEXT = "lk text"

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
MONDAY = 3  # as in `_calendar`: 1970-01-01 was a Thursday
_LEAPS_TO_1970 = 477  # years before 1970 that had a 29 February, by the Gregorian rule
_MOST_SHOWN = 6
_MOST_ROWS = 5_000_000  # that a query may bring out of the engine
# Texts that are read, texts that name a zone, and texts that are dates in yet another form.
_COMPACT = r"^\d{8}$"
_ISO = r"^\d{4}-\d\d-\d\d([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?$"
_ZONED = r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$"
_SHAPE = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?$"
_OTHER = r"^(\d{4}-\d|\d{8}T)"


# ---- columns ------------------------------------------------------------------------------------


def value(frame: Query, name: str) -> nw.Expr:
    """Return a column in which NaN is null and -0.0 is 0.0."""
    dtype, column = frame.collect_schema()[name], nw.col(name)
    if dtype.is_nested() or dtype in (nw.Object, nw.Binary):
        refuse_kind(name, dtype)
    if dtype.is_float():
        zero = nw.lit(0.0, dtype=dtype)  # Polars would leave out the addition of 0
        kept = nw.when(column == 0).then(zero).otherwise(column)
        return nw.when(~column.is_nan()).then(kept).alias(name)
    return column


def refuse_kind(name: str, dtype: Any) -> NoReturn:
    """Raise for a column that nobody can group by."""
    msg = f"{name!r} holds values of the type {dtype}, which loyaltykit cannot read."
    raise DataError(msg)


def number(condition: nw.Expr, name: str) -> nw.Expr:
    """Return how many rows meet a condition."""
    flag = nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
    return total(flag, name)


def holds_nulls_only(frame: Query, name: str) -> bool:
    """Return whether a column has no type because it holds nothing but nulls, if anything."""
    if frame.collect_schema()[name] != nw.Unknown:  # or what narwhals has no word for
        return False
    return not only_row(frame.select(number(~nw.col(name).is_null(), N)))[N]


def known(condition: nw.Expr) -> nw.Expr:
    """Return a condition that is false where it is null."""
    return nw.when(condition).then(nw.lit(True)).otherwise(nw.lit(False))


def total(column: nw.Expr, name: str) -> nw.Expr:
    """Return a sum as a 64-bit integer, which DuckDB would make a decimal."""
    return column.sum().cast(nw.Int64).alias(name)


def quotient(number: nw.Expr, length: int) -> nw.Expr:
    """Return how often a length fits into a number that is not negative."""
    # Spark divides in floating point, which is exact only where nothing is left over.
    return ((number - number % length) // length).cast(nw.Int64)


def flag(query: Query, name: str) -> tuple[nw.Expr, nw.Expr]:
    """Return where a column is neither true nor false, and where it is true."""
    column, dtype = nw.col(name), query.collect_schema()[name]
    if dtype == nw.Boolean:
        return column.is_null(), column
    if dtype.is_numeric():
        return column.is_null() | ~((column == 0) | (column == 1)), column == 1
    return ~never(name), never(name)


def never(name: str) -> nw.Expr:
    """Return what is true in no row; a bare literal is no column, and cannot be added up."""
    return nw.col(name).is_null() & ~nw.col(name).is_null()


def integer(number: int, name: str) -> nw.Expr:
    """Return a column of one number, 64 bits wide so that it stacks with counts."""
    return nw.lit(number, dtype=nw.Int64).alias(name)


def alike(
    first: Query, second: Query, column: str, name: str, frames: tuple[str, str]
) -> tuple[Query, Query]:
    """Return two frames whose key columns are of one type that holds both, so that they join."""
    types = [frame.collect_schema()[column] for frame in (first, second)]
    if types[0] == types[1]:
        return first, second
    kinds = [_kind(dtype) for dtype in types]
    if kinds[0] != kinds[1]:
        _refusals.different_key_types(name, frames, kinds)
    wide = nw.col(column).cast(_common(types, name, frames))
    return first.with_columns(wide), second.with_columns(wide)


def _common(types: Sequence[Any], name: str, frames: tuple[str, str]) -> Any:
    """Return the type that holds what two types of one kind hold; never the narrower one."""
    if _kind(types[0]) == "text":
        return nw.String
    if all(dtype.is_integer() for dtype in types):
        if all(dtype.is_unsigned_integer() for dtype in types):
            return nw.UInt64
        return nw.Int128 if nw.UInt64 in types else nw.Int64
    if all(dtype.is_integer() or dtype.is_float() for dtype in types):
        return nw.Float64
    if _kind(types[0]) == "dates":
        fine = any(getattr(dtype, "time_unit", None) == "ns" for dtype in types)
        return nw.Datetime("ns" if fine else "us")
    if _kind(types[0]) == "dates with a time zone":
        return nw.Datetime("us", "UTC")
    # Decimals would lose digits as floats, and be rounded as integers.
    return _refusals.different_key_types(name, frames, [str(dtype) for dtype in types])


def _kind(dtype: Any) -> str:
    """Return what a key column holds, in the words that decide whether two can match."""
    if dtype.is_numeric():
        return "numbers"
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return "text"
    if dtype == nw.Boolean:
        return "true or false"
    if dtype in (nw.Date, nw.Datetime):
        zone = getattr(dtype, "time_zone", None)
        return "dates" if zone is None else "dates with a time zone"
    return str(dtype)


def counted(frame: Query, keys: Sequence[str], n: str = N) -> Query:
    """Return the distinct rows of some columns, and how often each stands there."""
    if not keys:  # one row, also of an empty table
        return frame.select(nw.len().cast(nw.Int64).alias(n))
    return frame.group_by(list(keys)).agg(nw.len().cast(nw.Int64).alias(n))


# ---- times --------------------------------------------------------------------------------------


def with_clock(frame: Query, name: str, tz: str | None) -> tuple[Query, str | None]:
    """Return the frame with a column CLOCK of wall-clock times, and their zone.

    It is a date or a naive datetime; null where the column is null or, for text, no ISO time.
    """
    frame = _in_known_type(frame, name)
    dtype, column = frame.collect_schema()[name], nw.col(name)
    zone = getattr(dtype, "time_zone", None)
    if zone is None and tz is not None and dtype in (nw.Date, nw.Datetime):
        _refusals.naive_times(tz, name)
    if dtype == nw.Date or (dtype == nw.Datetime and zone is None):
        if frame.implementation is DUCKDB:  # where a date may be infinite
            quoted = _quoted(name)
            return _with_sql(frame, f"CASE WHEN isfinite({quoted}) THEN {quoted} END"), None
        return frame.with_columns(column.alias(CLOCK)), None
    if dtype == nw.Datetime:
        if tz is None and not frame.implementation.is_polars():
            engine = "DuckDB" if frame.implementation is DUCKDB else "Spark"
            msg = (
                f"{name!r} holds {dtype}: {engine} keeps the moment but not the zone it was "
                "written in. Name the zone to read it in with tz=, where there is such a "
                "parameter, or cast the column to a date or to a timestamp without a zone."
            )
            raise DataError(msg)
        return _in_zone(frame, name, tz), tz or zone
    if dtype == nw.Unknown:  # a column that holds nulls only
        return frame.with_columns(nw.lit(None, dtype=nw.Date).alias(CLOCK)), None
    if dtype not in (nw.String, nw.Categorical, nw.Enum):
        _refusals.not_dates(name, dtype)
    return _parsed(frame, name), None


def _in_known_type(frame: Query, name: str) -> Query:
    """Return the frame with DuckDB's aware nanoseconds as microseconds, which narwhals knows."""
    if frame.implementation is not DUCKDB or frame.collect_schema()[name] != nw.Unknown:
        return frame
    native = frame.to_native()
    if str(native.types[native.columns.index(name)]) != "TIMESTAMPTZ_NS":
        return frame
    import duckdb

    cast = duckdb.SQLExpression(f"CAST({_quoted(name)} AS TIMESTAMPTZ)").alias(name)
    others = duckdb.StarExpression(exclude=[name])
    return query_of(native.select(others, cast))


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _in_zone(frame: Query, name: str, tz: str | None) -> Query:
    """Return the frame with CLOCK, what the clocks of a zone showed at the moments of a column."""
    if frame.implementation is DUCKDB:
        quoted = _quoted(name)
        local = f"CASE WHEN isfinite({quoted}) THEN timezone('{tz}', {quoted}) END"
        return _with_sql(frame, local)
    if frame.implementation is SPARK:
        # By way of microseconds: a cast would go through the clock of the session's zone, which
        # shows one hour twice a year.
        quoted = name.replace("`", "``")
        local = f"unix_micros(from_utc_timestamp(`{quoted}`, '{tz}'))"
        since = f"make_dt_interval(0, 0, 0, cast({local} as decimal(20, 0)) / 1000000)"
        return _with_sql(frame, f"TIMESTAMP_NTZ '1970-01-01 00:00:00' + {since}")
    column = nw.col(name).dt.convert_time_zone(tz) if tz else nw.col(name)
    return frame.with_columns(column.dt.replace_time_zone(None).alias(CLOCK))


def odd_texts(frame: Query, name: str) -> tuple[nw.Expr, nw.Expr] | None:
    """Return where a text names a zone, and where it is a date that lazy engines do not read.

    Both are refused even where bad dates are left out, because pandas would read them. Columns that
    hold no text have neither.
    """
    if frame.collect_schema()[name] not in (nw.String, nw.Categorical, nw.Enum):
        return None
    text = nw.col(name).cast(nw.String).str.strip_chars()
    zoned = text.str.contains(_ZONED)
    return zoned, text.str.contains(_OTHER) & ~text.str.contains(_SHAPE) & ~zoned


def _parsed(frame: Query, name: str) -> Query:
    """Return the frame with CLOCK read from ISO text."""
    stripped = nw.col(name).cast(nw.String).str.strip_chars()
    parts = (stripped.str.slice(start, length) for start, length in ((0, 4), (4, 2), (6, 2)))
    dashed = nw.concat_str(list(parts), separator="-")
    stripped = nw.when(stripped.str.contains(_COMPACT)).then(dashed).otherwise(stripped)
    text = nw.when(stripped.str.contains(_ISO)).then(stripped.str.replace_all("T", " "))
    full = (
        nw.when(text.str.len_chars() == 10)
        .then(nw.concat_str([text, nw.lit(" 00:00:00")]))
        .when(text.str.len_chars() == 16)
        .then(nw.concat_str([text, nw.lit(":00")]))
        .otherwise(text)
    )
    frame = frame.with_columns(full.alias(TEXT))
    if frame.implementation is DUCKDB:
        return _with_sql(frame, f'TRY_CAST("{TEXT}" AS TIMESTAMP)')
    if frame.implementation is SPARK:
        return _with_sql(frame, f"try_cast(`{TEXT}` AS TIMESTAMP_NTZ)")
    import polars as pl

    parsed = pl.col(TEXT).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return query_of(frame.to_native().with_columns(parsed.alias(CLOCK)))


def _with_sql(frame: Query, sql: str) -> Query:
    """Return the frame with CLOCK as the engine's own SQL makes it."""
    native = frame.to_native()
    if frame.implementation is DUCKDB:
        import duckdb

        made = duckdb.SQLExpression(sql).alias(CLOCK)
        return query_of(native.select(duckdb.StarExpression(), made))
    from pyspark.sql import functions

    return query_of(native.withColumn(CLOCK, functions.expr(sql)))


def _integer(column: nw.Expr) -> nw.Expr:
    return column.cast(nw.Int64)


def day_number() -> nw.Expr:
    """Return days since 1970-01-01 of CLOCK."""
    clock = nw.col(CLOCK)
    before = _integer(clock.dt.year()) - 1
    leaps = before // 4 - before // 100 + before // 400 - _LEAPS_TO_1970
    days = 365 * (before - 1969) + leaps + _integer(clock.dt.ordinal_day()) - 1
    return _integer(days).alias(DAY)


def _time_of_day(frame: Query) -> nw.Expr:
    """Return microseconds since midnight of CLOCK."""
    if frame.collect_schema()[CLOCK] == nw.Date:
        return nw.lit(0)
    parts = nw.col(CLOCK).dt
    minutes = _integer(parts.hour()) * 60 + _integer(parts.minute())
    return (minutes * 60 + _integer(parts.second())) * _SECOND + _integer(parts.microsecond())


def moment(frame: Query) -> nw.Expr:
    """Return microseconds since 1970-01-01 of CLOCK."""
    return _integer(day_number() * _DAY + _time_of_day(frame)).alias(MOMENT)


def period(freq: str) -> nw.Expr:
    """Return the period that CLOCK lies in, as `_calendar.period_codes` counts them."""
    clock = nw.col(CLOCK)
    if freq == "day":
        return day_number().alias(PERIOD)
    if freq == "week":
        return _integer((day_number() + MONDAY) // 7).alias(PERIOD)
    year = _integer(clock.dt.year()) - 1970
    if freq == "year":
        return year.alias(PERIOD)
    month = year * 12 + _integer(clock.dt.month()) - 1
    return (month if freq == "month" else _integer(month // 3)).alias(PERIOD)


def next_start(frame: Query, freq: str) -> nw.Expr:
    """Return the first period that starts at CLOCK or after it."""
    parts = nw.col(CLOCK).dt
    first = {
        "day": nw.lit(0) == 0,
        "week": (day_number() + MONDAY) % 7 == 0,
        "month": parts.day() == 1,
        "quarter": (parts.day() == 1) & ((parts.month() - 1) % 3 == 0),
        "year": parts.ordinal_day() == 1,
    }[freq]
    on_time = first & (_time_of_day(frame) == 0)
    late = nw.when(on_time).then(nw.lit(0)).otherwise(nw.lit(1))
    return _integer(period(freq) + late)


# ---- collecting ---------------------------------------------------------------------------------


def collected(frame: Query) -> Frame:
    """Return a small table as a pandas frame; refuse one that is not."""
    frame = frame.head(_MOST_ROWS + 1)
    # What Arrow calls a dictionary was an ENUM in DuckDB, whose values have an order.
    found = _engines.as_pandas(frame.collect(), ordered=frame.implementation is DUCKDB)
    if len(found) > _MOST_ROWS:
        msg = (
            f"More than {_MOST_ROWS:,} rows are left when all that is alike is counted. Are the "
            "columns for answers, keys and dates the right ones?"
        )
        raise DataError(msg)
    return found


def only_row(frame: Query) -> dict[str, Any]:
    """Return the one row of a table of facts."""
    return frame.collect().rows(named=True)[0]


def shown(frame: Query, name: str) -> list[Any]:
    """Return a few values of a column, for a message."""
    if frame.collect_schema()[name] in (nw.Date, nw.Datetime):
        frame = frame.with_columns(nw.col(name).cast(nw.String))  # Python knows no infinite date
    return frame.select(name).unique().sort(name).head(_MOST_SHOWN).collect()[name].to_list()


# ---- in the engine ------------------------------------------------------------------------------


def only(frame: Query, names: Sequence[str]) -> Query:
    """Return a query of some columns; refuse names that its engine would take apart."""
    marks = {DUCKDB: ".", SPARK: ".`"}.get(frame.implementation, "")
    odd = [name for name in names if any(mark in name for mark in marks)]
    if odd:
        engine = "DuckDB" if frame.implementation is DUCKDB else "Spark"
        msg = (
            f"{_checks.listed(odd)}: {engine} reads a dot or a backtick in a name as a path. "
            "Rename the column first."
        )
        raise ParameterError(msg)
    return frame.select(names)


def query_of(native: Any) -> Query:
    """Return a lazy engine's own frame as a query again."""
    query: Query = nw.from_native(native)
    return query


def numbered(frame: Query, name: str) -> Query:
    """Return the rows with their place, where the engine keeps an order."""
    if not frame.implementation.is_polars():
        return frame
    return query_of(frame.to_native().with_row_index(name))


def table_beside(frame: Query, columns: dict[str, list[Any]], kinds: Sequence[Any]) -> Query:
    """Return a small table of integers (int) and dates in the engine, and session, of a query."""
    native = frame.to_native()
    rows = list(zip(*columns.values(), strict=True))
    if frame.implementation is SPARK:
        types = ("bigint" if kind is int else "date" for kind in kinds)
        schema = ", ".join(f"`{name}` {kind}" for name, kind in zip(columns, types, strict=True))
        return query_of(native.sparkSession.createDataFrame(rows, schema))
    if frame.implementation is DUCKDB:
        nothing = tuple(0 if kind is int else dt.date(1970, 1, 1) for kind in kinds)
        filled = rows or [nothing]
        texts = ([v if isinstance(v, int) else f"DATE '{v}'" for v in row] for row in filled)
        values = ", ".join("(" + ", ".join(map(str, row)) + ")" for row in texts)
        names = ", ".join(map(_quoted, columns))
        made = f"SELECT * FROM (VALUES {values}) AS t({names}) WHERE {'true' if rows else 'false'}"
        return query_of(native.query("lk", made))
    import polars as pl

    columns_of = {
        name: pl.Int64 if kind is int else pl.Date
        for name, kind in zip(columns, kinds, strict=True)
    }
    return query_of(pl.LazyFrame(columns, schema=columns_of))
