"""What the functions of survival refuse before they count."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from loyaltykit import _spells
from loyaltykit.errors import ColumnNotFoundError, ParameterError

FRAME = pd.DataFrame({"months": [1, 2], "left": [True, False], "n": [1, 2], "estimate": [1, 2]})
NOTHING: dict[str, Any] = {"by": None, "entry": None, "counts": None, "weights": None}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"counts": "n", "weights": "n"}, ParameterError, "counts='n' and weights='n' exclude"),
        ({"errors": "ignore"}, ParameterError, "errors='ignore' is not one of"),
        ({"by": "estimate"}, ParameterError, "by='estimate': a result table has a column of"),
        ({"entry": "since"}, ColumnNotFoundError, "entry='since': data has no such column"),
        ({"entry": 3}, TypeError, "entry must be a column name"),
    ],
)
def test_parameters(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        _spells.read(FRAME, "months", "left", **{**NOTHING, "errors": "raise", **options})
