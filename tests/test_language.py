"""Words in English and Indonesian."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from loyaltykit import _language
from loyaltykit.errors import ParameterError

SOURCES = Path(_language.__file__).parent


def said_texts() -> list[tuple[str, str]]:
    """Every literal that the package hands to ``say``, with the file it is in."""
    found = []
    for path in sorted(SOURCES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            first = node.args[0]
            if name == "say" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append((path.name, first.value))
    return found


def test_every_text_said_has_its_indonesian() -> None:
    missing = [pair for pair in said_texts() if pair[1] not in _language.INDONESIAN]
    assert missing == []


@pytest.mark.parametrize(("english", "indonesian"), _language.INDONESIAN.items())
def test_both_languages_have_the_same_places(english: str, indonesian: str) -> None:
    places = re.compile(r"\{(\w*)[^}]*\}")
    assert sorted(places.findall(english)) == sorted(places.findall(indonesian))
    assert english == english.strip()
    assert indonesian == indonesian.strip() != ""


def test_a_text_is_said_in_the_language() -> None:
    assert _language.say("no data", "en") == "no data"
    assert _language.say("no data", "id") == "tidak ada data"
    assert _language.say("{level}% interval", "id", level=95) == "interval 95%"


def test_a_text_without_indonesian_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        _language.say("a text that nobody wrote", "id")


def test_a_word_of_the_callers_stays() -> None:
    assert _language.word("percentage_points", "en") == "percentage points"
    assert _language.word("percentage_points", "id") == "poin persentase"
    assert _language.word("fortnights", "id") == "fortnights"


@pytest.mark.parametrize(
    ("value", "form", "english", "indonesian"),
    [
        (1234.5, "{:,.1f}", "1,234.5", "1.234,5"),
        (36.12, "{:+.1f}%", "+36.1%", "+36,1%"),
        (12, "{:,.0f}", "12", "12"),
    ],
)
def test_numbers_have_the_separators_of_the_language(
    value: float, form: str, english: str, indonesian: str
) -> None:
    assert _language.number(value, form, "en") == english
    assert _language.number(value, form, "id") == indonesian


def test_another_language_is_refused() -> None:
    assert _language.check_language("id") == "id"
    with pytest.raises(ParameterError, match="language='fr' is not one of 'en', 'id'"):
        _language.check_language("fr")
    with pytest.raises(TypeError, match="language"):
        _language.check_language(None)
