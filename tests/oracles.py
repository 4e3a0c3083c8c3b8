"""Naive answers to compare the library with: one group at a time, easy to read, slow."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy.typing as npt

    Limits = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    NetInterval = Callable[
        [npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], float], Limits
    ]
    ShareInterval = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64], float], Limits]

# --- Intervals from counts ------------------------------------------------------------------------


def normal_z(confidence_level: float) -> float:
    return NormalDist().inv_cdf((1 + confidence_level) / 2)


def bisect(is_left: Callable[[Decimal], bool], low: Decimal, high: Decimal) -> Decimal:
    """Return the place between low and high where is_left turns from true to false."""
    for _ in range(120):  # 2 ** -120 is 1e-36
        middle = (low + high) / 2
        if is_left(middle):
            low = middle
        else:
            high = middle
    return low


def most_likely_detractors(
    theta: Decimal, promoters: Decimal, detractors: Decimal, n: Decimal
) -> Decimal:
    """Return the likeliest detractor share q, given that the promoter share is q + theta.

    The log-likelihood promoters log(q + theta) + detractors log(q) + passives log(1 - theta - 2 q)
    is concave: its top is where the slope turns from positive to negative.
    """
    passives = n - promoters - detractors

    def rises(q: Decimal) -> bool:
        return promoters / (q + theta) + detractors / q > 2 * passives / (1 - theta - 2 * q)

    lowest, highest = max(Decimal(0), -theta), (1 - theta) / 2
    if not passives or lowest == highest:
        return highest
    return bisect(rises, lowest, highest)


def tango_interval(
    promoters: float, detractors: float, n: float, confidence_level: float
) -> tuple[float, float]:
    """Return the values of theta that the score test does not reject, in 60-digit arithmetic."""
    with localcontext(prec=60):
        up, down, size = Decimal(promoters), Decimal(detractors), Decimal(n)
        z = Decimal(normal_z(confidence_level))
        estimate = (up - down) / size

        def accepted(theta: Decimal) -> bool:
            q = most_likely_detractors(theta, up, down, size)
            variance = (q + theta) + q - theta**2
            return size * (estimate - theta) ** 2 <= z**2 * variance

        high = bisect(accepted, estimate, Decimal(1))
        low = bisect(lambda theta: not accepted(theta), Decimal(-1), estimate)
        return float(low), float(high)


def nps_error(promoters: int, detractors: int, n: int) -> float:
    """Return the standard error from the answers themselves, written as 1, 0 and -1."""
    answers = [1] * promoters + [0] * (n - promoters - detractors) + [-1] * detractors
    mean = Fraction(sum(answers), n)
    variance = sum((answer - mean) ** 2 for answer in answers) / n
    return math.sqrt(variance / n)


def wald_interval(
    promoters: int, detractors: int, n: int, confidence_level: float, added: Fraction = Fraction(0)
) -> tuple[float, float]:
    """Return the Wald interval, with pseudo-answers added: one, two and one parts of each kind."""
    size = n + 4 * added
    p, d = (promoters + added) / size, (detractors + added) / size
    margin = normal_z(confidence_level) * math.sqrt((p + d - (p - d) ** 2) / size)
    return max(float(p - d) - margin, -1.0), min(float(p - d) + margin, 1.0)


def wilson_interval(successes: int, n: int, confidence_level: float) -> tuple[float, float]:
    limits = stats.binomtest(successes, n).proportion_ci(confidence_level, method="wilson")
    return float(limits.low), float(limits.high)


def agresti_coull_interval(successes: int, n: int, confidence_level: float) -> tuple[float, float]:
    """Return Wald's interval with z^2 / 2 successes and as many failures added."""
    z = normal_z(confidence_level)
    size = n + z * z
    share = (successes + z * z / 2) / size
    margin = z * math.sqrt(share * (1 - share) / size)
    return max(share - margin, 0.0), min(share + margin, 1.0)


def clopper_pearson_interval(
    successes: int, n: int, confidence_level: float
) -> tuple[float, float]:
    """Return the shares at which a binomial tail, summed term by term, is half of the error."""
    with localcontext(prec=60):
        tail = (1 - Decimal(confidence_level)) / 2

        def chance(hits: range, share: Decimal) -> Decimal:
            ways = (math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in hits)
            return sum(ways, Decimal(0))

        def many_are_rare(share: Decimal) -> bool:
            return chance(range(successes, n + 1), share) < tail

        def few_are_not_rare(share: Decimal) -> bool:
            return chance(range(successes + 1), share) > tail

        low = bisect(many_are_rare, Decimal(0), Decimal(1)) if successes else Decimal(0)
        high = bisect(few_are_not_rare, Decimal(0), Decimal(1)) if successes < n else Decimal(1)
        return float(low), float(high)


def jeffreys_interval(successes: int, n: int, confidence_level: float) -> tuple[float, float]:
    """Return the quantiles of the posterior, from sums over a fine grid of its density.

    With share = sin(x)^2 the prior is flat in x, and the density sin(x)^2s cos(x)^2f smooth.
    """
    edges = np.linspace(0.0, math.pi / 2, 400_001)
    with np.errstate(divide="ignore"):
        sines, cosines = np.log(np.sin(edges)), np.log(np.cos(edges))
    logs = np.zeros_like(edges)
    logs += 2 * successes * sines if successes else 0.0
    logs += 2 * (n - successes) * cosines if n > successes else 0.0
    density = np.exp(logs - logs.max())
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    tail = (1 - confidence_level) / 2
    low, high = np.sin(np.interp([tail, 1 - tail], below / below[-1], edges)) ** 2
    return (float(low) if successes else 0.0), (float(high) if successes < n else 1.0)


def t_interval(answers: list[int], confidence_level: float) -> tuple[float, float, float, float]:
    """Return mean, standard error and limits; the sums are exact fractions."""
    n = len(answers)
    mean = Fraction(sum(answers), n)
    variance = sum((answer - mean) ** 2 for answer in answers) / (n - 1)
    error = math.sqrt(variance / n)
    margin = float(stats.t.ppf((1 + confidence_level) / 2, n - 1)) * error
    return float(mean), error, float(mean) - margin, float(mean) + margin


def tango_limits(
    promoters: float, detractors: float, n: float, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the net score and its limits."""
    return (promoters - detractors) / n, *tango_interval(promoters, detractors, n, level)


def wilson_limits(successes: int, n: int, level: float = 0.95) -> tuple[float, float, float]:
    """Return the share and its limits."""
    return successes / n, *wilson_interval(successes, n, level)


def mover_interval(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the interval of a difference from each side's estimate and limits."""
    (e1, low1, high1), (e2, low2, high2) = one, other
    down = math.sqrt((e1 - low1) ** 2 + (high2 - e2) ** 2)
    up = math.sqrt((high1 - e1) ** 2 + (e2 - low2) ** 2)
    return e1 - e2 - down, e1 - e2 + up


def mover_z(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return the z at which the interval of two shares touches 0, by bisection, with its sign."""

    def limits(side: tuple[int, int], z: float) -> tuple[float, float, float]:
        p, n = side[0] / side[1], side[1]
        middle, wide = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return p, (middle - wide) / (1 + z * z / n), (middle + wide) / (1 + z * z / n)

    difference = one[0] / one[1] - other[0] / other[1]
    if difference == 0:
        return 0.0
    least, most = 0.0, 100.0
    for _ in range(100):
        z = (least + most) / 2
        low, high = mover_interval(limits(one, z), limits(other, z))
        least, most = (least, z) if low <= 0 <= high else (z, most)
    return math.copysign(least, difference)


def net_coverage(interval: NetInterval, n: int, p: float, d: float, level: float) -> float:
    """Return the exact chance that the interval holds p - d, summed over all possible samples."""
    tables = [(up, down) for up in range(n + 1) for down in range(n + 1 - up)]
    ups, downs = (np.array(side) for side in zip(*tables, strict=True))
    low, high = interval(ups, downs, np.full(len(tables), n), level)
    coverage = 0.0
    for i, (up, down) in enumerate(tables):
        if low[i] <= p - d + 1e-12 and p - d - 1e-12 <= high[i]:
            ways = math.comb(n, up) * math.comb(n - up, down)
            coverage += ways * p**up * d**down * (1 - p - d) ** (n - up - down)
    return coverage


def share_coverage(interval: ShareInterval, n: int, share: float, level: float) -> float:
    """Return the exact chance that the interval holds the share."""
    low, high = interval(np.arange(n + 1), np.full(n + 1, n), level)
    chances = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    return sum(chance for k, chance in enumerate(chances) if low[k] <= share <= high[k])


def resampled_means(
    counts: Sequence[int], values: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return every mean that n answers drawn with replacement can have, and its exact chance."""
    n = sum(counts)
    chances: dict[float, Fraction] = {0.0: Fraction(1)}
    for _ in range(n):
        following: dict[float, Fraction] = {}
        for total, chance in chances.items():
            for count, value in zip(counts, values, strict=True):
                if count:
                    share = chance * Fraction(count, n)
                    following[total + value] = following.get(total + value, Fraction(0)) + share
        chances = following
    totals = sorted(chances)
    return np.array(totals) / n, np.array([float(chances[total]) for total in totals])


# --- Survey metrics from rows ---------------------------------------------------------------------
#
# A row is a dict. Only None is missing here: the tests say which codes mean the same.

Row = dict[str, Any]


def split(rows: list[Row], by: list[str]) -> list[tuple[Row, list[Row]]]:
    """Return each combination of keys that is present with its rows; sorted, None last."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in by), []).append(row)
    if not by:
        found = found or {(): []}
    order = sorted(
        found, key=lambda keys: [(key is None, 0 if key is None else key) for key in keys]
    )
    return [(dict(zip(by, keys, strict=True)), found[keys]) for keys in order]


def answers_of(rows: list[Row], score: str, counts: str | None) -> list[int | None]:
    """Return one answer per person: a row that stands for three answers gives three."""
    answers: list[int | None] = []
    for row in rows:
        times = 1 if counts is None else row[counts]
        answers += [None if row[score] is None else int(row[score])] * times
    return answers


def tally(rows: list[Row], score: str, by: list[str], counts: str | None = None) -> list[Row]:
    table = []
    for keys, group in split(rows, by):
        answers = answers_of(group, score, counts)
        for answer in sorted({a for a in answers if a is not None}):
            table.append({**keys, "answer": answer, "n": answers.count(answer)})
        if None in answers:
            table.append({**keys, "answer": None, "n": answers.count(None)})
    return table


def nps(
    rows: list[Row],
    score: str,
    by: list[str],
    counts: str | None = None,
    promoter_min: int = 9,
    detractor_max: int = 6,
) -> list[Row]:
    table = []
    for keys, group in split(rows, by):
        answers = answers_of(group, score, counts)
        valid = [answer for answer in answers if answer is not None]
        promoters = sum(answer >= promoter_min for answer in valid)
        detractors = sum(answer <= detractor_max for answer in valid)
        n = len(valid)
        row = {**keys, "n": n, "n_missing": len(answers) - n}
        row |= {"promoters": promoters, "passives": n - promoters - detractors}
        row |= {"detractors": detractors, "estimate": None, "std_error": None}
        if n:
            row["estimate"] = 100 * (promoters - detractors) / n
            row["std_error"] = 100 * nps_error(promoters, detractors, n)
        table.append(row)
    return table


def csat(
    rows: list[Row], score: str, by: list[str], satisfied_min: int, counts: str | None = None
) -> list[Row]:
    table = []
    for keys, group in split(rows, by):
        answers = answers_of(group, score, counts)
        valid = [answer for answer in answers if answer is not None]
        satisfied, n = sum(answer >= satisfied_min for answer in valid), len(valid)
        row = {**keys, "n": n, "n_missing": len(answers) - n, "satisfied": satisfied}
        row |= {"estimate": None, "std_error": None, "ci_low": None, "ci_high": None}
        if n:
            low, high = wilson_interval(satisfied, n, 0.95)
            row["estimate"] = 100 * satisfied / n
            row["std_error"] = 100 * math.sqrt(satisfied * (n - satisfied) / n**3)
            row |= {"ci_low": 100 * low, "ci_high": 100 * high}
        table.append(row)
    return table


def ces(
    rows: list[Row],
    score: str,
    by: list[str],
    easy: set[int],
    hard: set[int],
    counts: str | None = None,
) -> list[Row]:
    """Return the mean with its t interval, and the counts that box and net are made from."""
    table = []
    for keys, group in split(rows, by):
        answers = answers_of(group, score, counts)
        valid = [answer for answer in answers if answer is not None]
        row = {**keys, "n": len(valid), "n_missing": len(answers) - len(valid)}
        row |= {"easy": sum(a in easy for a in valid), "hard": sum(a in hard for a in valid)}
        row |= {"neutral": sum(a not in easy | hard for a in valid)}
        row |= {"answer_sum": sum(valid), "answer_sumsq": sum(a * a for a in valid)}
        row |= {"estimate": None, "std_error": None, "ci_low": None, "ci_high": None}
        if len(valid) == 1:
            row["estimate"] = float(valid[0])
        if len(valid) > 1:
            limits = t_interval(valid, 0.95)
            row |= dict(zip(("estimate", "std_error", "ci_low", "ci_high"), limits, strict=True))
        table.append(row)
    return table


# --- Customers by period: flows, retention, cohorts, pooled rows ----------------------------------
#
# A log is a list of (customer, day); a key is what key_at(customer, day) says of a customer then.

if TYPE_CHECKING:
    Log = Sequence[tuple[Any, dt.date]]
    KeyAt = Callable[[Any, dt.date], Any]

FLOW_COUNTS = ("start", "new", "retained", "returned", "churned", "end")


def period_start(day: dt.date, freq: str) -> dt.date:
    iso_year, iso_week, _ = day.isocalendar()
    starts = {
        "day": day,
        "week": dt.date.fromisocalendar(iso_year, iso_week, 1),
        "month": day.replace(day=1),
        "quarter": day.replace(month=day.month - (day.month - 1) % 3, day=1),
        "year": day.replace(month=1, day=1),
    }
    return starts[freq]


def is_over(period: dt.date, freq: str, as_of: dt.date) -> bool:
    return period_start(as_of + dt.timedelta(days=1), freq) > period


def customers_by_period(log: Log, freq: str, as_of: dt.date) -> dict[dt.date, set[Any]]:
    """Return who was active in each calendar period from the first row to as_of."""
    seen = [(customer, day) for customer, day in log if day <= as_of]
    first = min(day for _, day in seen)
    days = [first + dt.timedelta(days=i) for i in range((as_of - first).days + 1)]
    active: dict[dt.date, set[Any]] = {period_start(day, freq): set() for day in days}
    for customer, day in seen:
        active[period_start(day, freq)].add(customer)
    return active


def no_key(customer: Any, day: dt.date) -> None:
    """Put everybody into one group."""


def key_as_of(changes: Sequence[tuple[Any, dt.date, Any]]) -> KeyAt:
    """Return the lookup of (customer, valid_from, key) rows: the last that holds on the day."""

    def key_at(customer: Any, day: dt.date) -> Any:
        held = {since: key for who, since, key in changes if who == customer and since <= day}
        return held[max(held)] if held else None

    return key_at


def in_report_order(keys: set[Any]) -> list[Any]:
    return sorted(keys, key=lambda key: (key is None, "" if key is None else key))


def next_start(period: dt.date, freq: str) -> dt.date:
    """Return the first day of the period after one."""
    day = period
    while period_start(day, freq) == period:
        day += dt.timedelta(days=1)
    return day


def from_then_on(observed_from: dt.date, freq: str, as_of: dt.date) -> list[dt.date]:
    """Return the periods that start on that day or later, up to that of as_of."""
    start = period_start(observed_from, freq)
    if start < observed_from:
        start = next_start(start, freq)
    periods = []
    while start <= as_of:
        periods.append(start)
        start = next_start(start, freq)
    return periods


def customer_flow(
    log: Log,
    freq: str,
    as_of: dt.date,
    key_at: KeyAt = no_key,
    *,
    grace: int = 0,
    observed_from: dt.date | None = None,
    migration: bool = False,
) -> list[dict[str, Any]]:
    """Count sets of customers; each counts for the group it is in when the period starts."""
    if observed_from is None:
        active = customers_by_period(log, freq, as_of)
        ever: set[Any] = set()
    else:
        active = {period: set() for period in from_then_on(observed_from, freq, as_of)}
        first = min(active)
        ever = {who for who, day in log if day < first}
        for who, day in log:
            if first <= day <= as_of:
                active[period_start(day, freq)].add(who)
    periods = list(active)
    sets = {}
    for i, period in enumerate(periods):
        before = set().union(*(active[p] for p in periods[max(0, i - 1 - grace) : i]))
        now = set().union(*(active[p] for p in periods[max(0, i - grace) : i + 1]))
        sets[period] = _kinds(before, now, ever)
        ever = ever | now
    return _flow_rows(sets, freq, as_of, key_at, 1 + grace, migration=migration)


def _kinds(before: set[Any], now: set[Any], ever: set[Any]) -> dict[str, set[Any]]:
    return {
        "start": before,
        "new": now - before - ever,
        "retained": now & before,
        "returned": (now & ever) - before,
        "churned": before - now,
        "end": now,
    }


def _flow_rows(
    sets: dict[dt.date, dict[str, set[Any]]],
    freq: str,
    as_of: dt.date,
    key_at: KeyAt,
    unsure: int,
    *,
    migration: bool,
) -> list[dict[str, Any]]:
    """Count the sets of every period by key; so many first periods do not know their start."""
    periods = list(sets)
    groups = {key_at(who, p) for p in periods for kind in sets[p].values() for who in kind}
    rows = []
    for key in in_report_order(groups) if key_at is not no_key else [None]:
        for i, period in enumerate(periods):
            counts: dict[str, Any] = {
                kind: sum(key_at(who, period) == key for who in people)
                for kind, people in sets[period].items()
            }
            if migration:
                moved = [
                    (key_at(who, periods[i - 1]), key_at(who, period))
                    for who in sets[period]["start"]
                ]
                into = sum(was != now and now == key for was, now in moved)
                out = sum(was != now and was == key for was, now in moved)
                counts |= {"migrated_in": into, "migrated_out": out}
                if i == 0:
                    counts |= {"migrated_in": None, "migrated_out": None}
            coverage = "observed" if is_over(period, freq, as_of) else "partial"
            if i < unsure:
                coverage = "partial" if i else "unobserved"
            if i == 0 and unsure:  # nobody knows who was there before the log began
                counts = {**dict.fromkeys(counts), "end": counts["end"]}
            rows.append({"key": key, "period": period, "coverage": coverage, **counts})
    return rows


# --- Contracts ------------------------------------------------------------------------------------
#
# A contract is (customer, start, end or None), with moments as datetimes.

if TYPE_CHECKING:
    Contracts = Sequence[tuple[Any, dt.datetime, dt.datetime | None]]


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(0))


def in_force(contracts: Contracts, moment: dt.datetime) -> set[Any]:
    return {
        who for who, start, end in contracts if start <= moment and (end is None or moment < end)
    }


def contract_sets(
    contracts: Contracts, freq: str, observed_until: dt.datetime, observed_from: dt.date | None
) -> dict[dt.date, dict[str, set[Any]]]:
    """Return who was in force when each period opened and closed, and what follows from that."""
    begins = observed_from or period_start(min(start for _, start, _ in contracts).date(), freq)
    last = (observed_until - dt.timedelta(microseconds=1)).date()
    sets = {}
    for period in from_then_on(begins, freq, last):
        opens, closes = midnight(period), min(midnight(next_start(period, freq)), observed_until)
        before, now = in_force(contracts, opens), in_force(contracts, closes)
        ever = {who for who, start, _ in contracts if start < opens}
        here = {
            who
            for who, start, end in contracts
            if opens <= start < closes or (start < closes and end is not None and end > opens)
        }
        due = {
            who
            for who, start, end in contracts
            if end is not None and start < end and opens < end <= closes
        }
        sets[period] = {
            **_kinds(before, now, ever),
            "joined_and_left": here - before - now,
            "due": before & due,
            "not_renewed": (before & due) - now,
        }
    return sets


def contract_flow(
    contracts: Contracts,
    freq: str,
    observed_until: dt.datetime,
    key_at: KeyAt = no_key,
    *,
    observed_from: dt.date | None = None,
    migration: bool = False,
) -> list[dict[str, Any]]:
    """Count contracts as `customer_flow` counts a log; observed up to, without, that moment."""
    sets = contract_sets(contracts, freq, observed_until, observed_from)
    last = (observed_until - dt.timedelta(microseconds=1)).date()
    rows = _flow_rows(sets, freq, last, key_at, 0, migration=migration)
    if observed_until.time() != dt.time(0):
        for row in rows:
            if row["period"] == max(sets):
                row["coverage"] = "partial"
    return rows


def retention(flow: list[dict[str, Any]], *, split: bool) -> list[dict[str, Any]]:
    """Return the rates of a flow; of a split one without the groups that never had a start."""
    started = {row["key"] for row in flow if row["start"] or not split}
    rows = []
    for row in flow:
        if row["key"] in started:
            n, retained, churned = row["start"], row["retained"], row["churned"]
            rates = {"retention": retained, "churn": churned}
            shares = {name: 100 * part / n if n else None for name, part in rates.items()}
            counts = {"n": n, "retained": retained, "churned": churned}
            head = {name: row[name] for name in ("key", "period", "coverage")}
            rows.append({**head, **counts, **shares})
    return rows


def cohorts(log: Log, freq: str, as_of: dt.date, key_at: KeyAt = no_key) -> list[dict[str, Any]]:
    """Follow the customers of each first period; a cell that has not happened is None."""
    active = customers_by_period(log, freq, as_of)
    calendar = list(active)
    joined: dict[Any, dt.date] = {}
    for period, now in active.items():
        for customer in now:
            joined.setdefault(customer, period)
    key_of = {customer: key_at(customer, period) for customer, period in joined.items()}
    rows = []
    for key in in_report_order(set(key_of.values())):
        for i, cohort in enumerate(calendar):
            people = {who for who in joined if joined[who] == cohort and key_of[who] == key}
            for age in range(len(calendar)):
                head = {"key": key, "cohort": cohort, "cohort_age": age}
                cell: dict[str, Any]
                if i + age >= len(calendar):
                    cell = {"coverage": "unobserved", "n": None, "retained": None, "estimate": None}
                else:
                    period = calendar[i + age]
                    kept = len(people & active[period])
                    cell = {
                        "coverage": "observed" if is_over(period, freq, as_of) else "partial",
                        "n": len(people),
                        "retained": kept,
                        "estimate": 100 * kept / len(people) if people else None,
                    }
                rows.append({**head, **cell})
    return rows


WINDOW_LENGTHS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}


class Visit(NamedTuple):
    """A row of a log of events: naive or aware moments, and what the row is."""

    customer: Any
    moment: dt.datetime
    starts: bool = True
    returns: bool = True
    amount: float = 0.0


def instant(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC)


def rounded_down(moment: dt.datetime, floor: str | None) -> dt.datetime:
    """Round down on the clock, or take the instant where nothing is to be rounded."""
    if floor is None:
        return instant(moment)
    clock = moment.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    return clock if floor == "hour" else clock.replace(hour=0)


def windows_until(first: dt.datetime, moment: dt.datetime, length: dt.timedelta) -> int:
    """Count the windows from the first moment that are over at another one."""
    count = 0
    while first + (count + 1) * length <= moment:
        count += 1
    return count


def calendar_of(first: dt.date, last: dt.date, freq: str) -> list[dt.date]:
    days = (first + dt.timedelta(days=i) for i in range((last - first).days + 1))
    return list(dict.fromkeys(period_start(day, freq) for day in days))


def cohort_cells(
    visits: Sequence[Visit],
    freq: str,
    end: dt.datetime,
    *,
    window: str = "calendar",
    rule: str | Sequence[int] = "on",
    floor: str | None = None,
    observed_from: dt.date | None = None,
    key_at: KeyAt = no_key,
) -> list[dict[str, Any]]:
    """Follow every customer alone, window by window, until the first moment not observed."""
    last = (end - dt.timedelta(microseconds=1)).date()
    seen = [visit for visit in visits if visit.moment.replace(tzinfo=None) < clock_of(end)]
    calendar = calendar_of(min(visit.moment.date() for visit in seen), last, freq)
    shown = calendar
    if observed_from is not None:
        shown = [p for p in calendar_of(observed_from, last, freq) if p >= observed_from]
        calendar = calendar_of(min(calendar[0], shown[0]), last, freq)
    length = dt.timedelta(days=WINDOW_LENGTHS[freq])
    people: dict[tuple[Any, dt.date], list[tuple[int, dict[int, float]]]] = {}
    for customer in {visit.customer for visit in seen}:
        own = [visit for visit in seen if visit.customer == customer]
        starts = sorted((visit for visit in own if visit.starts), key=lambda v: instant(v.moment))
        if not starts:
            continue
        first = starts[0].moment
        cohort = period_start(first.date(), freq)
        origin = rounded_down(first, floor)
        spent: dict[int, float] = {}
        for visit in own:
            if visit.returns and instant(visit.moment) >= instant(first):
                if window == "rolling":
                    age = windows_until(origin, rounded_down(visit.moment, floor), length)
                else:
                    period = period_start(visit.moment.date(), freq)
                    age = calendar.index(period) - calendar.index(cohort)
                spent[age] = spent.get(age, 0.0) + visit.amount
        until = clock_of(end) if floor is not None else instant(end)
        done = windows_until(origin, until, length) if window == "rolling" else -1
        if cohort in shown:
            key = key_at(customer, cohort)
            people.setdefault((key, cohort), []).append((done, spent))
    brackets = brackets_of(rule, people, len(shown), window)
    rows = []
    for key in in_report_order({key for key, _ in people}):
        for i, cohort in enumerate(shown):
            members = people.get((key, cohort), [])
            for low, high in brackets:
                if window == "rolling":
                    cell = rolling_cell(members, low, high, rule)
                    if not members:
                        limits = period_limits(cohort, freq, end.tzinfo if floor is None else None)
                        edge = [rounded_down(moment, floor) for moment in limits]
                        until = clock_of(end) if floor is not None else instant(end)
                        most, least = (windows_until(first, until, length) for first in edge)
                        cell |= {"n": 0, "coverage": "partial"}
                        if least >= high:
                            cell["coverage"] = "observed"
                        elif most < high:
                            cell["coverage"] = "unobserved"
                else:
                    reached = i + high - 1 < len(shown)
                    cell = rolling_cell([(high, spent) for _, spent in members], low, high, rule)
                    running = i + high == len(shown) and not is_over(shown[-1], freq, last_day(end))
                    word = "partial" if running else "observed"
                    cell["coverage"] = word if reached else "unobserved"
                if cell["coverage"] == "unobserved":
                    cell = dict.fromkeys(cell) | {"coverage": "unobserved"}
                rows.append({"key": key, "cohort": cohort, "cohort_age": low, **cell})
    return rows


def contract_cohorts(
    contracts: Sequence[tuple[Any, dt.datetime, dt.datetime | None]],
    freq: str,
    end: dt.datetime,
    *,
    window: str = "calendar",
    rule: str | Sequence[int] = "on",
    observed_from: dt.date | None = None,
) -> list[dict[str, Any]]:
    """Look at every customer's contracts at one moment after another."""
    own: dict[Any, list[tuple[dt.datetime, dt.datetime | None]]] = {}
    for customer, start, stop in contracts:
        if clock_of(start) < clock_of(end):
            own.setdefault(customer, []).append((start, stop))
    last = (end - dt.timedelta(microseconds=1)).date()
    first = min(start.date() for terms in own.values() for start, _ in terms)
    shown = calendar = calendar_of(first, last, freq)
    if observed_from is not None:
        shown = [p for p in calendar_of(observed_from, last, freq) if p >= observed_from]
        calendar = calendar_of(min(first, shown[0]), last, freq)
    # Ages are looked at when periods close, or as windows begin.
    closings = [dt.datetime.combine(p, dt.time(), end.tzinfo) for p in calendar[1:]] + [end]
    length = dt.timedelta(days=WINDOW_LENGTHS[freq])
    people: dict[dt.date, list[tuple[int, dict[int, float]]]] = {}
    for terms in own.values():
        origin = min((start for start, _ in terms), key=instant)
        cohort = period_start(min(start.date() for start, _ in terms), freq)
        if window == "rolling":
            count = windows_until(instant(origin), instant(end), length) + 1
            moments = [instant(origin) + age * length for age in range(count)]
        else:
            moments = [instant(moment) for moment in closings[calendar.index(cohort) :]]
        held = {
            age: 0.0
            for age, moment in enumerate(moments)
            if any(
                instant(start) <= moment and (stop is None or moment < instant(stop))
                for start, stop in terms
            )
        }
        if cohort in shown:
            done = len(moments) if window == "rolling" else -1
            people.setdefault(cohort, []).append((done, held))
    rows = []
    for i, cohort in enumerate(shown):
        members = people.get(cohort, [])
        for low, high in brackets_of(
            rule, {(None, c): p for c, p in people.items()}, len(shown), window
        ):
            if window == "rolling":
                cell = rolling_cell(members, low, high, rule)
            else:
                cell = rolling_cell([(high, held) for _, held in members], low, high, rule)
                running = i + high == len(shown) and not is_over(shown[-1], freq, last_day(end))
                word = "partial" if running else "observed"
                cell["coverage"] = word if i + high - 1 < len(shown) else "unobserved"
            rows.append({"cohort": cohort, "cohort_age": low, "members": len(members), **cell})
    return rows


def clock_of(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=None)


def last_day(end: dt.datetime) -> dt.date:
    """Return the last day that is over when observation ends."""
    return (end - dt.timedelta(days=1)).date()


def period_limits(
    start: dt.date, freq: str, zone: dt.tzinfo | None
) -> tuple[dt.datetime, dt.datetime]:
    """Return the first and the last moment of a period."""
    after = start
    while period_start(after, freq) == start:
        after += dt.timedelta(days=1)
    opens, closes = (dt.datetime.combine(day, dt.time(), zone) for day in (start, after))
    microsecond = dt.timedelta(microseconds=1)
    if zone is None:
        return opens, closes - microsecond
    return opens, (closes.astimezone(dt.UTC) - microsecond).astimezone(zone)


def brackets_of(
    rule: str | Sequence[int], people: dict[Any, Any], periods: int, window: str
) -> list[tuple[int, int]]:
    """Return the first age of each bracket and the one after its last; each age is one."""
    if not isinstance(rule, str):
        return list(itertools.pairwise(rule))
    if window == "rolling":
        periods = max([1, *(done for found in people.values() for done, _ in found)])
    return [(age, age + 1) for age in range(periods)]


def rolling_cell(
    members: list[tuple[int, dict[int, float]]], low: int, high: int, rule: str | Sequence[int]
) -> dict[str, Any]:
    """Count the customers who have completed a bracket, and those who were active in it."""
    eligible = [spent for done, spent in members if done >= high]
    spent_in = [[v for age, v in spent.items() if low <= age < high] for spent in eligible]
    if rule == "on_or_after":
        spent_in = [[v for age, v in spent.items() if age >= low] for spent in eligible]
    y, x = [sum(values) for values in spent_in], [spent.get(0, 0.0) for spent in eligible]
    n, retained = len(eligible), sum(1 for values in spent_in if values)
    word = "observed" if n == len(members) else "partial" if n else "unobserved"
    return {
        "coverage": word,
        "n": n,
        "retained": retained,
        "amount": sum(y),
        "amount_start": sum(x),
        "amount_sumsq": sum(v * v for v in y),
        "amount_start_sumsq": sum(v * v for v in x),
        "amount_cross": sum(a * b for a, b in zip(x, y, strict=True)),
    }


def ratio_interval(
    x: Sequence[float], y: Sequence[float], level: float
) -> tuple[float, float, float, float]:
    """Return a ratio of sums, its error and its limits, from each customer's own deviation."""
    ratio, n = sum(y) / sum(x), len(x)
    deviations = [(b - ratio * a) / sum(x) for a, b in zip(x, y, strict=True)]
    error = math.sqrt(n / (n - 1) * sum(d * d for d in deviations))
    worth = sum(x) ** 2 / sum(a * a for a in x)  # as many equal customers
    margin = float(stdtrit(worth - 1, (1 + level) / 2)) * error
    return ratio, error, ratio - margin, ratio + margin


def pool(
    rows: list[dict[str, Any]], keys: Sequence[str], counts: Sequence[str], covered: Sequence[str]
) -> list[dict[str, Any]]:
    """Add the counts of the rows that agree on the keys and are covered; None where none is."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        total = sums.setdefault(tuple(row[key] for key in keys), dict.fromkeys(counts))
        if row["coverage"] in covered:
            for name in counts:
                total[name] = (total[name] or 0) + row[name]
    return [{**dict(zip(keys, key, strict=True)), **total} for key, total in sums.items()]


# --- Loyalty tiers --------------------------------------------------------------------------------
#
# A log is a list of (customer, day, is it a purchase); the customers are all who could buy.

if TYPE_CHECKING:
    Purchases = Sequence[tuple[Any, dt.date, bool]]


def last_months(day: dt.date, count: int) -> list[dt.date]:
    """Return the first days of so many months, that of the day being the last."""
    months = [day.replace(day=1)]
    while len(months) < count:
        months.insert(0, (months[0] - dt.timedelta(days=1)).replace(day=1))
    return months


def loyalty_tier(
    log: Purchases,
    as_of: dt.date,
    customers: Sequence[Any] = (),
    loyal_periods: int = 3,
    loyal_window: int = 6,
    lapsed_after: int | None = None,
) -> dict[Any, str]:
    """Return the tier of everybody who is listed, or in the log by the end of the day."""
    window = last_months(as_of, loyal_window)
    tiers = {}
    for customer in sorted({*customers, *(who for who, day, _ in log if day <= as_of)}):
        bought = {day for who, day, purchase in log if who == customer and purchase}
        days = {day for day in bought if day <= as_of}
        months = {day.replace(day=1) for day in days}
        if not days:
            tiers[customer] = "prospect"
        elif lapsed_after and not months & set(last_months(as_of, lapsed_after)):
            tiers[customer] = "lapsed"
        elif len(days) == 1:
            tiers[customer] = "new"
        elif sum(month in months for month in window) >= loyal_periods:
            tiers[customer] = "loyal"
        else:
            tiers[customer] = "repeat"
    return tiers


def loyalty_tiers_through_time(
    log: Purchases, freq: str, as_of: dt.date, customers: Sequence[Any] = (), **rule: Any
) -> list[tuple[Any, dt.date, str]]:
    """Return customer, period's start and the tier as of the day before, by customer."""
    rows = []
    for start in customers_by_period([(who, day) for who, day, _ in log], freq, as_of):
        tiers = loyalty_tier(log, start - dt.timedelta(days=1), customers, **rule)
        rows += [(customer, start, tier) for customer, tier in tiers.items()]
    return sorted(rows)


# --- Stages of the customer's life ----------------------------------------------------------------
#
# An answer is (customer, score, day).


def lifecycle_stage(
    log: Purchases,
    as_of: dt.date,
    customers: Sequence[Any] = (),
    answers: Sequence[tuple[Any, int, dt.date]] = (),
    *,
    onboarding: int = 90,
    usual_gap: float = 90,
    least_gap: float = 7,
    at_risk_after: float = 2.0,
    churned_after: float = 4.0,
) -> dict[Any, str]:
    """Return the stage of everybody who is listed, or in the log by the end of the day."""
    stages = {}
    for customer in sorted({*customers, *(who for who, day, _ in log if day <= as_of)}):
        bought = {day for who, day, purchase in log if who == customer and purchase}
        days = sorted(day for day in bought if day <= as_of)
        if not days:
            stages[customer] = "acquisition"
            continue
        gaps = [(b - a).days for a, b in itertools.pairwise(days)]
        rhythm = max(sum(gaps) / len(gaps) if gaps else usual_gap, least_gap)
        silence, tenure = (as_of - days[-1]).days, (as_of - days[0]).days
        told = [(day, -score) for who, score, day in answers if who == customer and day <= as_of]
        if silence > churned_after * rhythm:
            stages[customer] = "churned"
        elif silence > at_risk_after * rhythm:
            stages[customer] = "at_risk"
        elif tenure <= onboarding:
            stages[customer] = "onboarding"
        elif told and -max(told)[1] >= 9:
            stages[customer] = "advocacy"
        else:
            stages[customer] = "retention"
    return stages


# --- Moves between tiers --------------------------------------------------------------------------


def tier_transitions(
    rows: Sequence[tuple[Any, dt.date, Any]], levels: Sequence[Any]
) -> list[tuple[dt.date, Any, Any, int, int, int]]:
    """Return period, from, to, n, n_missing and moved, from rows of customer, date and tier."""
    tiers = {(who, day): tier for who, day, tier in rows}
    days = sorted({day for _, day, _ in rows})
    found = []
    for before, day in itertools.pairwise(days):
        for one in levels:
            held = [who for who, since, tier in rows if since == before and tier == one]
            seen = [who for who in held if (who, day) in tiers]
            for other in levels:
                moved = sum(tiers[who, day] == other for who in seen)
                found.append((day, one, other, len(seen), len(held) - len(seen), moved))
    return found


# --- Recency, frequency, money --------------------------------------------------------------------


def rfm(
    rows: Sequence[tuple[Any, dt.date, float]], freq: str, as_of: dt.date, bins: int = 5
) -> dict[Any, dict[str, Any]]:
    """Return the measures and scores of each customer, from rows of customer, day and amount."""
    starts = list(customers_by_period([(who, day) for who, day, _ in rows], freq, as_of))
    found: dict[Any, dict[str, Any]] = {}
    for customer in sorted({who for who, day, _ in rows if day <= as_of}):
        own = [(day, paid) for who, day, paid in rows if who == customer and day <= as_of]
        active = sorted({starts.index(period_start(day, freq)) for day, paid in own if paid >= 0})
        found[customer] = dict.fromkeys(("frequency", "recency", "T"))
        found[customer]["monetary"] = math.fsum(paid for _, paid in own)
        if active:
            last = len(starts) - 1
            measures = {"recency": active[-1] - active[0], "T": last - active[0]}
            found[customer] |= {"frequency": len(active) - 1, **measures}
    buyers = [row for row in found.values() if row["T"] is not None]
    better = {
        "recency_score": [row["recency"] - row["T"] for row in buyers],
        "frequency_score": [row["frequency"] for row in buyers],
        "monetary_score": [round(row["monetary"], 6) for row in buyers],
    }
    for name, values in better.items():
        for row in found.values():
            row[name] = None
        for row, value in zip(buyers, values, strict=True):
            row[name] = 1 + bins * sum(other < value for other in values) // len(values)
    return found


# --- Lifetimes ------------------------------------------------------------------------------------


def customer_lifetimes(
    log: Sequence[tuple[Any, dt.date]], gap: int, as_of: dt.date
) -> dict[Any, tuple[dt.date, int, bool]]:
    """Return start, duration and event of each customer, walking from day to day."""
    found = {}
    for customer in sorted({who for who, day in log if day <= as_of}):
        days = {day for who, day in log if who == customer and day <= as_of}
        start = today = min(days)
        silent, event = 0, False
        while today < as_of and not event:
            today += dt.timedelta(days=1)
            silent = 0 if today in days else silent + 1
            event = silent == gap
        found[customer] = (start, (today - start).days, event)
    return found


def contract_lifetimes(
    contracts: Contracts,
    gap: int,
    observed_until: dt.datetime,
    observed_from: dt.date | None = None,
) -> dict[Any, tuple[dt.date, int, bool, int]]:
    """Return start, duration, event and entry of each customer, from the close of day to the next.

    Observed up to, without, that moment, which is when the last day closes.
    """
    last = (observed_until - dt.timedelta(microseconds=1)).date()
    known = last - dt.timedelta(days=gap)  # after its close, nobody is known to have left
    found = {}
    for customer in sorted({who for who, _, _ in contracts}):
        mine = [row for row in contracts if row[0] == customer and row[1] <= observed_until]
        for life in _lives(mine, gap, observed_until):
            begins, first, reach = life
            if begins >= observed_until or begins.date() > known:
                continue
            event = reach < known
            entry = 0
            if observed_from is not None:
                opens = observed_from - dt.timedelta(days=1)  # closes as observation begins
                if reach < opens and begins.date() < observed_from:
                    continue
                entry = max((opens - first).days, 0)
            length = (reach - first).days + 1 if event else (known - first).days
            found[customer] = (begins.date(), length, event, entry)
            break
    return found


def _lives(
    contracts: Contracts, gap: int, observed_until: dt.datetime
) -> list[tuple[dt.datetime, dt.date, dt.date]]:
    """Return of each lifetime its start, and the first and the last day that it closes with."""
    lives: list[tuple[dt.datetime, dt.date, dt.date]] = []
    silent: int | None = None  # days that closed without a contract; None before the first
    day = min((start for _, start, _ in contracts), default=observed_until).date()
    day -= dt.timedelta(days=1)
    opens = midnight(day)
    while opens < observed_until:
        closes = min(opens + dt.timedelta(days=1), observed_until)
        starts = [start for _, start, _ in contracts if opens < start <= closes]
        if starts and (silent is None or silent > gap):
            lives.append((min(starts), day, day - dt.timedelta(days=1)))
        if starts or in_force(contracts, closes):
            begins, first, _ = lives[-1]
            here = bool(in_force(contracts, closes))
            silent = 0 if here else 1
            lives[-1] = (begins, first, day if here else day - dt.timedelta(days=1))
        elif silent is not None:
            silent += 1
        day, opens = day + dt.timedelta(days=1), closes
    return lives


def gaps(log: Sequence[tuple[Any, dt.date]], as_of: dt.date) -> dict[int, int]:
    """Return how many silences there are of each length."""
    found: dict[int, int] = {}
    for customer in {who for who, _ in log}:
        days = sorted({day for who, day in log if who == customer and day <= as_of})
        for one, other in itertools.pairwise(days):
            found[(other - one).days] = found.get((other - one).days, 0) + 1
    return dict(sorted(found.items()))


# ---- weights, clusters, strata ------------------------------------------------------------------


def linearised_variance(
    values: list[float],
    weights: list[float],
    inside: list[bool],
    units: list[int],
    strata: list[int],
    population: list[float],
) -> float | None:
    """The variance of a weighted mean over some of the answers, summed one answer at a time.

    Null where nothing is inside, or where the sample has as many strata as units. A stratum of one
    unit counts as if its spread were 0.
    """
    total = math.fsum(w for w, mine in zip(weights, inside, strict=True) if mine)
    if total == 0 or len(set(units)) <= len(set(strata)):
        return None
    rows = list(zip(values, weights, inside, units, strata, strict=True))
    mean = math.fsum(w * y for y, w, mine, _, _ in rows if mine) / total
    variance = 0.0
    for h in sorted(set(strata)):
        moved: dict[int, float] = {}
        for y, w, mine, unit, stratum in rows:
            if stratum == h:
                moved.setdefault(unit, 0.0)
                moved[unit] += w * (y - mean) / total if mine else 0.0
        m = len(moved)
        if m == 1:
            continue
        middle = math.fsum(moved.values()) / m
        squares = math.fsum((u - middle) ** 2 for u in moved.values())
        variance += (1 - m / population[h]) * m / (m - 1) * squares
    return variance


def welch(one: list[int], other: list[int], level: float) -> tuple[float, float, float]:
    """Welch's degrees of freedom, and the limits that leave 1 - level beyond each of them."""
    parts = []
    for answers in (one, other):
        mean = sum(answers) / len(answers)
        squares = math.fsum((answer - mean) ** 2 for answer in answers)
        parts.append((mean, squares / (len(answers) - 1) / len(answers), len(answers) - 1))
    (first, v, f), (second, w, g) = parts
    df = (v + w) ** 2 / (v * v / f + w * w / g)
    margin = float(stats.t.ppf(level, df)) * math.sqrt(v + w)
    return df, first - second - margin, first - second + margin


# ---- Revenue -------------------------------------------------------------------------------------

Amounts = dict[Any, float]


def moved(
    start: Amounts, end: Amounts, ever: set[Any], people: set[Any], referred: Collection[Any]
) -> dict[str, Any]:
    """Tell what the customers of a group pay at both ends of a span, one after another."""
    names = ("start", "new", "expansion", "contraction", "churned", "reactivation", "end")
    sums: dict[str, Any] = dict.fromkeys((*names, "n", "retained"), 0)
    units = []
    for who in sorted(people & {*start, *end}, key=str):
        before, after = start.get(who, 0.0), end.get(who, 0.0)
        if not before and not after:
            continue
        sums["start"] += before
        sums["end"] += after
        if before:
            sums["n"] += 1
            sums["retained"] += after > 0
            sums["expansion"] += max(after - before, 0.0)
            sums["contraction" if after else "churned"] += max(before - after, 0.0)
            units.append((before, after, "base"))
        elif who in ever:
            sums["reactivation"] += after
            units.append((0.0, after, "returned"))
        else:
            sums["new"] += after
            units.append((0.0, after, "referred" if who in referred else "new"))
    return {**sums, "units": units}


def revenue_rates(row: dict[str, Any]) -> dict[str, float | None]:
    """Return the rates of such a row, from its customers one by one."""
    units = row["units"]
    base = float(sum(x for x, _, _ in units))
    if not base:
        return dict.fromkeys(("grr", "nrr", "counted", "earned_growth"))

    def kept(*kinds: str) -> float:
        return 100 * float(sum(y for _, y, kind in units if kind in kinds)) / base

    return {
        "grr": 100 * sum(min(x, y) for x, y, _ in units) / base,
        "nrr": kept("base"),
        "counted": kept("base", "returned"),
        "earned_growth": kept("base", "referred") - 100,
    }


def log_revenue(
    log: Sequence[tuple[Any, dt.date, float]],
    freq: str,
    as_of: dt.date,
    key_at: KeyAt = no_key,
    *,
    trailing: int = 1,
    observed_from: dt.date | None = None,
    referred: Collection[Any] = (),
) -> list[dict[str, Any]]:
    """Look at each period and at the one so many before it."""
    log = [row for row in log if row[1] <= as_of]
    calendar = calendar_of(min(day for _, day, _ in log), as_of, freq)
    if observed_from is not None:
        calendar = from_then_on(observed_from, freq, as_of)
    paid: dict[dt.date, Amounts] = {period: {} for period in calendar}
    for who, day, amount in log:
        found = paid.setdefault(period_start(day, freq), {})
        found[who] = found.get(who, 0.0) + amount
    rows: list[dict[str, Any]] = []
    for i, period in enumerate(calendar):
        if i < trailing:
            rows.append({"period": period, "coverage": "unobserved"})
            continue
        base, opens = calendar[i - trailing], calendar[i - trailing + 1]
        ever = {w for when, found in paid.items() if when <= base for w in found if found[w] > 0}
        for key in {key_at(who, opens) for found in paid.values() for who in found}:
            people = {w for found in paid.values() for w in found if key_at(w, opens) == key}
            row = moved(paid[base], paid[period], ever, people, referred)
            coverage = "observed" if is_over(period, freq, as_of) else "partial"
            rows.append({"key": key, "period": period, "coverage": coverage, **row})
    return rows


def contract_revenue(
    contracts: Sequence[tuple[Any, dt.datetime, dt.datetime | None, float]],
    freq: str,
    observed_until: dt.datetime,
    key_at: KeyAt = no_key,
    *,
    trailing: int = 1,
    observed_from: dt.date | None = None,
) -> list[dict[str, Any]]:
    """Look at who is in force when each span opens and when it closes."""
    begins = observed_from or period_start(min(row[1] for row in contracts).date(), freq)
    last = (observed_until - dt.timedelta(microseconds=1)).date()
    calendar = from_then_on(begins, freq, last)

    def stock(moment: dt.datetime) -> Amounts:
        found: Amounts = {}
        for who, start, end, amount in contracts:
            if amount and start <= moment and (end is None or moment < end):
                found[who] = found.get(who, 0.0) + amount
        return found

    rows = []
    for i, period in enumerate(calendar):
        if i < trailing - 1:
            rows.append({"period": period, "coverage": "unobserved"})
            continue
        day = calendar[i - trailing + 1]
        opens, closes = midnight(day), min(midnight(next_start(period, freq)), observed_until)
        ever = {who for who, start, _, amount in contracts if start < opens and amount}
        over = midnight(next_start(period, freq)) <= observed_until
        for key in {key_at(who, day) for who, *_ in contracts}:
            people = {who for who, *_ in contracts if key_at(who, day) == key}
            row = moved(stock(opens), stock(closes), ever, people, set())
            coverage = "observed" if over else "partial"
            rows.append({"key": key, "period": period, "coverage": coverage, **row})
    return rows


# ---- survival -----------------------------------------------------------------------------------


class Spell(NamedTuple):
    """How long somebody was seen, whether it ended with the event, since when, and the weight."""

    duration: float
    event: bool
    entry: float = 0
    weight: float = 1


def is_at_risk(spell: Spell | Subject, time: float) -> bool:
    begun = spell.entry < time or (time == 0 and spell.entry == 0)
    return begun and time <= spell.duration


def survival(
    spells: Sequence[Spell], *, weighted: bool, method: str = "log-log", level: float = 0.95
) -> list[Row]:
    """Return the rows of a survival curve: every count and sum anew at every time.

    The variance of weighted curves is the sum of the squared derivatives of S by each weight, times
    the weight; that of others Greenwood's.
    """
    times = {0, *(spell.duration for spell in spells), *(spell.entry for spell in spells)}
    rows: list[Row] = []
    share, relative = 1.0, 0.0
    slopes = [0.0] * len(spells)  # of log S by each weight
    for time in sorted(times):
        there = [is_at_risk(spell, time) for spell in spells]
        ended = [spell.duration == time for spell in spells]
        gone = [spell.event and over for spell, over in zip(spells, ended, strict=True)]
        weights = [spell.weight if weighted else 1 for spell in spells]
        at_risk = sum(w for w, here in zip(weights, there, strict=True) if here)
        events = sum(w for w, lost in zip(weights, gone, strict=True) if lost)
        everyone = sum(gone) == sum(there)
        if events and everyone:
            share = 0.0
        elif events:
            share *= 1 - events / at_risk
            relative += events / (at_risk * (at_risk - events))
            for i, (here, lost) in enumerate(zip(there, gone, strict=True)):
                stays = here and not lost
                slopes[i] += stays / (at_risk - events) - here / at_risk
        if weighted:
            moves = (w * slope for w, slope in zip(weights, slopes, strict=True))
            relative = sum(move * move for move in moves)
        low, high = survival_limits(share, math.sqrt(relative), method, level)
        entered = sum(spell.entry == time for spell in spells)
        rows.append(
            {
                "duration": time,
                "at_risk": sum(there),
                "events": sum(gone),
                "censored": sum(ended) - sum(gone),
                "entered": entered,
                **({"w_at_risk": at_risk, "w_events": events} if weighted else {}),
                "estimate": 100 * share,
                "std_error": 100 * share * math.sqrt(relative) if share else None,
                "ci_low": low,
                "ci_high": high,
            }
        )
    return rows


def survival_limits(
    share: float, relative: float, method: str, level: float
) -> tuple[float | None, float | None]:
    if share in (0, 1):
        return None, None
    reach = normal_z(level) * relative
    if method == "log-log":
        middle, half = math.log(-math.log(share)), reach / math.log(share)
        ends = [math.exp(-math.exp(middle + sign * half)) for sign in (-1, 1)]
    elif method == "log":
        ends = [math.exp(math.log(share) + sign * reach) for sign in (-1, 1)]
    else:
        ends = [share + sign * share * reach for sign in (-1, 1)]
    return 100 * max(min(ends), 0), 100 * min(max(ends), 1)


class Subject(NamedTuple):
    """One subject: from entry (0: the beginning) to duration, and whether it had the event."""

    group: Any
    duration: float
    event: bool
    entry: float = 0


def at_risk(spells: Sequence[Subject], time: float) -> list[Subject]:
    return [s for s in spells if is_at_risk(s, time)]


def logrank(
    spells: Sequence[Subject], groups: Sequence[Any]
) -> tuple[list[int], list[Fraction], Fraction | None, int]:
    """Return observed and expected events of each group, chi-square (None without one), and df."""
    observed = [sum(s.event for s in spells if s.group == group) for group in groups]
    expected = [Fraction(0) for _ in groups]
    variance = [[Fraction(0) for _ in groups] for _ in groups]
    for time in sorted({s.duration for s in spells if s.event}):
        there = at_risk(spells, time)
        total, died = len(there), sum(s.event and s.duration == time for s in there)
        share = [Fraction(sum(s.group == group for s in there), total) for group in groups]
        spread = Fraction(died * (total - died), total - 1) if total > 1 else Fraction(0)
        for i in range(len(groups)):
            expected[i] += died * share[i]
            for j in range(len(groups)):
                variance[i][j] += spread * share[i] * ((i == j) - share[j])
    apart = [o - e for o, e in zip(observed, expected, strict=True)]
    solution, rank = solved(variance, apart)
    statistic = sum((a * x for a, x in zip(apart, solution, strict=True)), Fraction(0))
    return observed, expected, statistic if rank else None, rank


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> tuple[list[Fraction], int]:
    """Return one solution of linear equations that have one, and the rank of the matrix."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    pivots: list[int] = []
    for column in range(len(right)):
        rank = len(pivots)
        found = next((i for i in range(rank, len(rows)) if rows[i][column] != 0), None)
        if found is None:
            continue
        rows[rank], rows[found] = rows[found], rows[rank]
        rows[rank] = [value / rows[rank][column] for value in rows[rank]]
        for i, row in enumerate(rows):
            if i != rank and row[column] != 0:
                rows[i] = [a - row[column] * b for a, b in zip(row, rows[rank], strict=True)]
        pivots.append(column)
    assert all(row[-1] == 0 for row in rows[len(pivots) :])
    solution = [Fraction(0)] * len(right)
    for row, column in zip(rows, pivots, strict=False):
        solution[column] = row[-1]
    return solution, len(pivots)


def area_under_curve(
    spells: Sequence[Subject], weights: Sequence[Fraction], horizon: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """Return the area under a weighted Kaplan-Meier curve, its variance, and where it ends."""
    each = list(zip(spells, weights, strict=True))
    curve, last, area = Fraction(1), Fraction(0), Fraction(0)
    steps: list[tuple[Fraction, Fraction, Fraction]] = []  # the area before, events, and at risk
    for time in sorted({Fraction(s.duration) for s in spells if s.event and s.duration <= horizon}):
        area, last = area + curve * (time - last), time
        died = sum((w for s, w in each if s.event and s.duration == time), Fraction(0))
        there = sum((w for s, w in each if s in at_risk([s], float(time))), Fraction(0))
        steps.append((area, died, there))
        curve *= 1 - died / there
    area += curve * (horizon - last)
    parts = (
        (area - before) ** 2 * died / (there * (there - died))
        for before, died, there in steps
        if there != died
    )
    return area, sum(parts, Fraction(0)), curve


def restricted_mean(
    spells: Sequence[Subject], horizon: Fraction, weights: Sequence[Fraction] | None = None
) -> tuple[float, float] | None:
    """Return the restricted mean and its variance, or None where it is not known.

    That of weighted subjects is the sum of the squares of each weight times the slope of the area
    along it, which is taken from a step so small that fractions alone can make it.
    """
    equal = [Fraction(1)] * len(spells) if weights is None else list(weights)
    area, variance, end = area_under_curve(spells, equal, horizon)
    if not spells or (max(s.duration for s in spells) < horizon and end > 0):
        return None
    if weights is not None:
        step = Fraction(1, 10**15)
        variance = Fraction(0)
        for i, weight in enumerate(equal):
            moved = [*equal[:i], weight + step, *equal[i + 1 :]]
            slope = (area_under_curve(spells, moved, horizon)[0] - area) / step
            variance += (weight * slope) ** 2
    return float(area), float(variance)
