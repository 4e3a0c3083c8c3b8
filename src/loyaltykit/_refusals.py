"""Data that cannot be counted: the text of every refusal, with what was found and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NoReturn

from loyaltykit._checks import listed, plain, rows
from loyaltykit.errors import DataError, ParameterError


def unknown_level(
    parameter: str, value: object, column: str, levels: Sequence[object], also: Sequence[str]
) -> NoReturn:
    """Raise for a level that a key of a result table does not have."""
    texts = {str(level): level for level in [*levels, *also]}
    near = difflib.get_close_matches(str(value), list(texts), n=1)
    hint = f" Did you mean {texts[near[0]]!r}?" if near else ""
    words = f", or pass {' or '.join(repr(word) for word in also)}" if also else ""
    msg = (
        f"{parameter}={plain(value)!r} is no level of {column!r}: it has {listed(levels, 20)}"
        f"{words}.{hint}"
    )
    raise ParameterError(msg)


def bad_answers(
    column: str, count: int, values: Iterable[object], scale: tuple[int, int], advice: str
) -> NoReturn:
    """Raise for answers that are off the scale, fractional or not numbers at all."""
    low, high = scale
    msg = (
        f"{column!r}: {rows(count)} with answers that are not whole points of the scale "
        f"{low} to {high}: {listed(values)}. {advice}"
    )
    raise DataError(msg)


def unknown_labels(
    column: str, count: int, values: Iterable[object], known: Sequence[str]
) -> NoReturn:
    """Raise for labels that are no spelling of any known one."""
    msg = (
        f"{column!r}: {rows(count)} with labels that are none of {listed(known)}: "
        f'{listed(values)}. Correct them, or pass unknown="null" or unknown="other".'
    )
    raise DataError(msg)


def bad_times(column: str, count: int, values: Iterable[object], *, coercible: bool) -> NoReturn:
    """Raise for times that are not dates."""
    way_out = ', or pass errors="coerce" to leave those rows out' if coercible else ""
    msg = (
        f"{column!r}: {rows(count)} with times that are not ISO dates such as 2026-01-31: "
        f"{listed(values)}. Parse them first{way_out}."
    )
    raise DataError(msg)


def bad_counts(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for counts that are missing, negative or fractional."""
    msg = (
        f"counts={column!r}: {rows(count)} without a whole number, 0 or more: {listed(values, 6)}."
    )
    raise DataError(msg)


def check_total(column: str | None, total: float) -> None:
    """Refuse counts that are too many to be summed exactly."""
    if total >= 2**53:
        msg = f"counts={column!r} add up to more than 2**53, which cannot be summed exactly."
        raise DataError(msg)


def counts_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of counts that holds no numbers."""
    msg = f"counts={column!r} must be a column of whole numbers, not {dtype}."
    raise DataError(msg)


def bad_weights(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for weights that are negative or infinite."""
    msg = (
        f"weights={column!r}: {rows(count)} with weights that are negative, infinite, or beyond "
        f"1e-100 to 1e100: {listed(values, 6)}. A weight is how much of the population a row "
        "speaks for."
    )
    raise DataError(msg)


def missing_weights(column: str, count: int) -> NoReturn:
    """Raise for rows without a weight."""
    msg = (
        f"weights={column!r}: {rows(count)} without a weight. Complete them, or pass "
        'errors="coerce" to count those answers as missing.'
    )
    raise DataError(msg)


def weights_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of weights that holds no numbers."""
    msg = f"weights={column!r} must be a column of numbers, not {dtype}."
    raise DataError(msg)


def null_units(parameter: str, column: str, count: int) -> NoReturn:
    """Raise for answers that belong to no cluster or stratum."""
    msg = (
        f"{parameter}={column!r} is null in {rows(count)}. Complete or remove them; an answer that "
        "shares its unit with no other takes an id of its own."
    )
    raise DataError(msg)


def zones_in_text(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for texts that name a zone, where the engine cannot read them."""
    msg = (
        f"{column!r}: {rows(count)} with texts that name a time zone: {listed(values)}. A lazy "
        "engine reads none from text: cast the column to a timestamp first."
    )
    raise DataError(msg)


def not_dates(column: str, dtype: object) -> NoReturn:
    """Raise for a column of a type that tells no date."""
    msg = (
        f"{column!r} holds {dtype}, not dates. Convert it first: a number alone does not "
        "say its unit or its epoch."
    )
    raise DataError(msg)


def not_flags(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for a column that should hold true and false."""
    msg = f"{column!r}: {rows(count)} neither true nor false: {listed(values)}."
    raise DataError(msg)


def bad_events(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for codes of an event that leave open whether it happened."""
    msg = (
        f"event={column!r}: {rows(count)} neither true nor false: {listed(values)}. An event is "
        f"True or 1 where it was seen, False or 0 where it was not: compare first, as in "
        f'data[{column!r}] == "Yes".'
    )
    raise DataError(msg)


def bad_spans(parameter: str, column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for lengths of time that are negative or have no end."""
    msg = (
        f"{parameter}={column!r}: {rows(count)} with a length of time that is negative or "
        f"infinite: {listed(values)}. Correct or remove them."
    )
    raise DataError(msg)


def late_entries(entry: str, duration: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for those who came under observation when it was over."""
    msg = (
        f"entry={entry!r}: {rows(count)} with an entry at or after {duration!r}: {listed(values)}. "
        "Nobody saw them before they left: correct or remove them."
    )
    raise DataError(msg)


def amounts_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of amounts that holds something else."""
    not_numbers("amount", column, dtype)


def not_numbers(parameter: str, column: str, dtype: object) -> NoReturn:
    """Raise for a column that should hold numbers."""
    msg = f"{parameter}={column!r} must be a column of numbers, not {dtype}. Convert it first."
    raise DataError(msg)


def negative_amounts(column: str, count: int, freq: str, ids: Iterable[object]) -> NoReturn:
    """Raise for customers who would pay less than nothing in a period."""
    cases = "case" if count == 1 else "cases"
    msg = (
        f"amount={column!r} adds up to less than 0 in {count:,} {cases} of a customer and a "
        f"{freq}, of the customers {listed(ids)}. What recurs is 0 or more: book a credit in the "
        f"{freq} of what it corrects, and leave out refunds of what does not recur."
    )
    raise DataError(msg)


def several_currencies(column: str, values: Sequence[object]) -> NoReturn:
    """Raise for amounts that cannot be added up."""
    shown = [value for value in values if value is not None]
    null = ["null"] if len(shown) < len(values) else []
    found = listed([*sorted(shown, key=str), *null])
    msg = (
        f"currency={column!r} holds {found} in one group, whose amounts cannot be added up. "
        f"Split by it, by={column!r}, or convert the amounts to one currency."
    )
    raise DataError(msg)


def null_values(column: str, count: int, what: str, *, coercible: bool = True) -> NoReturn:
    """Raise for rows without an id or a time."""
    way_out = ', or pass errors="coerce" to leave them out with a warning' if coercible else ""
    article = "an" if what[0] in "aeiou" else "a"
    msg = f"{column!r}: {rows(count)} without {article} {what}. Complete or remove them{way_out}."
    raise DataError(msg)


def changes_within_customer(names: Sequence[str], count: int, ids: Iterable[object]) -> NoReturn:
    """Raise for a key column that is not constant within a customer."""
    noun = "customer" if count == 1 else "customers"
    msg = (
        f"by={listed(names)} changes within {count:,} {noun} (ids {listed(ids)}). A split of a "
        "rate is read as of the period's start: pass segments=, a frame with one row per customer, "
        "or one with a valid_from column."
    )
    raise DataError(msg)


def tied_answers(
    customer: str, time: str, keep: str, count: int, ids: Iterable[object]
) -> NoReturn:
    """Raise for rows of one time, of which none is the later one without an order of rows."""
    noun = "customer has" if count == 1 else "customers have"
    msg = (
        f"{customer!r}: {count:,} {noun} different rows at one {time!r} that is the {keep} (ids "
        f"{listed(ids)}), and this engine keeps no order of rows that would settle it. Name a "
        "finer time, drop all of them but one, or collect first: in memory the order counts."
    )
    raise DataError(msg)


def null_keys(frame: str, column: str, count: int) -> NoReturn:
    """Raise for a lookup frame with a null key."""
    msg = f"{frame}: {rows(count)} whose {column!r} is null. Remove them: they match nobody."
    raise DataError(msg)


def duplicate_keys(
    frame: str, names: Sequence[str], count: int, keys: Iterable[object]
) -> NoReturn:
    """Raise for a lookup frame with more than one row for a key."""
    msg = (
        f"{frame} has {rows(count)} too many for the key {listed(names)}: {listed(keys)} "
        "(repeated). Keep one row per key."
    )
    raise DataError(msg)


def different_key_types(column: str, frames: Sequence[str], kinds: Sequence[str]) -> NoReturn:
    """Raise for keys that could never match, the data first."""
    held = sorted(zip(frames, kinds, strict=True), key=lambda pair: pair[0] != "data")
    found = " and ".join(f"{kind} in {frame}" for frame, kind in held)
    msg = f"{column!r} holds {found}, so no row would match. Convert one of them first."
    raise DataError(msg)


def naive_times(tz: str, column: str) -> NoReturn:
    """Raise for a zone where the times have none to convert from."""
    msg = f"tz={tz!r}: {column!r} has no time zone to convert from. Leave tz out, or localize it."
    raise ParameterError(msg)


def zone_on_one_side(column: str, zone: str) -> NoReturn:
    """Raise for moments of segments that cannot be placed among naive times."""
    msg = (
        f"{column!r} in segments has the time zone {zone}, and the times in data "
        "have none: they cannot be compared. Give both a zone, or neither."
    )
    raise DataError(msg)


def one_zone(start: str, end: str) -> NoReturn:
    """Raise for starts and ends of contracts of which only one kind has a time zone."""
    msg = f"Only one of {start!r} and {end!r} has a time zone. Give both a zone, or neither."
    raise DataError(msg)


def ends_before_start(end: str, start: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for contracts that end before they start."""
    msg = (
        f"contract_end={end!r}: {rows(count)} with an end before {start!r}: {listed(values)}. "
        'Correct them, or pass errors="coerce" to leave those rows out.'
    )
    raise DataError(msg)


def lacking_columns(table: str, names: Sequence[str], columns: Sequence[str]) -> NoReturn:
    """Raise for records without some columns of the table that they seem to be."""
    msg = (
        f"records look like a table of {table}, and lack {listed(names, 20)}. They have "
        f"{listed(columns, 40)}. Read back all that to_records wrote."
    )
    raise DataError(msg)


def unknown_columns(table: str, names: Sequence[str]) -> NoReturn:
    """Raise for records with columns that the table does not have."""
    msg = (
        f"records look like a table of {table}, which has no column {listed(names, 20)}. Remove "
        "what was added, or name the keys with by=."
    )
    raise DataError(msg)


def columns_out_of_order(table: str, names: Sequence[str]) -> NoReturn:
    """Raise for records whose keys cannot be told from what somebody added."""
    msg = (
        f"records look like a table of {table}, which has no column {listed(names)} in that place. "
        "Keep the columns and the order that to_records wrote, or name the keys with by=."
    )
    raise DataError(msg)


def different_fields(row: int, extra: Sequence[object], absent: Sequence[object]) -> NoReturn:
    """Raise for a record with other columns than the first."""
    parts = [f"has {listed(extra)} more"] if extra else []
    parts += [f"lacks {listed(absent)}"] if absent else []
    msg = (
        f"records[{row}] {' and '.join(parts)} compared with records[0]. A table has the same "
        "columns in every row; null is written as None."
    )
    raise DataError(msg)


def bad_cells(column: str, count: int, values: Iterable[object], expected: str) -> NoReturn:
    """Raise for values of records that a column cannot hold."""
    have = "has" if count == 1 else "have"
    msg = f"records: {column!r} holds {expected}, and {rows(count)} {have} {listed(values)}."
    raise DataError(msg)
