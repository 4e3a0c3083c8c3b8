"""Parts of the rows in threads: every row once, in order, whatever the number of threads."""

from __future__ import annotations

import threading

import pytest

from loyaltykit import _parallel


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("length", [0, 1, 5, 100])
def test_parts_hold_every_row_once(
    monkeypatch: pytest.MonkeyPatch, threads: int, length: int
) -> None:
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 5)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    parts = _parallel.in_parts(lambda rows: list(range(length))[rows], length)
    assert [row for part in parts for row in part] == list(range(length))
    assert len(parts) == (threads if length >= 5 else 1)


def test_two_threads_work_where_there_are_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=30)
    assert len(_parallel.in_parts(lambda _: both.wait(), 2)) == 2
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert _parallel.in_parts(lambda rows: rows, 2) == [slice(0, 2)]


def test_an_error_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)

    def fail(rows: slice) -> None:
        raise ValueError(rows.start)

    with pytest.raises(ValueError, match="0"):
        _parallel.in_parts(fail, 10)


def test_blocks() -> None:
    assert list(_parallel.blocks(slice(3, 10), 3)) == [slice(3, 6), slice(6, 9), slice(9, 10)]
    assert list(_parallel.blocks(slice(3, 3), 3)) == []
