"""Words and numbers of pictures and pages in the reader's language: English or Indonesian.

The English text is the key, so that code reads as the picture does. Tables and errors stay English.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from loyaltykit import _checks

Language = Literal["en", "id"]
LANGUAGES: Final[tuple[str, ...]] = get_args(Language)

INDONESIAN: Final[dict[str, str]] = {
    # What a row or a picture has nothing of.
    "no answers": "tidak ada jawaban",
    "no data": "tidak ada data",
    "no estimate": "tidak ada estimasi",
    "no rows": "tidak ada baris",
    # Units.
    "percent": "persen",
    "percentage points": "poin persentase",
    "points": "poin",
    "scale points": "poin skala",
    # Coverage.
    "observed": "teramati",
    "partial": "sebagian",
    "unobserved": "belum teramati",
    # Intervals.
    "{level}% interval": "interval {level}%",
}

# A point becomes a comma and a comma a point, in one pass.
_SEPARATORS: Final = str.maketrans(",.", ".,")


def check_language(language: object) -> str:
    """Return ``language`` when there are words of it here."""
    return _checks.check_choice("language", language, LANGUAGES)


def say(text: str, language: str, /, **places: object) -> str:
    """Return a text of ours in the language, with its places filled; numbers by `number`.

    A text that has no Indonesian is a mistake of ours, and a KeyError.
    """
    return (INDONESIAN[text] if language == "id" else text).format(**places)


def word(name: str, language: str) -> str:
    """Return what may be a word of ours, such as a unit; a word of the caller's stays as it is."""
    plain = name.replace("_", " ")
    return INDONESIAN.get(plain, plain) if language == "id" else plain


def number(value: float, form: str, language: str) -> str:
    """Return a number in a form such as ``"{:,.1f}%"``, with the separators of the language."""
    text = form.format(value)
    return text.translate(_SEPARATORS) if language == "id" else text
