"""Made-up customers, survey answers, interactions and contracts that join on one id.

For trying the library, for examples and for tests. A customer's attributes are worked out
from the id alone, so the four frames agree whatever their size and seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from loyaltykit._checks import check_integer, check_rng
from loyaltykit._results import RELATIONSHIPS, SECTORS, TIERS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.random import Generator

__all__ = ["sample_contracts", "sample_customers", "sample_interactions", "sample_responses"]


def __dir__() -> list[str]:
    return __all__


_Ints: TypeAlias = npt.NDArray[np.int64]
_Floats: TypeAlias = npt.NDArray[np.float64]
_Times: TypeAlias = npt.NDArray[np.datetime64]

_IDS = np.arange(1, 2_001, dtype=np.int64)  # events join the default sample_customers()
_N_DAYS = 365  # days are counted from the first of January 2025
_NEW_YEAR = np.datetime64("2025-01-01", "us")

_PROSPECT = 0
_REGIONS = ("Jawa", "Sumatera", "Kalimantan", "Sulawesi", "Bali", "Papua")
_CHANNELS = ("email", "whatsapp", "web", "phone")
_KINDS = ("purchase", "support", "visit")

# One number per sector or tier, in the order above.
_SECTOR_LOYALTY = np.array([0.45, -0.15, 0.25, 0.1])
_TIER_LOYALTY = np.array([-0.7, -0.6, 0.2, 0.9])
_SIGNED_UP_FROM = np.array([-180, 0, -545, -1095])  # loyal customers have been there for longer
_SIGNED_UP_TO = np.array([335, 335, 270, 180])
_BASKET = np.array([2_500.0, 250.0, 4_000.0, 900.0])  # typical amounts, thousand rupiah
_MONTHLY_FEE = np.array([5_000.0, 150.0, 8_000.0, 1_500.0])

# An answer is the number of cuts below the customer's latent judgement, so none is off the scale.
_NPS_CUTS = np.array([-4.4, -4.1, -3.6, -3.2, -2.8, -2.0, -1.5, -0.6, 0.6, 1.6])
_CSAT_CUTS = np.array([-4.1, -2.8, -1.5, 0.85])
_CES_CUTS = np.array([-4.4, -3.3, -2.4, -1.5, -0.25, 1.4])


class _Customers(NamedTuple):
    """Attributes of customers, one element each; sector to region are category codes."""

    sector: _Ints
    tier: _Ints
    relationship: _Ints
    region: _Ints
    signed_up: _Ints  # day
    loyalty: _Floats  # about -1.5 to 2, high is good
    hazard: _Floats  # of leaving, per day
    first: _Ints  # first day in 2025
    last: _Ints  # the day after the last one in 2025


def sample_customers(n: int = 2_000, *, rng: int | Generator | None = None) -> pd.DataFrame:
    """
    Made-up customers, one row each.

    Parameters
    ----------
    n : int, default 2000
        Number of customers; the ids are 1 to `n`.
    rng : int, numpy.random.Generator or None, optional
        Taken as by the other samples, but without effect: attributes depend only on the id.

    Returns
    -------
    pandas.DataFrame
        Columns ``customer``, ``sector``, ``tier`` (as kept in the CRM at the end of 2025),
        ``relationship``, ``region`` and ``signed_up``.

    Examples
    --------
    >>> from loyaltykit import datasets
    >>> customers = datasets.sample_customers()
    >>> customers["sector"].cat.categories.tolist()
    ['B2B', 'B2C', 'B2G', 'NPO']
    >>> customers.head(10).equals(datasets.sample_customers(10, rng=1))
    True
    """
    n = check_integer("n", n, low=0)
    check_rng(rng)
    customer = np.arange(1, n + 1, dtype=np.int64)
    who = _customers(customer)
    return _frame(
        customer=customer,
        sector=_categorical(who.sector, SECTORS, ordered=True),
        tier=_categorical(who.tier, TIERS, ordered=True),
        relationship=_categorical(who.relationship, RELATIONSHIPS, ordered=True),
        region=np.array(_REGIONS)[who.region],
        signed_up=_datetimes(who.signed_up),
    )


def sample_responses(n: int = 5_000, *, rng: int | Generator | None = None) -> pd.DataFrame:
    """
    Made-up survey responses of the year 2025, in order of time.

    Better answers come with a higher tier and from B2B, and rise slowly over the year. The
    three answers of a response go together. Some are missing, a different share for each
    question, and a prospect has bought nothing and so never answers the CSAT question.

    Parameters
    ----------
    n : int, default 5000
        Number of responses.
    rng : int, numpy.random.Generator or None, optional
        Seed or generator, as for `numpy.random.default_rng`.

    Returns
    -------
    pandas.DataFrame
        Columns ``response``, ``customer`` (among the ids 1 to 2000), ``responded_at``,
        ``channel``, ``nps`` (0 to 10), ``csat`` (1 to 5), ``ces`` (1 to 7, high is easy),
        ``sector`` and ``tier``. A missing answer is NaN.

    Examples
    --------
    >>> from loyaltykit import datasets
    >>> responses = datasets.sample_responses(1_000, rng=7)
    >>> responses[["nps", "csat", "ces"]].agg(["min", "max"]).to_numpy().tolist()
    [[0.0, 1.0, 1.0], [10.0, 5.0, 7.0]]
    """
    n = check_integer("n", n, low=0)
    generator = check_rng(rng)
    customer, time = _events(generator, n, pull=0.4)
    who = _customers(customer)
    u = generator.random((8, n))
    year_share = (time - _NEW_YEAR) / np.timedelta64(_N_DAYS, "D")
    # The mood is shared by a response's three answers, which makes them correlate.
    judgement = -0.5 + 1.1 * who.loyalty + 0.6 * year_share + 0.8 * _noise(u[0])
    csat = _answers(_CSAT_CUTS, judgement, u[2], missing=u[6] < 0.09, lowest=1)
    return _frame(
        response=np.arange(1, n + 1, dtype=np.int64),
        customer=customer,
        responded_at=time,
        channel=_categorical(_pick(u[4], np.array([4, 3, 2, 1])), _CHANNELS),
        nps=_answers(_NPS_CUTS, judgement, u[1], missing=u[5] < 0.04, lowest=0),
        csat=np.where(who.tier == _PROSPECT, np.nan, csat),
        ces=_answers(_CES_CUTS, judgement, u[3], missing=u[7] < 0.14, lowest=1),
        sector=_categorical(who.sector, SECTORS, ordered=True),
        tier=_categorical(who.tier, TIERS, ordered=True),
    )


def sample_interactions(n: int = 20_000, *, rng: int | Generator | None = None) -> pd.DataFrame:
    """
    Made-up interactions of the year 2025, in order of time.

    A customer is there from the day of signing up, or from the first of January, until
    leaving; loyal customers come more often, buy more and stay longer. Prospects never buy.
    A customer may have several interactions on one day.

    Parameters
    ----------
    n : int, default 20000
        Number of interactions.
    rng : int, numpy.random.Generator or None, optional
        Seed or generator, as for `numpy.random.default_rng`.

    Returns
    -------
    pandas.DataFrame
        Columns ``customer`` (among the ids 1 to 2000), ``time``, ``kind``, ``amount``
        (thousand rupiah, NaN where nothing was bought), ``purchase`` and ``sector``.

    Examples
    --------
    >>> from loyaltykit import datasets
    >>> log = datasets.sample_interactions(1_000, rng=7)
    >>> bool((log["purchase"] == log["amount"].notna()).all())
    True
    """
    n = check_integer("n", n, low=0)
    generator = check_rng(rng)
    customer, time = _events(generator, n, pull=0.9)
    who = _customers(customer)
    u = generator.random((3, n))
    share = np.where(who.tier == _PROSPECT, 0.0, 0.5 + 0.1 * who.loyalty)
    purchase = u[0] < share
    # What is no purchase is a support case one time in four, else a visit.
    kind = np.where(purchase, 0, 2 - (u[1] < 0.25))
    return _frame(
        customer=customer,
        time=time,
        kind=_categorical(kind, _KINDS),
        amount=np.where(purchase, _amounts(_BASKET[who.sector], u[2]), np.nan),
        purchase=purchase,
        sector=_categorical(who.sector, SECTORS, ordered=True),
    )


def sample_contracts(n: int = 1_000, *, rng: int | Generator | None = None) -> pd.DataFrame:
    """
    Made-up contracts as they stood at the end of 2025, in order of their start.

    A contract starts on or after the day its customer signed up and lasts 30 days or more.
    A customer may have several, also at the same time. Prospects have none.

    Parameters
    ----------
    n : int, default 1000
        Number of contracts.
    rng : int, numpy.random.Generator or None, optional
        Seed or generator, as for `numpy.random.default_rng`.

    Returns
    -------
    pandas.DataFrame
        Columns ``customer`` (among the ids 1 to 2000), ``start``, ``end`` (the first day no
        longer in force; NaT while running), ``amount`` (thousand rupiah a month) and ``sector``.

    Examples
    --------
    >>> from loyaltykit import datasets
    >>> contracts = datasets.sample_contracts(100, rng=7)
    >>> bool(contracts["start"].is_monotonic_increasing and contracts["end"].isna().any())
    True
    """
    n = check_integer("n", n, low=0)
    u = check_rng(rng).random((4, n))
    everyone = _customers(_IDS)
    per_sector = np.array([4.0, 1.0, 3.0, 2.0])[everyone.sector]
    customer = 1 + _pick(u[0], per_sector * (everyone.tier != _PROSPECT))
    who = _customers(customer)
    # The square puts more starts soon after signing up.
    start = who.signed_up + _floor(u[1] ** 2 * (_N_DAYS - who.signed_up))
    end = start + 30 + _lifetime(u[2], who.hazard)
    order = np.argsort(start, kind="stable")
    # An end that has not come yet is unknown when the year closes.
    ends = np.where(end < _N_DAYS, _datetimes(end), np.datetime64("NaT", "us"))
    return _frame(
        customer=customer[order],
        start=_datetimes(start)[order],
        end=ends[order],
        amount=_amounts(_MONTHLY_FEE[who.sector], u[3])[order],
        sector=_categorical(who.sector[order], SECTORS, ordered=True),
    )


def _hash_uniform(ids: _Ints, trait: int) -> _Floats:
    """Numbers in [0, 1) that depend only on id and trait: splitmix64, which wraps on purpose."""
    x = ids.astype(np.uint64) + np.uint64(trait << 32)  # each trait has a stream of its own
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _customers(ids: _Ints) -> _Customers:
    """Attributes from ids alone; no generator comes in here, so every frame agrees."""
    u = [_hash_uniform(ids, trait) for trait in range(1, 8)]
    sector = _pick(u[0], np.array([30, 45, 10, 15]))
    tier = _pick(u[1], np.array([15, 25, 35, 25]))
    loyalty = _SECTOR_LOYALTY[sector] + _TIER_LOYALTY[tier] + (u[2] - 0.5)
    hazard = 0.05 / 30 * np.exp(-1.2 * loyalty)
    since, until = _SIGNED_UP_FROM[tier], _SIGNED_UP_TO[tier]
    signed_up = since + _floor(u[3] * (until - since))
    # An early customer is one who was still there at New Year; a constant hazard has no
    # memory, so the time left is drawn as if it began then.
    first = np.maximum(signed_up, 0)
    return _Customers(
        sector=sector,
        tier=tier,
        relationship=_pick(u[4], np.array([8, 92])),
        region=_pick(u[5], np.array([50, 20, 9, 11, 7, 3])),
        signed_up=signed_up,
        loyalty=loyalty,
        hazard=hazard,
        first=first,
        last=np.minimum(first + 1 + _lifetime(u[6], hazard), _N_DAYS),
    )


def _events(generator: Generator, n: int, *, pull: float) -> tuple[_Ints, _Times]:
    """Draw customers and times, in order of time; `pull` is how much loyalty adds to the rate."""
    everyone = _customers(_IDS)
    # Only plain uniforms are drawn: NumPy may change its other distributions between versions.
    u = generator.random((3, n))
    days = everyone.last - everyone.first
    who = _pick(u[0], np.exp(pull * everyone.loyalty) * days)
    day = everyone.first[who] + _floor(u[1] * days[who])
    second = _floor(3_600 * (7 + 14 * u[2]))  # between seven in the morning and nine at night
    order = np.lexsort((second, day))
    return 1 + who[order], _datetimes(day[order], second[order])


def _pick(u: _Floats, weights: _Floats | _Ints) -> _Ints:
    """Draw positions in proportion to weights; a weight of 0 is never drawn."""
    total: _Floats = np.cumsum(weights, dtype=np.float64)
    position: _Ints = np.searchsorted(total, u * total[-1], side="right").astype(np.int64)
    return position


def _answers(
    cuts: _Floats, judgement: _Floats, u: _Floats, *, missing: npt.NDArray[np.bool_], lowest: int
) -> _Floats:
    return np.where(missing, np.nan, lowest + np.searchsorted(cuts, judgement + _noise(u)))


def _noise(u: _Floats) -> _Floats:
    """Turn uniforms into standard logistic noise; the small term keeps 0 finite."""
    return np.log((u + 2.0**-54) / (1 - u))


def _lifetime(u: _Floats, hazard: _Floats) -> _Ints:
    return _floor(-np.log1p(-u) / hazard)


def _amounts(typical: _Floats, u: _Floats) -> _Floats:
    # The clip keeps amounts between a seventh and seven times the typical one.
    return np.round(typical * np.exp(0.4 * np.clip(_noise(u), -5, 5)))


def _floor(x: _Floats) -> _Ints:
    return np.floor(x).astype(np.int64)


def _datetimes(day: _Ints, second: _Ints | int = 0) -> _Times:
    return _NEW_YEAR + (86_400 * day + second).astype("timedelta64[s]")


def _categorical(codes: _Ints, names: tuple[str, ...], *, ordered: bool = False) -> pd.Categorical:
    import pandas as pd  # here, so that importing loyaltykit does not import pandas

    dtype = pd.CategoricalDtype(list(names), ordered=ordered)
    values: pd.Categorical = pd.Categorical.from_codes(codes, dtype=dtype)
    return values


def _frame(**columns: npt.NDArray[Any] | pd.Categorical) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
