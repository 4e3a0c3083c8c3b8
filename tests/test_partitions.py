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
from loyaltykit import _dask, _partitions
from loyaltykit._frame import ID
from loyaltykit.errors import DataError

PARTS = 4


# ---- in one partition ---------------------------------------------------------------------------


def test_a_partition_tells_its_ends() -> None:
    days = ["2026-01-05", None, "2026-03-01", "2027-01-01"]
    part = pd.DataFrame({"id": [1.0, 2.0, 3.0, np.nan], "day": pd.to_datetime(pd.Series(days))})
    told = _partitions.facts(part, "id", "day", None, None)
    assert (told.without_id, told.without_time, told.dropped) == (1, 1, 2)
    assert told.moments is not None
    first, last = pd.to_datetime(list(told.moments), unit="us")
    assert (first, last) == (pd.Timestamp("2026-01-05"), pd.Timestamp("2026-03-01"))


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
    local = {"host": "127.0.0.1", "dashboard_address": ":0"}
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
    """Return a partition; who loads the second one for the fatal time is killed over it."""
    times = len(list(Path(marks).glob(f"{part}-*"))) + 1
    (Path(marks) / f"{part}-{times}").touch()
    if part == 1 and times == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    size = 4_000 // PARTS
    return whole().iloc[part * size : (part + 1) * size]


def fatal_frame(marks: Path, fatal: int) -> Any:
    import dask.dataframe as dd

    meta = whole().head(0)
    return dd.from_map(load, range(PARTS), marks=str(marks), fatal=fatal, meta=meta)


@pytest.mark.engines
@pytest.mark.parametrize("fatal", [1, 2], ids=["in the first pass", "in the shuffle"])
def test_a_killed_worker_changes_no_table(cluster: Any, tmp_path: Path, fatal: int) -> None:
    """Dask computes again what was lost."""
    before = set(cluster.scheduler_info()["workers"])
    found = lk.customer_flow(fatal_frame(tmp_path, fatal), "id", "day")
    assert len(list(tmp_path.glob("1-*"))) > fatal, "the load was not repeated"
    assert set(cluster.scheduler_info()["workers"]) != before, "no worker was killed"
    assert frame_rows(found) == frame_rows(lk.customer_flow(whole(), "id", "day"))


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_changes_no_tally(tmp_path: Path) -> None:
    found = lk.nps(fatal_frame(tmp_path, 1), "nps", time="day")
    assert len(list(tmp_path.glob("1-*"))) > 1, "the load was not repeated"
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
    words = r"'id': one partition holds (str|object).* where the frame says int64"
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
    pairs = _partitions.distinct(_dask.Partitions(frame), "id", "day", [], None, end, freq="month")
    assert len(pairs) < len(frame)
    homes = pairs.shuffle(on=ID).map_partitions(lambda part: part[[ID]].drop_duplicates())
    assert homes.compute()[ID].is_unique


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_partitions_of_several_zones() -> None:
    import dask.dataframe as dd

    frame = dd.from_map(zoned, range(2), meta=pd.DataFrame({"nps": [1], "day": ["x"]}).head(0))
    words = "'day' holds times of several zones or none"
    with pytest.raises(DataError, match=words):
        lk.nps(frame, "nps", time="day")
    with pytest.raises(DataError, match=words):
        lk.customer_flow(frame, "nps", "day")


def zoned(part: int) -> pd.DataFrame:
    day = ["2026-01-05", "2026-02-01T00:00:00+01:00"][part]
    return pd.DataFrame({"nps": [9], "day": [day]})


@pytest.mark.engines
@pytest.mark.usefixtures("cluster")
def test_ids_of_another_type_beside_a_frame() -> None:
    import dask
    import dask.dataframe as dd

    rows = whole().assign(id=lambda f: f["id"] % 9)
    segments = pd.DataFrame({"id": pd.Series(range(9), dtype=object), "sector": list("abcabcabc")})
    with dask.config.set({"dataframe.convert-string": False}):
        log, beside = (dd.from_pandas(frame, npartitions=3) for frame in (rows, segments))
    wanted = lk.customer_flow(rows, "id", "day", by="sector", segments=segments)
    found = lk.customer_flow(log, "id", "day", by="sector", segments=beside)
    assert frame_rows(found) == frame_rows(wanted)
    attached = lk.attach_segments(log, beside, on="id").compute()
    assert attached["sector"].tolist() == [list("abcabcabc")[i] for i in attached["id"]]
    tiers = lk.loyalty_tier(log, "id", "day", customers=beside).compute()
    assert sorted(tiers["id"]) == list(range(9))
