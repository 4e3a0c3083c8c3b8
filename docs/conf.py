"""The site: the pages that GitHub shows, the notebooks, and a page for every public name.

`make docs` builds it from the root of the project, so that a link is the same here and on GitHub.
No page fetches anything from elsewhere: equations are MathML, which browsers draw themselves.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml, pick_math_environment
from sphinx import addnodes
from sphinx.util import logging

import loyaltykit as lk

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

project = "loyaltykit"
release = version = lk.__version__
extensions = [
    "myst_nb",  # brings Markdown along
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
]
root_doc = "docs/README"
default_role = "literal"  # a name between single backticks is code, in docstrings too
include_patterns = [
    *("docs/**", "notebooks/*.ipynb", "benchmarks/*.md", "examples/**/README.md"),
    *("README.md", "README.id.md", "CHANGELOG.md", "CONTRIBUTING.md"),
]
exclude_patterns = [".*", "build", "src", "tests", "docs/templates"]

html_theme = "furo"
html_title = f"loyaltykit {release}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
pygments_style = "friendly"

# ---- Markdown, notebooks, docstrings ------------------------------------------------------------

# autosummary writes its pages with the first of these.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
myst_fence_as_directive = ["math"]  # what GitHub draws as an equation
myst_heading_anchors = 3
nb_execution_mode = "cache"  # a notebook that has not changed is not run again
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # a notebook may write files
nb_execution_timeout = 300
copybutton_exclude = ".linenos, .gp, .go"  # prompts and output are not copied

autosummary_generate = True
templates_path = ["docs/templates"]  # the pages of functions are named as they are called
autodoc_typehints = "none"  # the sections of a docstring name the types in words
numpydoc_show_class_members = False

# ---- Where a page stands ------------------------------------------------------------------------

# A page that is named nowhere stands in the last section; a page that is not there yet, in none.
SECTIONS = {
    "Start": ["docs/quickstart", "docs/which-number", "README", "README.id"],
    "Surveys": ["docs/nps", "docs/csat", "docs/ces"],
    "Behaviour": ["docs/churn", "docs/retention", "docs/which-churn", "docs/cohorts"],
    "Money and time": ["docs/revenue", "docs/survival"],
    "Segments": ["docs/tiers"],
    "Can I believe it?": ["docs/methods"],
    "Notebooks": [],
    "For services": ["docs/service", "docs/engines"],
    "Reference": ["docs/api/index", "docs/glossary", "docs/vendors"],
}
GLOBS = {
    "Notebooks": ["notebooks/*.ipynb"],
    "For services": ["examples/*/README.md"],
    "Reference": ["docs/*.md", "benchmarks/*.md", "CHANGELOG.md", "CONTRIBUTING.md"],
}
# Where the title of a page says too little without the file it stands in.
TITLES = {
    "README": "What loyaltykit is",
    "README.id": "Bahasa Indonesia",
    "docs/churn": "Churn and retention rates",
    "docs/retention": "Who counts as retained",
    "docs/which-churn": "Which churn number?",
    "docs/which-number": "Which number to report",
    "benchmarks/results": "Benchmarks",
    "benchmarks/scaling": "Benchmarks past one machine",
    "examples/service/README": "The example service",
}
API = ROOT / "docs" / "api"  # written by every build, and not kept


def sections() -> dict[str, list[str]]:
    """Return the names of the pages of each section, in their order."""
    placed = {root_doc} | {name for names in SECTIONS.values() for name in names}
    found: dict[str, list[str]] = {}
    for title, names in SECTIONS.items():
        there = [name for name in names if any(ROOT.glob(f"{name}.*")) or name == "docs/api/index"]
        for pattern in GLOBS.get(title, []):
            more = [path.relative_to(ROOT).with_suffix("") for path in sorted(ROOT.glob(pattern))]
            there += [str(name) for name in more if str(name) not in placed]
        found[title] = there
    return found


def navigation() -> str:
    """Return the sections as lists of contents, which the theme shows at the side."""
    return "\n".join(
        "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *map(entry, names)])
        + "\n```\n"
        for title, names in sections().items()
        if names
    )


def entry(name: str) -> str:
    """Return the line of a page in a list of contents."""
    return f"{TITLES[name]} </{name}>" if name in TITLES else f"/{name}"


def add_navigation(app: Any, name: str, source: list[str]) -> None:
    """Append the sections to the first page, whose file on GitHub has no use for them."""
    if name == root_doc:
        source[0] += "\n" + navigation()


def lead_to_the_first_page(app: Any, failure: Exception | None) -> None:
    """Write the page that a server shows for a folder."""
    if failure is None and app.builder.format == "html":
        target = app.builder.get_target_uri(root_doc)
        head = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={target}">'
        body = f'<title>{html_title}</title><p><a href="{target}">{html_title}</a></p>'
        Path(app.outdir, "index.html").write_text(
            f'<!doctype html><html lang="en">{head}{body}</html>\n', encoding="utf-8"
        )


# ---- A page for every public name ---------------------------------------------------------------


def public_names() -> list[str]:
    """Return every public name from below the package: functions, and those of its modules."""
    names = []
    for name in lk.__all__:
        thing = getattr(lk, name)
        if isinstance(thing, types.ModuleType):
            names += [f"{name}.{inner}" for inner in thing.__all__]
        else:
            names.append(name)
    return names


def groups() -> dict[str, list[str]]:
    """Return the public names under the headings of the README's table; the rest under "more"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = text.split("## What is in it")[1].split("\n## ")[0]
    left = public_names()
    found = {}
    for title, cell in re.findall(r"^\| (?!for |---)([^|]+) \| (.*) \|$", text, flags=re.MULTILINE):
        named = re.findall(r"`([\w.]+)`", cell)
        named += [f"datasets.{name}" for name in named]  # the table does not repeat the module
        found[title] = [name for name in left if name in named]
        left = [name for name in left if name not in found[title]]
    modules = {name.split(".")[0] for name in left if "." in name}
    for module in sorted(modules):
        found[f"more of {module}"] = [name for name in left if name.startswith(f"{module}.")]
    found["more"] = [name for name in left if "." not in name]
    return {title: names for title, names in found.items() if names}


def write_reference() -> None:
    """Write the list of all public names; autosummary makes a page of each."""
    lines = ["Every function", "==============", ""]
    lines += ["``import loyaltykit as lk``. The help of a function is its specification.", ""]
    for title, names in groups().items():
        heading = title[0].upper() + title[1:]
        lines += [heading, "-" * len(heading), "", ".. currentmodule:: loyaltykit", ""]
        lines += [".. autosummary::", "   :toctree: .", "   :nosignatures:", ""]
        lines += [*(f"   {name}" for name in names), ""]
    API.mkdir(exist_ok=True)
    pages = {f"loyaltykit.{name}.rst" for name in public_names()} | {"index.rst"}
    for page in API.glob("*.rst"):
        if page.name not in pages:  # of a name that is gone
            page.unlink()
    (API / "index.rst").write_text("\n".join(lines), encoding="utf-8")


# ---- Equations ----------------------------------------------------------------------------------


# A command with the words in its braces, or a word of three letters, which is no product of three.
WORDS = re.compile(r"\\(?:text|begin|end|mathrm|operatorname)\*?{[^}]*}|\\[A-Za-z]+|[A-Za-z]{3,}")


def mathml(node: Any, block: bool) -> str:
    """Return an equation as MathML; its words stand upright."""
    text = WORDS.sub(
        lambda m: m[0] if m[0].startswith("\\") else rf"\text{{{m[0]}}}", node.astext()
    )
    if block and "align" in pick_math_environment(text):
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    try:
        return str(latex2mathml.tex2mathml(text, as_block=block))
    except MathError as error:
        logging.getLogger(__name__).warning("%s In the equation %s", error, text, location=node)
        return ""


def inline_equation(writer: Any, node: Any) -> None:
    """Write an equation within a line."""
    writer.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def display_equation(writer: Any, node: Any) -> None:
    """Write an equation in lines of its own; one that is too wide scrolls in its box."""
    writer.body.append(f'<div class="equation">{mathml(node, block=True)}</div>')
    raise nodes.SkipNode


# ---- Links from the name of a function to its page ----------------------------------------------


def link_names(app: Any, doctree: Any) -> None:
    """Lead from `nps` or `plot.trend` in a text to the page of that function."""
    names = set(public_names())
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removeprefix("lk.").split("(")[0]
        inside = (nodes.reference, nodes.title, addnodes.pending_xref, addnodes.download_reference)
        if name not in names or any(isinstance(one, inside) for one in ancestors(literal)):
            continue
        link = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=f"loyaltykit.{name}", refexplicit=True
        )
        link["refdoc"] = app.env.current_document.docname
        literal.replace_self(link)
        link += literal


def ancestors(node: Any) -> Iterator[Any]:
    """Yield what a node lies in."""
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app: Any) -> None:
    """Tell Sphinx of the functions above."""
    write_reference()
    app.add_html_math_renderer("mathml", (inline_equation, None), (display_equation, None))
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", link_names)
    app.connect("build-finished", lead_to_the_first_page)
