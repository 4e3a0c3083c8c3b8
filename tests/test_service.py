"""examples/service as its clients meet it: a server in a process of its own, asked over HTTP."""

from __future__ import annotations

import collections
import json
import random
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from tables import same_frame

import loyaltykit as lk

SERVICE = Path(__file__).parents[1] / "examples" / "service"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server, and its address; it must not have failed at anything when it stops."""
    log = tmp_path_factory.mktemp("service") / "log"
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(SERVICE), "app:app", "--port", "0"]
    with (
        log.open("w") as stream,
        subprocess.Popen(command, stderr=stream, stdout=stream) as running,
    ):
        try:
            while (found := re.search(r"running on (\S+)", log.read_text())) is None:
                assert running.poll() is None, log.read_text()
                time.sleep(0.05)
            yield found[1]
        finally:
            running.terminate()
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=30) as client:
        yield client


def never(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


def told(reply: httpx.Response) -> Any:
    """Return what a reply says, read as strict JSON."""
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.text, parse_constant=never)


# ---- what is answered ---------------------------------------------------------------------------

ROWS: list[dict[str, Any]] = [
    {"nps": score, "sector": sector, "size": size, "day": day}
    for score, sector, size, day in [
        (10, "B2B", 1, "2026-01-05"),
        (3, "B2C", 2, "2026-01-06"),
        (None, "B2B", None, "2026-02-05"),
        (9, None, 1, "2026-02-06"),
        (7, "a\x00", 2, "2026-02-07"),
        (0, "</script>\u2028\u00e9\U0001f600", 1, "2026-02-08"),
    ]
]
NPS = {"rows": ROWS, "score": "nps"}
TALLY = [{"answer": 9, "n": 4}, {"answer": 2, "n": 6}, {"answer": None, "n": 1}]
FAULTY = [{"nps": answer} for answer in (9, 1, 99, "n/a", "nine")]
FRAME = pd.DataFrame(ROWS).astype({"size": "Int64"})
GROUPS: dict[str, Any] = {
    "promoters": [5, 0],
    "passives": [3, 0],
    "detractors": [2, 0],
    "labels": ["a", "b"],
}
# A path, a body, and the library's own result.
GOOD: dict[str, tuple[str, dict[str, Any], Any]] = {
    "rows": ("/nps/rows", NPS, lk.nps(FRAME, "nps")),
    "by": ("/nps/rows", NPS | {"by": ["sector"]}, lk.nps(FRAME, "nps", by="sector")),
    "by a number": ("/nps/rows", NPS | {"by": ["size"]}, lk.nps(FRAME, "nps", by="size")),
    "by month": (
        "/nps/rows",
        NPS | {"by": ["sector"], "time": "day", "freq": "month"},
        lk.nps(FRAME, "nps", by="sector", time="day", freq="month"),
    ),
    "level": (
        "/nps/rows",
        NPS | {"confidence_level": 0.8, "by": None},
        lk.nps(FRAME, "nps", confidence_level=0.8),
    ),
    "codes and faults": (
        "/nps/rows",
        {"rows": FAULTY, "score": "nps", "missing": [99, "n/a"], "errors": "coerce"},
        lk.nps(pd.DataFrame({"nps": [9, 1, None, None, None]}), "nps"),
    ),
    "stored counts": (
        "/nps/rows",
        {"rows": TALLY, "score": "answer", "counts": "n"},
        lk.nps(pd.DataFrame(TALLY), "answer", counts="n"),
    ),
    "satisfaction": (
        "/csat/rows",
        NPS | {"scale": [0, 10]},
        lk.csat(FRAME, "nps", scale=(0, 10)),
    ),
    "effort": ("/ces/rows", NPS | {"scale": [0, 10]}, lk.ces(FRAME, "nps", scale=(0, 10))),
    "groups": ("/nps/counts", GROUPS, lk.nps_from_counts(**GROUPS)),
    "one group": (
        "/csat/counts",
        {"satisfied": 8, "n": 10},
        lk.csat_from_counts(satisfied=8, n=10),
    ),
    "points": (
        "/ces/counts",
        {"answers": [1, 2, 3], "n": [0, 3, 9]},
        lk.ces_from_counts(answers=[1, 2, 3], n=[0, 3, 9]),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_answer_is_the_librarys(client: httpx.Client, name: str) -> None:
    path, body, table = GOOD[name]
    reply = client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    records = told(reply)["records"]
    assert records == lk.to_records(table)
    same_frame(lk.from_records(records), table)


def test_a_warning_reaches_the_client(client: httpx.Client) -> None:
    rows = [{"nps": score % 5 + 1} for score in range(60)]
    (warning,) = told(client.post("/nps/rows", json={"rows": rows, "score": "nps"}))["warnings"]
    assert "scale" in warning


def test_answers_fit_the_schema_that_is_published(client: httpx.Client) -> None:
    published = told(client.get("/openapi.json"))
    for path, body, _ in GOOD.values():
        route = published["paths"][path]["post"]
        assert Draft202012Validator(schema(route["requestBody"])).is_valid(body)
        fits = Draft202012Validator(schema(route["responses"]["200"])).is_valid
        answer = told(client.post(path, json=body))
        assert fits(answer)
        assert not fits(answer | {"records": [answer["records"][0] | {"n": "many"}]})
        assert not fits({"records": answer["records"]})


def schema(part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = part["content"]["application/json"]["schema"]
    return found


# ---- what is refused ----------------------------------------------------------------------------


def rows_with(**cells: str) -> bytes:
    """Return a body whose one row has cells written as they are."""
    written = ", ".join(f'"{name}": {text}' for name, text in cells.items())
    return f'{{"score": "nps", "rows": [{{{written}}}]}}'.encode()


def asked(**changes: Any) -> bytes:
    return json.dumps(NPS | changes).encode()


DEEP = b"[" * 100_000
MANY = json.dumps({"rows": [{"nps": 1}] * 10_001, "score": "nps"}).encode()
# A body to /nps/rows, the status, and the reason; what the library says comes as it says it.
BAD: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "Invalid JSON"),
    "malformed": (b'{"rows": [', 400, "Invalid JSON"),
    "a form": (b"rows=1&score=2", 400, "Invalid JSON"),
    "a null byte": (b'{"score": "nps"\x00}', 400, "Invalid JSON"),
    "no UTF-8": (rows_with(nps='"\xff"').replace(b"\xc3\xbf", b"\xff"), 400, "Invalid JSON"),
    "half a character": (rows_with(nps='"\\ud800"'), 400, "Invalid JSON"),
    "deep nesting": (DEEP, 400, "recursion limit"),
    "deep rows": (b'{"rows": ' + DEEP, 400, "recursion limit"),
    "a list": (b"[]", 422, "body: Input should be an object"),
    "null": (b"null", 422, "body: Input should be an object"),
    "NaN": (rows_with(nps="NaN"), 422, "rows.0.nps: .*NaN and infinite numbers are not JSON"),
    "Infinity": (rows_with(nps="-Infinity"), 422, "NaN and infinite numbers are not JSON"),
    "infinite": (rows_with(nps="1e999"), 422, "NaN and infinite numbers are not JSON"),
    "NaN of a level": (asked(confidence_level=float("nan")), 422, "confidence_level: "),
    "huge": (rows_with(nps="9" * 30), 422, r"^DataError: 'nps'.*not whole points of the scale"),
    "endless": (rows_with(nps="9" * 5_000), 400, "Invalid JSON: number out of range"),
    "a huge key": (
        json.dumps(NPS | {"rows": [{"nps": 11, "k": 10**300}], "by": ["k"]}).encode(),
        422,
        "DataError: 'nps'",
    ),
    "no rows": (asked(rows=[]), 422, "rows: List should have at least 1 item"),
    "empty rows": (asked(rows=[{}]), 422, "ColumnNotFoundError: score='nps'"),
    "rows missing": (b'{"score": "nps"}', 422, "rows: Field required"),
    "score missing": (b'{"rows": [{"nps": 1}]}', 422, "score: Field required"),
    "no such column": (asked(score="npss"), 422, "ColumnNotFoundError: .*Did you mean 'nps'"),
    "no such key": (asked(by=["sectr"]), 422, r"ColumnNotFoundError: by\[0\]='sectr'"),
    "a reserved key": (asked(rows=[{"nps": 1, "n": 2}], by=["n"]), 422, "ParameterError: by='n'"),
    "off the scale": (rows_with(nps="11"), 422, "DataError: 'nps': 1 row.*0 to 10: 11"),
    "a fraction": (rows_with(nps="9.5"), 422, "DataError: 'nps'.*9.5"),
    "text": (rows_with(nps='"nine"'), 422, "DataError: 'nps'.*'nine'"),
    "truth": (rows_with(nps="true"), 422, "DataError: 'nps'"),
    "a list as an answer": (rows_with(nps="[9]"), 422, "rows.0.nps: .*not a list or an object"),
    "an object as an answer": (rows_with(nps="{}"), 422, "rows.0.nps: .*not a list or an object"),
    "a row that is none": (asked(rows=[[1]]), 422, "rows.0: Input should be an object"),
    "a misspelt field": (asked(rows=[{"nps": 1}, {"nsp": 2}]), 422, r"row 1 has the fields"),
    "an unknown field": (asked(note="x"), 422, "note: Extra inputs are not permitted"),
    "text for a number": (asked(confidence_level="0.9"), 422, "confidence_level: Input should be"),
    "percent": (asked(confidence_level=95), 422, "ParameterError: confidence_level=95.*0.95"),
    "one name as a list": (asked(by="sector"), 422, "by: Input should be a valid"),
    "a column of negative counts": (
        asked(rows=[{"nps": 9, "k": -1}], counts="k"),
        422,
        "DataError: counts='k'.*-1",
    ),
    "huge counts": (asked(rows=[{"nps": 9, "k": 2**70}], counts="k"), 422, "Error: .*'k'"),
    "no dates": (asked(time="sector"), 422, "DataError: 'sector'"),
    "no such freq": (asked(time="day", freq="M"), 422, "ParameterError: freq='M'.*'month'"),
    "no scale": (asked(scale=[10, 0]), 422, "ParameterError: scale="),
    "half a scale": (asked(scale=[1]), 422, "scale"),
    "a huge scale": (asked(scale=[0, 10**30]), 422, "ParameterError: scale="),
    "too many rows": (MANY, 413, "10,001 rows, and 10,000 are the most"),
    "too many bytes": (b" " * 2_000_001, 413, "2,000,001 bytes, and 2,000,000 are the most"),
}
COUNTS: dict[str, tuple[dict[str, Any], str]] = {
    "negative": (GROUPS | {"promoters": [-1, 2]}, r"Error: .*promoters.*-1"),
    "lengths": (GROUPS | {"promoters": [1]}, r"Error: .*promoters"),
    "empty": ({"promoters": [], "passives": [], "detractors": []}, "promoters.*at least 1 item"),
    "huge": ({"promoters": 10**30, "passives": 1, "detractors": 1}, "Error: .*promoters"),
    "fractions": (GROUPS | {"promoters": [1.5, 2]}, "promoters"),
    "text": (GROUPS | {"promoters": "5"}, "promoters"),
    "unknown": (GROUPS | {"neutral": 3}, "neutral: Extra inputs are not permitted"),
    "missing": ({"promoters": 3}, "passives: Field required"),
    "a reserved label": (GROUPS | {"labels": {"n": ["a", "b"]}}, "ParameterError: labels='n'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_why(client: httpx.Client, name: str) -> None:
    body, status, reason = BAD[name]
    reply = client.post("/nps/rows", content=body, headers=JSON)
    assert (reply.status_code, bool(re.search(reason, told(reply)["detail"]))) == (status, True), (
        reply.text
    )


@pytest.mark.parametrize("name", COUNTS)
def test_bad_counts_are_told_why(client: httpx.Client, name: str) -> None:
    body, reason = COUNTS[name]
    reply = client.post("/nps/counts", json=body)
    assert reply.status_code == 422
    assert re.search(reason, told(reply)["detail"]), reply.text


def test_the_librarys_reason_is_word_for_word(client: httpx.Client) -> None:
    with pytest.raises(lk.errors.DataError) as caught:
        lk.nps(pd.DataFrame([{"nps": 11}]), "nps")
    reply = client.post("/nps/rows", content=rows_with(nps="11"), headers=JSON)
    assert told(reply) == {"detail": f"DataError: {caught.value}"}


def test_the_page_shows_what_is_asked_and_answered(client: httpx.Client) -> None:
    page = (SERVICE.parents[1] / "docs" / "service.md").read_text()
    asked, answered, refused = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    records = told(client.post("/nps/rows", content=asked, headers=JSON))["records"]
    assert [(row["sector"], row["n"], row["n_missing"]) for row in records] == [
        ("B2B", 1, 0),
        ("B2C", 1, 1),
    ]
    (record,) = json.loads(answered)["records"]
    assert '`{"satisfied": 8, "n": 10}`' in page
    (row,) = told(client.post("/csat/counts", json={"satisfied": 8, "n": 10}))["records"]
    assert row == pytest.approx(record)
    assert list(row) == list(record)
    assert '`{"rows": [{"nps": 11}], "score": "nps"}`' in page
    reply = client.post("/nps/rows", content=rows_with(nps="11"), headers=JSON)
    assert told(reply) == json.loads(refused)
    assert "uvicorn --app-dir examples/service app:app" in page


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nps/rows", JSON, 405),
        ("DELETE", "/nps/counts", JSON, 405),
        ("POST", "/", JSON, 404),
        ("POST", "/nrr/rows", JSON, 404),
        ("POST", "/nps/rows/%00", JSON, 404),
        ("POST", "/nps/rows", {}, 415),
        ("POST", "/nps/rows", {"content-type": "text/csv"}, 415),
        ("POST", "/nps/rows", {"content-type": "application/jsonp"}, 415),
    ],
)
def test_other_ways_to_ask(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = client.request(method, path, content=asked(), headers=headers)
    assert reply.status_code == status
    assert told(reply)["detail"]
    assert status != 404 or "/nps/rows" in told(reply)["detail"]


def test_a_thousand_requests_of_every_kind_at_once(server: str) -> None:
    """Eight clients, good and bad requests mixed: each gets its own answer, and none a 500."""
    good = [(path, json.dumps(body).encode(), 200) for path, body, _ in GOOD.values()]
    bad = [("/nps/rows", body, status) for body, status, _ in BAD.values() if len(body) < 10_000]
    bad += [("/nps/counts", json.dumps(body).encode(), 422) for body, _ in COUNTS.values()]
    rng = random.Random(7)
    requests = [*good, *bad, *(rng.choice(good if i % 2 else bad) for i in range(1_000))][:1_000]
    rng.shuffle(requests)
    tables = [lk.to_records(table) for *_, table in GOOD.values()]
    answers = {one[:2]: table for one, table in zip(good, tables, strict=True)}

    def send(client: httpx.Client, request: tuple[str, bytes, int]) -> int:
        path, body, status = request
        reply = client.post(path, content=body, headers=JSON)
        assert reply.status_code == status, reply.text
        answer = told(reply)
        assert answer["detail"] if status != 200 else answer["records"] == answers[path, body]
        return reply.status_code

    def send_all(part: int) -> list[int]:
        with httpx.Client(base_url=server, timeout=30) as client:
            return [send(client, request) for request in requests[part::8]]

    with ThreadPoolExecutor(8) as pool:
        seen = collections.Counter(code for codes in pool.map(send_all, range(8)) for code in codes)
    assert sum(seen.values()) == 1_000
    assert set(seen) == {200, 400, 422}
    assert min(seen[200], seen[422]) > 300


# ---- the job of the night -----------------------------------------------------------------------


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The script, run by what would stand behind its name on a command line."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["daily_job.py", *map(str, arguments)])
        monkeypatch.setattr(sys, "path", [*sys.path])
        runpy.run_path(str(SERVICE / "daily_job.py"), run_name="__main__")

    return run


def test_stored_days_give_the_services_answer(
    server: str, tmp_path: Path, job: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = lk.datasets.sample_responses(300, rng=3)
    answers = answers[answers["responded_at"].dt.year == 2025]
    days = sorted({moment.date() for moment in answers["responded_at"]})[:2]
    held = answers[answers["responded_at"].dt.date.isin(days)].astype({"sector": str})
    answers.to_csv(tmp_path / "responses.csv", index=False)
    for day in (*days, days[0]):  # the first twice, as when a job is run again
        job("store", tmp_path / "responses.csv", tmp_path / "tallies.duckdb", "--day", day)
    capsys.readouterr()
    job("ask", tmp_path / "tallies.duckdb", "--year", 2025, "--service", server)
    table = lk.nps(held, "nps", by="sector", time="responded_at", freq="quarter")
    shown = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], int(row[2]), int(row[3])) for row in shown] == list(
        zip(table["sector"], table["n"], table["n_missing"], strict=True)
    )


def test_a_year_without_days_is_told(server: str, tmp_path: Path, job: Callable[..., None]) -> None:
    lk.datasets.sample_responses(20, rng=3).to_csv(tmp_path / "a.csv", index=False)
    job("store", tmp_path / "a.csv", tmp_path / "b.duckdb", "--day", "1999-01-01")
    with pytest.raises(SystemExit, match=r"^422: rows: List should have at least 1 item"):
        job("ask", tmp_path / "b.duckdb", "--year", 1999, "--service", server)
