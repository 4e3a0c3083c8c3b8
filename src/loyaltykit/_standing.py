"""Where customers stand at some dates, where the data are: what tiers and stages share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loyaltykit import (
    _checks,
    _customer_partitions,
    _dask,
    _frame,
    _histories,
    _history_queries,
    _logs,
    _queries,
    _sources,
    _splits,
)


class Answers(NamedTuple):
    """A frame of answers, and its columns of scores and of dates."""

    data: Any
    score: str
    answered: str


def labelled(
    data: Any,
    customer: str,
    time: str,
    *,
    name: str,
    labels: tuple[str, ...],
    label: _histories.Label,
    query: Callable[..., Any],
    freq: str | None,
    customers: Any,
    purchase: str | None,
    as_of: Any,
    tz: str | None,
    errors: str,
    answers: Answers | None = None,
) -> Any:
    """Return what a rule makes of every customer, once or at every period's start.

    The rule is told twice: ``label`` for arrays, ``query`` for lazy engines.
    """
    named = {"customer": customer, "time": time}
    if purchase is not None:
        named["purchase"] = purchase
    made = (name,) if freq is None else (name, _splits.VALID_FROM)
    if freq is not None:
        _checks.check_freq(freq)
    options = _checks.check_log(as_of, tz, errors)
    with _sources.turn(data):
        source = _sources.having(data, named, frozenset(made))
        listed = None
        if customers is not None:
            listed = _sources.opened_beside(source, customers, "customers")
            _checks.check_columns({"customer": customer}, _sources.columns_of(listed), "customers")
        told = None if answers is None else _opened_answers(source, customer, answers)
        rule: dict[str, Any] = {"freq": freq, "name": name, "labels": labels}
        if isinstance(source, _frame.LazyFrame):
            beside = None if listed is None else _sources.only(listed, [customer])
            return _labelled_query(
                source, customer, time, beside, purchase, told, query, rule, options
            )
        rule["label"] = label
        if isinstance(source, _dask.Partitions):
            return _customer_partitions.standing(
                source, customer, time, listed, purchase, told, rule, options
            )
        return _labelled(source, customer, time, listed, purchase, told, rule, options)


def _opened_answers(source: _sources.Source, customer: str, answers: Answers) -> Answers:
    """Return the answers opened, with the columns in use."""
    named = {"score": answers.score, "answered": answers.answered}
    for role, column in named.items():
        _checks.check_name(role, column)
    opened = _sources.opened_beside(source, answers.data, "answers")
    named = {"customer": customer, **named}
    _checks.check_columns(named, _sources.columns_of(opened), "answers")
    return answers._replace(data=_sources.only(opened, named.values()))


def _labelled(
    frame: _frame.Frame,
    customer: str,
    time: str,
    customers: _frame.Frame | None,
    purchase: str | None,
    answers: Answers | None,
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    log = _logs.read_log(frame, customer, time, **options)
    bought = None
    if purchase is not None:
        bought = _frame.flags(frame[purchase])
        bought = bought if log.kept is None else bought[log.kept]
    if answers is not None:
        rule["answers"] = _reader(answers, customer, options)
    freq = rule["freq"]
    starts = _histories.starts(_histories.periods(log, freq or "month"), log.end, freq)
    return _histories.standing(log, bought, customer, customers, starts, **rule)


def _reader(
    answers: Answers, customer: str, options: dict[str, Any]
) -> Callable[[_frame.Series], _histories.Answers]:
    """Return what reads the answers of some customers."""
    tz, errors = options["tz"], options["errors"]
    log = _logs.read_log(answers.data, customer, answers.answered, as_of=None, tz=tz, errors=errors)
    scores = answers.data[answers.score]
    if log.kept is not None:
        scores = _frame.take(scores, np.flatnonzero(log.kept))
    off, shown = _histories.scores_off_scale(scores)
    _histories.refuse_scores(answers.score, off, shown, errors)
    return functools.partial(_histories.read_answers, log, scores, customer=customer)


def _labelled_query(
    query: _frame.Query,
    customer: str,
    time: str,
    listed: _frame.Query | None,
    purchase: str | None,
    answers: Answers | None,
    label: Callable[..., Any],
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    if purchase is not None:
        _queries.true_rows(query, purchase)
    freq = rule["freq"]
    log = _queries.read_log(
        query,
        customer,
        time,
        keep=[] if purchase is None else [purchase],
        freq=freq or "month",
        **options,
    )
    starts = _histories.starts(log.active, log.end, freq)
    if answers is not None:
        rule = {
            **rule,
            "answers": _history_queries.read_answers(
                *answers, customer, freq, options["tz"], options["errors"]
            ),
        }
    return label(log, customer, listed, purchase, starts, **rule)
