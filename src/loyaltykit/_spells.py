"""Durations and events counted where the data are: what every function of survival begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _checks,
    _codes,
    _dask,
    _frame,
    _results,
    _sources,
    _spell_partitions,
    _spell_queries,
    _spell_rows,
    _survival,
)
from loyaltykit.errors import EmptyRiskSetWarning, ParameterError

Spells = _spell_rows.Spells


def read(
    data: Any,
    duration: str,
    event: str,
    *,
    by: str | Sequence[str] | None,
    entry: str | None,
    counts: str | None,
    weights: str | None,
    errors: str,
) -> Spells:
    """Check the columns, and return the distinct spells of each group with their numbers."""
    asked = _spell_rows.Asked(duration, event, entry, counts, weights)
    for role, name in asked.named.items():
        _checks.check_name(role, name)
    if counts is not None and weights is not None:
        msg = (
            f"counts={counts!r} and weights={weights!r} exclude each other: counts say how many a "
            "row stands for, weights how much of the population it speaks for."
        )
        raise ParameterError(msg)
    _checks.check_errors(errors)
    keys = _checks.check_names("by", by)
    _checks.check_reserved(keys, _results.RESERVED)
    with _sources.turn(data):
        source = _sources.opened(data)
        columns = _sources.columns_of(source)
        _checks.check_columns({**asked.named, **_checks.by_roles(keys)}, columns)
        if isinstance(source, _frame.EagerFrame):
            return _spell_rows.in_memory(source, asked, keys, errors)
        if isinstance(source, _dask.Partitions):
            frame = _spell_partitions.distinct_spells(source, asked, keys, errors)
        else:
            query = _sources.only(source, [*asked.named.values(), *keys])
            frame = _spell_queries.distinct_spells(query, asked, keys, errors)
    return _spell_rows.counted(frame, asked, keys)


def warn_of_empty_risk_sets(
    spells: Spells,
    table: _survival.Table,
    survival: npt.NDArray[np.float64],
    until: float = np.inf,
) -> None:
    """Warn of curves that have come down to 0 by a time while others enter later."""
    gone, late = survival == 0, table.entered > 0
    late[table.first] = False
    ended = np.bincount(table.group[gone & (table.duration <= until)], minlength=spells.size) > 0
    found = np.flatnonzero(gone & late & ended[table.group])
    if not len(found):
        return
    if spells.keys.columns:
        groups = len(_codes.unique(table.group[found]))
        where = f"In {groups:,} group{'' if groups == 1 else 's'} all at risk had the event"
    else:
        over = table.duration[survival == 0][0]
        where = f"All at risk had the event by duration {_checks.plain(over)}"
    _checks.warn(
        f"{where}, and others came under observation later: the curve is 0 from there on. To begin "
        "where enough are under observation, raise entry= to that duration and leave out who was "
        "last seen before it: the curve is then that of those who stayed so long.",
        EmptyRiskSetWarning,
    )
