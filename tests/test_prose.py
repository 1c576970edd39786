"""The project's Markdown files can be read in a terminal, and use no private words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110
# Words that say nothing to a newcomer, in lower case.
PRIVATE_WORDS = ("one's own", "let loose", "ditto")

# Not all of ROOT: it may hold environments, builds and what the commands wrote.
_PATTERNS = ("*.md", ".github/**/*.md", "*/README.md", "docs/**/*.md", "tfadvpath/**/*.md")
_GENERATED = (".pytest_cache/", "build/", "dist/", "docs/_build/", "docs/reference/modules/")
_NAMES = {path.relative_to(ROOT).as_posix() for pattern in _PATTERNS for path in ROOT.glob(pattern)}
FILES = sorted(name for name in _NAMES if not name.startswith(_GENERATED))
# Model cards are templates or made from one: what is filled in has any length.
PAGES = [name for name in FILES if not name.startswith("tfadvpath/")]

# Front matter, fenced code, formulas and comments.
_BLOCK = re.compile(r"(?ms)\A---\n.*?^---$|^ *(```|~~~).*?^ *\1$|^\$\$.*?\$\$|^<!--.*?-->")
# Headings, rows of tables, and lines that are one link, image or address.
_LONG_BY_NATURE = re.compile(
    r" *([-*] |\d+\. )?(#.*|\|.*|!?\[[^\]]*\](\([^)]*\)|: .*)[.,;:]?|<?https?://\S+)"
)


def prose(text: str) -> list[str]:
    """The lines of running text; a paragraph that begins with four spaces is code."""
    paragraphs = re.split(r"\n\s*?\n+", _BLOCK.sub("\n", text))
    lines = [line for one in paragraphs if not one.startswith(("    ", "\t")) for line in one.splitlines()]
    return [line for line in lines if not _LONG_BY_NATURE.fullmatch(line)]


@pytest.mark.parametrize("name", PAGES)
def test_a_line_of_prose_fits_a_terminal(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [line for line in prose(text) if len(line) > WIDTH] == []


@pytest.mark.parametrize("name", FILES)
def test_no_private_word_is_used(name):
    text = " ".join((ROOT / name).read_text(encoding="utf-8").lower().split())
    assert [word for word in PRIVATE_WORDS if word in text] == []
