"""Integer codes: NumPy only, no loops. What groups, periods and customers have become."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _parallel

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

# A table of this many flags is cheaper to fill than a sort of the codes is to make.
_MOST_DIRECT = 1 << 24


def unique(values: Integers) -> npt.NDArray[Any]:
    """Return the distinct values, sorted."""
    # np.unique hashes since NumPy 2.3, which takes many times as long as a sort.
    return _distinct_in_order(np.sort(values))


def _distinct_in_order(ordered: Integers) -> npt.NDArray[Any]:
    if not len(ordered):
        return ordered

    def kept(part: slice) -> list[Integers]:
        return [ordered[rows][starts_of_runs(ordered, rows)] for rows in _parallel.blocks(part)]

    return np.concatenate([run for runs in _parallel.in_parts(kept, len(ordered)) for run in runs])


def starts_of_runs(values: npt.NDArray[Any], rows: slice | None = None) -> npt.NDArray[np.bool_]:
    """Return where a value differs from the one before it, for all rows or for a run of them."""
    start, stop, _ = slice(None).indices(len(values)) if rows is None else rows.indices(len(values))
    differs = np.ones(stop - start, dtype=np.bool_)
    inside = max(start, 1)
    np.not_equal(values[inside:stop], values[inside - 1 : stop - 1], out=differs[inside - start :])
    return differs


def distinct(codes: Integers, size: int) -> IntArray:
    """Return the distinct codes below ``size``, sorted."""
    if size > max(_MOST_DIRECT, 4 * len(codes)):
        return unique(codes).astype(np.int64, copy=False)
    seen = np.zeros(size, dtype=np.bool_)

    def mark(part: slice) -> None:
        for rows in _parallel.blocks(part):
            seen[codes[rows]] = True  # by either thread: both write the same

    _parallel.in_parts(mark, len(codes))
    return np.flatnonzero(seen).astype(np.int64, copy=False)


def distinct_pairs(
    codes: Integers, other: Integers, width: int, size: int, low: int = 0
) -> IntArray:
    """Return the distinct pairs of a code below ``size`` and another below ``width``, sorted.

    Each pair is the number (code - low) * width + other, which must fit into 64 bits.
    """
    if size * width > max(_MOST_DIRECT, 4 * len(codes)):
        pairs = paired(codes, other, width, low=low)
        pairs.sort()
        return _distinct_in_order(pairs)
    seen = np.zeros(size * width, dtype=np.bool_)

    def mark(part: slice) -> None:
        for rows in _parallel.blocks(part):
            seen[paired(codes[rows], other[rows], width, low=low)] = True

    _parallel.in_parts(mark, len(codes))
    return np.flatnonzero(seen).astype(np.int64, copy=False)


def renumber(codes: Integers, size: int) -> tuple[npt.NDArray[Any], IntArray]:
    """Renumber codes below ``size`` from 0 without gaps, order kept; return the old codes too."""
    present = distinct(codes, size)
    if len(present) == size:
        return codes, present
    if size > max(_MOST_DIRECT, 4 * len(codes)):
        return np.searchsorted(present, codes).astype(codes.dtype), present
    number = np.zeros(size, dtype=codes.dtype)
    number[present] = np.arange(len(present))
    return number[codes], present


def narrowest(size: int) -> Any:
    """Return the narrowest integers that hold the codes below ``size``."""
    return np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.int64


def paired(
    codes: Integers, other: Integers, width: int, kind: Any = np.int64, low: int = 0
) -> Integers:
    """Return one code of the given kind for two: (code - low) * width + other."""
    made: Integers = codes.astype(kind)
    if low:
        made -= kind(low)
    made *= kind(width)
    # In place, and unsafe in name only: the caller knows that the pair fits.
    np.add(made, other, out=made, casting="unsafe")
    return made


def added(codes: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Return the sum of the values of each code below ``size``."""
    # Of nothing, NumPy makes whole numbers.
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64, copy=False)


def added_of(codes: IntArray, distinct: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Return the sum of the values of each of the distinct codes, which are sorted."""
    if size <= max(_MOST_DIRECT, 4 * len(codes)):
        return added(codes, values, size)[distinct]
    return added(np.searchsorted(distinct, codes), values, len(distinct))


def runs(first: IntArray, length: IntArray) -> IntArray:
    """Return the numbers that follow each first one, so many of them, run after run."""
    begins = np.cumsum(length) - length
    made: IntArray = np.arange(int(length.sum())) + np.repeat(first - begins, length)
    return made


def first_rows(codes: IntArray, size: int) -> IntArray:
    """Return a row of each group."""
    rows = np.empty(size, dtype=np.int64)
    # Written backwards, so that the first row of a group is the one that stays.
    rows[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return rows


def ranked(codes: npt.NDArray[Any], order: npt.NDArray[Any]) -> IntArray:
    """Translate codes in order of appearance to codes in sorted order; -1 stays."""
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    ranked: IntArray = rank[codes]
    return ranked
