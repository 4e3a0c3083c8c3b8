"""Scorecards: result tables of several metrics under one another, and beside one another."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, column, column_names, dtype_names, frame_rows, only_row

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import ColumnNotFoundError, LoyaltyKitError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS: dict[str, list[Any]] = {
    "sector": ["B2B", "B2B", "B2C", None, "B2C", "B2B"],
    "tier": ["new", "loyal", "new", "new", None, "new"],
    "nps": [10, 9, 3, 7, None, 8],
    "csat": [5, 4, 2, 3, 4, None],
    "day": [*["2026-01-10"] * 3, *["2026-02-10"] * 3],
    "person": [1, 2, 3, 1, 2, 3],
}
LOG: dict[str, list[Any]] = {
    "id": [1, 2, 3, 1, 3],
    "day": ["2026-01-05", "2026-01-09", "2026-01-20", "2026-02-06", "2026-02-07"],
}
COLUMNS = [
    *("name", "dimension", "level", "metric", "n", "n_missing"),
    *("estimate", "std_error", "ci_low", "ci_high"),
    *("confidence_level", "method", "unit", "definition"),
]
ALL_COLUMNS = [*COLUMNS[:3], "period", "coverage", *COLUMNS[3:], "as_of"]


def nps(engine: Engine, **keywords: Any) -> Any:
    return lk.nps(engine.frame(ANSWERS), "nps", **keywords)


def csat(engine: Engine, **keywords: Any) -> Any:
    return lk.csat(engine.frame(ANSWERS), "csat", **keywords)


def retention(engine: Engine, **keywords: Any) -> Any:
    return lk.retention_rate(engine.frame(LOG), "id", "day", as_of="2026-02-28", **keywords)


def labels(card: Any) -> list[tuple[Any, ...]]:
    return [(row["name"], row["dimension"], row["level"]) for row in frame_rows(card)]


# ---- the table ----------------------------------------------------------------------------------


def test_columns_are_the_contract() -> None:
    assert list(_results.SCORECARD) == COLUMNS


def test_tables_are_stacked_in_the_order_given(engine: Engine) -> None:
    tables = [csat(engine, by="sector"), nps(engine), nps(engine, by="sector")]
    card = lk.scorecard(*tables)
    assert type(card) is type(tables[0])
    assert column_names(card) == COLUMNS
    assert labels(card) == [
        *(("csat", "sector", "B2B"), ("csat", "sector", "B2C"), ("csat", "sector", "(missing)")),
        ("nps", "total", "total"),
        *(("nps", "sector", "B2B"), ("nps", "sector", "B2C"), ("nps", "sector", "(missing)")),
    ]
    if engine.is_pandas:
        assert card.index.equals(pd.RangeIndex(7))


def test_numbers_are_carried_over_as_they_are(engine: Engine) -> None:
    tables = [csat(engine, by="sector"), nps(engine, by=["tier", "sector"]), retention(engine)]
    rows = [row for table in tables for row in frame_rows(table)]
    card = lk.scorecard(*tables)
    for name in ALL_COLUMNS[3:]:
        assert column(card, name) == [row.get(name) for row in rows]


def test_types_of_the_columns(engine: Engine) -> None:
    """Counts of surveys and of logs are one column: nullable in pandas."""
    count, number, date = {
        "polars": ("Int64", "Float64", "Date"),
        "pyarrow": ("int64", "double", "date32[day]"),
    }.get(engine.name, ("Int64", "float64", "datetime64[us]"))
    for card in (lk.scorecard(nps(engine)), lk.scorecard(nps(engine), retention(engine))):
        kinds = dtype_names(card)
        assert {kinds["n"], kinds["n_missing"]} == {count}
        numbers = ("estimate", "std_error", "ci_low", "ci_high", "confidence_level")
        assert {kinds[name] for name in numbers} == {number}
        assert {kinds[name] for name in ("period", "as_of") if name in kinds} <= {date}


@pytest.mark.parametrize(
    ("make", "added"),
    [
        (lambda e: [nps(e)], []),
        (lambda e: [nps(e, time="day"), csat(e)], ["period", "coverage"]),
        (lambda e: [csat(e), retention(e)], ["period", "coverage", "as_of"]),
        (lambda e: [lk.pool(retention(e), over="period")], ["as_of"]),
    ],
    ids=["plain", "trend", "log", "pooled log"],
)
def test_period_coverage_and_as_of_when_any_table_has_them(
    engine: Engine, make: Callable[[Engine], list[Any]], added: list[str]
) -> None:
    tables = make(engine)
    card = lk.scorecard(*tables)
    assert column_names(card) == [name for name in ALL_COLUMNS if name in (*COLUMNS, *added)]
    found = [row for table in tables for row in frame_rows(table)]
    assert {name: column(card, name) for name in added} == {
        name: [row.get(name) for row in found] for name in added
    }


def test_one_table_alone(engine: Engine) -> None:
    row = only_row(lk.scorecard(csat(engine)))
    assert (row["name"], row["dimension"], row["level"]) == ("csat", "total", "total")
    assert (row["n"], row["n_missing"], row["estimate"]) == (5, 1, 60.0)
    assert row["definition"] == "scale=1..5;satisfied>=4"


# ---- dimensions and levels ----------------------------------------------------------------------


def test_several_keys_make_one_dimension(engine: Engine) -> None:
    card = lk.scorecard(csat(engine, by=["tier", "sector"]))
    assert set(column(card, "dimension")) == {"tier, sector"}
    assert column(card, "level") == [
        *("loyal, B2B", "new, B2B", "new, B2C", "new, (missing)", "(missing), B2C"),
    ]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 2, 10], ["1", "2", "10"]),
        ([1.5, -2.0, 0.25], ["-2.0", "0.25", "1.5"]),
        ([True, False, True], ["False", "True"]),
        (["b", "a, c", "a"], ["a", "a, c", "b"]),
    ],
    ids=["int", "float", "bool", "text"],
)
def test_levels_are_text(engine: Engine, values: list[Any], texts: list[str]) -> None:
    table = lk.nps(engine.frame({"key": values, "nps": [9, 8, 7]}), "nps", by="key")
    assert column(lk.scorecard(table), "level") == texts


def test_levels_follow_the_order_of_categories(engine: Engine) -> None:
    order = ["prospect", "new", "loyal"]
    answers = engine.frame({"tier": ["loyal", None, "new"], "nps": [1, 2, 3]}, {"tier": order})
    card = lk.scorecard(lk.nps(answers, "nps", by="tier"))
    assert column(card, "level") == ["new", "loyal", "(missing)"]


def test_a_group_without_answers_has_no_estimate(engine: Engine) -> None:
    answers = engine.frame({"sector": ["B2B", "B2C"], "nps": [9, None]})
    card = lk.scorecard(lk.nps(answers, "nps", by="sector"))
    assert column(card, "n") == [1, 0]
    assert column(card, "estimate") == [100.0, None]


def test_counts_without_a_frame(engine: Engine) -> None:
    """Tables from counts are pandas; they stand beside those of pandas frames only."""
    counts = lk.csat_from_counts(satisfied=[8, 9], n=[10, 12], labels=["B2B", "B2C"])
    if not engine.is_pandas:
        with pytest.raises(TypeError, match=f"is a pandas frame and data a {engine.name} one"):
            lk.scorecard(nps(engine), counts)
        return
    card = lk.scorecard(nps(engine, by="sector"), counts)
    assert labels(card)[3:] == [("csat", "group", "B2B"), ("csat", "group", "B2C")]


@pytest.mark.parametrize("place", [0, 1])
def test_tables_without_rows(engine: Engine, place: int) -> None:
    answers = engine.frame(ANSWERS)
    none = answers.slice(0, 0) if isinstance(answers, pa.Table) else answers[:0]
    nothing = lk.nps(none, "nps", by="sector")
    alone = lk.scorecard(nothing)
    assert (column_names(alone), frame_rows(alone)) == (COLUMNS, [])
    tables = [csat(engine, by="sector")]
    tables.insert(place, nothing)
    assert frame_rows(lk.scorecard(*tables)) == frame_rows(lk.scorecard(csat(engine, by="sector")))


def test_rows_that_were_filtered_and_sorted() -> None:
    """The index of pandas has gaps then, and another order: no number may change its row."""
    engine = Engine("pandas")
    table = nps(engine, by=["sector", "tier"])
    some = table[table["n"] > 0].sort_values("estimate")
    card = lk.scorecard(some, csat(engine))
    assert column(card, "estimate")[:-1] == column(some, "estimate")
    assert labels(card)[0] == ("nps", "sector, tier", "B2C, new")
    assert card.index.equals(pd.RangeIndex(len(some) + 1))


# ---- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["before", "after"], ("before", "after")])
def test_names_tell_two_questions_apart(engine: Engine, names: Any) -> None:
    card = lk.scorecard(nps(engine, by="tier"), nps(engine, detractor_max=5), names=names)
    assert column(card, "name") == ["before"] * 3 + ["after"]
    assert set(column(card, "metric")) == {"nps"}


def test_one_name_for_several_tables(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, by="tier"), nps(engine), names=["NPS", "NPS"])
    assert set(column(card, "name")) == {"NPS"}


def test_one_name_has_one_definition(engine: Engine) -> None:
    with pytest.raises(ParameterError) as raised:
        lk.scorecard(nps(engine, by="sector"), csat(engine), nps(engine, detractor_max=5))
    message = str(raised.value)
    for said in (
        "The name 'nps' stands for several definitions",
        "'scale=0..10;promoter>=9;detractor<=5', 'scale=0..10;promoter>=9;detractor<=6'",
        "names=",
    ):
        assert said in message


def test_one_name_for_two_metrics_is_refused(engine: Engine) -> None:
    with pytest.raises(ParameterError, match="The name 'score' stands for several definitions"):
        lk.scorecard(nps(engine), csat(engine), names=["score", "score"])


@pytest.mark.parametrize(
    ("names", "match"),
    [(["one"], "names has 1 names for 2 tables"), ([], "names has 0 names for 2 tables")],
)
def test_a_name_for_each_table(engine: Engine, names: list[str], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        lk.scorecard(nps(engine), csat(engine), names=names)


@pytest.mark.parametrize("names", ["ab", 2, {"a": 1}, ["a", 1], ["a", None]], ids=str)
def test_names_are_strings(names: Any) -> None:
    tables = [lk.csat_from_counts(satisfied=8, n=10)] * 2
    with pytest.raises(TypeError, match="names"):
        lk.scorecard(*tables, names=names)


# ---- what is no metric table --------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda e: e.frame(ANSWERS),
        lambda e: lk.tally(e.frame(ANSWERS), "nps", scale=(0, 10)),
        lambda e: lk.customer_flow(e.frame(LOG), "id", "day"),
        lambda e: lk.loyalty_tier(e.frame(LOG), "id", "day"),
        lambda e: lk.scorecard_matrix(lk.scorecard(nps(e))),
    ],
    ids=["answers", "tally", "flow", "tiers", "matrix"],
)
def test_other_tables_are_refused(engine: Engine, make: Callable[[Engine], Any]) -> None:
    with pytest.raises(ParameterError, match="not a table of a metric function: it lacks"):
        lk.scorecard(nps(engine), make(engine))


def test_a_scorecard_is_no_metric_table(engine: Engine) -> None:
    """Its name, dimension and level would become the keys of a second card."""
    with pytest.raises(ParameterError):
        lk.scorecard(lk.scorecard(nps(engine)), csat(engine))


@pytest.mark.parametrize("over", [None, "cohort"])
def test_cohorts_have_a_matrix_of_their_own(engine: Engine, over: str | None) -> None:
    cohorts = lk.cohort_retention(engine.frame(LOG), "id", "day")
    if over:
        cohorts = lk.pool(cohorts, over=over)
    with pytest.raises(ParameterError, match=r"results\[1\] is a cohort table.*cohort_matrix"):
        lk.scorecard(nps(engine), cohorts)


def test_nothing_to_stack() -> None:
    with pytest.raises(ParameterError, match="at least one result table"):
        lk.scorecard()


def test_tables_of_two_engines_are_refused() -> None:
    with pytest.raises(TypeError, match=r"results\[1\] is a polars frame and data a pandas one"):
        lk.scorecard(nps(Engine("pandas")), nps(Engine("polars")))


@pytest.mark.parametrize("result", [None, 3, [1], {"metric": "nps"}], ids=str)
def test_results_are_frames(result: Any) -> None:
    with pytest.raises(TypeError, match=r"results\[0\] must be a DataFrame"):
        lk.scorecard(result)


def test_a_list_of_tables_is_no_table() -> None:
    with pytest.raises(TypeError, match=r"results\[0\] must be a DataFrame .* not list"):
        lk.scorecard([nps(Engine("pandas"))])  # type: ignore[arg-type]


# ---- the matrix ---------------------------------------------------------------------------------


def test_a_row_per_group_and_a_column_per_name(engine: Engine) -> None:
    card = lk.scorecard(
        *(csat(engine, by="sector"), nps(engine, by="sector"), nps(engine, by="tier")),
        *(nps(engine), csat(engine)),
    )
    matrix = lk.scorecard_matrix(card)
    assert type(matrix) is type(card)
    assert column_names(matrix) == ["dimension", "level", "csat", "nps"]
    assert [tuple(row.values()) for row in frame_rows(matrix)] == [
        ("sector", "B2B", 100.0, pytest.approx(200 / 3)),
        ("sector", "B2C", 50.0, -100.0),
        ("sector", "(missing)", 0.0, 0.0),
        ("tier", "loyal", None, 100.0),
        ("tier", "new", None, 0.0),
        ("tier", "(missing)", None, None),
        ("total", "total", 60.0, 20.0),
    ]


@pytest.mark.parametrize("values", ["n", "ci_low", "unit", "definition", "n_missing"])
def test_any_column_can_be_shown(engine: Engine, values: str) -> None:
    card = lk.scorecard(nps(engine, by="sector"), csat(engine, by="sector"))
    matrix = lk.scorecard_matrix(card, values)
    assert column(matrix, "nps") + column(matrix, "csat") == column(card, values)
    assert dtype_names(matrix)["nps"] == dtype_names(card)[values]


def test_counts_stay_counts_where_a_group_has_no_row(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, by="tier"), csat(engine))
    matrix = lk.scorecard_matrix(card, values="n")
    assert column(matrix, "nps") == [1, 4, 0, None]
    assert column(matrix, "csat") == [None, None, None, 5]
    assert dtype_names(matrix)["nps"] == dtype_names(card)["n"]


def test_a_trend_has_a_row_per_period(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, time="day"), retention(engine), csat(engine))
    matrix = lk.scorecard_matrix(card)
    assert column_names(matrix) == ["dimension", "level", "period", "nps", "retention_rate", "csat"]
    assert [tuple(row.values())[2:] for row in frame_rows(matrix)] == [
        (dt.date(2026, 1, 1), pytest.approx(100 / 3), None, None),
        (dt.date(2026, 2, 1), 0.0, pytest.approx(200 / 3), None),
        (None, None, None, 60.0),
    ]


def test_rows_and_columns_are_in_order_of_appearance(engine: Engine) -> None:
    card = lk.scorecard(
        nps(engine, by="tier"), csat(engine, by="sector"), names=["zz last", "a first"]
    )
    matrix = lk.scorecard_matrix(card)
    assert column_names(matrix)[2:] == ["zz last", "a first"]
    assert column(matrix, "level") == ["loyal", "new", "(missing)", "B2B", "B2C", "(missing)"]


def test_levels_of_two_dimensions_stay_apart(engine: Engine) -> None:
    """A sector and a tier of the same name are two groups."""
    answers = engine.frame({"a": ["x", "y"], "b": ["y", "x"], "nps": [10, 0]})
    card = lk.scorecard(lk.nps(answers, "nps", by="a"), lk.nps(answers, "nps", by="b"))
    assert [tuple(row.values()) for row in frame_rows(lk.scorecard_matrix(card))] == [
        *(("a", "x", 100.0), ("a", "y", -100.0), ("b", "x", -100.0), ("b", "y", 100.0)),
    ]


def test_a_part_of_a_card_of_pandas() -> None:
    card = lk.scorecard(nps(Engine("pandas"), by="sector"), csat(Engine("pandas")))
    matrix = lk.scorecard_matrix(card.iloc[[3, 1]])
    assert column(matrix, "level") == ["total", "B2C"]
    assert column(matrix, "csat") == [60.0, None]
    assert column(matrix, "nps") == [None, -100.0]


def test_a_card_without_rows(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, by="sector"))
    card = card.slice(0, 0) if isinstance(card, pa.Table) else card[:0]
    matrix = lk.scorecard_matrix(card)
    assert (column_names(matrix), frame_rows(matrix)) == (["dimension", "level"], [])


def test_a_name_twice_for_one_group_is_refused(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, by="sector"), nps(engine, by="sector"))
    with pytest.raises(ParameterError, match=r"more than once for one group.*names="):
        lk.scorecard_matrix(card)
    apart = lk.scorecard(*[nps(engine, by="sector")] * 2, names=["a", "b"])
    assert column_names(lk.scorecard_matrix(apart)) == ["dimension", "level", "a", "b"]


@pytest.mark.parametrize("name", ["dimension", "level", "period"])
def test_a_name_that_the_matrix_has_already(engine: Engine, name: str) -> None:
    with pytest.raises(LoyaltyKitError, match=name):
        lk.scorecard_matrix(lk.scorecard(nps(engine, time="day"), names=[name]))


@pytest.mark.parametrize(
    "make",
    [nps, lambda e: e.frame(ANSWERS), lambda e: lk.scorecard_matrix(lk.scorecard(nps(e)))],
    ids=["metric table", "answers", "matrix"],
)
def test_only_a_scorecard_has_a_matrix(engine: Engine, make: Callable[[Engine], Any]) -> None:
    with pytest.raises(ParameterError, match="not a table of scorecard: it lacks"):
        lk.scorecard_matrix(make(engine))


def test_values_are_a_column(engine: Engine) -> None:
    card = lk.scorecard(nps(engine))
    with pytest.raises(ColumnNotFoundError, match=r"values='estimat': card has .* 'estimate'\?"):
        lk.scorecard_matrix(card, "estimat")
    several: Any = ["n", "estimate"]
    with pytest.raises(TypeError, match="values must be a column name"):
        lk.scorecard_matrix(card, values=several)


def test_a_card_is_a_frame() -> None:
    with pytest.raises(TypeError, match="card must be a DataFrame"):
        lk.scorecard_matrix([1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Collect it first"):
        lk.scorecard_matrix(pl.LazyFrame({"name": ["nps"]}))  # type: ignore[arg-type]


def test_a_total_beside_segments_that_share_accounts() -> None:
    data = pd.DataFrame(
        {"nps": [10, 3, 9, 7, 10, 0], "k": ["a", "b"] * 3, "account": [1, 1, 2, 2, 3, 3]}
    )
    total, split = (lk.nps(data, "nps", by=by, clusters="account") for by in (None, "k"))
    card = lk.scorecard(total, split)
    assert card["level"].tolist() == ["total", "a", "b"]


def test_weighted_and_unweighted_figures_need_names() -> None:
    data = pd.DataFrame({"nps": [10, 3, 9, 7], "k": ["a", "b"] * 2, "w": [1.0, 2.0, 1.0, 3.0]})
    weighted, plain = lk.nps(data, "nps", weights="w"), lk.nps(data, "nps", by="k")
    message = r"^The name 'nps' stands for weighted and for unweighted figures\. .* names="
    with pytest.raises(ParameterError, match=message):
        lk.scorecard(weighted, plain)
    card = lk.scorecard(weighted, plain, names=["weighted", "plain"])
    assert card["name"].tolist() == ["weighted", "plain", "plain"]


# ---- changes ------------------------------------------------------------------------------------

CHANGE = [
    *("reference", "estimate_reference", "difference", "difference_ci_low"),
    *("difference_ci_high", "p_value", "p_adjusted", "adjust"),
]


def changes(card: Any) -> list[dict[str, Any]]:
    return [{name: row[name] for name in CHANGE} for row in frame_rows(card)]


def test_a_row_is_held_against_the_period_before(engine: Engine) -> None:
    table = nps(engine, by="sector", time="day")
    card = lk.scorecard(csat(engine), table, retention(engine), reference="previous", adjust="bh")
    assert list(_results.CHANGE) == CHANGE
    place = ALL_COLUMNS.index("as_of")
    assert column_names(card) == [*ALL_COLUMNS[:place], *CHANGE, "as_of"]
    compared = {
        (row["sector"], row["period"]): row
        for row in frame_rows(lk.compare(table, "period", reference="previous", adjust="bh"))
    }
    assert len(compared) == 2
    for row, found in zip(frame_rows(table), changes(card)[1:], strict=False):
        wanted = compared.get((row["sector"], row["period"]))
        if wanted is None:
            assert set(found.values()) == {None}
            continue
        limits = {"difference_ci_low": "ci_low", "difference_ci_high": "ci_high"}
        assert found == {name: wanted[limits.get(name, name)] for name in CHANGE}
    # A table without periods has no change, and the first month of a log no start to be held to.
    assert set(changes(card)[0].values()) == {None}
    february = changes(card)[-1]
    assert february["reference"] == dt.date(2026, 1, 1)
    assert february["difference"] is february["p_value"] is None


def test_each_metric_of_one_table_has_its_changes() -> None:
    ids, months = list(range(40)), ("2026-01-05", "2026-02-05", "2026-03-05")
    paid = pd.DataFrame(
        [
            (i, day, 10.0 + i % 7 + month)
            for month, day in enumerate(months)
            for i in ids
            if i % 5 >= month
        ],
        columns=["id", "day", "paid"],
    )
    table = lk.revenue_retention(paid, "id", "day", "paid", as_of="2026-03-31")
    card = lk.scorecard(table, reference="previous")
    march = card[card["period"] == "2026-03-01"].set_index("name")
    for metric in ("grr", "nrr"):
        alone = lk.compare(table[table["metric"] == metric], "period", reference="previous")
        wanted = alone[alone["period"] == "2026-03-01"].iloc[0]
        assert march.loc[metric, "difference"] == wanted["difference"]
        assert march.loc[metric, "p_value"] == wanted["p_value"]
    assert set(march["adjust"]) == {"holm"}


def test_a_quick_ratio_has_no_test() -> None:
    flow = lk.customer_flow(pd.DataFrame(LOG), "id", "day", as_of="2026-02-28")
    card = lk.scorecard(lk.quick_ratio(flow), reference="previous")
    assert {value for row in changes(card) for value in row.values()} == {None}


def test_a_card_of_changes_has_a_matrix(engine: Engine) -> None:
    card = lk.scorecard(nps(engine, time="day"), reference="previous")
    matrix = frame_rows(lk.scorecard_matrix(card, values="difference"))
    assert [row["nps"] for row in matrix] == column(card, "difference")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda e: lk.scorecard(nps(e), reference="previous"), "none of the tables has periods"),
        (
            lambda e: lk.scorecard(nps(e, time="day"), reference="rest"),  # type: ignore[arg-type]
            "reference='rest' is not one of 'previous'",
        ),
        (
            lambda e: lk.scorecard(nps(e, time="day"), reference="previous", adjust="none at all"),  # type: ignore[arg-type]
            "adjust='none at all' is not one of",
        ),
        (
            lambda e: lk.scorecard(
                csat(e), nps(e, time="day", clusters="person"), reference="previous"
            ),
            r"results\[1\] cannot be compared. The rows of the table share clusters",
        ),
    ],
    ids=["no periods", "rest", "adjust", "clusters"],
)
def test_changes_that_cannot_be_told(
    engine: Engine, make: Callable[[Engine], Any], match: str
) -> None:
    with pytest.raises(ParameterError, match=match):
        make(engine)
