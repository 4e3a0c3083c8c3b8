"""How often the intervals hold the truth: the tables of docs/methods.md.

One group is exact: every outcome that n answers can have, by its probability. Differences and
weighted samples are drawn, from a seed. `make coverage` writes the tables between their markers.
"""

from __future__ import annotations

import argparse
import functools
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln, ndtr, stdtrit

import loyaltykit as lk
from loyaltykit.errors import ConcentrationWarning

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DOCS = Path(__file__).parents[1] / "docs" / "methods.md"
SIZES = (5, 10, 20, 50, 100, 300)
SEED = 20260101
LEVEL = 0.95

# Shares of promoters and detractors, from much of both to hardly any of one.
NPS = [
    *[(0.50, 0.12), (0.25, 0.25), (0.10, 0.60), (0.80, 0.05)],
    *[(0.34, 0.33), (0.05, 0.05), (0.95, 0.02), (0.60, 0.40)],
]
CSAT = [0.30, 0.50, 0.70, 0.80, 0.90, 0.95, 0.98]
# Shares of the answers 1 to 7: even, leaning to easy, nearly all at the top.
CES = [
    [0.10, 0.12, 0.16, 0.24, 0.16, 0.12, 0.10],
    [0.02, 0.03, 0.05, 0.10, 0.20, 0.30, 0.30],
    [0.02, 0.00, 0.01, 0.02, 0.02, 0.03, 0.90],
]
NPS_METHODS = ("score", "adjusted_wald", "wald", "bootstrap")
CSAT_METHODS = ("wilson", "agresti_coull", "clopper_pearson", "jeffreys", "bootstrap")


def held(table: pd.DataFrame, truth: float) -> npt.NDArray[np.bool_]:
    """Return where the interval holds the truth; an interval that is null does not."""
    slack = 1e-9
    low, high = table["ci_low"].to_numpy(), table["ci_high"].to_numpy()
    return (low <= truth + slack) & (high >= truth - slack)


# ---- one group, exactly -------------------------------------------------------------------------


def chances(counts: Ints, shares: Sequence[float]) -> Floats:
    """Return the multinomial probability of each row of counts."""
    log = np.log(np.maximum(shares, 1e-300))
    n = counts.sum(axis=1)
    return np.exp(gammaln(n + 1) - gammaln(counts + 1).sum(axis=1) + counts @ log)


def one_group(
    outcomes: Ints,
    populations: Sequence[Sequence[float]],
    truth: Callable[[Sequence[float]], float],
    table: Callable[[str], pd.DataFrame],
    methods: Sequence[str],
) -> Iterator[tuple[Floats, Floats]]:
    """Return per method the coverage and the mean width in every population."""
    for method in methods:
        made = table(method)
        width = (made["ci_high"] - made["ci_low"]).to_numpy()
        weights = [chances(outcomes, shares) for shares in populations]
        covered = [
            float(chance @ held(made, truth(shares)))
            for chance, shares in zip(weights, populations, strict=True)
        ]
        yield np.array(covered), np.array([float(chance @ width) for chance in weights])


def nps_rows(n: int, resamples: int) -> list[tuple[Floats, Floats]]:
    up, down = np.divmod(np.arange((n + 1) ** 2), n + 1)
    up, down = up[up + down <= n], down[up + down <= n]
    outcomes = np.column_stack([up, n - up - down, down])

    def table(method: str) -> pd.DataFrame:
        draws: dict[str, Any] = {"rng": SEED, "n_resamples": resamples}
        return lk.nps_from_counts(promoters=up, detractors=down, n=n, method=method, **draws)

    populations = [(p, 1 - p - d, d) for p, d in NPS]
    return list(one_group(outcomes, populations, lambda s: 100 * (s[0] - s[2]), table, NPS_METHODS))


def csat_rows(n: int, resamples: int) -> list[tuple[Floats, Floats]]:
    hits = np.arange(n + 1)

    def table(method: str) -> pd.DataFrame:
        draws: dict[str, Any] = {"rng": SEED, "n_resamples": resamples}
        return lk.csat_from_counts(satisfied=hits, n=n, method=method, **draws)

    outcomes = np.column_stack([hits, n - hits])
    populations = [(p, 1 - p) for p in CSAT]
    return list(one_group(outcomes, populations, lambda s: 100 * s[0], table, CSAT_METHODS))


# ---- drawn --------------------------------------------------------------------------------------


def ces_rows(n: int, draws: int, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
    """Return the coverage and the width of the mean's interval, per population."""
    covered, widths = [], []
    for shares in CES:
        made = lk.ces_from_counts(answers=range(1, 8), n=rng.multinomial(n, shares, draws))
        covered.append(held(made, float(np.arange(1, 8) @ shares)).mean())
        widths.append(float((made["ci_high"] - made["ci_low"]).mean()))
    return [(np.array(covered), np.array(widths))]


def sides(first: Ints, second: Ints) -> dict[str, Any]:
    """Return labels that tell draws and the two sides of each apart."""
    number = np.arange(len(first))
    return {"draw": np.tile(number, 2), "side": np.repeat(["a", "b"], len(first))}


def nps_differences(n: int, draws: int, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
    made: dict[str, list[tuple[float, float]]] = {"mover": [], "adjusted_wald": []}
    pairs = [(NPS[i], NPS[j]) for i, j in ((0, 1), (0, 3), (4, 4), (6, 3), (5, 5))]
    for populations in pairs:
        first, second = (rng.multinomial(n, (p, 1 - p - d, d), draws) for p, d in populations)
        both = np.concatenate([first, second])
        table = lk.nps_from_counts(
            promoters=both[:, 0], detractors=both[:, 2], n=n, labels=sides(first, second)
        )
        truth = 100 * (
            populations[1][0] - populations[1][1] - populations[0][0] + populations[0][1]
        )
        of_methods(made, table, truth)
    return [tuple(np.array(made[method]).T) for method in made]  # type: ignore[misc]


def csat_differences(n: int, draws: int, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
    made: dict[str, list[tuple[float, float]]] = {"mover": [], "adjusted_wald": []}
    for p, q in ((0.5, 0.5), (0.7, 0.8), (0.9, 0.95), (0.95, 0.95), (0.98, 0.8)):
        first, second = rng.binomial(n, p, draws), rng.binomial(n, q, draws)
        table = lk.csat_from_counts(
            satisfied=np.concatenate([first, second]), n=n, labels=sides(first, second)
        )
        of_methods(made, table, 100 * (q - p))
    return [tuple(np.array(made[method]).T) for method in made]  # type: ignore[misc]


def of_methods(
    made: dict[str, list[tuple[float, float]]], table: pd.DataFrame, truth: float
) -> None:
    """Add to each method's list how often its difference holds the truth, and how wide it is."""
    for method, rows in made.items():
        found = lk.compare(table, "side", reference="a", method=method, adjust="none")
        width = float((found["ci_high"] - found["ci_low"]).mean())
        rows.append((float(held(found, truth).mean()), width))


# ---- weighted samples ---------------------------------------------------------------------------


def unequal(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw answers whose weights vary, but say nothing of the answer."""
    score = rng.choice([10, 8, 3], n, p=(0.5, 0.38, 0.12))
    return pd.DataFrame({"nps": score, "weight": rng.lognormal(0, 0.7, n), "unit": range(n)})


def oversampled(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw half of the sample from a tenth of the population, who are less content."""
    small = rng.random(n) < 0.5
    content, rest = (rng.choice([10, 8, 3], n, p=p) for p in ((0.5, 0.38, 0.12), (0.2, 0.4, 0.4)))
    return pd.DataFrame(
        {
            "nps": np.where(small, rest, content),
            "weight": np.where(small, 0.2, 1.8),
            "unit": range(n),
        }
    )


def accounts(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw accounts of five respondents who are more like one another than like others."""
    shares = rng.dirichlet(2.0 * np.array([0.5, 0.38, 0.12]), max(n // 5, 1))
    unit = np.repeat(np.arange(len(shares)), 5)
    point = (rng.random((len(unit), 1)) > shares[unit].cumsum(axis=1)[:, :2]).sum(axis=1)
    return pd.DataFrame({"nps": np.array([10, 8, 3])[point], "weight": 1.0, "unit": unit})


SAMPLES = {
    "unequal weights": (unequal, 38.0, {"weights": "weight"}),
    "a tenth oversampled": (oversampled, 0.9 * 38.0 + 0.1 * -20.0, {"weights": "weight"}),
    "accounts of five": (accounts, 38.0, {"clusters": "unit"}),
}


def domains(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw two halves of one population, whose difference is 0, with weights that vary."""
    return unequal(n, rng).assign(half=rng.integers(0, 2, n))


def difference_rows(n: int, draws: int) -> float:
    """Return how often the interval of a difference of weighted domains holds its 0."""
    rng, covered = np.random.default_rng(SEED + n), 0.0
    for _ in range(draws):
        table = lk.nps(domains(n, rng), "nps", by="half", weights="weight")
        covered += held(lk.compare(table, "half"), 0.0).sum()
    return covered / draws


def weighted_rows(draw: Any, truth: float, design: dict[str, str], n: int, draws: int) -> Floats:
    """Return how often three intervals hold the truth: ours, Wald's, and the one of the answers."""
    rng, covered = np.random.default_rng(SEED + n), np.zeros(3)
    for _ in range(draws):
        sample = draw(n, rng)
        made = lk.nps(sample, "nps", **design)
        row = made.iloc[0]
        covered[0] += held(made, truth)[0]
        covered[1] += abs(row["estimate"] - truth) <= 1.959964 * row["std_error"]
        # The weighted shares of all answers, as if each had been drawn by itself.
        total = len(sample) / sample["weight"].sum()
        up, down = (total * row[f"w_{name}"] for name in ("promoters", "detractors"))
        low, high = naive(up, down, len(sample))
        covered[2] += low <= truth <= high
    return covered / draws


def naive(up: float, down: float, n: int) -> tuple[float, float]:
    """Return Wald's limits of n answers with these weighted shares."""
    centre = (up - down) / n
    margin = 1.959964 * np.sqrt(max((up + down) / n - centre * centre, 0.0) / n)
    return 100 * (centre - margin), 100 * (centre + margin)


# ---- revenue ------------------------------------------------------------------------------------

REVENUE_SIZES = (30, 100, 500)
SKEWS = (1.0, 1.5, 2.0)


# Who leaves, pays less and pays more, as shares of the customers.
QUIET, GROWING = (0.02, 0.01, 0.03), (0.005, 0.005, 0.03)
ORDINARY, LIVELY = (0.1, 0.1, 0.2), (0.2, 0.2, 0.4)


def alike(
    shares: Sequence[float], start: Floats, rng: np.random.Generator
) -> tuple[Floats, float, float]:
    """Draw what is left of each amount, whatever its size."""
    less, more = rng.uniform(0.4, 0.95, start.shape), 1 + rng.exponential(0.4, start.shape)
    leave, shrink, grow = np.cumsum(shares)
    kind = rng.random(start.shape)
    left = np.select([kind < leave, kind < shrink, kind < grow], [0.0, less, more], 1.0)
    kept = 1 - shares[0] - shares[1] * (1 - 0.675)
    return left, kept, kept + shares[2] * 0.4


def small_leave(start: Floats, rng: np.random.Generator) -> tuple[Floats, float, float]:
    """Draw the same where a fifth of the small half leaves, and one in fifty of the large half."""
    skew = np.log(start).std()
    large = start > 1.0
    stays = rng.random(start.shape) > np.where(large, 0.02, 0.2)
    more = rng.random(start.shape) < 0.2
    held = ndtr(skew)  # by the half above the median of a lognormal
    kept = 0.98 * held + 0.8 * (1 - held)
    return stays * np.where(more, 1.2, 1.0), kept, kept * 1.04


def revenue_rows(draw: Any, skew: float, n: int, samples: int, resamples: int) -> str:
    """Return how often intervals hold the rates of the population, and 0 for their differences."""
    rng = np.random.default_rng(SEED + n)
    start = rng.lognormal(0, skew, (samples, n))
    left, grr, nrr = draw(start, rng)
    group = np.repeat(np.arange(samples), n)
    both = {
        "id": np.tile(np.arange(samples * n), 2),
        "month": np.repeat(
            np.array(["2026-01-01", "2026-02-01"], dtype="datetime64[s]"), samples * n
        ),
        "paid": np.concatenate([start.ravel(), (start * left).ravel()]),
        "sample": np.tile(group, 2),
    }
    asked: dict[str, Any] = {"by": "sample", "as_of": "2026-02-28", "rng": SEED}
    arguments = pd.DataFrame(both), "id", "month", "paid"
    plain = lk.revenue_retention(*arguments, **asked)
    drawn = lk.revenue_retention(*arguments, **asked, method="bootstrap", n_resamples=resamples)
    found = []
    for metric, truth in (("grr", grr), ("nrr", nrr)):
        one, other = (
            table[(table["metric"] == metric) & (table["coverage"] == "observed")]
            for table in (plain, drawn)
        )
        found += [held(one, 100 * truth), held(other, 100 * truth)]
        pairs = one.assign(pair=one["sample"] // 2, side=one["sample"] % 2)
        head = ["pair", "side", *(name for name in one.columns if name != "sample")]
        found.append(held(lk.compare(pairs[head], "side"), 0.0))
    # The linearised error alone, and what n - 1 degrees of freedom would make of it.
    few = one["n_effective"].where(one["n_effective"] >= 2) - 1
    for df in (few, n - 1):
        margin = stdtrit(df, (1 + LEVEL) / 2) * one["std_error"]
        found.append((abs(one["estimate"] - 100 * nrr) <= margin).to_numpy())
    worth = one["n_effective"].mean()
    return f"| {skew:g} | {n} | {worth:.0f} | " + " | ".join(f"{part.mean():.3f}" for part in found)


def revenue_table(quick: bool) -> Iterator[str]:
    yield (
        "| amounts | skew | n | worth | grr, `wilson` | grr, bootstrap | grr, difference "
        "| nrr, `linearised` | nrr, bootstrap | nrr, difference | nrr, no least error "
        "| nrr, t(n - 1) |"
    )
    yield "|---" * 12 + "|"
    units, resamples = (1_200, 200) if quick else (200_000, 999)
    populations = {
        "quiet": functools.partial(alike, QUIET),
        "growing": functools.partial(alike, GROWING),
        "ordinary": functools.partial(alike, ORDINARY),
        "lively": functools.partial(alike, LIVELY),
        "small ones leave": small_leave,
    }
    for name, draw in populations.items():
        for skew in SKEWS:
            for n in REVENUE_SIZES[: 1 if quick else None]:
                samples = min(units // n, 2_000)
                yield f"| {name} {revenue_rows(draw, skew, n, samples, resamples)} |"


# ---- tables -------------------------------------------------------------------------------------


def table_of(methods: Sequence[str], rows: dict[int, list[tuple[Floats, Floats]]]) -> Iterator[str]:
    """Return mean and worst coverage by n and method, and the width beside the first method's."""
    yield "| n | " + " | ".join(f"`{method}`" for method in methods) + " |"
    yield "|---|" + "---|" * len(methods)
    for n, found in rows.items():
        first = found[0][1].mean()
        cells = [
            f"{covered.mean():.3f} / {covered.min():.3f} ({width.mean() / first:.2f})"
            for covered, width in found
        ]
        yield f"| {n} | " + " | ".join(cells) + " |"


def sections(quick: bool) -> Iterator[tuple[str, list[str]]]:
    """Return every table under the name of its marker."""
    sizes = SIZES[:2] if quick else SIZES
    draws, samples, resamples = (200, 20, 200) if quick else (20_000, 2_000, 999)
    exact = {n: nps_rows(n, resamples) for n in sizes}
    yield "nps", list(table_of(NPS_METHODS, exact))
    yield "csat", list(table_of(CSAT_METHODS, {n: csat_rows(n, resamples) for n in sizes}))
    rng = np.random.default_rng(SEED)
    yield "ces", list(table_of(("t",), {n: ces_rows(n, draws, rng) for n in sizes}))
    for name, rows in (("nps", nps_differences), ("csat", csat_differences)):
        found = {n: rows(n, draws, rng) for n in sizes}
        yield f"{name} difference", list(table_of(("mover", "adjusted_wald"), found))
    lines = [
        "| sample | n | score on n_effective | Wald, linearised | as if simple |",
        "|---|---|---|---|---|",
    ]
    for name, (draw, truth, design) in SAMPLES.items():
        for n in sizes[draw is accounts :]:  # five answers are one account, which has no error
            found = weighted_rows(draw, truth, design, n, samples)
            lines.append(
                f"| {name} | {n} | " + " | ".join(f"{share:.3f}" for share in found) + " |"
            )
    yield "weighted", lines
    lines = ["| n of both halves | `mover` on n_effective |", "|---|---|"]
    lines += [f"| {n} | {difference_rows(n, samples):.3f} |" for n in sizes[1:]]
    yield "weighted difference", lines
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConcentrationWarning)  # it is what is measured
        yield "revenue", list(revenue_table(quick))


def write(target: Path, *, quick: bool) -> None:
    text = target.read_text()
    for name, lines in sections(quick):
        marked = re.compile(f"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marked.subn(lambda m: m[1] + "\n".join(["", *lines, "", m[2]]), text)  # noqa: B023
        if count != 1:
            msg = f"{target} has {count} places for the table {name!r}."
            raise SystemExit(msg)
    target.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few draws, small n, printed only")
    asked = parser.parse_args()
    start = time.perf_counter()
    if asked.quick:
        for name, lines in sections(quick=True):
            print(f"{name}\n" + "\n".join(lines))
    else:
        write(DOCS, quick=False)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
