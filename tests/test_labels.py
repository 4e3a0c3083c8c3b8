"""Labels: every spelling that the issue names, what is unknown, and the groups of NPS."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, categories_of, column, values_of
from hypothesis import given
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _results, labels
from loyaltykit.errors import DataError, LoyaltyKitError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Function = Callable[..., Any]

SECTORS = ["B2B", "B2C", "B2G", "NPO"]
RELATIONSHIPS = ["internal", "external"]
TIERS = ["prospect", "new", "repeat", "loyal"]

LABELS: dict[Function, list[str]] = {
    lk.normalize_sector: SECTORS,
    lk.normalize_relationship: RELATIONSHIPS,
    lk.normalize_loyalty_tier: TIERS,
}
TABLES: list[tuple[Mapping[str, str], list[str]]] = [
    (labels._SECTOR_SPELLINGS, SECTORS),
    (labels._RELATIONSHIP_SPELLINGS, RELATIONSHIPS),
    (labels._TIER_SPELLINGS, TIERS),
]
each_function = pytest.mark.parametrize("function", LABELS)

# One label that is known to each function, and which label that is.
KNOWN = {
    lk.normalize_sector: ("pemerintah", "B2G"),
    lk.normalize_relationship: ("karyawan", "internal"),
    lk.normalize_loyalty_tier: ("setia", "loyal"),
}


# ---- spellings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "label", "spellings"),
    [
        (lk.normalize_sector, "B2B", ["b2b", "B2B ", "business-to-business", "perusahaan"]),
        (lk.normalize_sector, "B2C", ["b2c", "consumer", "perorangan", "Konsumen", "Individual"]),
        (lk.normalize_sector, "B2G", ["b2g", "government", "pemerintah", "instansi", "Gov."]),
        (lk.normalize_sector, "NPO", ["npo", "nirlaba", "yayasan", "non-profit", "NGO", "LSM"]),
        (lk.normalize_relationship, "internal", ["internal", "Karyawan", "pegawai", "In-house"]),
        (lk.normalize_relationship, "external", ["external", "eksternal", "pelanggan", "Client"]),
        (lk.normalize_loyalty_tier, "prospect", ["prospect", "potensial", "prospek", "Lead"]),
        (lk.normalize_loyalty_tier, "new", ["new", "baru", "pelanggan baru", "First-time"]),
        (lk.normalize_loyalty_tier, "repeat", ["repeat", "berulang", "Returning"]),
        (lk.normalize_loyalty_tier, "loyal", ["loyal", "setia", "pelanggan setia"]),
    ],
)
def test_spellings_people_keep(
    engine: Engine, function: Function, label: str, spellings: list[str]
) -> None:
    found = function(engine.series(spellings))
    assert values_of(found) == [label] * len(spellings)


@pytest.mark.parametrize(
    ("function", "text"),
    [(f, text) for f, label in LABELS.items() for text in label],
)
def test_a_label_is_a_spelling_of_itself(function: Function, text: str) -> None:
    assert function([text, text.lower(), text.upper()]).tolist() == [text] * 3


@pytest.mark.parametrize(
    "spelling",
    [
        *("non-profit", "Non-Profit", "NON PROFIT", " non  profit ", "non_profit", "non.profit"),
        *("non/profit", "(non-profit)", "non\u00a0profit", "\tnon\u2013profit\n", "'non-profit'"),
    ],
)
def test_case_blanks_and_punctuation_do_not_matter(spelling: str) -> None:
    assert lk.normalize_sector([spelling]).tolist() == ["NPO"]


@given(
    blanks=st.lists(st.sampled_from([" ", "-", "_", ".", "\t", "\u00a0"]), min_size=1, max_size=3),
    upper=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_any_mix_of_case_and_blanks(blanks: list[str], upper: list[bool]) -> None:
    between = "".join(blanks)
    letters = "".join(
        letter.upper() if up else letter
        for letter, up in zip("business to business", upper, strict=True)
    )
    found = lk.normalize_sector([between + letters.replace(" ", between) + between])
    assert found.tolist() == ["B2B"]


@pytest.mark.parametrize(("table", "expected"), TABLES)
def test_no_spelling_is_claimed_twice(table: Mapping[str, str], expected: list[str]) -> None:
    assert list(table) == expected
    spellings = [text for label in table for text in table[label].split(", ")]
    assert sorted(text for text in set(spellings) if spellings.count(text) > 1) == []
    assert "other" not in spellings


@pytest.mark.parametrize(("table", "expected"), TABLES)
def test_every_spelling_can_be_met(table: Mapping[str, str], expected: list[str]) -> None:
    """A spelling that is not in its own simplified form would never match anything."""
    spellings = [text for label in expected for text in table[label].split(", ")]
    assert [text for text in spellings if labels._simplified(text) != text] == []


def test_labels_are_those_of_the_tables() -> None:
    assert list(_results.SECTORS) == SECTORS
    assert list(_results.RELATIONSHIPS) == RELATIONSHIPS
    assert list(_results.TIERS) == TIERS


# ---- what comes back ----------------------------------------------------------------------------


@each_function
def test_an_ordered_categorical_of_the_same_engine(engine: Engine, function: Function) -> None:
    spelling, label = KNOWN[function]
    given_values = engine.series([spelling, None, spelling])
    found = function(given_values)
    assert type(found) is type(given_values)
    assert categories_of(found) == LABELS[function]
    assert values_of(found) == [label, None, label]


def test_categories_compare_by_their_order(engine: Engine) -> None:
    tiers = lk.normalize_loyalty_tier(engine.series(["setia", "baru", "prospek", "repeat"]))
    if engine.name == "pyarrow":  # its compute functions have no order of dictionaries
        ranks = tiers.combine_chunks().indices.to_pylist()
    else:
        ranks = [TIERS.index(value) for value in values_of(tiers)]
        assert values_of(tiers.sort_values() if engine.is_pandas else tiers.sort()) == TIERS
    assert ranks == [3, 1, 0, 2]


def test_normalizing_twice_changes_nothing(engine: Engine) -> None:
    once = lk.normalize_sector(engine.series(["consumer", None, "ngo"]))
    twice = lk.normalize_sector(once)
    assert values_of(twice) == values_of(once) == ["B2C", None, "NPO"]
    assert categories_of(twice) == categories_of(once)


def test_pandas_keeps_index_and_name() -> None:
    given_values = pd.Series(["b2b", None, "ngo"], index=[7, 7, 3], name="segment")
    found = lk.normalize_sector(given_values)
    expected = pd.Categorical(["B2B", None, "NPO"], categories=SECTORS, ordered=True)
    pd.testing.assert_series_equal(
        found, pd.Series(expected, index=[7, 7, 3], name="segment"), check_categorical=True
    )
    assert given_values.tolist()[::2] == ["b2b", "ngo"]


def test_polars_keeps_the_name() -> None:
    assert lk.normalize_sector(pl.Series("segment", ["b2b"])).name == "segment"


@pytest.mark.parametrize("values", [["b2b", None], ("b2b", None), np.array(["b2b", None])])
def test_lists_and_arrays_give_pandas(values: Any) -> None:
    found = lk.normalize_sector(values)
    assert isinstance(found, pd.Series)
    assert values_of(found) == ["B2B", None]


@pytest.mark.parametrize("null", [None, float("nan"), pd.NA, pd.NaT])
def test_every_kind_of_null_stays_null(null: Any) -> None:
    for unknown in ("raise", "null", "other"):
        assert values_of(lk.normalize_sector(["b2b", null], unknown=unknown)) == ["B2B", None]


@each_function
def test_nothing_but_nulls(engine: Engine, function: Function) -> None:
    found = function(engine.series([None, None]))
    assert values_of(found) == [None, None]
    assert categories_of(found) == LABELS[function]


@pytest.mark.parametrize(
    "empty",
    [
        *([], (), np.array([], dtype=str), pd.Series([], dtype="str"), pd.Series([], dtype=object)),
        *(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.Enum(["x"])), pl.Series([])),
        *(pa.chunked_array([], type=pa.string()), pa.chunked_array([pa.array([], pa.string())])),
        *(pa.chunked_array([], type=pa.dictionary(pa.int8(), pa.string())), pa.chunked_array([[]])),
    ],
    ids=lambda empty: f"{type(empty).__module__}-{getattr(empty, 'dtype', None)}",
)
def test_empty(empty: Any) -> None:
    found = lk.normalize_sector(empty)
    assert values_of(found) == []
    assert categories_of(found) == SECTORS


# ---- categorical input --------------------------------------------------------------------------


def test_an_unused_unknown_category_is_no_error(engine: Engine) -> None:
    levels = ["who knows", "ngo", "b2b"]
    sectors = engine.frame({"sector": ["b2b", None, "ngo"]}, {"sector": levels})["sector"]
    assert values_of(lk.normalize_sector(sectors)) == ["B2B", None, "NPO"]


def test_a_used_unknown_category_is_an_error(engine: Engine) -> None:
    sectors = engine.frame({"sector": ["b2b", "x", "x"]}, {"sector": ["x", "b2b"]})["sector"]
    with pytest.raises(DataError, match=r"^'(sector|values)': 2 rows with labels .*'x'"):
        lk.normalize_sector(sectors)


def test_polars_categorical() -> None:
    sectors = pl.Series(["ngo", None, "b2b"], dtype=pl.Categorical)
    assert lk.normalize_sector(sectors).to_list() == ["NPO", None, "B2B"]


def test_arrow_chunks_with_dictionaries_of_their_own() -> None:
    chunks = [pa.array(["b2b", "ngo"]).dictionary_encode(), pa.array(["ngo"]).dictionary_encode()]
    found = lk.normalize_sector(pa.chunked_array(chunks))
    assert found.to_pylist() == ["B2B", "NPO", "NPO"]


def test_arrow_dictionary_that_holds_null_or_one_value_twice() -> None:
    dictionary = pa.array(["b2b", None, "b2b"])
    sectors = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), dictionary)
    found = lk.normalize_sector(pa.chunked_array([sectors]))
    assert found.to_pylist() == ["B2B", None, "B2B", None]


def test_pandas_column_with_an_arrow_dictionary() -> None:
    kind = pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))
    found = lk.normalize_sector(pd.Series(["ngo", None, "b2b"], dtype=kind))
    assert values_of(found) == ["NPO", None, "B2B"]


# ---- unknown labels -----------------------------------------------------------------------------


def test_unknown_labels_are_listed_with_their_rows(engine: Engine) -> None:
    values = engine.series(["b2b", "plumber", None, "plumber", "zebra", "npo"])
    with pytest.raises(DataError) as raised:
        lk.normalize_sector(values)
    message = str(raised.value)
    assert message.startswith("'values': 3 rows ")
    for said in ("'plumber', 'zebra'.", "'B2B', 'B2C', 'B2G', 'NPO'", 'unknown="null"'):
        assert said in message


def test_only_the_first_few_unknown_labels_are_shown(engine: Engine) -> None:
    values = engine.series([f"kind {letter}" for letter in "abcdefgh"])
    with pytest.raises(
        DataError, match=r"^'values': 8 rows .*'kind e', \.\.\.\. Correct"
    ) as raised:
        lk.normalize_sector(values)
    assert "kind f" not in str(raised.value)


@each_function
def test_unknown_null(engine: Engine, function: Function) -> None:
    spelling, label = KNOWN[function]
    found = function(engine.series([spelling, "???", None]), unknown="null")
    assert values_of(found) == [label, None, None]
    assert categories_of(found) == LABELS[function]


@each_function
def test_unknown_other(engine: Engine, function: Function) -> None:
    spelling, label = KNOWN[function]
    found = function(engine.series(["???", spelling, None, "Other"]), unknown="other")
    assert values_of(found) == ["other", label, None, "other"]
    assert categories_of(found) == [*LABELS[function], "other"]


@pytest.mark.parametrize("blank", ["", " ", "-"])
def test_text_without_a_word_is_unknown_not_null(blank: str) -> None:
    with pytest.raises(DataError, match="1 row with labels"):
        lk.normalize_sector(["b2b", blank])


@pytest.mark.parametrize(
    "values", [[1, 2, 1], [1.5, 2.5, 1.5], [True, False, True], ["b2b ", 3, "x"]]
)
def test_values_that_are_no_text_are_unknown(values: list[Any]) -> None:
    with pytest.raises(DataError, match=rf"rows? with labels .*{re.escape(repr(values[1]))}"):
        lk.normalize_sector(values)
    found = lk.normalize_sector(values, unknown="other")
    assert found.tolist()[1:] == ["other", "other"]


@pytest.mark.parametrize("values", ["b2b", None, 3, {"b2b"}, {"b2b": 1}, iter(["b2b"])])
@each_function
def test_wrong_types(function: Function, values: Any) -> None:
    with pytest.raises(TypeError, match="values must be"):
        function(values)


def test_a_frame_is_no_column(engine: Engine) -> None:
    with pytest.raises(TypeError, match="values must be"):
        lk.normalize_sector(engine.frame({"sector": ["b2b"]}))


def test_more_than_one_dimension() -> None:
    with pytest.raises(LoyaltyKitError, match="values must have one dimension, not 2"):
        lk.normalize_sector(np.array([["b2b"]]))


@each_function
def test_unknown_is_one_of_three_words(function: Function) -> None:
    with pytest.raises(ParameterError, match=r"unknown='Null' is not one of .* mean 'null'"):
        function(["x"], unknown="Null")
    with pytest.raises(TypeError, match="unknown must be a string, not bool"):
        function(["x"], unknown=True)


# ---- NPS groups ---------------------------------------------------------------------------------

GROUPS = ["detractor", "passive", "promoter"]


def test_every_answer_has_its_group(engine: Engine) -> None:
    given_values = engine.series(range(11))
    found = lk.nps_group(given_values)
    assert values_of(found) == ["detractor"] * 7 + ["passive"] * 2 + ["promoter"] * 2
    assert categories_of(found) == GROUPS
    assert type(found) is type(given_values)


@given(
    answers=st.lists(st.none() | st.integers(0, 10), max_size=20),
    cutoffs=st.tuples(st.integers(0, 10), st.integers(0, 10)).filter(lambda c: c[0] < c[1]),
)
def test_cutoffs(answers: list[int | None], cutoffs: tuple[int, int]) -> None:
    low, high = cutoffs
    expected = [
        None if a is None else GROUPS[0] if a <= low else GROUPS[2] if a >= high else GROUPS[1]
        for a in answers
    ]
    assert values_of(lk.nps_group(answers, promoter_min=high, detractor_max=low)) == expected


def test_groups_count_like_nps(engine: Engine) -> None:
    answers = [10, 9, None, 8, 7, 7, 6, 0]
    table = lk.nps(engine.frame({"nps": answers}), "nps")
    groups = values_of(lk.nps_group(engine.series(answers)))
    for group in GROUPS:
        assert column(table, f"{group}s") == [groups.count(group)]
    assert column(table, "n_missing") == [groups.count(None)]


def test_null_answers_have_no_group(engine: Engine) -> None:
    assert values_of(lk.nps_group(engine.series([None, 10, None]))) == [None, "promoter", None]
    assert values_of(lk.nps_group(engine.series([float("nan"), 8.0]))) == [None, "passive"]


def test_answers_as_text(engine: Engine) -> None:
    found = lk.nps_group(engine.series(["10", " 7", None, "0.0"]))
    assert values_of(found) == ["promoter", "passive", None, "detractor"]


@pytest.mark.parametrize("values", [[], np.array([], dtype=np.int64), pd.Series([], dtype="Int64")])
def test_no_answers(values: Any) -> None:
    found = lk.nps_group(values)
    assert values_of(found) == []
    assert categories_of(found) == GROUPS


def test_groups_keep_index_and_name() -> None:
    found = lk.nps_group(pd.Series([10, 3], index=["x", "y"], name="q1"))
    assert found.index.tolist() == ["x", "y"]
    assert found.name == "q1"


@pytest.mark.parametrize(
    ("answers", "count", "shown"),
    [
        ([0, 11, -1, 10], 2, "11, -1"),
        ([4.5, 4.0], 1, "4.5"),
        (["9", "ten", "ten"], 2, "'ten'"),
        ([1, 99, 99, 99], 3, "99"),
    ],
)
def test_answers_off_the_scale(engine: Engine, answers: list[Any], count: int, shown: str) -> None:
    with pytest.raises(DataError) as raised:
        lk.nps_group(engine.series(answers))
    message = str(raised.value)
    assert f"{count} row" in message
    assert "0 to 10" in message
    assert shown in message


def test_the_advice_can_be_followed() -> None:
    """An error names only keywords that the function has."""
    with pytest.raises(DataError) as raised:
        lk.nps_group([11])
    advised = set(re.findall(r"(\w+)=", str(raised.value)))
    assert advised <= set(inspect.signature(lk.nps_group).parameters)


@pytest.mark.parametrize("values", [[True, False], pd.Series(pd.to_datetime(["2026-01-01"]))])
def test_answers_of_another_kind(values: Any) -> None:
    with pytest.raises(DataError, match="not numbers"):
        lk.nps_group(values)


@pytest.mark.parametrize("values", ["10", None, 10])
def test_answers_of_a_wrong_type(values: Any) -> None:
    with pytest.raises(TypeError, match="scores must be"):
        lk.nps_group(values)


@pytest.mark.parametrize(
    ("promoter_min", "detractor_max", "match"),
    [
        (6, 6, "detractor_max=6 must be below promoter_min=6"),
        (5, 7, "must be below"),
        (11, 6, "must lie on"),
        (9, -1, "must lie on"),
    ],
)
def test_cutoffs_that_cannot_be(promoter_min: int, detractor_max: int, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        lk.nps_group([5], promoter_min=promoter_min, detractor_max=detractor_max)


@pytest.mark.parametrize("cutoff", ["9", 9.0, True, None])
def test_cutoffs_are_whole_numbers(cutoff: Any) -> None:
    with pytest.raises(TypeError, match="promoter_min must be a whole number"):
        lk.nps_group([5], promoter_min=cutoff)
