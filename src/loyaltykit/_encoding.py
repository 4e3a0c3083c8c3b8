"""Columns as integers: codes into their distinct values, or keys in the values' own order.

A column is hashed only where there is no other way: categories and dictionaries have codes, and
integers and short texts are numbers. NaN becomes null here, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, cast

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _parallel, _texts
from loyaltykit.errors import DataError

# The one kind of text that Arrow can neither sort nor take from.
NO_KERNELS = "string_view"

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
Series = nw.Series[Any]

PANDAS, POLARS, ARROW = (
    nw.Implementation.PANDAS,
    nw.Implementation.POLARS,
    nw.Implementation.PYARROW,
)


class Encoded(NamedTuple):
    """A column as codes into its distinct values; -1 is null."""

    codes: IntArray
    levels: Series


class Compact(NamedTuple):
    """The same, with codes in the narrow integers that an engine may keep already."""

    codes: Integers
    levels: Series

    def only(self, rows: npt.NDArray[np.bool_]) -> Compact:
        """Return the same of some rows."""
        return Compact(self.codes[rows], self.levels)


class Keys(NamedTuple):
    """A column as integers of the same order, and what turns such integers back into a column."""

    values: npt.NDArray[np.integer[Any]]
    named: Callable[[npt.NDArray[Any]], Series]

    def only(self, rows: npt.NDArray[np.bool_]) -> Keys:
        """Return the same of some rows."""
        return Keys(self.values[rows], self.named)


def encode(series: Series) -> Encoded:
    """Return the codes and the distinct values of a column, the values in report order.

    Categories keep their order; other values are sorted.
    """
    made = compact(series)
    return Encoded(made.codes.astype(np.int64, copy=False), made.levels)


def compact(series: Series, *, ordered: bool = True) -> Compact:
    """Do what `encode` does, with codes as narrow as they come; they may be the column's own.

    Without ``ordered`` the distinct values come in any order.
    """
    dtype = series.dtype  # once: a pandas column of objects is searched for it
    untyped = dtype == nw.Unknown and series.null_count() == len(series)
    if not len(series) or untyped:
        return Compact(np.full(len(series), -1, dtype=np.int64), series.head(0))
    if dtype.is_nested() or dtype in _NOT_ENCODED.get(series.implementation, ()):
        _refuse_kind(series)
    if dtype.is_float():
        series = nan_to_null(series)
    engine = {PANDAS: _encode_pandas, POLARS: _encode_polars, ARROW: _encode_arrow}
    near = _encode_near_integers(series) if dtype.is_integer() else None
    codes, levels = near or engine[series.implementation](series, ordered)
    return Compact(codes, named(levels, series.name))


def named(series: Series, name: str) -> Series:
    return series if series.name == name else series.alias(name)


def pandas_series(native: Any, name: str) -> Series:
    """Return a pandas series behind the door: what is known to be one needs no `from_native`."""
    return nw.new_series(name, native, backend="pandas")


# Kinds without an order or a hash in their engine; nobody groups by them or answers with them.
_NOT_ENCODED = {POLARS: (nw.Object, nw.Unknown), ARROW: (nw.Object, nw.Unknown)}


def _refuse_kind(series: Series) -> NoReturn:
    msg = f"{series.name!r} holds values of the type {series.dtype}, which loyaltykit cannot read."
    raise DataError(msg)


NumberRuns = Callable[[slice], npt.NDArray[Any]]


def numeric(series: Series) -> npt.NDArray[Any]:
    """Return a column of numbers, NaN for null."""
    return numeric_runs(series)(slice(0, len(series)))


def numeric_runs(series: Series) -> NumberRuns:
    """Return what gives a run of a column of numbers, NaN for null, without a copy of the whole."""
    native = series.to_native()
    if series.implementation is PANDAS and isinstance(native.dtype, np.dtype):
        return cast("NumberRuns", native.to_numpy().__getitem__)
    if series.dtype in (nw.Int128, nw.UInt128):  # NumPy has none of that size
        series = series.cast(nw.Float64)
        native = series.to_native()
    if series.implementation is POLARS and series.null_count():
        kind = native.dtype if series.dtype.is_float() else float  # its own way is 3 times slower
        return lambda rows: native[rows].cast(kind).fill_null(np.nan).to_numpy()
    if series.implementation is not PANDAS:
        return lambda rows: series[rows].to_numpy()
    floats, masked = series.dtype.is_float(), native.array

    def run(rows: slice) -> npt.NDArray[Any]:
        part = masked[rows]
        if floats or part.isna().any():
            return np.asarray(part.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(part.to_numpy(dtype=part.dtype.numpy_dtype))

    return run


def integer_keys(series: Series) -> Keys | None:
    """Return a column of integers, or of short texts, as integers; None for other columns.

    Also None where there is a null.
    """
    dtype = series.dtype
    if not len(series):
        return None
    if dtype.is_integer() and dtype not in (nw.Int128, nw.UInt128):
        plain = series.implementation is PANDAS and isinstance(series.to_native().dtype, np.dtype)
        if not plain and series.null_count():
            return None
        return Keys(numeric(series), lambda values: _integers_like(series, values))
    texts = _arrow_texts(series) if dtype == nw.String else None
    packed = None if texts is None else _texts.pack(texts)
    if packed is None:
        return None
    numbers, packing = packed
    return Keys(numbers, lambda values: _texts_like(series, _texts.unpack(values, packing)))


def _integers_like(series: Series, values: IntArray) -> Series:
    """Return integers as a column of the engine and the type of another."""
    native = series.to_native()
    made: Any
    if series.implementation is PANDAS:
        import pandas as pd

        return pandas_series(pd.Series(values).astype(native.dtype), series.name)
    if series.implementation is POLARS:
        import polars as pl

        made = pl.Series(values).cast(native.dtype)
    else:
        import pyarrow as pa

        made = pa.chunked_array([pa.array(values).cast(native.type)])
    again: Series = nw.from_native(made, series_only=True)
    return again.alias(series.name)


def _arrow_texts(series: Series) -> list[_texts.Texts] | None:
    """Return a column of text without null as Arrow keeps it, or None where it does not."""
    native = series.to_native()
    if series.implementation is PANDAS and not _held_by_arrow(native):
        return None
    try:
        import pyarrow as pa
    except ImportError:  # Polars can do without
        return None
    if series.implementation is PANDAS:
        native = arrow_of(native)
    elif series.implementation is POLARS:
        import polars as pl

        native = native.to_arrow(compat_level=pl.CompatLevel.oldest())
    if native.null_count or native.type not in (pa.string(), pa.large_string()):
        return None
    chunks = native.chunks if isinstance(native, pa.ChunkedArray) else [native]
    return [_buffers(chunk) for chunk in chunks if len(chunk)]


def arrow_of(native: Any) -> Any:
    """Return a pandas column that lies in Arrow's memory as Arrow's own, in its chunks."""
    import pyarrow as pa

    array = pa.array(native.array)  # in chunks only where there are several
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _buffers(chunk: Any) -> _texts.Texts:
    import pyarrow as pa

    _, starts, data = chunk.buffers()
    kind: Any = np.dtype(np.int32 if chunk.type == pa.string() else np.int64)
    held = np.frombuffer(starts, kind, len(chunk) + 1, chunk.offset * kind.itemsize)
    letters = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return _texts.Texts(held, letters)


def _texts_like(series: Series, texts: _texts.Texts) -> Series:
    """Return texts as a column of the engine and the type of another."""
    import pyarrow as pa

    starts = pa.py_buffer(texts.starts.astype(np.int64))
    array = pa.LargeStringArray.from_buffers(
        len(texts.starts) - 1, starts, pa.py_buffer(texts.data)
    )
    native = series.to_native()
    made: Any
    if series.implementation is POLARS:
        import polars as pl

        made = pl.Series(array)
    elif series.implementation is ARROW:
        made = pa.chunked_array([array.cast(native.type)])
    else:
        import pandas as pd

        made = pd.Series(native.dtype.__from_arrow__(pa.chunked_array([array])))
    again: Series = nw.from_native(made, series_only=True)
    return again.alias(series.name)


def _held_by_arrow(native: Any) -> bool:
    """Return whether a pandas column of text lies in Arrow's memory."""
    dtype = native.dtype
    return hasattr(dtype, "pyarrow_dtype") or getattr(dtype, "storage", None) == "pyarrow"


def ranks(keys: Integers) -> tuple[IntArray, Integers]:
    """Return the place of each integer among the distinct ones, and these, sorted."""
    import pandas as pd

    bits = len(keys).bit_length()
    if len(keys) and (int(keys.max()) - int(keys.min())).bit_length() + bits <= 64:
        return _packed_ranks(keys, bits)

    codes, distinct = pd.factorize(keys)
    order = np.argsort(distinct)
    return _codes.ranked(codes, order), distinct[order]


def _packed_ranks(keys: Integers, bits: int) -> tuple[IntArray, Integers]:
    """Do so by a sort of numbers that hold each integer and its row, which beats hashing."""
    packed = keys.astype(np.uint64)  # negative ones come round again with the subtraction
    low = keys.min().astype(np.uint64)
    packed -= low
    packed <<= np.uint64(bits)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    rows = (packed & np.uint64((1 << bits) - 1)).astype(np.int64)
    packed >>= np.uint64(bits)
    codes: IntArray = np.empty(len(keys), dtype=np.int64)
    first = _codes.starts_of_runs(packed)
    codes[rows] = np.cumsum(first) - 1
    return codes, (packed[first] + low).astype(keys.dtype)


def nan_to_null(series: Series) -> Series:
    if series.implementation is not PANDAS:
        column = nw.col(series.name)
        # Zero added, because Arrow tells -0.0 from 0.0.
        zero = nw.lit(0.0, dtype=series.dtype)
        return series.to_frame().select(nw.when(~column.is_nan()).then(column + zero))[series.name]
    native = series.to_native()
    if isinstance(native.dtype, np.dtype):  # there NaN is the null
        return series
    plain = native.to_numpy(dtype=np.float64, na_value=np.nan)
    kept = native.mask(np.isnan(plain)).mask(plain == 0, 0.0)
    return nw.from_native(kept, series_only=True)


def _encode_near_integers(series: Series) -> Compact | None:
    """Return the codes of integers that lie close together, which needs no hashing."""
    keys = integer_keys(series)
    if keys is None:
        return None
    low, size = int(keys.values.min()), int(keys.values.max()) - int(keys.values.min()) + 1
    if size > _NEAR or low + size > 1 << 63:
        return None
    offsets = (keys.values - keys.values.dtype.type(low)).astype(_codes.narrowest(size))
    codes, present = _codes.renumber(offsets, size)
    return Compact(codes, keys.named(present + low))


_NEAR = 1 << 16


def _encode_pandas(series: Series, ordered: bool) -> Compact:
    import pandas as pd

    native = series.to_native()
    by_arrow = _held_by_arrow(native)
    if by_arrow and series.dtype == nw.Categorical:
        native = _plain_categories(native)
    if isinstance(native.dtype, pd.CategoricalDtype):
        every = np.arange(len(native.dtype.categories))
        levels = pd.Series(pd.Categorical.from_codes(every, dtype=native.dtype))
        return Compact(native.array.codes, pandas_series(levels, series.name))
    if by_arrow and series.dtype == nw.String:
        import pyarrow as pa

        codes, values = _dictionary(arrow_of(native), ordered)
        made = pd.Series(native.dtype.__from_arrow__(pa.chunked_array([values])))
        return Compact(codes, pandas_series(made, series.name))
    try:
        codes, uniques = pd.factorize(native)
    except TypeError:  # lists and the like have no hash
        _refuse_kind(series)
    levels = pd.Series(uniques, name=native.name)
    if not ordered:
        return Compact(codes, pandas_series(levels, series.name))
    try:
        order = levels.argsort().to_numpy()
    except TypeError:  # values of several types have no order of their own: by type, then as text
        order = levels.map(lambda value: (type(value).__name__, str(value))).argsort().to_numpy()
    levels = levels.take(order).reset_index(drop=True)
    return Compact(_codes.ranked(codes, order), pandas_series(levels, series.name))


def _plain_categories(native: Any) -> Any:
    """Return a pandas column that holds an Arrow dictionary with pandas' own categories."""
    return _clean_dictionary(arrow_of(native)).to_pandas()


def _encode_polars(series: Series, ordered: bool) -> Compact:
    import polars as pl

    native = series.to_native()
    if isinstance(native.dtype, pl.Enum):
        levels, codes = native.dtype.categories.cast(native.dtype), native.to_physical()
        return _polars_codes(codes, levels)
    if native.dtype == pl.Categorical:
        return _polars_categories(native, ordered)
    if native.dtype == pl.String and len(native) > _FIRST_ROWS:
        # Few texts have all been seen among the first rows; what was not seen becomes null.
        levels = native.head(_FIRST_ROWS).drop_nulls().unique().sort()
        codes = _polars_enum(native, levels)
        if codes.null_count() == native.null_count():
            return _polars_codes(codes, levels)
    levels = native.drop_nulls().unique().sort()
    if native.dtype in (pl.String, pl.Decimal):  # as text: Polars cannot join on decimals
        codes = _polars_enum(native.cast(pl.String), levels.cast(pl.String))
    else:
        lookup = pl.DataFrame({"level": levels}).with_row_index("code")
        rows = pl.DataFrame({"level": native})
        codes = rows.join(lookup, on="level", how="left", maintain_order="left")["code"]
    return _polars_codes(codes, levels)


# Rows that tell whether a column of text holds a few keys, or an id in every row.
_FIRST_ROWS = 1 << 16


def _polars_enum(texts: Any, levels: Any) -> Any:
    """Return the place of each text among the levels, null where there is none."""
    import polars as pl

    kind = pl.Enum(levels)

    def cast_part(rows: slice) -> Any:
        return texts[rows].cast(kind, strict=False).to_physical()

    return pl.concat(_parallel.in_parts(cast_part, len(texts)))


def _polars_categories(native: Any, ordered: bool) -> Compact:
    """Return the codes of a Polars Categorical, whose own are shared with other columns."""
    own = _polars_physical(native)
    if native.null_count():
        codes, present = _codes.renumber(own + 1, int(own.max()) + 2)
        codes, present = codes - 1, present[1:]
    else:
        codes, present = _codes.renumber(own, int(own.max()) + 1)
    rows = _codes.first_rows(codes, len(present) + 1)[: len(present)]
    levels = native.gather(rows)
    if not ordered:
        return Compact(codes, nw.from_native(levels, series_only=True))
    order = levels.arg_sort().to_numpy()
    levels = nw.from_native(levels.gather(order), series_only=True)
    return Compact(_codes.ranked(codes, order), levels)


def _polars_codes(codes: Any, levels: Any) -> Compact:
    return Compact(_polars_physical(codes), nw.from_native(levels, series_only=True))


def _polars_physical(series: Any) -> Integers:
    """Return the integers behind a Polars column, -1 for null."""
    import polars as pl

    codes = series.to_physical()
    if codes.null_count():
        wider = {pl.UInt8: pl.Int16, pl.UInt16: pl.Int32}.get(codes.dtype.base_type(), pl.Int64)
        codes = codes.cast(wider).fill_null(-1)
    return np.asarray(codes.to_numpy())


def _encode_arrow(series: Series, ordered: bool) -> Compact:
    import pyarrow as pa
    import pyarrow.compute as pc

    native = series.to_native()
    kept = native.type
    if str(kept) == NO_KERNELS:
        native = native.cast(pa.string())
    if pa.types.is_dictionary(native.type):
        array = _clean_dictionary(native).combine_chunks()
        codes = pc.fill_null(array.indices.cast(pa.int64()), -1).to_numpy()
        index = pa.array(np.arange(len(array.dictionary))).cast(array.type.index_type)
        values = pa.DictionaryArray.from_arrays(index, array.dictionary, ordered=array.type.ordered)
    else:
        codes, values = _dictionary(native, ordered)
    levels = pa.chunked_array([values])
    if str(kept) == NO_KERNELS:
        levels = levels.cast(kept)
    return Compact(codes, nw.from_native(levels, series_only=True))


def _dictionary(native: Any, ordered: bool) -> tuple[Integers, Any]:
    """Return the codes and the distinct values of an Arrow column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def encoded(rows: slice) -> list[Any]:
        made: list[Any] = (
            native.slice(rows.start, rows.stop - rows.start).dictionary_encode().chunks
        )
        return made

    parts = [chunk for made in _parallel.in_parts(encoded, len(native)) for chunk in made]
    parts = pa.chunked_array(parts).unify_dictionaries().chunks
    values = parts[0].dictionary
    order = pc.sort_indices(values).to_numpy() if ordered else np.arange(len(values))
    kind: Any = np.min_scalar_type(-len(order) - 1)
    rank = np.empty(len(order) + 1, dtype=kind)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    codes = np.empty(len(native), dtype=kind)
    ends = np.cumsum([0] + [len(part) for part in parts])

    def translated(rows: slice) -> None:
        for part, start in zip(parts, ends, strict=False):
            inside = slice(max(rows.start, start), min(rows.stop, start + len(part)))
            for run in _parallel.blocks(inside):
                found = part.indices.slice(run.start - start, run.stop - run.start)
                found = pc.fill_null(found, -1) if found.null_count else found
                codes[run] = rank[found.to_numpy()]

    _parallel.in_parts(translated, len(native))
    return codes, values.take(pa.array(order)) if ordered else values


def _clean_dictionary(native: Any) -> Any:
    """Return an Arrow dictionary column in which each value stands once, and null is no value."""
    import pyarrow as pa

    if not any(chunk.dictionary.null_count for chunk in native.chunks):
        array = native.unify_dictionaries()
        words = array.chunk(0).dictionary
        if len(words.unique()) == len(words):
            return array
    plain = pa.chunked_array([chunk.dictionary_decode() for chunk in native.chunks])
    return plain.dictionary_encode()
