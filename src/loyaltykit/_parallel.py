"""Parts of the rows in two threads, where NumPy and Arrow let go of Python's lock."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")

# More would wait for one another: half of what NumPy does here keeps the lock.
_THREADS = 2
# With fewer rows than this a thread costs more than it saves.
_FEWEST_ROWS = 500_000
# Rows worked on at a time, so that the working arrays stay in the processor's cache.
BLOCK = 1 << 16


def in_parts(work: Callable[[slice], Made], length: int) -> list[Made]:
    """Return what ``work`` makes of the rows: of all at once where they are few, else of parts.

    The parts come in order and none is empty, unless there are no rows at all.
    """
    threads = min(_THREADS, os.cpu_count() or 1) if length >= _FEWEST_ROWS else 1
    if threads == 1:
        return [work(slice(0, length))]
    ends = [length * part // threads for part in range(threads + 1)]
    return each(work, [slice(*pair) for pair in itertools.pairwise(ends)])


def each(work: Callable[[slice], Made], parts: list[slice]) -> list[Made]:
    """Return what ``work`` makes of each part, in order."""
    threads = min(_THREADS, os.cpu_count() or 1)
    if threads == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    # Made for the call: a pool kept for the next one would be shared by all callers, and by forks.
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def blocks(part: slice, step: int | None = None) -> Iterator[slice]:
    """Return the part in runs of so many rows."""
    step = BLOCK if step is None else step
    starts = range(part.start, part.stop, step)
    return (slice(start, min(start + step, part.stop)) for start in starts)
