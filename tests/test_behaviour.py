"""What every function of behaviour checks of its parameters, before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from conftest import (
    Engine,
    column_names,
    frame_rows,
)
from logs import FULL_DAY, LOG_FUNCTIONS

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    ParameterError,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_missing_columns_are_named_with_the_near_one(engine: Engine) -> None:
    log = engine.frame({"Customer ": [1], "day": [FULL_DAY], "sector": ["B2B"]})
    with pytest.raises(ColumnNotFoundError, match=r"customer='customer'.*Did you mean 'Customer '"):
        lk.customer_flow(log, "customer", "day")
    with pytest.raises(ColumnNotFoundError, match=r"time='days'.*Did you mean 'day'"):
        lk.customer_flow(log, "Customer ", "days")
    with pytest.raises(ColumnNotFoundError, match=r"'sectr'.*Did you mean 'sector'"):
        lk.customer_flow(log, "Customer ", "day", by="sectr")


@pytest.mark.parametrize("function", LOG_FUNCTIONS)
@pytest.mark.parametrize("name", ["period", "cohort", "start", "estimate", "n", "coverage"])
def test_a_key_cannot_have_the_name_of_a_result_column(
    function: Callable[..., Any], name: str
) -> None:
    log = pd.DataFrame({"id": [1], "day": [FULL_DAY], name: ["x"]})
    with pytest.raises(ParameterError, match=f"by='{name}'"):
        function(log, "id", "day", by=name)


def test_by_takes_one_name_several_or_none(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": [FULL_DAY], "sector": ["B2B"], "region": ["east"]})
    one = lk.customer_flow(log, "id", "day", by="sector")
    assert frame_rows(one) == frame_rows(lk.customer_flow(log, "id", "day", by=["sector"]))
    two = lk.customer_flow(log, "id", "day", by=["region", "sector"])
    assert column_names(two)[:3] == ["region", "sector", "period"]
    none = lk.customer_flow(log, "id", "day", by=[])
    assert frame_rows(none) == frame_rows(lk.customer_flow(log, "id", "day"))
    with pytest.raises(ParameterError, match="by names 'sector' more than once"):
        lk.customer_flow(log, "id", "day", by=["sector", "sector"])
