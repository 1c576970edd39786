"""What the fuzzer found stays found: each file broke a promise once, and must not again.

A file's name begins with its target. ``python tests/fuzz/run.py --replay FILE`` tries one alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import harness

FOUND = sorted((Path(__file__).parent / "found").iterdir())
_LARGEST = 20_000


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_a_promise_that_was_broken_is_kept(file):
    (target,) = harness.targets([file.name.split("-")[0]])
    assert [finding.text for finding in harness.try_here(target, file.read_bytes())] == []


def test_what_is_kept_is_small():
    assert FOUND
    assert [file.name for file in FOUND if file.stat().st_size > _LARGEST] == []
