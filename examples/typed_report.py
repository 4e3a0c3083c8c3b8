"""A monthly report as a typed program: what a service or a scheduled job would hold.

Type checkers know what comes back (the caller's own kind of frame) and which words are choices;
`mypy --strict` and `pyright` find nothing to say about this file. It prints the report as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import loyaltykit as lk

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Headline:
    """One number of the report, with how sure it is and what it rests on."""

    sector: str
    estimate: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """Return the line of the report."""
        return (
            f"{self.sector}: {self.estimate:+.1f} [{self.low:+.1f}, {self.high:+.1f}], n = {self.n}"
        )


def by_sector(responses: pd.DataFrame) -> pd.DataFrame:
    """Return the NPS of each sector and quarter."""
    return lk.nps(responses, "nps", by="sector", time="responded_at", freq="quarter")


def headlines(table: pd.DataFrame) -> list[Headline]:
    """Return the rows of a table without periods as typed objects."""
    return [
        Headline(
            sector=str(row["sector"]),
            estimate=float(row["estimate"]),
            low=float(row["ci_low"]),
            high=float(row["ci_high"]),
            n=int(row["n"]),
        )
        for row in table.dropna(subset=["estimate"]).to_dict("records")
    ]


def moved(table: pd.DataFrame) -> list[str]:
    """Return the sectors whose last quarter differs clearly from the one before."""
    changes = lk.compare(table, "period", reference="previous", adjust="holm")
    clear = changes[changes["p_adjusted"] < 0.05]
    return [str(sector) for sector in clear["sector"]]


def main() -> None:
    """Print the report of the sample year."""
    table = by_sector(lk.datasets.sample_responses(5_000, rng=1))
    year = lk.pool(table, over="period")
    for headline in headlines(year):
        print(headline)
    print("moved:", ", ".join(moved(table)) or "none")
    print(json.dumps(lk.to_records(year)[0], allow_nan=False))


if __name__ == "__main__":
    main()
