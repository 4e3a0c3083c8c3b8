"""The samples: exact columns, one set of attributes by id, and effects that can be seen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from loyaltykit import datasets
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

SECTOR = pd.CategoricalDtype(["B2B", "B2C", "B2G", "NPO"], ordered=True)
TIER = pd.CategoricalDtype(["prospect", "new", "repeat", "loyal"], ordered=True)
RELATIONSHIP = pd.CategoricalDtype(["internal", "external"], ordered=True)
CHANNEL = pd.CategoricalDtype(["email", "whatsapp", "web", "phone"])
KIND = pd.CategoricalDtype(["purchase", "support", "visit"])
TEXT = pd.Series(["Jawa"]).dtype  # object or str: what pandas itself makes of text
TIME = np.dtype("datetime64[us]")
INT, FLOAT, BOOL = np.dtype("int64"), np.dtype("float64"), np.dtype("bool")

SCHEMAS: dict[str, dict[str, Any]] = {
    "sample_customers": {
        "customer": INT,
        "sector": SECTOR,
        "tier": TIER,
        "relationship": RELATIONSHIP,
        "region": TEXT,
        "signed_up": TIME,
    },
    "sample_responses": {
        "response": INT,
        "customer": INT,
        "responded_at": TIME,
        "channel": CHANNEL,
        "nps": FLOAT,
        "csat": FLOAT,
        "ces": FLOAT,
        "sector": SECTOR,
        "tier": TIER,
    },
    "sample_interactions": {
        "customer": INT,
        "time": TIME,
        "kind": KIND,
        "amount": FLOAT,
        "purchase": BOOL,
        "sector": SECTOR,
    },
    "sample_contracts": {
        "customer": INT,
        "start": TIME,
        "end": TIME,
        "amount": FLOAT,
        "sector": SECTOR,
    },
}
DEFAULT_N = dict(zip(SCHEMAS, (2_000, 5_000, 20_000, 1_000), strict=True))
RANDOM = [name for name in SCHEMAS if name != "sample_customers"]
SEEDS = range(3)
OPEN, CLOSE = pd.Timestamp("2025-01-01"), pd.Timestamp("2026-01-01")


def sample(name: str, *args: Any, **kwargs: Any) -> pd.DataFrame:
    """Call a sample by name."""
    function: Callable[..., pd.DataFrame] = getattr(datasets, name)
    return function(*args, **kwargs)


def nps(answers: pd.Series[float]) -> float:
    """Net promoter score the plain way."""
    answers = answers.dropna()
    return float(100 * ((answers >= 9).mean() - (answers <= 6).mean()))


def monthly_retention(log: pd.DataFrame, column: str) -> pd.Series[float]:
    """Share of the customers active in a month who are active in the next, over the year."""
    month = log["time"].dt.month
    active = pd.crosstab(log["customer"], month).gt(0)
    customers = datasets.sample_customers().set_index("customer")
    group = customers[column].reindex(active.index)
    start = active.loc[:, 1:11].sum(axis=1)
    kept = (active.loc[:, 1:11].to_numpy() & active.loc[:, 2:12].to_numpy()).sum(axis=1)
    totals = pd.DataFrame({"start": start, "kept": kept}).groupby(group, observed=True).sum()
    return totals["kept"] / totals["start"]


# ---- schema, seeds and parameters


@pytest.mark.parametrize("n", [0, 1, 50])
@pytest.mark.parametrize("name", SCHEMAS)
def test_schema(name: str, n: int) -> None:
    """Columns, their order and dtypes are the same at any size, nothing included."""
    frame = sample(name, n, rng=0)
    assert len(frame) == n
    assert frame.columns.tolist() == list(SCHEMAS[name])
    assert frame.dtypes.to_dict() == SCHEMAS[name]
    assert frame.index.equals(pd.RangeIndex(n))


@pytest.mark.parametrize("name", SCHEMAS)
def test_default_size(name: str) -> None:
    """Called without arguments, as in a first notebook cell."""
    assert len(sample(name)) == DEFAULT_N[name]


@pytest.mark.parametrize("name", SCHEMAS)
def test_seed_reproduces(name: str) -> None:
    """A seed and a fresh generator of that seed give one frame, on every call."""
    first = sample(name, 300, rng=5)
    pd.testing.assert_frame_equal(first, sample(name, 300, rng=5))
    pd.testing.assert_frame_equal(first, sample(name, np.int64(300), rng=np.int64(5)))
    pd.testing.assert_frame_equal(first, sample(name, 300, rng=np.random.default_rng(5)))


@pytest.mark.parametrize("name", RANDOM)
def test_other_seed_differs(name: str) -> None:
    """Another seed, no seed, and a generator used a second time all give other rows."""
    generator = np.random.default_rng(5)
    first = sample(name, 300, rng=generator)
    assert not first.equals(sample(name, 300, rng=generator))
    assert not first.equals(sample(name, 300, rng=6))
    assert not sample(name, 300).equals(sample(name, 300))


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("n", [10.0, "10", None, True, [10]])
def test_n_of_wrong_type(name: str, n: Any) -> None:
    """A number of rows is a whole number, and True is not one."""
    with pytest.raises(TypeError, match=r"^n must be a whole number, not "):
        sample(name, n)


@pytest.mark.parametrize("name", SCHEMAS)
def test_negative_n(name: str) -> None:
    """The message names the parameter and the value."""
    with pytest.raises(ParameterError, match=r"^n=-1 must be at least 0"):
        sample(name, -1)


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("rng", ["7", 7.0, True, [1, 2], np.random.RandomState(1)])
def test_rng_of_wrong_type(name: str, rng: Any) -> None:
    """Also where it has no effect: a call that works for one sample works for all."""
    with pytest.raises(TypeError, match=r"^rng must be None, a whole number .* or a numpy Gen"):
        sample(name, 5, rng=rng)


@pytest.mark.parametrize("name", SCHEMAS)
def test_negative_seed(name: str) -> None:
    """NumPy's own message does not name the parameter."""
    with pytest.raises(ParameterError, match=r"^rng=-3 must be at least 0"):
        sample(name, 5, rng=-3)


def test_import_leaves_pandas_alone() -> None:
    """Services that never ask for a sample do not pay for pandas."""
    code = "import sys, loyaltykit.datasets; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- attributes are a function of the id


def test_hash_is_splitmix64() -> None:
    """The first two outputs of the published generator from state 0, cut to 53 bits."""
    expected = [(word >> 11) * 2.0**-53 for word in (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4)]
    assert datasets._hash_uniform(np.array([1, 2]), 0).tolist() == expected


def test_hash_traits_are_unrelated() -> None:
    """Uniform for each trait, and no trait tells anything about another."""
    u = np.array([datasets._hash_uniform(np.arange(1, 20_001), trait) for trait in range(1, 8)])
    assert u.min() >= 0
    assert u.max() < 1
    np.testing.assert_allclose(u.mean(axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(u), np.eye(7), atol=0.03)


def test_customers_do_not_depend_on_n_or_rng() -> None:
    """A longer sample begins with the shorter one."""
    most = datasets.sample_customers(3_000, rng=1)
    for n, rng in ((1, None), (500, 2), (2_000, np.random.default_rng(3))):
        pd.testing.assert_frame_equal(datasets.sample_customers(n, rng=rng), most.head(n))


def test_customers_are_pinned() -> None:
    """The attributes are the same on every platform and version."""
    first = datasets.sample_customers(5)
    assert first["customer"].tolist() == [1, 2, 3, 4, 5]
    assert first["sector"].tolist() == ["B2B", "NPO", "B2C", "B2B", "B2C"]
    assert first["tier"].tolist() == ["repeat", "repeat", "repeat", "repeat", "loyal"]
    assert first["region"].tolist() == ["Jawa", "Papua", "Jawa", "Jawa", "Bali"]
    assert first["signed_up"].dt.strftime("%Y-%m-%d").tolist() == [
        "2023-09-03",
        "2025-01-19",
        "2024-12-09",
        "2025-03-24",
        "2024-06-02",
    ]


@pytest.mark.parametrize("rng", SEEDS)
@pytest.mark.parametrize("name", RANDOM)
def test_frames_join(name: str, rng: int) -> None:
    """Every id is among the default customers, and what both frames say agrees."""
    frame = sample(name, 4_000, rng=rng)
    customers = datasets.sample_customers().set_index("customer")
    assert frame["customer"].between(1, 2_000).all()
    known = customers.loc[frame["customer"]].reset_index()
    for column in frame.columns.intersection(["sector", "tier"]):
        pd.testing.assert_series_equal(frame[column], known[column])
    time = {"sample_responses": "responded_at", "sample_interactions": "time"}.get(name, "start")
    assert (frame[time] >= known["signed_up"]).all()
    assert frame[time].is_monotonic_increasing
    assert frame[time].between(pd.Timestamp("2022-01-01"), CLOSE, inclusive="left").all()


def test_customer_levels_are_all_used() -> None:
    """A split by any column of the default sample has no empty level."""
    customers = datasets.sample_customers()
    for column in ("sector", "tier", "relationship", "region"):
        assert customers[column].value_counts(normalize=True).min() > 0.02
    assert customers.notna().all(axis=None)
    assert customers["customer"].is_unique
    assert customers["signed_up"].between("2022-01-01", "2025-12-31").all()


# ---- responses


@pytest.mark.parametrize("rng", SEEDS)
def test_responses_stay_on_the_scales(rng: int) -> None:
    """Whole points only, every point of every scale, and times of 2025."""
    responses = datasets.sample_responses(20_000, rng=rng)
    for column, low, high in (("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7)):
        assert sorted(responses[column].dropna().unique()) == list(range(low, high + 1))
    assert responses["response"].tolist() == list(range(1, 20_001))
    assert responses["responded_at"].between(OPEN, CLOSE, inclusive="left").all()
    assert responses["channel"].value_counts().min() > 1_000


@pytest.mark.parametrize("rng", SEEDS)
def test_missing_shares(rng: int) -> None:
    """Each question has its own share; a prospect never answers the one about a purchase."""
    responses = datasets.sample_responses(20_000, rng=rng)
    prospect = responses["tier"] == "prospect"
    missing = responses[["nps", "csat", "ces"]].isna()
    assert missing.loc[~prospect].mean().to_numpy() == pytest.approx([0.04, 0.09, 0.14], abs=0.01)
    assert missing.loc[prospect, "csat"].all()
    assert missing.loc[prospect, ["nps", "ces"]].mean().max() < 0.2
    others = responses.columns.difference(["nps", "csat", "ces"])
    assert responses[others].notna().all(axis=None)


@pytest.mark.parametrize("rng", SEEDS)
def test_answers_follow_tier_and_sector(rng: int) -> None:
    """At the default size, so that a first table shows the order that is in the data."""
    responses = datasets.sample_responses(rng=rng)
    tier = responses.groupby("tier", observed=True)
    by_tier = tier["nps"].agg(nps)
    assert by_tier["loyal"] > by_tier["repeat"] > by_tier["new"]
    assert by_tier["loyal"] - by_tier["new"] > 20
    for column in ("csat", "ces"):
        means = tier[column].mean()
        assert means["loyal"] > means["repeat"] > means["new"]
    by_sector = responses.groupby("sector", observed=True)["nps"].agg(nps)
    assert by_sector["B2B"] - by_sector["B2C"] > 5
    assert responses[["nps", "csat", "ces"]].corr().to_numpy().min() > 0.2
    assert 10 < nps(responses["nps"]) < 50


@pytest.mark.parametrize("rng", SEEDS)
def test_nps_rises_over_the_year(rng: int) -> None:
    """In the whole and within a tier: it is not only that the unhappy leave."""
    responses = datasets.sample_responses(20_000, rng=rng)
    quarter = responses["responded_at"].dt.quarter
    for tiers in (["prospect", "new", "repeat", "loyal"], ["repeat"], ["loyal"]):
        asked = responses["tier"].isin(tiers)
        first = nps(responses.loc[asked & (quarter == 1), "nps"])
        last = nps(responses.loc[asked & (quarter == 4), "nps"])
        assert 2 < last - first < 25


# ---- interactions


@pytest.mark.parametrize("rng", SEEDS)
def test_interactions(rng: int) -> None:
    """Purchases, and only they, have an amount; prospects have none."""
    log = datasets.sample_interactions(rng=rng)
    assert log["time"].between(OPEN, CLOSE, inclusive="left").all()
    assert (log["purchase"] == (log["kind"] == "purchase")).all()
    assert (log["purchase"] == log["amount"].notna()).all()
    assert log["amount"].dropna().between(30, 40_000).all()
    assert log["kind"].value_counts(normalize=True).min() > 0.05
    tier = datasets.sample_customers().set_index("customer")["tier"]
    rate = log.groupby(log["customer"].map(tier), observed=True)["purchase"].mean()
    assert rate["prospect"] == 0
    assert rate["loyal"] > rate["repeat"] > rate["new"] > 0.3


@pytest.mark.parametrize("rng", SEEDS)
def test_retention_follows_tier_and_sector(rng: int) -> None:
    """The order that a retention table by segment has to find."""
    log = datasets.sample_interactions(rng=rng)
    tier = monthly_retention(log, "tier")
    assert tier["loyal"] - tier["repeat"] > 0.1
    assert tier["repeat"] - tier["new"] > 0.1
    assert tier.between(0.2, 0.95).all()
    sector = monthly_retention(log, "sector")
    assert sector["B2B"] - sector["B2C"] > 0.05


@pytest.mark.parametrize("rng", SEEDS)
def test_cohorts_decay(rng: int) -> None:
    """Every month brings new customers, and each cohort gets smaller with age."""
    log = datasets.sample_interactions(rng=rng)
    month = log["time"].dt.month
    cohort = month.groupby(log["customer"]).transform("min")
    seen = pd.DataFrame({"customer": log["customer"], "cohort": cohort, "age": month - cohort})
    pairs = seen.drop_duplicates()
    size = pd.crosstab(pairs["cohort"], pairs["age"]).to_numpy()
    assert size.shape == (12, 12)
    assert size[:, 0].min() >= 10
    share = size / size[:, [0]]
    assert share[0, 1] > share[0, 11] + 0.05
    assert 0.2 < share[1:7, 4:6].mean() < share[1:7, 1:3].mean() < 0.8


@pytest.mark.parametrize("rng", SEEDS)
def test_customer_days_repeat(rng: int) -> None:
    """Some customers come twice in a day, as in any log."""
    log = datasets.sample_interactions(rng=rng)
    days = pd.DataFrame({"customer": log["customer"], "day": log["time"].dt.normalize()})
    assert 0.005 < days.duplicated().mean() < 0.1


# ---- contracts


@pytest.mark.parametrize("rng", SEEDS)
def test_contracts(rng: int) -> None:
    """Some have ended, most run; each lasts a month or more and no prospect has one."""
    contracts = datasets.sample_contracts(rng=rng)
    ended = contracts.dropna(subset=["end"])
    assert 0.1 < len(ended) / len(contracts) < 0.5
    assert (ended["end"] - ended["start"] >= pd.Timedelta(days=30)).all()
    assert (ended["end"] < CLOSE).all()
    assert (contracts["start"] < CLOSE).all()
    assert contracts["amount"].between(20, 80_000).all()
    fee = contracts.groupby("sector", observed=True)["amount"].median()
    assert fee["B2G"] > fee["B2B"] > fee["NPO"] > fee["B2C"]
    tier = datasets.sample_customers().set_index("customer")["tier"]
    assert (contracts["customer"].map(tier) != "prospect").all()
    assert contracts["customer"].duplicated().any()
    assert contracts.drop(columns="end").notna().all(axis=None)
