"""Draw the cohorts of CDNOW's customers, by month, as a heat map.

Run it with the public file of 69,659 purchases (customer, date as YYYYMMDD, number of CDs, dollars;
columns apart by blanks) and the picture to write:

    python examples/cdnow_heatmap.py CDNOW_master.txt docs/cdnow_cohorts.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import loyaltykit as lk


def purchases(path: Path) -> pd.DataFrame:
    names = ["customer", "date", "cds", "dollars"]
    rows = pd.read_csv(path, sep=r"\s+", header=None, names=names, dtype="str")
    return rows[rows["date"].str.isdigit()]  # copies of the file begin with a line of names


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw CDNOW's cohorts as a heat map.")
    parser.add_argument("purchases", type=Path, help="the public file CDNOW_master.txt")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    options = parser.parse_args()
    table = lk.cohort_retention(
        purchases(options.purchases), "customer", "date", as_of="1998-06-30"
    )
    joined = table[table["cohort"] <= "1997-03-01"]  # nobody new came later
    axes = lk.plot.cohort_heatmap(joined)
    axes.figure.savefig(options.picture, dpi=150, bbox_inches="tight")
    print(f"wrote {options.picture}")


if __name__ == "__main__":
    main()
