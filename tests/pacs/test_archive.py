"""Status codes: what is tried again, what counts as there, and that each refusal has a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfadvpath.errors import InputError
from tfadvpath.pacs.archive import State, state_of
from tfadvpath.serving.failures import Unavailable

FILE = Path("a.dcm")


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0x0000, State.STORED),
        (0x0111, State.THERE),
        (45070, State.THERE),
        (0xB000, State.CHANGED),
        (0xB006, State.CHANGED),
        (0xB007, State.CHANGED),
        (0x0107, State.CHANGED),
    ],
)
def test_an_archive_that_has_the_file_says_so(code, state):
    assert state_of(FILE, code) is state


@pytest.mark.parametrize("code", [0xA700, 0xA701, 0xA7FF])
def test_an_archive_out_of_resources_is_asked_again(code):
    with pytest.raises(Unavailable, match=f"{code:04X}"):
        state_of(FILE, code)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x0110, "could not process it"),
        (0x0122, "does not take its class"),
        (0x0124, "does not let this client store it"),
        (0xA900, "finds that it is not as its class"),
        (0xA9FF, "finds that it is not as its class"),
        (0xC000, "cannot understand it"),
        (0xC122, "does not take its transfer syntax"),
        (0xCFFF, "cannot understand it"),
        (0x1234, "refuses it"),
    ],
)
def test_a_refusal_is_one_line_with_the_code(code, reason):
    with pytest.raises(
        InputError, match=rf"^a\.dcm: was refused: the archive {reason}.* \({code:04X}\)\. \w"
    ):
        state_of(FILE, code)
