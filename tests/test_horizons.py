"""The restricted mean: against R, and against areas and their slopes in fractions."""

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
from test_hazards import LATE, LEUKEMIA, frame_of, spells

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    EmptyRiskSetWarning,
    ParameterError,
)

unhurried = settings(deadline=None, max_examples=60)
# Where all at risk have left and others enter later: drawn on purpose.
run_empty = pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
WEIGHTED = {**LEUKEMIA, "w": [1.0, 2.0, 0.5] * 14}
SIZES = ("estimate", "std_error", "ci_low", "ci_high")


# ---- numbers from R -----------------------------------------------------------------------------


def test_two_arms(engine: Engine) -> None:
    """R 4.2.2, survival 3.5-3: summary(survfit(Surv(weeks, relapse) ~ arm), rmean = 20)."""
    table = lk.restricted_mean(engine.frame(LEUKEMIA), "weeks", "relapse", by="arm", horizon=20)
    assert column_names(table) == [
        *("arm", "metric", "n", "n_missing", "events", "estimate", "std_error"),
        *("ci_low", "ci_high", "confidence_level", "method", "unit", "definition"),
    ]
    assert column(table, "arm") == ["6-MP", "control"]
    assert column(table, "n") == [21, 21]
    assert column(table, "events") == [7, 19]  # 9 and 21 in all, two of each after week 20
    assert column(table, "estimate") == pytest.approx([16.116526611, 8.428571429])
    assert column(table, "std_error") == pytest.approx([1.251560196, 1.268082683])
    row = frame_rows(table)[0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (16.116526611 - 1.959963985 * 1.251560196, 16.116526611 + 1.959963985 * 1.251560196)
    )
    assert (row["metric"], row["n_missing"]) == ("restricted_mean", 0)
    words = [row[name] for name in ("confidence_level", "method", "unit", "definition")]
    assert words == [0.95, "normal", "duration", "horizon=20"]


def test_types_of_the_columns(engine: Engine) -> None:
    found = dtype_names(lk.restricted_mean(engine.frame(LEUKEMIA), "weeks", "relapse", horizon=20))
    assert {found[name].lower() for name in ("n", "n_missing", "events")} == {"int64"}
    assert {found[name].lower() for name in SIZES} <= {"float64", "double"}


def test_weighted(engine: Engine) -> None:
    """R 4.2.2, survival 3.5-3.

    fit <- survfit(Surv(weeks, relapse) ~ 1, weights = w, robust = TRUE), one arm at a time;
    sqrt(sum(residuals(fit, times = 20, type = "rmst", weighted = TRUE)^2)). Its own se(rmean) of
    1.178 and 1.176 takes the weights for frequencies.
    """
    table = lk.restricted_mean(
        engine.frame(WEIGHTED), "weeks", "relapse", by="arm", horizon=20, weights="w"
    )
    assert column(table, "n") == [21, 21]
    assert column(table, "estimate") == pytest.approx([15.66559767, 8.346938776])
    assert column(table, "std_error") == pytest.approx([1.4686923933, 1.4524452457])


def test_late_entry(engine: Engine) -> None:
    """R 4.2.2, survival 3.5-3: Surv(entry, t, e) to 12; the last by residuals, as above."""
    options: dict[str, Any] = {"entry": "entry", "horizon": 12}
    frame = engine.frame({**LATE, "w": [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]})
    plain = only_row(lk.restricted_mean(frame, "t", "e", **options))
    assert plain["estimate"] == pytest.approx(8.64625850340)
    assert plain["std_error"] == pytest.approx(1.26624319599)
    weighted = only_row(lk.restricted_mean(frame, "t", "e", weights="w", **options))
    assert weighted["estimate"] == pytest.approx(9.443786982249)
    assert weighted["std_error"] == pytest.approx(0.910754585275)


def test_the_error_is_not_the_spread_of_lifetimes() -> None:
    """The library lifelines 0.30.3, restricted_mean_survival_time(return_variance=True): 30.896.

    That is E[min(T, 20)^2] - E[min(T, 20)]^2, twenty times the variance of the estimate.
    """
    frame = pd.DataFrame(LEUKEMIA).query("arm == '6-MP'")
    found = only_row(lk.restricted_mean(frame, "weeks", "relapse", horizon=20))
    curve = lk.survival_curve(frame, "weeks", "relapse")
    share, start = curve["estimate"].to_numpy() / 100, curve["duration"].to_numpy()
    inside = start < 20
    until = np.minimum(np.append(start[1:], 35), 20)[inside]
    squares = float((share[inside] * (until**2 - start[inside] ** 2)).sum())
    assert squares - found["estimate"] ** 2 == pytest.approx(30.896, abs=5e-4)
    assert found["std_error"] ** 2 == pytest.approx(1.566, abs=5e-4)


# ---- against the oracle -------------------------------------------------------------------------


def check_rows(
    table: Any, subjects: list[Subject], horizon: Fraction, weights: list[float] | None = None
) -> None:
    for row in frame_rows(table):
        mine = [i for i, s in enumerate(subjects) if s.group == row["group"]]
        own = None if weights is None else [Fraction(weights[i]) for i in mine]
        naive = oracles.restricted_mean([subjects[i] for i in mine], horizon, own)
        assert row["n"] == len(mine)
        if naive is None:
            assert [row[name] for name in SIZES] == [None] * 4
            continue
        mean, variance = naive
        assert row["estimate"] == pytest.approx(mean, rel=1e-12)
        if variance < 1e-20:  # what is left of a slope of 0
            assert [row[name] for name in SIZES[1:]] == [None] * 3
            continue
        assert row["std_error"] == pytest.approx(math.sqrt(variance), rel=1e-9)
        margin = oracles.normal_z(0.9) * math.sqrt(variance)
        assert row["ci_low"] == pytest.approx(max(mean - margin, 0.0), abs=1e-9)
        assert row["ci_high"] == pytest.approx(min(mean + margin, float(horizon)), abs=1e-9)


def observed(subjects: list[Subject], horizon: Fraction) -> bool:
    """Return whether any group has been observed up to the horizon."""
    groups = [[s for s in subjects if s.group == g] for g in {s.group for s in subjects}]
    return any(oracles.restricted_mean(group, horizon) is not None for group in groups)


HORIZONS = st.sampled_from([Fraction(1), Fraction(5, 2), Fraction(4), Fraction(7), Fraction(9)])


@run_empty
@given(subjects=spells(), horizon=HORIZONS)
@unhurried
def test_against_areas_in_fractions(
    engine: Engine, subjects: list[Subject], horizon: Fraction
) -> None:
    frame = frame_of(engine, subjects)
    options: dict[str, Any] = {"by": "group", "entry": "entry", "horizon": float(horizon)}
    if not observed(subjects, horizon):
        with pytest.raises(ParameterError, match="is beyond the longest duration"):
            lk.restricted_mean(frame, "duration", "event", **options)
        return
    table = lk.restricted_mean(frame, "duration", "event", confidence_level=0.9, **options)
    check_rows(table, subjects, horizon)


@run_empty
@given(
    subjects=spells(2),
    horizon=HORIZONS,
    weights=st.lists(st.sampled_from([0.25, 1.0, 1.5, 4.0]), min_size=14, max_size=14),
)
@unhurried
def test_weighted_against_slopes_in_fractions(
    subjects: list[Subject], horizon: Fraction, weights: list[float]
) -> None:
    weights = weights[: len(subjects)]
    if not observed(subjects, horizon):
        return
    options: dict[str, Any] = {"by": "group", "entry": "entry", "horizon": float(horizon)}
    options |= {"weights": "w", "confidence_level": 0.9}
    frame = frame_of(Engine("pandas"), subjects, w=weights)
    table = lk.restricted_mean(frame, "duration", "event", **options)
    check_rows(table, subjects, horizon, weights)
    tenfold = frame_of(Engine("pandas"), subjects, w=[10 * w for w in weights])
    again = lk.restricted_mean(tenfold, "duration", "event", **options)
    pd.testing.assert_frame_equal(again, table, rtol=1e-9)


# ---- properties ---------------------------------------------------------------------------------


@given(durations=st.lists(st.integers(0, 50), min_size=2, max_size=30))
@unhurried
def test_of_complete_data_it_is_the_mean(durations: list[int]) -> None:
    """And its error that of the mean, with n and not n - 1 below the squares."""
    if max(durations) == 0:
        return
    frame = pd.DataFrame({"t": durations, "e": True})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=max(durations)))
    assert found["estimate"] == pytest.approx(np.mean(durations))
    if len(set(durations)) > 1:
        error = np.std(durations) / math.sqrt(len(durations))
        assert found["std_error"] == pytest.approx(error)
    else:
        assert found["std_error"] is None


@given(subjects=spells(), horizon=HORIZONS)
@unhurried
def test_equal_weights_change_nothing(subjects: list[Subject], horizon: Fraction) -> None:
    """Nor does late entry: where nobody enters late, the two variances are the same."""
    early = [s._replace(entry=0) for s in subjects]
    if not observed(early, horizon):
        return
    frame = frame_of(Engine("pandas"), early, w=[2.5] * len(early))
    options: dict[str, Any] = {"by": "group", "horizon": float(horizon)}
    plain = lk.restricted_mean(frame, "duration", "event", **options)
    weighted = lk.restricted_mean(frame, "duration", "event", weights="w", **options)
    pd.testing.assert_frame_equal(weighted, plain, rtol=1e-9)


@run_empty
@given(subjects=spells(), horizon=HORIZONS, cut=st.integers(0, 14))
@unhurried
def test_shards_stack_as_counts(
    engine: Engine, subjects: list[Subject], horizon: Fraction, cut: int
) -> None:
    if not observed(subjects, horizon):
        return
    shards = [
        frame_of(engine, part, n=[1] * len(part))
        for part in (subjects[:cut], subjects[cut:])
        if part
    ]
    options: dict[str, Any] = {"by": "group", "entry": "entry", "horizon": float(horizon)}
    whole = lk.restricted_mean(frame_of(engine, subjects), "duration", "event", **options)
    added = lk.restricted_mean(stacked(shards), "duration", "event", counts="n", **options)
    assert frame_rows(added) == frame_rows(whole)


@run_empty
@given(subjects=spells(), names=st.permutations(["a", "b", "c"]))
@unhurried
def test_names_of_groups_change_nothing(subjects: list[Subject], names: list[str]) -> None:
    if not observed(subjects, Fraction(4)):
        return
    renamed = [s._replace(group=names[s.group]) for s in subjects]
    options: dict[str, Any] = {"by": "group", "entry": "entry", "horizon": 4}
    one, other = (
        frame_rows(
            lk.restricted_mean(frame_of(Engine("pandas"), rows), "duration", "event", **options)
        )
        for rows in (subjects, renamed)
    )
    mine = {names[row["group"]]: {**row, "group": names[row["group"]]} for row in one}
    assert {row["group"]: row for row in other} == mine


@run_empty
@given(subjects=spells(1), horizon=st.integers(1, 7))
@unhurried
def test_it_grows_with_the_horizon_and_never_faster(subjects: list[Subject], horizon: int) -> None:
    if not observed(subjects, Fraction(horizon + 1)):
        return
    frame = frame_of(Engine("pandas"), subjects)
    short, long = (
        only_row(lk.restricted_mean(frame, "duration", "event", entry="entry", horizon=until))
        for until in (horizon, horizon + 1)
    )
    assert short["estimate"] <= long["estimate"] <= short["estimate"] + 1 + 1e-12
    assert 0 <= short["estimate"] <= horizon


def test_a_million_rows_are_counted_as_their_kinds_are() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"t": rng.integers(0, 72, 50_000), "e": rng.random(50_000) < 0.3})
    counts = frame.groupby(["t", "e"], as_index=False).size()
    plain = lk.restricted_mean(frame, "t", "e", horizon=24)
    pd.testing.assert_frame_equal(
        lk.restricted_mean(counts, "t", "e", counts="size", horizon=24), plain
    )


@pytest.mark.parametrize("horizon", [1e155, 1e-160])
def test_a_horizon_whose_square_is_no_number_is_refused(horizon: float) -> None:
    frame = pd.DataFrame({"t": [1.0, 2.0, 1e156], "e": [True, False, True]})
    with pytest.raises(ParameterError, match=r"^horizon=1e.* from 1e-50 to 1e\+50. Count"):
        lk.restricted_mean(frame, "t", "e", horizon=horizon)
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=1e50))
    assert 0 < found["std_error"] < math.inf
    weighted = frame.assign(w=1e-100)
    same = only_row(lk.restricted_mean(weighted, "t", "e", horizon=1e50, weights="w"))
    assert same["std_error"] == pytest.approx(found["std_error"])


@pytest.mark.parametrize("definition", ["", "horizon=soon", "horizon=-1", "horizon=inf", None])
def test_means_without_a_horizon_are_not_compared(definition: str | None) -> None:
    frame = pd.DataFrame({"t": [2, 5, 4, 6], "e": [1, 1, 1, 1], "g": ["a", "a", "b", "b"]})
    table = lk.restricted_mean(frame, "t", "e", horizon=4, by="g")
    assert len(lk.compare(table, "g")) == 1
    table["definition"] = definition
    with pytest.raises(ParameterError, match=r"names no horizon.*'horizon=20'"):
        lk.compare(table, "g")


# ---- the ends -----------------------------------------------------------------------------------


def test_beyond_a_groups_longest_duration_nothing_is_known(engine: Engine) -> None:
    """6-MP was observed to week 35; the last of the control arm relapsed in week 23."""
    table = lk.restricted_mean(engine.frame(LEUKEMIA), "weeks", "relapse", by="arm", horizon=40)
    treated, control = frame_rows(table)
    assert [treated[name] for name in SIZES] == [None] * 4
    assert (treated["n"], treated["events"]) == (21, 9)
    assert control["estimate"] == pytest.approx(8.6666666667)  # R: rmean = 23, and on from there
    assert control["std_error"] == pytest.approx(1.377390041)


def test_beyond_all_of_them_it_is_refused(engine: Engine) -> None:
    frame = engine.frame({"t": [3, 5, 4], "e": [1, 0, 1], "g": ["a", "a", "b"]})
    with pytest.raises(ParameterError, match=r"^horizon=6 is beyond the longest duration, 5, at"):
        lk.restricted_mean(frame, "t", "e", horizon=6)
    table = lk.restricted_mean(frame, "t", "e", horizon=6, by="g")
    assert column(table, "estimate") == [None, 4.0]
    assert only_row(lk.restricted_mean(frame, "t", "e", horizon=5))["estimate"] is not None


def test_where_nothing_happened_the_error_is_not_0(engine: Engine) -> None:
    frame = engine.frame({"t": [12, 13, 20], "e": [False, True, False]})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=12))
    assert (found["estimate"], found["events"]) == (12.0, 0)
    assert [found[name] for name in SIZES[1:]] == [None] * 3


def test_all_censored(engine: Engine) -> None:
    frame = engine.frame({"t": [12, 13], "e": [False, False]})
    assert only_row(lk.restricted_mean(frame, "t", "e", horizon=10))["estimate"] == 10.0
    with pytest.raises(ParameterError, match="beyond the longest duration, 13,"):
        lk.restricted_mean(frame, "t", "e", horizon=14)


def test_one_subject(engine: Engine) -> None:
    frame = engine.frame({"t": [4], "e": [True]})
    for horizon, mean, events in ((9, 4.0, 1), (3, 3.0, 0)):
        found = only_row(lk.restricted_mean(frame, "t", "e", horizon=horizon))
        assert (found["estimate"], found["events"], found["n"]) == (mean, events, 1)
        assert [found[name] for name in SIZES[1:]] == [None] * 3


def test_tenure_0(engine: Engine) -> None:
    """Of two, one leaves at once: half of the horizon is left."""
    frame = engine.frame({"t": [0, 0, 8, 10], "e": [True, False, False, False]})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=8))
    assert found["estimate"] == pytest.approx(0.75 * 8)
    assert found["std_error"] == pytest.approx(6 / math.sqrt(4 * 3))
    gone = engine.frame({"t": [0, 0], "e": [True, True]})
    assert only_row(lk.restricted_mean(gone, "t", "e", horizon=8))["estimate"] == 0.0


def test_a_curve_that_is_0_before_others_enter_is_told(engine: Engine) -> None:
    frame = engine.frame({"t": [2, 9, 8], "e": [1, 0, 1], "since": [0, 3, 5], "g": list("aab")})
    with pytest.warns(EmptyRiskSetWarning, match="^All at risk had the event by duration 2, and"):
        found = only_row(lk.restricted_mean(frame, "t", "e", horizon=4, entry="since"))
    assert found["estimate"] == 2.0
    with pytest.warns(EmptyRiskSetWarning, match="^In 1 group all at risk had the event, and"):
        lk.restricted_mean(frame, "t", "e", horizon=4, entry="since", by="g")
    # Up to 1 nothing of it is seen.
    assert only_row(lk.restricted_mean(frame, "t", "e", horizon=1, entry="since"))["n"] == 3


def test_an_event_at_the_horizon_takes_nothing_away(engine: Engine) -> None:
    frame = engine.frame({"t": [5, 8, 9], "e": [True, True, False]})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=8))
    assert found["estimate"] == pytest.approx(5 + 3 * 2 / 3)
    assert found["events"] == 2


def test_limits_stay_between_0_and_the_horizon(engine: Engine) -> None:
    frame = engine.frame({"t": [1, 9, 9], "e": [True, False, False]})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=9))
    assert found["estimate"] + 1.96 * found["std_error"] > 9
    assert found["ci_high"] == 9.0
    low = engine.frame({"t": [0, 0, 9], "e": [True, True, False]})
    assert only_row(lk.restricted_mean(low, "t", "e", horizon=9))["ci_low"] == 0.0


def test_no_rows(engine: Engine) -> None:
    frame = engine.with_types(
        {"t": [], "e": [], "g": []}, {"t": "int64", "e": "bool", "g": "string"}
    )
    nobody = only_row(lk.restricted_mean(frame, "t", "e", horizon=12))
    assert (nobody["n"], nobody["events"], nobody["n_missing"]) == (0, 0, 0)
    assert [nobody[name] for name in SIZES] == [None] * 4
    assert frame_rows(lk.restricted_mean(frame, "t", "e", horizon=12, by="g")) == []


def test_a_level_of_nobody_has_a_null_row(engine: Engine) -> None:
    frame = engine.frame({"t": [4, 9], "e": [1, 0], "g": ["a", "b"], "n": [3, 0]})
    found = frame_rows(lk.restricted_mean(frame, "t", "e", by="g", counts="n", horizon=6))
    assert [(row["g"], row["n"], row["estimate"]) for row in found] == [
        ("a", 3, 4.0),
        ("b", 0, None),
    ]
    light = engine.frame({"t": [4, 9, 5], "e": [1, 0, 1], "g": ["a", "b", "a"], "w": [3, 0, 1]})
    found = frame_rows(lk.restricted_mean(light, "t", "e", by="g", weights="w", horizon=6))
    assert [(row["g"], row["n"], row["estimate"]) for row in found] == [
        ("a", 2, 4.25),
        ("b", 0, None),
    ]


def test_who_weighs_nothing_is_nobody(engine: Engine) -> None:
    """The heavy ones have all left: what is left of rounding must not live on."""
    frame = engine.frame(
        {"t": [1, 2, 2, 7], "e": [1, 1, 1, 0], "w": [0.1, 0.2, 0.7, 0.0], "since": [0, 0, 1, 0]}
    )
    found = only_row(lk.restricted_mean(frame, "t", "e", weights="w", entry="since", horizon=9))
    assert found["n"] == 3
    assert found["estimate"] == pytest.approx(1 + 2 / 3)


@pytest.mark.parametrize(
    ("horizon", "told"), [(20, "20"), (20.0, "20"), (2.5, "2.5"), (1234567, "1234567")]
)
def test_definitions(horizon: float, told: str) -> None:
    frame = pd.DataFrame({"t": [1, 2_000_000], "e": [True, False]})
    found = only_row(lk.restricted_mean(frame, "t", "e", horizon=horizon))
    assert found["definition"] == f"horizon={told}"


# ---- bad input ----------------------------------------------------------------------------------

ROWS: dict[str, list[Any]] = {
    "t": [1, 2, 3],
    "e": [1, 0, 1],
    "since": [0, 2, 1],
    "n": [1, -1, 2],
    "w": [1.0, None, 2.0],
    "minus": [1.0, -1.0, 2.0],
    "told": ["Yes", "No", "Yes"],
    "short": [1, -2, 3],
    "gap": [1.0, None, 3.0],
}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"horizon": 0}, ParameterError, "^horizon=0 must be a number above 0"),
        ({"horizon": -3}, ParameterError, "^horizon=-3 must be a number above 0"),
        ({"horizon": math.inf}, ParameterError, "^horizon=inf must be a number above 0"),
        ({"horizon": math.nan}, ParameterError, "^horizon=nan must be a number above 0"),
        ({"horizon": "12"}, TypeError, "^horizon must be a number, not str"),
        ({"horizon": True}, TypeError, "^horizon must be a number, not bool"),
        ({"confidence_level": 95}, ParameterError, r"confidence_level=95 .*Did you mean 0\.95"),
        ({"errors": "ignore"}, ParameterError, "^errors='ignore' is not one of 'raise', 'coerce'"),
        ({"counts": "n", "weights": "w"}, ParameterError, "^counts='n' and weights='w' exclude"),
        ({"by": "plan"}, ColumnNotFoundError, "'plan': data has no such column"),
        ({"entry": "since"}, DataError, r"'since'.*1 row"),
        ({"counts": "n"}, DataError, "^counts='n': 1 row without a whole number"),
        ({"weights": "w"}, DataError, r"'w': 1 row without a weight"),
        ({"weights": "minus"}, DataError, "^weights='minus': 1 row with weights that are negative"),
        ({"event": "told"}, DataError, r"'told'.*'Yes'"),
        ({"duration": "short"}, DataError, r"'short'.*-2"),
        ({"duration": "gap"}, DataError, r"'gap': 1 row without a duration"),
    ],
)
def test_refusals(
    engine: Engine, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        lk.restricted_mean(
            engine.frame(ROWS), **{"duration": "t", "event": "e", "horizon": 2, **options}
        )


def test_rows_left_out_are_told(engine: Engine) -> None:
    with pytest.warns(DroppedRowsWarning, match="^1 row left out"):
        table = lk.restricted_mean(engine.frame(ROWS), "gap", "e", horizon=2, errors="coerce")
    assert [only_row(table)[name] for name in ("n", "n_missing")] == [2, 1]


def test_a_group_left_out_stays_with_its_number(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "t": [None, 4.0, None, 2.0],
        "e": [1, 1, 0, 0],
        "g": [*"abcb"],
        "n": [2, 3, 4, 1],
    }
    frame = engine.with_types(columns, {"t": "float64"})
    options: dict[str, Any] = {"by": "g", "horizon": 3, "errors": "coerce"}
    with pytest.warns(DroppedRowsWarning, match="^2 rows left out"):
        table = lk.restricted_mean(frame, "t", "e", **options)
    found = [[row[name] for name in ("g", "n", "n_missing")] for row in frame_rows(table)]
    assert found == [["a", 0, 1], ["b", 2, 0], ["c", 0, 1]]
    assert [row["estimate"] is None for row in frame_rows(table)] == [True, False, True]
    with pytest.warns(DroppedRowsWarning, match="^2 rows left out"):
        table = lk.restricted_mean(frame, "t", "e", counts="n", **options)
    assert (column(table, "n"), column(table, "n_missing")) == ([0, 4, 0], [2, 0, 4])


# ---- held against each other --------------------------------------------------------------------


def test_difference_of_two_arms(engine: Engine) -> None:
    """The means and errors of R, above; the normal distribution for what follows."""
    table = lk.restricted_mean(engine.frame(LEUKEMIA), "weeks", "relapse", by="arm", horizon=20)
    found = only_row(lk.compare(table, "arm"))
    assert (found["arm"], found["reference"], found["n"], found["n_reference"]) == (
        *("6-MP", "control"),
        *(21, 21),
    )
    difference, error = 16.116526611 - 8.428571429, math.hypot(1.251560196, 1.268082683)
    assert found["difference"] == pytest.approx(difference)
    assert found["std_error"] == pytest.approx(error)
    assert found["statistic"] == pytest.approx(difference / error)
    assert found["p_value"] == pytest.approx(math.erfc(difference / error / math.sqrt(2)))
    assert found["ci_low"] == pytest.approx(difference - 1.959963985 * error)
    assert found["ci_high"] == pytest.approx(difference + 1.959963985 * error)
    words = [found[name] for name in ("df", "method", "unit", "definition")]
    assert words == [None, "normal", "duration", "horizon=20"]


def test_differences_within_another_key_and_one_sided(engine: Engine) -> None:
    table = lk.restricted_mean(
        engine.frame(LEUKEMIA), "weeks", "relapse", by=["arm", "third"], horizon=20
    )
    two = frame_rows(lk.compare(table, "arm", reference="control"))
    one = frame_rows(lk.compare(table, "arm", reference="control", alternative="greater"))
    assert [row["third"] for row in two] == [0, 1, 2]
    for a, b in zip(two, one, strict=True):
        assert b["p_value"] == pytest.approx(a["p_value"] / 2)
        assert b["ci_low"] > a["ci_low"]
        assert b["ci_high"] == 20.0
        assert a["p_value"] <= a["p_adjusted"] <= 3 * a["p_value"]


def test_a_side_without_an_error_or_a_mean_has_no_test(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"t": [2, 9, 9, 9, 3], "e": [1, 0, 0, 0, 0], "g": list("aabbc")}
    table = lk.restricted_mean(engine.frame(columns), "t", "e", by="g", horizon=9)
    rows = {(row["g"], row["reference"]): row for row in frame_rows(lk.compare(table, "g"))}
    untested = ("std_error", "ci_low", "ci_high", "statistic", "p_value", "p_adjusted")
    assert rows["a", "b"]["difference"] == pytest.approx(5.5 - 9)
    assert rows["a", "c"]["difference"] is None
    for pair in (("a", "b"), ("a", "c"), ("b", "c")):
        assert [rows[pair][name] for name in untested] == [None] * 6


def test_areas_do_not_add_up() -> None:
    frame = pd.DataFrame(LEUKEMIA)
    table = lk.restricted_mean(frame, "weeks", "relapse", by=["arm", "third"], horizon=20)
    with pytest.raises(ParameterError, match=r"^A restricted_mean is the area under a curve"):
        lk.pool(table, over="third")
    with pytest.raises(ParameterError, match=r"^A restricted_mean is the area under a curve"):
        lk.explain_change(table, "arm", reference="control", segment="third")
    with pytest.raises(
        ParameterError, match=r"^reference='rest': the restricted_mean of the other"
    ):
        lk.compare(table, "arm", reference="rest")
    with pytest.raises(ParameterError, match=r"^method='welch' is not one of 'normal'"):
        lk.compare(table, "arm", method="welch")
    other = lk.restricted_mean(frame, "weeks", "relapse", by=["arm", "third"], horizon=10)
    with pytest.raises(ParameterError, match="mixes definition: 'horizon=10', 'horizon=20'"):
        lk.compare(pd.concat([table, other]), "arm")


def test_they_go_on_a_scorecard_and_into_json() -> None:
    table = lk.restricted_mean(pd.DataFrame(LEUKEMIA), "weeks", "relapse", by="arm", horizon=20)
    card = lk.scorecard(table)
    assert card["unit"].tolist() == ["duration"] * 2
    assert lk.to_records(table)[0]["definition"] == "horizon=20"
