"""Draw the pictures of the pages, from seeded samples: all of them, or those that are named.

python docs/pictures.py            # writes docs/pictures/*.png
python docs/pictures.py nps trend  # these two

The other two have scripts of their own: examples/scorecard.py and examples/cdnow_heatmap.py.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

import loyaltykit as lk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).with_name("pictures")


@functools.cache
def answers() -> Any:
    """Return the answers that the pages ask."""
    return lk.datasets.sample_responses(5_000, rng=1)


@functools.cache
def log() -> Any:
    """Return the log that the pages count."""
    return lk.datasets.sample_interactions(20_000, rng=1)


@functools.cache
def contracts() -> Any:
    """Return the contracts that the pages follow."""
    return lk.datasets.sample_contracts(2_000, rng=7)


TERMS = {"contract_end": "end", "as_of": "2025-12-31"}


def nps(ax: Axes) -> None:
    lk.plot.nps_bars(lk.nps(answers(), "nps", by="sector"), ax=ax)


def nps_id(ax: Axes) -> None:
    lk.plot.nps_bars(lk.nps(answers(), "nps", by="sector"), language="id", ax=ax)


def csat(ax: Axes) -> None:
    table = lk.csat(answers(), "csat", by="sector", time="responded_at", freq="quarter")
    lk.plot.trend(table[table["sector"].isin(["B2B", "B2C"])], ax=ax)


def ces(ax: Axes) -> None:
    lk.plot.estimates(lk.ces(answers(), "ces", by="sector"), ax=ax)


def churn(ax: Axes) -> None:
    lk.plot.trend(lk.churn_rate(log(), "customer", "time"), ax=ax)


def customer_flow(ax: Axes) -> None:
    lk.plot.customer_flow(lk.customer_flow(log(), "customer", "time"), ax=ax)


def cohorts(ax: Axes) -> None:
    lk.plot.cohort_heatmap(lk.cohort_retention(log(), "customer", "time", freq="quarter"), ax=ax)


def retention_curves(ax: Axes) -> None:
    table = lk.cohort_retention(log(), "customer", "time", by="sector")
    two = table[table["sector"].isin(["B2B", "B2C"])]
    lk.plot.retention_curves(lk.pool(two, over="cohort"), ax=ax)


def revenue(ax: Axes) -> None:
    # The quarters that are drawn: of the first ones a few customers hold most.
    table = lk.revenue_retention(
        contracts(),
        "customer",
        "start",
        "amount",
        freq="quarter",
        observed_from="2024-07-01",
        **TERMS,
    )
    lk.plot.revenue_bridge(table[table["period"] == "2025-10-01"], ax=ax)


def survival(ax: Axes) -> None:
    lives = lk.customer_lifetimes(contracts(), "customer", "start", **TERMS)
    sectors = contracts()[["customer", "sector"]].drop_duplicates()
    lives = lives.merge(sectors[sectors["sector"].isin(["B2B", "B2C"])], on="customer")
    lk.plot.survival(lk.survival_curve(lives, "duration", "event", by="sector"), ax=ax)


def tiers(ax: Axes) -> None:
    found = lk.loyalty_tier(log(), "customer", "time", freq="month", purchase="purchase")
    moves = lk.pool(lk.tier_transitions(found, "customer"), over="period")
    lk.plot.tier_transitions(moves, ax=ax)


def inactivity_gap(ax: Axes) -> None:
    lk.plot.inactivity_gap(lk.inactivity_gap(log(), "customer", "time"), ax=ax)


def differences(ax: Axes) -> None:
    table = lk.nps(answers(), "nps", by="sector", clusters="customer")
    lk.plot.differences(lk.compare(table, "sector", reference="B2B"), ax=ax)


def change_waterfall(ax: Axes) -> None:
    table = lk.nps(answers(), "nps", by="sector", time="responded_at", freq="quarter")
    change = lk.explain_change(table, "period", reference="previous", segment="sector")
    lk.plot.change_waterfall(change[change["period"] == change["period"].max()], ax=ax)


# What is drawn, and the inches of its figure.
PICTURES = {
    "nps": (nps, (8, 2.6)),
    "nps_id": (nps_id, (8, 2.6)),
    "csat": (csat, (7.5, 3.6)),
    "ces": (ces, (7, 2.6)),
    "churn": (churn, (7.5, 3.6)),
    "customer_flow": (customer_flow, (8, 4)),
    "cohorts": (cohorts, (7.5, 3.8)),
    "retention_curves": (retention_curves, (7.5, 3.8)),
    "revenue": (revenue, (8, 3.6)),
    "survival": (survival, (7.5, 4.2)),
    "tiers": (tiers, (6.5, 3.8)),
    "inactivity_gap": (inactivity_gap, (7.5, 3.4)),
    "differences": (differences, (7, 2.6)),
    "change_waterfall": (change_waterfall, (8, 4)),
}


def main() -> None:
    """Draw what the command line names, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="pictures to draw [all]")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to [docs/pictures]")
    options = parser.parse_args()
    unknown = set(options.names) - set(PICTURES)
    if unknown:
        parser.error(f"no such picture: {sorted(unknown)}; there are {', '.join(PICTURES)}")
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        draw, inches = PICTURES[name]
        figure, ax = plt.subplots(figsize=inches, layout="constrained")
        draw(ax)
        figure.savefig(options.folder / f"{name}.png", dpi=100)
        plt.close(figure)
        print(f"drew {name}.png")


if __name__ == "__main__":
    main()
