"""The base of the builders: cases are read ahead, and nothing of that can be seen in what is stored."""

from __future__ import annotations

import threading
from typing import ClassVar

import numpy as np
import pytest

from tfadvpath.datasets.builder import Dropped, LabelledImageBuilder, PrepareConfig, Record
from tfadvpath.datasets.splits import Case
from tfadvpath.errors import InputError

PATIENTS = {name: f"patient of {name}" for name in "abcd"}


class Builder(LabelledImageBuilder):
    """Two images of each case; of "b" the second cannot be read, of "c" there is one more."""

    BUILDER_CONFIGS: ClassVar = [PrepareConfig(size=4)]
    CLASSES = ("0", "1")
    DESCRIPTION = "Images of a test."

    def __init__(self, **options):
        super().__init__(**options)
        self.started = {name: threading.Event() for name in PATIENTS}

    def _cases(self):
        return [Case(name, patient) for name, patient in PATIENTS.items()]

    def _images(self, case, wanted, part):
        self.started[case].set()
        yield Record(0, np.full((4, 4), 0.5), np.zeros((4, 4), bool), False)
        if case == "b":
            raise InputError(case, "is damaged", "Copy it again")
        if case == "c":
            self.leave_out(case, "outside the body", part, {7})
        yield Record(1, np.full((4, 4), 2.0 if case == "d" else 0.25), np.ones((4, 4), bool), True)


def examples(builder, wanted="abcd"):
    return builder._generate_examples("train", dict.fromkeys(wanted, frozenset({0, 1})), PATIENTS, 0.25)


def test_the_next_case_is_read_while_one_is_written_and_no_more(tmp_path):
    builder = Builder(data_dir=tmp_path)
    made = examples(builder)
    next(made)
    assert builder.started["b"].wait(10)
    assert not builder.started["c"].wait(0.1)
    made.close()
    assert not builder.started["c"].wait(0.1)


def test_what_is_stored_and_left_out_stands_in_order(tmp_path):
    errors = []
    builder = Builder(data_dir=tmp_path, on_error=errors.append)
    made = list(examples(builder, "xabc"))
    assert [(key, one["case"], one["index"]) for key, one in made] == [
        (0, "a", 0),
        (1, "a", 1),
        (2, "b", 0),
        (3, "c", 0),
        (4, "c", 1),
    ]
    assert [(one.case, one.reason, one.indexes) for one in builder.dropped] == [
        ("x", "the source lacks it", (0, 1)),
        ("b", "is damaged", (1,)),
        ("c", "outside the body", (7,)),
    ]
    assert all(isinstance(one, Dropped) and one.part == "train" for one in builder.dropped)
    assert [str(error.source) for error in errors] == ["b"]
    assert (builder.counts["train"].images, builder.counts["train"].positive) == (5, 2)


def test_an_image_that_cannot_be_stored_is_a_line(tmp_path, monkeypatch):
    def fail(image, *others):
        if image.index == 1:
            raise RuntimeError("no more")
        return {"case": others[0]}

    errors = []
    builder = Builder(data_dir=tmp_path, on_error=errors.append)
    monkeypatch.setattr(builder, "_example", fail)
    made = [one["case"] for _, one in _until_the_end(examples(builder, "ad"))]
    assert made == ["a", "d"]
    assert [error.source for error in errors] == ["a", "d"]


def _until_the_end(made):
    """Yields what is made; nothing is counted where ``_example`` is replaced, which ends in an error."""
    with pytest.raises(InputError, match="leaves no image"):
        yield from made
