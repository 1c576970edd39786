"""The registry of generators. That a row agrees with its class is in test_contract."""

import collections
import dataclasses

import pytest

from tfadvpath.generators import registry
from tfadvpath.generators.registry import GENERATORS, GeneratorRow, path_generators, register

ROW = GeneratorRow(
    name="other",
    title="Other",
    home="collections.OrderedDict",
    networks=("network",),
    loss_weights={"near": 1.0},
)


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "GENERATORS", dict(GENERATORS))


def test_a_row_is_found_by_its_name_behind_those_before_it():
    register(ROW)
    assert registry.GENERATORS["other"] is ROW
    assert [*registry.GENERATORS] == [*GENERATORS, "other"]


def test_two_of_one_name_are_refused_and_the_first_stays():
    register(ROW)
    for name in ("other", "syce"):
        with pytest.raises(ValueError, match=f"two generators are called '{name}'"):
            register(dataclasses.replace(ROW, name=name, title="A second one"))
    assert registry.GENERATORS["other"] is ROW
    assert registry.GENERATORS["syce"] is GENERATORS["syce"]


def test_paths_are_the_rows_that_say_so():
    assert path_generators() == ("cyce", "syce", "sagen")
    register(ROW)
    assert path_generators() == ("cyce", "syce", "sagen")
    register(dataclasses.replace(ROW, name="another", is_path=True))
    assert path_generators() == ("cyce", "syce", "sagen", "another")


def test_a_row_loads_the_class_of_its_home():
    assert ROW.load_class() is collections.OrderedDict


def test_every_class_takes_its_weights_from_its_row():
    """Not a copy: one place says what a term weighs."""
    for row in GENERATORS.values():
        assert row.load_class().LOSS_WEIGHTS is row.loss_weights
