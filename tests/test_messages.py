"""Every error message of the package, in one list: `pytest -s tests/test_messages.py` prints it.

They are read from the source, so that none is left out; that each is raised, and with which values,
the tests of its module show. What a place in braces holds is put in when it is raised.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import loyaltykit as lk

SOURCES = Path(lk.__file__).parent
# Words that blame, or say nothing.
VAGUE = re.compile(r"\b(invalid|illegal|bad|wrong|failed|oops|incorrect)\b", re.IGNORECASE)


class Message(NamedTuple):
    module: str
    line: int
    kind: str
    text: str


def template(node: ast.expr) -> str:
    """Return the text of an expression, with what is put in as its source in braces."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part) for part in parts)
        case ast.FormattedValue(value=value):
            return "{" + ast.unparse(value) + "}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left) + template(right)
        case ast.IfExp(body=body, orelse=other):
            return "{" + f"{template(body)} | {template(other)}" + "}"
    return "{" + ast.unparse(node) + "}"


def messages() -> Iterator[Message]:
    """Every message of every raise; those of one that is built in branches, each."""
    for path in sorted(SOURCES.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                yield from messages_of(path.stem, function)


def messages_of(module: str, function: ast.FunctionDef) -> Iterator[Message]:
    """The messages of one function; a name holds what was put in it since the raise before."""
    built: list[tuple[str, ast.expr]] = []
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Raise)]
    for node in sorted(nodes, key=lambda node: node.lineno):
        if isinstance(node, ast.Assign):
            if isinstance(node.targets[0], ast.Name):
                built.append((node.targets[0].id, node.value))
            continue
        if not (isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        kind, argument = ast.unparse(node.exc.func), node.exc.args[0]
        texts = [argument]
        if isinstance(argument, ast.Name):
            texts = [value for name, value in built if name == argument.id] or texts
        built = []
        for text in texts:
            yield Message(module, node.lineno, kind, " ".join(template(text).split()))


MESSAGES = list(dict.fromkeys(messages()))
# What a message can speak of: parameters of the public functions, and what they return.
FUNCTIONS = [getattr(lk, name) for name in lk.__all__] + [
    getattr(lk.plot, name) for name in lk.plot.__all__
]
NAMES = {"table", "rows", "counts"} | {
    name
    for function in FUNCTIONS
    if inspect.isfunction(function)
    for name in inspect.signature(function).parameters
}


def test_every_message_is_printed() -> None:
    for message in MESSAGES:
        print(f"{message.module}:{message.line} {message.kind}: {message.text}")  # noqa: T201
    raised = sum(
        len(re.findall(r"^ +raise \w+\(", path.read_text(), re.MULTILINE))
        for path in SOURCES.glob("*.py")
    )
    assert len({(message.module, message.line) for message in MESSAGES}) == raised


def test_a_beginner_can_use_each() -> None:
    faults = []
    for module, line, _, text in MESSAGES:
        said = re.sub(r"\{[^{}]*\}", " ", text)
        named = {"{"} & set(text) or NAMES & set(re.findall(r"\w+", text))
        if not named:
            faults.append(f"{module}:{line} names no parameter, column or value: {text}")
        if not text.endswith((".", "?", "}")):
            faults.append(f"{module}:{line} is no whole sentence: {text}")
        if VAGUE.search(said):
            faults.append(f"{module}:{line} blames, and does not say what was found: {text}")
        if said.strip() and not 20 <= len(text) <= 600:
            faults.append(f"{module}:{line} says too little or too much: {text}")
    assert faults == []


def test_a_message_that_says_nothing_is_found() -> None:
    source = "def f(x):\n    msg = f'Invalid {x}'\n    raise ValueError(msg)\n"
    (function,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    (message,) = messages_of("m", function)
    assert message == Message("m", 3, "ValueError", "Invalid {x}")
    assert VAGUE.search(message.text)
