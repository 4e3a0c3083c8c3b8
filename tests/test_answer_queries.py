"""Answers as queries: what is collected is small."""

from __future__ import annotations

import pytest
from conftest import Engine

import loyaltykit as lk
from loyaltykit import _lazy
from loyaltykit.errors import DataError

LAZY = ["polars-lazy", "duckdb"]


@pytest.mark.parametrize("lazy", LAZY)
def test_a_result_that_is_no_small_table(lazy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lazy, "_MOST_ROWS", 99)
    log = Engine(lazy).frame({"id": list(range(100)), "nps": [str(i) for i in range(100)]})
    with pytest.raises(DataError, match="More than 99 rows are left when all that is alike"):
        lk.nps(log, "nps", errors="coerce")
