"""Partitions of a Dask frame: run a function over them, bring equal keys together.

Only here and in `_partitions` is anything said to Dask. What a partition returns is small, or stays
with the workers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from loyaltykit.errors import DataError

Told = TypeVar("Told")

HOME = "lk home"
_NUMBERS = ("integer", "floating", "mixed-integer-float", "integer-na", "decimal", "boolean")


class Partitions(NamedTuple):
    """A Dask frame."""

    frame: Any

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.frame.columns)


def at_home(frame: Any, keys: Sequence[str], beside: Any = None) -> Any:
    """Return a frame shuffled so that rows of one key are together, and in step with another's."""
    homed = over([frame], functools.partial(_with_home, keys=keys))
    return homed.shuffle(on=HOME, npartitions=(frame if beside is None else beside).npartitions)


def _with_home(part: Any, keys: Sequence[str]) -> Any:
    homes = np.zeros(len(part), dtype=np.uint64)
    for key in keys:
        homes = homes * np.uint64(31) + home(plain(part[key]))
    return part.assign(**{HOME: homes})


def home(ids: Any) -> npt.NDArray[np.uint64]:
    """Return a number that is the same for ids that are equal, whatever types they come in.

    Dask's own hash tells 1 from 1.0, and so would part the rows of one customer.
    """
    import pandas as pd

    kind = pd.api.types.infer_dtype(ids, skipna=True)
    if kind in _NUMBERS:
        numbers = ids.astype("float64") if kind == "decimal" else ids
        if numbers.dtype == object:
            numbers = numbers.astype("Float64")
        floats = numbers.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
        return np.asarray(pd.util.hash_array(floats))
    if kind in ("datetime64", "datetime", "date"):
        times = pd.to_datetime(ids, utc=True).dt.as_unit("us").to_numpy(dtype="datetime64[us]")
        return np.asarray(pd.util.hash_array(times.view(np.int64)))
    if kind in ("string", "empty"):
        return np.asarray(pd.util.hash_array(ids.astype(object).to_numpy(), categorize=True))
    msg = f"{ids.name!r} holds {kind} values. Bring them to one type first."
    raise DataError(msg)


def each(frame: Any, function: Callable[[Any], Told]) -> list[Told]:
    """Return what a function says of every partition; only that comes back from the workers."""
    import dask

    asked = dask.delayed(functools.partial(_in_part, function), pure=True)
    return list(dask.compute(*(asked(part) for part in frame.to_delayed())))


def _in_part(function: Callable[..., Any], *parts: Any) -> Any:
    """Run a function on a partition; what it refuses is counted there only, and says so."""
    try:
        return function(*parts)
    except DataError as error:
        msg = f"In one of the partitions: {error}"
        raise DataError(msg) from None


def over(parts: Sequence[Any], function: Callable[..., Any]) -> Any:
    """Return a Dask frame of what a function makes of the partitions of some frames, in step."""
    told = functools.partial(_in_part, function)
    meta = function(*(part._meta for part in parts))
    return parts[0].map_partitions(told, *parts[1:], meta=meta, align_dataframes=False)


def reduced(frame: Any, keys: Sequence[str], function: Callable[[Any], Any]) -> Any:
    """Return a Dask frame of what a function makes of each partition, its keys of one type."""
    frame = known(frame, keys)
    types = frame._meta.dtypes.to_dict()
    return over([frame], functools.partial(typed, function, types=types, names=keys))


def known(frame: Any, names: Sequence[str]) -> Any:
    """Return the frame with the categories of its keys known, alike in every partition."""
    import pandas as pd

    unknown = {
        name: frame[name].cat.as_known()
        for name in dict.fromkeys(names)
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and not frame[name].cat.known
    }
    return frame.assign(**unknown) if unknown else frame


def typed(
    function: Callable[[Any], Any], part: Any, *, types: dict[str, Any], names: Sequence[str]
) -> Any:
    """Run a function on a partition whose keys are of the type that the frame says."""
    for name in names:
        if part[name].dtype == types[name]:
            continue
        made = _same_values(part[name], types[name])
        if made is None:
            msg = (
                f"{name!r}: one partition holds {part[name].dtype} where the frame says "
                f"{types[name]}. Bring the partitions to one type first."
            )
            raise DataError(msg)
        part = part.assign(**{name: made})
    return function(part)


def _same_values(values: Any, dtype: Any) -> Any:
    """Return a column in another type, or None where that would change a value."""
    from pandas.api import types

    one_way = types.is_bool_dtype(dtype) or (
        types.is_string_dtype(dtype) and not types.is_string_dtype(values.dtype)
    )
    if one_way:
        return None
    try:
        made = values.astype(dtype)
        text = types.infer_dtype(values, skipna=True) == "string"
        back = made.astype(str if text else values.dtype)
    except (TypeError, ValueError, OverflowError):
        return None
    return made if back.astype(object).equals(values.astype(object)) else None


def plain(ids: Any) -> Any:
    """Return a column of categories as the values that they stand for."""
    import pandas as pd

    if not isinstance(ids.dtype, pd.CategoricalDtype):
        return ids
    return ids.astype(ids.cat.categories.dtype)


def stacked(frames: Sequence[Any]) -> Any:
    """Return small pandas frames under one another; categories stay categories."""
    from dask.dataframe import methods

    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    return methods.concat(filled, ignore_index=True)
