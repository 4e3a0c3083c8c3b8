"""Short texts as numbers and back: the same order, the same equality, or none at all."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _parallel, _texts


def held(texts: list[str]) -> _texts.Texts:
    data = "".join(texts).encode()
    sizes = [len(text.encode()) for text in texts]
    return _texts.Texts(np.cumsum([0, *sizes]), np.frombuffer(data, dtype=np.uint8))


def words(texts: _texts.Texts) -> list[str]:
    ends = texts.starts.tolist()
    return [bytes(texts.data[i:j]).decode() for i, j in itertools.pairwise(ends)]


def check(*chunks: list[str]) -> None:
    made = _texts.pack([held(chunk) for chunk in chunks])
    assert made is not None
    numbers, packing = made
    texts = [text for chunk in chunks for text in chunk]
    assert words(_texts.unpack(numbers, packing)) == texts
    assert len(set(numbers.tolist())) == len(set(texts))
    order = np.argsort(numbers, kind="stable").tolist()
    assert [texts[i] for i in order] == sorted(texts, key=str.encode)
    assert numbers.min() >= 0


@given(st.lists(st.text("abc", max_size=12), min_size=1, max_size=30))
def test_few_letters(texts: list[str]) -> None:
    check(texts)


LETTERS = st.characters(min_codepoint=1, max_codepoint=0xD7FF)


@given(st.lists(st.text(LETTERS, max_size=2), min_size=1))
def test_any_letters(texts: list[str]) -> None:
    check(texts)


@given(st.lists(st.integers(0, 10**11).map("C{}".format), min_size=1, max_size=50))
def test_numbered_ids(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize(
    "texts",
    [["x"], [""], ["", ""], ["", "a"], ["a" * 16] * 3, ["a" * 16, "a" * 15], ["äöü", "ä", "z"]],
)
def test_edges(texts: list[str]) -> None:
    check(texts)
    check(texts, [], texts[:1], ["a"])


@pytest.mark.parametrize(
    "texts",
    [
        ["a" * 17, "a"],
        ["a", "a\0"],  # filled up with zeros both would be the same
        ["\0", ""],
        [],
        [f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}" for i in range(2000)],  # 80 bits change
    ],
)
def test_other_texts_are_none(texts: list[str]) -> None:
    assert _texts.pack([held(texts)]) is None


def test_bits_that_no_sample_showed() -> None:
    """Every other row is sampled here, and only the last one has more than one digit."""
    texts = [f"C{i % 2}" for i in range(2 * _texts._SAMPLE + 1)]
    texts[-2] = "C123456789"
    check(texts)
    texts[-2] = "\xff" * 8  # so many more that they do not fit
    assert _texts.pack([held([*texts, "abcdefgh" * 2])]) is None


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_and_threads(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)
    monkeypatch.setattr(_texts, "_BLOCK", 7)
    check([f"id-{i:04d}" for i in range(100)], [f"id-{i}" for i in range(50)])


def test_a_slice_of_arrow_reads_only_its_own_letters() -> None:
    array = pa.array(["\0\0", "b", "a", "x" * 20], pa.large_string())
    starts = np.frombuffer(array.buffers()[1], np.int64)[1:4]
    made = _texts.pack([_texts.Texts(starts, np.frombuffer(array.buffers()[2], np.uint8))])
    assert made is not None
    assert words(_texts.unpack(*made)) == ["b", "a"]
