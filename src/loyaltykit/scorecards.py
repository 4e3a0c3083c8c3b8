"""Scorecards: result tables of several metrics, stacked under one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from loyaltykit import _adjustment, _checks, _frame, _levels, _results
from loyaltykit.comparison import compare
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Result, Table

_TIME = ("period", "coverage")
_OPTIONAL = (*_TIME, "as_of")
_INDEX = ("dimension", "level", "period")
_MISSING = "(missing)"
TOTAL = "total"
# What compare calls the limits of a difference, beside those of the estimate.
_LIMITS = {"difference_ci_low": "ci_low", "difference_ci_high": "ci_high"}


def scorecard(
    *results: Table[Result],
    names: Sequence[str] | None = None,
    reference: Literal["previous"] | None = None,
    adjust: _adjustment.Adjust = "holm",
) -> Result:
    """Stack metric tables, whatever their metrics and keys, into one tidy table.

    Parameters
    ----------
    *results : DataFrame
        Tables of metric functions or of `pool`, all of one engine.
    names : sequence of str, optional
        A name for each table, for example to tell two questions apart; the metric by default. One
        name stands for one definition.
    reference : "previous" or None, default None
        With "previous" every row of a table by period is held against the calendar period just
        before, as `compare` does it, and the card has columns for the change.
    adjust : {"holm", "bh", "none"}, default "holm"
        How the p-values of changes are adjusted for their number, which is that of one metric in
        one table.

    Returns
    -------
    DataFrame
        The columns name, dimension, level, [period, coverage,] metric, n, n_missing, estimate,
        std_error, ci_low, ci_high, confidence_level, method, unit, definition[, as_of]. The
        dimension names the table's keys ("sector", "sector, tier", or "total" for none), the level
        their values. Period, coverage and as_of are there when any of the tables has them.

        With `reference`, before as_of: reference (the period before), estimate_reference,
        difference (this period minus the one before, in points, percentage points or scale points),
        difference_ci_low, difference_ci_high, p_value, p_adjusted, adjust. All are null where there
        is no period before, and what `compare` leaves null is so here: a change that involves a
        period not observed in full, or without answers.

    Raises
    ------
    ParameterError
        If a table is no metric table, is a cohort table, a name has two definitions, or the number
        of names does not fit; with `reference`, if no table has periods, or `compare` refuses one,
        as it does where periods share clusters.

    Notes
    -----
    The bucket counts stay behind in the tables: pool and compare those, and show this one. A total
    beside its segments is a table of `pool`: ``lk.scorecard(table, lk.pool(table, over="sector"))``
    has the rows of dimension "sector" and one of dimension "total".

    A change is significant at the level of the card where its interval does not hold 0, or, for
    many changes at once, where `p_adjusted` is below 1 minus that level. The quick ratio has no
    interval, and its changes are null.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> csat = lk.csat_from_counts(satisfied=80, n=100)
    >>> card = lk.scorecard(csat, lk.nps_from_counts(promoters=50, passives=30, detractors=20))
    >>> card[["name", "dimension", "level", "n", "estimate", "unit"]]
       name dimension  level    n  estimate     unit
    0  csat     total  total  100      80.0  percent
    1   nps     total  total  100      30.0   points

    Did the score move, and is the move real?

    >>> import pandas as pd
    >>> answers = pd.DataFrame(
    ...     {
    ...         "score": [10, 9, 8, 3] * 25 + [10, 9, 9, 8] * 25,
    ...         "day": ["2026-01-15"] * 100 + ["2026-02-15"] * 100,
    ...     }
    ... )
    >>> card = lk.scorecard(lk.nps(answers, "score", time="day"), reference="previous")
    >>> card[["estimate", "difference", "difference_ci_low", "p_adjusted"]].round(3)
       estimate  difference  difference_ci_low  p_adjusted
    0      25.0         NaN                NaN         NaN
    1      75.0        50.0             32.082         0.0
    """
    if not results:
        msg = "scorecard needs at least one result table."
        raise ParameterError(msg)
    given = None if names is None else _checks.check_strings("names", names)
    taken = [name for name in given or () if name in _INDEX]
    if taken:
        msg = f"names={_checks.listed(taken)}: the scorecard has a column of that name."
        raise ParameterError(msg)
    if given is not None and len(given) != len(results):
        msg = f"names has {len(given)} names for {len(results)} tables."
        raise ParameterError(msg)
    frames = [
        _frame.positional(_frame.open_frame(result, f"results[{i}]"))
        for i, result in enumerate(results)
    ]
    for i, frame in enumerate(frames):
        _frame.same_engine(frames[0], frame, f"results[{i}]")
        _check_metric_table(frame, i)
    _checks.check_choice("adjust", adjust, _adjustment.ADJUSTMENTS)
    optional = [name for name in _OPTIONAL if any(name in frame.columns for frame in frames)]
    if reference is not None:
        _check_reference(reference, frames)
        frames = [_with_changes(frame, i, adjust) for i, frame in enumerate(frames)]
        optional += _results.CHANGE
    parts = [
        _part(frame, None if given is None else given[i], optional)
        for i, frame in enumerate(frames)
    ]
    card = _frame.stack(parts)
    _one_definition_each(card)
    _all_or_none_weighted(frames, parts)
    stacked: Result = card.to_native()
    return stacked


def scorecard_matrix(card: Table[Result], values: str = "estimate") -> Result:
    """Return a scorecard as a slide shows it: a row per group, a column per name.

    Parameters
    ----------
    card : DataFrame
        A table of `scorecard`.
    values : str, optional
        The column to show, such as "estimate", "n" or "ci_low".

    Returns
    -------
    DataFrame
        The columns dimension, level, [period,] then one column per name; null where a group has no
        such row.

    Raises
    ------
    ColumnNotFoundError
        If `values` is not a column of `card`.
    ParameterError
        If `card` is no scorecard, or holds a name twice for one group.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> csat = lk.csat_from_counts(satisfied=80, n=100)
    >>> card = lk.scorecard(csat, lk.nps_from_counts(promoters=50, passives=30, detractors=20))
    >>> lk.scorecard_matrix(card)
      dimension  level  csat   nps
    0     total  total  80.0  30.0
    """
    frame = _frame.open_frame(card, "card")
    _checks.check_result(frame.columns, ("name", "dimension", "level", "metric"), "scorecard")
    _checks.check_name("values", values)
    _checks.check_columns({"values": values}, frame.columns, "card")
    index = [name for name in _INDEX if name in frame.columns]
    groups = _frame.group(frame, [*index, "name"])
    if groups.size < len(frame):
        msg = (
            "card holds a name more than once for one group. Give each table its own name with "
            "scorecard(..., names=)."
        )
        raise ParameterError(msg)
    matrix: Result = _frame.pivot(frame, index, "name", values)
    return matrix


def _check_metric_table(frame: _frame.Frame, position: int) -> None:
    needed = ("metric", "n", "n_missing", *_results.ESTIMATES, *_results.WORDS)
    _checks.check_result(frame.columns, needed, "a metric function")
    if "dimension" in frame.columns and "name" in frame.columns:
        msg = f"results[{position}] is a scorecard itself: stack the tables it was made of."
        raise ParameterError(msg)
    if "cohort_age" in frame.columns:
        msg = f"results[{position}] is a cohort table: it has a matrix of its own, cohort_matrix."
        raise ParameterError(msg)


def _check_reference(reference: object, frames: Sequence[_frame.Frame]) -> None:
    _checks.check_choice("reference", reference, (_levels.PREVIOUS,))
    if not any("period" in frame.columns for frame in frames):
        msg = (
            f"reference={reference!r}: none of the tables has periods. Make them with time= and "
            "freq=, or leave reference out."
        )
        raise ParameterError(msg)


def _with_changes(frame: _frame.Frame, position: int, adjust: _adjustment.Adjust) -> _frame.Frame:
    """Return the table and what `compare` says of each row against the period before."""
    values = {name: np.full(len(frame), np.nan) for name in _results.CHANGE[1:-1]}
    before = np.full(len(frame), -1, dtype=np.int64)
    head = frame.columns[: frame.columns.index("metric")]
    keys = [*(name for name in head if name not in _TIME), "metric", "period"]
    if "period" in head:
        place = {row: i for i, row in enumerate(_rows(frame, keys))}
        for metric in _comparable(frame):
            rows = np.flatnonzero(np.array(frame["metric"].to_list()) == metric)
            table = _compared(_frame.kept(frame, rows), position, adjust)
            at = [place[row] for row in _rows(table, keys)]
            before[at] = [place[row] for row in _rows(table, [*keys[:-1], "reference"])]
            for name, column in values.items():
                found = _frame.python_values(table[_LIMITS.get(name, name)])
                column[at] = np.array(found, dtype=np.float64)
    columns: dict[str, Any] = {
        "reference": np.full(len(frame), None, dtype="datetime64[D]"),
        **values,
        "adjust": np.array([None if place < 0 else adjust for place in before.tolist()]),
    }
    if "period" in head:
        del columns["reference"]
        reference = _frame.take(frame["period"], before).alias("reference")
        frame = _frame.with_column(frame, reference)
    return _frame.open_frame(_frame.table(frame, columns, len(frame)))


def _rows(frame: _frame.Frame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(_frame.python_values(frame[name]) for name in names), strict=True))


def _comparable(frame: _frame.Frame) -> list[str]:
    metrics = dict.fromkeys(frame["metric"].to_list())
    return [metric for metric in metrics if metric != "quick_ratio"]  # no interval, no test


def _compared(frame: _frame.Frame, position: int, adjust: _adjustment.Adjust) -> _frame.Frame:
    try:
        table = compare(frame.to_native(), "period", reference=_levels.PREVIOUS, adjust=adjust)
    except ParameterError as error:
        msg = f"reference={_levels.PREVIOUS!r}: results[{position}] cannot be compared. {error}"
        raise ParameterError(msg) from error
    return _frame.open_frame(table)


def _part(frame: _frame.Frame, name: str | None, optional: Sequence[str]) -> _frame.Frame:
    """Return one table in the columns of the card."""
    head = frame.columns[: frame.columns.index("metric")]
    keys = [column for column in head if column not in _TIME]
    labels = np.array(frame["metric"].to_list() if name is None else [name] * len(frame))
    columns: dict[str, Any] = {
        "name": labels.astype(object),
        "dimension": ", ".join(keys) or TOTAL,
        "level": _level_texts(frame, keys),
    }
    words = _frame.open_frame(_frame.table(frame.select([]), columns, len(frame)))
    rest = [column for column in _results.SCORECARD if column not in columns]
    last = [name for name in (*_results.CHANGE, "as_of") if name in optional]
    placed = [*(name for name in optional if name in _TIME), *rest, *last]
    return _frame.chosen(words, frame, placed)


def _level_texts(frame: _frame.Frame, keys: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return the keys' values as one text; a null is ``(missing)``."""
    levels = np.full(len(frame), "" if keys else TOTAL, dtype=object)
    for i, key in enumerate(keys):
        texts = np.array([_text(value) for value in _frame.python_values(frame[key])], dtype=object)
        levels = texts if i == 0 else levels + ", " + texts
    return levels


def _text(value: Any) -> str:
    # pandas has no dates, only midnights.
    return _MISSING if value is None else str(value).removesuffix(" 00:00:00")


def _one_definition_each(card: _frame.Frame) -> None:
    pairs = card.select("name", "definition").unique()
    found: dict[str, set[str]] = {}
    for name, definition in zip(
        pairs["name"].to_list(), pairs["definition"].to_list(), strict=True
    ):
        found.setdefault(name, set()).add(_results.without_sharing(definition))
    for name, definitions in sorted(found.items()):
        if len(definitions) > 1:
            msg = (
                f"The name {name!r} stands for several definitions: "
                f"{_checks.listed(sorted(definitions))}. Tell them apart with names=."
            )
            raise ParameterError(msg)


def _all_or_none_weighted(frames: Sequence[_frame.Frame], parts: Sequence[_frame.Frame]) -> None:
    """Refuse a name for weighted and for unweighted figures: their definitions are the same."""
    weighted = [_results.DESIGN[0] in frame.columns for frame in frames]
    names = [set(part["name"].to_list()) for part in parts]
    for name in sorted(set().union(*names)):
        if len({flag for flag, held in zip(weighted, names, strict=True) if name in held}) > 1:
            msg = (
                f"The name {name!r} stands for weighted and for unweighted figures. "
                "Tell them apart with names=."
            )
            raise ParameterError(msg)
