"""Cohorts, rolling too, flows, revenue and loyalty tiers: how people count them elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from harness import Case, Counts, our_cases
from survey_cases import SEED, connection, floor

import loyaltykit as lk

if TYPE_CHECKING:
    import duckdb

START = np.datetime64("2024-01-01", "us")
DAYS = 731  # 24 months
ROWS_PER_CUSTOMER = 10
MONTH_SQL = "year(time) * 12 + month(time)"

Rows = Iterable[tuple[Any, ...]]
Way = tuple[str, Callable[..., Any]]


def cases(what: str, frame: pd.DataFrame, threads: int | None = None) -> list[Case]:
    """Return every way to count one of `WAYS`, over the same log and ids."""
    if what == "revenue":
        frame = frame.assign(amount=np.arange(len(frame)) * 7 % 97 + 1)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    polars = pl.DataFrame(table)
    sql = connection(threads, frame=frame, arrow=table)
    ours, read_ours, in_pandas, (in_polars, polars_way), in_duckdb, read = WAYS[what]
    times = frame["time"].to_numpy().view(np.int64)
    call = partial(ours, customer="customer", time="time")
    return [
        *our_cases(partial(call, frame), partial(call, polars), read_ours),
        *(Case(f"pandas {name}", partial(way, frame), read) for name, way in in_pandas),
        Case(f"Polars lazy {in_polars}", partial(polars_way, polars), read),
        Case("DuckDB over the pandas frame", partial(in_duckdb, sql, "frame"), read),
        Case("DuckDB over an Arrow table", partial(in_duckdb, sql, "arrow"), read),
        floor("as many codes and the times", np.arange(len(frame)), times),
    ]


def interactions(rows: int, kind: str = "int64", customers: int | None = None) -> pd.DataFrame:
    """Return a log of 24 months in no order, in which customers are busiest after joining.

    If their number is given, each has a row at least.
    """
    rng = np.random.default_rng(SEED)
    size = customers or rows // ROWS_PER_CUSTOMER
    ids = rng.permutation(np.unique(rng.integers(10**9, 10**12, size + size // 10 + 9)))[:size]
    codes = rng.integers(0, size, rows)
    if customers:
        codes[:size] = rng.permutation(size)
    joined = DAYS * rng.random(size)[codes]
    days = joined + (DAYS - joined) * rng.random(rows) ** 2
    times = START + (days * 86_400_000_000).astype("timedelta64[us]")
    customer: Any = ids[codes]
    if kind != "int64":
        names = pd.array([f"C{number}" for number in ids], dtype="str")
        text = kind == "string"
        customer = names.take(codes) if text else pd.Categorical.from_codes(codes, pd.Index(names))
    return pd.DataFrame({"customer": customer, "time": times})


# ---- cohort table --------------------------------------------------------------------------------


def pandas_cohorts(frame: pd.DataFrame) -> Rows:
    log = frame.assign(month=frame["time"].dt.to_period("M"))
    log["cohort"] = log.groupby("customer", observed=True)["month"].transform("min")
    counted = log.groupby(["cohort", "month"])["customer"].nunique()
    return counted.reset_index().itertuples(index=False)


def distinct_cohorts(frame: pd.DataFrame) -> Rows:
    log = frame.assign(month=frame["time"].dt.to_period("M"))
    log = log[["customer", "month"]].drop_duplicates()
    log["cohort"] = log.groupby("customer", observed=True)["month"].transform("min")
    return log.groupby(["cohort", "month"]).size().reset_index().itertuples(index=False)


def polars_cohorts(data: pl.DataFrame) -> Rows:
    month = pl.col("time").dt.truncate("1mo").alias("month")
    pairs = data.lazy().select("customer", month).unique()
    first = pairs.group_by("customer").agg(cohort=pl.col("month").min())
    return pairs.join(first, on="customer").group_by("cohort", "month").len().collect().rows()


def duckdb_cohorts(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    query = f"""
        WITH pairs AS (
            SELECT DISTINCT customer, {MONTH_SQL} AS month FROM {source}
        ), firsts AS (
            SELECT customer, min(month) AS cohort FROM pairs GROUP BY customer
        )
        SELECT cohort, month, count(*) FROM pairs JOIN firsts USING (customer) GROUP BY ALL
        """
    return sql.execute(query).fetchall()


def our_cohorts(table: Any) -> Counts:
    rows = (row for row in lk.to_records(table) if row["retained"])
    return {(month_number(row["cohort"]), row["cohort_age"]): row["retained"] for row in rows}


def by_age(rows: Rows) -> Counts:
    numbers = ((month_number(cohort), month_number(month), n) for cohort, month, n in rows)
    return {(cohort, month - cohort): n for cohort, month, n in numbers}


def month_number(day: Any) -> int:
    """Return year * 12 + month, which is what DuckDB was asked for."""
    day = dt.date.fromisoformat(day) if isinstance(day, str) else day
    return day if isinstance(day, int) else day.year * 12 + day.month


# ---- rolling cohort table: windows of 30 days from each customer's first moment ------------------


def with_windows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each row's customer, month of joining and window, of windows that are complete."""
    first = frame.groupby("customer", observed=True)["time"].transform("min")
    end, window = frame["time"].max().floor("D") + pd.Timedelta(days=1), pd.Timedelta(days=30)
    age = (frame["time"] - first) // window
    log = pd.DataFrame(
        {"customer": frame["customer"], "cohort": first.dt.to_period("M"), "age": age}
    )
    return log[age < (end - first) // window]


def pandas_rolling(frame: pd.DataFrame) -> Rows:
    counted = with_windows(frame).groupby(["cohort", "age"])["customer"].nunique()
    return counted.reset_index().itertuples(index=False)


def distinct_rolling(frame: pd.DataFrame) -> Rows:
    pairs = with_windows(frame).drop_duplicates(["customer", "age"])
    return pairs.groupby(["cohort", "age"]).size().reset_index().itertuples(index=False)


def polars_rolling(data: pl.DataFrame) -> Rows:
    log, day = data.lazy(), 86_400_000_000
    time, first = pl.col("time").to_physical(), pl.col("first").to_physical()
    end = (pl.col("time").max().dt.date() + pl.duration(days=1)).cast(pl.Datetime("us"))
    firsts = log.group_by("customer").agg(first=pl.col("time").min())
    firsts = firsts.join(log.select(end=end), how="cross")
    done = (pl.col("end").to_physical() - first) // (30 * day)
    month = pl.col("first").dt.truncate("1mo")
    firsts = firsts.with_columns(done=done, cohort=month)
    aged = log.join(firsts, on="customer").with_columns(age=(time - first) // (30 * day))
    pairs = aged.filter(pl.col("age") < pl.col("done")).select("customer", "cohort", "age").unique()
    return pairs.group_by("cohort", "age").len().collect().rows()


def duckdb_rolling(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    window = "30 * 86400000000"
    query = f"""
        WITH facts AS (
            SELECT epoch_us(max(time)::DATE::TIMESTAMP + INTERVAL 1 DAY) AS closing FROM {source}
        ), firsts AS (
            SELECT customer, min(time) AS first FROM {source} GROUP BY customer
        ), pairs AS (
            SELECT DISTINCT customer, first,
            (epoch_us(time) - epoch_us(first)) // ({window}) AS age
            FROM {source} JOIN firsts USING (customer)
        )
        SELECT year(first) * 12 + month(first) AS cohort, age, count(*) FROM pairs, facts
        WHERE age < (closing - epoch_us(first)) // ({window}) GROUP BY ALL
        """
    return sql.execute(query).fetchall()


def by_window(rows: Rows) -> Counts:
    return {(month_number(cohort), age): n for cohort, age, n in rows}


# ---- customer flow: who of the month before is still there ---------------------------------------


def set_flow(frame: pd.DataFrame) -> Rows:
    active = frame.groupby(frame["time"].dt.to_period("M"))["customer"].agg(set)
    pairs = zip(active, active.iloc[1:], active.index[1:], strict=False)
    return [(month, len(before & now)) for before, now, month in pairs]


def shifted_flow(frame: pd.DataFrame) -> Rows:
    month = frame["time"].dt.year * 12 + frame["time"].dt.month
    log = pd.DataFrame({"customer": frame["customer"], "month": month}).drop_duplicates()
    log = log.sort_values(["customer", "month"])
    same = log["customer"].eq(log["customer"].shift()) & log["month"].diff().eq(1)
    return log[same].groupby("month").size().reset_index().itertuples(index=False)


def polars_flow(data: pl.DataFrame) -> Rows:
    month = pl.col("time").dt.year().cast(pl.Int32) * 12 + pl.col("time").dt.month()
    pairs = data.lazy().select("customer", month=month).unique()
    before = pairs.with_columns(pl.col("month") + 1)
    both = pairs.join(before, on=["customer", "month"], how="semi")
    return both.group_by("month").len().collect().rows()


def duckdb_flow(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    query = f"""
        WITH pairs AS (SELECT DISTINCT customer, {MONTH_SQL} AS month FROM {source})
        SELECT now.month, count(*) FROM pairs AS now JOIN pairs AS before
        ON now.customer = before.customer AND now.month = before.month + 1 GROUP BY now.month
        """
    return sql.execute(query).fetchall()


def our_flow(table: Any) -> Counts:
    rows = (row for row in lk.to_records(table) if row["retained"])
    return {month_number(row["period"]): row["retained"] for row in rows}


def by_month(rows: Rows) -> Counts:
    return {month_number(month): n for month, n in rows}


# ---- revenue kept from month to month ------------------------------------------------------------


def pandas_revenue(frame: pd.DataFrame) -> Rows:
    month = frame["time"].dt.to_period("M")
    paid = frame.groupby(["customer", month], observed=True)["amount"].sum().unstack(fill_value=0)
    before = paid.shift(1, axis=1, fill_value=0)
    kept, net = np.minimum(paid, before).sum(), paid.where(before > 0, 0).sum()
    return list(zip(paid.columns, kept, net, strict=True))[1:]


def merged_revenue(frame: pd.DataFrame) -> Rows:
    month = frame["time"].dt.year * 12 + frame["time"].dt.month
    log = pd.DataFrame({"customer": frame["customer"], "month": month, "amount": frame["amount"]})
    paid = log.groupby(["customer", "month"], observed=True, as_index=False)["amount"].sum()
    before = paid.assign(month=paid["month"] + 1)
    both = before.merge(paid, on=["customer", "month"], suffixes=("_before", ""))
    both["kept"] = both[["amount_before", "amount"]].min(axis=1)
    return both.groupby("month")[["kept", "amount"]].sum().reset_index().itertuples(index=False)


def polars_revenue(data: pl.DataFrame) -> Rows:
    month = pl.col("time").dt.year().cast(pl.Int32) * 12 + pl.col("time").dt.month()
    log = data.lazy().select("customer", "amount", month=month)
    paid = log.group_by("customer", "month").agg(pl.col("amount").sum())
    before = paid.with_columns(pl.col("month") + 1)
    both = before.join(paid, on=["customer", "month"])
    kept = pl.min_horizontal("amount", "amount_right")
    both = both.with_columns(kept=kept).group_by("month")
    return both.agg(pl.col("kept").sum(), pl.col("amount_right").sum()).collect().rows()


def duckdb_revenue(sql: duckdb.DuckDBPyConnection, source: str) -> Rows:
    query = f"""
        WITH paid AS (
            SELECT customer, {MONTH_SQL} AS month, sum(amount) AS amount FROM {source}
            GROUP BY customer, month
        )
        SELECT now.month, sum(least(now.amount, before.amount)), sum(now.amount)
        FROM paid AS now JOIN paid AS before
        ON now.customer = before.customer AND now.month = before.month + 1 GROUP BY now.month
        """
    return sql.execute(query).fetchall()


def our_revenue(table: Any) -> Counts:
    found = {}
    for row in lk.to_records(table):
        if row["metric"] == "nrr" and row["n"]:
            kept = row["start"] - row["contraction"] - row["churned"]
            found[month_number(row["period"])] = kept, kept + row["expansion"]
    return found


def by_amounts(rows: Rows) -> Counts:
    return {month_number(month): (float(kept), float(net)) for month, kept, net in rows}


# ---- loyalty tiers as of the log's end -----------------------------------------------------------


def pandas_tiers(frame: pd.DataFrame) -> pd.DataFrame:
    log = frame.assign(day=frame["time"].dt.floor("D"))[["customer", "day"]].drop_duplicates()
    days = log.groupby("customer", observed=True).size()
    month = log["day"].dt.year * 12 + log["day"].dt.month
    recent = log.assign(month=month)[month > month.max() - 6]
    months = recent.groupby("customer", observed=True)["month"].nunique()
    months = months.reindex(days.index, fill_value=0)
    tier = np.select([days == 1, months >= 3], ["new", "loyal"], "repeat")
    return pd.DataFrame({"customer": days.index, "tier": tier})


def polars_tiers(data: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("time").dt.date()
    month = day.dt.year().cast(pl.Int32) * 12 + day.dt.month()
    log = data.lazy().select("customer", day=day, month=month).unique()
    recent = pl.col("month").filter(pl.col("recent")).n_unique()
    log = log.with_columns(recent=pl.col("month") > pl.col("month").max() - 6)
    per = log.group_by("customer").agg(days=pl.len(), months=recent)
    loyal = pl.when(pl.col("months") >= 3).then(pl.lit("loyal")).otherwise(pl.lit("repeat"))
    tier = pl.when(pl.col("days") == 1).then(pl.lit("new")).otherwise(loyal)
    return per.select("customer", tier=tier).collect()


def duckdb_tiers(sql: duckdb.DuckDBPyConnection, source: str) -> Any:
    query = f"""
        WITH log AS (
            SELECT customer, time::DATE AS day, {MONTH_SQL} AS month,
            {MONTH_SQL} > (SELECT max({MONTH_SQL}) FROM {source}) - 6 AS recent FROM {source}
        ), per AS (
            SELECT customer, count(DISTINCT day) AS days,
            count(DISTINCT CASE WHEN recent THEN month END) AS months FROM log GROUP BY customer
        )
        SELECT customer, CASE WHEN days = 1 THEN 'new' WHEN months >= 3 THEN 'loyal'
        ELSE 'repeat' END AS tier FROM per
        """
    return sql.sql(query).to_arrow_table()


def by_tier(table: Any) -> Counts:
    """Return customers per tier, and the sum of their numbers: who they are counts too."""
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    groups = frame.groupby(frame["tier"].astype("str"))["customer"].agg(["size", "sum"])
    return {tier: (n, total) for tier, n, total in groups.itertuples()}


# For each: ours, how its counts are read, pandas, Polars, DuckDB, and how theirs are read.
WAYS: dict[str, tuple[Any, Any, list[Way], Way, Any, Any]] = {
    "cohort": (
        lk.cohort_retention,
        our_cohorts,
        [("nunique", pandas_cohorts), ("distinct pairs first", distinct_cohorts)],
        ("unique + join", polars_cohorts),
        duckdb_cohorts,
        by_age,
    ),
    "rolling": (
        partial(lk.cohort_retention, window="rolling"),
        our_cohorts,
        [("nunique", pandas_rolling), ("distinct pairs first", distinct_rolling)],
        ("group by + join", polars_rolling),
        duckdb_rolling,
        by_window,
    ),
    "flow": (
        lk.customer_flow,
        our_flow,
        [("overlap of sets", set_flow), ("distinct pairs + shift", shifted_flow)],
        ("unique + semi join", polars_flow),
        duckdb_flow,
        by_month,
    ),
    "revenue": (
        partial(lk.revenue_retention, amount="amount"),
        our_revenue,
        [("pivot", pandas_revenue), ("sums + merge", merged_revenue)],
        ("group by + join", polars_revenue),
        duckdb_revenue,
        by_amounts,
    ),
    "tier": (
        lk.loyalty_tier,
        by_tier,
        [("distinct days", pandas_tiers)],
        ("unique + group by", polars_tiers),
        duckdb_tiers,
        by_tier,
    ),
}
