"""The log-rank test: against R, and against sums over times in fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import Engine, column, column_names, dtype_names, frame_rows, only_row, stacked
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Subject

import loyaltykit as lk
from loyaltykit import _hazards
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    ParameterError,
)

unhurried = settings(deadline=None, max_examples=60)

# Freireich and others (1963): weeks in remission of 21 pairs of patients with leukemia.
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
LEUKEMIA: dict[str, list[Any]] = {
    "arm": ["6-MP"] * 21 + ["control"] * 21,
    "third": [0, 1, 2] * 14,
    "weeks": [*TREATED, *CONTROL],
    "relapse": [*RELAPSED, *[1] * 21],
}
# Late entry, and no two events at one time.
LATE: dict[str, list[Any]] = {
    "entry": [0, 2, 0, 4, 1, 0, 6, 0, 3, 5],
    "t": [3, 5, 7, 8, 9, 10, 11, 12, 13, 14],
    "e": [1, 1, 0, 1, 1, 1, 1, 0, 1, 1],
    "two": [0, 1, 1, 0, 1, 0, 0, 1, 0, 1],
    "three": [0, 1, 2, 0, 1, 2, 0, 1, 2, 0],
}


def spells(groups: int = 3) -> st.SearchStrategy[list[Subject]]:
    """Return few subjects with many ties: late entries, durations of 0, groups that never meet."""

    def entered(row: tuple[int, int, bool, int]) -> Subject:
        group, duration, event, entry = row
        return Subject(group, duration, event, entry if entry < duration else 0)

    row = st.tuples(
        *(st.integers(0, groups - 1), st.integers(0, 8), st.booleans()),
        st.one_of(st.just(0), st.integers(0, 6)),
    )
    return st.lists(row.map(entered), min_size=1, max_size=14)


def frame_of(engine: Engine, subjects: list[Subject], **more: list[Any]) -> Any:
    columns = {name: [getattr(s, name) for s in subjects] for name in Subject._fields}
    return engine.frame({**columns, **more})


# ---- numbers from R -----------------------------------------------------------------------------


def test_two_arms(engine: Engine) -> None:
    """R 4.2.2, survival 3.5-3: survdiff(Surv(weeks, relapse) ~ arm)."""
    table = lk.logrank(engine.frame(LEUKEMIA), "weeks", "relapse", by="arm")
    assert column_names(table) == [
        *("arm", "n", "events", "expected", "statistic", "df", "p_value", "method")
    ]
    assert column(table, "arm") == ["6-MP", "control"]
    assert column(table, "n") == [21, 21]
    assert column(table, "events") == [9, 21]
    assert column(table, "expected") == pytest.approx([19.2505009480, 10.7494990520])
    assert column(table, "statistic") == pytest.approx([16.792940989217] * 2, rel=1e-12)
    assert column(table, "df") == [1, 1]
    assert column(table, "p_value") == pytest.approx([4.16880910933e-05] * 2)
    assert column(table, "method") == ["logrank"] * 2


def test_types_of_the_columns(engine: Engine) -> None:
    found = dtype_names(lk.logrank(engine.frame(LEUKEMIA), "weeks", "relapse", by="arm"))
    assert {found[name].lower() for name in ("n", "events", "df")} == {"int64"}
    assert {found[name].lower() for name in ("expected", "statistic", "p_value")} <= {
        *("float64", "double")
    }


def test_groups_of_three_and_of_two_columns() -> None:
    """R 4.2.2, survival 3.5-3: survdiff(Surv(weeks, relapse) ~ third), and ~ arm + third."""
    frame = pd.DataFrame(LEUKEMIA)
    thirds = lk.logrank(frame, "weeks", "relapse", by="third")
    assert column(thirds, "expected") == pytest.approx(
        [9.236624671000, 9.853599892662, 10.909775436338]
    )
    assert column(thirds, "statistic")[0] == pytest.approx(0.716380589169)
    assert column(thirds, "df") == [2, 2, 2]
    both = lk.logrank(frame, "weeks", "relapse", by=["arm", "third"])
    assert column_names(both)[:2] == ["arm", "third"]
    assert column(both, "expected")[1] == pytest.approx(6.295279469169)
    assert column(both, "statistic")[0] == pytest.approx(17.867433127823)
    assert column(both, "df")[0] == 5


@pytest.mark.parametrize(("by", "statistic"), [("two", 1.442078897934), ("three", 0.233705653547)])
def test_late_entry(engine: Engine, by: str, statistic: float) -> None:
    """R 4.2.2, survival 3.5-3: coxph(Surv(entry, t, e) ~ factor(by))$score, without ties."""
    table = lk.logrank(engine.frame(LATE), "t", "e", by=by, entry="entry")
    assert column(table, "statistic")[0] == pytest.approx(statistic)


def test_pairs(engine: Engine) -> None:
    """R 4.2.2, survival 3.5-3: survdiff of every two thirds alone."""
    table = lk.logrank(engine.frame(LEUKEMIA), "weeks", "relapse", by="third", pairwise=True)
    assert column_names(table) == [
        *("third", "reference", "n", "n_reference", "events", "events_reference"),
        *("expected", "expected_reference", "statistic", "df", "p_value"),
        *("p_adjusted", "adjust", "method"),
    ]
    assert column(table, "third") == [0, 0, 1]
    assert column(table, "reference") == [1, 2, 2]
    assert column(table, "n") == column(table, "n_reference") == [14, 14, 14]
    assert column(table, "events") == [11, 11, 10]
    assert column(table, "events_reference") == [10, 9, 9]
    assert column(table, "expected") == pytest.approx(
        [10.204594652741, 9.149837791668, 9.053871547556]
    )
    assert column(table, "expected_reference") == pytest.approx(
        [10.795405347259, 10.850162208332, 9.946128452444]
    )
    assert column(table, "statistic") == pytest.approx(
        [0.125114133431, 0.734585974272, 0.197478605815]
    )
    assert column(table, "p_adjusted") == [1.0, 1.0, 1.0]
    assert column(table, "adjust") == ["holm"] * 3


# ---- against the oracle -------------------------------------------------------------------------


@given(subjects=spells(4))
@unhurried
def test_against_sums_in_fractions(engine: Engine, subjects: list[Subject]) -> None:
    groups = sorted({s.group for s in subjects})
    if len(groups) < 2:
        return
    table = lk.logrank(frame_of(engine, subjects), "duration", "event", by="group", entry="entry")
    observed, expected, statistic, df = oracles.logrank(subjects, groups)
    assert column(table, "group") == groups
    assert column(table, "events") == observed
    assert column(table, "expected") == pytest.approx([float(e) for e in expected])
    assert set(column(table, "df")) == {df}
    for row in frame_rows(table):
        assert (row["statistic"] is None) == (row["p_value"] is None) == (df == 0)
        if statistic is not None:
            assert row["statistic"] == pytest.approx(float(statistic), abs=1e-12)
            assert 0.0 < row["p_value"] <= 1.0


@given(subjects=spells(4))
@unhurried
def test_pairs_are_tests_of_two(subjects: list[Subject]) -> None:
    groups = sorted({s.group for s in subjects})
    if len(groups) < 2:
        return
    frame = frame_of(Engine("pandas"), subjects)
    for row in frame_rows(
        lk.logrank(frame, "duration", "event", by="group", entry="entry", pairwise=True)
    ):
        pair = [row["group"], row["reference"]]
        both = [s for s in subjects if s.group in pair]
        observed, expected, statistic, df = oracles.logrank(both, pair)
        assert [row["events"], row["events_reference"]] == observed
        assert [row["expected"], row["expected_reference"]] == pytest.approx(
            [float(e) for e in expected]
        )
        assert row["df"] == df
        assert row["statistic"] == (None if statistic is None else pytest.approx(float(statistic)))


@given(subjects=spells(3), counts=st.lists(st.integers(0, 3), min_size=14, max_size=14))
@unhurried
def test_counts_are_as_many_rows(subjects: list[Subject], counts: list[int]) -> None:
    repeated = [s for s, count in zip(subjects, counts, strict=False) for _ in range(count)]
    if len({s.group for s in repeated}) < 2:
        return
    options: dict[str, Any] = {"by": "group", "entry": "entry"}
    engine = Engine("pandas")
    counted = frame_of(engine, subjects, n=counts[: len(subjects)])
    table = lk.logrank(counted, "duration", "event", counts="n", **options)
    plain = lk.logrank(frame_of(engine, repeated), "duration", "event", **options)
    # A level of nobody keeps its row, and takes nothing off the test.
    rows = [row for row in frame_rows(table) if row["n"] > 0]
    assert rows == [pytest.approx(row) for row in frame_rows(plain)]


# ---- properties ---------------------------------------------------------------------------------


@given(subjects=spells(3), names=st.permutations(["a", "b", "c"]))
@unhurried
def test_names_of_groups_change_nothing(subjects: list[Subject], names: list[str]) -> None:
    if len({s.group for s in subjects}) < 2:
        return
    renamed = [s._replace(group=names[s.group]) for s in subjects]
    engine = Engine("pandas")
    one, other = (
        frame_rows(lk.logrank(frame_of(engine, rows), "duration", "event", by="group"))
        for rows in (subjects, renamed)
    )
    expected = {names[row["group"]]: row["expected"] for row in one}
    assert {row["group"]: row["expected"] for row in other} == pytest.approx(expected)
    assert one[0]["df"] == other[0]["df"]
    assert one[0]["statistic"] == pytest.approx(other[0]["statistic"], abs=1e-9)


@given(subjects=spells(3))
@unhurried
def test_only_the_order_of_times_counts(subjects: list[Subject]) -> None:
    if len({s.group for s in subjects}) < 2:
        return
    later = [s._replace(duration=s.duration**2 + 0.5 * s.duration) for s in subjects]
    later = [s._replace(entry=float(s.entry**2 + 0.5 * s.entry)) for s in later]
    engine = Engine("pandas")
    one, other = (
        lk.logrank(frame_of(engine, rows), "duration", "event", by="group", entry="entry")
        for rows in (subjects, later)
    )
    pd.testing.assert_frame_equal(one, other)


@given(subjects=spells(3), cut=st.integers(0, 14))
@unhurried
def test_shards_stack_as_counts(engine: Engine, subjects: list[Subject], cut: int) -> None:
    if len({s.group for s in subjects}) < 2:
        return
    shards = [
        frame_of(engine, part, n=[1] * len(part))
        for part in (subjects[:cut], subjects[cut:])
        if part
    ]
    options: dict[str, Any] = {"by": "group", "entry": "entry"}
    whole = lk.logrank(frame_of(engine, subjects), "duration", "event", **options)
    added = lk.logrank(stacked(shards), "duration", "event", counts="n", **options)
    assert frame_rows(added) == frame_rows(whole)


@given(subjects=spells(3))
@unhurried
def test_times_in_many_runs(subjects: list[Subject]) -> None:
    """A block of three numbers holds one time of three groups."""
    if len({s.group for s in subjects}) < 2:
        return
    frame = frame_of(Engine("pandas"), subjects)
    for pairwise in (False, True):
        options: dict[str, Any] = {"by": "group", "entry": "entry", "pairwise": pairwise}
        whole = lk.logrank(frame, "duration", "event", **options)
        for block in (1, 7):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(_hazards, "_BLOCK", block)
                cut = lk.logrank(frame, "duration", "event", **options)
            pd.testing.assert_frame_equal(cut, whole)


def test_a_cut_of_time_in_two_entries_changes_nothing() -> None:
    """A subject seen to 5 and again from 5 is one who was seen throughout."""
    whole = {"t": [4, 9, 7, 3], "e": [1, 1, 0, 1], "g": list("aabb"), "since": [0, 0, 0, 0]}
    cut = {
        "t": [4, 5, 9, 5, 7, 3],
        "e": [1, 0, 1, 0, 0, 1],
        "g": list("aaabbb"),
        "since": [0, 0, 5, 0, 5, 0],
    }
    one, other = (
        lk.logrank(pd.DataFrame(rows), "t", "e", by="g", entry="since").drop(columns="n")
        for rows in (whole, cut)
    )
    pd.testing.assert_frame_equal(one, other)


# ---- the ends -----------------------------------------------------------------------------------


def test_no_event_at_all_is_no_test(engine: Engine) -> None:
    frame = engine.frame({"t": [1, 2, 3], "e": [False] * 3, "g": ["a", "b", "b"]})
    for row in frame_rows(lk.logrank(frame, "t", "e", by="g")):
        assert (row["events"], row["expected"], row["df"]) == (0, 0.0, 0)
        assert (row["statistic"], row["p_value"]) == (None, None)
    pair = only_row(lk.logrank(frame, "t", "e", by="g", pairwise=True))
    assert pair["df"] == 0
    assert [pair[name] for name in ("statistic", "p_value", "p_adjusted")] == [None] * 3


def test_all_at_once_leaves_nothing_to_chance(engine: Engine) -> None:
    frame = engine.frame({"t": [3, 3, 3], "e": [1, 1, 1], "g": ["a", "b", "b"]})
    table = lk.logrank(frame, "t", "e", by="g")
    assert column(table, "expected") == [1.0, 2.0]
    assert column(table, "statistic") == [None, None]


def test_a_group_without_an_event_is_tested(engine: Engine) -> None:
    frame = engine.frame({"t": [1, 2, 9, 9], "e": [1, 1, 0, 0], "g": list("aabb")})
    table = lk.logrank(frame, "t", "e", by="g")
    # At 1: 2 of 4 at risk; at 2: 1 of 3. Variance 1/4 + 2/9.
    assert column(table, "expected") == pytest.approx([5 / 6, 7 / 6])
    assert column(table, "statistic")[0] == pytest.approx((7 / 6) ** 2 / (1 / 4 + 2 / 9))


def test_groups_that_never_meet_take_a_degree_off(engine: Engine) -> None:
    """The later two groups come under observation when the earlier two have left."""
    rows = [
        *(("a", 0, 1, 1), ("a", 0, 3, 1), ("b", 0, 2, 1), ("b", 0, 4, 0)),
        *(("c", 5, 6, 1), ("c", 5, 8, 1), ("d", 5, 7, 1), ("d", 5, 9, 0)),
    ]
    columns = dict(zip(("g", "since", "t", "e"), map(list, zip(*rows, strict=True)), strict=True))
    frame = engine.frame(columns)
    table = lk.logrank(frame, "t", "e", by="g", entry="since")
    assert column(table, "df") == [2] * 4
    pairs = lk.logrank(frame, "t", "e", by="g", entry="since", pairwise=True)
    met = {(row["g"], row["reference"]): row for row in frame_rows(pairs)}
    assert [met[pair]["df"] for pair in (("a", "b"), ("c", "d"), ("a", "c"))] == [1, 1, 0]
    assert met["a", "c"]["p_adjusted"] is None
    both = met["a", "b"]["statistic"] + met["c", "d"]["statistic"]
    assert column(table, "statistic")[0] == pytest.approx(both)
    # Four of the six pairs are no tests: Holm counts two.
    assert met["a", "b"]["p_adjusted"] == pytest.approx(min(1, 2 * met["a", "b"]["p_value"]))


def test_tenure_0(engine: Engine) -> None:
    """Who leaves at once is at risk at 0, where a late entry is not."""
    frame = engine.frame(
        {"t": [0, 0, 2, 3, 4], "e": [1, 0, 1, 1, 0], "g": list("abbab"), "since": [0, 0, 0, 1, 1]}
    )
    table = lk.logrank(frame, "t", "e", by="g", entry="since")
    # At 0: a and b, b are at risk. At 2: a of 3. At 3: a of 2.
    assert column(table, "expected") == pytest.approx(
        [1 / 3 + 1 / 3 + 1 / 2, 2 / 3 + 2 / 3 + 1 / 2]
    )


def test_null_keys_make_a_group(engine: Engine) -> None:
    frame = engine.frame({"t": [1, 2, 3, 4], "e": [1, 1, 0, 1], "g": ["a", None, "a", None]})
    assert column(lk.logrank(frame, "t", "e", by="g"), "g") == ["a", None]
    pair = only_row(lk.logrank(frame, "t", "e", by="g", pairwise=True))
    assert (pair["g"], pair["reference"]) == ("a", None)


def test_categories_keep_their_order(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "t": [1, 2, 3, 4],
        "e": [1, 1, 0, 1],
        "g": ["new", "old", "new", "old"],
    }
    frame = engine.frame(columns, {"g": ["old", "never", "new"]})
    assert column(lk.logrank(frame, "t", "e", by="g"), "g") == ["old", "new"]
    pair = only_row(lk.logrank(frame, "t", "e", by="g", pairwise=True))
    assert (pair["g"], pair["reference"]) == ("old", "new")


def test_of_dates_the_later_one_is_held_against_the_earlier(engine: Engine) -> None:
    days = pd.to_datetime(["2026-01-01", "2026-02-01"] * 2).date.tolist()
    frame = engine.frame({"t": [1, 2, 3, 4], "e": [1, 1, 0, 1], "joined": days})
    pair = only_row(lk.logrank(frame, "t", "e", by="joined", pairwise=True))
    assert (pair["joined"], pair["reference"]) == (days[1], days[0])


def test_no_rows(engine: Engine) -> None:
    types = {"t": "int64", "e": "bool", "g": "string"}
    frame = engine.with_types({"t": [], "e": [], "g": []}, types)
    for pairwise in (False, True):
        table = lk.logrank(frame, "t", "e", by="g", pairwise=pairwise)
        assert frame_rows(table) == []
        assert column_names(table)[0] == "g"


def test_a_level_of_nobody_keeps_its_row(engine: Engine) -> None:
    frame = engine.frame({"t": [1, 2, 3], "e": [1, 0, 1], "g": ["a", "b", "c"], "n": [2, 3, 0]})
    table = lk.logrank(frame, "t", "e", by="g", counts="n")
    assert column(table, "n") == [2, 3, 0]
    assert column(table, "expected") == pytest.approx([0.8, 1.2, 0.0])
    assert column(table, "df") == [1, 1, 1]


def test_many_groups_are_solved_at_once() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {"g": rng.integers(0, 300, 20_000), "t": rng.integers(1, 40, 20_000)}
    ).assign(e=rng.random(20_000) < 0.4)
    table = lk.logrank(frame, "t", "e", by="g")
    assert table["df"].tolist() == [299] * 300
    assert table["expected"].sum() == pytest.approx(table["events"].sum())
    # Nothing but chance: the statistic is near its degrees of freedom.
    assert abs(table["statistic"][0] - 299) < 4 * math.sqrt(2 * 299)


def test_one_heavy_group_loses_no_digits() -> None:
    """One subject beside a million: a diagonal by 1 - share would keep ten digits."""
    frame = pd.DataFrame(
        {"g": ["a", "a", "b"], "t": [5, 9, 7], "e": [1, 0, 1], "n": [500_000, 500_000, 1]}
    )
    found = lk.logrank(frame, "t", "e", by="g", counts="n")["statistic"][0]
    died, total = 500_000, 1_000_001
    share = Fraction(1, total), Fraction(1, 500_001)
    expected = died * share[0] + share[1]
    spread = Fraction(died * (total - died), total - 1)
    variance = spread * share[0] * (1 - share[0]) + share[1] * (1 - share[1])
    assert found == pytest.approx(float((1 - expected) ** 2 / variance), rel=1e-13)


# ---- bad input ----------------------------------------------------------------------------------

ROWS: dict[str, list[Any]] = {
    "t": [1, 2, 3],
    "e": [1, 0, 1],
    "g": ["a", "b", "b"],
    "h": ["x"] * 3,
    "since": [0, 2, 1],
    "n": [1, -1, 2],
    "told": ["Yes", "No", "Yes"],
    "short": [1, -2, 3],
    "gap": [1.0, None, 3.0],
}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"by": []}, ParameterError, "^by names no column: name what makes the groups"),
        ({"by": None}, ParameterError, "^by names no column"),
        ({"by": "h"}, ParameterError, "^by='h' makes a single group, 'x', and there is nothing"),
        ({"by": "plan"}, ColumnNotFoundError, "'plan': data has no such column"),
        ({"by": ["g", "g"]}, ParameterError, "^by names 'g' more than once"),
        (
            {"by": ["g", "h"], "pairwise": True},
            ParameterError,
            "^pairwise=True takes one column in by, not 'g', 'h'",
        ),
        ({"pairwise": 1}, TypeError, "^pairwise must be True or False, not int"),
        ({"adjust": "bonferroni"}, ParameterError, "^adjust='bonferroni' is not one of 'holm'"),
        ({"errors": "ignore"}, ParameterError, "^errors='ignore' is not one of 'raise', 'coerce'"),
        ({"entry": "since"}, DataError, r"'since'.*1 row"),
        ({"counts": "n"}, DataError, "^counts='n': 1 row without a whole number"),
        ({"event": "told"}, DataError, r"'told'.*'Yes'"),
        ({"duration": "short"}, DataError, r"'short'.*-2"),
        ({"duration": "gap"}, DataError, r"'gap': 1 row without a duration"),
        ({"duration": "g"}, DataError, r"'g'"),
    ],
)
def test_refusals(
    engine: Engine, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        lk.logrank(engine.frame(ROWS), **{"duration": "t", "event": "e", "by": "g", **options})


def test_reserved_names() -> None:
    for name in ("expected", "statistic", "reference", "events"):
        frame = pd.DataFrame({"t": [1, 2], "e": [1, 1], name: [1, 2]})
        with pytest.raises(ParameterError, match=f"by='{name}': a result table has a column"):
            lk.logrank(frame, "t", "e", by=name)


def test_too_many_groups_look_like_an_id() -> None:
    frame = pd.DataFrame({"t": 1, "e": True, "id": range(1001)})
    with pytest.raises(ParameterError, match=r"^by='id' makes 1,001 groups, and the test takes up"):
        lk.logrank(frame, "t", "e", by="id")


def test_rows_left_out_are_told(engine: Engine) -> None:
    frame = engine.frame({"t": [1, None, 3, 2], "e": [1, 1, 0, 1], "g": ["a", "a", "b", "b"]})
    with pytest.warns(DroppedRowsWarning, match="^1 row left out"):
        table = lk.logrank(frame, "t", "e", by="g", errors="coerce")
    assert column(table, "n") == [1, 2]


def test_a_group_left_out_has_no_part_in_the_test(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "t": [1, 4, 3, 2, 7],
        "e": [1, 1, 0, 1, None],
        "g": ["a", "a", "b", "b", "c"],
    }
    frame = engine.with_types(columns, {"e": "int64"})
    with pytest.warns(DroppedRowsWarning, match="^1 row left out"):
        *alone, gone = frame_rows(lk.logrank(frame, "t", "e", by="g", errors="coerce"))
    assert (gone["g"], gone["n"], gone["events"], gone["df"]) == ("c", 0, 0, 1)
    few = engine.frame({name: values[:4] for name, values in columns.items()})
    assert frame_rows(lk.logrank(few, "t", "e", by="g")) == alone


def test_no_weights() -> None:
    with pytest.raises(TypeError, match="weights"):
        lk.logrank(pd.DataFrame(ROWS), "t", "e", by="g", weights="n")  # type: ignore[call-arg]
