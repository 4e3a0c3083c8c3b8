"""What columns hold: one shape for every table of the contract, and no table that fits two."""

from __future__ import annotations

import pytest

from loyaltykit import _results, _schemas


def test_every_metric_has_a_shape() -> None:
    metrics = [metric for shape in _schemas.SHAPES.values() for metric in shape.metrics]
    assert sorted(metrics) == sorted(_results.COUNTS)


@pytest.mark.parametrize("name", _schemas.SHAPES)
def test_a_shape_is_known_by_its_required_columns(name: str) -> None:
    shape = _schemas.SHAPES[name]
    first = dict.fromkeys(shape.required, "a") | dict.fromkeys(
        ["metric"], (shape.metrics or [""])[0]
    )
    columns = [column for column in shape.columns if column in shape.required]
    if name in ("compare", "explain_change"):
        columns.insert(1, "sector")
    assert _schemas.recognised(columns, first, None).table == name
    assert set(shape.required) == set(shape.columns) - {c for g in shape.optional for c in g}


def test_columns_of_shapes_are_reserved() -> None:
    """A key could not be told from them otherwise."""
    columns = {column for shape in _schemas.SHAPES.values() for column in shape.columns}
    assert columns - _results.RESERVED - {*_results.CHANGE} == set()


def test_every_count_is_a_whole_number() -> None:
    kinds = _schemas.recognised(
        list(_results.EARNED_GROWTH), {"metric": "grr", "definition": ""}, None
    ).kinds
    whole = {name for name, kind in kinds.items() if kind == _schemas.COUNT}
    assert whole == {"n", "n_missing", "retained", "reactivated", "referred"}
