"""How long customers stay active, and which silence is one: lifetimes and the gap between days."""

from __future__ import annotations

import functools
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from loyaltykit import (
    _behaviour,
    _checks,
    _contracts,
    _customer_partitions,
    _dask,
    _frame,
    _histories,
    _history_queries,
    _logs,
    _queries,
    _sources,
)
from loyaltykit._frame import N
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result, Rows

_MADE = frozenset(("start", "duration", "event"))
_LENGTH = "lk length"


def customer_lifetimes(
    data: Rows[Result],
    customer: str,
    time: str,
    *,
    gap: int | None = None,
    contract_end: str | None = None,
    observed_from: Moment | None = None,
    as_of: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Return the first lifetime of every customer: its start, its length, and whether it ended.

    Of the days d(1) to d(k) on which a customer was active, and the last day observed c, the first
    silence longer than `gap` days ends the lifetime:

    .. math:: event: \; d_{i+1} - d_i > gap, \quad \text{or } c - d_k \ge gap \text{ for } i = k

    .. math:: duration = d_i + gap - d_1 \text{ with an event, else } c - d_1

    Of contracts, it is the first time without one for more than `gap` days. With the start s of the
    lifetime, the end e of what is in force until then, and the day after the last one observed c:

    .. math:: event: \; e + gap \le c, \qquad
        duration = e - s \text{ with an event, else } c - gap - s

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine. Every row is activity. With
        `contract_end`, one row per contract.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text); for contracts that
        of the start.
    gap : int, optional
        Days of silence after which a customer counts as gone; `inactivity_gap` proposes one. A log
        needs it. Of contracts, the days without one that a lifetime may have, by default 0:
        overlapping and touching contracts are one lifetime, and any day between parts two.
    contract_end : str, optional
        Column of the end of each contract: the first moment at which it is not in force any more,
        null while it runs. The data are then contracts; see Notes. Needs `as_of`.
    observed_from : date, datetime or str, optional
        Only with `contract_end`: the moment from which the contracts are listed in full; a date
        means its start, any other time the next day's. Lifetimes that had ended are left out, and
        those that had begun say how late they came under observation, in a column `entry`.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning; so too
        contracts that end before they start.

    Returns
    -------
    DataFrame
        The customer's column, start (the day of the first row), duration (days) and event (true
        where the lifetime ended, false where it is still open at the end). With `observed_from`
        also entry (days from start to it, 0 for who started later). It is of the caller's own kind,
        lazy included, and ordered by customer, except in DuckDB, Spark and Dask, which promise no
        order.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable, a contract ends before it starts, or only one of
        start and end has a time zone.
    ParameterError
        If a parameter has a value that is not allowed, or one that contradicts another; if `gap` is
        so long that no end could be known.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    inactivity_gap : The distribution of the days between two active ones.
    survival_curve : How many customers are left after so many days.

    Notes
    -----
    The event is dated when it became known, `gap` days after the last activity, and not on the day
    of that activity. Of who is still open, up to `gap` days of silence are counted as life; to end
    the others at their last activity would take the same days from the dead alone. Survival would
    then look worse the longer the gap is, and whoever is known to be alive would have lived for
    days in which nobody could have died (immortal time).

    A silence of exactly `gap` days between two active days is none too many: the customer came back
    on the last day. The last silence has to be observed in full, to the end of day d(k) + gap.

    Who comes back after the gap begins another life, which is not counted here. The longer the gap,
    the fewer do so; the shorter, the sooner an end is known.

    Contracts say themselves when they end, and the event is dated then. A contract is in force from
    its start to just before its end, and a day belongs to the lifetime when the customer is in
    force as it closes, as in `customer_flow` by day. A contract that ends on its first day makes a
    lifetime of 0 days, which ended. One that ends at 23:59:59 and the next day's touch; one that
    ends when observation does, or earlier, has ended. Contracts that start later are left out.

    With a `gap`, an end is final only when more than so many days were seen to close without a
    contract. In the last `gap` days nobody can be told to be gone, so nobody is followed through
    them: who is not known to have left by the first of them is censored there, in force or not, and
    later contracts only tell who came back. Customers who begin in them have no row yet. Followed
    to `as_of`, all would live through days in which nobody could die (immortal time), and survival
    would look too good; and to censor those between two contracts where the first one ended would
    take them out just when they may have left. A log needs no such cut, because its events are
    dated `gap` days later.

    Lists of contracts often begin on some day, with those then in force. Customers who had left are
    not in it, so that the early days of the others were days in which nobody could die. With
    `observed_from` they are counted at risk from `entry` on: pass it to `survival_curve` as
    ``entry="entry"``. The lifetime is then the first that reaches that day: who had left and came
    back begins anew, at 0. With a `gap`, contracts that ended up to so many days before it have to
    be in the list too. Without `observed_from`, the list must hold all contracts there ever were.

    References
    ----------
    Suissa, S. (2008). Immortal time bias in pharmacoepidemiology. American Journal of Epidemiology
    167(4), 492-499. https://doi.org/10.1093/aje/kwm324

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 3],
    ...         "day": ["2026-01-01", "2026-01-21", "2026-04-01", "2026-03-20", "2026-03-01"],
    ...     }
    ... )
    >>> lk.customer_lifetimes(log, "id", "day", gap=30, as_of="2026-04-15")
       id      start  duration  event
    0   1 2026-01-01        50   True
    1   2 2026-03-20        26  False
    2   3 2026-03-01        30   True

    Contracts. Customer 1 renews, and then leaves; 2 comes back a month after an end; 3 goes on.

    >>> contracts = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 2, 3],
    ...         "start": ["2025-11-01", "2026-01-01", "2025-12-01", "2026-02-01", "2026-02-20"],
    ...         "end": ["2026-01-01", "2026-03-01", "2026-01-01", None, None],
    ...     }
    ... )
    >>> terms = {"contract_end": "end", "as_of": "2026-03-31"}
    >>> lk.customer_lifetimes(contracts, "id", "start", **terms)
       id      start  duration  event
    0   1 2025-11-01       120   True
    1   2 2025-12-01        31   True
    2   3 2026-02-20        40  False

    Listed from the middle of January on, when 2 had left:

    >>> lk.customer_lifetimes(contracts, "id", "start", observed_from="2026-01-15", **terms)
       id      start  duration  event  entry
    0   1 2025-11-01       120   True     75
    1   2 2026-02-01        59  False      0
    2   3 2026-02-20        40  False      0
    """
    days = _check_gap(gap, contract_end, observed_from)
    options = _checks.check_log(as_of, tz, errors)
    named = {"customer": customer, "time": time}
    if contract_end is None:
        of_log: Result = _of_log(data, named, days, options)
        return of_log
    named["contract_end"] = contract_end
    of_contracts: Result = _of_contracts(data, named, days, observed_from, options)
    return of_contracts


def _check_gap(gap: object, contract_end: object, observed_from: object) -> int:
    if contract_end is not None:
        return 0 if gap is None else _checks.check_integer("gap", gap, low=0)
    if observed_from is not None:
        msg = (
            "observed_from is for contracts: name the column of their ends, contract_end=. The "
            "lifetimes of a log begin with its first rows."
        )
        raise ParameterError(msg)
    if gap is None:
        msg = (
            "gap is needed for a log: the days of silence after which a customer counts as gone. "
            "inactivity_gap proposes one."
        )
        raise ParameterError(msg)
    return _checks.check_integer("gap", gap, low=1)


def _of_log(data: Any, named: dict[str, str], gap: int, options: dict[str, Any]) -> Any:
    customer = named["customer"]
    with _sources.turn(data):
        source = _sources.having(data, named, _MADE)
        if isinstance(source, _frame.LazyFrame):
            query = _queries.read_log(source, **named, freq="day", **options)
            return _history_queries.lifetimes(query, customer, gap, _last_day(query.end))
        make = functools.partial(_lifetimes, customer=customer, gap=gap)
        if isinstance(source, _dask.Partitions):
            return _customer_partitions.of_days(source, **named, make=make, options=options)
        log = _logs.read_log(source, customer, named["time"], **options)
        return make(log, _last_day(log.end))


def _last_day(end: np.datetime64 | None) -> int:
    return 0 if end is None else int(_logs.as_of_day(end).astype(np.int64))


def _lifetimes(log: _logs.Log, until: int, *, customer: str, gap: int) -> Any:
    days = _histories.active_days(log)
    return _table(log.ids.alias(customer), _histories.lifetimes(days, gap, until))


def _table(ids: _frame.Series, found: _histories.Lifetimes, **more: Any) -> Any:
    columns = {
        "start": found.start.astype("datetime64[D]"),
        "duration": found.duration,
        "event": found.event,
        **more,
    }
    return _frame.table(ids.to_frame(), columns, len(ids))


# ---- contracts ----------------------------------------------------------------------------------


def _of_contracts(
    data: Any, named: dict[str, str], gap: int, observed_from: Any, options: dict[str, Any]
) -> Any:
    customer = named["customer"]
    made = _MADE if observed_from is None else _MADE | {"entry"}
    tell = functools.partial(_histories.window, gap=gap, observed_from=observed_from)
    make = functools.partial(_terms, customer=customer, gap=gap)
    with _sources.turn(data):
        source = _sources.having(data, named, made)
        _behaviour.check_contracts(named["time"], named["contract_end"], options["as_of"])
        if isinstance(source, _dask.Partitions):
            return _customer_partitions.of_contracts(
                source, **named, make=make, tell=tell, options=options
            )
        if isinstance(source, _frame.LazyFrame):
            query = _history_queries.read_contracts(source, **named, options=options)
            seen = tell(query.active, _logs.end_or_any(query.end), query.zone)
            return _history_queries.terms(query, customer, gap, seen)
        log, ends = _contracts.read(source, **named, ordered=True, **options)
        end = _logs.end_or_any(log.end)
        ranges = _contracts.ranges(log.times, ends, end, "day")
        return make(log, ranges, tell(_histories.periods(log, "day"), end, log.zone))


def _terms(
    log: _logs.Log, ranges: _contracts.Ranges, seen: _histories.Window, *, customer: str, gap: int
) -> Any:
    found = _histories.terms(log.customer, ranges, gap, seen)
    more = {} if seen.since is None else {"entry": found.entry}
    return _table(_frame.take(log.ids, found.customer).alias(customer), found.lives, **more)


# ---- the gap ------------------------------------------------------------------------------------


def inactivity_gap(
    data: Data[Result],
    customer: str,
    time: str,
    *,
    share: float = 0.9,
    as_of: Moment | None = None,
    tz: str | None = None,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Return how long customers are silent between two active days, and the gap that proposes.

    .. math:: within(g) = 100 \frac{|\{\text{silences} \le g\}|}{|\{\text{silences}\}|}, \quad
        proposed = \min\{g : within(g) \ge 100 \times share\}

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    share : float, optional
        The share of all silences that the proposed gap is to cover, above 0 and up to 1.
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    tz : str, optional
        Zone in which aware times are read, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date are refused, or left out with a warning.

    Returns
    -------
    DataFrame
        A row per length that occurs, in the engine of `data` (pandas for lazy and distributed
        ones): gap (days from one active day to the customer's next one), n (how many), within
        (percent of all that are no longer), proposed (true in one row). No row where nobody came
        twice.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If an id or date is missing or unreadable.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    customer_lifetimes : What the gap is for.

    Notes
    -----
    Only silences that ended are counted: the one that a customer is in is no gap yet, and who came
    once has none. Long silences are therefore missing where the log is short, and the proposal is
    too small; let the log be several times as long as the gap it proposes. Customers who come often
    have more silences than others, and weigh more.

    The counts n of parts of the log that are split by customer add up: sum them by gap, and take
    the cumulative share.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 2, 3],
    ...         "day": [
    ...             "2026-01-01",
    ...             "2026-01-08",
    ...             "2026-01-15",
    ...             "2026-01-01",
    ...             "2026-02-01",
    ...             "2026-01-20",
    ...         ],
    ...     }
    ... )
    >>> lk.inactivity_gap(log, "id", "day", share=0.5)
       gap  n      within  proposed
    0    7  2   66.666667      True
    1   31  1  100.000000     False
    """
    least = _check_share(share)
    options = _checks.check_log(as_of, tz, errors)
    with _sources.turn(data):
        source = _sources.having(data, {"customer": customer, "time": time})
        like = _frame.pandas_keys()
        if isinstance(source, _frame.LazyFrame):
            query = _queries.read_log(source, customer, time, freq="day", **options)
            length, n = _history_queries.gaps(query)
        elif isinstance(source, _dask.Partitions):
            parts = _customer_partitions.of_days(source, customer, time, _gaps, options)
            found = _frame.open_frame(parts.compute())
            length, place = np.unique(found[_LENGTH].to_numpy(), return_inverse=True)
            n = np.zeros(len(length), dtype=np.int64)
            np.add.at(n, place, found[N].to_numpy())
        else:
            log = _logs.read_log(source, customer, time, **options, ordered=False)
            length, n = _histories.gaps(_histories.active_days(log))
            like = source.select([])
    upto = np.cumsum(n)
    # Divided, because 0.07 x 100 is more than 7 to a computer.
    enough = np.flatnonzero(upto / max(int(n.sum()), 1) >= least)
    proposed = np.zeros(len(n), dtype=np.bool_)
    proposed[enough[:1]] = True
    within = 100.0 * upto / max(int(n.sum()), 1)
    columns = {"gap": length, "n": n, "within": within, "proposed": proposed}
    made: Result = _frame.table(like, columns, len(n))
    return made


def _check_share(share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, Real):
        _checks.wrong_type("share", share, "a number")
    value = float(share)
    if not 0 < value <= 1:
        hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
        msg = f"share={_checks.plain(share)!r} must be above 0 and at most 1.{hint}"
        raise ParameterError(msg)
    return value


def _gaps(log: _logs.Log, _until: int) -> Any:
    length, n = _histories.gaps(_histories.active_days(log))
    return _frame.table(
        _frame.pandas_keys({"gap": np.zeros(0)}).select([]), {_LENGTH: length, N: n}, len(n)
    )
