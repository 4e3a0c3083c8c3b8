"""Rows per customer over the partitions of a Dask frame: histories, segments, one answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _contract_partitions,
    _contracts,
    _dask,
    _frame,
    _histories,
    _logs,
    _partitions,
    _refusals,
    _scores,
)
from loyaltykit._frame import ID, PERIOD, Frame

IntArray = npt.NDArray[np.int64]


# ---- where customers stand ----------------------------------------------------------------------


def standing(
    source: _dask.Partitions,
    customer: str,
    time: str,
    customers: _dask.Partitions | None,
    purchase: str | None,
    answers: tuple[Any, str, str] | None,
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Return where every customer stands as a Dask frame, made partition by partition."""
    freq = rule["freq"]
    active, end, zone = _partitions.observed(
        source, customer, time, purchase, freq=freq or "month", **options
    )
    starts = _histories.starts(active, end, freq)
    until = _logs.end_or_any(end)
    days = _partitions.distinct(
        source, customer, time, [], options["tz"], until, freq="day", purchase=purchase
    )
    parts = [days.shuffle(on=_dask.HOME)]
    if customers is not None:
        beside = _dask.known(customers.frame, [customer])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    if answers is not None:
        parts.append(_answers_at_home(answers, customer, parts[0], options))
    one = functools.partial(
        _standing_of_part,
        customer=customer,
        listed=customers is not None,
        score=None if answers is None else answers[1],
        starts=starts,
        end=until,
        zone=zone,
        rule=rule,
    )
    return _dask.over(parts, one)


def _answers_at_home(
    answers: tuple[Any, str, str], customer: str, beside: Any, options: dict[str, Any]
) -> Any:
    """Return the distinct answers by day, with those customers that another frame has there."""
    source, score, answered = answers
    tz, errors = options["tz"], options["errors"]
    _, end, _ = _partitions.observed(
        source, customer, answered, None, freq="day", as_of=None, tz=tz, errors=errors
    )
    judge = functools.partial(_off_scale, customer=customer, time=answered, score=score, tz=tz)
    parts = _dask.each(source.frame[list(dict.fromkeys([customer, answered, score]))], judge)
    shown = [value for _, values in parts for value in values]
    _histories.refuse_scores(score, sum(count for count, _ in parts), shown, errors)
    told = _partitions.distinct(
        source, customer, answered, [score], tz, _logs.end_or_any(end), freq="day"
    )
    return told.shuffle(on=_dask.HOME, npartitions=beside.npartitions)


def _off_scale(
    part: Any, customer: str, time: str, score: str, tz: str | None
) -> tuple[int, list[Any]]:
    """Return how many usable rows of a partition have a score that is none, and the first few."""
    frame = _frame.positional(_frame.open_frame(part))
    times, _ = _partitions.times_of(frame, time, tz)
    kept = ~frame[customer].is_null().to_numpy() & ~np.isnat(times)
    return _histories.scores_off_scale(_frame.take(frame[score], np.flatnonzero(kept)))


def _standing_of_part(
    part: Any,
    *others: Any,
    customer: str,
    listed: bool,
    score: str | None,
    starts: IntArray,
    end: np.datetime64,
    zone: str | None,
    rule: dict[str, Any],
) -> Any:
    log, frame = _log_of_days(part, customer, end, zone)
    bought = None
    if _partitions.BOUGHT in frame.columns:
        bought = frame[_partitions.BOUGHT].to_numpy().astype(np.bool_)
    beside = _frame.positional(_frame.open_frame(others[0])) if listed else None
    if score is not None:
        answered, told = _log_of_days(others[-1], customer, end, zone)
        read = functools.partial(_histories.read_answers, answered, told[score], customer=customer)
        rule = {**rule, "answers": read}
    return _histories.standing(log, bought, customer, beside, starts, **rule)


def _log_of_days(
    part: Any, customer: str, end: np.datetime64, zone: str | None
) -> tuple[_logs.Log, Frame]:
    """Return the rows of a partition of distinct days, and the frame itself."""
    frame = _frame.positional(_frame.open_frame(part))
    days = frame[PERIOD].to_numpy()  # periods of a day are days
    return _partitions.log_of(frame, customer, days, end, zone), frame


# ---- silences -----------------------------------------------------------------------------------


def of_days(
    source: _dask.Partitions,
    customer: str,
    time: str,
    make: Callable[[_logs.Log, int], Any],
    options: dict[str, Any],
) -> Any:
    """Return what a function makes of the active days of every partition's customers.

    It is told the last day observed as well.
    """
    _, end, zone = _partitions.observed(source, customer, time, None, freq="day", **options)
    until = _logs.end_or_any(end)
    days = _partitions.distinct(source, customer, time, [], options["tz"], until, freq="day")
    one = functools.partial(_of_days_of_part, customer=customer, make=make, end=until, zone=zone)
    return _dask.over([days.shuffle(on=_dask.HOME)], one)


def _of_days_of_part(
    part: Any,
    *,
    customer: str,
    make: Callable[[_logs.Log, int], Any],
    end: np.datetime64,
    zone: str | None,
) -> Any:
    log, _ = _log_of_days(part, customer, end, zone)
    return make(log, int(_logs.as_of_day(end).astype(np.int64)))


def of_contracts(
    source: _dask.Partitions,
    customer: str,
    time: str,
    contract_end: str,
    make: Callable[..., Any],
    tell: Callable[..., _histories.Window],
    options: dict[str, Any],
) -> Any:
    """Return what a function makes of the contracts of every partition's customers, by the day.

    It is told in which days, as another function tells from all of them.
    """
    names = (customer, time, contract_end)
    active, end, zone = _contract_partitions.observed(source, *names, freq="day", **options)
    until, tz = _logs.end_or_any(end), options["tz"]
    rows = _contract_partitions.distinct(source, *names, [], tz, until, freq="day")
    one = functools.partial(
        _of_contracts_of_part,
        customer=customer,
        make=make,
        seen=tell(active, until, zone),
        end=until,
        zone=zone,
    )
    return _dask.over([rows.shuffle(on=_dask.HOME)], one)


def _of_contracts_of_part(
    part: Any,
    *,
    customer: str,
    make: Callable[[_logs.Log, _contracts.Ranges, _histories.Window], Any],
    seen: _histories.Window,
    end: np.datetime64,
    zone: str | None,
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    return make(*_contract_partitions.ranges(frame, customer, end, zone), seen)


# ---- scores -------------------------------------------------------------------------------------

_AMOUNT = "lk amount"


def scored(
    source: _dask.Partitions,
    customer: str,
    time: str,
    amount: str,
    *,
    freq: str,
    bins: int,
    **options: Any,
) -> Any:
    """Return the scores of every customer as a Dask frame; cuts are those of all partitions."""
    _, end, zone = _partitions.observed(source, customer, time, None, freq=freq, **options)
    until = _logs.end_or_any(end)
    names = list(dict.fromkeys([customer, time, amount]))
    read = functools.partial(
        _amount_rows, customer=customer, time=time, amount=amount, tz=options["tz"], end=until
    )
    frame = _dask.known(source.frame[names], [customer])
    types = frame._meta.dtypes.to_dict()
    rows = _dask.over([frame], functools.partial(_dask.typed, read, types=types, names=[customer]))
    gone = sum(_dask.each(rows, _without_amount))
    _scores.without_amount(amount, gone, options["errors"])
    together = rows.shuffle(on=_dask.HOME)
    last = _logs.last_period(until, freq)
    of_part: dict[str, Any] = {"customer": customer, "freq": freq, "end": until, "zone": zone}
    counts = _dask.each(together, functools.partial(_counted_of_part, **of_part, last=last))
    cuts = {
        name: _scores.cuts(*_scores.merged([part[name] for part in counts]), bins)
        for name in _scores.MEASURES
    }
    named = bins == _scores.NAMED_BINS
    one = functools.partial(_scores_of_part, **of_part, last=last, cuts=cuts, named=named)
    return _dask.over([together], one)


def _amount_rows(
    part: Any,
    customer: str,
    time: str,
    amount: str,
    tz: str | None,
    end: np.datetime64,
) -> Any:
    """Return the usable rows of a partition: ID, HOME, the day as PERIOD, and AMOUNT."""
    frame = _frame.positional(_frame.open_frame(part))
    times, _ = _partitions.times_of(frame, time, tz)
    times = times.astype("datetime64[us]", copy=False)
    kept = ~frame[customer].is_null().to_numpy() & (times < end)
    amounts = _frame.amounts(frame[amount])[kept]
    made = frame.to_native()[kept]
    ids = _dask.plain(made[customer])
    days = _calendar.day_numbers(times[kept])
    columns = {ID: ids, _dask.HOME: _dask.home(ids), PERIOD: days, _AMOUNT: amounts}
    return made[[]].assign(**columns)


def _without_amount(part: Any) -> int:
    return int(part[_AMOUNT].isna().sum())


def _summary_of_part(
    part: Any, customer: str, freq: str, end: np.datetime64, zone: str | None
) -> _scores.Summary:
    log, frame = _log_of_days(part, customer, end, zone)
    return _scores.summary(log, frame[_AMOUNT].to_numpy(), freq)


def _counted_of_part(part: Any, *, last: int, **of_part: Any) -> dict[str, Any]:
    found = _scores.values(_summary_of_part(part, **of_part), last)
    return {name: _scores.counted(values) for name, values in found.items()}


def _scores_of_part(
    part: Any, *, last: int, cuts: dict[str, _scores.Cuts], named: bool, **of_part: Any
) -> Any:
    found = _summary_of_part(part, **of_part)
    return _scores.table(found, cuts, last, of_part["customer"], named=named)


# ---- moves --------------------------------------------------------------------------------------


def moves(
    source: _dask.Partitions, customer: str, tier: str, valid_from: str, count: Callable[..., Any]
) -> Frame:
    """Return what a function counts of the tiers of every partition's customers."""
    names = list(dict.fromkeys([customer, tier, valid_from]))
    _refuse_gone(source, customer, valid_from)
    together = _dask.at_home(_dask.known(source.frame[names], [customer, tier]), [customer])
    one = functools.partial(
        _moves_of_part, customer=customer, tier=tier, valid_from=valid_from, count=count
    )
    return _frame.open_frame(_dask.over([together], one).compute().reset_index(drop=True))


def _moves_of_part(part: Any, *, count: Callable[..., Any], **names: str) -> Any:
    return count(_frame.positional(_frame.open_frame(part.drop(columns=_dask.HOME))), **names)


def _refuse_gone(source: _dask.Partitions, customer: str, time: str) -> None:
    """Refuse rows without a customer or a time."""
    names = list(dict.fromkeys([customer, time]))
    tell = functools.partial(
        _partitions.facts, customer=customer, time=time, purchase=None, tz=None
    )
    parts = _dask.each(source.frame[names], tell)
    nobody = sum(part.without_id for part in parts)
    if nobody:
        _refusals.null_values(customer, nobody, "customer", coercible=False)
    _partitions.refuse_times(parts, time, None)


# ---- segments joined to rows, one answer of each ------------------------------------------------


def attached(
    source: _dask.Partitions,
    lookup: _dask.Partitions,
    keys: Sequence[str],
    columns: Sequence[str],
    time: str | None,
    valid_from: str | None,
    attach: Callable[..., Any],
) -> Any:
    """Return the rows with columns of the segments, joined where rows of one key are together."""
    data, beside = (_dask.known(frame.frame, keys) for frame in (source, lookup))
    together = _dask.at_home(data, keys)
    beside = _dask.at_home(beside, keys, together)
    one = functools.partial(
        _attach_part,
        keys=keys,
        columns=columns,
        time=time,
        valid_from=valid_from,
        attach=attach,
    )
    return _dask.over([together, beside], one)


def _attach_part(part: Any, lookup: Any, *, attach: Callable[..., Any], **options: Any) -> Any:
    frame, beside = (_frame.open_frame(each.drop(columns=_dask.HOME)) for each in (part, lookup))
    keys, columns = options["keys"], options["columns"]
    return attach(frame, beside, keys, columns, options["time"], options["valid_from"])


def one_answer(
    source: _dask.Partitions, customer: str, time: str, one: Callable[[Frame], Any]
) -> Any:
    """Return the rows that a function keeps of every customer, whose rows are brought together."""
    _refuse_gone(source, customer, time)
    together = _dask.at_home(_dask.known(source.frame, [customer]), [customer])
    return _dask.over([together], functools.partial(_keep_in_part, one=one))


def _keep_in_part(part: Any, one: Callable[[Frame], Any]) -> Any:
    return one(_frame.open_frame(part.drop(columns=_dask.HOME)))


def refuse_ties(
    frame: Frame, tied: IntArray, codes: _frame.Integers, customer: str, time: str, keep: str
) -> None:
    """Refuse customers with different rows at one time; the codes tell whose rows they are."""
    again = frame.to_native().iloc[tied].duplicated().to_numpy()
    codes, tied = codes[~again], tied[~again]
    _, first = np.unique(codes, return_index=True)
    several = np.setdiff1d(np.arange(len(codes)), first)
    if len(several):
        whose = tied[several[np.unique(codes[several], return_index=True)[1]]]
        ids = _frame.sample(frame[customer], whose)
        _refusals.tied_answers(customer, time, keep, len(whose), ids)
