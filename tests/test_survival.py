"""Survival curves and quantiles: against R, naive loops over every customer, and their edges."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import (
    Engine,
    column,
    dtype_names,
    frame_rows,
    only_row,
    stacked,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Spell

import loyaltykit as lk
from loyaltykit import _survival
from loyaltykit.errors import (
    DataError,
    DroppedRowsWarning,
    EmptyRiskSetWarning,
    ParameterError,
)

unhurried = settings(deadline=None, max_examples=40)

# Weeks of remission of 42 children with leukemia, 21 on 6-mercaptopurine and 21 on placebo.
# E. J. Freireich et al. (1963). Blood 21(6), 699-716. A + is a censored one.
SIX_MP = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"
# Twelve spells with late entries and weights, for R.
TIMES = [2, 3, 3, 5, 6, 6, 8, 9, 10, 12, 12, 14]
EVENTS = [1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0]
SINCE = [0, 0, 1, 2, 0, 3, 0, 5, 4, 0, 8, 9]
WEIGHTS = [1.0, 2.0, 0.5, 3.0, 1.0, 1.5, 2.5, 1.0, 2.0, 0.7, 1.2, 3.0]


def arm(weeks: str) -> dict[str, list[Any]]:
    each = weeks.split()
    return {
        "weeks": [int(week.rstrip("+")) for week in each],
        "back": [not week.endswith("+") for week in each],
    }


def twelve(engine: Engine) -> Any:
    columns: dict[str, list[Any]] = {"time": TIMES, "event": EVENTS, "since": SINCE}
    return engine.frame({**columns, "weight": WEIGHTS})


def at(table: Any, *durations: float) -> list[dict[str, Any]]:
    return [row for row in frame_rows(table) if row["duration"] in durations]


def close(values: Sequence[Any], wanted: Sequence[Any], rel: float = 1e-9) -> bool:
    return list(values) == [pytest.approx(each, rel=rel) for each in wanted]


# ---- against R ----------------------------------------------------------------------------------


def test_remission_on_six_mp(engine: Engine) -> None:
    table = lk.survival_curve(engine.frame(arm(SIX_MP)), "weeks", "back")
    # R 4.2.2, survival 3.5-3: summary(survfit(Surv(t, d) ~ 1, conf.type="log-log"), censored=TRUE)
    wanted = [
        (6, 21, 3, 1, 85.71428571, 7.636035483, 61.97179553, 95.15517476),
        (7, 17, 1, 0, 80.67226891, 8.693528518, 56.31465646, 92.28090192),
        (9, 16, 0, 1, 80.67226891, 8.693528518, 56.31465646, 92.28090192),
        (10, 15, 1, 1, 75.29411765, 9.634965299, 50.31995108, 88.93618352),
        (11, 13, 0, 1, 75.29411765, 9.634965299, 50.31995108, 88.93618352),
        (13, 12, 1, 0, 69.01960784, 10.681470778, 43.16102225, 84.90659633),
        (16, 11, 1, 0, 62.74509804, 11.405386526, 36.75108560, 80.49121895),
        (17, 10, 0, 1, 62.74509804, 11.405386526, 36.75108560, 80.49121895),
        (19, 9, 0, 1, 62.74509804, 11.405386526, 36.75108560, 80.49121895),
        (20, 8, 0, 1, 62.74509804, 11.405386526, 36.75108560, 80.49121895),
        (22, 7, 1, 0, 53.78151261, 12.823375169, 26.77789368, 74.67907176),
        (23, 6, 1, 0, 44.81792717, 13.459145676, 18.80520060, 68.01426285),
        (25, 5, 0, 1, 44.81792717, 13.459145676, 18.80520060, 68.01426285),
        (32, 4, 0, 2, 44.81792717, 13.459145676, 18.80520060, 68.01426285),
        (34, 2, 0, 1, 44.81792717, 13.459145676, 18.80520060, 68.01426285),
        (35, 1, 0, 1, 44.81792717, 13.459145676, 18.80520060, 68.01426285),
    ]
    counts = ("duration", "at_risk", "events", "censored")
    names = (*counts, "estimate", "std_error", "ci_low", "ci_high")
    first, *rows = frame_rows(table)
    assert [first[name] for name in names] == [0, 21, 0, 0, 100, 0, None, None]
    assert first["entered"] == 21
    for row, want in zip(rows, wanted, strict=True):
        assert close([row[name] for name in names], want)
    # quantile(survfit(...), c(.25, .5, .75))
    found = lk.survival_quantile(table, share=[0.25, 0.5, 0.75])
    assert column(found, "estimate") == [13, 23, None]
    assert column(found, "ci_low") == [6, 13, 23]
    assert column(found, "ci_high") == [22, None, None]


@pytest.mark.parametrize(
    ("method", "limits", "quartiles"),
    [
        # R 4.2.2, survival 3.5-3: the same with conf.type="log" and "plain".
        (
            "log",
            {6: (71.98170839, 100), 7: (65.31242185, 99.64436759), 23: (24.87882268, 80.73720455)},
            ([6, 16, 23], [None, None, None]),
        ),
        (
            "plain",
            {6: (70.74793118, 100), 7: (63.63326611, 97.71127170), 23: (18.43848638, 71.19736796)},
            ([6, 13, 23], [23, None, None]),
        ),
    ],
)
def test_other_intervals(
    method: Any,
    limits: dict[int, tuple[float, float]],
    quartiles: tuple[list[float], list[float | None]],
) -> None:
    frame = pd.DataFrame(arm(SIX_MP))
    table = lk.survival_curve(frame, "weeks", "back", method=method)
    for week, want in limits.items():
        (row,) = at(table, week)
        assert close((row["ci_low"], row["ci_high"]), want)
        assert row["method"] == method
    found = lk.survival_quantile(table, share=[0.25, 0.5, 0.75])
    assert (column(found, "ci_low"), column(found, "ci_high")) == quartiles


def test_remission_on_placebo(engine: Engine) -> None:
    table = lk.survival_curve(engine.frame(arm(PLACEBO)), "weeks", "back")
    # R 4.2.2, survival 3.5-3: summary(survfit(Surv(t, d) ~ 1, conf.type="log-log"))
    wanted = {
        1: (21, 2, 90.47619, 6.40564, 67.004588, 97.5294),
        8: (12, 4, 38.09524, 10.59712, 18.306655, 57.7789),
        22: (2, 1, 4.76190, 4.64714, 0.332446, 19.7045),
    }
    names = ("at_risk", "events", "estimate", "std_error", "ci_low", "ci_high")
    for week, want in wanted.items():
        (row,) = at(table, week)
        assert close([row[name] for name in names], want, rel=2e-6)
    # There R has 0, NaN, NA, NA.
    (last,) = at(table, 23)
    assert [last[name] for name in names] == [1, 1, 0, None, None, None]
    # quantile(survfit(...), c(.25, .5, .75))
    found = lk.survival_quantile(table, share=[0.25, 0.5, 0.75])
    assert column(found, "estimate") == [4, 8, 12]
    assert column(found, "ci_low") == [1, 4, 8]
    assert column(found, "ci_high") == [5, 11, 22]


def test_weights(engine: Engine) -> None:
    table = lk.survival_curve(twelve(engine), "time", "event", weights="weight")
    # R 4.2.2, survival 3.5-3:
    # summary(survfit(Surv(x, d) ~ 1, weights=w, robust=TRUE, conf.type="log-log"), censored=TRUE)
    wanted = [
        (2, 19.4, 1.0, 94.8453608247, 5.16066191149, 67.23350174942, 99.2969938184),
        (3, 18.4, 2.0, 84.5360824742, 10.81551764601, 47.35999677243, 96.2944419269),
        (5, 15.9, 3.0, 68.5858782338, 15.90074004307, 28.41485153561, 89.3144408489),
        (6, 12.9, 1.5, 60.6107761136, 16.33844689690, 23.73369886024, 84.0040892926),
        (8, 10.4, 2.5, 46.0408780094, 17.05596355908, 13.83611451446, 73.7733935401),
        (9, 7.9, 1.0, 40.2129187677, 16.93438318190, 10.49570816001, 69.2012490511),
        (10, 6.9, 0.0, 40.2129187677, 16.93438318190, 10.49570816001, 69.2012490511),
        (12, 4.9, 1.9, 24.6201543476, 18.02223434115, 2.02209903659, 60.4361107991),
        (14, 3.0, 0.0, 24.6201543476, 18.02223434115, 2.02209903659, 60.4361107991),
    ]
    check_weighted(table, wanted)


def test_weights_and_late_entry(engine: Engine) -> None:
    table = lk.survival_curve(twelve(engine), "time", "event", entry="since", weights="weight")
    # R 4.2.2, survival 3.5-3: the same with Surv(e, x, d) and id=1:12
    wanted = [
        (2, 7.7, 1.0, 87.0129870130, 12.72032898294, 33.58460615031, 98.2419834784),
        (3, 9.7, 2.0, 69.0721649485, 18.06124881184, 22.80359377659, 91.1541125608),
        (5, 10.7, 3.0, 49.7061373928, 19.02550360657, 12.94506267730, 78.7401603056),
        (6, 8.7, 1.5, 41.1361137044, 18.50153912810, 9.10549175601, 71.9442482939),
        (8, 6.2, 2.5, 24.5489710817, 13.09505041365, 5.19906459884, 51.3157880278),
        (9, 4.9, 1.0, 19.5389769834, 11.88695649601, 3.37394892525, 45.5384272941),
        (10, 6.9, 0.0, 19.5389769834, 11.88695649601, 3.37394892525, 45.5384272941),
        (12, 4.9, 1.9, 11.9626389694, 8.59755978967, 1.62080193567, 33.4954766164),
        (14, 3.0, 0.0, 11.9626389694, 8.59755978967, 1.62080193567, 33.4954766164),
    ]
    check_weighted(table, wanted)


def check_weighted(table: Any, wanted: Sequence[Sequence[float]]) -> None:
    names = ("duration", "w_at_risk", "w_events", "estimate", "std_error", "ci_low", "ci_high")
    rows = at(table, *(row[0] for row in wanted))
    for row, want in zip(rows, wanted, strict=True):
        assert close([row[name] for name in names], want)


def test_late_entry(engine: Engine) -> None:
    table = lk.survival_curve(twelve(engine), "time", "event", entry="since")
    # R 4.2.2, survival 3.5-3: summary(survfit(Surv(e, x, d) ~ 1, conf.type="log-log"))
    wanted = {
        2: (6, 1, 83.33333333333, 15.21451548625, 27.312284992836, 97.4712426691),
        5: (6, 1, 57.87037037037, 18.30021794079, 18.294622282846, 83.8507763819),
        9: (4, 1, 27.12673611111, 14.85792527955, 5.127107765382, 56.3842322673),
        12: (3, 2, 9.04224537037, 8.89026403583, 0.470850348883, 34.0317805081),
    }
    names = ("at_risk", "events", "estimate", "std_error", "ci_low", "ci_high")
    for time, want in wanted.items():
        (row,) = at(table, time)
        assert close([row[name] for name in names], want)
    entered = {row["duration"]: row["entered"] for row in frame_rows(table) if row["entered"]}
    assert entered == {0: 5, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 8: 1, 9: 1}
    assert [row["at_risk"] for row in at(table, 0, 1)] == [5, 5]


@pytest.mark.parametrize(
    ("times", "events", "shares", "wanted"),
    [
        # R 4.2.2, survival 3.5-3: quantile(survfit(Surv(t, d) ~ 1, conf.type="log-log"), p)
        ([1, 2, 3, 4], [1, 1, 1, 1], [0.5], [(2.5, 1, None)]),
        ([1, 2, 3, 4], [1, 1, 0, 0], [0.25, 0.5], [(1.5, 1, None), (3, 1, None)]),
        ([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 1], [0.25, 0.5], [(2, 1, 5), (4, 1, None)]),
        ([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [0.5], [(4.5, 1, None)]),
    ],
)
def test_a_flat_stretch_counts_by_its_middle(
    times: list[int],
    events: list[int],
    shares: list[float],
    wanted: list[tuple[float, float, float | None]],
) -> None:
    table = lk.survival_curve(pd.DataFrame({"t": times, "d": events}), "t", "d")
    rows = frame_rows(lk.survival_quantile(table, share=shares))
    assert [(row["estimate"], row["ci_low"], row["ci_high"]) for row in rows] == wanted


# ---- against naive loops ------------------------------------------------------------------------


@st.composite
def spells(draw: st.DrawFn, *, late: bool | None = None) -> list[Spell]:
    """Return some customers: ties, entries, tenures of 0 and weights of very different size."""
    scale = draw(st.sampled_from([1, 0.25]))
    late = draw(st.booleans()) if late is None else late
    made = []
    for _ in range(draw(st.integers(0, 14))):
        duration = draw(st.integers(0, 8))
        entry = draw(st.integers(0, max(duration - 1, 0))) if late else 0
        weight = draw(st.sampled_from([0.5, 1, 1, 3, 20] if late else [0.001, 0.5, 1, 3, 200]))
        made.append(Spell(duration * scale, draw(st.booleans()), entry * scale, weight))
    return made


def columns_of(drawn: Sequence[Spell]) -> dict[str, list[Any]]:
    return {name: [getattr(spell, name) for spell in drawn] for name in Spell._fields}


def curve(engine: Engine, drawn: Sequence[Spell], **options: Any) -> Any:
    types = {"duration": "float64", "event": "bool", "entry": "float64", "weight": "float64"}
    frame = engine.with_types(columns_of(drawn), types)
    options = {"entry": "entry", **options}
    return lk.survival_curve(frame, "duration", "event", **options)


def same_rows(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert len(found) == len(wanted)
    for row, want in zip(found, wanted, strict=True):
        for name, value in want.items():
            if not isinstance(value, (int, float)) or row[name] is None:
                assert row[name] == value, (name, row, want)
            else:
                assert math.isclose(row[name], value, rel_tol=1e-9, abs_tol=1e-9), (name, row, want)


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@pytest.mark.parametrize("name", ["pandas", "polars"])
@pytest.mark.parametrize("weighted", [False, True])
@unhurried
@given(
    drawn=spells(), method=st.sampled_from(_survival.METHODS), level=st.sampled_from([0.8, 0.95])
)
def test_curves_against_loops_over_customers(
    name: str, weighted: bool, drawn: list[Spell], method: str, level: float
) -> None:
    options: dict[str, Any] = {"weights": "weight"} if weighted else {}
    options |= {"method": method, "confidence_level": level}
    found = frame_rows(curve(Engine(name), drawn, **options))
    if not drawn:
        assert only_row(curve(Engine(name), drawn, **options))["estimate"] is None
        return
    same_rows(found, oracles.survival(drawn, weighted=weighted, method=method, level=level))


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@pytest.mark.parametrize("weights", [None, "weight"])
@unhurried
@given(groups=st.lists(spells(), min_size=1, max_size=5))
def test_each_group_is_as_if_it_were_alone(weights: str | None, groups: list[list[Spell]]) -> None:
    """Also beside groups of far greater weight."""
    pandas = Engine("pandas")
    many = [
        spell._replace(weight=spell.weight * 1e6**i) for i, g in enumerate(groups) for spell in g
    ]
    labels = [i for i, each in enumerate(groups) for _ in each]
    frame = pd.DataFrame({**columns_of(many), "label": np.array(labels, dtype=np.int64)})
    options: dict[str, Any] = {"entry": "entry", "weights": weights}
    both = frame_rows(lk.survival_curve(frame, "duration", "event", by="label", **options))
    for i, drawn in enumerate(groups):
        alone = [spell for spell, label in zip(many, labels, strict=True) if label == i]
        if not drawn:
            assert not [row for row in both if row["label"] == i]
            continue
        found = [row for row in both if row["label"] == i]
        wanted = frame_rows(curve(pandas, alone, weights=weights))
        scale = 1e6**i if weights else 1
        for row in (*found, *wanted):
            if weights:
                row |= {name: row[name] / scale for name in ("w_at_risk", "w_events")}
        same_rows(found, wanted)


@unhurried
@given(durations=st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_without_censoring_it_is_the_share_still_there(durations: list[int]) -> None:
    frame = pd.DataFrame({"duration": durations}).assign(event=True)
    for row in frame_rows(lk.survival_curve(frame, "duration", "event")):
        beyond = sum(duration > row["duration"] for duration in durations)
        assert math.isclose(row["estimate"], 100 * beyond / len(durations), abs_tol=1e-10)
        # Greenwood's error is then that of a share.
        share = beyond / len(durations)
        if beyond:
            wanted = 100 * math.sqrt(share * (1 - share) / len(durations))
            assert math.isclose(row["std_error"], wanted, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@unhurried
@given(shards=st.lists(spells(), min_size=1, max_size=4))
def test_counts_of_shards_give_the_single_pass(shards: list[list[Spell]]) -> None:
    keys = ["duration", "event", "entry"]
    every = pd.DataFrame(columns_of([spell for shard in shards for spell in shard]))
    if not len(every):
        return
    counted = [
        pd.DataFrame(columns_of(shard)).groupby(keys).size().rename("n").reset_index()
        for shard in shards
        if shard
    ]
    single = lk.survival_curve(every, "duration", "event", entry="entry")
    options: dict[str, Any] = {"entry": "entry", "counts": "n"}
    merged = lk.survival_curve(stacked(counted), "duration", "event", **options)
    pd.testing.assert_frame_equal(merged, single, check_exact=True)


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@unhurried
@given(drawn=spells(late=False), weight=st.sampled_from([1.0, 0.001, 7.5, 1e60]))
def test_equal_weights_are_none(drawn: list[Spell], weight: float) -> None:
    pandas = Engine("pandas")
    same = [spell._replace(weight=weight) for spell in drawn]
    weighted = frame_rows(curve(pandas, same, weights="weight", entry=None))
    same_rows(weighted, frame_rows(curve(pandas, same, entry=None)))


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@unhurried
@given(drawn=spells(), factor=st.sampled_from([10.0, 1e-3, 1e80]))
def test_ten_times_the_weight_is_the_same_answer(drawn: list[Spell], factor: float) -> None:
    pandas = Engine("pandas")
    found, wanted = (
        frame_rows(curve(pandas, each, weights="weight"))
        for each in (drawn, [spell._replace(weight=spell.weight * factor) for spell in drawn])
    )
    for row in (*found, *wanted):
        del row["w_at_risk"], row["w_events"]
    same_rows(found, wanted)


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.EmptyRiskSetWarning")
@unhurried
@given(drawn=spells())
def test_every_row_follows_from_the_one_before(drawn: list[Spell]) -> None:
    rows = frame_rows(curve(Engine("pandas"), drawn))
    first = rows[0]
    assert (first["duration"], first["at_risk"]) == (0, first["entered"])
    for row, after in itertools.pairwise(rows):
        entered = row["entered"] if row is not first else 0
        left = row["events"] + row["censored"]
        assert after["at_risk"] == row["at_risk"] - left + entered
        assert after["estimate"] <= row["estimate"]
    assert rows[-1]["at_risk"] == rows[-1]["events"] + rows[-1]["censored"]
    assert sum(row["entered"] for row in rows) == len(drawn)


def test_running_sums_stop_at_the_end_of_groups() -> None:
    group = np.array([0, 0, 0, 1, 2, 2, 2, 2, 2])
    nothing = np.zeros(9, dtype=np.int64)
    first = np.array([0, 3, 4])
    counts = (nothing, nothing, nothing, nothing, nothing)
    table = _survival.Table(group, *counts, first, nothing, None)
    values = np.arange(1.0, 10.0)
    assert _survival.running(values, table, np.add).tolist() == [1, 3, 6, 4, 5, 11, 18, 26, 35]
    assert _survival.remaining(values, table).tolist() == [6, 5, 3, 4, 35, 30, 24, 17, 9]


# ---- the edges ----------------------------------------------------------------------------------


def made(engine: Engine, durations: list[Any], events: list[Any], **options: Any) -> Any:
    frame = engine.frame({"t": durations, "d": events})
    return lk.survival_curve(frame, "t", "d", **options)


def shown(table: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in frame_rows(table)]


def test_nobody_is_null_and_not_0(engine: Engine) -> None:
    frame = engine.with_types({"t": [], "d": []}, {"t": "int64", "d": "bool"})
    row = only_row(lk.survival_curve(frame, "t", "d"))
    assert [row[name] for name in ("duration", "at_risk", "events", "entered")] == [0, 0, 0, 0]
    assert [row[name] for name in ("estimate", "std_error", "ci_low", "ci_high")] == [None] * 4
    quantile = only_row(lk.survival_quantile(lk.survival_curve(frame, "t", "d")))
    assert quantile["estimate"] is None


def test_no_group_is_no_row(engine: Engine) -> None:
    types = {"t": "int64", "d": "bool", "plan": "string", "w": "float64"}
    frame = engine.with_types({name: [] for name in types}, types)
    choices: list[dict[str, Any]] = [{}, {"weights": "w"}, {"entry": "t"}]
    for options in (*choices, {"weights": "w", "entry": "t"}):
        assert frame_rows(lk.survival_curve(frame, "t", "d", by="plan", **options)) == []
    table = lk.survival_curve(frame, "t", "d", by="plan")
    assert frame_rows(lk.survival_quantile(table)) == []


@pytest.mark.parametrize("event", [True, False])
def test_one_customer(engine: Engine, event: bool) -> None:
    table = made(engine, [4], [event])
    names = ("duration", "at_risk", "events", "censored", "estimate", "std_error", "ci_low")
    last = (4, 1, 1, 0, 0, None, None) if event else (4, 1, 0, 1, 100, 0, None)
    assert shown(table, *names) == [(0, 1, 0, 0, 100, 0, None), last]


def test_all_censored(engine: Engine) -> None:
    table = made(engine, [3, 5, 5], [0, 0, 0])
    names = ("duration", "at_risk", "censored", "estimate", "std_error", "ci_low", "ci_high")
    assert shown(table, *names) == [
        (0, 3, 0, 100, 0, None, None),
        (3, 3, 1, 100, 0, None, None),
        (5, 2, 2, 100, 0, None, None),
    ]
    assert only_row(lk.survival_quantile(table))["estimate"] is None


def test_all_gone_at_once(engine: Engine) -> None:
    table = made(engine, [3, 3], [1, 1])
    assert shown(table, "duration", "estimate", "std_error", "ci_high") == [
        (0, 100, 0, None),
        (3, 0, None, None),
    ]
    assert only_row(lk.survival_quantile(table))["estimate"] == 3


def test_tenure_0_is_at_risk_at_0(engine: Engine) -> None:
    """R's survfit has the same: Surv(c(0, 0, 2, 3), c(1, 0, 1, 0)) falls to .75 at 0."""
    table = made(engine, [0, 0, 2, 3], [1, 0, 1, 0])
    assert shown(table, "duration", "at_risk", "events", "censored", "estimate") == [
        (0, 4, 1, 1, 75),
        (2, 2, 1, 0, 37.5),
        (3, 1, 0, 1, 37.5),
    ]


def test_events_come_before_censorings_of_the_same_duration(engine: Engine) -> None:
    table = made(engine, [5, 5, 5, 5], [0, 1, 0, 0])
    assert shown(table, "at_risk", "events", "censored", "estimate")[1] == (4, 1, 3, 75)


def test_tenure_0_beside_entries_of_0(engine: Engine) -> None:
    frame = engine.frame({"t": [0, 2, 3], "d": [1, 1, 0], "since": [0, 0, 1]})
    table = lk.survival_curve(frame, "t", "d", entry="since")
    assert shown(table, "duration", "at_risk", "entered", "estimate") == [
        (0, 2, 2, 50),
        (1, 1, 1, 50),
        (2, 2, 0, 25),
        (3, 1, 0, 25),
    ]


def test_nobody_at_risk_for_a_while(engine: Engine) -> None:
    """All were censored before the next one entered: the curve goes on where it was."""
    frame = engine.frame({"t": [1, 2, 7, 9], "d": [1, 0, 1, 0], "since": [0, 0, 5, 4]})
    table = lk.survival_curve(frame, "t", "d", entry="since")
    assert shown(table, "duration", "at_risk", "estimate") == [
        *[(0, 2, 100), (1, 2, 50), (2, 1, 50), (4, 0, 50), (5, 1, 50), (7, 2, 25), (9, 1, 25)]
    ]


def test_all_enter_late(engine: Engine) -> None:
    frame = engine.frame({"t": [3, 4], "d": [1, 1], "since": [2, 2]})
    table = lk.survival_curve(frame, "t", "d", entry="since")
    assert shown(table, "duration", "at_risk", "entered", "estimate") == [
        *[(0, 0, 0, 100), (2, 0, 2, 100), (3, 2, 0, 50), (4, 1, 0, 0)]
    ]


def test_an_empty_risk_set_is_warned_of(engine: Engine) -> None:
    columns = {"t": [2, 2, 9, 7, 3], "d": [1, 1, 1, 0, 1], "since": [0, 1, 3, 5, 0]}
    frame = engine.frame({**columns, "plan": ["a", "a", "a", "a", "b"]})
    message = r"^In 1 group all at risk had the event, and others came under observation later: the"
    with pytest.warns(EmptyRiskSetWarning, match=message):
        table = lk.survival_curve(frame, "t", "d", entry="since", by="plan")
    assert [row["estimate"] for row in at(table, 9)] == [0]
    frame = engine.frame({name: values[:4] for name, values in columns.items()})
    message = r"^All at risk had the event by duration 2, and others came under observation later"
    with pytest.warns(EmptyRiskSetWarning, match=message):
        table = lk.survival_curve(frame, "t", "d", entry="since")
    # R 4.2.2, survival 3.5-3: survfit(Surv(c(0, 1, 3, 5), c(2, 2, 9, 7), c(1, 1, 1, 0)) ~ 1)$surv
    assert column(table, "estimate") == [100, 100, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("events", [[1, 0, 1], [True, False, True], [1.0, 0.0, 1.0]])
def test_codes_of_events(engine: Engine, events: list[Any]) -> None:
    assert column(made(engine, [1, 2, 3], events), "events") == [0, 1, 0, 1]


def test_objects_serve_too() -> None:
    """As frames hold them that were read from a database."""
    frame = pd.DataFrame(
        {"t": pd.Series([1, 2, 3], dtype=object), "d": pd.Series([True, False, True], dtype=object)}
    )
    assert column(lk.survival_curve(frame, "t", "d"), "events") == [0, 1, 0, 1]


@pytest.mark.parametrize(("kind", "dtype"), [("int8", "int64"), ("uint16", "int64")])
def test_whole_durations_stay_whole(engine: Engine, kind: str, dtype: str) -> None:
    frame = engine.with_types({"t": [100, 127, 3], "d": [1, 1, 0]}, {"t": kind, "d": "int8"})
    table = lk.survival_curve(frame, "t", "d")
    assert dtype_names(table)["duration"].lower() == dtype
    assert column(table, "duration") == [0, 3, 100, 127]


def test_durations_of_floats_stay_floats(engine: Engine) -> None:
    frame = engine.with_types({"t": [0.5, -0.0, 2.0], "d": [1, 1, 0]}, {"t": "float64"})
    table = lk.survival_curve(frame, "t", "d")
    assert dtype_names(table)["duration"].lower() in ("float64", "double")
    assert column(table, "duration") == [0, 0.5, 2]


def test_integers_with_nulls_are_still_integers() -> None:
    frame = pd.DataFrame({"t": pd.array([2**60 + 1, None, 5], dtype="Int64"), "d": [1, 1, 0]})
    with pytest.warns(DroppedRowsWarning, match=r"^1 row left out: no duration or event\.$"):
        table = lk.survival_curve(frame, "t", "d", errors="coerce")
    assert column(table, "duration") == [0, 5, 2**60 + 1]


def test_all_durations_null(engine: Engine) -> None:
    frame = engine.with_types({"t": [None, None], "d": [1, 0]}, {"t": "float64"})
    with pytest.raises(DataError, match=r"^'t': 2 rows without a duration"):
        lk.survival_curve(frame, "t", "d")
    with pytest.warns(DroppedRowsWarning, match="2 rows left out"):
        table = lk.survival_curve(frame, "t", "d", errors="coerce")
    assert only_row(table)["estimate"] is None


def test_a_group_left_out_is_one_of_nobody(engine: Engine) -> None:
    frame = engine.with_types({"t": [1.0, None], "d": [1, 0], "g": ["a", "b"]}, {"t": "float64"})
    with pytest.warns(DroppedRowsWarning, match="1 row left out"):
        table = lk.survival_curve(frame, "t", "d", by="g", errors="coerce")
    wanted = [("a", 0, 1, 100), ("a", 1, 1, 0), ("b", 0, 0, None)]
    assert shown(table, "g", "duration", "at_risk", "estimate") == wanted
    assert column(lk.survival_quantile(table), "estimate") == [1, None]


def test_nobody_weighs_nothing(engine: Engine) -> None:
    """A customer of weight 0 is not at risk, as in survey metrics."""
    frame = engine.frame({"t": [1, 2, 3], "d": [1, 1, 0], "w": [0.0, 2.0, 2.0]})
    table = lk.survival_curve(frame, "t", "d", weights="w")
    assert shown(table, "duration", "at_risk", "w_at_risk", "estimate") == [
        *[(0, 2, 4, 100), (2, 2, 4, 50), (3, 1, 2, 50)]
    ]


def test_light_customers_at_the_end_keep_their_weight() -> None:
    """No difference of great sums: after customers of 1e12 those of 1e-9 still count."""
    frame = pd.DataFrame({"t": [1, 2, 3, 4], "d": [0, 0, 1, 0], "w": [1e12, 1e12, 1e-9, 3e-9]})
    table = lk.survival_curve(frame, "t", "d", weights="w")
    assert close(column(table, "estimate"), [100, 100, 100, 75, 75])
    assert close(column(table, "w_at_risk")[-2:], [4e-9, 3e-9])


# ---- parameters, and tables that are none -------------------------------------------------------


def test_parameters() -> None:
    frame = pd.DataFrame(arm(SIX_MP))
    with pytest.raises(ParameterError, match=r"method='loglog' is not one of .*'log-log'\?"):
        lk.survival_curve(frame, "weeks", "back", method="loglog")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"confidence_level=95 .* Did you mean 0\.95"):
        lk.survival_curve(frame, "weeks", "back", confidence_level=95)


@pytest.mark.parametrize(
    ("share", "kind", "message"),
    [
        (50, ParameterError, r"^share=50 must lie between 0 and 1 \(both.* Did you mean 0\.5\?$"),
        (0, ParameterError, r"^share=0 must lie between 0 and 1"),
        ([0.5, 1.0], ParameterError, r"^share\[1\]=1\.0 must lie between 0 and 1"),
        ([], ParameterError, r"^share names no share"),
        ("half", TypeError, r"^share must be a number, not str"),
        ([None], TypeError, r"^share\[0\] must be a number, not NoneType"),
    ],
)
def test_shares(share: Any, kind: type[Exception], message: str) -> None:
    table = lk.survival_curve(pd.DataFrame(arm(SIX_MP)), "weeks", "back")
    with pytest.raises(kind, match=message):
        lk.survival_quantile(table, share=share)


def test_quantiles_of_groups_keep_the_order_asked(engine: Engine) -> None:
    columns = {name: [*arm(SIX_MP)[name], *arm(PLACEBO)[name]] for name in ("weeks", "back")}
    frame = engine.frame({**columns, "arm": [*["6-MP"] * 21, *[None] * 21]})
    table = lk.survival_curve(frame, "weeks", "back", by="arm", confidence_level=0.9)
    found = lk.survival_quantile(table, share=np.array([0.5, 0.25]))
    assert shown(found, "arm", "share", "estimate") == [
        *[("6-MP", 0.5, 23), ("6-MP", 0.25, 13), (None, 0.5, 8), (None, 0.25, 4)]
    ]
    assert shown(found, "confidence_level", "method", "unit") == [(0.9, "log-log", "duration")] * 4


def test_quantiles_of_a_table_in_any_order_and_from_a_file() -> None:
    table = lk.survival_curve(pd.DataFrame(arm(SIX_MP)), "weeks", "back")
    wanted = frame_rows(lk.survival_quantile(table))
    assert frame_rows(lk.survival_quantile(table.sample(frac=1, random_state=3))) == wanted
    stored = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert frame_rows(lk.survival_quantile(stored)) == wanted


def test_tables_that_are_no_curve() -> None:
    frame = pd.DataFrame(arm(SIX_MP))
    table = lk.survival_curve(frame, "weeks", "back")
    other = lk.survival_curve(frame, "weeks", "back", method="log")
    with pytest.raises(ParameterError, match=r"^result is not a table of survival_curve: it lacks"):
        lk.survival_quantile(table.drop(columns="at_risk"))
    with pytest.raises(ParameterError, match=r"^result mixes method: 'log', 'log-log'\."):
        lk.survival_quantile(pd.concat([table, other]))
    with pytest.raises(
        ParameterError, match=r"^result has several rows for one duration: it holds"
    ):
        lk.survival_quantile(pd.concat([table, table]))
    with pytest.raises(ParameterError, match=r"^result holds something in 'estimate' that is no"):
        lk.survival_quantile(table.assign(estimate="all"))
