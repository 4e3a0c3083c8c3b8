"""Cohort retention: customers grouped by their first period, followed through the next ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from loyaltykit import _behaviour, _checks, _cohort_rows, _estimates, _frame, _results, _sources
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result, Table

Window = Literal["calendar", "rolling"]
Rule = Literal["on", "on_or_after"]
Like = Literal["amplitude", "mixpanel", "posthog"]

WINDOWS: tuple[str, ...] = get_args(Window)
RULES: tuple[str, ...] = get_args(Rule)


class _Preset(NamedTuple):
    """What a tool documents as its own settings: by freq, what it rounds moments down to."""

    window: str
    rule: str
    floors: Mapping[str, str | None]


PRESETS = {
    "amplitude": _Preset("rolling", "on_or_after", {"day": "hour", "week": "day", "month": "day"}),
    "mixpanel": _Preset("rolling", "on_or_after", dict.fromkeys(("day", "week", "month"))),
    "posthog": _Preset("calendar", "on", dict.fromkeys(("day", "week", "month"))),
}


def cohort_retention(
    data: Data[Result],
    customer: str,
    time: str,
    *,
    contract_end: str | None = None,
    freq: _checks.Frequency = "month",
    by: str | Sequence[str] | None = None,
    segments: Data[object] | None = None,
    as_of: Moment | None = None,
    observed_from: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
    window: Window = "calendar",
    rule: Rule | Sequence[int] = "on",
    start_event: str | None = None,
    return_event: str | None = None,
    amount: str | None = None,
    like: Like | None = None,
    confidence_level: float = 0.95,
    method: _estimates.RateMethod | _estimates.RevenueMethod | None = None,
) -> Result:
    r"""Cohort retention: the share of each cohort that is active k windows after its first one.

    .. math:: retention(c, k) = 100 \frac{|\{i \in c_k : i \text{ active in window } k\}|}{|c_k|}

    A cohort c is the customers whose first interaction lies in that calendar period. Of these,
    :math:`c_k` are the ones for whom window k is over. With `amount` the numbers of customers are
    replaced by what they spent: in the window, over what the same customers spent in window 0.

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. With `contract_end`, one row per
        contract.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text); of contracts, of
        their start.
    contract_end : str, optional
        Column with the end of the contract, null for one that runs; in force from the start to
        just before it. Active is who is in force: in calendar periods when they close (the one
        still running at `as_of`), in rolling windows at the moment the window begins. The first
        start tells the cohort. Needs `as_of`.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period. Weeks are ISO weeks, from Monday.
    by : str or sequence of str, optional
        Key columns, looked up in `segments` first and then in `data`, where they must not change
        within a customer.
    segments : DataFrame, optional
        Of the engine of `data`; one row per customer with the key columns, or one per change with a
        column ``valid_from``: the row that holds at the start of the cohort's period decides. A
        customer without one has a null key; so has everybody in tiers through time, which begin
        after the first period, unless `loyalty_tier` was given all `customers`.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    observed_from : date, datetime or str, optional
        From when the rows are complete; a date means its start. Only cohorts of periods that start
        then or later are reported; earlier rows tell who is not new.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer, date or a finite amount are refused, or left out with a
        warning. Rows that are no return event need no amount.
    window : {"calendar", "rolling"}, optional
        "calendar": window k is the k-th calendar period after the cohort's own.
        "rolling": windows of one length from each customer's own first moment on,
        :math:`k = \lfloor (t - t_0) / L \rfloor`, with L of 1, 7, 30, 90 or 365 days for a day,
        week, month, quarter and year. A day is 24 hours, also where the clocks change.
    rule : {"on", "on_or_after"} or sequence of int, optional
        "on": active in window k. "on_or_after": active in window k or any later one
        up to the end of observation. A later return raises all earlier cells, so that the table of
        the same cohort changes as time passes.
        Ages, as ``(0, 1, 4, 8)``: active in any window of a bracket, here 0, 1 to 3, and 4 to 7.
        `cohort_age` is the bracket's first. A bracket is over when its last window is.
    start_event, return_event : str, optional
        Columns of true and false. The first row that is a start makes the cohort, and rows from
        that moment on make a customer active where they are a return; all rows by default. With a
        return event age 0 need not be 100 %.
    amount : str, optional
        Column of amounts, for cohorts of revenue. Negative ones, as of returned goods, count as
        they are: net revenue. Not with "on_or_after" or `contract_end`.
    like : {"amplitude", "mixpanel", "posthog"}, optional
        Take the window and the rule that a tool documents as its own settings, in place of the
        defaults; others than these that contradict it are refused. See Notes.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        Interval of a share; "wilson" by default. With `amount` it is "linearised", or "none". With
        "none" the whole base was counted and nothing is inferred.

    Returns
    -------
    DataFrame
        A row per group, cohort and age, in the engine of `data` (pandas for lazy and distributed
        ones): the keys, cohort, cohort_age, coverage, metric, n (customers of the cohort for whom
        the window is over), n_missing (0), retained, estimate (percent), std_error, ci_low,
        ci_high, confidence_level, method, unit, definition, as_of.

        With `amount` the metric is "cohort_revenue", and after retained (customers active in the
        window) come amount (their sum in it), amount_start (that of all n in window 0) and, by
        customer, amount_sumsq, amount_start_sumsq and amount_cross, the sums of squares and
        products that the error is made from.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id, date or amount is missing or unreadable, an event is not true or false, a key
        changes within a customer, or `segments` has two rows for one key.
    ParameterError
        If a parameter has a value that is not allowed, or contradicts another.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    cohort_matrix : The same as a triangle.
    pool : All cohorts together, over those old enough.

    Notes
    -----
    Three things that other tables show as 0 % are kept apart. A cell whose window nobody has
    completed at `as_of` is "unobserved", and null. One that is over for a part is "partial": a
    calendar period that is still running counts the whole cohort, and more may come; a rolling
    window is over for some customers before others, and counts those alone. An observed cell in
    which nobody came is a true 0. Every calendar period has a cohort; an empty one has a null rate,
    and n = 0 where it is observed.

    Ages run to the last calendar period or, of rolling windows, to the last one that anybody has
    completed.

    The ratio of revenue is R = amount / amount_start over the n customers, and its error that of
    the linearised ratio,

    .. math:: \frac{\sqrt{\frac{n}{n - 1} \sum_i (y_i - R x_i)^2}}{\sum_i x_i}

    with Student's t of :math:`(\sum x_i)^2 / \sum x_i^2 - 1` degrees of freedom. It may pass 100,
    and is never cut off. Where the start is 0 or less there is no ratio: null. Where nobody is
    active there is no error. Amounts are skewed: the interval of some dozens of customers is too
    short, and one of a thousand good. It is too short too where hardly any amount changes, as of
    subscriptions: `revenue_retention` allows for that.

    Each interval speaks of one cell alone; the cells of a cohort hold the same people.

    The presets follow what the tools document as their own settings, which their users may change.
    All of them take a customer's first start only; tools that let every start open a cohort of its
    own show other numbers then. `pool` adds up counts, never rates.

    - "amplitude": rolling, "on_or_after", for day, week and month. Moments are rounded down before
      they are held against each other, to the hour for days and to the day for weeks and months
      [1]_; here on the clock of the zone. What counts in window 0 is not documented.
    - "mixpanel": rolling, "on_or_after", for day, week and month, without rounding [2]_. Its own
      first bucket needs the return event once more. How its average row is weighted is documented
      in two ways that contradict each other; the pooled row here is that of counts.
    - "posthog": calendar, "on", for day, week and month [3]_. Its window 0 is always 100 %; its
      weeks begin on the day that its project names, here on Monday.

    References
    ----------
    .. [1] Amplitude, How time works in a retention analysis. Read in November 2026.
       https://amplitude.com/docs/analytics/charts/retention-analysis/retention-analysis-time
    .. [2] Mixpanel, Retention: measure engagement over time. Read in November 2026.
       https://docs.mixpanel.com/docs/reports/retention
    .. [3] PostHog, Retention. Read in November 2026.
       https://posthog.com/docs/product-analytics/retention

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 3, 3, 4],
    ...         "day": [
    ...             "2026-01-05",
    ...             "2026-02-06",
    ...             "2026-01-09",
    ...             "2026-02-03",
    ...             "2026-03-02",
    ...             "2026-03-05",
    ...         ],
    ...     }
    ... )
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    >>> lk.cohort_matrix(table)
          cohort      0      1    2
    0 2026-01-01  100.0   50.0  0.0
    1 2026-02-01  100.0  100.0  NaN
    2 2026-03-01  100.0    NaN  NaN

    Customer 3 came again within 30 days of the first time, and that is window 0:

    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-04-30", window="rolling")
    >>> lk.cohort_matrix(table)
          cohort      0     1    2
    0 2026-01-01  100.0  50.0  0.0
    1 2026-02-01  100.0   0.0  NaN
    2 2026-03-01  100.0   NaN  NaN
    3 2026-04-01    NaN   NaN  NaN
    """
    level = _checks.check_confidence_level(confidence_level)
    chosen, told, floor = _conventions(window, rule, like, freq)
    interval = _method(method, amount)
    asked = _asked(chosen, told, floor, freq, start_event, return_event, amount, observed_from)
    if contract_end is not None:
        asked = _of_contracts(asked, like)
    with _sources.turn(data):
        counted = _behaviour.count_log(
            data,
            customer,
            time,
            "cohorts",
            by=by,
            segments=segments,
            freq=freq,
            as_of=as_of,
            tz=tz,
            errors=errors,
            contract_end=contract_end,
            asked=asked,
        )
    groups, span, ages = counted.n.shape
    joined, age = (grid.ravel() for grid in np.indices((span, ages)))
    observed, partial = (part.ravel() for part in counted.coverage)
    unknown = ~(observed | partial)
    labels = np.arange(ages) if asked.edges is None else np.array(asked.edges[:-1])
    said = told if isinstance(told, str) else f"brackets({','.join(map(str, told))})"

    def _known(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind == "f":
            return np.where(unknown, np.nan, values.ravel())
        return np.ma.masked_array(values.ravel(), mask=unknown)

    counts = {"retained": _known(counted.retained)}
    counts |= {name: _known(values) for name, values in counted.sums.items()}
    made: Result = _results.metric_table(
        _frame.rows(counted.keys, np.repeat(np.arange(groups), span * ages)),
        "cohort_retention" if amount is None else "cohort_revenue",
        counts,
        _known(counted.n),
        np.ma.masked_array(np.zeros(len(unknown), dtype=np.int64), mask=np.ma.nomask),
        before={
            "cohort": np.tile(counted.starts[joined], groups),
            "cohort_age": np.tile(labels[age], groups),
            "coverage": _results.coverage(observed, partial),
        },
        after={"as_of": np.full(len(unknown), counted.as_of)},
        method=interval,
        confidence_level=level,
        definition=_results.cohort_definition(
            freq,
            chosen,
            said,
            floor,
            asked.columns,
            basis="log" if contract_end is None else "contracts",
        ),
    )
    return made


def _conventions(
    window: str, rule: str | Sequence[int], like: str | None, freq: str
) -> tuple[str, str | tuple[int, ...], str | None]:
    """Return the window, the rule and what moments are rounded down to, as asked or by a preset."""
    _checks.check_freq(freq)
    _checks.check_choice("window", window, WINDOWS)
    made = _rule(rule)
    if like is None:
        return window, made, None
    _checks.check_choice("like", like, tuple(PRESETS))
    preset = PRESETS[like]
    if freq not in preset.floors:
        msg = f"like={like!r} documents no freq={freq!r}: it has {_checks.listed(preset.floors)}."
        raise ParameterError(msg)
    for name, given, default, own in (
        ("window", window, WINDOWS[0], preset.window),
        ("rule", made, RULES[0], preset.rule),
    ):
        if given not in (default, own):
            msg = f"{name}={given!r} contradicts like={like!r}, which is {name}={own!r}: drop one."
            raise ParameterError(msg)
    return preset.window, preset.rule, preset.floors[freq]


def _rule(rule: object) -> str | tuple[int, ...]:
    """Return a named rule, or the ages at which brackets begin and the last one ends."""
    if isinstance(rule, str):
        return _checks.check_choice("rule", rule, RULES)
    if not isinstance(rule, (Sequence, np.ndarray)):
        _checks.wrong_type("rule", rule, '"on", "on_or_after" or a sequence of ages')
    edges = tuple(_checks.check_integer(f"rule[{i}]", edge, low=0) for i, edge in enumerate(rule))
    if len(edges) < 2 or any(b <= a for a, b in itertools.pairwise(edges)):
        msg = (
            f"rule={edges!r} must be rising ages, two at the least: where each bracket begins and "
            "where the last one ends, as (0, 1, 4, 8) for ages 0, 1-3 and 4-7."
        )
        raise ParameterError(msg)
    return edges


def _method(method: str | None, amount: str | None) -> str:
    allowed = _estimates.RATE_METHODS if amount is None else _estimates.REVENUE_METHODS
    return allowed[0] if method is None else _checks.check_choice("method", method, allowed)


def _asked(
    window: str,
    rule: str | tuple[int, ...],
    floor: str | None,
    freq: str,
    start_event: str | None,
    return_event: str | None,
    amount: str | None,
    observed_from: Any,
) -> _cohort_rows.Asked:
    columns = {"start_event": start_event, "return_event": return_event, "amount": amount}
    for role, name in columns.items():
        if name is not None:
            _checks.check_definable(role, name)
    if amount is not None and rule == "on_or_after":
        msg = (
            'amount= with rule="on_or_after": what a later return brings belongs to its own '
            'window, and would be counted in all before it. Use rule="on" or brackets.'
        )
        raise ParameterError(msg)
    return _cohort_rows.Asked(
        length=_cohort_rows.LENGTHS[freq] if window == "rolling" else None,
        floor=None if floor is None else _cohort_rows.MICROSECONDS[floor],
        after=rule == "on_or_after",
        edges=rule if isinstance(rule, tuple) else None,
        start_event=start_event,
        return_event=return_event,
        amount=amount,
        observed_from=observed_from,
    )


def _of_contracts(asked: _cohort_rows.Asked, like: str | None) -> _cohort_rows.Asked:
    given = [*asked.columns, *([] if like is None else ["like"])]
    if given:
        msg = (
            f"{_checks.listed(given)} with contract_end: a contract is no event, has no amount of "
            "its own in a window, and is followed by none of the tools. Leave it out, or count a "
            "log of events or payments."
        )
        raise ParameterError(msg)
    return asked._replace(contracts=True)


def cohort_matrix(result: Table[Result], values: str = "estimate") -> Result:
    """Return one column of a cohort table as a triangle: cohorts down, ages across.

    Parameters
    ----------
    result : DataFrame
        A table of `cohort_retention`, or of `pool` over its keys.
    values : str, optional
        The column to show, such as "estimate", "retained", "n" or "coverage".

    Returns
    -------
    DataFrame
        The keys and cohort, then one column per age, named "0", "1" and so on; null where the cell
        is unobserved.

    Raises
    ------
    ColumnNotFoundError
        If `values` is not a column of `result`.
    ParameterError
        If `result` is not a cohort table.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame({"id": [1, 2, 1], "day": ["2026-01-05", "2026-01-09", "2026-02-06"]})
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-02-28")
    >>> lk.cohort_matrix(table, values="retained")
          cohort  0     1
    0 2026-01-01  2     1
    1 2026-02-01  0  <NA>
    """
    frame = _frame.open_frame(result, "result")
    _checks.check_name("values", values)
    _checks.check_result(frame.columns, ("cohort_age", "metric"), "cohort_retention")
    _checks.check_columns({"values": values}, frame.columns, "result")
    before = list(frame.columns[: frame.columns.index("cohort_age")])
    made: Result = _frame.pivot(frame, before, "cohort_age", values)
    return made
