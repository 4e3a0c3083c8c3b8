"""What each engine does in its own way: pandas, Polars and PyArrow behind one set of functions.

Only `_frame` calls this module. narwhals serves where it has the word; here is the rest:
categories, dictionaries, masks, gaps and texts. NaN becomes null here, once.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from loyaltykit import _refusals
from loyaltykit._encoding import ARROW as ARROW
from loyaltykit._encoding import NO_KERNELS, arrow_of, named, nan_to_null, pandas_series
from loyaltykit._encoding import PANDAS as PANDAS
from loyaltykit._encoding import POLARS as POLARS
from loyaltykit._encoding import Compact as Compact
from loyaltykit._encoding import Keys as Keys
from loyaltykit._encoding import NumberRuns as NumberRuns
from loyaltykit._encoding import compact as compact
from loyaltykit._encoding import encode as encode
from loyaltykit._encoding import integer_keys as integer_keys
from loyaltykit._encoding import numeric as numeric
from loyaltykit._encoding import numeric_runs as numeric_runs
from loyaltykit._encoding import ranks as ranks
from loyaltykit.errors import DataError

# The end of an ISO time that says its zone.
_OFFSET = re.compile(r":\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*$")

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
TimeArray = npt.NDArray[np.datetime64]
Frame = nw.DataFrame[Any]
Series = nw.Series[Any]

DUCKDB, SPARK = nw.Implementation.DUCKDB, nw.Implementation.PYSPARK
LAZY = (POLARS, DUCKDB, SPARK)  # the engines whose queries narwhals can count with


def as_series(values: object) -> object:
    """Return an array of an engine as its series; anything else as it is."""
    kind = type(values).__module__.partition(".")[0]
    if isinstance(values, range) or (kind == "pandas" and getattr(values, "ndim", 0) == 1):
        import pandas as pd

        return pd.Series(values)  # also of an Index or an extension array
    if kind == "pyarrow" and hasattr(values, "dictionary_encode"):
        import pyarrow as pa

        return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return values


def python_values(series: Series) -> list[Any]:
    """Return a column as plain Python values, None for null."""
    if series.dtype.is_float():
        series = nan_to_null(series)
    if series.implementation is PANDAS:
        values = series.to_native().astype(object)
        return [_python(value) for value in values.where(values.notna(), None)]
    return series.to_list()


def _python(value: Any) -> Any:
    if isinstance(value, np.datetime64):  # finer than microseconds it would become a number
        return value.astype("datetime64[us]").item()
    return value.item() if isinstance(value, np.generic) else value


def wall_clock(series: Series, zone: str | None, tz: str | None) -> TimeArray:
    """Return a column of dates as naive times: on their own clock, or on that of ``tz``."""
    native = series.to_native()
    if series.implementation is not PANDAS:
        if zone is not None:
            series = series.dt.convert_time_zone(tz) if tz else series
            native = series.dt.replace_time_zone(None).to_native()
        return np.asarray(native.to_numpy())
    if hasattr(native.dtype, "pyarrow_dtype"):  # pandas 2 gives Arrow's times the clock of UTC
        native = arrow_of(native).to_pandas(date_as_object=False)
    if zone is not None:  # by pandas itself, for zones that narwhals does not know
        native = (native.dt.tz_convert(tz) if tz else native).dt.tz_localize(None)
    return np.asarray(native.to_numpy())


def zone_of(series: Series) -> str | None:
    """Return the zone of an aware column of dates; None for naive ones and for text."""
    zone = getattr(series.dtype, "time_zone", None)
    if series.implementation is PANDAS:  # narwhals does not know those with a _ in their name
        dtype = series.to_native().dtype
        zone = getattr(getattr(dtype, "pyarrow_dtype", dtype), "tz", zone)
    return None if zone is None else str(zone)


def parse_times(
    values: Sequence[Any], tz: str | None, name: str, remedy: str
) -> tuple[TimeArray, str | None]:
    """Return distinct texts and dates as wall-clock times, and their zone where they name one."""
    import pandas as pd

    texts = pd.Series(values, dtype=object)
    if pd.api.types.infer_dtype(texts) not in ("string", "date", "datetime", "empty"):
        # to_datetime would read a bare number as nanoseconds since 1970.
        texts = texts.where(texts.map(lambda value: isinstance(value, (str, dt.date))))
    if pd.api.types.infer_dtype(texts) == "string":
        texts = texts.str.strip()
    # It would also read these two, and give another answer every day.
    texts = texts.mask(texts.astype(str).str.lower().isin(["now", "today"]))
    texts = texts.mask(texts.astype(str).str.fullmatch(r"\d{4}"))  # a number, as a year alone is
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # pandas 2 warns where pandas 3 raises
            parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce")
        several = parsed.dtype == object
    except (ValueError, FutureWarning):
        several = True
    if int(pd.__version__.partition(".")[0]) < 3 and not several:
        # pandas 2 reads naive texts among aware ones in the zone of these, without a word.
        zoned = texts.dropna().map(_has_zone)
        several = bool(zoned.any()) and not zoned.all()
    if several:
        if tz is None or not texts.dropna().map(_has_zone).all():
            msg = f"{name!r} holds times of several zones or none: {remedy}."
            raise DataError(msg) from None
        parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    zone = getattr(parsed.dtype, "tz", None)
    if zone is None:
        if tz is not None and parsed.notna().any():
            _refusals.naive_times(tz, name)
        return np.asarray(parsed.to_numpy(dtype="datetime64[us]")), None
    local = (parsed.dt.tz_convert(tz) if tz else parsed).dt.tz_localize(None)
    return np.asarray(local.to_numpy(dtype="datetime64[us]")), tz or str(zone)


def _has_zone(value: str | dt.date) -> bool:
    if isinstance(value, str):
        return _OFFSET.search(value) is not None
    return getattr(value, "tzinfo", None) is not None


def kind(series: Series, index: Any) -> str:
    """Return what a key column holds, in the words that decide whether two can match."""
    import pandas as pd

    if zone_of(series) is not None:
        return "dates with a time zone"
    found = pd.api.types.infer_dtype(index)
    return _KINDS.get(found, found)


# How pandas names what an index holds, in the two words that decide whether keys can match.
_KINDS = {
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "string": "text",
    "boolean": "true or false",
    "datetime64": "dates",
    "datetime": "dates",
    "date": "dates",
    "mixed": "values of several types",
    "mixed-integer": "values of several types",
}


def index(series: Series) -> Any:
    import pandas as pd

    native = series.to_native()
    if series.implementation is PANDAS:
        if isinstance(native.dtype, pd.CategoricalDtype):
            native = native.astype(native.cat.categories.dtype)
        if pd.api.types.infer_dtype(native) in ("date", "datetime"):
            native = pd.Series(pd.to_datetime(native))
        return pd.Index(native)
    return pd.Index(series.to_list() if series.dtype == nw.Categorical else series.to_numpy())


def stacked(first: Series, second: Series) -> Series:
    """Return two columns of ids as one, of a type that holds both."""
    if not len(second):
        return first
    if not len(first):
        return second
    one, other = first.to_native(), second.to_native()
    if first.implementation is POLARS:
        import polars as pl

        if one.dtype != other.dtype and first.dtype in (nw.Categorical, nw.Enum):
            one = one.cast(pl.String)
        if one.dtype != other.dtype and second.dtype in (nw.Categorical, nw.Enum):
            other = other.cast(pl.String)
        frames = [one.alias("id").to_frame(), other.alias("id").to_frame()]
        return nw.from_native(pl.concat(frames, how="vertical_relaxed")["id"], series_only=True)
    if first.implementation is ARROW:
        import pyarrow as pa

        if one.type != other.type:
            one, other = (_decoded(column) for column in (one, other))
        tables = [pa.table({"id": column}) for column in (one, other)]
        both = pa.concat_tables(tables, promote_options="permissive")["id"]
        return nw.from_native(both, series_only=True)
    import pandas as pd

    if one.dtype != other.dtype:
        one, other = (_decoded(column) for column in (one, other))
    signed = first.dtype.is_signed_integer(), second.dtype.is_signed_integer()
    if first.dtype.is_integer() and second.dtype.is_integer() and signed[0] != signed[1]:
        # Together they would become floats, and lose the last digits of long ids.
        one, other = one.astype(object), other.astype(object)
    return nw.from_native(pd.concat([one, other], ignore_index=True), series_only=True)


def _decoded(column: Any) -> Any:
    """Return a pandas or Arrow column of categories as the values that they stand for."""
    if hasattr(column, "cat"):
        return column.astype(column.cat.categories.dtype)
    value_type = getattr(getattr(column, "type", None), "value_type", None)
    return column if value_type is None else column.cast(value_type)


def zeros_and_ones(series: Series) -> Series:
    """Return a column of true and false as 1 and 0; any other column as it is."""
    if series.dtype == nw.Boolean:
        return series.cast(nw.Float64)
    if series.dtype != nw.Object or series.implementation is not PANDAS:
        return series
    import pandas as pd

    native = series.to_native()
    if pd.api.types.infer_dtype(native) != "boolean":
        return series
    return nw.from_native(native.astype("boolean").astype("Float64"), series_only=True)


def apart_from_truths(series: Series) -> tuple[npt.NDArray[np.bool_] | None, Series]:
    """Return which values of an object column are True or False, and the column without them.

    True and 1 are one value to Python, and would share a code; among answers only one is an answer.
    """
    if series.dtype != nw.Object or series.implementation is not PANDAS:
        return None, series
    import pandas as pd

    native = series.to_native()
    if not pd.api.types.infer_dtype(native).startswith(("mixed", "boolean")):
        return None, series
    truths = native.map(lambda value: isinstance(value, bool)).to_numpy(dtype=np.bool_)
    return truths, nw.from_native(native.mask(truths), series_only=True)


def take(series: Series, positions: IntArray) -> Series:
    """Return the values at the positions, null where a position is -1."""
    native = series.to_native()
    if series.implementation is POLARS:
        import polars as pl

        index = pl.Series(positions).replace(-1, None)
        return nw.from_native(native.gather(index), series_only=True)
    if series.implementation is ARROW:
        import pyarrow as pa

        index = pa.array(positions, mask=positions < 0)
        plain = native.cast(pa.string()) if str(native.type) == NO_KERNELS else native
        return nw.from_native(plain.take(index).cast(native.type), series_only=True)
    import pandas as pd

    # Filling would turn integers into floats, so it is asked for only where there is a gap.
    gap = bool((positions < 0).any())
    if isinstance(native.dtype, np.dtype):
        taken = pd.api.extensions.take(native.to_numpy(), positions, allow_fill=gap)
    else:
        taken = native.array.take(positions, allow_fill=gap)
    # Said, because pandas would infer text from objects.
    dtype = object if native.dtype == object else None
    return pandas_series(pd.Series(taken, dtype=dtype, copy=False), series.name)


def categories(like: Series, codes: Integers, labels: Sequence[str]) -> Series:
    """Return an ordered categorical of the codes, -1 for null, as a series of the same engine."""
    native = like.to_native()
    if like.implementation is POLARS:
        import polars as pl

        values = pl.Series(like.name, labels, dtype=pl.Enum(labels))
        return take(nw.from_native(values, series_only=True), codes.astype(np.int64)).alias(
            like.name
        )
    if like.implementation is ARROW:
        import pyarrow as pa

        index = pa.array(codes, mask=codes < 0).cast(pa.int8())
        array = pa.DictionaryArray.from_arrays(index, pa.array(labels), ordered=True)
        return nw.from_native(pa.chunked_array([array]), series_only=True)
    import pandas as pd

    dtype = pd.CategoricalDtype(list(labels), ordered=True)
    labelled = pd.Categorical.from_codes(codes, dtype=dtype)
    made = pd.Series(labelled, index=native.index, name=native.name)
    return nw.from_native(made, series_only=True)


def build_pandas(columns: Mapping[str, Any]) -> Frame:
    return nw.from_native(pandas_table(columns), eager_only=True)


def pandas_table(columns: Mapping[str, Any], length: int = 0) -> Any:
    """Return a pandas frame of arrays, and of words that fill a column of the given length.

    Arrays of pandas itself stay as they are.
    """
    import pandas as pd

    made: dict[str, Any] = {}
    for name, values in columns.items():
        made[name] = values
        if isinstance(values, np.ma.MaskedArray):
            made[name] = pd.arrays.IntegerArray(values.filled(0), np.ma.getmaskarray(values))
        elif isinstance(values, np.ndarray) and values.dtype.kind == "M":
            made[name] = values.astype("datetime64[us]")
        elif isinstance(values, np.ndarray) and values.dtype.kind in "UO":
            made[name] = pd.Series(values.tolist(), dtype="str").array
    words = {name: value for name, value in columns.items() if isinstance(value, str)}
    if words:  # one array cut into pieces, because pandas takes long to begin with each
        repeated = [word for word in words.values() for _ in range(length)]
        every = pd.Series(repeated, dtype="str").array
        made |= {name: every[i * length : (i + 1) * length] for i, name in enumerate(words)}
    return pd.DataFrame(made)


def beside(columns: Mapping[str, Series], *, fresh: bool = False) -> Frame:
    """Return columns without an index of their own as a frame; fresh ones need no copy."""
    if len(columns) > 1 and next(iter(columns.values())).implementation is PANDAS:
        import pandas as pd

        if fresh:  # nobody else holds them
            held = {name: column.to_native().array for name, column in columns.items()}
            return nw.from_native(pd.DataFrame(held, copy=False), eager_only=True)
        made = {name: column.to_native() for name, column in columns.items()}
        return nw.from_native(pd.DataFrame(made), eager_only=True)
    frames = [named(column, name).to_frame() for name, column in columns.items()]
    return nw.concat(frames, how="horizontal") if len(frames) > 1 else frames[0]


def pandas_arrays(frame: Frame) -> dict[str, Any]:
    """Return the columns of a pandas frame as arrays of pandas, which have no index."""
    # By items, because the first look-up by name takes as long as making the frame.
    return {name: column.array for name, column in frame.to_native().items()}


def build(keys: Frame, columns: Mapping[str, npt.NDArray[Any]]) -> Frame:
    kinds = {"i": nw.Int64, "f": nw.Float64, "b": nw.Boolean, "M": nw.Date}
    data: dict[str, Any] = {}
    schema: dict[str, Any] = {}
    exprs = []
    for name, values in columns.items():
        column = nw.col(name)
        schema[name] = kinds.get(values.dtype.kind, nw.String)
        data[name] = values.tolist() if values.dtype.kind in "UO" else np.ma.getdata(values)
        if isinstance(values, np.ma.MaskedArray):
            mask = f"{name} is null"
            data[mask], schema[mask] = np.ma.getmaskarray(values), nw.Boolean
            column = nw.when(~nw.col(mask)).then(column).alias(name)
        elif values.dtype.kind == "f":
            column = nw.when(~column.is_nan()).then(column).alias(name)
        exprs.append(column)
    return nw.from_dict(data, schema, backend=keys.implementation).select(exprs)


def as_pandas(frame: Frame, *, ordered: bool) -> Frame:
    """Return a small table of any engine as a pandas one: integers with nulls stay integers.

    Categories of an Enum have an order; those of another kind have one when ``ordered`` says so.
    """
    import pandas as pd

    columns = {name: _pandas_column(frame[name], ordered=ordered) for name in frame.columns}
    return nw.from_native(pd.DataFrame(columns), eager_only=True)


def _pandas_column(series: Series, *, ordered: bool) -> Any:
    import pandas as pd

    dtype, complete = series.dtype, not series.null_count()
    if dtype in (nw.Categorical, nw.Enum):
        codes, levels = encode(series)
        ordered |= dtype == nw.Enum
        words = pd.Index(levels.to_list())
        return pd.Categorical.from_codes(codes, categories=words, ordered=ordered)
    if dtype.is_float() or (dtype.is_integer() and complete):
        return series.to_numpy()
    if dtype == nw.Date or (dtype == nw.Datetime and zone_of(series) is None):
        return series.to_numpy()
    plain = {nw.Boolean: "bool" if complete else "boolean", nw.String: "str"}
    if dtype.is_integer():
        return pd.Series(series.to_list(), dtype=str(dtype))  # nullable, of the same width
    return pd.Series(series.to_list(), dtype=plain.get(dtype.base_type(), object))


def nullable_integers(frame: Frame, name: str) -> Any:
    # Tables from surveys and from logs differ in this alone; stacked, they are all nullable.
    column = frame.select(name).to_native()
    return column.astype("Int64") if frame.implementation is PANDAS else column
