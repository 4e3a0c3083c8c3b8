"""Weights, clusters, strata and a finite population, through the metrics that take them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import Engine, frame_rows
from scipy import stats

import loyaltykit as lk
from loyaltykit.errors import ColumnNotFoundError, DataError, ParameterError

# Values by answer: what each metric is the mean of.
VALUES: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[int], float], float]] = {
    "nps": (
        lk.nps,
        {"scale": (1, 7), "promoter_min": 6, "detractor_max": 3},
        lambda a: (a > 5) - (a < 4),
        100,
    ),
    "csat": (lk.csat, {"scale": (1, 7)}, lambda a: a > 5, 100),
    "ces mean": (lk.ces, {}, lambda a: a, 1),
    "ces box": (lk.ces, {"statistic": "box"}, lambda a: a > 4, 100),
    "ces net": (lk.ces, {"statistic": "net"}, lambda a: (a > 4) - (a < 4), 100),
}
DESIGNS: dict[str, dict[str, Any]] = {
    "weights": {"weights": "weight"},
    "clusters": {"clusters": "account"},
    "strata": {"weights": "weight", "strata": "region"},
    "population": {"weights": "weight", "population": 500},
    "all": {
        **{"weights": "weight", "clusters": "account", "strata": "region"},
        "population": {"north": 40, "south": 30},
    },
}


def sample(seed: int, length: int = 80) -> dict[str, list[Any]]:
    """Return answers of accounts that lie in one region each, some missing, some without weight."""
    rng = np.random.default_rng(seed)
    account = rng.integers(0, 12, length)
    return {
        "sector": [["B2B", "B2C", None][i] for i in rng.integers(0, 3, length)],
        "answer": [None if a == 8 else int(a) for a in rng.integers(1, 9, length)],
        "weight": [
            float(w) for w in rng.choice([0.0, 0.4, 1.0, 2.75], length, p=[0.1, 0.3, 0.3, 0.3])
        ],
        "account": account.tolist(),
        "region": [["north", "south"][a % 2] for a in account.tolist()],
    }


def wilson(share: float, n: float, t: float) -> tuple[float, float]:
    centre, margin = (
        share + t * t / (2 * n),
        t * math.sqrt(share * (1 - share) / n + t * t / (4 * n * n)),
    )
    return (centre - margin) / (1 + t * t / n), (centre + margin) / (1 + t * t / n)


def score_statistic(up: float, down: float, n: float, theta: float) -> float:
    """Tango's statistic for n answers with these shares, by his formula."""
    b, c = -up - down + (2 - up + down) * theta, -down * theta * (1 - theta)
    q = (math.sqrt(b * b - 8 * c) - b) / 4
    return n * (up - down - theta) ** 2 / (2 * q + theta * (1 - theta))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("metric", VALUES)
def test_against_sums_over_answers_one_by_one(engine: Engine, metric: str, design: str) -> None:
    function, options, value, factor = VALUES[metric]
    data, named = sample(1), DESIGNS[design]
    table = frame_rows(function(engine.frame(data), "answer", by="sector", **options, **named))
    size = len(data["answer"])
    weight = data["weight"] if "weights" in named else [1.0] * size
    kept = [i for i in range(size) if data["answer"][i] is not None and weight[i] > 0]
    units = [data["account"][i] if "clusters" in named else i for i in kept]
    names = sorted(set(data["region"])) if "strata" in named else ["all"]
    strata = [names.index(data["region"][i]) if "strata" in named else 0 for i in kept]
    given: Any = named.get("population", math.inf)
    population = [given[name] if isinstance(given, dict) else given for name in names]
    values = [float(value(data["answer"][i])) for i in kept]
    weights = [weight[i] for i in kept]
    assert [row["sector"] for row in table] == ["B2B", "B2C", None]
    for row in table:
        mine = [data["sector"][i] == row["sector"] for i in kept]
        variance = oracles.linearised_variance(values, weights, mine, units, strata, population)
        assert variance is not None
        of_mine = [(y, w) for y, w, inside in zip(values, weights, mine, strict=True) if inside]
        total = math.fsum(w for _, w in of_mine)
        mean = math.fsum(w * y for y, w in of_mine) / total
        spread = math.fsum(w * (y - mean) ** 2 for y, w in of_mine) / total
        df = len(set(units)) - len(names)
        assert row["n"] == len(of_mine)
        assert row["n"] + row["n_missing"] == data["sector"].count(row["sector"])
        assert row["estimate"] == pytest.approx(factor * mean, rel=1e-12)
        assert row["std_error"] == pytest.approx(factor * math.sqrt(variance), rel=1e-9)
        assert row["n_effective"] == pytest.approx(spread / variance, rel=1e-9)
        assert row["df"] == df
        t, n = stats.t.ppf(0.975, df), row["n_effective"]
        low, high = row["ci_low"] / factor, row["ci_high"] / factor
        if metric == "ces mean":  # of no more units than the group has
            units_of_mine = [unit for unit, inside in zip(units, mine, strict=True) if inside]
            t = stats.t.ppf(0.975, min(df, len(set(units_of_mine)) - 1))
            error = t * math.sqrt(variance)
            assert (low, high) == pytest.approx((mean - error, mean + error), rel=1e-9)
        elif metric in ("csat", "ces box"):
            assert (low, high) == pytest.approx(wilson(mean, n, t), rel=1e-9)
        else:
            up = math.fsum(w for y, w in of_mine if y > 0) / total
            for limit in (low, high):
                found = score_statistic(up, up - mean, n, limit)
                assert found == pytest.approx(t * t, rel=1e-6)


@pytest.mark.parametrize("times", [10.0, 1e-6])
def test_weights_are_no_frequencies(times: float) -> None:
    """Ten times the weight is the same answer."""
    data = pd.DataFrame(sample(2))
    plain = lk.nps(data, "answer", by="sector", weights="weight", scale=(1, 10))
    data["weight"] *= times
    scaled = lk.nps(data, "answer", by="sector", weights="weight", scale=(1, 10))
    names = ["n", "estimate", "std_error", "ci_low", "ci_high", "n_effective", "df"]
    pd.testing.assert_frame_equal(plain[names], scaled[names], rtol=1e-12)


def test_weights_of_statsmodels_are_frequencies() -> None:
    """DescrStatsW(y, w).std_mean is 0.203279, and 0.061571 with ten times the weights (0.15.0)."""
    data = pd.DataFrame({"nps": [10, 9, 7, 0, 10, 8, 9, 3], "w": [1, 2, 1, 0.5, 3, 1, 2, 0.5]})
    errors = [
        lk.nps(data.assign(w=data["w"] * times), "nps", weights="w")["std_error"][0] / 100
        for times in (1, 10)
    ]
    assert errors == pytest.approx([0.20682397582487075] * 2, rel=1e-12)


def test_ten_equal_answers_of_thirty_accounts_are_thirty_answers() -> None:
    first = pd.DataFrame({"account": range(30), "nps": [10] * 15 + [8] * 8 + [3] * 7})
    each = lk.nps(first, "nps", weights=None, clusters="account")
    ten = lk.nps(pd.concat([first] * 10), "nps", clusters="account")
    names = ["estimate", "std_error", "ci_low", "ci_high", "n_effective", "df"]
    pd.testing.assert_frame_equal(each[names], ten[names], rtol=1e-12)
    assert list(ten[["n", "n_effective"]].iloc[0]) == [300, pytest.approx(29.0)]
    naive = lk.nps(pd.concat([first] * 10), "nps")
    assert ten["std_error"].item() > 3.2 * naive["std_error"].item()


def test_equal_weights_are_the_unweighted_estimate_with_one_answer_less() -> None:
    data = pd.DataFrame({"nps": [10, 9, 8, 8, 3, 0, 10], "w": [2.5] * 7})
    plain, weighted = lk.nps(data, "nps"), lk.nps(data, "nps", weights="w")
    assert weighted.loc[0, "estimate"] == pytest.approx(plain.loc[0, "estimate"], rel=1e-14)
    assert weighted.loc[0, "std_error"] == pytest.approx(
        plain["std_error"].item() * math.sqrt(7 / 6)
    )
    assert weighted.loc[0, "n_effective"] == pytest.approx(6.0)
    assert weighted.loc[0, "df"] == 6.0


# ---- the ends -----------------------------------------------------------------------------------


def row_of(data: dict[str, list[Any]], **options: Any) -> dict[str, Any]:
    [row] = frame_rows(lk.nps(pd.DataFrame(data), "nps", **options))
    return row


def test_all_promoters() -> None:
    row = row_of({"nps": [10, 9, 9, 10], "w": [0.1, 0.2, 0.7, 3.0]}, weights="w")
    kish = 4.0**2 / (0.01 + 0.04 + 0.49 + 9.0)
    assert (row["estimate"], row["std_error"], row["ci_high"]) == (100.0, 0.0, 100.0)
    assert row["n_effective"] == pytest.approx(kish, rel=1e-12)
    assert row["ci_low"] < 0  # it is the answer of little more than one


def test_one_answer_and_one_cluster() -> None:
    one = row_of({"nps": [10], "w": [2.0]}, weights="w")
    assert (one["estimate"], one["n_effective"], one["df"]) == (100.0, 1.0, 0.0)
    assert [one[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3
    cluster = row_of({"nps": [10, 0, 9], "a": ["x"] * 3}, clusters="a")
    assert (cluster["n"], cluster["n_effective"], cluster["df"]) == (3, 1.0, 0.0)
    assert [cluster[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3


def test_one_answer_of_a_group_has_a_mean_and_no_error() -> None:
    data = pd.DataFrame({"k": ["a", "b", "b"], "ces": [4, 5, 7], "w": [1.0, 2.0, 3.0]})
    rows = frame_rows(lk.ces(data, "ces", by="k", weights="w"))
    assert (rows[0]["estimate"], rows[0]["std_error"], rows[0]["ci_low"]) == (4.0, None, None)
    assert rows[1]["std_error"] > 0


@pytest.mark.parametrize(
    "answers", [[], [None, None], [10, 9]], ids=["no row", "null", "no weight"]
)
def test_nothing_that_counts(engine: Engine, answers: list[int | None]) -> None:
    columns: dict[str, Any] = {"nps": answers, "w": [0.0] * len(answers)}
    frame = engine.with_types(columns, {"nps": "float64", "w": "float64"})
    [row] = frame_rows(lk.nps(frame, "nps", weights="w"))
    assert (row["n"], row["n_missing"], row["promoters"]) == (0, len(answers), 0)
    numbers = ("estimate", "std_error", "ci_low", "ci_high", "n_effective", "df")
    assert [row[name] for name in numbers] == [None] * 6
    assert (row["w_promoters"], row["w2_detractors"]) == (0.0, 0.0)


def test_a_population_asked_in_full_leaves_nothing_to_chance() -> None:
    row = row_of({"nps": [10, 9, 0, 7]}, population=4)
    assert (row["estimate"], row["std_error"]) == (25.0, 0.0)
    assert (row["ci_low"], row["ci_high"], row["n_effective"]) == (25.0, 25.0, math.inf)


def test_the_definition_tells_of_the_design() -> None:
    data = pd.DataFrame(sample(3))
    plain = "scale=1..10;promoter>=9;detractor<=6"

    def definition(by: str | None = None, **options: Any) -> str:
        table = lk.nps(data, "answer", by=by, scale=(1, 10), **options)
        return str(table.loc[0, "definition"])

    assert definition(weights="weight") == plain
    assert definition(clusters="account") == f"{plain};sampling=clusters"
    assert definition("region", clusters="account") == f"{plain};sampling=clusters"
    assert definition("sector", clusters="account") == f"{plain};sampling=shared_clusters"
    assert definition(strata="region", population={"north": 90, "south": 90}) == (
        f"{plain};sampling=strata+population"
    )


def test_a_population_by_column_by_mapping_and_with_groups_of_its_own() -> None:
    data = pd.DataFrame(sample(4))
    sizes = {"north": 70, "south": 60}
    data["size"] = data["region"].map(sizes)
    options: dict[str, Any] = {"strata": "region", "scale": (1, 10)}
    by_column = lk.nps(data, "answer", population="size", **options)
    by_mapping = lk.nps(data, "answer", population=sizes, **options)
    pd.testing.assert_frame_equal(by_column, by_mapping)
    without = lk.nps(data, "answer", **options)
    assert by_column["std_error"].item() < without["std_error"].item()


# ---- what is refused ----------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a number of the strata": (
        {"strata": "region", "population": 100},
        ParameterError,
        r"^population=100 is one number, but there are strata: give the size of each",
    ),
    "sizes of strata that are not named": (
        {"population": {"north": 100}},
        ParameterError,
        r"^population= names strata, but strata= is not given",
    ),
    "a stratum without a size": (
        {"strata": "region", "population": {"north": 100}},
        ParameterError,
        r"^population= has no size for 'south' of 'region'\.$",
    ),
    "a size below the sample": (
        {"strata": "region", "population": {"north": 100, "south": 3}},
        DataError,
        r"^population=3 is less than the \d+ sampled in the stratum 'south'\.",
    ),
    "a size that varies": (
        {"strata": "region", "population": "account"},
        DataError,
        r"^population='account' must be one number for each stratum, but it varies within 'north'",
    ),
    "a size that is text": (
        {"population": "region"},
        DataError,
        r"^population='region' must be a number in every row\.$",
    ),
    "a list of sizes": (
        {"population": [1, 2]},
        TypeError,
        r"^population must be a column name, a number or a mapping, not list\.$",
    ),
    "no such column": (
        {"weights": "wieght"},
        ColumnNotFoundError,
        r"^weights='wieght': data has no such column\. .* Did you mean 'weight'\?$",
    ),
    "draws of weighted answers": (
        {"weights": "weight", "method": "bootstrap"},
        ParameterError,
        r'^method="bootstrap" draws answers one by one, which weights',
    ),
    "strata that are the clusters": (
        {"strata": "account", "clusters": "account"},
        DataError,
        r"^strata='account': \d+ with a single cluster, which tells nothing of the spread",
    ),
    "a size that is no number": (
        {"strata": "region", "population": {"north": 100, "south": "many"}},
        TypeError,
        r"^a size of population must be a number, not str\.$",
    ),
    "infinite weights": (
        {"weights": "endless"},
        DataError,
        r"^weights='endless': 80 rows with weights that are negative, infinite, or .* inf, inf",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    data = pd.DataFrame(sample(5)).assign(endless=math.inf)
    before = data.copy()
    with pytest.raises(error, match=message):
        lk.nps(data, "answer", scale=(1, 10), **options)
    pd.testing.assert_frame_equal(data, before)
