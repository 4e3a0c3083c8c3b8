"""Counting answers by group: block by block, in the narrowest integers that hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _codes, _parallel

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
Bytes = npt.NDArray[np.uint8]

# Rows worked on at a time: the working arrays stay in the processor's cache, and each step is
# long enough for the other thread to take its turn.
_BLOCK = 1 << 18
# A table of more cells is counted in one thread, because each has one of its own.
_MOST_CELLS = 1 << 16
# What a byte holds beside the slots for NaN and for all that is off the scale.
_MOST_POINTS = 253
# Beyond it a float64 next to 2**52 is no whole number any more.
_LARGEST = 1 << 50


def count_cells(
    codes: Integers | None,
    size: int,
    width: int,
    slots: Callable[[slice], Integers],
    length: int,
    weights: npt.NDArray[np.float64] | None = None,
) -> IntArray:
    """Return how many rows each group has in each slot: a table of ``size`` by ``width``.

    ``slots`` returns the slots of a run of rows; without ``codes`` there is one group. With
    ``weights`` a row counts for several; their sums must stay below 2**53, to be exact.
    """
    cells = size * width
    kind = _codes.narrowest(cells + 1)  # room for the width itself, which is the factor

    # Two neighbours of a byte each make one number of 16 bits: half as many to count.
    pairs = 0 < cells < 1 << 8 and weights is None
    room = (cells - 1) * 257 + 1 if pairs else cells

    def count(part: slice) -> IntArray:
        total, odd = np.zeros(room, dtype=np.int64), np.zeros(cells, dtype=np.int64)
        # With very many groups the table, not the rows, is what a block costs.
        for rows in _parallel.blocks(part, max(_BLOCK, 4 * cells)):
            cell = slots(rows).astype(kind, copy=False)
            if codes is not None:
                cell = _codes.paired(codes[rows], cell, width, kind)
            if weights is not None:
                sums = np.bincount(cell, weights=weights[rows], minlength=cells)
                total += sums.astype(np.int64)
            elif not pairs:
                total += np.bincount(cell, minlength=cells)
            else:
                even = len(cell) & ~1
                total += np.bincount(cell[:even].view(np.uint16), minlength=room)
                odd += np.bincount(cell[even:], minlength=cells)
        return _unpaired(total, cells) + odd if pairs else total

    if not cells or cells > _MOST_CELLS:
        return count(slice(0, length)).reshape(size, width)
    table: IntArray = np.sum(_parallel.in_parts(count, length), axis=0)
    return table.reshape(size, width)


def _unpaired(counts: IntArray, cells: int) -> IntArray:
    """Return how often each byte below ``cells`` occurs, from how often each pair of bytes does."""
    table = np.zeros((cells, 256), dtype=np.int64)
    table.ravel()[: len(counts)] = counts
    single: IntArray = table.sum(axis=0)[:cells] + table.sum(axis=1)
    return single


def slots_of_whole(values: npt.NDArray[Any], low: int, high: int) -> Bytes | None:
    """Return each number's place on a scale from ``low`` to ``high``, and after it NaN's.

    None where any number is not on that scale, which is for slower hands to tell apart.
    """
    if high - low > _MOST_POINTS or max(abs(low), abs(high)) > _LARGEST:
        return None
    if values.dtype.kind in "iu":
        if values.min() < low or values.max() > high:
            return None
        return values.astype(np.uint8) - np.uint8(low % 256)
    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        return None
    values = values.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        if np.fmin.reduce(values) < low or np.fmax.reduce(values) > high:
            return None
        gone = np.isnan(values)
        # From 2**52 on a float64 holds whole numbers alone, and the number is its last byte.
        shift = 2.0**52 - low
        shifted = values + shift
        slots = shifted.view(np.uint64).astype(np.uint8)
        shifted -= shift
        fine = shifted == values
    fine |= gone
    if not fine.all():
        return None
    nan = gone.view(np.uint8)
    slots &= nan - np.uint8(1)  # 255 keeps a number, 0 clears whatever a NaN had in that byte
    slots += nan * np.uint8(high - low + 1)
    return slots
