"""Short texts as whole numbers, in the same order: ids such as "C1048576" need no hashing then.

Up to 16 bytes are two numbers of 64 bits. In ids most of those bits never change: the letter in
front, the upper half of every digit. The bits that do change, put side by side, are the number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _parallel

IntArray = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

_LONGEST = 16
_MOST_BITS = 62
_BLOCK = 1 << 14
_SAMPLE = 1 << 14
# The first so many bytes of a word, as read from the left.
_FIRST_BYTES = np.array([(1 << 64) - (1 << (64 - 8 * n)) for n in range(9)], dtype=np.uint64)


class Texts(NamedTuple):
    """Texts as Arrow keeps them: their bytes one after another, and where each of them starts."""

    starts: npt.NDArray[np.integer]
    data: Bytes


class Packing(NamedTuple):
    """Which bits of the two words change, and what the others are."""

    changing: tuple[int, int]
    constant: tuple[int, int]


def pack(chunks: list[Texts]) -> tuple[IntArray, Packing] | None:
    """Return a number for each text, the same for the same text, and how to turn them back.

    None where a text is longer than 16 bytes, holds a zero byte, or too many bits change.
    """
    chunks = [chunk for chunk in chunks if len(chunk.starts) > 1]
    if not chunks or any(int(np.diff(chunk.starts).max()) > _LONGEST for chunk in chunks):
        return None
    samples = [_sample(chunk) for chunk in chunks]
    if any(sample is None for sample in samples):
        return None
    packing = _packing(np.concatenate([words for words in samples if words is not None], axis=1))
    while packing is not None:
        numbers = np.empty(sum(len(chunk.starts) - 1 for chunk in chunks), dtype=np.int64)
        overlooked = _fill(numbers, chunks, packing)
        if overlooked is None:
            return None
        if not any(overlooked):
            return numbers, packing
        # The sample did not show every bit that changes: more of them now, and anew.
        changing = [bits | more for bits, more in zip(packing.changing, overlooked, strict=True)]
        packing = _checked(changing, packing.constant)
    return None


def _sample(chunk: Texts) -> Words | None:
    length = len(chunk.starts) - 1
    rows = np.arange(0, length, max(1, length // _SAMPLE))
    starts, stops = chunk.starts[rows], chunk.starts[rows + 1]
    wanted = np.concatenate([[0], np.cumsum(stops - starts)])
    index = np.repeat(starts - wanted[:-1], stops - starts) + np.arange(wanted[-1])
    return _words(Texts(wanted, chunk.data[index]))


def _words(texts: Texts) -> Words | None:
    """Return the texts as two words each, filled up with zeros; None where one holds a zero."""
    first, last = int(texts.starts[0]), int(texts.starts[-1])
    data = np.zeros(last - first + _LONGEST, dtype=np.uint8)  # room to read beyond the last text
    data[: last - first] = texts.data[first:last]
    if not data[: last - first].all():
        return None
    places = np.lib.stride_tricks.as_strided(
        data[:8].view(np.uint64), (len(data) - 7,), (1,), writeable=False
    )
    starts, length = texts.starts[:-1] - first, np.diff(texts.starts)
    words = np.empty((2, len(starts)), dtype=np.uint64)
    for half in (0, 1):
        inside = np.clip(length - 8 * half, 0, 8)
        word = places[starts + 8 * half]
        if np.little_endian:
            word.byteswap(inplace=True)
        np.bitwise_and(word, _FIRST_BYTES[inside], out=words[half])
    return words


def _packing(words: Words) -> Packing | None:
    highest = np.bitwise_or.reduce(words, axis=1)
    lowest = np.bitwise_and.reduce(words, axis=1)
    changing = [int(bits) for bits in highest ^ lowest]
    return _checked(changing, (int(lowest[0]), int(lowest[1])))


def _checked(changing: list[int], constant: tuple[int, int]) -> Packing | None:
    first, second = changing
    if first.bit_count() + second.bit_count() > _MOST_BITS:
        return None
    return Packing((first, second), (constant[0] & ~first, constant[1] & ~second))


def _fill(numbers: IntArray, chunks: list[Texts], packing: Packing) -> tuple[int, int] | None:
    """Write the texts' numbers; return which bits change beyond those known, None as `_words`."""
    overlooked, offset = [0, 0], 0
    for chunk in chunks:
        length = len(chunk.starts) - 1
        out = numbers[offset : offset + length].view(np.uint64)

        def fill(part: slice, chunk: Texts = chunk, out: Words = out) -> list[int] | None:
            found = [0, 0]
            for rows in _parallel.blocks(part, _BLOCK):
                words = _words(chunk._replace(starts=chunk.starts[rows.start : rows.stop + 1]))
                if words is None:
                    return None
                for half in (0, 1):
                    strange = words[half] ^ np.uint64(packing.constant[half])
                    strange &= np.uint64(~packing.changing[half] & ((1 << 64) - 1))
                    found[half] |= int(np.bitwise_or.reduce(strange))
                if any(found):
                    continue
                out[rows] = 0
                for word, low, mask, place in _moves(packing):
                    bits = words[word] >> np.uint64(low)
                    bits &= np.uint64(mask)
                    bits <<= np.uint64(place)
                    out[rows] |= bits
            return found

        for found in _parallel.in_parts(fill, length):
            if found is None:
                return None
            overlooked = [bits | more for bits, more in zip(overlooked, found, strict=True)]
        offset += length
    return overlooked[0], overlooked[1]


def _moves(packing: Packing) -> list[tuple[int, int, int, int]]:
    """Return each run of changing bits: its word, its lowest bit, its mask and its new place."""
    moves, place = [], 0
    for word in (1, 0):
        bits, low = packing.changing[word], 0
        while bits >> low:
            low += ((bits >> low) & -(bits >> low)).bit_length() - 1
            width = (~(bits >> low) & ((bits >> low) + 1)).bit_length() - 1
            moves.append((word, low, (1 << width) - 1, place))
            low, place = low + width, place + width
    return moves


def unpack(numbers: IntArray, packing: Packing) -> Texts:
    """Return the texts of the numbers."""
    words = np.empty((len(numbers), 2), dtype=np.uint64)
    words[:] = packing.constant
    for word, low, mask, place in _moves(packing):
        bits = (numbers.view(np.uint64) >> np.uint64(place)) & np.uint64(mask)
        words[:, word] |= bits << np.uint64(low)
    if np.little_endian:
        words.byteswap(inplace=True)
    letters = words.view(np.uint8).reshape(len(numbers), _LONGEST)
    inside = letters != 0
    starts = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    return Texts(starts, letters[inside])
