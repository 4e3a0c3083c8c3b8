"""One class to catch them all, and the warnings that are not errors."""

from __future__ import annotations

import inspect

import pytest

import loyaltykit as lk
from loyaltykit import errors

ERRORS = [errors.ColumnNotFoundError, errors.DataError, errors.ParameterError]
WARNINGS = [
    errors.ConvergenceWarning,
    errors.DroppedRowsWarning,
    errors.EmptyRiskSetWarning,
    errors.ScaleWarning,
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_a_loyaltykit_error_and_a_value_error(error: type[Exception]) -> None:
    assert issubclass(error, errors.LoyaltyKitError)
    assert issubclass(error, ValueError)


@pytest.mark.parametrize("warning", WARNINGS)
def test_a_warning_is_no_error(warning: type[Warning]) -> None:
    assert issubclass(warning, UserWarning)
    assert not issubclass(warning, errors.LoyaltyKitError)


def test_all_lists_every_class_of_the_module() -> None:
    classes = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    assert set(errors.__all__) == classes


def test_the_module_is_public_and_one_clause_catches_any_error() -> None:
    for bad in ({"confidence_level": 95}, {"by": "sector"}, {"method": "exact"}):
        with pytest.raises(lk.errors.LoyaltyKitError):
            lk.nps([10, 9, 8], **bad)
