"""Print the NPS of a CSV file of your own, by group if you like.

One row per answer; a column with scores from 0 to 10, and perhaps one to split by:

    python examples/first_table.py answers.csv score --by segment --missing 99
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

import loyaltykit as lk

NAMES = ["n", "n_missing", "promoters", "passives", "detractors", "estimate"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the NPS of a CSV file.")
    parser.add_argument("file", metavar="FILE", help="CSV file, one row per answer")
    parser.add_argument("score", metavar="COLUMN", help="column of the scores, 0 to 10")
    parser.add_argument("--by", nargs="*", default=[], metavar="COLUMN", help="columns to split by")
    parser.add_argument(
        "--missing", nargs="*", default=[], metavar="CODE", help="codes that mean 'no answer'"
    )
    options = parser.parse_args()
    try:
        answers = pd.read_csv(options.file)
        missing = [float(code) if code.isdigit() else code for code in options.missing]
        table = lk.nps(answers, options.score, by=options.by or None, missing=missing)
    except (OSError, ValueError) as error:  # the library's own errors are ValueErrors
        print(f"first_table: {error}", file=sys.stderr)
        return 2
    shown = table[[*options.by, *NAMES, "ci_low", "ci_high", "unit"]].round(1)
    print(shown.to_string(index=False, na_rep="-"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
