"""The tally: answers counted by group, which is all that the survey metrics need of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _answers, _checks, _designs, _frame, _refusals, _results, _tally

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result

IntArray = npt.NDArray[np.int64]


def tally(
    data: Data[Result],
    score: str,
    *,
    by: str | Sequence[str] | None = None,
    weights: str | None = None,
    clusters: str | None = None,
    counts: str | None = None,
    time: str | None = None,
    freq: _checks.Frequency | None = None,
    scale: tuple[int, int],
    missing: Sequence[float | str] = (),
    errors: _checks.Errors = "raise",
) -> Result:
    """Count the answers: one row per group and answer, ready to be added up with other tallies.

    Tallies of shards or of days, stacked and passed to `nps`, `csat`, `ces` or `tally` itself with
    ``score="answer"`` and ``counts="n"``, give exactly the result of a single pass. Their period is
    read back with ``time="period"`` and the `freq` wanted, which may be longer. With weights they
    are read back with ``weights="weight"``, and with clusters with ``clusters="cluster"``.

    Parameters
    ----------
    data : DataFrame
        One row per answer (or per count of answers), in any supported engine.
    score : str
        Column of the answers.
    by : str or sequence of str, optional
        Key columns. A null key has rows of its own.
    weights : str, optional
        Column of sampling weights, as in `nps`. With `counts` it is the column of their sums, and
        that of the sums of their squares stands beside it with "_sq" after the name. A column of
        strata is kept by naming it in `by`.
    clusters : str, optional
        Column of the units that were sampled, as in `nps`: one row for each and each answer.
    counts : str, optional
        Column that says how many answers a row stands for.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    scale : tuple of int
        Lowest and highest point that could be chosen.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer". They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing; and rows without a
        usable date refused, or left out with a `DroppedRowsWarning`.

    Returns
    -------
    DataFrame
        The keys, [period], [cluster], answer, n, [weight, weight_sq]: only what is present, in the
        engine of `data` (pandas for lazy and distributed ones). A null answer counts the missing
        ones, those with a weight of 0 included. weight and weight_sq are the sums of the weights
        and of their squares.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of a scale of five or more points.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame({"nps": [10, 10, 7, None]})
    >>> counted = lk.tally(answers, "nps", scale=(0, 10))
    >>> counted
       answer  n
    0       7  1
    1      10  2
    2    <NA>  1
    >>> float(lk.nps(counted, "answer", counts="n").loc[0, "estimate"]) == 200 / 3
    True
    """
    points, keys = _checks.check_scale(scale), _checks.check_names("by", by)
    _checks.check_name("score", score)
    _checks.check_reserved(keys, _results.RESERVED)
    split = list(keys)
    if clusters is not None and _checks.check_name("clusters", clusters) not in keys:
        split.append(clusters)
    design = _designs.make_design(weights, None, None, None, counts)
    counted = _answers.count(
        data, score, points, split, counts, time, freq, missing, errors, design
    )
    tallied: _tally.Tally = counted if design is None else counted.tally
    n = np.column_stack([tallied.answers, tallied.missing])
    group, slot = np.nonzero(n)
    no_answer = points[1] - points[0] + 1
    names, order = tallied.keys, list(keys)
    columns: dict[str, Any] = {}
    if tallied.periods is not None:
        columns["period"] = tallied.periods[group]
    order += columns
    if clusters is not None:
        _refuse_nulls(names[clusters], clusters, n.sum(axis=1))
        names = names.with_columns(names[clusters].alias("cluster"))
        order.append("cluster")
    columns["answer"] = np.ma.masked_array(points[0] + slot, mask=slot == no_answer)
    columns["n"] = n[group, slot]
    if design is not None:
        columns |= {"weight": counted.weight[group, slot], "weight_sq": counted.square[group, slot]}
    kept = names.select([name for name in order if name not in columns])
    unordered = _frame.table(_frame.rows(kept, group), columns, len(group))
    made: Result = _frame.reordered(
        unordered, [*order, *(name for name in columns if name not in order)]
    )
    return made


def _refuse_nulls(series: _frame.Series, name: str, n: IntArray) -> None:
    null = series.is_null().to_numpy()
    if null.any():
        _refusals.null_units("clusters", name, int(n[null].sum()))
