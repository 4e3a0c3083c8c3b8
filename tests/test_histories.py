"""Kernels of histories: what lies before each start, block by block."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from conftest import frame_rows

import loyaltykit as lk
from loyaltykit import _contracts, _frame, _histories, _logs
from loyaltykit.errors import DataError, ParameterError

EPOCH = dt.date(1970, 1, 1)


def number(text: str) -> int:
    return (dt.date.fromisoformat(text) - EPOCH).days


def days_of(*rows: tuple[int, str], size: int) -> _histories.Days:
    owner, day = (np.array(values) for values in zip(*rows, strict=True))
    return _histories.Days(owner, np.array([number(text) for text in day]), size)


# 0 has three days in two months, 1 none, 2 one on the last start.
DAYS = days_of((0, "2025-12-31"), (0, "2026-01-01"), (0, "2026-01-31"), (2, "2026-02-01"), size=3)
STARTS = np.array([number(text) for text in ("2026-01-01", "2026-02-01", "2026-03-01")])


def test_only_what_lies_before_a_start_counts() -> None:
    history = _histories.History(DAYS, STARTS, slice(0, 3))
    assert history.purchases.tolist() == [[1, 3, 3], [0, 0, 0], [0, 0, 1]]
    assert history.date.tolist() == [day - 1 for day in STARTS.tolist()]
    assert history.first()[0].tolist() == [number("2025-12-31")]
    last = history.last()
    assert last[0].tolist() == [number(d) for d in ("2025-12-31", "2026-01-31", "2026-01-31")]
    assert last[2, 2] == number("2026-02-01")
    assert history.silent_months()[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("window", "months"), [(1, [1, 1, 0]), (2, [1, 2, 1]), (3, [1, 2, 2]), (12, [1, 2, 2])]
)
def test_months_with_a_purchase_in_a_window(window: int, months: list[int]) -> None:
    history = _histories.History(DAYS, STARTS, slice(0, 3))
    assert history.months(window).tolist() == [months, [0, 0, 0], [0, 0, int(window > 0)]]


def test_a_block_is_like_a_part_of_all() -> None:
    whole = _histories.History(DAYS, STARTS, slice(0, 3))
    part = _histories.History(DAYS, STARTS, slice(2, 3))
    assert part.purchases.tolist() == whole.purchases[2:].tolist()
    assert part.months(2).tolist() == whole.months(2)[2:].tolist()
    assert part.last()[0, 2] == whole.last()[2, 2]


def test_promoters_are_told_by_the_latest_answer() -> None:
    told = days_of((0, "2025-06-01"), (0, "2026-01-15"), (1, "2026-02-28"), size=3)
    answers = _histories.Answers(told, np.array([True, False, True]))
    history = _histories.History(DAYS, STARTS, slice(0, 3), answers)
    assert history.promoter().tolist() == [
        [True, False, False],
        [False, False, True],
        [False, False, False],
    ]
    assert not _histories.History(DAYS, STARTS, slice(0, 3)).promoter().any()


def test_customers_without_a_day() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    days = _histories.Days(nothing, nothing, 2)
    history = _histories.History(days, STARTS, slice(0, 2))
    assert history.purchases.tolist() == [[0, 0, 0]] * 2
    assert history.months(3).tolist() == [[0, 0, 0]] * 2
    assert history.last().shape == (2, 3)
    assert [values.tolist() for values in _histories.gaps(days)] == [[], []]


def test_distinct_days_are_sorted_and_keep_apart_what_is_no_purchase() -> None:
    frame = _frame.open_frame(
        pd.DataFrame({"id": [7, 3, 7, 7], "day": [*["2026-01-02"] * 3, "2026-01-01"]})
    )
    log = _logs.read_log(frame, "id", "day", as_of=None, tz=None, errors="raise")
    customer, day, buys = _histories.distinct_days(log)
    assert log.ids.to_list() == [3, 7]
    first = number("2026-01-01")
    assert customer.tolist() == [0, 1, 1]
    assert (day - first).tolist() == [1, 0, 1]
    assert buys.all()
    customer, day, buys = _histories.distinct_days(log, np.array([True, False, False, True]))
    assert (customer.tolist(), (day - first).tolist()) == ([0, 1, 1, 1], [1, 0, 1, 1])
    assert buys.tolist() == [False, True, False, True]


def test_listed_customers_of_other_categories_are_in_order() -> None:
    """The order of all is that of the alphabet, that of the log another."""
    log = pd.DataFrame({"id": ["b", "a", "b"], "day": ["2026-01-01", "2026-01-01", "2026-01-02"]})
    log["id"] = pd.Categorical(log["id"], ["b", "a"])
    listed = pd.DataFrame({"id": ["c"]})
    table = lk.loyalty_tier(log, "id", "day", customers=listed)
    assert [tuple(row.values()) for row in frame_rows(table)] == [
        ("a", "new"),
        ("b", "repeat"),
        ("c", "prospect"),
    ]


def test_too_many_rows_are_refused() -> None:
    log = pd.DataFrame({"id": range(20_000), "day": ["2016-01-01", "2026-01-01"] * 10_000})
    with pytest.raises(DataError, match=r"20,000 customers at 3,654 starts of a day, from 2016-01"):
        lk.lifecycle_stage(log, "id", "day", freq="day")


def test_first_lives() -> None:
    days = days_of(
        (0, "2026-01-01"), (0, "2026-01-11"), (1, "2026-01-01"), (1, "2026-01-12"), size=2
    )
    found = _histories.lifetimes(days, 10, number("2026-01-15"))
    assert found.duration.tolist() == [14, 10]
    assert found.event.tolist() == [False, True]


def ranges(*rows: tuple[int, int, int]) -> _contracts.Ranges:
    """Return contracts from the first and last day that close with them, and that of the start."""
    first, last, began = (np.array(values, dtype=np.int64) for values in zip(*rows, strict=True))
    return _contracts.Ranges(first, last, began, np.full(len(rows), _contracts.NEVER))


@pytest.mark.parametrize(
    ("gap", "since", "lives"),
    [
        # Whose, since when, for how long, ended or not, entered after.
        (0, None, [(0, 11, 4, True, 0), (1, 13, 17, False, 0)]),
        (2, None, [(0, 11, 7, True, 0), (1, 13, 15, False, 0)]),
        (3, None, [(0, 11, 12, True, 0), (1, 13, 14, False, 0)]),
        (0, 13, [(0, 11, 4, True, 2), (1, 13, 17, False, 0)]),
        (0, 15, [(0, 16, 2, True, 0), (1, 13, 17, False, 2)]),
    ],
)
def test_first_lives_of_contracts(
    gap: int, since: int | None, lives: list[tuple[int, int, int, bool, int]]
) -> None:
    """Customer 0 is away from the 14th for 1 day, for 3 days later; 2 begins as all ends."""
    made = ranges(
        *((20, 21, 21), (10, 12, 11), (12, 13, 13), (15, 16, 16)),
        *((12, 29, 13), (29, 29, _contracts.NEVER)),
    )
    who = np.array([0, 0, 0, 0, 1, 2])
    found = _histories.terms(who, made, gap, _histories.Window(29 - gap, since))
    told = zip(found.customer, *found.lives, found.entry, strict=True)
    assert [tuple(part.tolist() for part in life) for life in told] == lives


def test_no_contracts_are_no_lives() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    found = _histories.terms(nothing, _contracts.Ranges(*[nothing] * 4), 3, _histories.Window(5, 4))
    assert [len(part) for part in (found.customer, *found.lives, found.entry)] == [0] * 5


def test_days_in_which_an_end_would_be_known() -> None:
    end = np.datetime64("2026-02-01")
    active = _logs.nobody(number("2026-01-11"), 21, "day")
    window = _histories.window(active, end, None, 20)
    assert window == (number("2026-01-11"), None)
    window = _histories.window(active, end, None, 10, "2026-01-20 09:00")
    assert window == (number("2026-01-21"), number("2026-01-21"))
    with pytest.raises(ParameterError, match=r"^gap=21: .* from the first start, 2026-01-11, to"):
        _histories.window(active, end, None, 21)
    with pytest.raises(ParameterError, match=r"^gap=11: .* from observed_from, 2026-01-21, to the"):
        _histories.window(active, end, None, 11, "2026-01-21")
    nobody = _logs.nobody(0, 0, "day")
    assert _histories.window(nobody, end, None, 500).until == number("2026-01-31") - 500


def test_scores_that_are_answers() -> None:
    scores = _frame.open_values(pd.Series([10, 11, 8, None, 9]))
    every, best, off = _histories.judged(scores, np.array([1, 5, 1, 1, 1]))
    assert (every, best, off) == ([10, 8, 9], [10, 9], 5)
    assert _histories.scores_off_scale(scores) == (1, [11])
