"""What the columns of every result table hold: for reading records back, and for JSON Schema.

The names come from the column tuples of `_results`; here is what stands under them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loyaltykit import _checks, _refusals, _results
from loyaltykit.errors import DataError, ParameterError

# What a column may hold: the words of record_schema's by=, and more that only tables have.
TEXT, INTEGER, NUMBER, BOOLEAN, DATE = "string", "integer", "number", "boolean", "date"
COUNT = "count"  # a whole number of at least 0
SIZE = "size"  # a number, whole where all of them are
ANY = "any"  # a key, which may be of any of the first five
KEY_TYPES = (TEXT, INTEGER, NUMBER, BOOLEAN, DATE)
_SCALARS = (TEXT, INTEGER, NUMBER, BOOLEAN)

_DATES = ("period", "cohort", "as_of")
_INTEGERS = ("answer", "answer_sum")  # which a scale below 0 makes negative
_TEXTS = ("dimension", "level", "name", "part", "adjust", *_results.WORDS[1:], "coverage", "metric")
_COUNTS = frozenset(
    (
        *(name for names in _results.COUNTS.values() for name in names),
        *("n", "n_missing", "n_reference", "end", "cohort_age"),
        *_results.CUSTOMER_FLOW[2:],
        *(_results.BRIEF, *_results.MIGRATION),
        *_results.SURVIVAL_COUNTS[1:],
        *("events", "events_reference"),
    )
) - {*_INTEGERS, "amount", "amount_start"}
_COVERAGE = ("observed", "partial", "unobserved")

# Metrics of customers followed through time: their counts may be unknown yet.
FOLLOWED = (
    *("retention_rate", "churn_rate", "quick_ratio", "cohort_retention", "cohort_revenue"),
    *_results.REVENUE_METRICS,
)
_REVENUE = ("cohort_revenue", *_results.REVENUE_METRICS)


class Shape(NamedTuple):
    """One kind of table: its own columns in order, and which of them come only sometimes."""

    columns: tuple[str, ...]
    optional: tuple[tuple[str, ...], ...] = ()  # each of them whole, or not at all
    metrics: tuple[str, ...] = ()  # none: those of the table that it was made from
    places: tuple[int, ...] = (0,)  # before which of the columns keys may stand
    timed: bool = False  # whether the function gives calendar columns without being asked
    integers: tuple[str, ...] = ()  # columns that hold whole numbers in this table alone

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that are always there."""
        apart = {name for names in self.optional for name in names}
        return tuple(name for name in self.columns if name not in apart)


def _survey(metric: str, columns: tuple[str, ...]) -> Shape:
    sums = (*_results.weighted_names(metric), *_results.DESIGN)
    return Shape((*_results.PERIOD, *columns), (_results.PERIOD, sums), (metric,))


_ENDS = _results.CHURN_RATE.index("estimate")
# By the name of the function that makes the table.
SHAPES: dict[str, Shape] = {
    "nps": _survey("nps", _results.NPS_WEIGHTED),
    "csat": _survey("csat", _results.CSAT_WEIGHTED),
    "ces": _survey("ces", _results.CES_WEIGHTED),
    "tally": Shape(
        ("period", *_results.TALLY_WEIGHTED),
        (("period",), ("cluster",), ("weight", "weight_sq")),
    ),
    "retention_rate": Shape(
        _results.RETENTION_RATE, (_results.PERIOD, ("as_of",)), ("retention_rate",), timed=True
    ),
    "churn_rate": Shape(
        (*_results.CHURN_RATE[:_ENDS], "end", *_results.CHURN_RATE[_ENDS:]),
        (_results.PERIOD, ("end",), ("as_of",)),
        ("churn_rate",),
        timed=True,
    ),
    "quick_ratio": Shape(_results.QUICK_RATIO, (_results.PERIOD,), ("quick_ratio",), timed=True),
    "cohort_retention": Shape(
        _results.COHORT_RETENTION, (("cohort",),), ("cohort_retention",), timed=True
    ),
    "cohort_revenue": Shape(
        _results.COHORT_REVENUE, (("cohort",),), ("cohort_revenue",), timed=True
    ),
    "revenue_retention": Shape(
        _results.EARNED_GROWTH,
        (_results.PERIOD, _results.COUNTS["earned_growth"][-3:]),
        _results.REVENUE_METRICS,
        timed=True,
    ),
    "tier_transitions": Shape(
        _results.TIER_TRANSITIONS, (_results.PERIOD,), ("tier_transitions",), timed=True
    ),
    "restricted_mean": Shape(_results.RESTRICTED_MEAN, (), (_results.AREA,)),
    "customer_flow": Shape(
        (*_results.CUSTOMER_FLOW, _results.BRIEF, *_results.MIGRATION),
        ((_results.BRIEF,), _results.MIGRATION),
        timed=True,
    ),
    "survival_curve": Shape(_results.SURVIVAL_WEIGHTED, (("w_at_risk", "w_events"),)),
    "survival_quantile": Shape(_results.SURVIVAL_QUANTILE),
    "logrank": Shape(_results.LOGRANK, integers=("df",)),
    "logrank_pairs": Shape(_results.LOGRANK_PAIRS, integers=("df",)),
    "compare": Shape(("metric", *_results.COMPARE), places=(0, 1)),
    "explain_change": Shape(_results.EXPLAIN_CHANGE, places=(0, 1, 2)),
    "compare_paired": Shape(_results.COMPARE_PAIRED),
    "scorecard": Shape(
        (
            *_results.SCORECARD[:3],
            *_results.PERIOD,
            *_results.SCORECARD[3:],
            *_results.CHANGE,
            "as_of",
        ),
        (_results.PERIOD, _results.CHANGE, ("as_of",)),
        places=(),
    ),
}
# Columns of the table compared that are keys of the comparison.
KEYS_OF_COMPARISONS = ("period", "cohort", "cohort_age", "from_tier", "to_tier")
_WEIGHTED = frozenset(("weight", "w_at_risk", "n_effective"))


class Read(NamedTuple):
    """What records were found to be: the table, its columns in order, and what each holds."""

    table: str
    kinds: dict[str, str]
    nullable: frozenset[str]  # columns of whole numbers that may have none


def recognised(
    columns: Sequence[str], first: Mapping[str, Any], keys: Sequence[str] | None
) -> Read:
    """Return which table has these columns; refuse those that no table has."""
    name, shape = _nearest(columns, first.get("metric"))
    own = [column for column in shape.columns if column in columns]
    others = [column for column in columns if column not in shape.columns]
    lacking = [column for column in shape.required if column not in columns]
    for group in shape.optional:
        present = [column for column in group if column in columns]
        lacking += [column for column in group if present and column not in present]
    if lacking:
        _refusals.lacking_columns(name, lacking, columns)
    reserved = _results.RESERVED.difference(KEYS_OF_COMPARISONS if len(shape.places) > 1 else ())
    unknown = [column for column in others if column in reserved or not shape.places]
    if keys is not None:
        unknown = [column for column in others if column not in keys]
        _checks.check_columns(_checks.by_roles(keys), others, "records")
    if unknown:
        _refusals.unknown_columns(name, unknown)
    order, astray = list(columns), _astray(columns, own, shape)
    if astray and keys is not None and shape.places == (0,):
        order, astray = [*keys, *own], []
    if astray:
        _refusals.columns_out_of_order(name, astray)
    metric = first.get("metric")
    from_counts = str(first.get("definition", "")).startswith("basis=counts")
    followed = name in ("customer_flow", "scorecard") or (metric in FOLLOWED and not from_counts)
    across = order[order.index("reference") - 1] if "reference" in order else ""
    kinds = {column: _kind(shape, column, metric, across) for column in order}
    counts = [column for column, kind in kinds.items() if kind == COUNT]
    return Read(name, kinds, frozenset(["answer", *(counts if followed else ())]) - {"cohort_age"})


def _nearest(columns: Sequence[str], metric: object) -> tuple[str, Shape]:
    """Return the table that has most of these columns, and lacks fewest."""
    held = set(columns)
    scored = []
    for name, shape in SHAPES.items():
        lacks = len(set(shape.required) - held)
        fits = metric in shape.metrics if shape.metrics else metric is None or "metric" in shape[0]
        scored.append((lacks, not fits, -len(held & set(shape.columns)), name))
    lacks, _, common, name = min(scored)
    if -common <= lacks:
        msg = (
            f"records have the columns {_checks.listed(columns, 20)}, which are those of no result "
            f"table. from_records reads what to_records wrote of {_checks.listed(SHAPES, 30)}."
        )
        raise DataError(msg)
    return name, SHAPES[name]


def _astray(columns: Sequence[str], own: Sequence[str], shape: Shape) -> list[str]:
    """Return the columns that are not where the table has them."""
    given = [column for column in columns if column in own]
    astray = [column for column, place in zip(given, own, strict=True) if column != place]
    starts = {shape.columns[place] for place in shape.places} | {*own[:1]}
    following = ""
    for column in reversed(columns):
        if column in own:
            following = column
        elif following not in starts:
            astray.insert(0, column)
    return astray


def _kind(shape: Shape, column: str, metric: object, across: str) -> str:
    """Return what a column of a table holds."""
    if column in shape.integers:
        return COUNT
    if column == "reference" and column in shape.columns:
        dated = across in _DATES or shape is SHAPES["scorecard"]
        return DATE if dated else ANY
    if column not in shape.columns and column not in KEYS_OF_COMPARISONS:
        return ANY
    revenue = metric in _REVENUE or shape.metrics[:1] in (("cohort_revenue",), ("grr",))
    if revenue and column in _results.amounts_of("earned_growth"):
        return NUMBER
    for names, kind in _KINDS:
        if column in names:
            return kind
    return ANY if column in ("from_tier", "to_tier", "cluster") else NUMBER


_KINDS: tuple[tuple[Sequence[str] | frozenset[str], str], ...] = (
    (_DATES, DATE),
    (_TEXTS, TEXT),
    (_INTEGERS, INTEGER),
    (_COUNTS, COUNT),
    (("duration",), SIZE),
)


# ---- JSON Schema --------------------------------------------------------------------------------


def json_schema(
    table: str, keys: Mapping[str, str | None], period: bool | None, weighted: bool
) -> dict[str, Any]:
    """Return the JSON Schema of a table's records."""
    shape = SHAPES[table]
    chosen, maybe = _groups(table, shape, period, weighted)
    apart = {column for group in shape.optional for column in group if column not in chosen}
    named = {column for group in maybe for column in group}
    own = [column for column in shape.columns if column not in apart or column in named]
    properties: dict[str, Any] = {name: _of_key(kind) for name, kind in keys.items()}
    properties |= {column: _property(table, shape, column, keys) for column in own}
    record: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [*keys, *(column for column in own if column not in named)],
        "additionalProperties": False,
    }
    together = {
        column: [other for other in group if other != column]
        for group in maybe
        for column in group
        if len(group) > 1
    }
    if together:
        record["dependentRequired"] = together
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table,
        "type": "array",
        "items": record,
    }


def _groups(
    table: str, shape: Shape, period: bool | None, weighted: bool
) -> tuple[set[str], list[tuple[str, ...]]]:
    """Return the optional columns that are there, and the groups of those that may be."""
    calendar = [group for group in shape.optional if group[0] in ("period", "cohort")]
    weights = [group for group in shape.optional if _WEIGHTED & set(group)]
    if period is not None and not calendar and period is not shape.timed:
        way = "Name the column in by=." if len(shape.places) > 1 else "Leave period out."
        always = "always have" if shape.timed else "never have"
        msg = f"period={period}: records of {table} {always} their calendar columns. {way}"
        raise ParameterError(msg)
    if weighted and not weights:
        msg = f"weighted=True: a table of {table} has no weights. Leave weighted out."
        raise ParameterError(msg)
    chosen: set[str] = set()
    if table == "scorecard":
        calendar = [] if period is None else calendar
    if shape.timed if period is None else period:
        chosen.update(*calendar)
    if weighted:
        chosen.update(*weights)
    maybe = [group for group in shape.optional if group not in (*calendar, *weights)]
    return chosen, maybe


def _property(table: str, shape: Shape, column: str, keys: Mapping[str, str | None]) -> Any:
    metric = shape.metrics[0] if shape.metrics else None
    across = list(keys)[-1] if keys else ""
    kind = _kind(shape, column, metric, across)
    if column == "reference" and table in ("compare", "explain_change", "compare_paired"):
        # A level of the key, or the word that stands for all other levels.
        types = {TEXT, *(_json_type(kind) for kind in keys.values() if kind is not None)}
        open_ended = not keys or None in keys.values()
        return {"type": [*(_SCALARS if open_ended else sorted(types)), "null"]}
    if column == "metric":
        return {"enum": [*(shape.metrics or _results.COUNTS)]}
    if column == "coverage":
        return {"enum": [*_COVERAGE, *([None] if table == "scorecard" else [])]}
    if kind == COUNT:
        known = not (table in ("customer_flow", "scorecard") or metric in FOLLOWED)
        sure = column == "cohort_age" or (known and shape.metrics)
        sure = sure or table in ("tally", "survival_curve", "logrank", "logrank_pairs")
        return {"type": "integer" if sure else ["integer", "null"], "minimum": 0}
    if kind == DATE:
        sure = column in ("period", "cohort") and table != "scorecard"
        return {"type": "string" if sure else ["string", "null"], "format": "date"}
    if column in _results.WORDS or kind == SIZE:
        return {"type": TEXT if kind == TEXT else NUMBER}
    return _of_key(None if kind == ANY else kind)


def _json_type(kind: str) -> str:
    return TEXT if kind == DATE else kind


def _of_key(kind: str | None) -> dict[str, Any]:
    """Return the schema of a key, which may be null; None is a key of any type."""
    if kind is None:
        return {"type": [*_SCALARS, "null"]}
    return {"type": [_json_type(kind), "null"], **({"format": DATE} if kind == DATE else {})}
