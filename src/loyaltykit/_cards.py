"""A scorecard read for a picture or a page: who stands in which row, and what is known of each."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, NamedTuple

from loyaltykit import _checks, _frame, _results
from loyaltykit.errors import ParameterError

_NEEDED = _results.SCORECARD
_NUMBERS = ("n", "n_missing", "estimate", "ci_low", "ci_high")
_CHANGES = ("difference", "difference_ci_low", "difference_ci_high", "p_adjusted")

Group = tuple[str, str]  # a dimension and a level of it


class Change(NamedTuple):
    """What a row differs by from the period before; NaN where that is not known."""

    reference: str
    difference: float
    low: float
    high: float
    p: float


class Entry(NamedTuple):
    """A row of the card; NaN for null."""

    name: str
    group: Group
    period: str | None
    coverage: str
    metric: str
    n: float
    n_missing: float
    estimate: float
    low: float
    high: float
    confidence_level: float
    unit: str
    definition: str
    method: str
    as_of: str | None
    change: Change | None

    @property
    def is_clear(self) -> bool:
        """Whether the change is more than chance, at the confidence level of the card."""
        return self.change is not None and self.change.p < 1 - self.confidence_level


class Card(NamedTuple):
    """All rows, and of each name those of the latest period that is known."""

    entries: list[Entry]
    names: list[str]
    groups: list[Group]
    latest: dict[str, str | None]
    now: dict[tuple[str, Group], Entry]


def read(card: object) -> Card:
    """Return the rows of a scorecard; refuse another table, and two rows for one place."""
    frame = _frame.open_frame(card, "card")
    _checks.check_result(frame.columns, _NEEDED, "scorecard")
    columns = {name: _frame.python_values(frame[name]) for name in frame.columns}
    entries = [
        _entry(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]
    names = list(dict.fromkeys(entry.name for entry in entries))
    latest = {name: _latest([one for one in entries if one.name == name]) for name in names}
    now: dict[tuple[str, Group], Entry] = {}
    for entry in entries:
        if entry.period != latest[entry.name]:
            continue
        if (entry.name, entry.group) in now:
            msg = (
                f"card holds {entry.name!r} more than once for {entry.group[0]} "
                f"{entry.group[1]!r}. Give each table its own name with scorecard(..., names=)."
            )
            raise ParameterError(msg)
        now[entry.name, entry.group] = entry
    groups = list(dict.fromkeys(entry.group for entry in entries))
    return Card(entries, names, groups, latest, now)


def _entry(row: dict[str, Any]) -> Entry:
    n, n_missing, estimate, low, high = (_float(row[name]) for name in _NUMBERS)
    change = None
    if row.get("reference") is not None:
        change = Change(_day(row["reference"]), *(_float(row[name]) for name in _CHANGES))
    period = row.get("period")  # text or a date, as the engine has it
    return Entry(
        name=row["name"],
        group=(row["dimension"], row["level"]),
        period=None if period is None else _day(period),
        coverage=row.get("coverage") or "observed",
        metric=row["metric"],
        n=n,
        n_missing=n_missing,
        estimate=estimate,
        low=low,
        high=high,
        confidence_level=_float(row["confidence_level"]),
        unit=row["unit"],
        definition=row["definition"],
        method=row["method"],
        as_of=None if row.get("as_of") is None else _day(row["as_of"]),
        change=change,
    )


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _day(value: dt.date | str) -> str:
    return str(value)[:10]


def _latest(entries: list[Entry]) -> str | None:
    """Return the last period that is observed in full; without one, the last there is."""
    periods = {one.period for one in entries if one.period is not None}
    whole = {
        one.period
        for one in entries
        if one.period is not None and one.coverage == "observed" and not math.isnan(one.estimate)
    }
    return max(whole or periods, default=None)
