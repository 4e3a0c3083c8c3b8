"""NPS, CSAT and CES over HTTP: rows or counts in, strict JSON out, and a reason for every refusal.

uvicorn --app-dir examples/service app:app
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pandas as pd
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

import loyaltykit as lk

MOST_ROWS, MOST_BYTES = 10_000, 2_000_000
CELL = {"type": ["string", "number", "boolean", "null"]}


def cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        msg = "a cell is text, a number, true, false or null, not a list or an object"
        raise ValueError(msg)
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is infinite too
        msg = "NaN and infinite numbers are not JSON; null is no answer"
        raise ValueError(msg)
    return value


class Strict(BaseModel):
    """Text is no number here, and a field that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Cell = Annotated[Any, AfterValidator(cell), WithJsonSchema(CELL)]
Numbers = Annotated[list[int], Field(min_length=1)]
Counts = int | Numbers


class Rows(Strict):
    """Answers, or counts of them, a row each; options as the functions of the library have them."""

    rows: list[dict[str, Cell]] = Field(min_length=1, description=f"at most {MOST_ROWS}")
    score: str
    by: list[str] | None = None
    counts: str | None = None
    time: str | None = None
    freq: str | None = None
    scale: tuple[int, int] | None = None
    missing: list[int | str] | None = None
    errors: str | None = None
    confidence_level: float | None = None


class Group(Strict):
    """Counts of one group, or of many with a label each."""

    labels: list[str] | dict[str, list[str]] | None = None
    confidence_level: float | None = None


class NpsCounts(Group):
    promoters: Counts
    passives: Counts
    detractors: Counts


class CsatCounts(Group):
    satisfied: Counts
    n: Counts


class CesCounts(Group):
    answers: Numbers
    n: Numbers | list[Numbers]


Body = TypeVar("Body", bound=Strict)
METRICS: dict[str, tuple[Any, Any, type[Strict]]] = {
    "nps": (lk.nps, lk.nps_from_counts, NpsCounts),
    "csat": (lk.csat, lk.csat_from_counts, CsatCounts),
    "ces": (lk.ces, lk.ces_from_counts, CesCounts),
}
PATHS = [f"/{metric}/{kind}" for metric in METRICS for kind in ("rows", "counts")]
app = FastAPI(title="Customer metrics")


async def body_of(request: Request) -> bytes:
    """Return the body as it is: what parses it must know NaN, depth and size for what they are."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, f"the content type must be application/json, not {kind!r}")
    body, size = bytearray(), 0
    async for chunk in request.stream():  # to its end: who is still sending reads no answer
        size += len(chunk)
        body += chunk if size <= MOST_BYTES else b""
    if size > MOST_BYTES:
        raise HTTPException(413, f"the body has {size:,} bytes, and {MOST_BYTES:,} are the most")
    return bytes(body)


def parsed(kind: type[Body], body: bytes) -> Body:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        told = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found[:3]]
        status = 400 if found[0]["type"] == "json_invalid" else 422
        raise HTTPException(status, "; ".join(told)) from None


def answer(compute: Callable[[], Any]) -> JSONResponse:
    """Return the table and the warnings, or the library's own reason why there is none."""
    with warnings.catch_warnings(record=True) as caught:  # one request at a time gets here
        warnings.simplefilter("always")
        try:
            records = lk.to_records(compute())
        except lk.errors.LoyaltyKitError as error:
            raise HTTPException(422, f"{type(error).__name__}: {error}") from None
    told = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    return JSONResponse({"records": records, "warnings": told})


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    if len(rows) > MOST_ROWS:
        raise HTTPException(413, f"{len(rows):,} rows, and {MOST_ROWS:,} are the most")
    for i, row in enumerate(rows):
        if row.keys() != rows[0].keys():  # pandas would take a misspelt field for no answer
            fields = f"{list(row)}, and row 0 {list(rows[0])}"
            raise HTTPException(422, f"row {i} has the fields {fields}: write null for no answer")
    return pd.DataFrame(rows, dtype=object)  # whole numbers stay whole beside a null


def add_routes(metric: str) -> None:
    from_rows, from_counts, of_counts = METRICS[metric]

    async def rows(body: Annotated[bytes, Depends(body_of)]) -> JSONResponse:
        asked = parsed(Rows, body)
        options = asked.model_dump(exclude={"rows"}, exclude_none=True)
        return answer(lambda: from_rows(frame_of(asked.rows), **options))

    async def counts(body: Annotated[bytes, Depends(body_of)]) -> JSONResponse:
        options = parsed(of_counts, body).model_dump(exclude_none=True)
        return answer(lambda: from_counts(**options))

    for path, route, kind in (("rows", rows, Rows), ("counts", counts, of_counts)):
        app.post(
            f"/{metric}/{path}",
            name=f"{metric} from {path}",
            responses={200: {"content": {"application/json": {"schema": schema_of(metric)}}}},
            openapi_extra={
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": kind.model_json_schema()}},
                }
            },
        )(route)


def schema_of(metric: str) -> dict[str, Any]:
    """Return the schema of an answer, from the columns of the table; keys are the caller's own."""
    tables = [lk.record_schema(metric, period=period) for period in (False, True)]
    for table in tables:
        table["items"]["additionalProperties"] = CELL
    told = {"type": "array", "items": {"type": "string"}}
    answer = {"records": {"anyOf": tables}, "warnings": told}
    return {"type": "object", "properties": answer, "required": [*answer]}


for name in METRICS:
    add_routes(name)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.exception_handler(404)
async def no_such_path(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"there is no such path; POST to one of {PATHS}"}, 404)
