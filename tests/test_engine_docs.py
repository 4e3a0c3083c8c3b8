"""docs/engines.md: its table says what each function does in each engine; its examples run."""

from __future__ import annotations

import datetime as dt
import doctest
import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.axes
import matplotlib.pyplot as plt
import narwhals.stable.v2 as nw
import pandas as pd
import pytest
from conftest import (
    BESIDE,
    CONSTRUCTORS,
    REQUIRED,
    WRAPPED,
    Engine,
    _dask,
    _spark,
    collected,
    frame_rows,
    missing_engine,
)

import loyaltykit as lk

mpl.use("Agg")

DOCS = Path(__file__).parents[1] / "docs" / "engines.md"
# The columns of the table, by the engines that the tests know.
COLUMNS = {
    "pandas": "pandas",
    "pandas-nullable": "pandas",
    "pandas-arrow": "pandas",
    "polars": "Polars",
    "pyarrow": "PyArrow",
    "polars-lazy": "Polars lazy",
    "duckdb": "DuckDB",
    "spark": "PySpark",
    "dask": "Dask",
}
WORDS = ("in memory", "reduced", "in the engine", "refused", "no frame")

Call: TypeAlias = Callable[[Engine], Any]
Cells: TypeAlias = dict[str, dict[str, str]]


# ---- the table, as it is written ----------------------------------------------------------------


def tables(text: str) -> list[list[list[str]]]:
    """Return every table of a Markdown text as rows of cells; the line of dashes is left out."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    lines = [block.splitlines() for block in blocks]
    return [[_cells(line) for i, line in enumerate(block) if i != 1] for block in lines]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def table_of(text: str) -> Cells:
    """Return what the table of functions says, by function and engine's column."""
    (found,) = (table for table in tables(text) if table[0][1:] == _engine_columns())
    cells: Cells = {}
    for names, *row in found[1:]:
        for name in re.findall(r"`([\w.]+)`", names):
            assert name not in cells, f"{name} has two rows"
            cells[name] = dict(zip(_engine_columns(), row, strict=True))
    return cells


def _engine_columns() -> list[str]:
    return list(dict.fromkeys(COLUMNS.values()))


def public_functions() -> set[str]:
    names = {name for name in lk.__all__ if inspect.isfunction(getattr(lk, name))}
    return names | {f"plot.{name}" for name in lk.plot.__all__}


# ---- one call of every function -----------------------------------------------------------------

ANSWERS: dict[str, list[Any]] = {
    "answer": [5, 3, None, 4, 1],
    "sector": ["B2B", "B2C", "B2B", None, "B2C"],
    "sort": ["perusahaan", "ngo", None, "b2g", "B2C"],
    "kind": ["staff", "client", None, "pekerja", "klien"],
    "tier": ["lead", "baru", None, "setia", "repeat"],
    "weight": [0.5, 1.5, 1.0, 1.0, 1.0],
    "wave": [1, 1, 1, 2, 2],
}
LOG: dict[str, list[Any]] = {
    "id": [1, 1, 2, 3],
    "day": [dt.date(2026, 1, 5), dt.date(2026, 2, 6), dt.date(2026, 1, 9), dt.date(2026, 2, 3)],
}
PANEL: dict[str, list[Any]] = {"was": [1, 5, None], "now": [4, 5, 3]}
SEGMENTS: dict[str, list[Any]] = {"id": [1, 2], "sector": ["B2B", "B2C"]}
SPELLS: dict[str, list[Any]] = {
    "months": [3, 5, 8],
    "left": [True, False, True],
    "weight": [0.5, 2.0, 1.0],
    "n": [4, 1, 2],
    "plan": ["a", "b", "b"],
}
REVENUE: dict[str, list[Any]] = {**LOG, "mrr": [10, 12, 5, 7]}


def survey(function: Callable[..., Any], **options: Any) -> Call:
    return lambda engine: function(engine.frame(ANSWERS), "answer", by="sector", **options)


def log(function: Callable[..., Any]) -> Call:
    return lambda engine: function(engine.frame(LOG), "id", "day")


def label(function: Callable[..., Any], name: str) -> Call:
    return lambda engine: function(column_of(engine, name))


def column_of(engine: Engine, name: str) -> Any:
    """Return one column in the form that an engine has for it."""
    frame = engine.frame(ANSWERS)
    return frame.select(name) if engine.name == "polars-lazy" else frame[name]


def of_table(function: Callable[..., Any], make: Call) -> Call:
    """Return a call on a result table, held by the engine: nothing but its kind is in the way."""

    def call(engine: Engine) -> Any:
        if engine.is_eager:
            return function(make(engine))
        rows = frame_rows(make(Engine("pandas")))
        return function(engine.frame({name: [row[name] for row in rows] for name in rows[0]}))

    return call


def of_counts(function: Callable[..., Any]) -> Call:
    return lambda engine: function(engine.frame(ANSWERS))


def attached(engine: Engine) -> Any:
    return lk.attach_segments(engine.frame(LOG), engine.frame(SEGMENTS), on="id")


def by_wave(engine: Engine) -> Any:
    return lk.nps(engine.frame(ANSWERS), "answer", by=["wave", "sector"], **CUTS)


def changed(table: Any) -> Any:
    return lk.explain_change(table, "wave", reference=1, segment="sector")


CUTS: dict[str, Any] = {"scale": (1, 5), "promoter_min": 5, "detractor_max": 3}
NPS = survey(lk.nps, **CUTS)
COHORTS = log(lk.cohort_retention)
FLOW = log(lk.customer_flow)


def spells(function: Callable[..., Any], **options: Any) -> Call:
    return lambda engine: function(engine.frame(SPELLS), "months", "left", **options)


def curve(**options: Any) -> Call:
    return spells(lk.survival_curve, **options)


GAP = log(lk.inactivity_gap)


def recurring(engine: Engine) -> Any:
    return lk.revenue_retention(engine.frame(REVENUE), "id", "day", "mrr")


def lasting(engine: Engine) -> Any:
    return lk.survival_curve(engine.frame(SPELLS), "months", "left")


def moved(engine: Engine) -> Any:
    return lk.tier_transitions(log(functools.partial(lk.loyalty_tier, freq="week"))(engine), "id")


def moved_at_all(engine: Engine) -> Any:
    return lk.pool(moved(engine), over="period")


CALLS: dict[str, Call] = {
    "nps": NPS,
    "csat": survey(lk.csat),
    "ces": survey(lk.ces, scale=(1, 5)),
    "tally": survey(lk.tally, scale=(1, 5)),
    "retention_rate": log(lk.retention_rate),
    "churn_rate": log(lk.churn_rate),
    "customer_flow": FLOW,
    "quick_ratio": of_table(lk.quick_ratio, FLOW),
    "cohort_retention": COHORTS,
    "revenue_retention": recurring,
    "loyalty_tier": log(lk.loyalty_tier),
    "lifecycle_stage": log(lk.lifecycle_stage),
    "tier_transitions": moved,
    "rfm": lambda e: lk.rfm(e.frame(LOG), "id", "day", "id"),
    "customer_lifetimes": log(functools.partial(lk.customer_lifetimes, gap=30)),
    "inactivity_gap": GAP,
    "survival_curve": curve(),
    "logrank": spells(lk.logrank, by="plan"),
    "restricted_mean": spells(lk.restricted_mean, horizon=4),
    "survival_quantile": of_table(lk.survival_quantile, curve()),
    "attach_segments": attached,
    "one_answer": log(lk.one_answer),
    "compare_paired": lambda e: lk.compare_paired(e.frame(PANEL), "was", "now", metric="csat"),
    "rake": lambda e: lk.rake(e.frame(SEGMENTS), {"sector": {"B2B": 1, "B2C": 3}}),
    "design_effect": label(lk.design_effect, "weight"),
    "nps_group": label(lk.nps_group, "answer"),
    "normalize_sector": label(lk.normalize_sector, "sort"),
    "normalize_relationship": label(lk.normalize_relationship, "kind"),
    "normalize_loyalty_tier": label(lk.normalize_loyalty_tier, "tier"),
    "pool": of_table(lambda table: lk.pool(table, over="sector"), NPS),
    "compare": of_table(lambda table: lk.compare(table, "sector"), NPS),
    "explain_change": of_table(changed, by_wave),
    "cohort_matrix": of_table(lk.cohort_matrix, COHORTS),
    "scorecard": of_table(lk.scorecard, NPS),
    "scorecard_matrix": of_table(lk.scorecard_matrix, lambda engine: lk.scorecard(NPS(engine))),
    "scorecard_html": of_table(lk.scorecard_html, lambda engine: lk.scorecard(NPS(engine))),
    "to_records": of_table(lk.to_records, NPS),
    "from_records": of_counts(lk.from_records),
    "record_schema": of_counts(lk.record_schema),
    "plot.nps_bars": of_table(lk.plot.nps_bars, NPS),
    "plot.estimates": of_table(lk.plot.estimates, NPS),
    "plot.change_waterfall": of_table(
        lk.plot.change_waterfall, lambda engine: changed(by_wave(engine))
    ),
    "plot.cohort_heatmap": of_table(lk.plot.cohort_heatmap, COHORTS),
    "plot.retention_curves": of_table(lk.plot.retention_curves, COHORTS),
    "plot.customer_flow": of_table(lk.plot.customer_flow, FLOW),
    "plot.tier_transitions": of_table(lk.plot.tier_transitions, moved_at_all),
    "plot.inactivity_gap": of_table(lk.plot.inactivity_gap, GAP),
    "plot.survival": of_table(lk.plot.survival, lasting),
    "plot.revenue_bridge": of_table(lk.plot.revenue_bridge, recurring),
    "plot.trend": of_table(lk.plot.trend, recurring),
    "plot.differences": of_table(
        lk.plot.differences, lambda engine: lk.compare(NPS(engine), "sector")
    ),
    "plot.answers": of_table(lk.plot.answers, survey(lk.tally, scale=(1, 5))),
    "plot.loyalty_tiers": of_table(lk.plot.loyalty_tiers, log(lk.loyalty_tier)),
    "plot.lifecycle_stages": of_table(lk.plot.lifecycle_stages, log(lk.lifecycle_stage)),
    "plot.rfm": of_table(lk.plot.rfm, lambda e: lk.rfm(e.frame(LOG), "id", "day", "id")),
    "plot.scorecard": of_table(lk.plot.scorecard, lambda engine: lk.scorecard(NPS(engine))),
    "nps_from_counts": of_counts(lk.nps_from_counts),
    "csat_from_counts": of_counts(lk.csat_from_counts),
    "ces_from_counts": of_counts(lk.ces_from_counts),
    "retention_rate_from_counts": of_counts(lk.retention_rate_from_counts),
    "churn_rate_from_counts": of_counts(lk.churn_rate_from_counts),
}
FROM_COUNTS: dict[str, Callable[[], Any]] = {
    "nps_from_counts": lambda: lk.nps_from_counts(promoters=[5], passives=[3], detractors=[2]),
    "csat_from_counts": lambda: lk.csat_from_counts(satisfied=[5], n=[8]),
    "ces_from_counts": lambda: lk.ces_from_counts(answers=[1, 2, 3], n=[4, 5, 6]),
    "retention_rate_from_counts": lambda: lk.retention_rate_from_counts(
        start=[10], end=[9], new=[2]
    ),
    "churn_rate_from_counts": lambda: lk.churn_rate_from_counts(start=[10], lost=[3]),
}

# A refusal says which kinds may come: frames that are in memory, or values instead of a column.
REFUSALS = (
    r"must be a DataFrame of pandas, Polars or PyArrow, not .* Collect it first: "
    r"|^(scores|values|weights) must be a Series or a 1-D array"
)

NO_FRAME = (
    r"takes 0 positional arguments but 1 was given"
    r"|^records must be a list of records|^table must be a string"
)


@functools.cache
def outcome(engine: Engine, name: str) -> str:
    """Return what a call did, in a word of the table; what fits no word is an error."""
    try:
        result = CALLS[name](engine)
    except TypeError as error:
        found = str(error)
        if re.search(NO_FRAME, found):
            return "no frame"
        if re.search(REFUSALS, found):
            return "refused"
        raise
    plt.close("all")
    frame = engine.frame(ANSWERS)
    if engine.is_eager:
        own = (type(frame), type(frame["sector"]), list, str, float, mpl.axes.Axes)
        assert isinstance(result, own), f"{name} of {engine.name} gave {type(result)}"
        return "in memory"
    if type(result) is type(frame):
        assert len(frame_rows(collected(result))) > 0
        return "in the engine"
    assert type(result) is pd.DataFrame, f"{name} of {engine.name} gave {type(result)}"
    return "reduced"


def wrong_cells(engine: Engine, cells: Cells) -> dict[str, str]:
    """Return the functions of which the table says another thing than a call shows."""
    column = COLUMNS[engine.name]
    seen = {name: outcome(engine, name) for name in cells}
    return {name: seen[name] for name in cells if cells[name][column] != seen[name]}


# ---- the tests ----------------------------------------------------------------------------------


def test_the_table_is_complete() -> None:
    """Every public function has one row, every engine of the tests a column, every word is told."""
    text = DOCS.read_text()
    cells = table_of(text)
    assert set(cells) == set(CALLS) == public_functions()
    assert {*CONSTRUCTORS, *WRAPPED} == set(COLUMNS)
    assert {word for row in cells.values() for word in row.values()} == set(WORDS)
    assert [row[0] for row in tables(text)[0][1:]] == [f"`{word}`" for word in WORDS]


def test_a_row_too_many_is_noticed() -> None:
    line = next(line for line in DOCS.read_text().splitlines() if line.startswith("| `csat` |"))
    with pytest.raises(AssertionError, match="csat has two rows"):
        table_of(DOCS.read_text().replace(line, f"{line}\n{line}"))
    fewer = table_of(DOCS.read_text().replace(f"{line}\n", ""))
    assert public_functions() - set(fewer) == {"csat"}


def test_the_table_is_true(any_engine: Engine) -> None:
    assert wrong_cells(any_engine, table_of(DOCS.read_text())) == {}


def test_a_wrong_cell_is_noticed(any_engine: Engine) -> None:
    """Each cell of this engine in turn, changed to each of the other words, in a copy."""
    text = DOCS.read_text()
    column = 1 + _engine_columns().index(COLUMNS[any_engine.name])
    for line in text.splitlines():
        if not any(line.startswith(f"| `{name}`") for name in CALLS) or len(_cells(line)) != 8:
            continue
        parts = [f" {cell} " for cell in _cells(line)]
        names = re.findall(r"`([\w.]+)`", parts[0])
        for word in set(WORDS) - {parts[column].strip()}:
            changed = [*parts[:column], f" {word} ", *parts[column + 1 :]]
            copy = text.replace(line, f"|{'|'.join(changed)}|")
            assert list(wrong_cells(any_engine, table_of(copy))) == names


@pytest.mark.parametrize("name", FROM_COUNTS)
def test_from_counts_gives_pandas(name: str) -> None:
    assert type(FROM_COUNTS[name]()) is pd.DataFrame
    assert set(FROM_COUNTS) == {function for function in CALLS if function.endswith("_counts")}


# What the section "What is collected" says: queries of the data, and of the frame beside it.
TIMED: dict[str, list[Any]] = {"id": [1], "valid_from": [dt.date(2026, 1, 1)], "sector": ["a"]}
SPANS: dict[str, list[Any]] = {
    "id": [1, 2],
    "start": [dt.date(2026, 1, 5), dt.date(2026, 2, 9)],
    "end": [dt.date(2026, 2, 6), None],
}
BOUGHT: dict[str, list[Any]] = {**LOG, "sector": ["a", "a", "b", "c"], "bought": [True] * 4}
SOLD: dict[str, list[Any]] = {
    **BOUGHT,
    "day": [dt.date(2026, 1, 5)] * 2 + [dt.date(2026, 1, 9), dt.date(2026, 2, 3)],
    "mrr": [9.0] * 4,
    "currency": ["EUR"] * 4,
    "told": [True, False, False, False],
}


def paid(mrr: list[float] | None = None, **options: Any) -> Call:
    columns = SOLD if mrr is None else {**SOLD, "mrr": mrr}
    return lambda engine: lk.revenue_retention(engine.frame(columns), "id", "day", "mrr", **options)


TOLD: dict[str, list[Any]] = {"id": [1], "nps": [9], "day": [dt.date(2026, 1, 9)]}
QUERIES: dict[str, tuple[Call, int]] = {
    "nps": (NPS, 1),
    "nps with time": (lambda e: lk.nps(e.frame(LOG), "id", time="day", **CUTS), 2),
    "nps with counts": (
        lambda e: lk.nps(e.frame({"x": [1], "n": [2]}), "x", counts="n", **CUTS),
        2,
    ),
    "flow": (log(lk.customer_flow), 2),
    "flow of contracts": (
        lambda e: lk.customer_flow(
            *(e.frame(SPANS), "id", "start"), contract_end="end", as_of="2026-03-31"
        ),
        3,
    ),
    "flow with grace": (
        lambda e: lk.customer_flow(e.frame(LOG), "id", "day", grace=2, observed_from="2026-02-01"),
        2,
    ),
    "cohorts by a column": (
        lambda e: lk.cohort_retention(e.frame(BOUGHT), "id", "day", by="sector"),
        3,
    ),
    "flow by segments": (
        lambda e: lk.customer_flow(
            e.frame(LOG), "id", "day", by="sector", segments=e.frame(SEGMENTS)
        ),
        2 + 2,
    ),
    "flow by segments with valid_from": (
        lambda e: lk.customer_flow(e.frame(LOG), "id", "day", by="sector", segments=e.frame(TIMED)),
        2 + 3,
    ),
    "revenue": (paid(), 3),
    "revenue by segments": (
        lambda e: paid(by="sector", segments=e.frame(SEGMENTS))(e),
        3 + 2,
    ),
    "revenue of which all is asked": (
        paid(by="sector", currency="currency", referred="told", method="none"),
        3 + 3,
    ),
    "revenue with credits": (paid(mrr=[9.0, -1.0, 9.0, 9.0]), 4),
    "revenue of contracts": (
        lambda e: lk.revenue_retention(
            e.frame({**SPANS, "mrr": [9.0, 8.0]}),
            *("id", "start", "mrr"),
            contract_end="end",
            as_of="2026-03-31",
        ),
        4,
    ),
    "tier": (log(lk.loyalty_tier), 1),
    "tier of purchases": (
        lambda e: lk.loyalty_tier(e.frame(BOUGHT), "id", "day", purchase="bought"),
        2,
    ),
    "tier of listed customers": (
        lambda e: lk.loyalty_tier(e.frame(LOG), "id", "day", customers=e.frame(SEGMENTS)),
        1 + 1,
    ),
    "stage": (log(lk.lifecycle_stage), 1),
    "stage with answers": (
        lambda e: lk.lifecycle_stage(
            e.frame(LOG), "id", "day", answers=e.frame(TOLD), score="nps", answered="day"
        ),
        1 + 2,
    ),
    "scores": (CALLS["rfm"], 3),
    "lifetimes": (CALLS["customer_lifetimes"], 1),
    "gaps": (log(lk.inactivity_gap), 2),
    "moves": (
        lambda e: lk.tier_transitions(e.frame({**TIMED, "tier": ["new"]}), "id"),
        3,
    ),
    "curve": (curve(), 2),
    "curve of counts": (curve(counts="n"), 3),
    "test of counts": (spells(lk.logrank, by="plan", counts="n"), 3),
    "mean": (CALLS["restricted_mean"], 2),
    "curve with weights": (curve(weights="weight"), 3),
    "one answer of each": (log(lk.one_answer), 1),
    "two answers of each": (CALLS["compare_paired"], 1),
    "attach": (attached, 0 + 2),
    "attach with time": (
        lambda e: lk.attach_segments(
            e.frame(LOG), e.frame(TIMED), on="id", time="day", valid_from="valid_from"
        ),
        1 + 3,
    ),
}


# Where rows have no order, one more looks for ties.
FOR_TIES = [("duckdb", "one answer of each")]


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("kind", ["polars-lazy", "duckdb"])
def test_number_of_queries(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, wanted = QUERIES[name]
    queries = []
    collect = nw.LazyFrame.collect

    def counting(frame: Any, *args: Any, **keywords: Any) -> Any:
        queries.append(frame)
        return collect(frame, *args, **keywords)

    monkeypatch.setattr(nw.LazyFrame, "collect", counting)
    call(Engine(kind))
    assert len(queries) == wanted + ((kind, name) in FOR_TIES)


# ---- the examples -------------------------------------------------------------------------------


BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """Return the Python examples of each section, one after the other."""
    titled = re.split(r"^##+ (.*)\n", DOCS.read_text(), flags=re.MULTILINE)
    bodies = zip(titled[1::2], titled[2::2], strict=True)
    return {title: "".join(BLOCK.findall(body)) for title, body in bodies if BLOCK.search(body)}


EXAMPLES = sections()
# The engines that are started beside the tests, by what an example imports.
START = {"spark": ("from pyspark", _spark), "dask": ("import dask", _dask)}


def engine_of(example: str) -> str:
    return next((name for name, (line, _) in START.items() if line in example), "")


def example(title: str) -> Any:
    marks = [pytest.mark.engines] if engine_of(EXAMPLES[title]) else []
    return pytest.param(title, marks=marks, id=title)


@pytest.mark.parametrize("title", [example(title) for title in EXAMPLES])
def test_example(title: str) -> None:
    code = EXAMPLES[title]
    engine = engine_of(code)
    reason = missing_engine(engine)
    if reason is not None and REQUIRED:
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)
    if engine:
        START[engine][1]()  # the session or the cluster of the tests, which the example finds
    found = doctest.DocTestParser().get_doctest(code, {}, title, str(DOCS), 0)
    assert found.examples
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(found, out=report.append).failed == 0, "".join(report)


def test_every_engine_has_an_example() -> None:
    assert {"Polars lazy", "DuckDB", "PySpark", "Dask"} <= set(EXAMPLES)
    assert {engine_of(code) for code in EXAMPLES.values()} == {"", *START}
    assert set(START) == set(BESIDE)
    text = DOCS.read_text()
    assert text.count("```python") == len(BLOCK.findall(text)), "a block that no test runs"
