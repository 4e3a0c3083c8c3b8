"""Whether groups keep their customers for equally long: the log-rank test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loyaltykit import (
    _adjustment,
    _checks,
    _frame,
    _hazards,
    _levels,
    _results,
    _spells,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result

_METHOD = "logrank"
_MOST_GROUPS = 1000  # the matrix of the test has a cell for every two of them


def logrank(
    data: Data[Result],
    duration: str,
    event: str,
    *,
    by: str | Sequence[str],
    entry: str | None = None,
    counts: str | None = None,
    pairwise: bool = False,
    adjust: _adjustment.Adjust = "holm",
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Test whether the survival curves of groups are one and the same.

    At each time of an event, with the events :math:`d_g` and the customers at risk :math:`Y_g` of a
    group and their sums d and Y over all groups, equal hazards leave to be expected

    .. math:: E_g = \sum d \frac{Y_g}{Y}, \quad
        V_{gh} = \sum \frac{d (Y - d)}{Y - 1} \frac{Y_g}{Y} \Bigl(1_{g = h} - \frac{Y_h}{Y}\Bigr)

    events in each group and their covariances, those of a hypergeometric draw. The statistic is
    that of the events observed less these,

    .. math:: \chi^2 = (O - E)^T V^- (O - E),

    with as many degrees of freedom as V has rank: one less than there are groups, as a rule.

    Parameters
    ----------
    data : DataFrame
        One row per customer or contract, in any supported engine, as `customer_lifetimes` returns.
    duration, event : str
        Columns of the time until the event or the end of observation (a finite number, 0 or more),
        and of whether it ended with the event: true and false, or 1 and 0.
    by : str or sequence of str
        The columns that make the groups. A null is a group of its own and is tested as one.
    entry : str, optional
        Column of the time after which a row is under observation (left truncation), on the same
        clock as the duration and below it. 0 and null are none. A row is at risk at times above
        its entry; one without is at risk at time 0 too.
    counts : str, optional
        Column of frequencies: how many customers a row stands for.
    pairwise : bool, optional
        Hold every two groups against each other instead, each pair as if there were no other.
        Takes one column in `by`.
    adjust : {"holm", "bh", "none"}, optional
        How the p-values of pairs are adjusted for their number: Holm for a few comparisons,
        Benjamini and Hochberg for screening many.
    errors : {"raise", "coerce"}, optional
        Whether rows without a duration or an event code are refused, or left out with a warning. A
        group of which all are left out has n = 0, and no part in the test.

    Returns
    -------
    DataFrame
        In the engine of `data` (pandas for lazy and distributed ones), a row per group: the keys, n
        (customers), events, expected, statistic, df, p_value, method ("logrank"). The last four are
        those of the one test of all groups, and the same in each row.

        With `pairwise` a row per pair: the key, reference (the other level), n, n_reference,
        events, events_reference, expected, expected_reference, statistic, df, p_value, p_adjusted,
        adjust, method. The level is the one listed earlier, or the later one of two dates.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If a duration, an entry, an event code or a count cannot be read as such, or an entry is not
        below its duration.
    ParameterError
        If `by` names no column, or makes a single group or more than 1,000; if `pairwise` meets
        several columns; or if a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    survival_curve : The curves that are tested.
    restricted_mean : A difference in the unit of the duration, rather than a verdict.

    Notes
    -----
    Censorings at the time of an event are taken as later: who is censored then is at risk. Times
    are tied when they are equal to the last digit, so that durations computed as floats are better
    rounded first.

    A group that is never at risk together with another while something is left to chance, as one
    observed at other ages only, tells nothing of the difference. It takes a degree of freedom off,
    and `df` shows it. Where no degree is left (no event at all, say) `df` is 0, and statistic and p
    are null. A group without an event is fine: that none was seen is what it has to tell.

    The test gives all events the same weight, and is the best one where the hazards are
    proportional. Curves that cross may differ and still pass it.

    `n` counts rows of one customer each. Sampling weights are not offered: the hypergeometric
    variance is one of people counted in full, and weights put in its place are taken as so many
    people, which makes any difference significant once they are large enough. The p-value of a
    statistic beyond some 1,400 is below the smallest number a computer holds, and comes out as 0.

    References
    ----------
    Mantel, N. (1966). Evaluation of survival data and two new rank order statistics arising in its
    consideration. Cancer Chemotherapy Reports 50(3), 163-170.

    Peto, R. and Peto, J. (1972). Asymptotically efficient rank invariant test procedures. Journal
    of the Royal Statistical Society A 135(2), 185-207. https://doi.org/10.2307/2344317

    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics 6(2), 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> lives = pd.DataFrame(
    ...     {
    ...         "plan": ["month", "month", "month", "year", "year", "year"],
    ...         "months": [1, 2, 4, 4, 9, 12],
    ...         "left": [True, True, True, True, False, False],
    ...     }
    ... )
    >>> table = lk.logrank(lives, "months", "left", by="plan")
    >>> table[["plan", "n", "events", "expected", "statistic", "df", "p_value"]].round(3)
        plan  n  events  expected  statistic  df  p_value
    0  month  3       3       1.4      3.459   1    0.063
    1   year  3       1       2.6      3.459   1    0.063
    """
    _checks.check_choice("adjust", adjust, _adjustment.ADJUSTMENTS)
    if not isinstance(pairwise, bool):
        _checks.wrong_type("pairwise", pairwise, "True or False")
    keys = _checks.check_names("by", by)
    _check_keys(keys, pairwise=pairwise)
    spells = _spells.read(
        data,
        duration,
        event,
        by=keys,
        entry=entry,
        counts=counts,
        weights=None,
        errors=errors,
    )
    _check_groups(spells, keys)
    cells = _hazards.Cells(spells.group, spells.duration, spells.event, spells.entry, spells.n)
    n, events = _hazards.subjects(cells, spells.size)
    if not pairwise:
        test = _hazards.overall(cells, spells.size)
        columns = {"n": n, "events": events, **test._asdict(), "method": _METHOD}
        overall: Result = _frame.table(spells.keys, columns, spells.size)
        return overall
    one, other = _levels.all_pairs(_levels.read(spells.keys, [], keys[0]))
    pairs = _hazards.pairwise(cells, spells.size, one, other)
    columns = {
        "n": n[one],
        "n_reference": n[other],
        "events": events[one],
        "events_reference": events[other],
        **pairs._asdict(),
        "p_adjusted": _adjustment.adjusted(pairs.p_value, adjust),
        "adjust": adjust,
        "method": _METHOD,
    }
    reference = _frame.take(spells.keys[keys[0]], other).alias(_results.LOGRANK_PAIRS[0])
    made = _frame.with_column(_frame.rows(spells.keys, one), reference)
    by_pair: Result = _frame.table(made, columns, len(one))
    return by_pair


def _check_keys(keys: Sequence[str], *, pairwise: bool) -> None:
    if not keys:
        msg = "by names no column: name what makes the groups that are held against each other."
        raise ParameterError(msg)
    if pairwise and len(keys) > 1:
        msg = (
            f"pairwise=True takes one column in by, not {_checks.listed(keys)}: make one column of "
            "them, or test the groups of each level alone."
        )
        raise ParameterError(msg)


def _check_groups(spells: _spells.Spells, keys: Sequence[str]) -> None:
    if spells.size == 1:
        level = [_frame.python_values(spells.keys[name])[0] for name in keys]
        msg = (
            f"by={_checks.listed(keys)} makes a single group, {_checks.listed(level)}, and there "
            "is nothing to hold it against. Name a column of two levels or more."
        )
        raise ParameterError(msg)
    if spells.size > _MOST_GROUPS:
        msg = (
            f"by={_checks.listed(keys)} makes {spells.size:,} groups, and the test takes up to "
            f"{_MOST_GROUPS:,}: every two of them have a cell in its matrix. Name a column of "
            "fewer levels."
        )
        raise ParameterError(msg)
