"""The pages that people read: their links, pictures and commands hold, here and on the site.

The examples run as doctests when pytest collects the pages; `make docs` builds the site.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import loyaltykit as lk
from loyaltykit import labels

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README, INDONESIAN = ROOT / "README.md", ROOT / "README.id.md"
PAGES = [README, INDONESIAN, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
PAGES += sorted((ROOT / "examples").glob("*/README.md"))
METRICS = ["nps", "csat", "ces", "churn", "cohorts", "survival"]
# Pages of metrics in a form of their own: what is asked of all of them is less.
OTHERS = ["revenue", "tiers"]
PARTS = [
    *("What it answers", "Definition", "Example", "What counts as missing"),
    *("What changes the number", "How sure", "Other tools", "Common mistakes", "Read beside it"),
    "Sources",
]
DOI = re.compile(r"10\.\d{4,9}/\S+")

by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@functools.cache
def script(name: str) -> types.ModuleType:
    """Return a script as a module, by its place from docs."""
    spec = importlib.util.spec_from_file_location(f"script_{Path(name).name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks for the types of its models
    spec.loader.exec_module(module)
    return module


def fences(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page: what each is marked as, and its lines."""
    pattern = r"^(`{3,})([^\n`]*)\n(.*?)^\1$"
    return [(m[2].strip(), m[3]) for m in re.finditer(pattern, text, re.MULTILINE | re.DOTALL)]


def without_fences(text: str) -> str:
    """Return the text of a page without its fenced blocks, whose # are no headings."""
    return re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str, level: str = "#+") -> list[str]:
    """Return the headings of a page."""
    return re.findall(rf"^{level} (.*)$", without_fences(text), flags=re.MULTILINE)


# ---- links --------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return what a link into a page can name: its headings, as GitHub writes them."""
    found = headings(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere: files and headings; addresses by their form."""
    text = without_fences(page.read_text(encoding="utf-8"))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+(?:\([^)\s]*\)[^)\s]*)*)\)|<(https?:[^>]*)>", text):
        address = link[0] or link[1]
        name, _, anchor = address.partition("#")
        if ":" in address.split("/")[0]:
            parts = urlsplit(address)
            good = parts.scheme in {"http", "https"} and "." in parts.netloc
            if parts.netloc == "doi.org":
                good = good and DOI.fullmatch(parts.path[1:]) is not None
        else:
            target = (page.parent / name).resolve() if name else page
            good = target.exists() and (not anchor or anchor in anchors(target))
        if not good:
            broken.append(address)
    return broken


@by_name
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One, two\n[a](#one-two) [b](#three) [c](other.md) [d](https://a.b/c#d) [e](http:a)\n"
        "<https://doi.org/10.1000/x(1)2> <https://doi.org/11.1/x>\n```sh\n# Three\n```\n"
    )
    assert broken_links(page) == ["#three", "other.md", "http:a", "https://doi.org/11.1/x"]


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    names = [page.name for page in DOCS.glob("*.md") if page.name != "README.md"]
    assert [name for name in names if f"]({name})" not in index] == []


# ---- what is on a page --------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_pages_of_metrics_have_the_same_parts(name: str) -> None:
    found = headings((DOCS / f"{name}.md").read_text(encoding="utf-8"), "##")
    assert [heading for heading in found if heading in PARTS] == PARTS


@pytest.mark.parametrize("name", [*METRICS, *OTHERS])
def test_pages_of_metrics_have_a_picture_and_sources(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert "](pictures/" in text
    sources = text.split("\n## Sources\n")[1]
    assert "https://doi.org/" in sources
    if name != "tiers":  # rules, and no equation
        assert "math" in {kind for kind, _ in fences(text)}
    if name in OTHERS:
        assert "Traps" in headings(text, "##")


def test_readme_names_every_public_function() -> None:
    text = README.read_text(encoding="utf-8").split("## What is in it")[1].split("\n## ")[0]
    named = set(re.findall(r"`([\w.]+)`", text))
    public = {name for name in lk.__all__ if not isinstance(getattr(lk, name), types.ModuleType)}
    public |= {f"plot.{name}" for name in lk.plot.__all__}
    assert sorted(public - named) == []


def test_glossary_holds_every_label_that_is_read() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    functions = {
        "normalize_sector": labels._SECTOR_SPELLINGS,
        "normalize_relationship": labels._RELATIONSHIP_SPELLINGS,
        "normalize_loyalty_tier": labels._TIER_SPELLINGS,
    }
    for name, spellings in functions.items():
        part = text.split(f"### `{name}`\n")[1].split("\n### ")[0]
        rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", part, flags=re.MULTILINE))
        assert rows.pop("label") == "spellings"
        assert rows == spellings


def test_readmes_in_both_languages_are_built_alike() -> None:
    english, indonesian = (page.read_text(encoding="utf-8") for page in (README, INDONESIAN))
    for kind in ("python", "sh"):
        code = [
            [re.sub(r"\s+#.*", "", body) for found, body in fences(text) if found == kind]
            for text in (english, indonesian)
        ]
        assert code[0] == code[1]
    assert len(headings(english, "##")) == len(headings(indonesian, "##"))
    pictures = [len(re.findall(r"^!\[", text, re.MULTILINE)) for text in (english, indonesian)]
    assert pictures[0] == pictures[1]
    cells = [re.findall(r"^\| [^|]+ \| (`.*) \|$", text, re.M) for text in (english, indonesian)]
    assert cells[0] == cells[1]


# ---- blocks -------------------------------------------------------------------------------------


@by_name
def test_every_block_is_run_checked_or_output(page: Path) -> None:
    """A doctest runs, a command is checked below, an equation is drawn, a text is output."""
    for kind, body in fences(page.read_text(encoding="utf-8")):
        assert kind in {"python", "sh", "math", "text", "sql", "json"}, (kind, body)
        if kind == "python":
            assert body.startswith(">>> "), f"{body} is no doctest"


def commands() -> list[str]:
    """Return every command of the pages, once, without its comment."""
    found = set()
    for page in PAGES:
        for kind, body in fences(page.read_text(encoding="utf-8")):
            if kind == "sh":
                lines = body.replace("\\\n", " ").splitlines()
                found |= {shlex.join(shlex.split(line, comments=True)) for line in lines}
    return sorted(found - {""})


def projects() -> set[str]:
    """Return every package that the project asks for, and its own extras."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = settings["project"]["optional-dependencies"]
    lists = [*extras.values(), *settings["dependency-groups"].values()]
    asked = [*settings["project"]["dependencies"], *(name for names in lists for name in names)]
    names = {re.match(r"[\w-]+", name)[0] for name in asked if isinstance(name, str)}  # type: ignore[index]
    own = {f"{name}[{extra}]" for name in (".", "loyaltykit") for extra in extras}
    return names | own | {".", "loyaltykit"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the commands name, under the names of their columns."""
    folder = tmp_path_factory.mktemp("files")
    responses = lk.datasets.sample_responses(300, rng=3)
    responses.assign(recommend=responses["nps"]).to_csv(folder / "responses.csv", index=False)
    lk.datasets.sample_interactions(2_000, rng=3).to_csv(folder / "log.csv", index=False)
    customers = lk.datasets.sample_customers().rename(columns={"sector": "segment"})
    customers.to_csv(folder / "crm.csv", index=False)
    text = (DOCS / "quickstart.md").read_text(encoding="utf-8")
    table = text.split('StringIO("""')[1].split('"""')[0].replace("... ", "")
    (folder / "answers.csv").write_text(table.lstrip("\n"), encoding="utf-8")
    return folder


@functools.cache
def run(folder: Path, name: str, *words: str) -> str:
    """Run one of the project's scripts and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / name), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(words: list[str]) -> int:
    """Return how the service answers what curl is told to send."""
    *options, address = words
    given = dict(zip(options[::2], options[1::2], strict=True))
    name, _, value = given["-H"].partition(": ")

    async def post() -> int:
        app = httpx.ASGITransport(app=script("../examples/service/app").app)
        async with httpx.AsyncClient(transport=app) as client:
            answer = await client.post(address, content=given["-d"], headers={name: value})
        return answer.status_code

    return asyncio.run(post())


@pytest.mark.parametrize("command", commands())
def test_every_command_works(command: str, files: Path) -> None:
    """Scripts run, on files of these names; of the others what they name is there."""
    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert {word for word in words if "=" not in word} <= set(targets)
    elif program == "pip":
        assert words[0] == "install"
        assert set(words[1:]) <= projects()
    elif program == "git":
        assert words[0] == "clone"
    elif program == "cd":
        assert words == ["loyaltykit"]
    elif program == "uvicorn":
        assert words[0] == "--app-dir"
        module, name = words[2].split(":")
        source = (ROOT / words[1] / f"{module}.py").read_text(encoding="utf-8")
        assert f"\n{name} = " in source
    elif program == "curl":
        assert ask(words) == 200
    elif program.endswith("python"):
        served = any(word.startswith("http://127.0.0.1") for word in words)
        run(files, *([*words[:2], "--help"] if served else words))  # no server is running here
    else:
        pytest.fail(f"no test knows how to check {command!r}")


def test_the_table_of_the_quickstart_is_what_its_command_prints(files: Path) -> None:
    blocks = fences((DOCS / "quickstart.md").read_text(encoding="utf-8"))
    place = next(i for i, (_, body) in enumerate(blocks) if "first_table.py" in body)
    assert blocks[place + 1][0] == "text"
    words = shlex.split(blocks[place][1])[1:]
    assert run(files, *words) == blocks[place + 1][1]


# ---- pictures -----------------------------------------------------------------------------------


def test_every_picture_is_there_and_small() -> None:
    """`make docs` draws all of them, to see that the script can."""
    for page in PAGES:
        for name in re.findall(r"^!\[[^\]]+\]\(([^)]+)\)", page.read_text(), flags=re.MULTILINE):
            assert (page.parent / name).exists(), f"{page.name} shows {name}"
    drawn = {f"{name}.png" for name in script("pictures").PICTURES}
    stored = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert set(stored) == drawn
    assert max(stored.values()) < 60_000
    shown = set(re.findall(r"pictures/(\w+\.png)", "".join(page.read_text() for page in PAGES)))
    assert shown == drawn


# ---- the site -----------------------------------------------------------------------------------


def test_every_page_and_public_name_has_its_place_on_the_site() -> None:
    pytest.importorskip("sphinx", reason="only the checks' environment builds the site")
    conf = script("conf")
    placed = [name for names in conf.sections().values() for name in names]
    assert len(placed) == len(set(placed))
    pages = {str(page.relative_to(ROOT).with_suffix("")) for page in PAGES} - {conf.root_doc}
    assert pages - set(placed) == set()
    names = [name for names in conf.groups().values() for name in names]
    assert sorted(names) == sorted(conf.public_names())
