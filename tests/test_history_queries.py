"""Histories as queries: what lazy engines say of a customer is what NumPy says."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import pytest
from conftest import CONSTRUCTORS, WRAPPED, Engine, collected, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import FREQUENCIES, Case, Contracts, cases, contracts

import loyaltykit as lk
from loyaltykit.errors import DataError, ParameterError

LAZY = ["polars-lazy", "duckdb"]


def in_order(table: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = frame_rows(collected(table))
    return sorted(rows, key=lambda row: [(row[n] is None, str(row[n])) for n in names])


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("freq", [None, *FREQUENCIES])
@given(
    case=cases(split=False),
    rule=st.tuples(st.integers(1, 3), st.integers(0, 3), st.none() | st.integers(1, 4)),
)
@settings(max_examples=5)
def test_the_queries_label_what_numpy_labels(
    lazy: str, freq: str | None, case: Case, rule: tuple[int, int, int | None]
) -> None:
    base, wrap = WRAPPED[lazy]
    case = case._replace(freq=case.freq if freq in (None, "day") else str(freq))
    log, keywords = case.arguments(base)
    listed = CONSTRUCTORS[base]({"id": [1, 5, 9, 9]})
    keywords |= {"freq": freq, "loyal_periods": rule[0], "loyal_window": rule[0] + rule[1]}
    keywords["lapsed_after"] = rule[2]
    numpy = lk.loyalty_tier(log, "id", "day", customers=listed, **keywords)
    keywords["customers"] = wrap(listed, None)
    found = lk.loyalty_tier(wrap(log, None), "id", "day", **keywords)
    names = ["id"] if freq is None else ["id", "valid_from"]
    assert in_order(found, names) == in_order(numpy, names)


@st.composite
def answers(draw: st.DrawFn, case: Case) -> dict[str, list[Any]]:
    """Draw answers around the log, some by customers who are not in it."""
    around = st.integers(-40, 200).map(lambda i: case.log[0][1] + dt.timedelta(days=i))
    scores = st.none() | st.integers(7, 10)
    rows = draw(st.lists(st.tuples(st.integers(1, 8), scores, around), min_size=1, max_size=12))
    rows.append((8, 10, case.log[0][1]))  # a column of nothing but nulls has no type
    return dict(zip(("id", "score", "time"), map(list, zip(*rows, strict=True)), strict=True))


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("freq", [None, "week", "month"])
@given(data=st.data(), case=cases(split=False), rule=st.tuples(*[st.integers(1, 20)] * 3))
@settings(max_examples=5)
def test_the_queries_tell_the_stages_that_numpy_tells(
    lazy: str, freq: str | None, data: st.DataObject, case: Case, rule: tuple[int, int, int]
) -> None:
    base, wrap = WRAPPED[lazy]
    case = case._replace(freq=freq or "month")
    log, keywords = case.arguments(base)
    told = CONSTRUCTORS[base](data.draw(answers(case)))
    listed = CONSTRUCTORS[base]({"id": [1, 7, 7]})
    keywords |= {"freq": freq, "onboarding": rule[0], "usual_gap": rule[1], "least_gap": 2}
    keywords |= {"at_risk_after": rule[2] / 4, "churned_after": rule[2] / 2}
    numpy = lk.lifecycle_stage(log, "id", "day", customers=listed, answers=told, **keywords)
    keywords |= {"customers": wrap(listed, None), "answers": wrap(told, None)}
    found = lk.lifecycle_stage(wrap(log, None), "id", "day", **keywords)
    names = ["id"] if freq is None else ["id", "valid_from"]
    assert in_order(found, names) == in_order(numpy, names)


@pytest.mark.parametrize("lazy", LAZY)
@given(case=cases(split=False), gap=st.integers(1, 100))
@settings(max_examples=8)
def test_the_queries_end_the_lives_that_numpy_ends(lazy: str, case: Case, gap: int) -> None:
    base, wrap = WRAPPED[lazy]
    log, keywords = case.arguments(base)
    del keywords["freq"]
    numpy = lk.customer_lifetimes(log, "id", "day", gap=gap, **keywords)
    found = lk.customer_lifetimes(wrap(log, None), "id", "day", gap=gap, **keywords)
    assert in_order(found, ["id"]) == in_order(numpy, ["id"])
    numpy = lk.inactivity_gap(log, "id", "day", **keywords)
    found = lk.inactivity_gap(wrap(log, None), "id", "day", **keywords)
    assert frame_rows(found) == frame_rows(numpy)


@pytest.mark.parametrize("lazy", LAZY)
@given(case=contracts(split=False), gap=st.integers(0, 3) | st.integers(0, 40))
@settings(max_examples=8)
def test_the_queries_unite_the_contracts_that_numpy_unites(
    lazy: str, case: Contracts, gap: int
) -> None:
    base, wrap = WRAPPED[lazy]
    frame, keywords = case.arguments(base)
    del keywords["freq"]
    try:
        numpy = lk.customer_lifetimes(frame, "id", "start", gap=gap, **keywords)
    except ParameterError as error:
        with pytest.raises(ParameterError, match="^" + re.escape(str(error))):
            lk.customer_lifetimes(wrap(frame, None), "id", "start", gap=gap, **keywords)
        return
    found = lk.customer_lifetimes(wrap(frame, None), "id", "start", gap=gap, **keywords)
    assert in_order(found, ["id"]) == in_order(numpy, ["id"])


@pytest.mark.parametrize("lazy", LAZY)
def test_nothing_is_run_before_it_is_asked_for(lazy: str) -> None:
    """What comes back is the caller's kind, lazy as it came."""
    engine = Engine(lazy)
    log = engine.frame({"id": [2, 1], "day": [dt.date(2026, 1, 5)] * 2})
    for made in (
        lk.loyalty_tier(log, "id", "day"),
        lk.lifecycle_stage(log, "id", "day"),
        lk.customer_lifetimes(log, "id", "day", gap=30),
    ):
        assert type(made) is type(log)
    engine.check_inputs_unchanged()


@pytest.mark.parametrize("lazy", LAZY)
def test_purchases_are_true_or_false(lazy: str) -> None:
    engine = Engine(lazy)
    columns: dict[str, Any] = {
        "id": [1, 2, 3],
        "day": [dt.date(2026, 1, 5)] * 3,
        "bought": [1, 0, 2],
    }
    with pytest.raises(DataError, match="'bought': 1 row neither true nor false: 2"):
        lk.loyalty_tier(engine.frame(columns), "id", "day", purchase="bought")
    found = lk.loyalty_tier(
        engine.frame({**columns, "bought": [1, 0, 1]}), "id", "day", purchase="bought"
    )
    assert [row["tier"] for row in in_order(found, ["id"])] == ["new", "prospect", "new"]


@pytest.mark.parametrize("lazy", LAZY)
def test_purchases_of_texts_are_refused_as_in_memory(lazy: str) -> None:
    days = [dt.date(2026, 1, 5)] * 2
    log = Engine(lazy).frame({"id": [1, 2], "day": days, "bought": ["y", "n"]})
    with pytest.raises(DataError, match="'bought': 2 rows neither true nor false: 'n', 'y'"):
        lk.loyalty_tier(log, "id", "day", purchase="bought")


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("answers", [([], []), ([1, 2], [None, None])], ids=["none", "nulls"])
def test_nobody_answered(lazy: str, answers: tuple[list[Any], list[Any]]) -> None:
    """They may be none in a month; then nobody is in advocacy."""
    who, scores = answers
    days = [dt.date(2026, 1, 5)] * 2

    def told(engine: Engine) -> list[dict[str, Any]]:
        frame = {"id": [*who, 3][: len(who)], "score": scores, "time": days[: len(who)]}
        if not who:
            frame = {"id": [3], "score": [9], "time": days[:1]}
        answered = engine.frame(frame)
        if not who:
            answered = answered.head(0) if hasattr(answered, "head") else answered.limit(0)
        found = lk.lifecycle_stage(
            engine.frame({"id": [1, 2], "day": days}), "id", "day", answers=answered
        )
        return sorted(frame_rows(collected(found)), key=lambda row: row["id"])

    assert told(Engine(lazy)) == told(Engine("pandas"))
