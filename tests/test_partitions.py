"""Dask: what a partition says of itself, and what becomes of a partition or a worker gone wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import REQUIRED, frame_rows, missing_engine

import loyaltykit as lk
from loyaltykit import _partitions
from loyaltykit._frame import ID, PERIOD, ROWS, N
from loyaltykit.errors import DataError

PARTS = 4


# ---- in one partition ---------------------------------------------------------------------------


def test_a_partition_is_reduced_to_distinct_answers() -> None:
    part = pd.DataFrame(
        {
            "sector": ["B2B", "B2B", None, "B2B"],
            "nps": [9, 9, 3, 9],
            "day": ["2026-01-05", "2026-01-31", "2026-01-05", "soon"],
        }
    )
    told = _partitions._distinct_answers(part, ["sector", "nps"], None, "day", "month")
    assert (told.without_time, told.not_a_time, told.shown) == (1, 1, ["soon"])
    found = told.rows.astype(object).where(told.rows.notna(), None).values.tolist()
    assert list(told.rows.columns) == ["sector", "nps", PERIOD, N, ROWS]
    assert found == [["B2B", 9, 672, 2.0, 2], [None, 3, 672, 1.0, 1]]  # 672 is January 2026


def test_a_partition_tells_its_ends() -> None:
    days = ["2026-01-05", None, "2026-03-01", "2027-01-01"]
    part = pd.DataFrame({"id": [1.0, 2.0, 3.0, np.nan], "day": pd.to_datetime(pd.Series(days))})
    told = _partitions._facts(part, "id", "day", None, None)
    assert (told.without_id, told.without_time, told.dropped) == (1, 1, 2)
    assert told.moments is not None
    first, last = pd.to_datetime(list(told.moments), unit="us")
    assert (first, last) == (pd.Timestamp("2026-01-05"), pd.Timestamp("2026-03-01"))


def test_a_partition_of_another_type_is_brought_to_the_frames() -> None:
    wanted = {"id": np.dtype("int64")}
    part = pd.DataFrame({"id": ["1", "2"]})
    same = _partitions._typed(lambda made: made, part, types=wanted, names=["id"])
    assert same["id"].tolist() == [1, 2]
    with pytest.raises(DataError, match=r"'id': one partition holds str.* says int64"):
        _partitions._typed(len, pd.DataFrame({"id": ["x"]}), types=wanted, names=["id"])


# ---- on a cluster -------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two worker processes of its own for each test, because a test may kill one."""
    reason = missing_engine("dask")
    if reason is not None and REQUIRED:
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)
    from distributed import Client, LocalCluster

    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    local = {"host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**settings, **local) as workers, Client(workers) as client:
        yield client


def whole() -> pd.DataFrame:
    rng = np.random.default_rng(20_260_101)
    size = 4_000
    days = rng.integers(0, 150, size).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "id": rng.integers(0, 300, size),
            "day": np.datetime64("2026-01-01", "us") + days,
            "nps": rng.integers(0, 11, size),
        }
    )


def load(part: int, marks: str, fatal: int) -> pd.DataFrame:
    """Return a partition; the process that makes the fatal one of all loads is killed first."""
    seen = len(list(Path(marks).iterdir()))
    (Path(marks) / f"{part}-{os.getpid()}-{seen}").touch()
    if seen + 1 == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    size = 4_000 // PARTS
    return whole().iloc[part * size : (part + 1) * size]


@pytest.mark.engines
@pytest.mark.parametrize("fatal", [2, PARTS + 2], ids=["in the first pass", "in the shuffle"])
def test_a_killed_worker_changes_no_table(cluster: Any, tmp_path: Path, fatal: int) -> None:
    """Right or an error, never a wrong table: here Dask computes again what was lost."""
    import dask.dataframe as dd

    before = set(cluster.scheduler_info()["workers"])
    meta = whole().head(0)
    frame = dd.from_map(load, range(PARTS), marks=str(tmp_path), fatal=fatal, meta=meta)
    found = lk.customer_flow(frame, "id", "day")
    assert len(list(tmp_path.iterdir())) > 2 * PARTS, "no load was repeated"
    assert set(cluster.scheduler_info()["workers"]) != before, "no worker was killed"
    assert frame_rows(found) == frame_rows(lk.customer_flow(whole(), "id", "day"))


@pytest.mark.engines
def test_a_killed_worker_changes_no_tally(cluster: Any, tmp_path: Path) -> None:
    import dask.dataframe as dd

    meta = whole().head(0)
    frame = dd.from_map(load, range(PARTS), marks=str(tmp_path), fatal=3, meta=meta)
    found = lk.nps(frame, "nps", time="day")
    assert len(list(tmp_path.iterdir())) > PARTS, "no load was repeated"
    assert frame_rows(found) == frame_rows(lk.nps(whole(), "nps", time="day"))


def other(part: int, column: str, kind: str) -> pd.DataFrame:
    rows = whole().iloc[part * 1_000 : (part + 1) * 1_000]
    return rows.astype({column: kind}) if part == 2 else rows


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_a_partition_with_answers_of_another_type() -> None:
    import dask.dataframe as dd

    for kind in ("str", "float32", "Int8"):
        frame = dd.from_map(other, range(PARTS), column="nps", kind=kind, meta=whole().head(0))
        assert frame_rows(lk.nps(frame, "nps")) == frame_rows(lk.nps(whole(), "nps"))


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_a_partition_with_ids_of_another_type() -> None:
    """Ids that read as the frame's own are read so; names among numbers are refused."""
    import dask.dataframe as dd

    for kind in ("str", "float64", "int16"):
        frame = dd.from_map(other, range(PARTS), column="id", kind=kind, meta=whole().head(0))
        assert frame_rows(lk.customer_flow(frame, "id", "day")) == frame_rows(
            lk.customer_flow(whole(), "id", "day")
        )
    named = dd.from_map(named_ids, range(PARTS), meta=whole().head(0))
    words = r"'id': one partition holds str.* where the frame says int64"
    with pytest.raises(DataError, match=words):
        lk.customer_flow(named, "id", "day")


def named_ids(part: int) -> pd.DataFrame:
    rows = whole().iloc[part * 1_000 : (part + 1) * 1_000]
    return rows.assign(id="C" + rows["id"].astype("str")) if part == 2 else rows


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_the_shuffle_brings_every_customer_together() -> None:
    import dask.dataframe as dd

    frame = dd.from_pandas(whole(), npartitions=PARTS)
    end = np.datetime64("2027-01-01")
    pairs = _partitions._distinct(
        _partitions.Partitions(frame), "id", "day", [], None, end, freq="month"
    )
    assert len(pairs) < len(frame)
    homes = pairs.shuffle(on=ID).map_partitions(lambda part: part[[ID]].drop_duplicates())
    assert homes.compute()[ID].is_unique
