"""Lifetimes and the gap that ends them, against a walk from day to day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Engine, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import days
from random_logs import Case, Contracts, cases, contracts

import loyaltykit as lk
from loyaltykit import datasets
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

unhurried = settings(deadline=None, max_examples=25)


def log_of(engine: Engine, *dates: str) -> Any:
    """Return the log of the only customer."""
    return engine.frame({"id": [1] * len(dates), "day": days(*dates)})


def life_of_one(engine: Engine, *dates: str, **keywords: Any) -> tuple[int, bool]:
    (row,) = frame_rows(lk.customer_lifetimes(log_of(engine, *dates), "id", "day", **keywords))
    return row["duration"], row["event"]


# ---- lifetimes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "life"),
    [
        ("2026-01-11", (10, False)),
        ("2026-01-20", (19, False)),  # silent for 9 days
        ("2026-01-21", (20, True)),  # for 10: known from now on, and dated today
        ("2026-03-31", (20, True)),
    ],
)
def test_the_last_silence_ends_a_life_when_it_was_observed_in_full(
    engine: Engine, as_of: str, life: tuple[int, bool]
) -> None:
    assert life_of_one(engine, "2026-01-01", "2026-01-11", gap=10, as_of=as_of) == life


def test_a_silence_of_the_gap_is_none_too_many(engine: Engine) -> None:
    assert life_of_one(engine, "2026-01-01", "2026-01-11", gap=10) == (10, False)
    assert life_of_one(engine, "2026-01-01", "2026-01-12", gap=10) == (10, True)


def test_a_life_after_the_gap_is_not_counted(engine: Engine) -> None:
    dates = ("2026-01-01", "2026-01-03", "2026-03-01", "2026-06-01")
    assert life_of_one(engine, *dates, gap=30) == (32, True)


def test_lives_written_out(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": ["b", "a", "b", "c"],
            "day": days(*["2026-01-20", "2026-01-01", "2026-01-10"], "2026-02-28"),
        }
    )
    table = lk.customer_lifetimes(log, "id", "day", gap=14, as_of="2026-02-28")
    assert column_names(table) == ["id", "start", "duration", "event"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        ("a", dt.date(2026, 1, 1), 14, True),
        ("b", dt.date(2026, 1, 10), 24, True),
        ("c", dt.date(2026, 2, 28), 0, False),
    ]


def test_types_of_the_columns(engine: Engine) -> None:
    log = log_of(engine, "2026-01-01")
    table = lk.customer_lifetimes(log, "id", "day", gap=14)
    assert type(table) is type(log)
    found = dtype_names(table)
    assert found["id"] == dtype_names(log)["id"]
    date = {"polars": "Date", "pyarrow": "date32[day]"}.get(engine.name, "datetime64[us]")
    assert found["start"] == date
    assert found["duration"].lower() == "int64"
    assert found["event"].lower() in ("bool", "boolean")


@given(case=cases(split=False), gap=st.integers(1, 120))
@unhurried
def test_lives_against_a_walk_from_day_to_day(engine: Engine, case: Case, gap: int) -> None:
    log, keywords = case.arguments(engine.name)
    del keywords["freq"]
    table = lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords)
    found = {row["id"]: (row["start"], row["duration"], row["event"]) for row in frame_rows(table)}
    assert found == oracles.customer_lifetimes(case.log, gap, case.end)


@given(case=cases(split=False), gap=st.integers(1, 60), more=st.integers(1, 60))
@unhurried
def test_a_longer_gap_ends_no_life_sooner(case: Case, gap: int, more: int) -> None:
    log, keywords = case.arguments("pandas")
    del keywords["freq"]
    short = frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords))
    long = frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap + more, **keywords))
    assert all(a["duration"] <= b["duration"] for a, b in zip(short, long, strict=True))
    assert all(a["event"] or not b["event"] for a, b in zip(short, long, strict=True))


# ---- contracts ----------------------------------------------------------------------------------

CONTRACT_COLUMNS = ["id", "start", "duration", "event"]


def lives_of(engine: Engine, rows: str, **keywords: Any) -> list[tuple[Any, ...]]:
    """Return lifetimes without their starts of text such as ``1 2026-01-01 2026-01-15, 2 ...``."""
    parts = [row.split() for row in rows.split(",")]
    ends = [part[2] if len(part) > 2 else None for part in parts]
    frame = engine.frame(
        {"id": [int(part[0]) for part in parts], "start": [part[1] for part in parts], "end": ends}
    )
    keywords = {"contract_end": "end", "as_of": "2026-03-31", **keywords}
    table = lk.customer_lifetimes(frame, "id", "start", **keywords)
    return [tuple(row[name] for name in row if name != "start") for row in frame_rows(table)]


@pytest.mark.parametrize(
    ("rows", "life"),
    [
        ("1 2026-01-01 2026-01-15", (14, True)),
        ("1 2026-01-01", (90, False)),  # the day after the last one observed is 1 April
        ("1 2026-01-01 2026-04-01", (90, True)),  # over as March closes
        ("1 2026-01-01 2026-04-02", (90, False)),
        ("1 2026-01-01 2026-01-15, 1 2026-01-15 2026-02-01", (31, True)),  # touching
        ("1 2026-01-01 2026-02-01, 1 2026-01-10 2026-01-20", (31, True)),  # one inside another
        ("1 2026-01-01 2026-01-15, 1 2026-01-16", (14, True)),  # a day between
        ("1 2026-03-31", (1, False)),
        ("1 2026-01-05 2026-01-05", (0, True)),  # over as it starts
        ("1 2026-01-05 2026-01-05, 1 2026-01-05 2026-01-09", (4, True)),
        ("1 2026-01-01 2026-04-01, 1 2026-04-01", (90, False)),  # carries on as March closes
        ("1 2026-01-01 2026-04-01, 1 2026-04-02", (90, True)),
        # Of days, those count that close with him in force.
        ("1 2026-01-01T00:00:00 2026-01-14T23:59:59, 1 2026-01-15T00:00:00", (90, False)),
        ("1 2026-01-05T09:00:00 2026-01-05T17:00:00", (0, True)),
        ("1 2026-01-05T09:00:00 2026-01-06T08:00:00", (1, True)),
    ],
)
def test_a_life_of_contracts(engine: Engine, rows: str, life: tuple[int, bool]) -> None:
    assert lives_of(engine, rows) == [(1, *life)]


@pytest.mark.parametrize(
    ("gap", "as_of", "life"),
    [
        (4, "2026-03-31", (14, True)),  # back five days after the end
        (5, "2026-03-31", (44, True)),
        (5, "2026-02-18", (44, True)),  # 14 to 18 February closed without a contract, and the 19th?
        (5, "2026-02-17", (43, False)),
        (0, "2026-01-14", (14, True)),
        (4, "2026-01-17", (13, False)),
        (4, "2026-01-18", (14, True)),
        (5, "2026-01-18", (13, False)),
    ],
)
def test_a_gap_between_contracts(
    engine: Engine, gap: int, as_of: str, life: tuple[int, bool]
) -> None:
    rows = "1 2026-01-01 2026-01-15, 1 2026-01-20 2026-02-14"
    assert lives_of(engine, rows, gap=gap, as_of=as_of) == [(1, *life)]


def test_lives_of_contracts_written_out(engine: Engine) -> None:
    frame = engine.frame(
        {
            "id": ["b", "a", "b", "c", "d"],
            "start": days("2026-02-01", "2026-01-05", "2026-01-10", "2026-04-01", "2026-03-30"),
            "end": [None, dt.date(2026, 1, 9), dt.date(2026, 2, 1), None, dt.date(2027, 1, 1)],
        }
    )
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2026-03-31"}
    table = lk.customer_lifetimes(frame, "id", "start", **terms)
    assert type(table) is type(frame)
    assert column_names(table) == CONTRACT_COLUMNS
    assert dtype_names(table) == dtype_names(lk.customer_lifetimes(frame, "id", "start", gap=5))
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        ("a", dt.date(2026, 1, 5), 4, True),
        ("b", dt.date(2026, 1, 10), 81, False),
        ("d", dt.date(2026, 3, 30), 2, False),
    ]


def test_late_entry(engine: Engine) -> None:
    """1 was there before, 2 had left and came back, 3 left as observation began, 4 came with it."""
    rows = (
        "1 2025-12-01 2026-02-01, 2 2025-12-01 2025-12-15, 2 2026-01-20, "
        "3 2025-12-01 2026-01-01, 4 2026-01-01, 5 2026-01-01 2026-01-01, 6 2025-12-31 2026-01-02"
    )
    assert lives_of(engine, rows, observed_from="2026-01-01") == [
        (1, 62, True, 31),
        (2, 71, False, 0),
        (4, 90, False, 0),
        (5, 0, True, 0),
        (6, 2, True, 1),
    ]
    # In the middle of a day: from the next one on.
    found = lives_of(engine, rows, observed_from=dt.datetime(2026, 1, 1, 9))
    assert [life[0] for life in found] == [1, 2, 4]
    assert [life[-1] for life in found] == [32, 0, 1]


def test_late_entry_within_a_gap(engine: Engine) -> None:
    rows = "1 2025-12-01 2025-12-30, 1 2026-01-03 2026-02-01"
    keywords: dict[str, Any] = {"observed_from": "2026-01-01", "gap": 4}
    assert lives_of(engine, rows, **keywords) == [(1, 62, True, 31)]
    assert lives_of(engine, rows, **{**keywords, "gap": 3}) == [(1, 29, True, 0)]
    # Gone before, as it turned out, also when the gap had not passed yet.
    assert lives_of(engine, "1 2025-12-01 2025-12-30, 2 2026-01-01", **keywords) == [
        (2, 86, False, 0)
    ]


def test_who_begins_in_the_last_days_of_a_gap_has_no_row(engine: Engine) -> None:
    rows = "1 2026-01-01, 2 2026-03-25, 3 2026-03-26, 4 2026-03-31 2026-03-31"
    assert lives_of(engine, rows, gap=6) == [(1, 84, False), (2, 1, False)]
    assert len(lives_of(engine, rows)) == 4


@given(case=contracts(split=False), gap=st.integers(0, 3) | st.integers(0, 60))
@unhurried
def test_lives_of_contracts_against_a_walk_from_day_to_day(
    engine: Engine, case: Contracts, gap: int
) -> None:
    frame, keywords = case.arguments(engine.name)
    del keywords["freq"]
    first = min(start for _, start, _ in case.rows).date()
    last = (case.until - dt.timedelta(microseconds=1)).date()
    if max(first, case.observed_from or first) > last - dt.timedelta(days=gap):
        with pytest.raises(ParameterError, match=rf"^gap={gap}: an end is final when"):
            lk.customer_lifetimes(frame, "id", "start", gap=gap, **keywords)
        return
    table = lk.customer_lifetimes(frame, "id", "start", gap=gap, **keywords)
    naive = oracles.contract_lifetimes(case.rows, gap, case.until, case.observed_from)
    told = 3 if case.observed_from is None else 4
    found = {row["id"]: tuple(row.values())[1:] for row in frame_rows(table)}
    assert found == {who: life[:told] for who, life in naive.items()}


def frame_of(case: Contracts) -> pd.DataFrame:
    """Return contracts by the day, each of one day or more."""
    rows = [
        (who, start.date(), end and max(end.date(), start.date() + dt.timedelta(days=1)))
        for who, start, end in case.rows
    ]
    frame = pd.DataFrame(rows, columns=["id", "start", "end"])
    return frame.assign(start=pd.to_datetime(frame["start"]), end=pd.to_datetime(frame["end"]))


@given(case=contracts(split=False), gap=st.integers(0, 20), later=st.integers(0, 400))
@unhurried
def test_what_is_told_stays_true(case: Contracts, gap: int, later: int) -> None:
    """Who is said to have ended has, and who is not lives on to the day of the censoring."""
    frame = frame_of(case)
    first, last = frame["start"].min(), pd.Timestamp(case.until).ceil("D")
    last = max(last, first + pd.Timedelta(days=gap + 1))
    terms: dict[str, Any] = {"contract_end": "end", "gap": gap}
    then = lk.customer_lifetimes(frame, "id", "start", as_of=last.date(), **terms)
    now = lk.customer_lifetimes(
        frame, "id", "start", as_of=last.date() + dt.timedelta(days=later), **terms
    )
    both = then.merge(now, on="id", suffixes=("", "_now"))
    assert len(both) == len(then)
    assert (both["start"] == both["start_now"]).all()
    ended = both["event"]
    assert both["event_now"][ended].all()
    assert (both["duration"] == both["duration_now"])[ended].all()
    open_ = both[~ended]
    assert (open_["duration_now"] - open_["event_now"] >= open_["duration"]).all()


@given(case=contracts(split=False))
@unhurried
def test_events_up_to_each_month_are_those_who_left(case: Contracts) -> None:
    """Of customers who never come back: who churned, or joined and left within a month."""
    frame = frame_of(case)
    terms: dict[str, Any] = {"contract_end": "end", "as_of": case.until.date()}
    lasting = frame.groupby("id").agg(start=("start", "min"), end=("end", "max"))
    running = frame[frame["end"].isna()]["id"]
    lasting.loc[lasting.index.isin(running), "end"] = pd.NaT
    # One contract each, cut in two at a third that touch.
    cut = lasting["start"] + (lasting["end"] - lasting["start"]).dt.floor("D") // 3
    cut = cut.dt.floor("D").fillna(lasting["start"] + pd.Timedelta(days=40))
    parts = [lasting.assign(end=cut), lasting.assign(start=cut)]
    frame = pd.concat(parts).reset_index()
    frame = frame[(frame["start"] < frame["end"]) | frame["end"].isna()]
    # Who begins as observation ends is in force at its close, and has no lifetime yet.
    begun = frame["id"].isin(frame["id"][frame["start"] <= pd.Timestamp(terms["as_of"])])
    frame = frame[begun]
    compare_with_flow(frame, terms)


def compare_with_flow(frame: pd.DataFrame, terms: dict[str, Any]) -> None:
    lives = lk.customer_lifetimes(frame, "id", "start", **terms)
    flow = lk.customer_flow(frame, "id", "start", freq="month", **terms)
    assert (flow["returned"] == 0).all()
    over = lives["start"] + pd.to_timedelta(lives["duration"], "D")
    closes = flow["period"] + pd.DateOffset(months=1)
    closes.iloc[-1] = pd.Timestamp(terms["as_of"]) + pd.Timedelta(days=1)
    gone = [int((lives["event"] & (over <= close)).sum()) for close in closes]
    assert gone == (flow["churned"] + flow["joined_and_left"]).cumsum().tolist()
    assert int((~lives["event"]).sum()) == int(flow["end"].iloc[-1])


def test_the_sample_of_contracts_against_its_flow() -> None:
    made = datasets.sample_contracts(3_000, rng=7)
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2025-12-31"}
    frame = made.rename(columns={"customer": "id"})[["id", "start", "end"]]
    # Who has one more lifetime when the first is taken away comes back.
    lives = lk.customer_lifetimes(frame, "id", "start", **terms)
    over = lives["start"] + pd.to_timedelta(lives["duration"], "D")
    rest = frame.merge(lives.assign(over=over)[["id", "over", "event"]], on="id")
    back = rest["id"][rest["event"] & (rest["start"] > rest["over"])]
    assert back.nunique() > 50
    compare_with_flow(frame[~frame["id"].isin(back)], terms)
    some = frame[frame["id"] % 20 == 7].itertuples(index=False)
    rows = [(who, a, None if pd.isna(b) else b) for who, a, b in some]
    naive = oracles.contract_lifetimes(rows, 0, dt.datetime(2026, 1, 1))
    found = {row["id"]: tuple(row.values())[1:] for row in frame_rows(lives)}
    assert {who: found[who] for who in naive} == {who: life[:3] for who, life in naive.items()}
    assert len(naive) > 40


# ---- no bias ------------------------------------------------------------------------------------


def survival(lives: pd.DataFrame, day: int, entry: Any = 0) -> float:
    """Return the share that outlives a day, by Kaplan and Meier."""
    left, duration, event = 1.0, lives["duration"].to_numpy(), lives["event"].to_numpy()
    entry = np.broadcast_to(entry, len(lives))
    for t in np.unique(duration[event & (duration <= day)]):
        here = ((entry < t) | ((t == 0) & (entry == 0))) & (duration >= t)
        left *= 1 - (event & (duration == t)).sum() / here.sum()
    return left


def renewals(seed: int, n: int = 20_000) -> pd.DataFrame:
    """Return contracts of 30 days, of which 4 in 5 are renewed within 10 days."""
    rng = np.random.default_rng(seed)
    terms = rng.geometric(0.2, n)
    place = np.arange(terms.sum()) - np.repeat(np.cumsum(terms) - terms, terms)
    pause = np.where(place == 0, 0, rng.integers(0, 11, terms.sum()))
    walked = np.cumsum(30 + pause)
    first = np.repeat(np.cumsum(terms) - terms, terms)
    since = walked - walked[first]  # days from the first start
    joined = np.repeat(rng.integers(0, 300, n), terms)
    start = np.datetime64("2025-01-01") + joined + since
    return pd.DataFrame({"id": np.repeat(np.arange(n), terms), "start": start, "end": start + 30})


def test_a_gap_at_the_end_of_observation_biases_nothing() -> None:
    frame = renewals(11)
    terms: dict[str, Any] = {"contract_end": "end", "gap": 10}
    told = lk.customer_lifetimes(frame, "id", "start", as_of="2030-12-31", **terms)
    early = lk.customer_lifetimes(frame, "id", "start", as_of="2025-10-31", **terms)
    assert told["event"].all()
    assert 0.3 < (~early["event"]).mean() < 0.7
    for day in (30, 80, 150, 220):
        share = (told["duration"] > day).mean()
        error = (share * (1 - share) / (~early["event"]).sum()) ** 0.5
        assert survival(early, day) == pytest.approx(share, abs=3 * error)
    # Followed to the end of observation, they would seem to live too long.
    longer = early.assign(duration=early["duration"] + 10 * ~early["event"])
    share = (told["duration"] > 220).mean()
    assert survival(longer, 220) > survival(early, 220) > 0


def test_late_entry_biases_nothing() -> None:
    """A list that begins with those in force: who had left before is not in it."""
    frame = renewals(12)
    terms: dict[str, Any] = {"contract_end": "end", "gap": 10, "as_of": "2030-12-31"}
    told = lk.customer_lifetimes(frame, "id", "start", **terms)
    since = pd.Timestamp("2025-09-01")
    over = told["start"] + pd.to_timedelta(told["duration"], "D")
    listed = frame[frame["id"].isin(told["id"][over > since])]
    late = lk.customer_lifetimes(listed, "id", "start", observed_from=since, **terms)
    assert (late["entry"] > 0).sum() > 3_000
    assert (late["entry"] < late["duration"]).all()
    for day in (30, 80, 150, 220):
        share = (told["duration"] > day).mean()
        assert survival(late, day, late["entry"]) == pytest.approx(share, abs=0.025)
    assert survival(late, 80) > (told["duration"] > 80).mean() + 0.05


# ---- the gap ------------------------------------------------------------------------------------


def test_gaps_written_out(engine: Engine) -> None:
    log = engine.frame(
        {
            "id": [1, 1, 1, 1, 2, 2, 3],
            "day": days(
                *("2026-01-01", "2026-01-08", "2026-01-08", "2026-01-15"),
                *("2026-01-01", "2026-02-01", "2026-01-20"),
            ),
        }
    )
    table = lk.inactivity_gap(log, "id", "day", share=2 / 3)
    assert type(table) is type(log)
    assert column_names(table) == ["gap", "n", "within", "proposed"]
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        (7, 2, pytest.approx(200 / 3), True),
        (31, 1, 100.0, False),
    ]


@pytest.mark.parametrize(("share", "proposed"), [(0.07, 7), (0.071, 8), (0.9, 90), (1, 100)])
def test_the_smallest_gap_that_covers_the_share(share: float, proposed: int) -> None:
    """One silence of each length from 1 to 100: 7 of them are 7 percent, and not less."""
    first = dt.date(2026, 1, 1)
    ids = [i for i in range(1, 101) for _ in range(2)]
    dates = [first + dt.timedelta(days=i * step) for i in range(1, 101) for step in (0, 1)]
    table = lk.inactivity_gap(pd.DataFrame({"id": ids, "day": dates}), "id", "day", share=share)
    assert list(table.loc[table["proposed"], "gap"]) == [proposed]


def test_no_gaps(engine: Engine) -> None:
    table = lk.inactivity_gap(log_of(engine, "2026-01-01", "2026-01-01"), "id", "day")
    assert frame_rows(table) == []
    assert column_names(table) == ["gap", "n", "within", "proposed"]


@given(case=cases(split=False))
@unhurried
def test_gaps_against_a_loop_and_shards_add_up(engine: Engine, case: Case) -> None:
    log, keywords = case.arguments(engine.name)
    del keywords["freq"]
    table = frame_rows(lk.inactivity_gap(log, "id", "day", **keywords))
    assert {row["gap"]: row["n"] for row in table} == oracles.gaps(case.log, case.end)
    assert sum(row["proposed"] for row in table) == bool(table)
    added: dict[int, int] = {}
    for odd in (0, 1):
        shard = [row for row in case.log if row[0] % 2 == odd and row[1] <= case.end]
        if shard:
            frame = engine.frame({"id": [i for i, _ in shard], "day": [day for _, day in shard]})
            for row in frame_rows(lk.inactivity_gap(frame, "id", "day")):
                added[row["gap"]] = added.get(row["gap"], 0) + row["n"]
    assert dict(sorted(added.items())) == {row["gap"]: row["n"] for row in table}


@given(case=cases(split=False))
@unhurried
def test_the_gap_that_covers_all_ends_no_life_that_went_on(case: Case) -> None:
    log, keywords = case.arguments("pandas")
    del keywords["freq"]
    table = lk.inactivity_gap(log, "id", "day", share=1.0, **keywords)
    gap = int(table["gap"].max()) if len(table) else 1
    for row in frame_rows(lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords)):
        last = max(day for who, day in case.log if who == row["id"] and day <= case.end)
        until = last + dt.timedelta(days=gap) if row["event"] else case.end
        assert row["start"] + dt.timedelta(days=row["duration"]) == until


# ---- bad input ----------------------------------------------------------------------------------

FUNCTIONS = [
    lambda log, **keywords: lk.customer_lifetimes(log, "id", "day", gap=5, **keywords),
    lambda log, **keywords: lk.inactivity_gap(log, "id", "day", **keywords),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rows_without_a_customer_or_a_date(engine: Engine, function: Any) -> None:
    columns: dict[str, list[Any]] = {"id": [1, 1, None], "day": [*days("2026-01-01"), None, None]}
    columns["day"][2] = dt.date(2026, 1, 2)
    with pytest.raises(DataError, match=r"^'(id|day)': 1 row without a (customer|date)"):
        function(engine.frame(columns))
    with pytest.warns(DroppedRowsWarning, match="^2 rows left out: no customer or no usable date"):
        function(engine.frame(columns), errors="coerce")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"as_of": "2025-01-01"}, ParameterError, "lies before the first row of the log"),
        ({"errors": "drop"}, ParameterError, "errors='drop' is not one of"),
        ({"tz": "Mars"}, ParameterError, "tz='Mars' is not a known time zone"),
    ],
)
def test_bad_parameters(
    function: Any, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(log_of(Engine("pandas"), "2026-01-01"), **keywords)


@pytest.mark.parametrize(
    ("share", "error", "message"),
    [
        (0, ParameterError, "share=0 must be above 0 and at most 1"),
        (90, ParameterError, r"share=90 must be .*\. Did you mean 0\.9\?"),
        (float("nan"), ParameterError, "share=nan must be above 0"),
        ("0.9", TypeError, "share must be a number, not str"),
    ],
)
def test_bad_shares(share: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lk.inactivity_gap(log_of(Engine("pandas"), "2026-01-01"), "id", "day", share=share)


@pytest.mark.parametrize(
    ("gap", "error"), [(0, ParameterError), (1.5, TypeError), (None, ParameterError)]
)
def test_bad_gaps(gap: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^gap") as caught:
        lk.customer_lifetimes(log_of(Engine("pandas"), "2026-01-01"), "id", "day", gap=gap)
    assert isinstance(caught.value, (TypeError, LoyaltyKitError))


def test_columns_that_are_not_there_or_taken() -> None:
    log = pd.DataFrame({"start": [1], "day": days("2026-01-01")})
    with pytest.raises(ColumnNotFoundError, match="customer='id': data has no such column"):
        lk.inactivity_gap(log, "id", "day")
    with pytest.raises(ParameterError, match="customer='start': a result table has a column"):
        lk.customer_lifetimes(log, "start", "day", gap=5)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"contract_end": "end"}, r"^as_of is needed with contract_end: contracts run on"),
        ({"contract_end": "start", "as_of": "2026-01-31"}, r"^contract_end='start' is the column"),
        ({"contract_end": "end", "as_of": "2026-01-31", "gap": -1}, r"^gap=-1 must be at least 0"),
        (
            {"contract_end": "end", "as_of": "2025-01-31"},
            r"^as_of=2025-01-31 lies before the first",
        ),
        ({"gap": 5, "observed_from": "2026-01-01"}, r"^observed_from is for contracts: name the"),
        ({}, r"^gap is needed for a log: .* inactivity_gap proposes one\.$"),
    ],
)
def test_parameters_that_contracts_need_or_refuse(keywords: dict[str, Any], message: str) -> None:
    frame = pd.DataFrame({"id": [1], "start": days("2026-01-01"), "end": [None]})
    with pytest.raises(ParameterError, match=message):
        lk.customer_lifetimes(frame, "id", "start", **keywords)


def test_contracts_that_cannot_be_read(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "id": [1, None, 3, 4],
        "start": days("2026-01-05", "2026-01-05", "2026-01-05", "2026-02-05"),
        "end": [None, None, dt.date(2026, 1, 7), dt.date(2026, 2, 4)],
    }
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2026-01-31"}
    with pytest.raises(DataError, match=r"^contract_end='end': 1 row with an end before 'start'"):
        lk.customer_lifetimes(engine.frame(columns), "id", "start", **terms)
    with pytest.warns(DroppedRowsWarning, match=r"^2 rows left out: no customer, no usable date,"):
        table = lk.customer_lifetimes(
            engine.frame(columns), "id", "start", errors="coerce", **terms
        )
    assert [tuple(row.values())[2:] for row in frame_rows(table)] == [(27, False), (2, True)]


def test_an_entry_is_no_name_for_a_customer_where_it_is_made() -> None:
    frame = pd.DataFrame({"entry": [1], "start": days("2026-01-01"), "end": [None]})
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2026-01-31"}
    assert len(lk.customer_lifetimes(frame, "entry", "start", **terms)) == 1
    with pytest.raises(ParameterError, match="customer='entry': a result table has a column"):
        lk.customer_lifetimes(frame, "entry", "start", observed_from="2026-01-01", **terms)


def test_zones_of_starts_and_ends(engine: Engine) -> None:
    """Midnight of 1 February in Jakarta is 17:00 of 31 January in UTC."""
    columns: dict[str, list[Any]] = {
        "id": [1],
        "start": [dt.datetime(2025, 12, 31, 17, tzinfo=dt.UTC)],
        "end": [dt.datetime(2026, 1, 31, 17, tzinfo=dt.UTC)],
    }
    types = {name: pa.timestamp("us", "UTC") for name in ("start", "end")}
    frame = engine.with_types(columns, types)
    terms: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28"}
    for zone, start in (("Asia/Jakarta", dt.date(2026, 1, 1)), ("UTC", dt.date(2025, 12, 31))):
        table = lk.customer_lifetimes(frame, "id", "start", tz=zone, **terms)
        assert [tuple(row.values()) for row in frame_rows(table)] == [(1, start, 31, True)]
    mixed = engine.with_types(columns, {"start": types["start"], "end": pa.timestamp("us")})
    with pytest.raises(DataError, match="time zone"):
        lk.customer_lifetimes(mixed, "id", "start", **terms)
