"""Print one scorecard by sector and by loyalty tier, and draw it.

Without arguments it runs on seeded sample frames. With --responses, --interactions and
--customers it reads your own CSV files; --help lists the column names it expects, all of which can
be set. The table goes to the terminal, the picture to --output.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd

import loyaltykit as lk

FILES = ("responses", "interactions", "customers")
COLUMNS = {
    "customer": ("customer", "customer's id, in all three files"),
    "sector": ("sector", "sector, in customers (B2B, perusahaan, pemerintah, yayasan ...)"),
    "response-date": ("responded_at", "date of the answer, in responses"),
    "nps": ("nps", "answer 0 to 10, in responses"),
    "csat": ("csat", "answer 1 to 5, in responses"),
    "ces": ("ces", "answer 1 to 7 (high is easy), in responses"),
    "interaction-date": ("time", "date of the interaction, in interactions"),
    "purchase": ("", "column of true and false, in interactions: which of them are purchases"),
}


def main() -> int:
    """Read, measure, print and draw; return the exit code."""
    options = parsed()
    try:
        responses, interactions, customers = frames(options)
        card, nps = measured(options, responses, interactions, customers)
        draw(card, nps, options.output)
    except (OSError, ValueError) as error:  # the library's own errors are ValueErrors
        print(f"scorecard: {error}", file=sys.stderr)
        print("scorecard: --help lists the options, such as --missing for codes", file=sys.stderr)
        return 2
    print(readable(card).to_string(index=False, na_rep="-"))
    print("\nEstimate [95% interval] n. NPS in points, CES in scale points, the others in percent.")
    print("Retention and churn are monthly, pooled over the months that were observed in full.")
    print(f"\nWrote {options.output}")
    return 0


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in FILES:
        parser.add_argument(f"--{name}", metavar="FILE", help=f"CSV file of {name}")
    for name, (default, help_text) in COLUMNS.items():
        parser.add_argument(
            f"--{name}", default=default, metavar="COLUMN", help=f"{help_text} [{default or 'all'}]"
        )
    parser.add_argument(
        "--missing", nargs="*", default=[], metavar="CODE", help="codes that mean 'no answer'"
    )
    parser.add_argument("--as-of", metavar="DATE", help="end of observation [the last row's day]")
    parser.add_argument("--output", default="scorecard.png", metavar="FILE", help="the picture")
    options = parser.parse_args()
    given = [name for name in FILES if getattr(options, name)]
    if given and len(given) < len(FILES):
        parser.error("name all three files (--responses, --interactions, --customers), or none")
    if not given:
        options.purchase = "purchase"  # the samples know which interactions are purchases
    return options


def frames(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return responses, interactions and customers: the user's own, or the samples."""
    if options.responses:
        return tuple(read(getattr(options, name)) for name in FILES)
    return (
        lk.datasets.sample_responses(5_000, rng=1),
        lk.datasets.sample_interactions(20_000, rng=1),
        lk.datasets.sample_customers(2_000, rng=1),
    )


def read(path: str) -> pd.DataFrame:
    """Return a CSV file; say which file it was that cannot be read."""
    try:
        return pd.read_csv(path)
    except (UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        msg = f"{path} is no CSV file in UTF-8: {error}"
        raise lk.errors.DataError(msg) from error


def measured(
    options: argparse.Namespace,
    responses: pd.DataFrame,
    interactions: pd.DataFrame,
    customers: pd.DataFrame,
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the scorecard, and the NPS tables that the picture needs whole."""
    customer, when = options.customer, options.response_date
    need(customers, "customers", customer, options.sector)
    purchase = [options.purchase] if options.purchase else []
    need(interactions, "interactions", customer, options.interaction_date, *purchase)
    need(responses, "responses", customer, when, options.nps, options.csat, options.ces)
    sectors = customers[[customer]].assign(sector=lk.normalize_sector(customers[options.sector]))
    # The tier at each month's start, from the interactions before it.
    tiers = lk.loyalty_tier(
        interactions,
        customer,
        options.interaction_date,
        freq="month",
        customers=customers,
        purchase=options.purchase or None,
        as_of=options.as_of,
    )
    answers = responses[[customer, when, options.nps, options.csat, options.ces]]
    answers = lk.attach_segments(answers, sectors, on=customer)
    answers = lk.attach_segments(answers, tiers, on=customer, time=when, valid_from="valid_from")
    parts, nps_tables = [], []
    for by, segments in (("sector", sectors), ("tier", tiers)):
        surveys = [
            lk.nps(answers, options.nps, by=by, missing=options.missing),
            lk.csat(answers, options.csat, by=by, missing=options.missing),
            lk.ces(answers, options.ces, by=by, missing=options.missing),
        ]
        log = (interactions, customer, options.interaction_date)
        rates = [
            lk.pool(rate(*log, by=by, segments=segments, as_of=options.as_of), over="period")
            for rate in (lk.retention_rate, lk.churn_rate)
        ]
        parts += [*surveys, *rates]
        nps_tables.append(surveys[0])
    return lk.scorecard(*parts), nps_tables


def need(frame: pd.DataFrame, name: str, *columns: str) -> None:
    """Refuse a file without a column, before anything is computed."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        msg = (
            f"the file of {name} has no column {missing[0]!r}; it has {', '.join(frame.columns)}. "
            "Name yours with the options that --help lists."
        )
        raise lk.errors.ColumnNotFoundError(msg)


def readable(card: pd.DataFrame) -> pd.DataFrame:
    """Return a slide's table: a row per group, and per metric its value, interval and n."""
    shown = card.assign(value=[cell(row) for row in card.itertuples()])
    return lk.scorecard_matrix(shown, values="value")


def cell(row: NamedTuple) -> str:
    """Return one estimate with its interval and its base."""
    if pd.isna(row.estimate):
        return "nobody"
    interval = "" if pd.isna(row.ci_low) else f" [{row.ci_low:.1f}, {row.ci_high:.1f}]"
    return f"{row.estimate:.1f}{interval} n={row.n:,}"


def draw(card: pd.DataFrame, nps_tables: list[pd.DataFrame], path: str) -> None:
    """Write the picture: NPS buckets with the score, and the other metrics beside them."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(20, 8), layout="constrained", width_ratios=(2, 1, 1))
    figure.get_layout_engine().set(wspace=0.06, hspace=0.06)
    for row, table in zip(axes, nps_tables, strict=True):
        dimension = table.columns[0]
        lk.plot.nps_bars(table, ax=row[0])
        for panel, name in zip(row[1:], ("retention_rate", "churn_rate"), strict=True):
            lk.plot.estimates(rows_of(card, dimension, name), ax=panel)
    figure.suptitle("Scorecard by sector and by loyalty tier, with 95% intervals")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def rows_of(card: pd.DataFrame, dimension: str, name: str) -> pd.DataFrame:
    """Return one metric of one dimension as a result table."""
    rows = card[(card["dimension"] == dimension) & (card["name"] == name)]
    return rows.drop(columns=["name", "dimension"]).rename(columns={"level": dimension})


if __name__ == "__main__":
    sys.exit(main())
