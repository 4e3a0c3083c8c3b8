"""Rows per customer over the partitions of a Dask frame: tiers, segments, one answer of each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _dask, _frame, _partitions
from loyaltykit._frame import PERIOD, Frame

IntArray = npt.NDArray[np.int64]


def labelled(
    source: _dask.Partitions,
    customer: str,
    time: str,
    customers: _dask.Partitions | None,
    purchase: str | None,
    label: Callable[..., Any],
    make_starts: Callable[..., IntArray],
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Return the tiers of every customer as a Dask frame, made partition by partition."""
    freq = rule["freq"]
    active, end, zone = _partitions.observed(
        source, customer, time, purchase, freq=freq or "month", **options
    )
    starts = make_starts(active, end, freq)
    until = np.datetime64(0, "D") if end is None else end
    days = _partitions.distinct(
        source, customer, time, [], options["tz"], until, freq="day", purchase=purchase
    )
    parts = [days.shuffle(on=_dask.HOME)]
    if customers is not None:
        beside = _dask.known(customers.frame, [customer])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    one = functools.partial(
        _label_part, customer=customer, label=label, starts=starts, end=until, zone=zone, rule=rule
    )
    return _dask.over(parts, one)


def _label_part(
    part: Any,
    customers: Any = None,
    *,
    customer: str,
    label: Callable[..., Any],
    starts: IntArray,
    end: np.datetime64,
    zone: str | None,
    rule: dict[str, Any],
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    log = _partitions.log_of(
        frame, customer, frame[PERIOD].to_numpy(), end, zone
    )  # periods of a day are days
    bought = np.ones(len(frame), dtype=np.bool_)
    if _partitions.BOUGHT in frame.columns:
        bought = frame[_partitions.BOUGHT].to_numpy().astype(np.bool_)
    beside = None if customers is None else _frame.positional(_frame.open_frame(customers))
    return label(log, bought, customer, beside, starts, **rule)


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
    names = list(dict.fromkeys([customer, time]))
    tell = functools.partial(
        _partitions.facts, customer=customer, time=time, purchase=None, tz=None
    )
    parts = _dask.each(source.frame[names], tell)
    nobody = sum(part.without_id for part in parts)
    if nobody:
        _checks.null_values(customer, nobody, "customer", coercible=False)
    _partitions.refuse_times(parts, time, None)
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
        _checks.tied_answers(customer, time, keep, len(whose), ids)
