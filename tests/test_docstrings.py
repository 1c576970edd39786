"""One dialect of docstrings: Google's sections, an argument described by a noun, code in double backticks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tfadvpath"
# A description of an argument begins with what it is, not with a preposition, a verb or a question.
NO_NOUN = re.compile(
    r"(Of|As|By|In|On|From|Where|Which|What|Whose|How|When|Called|Gets|Gives|Has|Holds|Is|Likewise|Unused:?"
    r"|Tells|Sent|Given|Passed|There|So|See|With|At)\b(?! least\b| most\b)"
)
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+)(?: \([^)]*\))?:(?: (.*))?$")
SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Usage|Source):", re.MULTILINE)
PRIVATE_WORDS = ("one's own", "let loose", "as there.", "so written that", "deals its", "ditto")


def docstrings() -> Iterator[tuple[str, str, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    name = getattr(node, "name", "module")
                    yield f"{path.relative_to(PACKAGE)}: {name}", text, node


def entries(text: str, section: str) -> Iterator[tuple[str, str]]:
    """The names and the first lines of a section's descriptions."""
    parts = re.split(rf"^{section}:\n", text, flags=re.MULTILINE)
    if len(parts) < 2:
        return
    for line in parts[1].splitlines():
        if line and not line.startswith(" "):
            return
        match = ENTRY.match(line)
        if match:
            yield match[1], match[2] or ""


def faults(text: str, node: ast.AST) -> list[str]:
    """What is wrong with a docstring."""
    found = []
    for section in ("Args", "Attributes"):
        for name, description in entries(text, section):
            if description in ("", '""'):
                found.append(f"{name}: says nothing")
            elif NO_NOUN.match(description):
                found.append(f"{name}: does not begin with a noun: {description}")
    if isinstance(node, ast.Module) and re.match(r"(What|Which|Whether|How)\b", text):
        found.append(f"begins with a question: {text.splitlines()[0]}")
    prose = re.sub(r"``.*?``|\$.*?\$", "", text, flags=re.DOTALL)
    single = re.findall(r"(?<!`)`([a-z_]+)`(?!`)", prose)
    if single:
        found.append(f"single backticks: {single}")
    if re.search(r"^Examples:", text, re.MULTILINE):
        found.append("Examples: instead of Example:")
    decorators = " ".join(ast.dump(each) for each in getattr(node, "decorator_list", ()))
    has_args = re.search(r"^Args:", text, re.MULTILINE)
    if isinstance(node, ast.ClassDef) and "dataclass" in decorators and has_args:
        found.append("Args: of a dataclass, instead of Attributes:")
    if isinstance(node, ast.FunctionDef) and re.match(
        r"(Return|Read|Write|Give|Make|Check|Bring|Show|Keep) ", text
    ):
        found.append(f"begins with an imperative: {text.splitlines()[0]}")
    found += [f"private words: {words}" for words in PRIVATE_WORDS if words in text.lower()]
    return found


def test_docstrings_speak_one_dialect():
    wrong = [
        f"{where}: {fault}"
        for where, text, node in docstrings()
        for fault in faults(text, node)
        # The docstring of a verb is its help, which speaks to a person.
        if not (where.startswith("cli/") and "imperative" in fault)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('def f(a):\n    """Returns a.\n\n    Args:\n        a: Of the seed.\n    """', "noun"),
        ('def f(a):\n    """Returns a.\n\n    Args:\n        a: ""\n    """', "says nothing"),
        ('"""What a stage trains on."""', "question"),
        ('def f():\n    """Return 1."""', "imperative"),
        ('def f():\n    """Returns `path`."""', "backticks"),
        ('@dataclass\nclass A:\n    """A thing.\n\n    Args:\n        a: Seed.\n    """', "dataclass"),
        ('def f():\n    """Returns one\'s own."""', "private"),
    ],
)
def test_a_fault_is_seen(source, fault):
    nodes = [each for each in ast.walk(ast.parse(source)) if isinstance(getattr(each, "body", None), list)]
    node = next(each for each in nodes if ast.get_docstring(each))
    assert any(fault in found for found in faults(ast.get_docstring(node), node))
