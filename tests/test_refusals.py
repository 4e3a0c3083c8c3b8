"""Messages about data: what was found, and the way out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loyaltykit import _refusals
from loyaltykit.errors import DataError, ParameterError


@pytest.mark.parametrize(
    ("complain", "fragments"),
    [
        (
            lambda: _refusals.bad_answers(
                "nps", 1234, [11, 12.5, "x", 13, 14, 15], (0, 10), "Do this."
            ),
            ["'nps': 1,234 rows", "scale 0 to 10: 11, 12.5, 'x', 13, 14, .... Do this."],
        ),
        (
            lambda: _refusals.bad_times("when", 1, ["31/01/2026"], coercible=True),
            ["'when': 1 row ", "ISO dates such as 2026-01-31", "'31/01/2026'", "coerce"],
        ),
        (
            lambda: _refusals.null_values("customer", 2, "customer id"),
            ["'customer': 2 rows without a customer id", "coerce"],
        ),
        (
            lambda: _refusals.changes_within_customer(["tier"], 2, [7, 9]),
            ["by='tier' changes within 2 customers (ids 7, 9)", "segments="],
        ),
        (
            lambda: _refusals.ends_before_start("end", "start", 2, ["2026-01-04", "2026-01-05"]),
            ["contract_end='end': 2 rows with an end before 'start': '2026-01-04', ", "coerce"],
        ),
        (
            lambda: _refusals.one_zone("start", "end"),
            ["Only one of 'start' and 'end' has a time zone"],
        ),
        (
            lambda: _refusals.null_keys("segments", "customer", 3),
            ["segments: 3 rows whose 'customer' is null"],
        ),
        (
            lambda: _refusals.duplicate_keys("segments", ["customer"], 2, [7]),
            ["segments has 2 rows too many for the key 'customer': 7 "],
        ),
        (
            lambda: _refusals.different_key_types(
                "customer", ("data", "segments"), ("text", "numbers")
            ),
            ["'customer' holds text in data and numbers in segments"],
        ),
        (
            lambda: _refusals.different_key_types(
                "customer", ("segments", "data"), ("text", "numbers")
            ),
            ["'customer' holds numbers in data and text in segments"],
        ),
    ],
)
def test_messages_about_data(complain: Callable[[], None], fragments: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        complain()
    message = str(caught.value)
    assert [fragment for fragment in fragments if fragment not in message] == []


def test_a_way_out_is_offered_only_where_there_is_one() -> None:
    with pytest.raises(DataError, match=r"'31/01'\. Parse them first\.$"):
        _refusals.bad_times("when", 1, ["31/01"], coercible=False)
    with pytest.raises(DataError, match=r"Complete or remove them\.$"):
        _refusals.null_values("when", 1, "date", coercible=False)


def test_naive_times_have_no_zone_to_convert_from() -> None:
    with pytest.raises(ParameterError, match=r"^tz='Asia/Jakarta': 'when' has no time zone"):
        _refusals.naive_times("Asia/Jakarta", "when")
