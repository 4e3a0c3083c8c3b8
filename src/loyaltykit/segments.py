"""Segments brought to the rows of another frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _checks,
    _codes,
    _customer_partitions,
    _customers,
    _dask,
    _frame,
    _refusals,
    _sources,
    _splits,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result, Rows

IntArray = npt.NDArray[np.int64]


def attach_segments(
    data: Rows[Result],
    segments: Data[object],
    *,
    on: str | Sequence[str],
    columns: str | Sequence[str] | None = None,
    time: str | None = None,
    valid_from: str | None = None,
) -> Result:
    """Add columns of a segments frame to the rows of another: a left join that keeps every row.

    Parameters
    ----------
    data : DataFrame
        The frame to extend, in any supported engine.
    segments : DataFrame
        One row per key, or with `valid_from` one per key and change; of the engine of `data`.
    on : str or sequence of str
        Key columns, of the same name in both frames.
    columns : str or sequence of str, optional
        Columns to add; by default all of `segments` that are neither keys nor `valid_from`.
    time, valid_from : str, optional
        Given together: the date of a row in `data`, and the date in `segments` from which a row
        holds. The latest row that holds at that time, that moment included, is attached.

    Returns
    -------
    DataFrame
        `data` with the columns added, of the caller's own kind, lazy included; null where no row
        matches. As many rows in the same order, except in DuckDB, Spark and Dask, which promise no
        order.

    Raises
    ------
    ColumnNotFoundError
        If a named column is missing.
    DataError
        If `segments` has two rows for one key, a key that is null, or keys of another type.
    ParameterError
        If only one of `time` and `valid_from` is given, or a column exists in `data` already.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame({"id": [1, 2, 3], "nps": [9, 10, 4]})
    >>> customers = pd.DataFrame({"id": [1, 2], "sector": ["B2B", "NPO"]})
    >>> lk.attach_segments(answers, customers, on="id")
       id  nps sector
    0   1    9    B2B
    1   2   10    NPO
    2   3    4    NaN
    """
    keys = _checks.check_names("on", on)
    if not keys:
        msg = "on is empty: name the key columns."
        raise ParameterError(msg)
    if (time is None) != (valid_from is None):
        msg = "time= and valid_from= belong together: the date in data, and that in segments."
        raise ParameterError(msg)
    for role, name in (("time", time), ("valid_from", valid_from)):
        if name is not None:
            _checks.check_name(role, name)
    with _sources.turn(data):
        made: Result = _attach_source(data, segments, keys, columns, time, valid_from)
        return made


def _attach_source(
    data: Any,
    segments: Any,
    keys: list[str],
    columns: str | Sequence[str] | None,
    time: str | None,
    valid_from: str | None,
) -> Any:
    """Join segments to the rows where the data are."""
    source = _sources.opened(data)
    lookup = _sources.opened_beside(source, segments, "segments")
    have, beside = _sources.columns_of(source), _sources.columns_of(lookup)
    own = {f"on[{i}]": key for i, key in enumerate(keys)}
    _checks.check_columns(own if time is None else {**own, "time": time}, have)
    theirs = own if valid_from is None else {**own, "valid_from": valid_from}
    _checks.check_columns(theirs, beside, "segments")
    chosen = _chosen_columns(have, beside, [*keys, valid_from], columns)
    if isinstance(source, _frame.LazyFrame):
        source, lookup = _sources.only(source, have), _sources.only(lookup, beside)
        return _customers.attach(source, lookup, keys, chosen, time, valid_from)
    if isinstance(source, _dask.Partitions):
        return _customer_partitions.attached(
            source, lookup, keys, chosen, time, valid_from, _attach
        )
    return _attach(source, lookup, keys, chosen, time, valid_from)


def _attach(
    frame: _frame.Frame,
    lookup: _frame.Frame,
    keys: Sequence[str],
    chosen: Sequence[str],
    time: str | None,
    valid_from: str | None,
) -> Any:
    codes, wanted = _joint_codes(frame, lookup, keys)
    moment, since = np.zeros_like(wanted), np.zeros_like(codes)  # without dates, all hold always
    if time is not None and valid_from is not None:
        moment, since = _moments(frame[time], lookup[valid_from])
    _splits.refuse_duplicates(lookup[keys[0]], codes, since, "segments", keys)
    order = np.lexsort((since, codes))
    found = _splits.as_of_rows(_splits.changes_of(codes[order], since[order]), wanted, moment)
    matched = (found >= 0) & (wanted >= 0)
    row = np.full(len(frame), -1, dtype=np.int64)
    row[matched] = order[found[matched]]
    added = [_frame.take(lookup[name], row).alias(name) for name in chosen]
    return frame.with_columns(*added).to_native()


def _chosen_columns(
    have: Sequence[str],
    beside: Sequence[str],
    reserved: Sequence[str | None],
    columns: str | Sequence[str] | None,
) -> list[str]:
    chosen = _checks.check_names("columns", columns)
    if columns is None:
        chosen = [name for name in beside if name not in reserved]
    asked = {f"columns[{i}]": name for i, name in enumerate(chosen)}
    _checks.check_columns(asked, beside, "segments")
    clash = [name for name in chosen if name in have]
    if clash:
        msg = (
            f"data already has {_checks.listed(clash)}. Rename or drop them, or choose with "
            "columns= what to attach."
        )
        raise ParameterError(msg)
    return chosen


def _joint_codes(
    frame: _frame.Frame, lookup: _frame.Frame, keys: Sequence[str]
) -> tuple[IntArray, IntArray]:
    """Return the keys of both frames as codes of one list; -1 in data where no row can match."""
    codes, size = np.zeros(len(lookup), dtype=np.int64), 1
    wanted = np.zeros(len(frame), dtype=np.int64)
    for key in keys:
        theirs, ours = _frame.encode(lookup[key]), _frame.encode(frame[key])
        if (theirs.codes < 0).any():
            _refusals.null_keys("segments", key, int((theirs.codes < 0).sum()))
        of_level = np.append(_frame.positions(ours.levels, theirs.levels), -1)[ours.codes]
        width = len(theirs.levels)
        known = (wanted >= 0) & (of_level >= 0)
        wanted = np.where(known, wanted * width + of_level, -1)
        # Renumbered key by key, so that the product of many keys cannot outgrow 64 bits.
        codes, present = _codes.renumber(codes * width + theirs.codes, size * width)
        size = len(present)
        place = np.searchsorted(present, wanted)
        place[place == size] = 0
        found = known & (present[place] == wanted) if size else np.zeros_like(known)
        wanted = np.where(found, place, -1)
    return codes, wanted


def _moments(time: _frame.Series, valid_from: _frame.Series) -> tuple[IntArray, IntArray]:
    """Return both as comparable microseconds; a row without a time is before all changes."""
    moment = _frame.read_times(time, None, None, nullable=True)
    if moment.zone is not None and _frame.read_times(valid_from, None, None).zone is not None:
        moment = _frame.read_times(time, "UTC", None, nullable=True)
    since = _splits.valid_moments(valid_from, moment.zone)
    return _splits.microseconds(moment.values), since
