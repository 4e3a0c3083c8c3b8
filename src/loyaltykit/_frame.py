"""The only door to DataFrame engines: read columns as arrays, code groups, write tables.

Columns come in through narwhals; what it has no word for (categories, dictionaries, masks) is
asked of the engine itself, in `_engines`. Everything beyond this door is NumPy. NaN becomes null
on the way in, once: a null is code -1, NaN or NaT from here on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _codes, _engines, _refusals

# The door hands these on, so that nobody behind it needs to know the engines.
from loyaltykit._engines import ARROW, LAZY, PANDAS, POLARS
from loyaltykit._engines import Compact as Compact
from loyaltykit._engines import Keys as Keys
from loyaltykit._engines import NumberRuns as NumberRuns
from loyaltykit._engines import beside as beside
from loyaltykit._engines import categories as categories
from loyaltykit._engines import compact as compact
from loyaltykit._engines import encode as encode
from loyaltykit._engines import integer_keys as integer_keys
from loyaltykit._engines import python_values as python_values
from loyaltykit._engines import ranks as ranks
from loyaltykit._engines import stacked as stacked
from loyaltykit._engines import take as take
from loyaltykit._engines import zeros_and_ones as zeros_and_ones
from loyaltykit._engines import zone_of as zone_of
from loyaltykit.errors import DataError, LoyaltyKitError, ParameterError

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]
Frame = nw.DataFrame[Any]
Query = nw.LazyFrame[Any]
EagerFrame, LazyFrame = nw.DataFrame, nw.LazyFrame  # for isinstance, which takes no parameters
Series = nw.Series[Any]

VALUES = "score"
# How columns of our own begin, beside the user's; his may not begin so.
OWN = "lk "
ID, DAY, PERIOD, N, ROWS = (OWN + name for name in ("id", "day", "period", "n", "rows"))
WEIGHT, SQUARE = OWN + "weight", OWN + "square"
EAGER = "pandas, Polars or PyArrow"
ENGINES = f"{EAGER}, Polars lazy, DuckDB, PySpark or Dask"


class Groups(NamedTuple):
    """Rows as codes into a small frame of key combinations, which is in report order."""

    codes: IntArray
    keys: Frame
    size: int


class Cells(NamedTuple):
    """The same in narrow codes, None for one group; combinations without a row may be there too."""

    codes: Integers | None
    keys: Frame
    size: int


# ---- reading ------------------------------------------------------------------------------------


def open_frame(data: object, name: str = "data", engines: str = EAGER) -> Frame:
    """Return the frame behind the door, or say which engines have a key."""
    try:
        frame: Frame = nw.from_native(data, eager_only=True)
    except TypeError:
        hint = " Collect it first: this step works in memory." if _is_lazy(data) else ""
        msg = f"{name} must be a DataFrame of {engines}, not {_type_of(data)}.{hint}"
        raise TypeError(msg) from None
    except (ValueError, nw.exceptions.NarwhalsError) as error:
        # pandas allows two columns of one name; which of them was meant is not ours to guess.
        msg = f"{name} cannot be read: {error}"
        raise LoyaltyKitError(msg) from error
    if frame.implementation not in (PANDAS, POLARS, ARROW):
        msg = f"{name} must be a DataFrame of {engines}, not {frame.implementation}."
        raise TypeError(msg)
    return frame


def open_query(data: Any) -> Query | None:
    """Return the query of an engine that counts by itself, or None where there is none."""
    if is_partitioned(data):
        return None
    try:
        query = nw.from_native(data)
    except TypeError:
        return None
    except (ValueError, nw.exceptions.NarwhalsError):  # an eager frame that cannot be read
        return None
    if not isinstance(query, nw.LazyFrame) or query.implementation not in LAZY:
        return None
    return query


def is_partitioned(data: object) -> bool:
    """Return whether this is a Dask frame."""
    return nw.dependencies.is_dask_dataframe(data)


def _is_lazy(values: object) -> bool:
    """Return whether a frame, or a series of one, is with its engine and not in memory."""
    of_dask = type(values).__module__.startswith("dask.")
    return of_dask or is_partitioned(values) or open_query(values) is not None


def _type_of(data: object) -> str:
    package = type(data).__module__.partition(".")[0]
    return f"{type(data).__name__} of {package}" if package != "builtins" else type(data).__name__


def open_values(values: object, name: str = "data") -> Series:
    """Return one 1-D array, list or Series as a series."""
    if isinstance(values, (list, tuple, np.ndarray)):
        import pandas as pd

        dimensions = values.ndim if isinstance(values, np.ndarray) else 1 + _nested(values)
        if dimensions != 1:
            msg = f"{name} must have one dimension, not {dimensions}."
            raise DataError(msg)
        # Lists of numbers and None become floats with NaN, as analysts meet them in a column.
        values = pd.Series(values if len(values) else np.empty(0))
    try:
        series: Series = nw.from_native(_engines.as_series(values), series_only=True)
    except TypeError:
        frame = "a DataFrame, " if name == "data" else ""
        hint = " Collect it first: this step works in memory." if _is_lazy(values) else ""
        msg = f"{name} must be {frame}a Series or a 1-D array, not {_type_of(values)}.{hint}"
        raise TypeError(msg) from None
    return series


def _nested(values: Sequence[object]) -> bool:
    return any(isinstance(value, (list, tuple, np.ndarray)) for value in values)


def open_answers(data: object) -> tuple[Frame, str]:
    """Return one array of answers as a frame of one column, and the name of that."""
    lazy = is_partitioned(data) or open_query(data) is not None
    if not lazy:
        try:
            open_frame(data)
        except TypeError:
            return open_values(data).alias(VALUES).to_frame(), VALUES
    msg = "score is left out, but data is a DataFrame: name the column with the answers."
    raise ParameterError(msg)


def group(frame: Frame, names: Sequence[str]) -> Groups:
    """Return the rows' key combinations: only those present, in order, nulls last."""
    made = cells(frame, names)
    if made.codes is None:
        return Groups(np.zeros(len(frame), dtype=np.int64), made.keys, 1)
    codes, present = _codes.renumber(made.codes.astype(np.int64, copy=False), made.size)
    keys = made.keys if len(present) == made.size else rows(made.keys, present)
    return Groups(codes, keys, len(present))


def cells(frame: Frame, names: Sequence[str]) -> Cells:
    """Return the rows' key combinations, in order, nulls last, in codes as narrow as may be.

    Where they are few all combinations are there, which saves the search for those present.
    """
    codes: Integers | None = None
    columns: list[Series] = []
    places: list[IntArray] = []  # for each column, which of its levels a combination has
    size = 1
    for name in names:
        levels = compact(frame.get_column(name))
        own, width = _null_last(levels.codes, len(levels.levels))
        total = size * width
        if total <= FEW_CELLS:
            kind = _codes.narrowest(total + 1)
            codes = own if codes is None else _codes.paired(codes, own, width, kind)
            present: IntArray = np.arange(total)
        else:
            # Renumbered key by key, so that the product of many keys cannot outgrow 64 bits.
            wide = own if codes is None else _codes.paired(codes, own, width)
            codes, present = _codes.renumber(wide, total)
        before, level = present // width, present % width
        places = [*(place[before] for place in places), level]
        columns.append(levels.levels)
        size = len(present)
    chosen = [_levels_at(*pair) for pair in zip(columns, places, strict=True)]
    keys = dict(zip(names, chosen, strict=True))
    return Cells(codes, _engines.beside(keys) if keys else frame.select([]), size)


def _levels_at(levels: Series, places: IntArray) -> Series:
    """Return the level at each place; the place after the last one is that of null."""
    width = len(levels)
    if np.array_equal(places, np.arange(width)):
        return levels
    return take(levels, np.where(places < width, places, -1))


# Combinations of keys that may be there without a row.
FEW_CELLS = 1 << 12


def _null_last(codes: Integers, width: int) -> tuple[Integers, int]:
    """Give nulls, where there are any, the code after the last level."""
    if not len(codes) or codes.min() >= 0:
        return codes, width
    if width > np.iinfo(codes.dtype).max:
        codes = codes.astype(np.int64)
    return np.where(codes < 0, codes.dtype.type(width), codes), width + 1


def numbers(series: Series) -> tuple[npt.NDArray[Any], IntArray | None]:
    """Return a column's numbers by row, or its distinct values and their codes.

    Numeric columns come as an integer or float array with NaN for null. Text, categories and
    objects come as an object array of distinct values with one code a row, -1 for null.
    """
    if series.dtype == nw.Decimal:
        series = series.cast(nw.Float64)
    if series.dtype.is_integer() or series.dtype.is_float():
        return _engines.numeric(series), None
    if series.dtype == nw.Boolean or series.dtype.is_temporal():
        hint = " True and False are answers on scale=(0, 1)." if series.dtype == nw.Boolean else ""
        msg = f"{series.name!r} holds {series.dtype}, not numbers.{hint}"
        raise DataError(msg)
    truths, rest = _engines.apart_from_truths(series)
    codes, levels = encode(rest)
    listed = levels.to_list()
    if truths is not None:
        codes, listed = np.where(truths, len(listed), codes), [*listed, True]
    values = np.empty(len(listed), dtype=object)
    values[:] = listed
    return values, codes


def floats(series: Series) -> FloatArray | None:
    """Return a small column's numbers by row, NaN for null; None where something is no number.

    Decimals and texts that are numbers serve too: a stored table may come back in these.
    """
    values, codes = numbers(series)
    if codes is None:
        return np.asarray(values, dtype=np.float64)
    parsed = parse_numbers(values)[1] if len(values) else np.zeros(0)
    return None if np.isnan(parsed).any() else np.append(parsed, np.nan)[codes]


def amounts(series: Series) -> FloatArray:
    """Return a column of amounts by row, NaN where there is none that can be added up."""
    made = quantities(series, "amount").astype(np.float64, copy=False)
    return np.where(np.isfinite(made), made, np.nan)


def quantities(series: Series, parameter: str) -> npt.NDArray[Any]:
    """Return a column of numbers by row, NaN for null; refuse any other column."""
    if series.null_count() == len(series):
        return np.full(len(series), np.nan)
    told = series.dtype in (nw.String, nw.Boolean) or series.dtype.is_temporal()
    values, codes = (None, None) if told else numbers(series)
    if values is None or (codes is not None and not all(map(_is_number, values))):
        _refusals.not_numbers(parameter, series.name, series.dtype)
    if codes is not None:
        values = np.append(values.astype(np.float64), np.nan)[codes]
    return np.asarray(values)


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool)


def number_runs(series: Series) -> NumberRuns | None:
    """Return what reads the numbers of a run of rows, NaN for null; None for other columns.

    Columns that NumPy cannot read as they are get converted run by run, so that no copy is made of
    the whole.
    """
    dtype = series.dtype
    if dtype.is_decimal():
        series = series.cast(nw.Float64)
    elif not (dtype.is_float() or dtype.is_integer()):
        return None
    return _engines.numeric_runs(series)


def parse_numbers(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], FloatArray]:
    """Return distinct values as stripped text, and as numbers with NaN for what is none."""
    import pandas as pd

    texts = pd.Series(values, dtype=object).map(str).str.strip()
    parsed = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    return texts.to_numpy(dtype=object), parsed


class Times(NamedTuple):
    """Wall-clock times (NaT where there is none), their zone, and which rows are unusable."""

    values: TimeArray
    zone: str | None
    lost: npt.NDArray[np.bool_] | None


def read_times(
    series: Series,
    tz: str | None,
    errors: str | None,
    *,
    nullable: bool = False,
    remedy: str = "bring them to one first",
) -> Times:
    """Return the times of a column; refuse unusable ones unless ``errors`` is "coerce".

    Naive times stay as they are; aware ones are read in their own zone, or in ``tz``. With
    ``errors=None`` the caller has no way to coerce, and the message offers none. With ``nullable``
    a null is NaT, and only what is no date is refused. The remedy is what to do about text of
    several zones.
    """
    times, zone, bad = _datetimes(series, tz, remedy)
    lost = bad if nullable else np.isnat(times)
    if not lost.any():
        return Times(times, zone, None)
    if errors != "coerce":
        if bad.any():
            found = np.flatnonzero(bad)
            shown = sample(series, found)
            _refusals.bad_times(series.name, len(found), shown, coercible=errors is not None)
        _refusals.null_values(series.name, int(lost.sum()), "date", coercible=errors is not None)
    return Times(times, zone, lost)


def _datetimes(
    series: Series, tz: str | None, remedy: str
) -> tuple[TimeArray, str | None, npt.NDArray[np.bool_]]:
    """Return wall-clock times, their zone, and which rows held something that is no time."""
    dtype, fine = series.dtype, np.zeros(len(series), dtype=np.bool_)
    zone = zone_of(series)
    if dtype in (nw.Date, nw.Datetime) or zone is not None:
        known = series.null_count() < len(series) or not len(series)
        if zone is None and tz is not None and known:
            _refusals.naive_times(tz, series.name)
        return _engines.wall_clock(series, zone, tz), tz or zone, fine
    if series.null_count() == len(series):  # also NaN alone, and a column without a type
        return np.full(len(series), "NaT", dtype="datetime64[us]"), tz, fine
    if dtype.is_numeric() or dtype == nw.Boolean or dtype.is_temporal():
        _refusals.not_dates(series.name, dtype)
    encoded = encode(series)
    parsed, zone = _engines.parse_times(encoded.levels.to_list(), tz, series.name, remedy)
    filled = np.append(parsed, np.datetime64("NaT", "us"))[encoded.codes]
    return filled, zone, np.isnat(filled) & (encoded.codes >= 0)


def is_text(series: Series) -> bool:
    """Return whether a column is of text, which has no order of its own as categories have."""
    return series.dtype == nw.String


def is_dates(series: Series) -> bool:
    """Return whether a column is of dates or times."""
    if series.dtype in (nw.Date, nw.Datetime) or zone_of(series) is not None:
        return True
    if series.dtype != nw.Object:
        return False
    held = [value for value in python_values(series) if value is not None]
    return bool(held) and all(isinstance(value, dt.date) for value in held)


def positions(
    ids: Series, lookup: Series, frames: tuple[str, str] = ("data", "segments")
) -> IntArray:
    """Return where each id stands in the lookup, -1 where it does not; the lookup is distinct.

    The frames that the two come from are named in the error for keys that cannot match.
    """
    left, right = _engines.index(ids), _engines.index(lookup)
    kinds = [_engines.kind(series, index) for series, index in ((ids, left), (lookup, right))]
    if kinds[0] != kinds[1] and len(left) and len(right):
        _refusals.different_key_types(lookup.name, frames, kinds)
    found: IntArray = right.get_indexer(left).astype(np.int64)
    return found


def flags(series: Series) -> npt.NDArray[np.bool_]:
    """Return a column of true and false; 0 and 1 serve as well."""
    truth, unclear, null = truths(series)
    unclear |= null
    if unclear.any():
        found = np.flatnonzero(unclear)
        _refusals.not_flags(series.name, len(found), sample(series, found))
    return truth


def plain_truths(series: Series) -> npt.NDArray[np.bool_] | None:
    """Return a column of booleans, or of 0 and 1, at once; None where there is more to it."""
    if series.dtype != nw.Boolean and not series.dtype.is_integer():
        return None
    if series.null_count():
        return None
    values = series.to_numpy()
    if values.dtype == np.bool_:
        return np.asarray(values)
    ones = values == 1
    return ones if bool((ones | (values == 0)).all()) else None


def truths(
    series: Series,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return where a column is true, or 1, where neither true nor false, and where null."""
    encoded = encode(series)
    levels = encoded.levels.to_list()
    # True == 1 and False == 0, so one test serves both spellings; a null has code -1.
    other = np.array([level not in (0, 1) for level in levels] + [False], dtype=np.bool_)
    truth = np.array([bool(level) for level in levels] + [False], dtype=np.bool_)
    return truth[encoded.codes], other[encoded.codes], encoded.codes < 0


def same_engine(frame: Frame, other: Frame, name: str = "segments") -> None:
    """Refuse a lookup frame of another engine."""
    if frame.implementation is not other.implementation:
        msg = (
            f"{name} is a {other.implementation} frame and data a {frame.implementation} one: "
            "pass both of one kind."
        )
        raise TypeError(msg)


def sample(series: Series, rows: IntArray, most: int = 6) -> list[Any]:
    """Return the first few values at the given rows, for a message."""
    return take(series, rows[:most]).to_list()


# ---- writing ------------------------------------------------------------------------------------

Values = npt.NDArray[Any] | str | float


def table(keys: Frame, columns: Mapping[str, Values], length: int) -> Any:
    """Return a native frame: the keys, then the columns, of the keys' engine.

    Integers may be masked arrays (the mask is null); NaN and NaT are null; a scalar fills.
    """
    as_it_is = (np.ndarray, str) if keys.implementation is PANDAS else np.ndarray
    filled: dict[str, Any] = {
        name: value if isinstance(value, as_it_is) else np.full(length, value)
        for name, value in columns.items()
    }
    if keys.implementation is PANDAS:
        return _engines.pandas_table({**_engines.pandas_arrays(keys), **filled}, length)
    values = _engines.build(keys, filled)
    if not keys.columns:
        return values.to_native()
    return nw.concat([keys, values], how="horizontal").to_native()


def reordered(native: Any, names: Sequence[str]) -> Any:
    """Return a native frame with its columns in another order."""
    frame = open_frame(native)
    return native if list(frame.columns) == list(names) else frame.select(list(names)).to_native()


def rows(frame: Frame, positions: IntArray) -> Frame:
    """Return the rows at the positions, which may repeat; a frame without columns stays."""
    if not frame.columns:
        return frame
    return _engines.beside({name: take(frame[name], positions) for name in frame.columns})


def kept(frame: Frame, positions: IntArray) -> Frame:
    """Return some rows of a frame as they are there: those of pandas keep their index."""
    return frame[positions] if frame.implementation is PANDAS else rows(frame, positions)


def with_column(frame: Frame, series: Series) -> Frame:
    """Return the columns of a frame without an index of its own, and one more under its name."""
    columns = {name: frame[name] for name in frame.columns}
    return _engines.beside({**columns, series.name: series})


def all_null(frame: Frame, row: int) -> bool:
    """Return whether a row holds nothing but nulls."""
    return all(frame[name][row : row + 1].is_null().all() for name in frame.columns)


def pivot(frame: Frame, index: Sequence[str], on: str, values: str) -> Any:
    """Return a native frame with a row per index and a column per level of ``on``.

    Rows and texts come in order of appearance, numbers in their own.
    """
    row, first = _by_appearance(group(frame, index))
    columns = group(frame, [on])
    column, heads = columns.codes, _codes.first_rows(columns.codes, columns.size)
    if frame[on].dtype == nw.String:
        column, heads = _by_appearance(columns)
    if len(_codes.distinct(row * len(heads) + column, len(first) * len(heads))) < len(frame):
        msg = f"result has several rows for one cell of {_checks.listed([*index, on])}."
        raise ParameterError(msg)
    cells = np.full((len(first), len(heads)), -1, dtype=np.int64)
    cells[row, column] = np.arange(len(frame))
    made = [rows(frame.select(list(index)), first)]
    for i, name in enumerate(frame[on][heads].to_list()):
        made.append(take(frame[values], cells[:, i]).alias(str(name)).to_frame())
    return nw.concat(made, how="horizontal").to_native()


def chosen(first: Frame, frame: Frame, names: Sequence[str]) -> Frame:
    """Return ``first`` and, beside it, the named columns of ``frame``; null where it has none."""
    kinds = {"coverage": nw.String, "period": nw.Date, "as_of": nw.Date}
    made = [first]
    for name in names:
        if name not in frame.columns:
            kind = "datetime64[D]" if kinds[name] is nw.Date else object
            nothing = np.full(len(frame), None, dtype=kind)
            made.append(open_frame(table(first.select([]), {name: nothing}, len(frame))))
        elif frame[name].dtype.is_integer():
            made.append(open_frame(_engines.nullable_integers(frame, name)))
        else:
            made.append(frame.select(name))
    return nw.concat(made, how="horizontal")


def stack(frames: Sequence[Frame]) -> Frame:
    """Return frames of the same columns under one another."""
    return positional(nw.concat(list(frames), how="vertical"))


def positional(frame: Frame) -> Frame:
    """Return a frame whose rows are told by their place alone, whatever index pandas gave them."""
    if frame.implementation is not PANDAS:
        return frame
    return nw.from_native(frame.to_native().reset_index(drop=True), eager_only=True)


def _by_appearance(groups: Groups) -> tuple[IntArray, IntArray]:
    """Return each row's group, numbered by appearance, and the first row of each."""
    first = _codes.first_rows(groups.codes, groups.size)
    order = np.argsort(first)
    return _codes.ranked(groups.codes, order), first[order]


def pandas_keys(columns: Mapping[str, Any] | None = None) -> Frame:
    """Return a pandas frame of keys, for the functions that take no frame."""
    import pandas as pd

    # An index of their own would line the columns up with something else.
    made = {name: pd.Series(values).array for name, values in (columns or {}).items()}
    return _engines.build_pandas(made)


def made(engine: Any, columns: Mapping[str, npt.NDArray[Any]], length: int) -> Any:
    """Return a native frame of arrays, of the engine named; masked integers and booleans too."""
    if engine != "pandas":
        try:
            keys: Frame = nw.from_dict({}, backend=engine)
        except ImportError as error:
            msg = f'engine={engine!r} is not installed: pip install "loyaltykit[{engine}]".'
            raise ImportError(msg) from error
        return table(keys, columns, length)
    import pandas as pd

    arrays: dict[str, Any] = dict(columns)
    for name, values in columns.items():
        if isinstance(values, np.ma.MaskedArray) and values.dtype == np.bool_:
            arrays[name] = pd.Series(values.tolist(), dtype=object).array  # as pandas keeps them
    return _engines.pandas_table(arrays, length)
