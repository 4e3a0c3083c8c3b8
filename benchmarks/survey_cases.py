"""NPS by sector: the answers, and the ways people count them in pandas, Polars and DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from harness import Case, Counts, our_cases

import loyaltykit as lk

SEED = 20_260_101
SECTORS = ["B2B", "B2C", "B2G", "NPO"]
BUCKETS = ["detractors", "passives", "promoters"]

Rows = Iterable[tuple[Any, ...]]


def cases(frame: pd.DataFrame, threads: int | None = None) -> list[Case]:
    """Return every way to the NPS by sector, over the same rows and the same kind of key."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    polars = to_polars(frame)
    codes = pd.factorize(frame["sector"])[0].astype(np.int8)
    sql = connection(threads, frame=frame, arrow=table)
    shares = shares_reader(frame)
    nps = partial(lk.nps, score="score", by="sector")
    return [
        *our_cases(partial(nps, frame), partial(nps, polars), our_counts),
        Case("pandas cut + value_counts", partial(cut_nps, frame), cut_counts),
        Case("pandas boolean means", partial(boolean_nps, frame), shares),
        Case("Polars lazy mean", partial(polars_nps, polars), shares),
        Case("DuckDB over the pandas frame", partial(duckdb_nps, sql, "frame"), shares),
        Case("DuckDB over an Arrow table", partial(duckdb_nps, sql, "arrow"), shares),
        floor("key codes and scores", codes, frame["score"].to_numpy()),
    ]


def answers(rows: int, kind: str = "categorical", groups: int = len(SECTORS)) -> pd.DataFrame:
    """Return answers of 0 to 10, three in a hundred of them missing, and a sector."""
    rng = np.random.default_rng(SEED)
    score = rng.binomial(10, 0.8, rows).astype(np.float64)
    score[rng.random(rows) < 0.03] = np.nan
    names = SECTORS if groups == len(SECTORS) else [f"G{number:06d}" for number in range(groups)]
    codes = rng.integers(0, groups, rows, np.int8 if groups < 128 else np.int32)
    if kind == "int64":
        return pd.DataFrame({"sector": codes.astype(np.int64), "score": score})
    frame = pd.DataFrame(
        {"sector": pd.Categorical.from_codes(codes, pd.Index(names)), "score": score}
    )
    return frame.astype({"sector": "str"}) if kind == "string" else frame


def to_polars(frame: pd.DataFrame) -> pl.DataFrame:
    """Return the same rows with the same kind of key; a categorical one becomes an Enum."""
    polars = pl.DataFrame(pa.Table.from_pandas(frame, preserve_index=False))
    sector = frame["sector"].dtype
    if isinstance(sector, pd.CategoricalDtype):
        return polars.cast({"sector": pl.Enum(list(sector.categories))})
    return polars


def cut_nps(frame: pd.DataFrame) -> pd.DataFrame:
    bucket = pd.cut(frame["score"], [-1, 6, 8, 10], labels=BUCKETS)
    return bucket.groupby(frame["sector"], observed=True).value_counts().unstack()


def boolean_nps(frame: pd.DataFrame) -> Rows:
    valid = frame.dropna(subset="score")
    flags = pd.DataFrame({"promoters": valid["score"] >= 9, "detractors": valid["score"] <= 6})
    return flags.groupby(valid["sector"], observed=True).mean().itertuples()


def polars_nps(data: pl.DataFrame) -> Rows:
    promoters, detractors = (pl.col("score") >= 9).mean(), (pl.col("score") <= 6).mean()
    means = data.lazy().group_by("sector").agg(promoters=promoters, detractors=detractors)
    return means.collect().rows()


def duckdb_nps(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    means = "avg((score >= 9)::INT), avg((score <= 6)::INT)"
    return sql.execute(f"SELECT sector, {means} FROM {source} GROUP BY sector").fetchall()


def our_counts(table: Any) -> Counts:
    return {row["sector"]: [row[name] for name in BUCKETS] for row in lk.to_records(table)}


def cut_counts(wide: pd.DataFrame) -> Counts:
    return {sector: counts for sector, *counts in wide[BUCKETS].itertuples()}


def shares_reader(frame: pd.DataFrame) -> Callable[[Rows], Counts]:
    """Return what turns the shares of promoters and detractors into counts."""
    sizes = frame.groupby("sector", observed=True)["score"].count().to_dict()

    def counts(n: int, up: float, down: float) -> list[int]:
        return [round(down * n), n - round(up * n) - round(down * n), round(up * n)]

    return lambda shares: {sector: counts(sizes[sector], *rest) for sector, *rest in shares}


def connection(threads: int | None, **tables: Any) -> duckdb.DuckDBPyConnection:
    """Return DuckDB with these tables by their names."""
    sql = duckdb.connect()
    sql.execute("SET enable_progress_bar = false")
    if threads:
        sql.execute(f"SET threads = {threads}")
    for name, table in tables.items():
        sql.register(name, table)
    return sql


def floor(name: str, *arrays: np.ndarray) -> Case:
    """Return the time it takes just to read the columns."""
    return Case(f"floor: np.sum of {name}", lambda: [np.sum(array) for array in arrays])
