"""Revenue retention: the movements of amounts, the rates they make, and what is refused."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import random_logs
from conftest import CONSTRUCTORS, Engine, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import dropped
from scipy.special import stdtrit

import loyaltykit as lk
from loyaltykit import _logs, _revenue
from loyaltykit.errors import (
    ConcentrationWarning,
    DataError,
    LoyaltyKitError,
    ParameterError,
)

MOVEMENTS = ("start", "new", "expansion", "contraction", "churned", "reactivation", "end")

# The worked example of the field: a pays 20 more, b 10 less, c and d stop, e is new.
WORKED = [
    *(("a", 1, 100), ("b", 1, 50), ("c", 1, 30), ("d", 1, 20)),
    *(("a", 2, 120), ("b", 2, 40), ("d", 2, 0), ("e", 2, 70)),
]


def amounts(
    rows: Sequence[tuple[Any, int, Any]], make: Any = pd.DataFrame, **more: Sequence[Any]
) -> Any:
    """Return customers, months of 2026 and amounts as a frame."""
    who, months, paid = (list(column) for column in zip(*rows, strict=True))
    days = [dt.date(2026 + (month - 1) // 12, (month - 1) % 12 + 1, 15) for month in months]
    return make({"id": who, "day": days, "mrr": paid, **{k: list(v) for k, v in more.items()}})


def retained(data: Any, as_of: str = "2026-02-28", **options: Any) -> Any:
    return lk.revenue_retention(data, "id", "day", "mrr", as_of=as_of, **options)


def of(table: Any, metric: str, period: dt.date | None = None) -> dict[str, Any]:
    """Return the last row of a metric, or that of a period."""
    rows = [row for row in frame_rows(table) if row["metric"] == metric]
    return next(row for row in reversed(rows) if period in (None, row["period"]))


# ---- the rates ----------------------------------------------------------------------------------


def test_the_worked_example(engine: Engine) -> None:
    table = retained(amounts(WORKED, engine.frame))
    grr, nrr = of(table, "grr"), of(table, "nrr")
    assert (grr["estimate"], nrr["estimate"], nrr["logo_retention"]) == (70.0, 80.0, 50.0)
    assert (nrr["n"], nrr["retained"]) == (4, 2)
    assert [grr[name] for name in MOVEMENTS] == [200, 70, 20, 10, 50, 0, 230]
    assert [nrr[name] for name in MOVEMENTS] == [grr[name] for name in MOVEMENTS]
    first = frame_rows(table)[0]
    assert (first["coverage"], first["n"], first["end"]) == ("unobserved", None, None)


def test_the_total_of_the_smaller_side_would_hide_what_was_lost() -> None:
    # A vendor's printed example takes min(5000, 6000) / 5000 = 100 percent.
    rows = [("a", 1, 3000), ("b", 1, 2000), ("a", 2, 6000)]
    assert of(retained(amounts(rows)), "grr")["estimate"] == 60.0


def test_what_was_paid_in_between_is_not_lost_again() -> None:
    # Another's once took 1,379 of churn of a base of 500: 275.8 percent.
    rows = [("a", 1, 500), ("a", 2, 1379), ("b", 1, 1), ("b", 3, 1)]
    row = of(retained(amounts(rows), "2026-03-31", trailing=2), "grr")
    assert (row["churned"], row["start"], round(row["estimate"], 3)) == (500, 501, 0.2)


def test_earned_growth_is_that_of_its_authors() -> None:
    # Winning on Purpose, appendix B: base 100, 85 of it retained, 25 of new customers earned and 20
    # bought make 85 + 25 - 100 = 10.
    rows = [("a", 1, 60), ("b", 1, 40), ("a", 2, 85), ("c", 2, 25), ("d", 2, 20)]
    table = retained(amounts(rows, told=[False, False, False, True, False]), referred="told")
    row = of(table, "earned_growth")
    assert row["estimate"] == pytest.approx(10.0)
    assert of(table, "nrr")["estimate"] == pytest.approx(85.0)
    assert (row["referred"], row["referred_amount"], row["new"]) == (1, 25.0, 45.0)
    # The same as a ratio of amounts of three customers, less 100.
    x, y = [60.0, 40.0, 0.0], [85.0, 0.0, 25.0]
    _, error, *_ = oracles.ratio_interval(x, y, 0.95)
    assert row["std_error"] == pytest.approx(100 * error)


def test_tools_that_count_what_returned_customers_pay() -> None:
    rows = [*((who, month + 1, paid) for who, month, paid in WORKED), ("f", 1, 8), ("f", 3, 10)]
    rows.append(("z", 1, 1))
    data = amounts(rows)
    plain, tool = (retained(data, "2026-03-31", like=like) for like in ("chartmogul", "chargify"))
    assert of(plain, "nrr") == of(retained(data, "2026-03-31"), "nrr")
    assert of(plain, "nrr")["estimate"] == 80.0
    row = of(tool, "nrr")
    assert (row["estimate"], row["reactivation"], row["reactivated"]) == (85.0, 10.0, 1)
    assert "reactivation=counted" in row["definition"]
    assert of(tool, "grr")["estimate"] == 70.0
    x, y = [100.0, 50.0, 30.0, 20.0, 0.0], [120.0, 40.0, 0.0, 0.0, 10.0]
    _, error, *_ = oracles.ratio_interval(x, y, 0.95)
    assert row["std_error"] == pytest.approx(100 * error)


def test_a_year_against_the_one_before_takes_who_was_there_then() -> None:
    rows = [("a", 1, 100), ("b", 1, 100), *(("b", month, 100) for month in range(2, 14))]
    rows += [("g", 7, 50), ("g", 13, 100), ("a", 13, 50)]
    data = amounts(rows)
    table = retained(data, "2027-01-31", like="saas_capital")
    row = of(table, "nrr")
    assert (row["estimate"], row["start"], row["new"], row["contraction"]) == (75.0, 200, 100, 50)
    assert row["definition"] == "basis=log;freq=month;trailing=12;reactivation=apart;amount=mrr"
    assert [r["coverage"] for r in frame_rows(table)].count("unobserved") == 24
    assert frame_rows(retained(data, "2027-01-31", trailing=12)) == frame_rows(table)


@pytest.mark.parametrize("trailing", [1, 2])
def test_the_last_period_of_one_customer_is_not_the_base_of_the_next(trailing: int) -> None:
    paid = _revenue.Paid(
        np.array([0, 0, 1, 1, 2]),
        np.array([0, 3, 0, 1, 2]),
        np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        np.array([0, 0, 2]),
    )
    active = _logs.Activity(paid.customer, paid.period, 0, 4, "month")
    made = _revenue.moves_of(paid, active, 0, trailing, None)
    rows = sorted(zip(*(part.tolist() for part in made[:5]), strict=True))
    wanted = {
        1: [
            *((0, 1, 1.0, 0.0, False), (0, 3, 0.0, 2.0, False)),
            *((1, 1, 4.0, 8.0, False), (1, 2, 8.0, 0.0, False)),
            *((2, 2, 0.0, 16.0, True), (2, 3, 16.0, 0.0, False)),
        ],
        2: [
            *((0, 2, 1.0, 0.0, False), (0, 3, 0.0, 2.0, False)),
            *((1, 2, 4.0, 0.0, False), (1, 3, 8.0, 0.0, False), (2, 2, 0.0, 16.0, True)),
        ],
    }
    assert rows == wanted[trailing]


# ---- intervals ----------------------------------------------------------------------------------


def test_the_gross_rate_has_wilson_limits_of_the_customers_that_the_amounts_are_worth() -> None:
    row = of(retained(amounts(WORKED)), "grr")
    worth = 200**2 / (100**2 + 50**2 + 30**2 + 20**2)
    assert row["n_effective"] == pytest.approx(worth)
    # statsmodels 0.14.6: proportion_confint(0.7 * worth, worth, method="wilson")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((22.175371, 95.026686), abs=1e-6)
    assert row["std_error"] == pytest.approx(100 * math.sqrt(0.7 * 0.3 / worth))


def test_the_net_rate_has_a_linearised_error_and_few_degrees_of_freedom() -> None:
    rng = np.random.default_rng(7)
    start = rng.lognormal(4, 1, 40)
    end = start * rng.choice([0, 0.5, 1, 1.5, 2.5], 40)
    rows = [*((i, 1, s) for i, s in enumerate(start)), *((i, 2, e) for i, e in enumerate(end))]
    row = of(retained(amounts(rows)), "nrr")
    naive = oracles.ratio_interval(start.tolist(), end.tolist(), 0.95)
    made = [row[name] for name in ("estimate", "std_error", "ci_low", "ci_high")]
    assert made == pytest.approx([100 * max(value, 0.0) for value in naive])


def least_error(start: Any, end: Any) -> float:
    """Return the error of the gross rate with two customers more who stay, and two who leave."""
    worth = sum(start) ** 2 / sum(s * s for s in start)
    kept = sum(min(s, e) for s, e in zip(start, end, strict=True)) / sum(start)
    share = (kept * worth + 2) / (worth + 4)
    return 100 * math.sqrt(share * (1 - share) / (worth + 4))


@pytest.mark.parametrize("metric", ["nrr", "earned_growth"])
def test_the_net_rate_of_a_quiet_month_allows_for_those_who_might_have_changed(metric: str) -> None:
    start = [10.0] * 25 + [20.0] * 25
    end = [0.0, *start[1:-1], 30.0]
    rows = [*((i, 1, s) for i, s in enumerate(start)), *((i, 2, e) for i, e in enumerate(end))]
    table = retained(amounts(rows, told=[False] * len(rows)), referred="told")
    row = of(table, metric)
    least, worth = least_error(start, end), row["n_effective"]
    assert row["std_error"] < 0.8 * least
    margin = stdtrit(worth - 1, 0.975) * least
    assert [row["estimate"] - row["ci_low"], row["ci_high"] - row["estimate"]] == pytest.approx(
        [margin, margin]
    )
    # A pooled row has the same limits.
    alone = table[(table["metric"] == metric) & (table["coverage"] == "observed")]
    pooled = lk.pool(alone, over="period").iloc[0]
    assert (pooled["ci_low"], pooled["ci_high"]) == (row["ci_low"], row["ci_high"])


def test_quiet_months_are_compared_with_the_errors_of_their_intervals() -> None:
    rows = [(who, month, 10.0) for who in range(80) for month in (1, 2)]
    rows[1] = (0, 2, 0.0)
    data = amounts(rows, sector=["B2B" if who < 40 else "B2C" for who, _, _ in rows])
    table = retained(data, by="sector")
    nrr = table[(table["metric"] == "nrr") & (table["coverage"] == "observed")]
    (change,) = frame_rows(lk.compare(nrr, "sector"))
    one, other = least_error([10] * 40, [0] + [10] * 39), least_error([10] * 40, [10] * 40)
    # The linearised error of one who leaves of 40 is 2.5, that of nobody is not known.
    assert (change["difference"], change["std_error"]) == (pytest.approx(-2.5), None)
    assert change["statistic"] == pytest.approx(-2.5 / math.hypot(one, other))
    assert change["ci_low"] < 0 < change["ci_high"]
    # At the level at which the interval touches 0, p says the same.
    level = 1.0 - change["p_value"]
    (touching,) = frame_rows(lk.compare(nrr, "sector", confidence_level=level))
    assert touching["ci_high"] == pytest.approx(0.0, abs=1e-9)


def test_the_bootstrap_draws_customers() -> None:
    data = amounts(WORKED)
    row = of(retained(data, method="bootstrap", rng=1, n_resamples=20_000), "nrr")
    assert row["method"] == "bootstrap"
    # All samples of four with repetition, each as likely as another.
    pairs = [(100, 120), (50, 40), (30, 0), (20, 0)]
    draws = np.array(np.meshgrid(*[range(4)] * 4)).reshape(4, -1)
    x, y = np.array(pairs).T
    exact = 100 * y[draws].sum(axis=0) / x[draws].sum(axis=0)
    low, high = np.quantile(exact, [0.025, 0.975])
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1.5)
    again = of(retained(data, method="bootstrap", rng=1, n_resamples=20_000), "nrr")
    assert again["ci_low"] == row["ci_low"]
    shuffled = of(retained(data[::-1], method="bootstrap", rng=1, n_resamples=20_000), "nrr")
    assert shuffled["ci_high"] == row["ci_high"]


def test_without_an_interval_nothing_is_said_of_errors() -> None:
    for metric in ("grr", "nrr"):
        row = of(retained(amounts(WORKED), method="none"), metric)
        assert row["method"] == "none"
        assert [row[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3


@pytest.mark.parametrize(
    ("rows", "grr", "nrr"),
    [
        ([("a", 1, 10), ("a", 2, 10)], 100.0, 100.0),
        ([("a", 1, 10), ("a", 2, 0)], 0.0, 0.0),
        ([("a", 1, 10), ("b", 2, 5)], 0.0, 0.0),
        ([("a", 1, 0), ("a", 2, 5)], None, None),
        ([("a", 1, 10), ("b", 1, 10), ("c", 1, 10), ("b", 2, 10), ("c", 2, 10)], 200 / 3, 200 / 3),
    ],
    ids=["one stays", "one stops", "another comes", "nobody paid", "all that is alike"],
)
def test_few_customers(rows: Any, grr: float | None, nrr: float | None) -> None:
    table = retained(amounts(rows))
    found = [of(table, metric)["estimate"] for metric in ("grr", "nrr")]
    assert found == [pytest.approx(value) if value is not None else None for value in (grr, nrr)]


def test_where_all_have_the_same_ratio_the_error_is_that_of_the_gross_rate() -> None:
    rows = [(who, month, 10 * month) for who in "abc" for month in (1, 2)]
    row = of(retained(amounts(rows)), "nrr")
    assert (row["estimate"], row["std_error"]) == (200.0, None)
    # 5 / 7 of seven, and two degrees of freedom
    margin = 100 * stdtrit(2, 0.975) * math.sqrt(5 / 7 * 2 / 7 / 7)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((200 - margin, 200 + margin))
    assert of(retained(amounts(rows)), "grr")["ci_low"] == pytest.approx(43.850, abs=1e-3)


def test_one_large_customer_is_warned_of() -> None:
    rows = [(who, month, 900 if who == 0 else 10) for who in range(11) for month in (1, 2)]
    with pytest.warns(ConcentrationWarning, match=r"In 1 row.* 11 are worth 1\.2 equal ones"):
        table = retained(amounts(rows))
    assert of(table, "nrr")["n_effective"] == pytest.approx(1000**2 / (900**2 + 10 * 10**2))
    assert of(retained(amounts(rows), method="none"), "grr")["estimate"] == 100.0


def test_draws_without_end_are_refused() -> None:
    rows = [(who, month, 10) for who in range(40) for month in (1, 2)]
    with pytest.raises(ParameterError, match=r"40 customers 60,000,000 times over.*50,000,000"):
        retained(amounts(rows), method="bootstrap", n_resamples=60_000_000)


# ---- movements, one customer after another ------------------------------------------------------

PAID = st.sampled_from([0.0, 0.1, 0.2, 0.3, 9.5, 10.0, 1e6])


class Revenue(NamedTuple):
    case: random_logs.Case
    paid: list[float]
    trailing: int
    observed_from: dt.date | None


@st.composite
def revenues(draw: st.DrawFn) -> Revenue:
    drawn = draw(random_logs.options())
    paid = draw(st.lists(PAID, min_size=len(drawn.case.log), max_size=len(drawn.case.log)))
    return Revenue(drawn.case, paid, draw(st.integers(1, 3)), drawn.observed_from)


def check(table: Any, naive: list[dict[str, Any]]) -> None:
    """Hold a table against the rows of the naive one that have customers."""
    metrics: dict[Any, dict[str, dict[str, Any]]] = {}
    for row in frame_rows(table):
        metrics.setdefault((row.get("key"), row["period"]), {})[row["metric"]] = row
    told = {(row.get("key"), row["period"]): row for row in naive if "units" in row}
    for at, row in told.items():
        if not row["units"] and at not in metrics:
            continue
        rates = oracles.revenue_rates(row)
        for metric, made in metrics[at].items():
            assert made["coverage"] == row["coverage"]
            assert (made["n"], made["retained"]) == (row["n"], row["retained"])
            for name in MOVEMENTS:
                assert made[name] == pytest.approx(row[name], rel=1e-12, abs=1e-9)
            if rates[metric] is None:
                assert made["estimate"] is None
            else:
                assert made["estimate"] == pytest.approx(rates[metric], rel=1e-12, abs=1e-9)
            added = made["start"] + made["new"] + made["expansion"] + made["reactivation"]
            assert added - made["contraction"] - made["churned"] == pytest.approx(
                made["end"], abs=1e-6
            )
        if metrics[at]["grr"]["estimate"] is not None:
            assert 0 <= metrics[at]["grr"]["estimate"] <= 100
            assert metrics[at]["grr"]["estimate"] <= metrics[at]["nrr"]["estimate"]
    unknown = {row["period"] for row in naive if row["coverage"] == "unobserved"}
    for (_, period), made in metrics.items():
        assert (made["grr"]["coverage"] == "unobserved") == (period in unknown)
        assert (made["grr"]["n"] is None) == (period in unknown)


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ConcentrationWarning")
@pytest.mark.parametrize("name", CONSTRUCTORS)
@settings(deadline=None, max_examples=30)
@given(drawn=revenues())
def test_a_log_is_followed_customer_by_customer(name: str, drawn: Revenue) -> None:
    case = drawn.case
    frame, keywords = case.arguments(name)
    frame = with_column(name, frame, "mrr", drawn.paid)
    keywords |= {"trailing": drawn.trailing, "observed_from": drawn.observed_from}
    table = lk.revenue_retention(frame, "id", "day", "mrr", **keywords)
    log = [(*row, paid) for row, paid in zip(case.log, drawn.paid, strict=True)]
    naive = oracles.log_revenue(
        log,
        case.freq,
        case.end,
        case.key_at,
        trailing=drawn.trailing,
        observed_from=drawn.observed_from,
    )
    check(table, naive)


def with_column(name: str, frame: Any, column: str, values: list[Any]) -> Any:
    if name.startswith("pandas"):
        return frame.assign(**{column: values})
    if name == "polars":
        return frame.with_columns(pl.Series(column, values))
    return frame.append_column(column, pa.array(values))


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ConcentrationWarning")
@pytest.mark.parametrize("name", CONSTRUCTORS)
@settings(deadline=None, max_examples=30)
@given(case=random_logs.contracts(), data=st.data())
def test_contracts_are_looked_at_when_each_span_opens_and_closes(
    name: str, case: random_logs.Contracts, data: st.DataObject
) -> None:
    paid = data.draw(st.lists(PAID, min_size=len(case.rows), max_size=len(case.rows)))
    trailing = data.draw(st.integers(1, 3))
    frame, keywords = case.arguments(name)
    frame = with_column(name, frame, "mrr", paid)
    table = lk.revenue_retention(frame, "id", "start", "mrr", trailing=trailing, **keywords)
    naive = oracles.contract_revenue(
        [(*row, amount) for row, amount in zip(case.rows, paid, strict=True)],
        case.freq,
        case.until,
        case.key_at,
        trailing=trailing,
        observed_from=case.observed_from,
    )
    check(table, naive)


@settings(deadline=None, max_examples=40)
@given(drawn=revenues())
@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ConcentrationWarning")
def test_shards_of_customers_add_up(drawn: Revenue) -> None:
    case = drawn.case
    log = [(*row, paid) for row, paid in zip(case.log, drawn.paid, strict=True)]
    # Of one calendar: a row of nobody stands for its ends.
    bounds = [(0, min(day for day in (row[1] for row in log)), 0.0), (0, case.end, 0.0)]
    options: dict[str, Any] = {"freq": case.freq, "as_of": case.end, "trailing": drawn.trailing}

    def made(rows: list[tuple[int, dt.date, float]]) -> Any:
        frame = pd.DataFrame([*rows, *bounds], columns=["id", "day", "mrr"])
        table = lk.revenue_retention(frame, "id", "day", "mrr", **options)
        return table[table["metric"] == "nrr"]

    parts = [made([row for row in log if row[0] % 2 == side]) for side in (0, 1)]
    stacked = pd.concat([part.assign(shard=i) for i, part in enumerate(parts)])
    head = ["shard", *(name for name in stacked.columns if name != "shard")]
    pooled, whole = lk.pool(stacked[head], over="shard"), made(log)
    for one, other in zip(frame_rows(pooled), frame_rows(whole), strict=True):
        for name in ("n", "retained", *MOVEMENTS, "estimate", "std_error", "ci_high"):
            assert one[name] == (other[name] if other[name] is None else pytest.approx(other[name]))


# ---- splits and comparisons ---------------------------------------------------------------------


def test_groups_are_compared_and_pooled() -> None:
    rng = np.random.default_rng(3)
    who = np.arange(80)
    start = rng.lognormal(3, 0.6, 80)
    end = start * rng.choice([0, 0.5, 1, 1.2], 80)
    data = pd.DataFrame(
        {
            "id": [*who, *who],
            "day": ["2026-01-01"] * 80 + ["2026-02-01"] * 80,
            "mrr": [*start, *end],
            "sector": [*(["B2B", "B2C"] * 40)] * 2,
        }
    )
    table = retained(data, by="sector")
    nrr = table[(table["metric"] == "nrr") & (table["coverage"] == "observed")]
    change = lk.compare(nrr, "sector").iloc[0]
    b2b, b2c = nrr.iloc[0], nrr.iloc[1]
    assert change["difference"] == pytest.approx(b2b["estimate"] - b2c["estimate"])
    assert change["std_error"] == pytest.approx(np.hypot(b2b["std_error"], b2c["std_error"]))
    spare = [row["n_effective"] - 1 for row in (b2b, b2c)]
    quantiles = stdtrit(spare, 0.975)
    parts = [
        ((row["ci_high"] - row["estimate"]) / quantile) ** 2
        for row, quantile in zip((b2b, b2c), quantiles, strict=True)
    ]
    df = sum(parts) ** 2 / sum(p * p / d for p, d in zip(parts, spare, strict=True))
    assert (change["df"], change["method"]) == (pytest.approx(df), "welch")
    assert change["unit"] == "percentage_points"

    grr = table[(table["metric"] == "grr") & (table["coverage"] == "observed")]
    change = lk.compare(grr, "sector").iloc[0]
    one, other = grr.iloc[0], grr.iloc[1]
    assert change["method"] == "mover"
    low = change["difference"] - np.hypot(
        one["estimate"] - one["ci_low"], other["ci_high"] - other["estimate"]
    )
    assert change["ci_low"] == pytest.approx(low)
    with pytest.raises(ParameterError, match="n_minus_1"):
        lk.compare(grr, "sector", method="n_minus_1")
    total = retained(data)
    whole = total[(total["metric"] == "grr") & (total["coverage"] == "observed")].iloc[0]
    pooled = lk.pool(grr, over="sector").iloc[0]
    for name in ("estimate", "ci_low", "n_effective", "logo_retention", *MOVEMENTS):
        assert pooled[name] == pytest.approx(whole[name])
    rest = lk.compare(grr, "sector", reference="rest")
    assert rest["difference"].tolist() == pytest.approx(
        [one["estimate"] - other["estimate"], other["estimate"] - one["estimate"]]
    )


def test_sides_that_are_worth_fewer_than_two_customers_are_not_compared() -> None:
    rows = [(who, month, 990 if who == 0 else 10 + who) for who in range(40) for month in (1, 2)]
    rows[3] = (1, 2, 0)
    data = amounts(rows, sector=["B2B" if who < 20 else "B2C" for who, _, _ in rows])
    with pytest.warns(ConcentrationWarning):
        table = retained(data, by="sector")
    nrr = table[(table["metric"] == "nrr") & (table["coverage"] == "observed")]
    (change,) = frame_rows(lk.compare(nrr, "sector"))
    assert [change[name] for name in ("ci_low", "ci_high", "p_value")] == [None] * 3


def test_spans_that_overlap_are_not_pooled() -> None:
    rows = [(who, month, 10 + who) for who in range(4) for month in (1, 2, 3, 4)]
    table = retained(amounts(rows), "2026-04-30", trailing=2)
    nrr = table[table["metric"] == "nrr"]
    with pytest.raises(ParameterError, match=r"over='period': the rows of trailing=2 overlap"):
        lk.pool(nrr, over="period")


def test_revenue_is_not_explained_by_mix() -> None:
    data = amounts(WORKED, sector=list("xxyyxxyy"))
    table = retained(data, by="sector")
    nrr = table[table["metric"] == "nrr"]
    with pytest.raises(ParameterError, match="nrr is a ratio of amounts"):
        lk.explain_change(nrr, "period", reference="previous", segment="sector")


def test_rates_stand_on_a_scorecard() -> None:
    table = retained(amounts(WORKED))
    rows = [table[table["metric"] == metric].tail(1) for metric in ("grr", "nrr")]
    card = lk.scorecard(*rows)
    assert card["estimate"].tolist() == [70.0, 80.0]


# ---- bad input ----------------------------------------------------------------------------------


def test_credits_lower_an_amount_and_never_below_nothing(engine: Engine) -> None:
    rows = [("a", 1, 100.0), ("a", 2, 120.0), ("a", 2, -20.0)]
    assert of(retained(amounts(rows, engine.frame)), "nrr")["estimate"] == 100.0
    # Three tenths less a tenth and two tenths are nothing, and not 5.6e-17.
    rows = [("a", 1, 1.0), ("a", 2, 0.1), ("a", 2, 0.2), ("a", 2, -0.3)]
    row = of(retained(amounts(rows, engine.frame)), "grr")
    assert (row["estimate"], row["retained"]) == (0.0, 0)
    rows = [("a", 1, 100.0), ("a", 2, -20.0), ("b", 2, -1.0), ("b", 1, 5.0)]
    for errors in ("raise", "coerce"):
        with pytest.raises(DataError, match=r"'mrr'.*below|less than 0 in 2 cases.*'a', 'b'"):
            retained(amounts(rows, engine.frame), errors=errors)


def test_amounts_before_the_periods_reported_may_be_credits() -> None:
    rows = [("a", 1, -5.0), ("a", 3, 10.0), ("a", 4, 10.0), ("b", 1, 3.0), ("b", 4, 4.0)]
    row = of(retained(amounts(rows), "2026-04-30", observed_from="2026-03-01"), "nrr")
    assert (row["estimate"], row["reactivation"], row["new"]) == (100.0, 4.0, 0.0)


def test_amounts_of_one_period_add_up() -> None:
    rows = [("a", 1, 10), ("a", 1, 10), ("a", 2, 15)]
    assert of(retained(amounts(rows)), "grr")["estimate"] == 75.0


def test_several_currencies_are_refused_unless_they_are_split() -> None:
    rows = [("a", 1, 10), ("b", 1, 150_000), ("a", 2, 9), ("b", 2, 150_000)]
    data = amounts(rows, coin=["USD", "IDR"] * 2, land=["US", "ID"] * 2)
    with pytest.raises(DataError, match=r"currency='coin' holds 'IDR', 'USD' in one group"):
        retained(data, currency="coin")
    table = retained(data, currency="coin", by="coin")
    assert table[table["metric"] == "grr"]["estimate"].dropna().tolist() == [100.0, 90.0]
    assert len(retained(data, currency="coin", by="land")) == len(table)
    alone = data[data["coin"] == "USD"]
    assert of(retained(alone, currency="coin"), "grr")["estimate"] == 90.0
    gaps = data.assign(coin=["USD", None, "USD", None])
    with pytest.raises(DataError, match=r"'USD', 'null'"):
        retained(gaps, currency="coin")


def test_rows_without_an_amount(engine: Engine) -> None:
    rows = [("a", 1, 100.0), ("b", 1, 50.0), ("a", 2, 100.0), ("b", 2, None)]
    data = amounts(rows, engine.frame)
    with pytest.raises(DataError, match="'mrr': 1 row without a finite amount"):
        retained(data)
    table, message = dropped(retained, data, errors="coerce")
    assert "1 row" in message
    assert of(table, "nrr")["estimate"] == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trailing": 0}, "trailing"),
        ({"trailing": 3, "like": "chargify"}, "trailing=3 contradicts like='chargify'"),
        ({"freq": "quarter", "like": "saas_capital"}, "freq='quarter' contradicts"),
        ({"like": "stripe"}, "like"),
        ({"method": "wilson"}, "method"),
        ({"contract_end": "day"}, "contract_end"),
        ({"n_resamples": 5}, "n_resamples"),
        ({"currency": "coin"}, "coin"),
        ({"referred": "told"}, "told"),
        ({"by": "estimate"}, "a result table has a column of that name"),
    ],
)
def test_parameters_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LoyaltyKitError, match=message):
        retained(amounts(WORKED), **options)


def test_text_is_no_amount() -> None:
    data = amounts([("a", 1, "€10"), ("a", 2, "€10")])
    with pytest.raises(DataError, match="amount='mrr' must be a column of numbers"):
        retained(data)


def test_a_log_without_rows_has_no_rates(engine: Engine) -> None:
    data = amounts(WORKED, engine.frame)
    assert len(retained(data[:0] if not hasattr(data, "slice") else data.slice(0, 0))) == 0


def test_movements_are_counted_in_blocks_as_at_once() -> None:
    rng = np.random.default_rng(1)
    size = 200_000
    start, end = (rng.integers(0, 3, size).astype(np.float64) for _ in range(2))
    new, codes = rng.random(size) < 0.5, rng.integers(0, 4, size)
    nobody = np.zeros(0, dtype=np.int64)
    moves = _revenue.Moves(nobody, nobody, start, end, new, None)
    whole = _revenue.added(moves, codes, 4, len(_revenue.SUMS))
    for code in range(4):
        mine = codes == code
        one = dict(zip(_revenue.SUMS, whole[code], strict=True))
        assert one["start"] == start[mine].sum()
        assert one["new"] == end[mine & (start == 0) & new].sum()
        assert one["amount_cross"] == (start * end)[mine].sum()
